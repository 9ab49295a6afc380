"""Tests of a device's product kernels: every tile, layout, schedule and epilogue, in float32 and on tensor cores.

Tensor cores round factors to TF32 or bf16 and add in float32; they are off by default.
The bounds: a rounded factor is off by its unit roundoff; products are exact. PTX does not define how an instruction adds them,
so each addition may be off by a whole epsilon of the sum of magnitudes, twice the error of rounding to nearest.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase import _core
from catalase.backends.cuda import matmul as device
from tests.agreement import same_as_cpu
from tests.reference.activations import ACTIVATIONS

pytestmark = pytest.mark.on_a_device
ROUNDOFF = {"float32": 0.0, "tf32": 2.0**-11, "bf16": 2.0**-8}
ON_TENSOR_CORES = pytest.mark.parametrize("precision", ["tf32", "bf16"], indirect=True)
EPS = float(np.finfo(np.float32).eps)


@pytest.fixture(params=list(ROUNDOFF))
def precision(request):
    ct.set_matmul_precision(request.param)
    yield request.param
    ct.set_matmul_precision("float32")


def rounded(x, precision):
    """The factor that the hardware multiplies: TF32 ties away from zero, bf16 ties to even."""
    if precision == "float32":
        return x
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32).astype(np.uint64)
    if precision == "tf32":
        bits = (bits + 0x1000) & 0xFFFFE000
    else:
        bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return bits.astype(np.uint32).view(np.float32).reshape(x.shape)


def assert_close(y, a, b, precision, note=""):
    """Near the product of the factors as rounded, closely; and near that of the factors as given, by their rounding."""
    size = np.abs(a).astype(np.float64) @ np.abs(b)
    sums = (a.shape[1] + 2) * EPS * size * (1 + ROUNDOFF[precision]) ** 2 + 1e-37
    near = rounded(a, precision).astype(np.float64) @ rounded(b, precision)
    u = ROUNDOFF[precision]
    assert y.shape == near.shape and y.dtype == np.float32, note
    assert np.all(np.abs(y - near) <= sums), f"{note}: {np.max(np.abs(y - near) - sums)} too far from rounded factors"
    assert np.all(np.abs(y - a.astype(np.float64) @ b) <= sums + (2 * u + u * u) * size), note


def pair(rng, m, k, n):
    return rng.standard_normal((m, k)).astype(np.float32), rng.standard_normal((k, n)).astype(np.float32)


def test_small_integers_are_exact(backend, rng, precision):
    a, b = (rng.integers(-8, 9, shape).astype(np.float32) for shape in ((37, 83), (83, 70)))
    y = backend.run(ct.ops.matmul, a, b)
    assert np.array_equal(y, a @ b)


SHAPES = [
    (0, 3, 4), (3, 0, 4), (3, 4, 0), (1, 1, 1), (1, 7, 1), (5, 1, 3), (15, 16, 7), (17, 15, 9), (63, 17, 65), (65, 31, 64),
    (2, 48, 129),
]  # fmt: skip


@ON_TENSOR_CORES
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes(backend, rng, precision, shape):
    a, b = pair(rng, *shape)
    y = backend.run(ct.ops.matmul, a, b)
    ct.ops.relu(backend.array(np.ones(1, np.float32)))  # since an empty product launches nothing
    assert_close(y, a, b, precision, f"{backend} {shape}")


@pytest.mark.parametrize(
    "precision, tile",
    [("float32", 32), *((p, tile) for p in ROUNDOFF for tile in (64, 128))],
    indirect=["precision"],
)
@pytest.mark.parametrize("layout", ["dd", "dl", "ld", "ll"])
def test_every_kernel(backend, rng, precision, tile, layout):
    m, k, n = 131, 37, 133
    a, b = pair(rng, m, k, n)
    left = backend.array(a) if layout[0] == "d" else backend.array(a.T).T
    right = backend.array(b) if layout[1] == "l" else backend.array(b.T).T
    c = backend.poisoned((m, n))
    device.product(backend.runtime, left, right, c, precision=precision, tile=tile)
    assert_close(backend.get(c), a, b, precision, f"{backend} {tile} {layout}")
    if precision == "float32":
        assert same_as_cpu(backend.get(c), ct.ops.matmul(a, b))
    elif backend.name == "host":
        assert f"matmul_{precision}_{tile}_{layout}" in backend.runtime.kernels


def test_the_tile_the_schedule_and_the_rows_beside_change_no_bit(backend, rng, precision):
    a, b = pair(rng, 130, 40, 70)
    results = []
    for tile, schedule in ((64, 0), (128, 1), (64, 99)):
        if backend.device == "host":
            backend.runtime.schedule = schedule
        c = backend.poisoned((130, 70))
        device.product(backend.runtime, backend.array(a), backend.array(b), c, precision=precision, tile=tile)
        results.append(backend.get(c))
    backend.runtime.schedule = None
    assert np.array_equal(results[0], results[1]) and np.array_equal(results[0], results[2])
    assert precision != "float32" or same_as_cpu(results[0], ct.ops.matmul(a, b))
    for i in (0, 63, 129):
        row = ct.ops.matmul(backend.array(a[i : i + 1]), backend.array(b))
        assert np.array_equal(backend.get(row)[0], results[0][i])


@ON_TENSOR_CORES
def test_layouts_give_equal_bits(backend, rng, precision):
    a, b = pair(rng, 20, 36, 24)
    plain = backend.get(ct.ops.matmul(backend.array(a), backend.array(b)))
    wide = rng.standard_normal((41, 80)).astype(np.float32)
    wide[1:, 3:75:2][::-1][:20] = a  # every other column, rows backwards, aligned to nothing
    views = [backend.array(a.T).T, backend.array(wide)[1:, 3:75:2][::-1][:20]]
    for view in views:
        for right in (backend.array(b), backend.array(b.T).T):
            assert np.array_equal(backend.get(ct.ops.matmul(view, right)), plain)
    assert np.array_equal(
        backend.get(ct.ops.matmul(backend.array(a.T), backend.array(b.T), transpose_a=True, transpose_b=True)), plain
    )


@ON_TENSOR_CORES
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(m=st.integers(1, 70), k=st.integers(0, 70), n=st.integers(1, 70), odd=st.booleans(), seed=st.integers(0, 2**31))
def test_random_shapes(backend, precision, m, k, n, odd, seed):
    a, b = pair(np.random.default_rng(seed), m, k, n)
    left = backend.array(np.pad(a, ((0, 0), (1, 2))))[:, 1 : 1 + k] if odd else backend.array(a)
    y = backend.get(ct.ops.matmul(left, backend.array(b)))
    assert_close(y, a, b, precision, f"{backend} seed {seed} {(m, k, n)}")


@ON_TENSOR_CORES
@pytest.mark.parametrize("k", [4100])
def test_long_chains_are_cut(backend, rng, precision, k):
    a, b = pair(rng, 2, k, 3)
    y = backend.run(ct.ops.matmul, a, b)
    assert_close(y, a, b, precision)
    parts = [
        backend.get(ct.ops.matmul(backend.array(a[:, i : i + 4096]), backend.array(b[i : i + 4096])))
        for i in range(0, k, 4096)
    ]
    assert np.array_equal(y, parts[0] + parts[1] if len(parts) > 1 else parts[0])


@pytest.mark.parametrize("k", [4096, 4097, 12_300])
@pytest.mark.parametrize("room", [2**28, 1])
def test_long_chains_are_cut_as_on_the_cpu(backend, rng, monkeypatch, k, room):
    monkeypatch.setattr(device, "SCRATCH_BYTES", room)  # 1: two parts at a time, whatever their number
    a, b = pair(rng, 3, k, 5)
    bias, add = rng.standard_normal(5).astype(np.float32), rng.standard_normal((3, 5)).astype(np.float32)
    y = ct.ops.matmul(backend.array(a), backend.array(b))
    assert_close(backend.get(y), a, b, "float32", f"{backend} {k}")
    assert same_as_cpu(backend.get(y), ct.ops.matmul(a, b))
    c = backend.array(add)  # the sum may be written over what is added
    device.product(backend.runtime, backend.array(a), backend.array(b), c, bias=backend.array(bias), add=c)
    assert np.allclose(backend.get(c), a.astype(np.float64) @ b + bias + add, rtol=0, atol=1e-3)
    stack = ct.ops.matmul(backend.array(np.stack([a, a])), backend.array(np.stack([b, b])))
    assert np.array_equal(backend.get(stack)[1], backend.get(y))


@pytest.mark.parametrize(
    "precision, k",
    [("float32", 0), ("float32", 9), ("float32", 5000), ("tf32", 5), ("bf16", 5)],
    indirect=["precision"],
)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_epilogue(backend, rng, precision, k, activation):
    m, n = (33, 7) if k == 5000 else (70, 67)
    a, b = (rng.integers(-3, 4, shape).astype(np.float32) for shape in ((m, k), (k, n)))  # exact products
    bias, add, keep = (rng.standard_normal(s).astype(np.float32) for s in ((n,), (m, n), (m, n)))
    c = backend.poisoned((m, n))
    device.product(
        backend.runtime, *map(backend.array, (a, b)), c, bias=backend.array(bias), add=backend.array(add),
        keep=backend.array(keep), activation=_core.ACTIVATIONS[activation], precision=precision,
    )  # fmt: skip
    z = (a.astype(np.float64) @ b) + bias + add
    y = np.where(keep > 0, ACTIVATIONS[activation](z), 0)
    slack = 3 * EPS * (np.abs(a) @ np.abs(b) + np.abs(bias) + np.abs(add))
    assert np.all(np.abs(backend.get(c) - y) <= ACTIVATIONS[activation].steepest * slack + 8 * EPS * (np.abs(y) + 1e-7))


@ON_TENSOR_CORES
def test_stacks_dense_layers_and_gradients(backend, rng, precision):
    a, b = rng.standard_normal((3, 5, 7)).astype(np.float32), rng.standard_normal((3, 7, 4)).astype(np.float32)
    y = backend.run(ct.ops.matmul, a, b)
    for i in range(3):
        assert_close(y[i], a[i], b[i], precision, f"{i} of a stack")
    (x, w), dy = pair(rng, 6, 9, 5), rng.standard_normal((6, 5)).astype(np.float32)
    assert_close(backend.get(ct.ops.linear(backend.array(x), backend.array(w))), x, w, precision)
    da, db = ct.ops.matmul_backward(*map(backend.array, (dy, x, w)))
    assert_close(backend.get(da), dy, w.T, precision)
    assert_close(backend.get(db), x.T, dy, precision)


@ON_TENSOR_CORES
def test_rounding_at_ties_and_special_values(backend, precision):
    bits = [0x3F801000, 0x3F801001, 0x3F803000, 0x3F808000, 0x3F818000, 0xBF801000, 0x00000000, 0x7F800000]
    x = np.array(bits, np.uint32).view(np.float32)
    y = backend.get(ct.ops.matmul(backend.array(x[:, None]), backend.array(np.ones((1, 1), np.float32))))
    assert np.array_equal(y[:, 0], rounded(x, precision))
    special = np.array([[np.nan, 1], [1, np.inf], [1, 1]], np.float32)
    y = backend.get(ct.ops.matmul(backend.array(special), backend.array(np.ones((2, 3), np.float32))))
    assert np.isnan(y[0]).all() and np.isposinf(y[1]).all() and np.array_equal(y[2], [2, 2, 2])


@ON_TENSOR_CORES
def test_the_rest_stays_as_it_is(backend, rng, precision):
    a, b = pair(rng, 6, 40, 5)
    bits = np.packbits(a > 0, axis=1)
    assert np.array_equal(
        backend.get(ct.ops.linear(backend.array(bits), backend.array(b))), ct.ops.linear(bits, b)
    ) or ct._core.get_cpu_level() == "portable"  # fmt: skip
    before = ct.ops.matmul(a, b)
    ct.set_matmul_precision("float32")
    assert np.array_equal(ct.ops.matmul(a, b), before)


@ON_TENSOR_CORES
def test_a_device_without_them_is_refused(backend, monkeypatch, precision):
    x = backend.array(np.ones((2, 2), np.float32))
    ct.ops.relu(x)
    monkeypatch.setattr(type(backend.runtime), "capability", 75)
    with pytest.raises(RuntimeError, match=rf"{precision} products need .* 8\.0 or above, this one has 7\.5"):
        ct.ops.matmul(x, x)


def test_more_products_and_columns_than_a_grid_takes_along_an_axis(backend, rng, monkeypatch):
    monkeypatch.setattr(device, "GRID", 3)
    a, b = (rng.standard_normal(s).astype(np.float32) for s in ((8, 5, 7), (8, 7, 4)))
    assert same_as_cpu(backend.get(ct.ops.matmul(backend.array(a), backend.array(b))), ct.ops.matmul(a, b))
    a, b = pair(rng, 3, 5, 300)  # 10 tiles of 32 columns, 3 of 128
    assert same_as_cpu(backend.get(ct.ops.matmul(backend.array(a), backend.array(b))), ct.ops.matmul(a, b))


@pytest.mark.parametrize("shape", [(1, 1), (129, 3), (5000, 40), (8200, 2), (0, 5)], ids=str)
def test_column_sums(backend, rng, shape):
    x = rng.standard_normal(shape).astype(np.float32)
    out = backend.poisoned(shape[1])
    device.column_sum(backend.runtime, backend.array(x), out)
    cpu = np.empty(shape[1], np.float32)
    _core.column_sum(x if x.size else np.zeros((1, shape[1]), np.float32), cpu)
    assert same_as_cpu(backend.get(out), cpu)
    bound = (min(shape[0], 4096) + 3) * np.finfo(np.float32).eps * np.abs(x).astype(np.float64).sum(0)
    assert np.all(np.abs(backend.get(out) - x.astype(np.float64).sum(0)) <= bound)


def test_the_choice_is_checked():
    assert ct.get_matmul_precision() == "float32"
    with pytest.raises(ValueError, match="one of float32, tf32, bf16, got 'high'"):
        ct.set_matmul_precision("high")
    with pytest.raises(TypeError, match="must be a string"):
        ct.set_matmul_precision(32)
    assert ct.get_matmul_precision() == "float32"
