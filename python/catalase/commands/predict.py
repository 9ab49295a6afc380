"""``catalase predict`` predicts every row of a table of any length, in bounded memory."""

from __future__ import annotations

import argparse
import sys
from typing import IO, Any

from .._internal.console import Console
from .common.command import Commands, command, exit_code
from .common.options import add_table_options, input_path, name, output_path

_CHUNK = 4096  # rows predicted at a time


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    text = "Predict for every row of a table, in bounded memory."
    parser = command(commands, "predict", text, run, interrupted="nothing was written")
    parser.add_argument("model", type=input_path, help="folder of a saved model that names its featurizer")
    parser.add_argument("table", type=input_path, help="as for train, with the SMILES column the model was trained on")
    parser.add_argument(
        "-o",
        "--out",
        type=output_path,
        required=True,
        help="CSV to write: the table's columns and one for each task; - for standard output",
    )
    parser.add_argument("--smiles", type=name, help="column of SMILES (default: the one of training)")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    add_table_options(parser)


def run(options: argparse.Namespace) -> int:
    """Copy the table chunk by chunk, with the predictions in new columns."""
    from .._internal import storage
    from .._internal.report import Failure, Report
    from .._internal.storage.outputs import Output, check_outputs
    from ..data.open_table import open_table
    from .common import tables

    out = options.out
    console = Console(sys.stderr if out in ("-", "/dev/stdout") else None)  # messages must not mix with the result
    unreadable = tables.UnreadableRows.of(options, tables.error_file_beside(out))
    inputs = {"the table": options.table, "the model": options.model}
    check_outputs("predict", inputs, [Output("-o", out), unreadable.output], force=options.force)
    model = tables.load_model(options.model)
    smiles, predicted = tables.smiles_column(model, options.smiles), _prediction_names(model)
    failures: list[Failure] = []
    total = 0
    # The table is opened before the output, so that its faults are not taken for faults of the output.
    with open_table(options.table, "predict") as table:
        smiles = table.smiles_column(smiles)
        added = tables.added_columns(table, smiles, [f"predicted {what}" for what in predicted])
        column = table.header.index(smiles)

        def write(binary: IO[bytes]) -> None:
            nonlocal total
            with storage.csv_writer(binary) as writer, console.progress("predicting", None) as advance:
                writer.writerow(table.header + added)
                for rows, unread in table.chunks(_CHUNK):
                    cells, failed = _predict(model, len(predicted), [row[column] for row in rows], unread)
                    failures.extend(failure.shifted(total) for failure in failed)
                    writer.writerows(row + more for row, more in zip(rows, cells, strict=True))
                    total += len(rows)
                    advance(len(rows))
            unreadable.check_share(report())

        def report() -> Report:
            return Report(total, total - len({f.position for f in failures}), failures)

        tables.write_result(out, write)
    console.print(f"{total:,} rows written to {'standard output' if out == '-' else out}")
    return exit_code(unreadable.tell(console, report()), options)


def _predict(model: Any, width: int, smiles: list[str], unread: list[Any]) -> tuple[list[list[str]], list[Any]]:
    """Return the cells to add to each row, empty where the row cannot be read, and the failures."""
    predictions, kept, failed = model._answers("predict", smiles, model.predict, unread=unread)
    cells = [[""] * width for _ in smiles]
    for i, values in zip(kept.tolist(), predictions, strict=True):
        if values.ndim == 2:  # class probabilities; of two classes that of the second
            values = values[:, 1] if values.shape[1] == 2 else values.reshape(-1)
        cells[i] = [str(value) for value in values]  # reads back as the same bits
    return cells, failed


def _prediction_names(model: Any) -> list[str]:
    """Return the names of the predicted columns: each task, or each class of each task where there are more than two."""
    example = model._answers("predict", ["C"], model.predict).predictions
    if example.ndim not in (2, 3):
        raise ValueError(f"the model gives predictions of shape {example.shape}, which are no columns of a table")
    tasks = model.tasks or [f"task {number}" for number in range(example.shape[1])]
    if len(tasks) != example.shape[1]:
        raise ValueError(f"the model gives {example.shape[1]} tasks but names {len(tasks)}: {', '.join(tasks)}")
    if example.ndim == 2 or example.shape[2] == 2:
        return list(tasks)
    return [f"{task} class {number}" for task in tasks for number in range(example.shape[2])]
