"""Tests of single files: JSON that is restored to the bit or refused, and atomic writes."""

from __future__ import annotations

import io
import os
import stat
import threading
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from catalase._internal import storage


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
        storage.read_json(path)


def test_json_round_trip_and_size_cap(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    value = {"x": [1, 0.1, -0.0, 1e-300, 2**80, "é\ud800\n", None, True], "y": {}}
    storage.write_json_atomic(path, value)
    assert repr(storage.read_json(path)) == repr(value)
    with pytest.raises(ValueError, match="larger than"):
        storage.read_json(path, max_bytes=10)
    with pytest.raises(ValueError, match="digest"):
        storage.write_json_atomic(path, {"digest": "x"})
    with pytest.raises(FileNotFoundError):
        storage.read_json(tmp_path / "b.json")


def test_write_file_atomic_works_with_writers_of_others(tmp_path: Path) -> None:
    def write(stream: io.BufferedIOBase) -> None:
        np.save(stream, np.arange(5)[::2], allow_pickle=False)
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        text.write("tail")
        text.flush()
        text.detach()

    digest = storage.write_file_atomic(tmp_path / "a.npy", write)  # type: ignore[arg-type]
    assert digest == storage.sha256_file(tmp_path / "a.npy")
    assert np.load(tmp_path / "a.npy", allow_pickle=False).tolist() == [0, 2, 4]
    assert (tmp_path / "a.npy").read_bytes().endswith(b"tail")


def _write(path: Path, data: bytes = b"new") -> None:
    storage.write_file_atomic(path, lambda stream: cast(None, stream.write(data)))


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "a").write_bytes(b"old")
    os.symlink("far/a", tmp_path / "link")
    os.symlink("link", tmp_path / "twice")
    _write(tmp_path / "twice")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "far" / "a").read_bytes() == b"new"
    os.symlink("far/b", tmp_path / "dangling")
    _write(tmp_path / "dangling")
    assert (tmp_path / "dangling").is_symlink() and (tmp_path / "far" / "b").read_bytes() == b"new"
    assert sorted(os.listdir(tmp_path / "far")) == ["a", "b"]
    os.symlink("loop", tmp_path / "loop")
    with pytest.raises(OSError, match="loop"):
        _write(tmp_path / "loop")


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(mode)
    _write(path)
    assert path.read_bytes() == b"new" and stat.S_IMODE(path.stat().st_mode) == mode


def test_a_named_pipe_is_written_into_and_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    _write(pipe, b"x" * 200_000)  # more than a pipe holds
    reader.join()
    assert got == [b"x" * 200_000] and pipe.is_fifo()
    monkeypatch.setattr(storage.files, "_READER_SECONDS", 0.1)
    with pytest.raises(OSError, match="nobody reads this pipe; start its reader"):
        _write(pipe)
    assert pipe.is_fifo() and os.listdir(tmp_path) == ["pipe"]


def test_devices_stay_devices(tmp_path: Path) -> None:
    before = os.stat("/dev/null")
    _write(Path("/dev/null"))
    assert os.path.samestat(before, os.stat("/dev/null"))
    with pytest.raises(OSError, match="could not write /dev/full: No space left"):
        _write(Path("/dev/full"))
    with pytest.raises(IsADirectoryError):
        _write(tmp_path)


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_of_more_digits_than_python_reads_is_refused_in_our_words(tmp_path: Path, sign: str) -> None:
    path = tmp_path / "a.json"
    longest = int(f"{sign}{'9' * 4300}")
    storage.write_json_atomic(path, {"number": longest})
    assert storage.read_json(path) == {"number": longest}
    path.write_text(f'{{"number": {longest}9}}')
    with pytest.raises(ValueError, match=r"is not valid JSON \(a number has 4,30[12] digits, more than 4,300\)"):
        storage.read_json(path)
