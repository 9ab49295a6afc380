"""Tests of ``catalase screen`` and ``screen-merge``, in which every mistake is reported in one sentence."""

from __future__ import annotations

import gzip
import os

import numpy as np
import pytest

from catalase.commands import main
from catalase.screening import screen

from .helpers import brute, library, read, write_smi


def test_the_command_line(model, tmp_path, capsys):
    smiles = library(200)
    path, out = write_smi(tmp_path / "l.smi", smiles), tmp_path / "hits.csv"
    assert main(["screen", str(model), str(path), "--top", "12", "-o", str(out), "--strict"]) == 3
    text = capsys.readouterr().out
    assert "196 molecules scored; the best 12" in text and "4 of 200 molecules could not be scored" in text
    rows, expected = read(out), brute(model, smiles, 12)
    assert [(int(r["row"]) - 1, np.float32(r["score"])) for r in rows] == expected
    assert rows[0] == {"rank": "1", "row": str(expected[0][0] + 1), "id": f"name{expected[0][0]}",
                       "smiles": smiles[expected[0][0]], "score": str(expected[0][1])}  # fmt: skip
    assert main(["screen", str(model), str(path), "--top", "12", "-o", str(out)]) == 1
    assert "--force" in capsys.readouterr().err
    assert main(["screen", str(model), str(path), "--top", "12", "-o", str(out), "--resume"]) == 0
    shards = [str(tmp_path / f"s{i}.csv") for i in (1, 2, 3)]
    for i, shard in enumerate(shards, 1):
        assert main(["screen", str(model), str(path), "--top", "12", "-o", shard, "--shard", f"{i}/3"]) == 0
    assert main(["screen-merge", *shards, "-o", str(tmp_path / "m.csv"), "--strict"]) == 3
    assert (tmp_path / "m.csv").read_bytes() == out.read_bytes()


def test_mistakes_are_one_sentence(model, tmp_path, capsys):
    good = write_smi(tmp_path / "l.smi", library(5))
    (tmp_path / "l.csv").write_text("a,b\nCC,1\n")
    (tmp_path / "l.xyz").write_text("CC\n")
    packed = gzip.compress(b"".join(b"C" * (i % 40 + 1) + b"\n" for i in range(5000)))
    (tmp_path / "cut.smi.gz").write_bytes(packed[: len(packed) // 2])
    out = str(tmp_path / "h.csv")
    for arguments, words in [
        ([str(tmp_path / "none.smi")], "there is no file"),
        ([str(tmp_path / "l.xyz")], "needed .smi"),
        ([str(tmp_path / "l.csv")], "--smiles-column"),
        ([str(tmp_path / "l.csv"), "--smiles-column", "c"], "no column 'c'; it has 'a', 'b'"),
        ([str(good), "--smiles-column", "c"], "has no named columns"),
        ([str(tmp_path / "cut.smi.gz")], "is damaged after molecule"),
        ([str(good), "--shard", "3/2"], "i from 1 to N"),
        ([str(good), "--shard", "1/99999999999999999999"], "i from 1 to N"),
        ([str(good), "--shard", "1/2000000"], "N at most 1,000,000"),
        ([str(good), "--class", "7"], "class_index (--class) is for classifiers"),
        ([str(good), "--task", "other"], "no task 'other'; it has tasks activity"),
        ([str(good), "--radius", "3"], "trained with radius 1, got 3"),
    ]:
        assert main(["screen", str(model), *arguments, "-o", out]) == 1, arguments
        error = capsys.readouterr().err
        assert words in error and "Errno" not in error and error.count("\n") == 1, error
        assert not os.path.exists(out)
    for bad, kind in [(5, TypeError), (b"CC", TypeError), ([5], TypeError)]:
        with pytest.raises(kind):
            screen(model, bad)
    with pytest.raises(ValueError, match="resume needs a file"):
        screen(model, ["CC"], resume=True)
    with pytest.raises(ValueError, match="is the library; choose another name"):
        screen(model, good, out=good, force=True)
