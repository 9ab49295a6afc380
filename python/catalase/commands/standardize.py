"""``catalase standardize`` gives every molecule of a table its standard form, and finds the rows of the same molecule."""

from __future__ import annotations

import argparse
from typing import IO

from .common.command import Commands, command, exit_code
from .common.options import SMILES_HELP, add_table_options, input_path, name, output_path

_CHUNK = 1024  # rows standardized at a time


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    text = (
        "Standardize the molecules of a table: without salts, neutral, canonical; report duplicates and their labels."
    )
    parser = command(commands, "standardize", text, run, interrupted="nothing was written")
    parser.add_argument(
        "table", type=input_path, help="as for train; SMILES of CXSMILES tables may have their extension"
    )
    parser.add_argument(
        "-o",
        "--out",
        type=output_path,
        required=True,
        help="CSV to write: the table's columns, the standard SMILES, InChIKey, and what was done; - for standard output",
    )
    parser.add_argument("--smiles", type=name, help=SMILES_HELP)
    parser.add_argument(
        "--task", type=name, action="append", default=[], help="column of labels, compared in rows of the same molecule"
    )
    parser.add_argument(
        "--merge",
        choices=["mean", "median", "missing"],
        help="write one row a molecule, with this label where labels differ (classes 0 and 1: missing)",
    )
    parser.add_argument("--keep-groups", action="store_true", help="leave functional groups as they are written")
    parser.add_argument(
        "--keep-fragments", action="store_true", help="keep counterions, solvents, all parts of mixtures"
    )
    parser.add_argument("--keep-charges", action="store_true", help="do not neutralize")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument("--decimal", choices=[".", ","], help="decimal separator of the labels (default: both are)")
    add_table_options(parser)


def run(options: argparse.Namespace) -> int:
    """Copy the table chunk by chunk with new columns, or one row for each molecule."""
    from .._internal import storage
    from .._internal.storage.outputs import Output, check_outputs
    from ..data.csv_loader import check_columns
    from .common import tables
    from .common.standard_rows import ADDED, DIFFER, StandardRows

    out = options.out
    console = tables.console_beside(out)
    unreadable = tables.UnreadableRows.of(options, tables.error_file_beside(out))
    check_outputs(
        "standardize", {"the table": options.table}, [Output("-o", out), unreadable.output], force=options.force
    )
    with tables.opened(options, "standardize", options.smiles) as table:
        smiles = table.smiles_column(options.smiles)
        added = ADDED + ([DIFFER] if options.task else [])
        tables.added_columns(table, smiles, added)
        check_columns(options.table, table.header, options.task)
        rows = StandardRows(options, table.header, smiles)

        def write(binary: IO[bytes]) -> None:
            with storage.csv_writer(binary) as writer, console.progress("standardizing", None) as advance:
                writer.writerow(table.header + added)
                for part, unread in table.chunks(_CHUNK):
                    done = rows.standardize(part, unread)
                    if not options.merge:
                        writer.writerows(done)
                    advance(len(part))
                if options.merge:
                    writer.writerows(rows.merged(options.merge))
            unreadable.check_share(rows.report())

        tables.write_result(out, write)
        tables.print_format(console, table, smiles)
    report = rows.report()
    written = f"{len(rows.molecules.rows):,} molecules" if options.merge else f"{report.total:,} rows"
    console.print(f"{written} written to {'standard output' if out == '-' else out}")
    for note in report.notes:
        console.print(note)
    return exit_code(unreadable.tell(console, report), options)
