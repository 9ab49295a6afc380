"""Tests of the bits of products with few columns or terms, of the fused ReLU derivative, and of batches of ones."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import _core
from catalase.ops.linear import DeferredMatmul

pytestmark = pytest.mark.on_the_cpu


def poisoned(shape, dtype):
    return np.full(shape, np.nan, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("columns", [1, 2, 3, 7, 8, 9, 12, 15, 16, 17, 20, 24, 31, 32, 33, 36, 47, 48, 49])
def test_few_columns_of_a_transposed_product(backend, threads, rng, columns, dtype):
    for rows, terms in [(63, 16), (64, 17), (100, 100), (129, 15), (479, 31), (997, 33), (70, 4099)]:
        a = rng.standard_normal((terms, rows)).astype(dtype)
        b = rng.standard_normal((terms, columns)).astype(dtype)
        add, keep = (rng.standard_normal((rows, columns)).astype(dtype) for _ in range(2))
        wide = poisoned((rows, columns + 5), dtype)
        out = wide[:, :columns]
        plain = ct.ops.matmul(np.ascontiguousarray(a.T), b)
        assert np.array_equal(ct.ops.matmul(a, b, transpose_a=True, out=out), plain), (rows, terms)
        assert np.isnan(wide[:, columns:]).all()
        turned = ct.ops.matmul(a, b, transpose_a=True, add=add, keep=keep)
        assert np.array_equal(turned, np.where(keep > 0, plain + add, 0)), (rows, terms)


def test_nan_and_infinity_pass_through_a_turned_product(backend):
    a, b = np.ones((20, 70), np.float32), np.ones((20, 12), np.float32)
    a[3, 5], b[4, 7] = np.nan, np.inf
    y = ct.ops.matmul(a, b, transpose_a=True)
    assert np.isnan(y[5]).all() and np.isinf(np.delete(y, 5, 0)[:, 7]).all()
    assert np.isfinite(np.delete(np.delete(y, 5, 0), 7, 1)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_transposed_factor_of_few_terms(backend, rng, dtype):
    for terms in range(1, 41):
        a, b = rng.standard_normal((9, terms)).astype(dtype), rng.standard_normal((terms, 77)).astype(dtype)
        wide = poisoned((77, terms + 3), dtype)  # what lies behind the rows must not be used
        wide[:, :terms] = b.T
        assert np.array_equal(ct.ops.matmul(a, wide[:, :terms], transpose_b=True), ct.ops.matmul(a, b)), terms


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 24, 33), (17, 12, 1000), (50, 300, 47), (3, 5000, 18)], ids=str)
def test_the_input_gradient_through_relu_and_dropout(backend, threads, rng, shape, dtype):
    rows, outputs, inputs = shape
    dz = rng.standard_normal((rows, outputs)).astype(dtype)
    w = rng.standard_normal((inputs, outputs)).astype(dtype)
    h = np.maximum(rng.standard_normal((rows, inputs)), 0).astype(dtype)
    h.flat[:: max(h.size // 3, 1)] = np.nan
    key = {"seed": 3, "layer": 1, "step": 2}
    kept = np.empty(h.shape, np.uint8)
    y = ct.ops.dropout(h, 0.3, **key, kept=kept)
    dy = ct.ops.linear_backward_input(dz, w)
    apart = ct.ops.activation_backward(ct.ops.dropout_backward(dy, 0.3, **key, kept=kept), h, "relu")
    scale = 1 / (1 - 0.3)
    for gradient in (dy, DeferredMatmul(dz, w), DeferredMatmul(np.asfortranarray(dz), w[:])):
        joined, db = ct.ops.linear_backward_bias(gradient, y, activation="relu", scale=scale)
        assert np.array_equal(joined, apart) and db.shape == (inputs,)
    relu = ct.ops.linear_backward_bias(DeferredMatmul(dz, w), h, activation="relu")[0]
    assert np.array_equal(relu, ct.ops.activation_backward(dy, h, "relu"))


def test_a_deferred_product_has_the_bits_of_the_array(rng):
    dz, w, x = rng.standard_normal((5, 3)), rng.standard_normal((4, 3)), rng.standard_normal((5, 4))
    for deferred, array in [
        (DeferredMatmul(dz, w), ct.ops.linear_backward_input(dz, w)),
        (DeferredMatmul(x, dz, transpose_a=True), ct.ops.LinearGradient(x, dz).array()),
    ]:
        assert (deferred.shape, deferred.dtype) == (array.shape, array.dtype)
        out = np.empty(array.shape)
        assert np.array_equal(deferred.array(), array)
        assert deferred.array(out) is out and np.array_equal(out, array)


def test_a_deferred_product_keeps_a_borrowed_factor_as_it_was(rng):
    x, dz = rng.standard_normal((5, 4)), rng.standard_normal((5, 3))
    expected = ct.ops.LinearGradient(x, dz).array()
    kept = DeferredMatmul(x, dz, transpose_a=True, borrowed=True).kept()
    x[...] = 0
    assert np.array_equal(kept.array(), expected)


def test_dropout_in_place(backend, threads, rng):
    x = rng.standard_normal(1000).astype(np.float32)
    apart = ct.ops.dropout(x, 0.4, seed=5)
    assert ct.ops.dropout(x, 0.4, seed=5, out=x) is x and np.array_equal(x, apart)
    for out, words in [(np.empty(999, np.float32), "shape"), (np.empty(2000, np.float32)[::2], "contiguous")]:
        with pytest.raises(ValueError, match=words):
            ct.ops.dropout(x, 0.4, seed=5, out=out)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [3, 40, 200])
def test_a_batch_of_ones_has_the_bits_of_the_dense_product(backend, threads, rng, rows, dtype):
    for columns in (1, 15, 16, 17, 33, 63, 64, 65, 100, 127, 129, 200):
        x = (rng.random((rows, 512)) < 0.05).astype(dtype)
        w, b = rng.standard_normal((512, columns)).astype(dtype), rng.standard_normal(columns).astype(dtype)
        dense = np.empty((rows, columns), dtype)
        _core.matmul(x, w, b, 1, dense)
        for other in (x, x * 2):  # with values that are not 1 the products are multiplied
            sparse = ct.ops.as_sparse(other)
            assert sparse is not None
            y = ct.ops.linear(sparse, w if other is x else w / 2, b, activation="relu")
            assert np.array_equal(y, dense), columns
