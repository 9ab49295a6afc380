"""Nonsense in every argument of splitters."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from catalase import data, splits
from tests.nonsense import Target, call, ones, report

KINDS = {"dataset": "ours", "frac_train": "number", "frac_valid": "number", "frac_test": "number", "seed": "seed?", "k": "whole", "smiles": "word", "chiral": "flag"}  # fmt: skip
SPLITTERS = ("IndexSplitter", "RandomSplitter", "RandomStratifiedSplitter", "ScaffoldSplitter", "Splitter")


def molecules():
    return data.NumpyDataset(ones(6, 3), np.arange(6.0) % 2, ids=["C1CC1C", "C1CC1N", "CC", "C1CCC1", "CCO", "N"])


FRACTIONS = {"frac_train": 0.5, "frac_valid": 0.25, "frac_test": 0.25}
METHODS = {
    "split": lambda: call(molecules(), **FRACTIONS, seed=1),
    "train_valid_test_split": lambda: call(molecules(), **FRACTIONS, seed=1),
    "train_test_split": lambda: call(molecules(), frac_train=0.5, seed=1),
    "k_fold_split": lambda: call(molecules(), k=2, seed=1),
    "scaffold_sets": lambda: call(molecules()),
}


@pytest.mark.parametrize("name", SPLITTERS[:-1])
@pytest.mark.parametrize("method", METHODS)
def test_splitters(name, method):
    splitter = getattr(splits, name)()
    if not hasattr(splitter, method):
        return  # scaffold_sets
    # Rows are counted, and no more, by splitters that look at nothing else.
    kinds = KINDS | ({"dataset": "sized"} if method == "split" else {})
    target = Target(getattr(splitter, method), METHODS[method], kinds, names=("split", method, "ScaffoldSplitter"))
    wrong = target.failures(pairs=30)
    assert not wrong, report(wrong)


def test_murcko_scaffold():
    wrong = Target(splits.murcko_scaffold, lambda: call("C1CC1C", chiral=True), KINDS).failures()
    assert not wrong, report(wrong)


def test_everything_public_is_in_a_table():
    assert set(splits.__all__) == set(SPLITTERS) | {"murcko_scaffold"}
    for name in SPLITTERS:
        methods = {n for n, _ in inspect.getmembers(getattr(splits, name), callable) if not n.startswith("_")}
        assert methods <= set(METHODS)
