"""``catalase info`` shows version, compiler, CPU, threads and packages."""

from __future__ import annotations

import argparse

from .common.command import Commands, Exit, command


def add(commands: Commands) -> None:
    """Declare the command."""
    command(commands, "info", "Show version, compiler, CPU, threads and packages.", run, prints=lambda options: True)


def run(options: argparse.Namespace) -> int:
    """Print the configuration."""
    from .. import show_config

    show_config()
    return Exit.OK
