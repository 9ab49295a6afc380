"""Tests that a killed run continues to the same bytes, and that a finished run is not repeated."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from catalase.screening import merge, screen

from .helpers import library, pairs, write_smi

CHILD = """
import os, signal, sys
from catalase.screening import hits, record, screening
record.SECONDS = 0.0
record._SHARE = 1e9
where, count = sys.argv[4], int(sys.argv[5])
owner, name = {"record": (record.Recorder, "write"), "error": (record.ErrorFile, "write"),
               "take": (screening.LibraryScan, "_take"), "hits": (hits.Hits, "to_csv"), "never": (hits.Hits, "none")}[where]
original, calls = getattr(owner, name, None), [0]
def wrapped(*args, **options):
    result = original(*args, **options)
    calls[0] += 1
    if calls[0] == count:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
setattr(owner, name, wrapped)
screening.screen(sys.argv[1], sys.argv[2], 40, out=sys.argv[3], chunk=32, resume=True)
"""


def child(model, path, out, where, count):
    command = [sys.executable, "-c", CHILD, str(model), str(path), str(out), where, str(count)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "kills",
    [
        [("take", 1)],
        [("record", 1), ("error", 3)],
        [("error", 4), ("take", 7), ("take", 1)],
        [("hits", 1)],
        [("record", 19)],
    ],
    ids=str,
)
def test_a_killed_run_goes_on_to_the_same_bytes(model, tmp_path, kills):
    path = write_smi(tmp_path / "l.smi", library(600))
    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    expected = screen(model, path, 40, out=whole)
    for where, count in kills:
        assert child(model, path, out, where, count).returncode == -signal.SIGKILL
        assert out.exists() == (where == "hits")
    hits = screen(model, path, 40, out=out, resume=True)
    assert out.read_bytes() == whole.read_bytes()
    assert (tmp_path / "out.csv.errors.csv").read_bytes() == (tmp_path / "whole.csv.errors.csv").read_bytes()
    assert hits.report.to_dict() == expected.report.to_dict()
    assert {p.name for p in tmp_path.iterdir() if p.name.startswith("out")} == {
        "out.csv",
        "out.csv.json",
        "out.csv.errors.csv",
    }


def test_what_a_killed_run_had_done_is_not_thrown_away(model, tmp_path):
    path, out = write_smi(tmp_path / "l.smi", library(200)), tmp_path / "out.csv"
    child(model, path, out, "record", 3)
    with pytest.raises(ValueError, match="stopped at molecule 96; go on with it by resume"):
        screen(model, path, 40, out=out)
    with pytest.raises(ValueError, match="has not ended"):
        merge([out])
    (tmp_path / "out.csv.errors.csv").unlink()
    with pytest.raises(ValueError, match="gone or shorter"):
        screen(model, path, 40, out=out, resume=True)
    assert len(screen(model, path, 40, out=out, force=True)) == 40
    out.unlink()
    assert len(screen(model, path, 40, out=out, resume=True)) == 40 and out.exists()


def test_a_run_killed_from_outside_goes_on(model, tmp_path):
    path = write_smi(tmp_path / "l.smi", library(20_000))
    out = tmp_path / "out.csv"
    command = [sys.executable, "-c", CHILD, str(model), str(path), str(out), "never", "0"]
    process = subprocess.Popen(command)
    for _ in range(2000):
        if (tmp_path / "out.csv.json").exists() or process.poll() is not None:
            break
        time.sleep(0.005)
    process.kill()
    process.wait()
    hits = screen(model, path, 40, out=out, resume=True)
    assert pairs(hits) == pairs(screen(model, path, 40))


def test_a_run_that_ended_is_not_repeated_and_other_settings_are_refused(model, tmp_path, monkeypatch):
    path = write_smi(tmp_path / "l.smi", library(200))
    out = tmp_path / "h.csv"
    first = screen(model, path, 10, out=out)
    before = out.stat().st_mtime_ns
    again = screen(model, path, 10, out=out, resume=True)
    assert (
        pairs(again) == pairs(first) and out.stat().st_mtime_ns == before and again.scores.dtype == first.scores.dtype
    )
    for options, words in [
        ({"top": 11}, "another top"),
        ({"lowest": True}, "another lowest"),
        ({"shard": "1/2"}, "another shard"),
    ]:
        with pytest.raises(ValueError, match=words):
            screen(model, path, **{"top": 10, **options}, out=out, resume=True)
    path.write_text(path.read_text() + "CCO\n")
    with pytest.raises(ValueError, match="another library"):
        screen(model, path, 10, out=out, resume=True)
    record = json.loads((tmp_path / "h.csv.json").read_text())
    record["row"] = 3
    (tmp_path / "h.csv.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match="digest"):
        screen(model, path, 10, out=out, resume=True)


def test_a_run_that_goes_on_within_a_chunk_lists_what_the_reader_refuses_once(model, tmp_path):
    rows = [f"{text},n{i}" + (",too,many" if i % 5 == 3 else "") for i, text in enumerate(library(200))]
    path, whole, out = tmp_path / "l.csv", tmp_path / "whole.csv", tmp_path / "out.csv"
    path.write_text("smiles,id\n" + "\n".join(rows) + "\n", encoding="utf-8")
    screen(model, path, 40, out=whole)
    child(model, path, out, "take", 3)
    screen(model, path, 40, out=out, resume=True, chunk=37)  # the child's chunks had 32 rows
    for end in ("", ".errors.csv"):
        assert (tmp_path / f"out.csv{end}").read_bytes() == (tmp_path / f"whole.csv{end}").read_bytes()
