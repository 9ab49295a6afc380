"""Tests that the demo runs in its quick form, is reproducible, and names missing packages."""

from __future__ import annotations

import csv

import pytest

from catalase.commands import main
from catalase.demo import run_demo


def test_two_runs_with_one_seed_are_equal(quick_demo, tmp_path, capsys):
    first, second = quick_demo[0], tmp_path / "b"
    scores = [quick_demo[1], run_demo(second, seed=1, quick=True)]
    text = capsys.readouterr().out
    assert "4,999" not in text and "equal to the bit" in text and "outside the model's domain" in text
    assert scores[0]["r2"] == scores[1]["r2"] and scores[0]["r2"] > 0.2 and "r2_forest" in scores[0]
    files = sorted(p.name for p in first.iterdir())
    assert files == ["model", "parity.png", "top_hits.csv", "top_hits.png", "unreadable.csv"]
    for name in files:
        if name != "model":  # whose folder holds the seconds that the training took
            assert (first / name).read_bytes() == (second / name).read_bytes(), name
    with open(first / "top_hits.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (
        len(rows) == 20
        and float(rows[0]["score"]) >= float(rows[-1]["score"])
        and 0 <= float(rows[0]["nearest_similarity"]) <= 1
        and all(float(row["low"]) < float(row["score"]) < float(row["high"]) for row in rows)
    )
    assert (first / "model" / "report.html").exists()


def test_files_that_the_wheel_lacks_are_named(tmp_path, monkeypatch):
    from rdkit import RDConfig

    monkeypatch.setattr(RDConfig, "RDContribDir", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"CHEMBL2321810_act\.csv.*pip install"):
        run_demo(tmp_path / "out")


def test_it_goes_on_without_matplotlib_and_scikit_learn(tmp_path, monkeypatch, capsys):
    import sys

    for name in ("matplotlib", "matplotlib.figure", "sklearn", "sklearn.ensemble"):
        monkeypatch.setitem(sys.modules, name, None)
    scores = run_demo(tmp_path / "out", quick=True)
    text = capsys.readouterr().out
    assert (
        "matplotlib is not installed" in text
        and "it needs scikit-learn and skops" in text
        and "r2_forest" not in scores
    )
    assert (tmp_path / "out" / "top_hits.png").exists() and not (tmp_path / "out" / "parity.png").exists()


def test_the_model_serves_the_command_line(quick_demo, tmp_path):
    table, out = tmp_path / "new.csv", tmp_path / "predictions.csv"
    table.write_text("smiles\nCCO\nc1ccccc1O\n")
    assert main(["predict", str(quick_demo[0] / "model"), str(table), "-o", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 3
    assert (
        main(["screen", str(quick_demo[0] / "model"), str(table), "--top", "1", "-o", str(tmp_path / "hits.csv")]) == 0
    )
