"""Tests that shards merge into the result of the whole library, and that incomplete sets are refused."""

from __future__ import annotations

import pytest

from catalase.screening import merge, screen

from .helpers import library, read, write_smi


@pytest.mark.parametrize("count", [1, 2, 7, 70])
def test_shards_merge_into_the_whole(model, tmp_path, count):
    path = write_smi(tmp_path / "l.smi", library(60 if count == 70 else 300))  # some shards have no molecule
    whole = screen(model, path, 40, out=tmp_path / "whole.csv")
    parts = [tmp_path / f"{i}.csv" for i in range(1, count + 1)]
    for i, part in enumerate(parts, 1):
        screen(model, path, 40, shard=f"{i}/{count}", out=part, chunk=64)
    merged = merge(parts[::-1], out=tmp_path / "merged.csv")
    assert (tmp_path / "merged.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert merged.report.to_dict() == whole.report.to_dict()


def test_merge_refuses_what_is_not_the_whole(model, tmp_path):
    path = write_smi(tmp_path / "l.smi", library(100))
    a, b, other = (tmp_path / f"{name}.csv" for name in ("a", "b", "other"))
    screen(model, path, 5, shard="1/2", out=a)
    screen(model, path, 5, shard="2/2", out=b)
    screen(model, path, 6, shard="2/2", out=other)
    for parts, words in [
        ([a], "shard 2/2 are not among"),
        ([a, a], "are both shard 1/2"),
        ([a, other], "another top"),
        ([], "needs a list"),
    ]:
        with pytest.raises(ValueError, match=words):
            merge(parts)
    (tmp_path / "b.csv.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.csv\.json"):
        merge([a, b])


@pytest.mark.parametrize("chunk", [1, 2, 5, 100])
def test_what_the_reader_refuses_is_listed_by_the_shard_that_has_the_row(model, tmp_path, chunk):
    rows = [f"{text},n{i}" for i, text in enumerate(s for s in library(60) if s.isascii())]
    for i in (0, 7, 8, 30, len(rows) - 1):
        rows[i] += ",one,too many"
    (tmp_path / "l.csv").write_text("smiles,id\n" + "\n".join(rows) + "\n")
    screen(model, tmp_path / "l.csv", 9, errors_file=tmp_path / "whole.csv")
    whole = read(tmp_path / "whole.csv")
    assert [int(row["row"]) for row in whole if "has 4 fields" in row["reason"]] == [1, 8, 9, 31, len(rows)]
    assert all(row["text"] == rows[int(row["row"]) - 1] for row in whole if "has 4 fields" in row["reason"])
    found = []
    for shard in ("1/3", "2/3", "3/3"):
        errors = tmp_path / f"{shard[0]}.csv"
        screen(model, tmp_path / "l.csv", 9, errors_file=errors, shard=shard, chunk=chunk)
        found += read(errors)
    assert sorted(found, key=lambda row: int(row["row"])) == whole
