"""Tests of two writers on one place, in processes and threads, with readers: no file is lost or incomplete."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import catalase as ct
from catalase._internal import storage


def rows(value, n=10):
    return ct.data.NumpyDataset(np.full((n, 4), value, np.float32), np.zeros((n, 1)))


def together(work, how, n=2):
    """Run ``work(i)`` in n processes or threads at once; the sentences of those that were refused."""
    refused = []

    def guarded(i):
        try:
            work(i)
        except RuntimeError as error:
            refused.append(str(error))

    if how == "threads":
        threads = [threading.Thread(target=guarded, args=(i,)) for i in range(n)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return refused
    pipes = []
    for i in range(n):
        reader, writer = os.pipe()
        if (child := os.fork()) == 0:
            code = 1
            try:
                guarded(i)
                os.write(writer, "\n".join(refused).encode())
                code = 0
            finally:
                os._exit(code)
        os.close(writer)
        pipes.append((child, reader))
    sentences = []
    for child, reader in pipes:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        sentences += [line for line in os.read(reader, 10_000).decode().split("\n") if line]
        os.close(reader)
    return sentences


BOTH = pytest.mark.parametrize("how", ["processes", "threads"])


@BOTH
def test_two_disk_writers_take_turns_or_one_is_refused(tmp_path, how):
    for turn in range(5):
        folder = tmp_path / str(turn)
        ct.data.DiskWriter(folder).append(rows(-1))
        written = tmp_path / f"{turn}.log"

        def append(i, folder=folder, written=written):
            writer = ct.data.DiskWriter(folder, resume=True)
            for j in range(8):
                writer.append(rows(100 * i + j))
                with open(written, "a") as log:
                    log.write(f"{100 * i + j}\n")

        for sentence in together(append, how):
            assert "another writer has written into" in sentence and "resume=True" in sentence
        data = ct.data.DiskDataset(folder)
        data.verify()
        told = {float(line) for line in written.read_text().split()}
        assert {-1.0, *told} == set(np.asarray(data.X)[:, 0].tolist())


@BOTH
def test_two_who_create_a_dataset_leave_one_of_them_whole(tmp_path, how):
    for turn in range(5):
        folder = tmp_path / str(turn)

        def create(i, folder=folder):
            ct.data.DiskDataset.create(folder, [rows(10 * i + j) for j in range(6)])

        for sentence in together(create, how):
            assert sentence.startswith("DiskDataset.create: another writer is at work on")
        data = ct.data.DiskDataset(folder)
        data.verify()
        values = np.asarray(data.X)[::10, 0].tolist()
        assert values in ([0, 1, 2, 3, 4, 5], [10, 11, 12, 13, 14, 15])


@BOTH
def test_two_who_save_an_index_leave_one_of_them_whole(tmp_path, how):
    rng = np.random.default_rng(0)
    indexes = [ct.FingerprintIndex(rng.integers(0, 256, (50 + i, 16), dtype=np.uint8)) for i in range(2)]
    for turn in range(5):
        assert not together(lambda i, turn=turn: indexes[i].save(tmp_path / str(turn)), how)  # they wait for each other
        assert len(ct.FingerprintIndex.load(tmp_path / str(turn))) in (50, 51)
        assert len(list((tmp_path / str(turn)).iterdir())) == 5


@BOTH
def test_two_who_save_a_model_leave_one_of_them_whole(tmp_path, how):
    nets = [ct.models.MultitaskRegressor(1, 8, layer_sizes=[4 + i], seed=i) for i in range(2)]
    for _ in range(5):
        assert not together(lambda i: nets[i].save(tmp_path / "m"), how)
        assert ct.models.load(tmp_path / "m").to_config()["layer_sizes"] in ([4], [5])


def test_a_reader_beside_a_writer_sees_the_old_or_the_new(tmp_path):
    rng = np.random.default_rng(0)
    indexes = [ct.FingerprintIndex(rng.integers(0, 256, (50 + i, 16), dtype=np.uint8)) for i in range(2)]
    nets = [ct.models.MultitaskRegressor(1, 8, layer_sizes=[4 + i], seed=i) for i in range(2)]

    def write(turn):
        indexes[turn % 2].save(tmp_path / "index")
        nets[turn % 2].save(tmp_path / "model")
        ct.data.DiskDataset.create(tmp_path / "data", [rows(turn), rows(turn)])

    write(0)
    if (child := os.fork()) == 0:
        code, turn, end = 1, 1, time.monotonic() + 2.5
        try:
            while time.monotonic() < end:
                write(turn)
                turn += 1
            code = 0
        finally:
            os._exit(code)
    looks = 0
    try:
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            assert len(ct.FingerprintIndex.load(tmp_path / "index")) in (50, 51)
            assert ct.models.load(tmp_path / "model").to_config()["layer_sizes"] in ([4], [5])
            values = set(np.asarray(ct.data.DiskDataset(tmp_path / "data").X).ravel().tolist())
            assert len(values) == 1
            looks += 1
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    assert looks > 5


def test_an_open_dataset_stays_readable_when_it_is_made_again_and_again(tmp_path):
    ct.data.DiskDataset.create(tmp_path, [rows(1), rows(2)])
    first = ct.data.DiskDataset(tmp_path)
    for value in (3, 4, 5):
        ct.data.DiskDataset.create(tmp_path, [rows(value)])
    assert np.asarray(first.X)[:, 0].tolist() == [1.0] * 10 + [2.0] * 10
    del first
    ct.data.DiskDataset.create(tmp_path, [rows(6)])
    assert sorted(file.name.split("-")[0] for file in tmp_path.iterdir()) == ["X", "ids", "manifest.json", "w", "y"]


def test_a_lock_goes_with_its_process_and_does_not_pass_to_a_child(tmp_path):
    code = (
        "import sys, time; from catalase._internal import storage\n"
        "with storage.writing('a', sys.argv[1]), storage.writing_output('a', sys.argv[1] + '/out.csv'):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    run = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True, env=environment)
    assert run.stdout.readline() == "held\n"
    with pytest.raises(RuntimeError, match="b: another writer is at work"), storage.writing("b", tmp_path):
        pass
    with (
        pytest.raises(RuntimeError, match=r"another writer is at work on .*out\.csv"),
        storage.writing_output("b", tmp_path / "out.csv"),
    ):
        pass
    run.kill()
    run.wait()
    run.stdout.close()
    with storage.writing("b", tmp_path) as locked, storage.writing_output("b", tmp_path / "out.csv"):
        assert locked
    assert not list(tmp_path.iterdir())  # the file of the killed one's lock was taken over and removed
    data, hold = storage.hold_for_reading(__file__)
    assert data and storage.is_held(__file__)
    if (child := os.fork()) == 0:
        time.sleep(5)
        os._exit(0)
    hold.close()
    end = time.monotonic() + 4
    while storage.is_held(__file__) and time.monotonic() < end:
        time.sleep(0.01)  # until the child has run so far
    assert not storage.is_held(__file__)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


FOREIGN = b'{"mine": 1}\n'


def test_a_manifest_of_another_program_is_left_alone(tmp_path):
    manifest = tmp_path / "manifest.json"
    index = ct.FingerprintIndex(np.zeros((3, 8), np.uint8))
    for content in (FOREIGN, b"not json", b""):
        manifest.write_bytes(content)
        for write in (
            lambda: ct.data.DiskDataset.create(tmp_path, [rows(1)]),
            lambda: ct.data.DiskWriter(tmp_path),
            lambda: ct.data.DiskWriter(tmp_path, resume=True),
            lambda: index.save(tmp_path),
        ):
            with pytest.raises(ValueError, match="would be lost"):
                write()
        assert manifest.read_bytes() == content and list(tmp_path.iterdir()) == [manifest]
    ct.data.DiskDataset.create(tmp_path / "ours", [rows(1)])
    (tmp_path / "ours" / "manifest.json").write_bytes(b"damaged")
    ct.data.DiskDataset.create(tmp_path / "ours", [rows(2)])  # our shards lie beside it
    shutil.rmtree(tmp_path / "ours")
    manifest.unlink()
    index.save(tmp_path)
    with pytest.raises(ValueError, match="would be lost"):  # ours, but not a dataset
        ct.data.DiskDataset.create(tmp_path, [rows(1)])
    assert len(ct.FingerprintIndex.load(tmp_path)) == 3
    (tmp_path / "dc").mkdir()
    for name in ("metadata.csv.gzip", "tasks.json"):
        (tmp_path / "dc" / name).write_bytes(b"")
    with pytest.raises(ValueError, match="a dataset of DeepChem, which is only read"):
        ct.data.DiskDataset.create(tmp_path / "dc", [rows(1)])


def test_leftovers_of_killed_runs_go_with_the_next_writer_and_nothing_else_does(tmp_path):
    digest, part = "0" * 64, "0123456789ab"
    ours = [
        f"X-00007-{digest}.npy",
        f".X-00007-{digest}.npy.{part}.tmp",
        f".manifest.json.{part}.tmp",
        f".manifest.json.{part}.old",
    ]
    users = ["X-1.npy", "notes.tmp", f".draft.{part}.tmp", "manifest.json.old", f".other.json.{part}.old"]
    for make in (
        lambda: ct.data.DiskDataset.create(tmp_path, [rows(1)]),
        lambda: ct.data.DiskWriter(tmp_path, resume=True),
    ):
        for name in ours + users:
            (tmp_path / name).write_bytes(b"{}")
        make()
        left = {file.name for file in tmp_path.iterdir()}
        assert not left & set(ours) and set(users) <= left
    index, folder = ct.FingerprintIndex(np.zeros((3, 8), np.uint8)), tmp_path / "index"
    folder.mkdir()
    ours = [
        f"slices-{digest}.npy",
        f".slices-{part}.part",
        f"..slices-{part}.part.{part}.tmp",
        f".manifest.json.{part}.tmp",
    ]
    plain = {
        "places.npy",
        "slices.npy.part",
        f".slices.npy.part.{part}.tmp",
    }  # a user's, where there was no index before
    for name in [*ours, *plain, "mine.npy"]:
        (folder / name).write_bytes(b"mine")
    index.save(folder)
    left = {file.name for file in folder.iterdir()}
    assert not left & set(ours) and left > plain | {"mine.npy"} and len(left) == 6 + len(plain)
    assert all((folder / name).read_bytes() == b"mine" for name in plain)
    index.save(folder)  # now there was one, whose part an earlier version may have left
    assert plain - {file.name for file in folder.iterdir()} == {"slices.npy.part"}


def test_temporary_files_of_killed_screenings_go_and_those_of_live_writers_stay(tmp_path):
    part, old = "0123456789ab", time.time() - 3600
    names = [f".h.csv.{part}.tmp", f".h.csv.json.{part}.tmp"]
    others = [f".h.csv.{part[:-1]}.tmp", f".other.csv.{part}.tmp", f"h.csv.{part}.tmp", ".h.csv.notes.tmp"]
    for name in [*names, *others]:
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (old, old))
    young, written = tmp_path / f".h.csv.{'a' * 12}.tmp", tmp_path / f".h.csv.{'b' * 12}.tmp"
    young.write_bytes(b"x")
    with open(written, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.utime(written, (old, old))
        with storage.writing_output("a", tmp_path / "h.csv"):
            pass
    assert {file.name for file in tmp_path.iterdir()} == {*others, young.name, written.name}


def test_a_file_that_is_being_written_is_locked(tmp_path):
    def write(file):
        (temporary,) = tmp_path.glob(".h.csv.*.tmp")
        os.utime(temporary, (0, 0))
        storage.remove_leftovers(tmp_path / "h.csv")
        assert temporary.exists()
        file.write(b"all")

    storage.write_file_atomic(tmp_path / "h.csv", write)
    assert (tmp_path / "h.csv").read_bytes() == b"all"


def test_children_that_were_forked_meanwhile_neither_keep_a_lock_nor_give_it_back(tmp_path):
    places = [(storage.writing, tmp_path), (storage.writing_output, tmp_path / "out.csv")]
    for take, place in places:
        with take("a", place):
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
        with take("b", place) as locked:  # the child lives, and has not the lock
            assert locked
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        parent = os.getpid()
        try:
            with take("a", place):
                if (child := os.fork()) == 0:
                    raise SystemExit  # the child leaves the block by itself
                os.waitpid(child, 0)
                with pytest.raises(RuntimeError, match="another writer is at work"), take("b", place):
                    pass
        finally:
            if os.getpid() != parent:
                os._exit(0)
    assert not list(tmp_path.iterdir())


def test_two_screenings_on_one_output(tmp_path):
    model = ct.models.MultitaskRegressor(1, 64, layer_sizes=[4], seed=0)
    model.featurizer = ct.feat.CircularFingerprint(size=64)
    library = tmp_path / "l.smi"
    library.write_text("".join(f"{'C' * (i % 9 + 1)}O m{i}\n" for i in range(3000)) + "C1CC bad\n")

    def screen(out):
        ct.screen(model, library, top=5, out=out, progress=False, chunk=100)

    screen(tmp_path / "alone.csv")
    for turn in range(3):
        out = tmp_path / f"{turn}.csv"

        def work(_, out=out):
            try:
                screen(out)
            except ValueError as error:  # the other had ended
                assert "--force" in str(error)

        for sentence in together(work, "processes"):
            assert "another writer is at work on" in sentence
        for end in ("", ".errors.csv"):
            assert Path(f"{out}{end}").read_bytes() == Path(f"{tmp_path / 'alone.csv'}{end}").read_bytes()
        assert not list(tmp_path.glob(".*"))
