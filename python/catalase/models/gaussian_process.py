"""Gaussian processes on molecules: an exact one, and one on inducing rows where there are too many of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import ops
from .._internal import arrays as _arrays
from .._internal.config import get_num_threads
from .._internal.numbers import shown
from .._internal.registry import Int, Str
from ..backends import to_host
from ..nn.onnx import Graph, Value
from ..ops.checks import whole_numbers
from ..trans import undo_transforms
from .closed_form import ClosedForm, task_groups
from .datapoints import is_dataset
from .labels import check_classes, check_numbers
from .model import check_transformers, chosen_transformers, slices
from .platt import logistic
from .scaling import DEVIATIONS, LARGEST, bounded, on_scale, scaling
from .settings import N_CLASSES, N_TASKS, Settings, declared

_FLOATS = NDArray[np.float64]
_COUNTS = (np.uint16, np.uint32, np.float32, np.float64)
_TUNED_ROWS = 1500  # hyperparameters are chosen on these
_GRID_ROWS = 400  # and first of all on a grid, on these
_BLOCK = 2048  # rows of a matrix of similarities that are made together
_STRIP = 128  # of these, rows whose distances stay in the cache
_ONNX_LEVELS = 255  # the largest count that is exported: each is a product
_JITTER = 1e-6  # on the diagonal of the inducing rows' covariance
_ROUNDS = 5  # of steps in each direction
_SHARES, _LENGTHS, _NOISES = (0.1, 0.3, 0.5, 0.7, 0.9), (0.25, 0.5, 1.0, 2.0), (0.003, 0.01, 0.03, 0.1, 0.3)


class Hyperparameters(NamedTuple):
    """Of the kernel ``share * Tanimoto + (1 - share) * exp(-d2 / (2 length**2))``, and the variance of the noise."""

    share: float
    length: float
    noise: float


@dataclass(frozen=True)
class _Rows:
    """Rows of counts and scaled descriptors."""

    counts: NDArray[Any]
    descriptors: NDArray[np.float32]

    def at(self, rows: Any) -> _Rows:
        return _Rows(self.counts[rows], self.descriptors[rows])

    def __len__(self) -> int:
        return self.counts.shape[0]


@declared
class TanimotoGP(ClosedForm):
    """A Gaussian process whose kernel is Tanimoto similarity of counts, plus a Gaussian of the descriptors.

    ``k(x, z) = a T(counts) + (1 - a) exp(-d2(descriptors) / (2 l**2)) + noise``

    Parameters
    ----------
    n_tasks, n_features : int
    n_counts : int, optional
        The first ``n_counts`` features are counts or bits, the rest descriptors; by default all are counts. 0 leaves the
        descriptors alone.
    mode : {"regression", "classification"}
    n_classes : int
        Of each task, with ``mode="classification"``.
    max_exact : int
        Up to this many rows the process is exact; beyond, it stands on inducing rows.
    n_inducing : int
        The number of inducing rows, drawn from the training rows by ``seed``.
    seed : int
        It draws the rows on which hyperparameters are chosen, and the inducing rows.

    Attributes
    ----------
    hyperparameters : list of Hyperparameters
        ``share`` (a), ``length`` (l) and ``noise`` of each task, after `fit`.

    Notes
    -----
    T is the sum of minima over the sum of maxima (`catalase.ops.tanimoto_counts`); of bits it is the usual similarity, and
    packed bits are taken where all features are bits. d2 is the squared distance of the scaled descriptors over its median
    in the training rows. Scaling belongs to the model: descriptors that are not finite become 0, all are clipped to 1e5,
    columns that are constant in training are dropped, the others divided by their deviation about their mean, and clipped
    to 6 deviations. The labels' mean is removed.

    a (0.1 to 0.9), l (0.25, 0.5, 1 or 2) and the noise (0.003 to 0.3 of the amplitude) maximize the marginal likelihood of
    each task, the amplitude being known in closed form: a grid on up to 400 rows, then steps in a and the noise on up to
    1,500. The rest is exact: a Cholesky factor in float64, N**3 / 3
    multiply-adds and 16 N**2 bytes for N rows. Beyond ``max_exact`` rows the process stands on M inducing rows: all rows are
    taken as independent given these, each with the variance that they leave it (the sparse pseudo-input process of Snelson
    and Ghahramani, 2006, known as FITC), with N M**2 multiply-adds.

    Classes are learned as numbers, -1 and 1 (one such process a class, where there are more than two), and the scores
    become probabilities by Platt's logistic function, fitted to closed-form leave-one-out scores of the rows on which
    hyperparameters are chosen; probabilities of more than two classes are divided by their sum.

    Labels of weight 0 are missing; all other weights count alike. Deterministic, and equal for any number of threads.
    `predict` sums covariances of float32 in float64, within about 1e-4 of `predict_uncertainty`, which is float64 throughout.

    References
    ----------
    Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), chapters 2, 5 and 8. Snelson and Ghahramani,
    "Sparse Gaussian processes using pseudo-inputs", NIPS 18 (2006). Ralaivola et al., Neural
    Networks 18 (2005) 1093-1110, doi:10.1016/j.neunet.2005.07.009 (the kernel on counts).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = ct.ops.ecfp(["CCO", "CCCO", "CCN", "CCCN"], output="counts")
    >>> model = ct.models.TanimotoGP(1, 2048)
    >>> _ = model.fit(ct.data.NumpyDataset(X, [[1.0], [2.0], [3.0], [4.0]]))
    >>> mean, std = model.predict_uncertainty(X)
    >>> mean.shape, bool((std > 0).all())
    ((4, 1), True)
    """

    settings = Settings(
        n_tasks=N_TASKS, n_features=Int(1, 10_000_000), n_counts=Int(0, 10_000_000, none=True),
        mode=Str(choices=["regression", "classification"]), n_classes=N_CLASSES, max_exact=Int(1, 1_000_000),
        n_inducing=Int(1, 100_000), seed=Int(0),
    )  # fmt: skip
    n_features: int
    n_counts: int | None
    mode: str
    max_exact: int
    n_inducing: int
    seed: int
    _rows_at_a_time = _BLOCK

    def __init__(
        self,
        n_tasks: int,
        n_features: int,
        n_counts: int | None = None,
        mode: str = "regression",
        n_classes: int = 2,
        max_exact: int = 10_000,
        n_inducing: int = 2000,
        seed: int = 0,
    ) -> None:
        self._set(locals())
        if self.n_counts is not None and self.n_counts > self.n_features:
            raise ValueError(
                f"TanimotoGP: n_counts must be at most n_features, {self.n_features}, got {shown(n_counts)}"
            )
        super().__init__()
        self._last: tuple[int, _FLOATS] | None = None  # a task and its factor

    @property
    def _width(self) -> int:
        """Columns of counts."""
        return self.n_features if self.n_counts is None else self.n_counts

    @property
    def _takes_bits(self) -> bool:  # type: ignore[override]
        return self._width == self.n_features

    @property
    def _outputs(self) -> int:
        return self.n_classes if self.mode == "classification" and self.n_classes > 2 else 1

    @property
    def hyperparameters(self) -> list[Hyperparameters]:
        """Of each task; see the class."""
        found = self._arrays["numbers"][:, 0, :3] if self._arrays else np.zeros((0, 3))
        return [Hyperparameters(*map(float, row)) for row in found]

    # Features.
    def _goes_in_as_it_is(self, X: NDArray[Any]) -> bool:
        return self._takes_bits and super()._goes_in_as_it_is(X)

    def _check_features(self, where: str, X: Any) -> Any:
        return self._check_shape(where, X)  # descriptors need not be finite, and counts are checked where they are read

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any]) -> None:
        if self.mode == "classification":
            check_classes(where, y, w, self.n_tasks, self.n_classes)
        else:
            check_numbers(where, y, w, self.n_tasks)

    def _counts(self, X: NDArray[Any]) -> NDArray[Any]:
        if self._goes_in_as_it_is(X):
            return np.unpackbits(X, axis=1, bitorder="little").astype(np.uint16)
        counts = X[:, : self._width]
        return counts if counts.dtype in _COUNTS else counts.astype(np.float32)

    def _descriptors(self, X: NDArray[Any]) -> _FLOATS:
        if self._goes_in_as_it_is(X):
            return np.zeros((len(X), 0))
        return bounded(X[:, self._width :])

    def _rows(self, X: NDArray[Any], arrays: dict[str, NDArray[Any]]) -> _Rows:
        descriptors = self._descriptors(X)[:, arrays["columns"]]
        return _Rows(self._counts(X), on_scale(descriptors, arrays["centers"], arrays["scales"]))

    # Covariances.
    def _similarity(self, where: str, x: _Rows, z: _Rows, first: int = 0, dtype: Any = np.float64) -> NDArray[Any]:
        try:
            return ops.tanimoto_counts(x.counts, z.counts, dtype=dtype)
        except ValueError:
            bad = np.argwhere(~((x.counts >= 0) & (x.counts <= np.finfo(np.float32).max)))
            if not len(bad):
                raise
            row, column = bad[0].tolist()
            raise ValueError(
                f"{where}: X holds {x.counts[row, column]} at row {first + row}, column {column}; the first {self._width} "
                "columns are counts: finite numbers, 0 or more"
            ) from None

    def _covariance(
        self, where: str, x: _Rows, z: _Rows, chosen: Hyperparameters, unit: float, first: int = 0
    ) -> _FLOATS:
        """The kernel of all pairs, without noise, a block of rows at a time."""
        out = np.empty((len(x), len(z)))
        for start, stop in slices(len(x), _BLOCK):
            part, rows = x.at(slice(start, stop)), out[start:stop]
            if chosen.share > 0:
                np.multiply(self._similarity(where, part, z, first + start), chosen.share, out=rows)
            else:
                rows[...] = 0
            if chosen.share < 1:
                gauss = _distances(part.descriptors.astype(np.float64), z.descriptors.astype(np.float64))
                gauss *= -0.5 / (unit * chosen.length**2)
                rows += (1 - chosen.share) * ops.exp(gauss, out=gauss)
        return out

    def _factor(self, where: str, rows: _Rows, chosen: Hyperparameters, unit: float) -> _FLOATS:
        """Cholesky's factor of the rows' covariance with noise."""
        covariance = self._covariance(where, rows, rows, chosen, unit)
        covariance.flat[:: len(rows) + 1] += chosen.noise
        return ops.cholesky(covariance)

    # Learning.
    def _targets(self, y: _FLOATS) -> _FLOATS:
        """Labels of a task as the columns that are learned: numbers, or -1 and 1."""
        if self.mode == "regression":
            return y[:, None]
        classes = np.arange(self.n_classes)[None, -self._outputs :] if self._outputs > 1 else np.ones((1, 1))
        return np.where(y[:, None] == classes, 1.0, -1.0)

    def _learned(self, where: str, X: NDArray[Any], y: _FLOATS, known: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        rng = np.random.default_rng(self.seed)
        used = np.flatnonzero(known.any(axis=1))
        X, y, known = np.asarray(X)[used], y[used], known[used]
        arrays = scaling(self._descriptors(X))
        rows = self._compact_rows(X, arrays)
        exact = len(rows) <= self.max_exact
        base = rows if exact else rows.at(np.sort(rng.permutation(len(rows))[: self.n_inducing]))
        unit = _median_distance(rows.descriptors)
        inner = np.zeros((0 if exact else self.n_tasks, len(base), len(base)))
        coefficients = np.zeros((len(base), self.n_tasks, self._outputs))
        numbers = np.zeros((self.n_tasks, self._outputs, 7))
        self._last = None
        for tasks, there in task_groups(known):
            tuned = np.sort(rng.permutation(there)[:_TUNED_ROWS])
            parts = self._parts(where, rows.at(tuned), unit)
            for task in tasks:
                targets = self._targets(y[:, task])
                chosen = _tune(parts, targets[tuned])
                means = targets[there].mean(axis=0)
                left = targets[there] - means
                if exact:
                    factor = self._factor(where, rows.at(there), chosen, unit)
                    self._last = (task, factor)
                    found = ops.solve_triangular(factor, ops.solve_triangular(factor, left), transposed=True)
                    coefficients[there, task] = found
                    amplitude = (left * found).mean(axis=0)
                else:
                    outer = self._factor(where, base, chosen._replace(noise=_JITTER), unit)
                    whitened, inner[task], widths = self._projected(where, rows.at(there), base, outer, chosen, unit)
                    left /= widths[:, None]
                    found = ops.solve_triangular(inner[task], ops.matmul(whitened, left))
                    found = ops.solve_triangular(inner[task], found, transposed=True)
                    coefficients[:, task] = ops.solve_triangular(outer, found, transposed=True)
                    amplitude = (left * (left - ops.matmul(whitened, found, transpose_a=True))).mean(axis=0)
                numbers[task, :, :3] = chosen
                numbers[task, :, 3] = np.maximum(amplitude, np.finfo(np.float64).tiny)
                numbers[task, :, 4] = means
                if self.mode == "classification":
                    numbers[task, :, 5:] = _slopes(parts, chosen, targets[tuned])
        return {
            **arrays, "counts": base.counts, "descriptors": base.descriptors, "unit": np.array([unit]),
            "known": (known if exact else known[:0]).astype(np.uint8), "coefficients": coefficients, "numbers": numbers,
            "inner": inner,
        }  # fmt: skip

    def _compact_rows(self, X: NDArray[Any], arrays: dict[str, NDArray[Any]]) -> _Rows:
        """Rows whose counts are uint16 where they fit, else float32: those that the model keeps."""
        rows = self._rows(X, arrays)
        with np.errstate(invalid="ignore"):
            fits = ((rows.counts >= 0) & (rows.counts <= 65535) & (rows.counts == np.floor(rows.counts))).all()
        return _Rows(np.ascontiguousarray(rows.counts, np.uint16 if fits else np.float32), rows.descriptors)

    def _parts(self, where: str, rows: _Rows, unit: float) -> tuple[_FLOATS | None, _FLOATS | None]:
        """Similarities, and squared distances in units of their median; None for a part without columns."""
        wide = rows.descriptors.astype(np.float64)
        return (
            self._similarity(where, rows, rows) if self._width else None,
            _distances(wide, wide) / unit if wide.shape[1] or not self._width else None,
        )

    def _projected(
        self, where: str, rows: _Rows, base: _Rows, outer: _FLOATS, chosen: Hyperparameters, unit: float
    ) -> tuple[_FLOATS, _FLOATS, _FLOATS]:
        """V = L^-1 K_mn, where L is the factor of K_mm, divided by the deviations of rows that it leaves; the factor of
        1 + V V^T; and these deviations."""
        whitened = ops.solve_triangular(outer, self._covariance(where, rows, base, chosen, unit).T)
        widths = np.sqrt(np.maximum(1 - (whitened**2).sum(axis=0), 0) + chosen.noise)
        whitened /= widths
        square = ops.matmul(whitened, whitened, transpose_b=True)
        square.flat[:: len(square) + 1] += 1
        return whitened, ops.cholesky(square), widths

    # Predictions.
    def _base(self) -> _Rows:
        return _Rows(self._arrays["counts"], self._arrays["descriptors"])

    def _given(self, where: str, rows: Any) -> NDArray[Any]:
        if is_dataset(rows) and not hasattr(rows, "X"):
            raise TypeError(f"{where}: needs a dataset that has X, got {type(rows).__name__}")
        X = rows.X if is_dataset(rows) else _arrays.numbers(where, "X", to_host(rows))
        X = self._check_shape(where, X)
        self._check_learned(where)
        return np.asarray(X)

    def _raw(self, where: str, rows: Any) -> NDArray[Any]:
        X, base = self._given(where, rows), self._base()
        ones = np.ones((len(base), 1), np.float32)
        right = np.hstack([base.descriptors, ones, (base.descriptors**2).sum(axis=1, keepdims=True)])
        parts = [
            self._means(where, self._rows(X[i:j], self._arrays), base, right, i) for i, j in slices(len(X), _BLOCK)
        ]
        return np.concatenate(parts)

    def _means(self, where: str, x: _Rows, base: _Rows, right: NDArray[np.float32], first: int) -> NDArray[np.float32]:
        """Predictions of a block of rows: covariances in float32, and their sums in float64, since large coefficients of
        both signs cancel."""
        shares = self._arrays["numbers"][:, 0, 0]
        similar = self._similarity(where, x, base, first, np.float32) if shares.any() else None
        ones = np.ones((len(x), 1), np.float32)
        left = np.hstack([-2 * x.descriptors, (x.descriptors**2).sum(axis=1, keepdims=True), ones])
        found = np.empty((len(x), self.n_tasks, self._outputs), np.float32)
        for task, chosen in enumerate(self.hyperparameters):
            coefficients = np.ascontiguousarray(self._arrays["coefficients"][:, task])
            total = self._sums(chosen, coefficients, similar, left, right)
            found[:, task] = total + self._arrays["numbers"][task, :, 4]
        return self._answer(found)

    def _sums(
        self, chosen: Hyperparameters, coefficients: _FLOATS, similar: Any, left: Any, right: Any
    ) -> NDArray[np.float64]:
        """Covariances times coefficients, (rows, outputs); threads share the strips, also the copies to float64."""
        total = np.zeros((len(left), self._outputs))
        factor = np.float32(-0.5 / (float(self._arrays["unit"][0]) * chosen.length**2))

        def add(rows: tuple[int, int]) -> None:
            i, j = rows
            if similar is not None and chosen.share > 0:
                total[i:j] += chosen.share * ops.matmul(similar[i:j].astype(np.float64), coefficients)
            if chosen.share < 1:
                gauss = ops.matmul(factor * left[i:j], right, transpose_b=True)
                gauss = ops.exp(gauss, out=gauss).astype(np.float64)
                total[i:j] += (1 - chosen.share) * ops.matmul(gauss, coefficients)

        strips = list(slices(len(left), _STRIP))
        if len(strips) < 2 or get_num_threads() < 2:
            for rows in strips:
                add(rows)
            return total
        with ThreadPoolExecutor(min(len(strips), get_num_threads())) as pool:
            list(pool.map(add, strips))
        return total

    def _onnx_raw(self, graph: Graph, *inputs: Any) -> Value:
        X, kept = graph.op("Cast", inputs[0], to=11), self._arrays
        width, base, columns = self._width, self._base(), []
        shares = [chosen.share for chosen in self.hyperparameters]
        similar = distances = None
        if any(shares):
            x = graph.op("Slice", X, np.array([0]), np.array([width]), np.array([1]))
            similar = self._onnx_similarity(graph, x, base.counts)
        if min(shares) < 1:
            found = graph.op("Gather", X, width + kept["columns"], axis=1)
            finite = graph.op("LessOrEqual", graph.op("Abs", found), np.float64(np.finfo(np.float64).max))
            found = graph.op("Where", finite, found, np.float64(0), rank=2)
            found = graph.op("Clip", found, np.float64(-LARGEST), np.float64(LARGEST))
            found = graph.op("Div", graph.op("Sub", found, kept["centers"]), kept["scales"])
            found = graph.op("Clip", found, np.float64(-DEVIATIONS), np.float64(DEVIATIONS))
            z = base.descriptors.astype(np.float64)
            own = graph.op("ReduceSum", graph.op("Mul", found, found), np.array([1]), keepdims=1)
            distances = graph.op("Add", graph.op("MatMul", found, -2 * z.T), graph.op("Add", own, (z**2).sum(axis=1)))
        for task, chosen in enumerate(self.hyperparameters):
            covariance = None if similar is None else graph.op("Mul", similar, np.float64(chosen.share))
            if distances is not None and chosen.share < 1:
                scale = np.float64(-0.5 / (float(kept["unit"][0]) * chosen.length**2))
                gauss = graph.op(
                    "Mul", graph.op("Exp", graph.op("Mul", distances, scale)), np.float64(1 - chosen.share)
                )
                covariance = gauss if covariance is None else graph.op("Add", covariance, gauss)
            scores = graph.op("MatMul", covariance, np.ascontiguousarray(kept["coefficients"][:, task]))
            scores = graph.op("Add", scores, kept["numbers"][task, :, 4])
            columns.append(graph.op("Unsqueeze", scores, np.array([1]), rank=3))
        return self._onnx_answer(graph, graph.op("Concat", *columns, axis=1))

    def _onnx_similarity(self, graph: Graph, x: Value, counts: NDArray[Any]) -> Value:
        """Tanimoto similarities of counts: the smaller of two counts is a sum over the levels that both reach."""
        z = counts.astype(np.float64)
        most = int(z.max(initial=0))
        if most > _ONNX_LEVELS or (z != np.floor(z)).any():
            raise TypeError(
                f"{graph.where}: counts of the training rows are exported where they are whole numbers up to "
                f"{_ONNX_LEVELS}, got {z.max()}"
            )
        both: Any = None
        for level in range(max(1, most)):
            part = graph.op("Clip", graph.op("Sub", x, np.float64(level)), np.float64(0), np.float64(1))
            part = graph.op("MatMul", part, (z > level).T.astype(np.float64))
            both = part if both is None else graph.op("Add", both, part)
        either = graph.op("Add", graph.op("ReduceSum", x, np.array([1]), keepdims=1), z.sum(axis=1))
        either = graph.op("Sub", either, both)
        none = graph.op("LessOrEqual", either, np.float64(0))
        return graph.op("Div", both, graph.op("Where", none, np.float64(1), either, rank=2))

    def _onnx_answer(self, graph: Graph, scores: Value) -> Value:
        """As `_answer`."""
        if self.mode == "regression":
            return graph.op("Cast", graph.op("Squeeze", scores, np.array([2]), rank=2), to=1)
        slopes = self._arrays["numbers"][:, :, 5:]
        ones = graph.op("Add", graph.op("Mul", scores, slopes[:, :, 0]), slopes[:, :, 1])
        ones = graph.op("Sigmoid", ones)
        if self._outputs == 1:
            found = graph.op("Concat", graph.op("Sub", np.float64(1), ones, rank=3), ones, axis=2)
        else:
            found = graph.op("Div", ones, graph.op("ReduceSum", ones, np.array([2]), keepdims=1))
        return graph.op("Cast", found, to=1)

    def _answer(self, scores: NDArray[Any]) -> NDArray[Any]:
        """From scores (N, n_tasks, outputs) to numbers (N, n_tasks) or probabilities (N, n_tasks, classes)."""
        if self.mode == "regression":
            return scores[:, :, 0]
        slopes = self._arrays["numbers"][:, :, 5:].astype(scores.dtype)
        ones = ops.sigmoid(np.ascontiguousarray(slopes[None, :, :, 0] * scores + slopes[None, :, :, 1]))
        if self._outputs == 1:
            return np.concatenate([1 - ones, ones], axis=2)
        found: NDArray[Any] = ones / ones.sum(axis=2, keepdims=True)
        return found

    def _spread(self, scores: _FLOATS, deviations: _FLOATS) -> tuple[_FLOATS, _FLOATS]:
        """Predictions, and their deviations; those of probabilities follow the slope of the logistic function."""
        mean = self._answer(scores)
        if self.mode == "regression":
            return mean, deviations[:, :, 0]
        slope, chance = abs(self._arrays["numbers"][None, :, :, 5]), mean[:, :, -self._outputs :]
        return mean, np.broadcast_to(slope * chance * (1 - chance) * deviations, mean.shape)

    def predict_uncertainty(
        self, dataset: Any, transformers: Any = None, raw: bool = False
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the predictions and their standard deviations, in the units of the measurement.

        Parameters
        ----------
        dataset, transformers, raw
            As in `predict`.

        Returns
        -------
        mean, std : ndarray of float64
            (N, tasks) for regression: the mean, and the deviation of a new measurement (with its noise) from it.
            (N, tasks, classes) for classification: probabilities, and the deviation that the process gives them (without
            noise, by the slope of the logistic function).

        Raises
        ------
        TypeError, ValueError
            As `predict`.
        """
        where = f"{type(self).__name__}.predict_uncertainty"
        chosen = chosen_transformers(where, transformers, raw)
        chosen = check_transformers(where, self.transformers if chosen is None else chosen)

        def both(rows: Any) -> NDArray[Any]:
            mean, std = self._uncertain(where, self._given(where, rows))
            return np.stack(_in_units(mean, std, chosen), axis=1)

        items = self._datapoints(where, dataset, self.featurizer)
        if items is None:
            self._check_features_alike(where, dataset)
            found = both(dataset)
        else:
            found = self._answers(where, items, both, "raise").predictions
        return found[:, 0], found[:, 1]

    def _uncertain(self, where: str, X: NDArray[Any]) -> tuple[_FLOATS, _FLOATS]:
        base, unit = self._base(), float(self._arrays["unit"][0])
        scores = np.empty((len(X), self.n_tasks, self._outputs))
        deviations = np.empty_like(scores)
        for task, chosen in enumerate(self.hyperparameters):
            numbers = self._arrays["numbers"][task]
            coefficients = np.ascontiguousarray(self._arrays["coefficients"][:, task])
            factor, there = self._factor_of(where, task)
            for start, stop in slices(len(X), _BLOCK):
                x = self._rows(X[start:stop], self._arrays)
                covariance = self._covariance(where, x, base, chosen, unit, start)
                scores[start:stop, task] = ops.matmul(covariance, coefficients) + numbers[:, 4]
                whitened = ops.solve_triangular(factor, covariance[:, there].T)
                variance = 1 - (whitened**2).sum(axis=0)
                if len(self._arrays["inner"]):
                    inside = ops.solve_triangular(self._arrays["inner"][task], whitened)
                    variance += (inside**2).sum(axis=0)
                variance = np.maximum(variance, 0) + (chosen.noise if self.mode == "regression" else 0)
                deviations[start:stop, task] = np.sqrt(variance[:, None] * numbers[:, 3])
        return self._spread(scores, deviations)

    def _factor_of(self, where: str, task: int) -> tuple[_FLOATS, NDArray[np.intp]]:
        """The factor of a task's covariance, and its rows of the base. That of the last task asked for is kept."""
        known, base = self._arrays["known"], self._base()
        there = np.flatnonzero(known[:, task]) if len(known) else np.arange(len(base))
        if self._last is None or self._last[0] != task:
            chosen = self.hyperparameters[task]
            chosen = chosen if len(known) else chosen._replace(noise=_JITTER)
            self._last = (task, self._factor(where, base.at(there), chosen, float(self._arrays["unit"][0])))
        return self._last[1], there

    def leave_groups_out(self, dataset: Any, groups: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return what the process would predict for each training row without the labels of the row's group.

        The process is not fitted again: with the inverse P of the covariance of all rows and the coefficients c = P y, the
        rows of a group G have the mean ``y_G - P_GG^-1 c_G`` and the covariance ``P_GG^-1`` (Rasmussen and Williams, section
        5.4.2, for groups). Hyperparameters, the labels' mean, and the scaling of descriptors are those of all rows, as are
        the slopes that turn scores into probabilities.

        Parameters
        ----------
        dataset : Dataset
            The one that the model was fitted to.
        groups : array_like, shape (N,)
            The number of each row's group, such as ``np.unique(scaffolds, return_inverse=True)[1]``; ``range(N)`` leaves out
            each row by itself.

        Returns
        -------
        mean, std : ndarray of float64
            As `predict_uncertainty` returns them; NaN where a label is missing.

        Raises
        ------
        TypeError, ValueError
            For a dataset or groups that do not fit.
        """
        where = f"{type(self).__name__}.leave_groups_out"
        self._check_dataset(where, dataset)
        self._check_learned(where)
        members = _members(where, groups, len(dataset))
        X, (y, known) = np.asarray(dataset.X), self._labels(where, dataset)
        rows, base, unit = self._compact_rows(X, self._arrays), self._base(), float(self._arrays["unit"][0])
        shape = (len(X), self.n_tasks, self._outputs)
        scores, deviations = np.full(shape, np.nan), np.full(shape, np.nan)
        for task, chosen in enumerate(self.hyperparameters):
            there, numbers = np.flatnonzero(known[:, task]), self._arrays["numbers"][task]
            left = self._targets(y[there, task]) - numbers[:, 4]
            if len(self._arrays["inner"]):
                outer, _ = self._factor_of(where, task)
                whitened, inside, widths = self._projected(where, rows.at(there), base, outer, chosen, unit)
                left /= widths[:, None]
                root = ops.solve_triangular(inside, whitened)  # P = 1 - root^T root, in units of the widths
                solved = left - ops.matmul(root, ops.matmul(root, left), transpose_a=True)
            else:
                factor, widths = self._factor(where, rows.at(there), chosen, unit), np.ones(len(there))
                root = ops.solve_triangular(factor, np.eye(len(there)))  # P = root^T root
                solved = ops.matmul(root, ops.matmul(root, left), transpose_a=True)
            for group in members:
                inside_group = np.flatnonzero(np.isin(there, group, assume_unique=True))
                if not len(inside_group):
                    continue
                part = np.ascontiguousarray(root[:, inside_group])
                precision = ops.matmul(part, part, transpose_a=True)
                if len(self._arrays["inner"]):
                    precision = np.eye(len(inside_group)) - precision
                inverse = ops.solve_triangular(ops.cholesky(precision), np.eye(len(inside_group)))
                spread = widths[inside_group]
                change = ops.matmul(inverse, ops.matmul(inverse, solved[inside_group]), transpose_a=True)
                mean = (left[inside_group] - change) * spread[:, None]
                variance = (inverse**2).sum(axis=0) * spread**2 - (0 if self.mode == "regression" else chosen.noise)
                scores[there[inside_group], task] = mean + numbers[:, 4]
                deviations[there[inside_group], task] = np.sqrt(np.maximum(variance[:, None], 0) * numbers[:, 3])
        return _in_units(*self._spread(scores, deviations), self.transformers)

    def _shapes(self, state: dict[str, NDArray[Any]]) -> dict[str, tuple[Any, tuple[int, ...]]]:
        columns, rows = len(state["columns"]), len(state["counts"])
        few = len(state["inner"])
        if few not in (0, self.n_tasks) or state["counts"].dtype not in (np.uint16, np.float32):
            raise ValueError("load_state_dict: counts and inner are not those of a TanimotoGP")
        if len(state["columns"]) and not (
            (state["columns"] >= 0).all() and (state["columns"] < self.n_features - self._width).all()
        ):
            raise ValueError("load_state_dict: columns are beyond the features")
        return {
            "columns": (np.int64, (columns,)), "centers": (np.float64, (columns,)), "scales": (np.float64, (columns,)),
            "counts": (state["counts"].dtype, (rows, self._width)), "descriptors": (np.float32, (rows, columns)),
            "unit": (np.float64, (1,)), "known": (np.uint8, (0 if few else rows, self.n_tasks)),
            "coefficients": (np.float64, (rows, self.n_tasks, self._outputs)),
            "numbers": (np.float64, (self.n_tasks, self._outputs, 7)),
            "inner": (np.float64, (few, rows, rows)),
        }  # fmt: skip

    def load_state_dict(self, state: Any) -> None:
        """Set what was learned; ValueError unless names, shapes, dtypes and values fit."""
        super().load_state_dict(state)
        self._last = None


def _distances(x: _FLOATS, z: _FLOATS) -> _FLOATS:
    """Squared distances of all pairs of rows."""
    found = ops.matmul(x, z, transpose_b=True)
    found *= -2
    found += (x**2).sum(axis=1)[:, None]
    found += (z**2).sum(axis=1)
    return np.maximum(found, 0, out=found)


def _median_distance(descriptors: NDArray[np.float32]) -> float:
    """The median squared distance of up to 1,000 rows."""
    some = descriptors[:: -(-len(descriptors) // 1000) or 1].astype(np.float64)
    found = _distances(some, some)[np.triu_indices(len(some), 1)]
    median = float(np.median(found)) if len(found) else 0.0
    return median if median > 0 else 1.0


def _kernel(parts: tuple[_FLOATS | None, _FLOATS | None], share: float, length: float) -> _FLOATS:
    similar, distances = parts
    if distances is None or share == 1:
        assert similar is not None
        return similar.copy()
    found = ops.exp(distances * (-0.5 / length**2))
    if similar is None:
        return found
    found *= 1 - share
    found += share * similar
    return found


def _evidence(kernel: _FLOATS, noise: float, y: _FLOATS) -> float:
    """The negative logarithm of the marginal likelihood with the best amplitude, up to a constant."""
    kernel.flat[:: len(kernel) + 1] += noise
    factor = ops.cholesky(kernel)
    kernel.flat[:: len(kernel) + 1] -= noise
    amplitude = np.maximum((ops.solve_triangular(factor, y) ** 2).mean(axis=0), np.finfo(np.float64).tiny)
    return float(0.5 * len(y) * np.log(amplitude).sum() + y.shape[1] * np.log(np.diagonal(factor)).sum())


def _tune(parts: tuple[_FLOATS | None, _FLOATS | None], targets: _FLOATS) -> Hyperparameters:
    """The hyperparameters with the largest marginal likelihood: on a grid, then by steps in share and noise.

    The length stays on the grid. Steps between its points reach a larger likelihood, but under a split by scaffold the
    predictions of validation and test rows become worse (ESOL: length 0.70 to 0.84 instead of 1).
    """
    similar, distances = parts
    shares = (0.0,) if similar is None else (1.0,) if distances is None else _SHARES
    y = np.ascontiguousarray(targets - targets.mean(axis=0))
    if not y.any():
        return Hyperparameters(shares[len(shares) // 2], 1.0, 0.1)
    some = np.arange(0, len(y), -(-len(y) // _GRID_ROWS))
    few = (
        None if similar is None else similar[np.ix_(some, some)],
        None if distances is None else distances[np.ix_(some, some)],
    )
    y_few = np.ascontiguousarray(y[some] - y[some].mean(axis=0))
    starts = []  # of each length the best on a few rows, with its value on all of them
    for length in _LENGTHS if distances is not None else (1.0,):
        found = []
        for share in shares:
            kernel = _kernel((few[0], few[1]), share, length)
            found += [(_evidence(kernel, noise, y_few), Hyperparameters(share, length, noise)) for noise in _NOISES]
        chosen = min(found)[1]
        starts.append((_evidence(_kernel(parts, chosen.share, length), chosen.noise, y), chosen))
    step = 0.1 if len(shares) > 1 else 0.0
    return min(_descended(parts, y, *start, step) for start in sorted(starts)[:2])[1]


def _descended(
    parts: tuple[_FLOATS | None, _FLOATS | None], y: _FLOATS, value: float, best: Hyperparameters, step: float
) -> tuple[float, Hyperparameters]:
    """The value and the hyperparameters after steps in share and noise, which are halved where none is better."""
    factor = 2.0
    for _ in range(_ROUNDS):
        before = value
        for near in _neighbours(best, step, factor):
            tried = _evidence(_kernel(parts, near.share, near.length), near.noise, y)
            if tried < value:
                best, value = near, tried
        if value == before:
            step, factor = step / 2, factor**0.5
    return value, best


def _neighbours(chosen: Hyperparameters, step: float, factor: float) -> list[Hyperparameters]:
    """A step up and down in noise and share, within the range of the grid."""
    noises = [chosen.noise * factor, chosen.noise / factor]
    shares = [chosen.share + step, chosen.share - step] if step else []
    return [
        *(chosen._replace(noise=noise) for noise in noises if _NOISES[0] <= noise <= _NOISES[-1]),
        *(chosen._replace(share=share) for share in shares if _SHARES[0] <= share <= _SHARES[-1]),
    ]


def _slopes(parts: tuple[_FLOATS | None, _FLOATS | None], chosen: Hyperparameters, targets: _FLOATS) -> _FLOATS:
    """Slope and offset of the logistic function of each output, by leave-one-out scores in closed form."""
    kernel = _kernel(parts, chosen.share, chosen.length)
    kernel.flat[:: len(kernel) + 1] += chosen.noise
    root = ops.solve_triangular(ops.cholesky(kernel), np.eye(len(kernel)))
    y = targets - targets.mean(axis=0)
    solved = ops.matmul(root, ops.matmul(root, y), transpose_a=True)
    scores = targets - solved / (root**2).sum(axis=0)[:, None]
    return np.array([logistic(column, labels > 0) for column, labels in zip(scores.T, targets.T, strict=True)])


def _members(where: str, groups: Any, rows: int) -> list[NDArray[np.intp]]:
    """The rows of each group."""
    found = whole_numbers(where, "groups", groups)
    if found.shape != (rows,):
        raise ValueError(f"{where}: groups must hold one group for each of {rows} rows, got {shown(groups)}")
    _, numbers = np.unique(found, return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)


def _in_units(mean: _FLOATS, std: _FLOATS, transformers: Any) -> tuple[_FLOATS, _FLOATS]:
    """Mean and deviation with transformers undone; where these are not linear, half of the interval of two deviations."""
    if not transformers:
        return mean, std
    low, high = (undo_transforms(mean + sign * std, transformers) for sign in (-1, 1))
    return undo_transforms(mean, transformers), abs(high - low) / 2
