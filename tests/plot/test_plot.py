"""Tests of `catalase.plot`: what the pictures show, by the artists on the axes."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
import sklearn.metrics as sk

from catalase import plot
from catalase.plot.figure import as_png, as_svg, matplotlib_missing, new_axes

matplotlib = pytest.importorskip("matplotlib")


@pytest.fixture(autouse=True)
def figures_are_closed():
    from matplotlib import pyplot

    yield
    pyplot.close("all")


def points(ax):
    return np.asarray(ax.collections[-1].get_offsets())


def test_parity_shows_every_pair_and_the_line_of_equality_on_one_scale(rng):
    y = rng.standard_normal(23)
    ax = plot.parity(y, y + 3)
    assert np.array_equal(points(ax), np.c_[y, y + 3])
    assert ax.get_xlim() == ax.get_ylim() and ax.get_aspect() == 1
    (line,) = ax.lines
    assert np.array_equal(line.get_xdata(), line.get_ydata()) and line.get_xdata()[0] < y.min()


def test_parity_leaves_rows_with_nan_out_and_draws_intervals_and_colours():
    nan = np.nan
    ax = plot.parity(
        [1, 2, nan, 4],
        [1, nan, 3, 5],
        low=[0, 0, 0, 4],
        high=[2, 2, 2, 7],
        color=[0.1, 0.2, 0.3, 0.9],
        color_label="similarity",
    )
    assert points(ax).tolist() == [[1, 1], [4, 5]]
    bars = ax.collections[0].get_segments()
    assert [bar.tolist() for bar in bars] == [[[1, 0], [1, 2]], [[4, 4], [4, 7]]]
    assert ax.collections[1].get_array().tolist() == [0.1, 0.9]
    assert [other.get_ylabel() for other in ax.figure.axes if other is not ax] == ["similarity"]


def test_parity_of_equal_values_has_a_range():
    ax = plot.parity([2.0, 2.0], [2.0, 2.0])
    assert ax.get_xlim() == (1.5, 2.5)


def test_the_roc_curve_is_that_of_scikit_learn_and_names_the_area(rng):
    y, score = (rng.random(97) < 0.3) * 1.0, rng.integers(0, 20, 97) / 20
    y[5] = np.nan
    ax = plot.roc(y, score, label="task")
    known = ~np.isnan(y)
    false, true, _ = sk.roc_curve(y[known], score[known], drop_intermediate=False)
    x, height = ax.lines[1].get_data()
    assert np.allclose(x, false) and np.allclose(height, true)
    (text,) = ax.get_legend().get_texts()
    assert text.get_text() == f"task {sk.roc_auc_score(y[known], score[known]):.3f}"
    assert len(plot.roc(y, score, ax=ax).lines) == 3  # one diagonal, two curves


def test_calibration_has_a_point_for_each_range_with_rows():
    ax = plot.calibration([0, 1, 1, 1, np.nan], [0.1, 0.15, 0.9, 1.0, 0.5], bins=5)
    x, share = ax.lines[1].get_data()
    assert np.allclose(x, [0.125, 0.95]) and np.allclose(share, [0.5, 1.0])
    assert [text.get_text() for text in ax.texts] == ["2", "2"]
    low, high = ax.collections[0].get_segments()[0][:, 1]
    assert low == pytest.approx(0.0945, abs=1e-4) and high == pytest.approx(0.9055, abs=1e-4)  # Wilson's for 1 of 2


def test_a_learning_curve_has_both_losses_the_kept_epoch_and_one_legend_for_all_members():
    ax = plot.learning_curve([3.0, 2.0, 1.0], [3.5, 2.5, 2.6], best_epoch=2)
    assert [line.get_ydata().tolist() for line in ax.lines] == [[3, 2, 1], [3.5, 2.5, 2.6], [2.5]]
    plot.learning_curve([3.0, np.inf], ax=ax)
    assert len(ax.lines) == 4 and np.isnan(ax.lines[3].get_ydata()[1])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["training batches", "validation", "kept weights"]


def test_molecules_are_the_picture_that_chem_draws():
    from catalase import chem

    ax = plot.molecules(["CCO", "CCN"], legends=["a", "b"], columns=2)
    expected = matplotlib.image.imread(io.BytesIO(chem.draw(["CCO", "CCN"], legends=["a", "b"], columns=2)))
    assert np.array_equal(ax.images[0].get_array(), expected) and not ax.axison


def test_a_picture_has_the_same_bytes_each_time_and_many_points_are_pixels(rng):
    y = rng.standard_normal(5000)
    sizes = []
    for rows in (5, 5000):
        pictures = []
        for _ in range(2):
            ax = plot.parity(y[:rows], y[:rows] + 1, ax=new_axes(4, 4))
            pictures.append((as_svg(ax), as_png(ax)))
        assert pictures[0] == pictures[1]
        assert pictures[0][0].startswith(b"<?xml") and pictures[0][1].startswith(b"\x89PNG")
        sizes.append(len(pictures[0][0]))
    assert sizes[1] < 200_000


def test_axes_that_are_given_are_drawn_into_and_no_window_is_opened():
    from matplotlib import pyplot

    ax = new_axes(4, 4)
    assert plot.parity([1, 2], [1, 2], ax=ax) is ax and not pyplot.get_fignums()
    plot.parity([1, 2], [1, 2])
    assert len(pyplot.get_fignums()) == 1


def test_what_cannot_be_drawn_is_refused_in_one_sentence():
    for call, words in (
        (
            lambda: plot.parity([1, 2], [1, 2, 3]),
            r"parity: predicted must have shape \(2,\), as measured has, got \(3,\)",
        ),
        (lambda: plot.parity([np.nan], [1]), "parity: measured has nothing to draw in 1 rows"),
        (lambda: plot.parity([1, 2], [1, 2], low=[0, 1]), "parity: high must be given with low, got None"),
        (lambda: plot.parity([1, np.inf], [1, 2]), "parity: measured has an infinite value"),
        (lambda: plot.roc([0, 2], [1, 2]), "roc: labels must be 0, 1 or NaN where missing, got 2"),
        (lambda: plot.roc([1, 1], [1, 2]), "roc: labels must have both classes, got 2 of class 1"),
        (lambda: plot.calibration([0, 1], [0.5, 1.5]), "calibration: probability must be from 0 to 1, got 0.5 to 1.5"),
        (lambda: plot.learning_curve([1.0], best_epoch=2), "learning_curve: best_epoch must be"),
    ):
        with pytest.raises(ValueError, match=f"^{words}"):
            call()
    with pytest.raises(TypeError, match=r"^roc: ax must be an Axes of matplotlib or None, got 'x'"):
        plot.roc([0, 1], [0, 1], ax="x")


def test_without_matplotlib_a_sentence_names_the_extra(monkeypatch):
    assert matplotlib_missing() is None
    for name in ("matplotlib", "matplotlib.axes", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    assert 'pip install "catalase[plot]"' in matplotlib_missing()
    with pytest.raises(ImportError, match=r"^parity: matplotlib is needed; pip install 'catalase\[plot\]'"):
        plot.parity([1, 2], [1, 2])
