"""Tests that the book's siRNA net learns efficacies: the book's set if CATALASE_DATA_DIR has it, else a synthetic rule."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct


@pytest.fixture
def sirna(example):
    return example("sirna")


def test_the_books_set(sirna, data_dir, capsys):
    scores = sirna.main([str(data_dir / "book_ch06"), "--seeds", "0", "1", "2"])
    assert scores["valid"] >= 0.60, capsys.readouterr().out


def test_it_learns_a_rule(sirna):
    """Efficacy is the share of A and T among the last seven bases; dropout is off where predictions are scored."""
    rng = np.random.default_rng(0)
    bases = rng.integers(0, 4, (600, 21))
    y = np.isin(bases[:, -7:], (0, 3)).mean(axis=1, keepdims=True)
    data = ct.data.NumpyDataset(np.eye(4, dtype=np.float32)[bases], y)
    train, valid = data.select(np.arange(500)), data.select(np.arange(500, 600))
    net, history = sirna.train(train, valid, 150, seed=0)
    assert history["valid r"][-1] == sirna.pearson(net, valid) > 0.8


def test_the_script_runs(sirna, tmp_path, capsys):
    rng = np.random.default_rng(0)
    for name, n in (("train_siRNA", 30), ("valid_siRNA", 10)):
        X = np.eye(4, dtype=np.int8)[rng.integers(0, 4, (n, 21))]
        ct.data.DiskDataset.create(tmp_path / name, [ct.data.NumpyDataset(X, rng.random((n, 1)))])
    scores = sirna.main([str(tmp_path), "--epochs", "20", "--seeds", "0", "1"])
    assert -1 <= scores["lowest"] <= scores["valid"] <= scores["highest"] <= 1
    assert capsys.readouterr().out.count("epoch 20: ") == 2
