"""Tests of dense nets in float64, and on sparse matrices of SciPy."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import models
from catalase.data import NumpyDataset

SPARSE = r"X is a sparse matrix of SciPy; give X\.toarray"


@pytest.fixture
def data(rng):
    X = rng.standard_normal((70, 6))
    return X, np.stack([X[:, 0] ** 2, X[:, 1]], axis=1)


def regressor(width, **options):
    return models.MultitaskRegressor(2, width, layer_sizes=[16, 8], dropouts=0.0, learning_rate=0.01, seed=0, **options)


@pytest.mark.parametrize("options", [{}, {"layer_norm": True, "residual": True}])
def test_a_net_in_float64_agrees_with_one_in_float32_and_computes_finer(data, options):
    X, y = data
    wide, narrow = (regressor(6, dtype=dtype, **options) for dtype in ("float64", "float32"))
    assert np.allclose(wide.predict(X), narrow.predict(X), atol=1e-5)
    losses = [
        model.fit(NumpyDataset(X, y), nb_epoch=3, valid=NumpyDataset(X, y))["valid_loss"] for model in (wide, narrow)
    ]
    assert np.allclose(*losses, rtol=1e-4)
    found = wide.predict(X)
    assert found.dtype == np.float64 and not np.array_equal(found, found.astype(np.float32))
    assert {array.dtype for array in wide.state_dict().values()} == {np.dtype(np.float64)}


def test_a_net_in_float64_is_saved_and_goes_on(data, tmp_path):
    X, y = data
    model = regressor(6, dtype="float64")
    model.fit(NumpyDataset(X, y), nb_epoch=2)
    model.save(tmp_path / "m")
    assert np.array_equal(models.load(tmp_path / "m").predict(X), model.predict(X))
    assert "dtype" not in regressor(6).to_config(), "the config of float32 is that of earlier versions"


def test_a_classifier_in_float64_takes_packed_bits(data):
    bits = ct.ops.ecfp(["CCO", "CCN", "c1ccccc1"], size=64)
    model = models.MultitaskClassifier(1, 64, layer_sizes=[8], seed=0, dtype="float64")
    model.fit(NumpyDataset(bits, [0, 1, 1]), nb_epoch=2)
    dense = np.unpackbits(bits, axis=1, bitorder="little").astype(np.float64)
    assert np.array_equal(model.predict(bits), model.predict(dense))


def test_float64_is_refused_on_a_device():
    with pytest.raises((TypeError, RuntimeError)):
        regressor(6, dtype="float64").to("cuda")
    with pytest.raises(ValueError, match="dtype"):
        regressor(6, dtype="float16")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [False, True])
def test_a_sparse_matrix_gives_the_bits_of_its_dense_form(rng, dtype, classes):
    sparse = pytest.importorskip("scipy.sparse")
    dense = (rng.random((130, 400)) < 0.05) * rng.standard_normal((130, 400)).astype(np.float32)
    y = (dense[:, :1] > 0).astype(int) if classes else dense[:, :1]
    kind = models.MultitaskClassifier if classes else models.MultitaskRegressor
    found = []
    for X in (dense.astype(dtype), sparse.csr_array(dense), sparse.coo_matrix(dense.astype(np.float64))):
        model = kind(1, 400, layer_sizes=[16], seed=0, dtype=dtype)
        held = NumpyDataset(X, y).select(range(50))
        model.fit(NumpyDataset(X, y), nb_epoch=2, valid=held, metrics=[])
        found.append((model.predict(NumpyDataset(X, y)), model.history["valid_loss"]))
        assert np.array_equal(model.predict(X), found[-1][0])
    for predictions, losses in found[1:]:
        assert np.array_equal(predictions, found[0][0]) and losses == found[0][1]


def test_a_sparse_matrix_that_does_not_fit_is_refused():
    sparse = pytest.importorskip("scipy.sparse")
    model = models.MultitaskRegressor(1, 4, layer_sizes=[2], seed=0)
    with pytest.raises(ValueError, match=r"X must have shape \(rows, 4\), got \(2, 3\)"):
        model.predict(sparse.csr_array(np.ones((2, 3))))
    holed = sparse.csr_array(np.array([[0, 0, 0, 1.0], [0, 0, np.nan, 0]]))
    with pytest.raises(ValueError, match="X holds nan at row 1, column 2; impute or drop it"):
        model.fit(NumpyDataset(holed, [1.0, 2.0]))
    for other in (models.RidgeRegression(1, 4), models.TanimotoKNNRegressor(1, 4), models.EuclideanKNNRegressor(1, 4), models.TanimotoGP(1, 4)):  # fmt: skip
        with pytest.raises(TypeError, match=SPARSE):
            other.fit(NumpyDataset(sparse.csr_array(np.eye(4)), np.arange(4.0)))


def test_what_takes_no_sparse_matrix_says_so(tmp_path):
    sparse = pytest.importorskip("scipy.sparse")
    data = NumpyDataset(sparse.csr_array(np.eye(4)), np.arange(4.0))
    with pytest.raises(TypeError, match=SPARSE):
        ct.data.DiskDataset.create(tmp_path / "d", [data])
    with pytest.raises(TypeError, match=SPARSE):
        ct.trans.NormalizationTransformer(transform_X=True, dataset=data)
    with pytest.raises(TypeError, match=SPARSE):
        models.NetModel(ct.nn.Linear(4, 1), "L2Loss").fit(data)
    linear = pytest.importorskip("sklearn.linear_model")
    with pytest.raises(TypeError, match=SPARSE):
        models.SklearnModel(linear.Ridge()).fit(data)


def test_a_net_in_float64_says_how_sure_it_is(data):
    X, _ = data
    options = {"layer_sizes": [8], "dropouts": 0.2, "uncertainty": True, "seed": 0}
    wide, narrow = (models.MultitaskRegressor(2, 6, dtype=dtype, **options) for dtype in ("float64", "float32"))
    for found, other in zip(wide.predict_uncertainty(X), narrow.predict_uncertainty(X), strict=True):
        assert np.allclose(found, other, atol=1e-5)
