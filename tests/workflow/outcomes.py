"""Outcomes for tests: Gaussian processes and ridge regression on the molecules that come with RDKit."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

import catalase as ct
from catalase.demo.data import find_files, load_measured
from catalase.workflow import Outcome, metrics_of

FOLDS = 4


@functools.cache
def molecules() -> tuple[list[str], Any, Any]:
    """SMILES, p activities, and packed fingerprints of 240 of the demo's compounds."""
    paths = find_files()
    measured = load_measured(paths["activity"], paths["smiles"])
    smiles = list(measured.smiles[::4][:240])
    return smiles, np.array(measured.activity[::4][:240]), ct.ops.ecfp(smiles, size=1024)


def outcome(mode: str = "regression", tasks: int = 1, **changes: Any) -> Outcome:
    """An outcome in which every number is the work of a model; ``changes`` replace fields."""
    fields = dict(_fields(mode, tasks))
    return Outcome(**(fields | changes))


@functools.cache
def _fields(mode: str, tasks: int) -> dict[str, Any]:
    smiles, activity, packed = molecules()
    n = len(smiles)
    rng = np.random.default_rng(0)
    y = np.stack([activity, activity + rng.normal(0, 0.4, n)], axis=1)[:, :tasks]
    if mode == "classification":
        y = (y > np.median(y, axis=0)) * 1.0
    y[rng.random(n) < 0.05, tasks - 1] = np.nan
    folds = rng.integers(0, FOLDS, n)
    folds[rng.permutation(n)[:60]] = -1
    parts = np.where(folds < 0, "test", "train")
    X = np.unpackbits(packed, axis=1, bitorder="little").astype(np.float32)
    predicted, std, ridge = np.full((3, n, tasks), np.nan)
    for fold in range(-1, FOLDS):
        train, left = (folds != fold) & (folds >= 0), folds == fold
        data = ct.data.NumpyDataset(X[train], y[train])
        gp = ct.models.TanimotoGP(tasks, 1024, mode=mode, seed=0)
        gp.fit(data)
        mean, spread = gp.predict_uncertainty(X[left])
        predicted[left] = mean[..., 1] if mode == "classification" else mean
        std[left] = spread[..., 1] if mode == "classification" else spread
        simple = ct.models.RidgeRegression(tasks, 1024)
        simple.fit(data)
        ridge[left] = simple.predict(X[left])
    ridge = np.clip(ridge, 0, 1) if mode == "classification" else ridge
    coverage = 0.9
    score = np.abs(y - predicted)[folds >= 0] / std[folds >= 0]
    width = np.nanquantile(score, coverage) * std
    similar = np.array(
        [ct.ops.tanimoto(packed[[i]], packed[(folds != folds[i]) & (folds >= 0)]).max() for i in range(n)]
    )
    threshold = float(np.quantile(similar[folds >= 0], 0.05))
    names = ["activity", "activity again"][:tasks]
    mean_only = np.broadcast_to(np.nanmean(y[folds >= 0], axis=0), (n, tasks))
    return {
        "source": "table.csv", "tasks": names, "mode": mode, "smiles": smiles, "rows": np.arange(n) + 1, "parts": parts,
        "folds": folds, "measured": y, "predicted": predicted, "std": std,
        "low": predicted - width if mode == "regression" else np.full((n, tasks), np.nan),
        "high": predicted + width if mode == "regression" else np.full((n, tasks), np.nan),
        "nearest_similarity": similar, "in_domain": similar >= threshold, "coverage": coverage,
        "domain_threshold": threshold,
        "metrics": metrics_of(
            mode, names, parts, y, predicted, kept=["gp"],
            members={"gp": predicted, "linear": ridge}, baselines={"the mean": mean_only, "ridge": ridge},
        ),
        "histories": {f"net {i}": {"loss": [1.0 / (e + i) for e in range(1, 9)], "valid_loss": [1.2 / e + i / 9 for e in range(1, 9)]} for i in (1, 2)},
        "table": [f"{n} rows; the column smiles was read as SMILES", f"{np.isnan(y).sum()} labels are missing"],
        "plan": {"members": ["gp"], "folds": FOLDS, "seed": 0, "time budget, s": 60, "seconds": 3.25, "cut short": False},
        "versions": {"catalase": ct.__version__, "numpy": np.__version__},
        "units": "p units" if mode == "regression" else "",
    }  # fmt: skip
