"""``catalase screen`` finds the molecules of a library that a trained model scores best."""

from __future__ import annotations

import argparse

from .common.command import Commands, arguments, command
from .common.hits import add_hit_options, print_hits
from .common.options import add_table_options, input_path, name, output_path, whole_number


def add(commands: Commands) -> None:
    """Declare the command; its options are arguments of `catalase.screen`."""
    text = "Find the molecules of a library of any size that a model scores best, in bounded memory."
    interrupted = "--resume goes on with it, if it ran for more than a few seconds"
    parser = command(commands, "screen", text, run, interrupted=interrupted)
    parser.add_argument("model", type=input_path, help="folder of a saved model")
    parser.add_argument(
        "library",
        type=input_path,
        help=".smi, .csv, .tsv, .txt, .cxsmiles or .sdf, plain or compressed, .parquet or .xlsx; - for standard input",
    )
    parser.add_argument("--top", type=whole_number(1), default=1000, help="hits to keep (default: %(default)s)")
    parser.add_argument(
        "-o",
        "--out",
        type=output_path,
        required=True,
        help="CSV for the hits; its record is kept in OUT.json; - for standard output, without a record",
    )
    parser.add_argument("--task", type=name, help="task to rank by, name or number from 0 (default: the only one)")
    parser.add_argument(
        "--class",
        dest="class_index",
        metavar="CLASS",
        type=whole_number(0),
        help="of classifiers: the class whose probability is the score (default: 1)",
    )
    parser.add_argument("--lowest", action="store_true", help="rank the lowest scores first")
    parser.add_argument(
        "--smiles-column",
        type=name,
        help="column of a table (default: the one of training, smiles, SMILES, mol, structure ...)",
    )
    parser.add_argument("--id-column", type=name, help="column of names (default: id, ID, name, if there is one)")
    parser.add_argument("--radius", type=whole_number(0, 100), help="of the fingerprints, if the model does not know")
    parser.add_argument("--size", type=whole_number(8), help="bits of the fingerprints, if the model does not know")
    parser.add_argument(
        "--shard", metavar="I/N", type=name, help="screen every N-th molecule from the I-th; see screen-merge"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on after a kill; does nothing where the run had ended"
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    add_table_options(parser)
    add_hit_options(parser)


def run(options: argparse.Namespace) -> int:
    """Screen the library, and print a summary."""
    from .._internal.storage.outputs import Output, check_outputs
    from ..screening import screen

    errors, out = options.errors_file, options.out
    if out == "-":
        out = None
        written = {"--errors-file": errors}
    else:
        errors = errors or f"{out}.errors.csv"
        written = {"-o": out, "the record of the run": f"{out}.json", "--errors-file": errors}
    read = {"the library": options.library, "the model": options.model, "--similar-to": options.similar_to}
    check_outputs("screen", read | written, [Output("--picture", options.picture)], force=options.force)
    return print_hits(screen(**arguments(screen, options) | {"out": out}), options, errors)
