"""Tests of pictures of curves, spreads, nets, sequences and maps: what they show, by the artists on the axes."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics as sk
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

import catalase as ct
from catalase import plot
from catalase.plot.figure import as_png, as_svg, new_axes
from catalase.plot.maps import hidden_layer

pytest.importorskip("matplotlib")


@pytest.fixture(autouse=True)
def figures_are_closed():
    from matplotlib import pyplot

    yield
    pyplot.close("all")


def texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_precision_and_recall_are_scikit_learns_beside_the_share_of_positives(rng):
    y, score = (rng.random(80) < 0.3) * 1.0, rng.integers(0, 20, 80) / 20
    ax = plot.precision_recall(y, score, label="task")
    precision, recall, _ = sk.precision_recall_curve(y, score)
    chance, curve = ax.lines
    assert chance.get_linestyle() == ":" and chance.get_ydata().tolist() == [y.mean()] * 2
    assert np.allclose(curve.get_xdata(), recall) and np.allclose(curve.get_ydata(), precision)
    assert texts(ax) == [f"task {sk.average_precision_score(y, score):.3f}"]
    assert len(plot.precision_recall(y, score, ax=ax).lines) == 3


def test_the_diagonals_are_dotted():
    for ax in (plot.roc([0, 1], [0, 1]), plot.calibration([0, 1], [0, 1]), plot.uncertainty([0, 1], [1, 1], [1, 1])):
        line = ax.lines[0]
        assert line.get_linestyle() == ":" and np.array_equal(line.get_xdata(), line.get_ydata())


def test_errors_stand_against_deviations_and_their_means_in_parts_of_equal_size(rng):
    std = rng.random(90)
    y, p = rng.normal(size=(2, 90))
    y[4] = np.nan
    ax = plot.uncertainty(y, p, std, bins=3)
    known = ~np.isnan(y)
    dots = np.asarray(ax.collections[0].get_offsets())
    assert np.allclose(dots, np.c_[std[known], abs(y - p)[known]])
    order = np.argsort(std[known])
    parts = np.array_split(order, 3)
    x, rms = ax.lines[1].get_data()
    assert np.allclose(x, [std[known][part].mean() for part in parts])
    assert np.allclose(rms, [math.sqrt(np.mean((y - p)[known][part] ** 2)) for part in parts])


def test_a_history_and_curves_of_scores_are_drawn_as_they_are(rng):
    X = rng.normal(size=(40, 3)).astype(np.float32)
    data = ct.data.NumpyDataset(X, X[:, :1])
    model = ct.models.MultitaskRegressor(1, 3, layer_sizes=[4], seed=0)
    ax = plot.learning_curve(model.fit(data, nb_epoch=3, progress=False))
    assert ax.lines[0].get_ydata().tolist() == model.history["loss"] and len(ax.lines) == 1
    ax = plot.learning_curve(model.fit(data, nb_epoch=3, valid=data, progress=False))
    assert ax.lines[1].get_ydata().tolist() == model.history["valid_loss"]
    curve = ct.hyper.ScoreCurve(
        "training rows", [5, 10], np.array([[1.0, 3.0], [2.0, 2.0]]), np.array([[4.0, 4.0], [3.0, np.nan]])
    )
    for function in (plot.learning_curve, plot.validation_curve):
        ax = function(curve)
        assert [line.get_ydata().tolist() for line in ax.lines] == [[2, 2], [4, 3]]
        assert ax.lines[0].get_xdata().tolist() == [5, 10] and ax.get_xlabel() == "training rows"
        band = ax.collections[0].get_paths()[0].vertices
        assert band[:, 1].min() == 1 and band[:, 1].max() == 3


def test_values_that_are_no_numbers_are_named_and_wide_ranges_are_logarithmic():
    ax = plot.validation_curve([[32], [64, 64]], [1.0, 2.0], name="layer_sizes")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["[32]", "[64, 64]"]
    assert plot.validation_curve([1, 50], [1.0, 2.0]).get_xscale() == "log"
    assert plot.validation_curve([1, 49], [1.0, 2.0]).get_xscale() == "linear"
    assert plot.validation_curve([1, 50], None, [1.0, 2.0], log=False).get_xscale() == "linear"


def test_violins_and_boxes_have_the_quartiles_of_each_group(rng):
    groups = {"a": rng.normal(size=50), "b": np.append(rng.normal(size=31), np.nan)}
    quartiles = [np.nanpercentile(values, [25, 50, 75]) for values in groups.values()]
    ax = plot.violin(groups)
    bars = [segment[:, 1].tolist() for segment in ax.collections[-1].get_segments()]
    assert np.allclose(bars, [[low, high] for low, _, high in quartiles])
    assert np.allclose(ax.lines[0].get_ydata(), [middle for _, middle, _ in quartiles])
    ax = plot.box(list(groups.values()), ["a", "b"])
    assert np.allclose(
        [line.get_ydata()[0] for line in ax.lines if line.get_linewidth() == 1.6], [q[1] for q in quartiles]
    )
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b"]
    assert len(plot.violin({"a": [1.0], "b": [2.0, 2.0]}).lines[0].get_ydata()) == 2


def test_a_density_is_scipys_with_scotts_bandwidth(rng):
    values = rng.normal(size=60)
    ax = plot.density({"a": values, "b": [3.0, 3.0]})
    x, height = ax.lines[0].get_data()
    assert np.allclose(height, scipy.stats.gaussian_kde(values, "scott")(x), rtol=1e-10)
    assert np.sum(height) * (x[1] - x[0]) == pytest.approx(1, abs=0.01)
    assert set(ax.lines[1].get_xdata()) == {3.0} and texts(ax) == ["a", "b"]


def test_filters_stand_side_by_side_in_the_order_of_the_channels(rng):
    w = rng.normal(size=(3, 2, 2, 5))
    picture = plot.filters(w, channel=1, columns=3).images[0].get_array().filled(np.nan)
    assert picture.shape == (2 * 4 + 1, 3 * 3 + 1)
    for i in range(5):
        top, left = i // 3 * 4 + 1, i % 3 * 3 + 1
        assert np.array_equal(picture[top : top + 3, left : left + 2], w[:, :, 1, i])
    assert np.isnan(picture[0]).all() and np.isnan(picture[5:, 7:]).all()
    mean = plot.filters(w).images[0].get_array()
    assert np.allclose(mean[1:4, 1:3], w.mean(axis=2)[:, :, 0])


def test_filters_of_a_model_are_those_of_its_first_convolution():
    model = ct.models.CNN(1, 4, 1, layer_filters=[3], kernel_size=5, seed=0, mode="regression")
    w = next(layer.w.numpy() for layer in model.module.modules() if isinstance(layer, ct.nn.Conv1D))
    picture = plot.filters(model).images[0].get_array()
    assert np.allclose(picture[1:5, 1:6], w[:, :, 0].T)


def test_activations_have_their_derivatives(rng):
    ax = plot.activations(["tanh", "gelu"], limit=3)
    x = ax.lines[0].get_xdata()
    assert x[0] == -3 and x[-1] == 3 and texts(ax) == ["tanh", "derivative of tanh", "gelu", "derivative of gelu"]
    assert np.allclose(ax.lines[0].get_ydata(), np.tanh(x))
    assert np.allclose(ax.lines[1].get_ydata(), 1 - np.tanh(x) ** 2)
    slope = np.gradient(ax.lines[2].get_ydata(), x)
    assert np.allclose(ax.lines[3].get_ydata()[1:-1], slope[1:-1], atol=1e-3)


def test_regions_are_what_the_model_answers_on_a_grid():
    X = np.array([[0.0, 0.0], [1.0, 2.0], [1.0, 0.0]])
    ax = plot.decision_regions(lambda points: points[:, 0], X, [0, 1, 1], resolution=11)
    image = ax.images[0]
    assert np.allclose(image.get_extent(), [-0.1, 1.1, -0.2, 2.2])
    assert np.allclose(image.get_array(), np.tile(np.linspace(-0.1, 1.1, 11), (11, 1)), atol=1e-6)
    assert np.array_equal(ax.collections[-1].get_offsets(), X)
    three = plot.decision_regions(lambda points: np.c_[points, np.zeros(len(points))], X, [0, 1, 2], resolution=4)
    y = np.linspace(-0.2, 2.2, 4)
    expected = [[0 if x > max(h, 0) else 1 if h >= x and h > 0 else 2 for x in np.linspace(-0.1, 1.1, 4)] for h in y]
    assert np.array_equal(three.images[0].get_array(), expected)


def test_regions_of_a_model_are_its_probabilities_of_class_1(rng):
    X = rng.normal(size=(30, 2)).astype(np.float32)
    y = (X[:, 0] > 0) * 1
    model = ct.models.MultitaskClassifier(1, 2, layer_sizes=[4], seed=0)
    model.fit(ct.data.NumpyDataset(X, y), nb_epoch=3, progress=False)
    ax = plot.decision_regions(model, X, y, resolution=5)
    left, right, bottom, top = ax.images[0].get_extent()
    corner = model.predict(np.array([[left, bottom], [right, top]], np.float32))[:, 0, 1]
    shade = ax.images[0].get_array()
    assert np.allclose([shade[0, 0], shade[-1, -1]], corner)


def patches(ax):
    """The position, the bottom and the height of each letter."""
    boxes = [patch.get_path().get_extents() for patch in ax.patches]
    return sorted((round((box.x0 + box.x1) / 2), box.y0, box.height) for box in boxes)


def test_letters_of_a_logo_are_as_tall_as_their_share_of_the_information():
    ax = plot.logo(["AC", "AG", "AC", "AT"])
    bits = 2 + 0.5 * math.log2(0.5) + 2 * 0.25 * math.log2(0.25)
    expected = [(1, 0, 2), (2, 0, bits / 4), (2, bits / 4, bits / 4), (2, bits / 2, bits / 2)]
    assert np.allclose(patches(ax), expected) and ax.get_ylabel() == "bits"
    assert np.allclose(patches(plot.logo(ct.ops.one_hot_dna(["AC", "AG", "AC", "AT"]))), expected)


def test_heights_below_zero_hang_down_with_the_tallest_outside():
    ax = plot.logo([[1.0, 3.0, -0.5, -2.0]])
    assert np.allclose(patches(ax), [(1, -2.5, 2), (1, -0.5, 0.5), (1, 0, 1), (1, 1, 3)])


def test_a_map_has_the_principal_components_of_scikit_learn(rng):
    X = rng.normal(size=(25, 6))
    ax = plot.projection(X)
    fitted = PCA(2, svd_solver="full").fit(X)
    assert np.allclose(ax.collections[0].get_offsets(), fitted.transform(X))
    assert ax.get_xlabel() == f"component 1 ({100 * fitted.explained_variance_ratio_[0]:.0f}% of the variance)"
    tsne = plot.projection(X, method="tsne", seed=3)
    expected = TSNE(2, perplexity=8.0, init="pca", random_state=3).fit_transform(X)
    assert np.allclose(tsne.collections[0].get_offsets(), expected)


def test_packed_fingerprints_are_drawn_by_their_bits():
    smiles = ["CCO", "CCN", "c1ccccc1", "CC(=O)O", "CCCl"]
    packed = ct.ops.ecfp(smiles, size=64)
    places = [plot.projection(X).collections[0].get_offsets() for X in (packed, np.unpackbits(packed, axis=1))]
    assert np.array_equal(*places)


def test_colours_of_a_map_are_a_scale_a_legend_or_the_parts_of_a_split(rng):
    X = rng.normal(size=(20, 3))
    values = np.append(rng.random(19), np.nan)
    ax = plot.projection(X, values, color_label="log S")
    assert np.array_equal(ax.collections[1].get_array(), values[:19]) and len(ax.collections[0].get_offsets()) == 1
    assert [other.get_ylabel() for other in ax.figure.axes if other is not ax] == ["log S"]
    assert texts(plot.projection(X, np.r_[np.zeros(9), np.ones(10), np.nan])) == ["0", "1", "missing"]
    assert texts(plot.projection(X, ["b"] * 5 + ["a"] * 15)) == ["b", "a"]
    ax = plot.projection({"train": ct.data.NumpyDataset(X[:12]), "test": X[12:]})
    assert texts(ax) == ["train", "test"] and [len(c.get_offsets()) for c in ax.collections] == [12, 8]
    assert np.allclose(
        np.concatenate([c.get_offsets() for c in ax.collections]), PCA(2, svd_solver="full").fit_transform(X)
    )


def test_the_hidden_layer_is_what_the_last_dense_layer_gets(rng):
    X = rng.normal(size=(230, 5)).astype(np.float32)
    model = ct.models.MultitaskRegressor(1, 5, layer_sizes=[7, 3], seed=0)
    first, second = (
        layer for layer in model.module.modules() if isinstance(layer, ct.nn.Linear) and layer.w.shape[1] != 1
    )
    hidden = X
    for layer in (first, second):
        hidden = np.maximum(hidden @ layer.w.numpy() + layer.b.numpy(), 0)
    found = hidden_layer(model, X)
    assert np.allclose(found, hidden, atol=1e-5)
    ax = plot.projection(ct.data.NumpyDataset(X), model=model)
    assert np.allclose(
        ax.collections[0].get_offsets(), PCA(2, svd_solver="full").fit_transform(found.astype(float)), atol=1e-4
    )
    graphs = ct.models.DMPNNModel(1, seed=0)
    assert hidden_layer(graphs, ct.feat.MolGraphFeaturizer().featurize(["CCO", "c1ccccc1", "CCN"])).shape[0] == 3


@pytest.mark.parametrize("kind", ["logo", "regions", "density", "map"])
def test_a_picture_has_the_same_bytes_each_time(kind, rng):
    X, y = rng.normal(size=(30, 4)), rng.integers(0, 2, 30)
    draw = {
        "logo": lambda ax: plot.logo(["ACG", "ACC"], ax=ax),
        "regions": lambda ax: plot.decision_regions(lambda p: p[:, 0], X[:, :2], y, resolution=9, ax=ax),
        "density": lambda ax: plot.density({"a": X[:, 0]}, ax=ax),
        "map": lambda ax: plot.projection(X, y, ax=ax),
    }[kind]
    pictures = []
    for _ in range(2):
        ax = new_axes(4, 3)
        assert draw(ax) is ax
        pictures.append((as_svg(ax), as_png(ax)))
    assert pictures[0] == pictures[1]


def test_what_cannot_be_drawn_is_refused_in_one_sentence(monkeypatch):
    for call, words in (
        (lambda: plot.precision_recall([1, 1], [1, 2]), "precision_recall: labels must have both classes"),
        (lambda: plot.uncertainty([1], [1], [-1]), "uncertainty: std must be 0 or more, got -1"),
        (lambda: plot.violin({"a": [np.nan]}), "violin: groups must have finite numbers to draw, 'a' has none"),
        (lambda: plot.violin([]), "violin: groups must have finite"),
        (lambda: plot.box([[1], [2]], ["a"]), "box: labels must be 2 different texts"),
        (lambda: plot.filters(np.ones((3, 3))), "filters: weights must have shape"),
        (lambda: plot.filters(ct.models.MultitaskRegressor(1, 3)), "filters: weights must be a model with a Conv1D or"),
        (lambda: plot.activations(["rely"]), "activations: names must be of "),
        (
            lambda: plot.decision_regions(np.sum, np.ones((3, 3)), [0, 1, 1]),
            r"decision_regions: X must have shape \(N, 2\)",
        ),
        (
            lambda: plot.decision_regions(np.sum, np.ones((3, 2)), [0, 1, 1]),
            "decision_regions: model must answer one row",
        ),
        (lambda: plot.logo(["AC", "A"]), "logo: sequences must have one length"),
        (lambda: plot.projection(np.ones((2, 3))), "projection: data must have 3 rows or more, got 2"),
        (
            lambda: plot.projection(np.ones((4, 3)), [1, 2]),
            "projection: color must have a number or a text for each of 4",
        ),
        (lambda: plot.validation_curve([1, 2], [1.0]), "validation_curve: train must have a row for each of 2 values"),
        (lambda: plot.validation_curve([0, 2], [1.0, 2.0], log=True), "validation_curve: log needs values above 0"),
        (lambda: plot.validation_curve([1, 2]), "validation_curve: train or valid must be given"),
    ):
        with pytest.raises(ValueError, match=f"^{words}"):
            call()
    with pytest.raises(TypeError, match=r"^projection: data has graphs, which are no rows of features; give model"):
        plot.projection(ct.data.GraphDataset(ct.ops.mol_graphs(["CCO", "CCN", "CC"])))
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(ImportError, match=r"^projection: scikit-learn is needed; pip install 'catalase\[sklearn\]'"):
        plot.projection(np.eye(4))
