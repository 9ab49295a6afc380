"""The steps of the demo, in order.

The settings of the net have the least error of four-fold cross-validation over scaffolds within training and validation (915
compounds, two seeds for each fold, early stopping on the held-out fold); the test set took no part in the choice. RMSE in p
units:

=============  =======  ======================================
hidden layers  dropout  L2 penalty 0 / 1e-4 / 1e-3 / 3e-3
=============  =======  ======================================
512, 128       0.3      0.589 / 0.585 / **0.572** / 0.573
512, 128       0.6      0.597 / 0.591 / 0.585 / 0.578
256, 64        0.3      0.592 / 0.590 / 0.579 / 0.573
256, 64        0.6      0.597 / 0.595 / 0.589 / 0.583
512            0.3      0.609 / 0.604 / 0.592 / 0.586
512            0.6      0.607 / 0.607 / 0.592 / 0.598
256            0.3      0.604 / 0.603 / 0.594 / 0.591
256            0.6      0.603 / 0.603 / 0.593 / 0.593
=============  =======  ======================================
"""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path
from typing import IO, Any

import numpy as np

from .. import data, feat, metrics, models, ops, splits, train, trans
from .._internal import storage
from .._internal.console import Console
from .._internal.numbers import flag, path_of, whole_number
from .._internal.storage.outputs import Output, begins_with, check_outputs
from ..chem.drawing import molecule_grid
from ..plot.figure import matplotlib_missing
from . import baselines as _baselines
from . import plots as _plots
from .data import Compounds, find_files, load_library, load_measured

SIZE = 2048  # bits of the fingerprints, whose radius is 2
MEMBERS = 5
SETTINGS: dict[str, Any] = {
    "layer_sizes": [512, 128],
    "dropouts": 0.3,
    "weight_decay_penalty": 1e-3,
    "weight_init_stddevs": 0.05,
    "bias_init_consts": 0.0,
    "batch_size": 50,
    "learning_rate": 1e-3,
}
EPOCHS, PATIENCE = 100, 10
DOMAIN = 0.4  # Tanimoto similarity to the nearest training compound below which a prediction is a guess
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
        The folder for the model, ``top_hits.csv``, ``unreadable.csv`` and the pictures.
    seed : int
        The same seed gives the same results.
    quick : bool
        Take one member and 500 library molecules, for tests.
    force : bool
        Replace files of ``out`` even if no earlier run wrote them.

    Returns
    -------
    dict of str to float
        Scores on the test set: rmse, r2 and spearman of the ensemble, ``r2_<baseline>``, and the seconds taken.

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
    packed = ops.ecfp(measured.mols, size=SIZE)
    X = np.unpackbits(packed, axis=1, bitorder="little").astype(np.float32)
    dataset = data.NumpyDataset(
        X,
        np.array(measured.activity)[:, None],
        ids=np.array(measured.smiles),
        tasks=["activity"],
        featurizer=feat.CircularFingerprint(size=SIZE),  # so that the model takes SMILES
    )
    rows = splits.ScaffoldSplitter().split(dataset, 0.8, 0.1, 0.1)
    console.print(
        f"  ECFP4, {SIZE} bits; split by scaffold: {' / '.join(str(len(r)) for r in rows)} to train / validate / test"
    )

    console.heading("2  Train")
    parts = [dataset.select(r) for r in rows]
    normal = trans.NormalizationTransformer(transform_y=True, dataset=parts[0])
    model, best_epochs = _train(console, [normal.transform(p) for p in parts[:2]], seed, 1 if quick else MEMBERS)
    model.transformers = [normal]  # so that predictions are in the units of the measurement

    console.heading("3  Test, beside three baselines")
    y_test = parts[2].y[:, 0]
    prediction, spread = _mean_and_spread(model, X[rows[2]])
    scores = _compare(console, dataset, packed, rows, y_test, prediction, seed, 10 if quick else 100)

    console.heading("4  Save, load, compare")
    model.save(folder / "model")
    again = models.load(folder / "model")
    if not np.array_equal(again.predict(X[rows[2]]), model.predict(X[rows[2]])):
        raise RuntimeError("demo: the loaded model predicts otherwise than the saved one; please report this")
    console.print(f"  {folder / 'model'}: predictions of the loaded model are equal to the bit")
    console.print(f"  yours to use: catalase predict {folder / 'model'} table.csv -o predictions.csv (a column smiles)")

    console.heading("5  Screen the library")
    hits = _screen(console, again, library, packed[rows[0]])
    _write_hits(folder / _HITS, hits)
    console.print(f"  top {len(hits)} written to {folder / _HITS}")

    console.heading("6  Draw")
    nearest = ops.tanimoto(packed[rows[2]], packed[rows[0]]).max(axis=1)
    _draw(console, folder, model, best_epochs, normal, (y_test, prediction, spread, nearest), scores, hits, library)
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


def _train(console: Console, parts: list[Any], seed: int, members: int) -> tuple[models.Ensemble, list[int]]:
    """Fit the members; return the ensemble, and the epoch (from 1) of each member's weights."""
    nets = [models.MultitaskRegressor(1, SIZE, seed=MEMBERS * seed + i, **SETTINGS) for i in range(members)]
    histories = []
    best: list[int] = []
    with console.progress("  training", members) as advance:
        for net in nets:
            stopper = train.EarlyStopping(patience=PATIENCE)
            histories.append(net.fit(parts[0], EPOCHS, valid=parts[1], callbacks=[stopper], progress=False))
            best.append(1 + (stopper.best_epoch or 0))
            advance(1, f"validation loss {stopper.best:.3f}")
    ensemble = models.Ensemble(nets)
    ensemble.histories = histories
    layers = " - ".join(str(n) for n in [SIZE, *SETTINGS["layer_sizes"], 1])
    console.print(
        f"  {members} nets {layers}, dropout {SETTINGS['dropouts']:g}, L2 {SETTINGS['weight_decay_penalty']:g}, Adam "
        f"{SETTINGS['learning_rate']:g}, batch {SETTINGS['batch_size']} (chosen on validation)"
    )
    console.print(f"  stopped early; weights kept of epochs {', '.join(map(str, best))}")
    return ensemble, best


def _mean_and_spread(model: Any, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and spread of the ensemble on the p scale."""
    mean, spread = model.predict_spread(X)
    return mean[:, 0].astype(np.float64), spread[:, 0].astype(np.float64)


def _compare(
    console: Console,
    dataset: Any,
    packed: np.ndarray,
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
    y_test: np.ndarray,
    prediction: np.ndarray,
    seed: int,
    trees: int,
) -> dict[str, float]:
    """Print the table of scores; return the ensemble's scores and the baselines' R2."""
    X, y = dataset.X, dataset.y[:, 0]
    fit, valid, test = rows
    candidates: list[tuple[str, np.ndarray, str]] = [("ours", prediction, "catalase ensemble")]
    values, label = _baselines.choose_ridge(X[fit], y[fit], X[valid], y[valid], X[test])
    candidates.append(("ridge", values, label))
    similar = [ops.tanimoto(packed[part], packed[fit]) for part in (valid, test)]
    values, label = _baselines.choose_neighbours(similar[0], y[valid], similar[1], y[fit])
    candidates.append(("neighbours", values, label))
    forest = _baselines.forest(X[fit], y[fit], X[test], trees=trees, seed=seed)
    if forest is None:
        console.print(
            '  scikit-learn is not installed, so the random forest is left out (pip install "catalase[demo]")'
        )
    else:
        candidates.append(("forest", *forest))
    scores: dict[str, float] = {}
    table = []
    for key, values, label in candidates:
        rmse, r2 = metrics.rms_score(y_test, values), metrics.r2_score(y_test, values)
        rank = metrics.spearman_score(y_test, values)
        table.append([label, f"{rmse:.3f}", f"{r2:.3f}", f"{rank:.3f}"])
        if key == "ours":
            scores.update(rmse=float(rmse), r2=float(r2), spearman=float(rank))
        else:
            scores[f"r2_{key}"] = float(r2)
    console.table(["model", "RMSE", "R2", "Spearman"], table)
    return scores


def _screen(console: Console, model: Any, library: Compounds, train_packed: np.ndarray) -> list[dict[str, Any]]:
    """Score the library; return the top molecules, best first."""
    packed = ops.ecfp(library.mols, size=SIZE)
    score, spread = _mean_and_spread(model, np.unpackbits(packed, axis=1, bitorder="little").astype(np.float32))
    nearest = ops.tanimoto(packed, train_packed).max(axis=1)
    outside = float(np.mean(nearest < DOMAIN))
    console.print(
        f"  {len(library):,} molecules scored; {100 * outside:.1f}% of them lie outside the model's domain (similarity to the "
        f"nearest training compound below {DOMAIN:g}): their scores are guesses"
    )
    order = np.argsort(-score, kind="stable")[:TOP]
    return [
        {
            "rank": rank,
            "id": library.ids[i],
            "smiles": library.smiles[i],
            "score": f"{score[i]:.3f}",
            "spread": f"{spread[i]:.3f}",
            "nearest_similarity": f"{nearest[i]:.3f}",
            "in_domain": "yes" if nearest[i] >= DOMAIN else "no",
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
    console: Console,
    folder: Path,
    model: models.Ensemble,
    best_epochs: list[int],
    normal: Any,
    test: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    scores: dict[str, float],
    hits: list[dict[str, Any]],
    library: Compounds,
) -> None:
    """Write the three pictures, or without matplotlib only the picture of the structures."""
    paths = _plots.names(str(folder))
    drawn = []
    missing = matplotlib_missing()
    if missing:
        console.print(f"  {missing}")
    else:
        unit = float(normal.untransform_spread(np.ones((1, 1)))[0, 0])
        curves = [
            [(unit * np.sqrt(a), unit * np.sqrt(b)) for a, b in zip(h["loss"], h["valid_loss"], strict=True)]
            for h in model.histories
        ]
        _plots.learning_curve(paths["learning_curve"], curves, best_epochs)
        note = f"R2 {scores['r2']:.2f}, RMSE {scores['rmse']:.2f}, Spearman {scores['spearman']:.2f}"
        _plots.parity(paths["parity"], *test, note)
        drawn += ["learning_curve", "parity"]
    legends = [f"{hit['id']}: {hit['score']} +- {hit['spread']}, nearest {hit['nearest_similarity']}" for hit in hits]
    molecule_grid(paths["top_hits"], [library.mols[hit["index"]] for hit in hits], legends)
    drawn.append("top_hits")
    for name in drawn:
        console.print(f"  {paths[name]}")
