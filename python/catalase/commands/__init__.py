"""The command line: ``catalase demo | info | bench | train | evaluate | predict | explain | standardize | featurize |
screen | screen-merge``.

Every module of this folder is a command and is found there without a list. It has two functions: ``add(commands)``
declares the command and its options, and ``run(options)`` does the work and returns the exit code. ``common/`` holds the
code that several commands share. The parser is built from all modules, so a module imports at its top only the names that
its options need, and the others in ``run``.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from types import ModuleType

from .._internal.console import ReaderGone, SafeStream, safe_output
from .common.command import EPILOG, Exit

# The order of the commands in ``catalase --help``; commands that are not named here follow in alphabetical order.
_ORDER = (
    "demo",
    "info",
    "bench",
    "train",
    "evaluate",
    "predict",
    "explain",
    "standardize",
    "featurize",
    "screen",
    "screen_merge",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    with safe_output() as stdout:
        options = build_parser().parse_args(arguments)
        code = _run(options)
        stdout.flush()
        return (_check_printed(stdout, options.command) if options.prints(options) else Exit.OK) or code


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="catalase",
        description="A compiled deep-learning backend for the life sciences.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")

    def version_or_help(options: argparse.Namespace) -> int:
        if options.version:
            from .. import __version__

            print(f"catalase {__version__}")
            return Exit.OK
        parser.print_help()
        return Exit.USAGE

    parser.set_defaults(run=version_or_help, prints=lambda options: True, interrupted="", debug=False, command="")
    commands = parser.add_subparsers(dest="command", metavar="command")
    for module in _modules():
        module.add(commands)
    return parser


def _modules() -> list[ModuleType]:
    """Return the modules of this folder, in the order of the help text."""
    names = [found.name for found in pkgutil.iter_modules(__path__) if not found.ispkg]
    names.sort(key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))
    return [importlib.import_module(f".{name}", __name__) for name in names]


def _run(options: argparse.Namespace) -> int:
    """Run the chosen command; an error becomes one sentence and an exit code."""
    try:
        return int(options.run(options))
    except ReaderGone:
        return Exit.READER_GONE
    except KeyboardInterrupt as interrupt:
        said = str(interrupt) or options.interrupted
        print(f"catalase: interrupted{': ' if said else ''}{said}", file=sys.stderr)
        return Exit.INTERRUPTED
    except Exception as error:
        if options.debug:
            raise
        sentence = _sentence(error).removeprefix(f"{options.command}: ")
        print(f"catalase {options.command}: {sentence}", file=sys.stderr)
        return Exit.ERROR


def _sentence(error: Exception) -> str:
    """Return an error's message in one line, without the number that Python puts before messages of the system."""
    if isinstance(error, OSError) and error.strerror:
        return f"could not open or make {error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return f"there is not enough memory ({error or 'no size given'}); choose smaller numbers, or smaller batches"
    if isinstance(error, (ValueError, TypeError, OSError, RuntimeError, ImportError, ArithmeticError)):
        return " ".join(str(error).split()) or type(error).__name__
    return f"{type(error).__name__}: {error}; this is a fault of Catalase: please report it with what --debug shows"


def _check_printed(stdout: SafeStream, command: str | None) -> int:
    """Report that a result could not be printed; a closed stream, or a pipe whose reader has gone, is no error."""
    error = stdout.error
    if not isinstance(error, OSError) or error.errno in (errno.EPIPE, errno.EBADF):
        return Exit.OK
    print(
        f"catalase{f' {command}' if command else ''}: the result could not be printed: {error.strerror}",
        file=sys.stderr,
    )
    return Exit.ERROR
