"""Single files: JSON that is read back to the bit or refused, and atomic writes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from catalase import _storage


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
