"""Molecules to features and datasets."""

import numpy as np
from numpy.typing import NDArray

import catalase as ct

SMILES = ["C" * n + end for n in range(1, 9) for end in ("O", "N", "Cl", "c1ccccc1")]
SIZE = 512


def labels() -> NDArray[np.float32]:
    return np.array([[len(text) / 2] for text in SMILES], np.float32)


def dataset() -> ct.data.NumpyDataset:
    featurizer = ct.feat.CircularFingerprint(size=SIZE)
    dense: NDArray[np.float32] = featurizer.featurize(SMILES)
    return ct.data.NumpyDataset(dense, labels(), ids=SMILES, featurizer=featurizer)


def graphs() -> ct.data.GraphDataset:
    return ct.data.GraphDataset(ct.feat.MolGraphFeaturizer().featurize(SMILES), labels(), ids=SMILES)


def outputs() -> int:
    """What each way of asking for fingerprints gives."""
    packed: NDArray[np.uint8] = ct.ops.ecfp(SMILES)
    counts: NDArray[np.uint32] = ct.ops.ecfp(SMILES, output="counts", radius=3)
    dense, kept = ct.ops.ecfp([*SMILES, "C1CC"], output="dense", errors="drop")
    (indptr, indices, shape), numbers, report = ct.ops.ecfp(SMILES, output="csr", errors="drop", return_report=True)
    values, failures = ct.ops.descriptors([*SMILES, "C1CC"], errors="mask", return_report=True)
    found = ct.ops.mol_graphs(SMILES)
    bits, rows = ct.feat.AtomPairFingerprint().featurize(SMILES, errors="drop", output="packed")
    tokens = ct.feat.DNAOneHotFeaturizer(4).featurize(["ACGT"], errors="mask")
    lengths = [len(packed), len(counts), len(dense), len(kept), len(indptr) - 1, shape[0], len(numbers), report.kept]
    lengths += [len(found), len(bits), len(rows), len(values) - len(failures.failures), len(SMILES) * len(tokens)]
    return len(set(lengths)) if indices.size else 0


def parts() -> list[tuple[int, int]]:
    """Splits keep the kind of the dataset."""
    train, valid, test = ct.splits.RandomSplitter().train_valid_test_split(dataset(), seed=1)
    first: ct.data.NumpyDataset = train
    some, rest = ct.splits.IndexSplitter().train_test_split(graphs(), 0.75)
    second: ct.data.GraphDataset = some
    folds: list[tuple[ct.data.NumpyDataset, ct.data.NumpyDataset]] = ct.splits.ScaffoldSplitter().k_fold_split(first, 3)
    return [(len(first), len(valid) + len(test)), (len(second), len(rest)), *((len(a), len(b)) for a, b in folds)]
