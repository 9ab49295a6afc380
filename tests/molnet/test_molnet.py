"""Tests of the MoleculeNet loaders on small tables of the same form, and on the real ones if CATALASE_DATA_DIR has them."""

from __future__ import annotations

import gzip
import hashlib

import numpy as np
import pytest

from catalase import molnet
from catalase._internal import storage
from catalase.molnet import loaders, tables
from catalase.molnet import loading as _load

ROWS = ["CCO", "CCN", "c1ccccc1", "CC(=O)O[AlH3](O)O", "CCC", "CCCl", "CCBr", "C1CC1", "CO", "CN"]


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A table of ten molecules in the place of Tox21."""
    text = "A,B,mol_id,smiles\n" + "".join(f"{i % 2},{'' if i % 3 == 0 else 1},T{i},{s}\n" for i, s in enumerate(ROWS))
    table = tables.TOX21._replace(
        tasks=("A", "B"),
        rows=10,
        labels=16,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        url="http://127.0.0.1:9/tox21.csv.gz",
    )
    monkeypatch.setattr(loaders, "TOX21", table)
    monkeypatch.setattr(tables, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(_load, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("CATALASE_DATA_DIR", raising=False)
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "tox21.csv.gz").write_bytes(gzip.compress(text.encode()))
    return folder


def test_every_row_is_kept_and_the_refused_ones_are_listed(small):
    tasks, (train, valid, test), transformers = molnet.load_tox21(data_dir=small, reload=False)
    assert tasks == ["A", "B"] and [len(d) for d in (train, valid, test)] == [8, 1, 1]
    assert train.X.shape == (8, 1024) and train.X[3].any() and type(transformers[0]).__name__ == "BalancingTransformer"
    assert [f.position for f in train.report.failures] == [3] and "valence" in train.report.failures[0].reason
    assert (train.w[:, 1] == 0).tolist() == [i % 3 == 0 for i in range(8)]
    assert np.isclose(train.w[train.y[:, 0] == 1, 0].sum(), train.w[train.y[:, 0] == 0, 0].sum())
    assert not (small.parent / "cache").exists(), "reload=False writes nothing"


def test_the_featurized_copy_is_used_again(small, tmp_path, monkeypatch):
    first = molnet.load_tox21(data_dir=small, save_dir=tmp_path / "save")[1]
    monkeypatch.setattr(_load.CircularFingerprint, "featurize", None)  # any further featurization would fail
    second = molnet.load_tox21(data_dir=small, save_dir=tmp_path / "save")[1]
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.X, b.X) and np.array_equal(a.w, b.w) and np.array_equal(a.ids, b.ids)
        assert [f.position for f in b.report.failures] == [3]


def test_a_damaged_copy_is_made_again(small, tmp_path):
    molnet.load_tox21(data_dir=small, save_dir=tmp_path / "save")
    for manifest in (tmp_path / "save").rglob("manifest.json"):
        manifest.write_text("{")
    assert len(molnet.load_tox21(data_dir=small, save_dir=tmp_path / "save")[1][0]) == 8


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_copy_with_a_damaged_shard_is_made_again(small, tmp_path, damage):
    first = molnet.load_tox21(data_dir=small, save_dir=tmp_path / "save")[1]
    shard = next((tmp_path / "save").rglob("X-*"))
    if damage == "gone":
        shard.unlink()
    else:
        shard.write_bytes(shard.read_bytes()[:-8])
    for _ in range(2):  # the copy that was made again must be good, too
        again = molnet.load_tox21(data_dir=small, save_dir=tmp_path / "save")[1]
        assert all(np.array_equal(a.X, b.X) for a, b in zip(first, again, strict=True))


def test_a_copy_that_cannot_be_kept_is_a_warning(small, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="copy could not be kept .* reload=False"):
        assert len(molnet.load_tox21(data_dir=small, save_dir=tmp_path / "file")[1][0]) == 8


def test_a_copy_that_another_process_is_keeping_is_left_to_it(small, tmp_path):
    molnet.load_tox21(data_dir=small, save_dir=tmp_path / "save")
    (manifest,) = (tmp_path / "save").rglob("manifest.json")
    manifest.unlink()
    with storage.writing("another", manifest.parent):
        assert len(molnet.load_tox21(data_dir=small, save_dir=tmp_path / "save")[1][0]) == 8
    assert not manifest.exists()


class Sevens(_load.CircularFingerprint):
    """Other features under the settings of its parent."""

    def featurize(self, datapoints, errors="raise", output="dense"):
        return np.full((len(datapoints), self.size), 7, np.float32)


def test_two_kinds_of_featurizer_share_no_copy(small, tmp_path):
    options = {"data_dir": small, "save_dir": tmp_path / "save", "transformers": []}
    assert molnet.load_tox21(Sevens(size=64), **options)[1][0].X.max() == 7
    assert molnet.load_tox21(_load.CircularFingerprint(size=64, partial=True), **options)[1][0].X.max() == 1


def test_a_gzip_with_altered_bytes(small):
    data = bytearray((small / "tox21.csv.gz").read_bytes())
    data[15] ^= 0xFF
    data[len(data) // 2] ^= 0xFF
    (small / "tox21.csv.gz").write_bytes(data)
    with pytest.raises(ValueError, match=r"is damaged .* delete it"):
        molnet.load_tox21(data_dir=small, reload=False)


@pytest.mark.parametrize("splitter", ["index", "random", "scaffold", None])
def test_splitters(small, splitter):
    parts = molnet.load_tox21(data_dir=small, splitter=splitter, transformers=[], reload=False, seed=1)[1]
    assert sorted(np.concatenate([p.ids for p in parts]).tolist()) == sorted(ROWS)


def test_a_failed_download_is_one_clear_sentence(small, tmp_path):
    with pytest.raises(OSError, match=r"could not be downloaded .* by hand into .*CATALASE_DATA_DIR"):
        molnet.load_tox21(data_dir=tmp_path / "empty", reload=False)
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_download_is_verified_and_renamed(small, tmp_path, monkeypatch):
    """The real downloader against a server on this machine."""
    import functools
    import http.server
    import threading

    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(small))
    handler.func.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/tox21.csv.gz"
        monkeypatch.setattr(loaders, "TOX21", loaders.TOX21._replace(url=url))
        target = tmp_path / "fresh"
        assert len(molnet.load_tox21(data_dir=target, reload=False)[1][0]) == 8
        assert [p.name for p in target.iterdir()] == ["tox21.csv.gz"]
        wrong = loaders.TOX21._replace(sha256="0" * 64, rows=11)
        monkeypatch.setattr(loaders, "TOX21", wrong)
        with pytest.raises(OSError, match="10 rows and 16 labels, but the table has 11"):
            molnet.load_tox21(data_dir=tmp_path / "other", reload=False)
        server.shutdown()


def test_a_file_that_is_not_the_table(small):
    (small / "tox21.csv.gz").write_bytes(gzip.compress(b"A,B,smiles\n1,1,C\n"))
    with pytest.raises(ValueError, match="1 rows and 2 labels, but the table has 10 and 16"):
        molnet.load_tox21(data_dir=small)
    (small / "tox21.csv.gz").write_bytes(b"\x1f\x8b broken")
    with pytest.raises(ValueError, match="is damaged"):
        molnet.load_tox21(data_dir=small)


def test_bad_settings(small):
    for options, kind, words in [
        ({"featurizer": "Weave"}, ValueError, "'DMPNN' or an object"),
        ({"splitter": "butina"}, ValueError, "index, random, scaffold"),
        ({"transformers": ["log"]}, ValueError, "'balancing', 'normalization'"),
        ({"transformers": "balancing"}, TypeError, "wrap it in"),
    ]:
        with pytest.raises(kind, match=words):
            molnet.load_tox21(data_dir=small, reload=False, **options)


def test_the_real_tox21(data_dir, tmp_path):
    _, parts, _ = molnet.load_tox21(save_dir=tmp_path)
    assert [d.X.shape for d in parts] == [(6264, 1024), (783, 1024), (784, 1024)]
    assert np.count_nonzero(parts[0].w) == 62166 and len(parts[0].report.failures) == 8


def test_the_real_delaney(data_dir, tmp_path):
    tasks, (train, valid, test), transformers = molnet.load_delaney(save_dir=tmp_path)
    assert len(train) + len(valid) + len(test) == 1128 and len(tasks) == 1
    assert abs(train.y.mean()) < 1e-5 and abs(train.y.std() - 1) < 1e-5
    assert np.isclose(transformers[0].untransform(train.y).min(), -11.6, atol=0.5)
