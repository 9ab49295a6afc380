"""The declaration of a command, and the exit codes of all commands."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from enum import IntEnum
from typing import Any

Commands = Any  # the result of ``add_subparsers``, whose class argparse does not export


class Exit(IntEnum):
    """Exit codes of the command line; `EPILOG` explains them to the user."""

    OK = 0
    ERROR = 1
    USAGE = 2
    SOME_ROWS = 3
    INTERRUPTED = 130
    READER_GONE = 141


EPILOG = """exit codes:
  0    done; rows that could not be read are listed in the error file, and messages that nobody took are dropped
  1    an error; nothing that was there before is lost
  2    a mistake in the command line
  3    with --strict: done, but some rows could not be read
  130  interrupted
  141  the reader of the pipe that the result was written into (-o -) went away before its end
"""


def command(
    commands: Commands,
    name: str,
    text: str,
    run: Callable[[argparse.Namespace], int],
    *,
    interrupted: str = "",
    prints: Callable[[argparse.Namespace], bool] = lambda options: False,
) -> argparse.ArgumentParser:
    """Add a command, and return its parser.

    Parameters
    ----------
    commands : subparsers
        The argument of the module's ``add``.
    name, text : str
        The command's name, and one sentence that describes it.
    run : callable
        Takes the parsed options and returns the exit code.
    interrupted : str
        What Ctrl-C left behind, for the message; a KeyboardInterrupt with a text replaces it.
    prints : callable
        Whether a run with these options gives its result by printing it, so that failing to print is an error.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--debug", action="store_true", help="show the whole traceback of an error")
    parser.set_defaults(run=run, interrupted=interrupted, prints=prints)
    return parser


def arguments(function: Callable[..., Any], options: argparse.Namespace) -> dict[str, Any]:
    """Return the options that have the names of parameters of a function, as arguments for it."""
    import inspect

    parameters = inspect.signature(function).parameters
    return {name: value for name, value in vars(options).items() if name in parameters}


def exit_code(failed: int, options: argparse.Namespace) -> int:
    """Return the exit code of a finished run in which ``failed`` rows could not be read."""
    return Exit.SOME_ROWS if failed and options.strict else Exit.OK
