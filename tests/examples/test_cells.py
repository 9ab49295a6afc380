"""Tests of the nets that count and find cells, on synthetic cells, and on the real set if CATALASE_DATA_DIR has it."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct


@pytest.fixture
def cells(example):
    return example("cells")


def test_discs_are_around_their_dots(cells):
    dots = [np.array([[0, 0], [5, 7], [9, 11]]), np.zeros((0, 2), int)]
    masks = cells.discs(dots, (10, 12), radius=2)
    y, x = np.mgrid[:10, :12]
    near = [((y - row) ** 2 + (x - column) ** 2 <= 4) for row, column in dots[0]]
    assert np.array_equal(masks[0], np.any(near, axis=0)) and not masks[1].any() and masks.dtype == np.uint8


def test_overlap(cells):
    mask = np.array([[[1, 1, 0, 0]]], np.uint8)
    assert cells.overlap(mask[..., None], mask) == 1 and cells.overlap(1 - mask, mask) == 0
    assert cells.overlap(np.array([[[0, 1, 1, 0]]]), mask) == 1 / 3 and cells.overlap(mask * 0, mask * 0) == 0


def test_made_up_cells_are_counted(cells):
    train, test = cells.make_up(120, size=32, most=12).split()
    assert train.X.shape == (80, 32, 32, 1) and test.count.max() <= 12
    net = cells.train_counting(train, 30, 0, filters=(8, 8, 16, 16, 16))
    convolutions = [layer for layer in net.module.layers if isinstance(layer, ct.nn.Conv2D)]
    assert [layer.w.shape[-1] for layer in convolutions] == [8, 8, 16, 16, 16]
    errors = cells.count_errors(train, test, net.predict(test.X))
    assert errors["net"] < errors["mean"] / 2, errors


def test_made_up_cells_are_found(cells):
    train, test = cells.make_up(60, size=32, most=8, seed=1).split()
    net = cells.train_segmentation(train, 8, 0, crop=24, filters=(4, 8))
    level = cells.best_threshold(train)
    found = cells.overlap(net.predict(test.X) > 0.5, test.mask)
    assert found > max(0.6, cells.overlap(level < test.X, test.mask)), found


def test_the_real_file_is_read(cells, data_dir):
    train, test = cells.load(data_dir / "vgg_cells_150.npz").split()
    assert (train.X.shape, test.X.shape) == ((100, 256, 256, 1), (50, 256, 256, 1))
    assert train.count.sum() + test.count.sum() == 26_896 and 0.1 < train.mask.mean() < 0.3
    small = cells.Cells(*(a[:2] for a in train))
    assert np.isfinite(cells.train_counting(small, 1, 0).history["loss"]).all()


@pytest.mark.parametrize("task", ["count", "segment"])
def test_the_script_runs(cells, monkeypatch, capsys, tmp_path, task):
    pytest.importorskip("matplotlib")
    made = cells.make_up(9, size=32)
    monkeypatch.setattr(cells, "make_up", lambda images: made)
    more = ["--picture", str(tmp_path / "cells.png")] if task == "segment" else []
    scores = cells.main([task, "--epochs", "1", "--seeds", "0", "1", *more])
    out = capsys.readouterr().out
    assert "6 images to learn from, 3 to test" in out and out.count("seed ") == 2
    assert all(np.isfinite(value) for value in scores.values())
    assert not more or (tmp_path / "cells.png").read_bytes()[:4] == b"\x89PNG"
