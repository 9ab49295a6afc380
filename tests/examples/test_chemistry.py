"""Tests the examples of substructures (chapter 4) and of filtering a library (chapter 11) against RDKit."""

from __future__ import annotations

import csv
import gzip

import pytest
from rdkit import Chem
from rdkit.Chem import Descriptors
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

from tests.feat.test_alerts import ALERTING


def test_the_example_of_chapter_4_marks_what_rdkit_matches(example, tmp_path, capsys):
    module = example("smarts")
    counts = module.main(["--out", str(tmp_path / "out")])
    for pattern in module.PATTERNS.values():
        query = Chem.MolFromSmarts(pattern)
        assert counts[pattern] == [len(Chem.MolFromSmiles(s).GetSubstructMatches(query)) for s in module.SMILES]
    assert counts == {"CCC": [3, 0, 0, 0], "C*C": [3, 1, 1, 1], "C[C,N,O]C": [3, 1, 1, 0], "sildenafil": [1, 1, 6]}
    pictures = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert pictures == sorted([*(f"{name}.png" for name in module.PATTERNS), "sildenafil.png"])
    contents = {(tmp_path / "out" / name).read_bytes() for name in pictures}
    assert len(contents) == 4 and all(content[:4] == b"\x89PNG" for content in contents)
    assert "CCCCC 3" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["l.smi", "l.csv", "l.smi.gz"])
def test_the_example_of_chapter_11_leaves_out_what_rdkits_filters_leave_out(example, tmp_path, capsys, name):
    smiles = [*ALERTING, "CCO", "C" * 30, "OCC(O)C(O)C(O)C(O)CO", "C1CC", "CC(=O)Nc1ccc(O)cc1"]
    text = ("smiles\n" if name == "l.csv" else "") + "".join(f"{text}\n" for text in smiles)
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    module = example("filter_library")
    result = module.main([str(tmp_path / name), "--out", str(tmp_path / "out")])
    parameters = FilterCatalogParams()
    for kind in (parameters.FilterCatalogs.PAINS, parameters.FilterCatalogs.BRENK):
        parameters.AddCatalog(kind)
    catalog = FilterCatalog(parameters)

    def passes(molecule):
        values = [getattr(Descriptors, prop)(molecule) for prop in module.RANGES]
        inside = all(low <= value <= high for value, (low, high) in zip(values, module.RANGES.values(), strict=True))
        return inside and not catalog.HasMatch(molecule)

    read = [(text, Chem.MolFromSmiles(text)) for text in smiles]
    expected = [text for text, molecule in read if molecule is not None and passes(molecule)]
    with open(tmp_path / "out" / "passed.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["smiles"] for row in rows] == expected and "CCO" in expected
    with open(tmp_path / "out" / "left_out.csv", newline="") as file:
        left = {row["smiles"]: row["reason"] for row in csv.DictReader(file)}
    assert set(left) | set(expected) == set(smiles) and left["C" * 30] == "MolLogP"
    assert left["OCC(O)C(O)C(O)C(O)CO"] == "NumHDonors" and left["C1CC"].startswith("cannot be read: not a valid")
    assert "alert: nitro_group" in left["O=[N+]([O-])c1ccc(cc1)[N+](=O)[O-]"]
    assert result == {"total": len(smiles), "passed": len(expected), "left out": len(left) - 1, "unreadable": 1}
    assert f"{len(expected)} of {len(smiles)} molecules pass" in capsys.readouterr().out
