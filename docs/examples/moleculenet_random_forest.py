"""The random-forest rows of the MoleculeNet leaderboard, on Catalase's loaders.

    pip install . scikit-learn
    python moleculenet_random_forest.py [--seeds 0 1 2] [--tables ESOL BBBP ...] [--errors drop]

Each row: "ECFP" (radius 2, 1,024 bits), DeepChem's scaffold split, scikit-learn's forest with the settings that the
leaderboard publishes for the table, one forest a task, balancing weights for classes and normalized labels for values,
scored on valid and test (mean over tasks of ROC-AUC, or RMSE in the table's unit). Molecules that RDKit refuses are left
out before the split, as DeepChem does, and counted; ``--errors mask`` keeps them, which shifts the split.

The split has no randomness; the forests have. The leaderboard gives mean and (population) standard deviation of three
forests and no seeds; here the seeds are 0, 1 and 2. A score is inside its band where Welch's t test of the two means
does not tell them apart at the 5% level. The band is the largest difference of which that holds.

Leaderboard: https://github.com/deepchem/moleculenet, README.md and examples/configures/RF_ECFP, commit c3d7255.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

import catalase as ct

PUBLISHED_RUNS = 3


class Row(NamedTuple):
    """A row of the leaderboard: what it loads, its forest, and the published mean and standard deviation."""

    load: str
    classes: bool
    trees: int
    criterion: str  # by today's names: squared_error was "mse", absolute_error "mae"
    min_samples_split: int
    bootstrap: bool
    valid: tuple[float, float]
    test: tuple[float, float]


ROWS = {
    "ESOL": Row("delaney", False, 30, "absolute_error", 16, True, (1.7932, 0.0153), (1.7406, 0.0261)),
    "Lipophilicity": Row("lipo", False, 100, "squared_error", 2, True, (1.0024, 0.0029), (0.9621, 0.0030)),
    "BACE regression": Row(
        "bace_regression", False, 100, "squared_error", 32, True, (0.6716, 0.0059), (1.3178, 0.0081)
    ),
    "BACE classification": Row(
        "bace_classification", True, 30, "entropy", 32, True, (0.7368, 0.0066), (0.8507, 0.0072)
    ),
    "BBBP": Row("bbbp", True, 100, "entropy", 16, False, (0.9713, 0.0013), (0.7194, 0.0068)),
    "ClinTox": Row("clintox", True, 100, "entropy", 16, False, (0.8883, 0.0230), (0.7829, 0.0235)),
    "SIDER": Row("sider", True, 100, "gini", 32, False, (0.6197, 0.0023), (0.6504, 0.0011)),
}


class Forests:
    """One scikit-learn forest a task, with the ``predict`` that `catalase.metrics` evaluates."""

    def __init__(self, row: Row, seed: int) -> None:
        self.row, self.seed, self.forests = row, seed, []

    def fit(self, train: ct.data.Dataset) -> None:
        """Fit each task on the rows that have its label, with their weights."""
        kind = RandomForestClassifier if self.row.classes else RandomForestRegressor
        for task in range(train.y.shape[1]):
            has = train.w[:, task] > 0
            forest = kind(
                self.row.trees,
                criterion=self.row.criterion,
                min_samples_split=self.row.min_samples_split,
                bootstrap=self.row.bootstrap,
                random_state=self.seed,
                n_jobs=-1,
            )
            self.forests.append(forest.fit(train.X[has], train.y[has, task], train.w[has, task]))

    def predict(self, data: ct.data.Dataset) -> np.ndarray:
        """Probabilities of class 1, or values, (N, tasks)."""
        if self.row.classes:
            return np.stack([forest.predict_proba(data.X)[:, 1] for forest in self.forests], axis=1)
        return np.stack([forest.predict(data.X) for forest in self.forests], axis=1)


def score(row: Row, prediction: np.ndarray, data: ct.data.Dataset, transformers: list) -> float:
    """Mean over tasks; rows without a label, or whose molecule has no features, count nowhere."""
    y = data.y
    if not row.classes:
        y, prediction = (ct.trans.undo_transforms(values, transformers) for values in (y, prediction))
    function = ct.metrics.roc_auc_score if row.classes else ct.metrics.rms_score
    has = data.w > 0
    return float(np.mean([function(y[has[:, t], t], prediction[has[:, t], t]) for t in range(y.shape[1])]))


def measure(row: Row, seeds: list[int], errors: str) -> dict[str, list[float]]:
    """Load, then fit and score a forest (one a task) for each seed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of molecules left out: they are counted on the next line
        _, (train, valid, test), transformers = getattr(ct.molnet, f"load_{row.load}")(errors=errors)
    report = train.report
    fate = "left out" if errors == "drop" else "kept"
    print(
        f"  rows {len(train)} + {len(valid)} + {len(test)}; refused by RDKit {len(report.failures)}, {fate}", flush=True
    )
    scores: dict[str, list[float]] = {"valid": [], "test": []}
    for seed in seeds:
        model = Forests(row, seed)
        model.fit(train)
        for name, data in (("valid", valid), ("test", test)):
            scores[name].append(score(row, model.predict(data), data, transformers))
    return scores


def band(published: tuple[float, float], scores: list[float]) -> float:
    """Largest difference from the published mean that Welch's t test, at the 5% level, puts down to chance.

    One forest shows no spread of its own, so it is given the published one.
    """
    theirs = published[1] ** 2 / (PUBLISHED_RUNS - 1)
    if len(scores) == 1:
        return float(student.ppf(0.975, PUBLISHED_RUNS - 1) * math.sqrt(theirs * (1 + PUBLISHED_RUNS)))
    ours, left = np.var(scores) / (len(scores) - 1), len(scores) - 1
    freedom = (theirs + ours) ** 2 / (theirs**2 / (PUBLISHED_RUNS - 1) + ours**2 / left)
    return float(student.ppf(0.975, freedom) * math.sqrt(theirs + ours))


def main() -> None:
    """Print each score beside the published one."""
    parser = argparse.ArgumentParser(description="The random-forest rows of the MoleculeNet leaderboard.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="one forest a task for each")
    parser.add_argument("--tables", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="TABLE")
    parser.add_argument("--errors", choices=["drop", "mask"], default="drop", help="of molecules that RDKit refuses")
    options = parser.parse_args()
    inside = total = 0
    for name in options.tables:
        row, start = ROWS[name], time.perf_counter()
        print(f"{name} ({'ROC-AUC' if row.classes else 'RMSE'})", flush=True)
        scores = measure(row, options.seeds, options.errors)
        for part, published in (("test", row.test), ("valid", row.valid)):
            mean, width = np.mean(scores[part]), band(published, scores[part])
            good = abs(mean - published[0]) <= width
            inside, total = inside + good, total + 1
            print(
                f"  {part:5} {mean:.4f} +- {np.std(scores[part]):.4f}   published {published[0]:.4f} +- {published[1]:.4f}"
                f"   difference {mean - published[0]:+.4f}, band {width:.4f}: {'inside' if good else 'OUTSIDE'}"
            )
        print(f"  {time.perf_counter() - start:.1f} s", flush=True)
    print(f"{inside} of {total} scores inside their bands")


if __name__ == "__main__":
    main()
