"""Tests the whole workflow from measured actives to a picture of the hits, on a synthetic table where phenols are active."""

from __future__ import annotations

from tests.screening.helpers import library, read, write_smi


def test_the_example_of_chapter_11_runs(example, tmp_path):
    molecules = ["C" * (1 + i % 15) + ["c1ccccc1O", "C1CCCCC1", "CN", "C(=O)O"][i % 4] for i in range(60)]
    rows = [f"{i},{s},{i},{int('c1' in s)}" for i, s in enumerate(molecules)]
    (tmp_path / "t.csv").write_text(",SMILES,ID,is_active\n" + "\n".join(rows) + "\n")
    write_smi(tmp_path / "l.smi", [s for s in library(200) if s])
    names = ["--out", str(tmp_path / "out"), "--folds", "3", "--top", "20", "--epochs", "5"]
    result = example("screen_erk2").main([str(tmp_path / "t.csv"), str(tmp_path / "l.smi"), *names])
    assert result["valid"] > 0.5 and result["hits"] == 20
    rows = read(tmp_path / "out" / "hits.csv")
    columns = ["similarity", "nearest_active", "molecular_weight", "logp", "tpsa", "charge", "alerts", "cluster"]
    assert list(rows[0])[5:] == columns
    assert (tmp_path / "out" / "hits.png").read_bytes()[:4] == b"\x89PNG"
