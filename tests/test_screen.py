"""Screening: equal to scoring all and sorting, in every format, in shards, after kills; nothing is lost in silence."""

from __future__ import annotations

import csv
import gzip
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import catalase as ct
from catalase.cli import main
from catalase.screening import Hits, merge, screen

HEADS = ["", "CC", "OC", "NC", "ClC", "FC", "c1ccccc1", "C1CC1", "c1ccncc1", "C1CCNCC1"]


def library(n):
    """Molecules that repeat, so that there are ties; every 41st cannot be read."""
    out = []
    for i in range(n):
        smiles = HEADS[i % 10] + "C" * (1 + i // 10 % 17) + ["O", "N", "C(=O)O", "C#N", "S"][i // 170 % 5]
        out.append(["C1CC", "C(C)(C)(C)(C)C", "", "CCé"][i // 41 % 4] if i % 41 == 40 else smiles)
    return out


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A regressor with a transformer and its featurizer in the metadata, as ``catalase train`` makes them."""
    folder = tmp_path_factory.mktemp("model") / "m"
    smiles = [s for s in library(60) if ct.ops.ecfp([s], errors="drop")[1].size]
    X = ct.ops.ecfp(smiles, size=256, radius=1)
    plain = ct.data.NumpyDataset(X, np.array([[s.count("C") * 3.0] for s in smiles]))
    normal = ct.trans.NormalizationTransformer(transform_y=True, dataset=plain)
    made = ct.models.MultitaskRegressor(1, 256, layer_sizes=[16], seed=0, learning_rate=0.01)
    made.fit(normal.transform(plain), nb_epoch=20)
    made.transformers = [normal]
    made.featurizer = {
        "fingerprint": ct.feat.CircularFingerprint(radius=1, size=256).to_config(),
        "smiles": "mol",
        "tasks": ["activity"],
        "classification": False,
    }
    made.save(folder)
    return folder


def brute(model, smiles, top, sign=-1):
    """Score all that can be read, sort: (row, score)."""
    loaded = ct.models.load(model)
    X, kept = ct.ops.ecfp(smiles, radius=1, size=256, errors="drop")
    scores = loaded.predict(X, loaded.transformers)[:, 0]
    pairs = [(int(row), score) for row, score in zip(kept, scores, strict=True) if smiles[row].strip()]
    return sorted(pairs, key=lambda pair: (sign * pair[1], pair[0]))[:top]


def pairs(hits):
    return list(zip(hits.rows.tolist(), hits.scores, strict=True))


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def write_smi(path, smiles, names=True):
    # A line without a SMILES must be told from a blank line: a tab does it.
    path.write_text("".join(f"{s}\tname{i}\n" if names else f"{s}\n" for i, s in enumerate(smiles)))
    return path


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


def test_every_format_gives_the_same_hits(model, tmp_path):
    smiles = library(300)
    expected = pairs(screen(model, smiles, 20))
    table = tmp_path / "t.csv"
    with open(table, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["other", "mol", "name"])
        writer.writerows(["x, y", s, f"name{i}"] for i, s in enumerate(smiles))
    files = [write_smi(tmp_path / "t.smi", smiles), table]
    files.append(tmp_path / "t.tsv")
    files[-1].write_text("id\tSMILES\n" + "".join(f"name{i}\t{s}\n" for i, s in enumerate(smiles)))
    files += [tmp_path / f"{file.name}.gz" for file in list(files)]
    for plain, packed in zip(files[:3], files[3:], strict=True):
        packed.write_bytes(gzip.compress(plain.read_bytes()))
    for file in files:
        hits = screen(model, file, 20, chunk=70)
        assert pairs(hits) == expected, file
        assert hits.ids == [f"name{row}" for row in hits.rows], file
        assert len(hits.report.failures) == 7, file


def test_parquet(model, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    smiles = library(300)
    columns = {"n": list(range(300)), "SMILES": [s or None for s in smiles], "id": [f"name{i}" for i in range(300)]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet", row_group_size=90)
    hits = screen(model, tmp_path / "t.parquet", 20, chunk=70)
    assert pairs(hits) == pairs(screen(model, smiles, 20)) and hits.ids == [f"name{row}" for row in hits.rows]
    assert screen(model, tmp_path / "t.parquet", 5, id_column="n").ids == [str(row) for row in hits.rows[:5]]
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ValueError, match="is not a Parquet file"):
        screen(model, tmp_path / "bad.parquet", 5)


def test_names_headers_blank_lines_and_odd_bytes(model, tmp_path):
    path = tmp_path / "l.smi"
    path.write_bytes(
        b"\xef\xbb\xbfsmiles zinc_id\r\nCCO  ethyl alcohol \r\n\r\n CCN\tamine\textra\nCCC\nCCCO caf\xe9\nCCCC |$a$| x"
    )
    hits = screen(model, path, 10, out=tmp_path / "h.csv")
    found = {s: (int(row), name) for s, row, name in zip(hits.smiles, hits.rows, hits.ids, strict=True)}
    assert found == {"CCO": (0, "ethyl alcohol"), " CCN": (1, "amine"), "CCC": (2, ""), "CCCO": (3, "caf\udce9")}
    assert [f.position for f in hits.report.failures] == [4] and "follows the SMILES" in hits.report.failures[0].reason
    assert b"caf\xe9" in (tmp_path / "h.csv").read_bytes()
    again = screen(model, path, 10, out=tmp_path / "h.csv", resume=True)
    assert again.ids == hits.ids and pairs(again) == pairs(hits)


def test_rows_of_other_lengths_go_to_the_error_file(model, tmp_path):
    (tmp_path / "l.csv").write_text("id,smiles\na,CCO\nb\nc,CCC,9\nd,CCN\n")
    hits = screen(model, tmp_path / "l.csv", 9, out=tmp_path / "h.csv")
    assert sorted(hits.ids) == ["a", "d"]
    rows = read(tmp_path / "h.csv.errors.csv")
    assert [(r["row"], r["text"]) for r in rows] == [("2", "b"), ("3", "c,CCC,9")] and "has 1 fields" in rows[0][
        "reason"
    ]


@pytest.mark.parametrize("count", [1, 2, 7, 400])
def test_shards_merge_into_the_whole(model, tmp_path, count):
    path = write_smi(tmp_path / "l.smi", library(300))
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


CHILD = """
import os, signal, sys
from catalase.screening import _hits, _record, _run, _screen
_record.SECONDS = 0.0
_record._SHARE = 1e9
where, count = sys.argv[4], int(sys.argv[5])
owner, name = {"record": (_record.Recorder, "write"), "error": (_record.ErrorFile, "write"),
               "take": (_run.Run, "_take"), "hits": (_hits.Hits, "to_csv"), "never": (_hits.Hits, "none")}[where]
original, calls = getattr(owner, name, None), [0]
def wrapped(*args, **options):
    result = original(*args, **options)
    calls[0] += 1
    if calls[0] == count:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
setattr(owner, name, wrapped)
_screen.screen(sys.argv[1], sys.argv[2], 40, out=sys.argv[3], chunk=32, resume=True)
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


def test_a_generator_is_consumed_as_it_is_needed(model):
    """Memory is bounded: no more than a chunk is taken before the chunk before it was scored."""
    taken, scored = [0], []

    def molecules():
        for text in library(1000):
            taken[0] += 1
            yield text, f"n{taken[0]}"

    class Watched(ct.models.MultitaskRegressor):
        def predict(self, X, transformers=()):
            scored.append((len(X), taken[0]))
            return super().predict(X, transformers)

    watched = Watched(1, 256, layer_sizes=[4], seed=0)
    hits = screen(watched, molecules(), 3, chunk=50)
    chunks = [at for rows, at in scored if rows > 1]
    assert chunks == list(range(50, 1001, 50)) and hits.ids == [f"n{row + 1}" for row in hits.rows]


def test_classifiers_tasks_and_ensembles():
    smiles = [s for s in library(40) if s and s != "C1CC"]
    X = ct.ops.ecfp(smiles, size=128)
    members = [ct.models.MultitaskClassifier(2, 128, layer_sizes=[8], n_classes=3, seed=s) for s in range(2)]
    ensemble = ct.models.Ensemble(members)
    expected = ensemble.predict(X)[:, 1, 2]
    hits = screen(ensemble, smiles, 5, task=1, class_index=2)
    assert hits.rows.tolist() == np.lexsort((np.arange(len(smiles)), -expected))[:5].tolist()
    assert np.array_equal(hits.scores, expected[hits.rows])
    ensemble.featurizer = {"fingerprint": {"size": 128}, "tasks": ["a", "b"]}
    assert pairs(screen(ensemble, smiles, 5, task="b", class_index=2)) == pairs(hits)
    assert pairs(screen(ensemble, smiles, 5, task="1", class_index=2)) == pairs(hits)
    for options, words in [
        ({}, "tasks a, b; choose"),
        ({"task": "c"}, "no task 'c'; it has tasks a, b"),
        ({"task": 2}, "no task 2"),
        ({"task": 0, "class_index": 3}, "classes 0 to 2"),
        ({"task": 0, "size": 256}, "trained with size 128, got 256"),
    ]:
        with pytest.raises(ValueError, match=words):
            screen(ensemble, smiles, **options)


def test_counts_and_numbers_that_are_not_finite():
    class Broken(ct.models.MultitaskRegressor):
        def predict(self, X, transformers=()):
            out = super().predict(X, transformers)
            out[1:2] = np.nan
            return out

    model = Broken(1, 64, layer_sizes=[4], seed=0)
    model.featurizer = {"fingerprint": ct.feat.CircularFingerprint(size=64, is_counts_based=True).to_config()}
    smiles = ["CCO", "CCN", "CCCC"]
    hits = screen(model, smiles, 5)
    assert sorted(hits.rows.tolist()) == [0, 2] and "finite" in hits.report.failures[0].reason
    X = ct.ops.ecfp(smiles, size=64, output="counts").astype(np.float32)
    assert np.array_equal(hits.scores, super(Broken, model).predict(X)[hits.rows, 0])


def test_nearest_neighbours_and_models_without_metadata():
    smiles = [s for s in library(40) if s and s != "C1CC"]
    X = ct.ops.ecfp(smiles, size=128, radius=3)
    model = ct.models.TanimotoKNNRegressor(1, 128, k=3)
    model.fit(ct.data.NumpyDataset(X, np.arange(len(smiles))[:, None]))
    hits = screen(model, smiles, 5, radius=3, size=128)
    expected = model.predict(X)[:, 0]
    assert np.array_equal(hits.scores, np.sort(expected)[::-1][:5])
    with pytest.raises(ValueError, match="needs fingerprints of size 128, got 64"):
        screen(model, smiles, size=64)
    for featurizer, words in [({"fingerprint": {"bits": 3}}, "names"), ({"radius": 2, "size": 64}, "of size 64")]:
        model.featurizer = featurizer
        with pytest.raises(ValueError, match=words):
            screen(model, smiles)


def test_threads_change_nothing(model):
    before, results = ct.get_num_threads(), []
    for threads in (1, 2):
        ct.set_num_threads(threads)
        results.append(pairs(screen(model, library(500), 50)))
    ct.set_num_threads(before)
    assert results[0] == results[1]


def test_the_command_line(model, tmp_path, capsys):
    smiles = library(200)
    path, out = write_smi(tmp_path / "l.smi", smiles), tmp_path / "hits.csv"
    assert main(["screen", str(model), str(path), "--top", "12", "-o", str(out)]) == 3
    text = capsys.readouterr().out
    assert "196 molecules scored; the best 12" in text and "4 of 200 molecules could not be scored" in text
    rows, expected = read(out), brute(model, smiles, 12)
    assert [(int(r["row"]) - 1, np.float32(r["score"])) for r in rows] == expected
    assert rows[0] == {"rank": "1", "row": str(expected[0][0] + 1), "id": f"name{expected[0][0]}",
                       "smiles": smiles[expected[0][0]], "score": str(expected[0][1])}  # fmt: skip
    assert main(["screen", str(model), str(path), "--top", "12", "-o", str(out)]) == 1
    assert "--force" in capsys.readouterr().err
    assert main(["screen", str(model), str(path), "--top", "12", "-o", str(out), "--resume"]) == 3
    shards = [str(tmp_path / f"s{i}.csv") for i in (1, 2, 3)]
    for i, shard in enumerate(shards, 1):
        assert main(["screen", str(model), str(path), "--top", "12", "-o", shard, "--shard", f"{i}/3"]) in (0, 3)
    assert main(["screen-merge", *shards, "-o", str(tmp_path / "m.csv")]) == 3
    assert (tmp_path / "m.csv").read_bytes() == out.read_bytes()


def test_mistakes_are_one_sentence(model, tmp_path, capsys):
    good = write_smi(tmp_path / "l.smi", library(5))
    (tmp_path / "l.csv").write_text("a,b\nCC,1\n")
    (tmp_path / "l.xyz").write_text("CC\n")
    packed = gzip.compress(b"".join(b"C" * (i % 40 + 1) + b"\n" for i in range(5000)))
    (tmp_path / "cut.smi.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "no.smi.gz").write_bytes(b"CC\n")
    out = str(tmp_path / "h.csv")
    for arguments, words in [
        ([str(tmp_path / "none.smi")], "there is no file"),
        ([str(tmp_path / "l.xyz")], "needed .smi"),
        ([str(tmp_path / "l.csv")], "--smiles-column"),
        ([str(tmp_path / "l.csv"), "--smiles-column", "c"], "no column 'c'; it has 'a', 'b'"),
        ([str(good), "--smiles-column", "c"], "has no named columns"),
        ([str(tmp_path / "cut.smi.gz")], "is damaged after molecule"),
        ([str(tmp_path / "no.smi.gz")], "is damaged after molecule 0"),
        ([str(good), "--shard", "3/2"], "i from 1 to N"),
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
    with pytest.raises(ValueError, match="out and the library are both"):
        screen(model, good, out=good, force=True)


def test_no_molecules(model, tmp_path):
    (tmp_path / "l.smi").write_text("\n\n")
    hits = screen(model, tmp_path / "l.smi", 5, out=tmp_path / "h.csv")
    assert len(hits) == 0 and read(tmp_path / "h.csv") == [] and repr(hits) == "no hits"
    assert repr(Hits([(1.0, 0, "C", "")] * 4)) == "4 hits: C 1, C 1, C 1, ..."


ALERTED = ["O=C1C=CC(=O)C=C1", "CC(=O)Cl", "CCO", "CCCCCCO", "CCCCCCCO", "c1ccncc1C", "CCCCCCCCO", "C1CCNCC1"]


def test_steps_on_the_hits_against_rdkit(model, tmp_path):
    from rdkit import Chem, DataStructs
    from rdkit.Chem import Crippen, Descriptors, rdFingerprintGenerator
    from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

    actives = tmp_path / "actives.smi"
    actives.write_text("CCCCO butanol\nC1CC\nc1ccncc1\n")
    hits = screen(model, ALERTED, 8, similar_to=actives, filters="pains, brenk", properties=True)
    plain = screen(model, ALERTED, 8)
    assert pairs(hits) == pairs(plain) and hits.smiles == plain.smiles
    assert hits.report.notes == ["1 of 3 actives of similar_to could not be read"]
    molecules = [Chem.MolFromSmiles(s) for s in hits.smiles]
    bits = rdFingerprintGenerator.GetMorganGenerator(radius=1, fpSize=256).GetFingerprint
    known = [bits(Chem.MolFromSmiles(s)) for s in ("CCCCO", "c1ccncc1")]
    similarities = [DataStructs.BulkTanimotoSimilarity(bits(m), known) for m in molecules]
    assert np.allclose([float(v) for v in hits.columns["similarity"]], np.max(similarities, axis=1), atol=1e-6)
    assert hits.columns["nearest_active"] == [["butanol", "c1ccncc1"][int(np.argmax(s))] for s in similarities]
    assert hits.columns["molecular_weight"] == [f"{Descriptors.MolWt(m):.3f}" for m in molecules]
    assert hits.columns["logp"] == [f"{Crippen.MolLogP(m):.4f}" for m in molecules]
    kinds = FilterCatalogParams.FilterCatalogs
    catalogs = [FilterCatalog(FilterCatalogParams(kind)) for kind in (kinds.PAINS, kinds.BRENK)]
    flagged = [any(c.HasMatch(m) for c in catalogs) for m in molecules]
    assert [bool(a) for a in hits.columns["alerts"]] == flagged and any(flagged) and not all(flagged)
    assert "brenk: " in "".join(hits.columns["alerts"])
    left = screen(model, ALERTED, 8, filters=["pains", "brenk"], drop_filtered=True)
    assert left.smiles == [s for s, bad in zip(hits.smiles, flagged, strict=True) if not bad]
    assert left.report.notes == [f"{sum(flagged)} of 8 hits dropped for structural alerts"]


def test_a_diverse_pick_takes_the_best_of_each_cluster(model):
    smiles = library(400)
    hits = screen(model, smiles, 60)
    clusters = ct.cluster.butina(ct.ops.ecfp(hits.smiles, radius=1, size=256), 0.3)
    best = sorted(int(members.min()) for members in clusters)
    assert 3 < len(best) < 60
    picked = screen(model, smiles, 60, diverse=3, cutoff=0.3)
    assert picked.rows.tolist() == hits.rows[best[:3]].tolist() and picked.columns["cluster"] == ["1", "2", "3"]
    every = screen(model, smiles, 60, diverse=len(best), cutoff=0.3)
    assert every.rows.tolist() == hits.rows[best].tolist()
    more = screen(model, smiles, 60, diverse=len(best) + 2, cutoff=0.3)
    assert set(every.rows) < set(more.rows) and len(more) == len(best) + 2
    assert screen(model, smiles, 60, diverse=1000).rows.tolist() == hits.rows.tolist()


def test_steps_come_after_the_merge_and_survive_a_resume(model, tmp_path, capsys):
    path, out = write_smi(tmp_path / "l.smi", library(300)), tmp_path / "h.csv"
    steps = ["--filters", "brenk", "--drop-filtered", "--properties", "--diverse", "5"]
    assert main(["screen", str(model), str(path), "--top", "30", "-o", str(out), *steps]) == 3
    text = capsys.readouterr().out
    assert "hits dropped for structural alerts" in text and "5 of " in text
    assert list(read(out)[0])[5:] == ["molecular_weight", "logp", "alerts", "cluster"] and len(read(out)) == 5
    shards = [str(tmp_path / f"s{i}.csv") for i in (1, 2)]
    assert main(["screen", str(model), str(path), "-o", shards[0], "--shard", "1/2", *steps]) == 1
    assert "screen-merge" in capsys.readouterr().err
    for i, shard in enumerate(shards, 1):
        main(["screen", str(model), str(path), "--top", "30", "-o", shard, "--shard", f"{i}/2"])
    capsys.readouterr()
    assert main(["screen-merge", *shards, "-o", str(tmp_path / "m.csv"), *steps]) == 3
    assert (tmp_path / "m.csv").read_bytes() == out.read_bytes()
    assert "hits dropped for structural alerts" in capsys.readouterr().out
    options = {"filters": "brenk", "drop_filtered": True, "properties": True, "diverse": 5}
    for finished in (out, tmp_path / "m.csv"):
        again = screen(model, path, 30, out=finished, resume=True, **options)
        assert len(again) == 5 and list(again.columns) == ["molecular_weight", "logp", "alerts", "cluster"]
        assert len(again.report.notes) == 2
    with pytest.raises(ValueError, match="another steps on the hits"):
        screen(model, path, 30, out=out, resume=True)


def test_mistaken_steps_are_found_before_the_library_is_read(model):
    def never():
        raise AssertionError("the library was read")
        yield ""

    for options, words in [
        ({"filters": "pain"}, "no filter 'pain'; choose from pains"),
        ({"drop_filtered": True}, "needs filters"),
        ({"diverse": 0}, "diverse must be"),
        ({"cutoff": 2}, "cutoff must be from 0 to 1"),
        ({"similar_to": ["C1CC"]}, "none of the 1 actives"),
    ]:
        with pytest.raises(ValueError, match=words):
            screen(model, never(), **options)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        screen(model, never(), similar_to="none.smi")


def test_the_example_of_chapter_11_runs(tmp_path):
    """On a made-up table: phenols are active."""
    script = Path(__file__).parent.parent / "docs" / "examples" / "screen_erk2.py"
    molecules = ["C" * (1 + i % 15) + ["c1ccccc1O", "C1CCCCC1", "CN", "C(=O)O"][i % 4] for i in range(60)]
    rows = [f"{i},{s},{i},{int('c1' in s)}" for i, s in enumerate(molecules)]
    (tmp_path / "t.csv").write_text(",SMILES,ID,is_active\n" + "\n".join(rows) + "\n")
    write_smi(tmp_path / "l.smi", [s for s in library(200) if s])
    names = ["--out", str(tmp_path / "out"), "--folds", "3", "--top", "20", "--epochs", "5"]
    result = runpy.run_path(str(script))["main"]([str(tmp_path / "t.csv"), str(tmp_path / "l.smi"), *names])
    assert result["valid"] > 0.5 and result["hits"] == 20
    rows = read(tmp_path / "out" / "hits.csv")
    assert list(rows[0])[5:] == ["similarity", "nearest_active", "molecular_weight", "logp", "alerts", "cluster"]
    assert (tmp_path / "out" / "hits.png").read_bytes()[:4] == b"\x89PNG"


def test_a_picture_of_the_hits(model, tmp_path):
    path, png = write_smi(tmp_path / "l.smi", library(30)), tmp_path / "h.png"
    assert main(["screen", str(model), str(path), "-o", str(tmp_path / "h.csv"), "--picture", str(png)]) == 0
    assert png.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(ValueError, match="no hits to draw"):
        Hits([]).to_png(png)
