"""Dense layers, by product and by gathering rows: close to float64, and on a device the CPU's bits."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase.backends.cuda.linear import GatheredBatch
from catalase.ops.linear import InputGradient
from tests.cuda.agreement import same_as_cpu
from tests.reference import matmul as reference
from tests.reference.activations import ACTIVATIONS

SHAPES = [(1, 8, 1), (3, 40, 129), (2, 1032, 5), (5, 5000, 3), (1030, 16, 2)]


def batch(rng, rows, features):
    bits = np.packbits(rng.random((rows, features)) < 0.05, axis=1, bitorder="little")
    return bits, np.unpackbits(bits, axis=1, bitorder="little").astype(np.float32)


def layer(rng, features, outputs):
    return rng.standard_normal((features, outputs)).astype(np.float32), rng.standard_normal(outputs).astype(np.float32)


def assert_close(y, x, w, b, activation):
    exact, bound = reference.linear(x, w, b, activation)
    assert y.shape == exact.shape and np.all(np.abs(y - exact) <= bound)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("bias", [False, True])
def test_dense(backend, rng, activation, bias):
    x = rng.standard_normal((33, 47)).astype(np.float32)
    w, b = layer(rng, 47, 21)
    b = b if bias else None
    y = backend.get(
        ct.ops.linear(
            backend.array(x), backend.array(w), None if b is None else backend.array(b), activation=activation
        )
    )
    assert_close(y, x, w, b, activation)
    assert same_as_cpu(y, ct.ops.linear(x, w, b, activation=activation))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["bits", "floats"])
def test_gathered(backend, rng, shape, kind):
    rows, features, outputs = shape
    bits, dense = batch(rng, rows, features)
    if kind == "floats":
        dense *= rng.standard_normal(dense.shape).astype(np.float32)
    w, b = layer(rng, features, outputs)
    x = backend.array(bits if kind == "bits" else dense)
    if kind == "floats":  # gathered whatever their number; the CPU may decide for a product
        x = GatheredBatch(x) if backend.name != "cpu" else ct.ops.as_sparse(x) or x
    activation = "tanh" if features < 100 else None  # tanh of long sums is 1, whatever their last bits
    y = backend.get(ct.ops.linear(x, backend.array(w), backend.array(b), activation=activation))
    assert_close(y, dense, w, b, activation)
    assert same_as_cpu(y, ct.ops.linear(dense, w, b, activation=activation))
    dz = rng.standard_normal((rows, outputs)).astype(np.float32)
    out = backend.poisoned((features, outputs))
    gathered = x if isinstance(x, np.ndarray) and kind == "floats" else ct.ops.as_sparse(x)
    assert ct.ops.LinearGradient(gathered, backend.array(dz)).array(out) is out
    assert same_as_cpu(backend.get(out), ct.ops.LinearGradient(dense, dz).array())


def test_a_row_alone_gives_the_bits_it_has_in_a_batch(backend, rng):
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
def test_gradients(backend, rng, activation, kind):
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


@pytest.mark.parametrize("dtype", [np.float32, np.uint8], ids=["floats", "bits"])
def test_no_rows_and_no_features(backend, rng, dtype):
    w, b = layer(rng, 16, 3)
    on, features = [backend.array(a) for a in (w, b)], 16 if dtype == np.float32 else 2
    x, dz = backend.array(np.empty((0, features), dtype)), backend.array(np.empty((0, 3), np.float32))
    assert backend.get(ct.ops.linear(x, *on)).shape == (0, 3)
    none, dw, db = ct.ops.linear_backward(dz, x, on[0], dz, need_dx=False)
    assert none is None and backend.get(dw).shape == (16, 3) and not backend.get(dw).any() and not backend.get(db).any()
    x, on[0] = backend.array(np.empty((2, 0), dtype)), backend.array(w[:0])
    assert np.array_equal(backend.get(ct.ops.linear(x, *on)), [b, b])


def test_errors(backend, rng):
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


@pytest.mark.on_a_device
def test_mixtures_and_doubles_are_refused(backend, rng):
    w, b = map(backend.array, layer(rng, 16, 3))
    x = backend.array(np.ones((2, 16), np.float32))
    with pytest.raises(TypeError, match="on one device"):
        ct.ops.linear(np.ones((2, 16), np.float32), w)
    with pytest.raises(TypeError, match="all arrays must be on one device"):
        ct.ops.linear(x, np.ones((16, 3), np.float32))
    with pytest.raises(TypeError, match="x must be float32"):
        ct.ops.LinearGradient(backend.array(np.ones((2, 3))), x).array()
    ct.ops.linear(x, w, b)


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
        given = InputGradient(dy, w), InputGradient(on[0], on[2])
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
