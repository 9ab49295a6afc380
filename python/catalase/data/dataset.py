"""Datasets: features X, labels y, weights w and identifiers of a number of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .._internal import arrays as _arrays
from .._internal.numbers import flag, listed, seed_of, shown, whole_number
from .._internal.report import Report
from ..feat.featurizer import Featurizer, checked
from .batch import row_batches
from .frameworks import pytorch_dataset, tf_dataset

_MOST_FILLED_UP = 2**40  # rows of a batch that is filled up: no machine holds more
Rows = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]  # X, y, w and ids of a batch


class Batched(Protocol):
    """What a model learns from: one of the datasets, or another object that has a length and gives batches."""

    def __len__(self) -> int: ...

    @property
    def iterbatches(self) -> Callable[..., Iterable[Any]]: ...


class Dataset:
    """The base of all datasets: four columns of equal length, and ways to iterate over them.

    Attributes
    ----------
    X : ndarray, shape (N, ...)
    y : ndarray, shape (N,) or (N, tasks)
        NaN is a missing label.
    w : ndarray of the shape of y, or (N,)
        A label of weight 0 does not count; missing labels have weight 0.
    ids : ndarray, shape (N,)
        For molecules their SMILES, which the scaffold splitter reads.
    tasks : list
        Names of the columns of y.
    report : Report or None
        The report of the loader that made the dataset.
    featurizer : Featurizer or None
        The featurizer that made X from molecules or sequences. `NetModel.fit` copies it, so that the model accepts those too.
    scaled_by : float
        The factor by which pixels were multiplied in X: 1/255 where X is made of uint8 images, else 1.
    """

    X: NDArray[Any]
    y: NDArray[Any]
    w: NDArray[Any]
    ids: NDArray[Any]
    tasks: list[Any]
    report: Report | None = None
    featurizer: Featurizer | None = None
    scaled_by: float = 1.0

    def __len__(self) -> int:
        return len(self.ids)

    def get_shape(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Return the shapes of X, y, w and ids."""
        return self.X.shape, self.y.shape, self.w.shape, self.ids.shape

    def get_task_names(self) -> list[Any]:
        """Return the names of the tasks, or their numbers if they have no names."""
        return list(self.tasks)

    def select(self, indices: Sequence[int] | NDArray[Any]) -> NumpyDataset:
        """Return a new dataset with a copy of the rows at `indices`, in that order.

        Parameters
        ----------
        indices : sequence of int, or of bool
            Row numbers (-1 is the last row), or a mask of all rows.

        Raises
        ------
        TypeError, ValueError
            For any other value.
        IndexError
            For a row that does not exist.
        """
        rows = _arrays.rows_of("select", "indices", indices, len(self))
        part = NumpyDataset(
            self.X[rows], self.y[rows], self.w[rows], self.ids[rows], tasks=self.tasks, featurizer=self.featurizer
        )
        part.report, part.scaled_by = self.report, self.scaled_by
        return part

    def transform(self, transformer: Any) -> Dataset:
        """Return the transformed dataset."""
        if isinstance(transformer, type) or not callable(getattr(transformer, "transform", None)):
            raise TypeError(
                "transform: transformer must be one such as catalase.trans.NormalizationTransformer(...), got "
                f"{shown(transformer)}"
            )
        return transformer.transform(self)

    def iterbatches(
        self,
        batch_size: int | None = 100,
        epochs: int = 1,
        deterministic: bool = False,
        pad_batches: bool = False,
        seed: int | None = None,
    ) -> Iterator[Rows]:
        """Yield (X, y, w, ids) a batch.

        Parameters
        ----------
        batch_size : int or None
            Rows a batch, 1 or more; None for all. The last batch of an epoch is shorter where rows run out.
        epochs : int
        deterministic : bool
            In order, instead of shuffled anew each epoch.
        pad_batches : bool
            Fill the last batch up by repeating rows with weight 0.
        seed : int, optional
            Of the shuffling.

        Raises
        ------
        ValueError
            For a batch size below 1.
        """
        for _, _, batch in self.numbered_batches(batch_size, epochs, deterministic, pad_batches, seed):
            yield batch

    def numbered_batches(
        self,
        batch_size: int | None = 100,
        epochs: int = 1,
        deterministic: bool = False,
        pad_batches: bool = False,
        seed: int | None = None,
    ) -> Iterator[tuple[int, NDArray[np.int64], Rows]]:
        """Yield (epoch, row numbers, batch): what `iterbatches` gives, and where it comes from."""
        walk = checked_walk(batch_size, epochs, deterministic, pad_batches, seed)
        batch_size, epochs, deterministic, pad_batches, seed = walk
        n = len(self)
        size = n if batch_size is None else batch_size
        an_epoch = max(1, -(-n // max(1, size)))  # batches
        for number, chosen in enumerate(row_batches(n, size, epochs, deterministic, seed)):
            rows, w = filled_up(chosen, self.w, size) if pad_batches else (chosen, self.w[chosen])
            yield number // an_epoch, rows, (self.X[rows], self.y[rows], w, self.ids[rows])

    def itersamples(self) -> Iterator[tuple[Any, Any, Any, Any]]:
        """Yield (x, y, w, id) a row, in order."""
        yield from zip(self.X, self.y, self.w, self.ids, strict=True)

    def make_pytorch_dataset(
        self,
        epochs: int = 1,
        deterministic: bool = False,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> Any:
        """Return a ``torch.utils.data.IterableDataset`` that yields (X, y, w, id) of one row, or of a batch.

        Parameters
        ----------
        epochs : int
        deterministic : bool
            In order, instead of shuffled anew each epoch.
        batch_size : int, optional
            Rows a batch; one row at a time where left out. Give ``DataLoader`` ``batch_size=None`` with batches.
        seed : int, optional
            Of the shuffling; each walk over the dataset has another order where it is left out.

        Raises
        ------
        ImportError
            Without PyTorch.

        Notes
        -----
        X, y and w are NumPy arrays, which ``DataLoader`` makes tensors of without a copy where it has batches. Several workers
        of a ``DataLoader`` share the rows, or batches, among themselves.

        Examples
        --------
        >>> import numpy as np, catalase as ct
        >>> data = ct.data.NumpyDataset(np.ones((5, 3), np.float32), np.zeros((5, 1), np.float32))
        >>> rows = data.make_pytorch_dataset(batch_size=2)  # doctest: +SKIP
        >>> [X.shape for X, y, w, ids in torch.utils.data.DataLoader(rows, batch_size=None)]  # doctest: +SKIP
        [torch.Size([2, 3]), torch.Size([2, 3]), torch.Size([1, 3])]
        """
        walk = checked_walk(batch_size, epochs, deterministic, False, seed, "make_pytorch_dataset")
        return pytorch_dataset(self, *walk)

    def make_tf_dataset(
        self,
        batch_size: int | None = 100,
        epochs: int = 1,
        deterministic: bool = False,
        pad_batches: bool = False,
        seed: int | None = None,
    ) -> Any:
        """Return a ``tf.data.Dataset`` that yields (X, y, w) a batch.

        Parameters
        ----------
        batch_size, epochs, deterministic, pad_batches
            As for `iterbatches`.
        seed : int, optional
            Of the shuffling; each walk over the dataset has another order where it is left out.

        Raises
        ------
        ImportError
            Without TensorFlow.
        TypeError
            If X, y or w are no arrays of numbers, such as graphs and sequences, or there are no rows.

        Examples
        --------
        >>> import numpy as np, catalase as ct
        >>> data = ct.data.NumpyDataset(np.ones((5, 3), np.float32), np.zeros((5, 1), np.float32))
        >>> [X.shape for X, y, w in data.make_tf_dataset(2)]  # doctest: +SKIP
        [TensorShape([2, 3]), TensorShape([2, 3]), TensorShape([1, 3])]
        """
        return tf_dataset(self, *checked_walk(batch_size, epochs, deterministic, pad_batches, seed, "make_tf_dataset"))

    def to_dataframe(self, library: str = "pandas") -> Any:
        """Return the dataset as a data frame, as DeepChem does.

        Parameters
        ----------
        library : {"pandas", "polars", "arrow"}

        Returns
        -------
        pandas.DataFrame, polars.DataFrame or pyarrow.Table
            With the columns X (or X1, X2 ..., where there are several features), y, w and ids; those of y and w likewise.

        Raises
        ------
        TypeError
            Where X or y are no matrices.
        ImportError
            Where the library is not installed.
        """
        from .frames import to_frame

        return to_frame("to_dataframe", self, library)

    def _repr_html_(self) -> str:
        """What a notebook shows: the columns and, of molecules, the first structures."""
        from .._internal.markup import card, grid, picture

        facts = [(name, f"{shape}") for name, shape in zip("Xyw", self.get_shape()[:3], strict=True)]
        facts += [("tasks", ", ".join(map(str, self.tasks[:10])) + (", ..." if len(self.tasks) > 10 else ""))]
        facts += [("featurizer", repr(self.featurizer))] if self.featurizer is not None else []
        shown_ids = [str(name) for name in self.ids[:4]]
        rows = [shown_ids]
        if self.featurizer is not None and self.featurizer.reads == "SMILES":
            from ..chem.drawing import molecule_svg

            rows.insert(0, [picture(molecule_svg(text, 180, 130)) for text in shown_ids])
        return card(f"{type(self).__name__}: {len(self):,} rows", facts, grid([], rows) if shown_ids else "")

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {shape}" for name, shape in zip("Xyw", self.get_shape()[:3], strict=True))
        return f"{type(self).__name__}({len(self)} rows, {shapes})"


def checked_walk(
    batch_size: Any, epochs: Any, deterministic: Any, pad_batches: Any, seed: Any, where: str = "iterbatches"
) -> tuple[Any, ...]:
    """Return the arguments of `Dataset.iterbatches` as Python's own values; refuse what is none."""
    pad_batches = flag(where, "pad_batches", pad_batches)
    if batch_size is not None:
        batch_size = whole_number(where, "batch_size", batch_size, 1, _MOST_FILLED_UP if pad_batches else None)
    epochs = whole_number(where, "epochs", epochs, 0)
    return batch_size, epochs, flag(where, "deterministic", deterministic), pad_batches, seed_of(where, seed)


def filled_up(rows: NDArray[np.int64], w: Any, size: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """A batch's rows, repeated until there are `size`, and their weights: 0 for what is repeated."""
    short = size - len(rows)
    if short <= 0:
        return rows, w[rows]
    filled = np.concatenate([rows, np.resize(rows, short)])
    weights = w[filled]
    weights[len(rows) :] = 0
    return filled, weights


class NumpyDataset(Dataset):
    """A dataset in memory. Arrays are used without a copy.

    Parameters
    ----------
    X : array_like, shape (N, ...), or sparse matrix of SciPy (N, n_features)
        Of a sparse matrix the dataset keeps a CSR matrix, float32 or float64; dense nets take it without making it dense.
    y : array_like, shape (N,) or (N, tasks), optional
        NaN, masked elements, None and pandas' NA are missing labels. Without y there are no tasks.
    w : array_like, shape of y or (N,), optional
        Ones by default. A missing label always gets weight 0 (in a copy; your array is not changed).
    ids : array_like, shape (N,), optional
        Row numbers by default.
    tasks : sequence, optional
        Names of the columns of y.
    featurizer : Featurizer, optional
        The featurizer that made X, such as `catalase.feat.CircularFingerprint`.

    Raises
    ------
    TypeError
        For arrays of Python objects, text, complex numbers or dates, and any other object as featurizer.
    ValueError
        For lengths or shapes that do not fit, weights that are negative, NaN or infinite, labels beyond float32, and masked
        elements of X, w or ids.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> data = ct.data.NumpyDataset(np.ones((3, 2)), np.array([1.0, np.nan, 0.0]))
    >>> data.w
    array([1., 0., 1.], dtype=float32)
    """

    def __init__(
        self,
        X: Any,
        y: Any = None,
        w: Any = None,
        ids: Any = None,
        tasks: Sequence[Any] | None = None,
        featurizer: Featurizer | None = None,
    ) -> None:
        self.X = (_arrays.sparse_rows if _arrays.is_scipy(X) else _arrays.numbers)("NumpyDataset", "X", X)
        self.featurizer = checked("NumpyDataset", featurizer)
        if self.X.ndim == 0:
            raise ValueError("NumpyDataset: X must have rows, got a single number")
        self.y, self.w, self.ids, self.tasks = checked_columns("NumpyDataset", self.X.shape[0], y, w, ids, tasks)
        self.report = None

    @classmethod
    def from_dataframe(
        cls,
        df: Any,
        X: Any = None,
        y: Any = None,
        w: Any = None,
        ids: Any = None,
        featurizer: Featurizer | None = None,
    ) -> NumpyDataset:
        """Make a dataset of the columns of a data frame.

        `CSVLoader` takes a frame of SMILES.

        Parameters
        ----------
        df : data frame of pandas or polars, or table of Arrow
        X, y, w : str or list of str, optional
            The columns of features, labels and weights; the labels' names become ``tasks``. By default those that
            `to_dataframe` writes: X, or X1, X2 and so on.
        ids : str, optional
            The column of identifiers; by default "ids", where there is one.
        featurizer : Featurizer, optional
            As of the class.

        Raises
        ------
        TypeError, ValueError
            For anything but a frame, for columns that are missing (the error names those that are there), and as the class.

        Examples
        --------
        >>> import pandas as pd, catalase as ct
        >>> frame = pd.DataFrame({"weight": [46.1, 30.1], "rings": [0, 0], "logP": [-0.3, None]})
        >>> data = ct.data.NumpyDataset.from_dataframe(frame, X=["weight", "rings"], y="logP")
        >>> data.X.shape, data.w.ravel().tolist(), data.tasks
        ((2, 2), [1.0, 0.0], ['logP'])
        """
        from .frames import columns_for

        return cls(**columns_for("NumpyDataset.from_dataframe", df, X, y, w, ids), featurizer=featurizer)


class Columns(NamedTuple):
    """The columns of a dataset other than X."""

    y: NDArray[Any]
    w: NDArray[Any]
    ids: NDArray[Any]
    tasks: list[Any]


def checked_columns(function: str, n: int, y: Any, w: Any, ids: Any, tasks: Any) -> Columns:
    """Return labels, weights and identifiers of n rows as arrays, and the names of the tasks; see `NumpyDataset`."""
    y = np.zeros((n, 0), np.float32) if y is None else _arrays.labels(function, "y", y)
    ids = np.arange(n) if ids is None else _arrays.names(function, "ids", ids)
    for name, column in (("y", y), ("ids", ids)):
        if column.ndim == 0 or len(column) != n:
            raise ValueError(f"{function}: X has {n} rows but {name} has shape {column.shape}")
    w = _weights(function, w, y)
    count = 1 if y.ndim == 1 else int(np.prod(y.shape[1:], dtype=np.int64))
    names = list(range(count)) if tasks is None else task_names(function, tasks)
    if tasks is not None and y.ndim <= 2 and len(names) != count:
        raise ValueError(f"{function}: {len(names)} task names for {count} columns of y")
    return Columns(y, w, ids.astype(str) if ids.dtype.hasobject else ids, names)


def _weights(function: str, w: Any, y: NDArray[Any]) -> NDArray[Any]:
    missing = np.isnan(y) if y.dtype.kind == "f" else None
    if w is None:
        weights = np.ones(y.shape, np.float32)
        if missing is not None:
            weights[missing] = 0
        return weights
    n = len(y)
    weights = _arrays.numbers(function, "w", w)
    if weights.ndim == 0 or len(weights) != n:
        raise ValueError(f"{function}: X has {n} rows but w has shape {weights.shape}")
    if weights.shape != y.shape and weights.shape not in ((n,), (n, 1)):
        raise ValueError(f"{function}: w must have the shape of y {y.shape}, or ({n},); got {weights.shape}")
    if weights.dtype.kind in "fi" and not _arrays.are_weights(weights).all():
        raise ValueError(f"{function}: weights w must be 0 or more, and not NaN or infinite")
    if missing is not None and missing.any():
        aligned = weights.reshape(weights.shape + (1,) * (missing.ndim - weights.ndim))
        if (np.broadcast_to(aligned, missing.shape)[missing] != 0).any():
            weights = np.where(missing, np.zeros((), weights.dtype), aligned)
    return weights


def task_names(function: str, tasks: Any, numbers: bool = True) -> list[Any]:
    """Return the names of tasks, or where allowed their numbers, as a list of Python values, which can be saved."""
    given = listed(function, "tasks", tasks, "names")
    names = [task.item() if isinstance(task, np.generic) else task for task in given]
    for name in names:
        if not isinstance(name, (str, int, float) if numbers else str) or name != name:
            raise TypeError(f"{function}: tasks must be a list of names, got {shown(name)} among them")
    return names
