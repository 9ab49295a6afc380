"""The work of every loader: find the table, featurize it or take the cached copy, split, transform."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._internal.numbers import choice, flag, listed, path_of, seed_of, shown
from ..data import Dataset, DiskDataset, GraphDataset, NumpyDataset
from ..data.graph import dataset_in_memory, is_empty
from ..feat import CircularFingerprint, ConvMolFeaturizer, Featurizer, MolGraphConvFeaturizer, MolGraphFeaturizer
from ..feat.featurizer import checked
from .tables import Rows, Table, cache_folder, read_table

Loaded = tuple[list[str], tuple[Dataset, Dataset, Dataset], list[Any]]


def load(
    table: Table,
    featurizer: Any,
    splitter: Any,
    transformers: Sequence[Any],
    reload: bool,
    data_dir: str | Path | None,
    save_dir: str | Path | None,
    seed: int | None,
    errors: str,
) -> Loaded:
    """Load one table; the arguments are those of `load_tox21`."""
    choice("molnet", "errors", errors, ("mask", "raise", "drop"))
    reload, seed = flag("molnet", "reload", reload), seed_of("molnet", seed)
    data_dir, save_dir = _folder("data_dir", data_dir), _folder("save_dir", save_dir)
    featurizer = _featurizer(featurizer, errors)
    chosen_splitter = _splitter(splitter)
    if isinstance(transformers, str):
        raise TypeError(f"molnet: transformers must be a list, got the string {transformers!r}; wrap it in [ ]")
    transformers = [_known(one) for one in listed("molnet", "transformers", transformers, "transformers")]
    rows = read_table(table, data_dir)
    dataset = _featurized(table, rows, featurizer, reload, save_dir, errors)
    if len(dataset) < len(rows.smiles):
        warnings.warn(
            f"molnet: {len(rows.smiles) - len(dataset)} of {table.name}'s {len(rows.smiles):,} molecules could not be read "
            'and were left out; see .report, or keep them with errors="mask"',
            stacklevel=3,
        )
    if chosen_splitter is None:
        nothing = np.zeros(0, np.int64)
        parts = [dataset, dataset.select(nothing), dataset.select(nothing)]
    elif isinstance(splitter, str):
        parts = [_part(dataset, chosen) for chosen in chosen_splitter.split(dataset, seed=seed)]
    else:
        parts = list(chosen_splitter.train_valid_test_split(dataset, seed=seed))
    fitted = []
    for transformer in transformers:
        made = _transformer(transformer, parts[0])
        parts = [_transformed(part, made) if len(part) else part for part in parts]
        fitted.append(made)
    for part in parts:
        part.report = dataset.report
    return list(table.tasks), (parts[0], parts[1], parts[2]), fitted


def _featurized(
    table: Table, rows: Rows, featurizer: Any, reload: bool, save_dir: str | Path | None, errors: str
) -> Dataset:
    """Return the whole table with features; with ``reload`` a cached copy is read, or made."""
    config = featurizer.to_config() if hasattr(featurizer, "to_config") else None
    own = checked("molnet", featurizer if isinstance(featurizer, Featurizer) else None)
    folder = None
    if reload and config is not None and getattr(featurizer, "makes_rows", True):
        import rdkit

        from .. import __version__

        kind = f"{type(featurizer).__module__}.{type(featurizer).__qualname__}"
        key = [table.name, rows.digest, kind, config, errors, __version__, rdkit.__version__]
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
        root = Path(save_dir) if save_dir else cache_folder() / "featurized"
        folder = root / f"{table.file.split('.')[0]}-{digest}"
        try:
            copy = DiskDataset(folder)
            copy.verify()
            copy.featurizer = own
            return copy
        except (OSError, ValueError):
            pass  # the copy is missing or damaged, and is made below
    result = featurizer.featurize(rows.smiles, errors=errors)
    X, kept = result if errors == "drop" else (result, slice(None))
    report = getattr(featurizer, "report", None)
    w = np.where(np.isnan(rows.y), np.float32(0), np.float32(1))
    if errors == "mask":
        for failure in report.failures if report else []:
            if is_empty(X[failure.position]):
                w[failure.position] = 0  # the row has no features: it is kept, and has no weight anywhere
    dataset = dataset_in_memory(X, rows.y[kept], w[kept], ids=np.array(rows.smiles)[kept], tasks=table.tasks)
    dataset.report = report
    if folder is not None:
        try:
            DiskDataset.create(folder, [dataset], report=dataset.report)
        except RuntimeError:  # another process is writing the same copy
            pass
        except OSError as error:  # the data are in memory, so a full disk or a read-only home is no reason to fail
            warnings.warn(
                f"molnet: the featurized copy could not be kept ({error}); give save_dir a folder that can be written, "
                "or reload=False",
                stacklevel=4,
            )
    dataset.featurizer = own
    return dataset


def _part(dataset: Dataset, rows: np.ndarray) -> Dataset:
    """Select rows; consecutive rows are not copied, since the whole table is not used anywhere else."""
    if (
        not isinstance(dataset, NumpyDataset)
        or len(rows) == 0
        or not np.array_equal(rows, rows[0] + np.arange(len(rows)))
    ):
        return dataset.select(rows)
    run = slice(rows[0], rows[-1] + 1)
    part = NumpyDataset(
        dataset.X[run],
        dataset.y[run],
        dataset.w[run],
        dataset.ids[run],
        tasks=dataset.tasks,
        featurizer=dataset.featurizer,
    )
    part.report = dataset.report
    return part


def _transformed(part: Dataset, transformer: Any) -> Dataset:
    """Return a part after a transformer; graphs keep their form, and only y and w change."""
    return part.transform(transformer) if isinstance(part, GraphDataset) else transformer.transform(part)


def _featurizer(featurizer: Any, errors: str) -> Any:
    if _offers(featurizer, "featurize"):
        return featurizer
    if not isinstance(featurizer, str) or featurizer not in _NAMED:
        raise ValueError(
            f"molnet: featurizer must be {', '.join(map(repr, _NAMED))} or an object with a featurize method, got "
            f"{shown(featurizer)}"
        )
    if featurizer == "ECFP":
        return CircularFingerprint(radius=2, size=1024, partial=errors == "mask")
    if featurizer == "GraphConv":
        return ConvMolFeaturizer()
    return MolGraphConvFeaturizer(use_edges=True) if featurizer == "MolGraphConv" else MolGraphFeaturizer("dmpnn")


_NAMED = ("ECFP", "GraphConv", "MolGraphConv", "DMPNN")


def _splitter(splitter: Any) -> Any:
    from .. import splits

    if splitter is None or _offers(splitter, "train_valid_test_split"):
        return splitter
    if not isinstance(splitter, str) or splitter not in splits.NAMED:
        raise ValueError(
            f"molnet: splitter must be one of {', '.join(splits.NAMED)}, a splitter or None, got {shown(splitter)}"
        )
    return splits.NAMED[splitter]()


def _transformer(transformer: Any, train: Dataset) -> Any:
    from .. import trans

    if not isinstance(transformer, str):
        return transformer
    if transformer == "balancing":
        return trans.BalancingTransformer(dataset=train)
    return trans.NormalizationTransformer(transform_y=True, dataset=train)


def _known(transformer: Any) -> Any:
    """Return a transformer, or the name of one that is fitted later; refuse anything else."""
    named = isinstance(transformer, str) and transformer in ("balancing", "normalization")
    if named or _offers(transformer, "transform"):
        return transformer
    raise ValueError(
        f"molnet: transformers may be 'balancing', 'normalization' or transformer objects, got {shown(transformer)}"
    )


def _offers(thing: Any, method: str) -> bool:
    return not isinstance(thing, type) and callable(getattr(thing, method, None))


def _folder(name: str, folder: Any) -> Path | None:
    return None if folder is None or (isinstance(folder, str) and not folder) else path_of("molnet", name, folder)
