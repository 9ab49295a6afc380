"""Three baselines for models on fingerprints: ridge regression, nearest neighbours, random forest.

All are fitted on the training part only. Ridge's alpha and the number of neighbours are the values with the least squared
error on validation; the forest has no such setting. All is computed in float64 by NumPy, except for the forest, which is
scikit-learn's where that is installed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import ops

ALPHAS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
NEIGHBOURS = (1, 2, 3, 5, 8, 12, 20)


def _squared_error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean((a - b) ** 2))


def ridge(x: np.ndarray, y: np.ndarray, alpha: float) -> tuple[np.ndarray, float]:
    """Ridge regression in closed form: minimise ``|y - x w - b|^2 + alpha |w|^2`` with the intercept b free.

    Parameters
    ----------
    x : ndarray of shape (N, F)
    y : ndarray of shape (N,)
    alpha : float
        The strength of the penalty, above 0.

    Returns
    -------
    w : ndarray of shape (F,), float64
    b : float

    Notes
    -----
    The dual is solved, ``w = xc.T @ (xc @ xc.T + alpha I)^-1 @ yc`` on centred data, since N is below F here.

    Examples
    --------
    >>> w, b = ridge(np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0]), 1e-9)
    >>> round(float(w[0]), 3), round(b, 3)
    (2.0, 1.0)
    """
    return ridge_path(x, y, (alpha,))[alpha]


def ridge_path(x: np.ndarray, y: np.ndarray, alphas: Sequence[float]) -> dict[float, tuple[np.ndarray, float]]:
    """Return `ridge` for several strengths; the Gram matrix is computed once."""
    x = x.astype(np.float64)
    x_mean, y_mean = x.mean(axis=0), float(y.mean())
    centred = x - x_mean
    gram = ops.matmul(centred, centred, transpose_b=True)
    diagonal = np.diag(gram).copy()
    fits = {}
    for alpha in alphas:
        gram[np.diag_indices_from(gram)] = diagonal + alpha
        w = centred.T @ np.linalg.solve(gram, y - y_mean)
        fits[alpha] = (w, y_mean - float(x_mean @ w))
    return fits


def choose_ridge(
    x: np.ndarray, y: np.ndarray, x_valid: np.ndarray, y_valid: np.ndarray, x_test: np.ndarray
) -> tuple[np.ndarray, str]:
    """Choose the alpha of `ALPHAS` that is best on validation; return the test predictions and a label."""
    fits = ridge_path(x, y, ALPHAS)
    errors = {alpha: _squared_error(x_valid @ w + b, y_valid) for alpha, (w, b) in fits.items()}
    best = min(errors, key=lambda alpha: errors[alpha])
    w, b = fits[best]
    return x_test @ w + b, f"ridge, alpha {best:g}"


def neighbours(similarity: np.ndarray, y: np.ndarray, k: int) -> np.ndarray:
    """Return the mean of the values of the k most similar compounds, weighted by similarity.

    Parameters
    ----------
    similarity : ndarray of shape (Q, N)
        The Tanimoto similarity of each query to each training compound, 0 to 1.
    y : ndarray of shape (N,)
    k : int
        At least 1. Ties keep the order of the training compounds.

    Returns
    -------
    ndarray of shape (Q,), float64
        A query with similarity 0 to all of its neighbours gets their plain mean.

    Examples
    --------
    >>> neighbours(np.array([[1.0, 0.5, 0.0]]), np.array([6.0, 9.0, 1.0]), 2)
    array([7.])
    """
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    weight = np.take_along_axis(similarity, order, axis=1).astype(np.float64)
    weight[weight.sum(axis=1) == 0] = 1.0
    return np.asarray((weight * y[order]).sum(axis=1) / weight.sum(axis=1))


def choose_neighbours(
    similarity_valid: np.ndarray, y_valid: np.ndarray, similarity_test: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, str]:
    """Choose the k of `NEIGHBOURS` that is best on validation; return the test predictions and a label."""
    errors = {k: _squared_error(neighbours(similarity_valid, y, k), y_valid) for k in NEIGHBOURS if k <= len(y)}
    best = min(errors, key=lambda k: errors[k])
    return neighbours(similarity_test, y, best), f"Tanimoto {best}-nearest neighbours"


def forest(
    x: np.ndarray, y: np.ndarray, x_test: np.ndarray, *, trees: int = 100, seed: int = 0, jobs: int = 2
) -> tuple[np.ndarray, str] | None:
    """Predict by scikit-learn's random forest, which tries a third of the features at each split; None without scikit-learn.

    Notes
    -----
    The result depends on the seed and the scikit-learn version, not on ``jobs``.
    """
    try:
        from sklearn.ensemble import RandomForestRegressor
    except ImportError:
        return None
    model = RandomForestRegressor(trees, max_features=1 / 3, random_state=seed, n_jobs=jobs)
    model.fit(x, y)
    model.set_params(n_jobs=1)  # threads would add the trees' answers in any order, with other last digits in each run
    return np.asarray(model.predict(x_test)), f"random forest, {trees} trees"
