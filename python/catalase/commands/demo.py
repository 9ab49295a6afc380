"""``catalase demo`` runs a small virtual screening on measured molecules."""

from __future__ import annotations

import argparse

from .common.command import Commands, Exit, arguments, command
from .common.options import output_path, whole_number


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    parser = command(commands, "demo", "Learn from real molecules, beat the baselines, screen a library.", run)
    parser.add_argument(
        "--out",
        type=output_path,
        default="catalase-demo",
        help="folder for model, tables and pictures (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=whole_number(0, 2**63 - 1), default=0, help="same seed, same results (default: %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="one small model on part of the data, for tests")
    parser.add_argument("--force", action="store_true", help="replace files that are no earlier run's of the demo")


def run(options: argparse.Namespace) -> int:
    """Run the demo."""
    from ..demo import run_demo

    run_demo(**arguments(run_demo, options))
    return Exit.OK
