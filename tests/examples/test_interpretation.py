"""Tests of the example of chapter 10: each method finds the planted site, with made-up data and with real ones."""

from __future__ import annotations

import pytest


@pytest.fixture
def interpretation(example):
    return example("interpretation")


def test_each_method_finds_the_site_in_made_up_letters(interpretation, tmp_path, monkeypatch):
    monkeypatch.delenv("CATALASE_DATA_DIR", raising=False)
    found = interpretation.main(["--segments", "2000", "--out", str(tmp_path)])
    assert found["mutagenesis"] >= 0.95 and found["occlusion"] >= 0.9 and found["saliency"] >= 0.8
    assert found["optimized"] > 1
    assert (tmp_path / "solubility.png").read_bytes()[:4] == b"\x89PNG"


def test_a_genome_and_delaneys_table(interpretation, data_dir, capsys):
    found = interpretation.main(["--segments", "2000"])
    assert found["mutagenesis"] >= 0.9 and "solubility: mean error" in capsys.readouterr().out
