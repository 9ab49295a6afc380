"""``catalase screen-merge`` puts the hits of all shards of a screening together."""

from __future__ import annotations

import argparse

from .common.command import Commands, arguments, command
from .common.hits import add_hit_options, print_hits
from .common.options import add_strict, input_path, output_path


def add(commands: Commands) -> None:
    """Declare the command; its options are arguments of `catalase.screening.merge`."""
    parser = command(commands, "screen-merge", "Put the hits of all shards of a screening together.", run)
    parser.add_argument(
        "hits", nargs="+", type=input_path, help="the CSV files of the shards, each with its .json beside it"
    )
    parser.add_argument("-o", "--out", type=output_path, required=True, help="CSV for the hits; - for standard output")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    add_strict(parser)
    add_hit_options(parser)


def run(options: argparse.Namespace) -> int:
    """Merge the shards, and print a summary."""
    from .._internal.storage.outputs import Output, check_outputs
    from ..screening import merge

    inputs = {path: path for shard in options.hits for path in (shard, f"{shard}.json")}
    out = None if options.out == "-" else options.out
    inputs |= {"--similar-to": options.similar_to, "-o": out, "the record of the run": out and f"{out}.json"}
    check_outputs("screen-merge", inputs, [Output("--picture", options.picture)], force=options.force)
    hits = merge(options.hits, **arguments(merge, options) | {"out": out})
    return print_hits(hits, options, "the shards' error files")
