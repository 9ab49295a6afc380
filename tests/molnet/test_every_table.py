"""Tests of each loader on a small table of its form, and on the real one if CATALASE_DATA_DIR has it."""

from __future__ import annotations

import csv
import gzip
import hashlib
import inspect
import io

import numpy as np
import pytest

from catalase import molnet
from catalase.molnet import loaders, tables
from catalase.molnet import loading as _load

# loader, table, default splitter, kind of labels, and of the real table: rows, positives a task (or labels' range), refused
CASES = [
    ("load_tox21", "TOX21", "index", "classes", 7831, 5862, 8),
    ("load_delaney", "DELANEY", "scaffold", "values", 1128, (-11.6, 1.58), 0),
    ("load_sampl", "SAMPL", "scaffold", "values", 642, (-25.47, 3.43), 0),
    ("load_freesolv", "SAMPL", "random", "values", 642, (-25.47, 3.43), 0),
    ("load_lipo", "LIPO", "scaffold", "values", 4200, (-1.5, 4.5), 0),
    ("load_bbbp", "BBBP", "scaffold", "classes", 2050, 1567, 11),
    ("load_bace_classification", "BACE_CLASSIFICATION", "scaffold", "classes", 1513, 691, 0),
    ("load_bace_regression", "BACE_REGRESSION", "scaffold", "values", 1513, (2.5445461, 10.522879), 0),
    ("load_clintox", "CLINTOX", "scaffold", "classes", 1484, 1502, 4),
    ("load_sider", "SIDER", "scaffold", "classes", 1427, 21868, 0),
]
IDS = [case[0] for case in CASES]
EVERY = pytest.mark.parametrize(("loader", "table", "splitter", "kind"), [case[:4] for case in CASES], ids=IDS)

MOLECULES = [f"C1CC{'C' * i}1" for i in range(8)] + [f"c1ccccc1{'C' * i}" for i in range(10)] + ["CCO", "CCN"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Nothing is looked for outside the test's own folder."""
    monkeypatch.setattr(tables, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(_load, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("CATALASE_DATA_DIR", raising=False)
    return tmp_path


def _make(folder, monkeypatch, name, kind, molecules=MOLECULES, missing=()):
    """Write a table with the real one's columns, and put its counts and digest in the place of the real ones."""
    table = getattr(tables, name)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["a column, not read", *table.tasks, table.smiles])
    for i, smiles in enumerate(molecules):
        value = (i * 7) % 3 % 2 if kind == "classes" else i / 4 - 1
        writer.writerow(["x", *("" if (i, t) in missing else value for t in range(len(table.tasks))), smiles])
    data = text.getvalue().encode()
    labels = len(molecules) * len(table.tasks) - len(missing)
    digest = hashlib.sha256(data).hexdigest()
    made = table._replace(rows=len(molecules), labels=labels, sha256=digest, url="http://127.0.0.1:9/none")
    monkeypatch.setattr(loaders, name, made)
    (folder / table.file).write_bytes(gzip.compress(data) if table.file.endswith(".gz") else data)


def test_the_list_of_loaders_is_complete():
    assert sorted(IDS) == sorted(molnet.__all__)


@EVERY
def test_arguments_and_defaults(loader, table, splitter, kind):
    parameters = inspect.signature(getattr(molnet, loader)).parameters
    assert list(parameters) == [
        "featurizer",
        "splitter",
        "transformers",
        "reload",
        "data_dir",
        "save_dir",
        "seed",
        "errors",
    ]
    assert parameters["featurizer"].default == "ECFP" and parameters["splitter"].default == splitter
    assert list(parameters["transformers"].default) == ["balancing" if kind == "classes" else "normalization"]


@EVERY
def test_splits_and_transformers(loader, table, splitter, kind, folder, monkeypatch):
    _make(folder, monkeypatch, table, kind)
    tasks, parts, transformers = getattr(molnet, loader)(data_dir=folder, reload=False, seed=3)
    train = parts[0]
    assert tasks == list(getattr(tables, table).tasks) and train.y.shape == (16, len(tasks))
    assert [p.X.shape for p in parts] == [(16, 1024), (2, 1024), (2, 1024)]
    assert sorted(i for p in parts for i in p.ids) == sorted(MOLECULES), "every row once"
    assert all(p.report.failures == [] for p in parts)
    if kind == "classes":
        for t in range(len(tasks)):
            positive, negative = (train.w[train.y[:, t] == c, t].sum() for c in (1, 0))
            assert np.isclose(positive, negative)
    else:
        assert abs(train.y.mean()) < 1e-6 and abs(train.y.std() - 1) < 1e-6
        rows = [MOLECULES.index(i) for i in parts[2].ids]
        assert np.allclose(transformers[0].untransform(parts[2].y)[:, 0], np.array(rows) / 4 - 1, atol=1e-5)


@EVERY
def test_a_missing_label_has_weight_0(loader, table, splitter, kind, folder, monkeypatch):
    last = len(getattr(tables, table).tasks) - 1
    _make(folder, monkeypatch, table, kind, missing={(1, last), (4, last)})
    _, parts, _ = getattr(molnet, loader)(data_dir=folder, splitter=None, reload=False)
    assert np.flatnonzero(parts[0].w[:, last] == 0).tolist() == [1, 4]
    assert np.count_nonzero(parts[0].w) == 20 * (last + 1) - 2 and np.isnan(parts[0].y).sum() == 2


@EVERY
def test_what_rdkit_refuses_is_kept_and_listed(loader, table, splitter, kind, folder, monkeypatch):
    molecules = [*MOLECULES[:18], "CC(=O)O[AlH3](O)O", "c1cccc1"]  # a valence; a ring that has no Kekule form
    _make(folder, monkeypatch, table, kind, molecules)
    _, (train, valid, test), _ = getattr(molnet, loader)(data_dir=folder, splitter=None, transformers=[], reload=False)
    assert [len(p) for p in (train, valid, test)] == [20, 0, 0]
    assert [(f.position, f.text) for f in train.report.failures] == [(18, molecules[18]), (19, molecules[19])]
    assert train.X[18].any() and train.w[18].all(), "featurized from a partial sanitization"
    assert not train.X[19].any() and not train.w[19].any(), "no features, so it counts nowhere"


@EVERY
def test_what_rdkit_refuses_raises_or_is_left_out_on_request(loader, table, splitter, kind, folder, monkeypatch):
    molecules = ["C1CC1", "CC(=O)O[AlH3](O)O", *MOLECULES[2:19], "c1cccc1"]
    _make(folder, monkeypatch, table, kind, molecules)
    load = getattr(molnet, loader)
    with pytest.raises(ValueError, match="AlH3"):
        load(data_dir=folder, reload=False, errors="raise")
    options = {"data_dir": folder, "save_dir": folder / "save", "splitter": None, "transformers": []}
    assert len(load(**options)[1][0]) == 20
    for _ in range(2):  # made, then read again: a copy of its own
        with pytest.warns(UserWarning, match="2 of .*'s 20 molecules could not be read and were left out"):
            part = load(**options, errors="drop")[1][0]
        assert part.ids.tolist() == [molecules[0], *molecules[2:19]] and (part.w == 1).all()
        assert [f.position for f in part.report.failures] == [1, 19], "counted in the table"
        expected = [(i * 7) % 3 % 2 if kind == "classes" else i / 4 - 1 for i in [0, *range(2, 19)]]
        assert part.y[:, -1].tolist() == expected
    with pytest.raises(ValueError, match="errors must be"):
        load(data_dir=folder, errors="ignore")


@EVERY
def test_the_copy_is_used_again_and_is_the_tables_own(loader, table, splitter, kind, folder, monkeypatch):
    _make(folder, monkeypatch, table, kind, [*MOLECULES[:19], "c1cccc1"])
    load = getattr(molnet, loader)
    first = load(data_dir=folder, save_dir=folder / "save", seed=1)[1]
    monkeypatch.setattr(_load.CircularFingerprint, "featurize", None)  # any further featurization would fail
    again = load(data_dir=folder, save_dir=folder / "save", seed=1)[1]
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.X, b.X) and np.array_equal(a.y, b.y) and np.array_equal(a.w, b.w)
        assert a.ids.tolist() == b.ids.tolist() and [f.position for f in b.report.failures] == [19]


def test_the_two_bace_tables_share_a_file_but_no_copy(folder, monkeypatch):
    _make(folder, monkeypatch, "BACE_REGRESSION", "values")
    text = (folder / "bace.csv").read_text().replace("pIC50", "Class,pIC50", 1)
    lines = text.splitlines()
    rows = [lines[0]] + [",".join(("x", str(i % 2), *line.split(",")[1:])) for i, line in enumerate(lines[1:])]
    (folder / "bace.csv").write_text("\n".join(rows) + "\n")
    monkeypatch.setattr(loaders, "BACE_CLASSIFICATION", tables.BACE_CLASSIFICATION._replace(rows=20, labels=20))
    options = {"data_dir": folder, "save_dir": folder / "save", "splitter": None, "transformers": []}
    values = molnet.load_bace_regression(**options)[1][0].y[:, 0]
    classes = molnet.load_bace_classification(**options)[1][0].y[:, 0]
    assert np.allclose(values, np.arange(20) / 4 - 1) and classes.tolist() == [i % 2 for i in range(20)]


def test_both_names_of_freesolv_are_one_table(folder, monkeypatch):
    _make(folder, monkeypatch, "SAMPL", "values")
    a, b = (
        load(data_dir=folder, splitter=None, reload=False)[1][0] for load in (molnet.load_sampl, molnet.load_freesolv)
    )
    assert np.array_equal(a.X, b.X) and np.array_equal(a.y, b.y)


def test_crlf_line_ends_are_the_same_table(folder, monkeypatch):
    _make(folder, monkeypatch, "BACE_CLASSIFICATION", "classes")
    before = molnet.load_bace_classification(data_dir=folder, splitter=None, reload=False)[1][0]
    (folder / "bace.csv").write_bytes((folder / "bace.csv").read_bytes().replace(b"\n", b"\r\n"))
    after = molnet.load_bace_classification(data_dir=folder, splitter=None, reload=False)[1][0]
    assert np.array_equal(before.X, after.X) and np.array_equal(before.y, after.y)


@pytest.mark.parametrize(("loader", "table", "splitter", "kind", "rows", "labels", "refused"), CASES, ids=IDS)
def test_the_real_table(loader, table, splitter, kind, rows, labels, refused, data_dir, tmp_path):
    expected = getattr(tables, table)
    path = tables.find_table(expected, data_dir)
    data = path.read_bytes()
    plain = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    assert hashlib.sha256(plain).hexdigest() == expected.sha256
    load = getattr(molnet, loader)
    tasks, (every, _, _), _ = load(splitter=None, transformers=[], save_dir=tmp_path)
    assert every.X.shape == (rows, 1024) and every.y.shape == (rows, len(tasks))
    no_features = ~every.X.any(axis=1)
    assert np.count_nonzero(every.w) == expected.labels - no_features.sum() * len(tasks)
    if kind == "classes":
        assert set(np.unique(every.y[every.w > 0])) == {0, 1} and np.nansum(every.y) == labels
    else:
        assert np.allclose((every.y.min(), every.y.max()), labels, atol=1e-6)
    assert len(every.report.failures) == refused or refused, "RDKit versions differ in what they refuse"
    parts = load(save_dir=tmp_path, seed=0)[1]
    assert sum(len(p) for p in parts) == rows and len(parts[0]) == int(0.8 * rows)
