"""The command line: ``catalase demo | info | bench | train | evaluate | predict | screen``.

This file parses arguments and turns errors into one sentence and an exit code; the work is done in `catalase.demo`,
`catalase.tables` and `catalase.screening`, which are imported when their command runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

_Commands = Any  # what add_subparsers returns; argparse does not export its class

EXIT_OK, EXIT_ERROR, EXIT_USAGE, EXIT_SOME_ROWS, EXIT_INTERRUPTED = 0, 1, 2, 3, 130

_EPILOG = """exit codes:
  0    done
  1    an error; nothing that was there before is lost
  2    a mistake in the command line
  3    done, but some rows could not be read: they are listed in the error file
  130  interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        print("catalase: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (ValueError, TypeError, OSError, RuntimeError, ImportError, FloatingPointError) as error:
        if options.debug:
            raise
        sentence = _sentence(error).removeprefix(f"{options.command}: ")
        print(f"catalase {options.command}: {sentence}", file=sys.stderr)
        return EXIT_ERROR


def _sentence(error: Exception) -> str:
    """The error's message; without the number that Python puts before those of the system."""
    if isinstance(error, OSError) and error.strerror:
        return f"could not open or make {error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="catalase",
        description="A compiled deep-learning backend for the life sciences.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.set_defaults(run=_version_or_help(parser), debug=False, command="")
    commands = parser.add_subparsers(dest="command", metavar="command")
    _add_demo(commands)
    _add_info(commands)
    _add_bench(commands)
    _add_train(commands)
    _add_evaluate(commands)
    _add_predict(commands)
    _add_screen(commands)
    _add_screen_merge(commands)
    return parser


def _version_or_help(parser: argparse.ArgumentParser) -> object:
    def run(options: argparse.Namespace) -> int:
        if options.version:
            from . import __version__

            print(f"catalase {__version__}")
            return EXIT_OK
        parser.print_help()
        return EXIT_USAGE

    return run


def _command(commands: _Commands, name: str, text: str, run: object) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--debug", action="store_true", help="show the whole traceback of an error")
    parser.set_defaults(run=run)
    return parser


def _whole_number(low: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if value < low:
            raise argparse.ArgumentTypeError(f"must be {low} or more, got {value}")
        return value

    parse.__name__ = "whole number"
    return parse


def _add_demo(commands: _Commands) -> None:
    def run(options: argparse.Namespace) -> int:
        from .demo import run_demo

        run_demo(options.out, seed=options.seed, quick=options.quick)
        return EXIT_OK

    parser = _command(commands, "demo", "Learn from real molecules, beat the baselines, screen a library.", run)
    parser.add_argument(
        "--out", default="catalase-demo", help="folder for model, tables and pictures (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=_whole_number(0), default=0, help="same seed, same results (default: %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="one small model on part of the data, for tests")


def _add_bench(commands: _Commands) -> None:
    def run(options: argparse.Namespace) -> int:
        from rich.console import Console

        from .bench import _report, run_bench

        progress = Console(stderr=True)
        report = run_bench(
            options.families,
            threads=options.threads,
            peers=options.peers,
            seconds=options.seconds,
            quick=options.quick,
            device=options.device,
            on_row=lambda row: progress.print(
                _report.line(row), style="dim", markup=False, highlight=False, soft_wrap=True
            ),
        )
        if options.json:  # first: what was measured is kept, whatever happens to the picture
            _report.write_json(report, options.json)
        console = Console()
        console.width = max(console.width, 150) if not console.is_terminal else console.width
        console.print(_report.table(report))
        for line in _report.notes(report):
            console.print(line, markup=False, highlight=False)
        if options.plot:
            _report.write_plot(report, options.plot)
        return EXIT_OK

    from .bench._families import FAMILIES

    text = (
        "Time Catalase beside the libraries that are installed: the same work, checked, in one run, in turn. "
        "CATALASE_CPU=avx2 holds all of them to AVX2."
    )
    parser = _command(commands, "bench", text, run)
    parser.add_argument(
        "families",
        nargs="*",
        help=f"{' '.join(FAMILIES)}; all if none",
    )
    parser.add_argument("--threads", type=_list_of(_whole_number(1)), default=[1], help="such as 1,2 (default: 1)")
    parser.add_argument("--peers", type=_list_of(str), help="such as torch,numpy (default: all that are installed)")
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="of timing, a library and case (default: %(default)s)"
    )
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="where the work is done (default: %(default)s)"
    )
    parser.add_argument("--json", metavar="FILE", help="write everything that was measured")
    parser.add_argument("--plot", metavar="FILE", help="draw a PNG; needs matplotlib")
    parser.add_argument("--quick", action="store_true", help="small cases only, to see that everything runs")


def _list_of(parse: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    def parse_list(text: str) -> list[Any]:
        return [parse(part.strip()) for part in text.split(",") if part.strip()]

    parse_list.__name__ = "list"
    return parse_list


def _add_info(commands: _Commands) -> None:
    def run(options: argparse.Namespace) -> int:
        from . import show_config

        show_config()
        return EXIT_OK

    _command(commands, "info", "Show version, compiler, CPU, threads and packages.", run)


def _add_table_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--errors-file", default=None, help="CSV for rows that cannot be read (default: beside the output)"
    )


def _add_train(commands: _Commands) -> None:
    def run(options: argparse.Namespace) -> int:
        from .tables import train_on_table

        return EXIT_SOME_ROWS if train_on_table(options) else EXIT_OK

    parser = _command(commands, "train", "Train a model on a table of molecules (CSV, plain or gzipped).", run)
    parser.add_argument("table", help="CSV file with a header line")
    parser.add_argument("--smiles", default="smiles", help="column of SMILES (default: %(default)s)")
    parser.add_argument("--task", action="append", required=True, help="column to learn; repeat for several")
    parser.add_argument("--classification", action="store_true", help="labels are classes 0 and 1 (else numbers)")
    parser.add_argument("--splitter", choices=["scaffold", "random", "index"], default="scaffold")
    parser.add_argument("--out", required=True, help="folder for the model")
    parser.add_argument("--force", action="store_true", help="replace a model that is there")
    parser.add_argument(
        "--epochs", type=_whole_number(1), default=100, help="at most; early stopping (default: %(default)s)"
    )
    parser.add_argument(
        "--patience", type=_whole_number(1), default=10, help="epochs without improvement (default: %(default)s)"
    )
    parser.add_argument("--seed", type=_whole_number(0), default=0)
    parser.add_argument("--radius", type=_whole_number(0), default=2, help="of the fingerprints (default: %(default)s)")
    parser.add_argument(
        "--size", type=_whole_number(8), default=2048, help="bits of the fingerprints (default: %(default)s)"
    )
    parser.add_argument(
        "--layer", action="append", type=_whole_number(1), help="width of a hidden layer; repeat for several"
    )
    parser.add_argument("--dropout", type=float, default=0.5)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--weight-decay", type=float, default=0.0, help="L2 penalty on the weights")
    parser.add_argument("--batch-size", type=_whole_number(1), default=100)
    _add_table_options(parser)


def _add_evaluate(commands: _Commands) -> None:
    def run(options: argparse.Namespace) -> int:
        from .tables import evaluate_on_table

        return EXIT_SOME_ROWS if evaluate_on_table(options) else EXIT_OK

    parser = _command(commands, "evaluate", "Score a model on a table with measured values.", run)
    parser.add_argument("model", help="folder of a saved model that names its featurizer and its tasks")
    parser.add_argument("table", help="CSV file with the columns the model was trained on")
    parser.add_argument("--smiles", default=None, help="column of SMILES (default: the one of training)")
    _add_table_options(parser)


def _add_predict(commands: _Commands) -> None:
    def run(options: argparse.Namespace) -> int:
        from .tables import predict_table

        return EXIT_SOME_ROWS if predict_table(options) else EXIT_OK

    parser = _command(commands, "predict", "Predict for every row of a table, in bounded memory.", run)
    parser.add_argument("model", help="folder of a saved model that names its featurizer")
    parser.add_argument("table", help="CSV file with the SMILES column the model was trained on")
    parser.add_argument("-o", "--out", required=True, help="CSV to write: the table's columns and one for each task")
    parser.add_argument("--smiles", default=None, help="column of SMILES (default: the one of training)")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    _add_table_options(parser)


def _add_screen(commands: _Commands) -> None:
    def run(options: argparse.Namespace) -> int:
        from .screening import screen

        hits = screen(
            options.model,
            options.library,
            options.top,
            out=options.out,
            task=options.task,
            class_index=options.class_index,
            lowest=options.lowest,
            smiles_column=options.smiles_column,
            id_column=options.id_column,
            radius=options.radius,
            size=options.size,
            shard=options.shard,
            resume=options.resume,
            force=options.force,
            errors_file=options.errors_file,
            **_steps(options),
        )
        return _print_hits(hits, options, options.errors_file or f"{options.out}.errors.csv")

    text = "Find the molecules of a library of any size that a model scores best, in bounded memory."
    parser = _command(commands, "screen", text, run)
    parser.add_argument("model", help="folder of a saved model")
    parser.add_argument("library", help=".smi, .csv or .tsv, plain or with .gz, or .parquet")
    parser.add_argument("--top", type=_whole_number(1), default=1000, help="hits to keep (default: %(default)s)")
    parser.add_argument("-o", "--out", required=True, help="CSV for the hits; its record is kept in OUT.json")
    parser.add_argument("--task", help="task to rank by, name or number from 0 (default: the only one)")
    parser.add_argument(
        "--class",
        dest="class_index",
        metavar="CLASS",
        type=_whole_number(0),
        default=1,
        help="of classifiers: the class whose probability is the score (default: %(default)s)",
    )
    parser.add_argument("--lowest", action="store_true", help="rank the lowest scores first")
    parser.add_argument("--smiles-column", help="column of a table (default: the one of training, smiles, SMILES, mol)")
    parser.add_argument("--id-column", help="column of names (default: id, ID, name, if there is one)")
    parser.add_argument("--radius", type=_whole_number(0), help="of the fingerprints, if the model does not know")
    parser.add_argument("--size", type=_whole_number(8), help="bits of the fingerprints, if the model does not know")
    parser.add_argument("--shard", metavar="I/N", help="screen every N-th molecule from the I-th; see screen-merge")
    parser.add_argument(
        "--resume", action="store_true", help="go on after a kill; does nothing where the run had ended"
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    _add_table_options(parser)
    _add_steps(parser)


def _add_screen_merge(commands: _Commands) -> None:
    def run(options: argparse.Namespace) -> int:
        from .screening import merge

        hits = merge(options.hits, out=options.out, force=options.force, **_steps(options))
        return _print_hits(hits, options, "the shards' error files")

    parser = _command(commands, "screen-merge", "Put the hits of all shards of a screening together.", run)
    parser.add_argument("hits", nargs="+", help="the CSV files of the shards, each with its .json beside it")
    parser.add_argument("-o", "--out", required=True, help="CSV for the hits")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    _add_steps(parser)


def _add_steps(parser: argparse.ArgumentParser) -> None:
    steps = parser.add_argument_group("steps on the hits (where there are shards: of screen-merge)")
    steps.add_argument("--similar-to", metavar="FILE", help="known actives: adds the similarity to the nearest of them")
    steps.add_argument("--properties", action="store_true", help="adds molecular weight and logP")
    steps.add_argument("--filters", metavar="NAMES", help="adds structural alerts: pains,brenk,nih,zinc,chembl")
    steps.add_argument("--drop-filtered", action="store_true", help="leave out hits with alerts")
    steps.add_argument("--diverse", metavar="K", type=_whole_number(1), help="pick K hits from Butina clusters")
    steps.add_argument("--cutoff", type=float, default=0.35, help="distance in those clusters (default: %(default)s)")
    parser.add_argument("--picture", metavar="PNG", help="draw the hits, at most 100")


def _steps(options: argparse.Namespace) -> dict[str, Any]:
    names = ("similar_to", "filters", "drop_filtered", "properties", "diverse", "cutoff")
    return {name: getattr(options, name) for name in names}


def _print_hits(hits: Any, options: argparse.Namespace, errors: str) -> int:
    from ._console import Console

    console, report, out = Console(), hits.report, options.out
    if options.picture and len(hits):
        hits.to_png(options.picture)
    console.print(f"{report.kept:,} molecules scored; the best {len(hits):,} are in {out}")
    for note in report.notes:
        console.print(note)
    failed = report.counts.get("failed", 0)
    if failed:
        console.print(f"{failed:,} of {report.total:,} molecules could not be scored; they are listed in {errors}")
    return EXIT_SOME_ROWS if failed else EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
