"""Tests of datasets on disk: shuffle windows, killed writers, DeepChem's folders, and refused pickles."""

from __future__ import annotations

import csv
import gzip
import json
import os
import pickle
import signal
import subprocess
import sys
import zlib

import numpy as np
import pytest

import catalase as ct
from catalase.data import DiskDataset, DiskWriter, NumpyDataset
from catalase.data.array_files import load_joblib, load_npy
from catalase.data.shards import ShardedArray


def shard(start, n, wide=5):
    rows = np.arange(start, start + n)
    X = (rows[:, None] * 7 + np.arange(wide)).astype(np.uint8)
    return NumpyDataset(X, rows[:, None].astype(np.float32), ids=np.array([f"r{i}" for i in rows]))


@pytest.fixture
def sharded(tmp_path):
    """1,003 rows in shards of 1 to 200 rows."""
    sizes, start, parts = [200, 1, 200, 150, 52, 200, 200], 0, []
    for n in sizes:
        parts.append(shard(start, n))
        start += n
    DiskDataset.create(tmp_path / "d", parts)
    return tmp_path / "d", shard(0, 1003)


@pytest.mark.parametrize("window", [1, 500, 3000, 10**6])
@pytest.mark.parametrize("batch", [1, 7, 64, 400])
def test_every_window_gives_every_row_once(sharded, window, batch):
    path, whole = sharded
    data = DiskDataset(path, window_bytes=window)
    assert len(data) == 1003 and data.get_number_shards() == 7
    for walk in ({"deterministic": True}, {"seed": 5}):
        batches = list(data.numbered_batches(batch, **walk))
        rows = np.concatenate([rows for _, rows, _ in batches])
        assert sorted(rows) == list(range(1003)) and [len(r) for _, r, _ in batches[:-1]] == [batch] * (
            len(batches) - 1
        )
        for at, name in enumerate(("X", "y", "w", "ids")):
            column = np.concatenate([b[at] for *_, b in batches])
            assert np.array_equal(column, getattr(whole, name)[rows]), name
            assert column.dtype.kind == getattr(whole, name).dtype.kind
        assert (rows.tolist() == list(range(1003))) == ("deterministic" in walk)


def test_the_order_is_the_seeds(sharded):
    path, _ = sharded

    def order(window, **walk):
        data = DiskDataset(path, window_bytes=window)
        return np.concatenate([ids for *_, ids in data.iterbatches(10, **walk)]).tolist()

    assert order(2000, seed=1) == order(2000, seed=1) != order(2000, seed=2) != order(2000)
    twice = order(2000, seed=1, epochs=2)
    assert twice[:1003] == order(2000, seed=1) and sorted(twice[1003:]) == sorted(twice[:1003]) != twice[:1003]
    memory = np.concatenate([ids for *_, ids in shard(0, 1003).iterbatches(10, seed=1)]).tolist()
    assert order(10**6, seed=1) == memory, "a dataset that fits in a window has the order of one in memory"


def test_a_batch_mixes_places_far_apart(tmp_path):
    DiskDataset.create(tmp_path, [shard(i * 500, 500) for i in range(40)])
    data = DiskDataset(tmp_path, window_bytes=50_000)
    spread = [np.ptp(y) for _, y, _, _ in data.iterbatches(50, seed=0)]
    assert np.mean(spread) > 10_000


def test_filled_batches_and_a_batch_larger_than_a_window(sharded):
    path, whole = sharded
    data = DiskDataset(path, window_bytes=100)
    *_, (X, y, w, _) = data.iterbatches(100, deterministic=True, pad_batches=True)
    assert len(X) == 100 and w[:3].all() and not w[3:].any() and np.array_equal(np.unique(y), [1000, 1001, 1002])
    ((X, *_),) = data.iterbatches(None, deterministic=True)
    assert np.array_equal(X, whole.X)
    with pytest.raises(ValueError, match="batch_size must be 1 or more"):
        next(data.iterbatches(0))


def test_columns_of_many_shards_are_not_read_whole(sharded, monkeypatch):
    path, whole = sharded
    data = DiskDataset(path, window_bytes=1)
    X = data.X
    assert isinstance(X, ShardedArray) and X.shape == (1003, 5) and X.dtype == np.uint8 and X.nbytes == 5015
    read = []
    plain = data._shards.read
    monkeypatch.setattr(data._shards, "read", lambda s, c: read.append(s) or plain(s, c))
    assert np.array_equal(X[198:203], whole.X[198:203]) and read == [0, 1, 2]
    for key in (
        5,
        -1,
        slice(None, None, -97),
        [3, 900, 3],
        np.arange(1003) % 100 == 0,
        (slice(0, 9), 2),
        [[1], [2]],
        [],
    ):
        assert np.array_equal(X[key], whole.X[np.array(key, int) if isinstance(key, list) else key]), key
    assert np.array_equal(np.asarray(data.ids), whole.ids) and data.ids[401] == "r401"
    assert (X == whole.X).all() and (X + 1).dtype == np.uint8 and data.select([700, 2]).ids.tolist() == ["r700", "r2"]
    assert sum(1 for _ in data.itersamples()) == 1003
    assert isinstance(DiskDataset(path).X, np.ndarray)


def test_a_model_streams(sharded):
    path, _ = sharded
    parts = [NumpyDataset(np.asarray(p[0], np.float32) / 255, p[1] > 500) for p in DiskDataset(path).iter_shards()]
    DiskDataset.create(path, parts)
    scores = []
    for window in (10**6, 2000):
        data = DiskDataset(path, window_bytes=window)
        model = ct.models.MultitaskClassifier(1, 5, layer_sizes=[8], dropouts=0.0, seed=0)
        model.fit(data, nb_epoch=2)
        assert model.predict(data).shape == (1003, 1, 2)
        scores.append(model.history["loss"][-1])
    assert np.isfinite(scores).all()


def test_a_writer_appends_and_goes_on(tmp_path):
    writer = DiskWriter(tmp_path / "d", extra={"made by": "test"})
    assert writer.append(shard(0, 10)) == 10 and writer.append(shard(10, 5)) == 15 and writer.shards == 2
    with pytest.raises(ValueError, match="X of shard 2 has rows of shape"):
        writer.append(shard(15, 5, wide=6))
    with pytest.raises(FileExistsError, match="give resume=True"):
        DiskWriter(tmp_path / "d")
    (tmp_path / "d" / ("X-00002-" + "0" * 64 + ".npy")).write_bytes(b"left by a kill")
    (tmp_path / "d" / (".X-00002-" + "0" * 64 + ".npy.0123456789ab.tmp")).write_bytes(b"left by a kill")
    again = DiskWriter(tmp_path / "d", resume=True)
    assert again.rows == 15 and len(list((tmp_path / "d").iterdir())) == 9
    again.append(shard(15, 990))
    data = again.dataset()
    assert np.array_equal(np.asarray(data.ids), shard(0, 1005).ids) and data.extra == {"made by": "test"}
    with pytest.raises(ValueError, match="has the tasks"):
        DiskWriter(tmp_path / "d", resume=True, tasks=["other"])


KILLED = """
import sys
from catalase.data import DiskWriter
from tests.data.test_disk import shard
writer = DiskWriter(sys.argv[1], resume=True)
while writer.rows < 5000:
    print(writer.append(shard(writer.rows, 50)), flush=True)
"""


def test_every_committed_shard_survives_a_kill(tmp_path):
    told = 0
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([p for p in sys.path if p])}
    for lines in (1, 6, 3):
        run = subprocess.Popen(
            [sys.executable, "-c", KILLED, tmp_path], stdout=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(lines):
            told = int(run.stdout.readline())
        run.send_signal(signal.SIGKILL)
        run.wait()
        run.stdout.close()
        data = DiskDataset(tmp_path)
        data.verify()
        assert told <= len(data) <= 5000 and len(data) % 50 == 0
        assert np.array_equal(np.asarray(data.ids), shard(0, len(data)).ids)
        assert np.array_equal(np.asarray(data.X), shard(0, len(data)).X)


@pytest.mark.parametrize("step", ["temporary", "shards", "manifest"])
def test_a_kill_between_the_steps_of_a_commit(tmp_path, monkeypatch, step):
    writer = DiskWriter(tmp_path)
    writer.append(shard(0, 10))

    def killed(*_):
        raise KeyboardInterrupt

    if step == "temporary":
        monkeypatch.setattr(os, "replace", killed)
    elif step == "manifest":
        monkeypatch.setattr("catalase._internal.storage.write_json_atomic", killed)
    else:
        monkeypatch.setattr("catalase.data.shard_list.ShardList.commit", killed)
    with pytest.raises(KeyboardInterrupt):
        writer.append(shard(10, 10))
    monkeypatch.undo()
    data = DiskDataset(tmp_path)
    data.verify()
    assert len(data) == 10 and writer.rows == 10 and writer.append(shard(10, 10)) == 20


def test_a_shard_that_does_not_fit_its_manifest(tmp_path):
    DiskDataset.create(tmp_path, [shard(0, 10), shard(10, 10)])
    with pytest.raises(ValueError, match="window_bytes must be 1"):
        DiskDataset(tmp_path, window_bytes=0)
    file = sorted(tmp_path.glob("X-*"))[1]
    np.save(file, np.zeros((9, 5), np.uint8))
    with pytest.raises(ValueError, match="altered or cut short"):
        _ = DiskDataset(tmp_path).X
    with pytest.raises(
        ValueError, match=r"holds uint8 of shape \(9, 5\) where the manifest has uint8 of shape \(10, 5\)"
    ):
        _ = DiskDataset(tmp_path, verify=False).X
    file.write_bytes(b"no array" * 20)
    with pytest.raises(ValueError, match=r"is no \.npy file"):
        _ = DiskDataset(tmp_path, verify=False).X


# What joblib writes: a pickle of its wrapper, the values, the end.
class NumpyArrayWrapper:
    def __init__(self, array):
        self.subclass, self.shape, self.order = np.ndarray, array.shape, "C"
        self.dtype, self.allow_mmap = array.dtype, not array.dtype.hasobject


NumpyArrayWrapper.__module__ = "joblib.numpy_pickle"


def joblib_bytes(array, protocol=3, padding=None):
    """A joblib file, by the standard library alone."""
    import types

    module = types.ModuleType("joblib.numpy_pickle")
    module.NumpyArrayWrapper = NumpyArrayWrapper
    before = {name: sys.modules.get(name) for name in ("joblib", "joblib.numpy_pickle")}
    sys.modules.update({"joblib": types.ModuleType("joblib"), "joblib.numpy_pickle": module})
    try:
        wrapper = NumpyArrayWrapper(array)
        values = pickle.dumps(array, protocol=2) if array.dtype.hasobject else array.tobytes()
        if padding is not None:
            wrapper.numpy_array_alignment_bytes = 16
            values = bytes([padding]) + b"\xff" * padding + values
        return pickle.dumps(wrapper, protocol=protocol)[:-1] + values + b"."
    finally:
        for name, module in before.items():
            sys.modules.pop(name) if module is None else sys.modules.update({name: module})


def deepchem_folder(path, ending, n=3):
    """A DeepChem folder of three shards, ids and a column of y as objects."""
    path.mkdir()
    (path / "tasks.json").write_text(json.dumps(["efficacy"]))
    with gzip.open(path / "metadata.csv.gzip", "wt", newline="") as file:
        table = csv.writer(file)
        table.writerow(["ids", "X", "y", "w"])
        for s in range(n):
            columns = {
                "ids": np.array([f"mol{s}{i}" * (s + 1) for i in range(4)], object),
                "X": np.arange(24, dtype=np.int8).reshape(4, 3, 2) + s,
                "y": np.array([[s], [0.5], [2], [np.float64(3)]], object),
                "w": np.ones((4, 1)),
            }
            names = {c: f"shard-{s}-{c}.{ending}" for c in columns}
            table.writerow([names[c] for c in ("ids", "X", "y", "w")])
            for c, array in columns.items():
                if ending == "npy":
                    np.save(path / names[c], array)
                else:
                    (path / names[c]).write_bytes(zlib.compress(joblib_bytes(array), 3))
    return path


@pytest.mark.parametrize("ending", ["npy", "joblib"])
@pytest.mark.parametrize("window", [1, 10**6])
def test_deepchems_folders(tmp_path, ending, window):
    data = DiskDataset(deepchem_folder(tmp_path / "dc", ending), window_bytes=window)
    assert data.get_task_names() == ["efficacy"] and data.get_shape() == ((12, 3, 2), (12, 1), (12, 1), (12,))
    assert np.array_equal(data.X[4:6], np.arange(12).reshape(2, 3, 2) + 1) and data.X.dtype == np.int8
    assert data.ids[0] == "mol00" and data.ids[11] == "mol23mol23mol23"
    assert np.asarray(data.y).ravel().tolist() == [0, 0.5, 2, 3, 1, 0.5, 2, 3, 2, 0.5, 2, 3]
    assert sorted(i for *_, ids in data.iterbatches(5, seed=0) for i in ids) == sorted(np.asarray(data.ids))
    copy = DiskDataset.create(tmp_path / "own", [NumpyDataset(*part) for part in data.iter_shards()], tasks=data.tasks)
    assert np.array_equal(np.asarray(copy.y), np.asarray(data.y))
    with pytest.raises(ValueError, match="which is only read"):
        _ = data.manifest_shards


def test_the_books_folder(data_dir):
    folder = data_dir / "book_ch06"
    for part in ("train", "valid"):
        data, twin = DiskDataset(folder / f"{part}_siRNA"), np.load(folder / f"sirna_{part}.npz")
        for column in ("X", "y", "w", "ids"):
            assert np.array_equal(np.asarray(getattr(data, column)), twin[column]), column
            assert getattr(data, column).dtype == twin[column].dtype


def test_deepchem_folders_that_are_refused(tmp_path):
    path = deepchem_folder(tmp_path / "dc", "npy")
    table = gzip.decompress((path / "metadata.csv.gzip").read_bytes()).decode()

    def refused(words, metadata=table):
        (path / "metadata.csv.gzip").write_bytes(
            metadata if isinstance(metadata, bytes) else gzip.compress(metadata.encode())
        )
        with pytest.raises(ValueError, match=words):
            _ = np.asarray(DiskDataset(path).X)

    refused("names a shard '../shard-0-X.npy'", table.replace("shard-0-X", "../shard-0-X"))
    refused("metadata.csv.gzip is damaged", b"\x1f\x8b no")
    refused("lists no shards", "ids,X,y,w\r\n")
    refused("has a shard without X", "ids,X,y,w\r\na.npy,,,\r\n")
    refused("shard-9-X.npy is missing", table.replace("shard-2-X", "shard-9-X"))
    np.save(path / "shard-1-X.npy", np.zeros((4, 3, 3), np.int8))
    refused(r"X of shard 1 .* is int8 of shape \(4, 3, 3\), but int8 of shape \(4, 3, 2\)")
    (path / "tasks.json").write_text("{}")
    refused("must hold a list of names")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("padding", [None, 0, 7])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3), np.zeros((0, 4), np.float32), np.array(["a", "\u00e9\u00e9"]), np.array([True]),
        np.arange(3, dtype=">i4"), np.array(["a", "bcd"], object), np.array([1, 2.5, np.float32(3)], object),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)  # fmt: skip
def test_arrays_in_pickles(tmp_path, array, protocol, padding):
    data = joblib_bytes(array, protocol, None if array.dtype.hasobject else padding)
    for name, content in (("plain", data), ("zlib", zlib.compress(data)), ("gz", gzip.compress(data))):
        (tmp_path / name).write_bytes(content)
        read = load_joblib(tmp_path / name)
        assert read.tolist() == array.tolist() and not read.dtype.hasobject
    (tmp_path / "bare").write_bytes(pickle.dumps(array, protocol=protocol))
    assert load_joblib(tmp_path / "bare").tolist() == array.tolist()


class Evil:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "data, words",
    [
        (pickle.dumps(Evil(os.system, ("touch broken-in",))), r"the name (posix|nt)\.system"),
        (pickle.dumps(Evil(eval, ("open('broken-in', 'w')",))), r"the name builtins\.eval"),
        (pickle.dumps(Evil(eval, ("open('broken-in', 'w')",)), protocol=0), r"the name __builtin__\.eval"),
        (pickle.dumps(np.array([Evil(os.system, ("touch broken-in",))], object)), "the name"),
        (pickle.dumps(np.load), r"the name numpy\.load"),
        (pickle.dumps(Evil(np.dtype, ("O,V4",))), "the dtype 'O,V4'"),
        (pickle.dumps(np.zeros(2, "i4,f4")), "the dtype 'V8'"),
        (b"cnumpy\ndtype\n}S'__call__'\nNsb.", "the state of a _Named"),
        (b"cnumpy\nndarray\n(I99999999\ntR.", "a call of ndarray"),
        (b"cnumpy\ndtype\nS'O8'\ncnumpy\ndtype\n\x87R.", "cannot be read"),
        (b"(lcnumpy\ndtype\nS'f8'\n\x85R.", "where an array was needed"),
        (b"c__builtin__\nbytes\n(K\x09tR.", "a call of bytes"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", r"the name os\.system"),
        (b"\x82\x01.", "the instruction EXT1"),
        (b"Pevil\n.", "the instruction PERSID"),
        (b"(S'touch broken-in'\nios\nsystem\n.", "the instruction INST"),
        (b"(cos\nsystem\nS'touch broken-in'\no.", r"the name os\.system"),
        (pickle.dumps([1, 2]), "a list where an array was needed"),
        (pickle.dumps({"a": 1}), "a dict where"),
        (pickle.dumps(np.array([{"a": 1}], object)), "objects of the types dict"),
        (pickle.dumps(np.array([2**70, 1], object)), "whole numbers beyond 64 bits"),
        (joblib_bytes(np.arange(9.0))[:-20], "are there|were needed"),
        (pickle.dumps(np.arange(9.0))[:-20], "cannot be read"),
        (b"", "cannot be read"),
        (b"t.", "cannot be read"),
        (b"\x85.", "out of step"),
        (b"h\x07.", "cannot be read"),
        (zlib.compress(b"x" * 99)[:-9], "cannot be read"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", "cannot be read"),
    ],
)
def test_pickles_that_are_refused(tmp_path, monkeypatch, data, words):
    monkeypatch.chdir(tmp_path)
    header = (
        b"\x93NUMPY\x01\x00\x76\x00"
        + str({"descr": "|O", "fortran_order": False, "shape": (1,)}).encode().ljust(117)
        + b"\n"
    )
    (tmp_path / "a.joblib").write_bytes(data)
    with pytest.raises(ValueError, match=words):
        load_joblib(tmp_path / "a.joblib")
    (tmp_path / "z.joblib").write_bytes(zlib.compress(data))
    with pytest.raises(ValueError, match="cannot be read"):
        load_joblib(tmp_path / "z.joblib")
    (tmp_path / "a.npy").write_bytes(header + data)
    with pytest.raises(ValueError, match="cannot be read"):
        load_npy(tmp_path / "a.npy")
    assert not (tmp_path / "broken-in").exists()


def test_mutated_pickles_are_refused_or_read(tmp_path, rng):
    good = joblib_bytes(np.array(["a", "b", "c"], object)), joblib_bytes(np.arange(5.0), 4)
    for i in range(300):
        data = bytearray(good[i % 2])
        for _ in range(rng.integers(1, 4)):
            data[rng.integers(len(data))] = rng.integers(256)
        (tmp_path / "f").write_bytes(data)
        try:
            assert isinstance(load_joblib(tmp_path / "f"), np.ndarray)
        except ValueError as error:
            assert "cannot be read" in str(error)
