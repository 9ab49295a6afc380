"""``catalase featurize`` adds descriptors and fingerprints to the rows of a table of any length, in bounded memory."""

from __future__ import annotations

import argparse
from typing import Any

from .common.command import Commands, command, exit_code
from .common.features import add_feature_options
from .common.options import SMILES_HELP, add_table_options, input_path, name, output_path

_MOST_COLUMNS = 100_000  # bits of a fingerprint, each of which is a cell in every row


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    text = "Add descriptors and fingerprints of the molecules to a table, in bounded memory."
    parser = command(commands, "featurize", text, run, interrupted="nothing was written")
    parser.add_argument("table", type=input_path, help="as for train")
    parser.add_argument(
        "-o",
        "--out",
        type=output_path,
        required=True,
        help="CSV to write: the table's columns and one for each feature; - for standard output",
    )
    parser.add_argument("--smiles", type=name, help=SMILES_HELP)
    add_feature_options(parser, default="descriptors")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    add_table_options(parser)


def run(options: argparse.Namespace) -> int:
    """Copy the table chunk by chunk, with the features in new columns; each molecule is read once for all of them."""
    import numpy as np

    from .._internal.report import Failure
    from .._internal.storage.outputs import Output, check_outputs
    from ..models.datapoints import predict_datapoints
    from .common import tables
    from .common.features import featurizer_of

    unreadable = tables.UnreadableRows.of(options, tables.error_file_beside(options.out))
    outputs = [Output("-o", options.out), unreadable.output]
    check_outputs("featurize", {"the table": options.table}, outputs, force=options.force)
    featurizer = featurizer_of(options)
    if options.size > _MOST_COLUMNS:
        raise ValueError(f"--size makes a column of each bit, at most {_MOST_COLUMNS:,}, got {options.size:,}")
    names = list(featurizer.feature_names or ())
    odd, rows_with_odd = np.zeros(len(names), np.int64), 0

    def cells_of(smiles: list[str], unread: list[Failure]) -> tuple[list[list[str]], list[Failure]]:
        nonlocal odd, rows_with_odd
        X, kept, failures = predict_datapoints("featurize", smiles, featurizer, lambda X: X, False, unread=unread)
        cells = [[""] * len(names) for _ in smiles]
        for i, row in zip(kept.tolist(), X.tolist(), strict=True):
            cells[i] = [_text(value) for value in row]
        if len(kept):
            strange = ~np.isfinite(X)
            odd, rows_with_odd = odd + strange.sum(axis=0), rows_with_odd + int(strange.any(axis=1).sum())
        return cells, failures

    console, failed = tables.copy_with_columns("featurize", "featurizing", unreadable, options, None, names, cells_of)
    if rows_with_odd:
        found = [f"{names[j]} ({odd[j]:,})" for j in np.flatnonzero(odd).tolist()]
        more = f" and {len(found) - 8} more" if len(found) > 8 else ""
        console.print(f"{rows_with_odd:,} rows have values that are NaN or infinite: {', '.join(found[:8])}{more}")
    return exit_code(failed, options)


def _text(value: Any) -> str:
    """Return a number as it is read back to the bit, and a whole one without a point."""
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
