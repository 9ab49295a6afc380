"""Tests of the fused dense layer against float64, of its gradients, and of its promises about bits."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import catalase as ct
from catalase.backends.cuda.linear import GatheredBatch
from catalase.ops.linear import DeferredMatmul, sparse_from_entries
from tests.agreement import FLOATS, same_as_cpu
from tests.reference import matmul as reference
from tests.reference.activations import ACTIVATIONS, OF_OUTPUT
from tests.reference.gradients import directional

LARGE = [pytest.param(shape, marks=pytest.mark.slow_on_the_host) for shape in ((50, 1024, 12), (13, 4099, 35))]


def batch(rng, rows, features):
    bits = np.packbits(rng.random((rows, features)) < 0.05, axis=1, bitorder="little")
    return bits, np.unpackbits(bits, axis=1, bitorder="little").astype(np.float32)


def layer(rng, features, outputs):
    return rng.standard_normal((features, outputs)).astype(np.float32), rng.standard_normal(outputs).astype(np.float32)


def assert_close(y, x, w, b, activation):
    exact, bound = reference.linear(x, w, b, activation)
    assert y.shape == exact.shape and np.all(np.abs(y - exact) <= bound)


@pytest.mark.parametrize("activation", [None, *ACTIVATIONS])
@pytest.mark.parametrize("shape", [(0, 3, 4), (1, 1, 1), (5, 0, 3), (7, 33, 17), (33, 47, 21), *LARGE], ids=str)
def test_agrees_with_float64_and_the_cpu(backend, threads, rng, shape, activation):
    n, i, o = shape
    x, (w, b) = rng.standard_normal((n, i)).astype(np.float32), layer(rng, i, o)
    w /= 10
    for bias in (b, None):
        y = backend.run(ct.ops.linear, x, w, bias, activation=activation)
        assert y.dtype == np.float32 and same_as_cpu(y, ct.ops.linear(x, w, bias, activation=activation))
        assert_close(y, x, w, bias, activation)
    backend.run(ct.ops.relu, b)  # an empty product launches nothing


@pytest.mark.parametrize("shape", [(1, 8, 1), (3, 40, 129), (2, 1032, 5), (5, 4200, 3), (1030, 16, 2)], ids=str)
@pytest.mark.parametrize("kind", ["bits", "floats"])
def test_gathered(backend, rng, shape, kind):
    rows, features, outputs = shape
    bits, dense = batch(rng, rows, features)
    if kind == "floats":
        dense *= rng.standard_normal(dense.shape).astype(np.float32)
    w, b = layer(rng, features, outputs)
    x = backend.array(bits if kind == "bits" else dense)
    if kind == "floats":  # gathered whatever their number; the CPU may decide for a product
        x = GatheredBatch(x) if backend.device != "cpu" else ct.ops.as_sparse(x) or x
    activation = "tanh" if features < 100 else None  # tanh of long sums is 1, whatever their last bits
    y = backend.get(ct.ops.linear(x, backend.array(w), backend.array(b), activation=activation))
    assert_close(y, dense, w, b, activation)
    assert same_as_cpu(y, ct.ops.linear(dense, w, b, activation=activation))
    dz = rng.standard_normal((rows, outputs)).astype(np.float32)
    out = backend.poisoned((features, outputs))
    gathered = x if isinstance(x, np.ndarray) and kind == "floats" else ct.ops.as_sparse(x)
    assert ct.ops.LinearGradient(gathered, backend.array(dz)).array(out) is out
    assert same_as_cpu(backend.get(out), ct.ops.LinearGradient(dense, dz).array())


def test_a_row_of_bits_alone_gives_the_bits_it_has_in_a_batch(backend, rng):
    bits, dense = batch(rng, 7, 2048)
    w, b = map(backend.array, layer(rng, 2048, 30))
    whole = backend.get(ct.ops.linear(backend.array(bits), w, b))
    assert np.array_equal(backend.get(ct.ops.linear(backend.array(bits[3:4]), w, b))[0], whole[3])
    assert same_as_cpu(backend.get(ct.ops.linear(backend.array(dense), w, b)), whole)


def test_as_sparse_counts(backend, rng):
    _, dense = batch(rng, 10, 1000)
    found = ct.ops.as_sparse(backend.array(dense))
    assert found is not None and found.entries == np.count_nonzero(dense) and found.shape == (10, 1000)
    assert ct.ops.as_sparse(found) is found
    assert ct.ops.as_sparse(backend.array(np.ones((10, 1000), np.float32))) is None
    assert ct.ops.as_sparse(backend.array(np.zeros((2, 10), np.float32))) is None
    wide = backend.array(np.concatenate([dense, np.ones((10, 7), np.float32)], 1))[:, :1000]
    assert ct.ops.as_sparse(wide).entries == found.entries
    w = rng.standard_normal((1000, 3)).astype(np.float32)
    assert_close(backend.get(ct.ops.linear(found, backend.array(w))), dense, w, None, None)


@pytest.mark.parametrize("activation", [None, "relu", "tanh"])
@pytest.mark.parametrize("kind", ["dense", "bits"])
def test_gradients_agree_with_float64_and_the_cpu(backend, rng, activation, kind):
    bits, ones = batch(rng, 12, 48)
    w, b = layer(rng, 48, 7)
    x = bits if kind == "bits" else rng.standard_normal((12, 48)).astype(np.float32)
    y = ct.ops.linear(x, w, b, activation=activation)
    dy = rng.standard_normal(y.shape).astype(np.float32)
    dw, db = backend.poisoned((48, 7)), backend.poisoned(7)
    found = ct.ops.linear_backward(
        *map(backend.array, (dy, x, w, y)), activation=activation, out_dw=dw, out_db=db
    )  # fmt: skip
    assert found[1] is dw and found[2] is db
    expected = ct.ops.linear_backward(dy, x, w, y, activation=activation)
    for a, e in zip(found, expected, strict=True):
        assert (a is None and e is None) or same_as_cpu(backend.get(a), e)
    slope = {None: 1, "relu": y > 0, "tanh": 1 - y.astype(np.float64) ** 2}[activation]
    dense = ones if kind == "bits" else x
    pairs = ((dy, w.T), (dense.T, dy), (np.ones((1, 12)), dy))
    exact = ((dy * slope) @ w.T, dense.T @ (dy * slope), (dy * slope).sum(0))
    for a, right, (left, other) in zip(found, exact, pairs, strict=True):
        bound = 60 * np.finfo(np.float32).eps * (np.abs(left) @ np.abs(other)).reshape(right.shape)
        assert a is None or np.all(np.abs(backend.get(a) - right) <= bound)
    assert (found[0] is None) == (kind == "bits")


@pytest.mark.on_the_cpu
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
    on, store, out_db = [backend.array(a) for a in (dy, x, w, y)], backend.poisoned((6, 48)), backend.poisoned(20)
    dx, _, db = ct.ops.linear_backward(*on, out_dw=store[:, :20], out_db=out_db)
    found, plain = backend.get(store), backend.run(ct.ops.linear_backward, dy, x, w, y)
    assert np.isnan(found[:, 20:]).all() and db is out_db
    assert all(map(np.array_equal, (backend.get(dx), found[:, :20], backend.get(db)), plain))
    assert ct.ops.linear_backward(*on, need_dx=False)[0] is None


@pytest.mark.on_the_cpu
def test_the_column_sum_is_right_for_long_batches(backend, threads, rng):
    dy = rng.standard_normal((9001, 37)).astype(np.float32)
    x, w = np.zeros((9001, 1), np.float32), np.zeros((1, 37), np.float32)
    db = ct.ops.linear_backward(dy, x, w, dy, need_dx=False)[2]
    bound = (4096 + 3) * np.finfo(np.float32).eps * np.abs(dy).sum(axis=0, dtype=np.float64)
    assert np.all(np.abs(db - dy.sum(axis=0, dtype=np.float64)) <= bound)


@pytest.mark.on_the_cpu
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


@pytest.mark.on_the_cpu
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
    y = backend.run(ct.ops.linear, x, np.ones((100, 20), np.float32))
    assert np.isnan(y[3]).all() and not y[np.arange(64) != 3].any()


def test_empty_rows_give_the_bias(backend):
    b = np.arange(20, dtype=np.float32)
    y = backend.run(ct.ops.linear, np.zeros((64, 100), np.float32), np.ones((100, 20), np.float32), b)
    assert np.array_equal(y, np.tile(b, (64, 1)))


@pytest.mark.parametrize("dtype", FLOATS)
def test_batches_without_rows_or_features(backend, dtype):
    """However NumPy strides them: arrays that were made empty have strides of 0, parts of others do not."""

    def empty(shape, dtype=dtype):
        return backend.array(np.empty(shape, dtype))

    w, b, dy = (backend.array(a.astype(dtype)) for a in (np.ones((16, 3)), np.arange(3), np.ones((2, 3))))
    for no_dy in (empty((0, 3)), w[:0]):
        for x in (empty((0, 16)), empty((0, 2), np.uint8), empty((4, 2), np.uint8)[:0]):
            assert backend.get(ct.ops.linear(x, w, b)).shape == (0, 3)
            _, dw, db = ct.ops.linear_backward(no_dy, x, w, no_dy)
            dw, db = backend.get(dw), backend.get(db)
            assert dw.shape == (16, 3) and not dw.any() and db.shape == (3,) and not db.any()
    for x in (empty((2, 0)), empty((2, 0), np.uint8)):
        for none in (empty((0, 3)), w[:0]):
            assert np.array_equal(backend.get(ct.ops.linear(x, none, b)), [[0, 1, 2]] * 2)
            assert ct.ops.linear_backward(dy, x, none, dy)[1].shape == (0, 3)


def fingerprints(rng, n=37, features=1024, density=0.04):
    return rng.random((n, features)) < density


@pytest.mark.on_the_cpu
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
    assert np.array_equal(backend.run(ct.ops.linear, packed, w), backend.run(ct.ops.linear, floats, w))


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


@pytest.mark.on_the_cpu
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


def test_a_linear_gradient_keeps_its_factors_under_the_names_of_its_arguments():
    x, dz = np.ones((2, 3)), np.full((2, 4), 2.0)
    gradient = ct.ops.LinearGradient(x, dz)
    assert gradient.x is x and gradient.dz is dz


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sparse_batch_of_entries_can_be_copied(rng, dtype):
    x = rng.standard_normal((5, 7)).astype(dtype) * (rng.random((5, 7)) < 0.3)
    x[2] = 0
    rows, columns = np.nonzero(x)
    starts = np.searchsorted(rows, np.arange(6))
    batch = sparse_from_entries(starts, columns.astype(np.int32), x[rows, columns], 7)
    w = rng.standard_normal((7, 20)).astype(dtype)
    for made in (batch, copy.deepcopy(batch)):
        assert made.shape == (5, 7) and made.dtype == dtype and np.array_equal(made.to_dense(), x)
        assert np.array_equal(ct.ops.linear(made, w), ct.ops.linear(batch, w))
        assert np.allclose(ct.ops.linear(made, w), x.astype(np.float64) @ w, atol=1e-5)
    for wrong in (columns[::-1], columns + 7, columns - 8):
        with pytest.raises(ValueError, match="columns must ascend"):
            sparse_from_entries(starts, wrong.astype(np.int32), x[rows, columns], 7)


@pytest.mark.at_one_level
def test_what_does_not_fit_is_refused(backend, rng):
    w = backend.array(layer(rng, 16, 3)[0])
    x = backend.array(np.ones((2, 16), np.float32))
    with pytest.raises(TypeError, match="taken as packed bits"):
        ct.ops.linear(backend.array(np.ones((2, 3), np.uint8)), w)
    with pytest.raises(ValueError, match="x has 16 columns but w has 3 rows"):
        ct.ops.linear(x, w.T)
    with pytest.raises(ValueError, match=r"b must have shape \(3,\)"):
        ct.ops.linear(x, w, x)
    x, dz = (backend.array(rng.standard_normal((n, 3)).astype(np.float32)) for n in (5, 4))
    with pytest.raises(ValueError, match="equally many rows"):
        ct.ops.LinearGradient(x, dz).array()
    gram, values = backend.get(ct.ops.LinearGradient(dz, dz).array()), backend.get(dz).astype(np.float64)
    assert np.allclose(gram, values.T @ values, atol=1e-5)


def test_one_row_of_bits_repeated_without_memory(backend, rng):
    bits = rng.integers(0, 256, (1, 4), dtype=np.uint8)
    dz = rng.standard_normal((6, 5)).astype(np.float32)
    rows = np.broadcast_to(np.unpackbits(bits, axis=1, bitorder="little"), (6, 32)).astype(np.float64)
    found = ct.ops.LinearGradient(
        ct.ops.as_sparse(backend.array(np.broadcast_to(bits, (6, 4)))), backend.array(dz)
    ).array()
    assert np.allclose(backend.get(found), rows.T @ dz, atol=1e-5)


def test_a_dropout_behind_a_relu_is_undone_with_it(backend, rng):
    dy, y, w = (rng.standard_normal(s).astype(np.float32) for s in ((7, 5), (7, 4), (4, 5)))
    y[0, :2] = np.nan, 0
    on = [backend.array(a) for a in (dy, y, w)]
    for scale in (1.0, 1.25):
        given = DeferredMatmul(dy, w), DeferredMatmul(on[0], on[2])
        for cpu, found in (given, (given[0].array(), given[1].array())):
            expected = ct.ops.linear_backward_bias(cpu, y, activation="relu", scale=scale)
            for a, b in zip(
                ct.ops.linear_backward_bias(found, on[1], activation="relu", scale=scale), expected, strict=True
            ):
                assert same_as_cpu(backend.get(a), b)
    sums = []
    for to in (np.asarray, backend.array):
        a, b = (ct.Tensor(to(v), requires_grad=True) for v in (dy, w.T.copy()))
        out = ct.nn.functional.linear(a, b, activation="relu", dropout={"rate": 0.3, "seed": 3})
        out.sum().backward()
        sums.append([ct.Tensor(v).numpy() for v in (out.data, a.grad, b.grad)])
    assert all(same_as_cpu(b, a) for a, b in zip(*sums, strict=True))
