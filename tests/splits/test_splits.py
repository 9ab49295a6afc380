"""Tests that splitters use every row once, in the promised cuts and orders, and raise clear errors."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import catalase as ct
from catalase import splits

SMILES = [
    "c1ccccc1C", "c1ccccc1N", "C1CC1", "C1CCC1", "CC", "CCC", "c1ccccc1O", "C1CC1F", "not a molecule",
    "C(C)(C)(C)(C)(C)C", " c1ccccc1 ", "C\u041e", "", "N1CCCC1", "OC1CCCC1",
]  # fmt: skip


class Rows:
    """As much of a dataset as splitters look at."""

    def __init__(self, ids: Any, y: Any = None, w: Any = None) -> None:
        self.ids = np.asarray(ids, dtype=object)
        self.y = np.zeros(len(self.ids)) if y is None else np.asarray(y)
        self.w = np.ones(self.y.shape) if w is None else np.asarray(w)

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, rows: np.ndarray) -> Rows:
        return Rows(self.ids[rows], self.y[rows], self.w[rows])


ALL = [splits.IndexSplitter(), splits.RandomSplitter(), splits.RandomStratifiedSplitter(), splits.ScaffoldSplitter()]
by_name = pytest.mark.parametrize("splitter", ALL, ids=lambda splitter: type(splitter).__name__)


@by_name
@pytest.mark.parametrize("fractions", [(0.8, 0.1, 0.1), (1, 0, 0), (0, 0, 1), (0.5, 0.5, 0), (1 / 3, 1 / 3, 1 / 3)])
@pytest.mark.parametrize("size", [1, 2, 15])
def test_every_row_once(splitter: splits.Splitter, fractions: tuple[float, float, float], size: int) -> None:
    parts = splitter.split(Rows(SMILES[:size]), *fractions, seed=3)
    assert [part.dtype for part in parts] == [np.int64] * 3
    assert sorted(np.concatenate(parts).tolist()) == list(range(size))
    if not isinstance(splitter, splits.ScaffoldSplitter):
        assert len(parts[0]) == int(fractions[0] * size + 1e-9)


@by_name
def test_seed_is_honoured(splitter: splits.Splitter) -> None:
    rows = Rows(SMILES * 10, y=np.arange(150) % 7 == 0)
    first, again, other = (splitter.split(rows, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    differs = any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert differs == isinstance(splitter, (splits.RandomSplitter, splits.RandomStratifiedSplitter))


def test_random_without_seed_differs() -> None:
    rows = Rows(SMILES * 10)
    assert not np.array_equal(splits.RandomSplitter().split(rows)[0], splits.RandomSplitter().split(rows)[0])


def test_index_cuts_are_deepchems_and_survive_rounding() -> None:
    sizes = [len(part) for part in splits.IndexSplitter().split(range(7831))]
    assert sizes == [6264, 783, 784]
    # 0.7 + 0.1 is 0.7999999999999999
    assert [len(part) for part in splits.IndexSplitter().split(range(10), 0.7, 0.1, 0.2)] == [7, 1, 2]


def test_labels_of_steps_are_not_stratified() -> None:
    data = ct.data.SequenceDataset([[4, 5], [6]], [[0, 1], [1]], per_step=True)
    with pytest.raises(ValueError, match="labels of steps cannot be stratified by row; use RandomSplitter"):
        splits.RandomStratifiedSplitter().split(data)


def test_stratified_spreads_rare_positives() -> None:
    y = np.zeros((1000, 2))
    y[:50, 0] = 1
    y[40:140, 1] = 1
    rows = Rows(["x"] * 1000, y)
    for seed in range(5):
        train, valid, test = splits.RandomStratifiedSplitter().split(rows, seed=seed)
        assert abs(y[train].sum(axis=0) - [40, 80]).max() <= 3
        assert abs(y[valid].sum(axis=0) - [5, 10]).max() <= 3
        assert abs(y[test].sum(axis=0) - [5, 10]).max() <= 3


@pytest.mark.parametrize("fractions", [(0.5, 0, 0.5), (0.8, 0.1, 0.1), (0, 0.4, 0.6)])
def test_positives_of_one_task_are_split_exactly(fractions: tuple[float, float, float]) -> None:
    y = np.zeros((100, 1))
    y[:20] = 1
    for seed in range(30):
        parts = splits.RandomStratifiedSplitter().split(Rows(["x"] * 100, y), *fractions, seed=seed)
        assert [int(y[part].sum()) for part in parts] == [round(20 * f) for f in fractions], seed
        assert [len(part) for part in parts] == [round(100 * f) for f in fractions], seed
        assert sorted(np.concatenate(parts).tolist()) == list(range(100))


def test_scaffold_folds_are_deepchems() -> None:
    smiles = ["c1ccccc1C", "C1CC1", "c1ccccc1N", "C1CCC1", "CC", "c1ccncc1", "C1CC1C", "CCC", "c1ccncc1O", "C1CCC1O",
              "C1CCCC1", "c1ccoc1"]  # fmt: skip
    folds = [sorted(held.ids.tolist()) for _, held in splits.ScaffoldSplitter().k_fold_split(Rows(smiles), 3)]
    assert folds == [  # of DeepChem 2.8.0
        ["CC", "CCC", "c1ccncc1", "c1ccncc1O"],
        ["C1CC1", "C1CC1C", "c1ccccc1C", "c1ccccc1N"],
        ["C1CCC1", "C1CCC1O", "C1CCCC1", "c1ccoc1"],
    ]


def test_scaffold_sets_order_and_unreadable_rows() -> None:
    sets = splits.ScaffoldSplitter().scaffold_sets(Rows(SMILES))
    # size descending, then first index descending; unreadable rows 8, 9, 11, 12 alone, chains 4 and 5 together
    assert sets == [[0, 1, 6, 10], [4, 5], [2, 7], [14], [13], [12], [11], [9], [8], [3]]


def test_murcko_scaffold() -> None:
    assert splits.murcko_scaffold("CCO") == ""
    assert splits.murcko_scaffold("xyz") is None
    assert splits.murcko_scaffold("C\u041e") is None
    assert splits.murcko_scaffold("C1C[C@H](N)C[C@@H]1c1ccccc1\n") == "c1ccc(C2CCCC2)cc1"


def reference_deepchem(
    smiles: list[str], frac_train: float, frac_valid: float
) -> tuple[list[int], list[int], list[int]]:
    """DeepChem 2.8's rule, written out for readable rows."""
    from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

    groups: dict[str, list[int]] = {}
    for row, text in enumerate(smiles):
        groups.setdefault(MurckoScaffoldSmiles(smiles=text), []).append(row)
    ordered = sorted(groups.items(), key=lambda item: (len(item[1]), item[1][0]), reverse=True)
    train: list[int] = []
    valid: list[int] = []
    test: list[int] = []
    for _, rows in ordered:
        if len(train) + len(rows) > frac_train * len(smiles):
            if len(train) + len(valid) + len(rows) > (frac_train + frac_valid) * len(smiles):
                test += rows
            else:
                valid += rows
        else:
            train += rows
    return train, valid, test


def check_against_reference(smiles: list[str]) -> None:
    expected = reference_deepchem(smiles, 0.8, 0.1)
    found = splits.ScaffoldSplitter().split(Rows(smiles))
    assert [part.tolist() for part in found] == [list(part) for part in expected]


def test_scaffold_split_is_deepchems() -> None:
    check_against_reference([smiles for row, smiles in enumerate(SMILES) if row not in (8, 9, 10, 11, 12)] * 3)


def test_scaffold_split_is_deepchems_on_esol(data_dir: Path) -> None:
    found = sorted(data_dir.glob("**/delaney-processed.csv*"))
    if not found:
        pytest.skip("delaney-processed.csv is not in CATALASE_DATA_DIR")
    opener = gzip.open if found[0].suffix == ".gz" else open
    with opener(found[0], "rt", encoding="utf-8", newline="") as stream:
        check_against_reference([row["smiles"].strip() for row in csv.DictReader(stream)])


def test_scaffold_never_straddles() -> None:
    rows = Rows(SMILES * 3)
    part = np.empty(len(rows), dtype=int)
    for number, indices in enumerate(splits.ScaffoldSplitter().split(rows, 0.5, 0.25, 0.25)):
        part[indices] = number
    for group in splits.ScaffoldSplitter().scaffold_sets(rows):
        assert len(set(part[group])) == 1


def test_scaffold_needs_smiles() -> None:
    with pytest.raises(TypeError, match="SMILES strings"):
        splits.ScaffoldSplitter().split(Rows([0, 1, 2]))


@by_name
def test_datasets_of_a_split(splitter: splits.Splitter) -> None:
    rows = Rows(SMILES)
    train, valid, test = splitter.train_valid_test_split(rows, seed=1)
    indices = splitter.split(rows, seed=1)
    for part, chosen in zip((train, valid, test), indices, strict=True):
        assert part.ids.tolist() == rows.ids[chosen].tolist()
    train, test = splitter.train_test_split(rows, frac_train=0.7, seed=1)
    assert len(train) + len(test) == len(rows)


@by_name
@pytest.mark.parametrize("k", [2, 3, 15])
def test_folds_hold_out_each_row_once(splitter: splits.Splitter, k: int) -> None:
    rows = Rows([f"{smiles}" for smiles in SMILES], y=np.arange(15))
    folds = splitter.k_fold_split(rows, k, seed=2)
    assert len(folds) == k
    assert sorted(np.concatenate([held.y for _, held in folds]).tolist()) == list(range(15))
    for train, held in folds:
        assert sorted([*train.y, *held.y]) == list(range(15))
    if not isinstance(splitter, splits.ScaffoldSplitter):
        sizes = [len(held) for _, held in folds]
        assert max(sizes) - min(sizes) <= 1


def test_index_folds_are_consecutive() -> None:
    folds = splits.IndexSplitter().k_fold_split(Rows(range(6), y=np.arange(6)), 3)
    assert [held.y.tolist() for _, held in folds] == [[0, 1], [2, 3], [4, 5]]


@by_name
def test_bad_arguments(splitter: splits.Splitter) -> None:
    rows = Rows(SMILES)
    with pytest.raises(ValueError, match=r"must sum to 1, but 0\.8 \+ 0\.1 \+ 0\.2 = 1\.1"):
        splitter.split(rows, 0.8, 0.1, 0.2)
    for bad in [(-0.1, 0.6, 0.5), (float("nan"), 0.5, 0.5), (1.5, -0.5, 0)]:
        with pytest.raises(ValueError, match="between 0 and 1"):
            splitter.split(rows, *bad)
    with pytest.raises(ValueError, match="no rows"):
        splitter.split(Rows([]))
    for k in (1, 0, 16):
        with pytest.raises(ValueError, match="between 2 and the number of rows, 15"):
            splitter.k_fold_split(rows, k)
    with pytest.raises(TypeError, match="k must be an integer"):
        splitter.k_fold_split(rows, 2.0)  # type: ignore[arg-type]


def test_bad_seed() -> None:
    with pytest.raises(TypeError, match="seed must be an integer"):
        splits.RandomSplitter().split(Rows(SMILES), seed=1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="negative"):
        splits.RandomSplitter().split(Rows(SMILES), seed=-1)
