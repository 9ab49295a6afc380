"""The command line: ``catalase demo | info | bench | train | evaluate | predict | screen``.

This file parses arguments and turns errors into one sentence and an exit code; the work is done in `catalase.demo`,
`catalase.tables` and `catalase.screening`, which are imported when their command runs.
"""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ._console import ReaderGone, SafeStream, safe_output
from ._numbers import parse_float, parse_int

_Commands = Any  # what add_subparsers returns; argparse does not export its class

EXIT_OK, EXIT_ERROR, EXIT_USAGE, EXIT_SOME_ROWS, EXIT_INTERRUPTED, EXIT_READER_GONE = 0, 1, 2, 3, 130, 141

_EPILOG = """exit codes:
  0    done; rows that could not be read are listed in the error file, and messages that nobody took are dropped
  1    an error; nothing that was there before is lost
  2    a mistake in the command line
  3    with --strict: done, but some rows could not be read
  130  interrupted
  141  the reader of the pipe that the result was written into (-o -) went away before its end
"""
_PRINTING = (None, "info", "evaluate")  # commands whose result is what they print


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    with safe_output() as stdout:
        options = _parser().parse_args(arguments)
        code = _run(options)
        stdout.flush()
        printed = options.command in _PRINTING or (options.command == "bench" and not options.json)
        return (_check_printed(stdout, options.command) if printed else EXIT_OK) or code


def _run(options: argparse.Namespace) -> int:
    try:
        return int(options.run(options))
    except ReaderGone:
        return EXIT_READER_GONE
    except KeyboardInterrupt as interrupt:
        said = str(interrupt) or _INTERRUPTED.get(options.command or "", "")
        print(f"catalase: interrupted{': ' if said else ''}{said}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        if options.debug:
            raise
        sentence = _sentence(error).removeprefix(f"{options.command}: ")
        print(f"catalase {options.command}: {sentence}", file=sys.stderr)
        return EXIT_ERROR


_INTERRUPTED = {
    "train": "nothing was saved",
    "predict": "nothing was written",
    "screen": "--resume goes on with it, if it ran for more than a few seconds",
}


def _sentence(error: Exception) -> str:
    """The error's message; without the number that Python puts before those of the system."""
    if isinstance(error, OSError) and error.strerror:
        return f"could not open or make {error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return f"there is not enough memory ({error or 'no size given'}); choose smaller numbers, or smaller batches"
    if isinstance(error, (ValueError, TypeError, OSError, RuntimeError, ImportError, ArithmeticError)):
        return " ".join(str(error).split()) or type(error).__name__
    return f"{type(error).__name__}: {error}; this is a fault of Catalase: please report it with what --debug shows"


def _check_printed(stdout: SafeStream, command: str | None) -> int:
    """An error where the result itself could not be printed; a reader that has gone or a closed stream is none."""
    error = stdout.error
    if not isinstance(error, OSError) or error.errno in (errno.EPIPE, errno.EBADF):
        return EXIT_OK
    print(
        f"catalase{f' {command}' if command else ''}: the result could not be printed: {error.strerror}",
        file=sys.stderr,
    )
    return EXIT_ERROR


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


# Types of options. A path is an input or an output: the test of outputs against inputs tells them by that.
def input_path(text: str) -> str:
    """The name of something that is read."""
    return name(text)


def output_path(text: str) -> str:
    """The name of something that is written."""
    return name(text)


def name(text: str) -> str:
    """A text that is not empty."""
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def _whole_number(low: int, high: int = 2**31 - 1) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = parse_int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be {low} to {high}, got {value}")
        return value

    parse.__name__ = "whole number"
    return parse


def _number(allowed: Callable[[float], bool], words: str) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = parse_float(text)
        if not allowed(value):
            raise argparse.ArgumentTypeError(f"must be {words}, got {text}")
        return value

    parse.__name__ = "number"
    return parse


def _add_demo(commands: _Commands) -> None:
    def run(options: argparse.Namespace) -> int:
        from .demo import run_demo

        run_demo(options.out, seed=options.seed, quick=options.quick, force=options.force)
        return EXIT_OK

    parser = _command(commands, "demo", "Learn from real molecules, beat the baselines, screen a library.", run)
    parser.add_argument(
        "--out",
        type=output_path,
        default="catalase-demo",
        help="folder for model, tables and pictures (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=_whole_number(0, 2**63 - 1), default=0, help="same seed, same results (default: %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="one small model on part of the data, for tests")
    parser.add_argument("--force", action="store_true", help="replace files that are no earlier run's of the demo")


def _add_bench(commands: _Commands) -> None:
    def run(options: argparse.Namespace) -> int:
        from rich.console import Console

        from ._storage.outputs import Output, check_outputs
        from .bench import _report, run_bench

        outputs = [Output("--json", options.json, _report.JSON_BEGINS), Output("--plot", options.plot)]
        check_outputs("bench", {}, outputs, force=options.force)
        if options.plot:
            _report.require_matplotlib()
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
        if options.plot:
            _report.write_plot(report, options.plot)
        console = Console()
        console.width = max(console.width, 150) if not console.is_terminal else console.width
        console.print(_report.table(report))
        for line in _report.notes(report):
            console.print(line, markup=False, highlight=False)
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
    parser.add_argument(
        "--threads", type=_list_of(_whole_number(1, 4096)), default=[1], help="such as 1,2 (default: 1)"
    )
    parser.add_argument("--peers", type=_list_of(name), help="such as torch,numpy (default: all that are installed)")
    parser.add_argument(
        "--seconds",
        type=_number(lambda v: 0 < v <= 3600, "above 0, to 3600"),
        default=1.0,
        help="of timing, a library and case (default: %(default)s)",
    )
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="where the work is done (default: %(default)s)"
    )
    parser.add_argument("--json", metavar="FILE", type=output_path, help="write everything that was measured")
    parser.add_argument("--plot", metavar="FILE", type=output_path, help="draw a PNG; needs matplotlib")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
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
        "--errors-file", type=output_path, help="CSV for rows that cannot be read (default: beside the output)"
    )
    parser.add_argument(
        "--max-unreadable",
        metavar="SHARE",
        type=_number(lambda v: 0 <= v <= 1, "from 0 to 1"),
        default=0.5,
        help="stop with an error where a larger share of the rows cannot be read (default: %(default)s)",
    )
    _add_strict(parser)


def _add_strict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--strict", action="store_true", help="exit code 3 where some rows could not be read")


def _exit_code(failed: int, options: argparse.Namespace) -> int:
    return EXIT_SOME_ROWS if failed and options.strict else EXIT_OK


def _add_train(commands: _Commands) -> None:
    def run(options: argparse.Namespace) -> int:
        from .tables import train_on_table

        return _exit_code(train_on_table(options), options)

    parser = _command(commands, "train", "Train a model on a table of molecules.", run)
    parser.add_argument(
        "table", type=input_path, help="CSV or .tsv, plain or gzipped, with a header; - reads standard input"
    )
    parser.add_argument("--smiles", type=name, default="smiles", help="column of SMILES (default: %(default)s)")
    parser.add_argument("--task", type=name, action="append", required=True, help="column to learn; repeat for several")
    parser.add_argument("--classification", action="store_true", help="labels are classes 0 and 1 (else numbers)")
    parser.add_argument("--splitter", choices=["scaffold", "random", "index"], default="scaffold")
    parser.add_argument("--out", type=output_path, required=True, help="folder for the model")
    parser.add_argument("--force", action="store_true", help="replace a model that is there")
    parser.add_argument(
        "--epochs", type=_whole_number(1), default=100, help="at most; early stopping (default: %(default)s)"
    )
    parser.add_argument(
        "--patience", type=_whole_number(1), default=10, help="epochs without improvement (default: %(default)s)"
    )
    parser.add_argument("--seed", type=_whole_number(0, 2**63 - 1), default=0)
    parser.add_argument(
        "--radius", type=_whole_number(0, 100), default=2, help="of the fingerprints (default: %(default)s)"
    )
    parser.add_argument(
        "--size", type=_whole_number(8), default=2048, help="bits of the fingerprints (default: %(default)s)"
    )
    parser.add_argument(
        "--layer", action="append", type=_whole_number(1), help="width of a hidden layer; repeat for several"
    )
    parser.add_argument("--dropout", type=_number(lambda v: 0 <= v < 1, "0 or more and below 1"), default=0.5)
    parser.add_argument("--learning-rate", type=_number(lambda v: v > 0, "above 0"), default=1e-3)
    parser.add_argument(
        "--weight-decay",
        type=_number(lambda v: v >= 0, "0 or more"),
        default=0.0,
        help="L2 penalty on the weights",
    )
    parser.add_argument("--batch-size", type=_whole_number(1), default=100)
    _add_table_options(parser)


def _add_evaluate(commands: _Commands) -> None:
    def run(options: argparse.Namespace) -> int:
        from .tables import evaluate_on_table

        return _exit_code(evaluate_on_table(options), options)

    parser = _command(commands, "evaluate", "Score a model on a table with measured values.", run)
    parser.add_argument(
        "model", type=input_path, help="folder of a saved model that names its featurizer and its tasks"
    )
    parser.add_argument("table", type=input_path, help="as for train, with the columns the model was trained on")
    parser.add_argument("--smiles", type=name, help="column of SMILES (default: the one of training)")
    parser.add_argument("--force", action="store_true", help="replace an error file that is there")
    _add_table_options(parser)


def _add_predict(commands: _Commands) -> None:
    def run(options: argparse.Namespace) -> int:
        from .tables import predict_table

        return _exit_code(predict_table(options), options)

    parser = _command(commands, "predict", "Predict for every row of a table, in bounded memory.", run)
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
    _add_table_options(parser)


def _add_screen(commands: _Commands) -> None:
    def run(options: argparse.Namespace) -> int:
        from ._storage.outputs import Output, check_outputs
        from .screening import screen

        errors = options.errors_file or f"{options.out}.errors.csv"
        written = {"-o": options.out, "the record of the run": f"{options.out}.json", "--errors-file": errors}
        read = {"the library": options.library, "the model": options.model, "--similar-to": options.similar_to}
        check_outputs("screen", read | written, [Output("--picture", options.picture)], force=options.force)
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
            max_unreadable=options.max_unreadable,
            **_steps(options),
        )
        return _print_hits(hits, options, errors)

    text = "Find the molecules of a library of any size that a model scores best, in bounded memory."
    parser = _command(commands, "screen", text, run)
    parser.add_argument("model", type=input_path, help="folder of a saved model")
    parser.add_argument(
        "library", type=input_path, help=".smi, .csv or .tsv, plain or gzipped, or .parquet; - for standard input"
    )
    parser.add_argument("--top", type=_whole_number(1), default=1000, help="hits to keep (default: %(default)s)")
    parser.add_argument(
        "-o", "--out", type=output_path, required=True, help="CSV for the hits; its record is kept in OUT.json"
    )
    parser.add_argument("--task", type=name, help="task to rank by, name or number from 0 (default: the only one)")
    parser.add_argument(
        "--class",
        dest="class_index",
        metavar="CLASS",
        type=_whole_number(0),
        help="of classifiers: the class whose probability is the score (default: 1)",
    )
    parser.add_argument("--lowest", action="store_true", help="rank the lowest scores first")
    parser.add_argument(
        "--smiles-column", type=name, help="column of a table (default: the one of training, smiles, SMILES, mol)"
    )
    parser.add_argument("--id-column", type=name, help="column of names (default: id, ID, name, if there is one)")
    parser.add_argument("--radius", type=_whole_number(0, 100), help="of the fingerprints, if the model does not know")
    parser.add_argument("--size", type=_whole_number(8), help="bits of the fingerprints, if the model does not know")
    parser.add_argument(
        "--shard", metavar="I/N", type=name, help="screen every N-th molecule from the I-th; see screen-merge"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on after a kill; does nothing where the run had ended"
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    _add_table_options(parser)
    _add_steps(parser)


def _add_screen_merge(commands: _Commands) -> None:
    def run(options: argparse.Namespace) -> int:
        from ._storage.outputs import Output, check_outputs
        from .screening import merge

        inputs = {path: path for shard in options.hits for path in (shard, f"{shard}.json")}
        inputs |= {
            "--similar-to": options.similar_to,
            "-o": options.out,
            "the record of the run": f"{options.out}.json",
        }
        check_outputs("screen-merge", inputs, [Output("--picture", options.picture)], force=options.force)
        hits = merge(options.hits, out=options.out, force=options.force, **_steps(options))
        return _print_hits(hits, options, "the shards' error files")

    parser = _command(commands, "screen-merge", "Put the hits of all shards of a screening together.", run)
    parser.add_argument(
        "hits", nargs="+", type=input_path, help="the CSV files of the shards, each with its .json beside it"
    )
    parser.add_argument("-o", "--out", type=output_path, required=True, help="CSV for the hits")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    _add_strict(parser)
    _add_steps(parser)


def _add_steps(parser: argparse.ArgumentParser) -> None:
    steps = parser.add_argument_group("steps on the hits (where there are shards: of screen-merge)")
    steps.add_argument(
        "--similar-to",
        metavar="FILE",
        type=input_path,
        help="known actives: adds the similarity to the nearest of them",
    )
    steps.add_argument("--properties", action="store_true", help="adds molecular weight and logP")
    steps.add_argument(
        "--filters", metavar="NAMES", type=name, help="adds structural alerts: pains,brenk,nih,zinc,chembl"
    )
    steps.add_argument("--drop-filtered", action="store_true", help="leave out hits with alerts")
    steps.add_argument("--diverse", metavar="K", type=_whole_number(1), help="pick K hits from Butina clusters")
    steps.add_argument(
        "--cutoff",
        type=_number(lambda v: 0 <= v <= 1, "from 0 to 1"),
        default=0.35,
        help="distance in those clusters (default: %(default)s)",
    )
    parser.add_argument("--picture", metavar="PNG", type=output_path, help="draw the hits, at most 100")


def _steps(options: argparse.Namespace) -> dict[str, Any]:
    names = ("similar_to", "filters", "drop_filtered", "properties", "diverse", "cutoff")
    return {name: getattr(options, name) for name in names}


def _print_hits(hits: Any, options: argparse.Namespace, errors: str) -> int:
    from ._console import Console

    if options.picture and len(hits):
        hits.to_png(options.picture)
    console, report, out = Console(), hits.report, options.out
    console.print(f"{report.kept:,} molecules scored; the best {len(hits):,} are in {out}")
    for note in report.notes:
        console.print(note)
    failed = report.counts.get("failed", 0)
    if failed:
        console.print(f"{failed:,} of {report.total:,} molecules could not be scored; they are listed in {errors}")
    return _exit_code(failed, options)


if __name__ == "__main__":
    sys.exit(main())
