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


def print_hits(hits: Any, options: argparse.Namespace, errors: str | None) -> int:
    """Draw the hits where that was asked for, print a summary of the screening, and return the exit code.

    Hits for standard output (``-o -``) are written there; others are in their file already.

    Parameters
    ----------
    hits : Hits
    options : Namespace
    errors : str or None
        The file that lists the molecules that could not be scored.
    """
    from ...screening.hits import write_hits
    from .tables import console_beside, write_result

    if options.picture and len(hits):
        hits.to_png(options.picture)
    console, report, out = console_beside(options.out), hits.report, options.out
    if out == "-":
        write_result(out, lambda binary: write_hits(hits, binary))
    where = "written to standard output" if out == "-" else f"in {out}"
    console.print(f"{report.kept:,} molecules scored; the best {len(hits):,} are {where}")
    for note in report.notes:
        console.print(note)
    failed = report.counts.get("failed", 0)
    if failed:
        listed = "--errors-file lists them" if errors is None else f"they are listed in {errors}"
        console.print(f"{failed:,} of {report.total:,} molecules could not be scored; {listed}")
    return exit_code(failed, options)
