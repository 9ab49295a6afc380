"""Nonsense in every argument of `catalase.explain`."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import explain
from tests.nonsense import Target, call, report

KINDS = {
    "model": "ours", "X": "values", "smiles": "anything", "method": "word?", "label": "whole?", "baseline": "values", "fill": "real",
}  # fmt: skip


def net():
    return ct.models.CNN(1, 2, 1, layer_filters=[2], kernel_size=2, dropouts=0.0, mode="regression", seed=0)


def ridge():
    featurizer = ct.feat.CircularFingerprint(size=64)
    data = ct.data.NumpyDataset(featurizer(["CCO", "CCN"]), [0.0, 1.0], featurizer=featurizer)
    model = ct.models.RidgeRegression(1, 64)
    model.fit(data)
    return model


X = np.array([[[1, 0], [0, 1], [1, 0]]], np.float32)
MODEL, RIDGE = net(), ridge()
GRAPH_NET = ct.models.GINModel(1, num_layer=1, emb_dim=2, seed=0)
FUNCTIONS = {
    "atoms": lambda: call(RIDGE, ["CCO"], "masking", 0, errors="raise", return_base=False),
    "saliency": lambda: call(MODEL, X, 0),
    "integrated_gradients": lambda: call(MODEL, X, 0.0, 0, steps=8, tolerance=1.0),
    "occlusion": lambda: call(MODEL, X, 1, 0, stride=1, fill=0.0),
    "mutagenesis": lambda: call(MODEL, X, 0),
    "optimize_input": lambda: call(
        MODEL, X, 2, "mutations", 0, maximize=True, step_size=0.1, tried=2, seed=0
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    also = {"smiles": ["molecule"]}
    skip = ("steps",) if name == "optimize_input" else ()
    wrong = Target(getattr(explain, name), FUNCTIONS[name], KINDS, also=also, skip=skip).failures()
    assert not wrong, report(wrong)


def test_gradients_of_the_atoms_of_graphs():
    wrong = Target(
        explain.atoms, lambda: call(GRAPH_NET, ["CCO"], "gradient", 0), KINDS, also={"smiles": ["molecule"]}
    ).failures()
    assert not wrong, report(wrong)


def test_everything_public_is_in_a_table():
    assert set(explain.__all__) == {*FUNCTIONS, "Optimized"}
