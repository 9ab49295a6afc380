"""Nonsense in every argument of the loaders, which is refused before a file is read, or with a table of six molecules."""

from __future__ import annotations

import pytest

from catalase import molnet
from catalase.molnet import loaders, tables
from tests.nonsense import Target, call, report

KINDS = {"featurizer": "ours", "splitter": "ours?", "transformers": "list of ours", "reload": "flag", "data_dir": "path?", "save_dir": "path?", "seed": "seed?", "errors": "word"}  # fmt: skip
MOLECULES = ("C1CC1C", "C1CC1N", "CC", "C1CCC1", "CCO", "N")


def loading():
    return call(featurizer="ECFP", splitter="index", transformers=["normalization"], reload=True, data_dir="tables", save_dir="copies", seed=1, errors="mask")  # fmt: skip


@pytest.fixture(autouse=True)
def small_tables(tmp_path, monkeypatch):
    """Every table has six molecules, and none is downloaded."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CATALASE_DATA_DIR", str(tmp_path / "tables"))
    (tmp_path / "tables").mkdir()
    for name, table in vars(tables).items():
        if isinstance(table, tables.Table) and hasattr(loaders, name):
            small = table._replace(rows=6, labels=6 * len(table.tasks), file=f"{name}.csv")
            monkeypatch.setattr(loaders, name, small)
            lines = [",".join([table.smiles, *(f'"{task}"' for task in table.tasks)])]
            lines += [",".join([smiles, *[str(i % 2)] * len(table.tasks)]) for i, smiles in enumerate(MOLECULES)]
            (tmp_path / "tables" / small.file).write_text("\n".join(lines) + "\n")

    def refuse(*_):
        raise AssertionError("a test would download")

    monkeypatch.setattr(tables, "_download", refuse)


def test_loading():
    target = Target(molnet.load_sampl, loading, KINDS, names=("molnet", "load_sampl"))
    wrong = target.failures(pairs=30)
    assert not wrong, report(wrong)


@pytest.mark.parametrize("name", molnet.__all__)
def test_every_loader(name):
    """All have one body, so a few values tell whether each gives it its arguments."""
    target = Target(getattr(molnet, name), loading, KINDS, names=("molnet", name))
    trials = [{}, *({argument: label} for argument in target.arguments for label in ("object", "-1.5", "nan array"))]
    wrong = [found for trial in trials if (found := target.run(trial))]
    assert not wrong, report(wrong)


def test_every_loader_is_public_and_has_all_arguments():
    assert {name for name in vars(loaders) if name.startswith("load_")} == set(molnet.__all__)
    for name in molnet.__all__:
        assert set(Target(getattr(molnet, name), loading).arguments) == set(KINDS)
