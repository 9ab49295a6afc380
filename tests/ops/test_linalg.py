"""Tests of Cholesky's factor and of triangular systems against float64 NumPy, at every level and number of threads."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.agreement import same_at_fma_levels, same_with_threads

pytestmark = pytest.mark.on_the_cpu

SIZES = [0, 1, 2, 3, 4, 5, 31, 63, 64, 65, 127, 128, 129, 193, 511]
DTYPES = [np.float32, np.float64]


def positive(n, dtype=np.float64, seed=0, ridge=0.5):
    """A positive definite matrix whose condition grows with 1 / ridge."""
    half = np.random.default_rng([n, seed]).standard_normal((n, n))
    return (half @ half.T / max(n, 1) + ridge * np.eye(n)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_the_factor_multiplied_by_its_transpose_is_the_matrix(backend, threads, n, dtype):
    a = positive(n, dtype)
    factor = ct.ops.cholesky(a)
    assert factor.dtype == dtype and factor.shape == (n, n) and not np.triu(factor, 1).any()
    assert np.all(np.diagonal(factor) > 0)
    wide = factor.astype(np.float64)
    bound = (n + 5) * np.finfo(dtype).eps * np.sqrt(np.outer(np.diagonal(a), np.diagonal(a)))  # Higham, theorem 10.3
    assert np.all(abs(wide @ wide.T - a) <= bound)


@pytest.mark.parametrize("n", [65, 300, 1000])
def test_the_factor_is_numpys(backend, threads, n):
    a = positive(n)
    assert np.allclose(ct.ops.cholesky(a), np.linalg.cholesky(a), rtol=0, atol=n * 1e-16)


def test_only_the_lower_triangle_of_any_strides_is_read_and_out_is_written(backend):
    n = 150
    a, spoiled = positive(n), positive(n)
    spoiled[np.triu_indices(n, 1)] = np.nan
    expected = ct.ops.cholesky(a)
    assert np.array_equal(ct.ops.cholesky(spoiled), expected)
    assert np.array_equal(ct.ops.cholesky(spoiled.T.copy().T), expected)
    assert np.array_equal(ct.ops.cholesky(np.repeat(np.repeat(spoiled, 2, 0), 3, 1)[::2, ::3]), expected)
    wide = np.full((n, n + 9), 7.0)
    out = wide[:, 3 : n + 3]
    assert ct.ops.cholesky(spoiled, out=out) is out
    assert np.array_equal(out, expected) and np.all(wide[:, :3] == 7) and np.all(wide[:, n + 3 :] == 7)


@pytest.mark.parametrize("row", [0, 1, 63, 64, 100, 199])
def test_a_matrix_that_is_not_positive_definite_is_refused_by_its_leading_minor(backend, threads, row):
    a = positive(200)
    factor = np.linalg.cholesky(a)
    a[row, row] -= factor[row, row] ** 2 + 1e-3  # its pivot becomes -0.001
    with pytest.raises(
        ValueError, match=rf"leading minor of order {row + 1} has the pivot -0\.001; .* add a small number"
    ):
        ct.ops.cholesky(a)


def test_nearly_singular_matrices_are_factored_as_well_as_others(backend):
    n = 130
    a = np.ones((n, n)) + 1e-10 * np.eye(n)
    factor = ct.ops.cholesky(a)
    assert np.all(abs(factor @ factor.T - a) <= n * np.finfo(float).eps)
    with pytest.raises(ValueError, match="leading minor of order 2 has the pivot 0"):
        ct.ops.cholesky(np.ones((n, n)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_by_place(backend, value):
    for row, column in [(80, 20), (70, 70)]:
        a = positive(100)
        a[row, column] = value
        with pytest.raises(ValueError, match=rf"a holds .* at row {row}, column {column}"):
            ct.ops.cholesky(a)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 3), (63, 7), (64, 33), (65, 1), (129, 70), (300, 32), (511, 5)])
def test_solutions_satisfy_their_equations(backend, threads, n, m, dtype):
    rng = np.random.default_rng([n, m])
    t = (np.tril(rng.standard_normal((n, n)), -1) / np.sqrt(n) + np.diag(rng.uniform(1, 2, n))).astype(dtype)
    b = rng.standard_normal((n, m)).astype(dtype)
    for lower in (True, False):
        for transposed in (True, False):
            triangle = t if lower else np.ascontiguousarray(t.T)
            given = triangle + np.where(np.tri(n, n, -1).T if lower else np.tri(n, n, -1), dtype(np.nan), dtype(0))
            x = ct.ops.solve_triangular(given, b, lower=lower, transposed=transposed)
            assert x.dtype == dtype and x.shape == b.shape
            full = (triangle.T if transposed else triangle).astype(np.float64)
            bound = (n + 2) * np.finfo(dtype).eps * (abs(full) @ abs(x.astype(np.float64)))  # Higham, theorem 8.5
            assert np.all(abs(full @ x - b) <= bound)
            alone = ct.ops.solve_triangular(given, b[:, 0], lower=lower, transposed=transposed)
            assert alone.shape == (n,) and np.allclose(alone, x[:, 0], rtol=1e-3 if dtype == np.float32 else 1e-9)


def test_a_linear_system_is_solved_as_by_numpy(backend, threads, rng):
    a, b = positive(333), rng.standard_normal((333, 17))
    factor = ct.ops.cholesky(a)
    x = ct.ops.solve_triangular(factor, ct.ops.solve_triangular(factor, b), transposed=True)
    assert np.allclose(x, np.linalg.solve(a, b), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("n", [1, 65, 129, 400])
def test_bits_do_not_depend_on_threads_or_on_the_fma_level(rng, n):
    a, b = positive(n), rng.standard_normal((n, 45))
    run = lambda: (ct.ops.cholesky(a), ct.ops.solve_triangular(np.tril(a), b))  # noqa: E731
    same_with_threads(run, (1, 2, 3, 7))
    same_at_fma_levels(run)


def test_empty_systems_have_empty_solutions(backend):
    assert ct.ops.solve_triangular(np.zeros((0, 0)), np.zeros((0, 3))).shape == (0, 3)
    assert ct.ops.solve_triangular(np.zeros((0, 0)), np.zeros(0)).shape == (0,)
    assert ct.ops.solve_triangular(np.eye(70), np.zeros((70, 0))).shape == (70, 0)


def test_refusals_say_what_to_do():
    good = np.eye(4)
    for call, kind, words in [
        (lambda: ct.ops.cholesky(np.ones((3, 4))), ValueError, "square"),
        (lambda: ct.ops.cholesky(np.ones((4, 4), int)), TypeError, "float32 or float64"),
        (lambda: ct.ops.cholesky(good, out=good), ValueError, "shares memory"),
        (lambda: ct.ops.solve_triangular(good, np.ones(3)), ValueError, r"shape \(4, M\) or \(4,\), got \(3,\)"),
        (lambda: ct.ops.solve_triangular(good, np.ones(4, np.float32)), TypeError, "one dtype"),
        (lambda: ct.ops.solve_triangular(np.diag([1.0, 0, 1, 1]), np.ones(4)), ValueError, "holds 0 at row 1"),
    ]:
        with pytest.raises(kind, match=words):
            call()
