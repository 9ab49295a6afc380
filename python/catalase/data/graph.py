"""Datasets of molecular graphs, in memory and in shards on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal import storage
from .._internal.arrays import refuse_masked, rows_of
from .._internal.numbers import flag, is_whole, path_of, shown, walked, whole_number
from .._internal.report import Report
from ..feat.featurizer import Featurizer, checked
from ..ops.mol_graphs import FEATURE_SETS, MolGraphs, joined
from .dataset import Dataset, NumpyDataset, checked_columns
from .ragged import RaggedArray
from .sequence import SequenceDataset
from .shard_list import FORMAT_OF_GRAPHS, MANIFEST, ShardList, claim_folder
from .shards import ColumnSpec, NpyShards, column_spec

VERSION, VERSION_WITH_EXTRA = 1, 2
_BY_MOLECULE = ("atom_counts", "bond_counts", "y", "w", "ids")
_BY_ATOM = ("atom_codes", "atom_floats")
_BY_BOND = ("bond_codes", "source", "target")  # directed bonds


class ShardedGraphs:
    """The graphs of several shards; an access reads only its rows. Indexing gives `MolGraphs`."""

    def __init__(self, parts: Sequence[MolGraphs]) -> None:
        self.parts = list(parts)
        self.features = self.parts[0].features
        self._starts = np.cumsum([0, *map(len, self.parts)])

    ndim = 1

    @property
    def shape(self) -> tuple[int]:
        """The number of molecules."""
        return (len(self),)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, rows: Any) -> MolGraphs:
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        elif is_whole(rows):
            if not -len(self) <= rows < len(self):
                raise IndexError(f"ShardedGraphs: row {rows} does not exist, there are {len(self)} molecules")
            rows = np.array([rows])
        rows = rows_of("ShardedGraphs", "rows", rows, len(self))
        which = np.searchsorted(self._starts, rows, side="right") - 1
        used = np.unique(which)
        places = [np.flatnonzero(which == shard) for shard in used]
        found = [self.parts[shard][rows[here] - self._starts[shard]] for shard, here in zip(used, places, strict=True)]
        if not found:
            return self.parts[0][:0]
        order = np.concatenate(places)
        together = joined(found)
        return together if np.array_equal(order, np.arange(len(order))) else together[np.argsort(order)]

    def __array__(self, *_: Any, **__: Any) -> NDArray[Any]:
        raise TypeError("ShardedGraphs: graphs are no array of numbers; packed() gives MolGraphs")

    @property
    def atom_counts(self) -> NDArray[np.int64]:
        """The number of atoms of each molecule."""
        return np.concatenate([part.atom_counts for part in self.parts])

    @property
    def extra(self) -> NDArray[np.float32]:
        """The extra features of all molecules; see `MolGraphs`."""
        return np.concatenate([part.extra for part in self.parts])

    def packed(self) -> MolGraphs:
        """Return all graphs, packed together in memory."""
        return joined(self.parts)

    def __repr__(self) -> str:
        return f"ShardedGraphs({len(self)} molecules in {len(self.parts)} shards, features={self.features!r})"


def is_empty(x: Any) -> bool:
    """Return whether a row of X has no features, as that of a molecule that could not be read."""
    return len(x.atom_codes) == 0 if isinstance(x, MolGraphs) else not np.any(x)


class GraphDataset(Dataset):
    """A dataset of molecular graphs.

    Parameters
    ----------
    graphs : MolGraphs
        One for each row, as `catalase.ops.mol_graphs` or a featurizer makes them.
    y, w, ids, tasks
        As `NumpyDataset`.
    featurizer : Featurizer, optional
        The featurizer that made the graphs, such as `catalase.feat.MolGraphFeaturizer`.

    Attributes
    ----------
    X : MolGraphs or ShardedGraphs
        A dataset that was loaded from several shards reads the graphs that it is indexed by; ``X.packed()`` reads all.

    Raises
    ------
    TypeError
        For anything but `MolGraphs`.
    ValueError
        For lengths of the other columns that do not fit, and as `NumpyDataset`.

    Notes
    -----
    Batches come as (X, y, w, ids) with X the `MolGraphs` of the batch, in the order of `NumpyDataset`. A molecule that could
    not be read under ``errors="mask"`` has a graph without atoms.

    Examples
    --------
    >>> import catalase as ct
    >>> featurizer = ct.feat.MolGraphFeaturizer()
    >>> data = ct.data.GraphDataset(featurizer.featurize(["CCO", "c1ccccc1", "CN"]), [1.0, 2.0, 3.0])
    >>> data
    GraphDataset(3 rows, X (3,), y (3,), w (3,))
    >>> X, y, w, ids = next(data.iterbatches(2, deterministic=True))
    >>> X, y.tolist()
    (MolGraphs(2 molecules, 9 atoms, 16 directed bonds, features='dmpnn'), [1.0, 2.0])
    """

    X: Any

    def __init__(
        self,
        graphs: Any,
        y: Any = None,
        w: Any = None,
        ids: Any = None,
        tasks: Sequence[Any] | None = None,
        featurizer: Featurizer | None = None,
    ) -> None:
        if not isinstance(graphs, (MolGraphs, ShardedGraphs)):
            raise TypeError(
                "GraphDataset: graphs must be MolGraphs, as catalase.ops.mol_graphs(smiles) gives them, got "
                f"{shown(graphs)}"
            )
        self.X = graphs
        self.featurizer = checked("GraphDataset", featurizer)
        self.y, self.w, self.ids, self.tasks = checked_columns("GraphDataset", len(graphs), y, w, ids, tasks)
        self.report = None

    def select(self, indices: Any) -> GraphDataset:  # type: ignore[override]
        """Return the rows at `indices`, in that order, as a new dataset in memory."""
        rows = rows_of("select", "indices", indices, len(self))
        return self._with(self.X[rows], self.y[rows], self.w[rows], self.ids[rows])

    def transform(self, transformer: Any) -> GraphDataset:
        """Return the dataset with labels and weights transformed.

        Raises
        ------
        TypeError
            For a transformer of X, which needs rows of numbers.
        """
        if isinstance(transformer, type) or not callable(getattr(transformer, "transform_array", None)):
            raise TypeError(
                "transform: transformer must be one such as catalase.trans.NormalizationTransformer(...), got "
                f"{shown(transformer)}"
            )
        if transformer.transform_X:
            raise TypeError(f"GraphDataset.transform: {type(transformer).__name__} changes X; only y and w can be")
        _, y, w = transformer.transform_array(self.X, self.y, self.w)
        return self._with(self.X, y, w, self.ids)

    def _with(self, X: Any, y: Any, w: Any, ids: Any) -> GraphDataset:
        part = GraphDataset(X, y, w, ids, self.tasks, self.featurizer)
        part.report = self.report
        return part

    @staticmethod
    def merge(datasets: Sequence[GraphDataset]) -> GraphDataset:
        """Return the rows of several datasets one after the other, as one dataset in memory.

        Parameters
        ----------
        datasets : sequence of GraphDataset
            Of one feature set, with labels and weights of one shape and equal tasks. The featurizer is kept if all agree.
        """
        parts = _graph_datasets("GraphDataset.merge", "datasets", datasets)
        first = parts[0]
        for part in parts:
            _check_fits("GraphDataset.merge", first, part)
        graphs = joined([part.X if isinstance(part.X, MolGraphs) else part.X.packed() for part in parts])
        y, w, ids = (np.concatenate([getattr(part, column) for part in parts]) for column in ("y", "w", "ids"))
        agree = first.featurizer is not None and all(
            part.featurizer is not None and first.featurizer.agrees_with(part.featurizer) for part in parts
        )
        return GraphDataset(graphs, y, w, ids, first.tasks, first.featurizer if agree else None)

    def save(self, path: str | Path, shard_size: int | None = None) -> GraphDataset:
        """Write the dataset into a folder, and return it as `load` does.

        Parameters
        ----------
        path : path
            The folder; it is made if it does not exist. A dataset in it is replaced once all files are on disk.
        shard_size : int, optional
            Rows of a shard; all in one if not given.
        """
        size = max(1, len(self)) if shard_size is None else whole_number("GraphDataset.save", "shard_size", shard_size)
        starts = range(0, max(1, len(self)), size)
        shards = (self.select(np.arange(start, min(start + size, len(self)))) for start in starts)
        return GraphDataset.create(path, shards, report=self.report)

    @staticmethod
    def create(
        path: str | Path, shards: Iterable[GraphDataset], *, report: Report | Callable[[], Report] | None = None
    ) -> GraphDataset:
        """Write datasets as the shards of one dataset, which replaces that of the folder once all are on disk.

        Parameters
        ----------
        path : path
        shards : iterable of GraphDataset
            One or more, as for `merge`; they are read one at a time.
        report : Report or callable, optional
            The loader's report; a function is called after the last shard.

        Raises
        ------
        ValueError
            If the folder holds other data, or shards do not fit together.
        RuntimeError
            While another writer writes there.
        """
        function = "GraphDataset.create"
        folder = path_of(function, "path", path)
        shards = walked(function, "shards", shards, "datasets")
        if report is not None and not isinstance(report, Report) and not callable(report):
            raise TypeError(
                f"{function}: report must be a Report, a function that gives one, or None, got {shown(report)}"
            )
        claim_folder(function, folder)
        first: GraphDataset | None = None
        with storage.writing(function, folder) as locked:
            for shard in shards:
                (shard,) = _graph_datasets(function, "shards", [shard])
                if first is None:
                    first, written = shard, _GraphShards(folder, bool(_extra_columns(shard.X)))
                _check_fits(function, first, shard)
                written.carry(function, shard)
                written.add(shard)
            if first is None:
                raise ValueError(f"{function}: there must be at least one shard in shards")
            told = report() if callable(report) else report
            if told is not None and not isinstance(told, Report):
                raise TypeError(f"{function}: report must give a Report or None, got {shown(told)}")
            if locked:
                written.keep_readers()
            written.commit(list(first.tasks), told, {"features": first.X.features})
            if locked:
                written.sweep()
            return GraphDataset.load(folder)

    @staticmethod
    def load(path: str | Path, *, verify: bool = True) -> GraphDataset:
        """Return the dataset of a folder that `save` or `create` wrote. Graphs are mapped from their files.

        Parameters
        ----------
        path : path
        verify : bool
            Whether to compare the checksum of each file.

        Raises
        ------
        FileNotFoundError
            If the folder holds no dataset.
        ValueError
            If a file was altered or is truncated, or the folder holds a dataset of another kind.
        """
        folder = path_of("GraphDataset.load", "path", path)
        verify = flag("GraphDataset.load", "verify", verify)
        file = folder / MANIFEST
        if not file.is_file():
            raise FileNotFoundError(
                f"GraphDataset.load: {folder} holds no manifest.json; give a folder that save wrote"
            )
        data, hold = storage.hold_for_reading(file)
        manifest = storage.verify_digest(storage.parse_json(data, file), file)
        version = manifest.get("format_version")
        if manifest.get("format") != FORMAT_OF_GRAPHS or version not in (VERSION, VERSION_WITH_EXTRA):
            raise ValueError(
                f"GraphDataset.load: {file} is no dataset of graphs of format version {VERSION} or {VERSION_WITH_EXTRA}; "
                "catalase.data.DiskDataset opens datasets of arrays"
            )
        try:
            made = _read(folder, manifest, verify)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"GraphDataset.load: {file} lacks a field or has one of the wrong type ({error})"
            ) from None
        made._hold = hold
        return made

    _hold: Any = None  # the files stay as long as this dataset is open

    def __getstate__(self) -> dict[str, Any]:
        state = vars(self) | {"_hold": None}
        return state | {"X": self.X.packed() if isinstance(self.X, ShardedGraphs) else self.X}


def dataset_in_memory(X: Any, *columns: Any, **options: Any) -> Dataset:
    """Return a dataset of what a featurizer gave: of graphs, of sequences (some of them empty), else a `NumpyDataset`."""
    make: Any = GraphDataset if isinstance(X, MolGraphs) else NumpyDataset
    if isinstance(X, RaggedArray):
        make, options = SequenceDataset, {**options, "empty": "keep"}
    dataset: Dataset = make(X, *columns, **options)
    return dataset


def _graph_datasets(function: str, name: str, datasets: Any) -> list[GraphDataset]:
    parts = list(walked(function, name, datasets, "datasets"))
    for part in parts:
        if not isinstance(part, GraphDataset):
            raise TypeError(f"{function}: {name} must be GraphDatasets, got {shown(part)}")
    if not parts:
        raise ValueError(f"{function}: there must be at least one dataset in {name}")
    return parts


def _check_fits(function: str, first: GraphDataset, part: GraphDataset) -> None:
    """Refuse datasets that are no parts of one."""
    for what, one, other in (
        ("features", first.X.features, part.X.features),
        ("number of extra features", _extra_columns(first.X), _extra_columns(part.X)),
        ("tasks", list(first.tasks), list(part.tasks)),
        ("y", first.y.shape[1:], part.y.shape[1:]),
        ("w", first.w.shape[1:], part.w.shape[1:]),
    ):
        if one != other:
            raise ValueError(f"{function}: all datasets must have one {what}, got {one!r} and {other!r}")


def _extra_columns(X: MolGraphs | ShardedGraphs) -> int:
    columns: int = X[:0].extra.shape[1]
    return columns


def _by_molecule(version: int) -> tuple[str, ...]:
    return _BY_MOLECULE if version == VERSION else (*_BY_MOLECULE, "extra")


class _GraphShards(ShardList):
    """The shards of a `GraphDataset`: a file for each array; one for extra features only where there are any."""

    def __init__(self, folder: Path, with_extra: bool) -> None:
        super().__init__(folder)
        self.format = (FORMAT_OF_GRAPHS, VERSION_WITH_EXTRA if with_extra else VERSION)
        self.columns = (*_by_molecule(self.format[1]), *_BY_ATOM, *_BY_BOND)

    def arrays_of(self, shard: Any) -> dict[str, NDArray[Any]]:
        graphs = shard.X if isinstance(shard.X, MolGraphs) else shard.X.packed()
        for column in ("y", "w", "ids"):
            refuse_masked("GraphDataset", column, getattr(shard, column))
        counts = {"atom_counts": graphs.atom_counts, "bond_counts": np.diff(graphs.bond_offsets)}
        others = counts | {column: np.asarray(getattr(shard, column)) for column in ("y", "w", "ids")}
        return others | {column: getattr(graphs, column) for column in self.columns if column not in others}

    def lengths_of(self, arrays: dict[str, NDArray[Any]]) -> dict[str, int]:
        return {"rows": len(arrays["ids"]), "atoms": len(arrays["atom_codes"]), "bonds": len(arrays["source"])}


def _read(folder: Path, manifest: dict[str, Any], verify: bool) -> GraphDataset:
    features = manifest["extra"]["features"]
    if features not in FEATURE_SETS:
        raise ValueError(f"GraphDataset.load: {folder} has the features {features!r}, which this version does not know")
    by_molecule = _by_molecule(manifest["format_version"])
    groups = (("rows", by_molecule), ("atoms", _BY_ATOM), ("bonds", _BY_BOND))
    forms = {column: column_spec(manifest["columns"][column]) for _, columns in groups for column in columns}
    files = {}
    for length, columns in groups:
        files[length] = _shards(folder, manifest["shards"], length, columns, forms, verify)
    parts = []
    for number in range(len(manifest["shards"])):
        arrays = {column: files[length].read(number, column) for length, group in groups for column in group}
        offsets: list[Any] = [
            np.concatenate([[0], np.cumsum(arrays[column])]).astype(np.int64) for column in _BY_MOLECULE[:2]
        ]
        try:
            packed = [arrays[column] for column in (*_BY_ATOM, *_BY_BOND, "extra") if column in arrays]
            parts.append(MolGraphs(features, *offsets, *packed))
        except (TypeError, ValueError) as error:
            raise ValueError(f"GraphDataset.load: shard {number} of {folder} holds no graphs ({error})") from None
    y, w, ids = (
        np.concatenate([files["rows"].read(number, column) for number in range(len(parts))])
        for column in ("y", "w", "ids")
    )
    featurizer = None if manifest["featurizer"] is None else Featurizer.build(manifest["featurizer"])
    made = GraphDataset(
        parts[0] if len(parts) == 1 else ShardedGraphs(parts), y, w, ids, list(manifest["tasks"]), featurizer
    )
    made.report = Report.from_dict(manifest["report"]) if manifest["report"] else None
    return made


def _shards(
    folder: Path,
    entries: list[dict[str, Any]],
    length: str,
    columns: tuple[str, ...],
    forms: dict[str, ColumnSpec],
    verify: bool,
) -> NpyShards:
    names = [{column: _GraphShards.checked_name(folder, entry[column]) for column in columns} for entry in entries]
    counts = [whole_number("GraphDataset.load", length, entry[length], 0) for entry in entries]
    if not counts:
        raise ValueError(f"GraphDataset.load: {folder} has no shards; make the dataset again")
    shards = NpyShards(folder, names, counts, forms, verify)
    for column in columns:
        shards.check_sizes(column)
    return shards
