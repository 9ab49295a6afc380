"""Tests of matrix multiplication against float64, on every level, with awkward shapes and strides, and of promised bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase import _core
from tests.agreement import FLOATS, same_as_cpu
from tests.reference import matmul as reference

# 0, 1, primes, and one either side of each tile, vector width and block.
SHAPES = [
    (0, 3, 4), (3, 0, 4), (3, 4, 0), (1, 1, 1), (1, 7, 1), (5, 1, 3), (6, 16, 16), (7, 17, 17), (5, 15, 31), (13, 383, 33),
    (12, 384, 32), (11, 385, 47), (50, 100, 12), (143, 20, 65), (145, 19, 2049), (289, 769, 40), (64, 64, 64), (2, 4097, 3),
    (3, 8193, 18), (31, 33, 32), (33, 31, 65), (2, 64, 63), (7, 8, 129),
]  # fmt: skip


def small_on_the_host(shapes, most=70_000):
    """Large products are left to the CPU and a GPU: the host shim takes long over them."""
    return [pytest.param(s, marks=[pytest.mark.slow_on_the_host] if np.prod(s) > most else []) for s in shapes]


def pair(rng, m, k, n, dtype=np.float32):
    return rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)


def assert_close(y, a, b, note):
    exact, bound = reference.matmul(a, b)
    assert y.shape == exact.shape and y.dtype == a.dtype, note
    error = np.abs(y - exact)
    worst = np.unravel_index(np.argmax(error - bound), error.shape) if error.size else None
    assert np.all(error <= bound), f"{note}: worst at {worst}, {error[worst]} > {bound[worst]}"


@pytest.mark.parametrize("shape", small_on_the_host(SHAPES), ids=str)
@pytest.mark.parametrize("dtype", FLOATS)
def test_agrees_with_float64_and_the_cpu(backend, threads, rng, shape, dtype):
    a, b = pair(rng, *shape, dtype)
    y = backend.run(ct.ops.matmul, a, b)
    backend.run(ct.ops.relu, np.ones(1, np.float32))  # an empty product launches nothing
    assert_close(y, a, b, f"{backend} {threads} {shape} {dtype.__name__}")
    assert same_as_cpu(y, ct.ops.matmul(a, b))


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_transposes(backend, rng, transpose_a, transpose_b):
    a, b = rng.standard_normal((37, 53)).astype(np.float32), rng.standard_normal((53, 29)).astype(np.float32)
    left = np.ascontiguousarray(a.T) if transpose_a else a
    right = np.ascontiguousarray(b.T) if transpose_b else b
    y = backend.run(ct.ops.matmul, left, right, transpose_a=transpose_a, transpose_b=transpose_b)
    assert np.array_equal(y, backend.run(ct.ops.matmul, a, b)), "a transposed view must give the same bits"


def strided(array, how):
    """Return an array of equal values in another layout."""
    if how == "every second":
        wide = np.zeros((2 * array.shape[0], 2 * array.shape[1]), array.dtype)
        wide[::2, ::2] = array
        return wide[::2, ::2]
    if how == "reversed":
        return np.ascontiguousarray(array[::-1, ::-1])[::-1, ::-1]
    if how == "fortran":
        return np.asfortranarray(array)
    if how == "misaligned":
        raw = np.zeros(array.nbytes + 1, np.uint8)
        view = raw[1:].view(array.dtype).reshape(array.shape)
        view[...] = array
        return view
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("how", ["every second", "reversed", "fortran", "misaligned", "read-only"])
def test_any_layout_gives_the_same_bits(backend, rng, how):
    a, b = rng.standard_normal((19, 41)).astype(np.float32), rng.standard_normal((41, 23)).astype(np.float32)
    expected = ct.ops.matmul(a, b)
    assert np.array_equal(ct.ops.matmul(strided(a, how), strided(b, how)), expected)


def test_strided_and_reversed_views_are_read_in_place(backend, rng):
    a, b = pair(rng, 20, 30, 40)
    y = backend.get(ct.ops.matmul(backend.array(a)[::-1, ::3], backend.array(b)[::3, ::-2]))
    left, right = a[::-1, ::3].copy(), b[::3, ::-2].copy()
    assert_close(y, left, right, f"{backend}")
    assert same_as_cpu(y, ct.ops.matmul(left, right))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 70), st.integers(0, 90), st.integers(0, 70), st.integers(0, 2**31))
def test_random_shapes(backend, m, k, n, seed):
    a, b = pair(np.random.default_rng(seed), m, k, n)
    y = backend.run(ct.ops.matmul, a, b)
    assert_close(y, a, b, f"{backend} seed {seed} shape {(m, k, n)}")
    assert same_as_cpu(y, ct.ops.matmul(a, b))
    backend.run(ct.ops.relu, np.ones(1, np.float32))  # an empty product launches nothing


@pytest.mark.slow_on_the_host
def test_a_large_product_by_a_random_vector(backend, rng):
    a, b = rng.standard_normal((700, 900)).astype(np.float32), rng.standard_normal((900, 1100)).astype(np.float32)
    v = rng.standard_normal(1100)
    left, right = (
        backend.run(ct.ops.matmul, a, b).astype(np.float64) @ v,
        a.astype(np.float64) @ (b.astype(np.float64) @ v),
    )
    assert np.allclose(left, right, rtol=0, atol=1e-5 * np.abs(right).max())


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("shape", [(50, 1000, 130), (289, 5000, 77)], ids=str)
def test_same_bits_for_any_thread_count(backend, rng, shape):
    m, k, n = shape
    a, b = rng.standard_normal((m, k)).astype(np.float32), rng.standard_normal((k, n)).astype(np.float32)
    before = ct.get_num_threads()
    results = []
    try:
        for count in (1, 2, 3, 7, 16):
            ct.set_num_threads(count)
            results.append(ct.ops.matmul(a, b))
    finally:
        ct.set_num_threads(before)
    assert all(np.array_equal(results[0], r) for r in results[1:])


@pytest.mark.parametrize("shape", [pytest.param((61, 500, 37), marks=pytest.mark.on_the_cpu), (150, 90, 70)], ids=str)
def test_a_row_alone_gives_the_bits_it_has_in_a_batch(backend, rng, shape):
    a, b = pair(rng, *shape)
    whole = backend.run(ct.ops.matmul, a, b)
    for i in (0, 1, 30, shape[0] - 1):
        j = i % shape[2]
        assert np.array_equal(backend.run(ct.ops.matmul, a[i : i + 1], b)[0], whole[i]), i
        column = np.ascontiguousarray(b[:, j : j + 1])
        assert np.array_equal(backend.run(ct.ops.matmul, a, column)[:, 0], whole[:, j]), i


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("shape", [(50, 600, 2100), (9, 257, 4099), (300, 520, 2049)])
def test_wide_products_have_the_bits_of_their_columns(backend, rng, shape):
    m, k, n = shape
    a, b = rng.standard_normal((m, k)).astype(np.float32), rng.standard_normal((k, n)).astype(np.float32)
    whole, turned = ct.ops.matmul(a, b), ct.ops.matmul(a, np.ascontiguousarray(b.T), transpose_b=True)
    assert np.array_equal(whole, turned)
    for j in (0, 1900, n - 160):
        assert np.array_equal(ct.ops.matmul(a, np.ascontiguousarray(b[:, j : j + 160])), whole[:, j : j + 160])


def test_avx2_and_avx512_give_the_same_bits(rng):
    levels = [name for name in ("avx2", "avx512") if name in _core.build_info()["cpu_levels"]]
    if len(levels) < 2:
        pytest.skip("this machine has one FMA level only")
    before = _core.get_cpu_level()
    a, b = rng.standard_normal((51, 4500)), rng.standard_normal((4500, 45))
    for dtype in (np.float32, np.float64):
        results = []
        for name in levels:
            _core.set_cpu_level(name)
            results.append(ct.ops.matmul(a.astype(dtype), b.astype(dtype)))
        _core.set_cpu_level(before)
        assert np.array_equal(*results)


def test_the_chain_is_cut_at_4096(rng):
    if _core.get_cpu_level() == "portable":
        pytest.skip("the portable level has no fused multiply-add")
    a, b = rng.standard_normal((1, 5000)).astype(np.float32), rng.standard_normal((5000, 1)).astype(np.float32)
    whole = ct.ops.matmul(a, b)
    parts = [
        ct.ops.matmul(np.ascontiguousarray(a[:, s]), np.ascontiguousarray(b[s]))
        for s in (slice(4096), slice(4096, 5000))
    ]
    assert whole == parts[0] + parts[1]


def test_batched(backend, rng):
    a, b = rng.standard_normal((2, 3, 5, 7)).astype(np.float32), rng.standard_normal((2, 3, 7, 4)).astype(np.float32)
    y = backend.run(ct.ops.matmul, a, b)
    assert y.shape == (2, 3, 5, 4)
    assert all(np.array_equal(y[i], backend.run(ct.ops.matmul, a[i], b[i])) for i in np.ndindex(2, 3))
    out = backend.poisoned((2, 3, 5, 4))
    assert ct.ops.matmul(backend.array(a), backend.array(b), out=out) is out and np.array_equal(backend.get(out), y)


def test_out_may_be_a_view_and_nothing_is_written_beside_it(backend, rng):
    a, b = pair(rng, 11, 20, 13)
    frame = backend.poisoned((13, 30))
    ct.ops.matmul(backend.array(a), backend.array(b), out=frame[1:12, 3:16])
    found = backend.get(frame).copy()
    assert same_as_cpu(found[1:12, 3:16].copy(), ct.ops.matmul(a, b))
    found[1:12, 3:16] = np.nan
    assert np.isnan(found).all()


def test_nan_and_infinity_propagate(backend):
    a = np.ones((7, 20), np.float32)
    a[3, 5], a[4, 6] = np.nan, np.inf
    y = backend.run(ct.ops.matmul, a, np.ones((20, 18), np.float32))
    assert np.isnan(y[3]).all() and np.isinf(y[4]).all() and np.all(y[[0, 1, 2, 5, 6]] == 20)


def test_gradients(backend, rng):
    (a, b), dy = pair(rng, 6, 5, 4), rng.standard_normal((6, 4)).astype(np.float32)
    da, db = backend.run(ct.ops.matmul_backward, dy, a, b)
    assert all(map(same_as_cpu, (da, db), ct.ops.matmul_backward(dy, a, b)))
    assert_close(da, dy, b.T, f"{backend}")
    assert_close(db, a.T, dy, f"{backend}")


@pytest.mark.on_the_cpu
def test_backward_against_central_differences(backend, rng):
    for transpose_a in (False, True):
        for transpose_b in (False, True):
            a = rng.standard_normal((5, 4) if transpose_a else (4, 5))
            b = rng.standard_normal((3, 5) if transpose_b else (5, 3))
            flags = {"transpose_a": transpose_a, "transpose_b": transpose_b}
            dy, ua, ub = rng.standard_normal((4, 3)), rng.standard_normal(a.shape), rng.standard_normal(b.shape)
            da, db = ct.ops.matmul_backward(dy, a, b, **flags)
            h = 1e-6
            up = np.sum(dy * ct.ops.matmul(a + h * ua, b + h * ub, **flags))
            down = np.sum(dy * ct.ops.matmul(a - h * ua, b - h * ub, **flags))
            assert np.isclose((up - down) / (2 * h), np.sum(da * ua) + np.sum(db * ub), rtol=1e-6)


def test_flush_to_zero_is_left_as_it_was():
    tiny = np.full((4, 4), 1e-30, np.float32)
    ct.ops.matmul(tiny, tiny)
    assert np.float32(1e-40) * np.float32(1) != 0, "the caller's denormals must survive a kernel call"


@pytest.mark.parametrize(
    "call, kind, words",
    [
        (lambda f: f(np.ones((3, 4), np.float32), np.ones((5, 4), np.float32)), ValueError, ["a has 4 columns", "b has 5 rows", "b.T"]),
        (lambda f: f(np.ones((3, 4)), np.ones((4, 4), np.float32)), TypeError, ["float64", "float32"]),
        (lambda f: f([[1.0]], np.ones((1, 1))), TypeError, ["a must be a NumPy array", "list"]),
        (lambda f: f(np.ones((3, 4), int), np.ones((4, 4))), TypeError, ["int64", "astype"]),
        (lambda f: f(np.ones(3), np.ones((3, 3))), ValueError, ["two dimensions"]),
        (lambda f: f(np.ones((2, 3, 3)), np.ones((3, 3, 3))), ValueError, ["leading dimensions"]),
        (lambda f: f(np.ones((2, 2)), np.ones((2, 2)), out=np.ones((2, 3))), ValueError, ["out must be", "(2, 2)"]),
        (lambda f: f(np.ones((2, 2)), np.ones((2, 2)), out=np.ones((2, 2)).T), ValueError, ["unit stride"]),
    ],
)  # fmt: skip
def test_bad_input_gets_one_clear_sentence(call, kind, words):
    with pytest.raises(kind) as error:
        call(ct.ops.matmul)
    assert all(word in str(error.value) for word in ["matmul", *words]), str(error.value)


@pytest.mark.at_one_level
def test_what_does_not_fit_is_refused(backend):
    a, square = (backend.array(np.ones(shape, np.float32)) for shape in ((3, 4), (2, 2)))
    with pytest.raises(ValueError, match="a has 4 columns but b has 3 rows"):
        ct.ops.matmul(a, a)
    with pytest.raises(ValueError, match="out shares memory with a"):
        ct.ops.matmul(square, backend.array(np.ones((2, 2), np.float32)), out=square)
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


def test_out_may_not_be_read_only():
    a, frozen = np.ones((4, 4), np.float32), np.ones((4, 4), np.float32)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        ct.ops.matmul(a, a, out=frozen)


@pytest.mark.parametrize(
    "shape", small_on_the_host([(1, 30, 130), (2, 9, 50), (5, 7, 3), (64, 600, 49), (40, 4100, 17)]), ids=str
)
@pytest.mark.parametrize("dtype", FLOATS)
def test_add_and_keep_happen_in_the_registers(backend, threads, rng, shape, dtype):
    m, k, n = shape
    (a, b), (add, keep) = pair(rng, m, k, n, dtype), rng.standard_normal((2, m, n)).astype(dtype)
    y = backend.run(ct.ops.matmul, a, b)
    assert np.array_equal(backend.run(ct.ops.matmul, a, b, add=add), y + add)
    assert np.array_equal(backend.run(ct.ops.matmul, a, b, keep=keep), np.where(keep > 0, y, 0))
    assert np.array_equal(backend.run(ct.ops.matmul, a, b, add=add, keep=keep), np.where(keep > 0, y + add, 0))
    total = backend.array(add)
    ct.ops.matmul(backend.array(a), backend.array(b), add=total, out=total)
    assert np.array_equal(backend.get(total), y + add), "out may be what is added"


def test_a_bad_epilogue_is_refused(rng):
    a = rng.standard_normal((4, 4)).astype(np.float32)
    with pytest.raises(ValueError, match="shape of the product"):
        ct.ops.matmul(a, a, add=a[:2])
    with pytest.raises(TypeError, match="one dtype"):
        ct.ops.matmul(a, a, keep=a.astype(np.float64))
    with pytest.raises(ValueError, match="two matrices"):
        ct.ops.matmul(a[None], a[None], add=a)
    out = np.zeros((5, 4), np.float32)
    with pytest.raises(ValueError, match="out shares memory with add"):
        ct.ops.matmul(a, a, add=out[1:], out=out[:4])


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("count", [0, 1, 3, 40])
@pytest.mark.parametrize("order", ["contiguous", "reversed", "transposed"])
def test_stacks_of_any_size_and_layout(backend, threads, rng, count, order):
    a, b = (
        rng.standard_normal((count, 9, 70)).astype(np.float32),
        rng.standard_normal((count, 70, 35)).astype(np.float32),
    )
    if order == "reversed":
        a, b = a[::-1], b[::-1]
    elif order == "transposed":
        a = np.ascontiguousarray(a.swapaxes(1, 2)).swapaxes(1, 2)
    y = ct.ops.matmul(a, b)
    assert y.shape == (count, 9, 35)
    assert all(np.array_equal(y[i], ct.ops.matmul(a[i], b[i])) for i in range(count))


# Rows on either side of each tile, and columns on either side of each vector and panel.
@pytest.mark.on_the_cpu
@pytest.mark.parametrize("m", [1, 2, 3, 8, 9, 12, 17, 18, 19, 25])
def test_every_tile(backend, rng, m):
    for n in (1, 8, 12, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 127, 129):
        for k, transpose_a, transpose_b in (
            (1, False, False),
            (37, True, False),
            (130, False, True),
            (513, True, True),
        ):
            a, b = rng.standard_normal((m, k)).astype(np.float32), rng.standard_normal((k, n)).astype(np.float32)
            left = np.ascontiguousarray(a.T) if transpose_a else a
            right = np.ascontiguousarray(b.T) if transpose_b else b
            y = ct.ops.matmul(left, right, transpose_a=transpose_a, transpose_b=transpose_b)
            assert_close(y, a, b, f"{backend} {(m, k, n)} {transpose_a} {transpose_b}")
