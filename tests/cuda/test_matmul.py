"""Products: against float64 within the bound of one chain, and with the CPU's bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase import _core
from catalase.backends.cuda import matmul as device
from tests.cuda.agreement import same_as_cpu
from tests.reference import matmul as reference
from tests.reference.activations import ACTIVATIONS

SHAPES = [
    (0, 3, 4), (3, 0, 4), (3, 4, 0), (1, 1, 1), (1, 7, 1), (5, 1, 3), (31, 33, 32), (33, 31, 65), (2, 64, 63), (7, 8, 129),
]  # fmt: skip


def assert_close(y, a, b, note):
    exact, bound = reference.matmul(a, b)
    assert y.shape == exact.shape and y.dtype == a.dtype, note
    error = np.abs(y - exact)
    assert np.all(error <= bound), f"{note}: {np.max(error - bound)} too far, shape {y.shape}"


def pair(rng, m, k, n):
    return rng.standard_normal((m, k)).astype(np.float32), rng.standard_normal((k, n)).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_float64_and_with_the_cpu(backend, rng, shape):
    a, b = pair(rng, *shape)
    y = backend.get(ct.ops.matmul(backend.array(a), backend.array(b)))
    ct.ops.relu(backend.array(np.ones(1, np.float32)))  # since an empty product launches nothing
    assert_close(y, a, b, f"{backend.name} {shape}")
    assert same_as_cpu(y, ct.ops.matmul(a, b))


@pytest.mark.parametrize("tile", [32, 64, 128])
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.on_a_device
def test_every_tile_reads_every_layout(backend, rng, tile, transpose_a, transpose_b):
    m, k, n = 131, 37, 133
    a, b = pair(rng, m, k, n)
    left, right = backend.array(a.T if transpose_a else a), backend.array(b.T if transpose_b else b)
    c = backend.poisoned((m, n))
    device.product(backend.runtime, left.T if transpose_a else left, right.T if transpose_b else right, c, tile=tile)
    assert_close(backend.get(c), a, b, f"{backend.name} {tile}")
    assert same_as_cpu(backend.get(c), ct.ops.matmul(a, b))


@pytest.mark.parametrize("schedule", [0, 1, 99])
@pytest.mark.on_a_device
def test_no_schedule_changes_a_bit(backend, rng, schedule):
    a, b = pair(rng, 70, 41, 67)
    if backend.name == "host":
        backend.runtime.schedule = schedule
    y = backend.get(ct.ops.matmul(backend.array(a), backend.array(b)))
    backend.runtime.schedule = None
    assert same_as_cpu(y, ct.ops.matmul(a, b))


def test_strided_and_reversed_views_are_read_in_place(backend, rng):
    a, b = pair(rng, 20, 30, 40)
    left, right = backend.array(a)[::-1, ::3], backend.array(b)[::3, ::-2]
    y = backend.get(ct.ops.matmul(left, right))
    assert same_as_cpu(y, ct.ops.matmul(a[::-1, ::3], b[::3, ::-2]))
    assert_close(y, a[::-1, ::3], b[::3, ::-2], backend.name)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(m=st.integers(1, 70), k=st.integers(0, 90), n=st.integers(1, 70), seed=st.integers(0, 2**31))
def test_random_shapes(backend, m, k, n, seed):
    a, b = pair(np.random.default_rng(seed), m, k, n)
    y = backend.get(ct.ops.matmul(backend.array(a), backend.array(b)))
    assert_close(y, a, b, f"{backend.name} seed {seed} {(m, k, n)}")
    assert same_as_cpu(y, ct.ops.matmul(a, b))


@pytest.mark.parametrize("k", [4096, 4097, 12_300])
@pytest.mark.parametrize("room", [2**28, 1])
@pytest.mark.on_a_device
def test_long_chains_are_cut_as_on_the_cpu(backend, rng, monkeypatch, k, room):
    monkeypatch.setattr(device, "SCRATCH_BYTES", room)  # 1: two parts at a time, whatever their number
    a, b = pair(rng, 3, k, 5)
    bias, add = rng.standard_normal(5).astype(np.float32), rng.standard_normal((3, 5)).astype(np.float32)
    y = ct.ops.matmul(backend.array(a), backend.array(b))
    assert_close(backend.get(y), a, b, f"{backend.name} {k}")
    assert same_as_cpu(backend.get(y), ct.ops.matmul(a, b))
    c = backend.array(add)  # the sum may be written over what is added
    device.product(backend.runtime, backend.array(a), backend.array(b), c, bias=backend.array(bias), add=c)
    assert np.allclose(backend.get(c), a.astype(np.float64) @ b + bias + add, rtol=0, atol=1e-3)
    stack = ct.ops.matmul(backend.array(np.stack([a, a])), backend.array(np.stack([b, b])))
    assert np.array_equal(backend.get(stack)[1], backend.get(y))


@pytest.mark.parametrize("k", [0, 9, 5000])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.on_a_device
def test_the_epilogue(backend, rng, k, activation):
    a, b = pair(rng, 33, k, 7)
    bias, add, keep = (rng.standard_normal(s).astype(np.float32) for s in ((7,), (33, 7), (33, 7)))
    c = backend.poisoned((33, 7))
    device.product(
        backend.runtime, *map(backend.array, (a, b)), c, bias=backend.array(bias), add=backend.array(add),
        keep=backend.array(keep), activation=_core.ACTIVATIONS[activation],
    )  # fmt: skip
    z, bound = reference.matmul(a, b)
    z, bound = z + bias + add, bound + 3 * np.finfo(np.float32).eps * (np.abs(z) + np.abs(bias) + np.abs(add))
    y = np.where(keep > 0, ACTIVATIONS[activation](z), 0)
    assert np.all(
        np.abs(backend.get(c) - y)
        <= ACTIVATIONS[activation].steepest * bound + 8 * np.finfo(np.float32).eps * (np.abs(y) + 1e-7)
    )


def test_stacks_and_outputs(backend, rng):
    a, b = rng.standard_normal((2, 3, 5, 7)).astype(np.float32), rng.standard_normal((2, 3, 7, 4)).astype(np.float32)
    out = backend.poisoned((2, 3, 5, 4))
    assert ct.ops.matmul(backend.array(a), backend.array(b), out=out) is out
    assert np.allclose(backend.get(out), a @ b, atol=1e-5)
    wide = backend.poisoned((6, 10))
    ct.ops.matmul(backend.array(a[0, 0]), backend.array(b[0, 0]), out=wide[:5, 2:6])
    whole = backend.get(wide)
    assert same_as_cpu(whole[:5, 2:6], ct.ops.matmul(a[0, 0], b[0, 0]))
    assert np.isnan(whole[5]).all() and np.isnan(whole[:, :2]).all() and np.isnan(whole[:, 6:]).all()


def test_a_row_alone_gives_the_bits_it_has_in_a_batch(backend, rng):
    a, b = pair(rng, 150, 90, 70)
    whole = backend.get(ct.ops.matmul(backend.array(a), backend.array(b)))
    for i in (0, 63, 149):
        assert np.array_equal(backend.get(ct.ops.matmul(backend.array(a[i : i + 1]), backend.array(b)))[0], whole[i])


def test_gradients(backend, rng):
    a, b = pair(rng, 6, 5, 4)
    dy = rng.standard_normal((6, 4)).astype(np.float32)
    da, db = ct.ops.matmul_backward(*map(backend.array, (dy, a, b)))
    expected = ct.ops.matmul_backward(dy, a, b)
    assert same_as_cpu(backend.get(da), expected[0]) and same_as_cpu(backend.get(db), expected[1])
    assert_close(backend.get(da), dy, b.T, backend.name)
    assert_close(backend.get(db), a.T, dy, backend.name)


def test_nan_and_infinity_stay_in_their_row(backend, rng):
    a, b = pair(rng, 40, 20, 8)
    a[3, 2], a[7, 1] = np.nan, np.inf
    y = backend.get(ct.ops.matmul(backend.array(a), backend.array(b)))
    assert np.isnan(y[3]).all() and not np.isfinite(y[7]).any() and np.isfinite(np.delete(y, [3, 7], 0)).all()


@pytest.mark.parametrize("shape", [(1, 1), (129, 3), (5000, 40), (8200, 2), (0, 5)], ids=str)
@pytest.mark.on_a_device
def test_column_sums(backend, rng, shape):
    x = rng.standard_normal(shape).astype(np.float32)
    out = backend.poisoned(shape[1])
    device.column_sum(backend.runtime, backend.array(x), out)
    cpu = np.empty(shape[1], np.float32)
    _core.column_sum(x if x.size else np.zeros((1, shape[1]), np.float32), cpu)
    assert same_as_cpu(backend.get(out), cpu)
    bound = (min(shape[0], 4096) + 3) * np.finfo(np.float32).eps * np.abs(x).astype(np.float64).sum(0)
    assert np.all(np.abs(backend.get(out) - x.astype(np.float64).sum(0)) <= bound)


def test_errors(backend):
    a, square = (backend.array(np.ones(shape, np.float32)) for shape in ((3, 4), (2, 2)))
    with pytest.raises(ValueError, match="a has 4 columns but b has 3 rows"):
        ct.ops.matmul(a, a)
    with pytest.raises(ValueError, match="out shares memory"):
        ct.ops.matmul(square, square, out=square)
    assert np.all(backend.get(ct.ops.matmul(square, square)) == 2)


@pytest.mark.on_a_device
def test_mixtures_and_doubles_are_refused(backend):
    ones = np.ones((3, 4), np.float32)
    a = backend.array(ones)
    with pytest.raises(TypeError, match="all arrays must be on one device"):
        ct.ops.matmul(a, ones.T)
    with pytest.raises(TypeError, match="on one device"):
        ct.ops.matmul(ones, a)
    with pytest.raises(TypeError, match="must be float32 on CUDA"):
        ct.ops.matmul(backend.array(np.ones((2, 2))), backend.array(np.ones((2, 2))))
    ct.ops.relu(a)


def test_more_products_and_columns_than_a_grid_takes_along_an_axis(backend, rng, monkeypatch):
    monkeypatch.setattr(device, "GRID", 3)
    a, b = (rng.standard_normal(s).astype(np.float32) for s in ((8, 5, 7), (8, 7, 4)))
    assert same_as_cpu(backend.get(ct.ops.matmul(backend.array(a), backend.array(b))), ct.ops.matmul(a, b))
    a, b = pair(rng, 3, 5, 300)  # 10 tiles of 32 columns, 3 of 128
    assert same_as_cpu(backend.get(ct.ops.matmul(backend.array(a), backend.array(b))), ct.ops.matmul(a, b))
