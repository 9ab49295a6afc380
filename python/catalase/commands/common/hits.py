"""``catalase screen`` and ``catalase screen-merge`` share the options of the steps on the hits, and the summary."""

from __future__ import annotations

import argparse
from typing import Any

from .command import exit_code
from .options import input_path, name, number, output_path, whole_number


def add_hit_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each field of `catalase.screening.HitSteps`, and the picture of the hits."""
    steps = parser.add_argument_group("steps on the hits (where there are shards: of screen-merge)")
    steps.add_argument(
        "--similar-to",
        metavar="FILE",
        type=input_path,
        help="known actives: adds the similarity to the nearest of them",
    )
    steps.add_argument("--properties", action="store_true", help="adds molecular weight, logP, TPSA and charge")
    steps.add_argument(
        "--filters", metavar="NAMES", type=name, help="adds structural alerts: pains,brenk,nih,zinc,chembl"
    )
    steps.add_argument("--drop-filtered", action="store_true", help="leave out hits with alerts")
    steps.add_argument("--diverse", metavar="K", type=whole_number(1), help="pick K hits from Butina clusters")
    steps.add_argument(
        "--cutoff",
        type=number(lambda v: 0 <= v <= 1, "from 0 to 1"),
        default=0.35,
        help="distance in those clusters (default: %(default)s)",
    )
    parser.add_argument("--picture", metavar="PNG", type=output_path, help="draw the hits, at most 100")


def print_hits(hits: Any, options: argparse.Namespace, errors: str) -> int:
    """Draw the hits where that was asked for, print a summary of the screening, and return the exit code.

    Parameters
    ----------
    hits : Hits
    options : Namespace
    errors : str
        The file that lists the molecules that could not be scored.
    """
    from ..._internal.console import Console

    if options.picture and len(hits):
        hits.to_png(options.picture)
    console, report, out = Console(), hits.report, options.out
    console.print(f"{report.kept:,} molecules scored; the best {len(hits):,} are in {out}")
    for note in report.notes:
        console.print(note)
    failed = report.counts.get("failed", 0)
    if failed:
        console.print(f"{failed:,} of {report.total:,} molecules could not be scored; they are listed in {errors}")
    return exit_code(failed, options)
