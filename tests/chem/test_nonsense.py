"""Nonsense in every argument of `catalase.chem`."""

from __future__ import annotations

import pytest

from catalase import chem
from tests.nonsense import Target, call, report

KINDS = {"smiles": "anything", "path": "path?", "legends": "words?", "labels": "anything", "tasks": "words?"}
FUNCTIONS = {
    "read": lambda: call(["CCO", "C1CC"], errors="mask", return_report=True),
    "scaffold": lambda: call(["CCO", "C1CC1N"], chiral=True),
    "standardize": lambda: call(["CCO", "C1CC"], labels=[[1.0], [2.0]], tasks=["y"], normalize=True, largest_fragment=True, neutralize=False, inchikey=True, errors="mask"),
    "generation_report": lambda: call(["CCO", "CCN"], ["CCC"], alerts=["pains"], seed=0, num_threads=1),
    "draw": lambda: call(["CCO", "C1CC"], "grid.png", legends=["a", "b"], highlight=[[(0, 1)], []], columns=2, errors="mask"),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    also = {"smiles": ["molecule", "molecules"], "columns": ["smiles"]}
    wrong = Target(getattr(chem, name), FUNCTIONS[name], KINDS, also=also).failures()
    assert not wrong, report(wrong)


def test_drawing_of_contributions():
    also = {"smiles": ["molecule", "molecules"], "columns": ["smiles"]}
    of_atoms = lambda: call(["CCO", "C1CC"], legends=["a", "b"], contributions=[[1.0, 0.0, -1.0], None], errors="mask")  # noqa: E731
    wrong = Target(chem.draw, of_atoms, KINDS | {"contributions": "anything"}, also=also).failures()
    assert not wrong, report(wrong)


def test_merge():
    result = chem.standardize(["CCO", "OCC"], labels=[1.0, 2.0])
    wrong = Target(result.merge, lambda: call("mean"), KINDS).failures()
    assert not wrong, report(wrong)


def test_everything_public_is_in_a_table():
    assert set(chem.__all__) == set(FUNCTIONS) | {"Standardized", "GenerationReport"}
    assert {name for name in vars(chem.Standardized) if not name.startswith("_")} == {"merge"}
