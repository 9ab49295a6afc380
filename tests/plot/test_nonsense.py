"""Nonsense in every argument of `catalase.plot`."""

from __future__ import annotations

import numpy as np
import pytest

from catalase import chem, plot
from catalase.plot.figure import new_axes
from tests.nonsense import Target, call, report

pytest.importorskip("matplotlib")

KINDS = {
    "measured": "values", "predicted": "values", "low": "values?", "high": "values?", "color": "values?", "color_label": "word", "labels": "values", "score": "values", "label": "word?",
    "probability": "values", "bins": "whole", "loss": "values", "valid_loss": "values?", "best_epoch": "whole?", "smiles": "anything", "legends": "words?", "contributions": "anything", "ax": "ours?",
    "std": "values", "groups": "anything", "weights": "values", "channel": "whole?", "names": "names", "limit": "limit", "model": "function", "X": "values", "y": "values", "sequences": "anything",
    "letters": "word", "data": "values", "report": "ours", "method": "word", "perplexity": "limit?", "values": "anything", "train": "values?", "valid": "values?", "name": "word?", "log": "flag?",
}  # fmt: skip
VALUES, CLASSES, CHANCE = np.arange(4.0), np.array([0, 1, 1, 0]), np.array([0.2, 0.8, 0.4, 0.1])
FUNCTIONS = {
    "parity": lambda: call(VALUES, VALUES, low=VALUES, high=VALUES, color=VALUES, color_label="c", ax=new_axes(3, 3)),
    "roc": lambda: call(CLASSES, CHANCE, label="task", ax=new_axes(3, 3)),
    "calibration": lambda: call(CLASSES, CHANCE, bins=2, ax=new_axes(3, 3)),
    "learning_curve": lambda: call(VALUES, VALUES, best_epoch=2, ax=new_axes(3, 3)),
    "precision_recall": lambda: call(CLASSES, CHANCE, label="task", ax=new_axes(3, 3)),
    "uncertainty": lambda: call(VALUES, VALUES, VALUES, bins=2, ax=new_axes(3, 3)),
    "violin": lambda: call([VALUES, VALUES], ["a", "b"], ax=new_axes(3, 3)),
    "box": lambda: call([VALUES, VALUES], ["a", "b"], ax=new_axes(3, 3)),
    "density": lambda: call([VALUES, VALUES], ["a", "b"], ax=new_axes(3, 3)),
    "filters": lambda: call(np.ones((3, 3, 1, 4)), channel=0, columns=2, ax=new_axes(3, 3)),
    "activations": lambda: call(["relu"], limit=2.0, ax=new_axes(3, 3)),
    "decision_regions": lambda: call(
        lambda points: points[:, 0], np.eye(4)[:, :2], CLASSES, resolution=5, ax=new_axes(3, 3)
    ),
    "generation": lambda: call(chem.generation_report(["CCO", "C1CC"], ["CC"], alerts=[]), ax=new_axes(3, 3)),
    "logo": lambda: call(["ACGT", "ACGA"], letters="ACGT", ax=new_axes(3, 3)),
    "projection": lambda: call(
        np.eye(4), VALUES, method="pca", color_label="c", perplexity=1.0, seed=0, ax=new_axes(3, 3)
    ),
    "validation_curve": lambda: call([1, 2, 3, 4], VALUES, VALUES, name="width", log=False, ax=new_axes(3, 3)),
    "molecules": lambda: call(
        ["CCO"], legends=["a"], contributions=[[1.0, 0.0, -1.0]], columns=1, errors="mask", ax=new_axes(3, 3)
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    from matplotlib import pyplot

    own = {}
    if name == "projection":
        own = {"color": "anything"}
    elif name in ("violin", "box", "density"):
        own = {"labels": "names?"}
    also = {"smiles": ["molecule", "molecules"], "columns": ["smiles"], "low": ["high"], "high": ["low"]}
    wrong = Target(getattr(plot, name), FUNCTIONS[name], KINDS | own, names=(name, "draw"), also=also).failures()
    pyplot.close("all")
    assert not wrong, report(wrong)


def test_everything_public_is_in_a_table():
    assert set(plot.__all__) == set(FUNCTIONS)
