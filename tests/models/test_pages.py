"""The examples of docs/models.md, docs/generation.md, docs/graphs.md and of "A model" in docs/extending.md run."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import catalase as ct
from catalase._internal import registry

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(autouse=True)
def classes_of_a_page_are_forgotten(monkeypatch):
    for name in ct.models.__all__:
        getattr(ct.models, name)  # imported first, since a module registers its classes once
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))


def code(text):
    return re.findall(r"```python\n(.*?)```", text, re.S)


def test_the_page_about_nets_that_generate(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page_about_generation"}
    for block in code((DOCS / "generation.md").read_text()):
        exec(compile(block, "generation.md", "exec"), names)  # noqa: S102
    before, after = map(float, capsys.readouterr().out.splitlines()[0].split())
    assert after < 0.5 * before
    assert names["new"].shape == (100, 16) and names["between"].shape == (5, 16) and len(names["mean"]) == 500


def test_the_page_about_models(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page_about_models"}
    for block in code((DOCS / "models.md").read_text()):
        exec(compile(block, "models.md", "exec"), names)  # noqa: S102
    shown = capsys.readouterr().out
    assert "dropout" in shown and "a number from 0 to below 1 (default: 0.0)" in shown
    assert names["history"]["roc_auc_score"][-1] > 0.9 and names["spread"].shape == (50, 1, 2)
    assert np.array_equal(names["again"].predict(names["X"]), names["own"].predict(names["X"]))


def test_the_page_about_graphs(capsys):
    names = {"__name__": "page_about_graphs"}
    for block in code((DOCS / "graphs.md").read_text()):
        exec(compile(block, "graphs.md", "exec"), names)  # noqa: S102
    assert capsys.readouterr().out == "(2, 1)\n(2, 16)\n"
    known, predicted = names["test"].y, names["model"].predict(names["test"])
    assert ct.metrics.r2_score(known, predicted) > 0.7


def test_the_example_of_a_new_model(tmp_path, monkeypatch):
    section = (DOCS / "extending.md").read_text().split("## A model\n")[1].split("\n## ")[0]
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
