"""The fused dense layer: against float64, gradients, and its promises about bits."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.reference import matmul as reference
from tests.reference.activations import ACTIVATIONS, OF_OUTPUT
from tests.reference.gradients import directional


@pytest.mark.parametrize("activation", [None, *ACTIVATIONS])
@pytest.mark.parametrize(
    "shape", [(0, 3, 4), (1, 1, 1), (5, 0, 3), (7, 33, 17), (50, 1024, 12), (13, 4099, 35)], ids=str
)
def test_agrees_with_float64(backend, threads, rng, shape, activation):
    n, i, o = shape
    x, w = rng.standard_normal((n, i)).astype(np.float32), (rng.standard_normal((i, o)) / 10).astype(np.float32)
    b = rng.standard_normal(o).astype(np.float32)
    for bias in (b, None):
        y = ct.ops.linear(x, w, bias, activation=activation)
        exact, bound = reference.linear(x, w, bias, activation)
        assert y.shape == (n, o) and y.dtype == np.float32
        assert np.all(np.abs(y - exact) <= bound), f"{backend} {shape} {activation} {np.abs(y - exact).max()}"


@pytest.mark.parametrize("activation", OF_OUTPUT)
def test_gradients(backend, rng, activation):
    x, w, b = rng.standard_normal((6, 5)), rng.standard_normal((5, 4)), rng.standard_normal(4)
    dy = rng.standard_normal((6, 4))
    y = ct.ops.linear(x, w, b, activation=activation)
    gradients = ct.ops.linear_backward(dy, x, w, y, activation=activation)
    slope, claimed = directional(
        lambda x, w, b: np.sum(dy * ct.ops.linear(x, w, b, activation=activation)), [x, w, b], gradients, rng
    )
    assert np.isclose(slope, claimed, rtol=1e-5)


def test_gradients_may_land_in_padded_views(backend, rng):
    x, w = rng.standard_normal((9, 6)).astype(np.float32), rng.standard_normal((6, 20)).astype(np.float32)
    y = ct.ops.linear(x, w)
    dy = rng.standard_normal(y.shape).astype(np.float32)
    store, db = np.full((6, 48), 3, np.float32), np.empty(20, np.float32)
    dx, dw, _ = ct.ops.linear_backward(dy, x, w, y, out_dw=store[:, :20], out_db=db)
    plain = ct.ops.linear_backward(dy, x, w, y)
    assert np.shares_memory(dw, store) and np.all(store[:, 20:] == 3)
    assert all(np.array_equal(a, b) for a, b in zip((dx, dw, db), plain, strict=True))
    assert ct.ops.linear_backward(dy, x, w, y, need_dx=False)[0] is None


def test_the_column_sum_is_right_for_long_batches(backend, threads, rng):
    dy = rng.standard_normal((9001, 37)).astype(np.float32)
    x, w = np.zeros((9001, 1), np.float32), np.zeros((1, 37), np.float32)
    db = ct.ops.linear_backward(dy, x, w, dy, need_dx=False)[2]
    bound = (4096 + 3) * np.finfo(np.float32).eps * np.abs(dy).sum(axis=0, dtype=np.float64)
    assert np.all(np.abs(db - dy.sum(axis=0, dtype=np.float64)) <= bound)


def test_a_row_alone_gives_the_bits_it_has_in_a_batch(backend, rng):
    x, w = rng.standard_normal((51, 300)).astype(np.float32), rng.standard_normal((300, 40)).astype(np.float32)
    b = rng.standard_normal(40).astype(np.float32)
    for activation in ACTIVATIONS:
        whole = ct.ops.linear(x, w, b, activation=activation)
        for i in (0, 25, 50):
            assert np.array_equal(ct.ops.linear(x[i : i + 1], w, b, activation=activation)[0], whole[i])


@pytest.mark.parametrize(
    "x, w, b, kind, words",
    [
        (np.ones((2, 3)), np.ones((4, 3)), None, ValueError, ["x has 3 columns but w has 4 rows", "w.T"]),
        (np.ones((2, 3)), np.ones((3, 4)), np.ones(3), ValueError, ["b must have shape (4,)", "(3,)"]),
        (np.ones((2, 3)), np.ones((3, 4), np.float32), None, TypeError, ["float64", "float32"]),
        (np.ones((2, 3), np.uint8), np.ones((3, 4)), None, TypeError, ["uint8"]),
        (np.ones(3), np.ones((3, 4)), None, ValueError, ["must be matrices"]),
    ],
)
def test_bad_input(x, w, b, kind, words):
    with pytest.raises(kind) as error:
        ct.ops.linear(x, w, b)
    assert all(word in str(error.value) for word in ["linear", *words]), str(error.value)


@pytest.mark.parametrize(
    "shape", [(50, 2048, 130), (7, 1000, 37), (3, 9000, 8), (1, 5000, 33), (4200, 65, 20)], ids=str
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", [None, "relu", "tanh"])
def test_the_sparse_path_has_the_bits_of_the_dense_one(backend, threads, rng, shape, dtype, activation):
    n, i, o = shape
    x = np.where(rng.random((n, i)) < 0.05, rng.standard_normal((n, i)), 0).astype(dtype)
    w, b = rng.standard_normal((i, o)).astype(dtype), rng.standard_normal(o).astype(dtype)
    dense = ct.ops.matmul(x, w) + b
    assert np.array_equal(ct.ops.linear(x, w, b, activation=activation), ct.ops.activation(dense, activation))
    dy = rng.standard_normal((n, o)).astype(dtype)
    store = np.full((i, o + 3), 7, dtype)
    _, dw, _ = ct.ops.linear_backward(dy, x, w, dy, need_dx=False, out_dw=store[:, :o])
    assert np.array_equal(dw, ct.ops.matmul(x, dy, transpose_a=True)) and np.all(store[:, o:] == 7)


def test_the_sparse_path_keeps_nan_in_x(backend):
    x = np.zeros((64, 100), np.float32)
    x[3, 4] = np.nan
    y = ct.ops.linear(x, np.ones((100, 20), np.float32))
    assert np.isnan(y[3]).all() and not y[np.arange(64) != 3].any()


def test_empty_rows_give_the_bias(backend):
    b = np.arange(20, dtype=np.float32)
    assert np.array_equal(
        ct.ops.linear(np.zeros((64, 100), np.float32), np.ones((100, 20), np.float32), b), np.tile(b, (64, 1))
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batches_without_rows_or_features(backend, dtype):
    """However NumPy strides them: arrays that were made empty have strides of 0, parts of others do not."""
    w, b = np.ones((16, 3), dtype), np.arange(3, dtype=dtype)
    for dy in (np.empty((0, 3), dtype), w[:0]):
        for x in (np.empty((0, 16), dtype), np.empty((0, 2), np.uint8), np.ones((4, 2), np.uint8)[:0]):
            assert ct.ops.linear(x, w, b).shape == (0, 3)
            _, dw, db = ct.ops.linear_backward(dy, x, w, dy)
            assert dw.shape == (16, 3) and not dw.any() and db.shape == (3,) and not db.any()
    for x in (np.empty((2, 0), dtype), np.empty((2, 0), np.uint8)):
        for none in (np.empty((0, 3), dtype), w[:0]):
            assert np.array_equal(ct.ops.linear(x, none, b), [b, b])
            assert ct.ops.linear_backward(np.ones((2, 3), dtype), x, none, np.ones((2, 3), dtype))[1].shape == (0, 3)


def fingerprints(rng, n=37, features=1024, density=0.04):
    return rng.random((n, features)) < density


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", [None, "relu", "tanh"])
def test_packed_bits_have_the_bits_of_floats(backend, threads, rng, dtype, activation):
    bits = fingerprints(rng)
    w, b = rng.standard_normal((1024, 45)).astype(dtype), rng.standard_normal(45).astype(dtype)
    packed = np.packbits(bits, axis=1, bitorder="little")
    expected = ct.ops.linear(bits.astype(dtype), w, b, activation=activation)
    assert np.array_equal(ct.ops.linear(packed, w, b, activation=activation), expected)
    assert np.array_equal(ct.ops.linear(packed[::-1], w, b, activation=activation), expected[::-1])
    dy = rng.standard_normal(expected.shape).astype(dtype)
    from_bits = ct.ops.linear_backward(dy, packed, w, expected, activation=activation)
    from_floats = ct.ops.linear_backward(dy, bits.astype(dtype), w, expected, activation=activation)
    assert from_bits[0] is None
    assert np.array_equal(from_bits[1], from_floats[1]) and np.array_equal(from_bits[2], from_floats[2])


def test_packed_bits_may_be_dense(backend, rng):
    packed = rng.integers(0, 256, (5, 16), dtype=np.uint8)
    w = rng.standard_normal((128, 7)).astype(np.float32)
    floats = np.unpackbits(packed, axis=1, bitorder="little").astype(np.float32)
    assert np.array_equal(ct.ops.linear(packed, w), ct.ops.linear(floats, w))


def test_other_uint8_is_refused():
    with pytest.raises(TypeError, match="8 rows a byte"):
        ct.ops.linear(np.zeros((2, 5), np.uint8), np.zeros((5, 3), np.float32))


@pytest.mark.parametrize("packed", [False, True])
def test_a_sparse_batch_knows_its_entries(rng, packed):
    bits = fingerprints(rng)
    batch = ct.ops.as_sparse(np.packbits(bits, axis=1, bitorder="little") if packed else bits.astype(np.float32))
    assert batch.shape == bits.shape and batch.entries == bits.sum() and batch.dtype == np.float32
    assert np.array_equal(batch.to_dense(), bits.astype(np.float32))


@pytest.mark.parametrize(
    "x", [np.ones((64, 64), np.float32), np.zeros((3, 4), np.float32), np.zeros((4, 5000), np.float32).T]
)
def test_dense_small_and_transposed_batches_are_not_sparse(x):
    assert ct.ops.as_sparse(x) is None


def test_as_sparse_refuses_what_is_no_matrix():
    with pytest.raises(ValueError, match="matrix"):
        ct.ops.as_sparse(np.zeros(3, np.float32))
    with pytest.raises(TypeError, match="float32 or float64"):
        ct.ops.as_sparse(np.zeros((3, 3), np.int64))


@pytest.mark.parametrize("kind", ["sparse", "dense"])
def test_a_linear_gradient_has_the_bits_of_the_array(backend, threads, rng, kind):
    x = fingerprints(rng).astype(np.float32) if kind == "sparse" else rng.standard_normal((37, 203)).astype(np.float32)
    dz = rng.standard_normal((37, 29)).astype(np.float32)
    expected = ct.ops.matmul(x, dz, transpose_a=True)
    assert np.array_equal(ct.ops.LinearGradient(x, dz).array(), expected)
    batch = ct.ops.as_sparse(x)
    assert (batch is None) == (kind == "dense")
    if batch is not None:
        assert np.array_equal(ct.ops.LinearGradient(batch, dz).array(), expected)


def test_a_linear_gradient_needs_equally_many_rows():
    with pytest.raises(ValueError, match="equally many rows"):
        ct.ops.LinearGradient(np.zeros((2, 3)), np.zeros((3, 3)))


def test_rows_of_a_sparse_batch():
    x = np.zeros((40, 32), np.float32)
    x[np.arange(40), np.arange(40) % 32] = np.arange(1, 41)
    batch = ct.ops.as_sparse(x)
    rows = np.array([7, 0, 39, 7])
    assert np.array_equal(batch.take(rows).to_dense(), x[rows]) and len(batch) == 40
    assert batch.take(rows[:0]).shape == (0, 32)
    for wrong in (40, -1):
        with pytest.raises(IndexError, match="of a batch of 40"):
            batch.take(np.array([0, wrong]))
