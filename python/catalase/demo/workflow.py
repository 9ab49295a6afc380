"""The steps of the demo, in order: a table of measured molecules becomes a model with a report, which screens a library."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path
from typing import IO, Any

import numpy as np

from .. import models, workflow
from .._internal import storage
from .._internal.console import Console
from .._internal.numbers import flag, path_of, whole_number
from .._internal.storage.outputs import Output, begins_with, check_outputs
from ..chem.drawing import molecule_grid
from ..data.labelled_table import LabelledTable
from ..plot.figure import matplotlib_missing
from . import plots as _plots
from .data import Compounds, find_files, load_library, load_measured

QUICK = ["Gaussian process", "forest on bits"]  # the members of a quick run
TOP = 20
_HITS = "top_hits.csv"
_UNREADABLE, _UNREADABLE_COLUMNS = "unreadable.csv", ["list", "line", "smiles", "reason"]


def run_demo(
    out: str | Path = "catalase-demo", *, seed: int = 0, quick: bool = False, force: bool = False
) -> dict[str, float]:
    """Run the whole workflow, print it, and write its results.

    Parameters
    ----------
    out : path
        The folder for the model with its report, ``top_hits.csv``, ``unreadable.csv`` and the pictures.
    seed : int
        The same seed gives the same results.
    quick : bool
        Take two members and 500 library molecules, for tests.
    force : bool
        Replace files of ``out`` even if no earlier run wrote them.

    Returns
    -------
    dict of str to float
        Scores on the test set: rmse, r2 and spearman of the model, ``r2_<name>`` of baselines and of the forest on bits, and
        the seconds taken.

    Raises
    ------
    FileNotFoundError
        If RDKit was installed without its data files; the message names them.
    ValueError
        If ``out`` has files that would be replaced, and is not the folder of an earlier run.
    """
    folder, seed = path_of("demo", "out", out), whole_number("demo", "seed", seed, 0, 2**32 - 1)
    return _run(folder, seed, flag("demo", "quick", quick), flag("demo", "force", force))


def _run(folder: Path, seed: int, quick: bool, force: bool) -> dict[str, float]:
    start = time.perf_counter()
    console = Console()
    paths = find_files()
    _check_folder(folder, paths, force)
    folder.mkdir(parents=True, exist_ok=True)

    console.heading("1  Load and clean")
    measured = load_measured(paths["activity"], paths["smiles"])
    library = load_library(paths["library"], 500 if quick else None)
    for compounds in (measured, library):
        console.print(f"  {compounds}")
    _write_unreadable(folder / _UNREADABLE, [measured, library])
    console.print(f"  what was left out, and why: {folder / _UNREADABLE}")

    console.heading("2  Train, and test on scaffolds that the model never saw")
    table = _table_of(measured)
    model = models.AutoModel("regression", seed=seed, members=QUICK if quick else None)
    outcome = workflow.train_model(table, model, units="p units")
    for sentence in workflow.statements_of(outcome):
        console.print(f"  {sentence}")
    console.table(*workflow.comparison_of(outcome))
    for kind, reason in model.report["left_out"].items():
        console.print(f"  {kind} is left out: {reason}")

    console.heading("3  Save, load, compare")
    model.save(folder / "model")
    workflow.write_folder(folder / "model", outcome, force=True)
    test = [outcome.smiles[i] for i in outcome.rows_of("test")]
    again = models.load(folder / "model")
    if not isinstance(again, models.AutoModel) or not np.array_equal(again.predict(test), model.predict(test)):
        raise RuntimeError("demo: the loaded model predicts otherwise than the saved one; please report this")
    console.print(f"  {folder / 'model'}: predictions of the loaded model are equal to the bit")
    console.print(f"  {folder / 'model' / 'report.html'}: what the model is worth, in one page")
    console.print(f"  yours to use: catalase predict {folder / 'model'} table.csv -o predictions.csv (a column smiles)")

    console.heading("4  Screen the library")
    hits = _screen(console, again, library)
    _write_hits(folder / _HITS, hits)
    console.print(f"  top {len(hits)} written to {folder / _HITS}")

    console.heading("5  Draw")
    _draw(console, folder, outcome, hits, library)
    scores = _scores(outcome)
    scores["seconds"] = time.perf_counter() - start
    console.print()
    console.print(f"done in {scores['seconds']:.1f} s")
    return scores


def _check_folder(folder: Path, paths: dict[str, str], force: bool) -> None:
    """Refuse to replace files unless an earlier run wrote them, which its list of unreadable molecules shows."""
    if not folder.is_dir():
        return
    again = begins_with(folder / _UNREADABLE, ",".join(_UNREADABLE_COLUMNS).encode())
    files: list[Any] = [folder / _UNREADABLE, folder / _HITS, *_plots.names(str(folder)).values()]
    outputs = [Output("--out", folder / "model", folder=True), *(Output("--out", file) for file in files)]
    check_outputs("demo", paths, outputs, force=force or again)


def _table_of(measured: Compounds) -> LabelledTable:
    rows = np.arange(len(measured))
    y = np.array(measured.activity)[:, None]
    lines = [str(measured)]
    return LabelledTable(
        measured.name, measured.smiles, rows, y, ["activity"], "regression", "smiles", len(rows), lines
    )


def _scores(outcome: workflow.Outcome) -> dict[str, float]:
    found = outcome.metrics
    scores = {name: float(found["test"][name]) for name in ("rmse", "r2", "spearman")}
    scores |= {f"r2_{name.replace(' ', '_')}": float(entry["test"]["r2"]) for name, entry in found["baselines"].items()}
    forest = found["members"].get("forest on bits")
    return scores if forest is None else scores | {"r2_forest": float(forest["test"]["r2"])}


def _screen(console: Console, model: models.AutoModel, library: Compounds) -> list[dict[str, Any]]:
    """Score the library; return the top molecules, best first."""
    said = model.predict_table(library.smiles)
    outside = float(np.mean(~said.in_domain))
    console.print(
        f"  {len(library):,} molecules scored; {100 * outside:.1f}% of them lie outside the model's domain (similarity to the "
        f"nearest training compound below {model.report['domain_threshold']:.2f}): their scores are guesses"
    )
    order = np.argsort(-said.mean[:, 0], kind="stable")[:TOP]
    return [
        {
            "rank": rank,
            "id": library.ids[i],
            "smiles": library.smiles[i],
            "score": f"{said.mean[i, 0]:.3f}",
            "std": f"{said.std[i, 0]:.3f}",
            "low": f"{said.low[i, 0]:.3f}",
            "high": f"{said.high[i, 0]:.3f}",
            "nearest_similarity": f"{said.nearest_similarity[i]:.3f}",
            "in_domain": "yes" if said.in_domain[i] else "no",
            "index": int(i),
        }
        for rank, i in enumerate(order, start=1)
    ]


def _write_hits(path: Path, hits: list[dict[str, Any]]) -> None:
    columns = [name for name in hits[0] if name != "index"] if hits else ["rank"]
    _write_csv(path, columns, [[hit[name] for name in columns] for hit in hits])


def _write_unreadable(path: Path, lists: list[Compounds]) -> None:
    rows = [[c.name, f.position + 1, f.text, f.reason] for c in lists for f in c.failures]
    _write_csv(path, _UNREADABLE_COLUMNS, rows)


def _write_csv(path: Path, columns: list[str], rows: list[list[Any]]) -> None:
    def write(binary: IO[bytes]) -> None:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
        binary.write(text.getvalue().encode())

    storage.write_file_atomic(path, write)


def _draw(
    console: Console, folder: Path, outcome: workflow.Outcome, hits: list[dict[str, Any]], library: Compounds
) -> None:
    """Write the two pictures, or without matplotlib only that of the structures."""
    paths = _plots.names(str(folder))
    drawn = []
    missing = matplotlib_missing()
    if missing:
        console.print(f"  {missing}")
    else:
        _plots.parity(paths["parity"], outcome)
        drawn.append("parity")
    legends = [f"{hit['id']}: {hit['score']}, {hit['low']} to {hit['high']}" for hit in hits]
    molecule_grid(paths["top_hits"], [library.mols[hit["index"]] for hit in hits], legends)
    drawn.append("top_hits")
    for name in drawn:
        console.print(f"  {paths[name]}")
