"""Tests that hits equal those of scoring all and sorting, for any chunks and threads, in bounded memory."""

from __future__ import annotations

import pytest

import catalase as ct
from catalase.screening import Hits, screen

from .helpers import brute, library, pairs, read, write_smi


@pytest.mark.parametrize("top", [1, 7, 100, 5000])
@pytest.mark.parametrize("chunk", [1, 64, 8192])
def test_the_hits_are_those_of_scoring_all_and_sorting(model, top, chunk):
    smiles = library(300 if chunk == 1 else 900)
    hits = screen(model, smiles, top, chunk=chunk)
    assert pairs(hits) == brute(model, smiles, top)
    assert hits.smiles == [smiles[row] for row in hits.rows]
    lowest = screen(model, smiles, top, chunk=chunk, lowest=True)
    assert pairs(lowest) == brute(model, smiles, top, sign=1)
    assert len({score for _, score in pairs(hits)}) < len(hits) or top < 5000, "ties were tested"


def test_what_cannot_be_read_is_counted_listed_and_written(model, tmp_path):
    smiles = library(900)
    hits = screen(model, smiles, 10, errors_file=tmp_path / "bad.csv")
    bad = [i for i in range(900) if i % 41 == 40]
    rows = read(tmp_path / "bad.csv")
    assert [int(row["row"]) for row in rows] == [i + 1 for i in bad]
    assert [row["text"] for row in rows] == [smiles[i] for i in bad]
    reasons = [row["reason"] for row in rows]
    assert "not a valid SMILES" in reasons[0] and "valence" in reasons[1] and "U+00E9" in reasons[3]
    assert reasons[2] == "the SMILES is empty"
    assert hits.report.total == 900 and hits.report.kept == 900 - len(bad)
    assert [(f.position, f.reason) for f in hits.report.failures] == list(zip(bad, reasons, strict=True))


def test_a_generator_is_consumed_as_it_is_needed(model):
    """Memory is bounded: no more than a chunk is taken before the chunk before it was scored."""
    taken, scored = [0], []

    def molecules():
        for text in library(1000):
            taken[0] += 1
            yield text, f"n{taken[0]}"

    class Watched(ct.models.MultitaskRegressor):
        def predict(self, X, *arguments):
            scored.append((len(X), taken[0]))
            return super().predict(X, *arguments)

    watched = Watched(1, 256, layer_sizes=[4], seed=0)
    watched.featurizer = ct.feat.CircularFingerprint(size=256)
    hits = screen(watched, molecules(), 3, chunk=50)
    chunks = [at for rows, at in scored if rows > 1]
    assert chunks == list(range(50, 1001, 50)) and hits.ids == [f"n{row + 1}" for row in hits.rows]


def test_threads_change_nothing(model):
    before, results = ct.get_num_threads(), []
    for threads in (1, 2):
        ct.set_num_threads(threads)
        results.append(pairs(screen(model, library(500), 50)))
    ct.set_num_threads(before)
    assert results[0] == results[1]


def test_progress_on_a_terminal(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "150")
    path = write_smi(tmp_path / "l.smi", library(500))
    screen(model, path, 5, chunk=100)
    shown = capsys.readouterr().err
    assert "500 molecules, " in shown and "/s" in shown and "100%" in shown
    screen(model, path, 5, progress=False)
    screen(model, (s for s in library(50)), 5, chunk=10)
    assert "50 molecules, " in capsys.readouterr().err


def test_no_molecules(model, tmp_path):
    (tmp_path / "l.smi").write_text("\n\n")
    hits = screen(model, tmp_path / "l.smi", 5, out=tmp_path / "h.csv")
    assert len(hits) == 0 and read(tmp_path / "h.csv") == [] and repr(hits) == "no hits"
    assert repr(Hits([(1.0, 0, "C", "")] * 4)) == "4 hits: C 1, C 1, C 1, ..."
