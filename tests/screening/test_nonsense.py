"""Nonsense in every argument of screening: `screen`, `merge` and `Hits`."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import catalase as ct
from catalase import screening
from catalase.screening import Hits
from tests.nonsense import Target, call, report

KINDS = {
    "model": "path", "library": "path or items", "top": "whole", "out": "path?", "task": "whole?", "class_index": "whole?", "lowest": "flag", "smiles_column": "word?", "id_column": "word?", "delimiter": "word?", "encoding": "word?",
    "radius": "whole?", "size": "whole?", "shard": "word?", "errors_file": "path?", "max_unreadable": "number?", "progress": "flag?", "similar_to": "path or items?",
    "filters": "word or words?", "diverse": "whole?", "cutoff": "number", "parts": "paths", "entries": "no objects", "dtype": "dtype", "report": "ours?", "positions": "sizes", "path": "path",
    "count": "whole",
}  # fmt: skip
ALSO = {"class_index": ["classes"], "smiles_column": ["column"], "id_column": ["column"], "parts": ["merge"], "filters": ["filter"], "library": ["molecule"], "similar_to": ["actives", "molecule", "format"], "entries": ["hit"]}  # fmt: skip
AFTER = {"similar_to": ["CCO"], "filters": "pains", "drop_filtered": False, "properties": False, "diverse": 2, "cutoff": 0.3}  # fmt: skip
IN_MEMORY = {
    "task": 0, "class_index": 1, "lowest": False, "radius": 1, "size": 64, "max_unreadable": 1.0, "chunk": 2, "progress": False, **AFTER,
}  # fmt: skip
ON_DISK = {
    "out": "hits.csv", "smiles_column": "smiles", "id_column": "id", "delimiter": ",", "encoding": "utf-8", "shard": "1/1", "resume": False, "force": True, "errors_file": "errors.csv",
}  # fmt: skip
ENTRY = (0.75, 4, "CCO", "ethanol")


@pytest.fixture
def model():
    made = ct.models.MultitaskClassifier(1, 64, layer_sizes=[2], seed=0)
    made.featurizer = ct.feat.CircularFingerprint(radius=1, size=64)
    return made


def test_screen(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong = Target(ct.screen, lambda: call(model, ["CCO", "CCN", "C1CC"], 2, **IN_MEMORY), KINDS, also=ALSO).failures()
    assert not wrong, report(wrong)


def test_screen_of_files(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "library.csv").write_text("smiles,id\nCCO,a\nCCN,b\n")
    make = lambda: call(model, "library.csv", **ON_DISK, progress=False)  # noqa: E731
    skip = ("model", "library", "progress")
    wrong = Target(ct.screen, make, KINDS, also=ALSO, skip=skip).failures(pairs=20)
    assert not wrong, report(wrong)


def test_merge(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "library.smi").write_text("CCO a\nCCN b\n")
    for i in (1, 2):
        ct.screen(model, "library.smi", shard=f"{i}/2", out=f"h{i}.csv", progress=False)
    make = lambda: call(["h1.csv", "h2.csv"], out="hits.csv", force=True, **AFTER)  # noqa: E731
    names = ("merge", "screen")  # actives are read as a library is
    wrong = Target(screening.merge, make, KINDS, names, ALSO).failures(pairs=20)
    assert not wrong, report(wrong)


def test_hits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hits = Hits([ENTRY, ENTRY])
    wrong = Target(Hits, lambda: call([ENTRY], np.float64, None), KINDS, also=ALSO).failures()
    wrong += Target(hits.take, lambda: call([1, 0]), KINDS).failures()
    wrong += Target(hits.to_frame, lambda: call(library="pandas"), KINDS).failures()
    wrong += Target(hits.to_csv, lambda: call("hits.csv"), KINDS).failures()
    wrong += Target(hits.to_png, lambda: call("hits.png", 1), KINDS).failures()
    assert not wrong, report(wrong)


def test_everything_public_is_in_a_table():
    assert set(screening.__all__) == {"Hits", "merge", "screen"}
    assert set(inspect.signature(ct.screen).parameters) == {"model", "library", "top", *IN_MEMORY, *ON_DISK}
    assert set(inspect.signature(screening.merge).parameters) == {"parts", "out", "force", *AFTER}
    methods = {name for name, value in vars(Hits).items() if not name.startswith("_") and inspect.isfunction(value)}
    assert methods - {"entries"} == {"take", "to_csv", "to_frame", "to_png"}
