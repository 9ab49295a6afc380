"""Shards merge into the whole, and into nothing less."""

from __future__ import annotations

import pytest

from catalase.screening import merge, screen

from .helpers import library, write_smi


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
