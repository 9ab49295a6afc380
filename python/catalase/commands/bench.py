"""``catalase bench`` times Catalase and the peer libraries that are installed."""

from __future__ import annotations

import argparse

from .common.command import Commands, Exit, arguments, command
from .common.options import list_of, name, number, output_path, whole_number

_TEXT = (
    "Time Catalase beside the libraries that are installed: the same work, checked, in one run, in turn. "
    "CATALASE_CPU=avx2 holds all of them to AVX2."
)


class _FamilyNames:
    """The names of the bench's families as a text, imported only when the help shows them."""

    def __str__(self) -> str:
        from ..bench import FAMILIES

        return " ".join(FAMILIES)


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    parser = command(commands, "bench", _TEXT, run, prints=lambda options: not options.json)
    families = parser.add_argument("families", nargs="*")
    # argparse puts attributes of the option into the help text only when it prints the text
    vars(families).update(help="%(names)s; all if none", names=_FamilyNames())
    parser.add_argument("--threads", type=list_of(whole_number(1, 4096)), default=[1], help="such as 1,2 (default: 1)")
    parser.add_argument("--peers", type=list_of(name), help="such as torch,numpy (default: all that are installed)")
    parser.add_argument(
        "--seconds",
        type=number(lambda v: 0 < v <= 3600, "above 0, to 3600"),
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


def run(options: argparse.Namespace) -> int:
    """Time the families, print each row when it is measured, and write and print the report."""
    from rich.console import Console

    from .._internal.storage.outputs import Output, check_outputs
    from ..bench import report, run_bench

    outputs = [Output("--json", options.json, report.JSON_BEGINS), Output("--plot", options.plot)]
    check_outputs("bench", {}, outputs, force=options.force)
    if options.plot:
        report.require_matplotlib()
    progress = Console(stderr=True)
    measured = run_bench(
        **arguments(run_bench, options),
        on_row=lambda row: progress.print(report.line(row), style="dim", markup=False, highlight=False, soft_wrap=True),
    )
    if options.json:  # written first, so that the results are kept even if the picture fails
        report.write_json(measured, options.json)
    if options.plot:
        report.write_plot(measured, options.plot)
    console = Console()
    console.width = max(console.width, 150) if not console.is_terminal else console.width
    console.print(report.table(measured))
    for line in report.notes(measured):
        console.print(line, markup=False, highlight=False)
    return Exit.OK
