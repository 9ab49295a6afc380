"""Tests of the graph net that predicts solubility, on a small table, and on Delaney's if CATALASE_DATA_DIR has it."""

from __future__ import annotations

import csv

import pytest


@pytest.fixture
def solubility(example):
    return example("solubility")


@pytest.mark.parametrize("model", ["graph-conv", "dmpnn"])
def test_the_script_learns_a_table_and_predicts_smiles_of_ones_own(solubility, tmp_path, capsys, model):
    table = tmp_path / "chains.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["smiles", "y"])
        writer.writerows([[a + "C" * n + b, n] for n in range(1, 13) for a, b in (("", "O"), ("N", ""), ("F", "Cl"))])
    solubility.main(["CCCCO", "C1CC", "--table", str(table), "--epochs", "30", "--model", model])
    shown = capsys.readouterr().out
    assert "squared correlation: train " in shown
    lines = shown.splitlines()
    assert lines[-2].startswith("CCCCO") and lines[-2].endswith("log10(mol/l)")
    assert lines[-1].startswith("C1CC ") and lines[-1].endswith("cannot be read")


def test_delaneys_molecules(solubility, data_dir, capsys):
    solubility.main(["--epochs", "2"])
    assert capsys.readouterr().out.count("log10(mol/l)") == len(solubility.CHAPTER)
