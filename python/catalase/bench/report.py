"""The report of a run: the table in the terminal, the JSON file, the picture."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, cast

from .._internal.storage import write_file_atomic
from .runner import Row

JSON_BEGINS = b'{\n "machine": {'  # a report is recognized by this beginning


def table(report: dict[str, Any]) -> Any:
    """Return a table of rich with a line for each case and number of threads, the fastest peer last."""
    from rich.table import Table

    rows = [Row(**row) for row in report["rows"]]
    libraries = [name for name in report["machine"]["versions"] if any(name in row.seconds for row in rows)]
    grid = Table(title="catalase bench: median (p90) time, the peer's time over Catalase's, share of the peak")
    for column in ("family", "case", "threads"):
        grid.add_column(column, no_wrap=True)
    for library in libraries:
        grid.add_column(library, justify="right", no_wrap=True)
    for column in ("rate", "of peak", "ratio", "against"):
        grid.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        grid.add_row(*_cells(row, libraries))
    return grid


def line(row: Row) -> str:
    """Return the line that is printed for a row as soon as it is measured, so that a stopped run leaves its figures."""
    threads = f"{row.threads} thread{'s' if row.threads > 1 else ''}" if row.device == "cpu" else row.device
    times = ", ".join(f"{name} {duration(found['p50'])}" for name, found in row.seconds.items())
    best = row.best_peer()
    ratio = f"; {row.ratio(best):.2f} times as fast as {best}" if best else ""
    return f"{row.family}: {row.case}, {threads}: {times}{ratio}"


def _cells(row: Row, libraries: list[str]) -> list[str]:
    times = []
    for library in libraries:
        if library in row.problems:
            times.append("differs")
        elif library in row.seconds:
            times.append(f"{duration(row.seconds[library]['p50'])} ({duration(row.seconds[library]['p90'])})")
        else:
            times.append("")
    peak = row.peak.get(row.unit)
    rate = row.rate("catalase")
    best = row.best_peer()
    return [
        row.family,
        row.case,
        str(row.threads) if row.device == "cpu" else row.device,
        *times,
        "" if row.unit == "runs/s" else f"{rate:.3g} {row.unit}",
        f"{100 * row.rate('catalase', 'best') / peak:.0f}%" if peak else "",
        f"{row.ratio(best):.2f}" if best else "",
        best or "",
    ]


def duration(seconds: float) -> str:
    """Return a time as text in a suitable unit."""
    for limit, scale, unit in ((1e-3, 1e6, "us"), (1.0, 1e3, "ms")):
        if seconds < limit:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds:.3g} s"


def notes(report: dict[str, Any]) -> list[str]:
    """Return notes below the table: machine, versions, absent peers, problems, and the rows that Catalase loses."""
    m = report["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in m["versions"].items())
    commit = f", commit {m['commit']}" if m["commit"] else ""
    lines = [
        f"{m['date']}: {m['cpu']}, {m['cores']} cores, level {m['level']}, {m['system']}, "
        f"Python {m['python']}, {m['compiler']}{commit}",
        versions,
    ]
    if report["absent"]:
        lines.append(f"not installed, so not measured: {', '.join(report['absent'])} (pip install 'catalase[bench]')")
    if m.get("device", "cpu") != "cpu":
        lines.insert(0, f"on {m['device']}; float32 everywhere unless a row says TF32")
    lines += [f"skipped: {s['family']} {s['case']}: {s['why']}" for s in report.get("skipped", ())]
    rows = [Row(**row) for row in report["rows"]]
    for row in rows:
        lines += [f"{row.family} {row.case}: {library} {why}" for library, why in row.problems.items()]
    lost = [(row, best) for row in rows if (best := row.best_peer()) and row.ratio(best) < 1]
    if lost:
        listing = "; ".join(f"{r.family} {r.case} at {r.threads} ({r.ratio(b):.2f} of {b})" for r, b in lost)
        lines.append(f"rows that we lose: {listing}")
    return lines


def write_json(report: dict[str, Any], path: str | Path) -> None:
    """Write the whole report."""
    data = (json.dumps(report, indent=1) + "\n").encode()
    write_file_atomic(path, lambda file: cast(None, file.write(data)))


def require_matplotlib() -> None:
    """Refuse to draw without matplotlib; this is called before anything is measured."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ImportError("bench: --plot needs matplotlib; install it with: pip install 'catalase[plot]'") from None


def write_plot(report: dict[str, Any], path: str | Path) -> None:
    """Draw a bar for each library and case. Where a peak is known the axis ends at it; else bars are times over Catalase's."""
    require_matplotlib()
    from matplotlib.figure import Figure

    rows = [Row(**row) for row in report["rows"]]
    with_peak = [row for row in rows if row.peak.get(row.unit)]
    without = [row for row in rows if not row.peak.get(row.unit)]
    panels = [(kind, group) for kind, group in (("rate", with_peak), ("time", without)) if group]
    if not panels:
        raise ValueError("bench: there is nothing to draw")
    figure = Figure(figsize=(11, 1.5 + sum(1 + 0.45 * len(group) for _, group in panels)), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=[2 + len(group) for _, group in panels])[:, 0]
    for axis, (kind, group) in zip(axes, panels, strict=True):
        _bars(axis, kind, group, list(report["machine"]["versions"]))
    picture = io.BytesIO()
    figure.savefig(picture, dpi=120, format=Path(path).suffix[1:] or "png")
    write_file_atomic(path, lambda file: cast(None, file.write(picture.getbuffer())))


def _bars(axis: Any, kind: str, rows: list[Row], libraries: list[str]) -> None:
    drawn = [name for name in libraries if any(name in row.seconds for row in rows)]
    height = 0.8 / len(drawn)
    for k, library in enumerate(drawn):
        places, values = [], []
        for i, row in enumerate(rows):
            if library in row.seconds:
                places.append(i + (k - (len(drawn) - 1) / 2) * height)
                peak = row.peak.get(row.unit)
                values.append(100 * row.rate(library) / peak if kind == "rate" and peak else row.ratio(library))
        axis.barh(places, values, height=height, label=library)
    axis.set_yticks(range(len(rows)), [f"{row.family} {row.case}, {row.threads} thr" for row in rows])
    axis.invert_yaxis()
    axis.legend(loc="lower right")
    if kind == "rate":
        axis.set_xlim(0, 100)
        axis.set_xlabel("% of the machine's peak in the same run (median)")
    else:
        axis.set_xscale("log")
        axis.axvline(1, color="black", linewidth=0.8)
        axis.set_xlabel("median time over Catalase's (right of 1: Catalase is faster)")
