"""The loaders, one function for each table; ``loading.py`` has the code that they share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .loading import Loaded, load
from .tables import BACE_CLASSIFICATION, BACE_REGRESSION, BBBP, CLINTOX, DELANEY, LIPO, SAMPL, SIDER, TOX21


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
    featurizer : {"ECFP", "GraphConv", "MolGraphConv", "DMPNN"}, or object with ``featurize``
        "ECFP" is `catalase.feat.CircularFingerprint` with radius 2 and 1,024 bits. The others make molecular graphs
        (`GraphDataset`): `catalase.feat.ConvMolFeaturizer`, `MolGraphConvFeaturizer` with edges, and `MolGraphFeaturizer`.
    splitter : {"index", "random", "scaffold"}, splitter object, or None
        The parts are 80 / 10 / 10 percent. None gives the whole table as train, and two empty datasets.
    transformers : sequence of "balancing", "normalization", or transformer objects
        Transformers given by name are fitted on train; all are applied to the three datasets.
    reload : bool
        Use, or make, a featurized copy in `save_dir` (not of graphs, which take less time to make). Its key
        is made of the data's digest, the settings and versions.
    data_dir : path, optional
        This folder is searched for ``tox21.csv.gz`` or ``tox21.csv`` first, then ``CATALASE_DATA_DIR``, then the user's
        cache. A table that is in none of them is downloaded.
    save_dir : path, optional
        The folder for the featurized copy; by default the user's cache.
    seed : int, optional
        The seed of the random splitter.
    errors : {"mask", "raise", "drop"}
        The treatment of a molecule that RDKit refuses. "mask" keeps it: "ECFP" featurizes it from a partial sanitization
        where the reason is its valence, and otherwise it has weight 0. "raise" raises; "drop" leaves it out before the
        split, with a warning (DeepChem's rows).

    Returns
    -------
    tasks : list of str
    datasets : (train, valid, test)
        The ``report`` of each lists the molecules of the whole table that RDKit refuses: today's RDKit refuses 8, for
        their valence.
    transformers : list

    Raises
    ------
    ValueError
        For unknown names, a file that is not the table, or with ``errors="raise"`` the first molecule refused.
    OSError
        If the table can neither be found nor downloaded; the message says how to get it by hand.
    """
    return load(TOX21, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


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
    return load(DELANEY, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


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
    return load(SAMPL, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


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
    return load(SAMPL, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


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
    return load(LIPO, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


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
    return load(BBBP, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


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
    return load(BACE_CLASSIFICATION, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


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
    return load(BACE_REGRESSION, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


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
    ``report`` lists the 4 molecules that today's RDKit refuses: one for its valence, and three that cannot be kekulized
    and so have weight 0.

    References
    ----------
    Gayvert et al., Cell Chem. Biol. 23 (2016) 1294, doi:10.1016/j.chembiol.2016.07.023.
    """
    return load(CLINTOX, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)


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
    return load(SIDER, featurizer, splitter, transformers, reload, data_dir, save_dir, seed, errors)
