"""Tests of matrix multiplication against float64, on every level, with awkward shapes and strides, and of promised bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase import _core
from tests.reference import matmul as reference

# 0, 1, primes, and one either side of each tile, vector width and block.
SHAPES = [
    (0, 3, 4), (3, 0, 4), (3, 4, 0), (1, 1, 1), (1, 7, 1), (5, 1, 3), (6, 16, 16), (7, 17, 17), (5, 15, 31), (13, 383, 33),
    (12, 384, 32), (11, 385, 47), (50, 100, 12), (143, 20, 65), (145, 19, 2049), (289, 769, 40), (64, 64, 64), (2, 4097, 3),
    (3, 8193, 18),
]  # fmt: skip


def assert_close(y, a, b, note):
    exact, bound = reference.matmul(a, b)
    assert y.shape == exact.shape and y.dtype == a.dtype, note
    error = np.abs(y - exact)
    worst = np.unravel_index(np.argmax(error - bound), error.shape) if error.size else None
    assert np.all(error <= bound), f"{note}: worst at {worst}, {error[worst]} > {bound[worst]}"


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_agrees_with_float64(backend, threads, rng, shape, dtype):
    m, k, n = shape
    a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
    assert_close(ct.ops.matmul(a, b), a, b, f"{backend} {threads} {shape} {dtype.__name__}")


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_transposes(backend, rng, transpose_a, transpose_b):
    a, b = rng.standard_normal((37, 53)).astype(np.float32), rng.standard_normal((53, 29)).astype(np.float32)
    left = np.ascontiguousarray(a.T) if transpose_a else a
    right = np.ascontiguousarray(b.T) if transpose_b else b
    y = ct.ops.matmul(left, right, transpose_a=transpose_a, transpose_b=transpose_b)
    assert np.array_equal(y, ct.ops.matmul(a, b)), "a transposed view must give the same bits"


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


@pytest.mark.parametrize("how", ["every second", "reversed", "fortran", "misaligned", "read-only"])
def test_any_layout_gives_the_same_bits(backend, rng, how):
    a, b = rng.standard_normal((19, 41)).astype(np.float32), rng.standard_normal((41, 23)).astype(np.float32)
    expected = ct.ops.matmul(a, b)
    assert np.array_equal(ct.ops.matmul(strided(a, how), strided(b, how)), expected)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 70), st.integers(0, 90), st.integers(0, 70), st.integers(0, 2**31))
def test_random_shapes(m, k, n, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((m, k)).astype(np.float32), rng.standard_normal((k, n)).astype(np.float32)
    assert_close(ct.ops.matmul(a, b), a, b, f"seed {seed} shape {(m, k, n)}")


def test_a_large_product_by_a_random_vector(backend, rng):
    a, b = rng.standard_normal((700, 900)).astype(np.float32), rng.standard_normal((900, 1100)).astype(np.float32)
    v = rng.standard_normal(1100)
    left, right = ct.ops.matmul(a, b).astype(np.float64) @ v, a.astype(np.float64) @ (b.astype(np.float64) @ v)
    assert np.allclose(left, right, rtol=0, atol=1e-5 * np.abs(right).max())


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


def test_a_row_alone_gives_the_bits_it_has_in_a_batch(backend, rng):
    a, b = rng.standard_normal((61, 500)).astype(np.float32), rng.standard_normal((500, 37)).astype(np.float32)
    whole = ct.ops.matmul(a, b)
    for i in (0, 1, 30, 60):
        assert np.array_equal(ct.ops.matmul(a[i : i + 1], b)[0], whole[i]), i
        assert np.array_equal(
            ct.ops.matmul(a, np.ascontiguousarray(b[:, i % 37 : i % 37 + 1]))[:, 0], whole[:, i % 37]
        ), i


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
    y = ct.ops.matmul(a, b)
    assert y.shape == (2, 3, 5, 4)
    assert all(np.array_equal(y[i], ct.ops.matmul(a[i], b[i])) for i in np.ndindex(2, 3))


def test_out_may_be_a_padded_view(backend, rng):
    a, b = rng.standard_normal((9, 8)).astype(np.float32), rng.standard_normal((8, 5)).astype(np.float32)
    store = np.full((9, 16), 7, np.float32)
    y = ct.ops.matmul(a, b, out=store[:, :5])
    assert np.shares_memory(y, store) and np.array_equal(y, ct.ops.matmul(a, b)) and np.all(store[:, 5:] == 7)


def test_nan_and_infinity_propagate(backend):
    a = np.ones((7, 20), np.float32)
    a[3, 5], a[4, 6] = np.nan, np.inf
    y = ct.ops.matmul(a, np.ones((20, 18), np.float32))
    assert np.isnan(y[3]).all() and np.isinf(y[4]).all() and np.all(y[[0, 1, 2, 5, 6]] == 20)


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


def test_out_may_not_overlap_an_input():
    a = np.ones((4, 4), np.float32)
    with pytest.raises(ValueError, match="shares memory with a"):
        ct.ops.matmul(a, np.ones((4, 4), np.float32), out=a)
    frozen = np.ones((4, 4), np.float32)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        ct.ops.matmul(a, np.ones((4, 4), np.float32), out=frozen)


@pytest.mark.parametrize("shape", [(1, 30, 130), (2, 9, 50), (5, 7, 3), (64, 600, 49), (40, 4100, 17)], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_add_and_keep_happen_in_the_registers(backend, threads, rng, shape, dtype):
    m, k, n = shape
    a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
    add, keep = rng.standard_normal((m, n)).astype(dtype), rng.standard_normal((m, n)).astype(dtype)
    y = ct.ops.matmul(a, b)
    assert np.array_equal(ct.ops.matmul(a, b, add=add), y + add)
    assert np.array_equal(ct.ops.matmul(a, b, keep=keep), np.where(keep > 0, y, 0))
    assert np.array_equal(ct.ops.matmul(a, b, add=add, keep=keep), np.where(keep > 0, y + add, 0))
    total = add.copy()
    ct.ops.matmul(a, b, add=total, out=total)
    assert np.array_equal(total, y + add), "out may be what is added"


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


def test_nothing_is_written_beyond_the_last_column(backend, rng):
    a, b = rng.standard_normal((11, 20)).astype(np.float32), rng.standard_normal((20, 13)).astype(np.float32)
    frame = np.full((13, 30), 7, np.float32)
    ct.ops.matmul(a, b, out=frame[1:12, 3:16])
    assert np.array_equal(frame[1:12, 3:16], ct.ops.matmul(a, b))
    frame[1:12, 3:16] = 7
    assert (frame == 7).all()
