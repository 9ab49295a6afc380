"""One function a table: find or download, featurize (or take the cached copy), split, transform."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Dataset, DiskDataset, NumpyDataset
from ..feat import CircularFingerprint
from .tables import (
    BACE_CLASSIFICATION,
    BACE_REGRESSION,
    BBBP,
    CLINTOX,
    DELANEY,
    LIPO,
    SAMPL,
    SIDER,
    TOX21,
    Rows,
    Table,
    cache_folder,
    read_table,
)

Loaded = tuple[list[str], tuple[Dataset, Dataset, Dataset], list[Any]]


def load_tox21(
    featurizer: Any = "ECFP",
    splitter: Any = "index",
    transformers: Sequence[Any] = ("balancing",),
    reload: bool = True,
    data_dir: str | Path | None = None,
    save_dir: str | Path | None = None,
    seed: int | None = None,
    errors: str = "mask",
) -> Loaded:
    """Load Tox21: 7,831 molecules, 12 toxicity assays, 77,946 measured labels.

    Parameters
    ----------
    featurizer : "ECFP" or object with ``featurize``
        "ECFP" is `catalase.feat.CircularFingerprint` with radius 2 and 1,024 bits.
    splitter : {"index", "random", "scaffold"}, splitter object, or None
        80 / 10 / 10. None gives the whole table as train, and two empty datasets.
    transformers : sequence of "balancing", "normalization", or transformer objects
        Fitted on train (names only), applied to all three.
    reload : bool
        Use, or make, a featurized copy in `save_dir`; its key holds the digest of the data, the settings and versions.
    data_dir : path, optional
        Searched first for ``tox21.csv.gz`` or ``tox21.csv``; then ``CATALASE_DATA_DIR``, then the user's cache. Where
        none has it, it is downloaded.
    save_dir : path, optional
        For the featurized copy; the user's cache where left out.
    seed : int, optional
        Of the random splitter.
    errors : {"mask", "raise", "drop"}
        A molecule that RDKit refuses: keep it, featurized by "ECFP" from a partial sanitization where the reason is its
        valence, else with weight 0; raise; or leave it out before the split, with a warning (DeepChem's rows).

    Returns
    -------
    tasks : list of str
    datasets : (train, valid, test)
        ``report`` of each lists the molecules that RDKit refuses, in the whole table: today's refuses 8 for their
        valence.
    transformers : list

    Raises
    ------
    ValueError
        For unknown names, a file that is not the table, or with ``errors="raise"`` the first molecule refused.
    OSError
        If the table can neither be found nor downloaded; says how to get it by hand.
    """
    return _load(TOX21, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


def load_delaney(
    featurizer: Any = "ECFP",
    splitter: Any = "scaffold",
    transformers: Sequence[Any] = ("normalization",),
    reload: bool = True,
    data_dir: str | Path | None = None,
    save_dir: str | Path | None = None,
    seed: int | None = None,
    errors: str = "mask",
) -> Loaded:
    """Load ESOL (Delaney): 1,128 molecules and their measured log solubility in mol/l.

    Parameters, returns and errors as `load_tox21`; the file is ``delaney-processed.csv``, the default split is by
    scaffold, and the labels are normalized (undo it with `catalase.trans.undo_transforms`).
    """
    return _load(DELANEY, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


def load_sampl(
    featurizer: Any = "ECFP",
    splitter: Any = "scaffold",
    transformers: Sequence[Any] = ("normalization",),
    reload: bool = True,
    data_dir: str | Path | None = None,
    save_dir: str | Path | None = None,
    seed: int | None = None,
    errors: str = "mask",
) -> Loaded:
    """Load FreeSolv (SAMPL): 642 small molecules and their measured hydration free energy in kcal/mol.

    Parameters, returns and errors as `load_tox21`; the file is ``SAMPL.csv``, the task ``expt``, the default split by
    scaffold, and the labels are normalized (undo it with `catalase.trans.undo_transforms`).

    References
    ----------
    Mobley and Guthrie, J. Comput. Aided Mol. Des. 28 (2014) 711, doi:10.1007/s10822-014-9747-x.
    """
    return _load(SAMPL, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


def load_freesolv(
    featurizer: Any = "ECFP",
    splitter: Any = "random",
    transformers: Sequence[Any] = ("normalization",),
    reload: bool = True,
    data_dir: str | Path | None = None,
    save_dir: str | Path | None = None,
    seed: int | None = None,
    errors: str = "mask",
) -> Loaded:
    """Load FreeSolv, the table of `load_sampl`, with a random split by default.

    Parameters, returns and errors as `load_tox21`.

    Notes
    -----
    DeepChem 2.8's function of this name splits at random, too, but reads another copy of the table, names the task
    ``y`` and featurizes for a molecule attention transformer. Here it is ``SAMPL.csv``, the task ``expt`` in kcal/mol,
    and "ECFP", so that both names give the same rows from one cached copy.
    """
    return _load(SAMPL, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


def load_lipo(
    featurizer: Any = "ECFP",
    splitter: Any = "scaffold",
    transformers: Sequence[Any] = ("normalization",),
    reload: bool = True,
    data_dir: str | Path | None = None,
    save_dir: str | Path | None = None,
    seed: int | None = None,
    errors: str = "mask",
) -> Loaded:
    """Load Lipophilicity: 4,200 molecules and their measured logD (octanol to water, pH 7.4).

    Parameters, returns and errors as `load_tox21`; the file is ``Lipophilicity.csv``, the task ``exp``, the default
    split by scaffold, and the labels are normalized (undo it with `catalase.trans.undo_transforms`).
    """
    return _load(LIPO, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


def load_bbbp(
    featurizer: Any = "ECFP",
    splitter: Any = "scaffold",
    transformers: Sequence[Any] = ("balancing",),
    reload: bool = True,
    data_dir: str | Path | None = None,
    save_dir: str | Path | None = None,
    seed: int | None = None,
    errors: str = "mask",
) -> Loaded:
    """Load BBBP: 2,050 molecules, 1,567 of which pass the blood-brain barrier (``p_np`` is 1).

    Parameters, returns and errors as `load_tox21`; the file is ``BBBP.csv`` and the default split is by scaffold.
    ``report`` lists the 11 molecules that today's RDKit refuses for their valence.

    References
    ----------
    Martins et al., J. Chem. Inf. Model. 52 (2012) 1686, doi:10.1021/ci300124c.
    """
    return _load(BBBP, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


def load_bace_classification(
    featurizer: Any = "ECFP",
    splitter: Any = "scaffold",
    transformers: Sequence[Any] = ("balancing",),
    reload: bool = True,
    data_dir: str | Path | None = None,
    save_dir: str | Path | None = None,
    seed: int | None = None,
    errors: str = "mask",
) -> Loaded:
    """Load BACE: 1,513 molecules, 691 of which inhibit human beta-secretase 1 (``Class`` is 1).

    Parameters, returns and errors as `load_tox21`; the file is ``bace.csv`` (its SMILES are in the column ``mol``; its
    590 descriptors are not read) and the default split is by scaffold.

    References
    ----------
    Subramanian et al., J. Chem. Inf. Model. 56 (2016) 1936, doi:10.1021/acs.jcim.6b00290.
    """
    return _load(BACE_CLASSIFICATION, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


def load_bace_regression(
    featurizer: Any = "ECFP",
    splitter: Any = "scaffold",
    transformers: Sequence[Any] = ("normalization",),
    reload: bool = True,
    data_dir: str | Path | None = None,
    save_dir: str | Path | None = None,
    seed: int | None = None,
    errors: str = "mask",
) -> Loaded:
    """Load BACE: 1,513 molecules and their measured ``pIC50`` against human beta-secretase 1.

    Parameters, returns and errors as `load_tox21`; the molecules are those of `load_bace_classification`, and the
    labels are normalized (undo it with `catalase.trans.undo_transforms`).
    """
    return _load(BACE_REGRESSION, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


def load_clintox(
    featurizer: Any = "ECFP",
    splitter: Any = "scaffold",
    transformers: Sequence[Any] = ("balancing",),
    reload: bool = True,
    data_dir: str | Path | None = None,
    save_dir: str | Path | None = None,
    seed: int | None = None,
    errors: str = "mask",
) -> Loaded:
    """Load ClinTox: 1,484 drugs, approved (``FDA_APPROVED``, 1,390) or failed for toxicity (``CT_TOX``, 112).

    Parameters, returns and errors as `load_tox21`; the file is ``clintox.csv.gz`` and the default split is by scaffold.
    ``report`` lists the 4 molecules that today's RDKit refuses, one for its valence, three
    that cannot be kekulized and so have weight 0.

    References
    ----------
    Gayvert et al., Cell Chem. Biol. 23 (2016) 1294, doi:10.1016/j.chembiol.2016.07.023.
    """
    return _load(CLINTOX, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


def load_sider(
    featurizer: Any = "ECFP",
    splitter: Any = "scaffold",
    transformers: Sequence[Any] = ("balancing",),
    reload: bool = True,
    data_dir: str | Path | None = None,
    save_dir: str | Path | None = None,
    seed: int | None = None,
    errors: str = "mask",
) -> Loaded:
    """Load SIDER: 1,427 drugs and their side effects in 27 classes of system organs.

    Parameters, returns and errors as `load_tox21`; the file is ``sider.csv.gz`` and the default split is by scaffold.

    References
    ----------
    Kuhn et al., Nucleic Acids Res. 44 (2016) D1075, doi:10.1093/nar/gkv1075.
    """
    return _load(SIDER, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


def _load(
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
    if errors not in ("mask", "raise", "drop"):
        raise ValueError(f"molnet: errors must be 'mask', 'raise' or 'drop', got {errors!r}")
    featurizer = _featurizer(featurizer, errors)
    chosen_splitter = _splitter(splitter)
    if isinstance(transformers, str):
        raise TypeError(f"molnet: transformers must be a list, got the string {transformers!r}; wrap it in [ ]")
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
    else:
        parts = list(chosen_splitter.train_valid_test_split(dataset, seed=seed))
    fitted = []
    for transformer in transformers:
        made = _transformer(transformer, parts[0])
        parts = [made.transform(part) if len(part) else part for part in parts]
        fitted.append(made)
    for part in parts:
        part.report = dataset.report
    return list(table.tasks), (parts[0], parts[1], parts[2]), fitted


def _featurized(
    table: Table, rows: Rows, featurizer: Any, reload: bool, save_dir: str | Path | None, errors: str
) -> Dataset:
    """The whole table with features: from the cache where `reload` allows, and into it."""
    config = featurizer.to_config() if hasattr(featurizer, "to_config") else None
    folder = None
    if reload and config is not None:
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
            return copy
        except (OSError, ValueError):
            pass  # not made yet, or damaged: make it (again)
    result = featurizer.featurize(rows.smiles, errors=errors)
    X, kept = result if errors == "drop" else (result, np.arange(len(rows.smiles)))
    report = getattr(featurizer, "report", None)
    w = np.where(np.isnan(rows.y), np.float32(0), np.float32(1))
    if errors == "mask":
        for failure in report.failures if report else []:
            if not np.any(X[failure.position]):
                w[failure.position] = 0  # no features: the row is kept, but counts nowhere
    dataset = NumpyDataset(X, rows.y[kept], w[kept], ids=np.array(rows.smiles)[kept], tasks=table.tasks)
    dataset.report = report
    if folder is not None:
        try:
            DiskDataset.create(folder, [dataset], report=dataset.report)
        except OSError as error:  # the data is at hand, so a full disk or a read-only home is no reason to fail
            warnings.warn(
                f"molnet: the featurized copy could not be kept ({error}); give save_dir a folder that can be written, "
                "or reload=False",
                stacklevel=4,
            )
    return dataset


def _featurizer(featurizer: Any, errors: str) -> Any:
    if featurizer == "ECFP":
        return CircularFingerprint(radius=2, size=1024, partial=errors == "mask")
    if hasattr(featurizer, "featurize"):
        return featurizer
    raise ValueError(f"molnet: featurizer must be 'ECFP' or an object with a featurize method, got {featurizer!r}")


def _splitter(splitter: Any) -> Any:
    from .. import splits

    known = {"index": splits.IndexSplitter, "random": splits.RandomSplitter, "scaffold": splits.ScaffoldSplitter}
    if splitter is None or hasattr(splitter, "train_valid_test_split"):
        return splitter
    if splitter not in known:
        raise ValueError(f"molnet: splitter must be one of {', '.join(known)}, a splitter or None, got {splitter!r}")
    return known[splitter]()


def _transformer(transformer: Any, train: Dataset) -> Any:
    from .. import trans

    if transformer == "balancing":
        return trans.BalancingTransformer(dataset=train)
    if transformer == "normalization":
        return trans.NormalizationTransformer(transform_y=True, dataset=train)
    if hasattr(transformer, "transform"):
        return transformer
    raise ValueError(
        f"molnet: transformers may be 'balancing', 'normalization' or transformer objects, got {transformer!r}"
    )
