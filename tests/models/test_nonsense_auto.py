"""Nonsense in every argument of `AutoModel`."""

from __future__ import annotations

import inspect

import pytest

import catalase as ct
from tests.nonsense import Target, call, report

KINDS = {
    "task": "word?", "time_budget": "number", "seed": "seed", "splitter": "word", "folds": "whole", "members": "words?", "coverage": "number", "dataset": "anything", "y": "anything",
    "progress": "flag?", "x": "anything", "transformers": "no objects?", "raw": "flag", "errors": "word", "path": "path", "device": "device", "state": "anything", "metrics": "no objects",
    "X": "anything",
}  # fmt: skip
ALSO = {"dataset": ["list", "SMILES", "ids", "row", "rows", "label", "labels"], "x": ["list", "SMILES", "ids", "row", "rows", "label", "labels"], "X": ["list", "SMILES", "ids", "row", "rows", "label", "labels"], "y": ["label", "labels"], "state": ["names", "needed", "member"], "device": ["CPU"]}  # fmt: skip
SMILES = ["C" * n + end for n in range(1, 9) for end in ("O", "N")]


@pytest.fixture(scope="module")
def fitted():
    model = ct.models.AutoModel(members=["ridge"], splitter="random")
    model.fit(SMILES, [float(len(text)) for text in SMILES])
    return model


def rows():
    return ct.data.NumpyDataset([[0.0], [1.0]], [[0.0], [1.0]], ids=["CCO", "CCN"])


METHODS = {
    "fit": lambda model: call(SMILES, list(range(16)), progress=False),
    "predict": lambda model: call(SMILES, None, raw=False, errors="raise"),
    "predict_on_batch": lambda model: call(SMILES, None, raw=False),
    "predict_table": lambda model: call(SMILES, 0.5),
    "predict_uncertainty": lambda model: call(SMILES),
    "predict_interval": lambda model: call(SMILES, 0.5),
    "nearest_similarity": lambda model: call(SMILES),
    "in_domain": lambda model: call(SMILES),
    "evaluate": lambda model: call(rows(), ct.metrics.Metric(ct.metrics.rms_score), None),
    "save": lambda model: call("model"),
    "to": lambda model: call("cpu"),
    "load_state_dict": lambda model: call(model.state_dict()),
}


def test_settings():
    valid = call("regression", 60.0, 0, "random", 2, ["ridge"], 0.5)
    wrong = Target(ct.models.AutoModel, lambda: valid, KINDS, also=ALSO).failures()
    assert not wrong, report(wrong)


@pytest.mark.parametrize("method", METHODS)
def test_methods(method, fitted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = fitted
    if method in ("fit", "load_state_dict"):
        model = ct.models.AutoModel(members=["ridge"], splitter="random")
        model.fit(SMILES, [float(len(text)) for text in SMILES])
    names = ("AutoModel", method)
    wrong = Target(getattr(model, method), lambda: METHODS[method](model), KINDS, names, ALSO).failures(pairs=10)
    assert not wrong, report(wrong)


def test_everything_public_is_in_the_table():
    kind = ct.models.AutoModel
    found = {name for name in dir(kind) if not name.startswith("_") and inspect.isfunction(getattr(kind, name))}
    assert found - {"to_config", "state_dict", "summary", "columns_of", "to_onnx"} == set(METHODS)
