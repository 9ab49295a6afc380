"""Tests that the code of docs/convolution.md gives the shown results, and that its pictures are the example's."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

import catalase as ct

PAGE = Path(__file__).parents[2] / "docs" / "convolution.md"


@pytest.fixture
def edge(example):
    pytest.importorskip("matplotlib")
    return example("edge_detection")


def test_the_code_gives_what_the_page_shows():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, PAGE.name, str(PAGE), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.FAIL_FAST)
    runner.run(test)
    assert runner.tries > 15 and not runner.failures


def test_steps_are_where_they_are(edge):
    change = edge.slide1d(edge.stairs(), edge.STEP, padding="valid")
    assert [int(i) for i in np.flatnonzero(change)] == [19, 44, 69]
    assert np.allclose(change[[19, 44, 69]], [1, 0.5, -1.5])
    assert np.array_equal(edge.slide1d(edge.stairs(), edge.STEP, padding="valid", flip_kernel=True), -change)
    noisy = edge.slide1d(edge.stairs(0.25), edge.WIDE_STEP)
    assert abs(int(noisy.argmax()) - 20) <= 1 and abs(int(noisy.argmin()) - 70) <= 1


def test_edges_are_scipys(edge):
    signal = pytest.importorskip("scipy.signal")
    image = edge.cells()
    found = edge.edges(image)
    across, down = (signal.correlate2d(image, k, mode="valid") for k in (edge.SOBEL_X, edge.SOBEL_Y))
    assert np.allclose(found["Sobel, across"], across, atol=1e-5) and np.allclose(found["Sobel, down"], down, atol=1e-5)
    assert np.allclose(found["steepness"], np.hypot(across, down), atol=1e-5)
    assert np.allclose(found["Laplacian"], signal.correlate2d(image, edge.LAPLACE, mode="valid"), atol=1e-5)
    corner = np.arange(6, dtype=np.float32).reshape(2, 3)
    true = edge.slide2d(image, corner, padding="full", flip_kernel=True)[0]
    assert np.allclose(true, signal.convolve2d(image, corner), atol=1e-5)


def test_a_disc_has_its_edge_at_its_rim(edge):
    y, x = np.mgrid[:41, :41]
    radius = np.hypot(y - 20, x - 20)
    steep = edge.edges((radius < 12).astype(np.float32))["steepness"]
    rim = np.abs(radius[1:-1, 1:-1] - 12) < 2
    assert (steep[~rim] == 0).all() and steep[rim].max() >= 4


def test_the_pictures_are_the_examples(edge, tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    net, accuracy = edge.train_digits(epochs=5)
    assert accuracy > 0.8
    monkeypatch.setattr(edge, "train_digits", lambda: (net, accuracy))
    edge.main(["--out", str(tmp_path)])
    names = re.findall(r"\]\((convolution-\w+\.png)\)", PAGE.read_text())
    assert sorted(names) == sorted(file.name for file in tmp_path.iterdir())
    for name in names:
        committed, drawn = (PAGE.parent / name).read_bytes(), (tmp_path / name).read_bytes()
        assert committed[:24] == drawn[:24], f"{name}: not of the same kind and size"
        assert len(committed) < 60_000
    assert isinstance(net, ct.nn.Sequential) and "3,818" in capsys.readouterr().out
