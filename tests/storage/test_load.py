"""Tests of loading folders that are incomplete, damaged, altered, or made by another program."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from catalase._internal import storage
from catalase._internal.storage import files as files_module

from .helpers import state, weights_file


def test_loading_absent_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"could not read .*config\.json"):
        storage.load_folder(tmp_path / "none")


def test_missing_weights_is_an_interrupted_copy(saved: Path) -> None:
    weights_file(saved).unlink()
    with pytest.raises(ValueError, match=r"weights-.* is missing.*copy the whole folder again"):
        storage.load_folder(saved)


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
        storage.load_folder(saved)


def reseal(folder: Path, edit: object) -> None:
    """Change the config and give it a fitting digest, as a stranger could."""
    content = json.loads((folder / "config.json").read_text())
    content.pop("digest")
    edit(content)  # type: ignore[operator]
    (folder / "config.json").write_bytes(files_module._sealed(content))


def test_unknown_format_version(saved: Path) -> None:
    reseal(saved, lambda content: content.update(format_version=2))
    with pytest.raises(ValueError, match=r"config.json has format version 2, this Catalase reads 1; upgrade"):
        storage.load_folder(saved)


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
        storage.load_folder(saved)


def test_weights_that_are_a_pipe_do_not_block(saved: Path) -> None:
    path = weights_file(saved)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match="not a regular file"):
        storage.load_folder(saved)


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
