"""Saved folders: exact round trips; nothing lost or wrongly believed under kills, full disks, races, mutations."""

from __future__ import annotations

import builtins
import errno
import io
import json
import os
import random
import resource
import threading
from pathlib import Path

import numpy as np
import pytest

from catalase import _storage
from catalase._storage import files as files_module
from catalase._storage import save as save_module

OLD = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([1.5, -2.5])}
NEW = {"w": np.full((2, 3), 7, dtype=np.float32), "b": np.array([0.0, -0.0])}
OLD_CONFIG = {"class": "Old", "seed": 1, "rate": 0.1, "sizes": [8, None, True], "nested": {"a": [{}]}}
NEW_CONFIG = {"class": "New", "seed": 2}


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return list(a) == list(b) and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and a[k].tobytes() == b[k].tobytes() for k in a
    )


def state(folder: Path) -> str:
    """Which of the two states the folder holds; anything else fails."""
    config, arrays = _storage.load_folder(folder)
    if config == OLD_CONFIG and same(arrays, OLD):
        return "old"
    if config == NEW_CONFIG and same(arrays, NEW):
        return "new"
    raise AssertionError(f"neither state: {config}")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    _storage.save_folder(tmp_path / "m", OLD_CONFIG, OLD)
    return tmp_path / "m"


def test_round_trip_keeps_bits_shapes_dtypes_and_order(tmp_path: Path) -> None:
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    arrays = {
        "strided": base[::2, ::-1],
        "transposed": base.T,
        "big_endian": np.array([1, 2, 3], dtype=">i4"),
        "scalar": np.array(2.5),
        "empty": np.zeros((0, 3), dtype=np.float16),
        "nan": np.array([np.nan, np.inf, -0.0], dtype=np.float32),
        "bool": np.array([True, False]),
        "bytes": np.arange(5, dtype=np.uint8),
        "broadcast": np.broadcast_to(np.float64(3), (2, 2)),
    }
    _storage.save_folder(tmp_path / "a" / "b", OLD_CONFIG, arrays)
    config, loaded = _storage.load_folder(tmp_path / "a" / "b")
    assert config == OLD_CONFIG
    assert list(loaded) == list(arrays)
    for name, array in arrays.items():
        expected = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
        assert loaded[name].shape == expected.shape, name
        assert loaded[name].dtype == expected.dtype, name
        assert loaded[name].tobytes() == expected.tobytes(), name
        assert loaded[name].flags.writeable
        assert loaded[name].flags.c_contiguous


def test_names_follow_digests_and_old_files_go(saved: Path) -> None:
    _storage.save_folder(saved, NEW_CONFIG, NEW)
    names = sorted(os.listdir(saved))
    assert len(names) == 2
    assert names[0] == "config.json"
    assert names[1] == f"weights-{_storage.sha256_file(saved / names[1])}.safetensors"
    assert state(saved) == "new"


def test_several_array_files_commit_together(saved: Path) -> None:
    moments = {"m": np.ones(3, np.float32)}
    _storage.save_folder(saved, NEW_CONFIG, NEW, extra={"training": moments, "best": OLD})
    config, groups = _storage.load_all(saved)
    assert config == NEW_CONFIG
    assert sorted(groups) == ["best", "training", "weights"]
    assert same(groups["training"], moments)
    assert same(_storage.load_folder(saved, "best")[1], OLD)
    with pytest.raises(ValueError, match="no 'other' arrays, only best, training, weights"):
        _storage.load_folder(saved, "other")
    _storage.save_folder(saved, OLD_CONFIG, OLD)
    assert len(os.listdir(saved)) == 2


def test_leftovers_of_a_killed_run_are_removed_and_foreign_files_kept(saved: Path) -> None:
    (saved / f"weights-{'0' * 64}.safetensors").write_bytes(b"left over")
    (saved / ".config.json.0123456789ab.tmp").write_bytes(b"left over")
    (saved / "notes.txt").write_text("mine")
    (saved / "weights.safetensors").write_text("mine too")
    _storage.save_folder(saved, NEW_CONFIG, NEW)
    assert len(os.listdir(saved)) == 4
    assert (saved / "notes.txt").exists()
    assert (saved / "weights.safetensors").exists()


def test_config_of_another_program_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="not written by Catalase"):
        _storage.save_folder(tmp_path, NEW_CONFIG, NEW)
    assert os.listdir(tmp_path) == ["config.json"]


def test_damaged_config_is_replaced(saved: Path) -> None:
    (saved / "config.json").write_bytes(b'{"format"')
    _storage.save_folder(saved, NEW_CONFIG, NEW)
    assert state(saved) == "new"
    assert len(os.listdir(saved)) == 2


@pytest.mark.parametrize(
    ("value", "error", "match"),
    [
        (float("nan"), ValueError, "finite"),
        (float("inf"), ValueError, "finite"),
        ((1, 2), TypeError, "tuple"),
        (np.float32(1), TypeError, "float32"),
        (np.zeros(2), TypeError, "ndarray"),
        ({1: 2}, TypeError, "keys must be str"),
        ({1, 2}, TypeError, "set"),
        (b"x", TypeError, "bytes"),
    ],
)
def test_config_must_be_json(saved: Path, value: object, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match) as caught:
        _storage.save_folder(saved, {"deep": [{"key": value}]}, NEW)
    assert "config.deep[0].key" in str(caught.value)
    assert state(saved) == "old"


def test_config_nested_too_deep(saved: Path) -> None:
    value: list = []
    for _ in range(100):
        value = [value]
    with pytest.raises(ValueError, match="deeper than 64"):
        _storage.save_folder(saved, {"a": value}, NEW)


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([object()]), np.zeros(2, np.complex64), [1.0, 2.0]])
def test_arrays_must_be_plain_numbers(saved: Path, array: object) -> None:
    with pytest.raises(TypeError, match="array 'x' is"):
        _storage.save_folder(saved, NEW_CONFIG, {"x": array})  # type: ignore[dict-item]
    assert state(saved) == "old"


def test_bad_prefix_and_path(saved: Path) -> None:
    with pytest.raises(ValueError, match="prefix"):
        _storage.save_folder(saved, NEW_CONFIG, NEW, prefix="../x")
    with pytest.raises(ValueError, match="given twice"):
        _storage.save_folder(saved, NEW_CONFIG, NEW, extra={"weights": NEW})
    with pytest.raises(OSError, match="could not make the folder"):
        _storage.save_folder(saved / "config.json", NEW_CONFIG, NEW)
    assert state(saved) == "old"


# ---- loading what is not as it was saved ----


def weights_file(folder: Path) -> Path:
    return next(folder.glob("weights-*.safetensors"))


def test_loading_absent_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"could not read .*config\.json"):
        _storage.load_folder(tmp_path / "none")


def test_missing_weights_is_an_interrupted_copy(saved: Path) -> None:
    weights_file(saved).unlink()
    with pytest.raises(ValueError, match=r"weights-.* is missing.*copy the whole folder again"):
        _storage.load_folder(saved)


@pytest.mark.parametrize("change", ["truncate", "extend", "flip"])
def test_damaged_weights_are_refused(saved: Path, change: str) -> None:
    path = weights_file(saved)
    data = bytearray(path.read_bytes())
    if change == "truncate":
        data = data[:-1]
    elif change == "extend":
        data += b"\0"
    else:
        data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"weights-.*copy the whole folder again"):
        _storage.load_folder(saved)


def reseal(folder: Path, edit: object) -> None:
    """Change the config and give it a fitting digest, as a stranger could."""
    content = json.loads((folder / "config.json").read_text())
    content.pop("digest")
    edit(content)  # type: ignore[operator]
    (folder / "config.json").write_bytes(files_module._sealed(content))


def test_unknown_format_version(saved: Path) -> None:
    reseal(saved, lambda content: content.update(format_version=2))
    with pytest.raises(ValueError, match=r"config.json has format version 2, this Catalase reads 1; upgrade"):
        _storage.load_folder(saved)


@pytest.mark.parametrize(
    "edit",
    [
        lambda c: c.update(files=[]),
        lambda c: c["files"].update({"../../etc/passwd": c["files"]["weights"]}),
        lambda c: c["files"]["weights"].update(sha256="../" + "0" * 61),
        lambda c: c["files"]["weights"].update(bytes=-1),
        lambda c: c["files"]["weights"].update(bytes=True),
        lambda c: c["files"]["weights"].update(bytes=2**62),
        lambda c: c["files"]["weights"].update(file="x"),
        lambda c: c["files"]["weights"]["arrays"].pop("w"),
        lambda c: c["files"]["weights"]["arrays"]["w"].update(shape=[3, 2]),
        lambda c: c["files"]["weights"]["arrays"]["w"].update(dtype="float16"),
        lambda c: c["files"]["weights"]["arrays"]["w"].update(dtype=["float32"]),
        lambda c: c.update(config=3),
    ],
)
def test_config_of_a_stranger_with_a_fitting_digest(saved: Path, edit: object) -> None:
    reseal(saved, edit)
    with pytest.raises(ValueError, match="load: "):
        _storage.load_folder(saved)


def test_weights_that_are_a_pipe_do_not_block(saved: Path) -> None:
    path = weights_file(saved)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match="not a regular file"):
        _storage.load_folder(saved)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        '{"a": NaN, "digest": "x"}',
        '{"a": 1e999, "digest": "x"}',
        '{"a": 1, "a": 1}',
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"a": ' + "9" * 10_000 + "}",
        '{"a": "\u00e9"}',
        "\ufeff{}",
        '{"a": 1}',
    ],
)
def test_read_json_refuses(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text.encode())
    with pytest.raises(ValueError, match=r"a\.json"):
        _storage.read_json(path)


def test_json_round_trip_and_size_cap(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    value = {"x": [1, 0.1, -0.0, 1e-300, 2**80, "é\ud800\n", None, True], "y": {}}
    _storage.write_json_atomic(path, value)
    assert repr(_storage.read_json(path)) == repr(value)
    with pytest.raises(ValueError, match="larger than"):
        _storage.read_json(path, max_bytes=10)
    with pytest.raises(ValueError, match="digest"):
        _storage.write_json_atomic(path, {"digest": "x"})
    with pytest.raises(FileNotFoundError):
        _storage.read_json(tmp_path / "b.json")


def test_write_file_atomic_works_with_writers_of_others(tmp_path: Path) -> None:
    def write(stream: io.BufferedIOBase) -> None:
        np.save(stream, np.arange(5)[::2], allow_pickle=False)
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        text.write("tail")
        text.flush()
        text.detach()

    digest = _storage.write_file_atomic(tmp_path / "a.npy", write)  # type: ignore[arg-type]
    assert digest == _storage.sha256_file(tmp_path / "a.npy")
    assert np.load(tmp_path / "a.npy", allow_pickle=False).tolist() == [0, 2, 4]
    assert (tmp_path / "a.npy").read_bytes().endswith(b"tail")


def mutate(data: bytes, rng: random.Random) -> bytes:
    position = rng.randrange(len(data))
    kind = rng.randrange(6)
    if kind == 0:
        return data[:position] + bytes([data[position] ^ (1 << rng.randrange(8))]) + data[position + 1 :]
    if kind == 1:
        return data[:position]
    if kind == 2:
        return data[:position] + rng.randbytes(rng.randint(1, 8)) + data[position:]
    if kind == 3:
        return data[:position] + data[position + rng.randint(1, 8) :]
    if kind == 4:
        other = rng.randrange(len(data))
        changed = bytearray(data)
        changed[position], changed[other] = changed[other], changed[position]
        return bytes(changed)
    length = rng.randint(1, 16)
    source = rng.randrange(len(data))
    return data[:position] + data[source : source + length] + data[position + length :]


def test_ten_thousand_mutations(saved: Path) -> None:
    """Each is refused with a ValueError or OSError, or changes nothing that is loaded (white space in the JSON)."""
    rng = random.Random(20260101)
    paths = [saved / "config.json", weights_file(saved)]
    original = [path.read_bytes() for path in paths]
    accepted = 0
    for _ in range(10_000):
        which = rng.randrange(2)
        data = original[which]
        for _ in range(rng.choice((1, 1, 1, 2, 5))):
            data = mutate(data, rng) if data else b"{"
        paths[which].unlink()  # cheaper than to truncate, which makes some file systems flush
        paths[which].write_bytes(data)
        try:
            assert state(saved) == "old"
            accepted += 1
            assert which == 0 or data == original[1]
        except (ValueError, OSError) as error:
            assert str(error).startswith(("load: ", "[Errno"))
        paths[which].unlink()
        paths[which].write_bytes(original[which])
    assert state(saved) == "old"
    assert accepted < 2000


# ---- failing while saving ----

STEPS = [
    (builtins, "open"),
    (files_module.os, "fsync"),
    (files_module.os, "replace"),
    (files_module.os, "unlink"),
    (files_module.os, "open"),
    (files_module._HashingWriter, "write"),
]


class Counter:
    """Wraps every step that touches the disk; at step number `stop` it does `action`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stop: int, action: object) -> None:
        self.seen = 0
        for owner, name in STEPS:
            monkeypatch.setattr(owner, name, self.wrap(getattr(owner, name), stop, action))

    def wrap(self, function: object, stop: int, action: object) -> object:
        def step(*args: object, **kwargs: object) -> object:
            self.seen += 1
            if self.seen == stop:
                action()  # type: ignore[operator]
            return function(*args, **kwargs)  # type: ignore[operator]

        return step


def full_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupt() -> None:
    raise KeyboardInterrupt


def steps_of_a_save(folder: Path) -> int:
    with pytest.MonkeyPatch.context() as patch:
        counter = Counter(patch, -1, full_disk)
        _storage.save_folder(folder, NEW_CONFIG, NEW)
    return counter.seen


def attempt(folder: Path, stop: int, action: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        Counter(patch, stop, action)
        _storage.save_folder(folder, NEW_CONFIG, NEW)


@pytest.mark.parametrize("action", [full_disk, interrupt])
def test_an_error_at_every_step_leaves_old_or_new(tmp_path: Path, action: object) -> None:
    _storage.save_folder(tmp_path / "count", OLD_CONFIG, OLD)
    total = steps_of_a_save(tmp_path / "count")
    assert total >= 10
    states = set()
    for stop in range(1, total + 1):
        folder = tmp_path / str(stop)
        _storage.save_folder(folder, OLD_CONFIG, OLD)
        try:
            attempt(folder, stop, action)
        except OSError as error:
            assert "No space left on device" in str(error), stop
            assert "\n" not in str(error)
        except KeyboardInterrupt:
            pass
        states.add(state(folder))
        assert not list(folder.glob(".*")), f"temporary file left at step {stop}"
        _storage.save_folder(folder, NEW_CONFIG, NEW)
        assert state(folder) == "new"
        assert len(os.listdir(folder)) == 2
    assert states == {"old", "new"}


def test_a_kill_at_every_step_leaves_old_or_new(tmp_path: Path) -> None:
    _storage.save_folder(tmp_path / "count", OLD_CONFIG, OLD)
    total = steps_of_a_save(tmp_path / "count")
    states = set()
    for stop in range(1, total + 1):
        folder = tmp_path / str(stop)
        _storage.save_folder(folder, OLD_CONFIG, OLD)
        child = os.fork()
        if child == 0:
            try:
                attempt(folder, stop, lambda: os._exit(9))
            finally:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        states.add(state(folder))
        _storage.save_folder(folder, NEW_CONFIG, NEW)
        assert len(os.listdir(folder)) == 2
    assert states == {"old", "new"}


@pytest.mark.parametrize(("name", "code"), [("replace", errno.EPERM), ("fsync", errno.EIO), ("open", errno.EROFS)])
def test_a_folder_that_refuses(saved: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
    """A refused rename, a failing disk, a read-only file system: one sentence, and the old state stays."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(code, os.strerror(code))

    before = sorted(os.listdir(saved))
    with monkeypatch.context() as patch:
        if name == "open":
            real = open
            patch.setattr("builtins.open", lambda path, mode: refuse() if mode == "xb" else real(path, mode))
        else:
            patch.setattr(files_module.os, name, refuse)
        with pytest.raises(
            OSError, match=r"save: could not write .*; free some space or choose another folder"
        ) as caught:
            _storage.save_folder(saved, NEW_CONFIG, NEW)
        assert caught.value.errno == code
    assert sorted(os.listdir(saved)) == before
    assert state(saved) == "old"


def test_a_file_that_cannot_grow(saved: Path) -> None:
    """A real refusal by the kernel (a file size limit, as a quota gives), in a child of its own."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
            _storage.save_folder(saved, NEW_CONFIG, {"big": np.zeros(100_000)})
        except OSError as error:
            code = 0 if error.errno == errno.EFBIG and "save: could not write" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert state(saved) == "old"
    assert len(os.listdir(saved)) == 2


def test_a_new_folder_is_removed_when_saving_fails(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files_module.os, "replace", lambda *args: full_disk())
        with pytest.raises(OSError, match="No space left"):
            _storage.save_folder(tmp_path / "a" / "b", NEW_CONFIG, NEW)
    assert os.listdir(tmp_path) == []


def test_fsync_that_a_file_system_does_not_offer_for_folders_is_skipped(saved: Path) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        real(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files_module.os, "fsync", fsync)
        _storage.save_folder(saved, NEW_CONFIG, NEW)
    assert state(saved) == "new"


# ---- several at once ----


@pytest.mark.parametrize("locks", [True, False])
def test_savers_and_loaders_at_once(saved: Path, monkeypatch: pytest.MonkeyPatch, locks: bool) -> None:
    if not locks:
        monkeypatch.setattr(save_module, "_acquire", lambda descriptor, folder: False)
    errors: list[BaseException] = []
    done = threading.Event()

    def saver(offset: int) -> None:
        try:
            for index in range(15):
                value = np.full(50, 100 * offset + index, np.float32)  # all different: see the next test for equal ones
                _storage.save_folder(saved, {"value": float(value[0])}, {"v": value})
        except BaseException as error:
            errors.append(error)

    def loader() -> None:
        try:
            while not done.is_set():
                config, arrays = _storage.load_folder(saved)
                if "value" in config:
                    assert (arrays["v"] == config["value"]).all()
        except BaseException as error:
            errors.append(error)

    savers = [threading.Thread(target=saver, args=(i,)) for i in range(3)]
    reader = threading.Thread(target=loader)
    for thread in [*savers, reader]:
        thread.start()
    for thread in savers:
        thread.join()
    done.set()
    reader.join()
    assert not errors
    config, arrays = _storage.load_folder(saved)
    assert (arrays["v"] == config["value"]).all()
    if locks:
        assert len(os.listdir(saved)) == 2


def test_savers_of_the_same_content_at_once(saved: Path) -> None:
    """A saver may not remove the file that another has just committed again."""
    errors: list[BaseException] = []

    def saver(config: dict, arrays: dict) -> None:
        try:
            for _ in range(15):
                _storage.save_folder(saved, config, arrays)
                state(saved)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=saver, args=pair) for pair in [(OLD_CONFIG, OLD), (NEW_CONFIG, NEW)] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(os.listdir(saved)) == 2


def test_a_lock_held_too_long_is_an_error(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(save_module, "_LOCK_SECONDS", 0.02)
    with save_module._locked(saved) as locked:
        assert locked
        with pytest.raises(TimeoutError, match="another process has been saving"):
            _storage.save_folder(saved, NEW_CONFIG, NEW)
    assert state(saved) == "old"
