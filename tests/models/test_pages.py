"""The examples of docs/models.md and of "A model" in docs/extending.md run."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import numpy as np

import catalase as ct
from catalase._internal import registry

DOCS = Path(__file__).parents[2] / "docs"


def code(text):
    return re.findall(r"```python\n(.*?)```", text, re.S)


def test_the_page_about_models(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    names = {"__name__": "page_about_models"}
    for block in code((DOCS / "models.md").read_text()):
        exec(compile(block, "models.md", "exec"), names)  # noqa: S102
    shown = capsys.readouterr().out
    assert "dropout" in shown and "a number from 0 to below 1 (default: 0.0)" in shown
    assert names["history"]["roc_auc_score"][-1] > 0.9 and names["spread"].shape == (50, 1, 2)
    assert np.array_equal(names["again"].predict(names["X"]), names["own"].predict(names["X"]))


def test_the_example_of_a_new_model(tmp_path, monkeypatch):
    section = (DOCS / "extending.md").read_text().split("## A model\n")[1].split("\n## ")[0]
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    module = types.ModuleType("catalase.models.logistic")
    module.__package__ = "catalase.models"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    (source,) = code(section)
    assert len([line for line in source.split("@declared")[1].splitlines() if line.strip()]) <= 20
    exec(compile(source, "extending.md", "exec"), vars(module))  # noqa: S102
    X = np.eye(6, dtype=np.float32)
    model = module.LogisticRegression(6, 3, learning_rate=0.1, seed=0)
    model.fit(ct.data.NumpyDataset(X, np.arange(6) % 3), nb_epoch=40)
    assert (model.predict(X).argmax(axis=1) == np.arange(6) % 3).all()
    model.save(tmp_path / "m")
    assert np.array_equal(ct.models.load(tmp_path / "m").predict(X), model.predict(X))
