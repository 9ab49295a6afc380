"""Tests that saved states are restored to the bit, and that a refused save leaves the folder unchanged."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from catalase._internal import storage

from .helpers import NEW, NEW_CONFIG, OLD, OLD_CONFIG, same, state


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
    storage.save_folder(tmp_path / "a" / "b", OLD_CONFIG, arrays)
    config, loaded = storage.load_folder(tmp_path / "a" / "b")
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
    storage.save_folder(saved, NEW_CONFIG, NEW)
    names = sorted(os.listdir(saved))
    assert len(names) == 2
    assert names[0] == "config.json"
    assert names[1] == f"weights-{storage.sha256_file(saved / names[1])}.safetensors"
    assert state(saved) == "new"


def test_several_array_files_commit_together(saved: Path) -> None:
    moments = {"m": np.ones(3, np.float32)}
    storage.save_folder(saved, NEW_CONFIG, NEW, extra={"training": moments, "best": OLD})
    config, groups = storage.load_all(saved)
    assert config == NEW_CONFIG
    assert sorted(groups) == ["best", "training", "weights"]
    assert same(groups["training"], moments)
    assert same(storage.load_folder(saved, "best")[1], OLD)
    with pytest.raises(ValueError, match="no 'other' arrays, only best, training, weights"):
        storage.load_folder(saved, "other")
    storage.save_folder(saved, OLD_CONFIG, OLD)
    assert len(os.listdir(saved)) == 2


def test_leftovers_of_a_killed_run_are_removed_and_foreign_files_kept(saved: Path) -> None:
    (saved / f"weights-{'0' * 64}.safetensors").write_bytes(b"left over")
    (saved / ".config.json.0123456789ab.tmp").write_bytes(b"left over")
    (saved / "notes.txt").write_text("mine")
    (saved / "weights.safetensors").write_text("mine too")
    storage.save_folder(saved, NEW_CONFIG, NEW)
    assert len(os.listdir(saved)) == 4
    assert (saved / "notes.txt").exists()
    assert (saved / "weights.safetensors").exists()


def test_config_of_another_program_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="not written by Catalase"):
        storage.save_folder(tmp_path, NEW_CONFIG, NEW)
    assert os.listdir(tmp_path) == ["config.json"]


def test_damaged_config_is_replaced(saved: Path) -> None:
    (saved / "config.json").write_bytes(b'{"format"')
    storage.save_folder(saved, NEW_CONFIG, NEW)
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
        storage.save_folder(saved, {"deep": [{"key": value}]}, NEW)
    assert "config.deep[0].key" in str(caught.value)
    assert state(saved) == "old"


def test_config_nested_too_deep(saved: Path) -> None:
    value: list = []
    for _ in range(100):
        value = [value]
    with pytest.raises(ValueError, match="deeper than 64"):
        storage.save_folder(saved, {"a": value}, NEW)


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([object()]), np.zeros(2, np.complex64), [1.0, 2.0]])
def test_arrays_must_be_plain_numbers(saved: Path, array: object) -> None:
    with pytest.raises(TypeError, match="array 'x' is"):
        storage.save_folder(saved, NEW_CONFIG, {"x": array})  # type: ignore[dict-item]
    assert state(saved) == "old"


def test_bad_prefix_and_path(saved: Path) -> None:
    with pytest.raises(ValueError, match="prefix"):
        storage.save_folder(saved, NEW_CONFIG, NEW, prefix="../x")
    with pytest.raises(ValueError, match="given twice"):
        storage.save_folder(saved, NEW_CONFIG, NEW, extra={"weights": NEW})
    with pytest.raises(OSError, match="could not make the folder"):
        storage.save_folder(saved / "config.json", NEW_CONFIG, NEW)
    assert state(saved) == "old"
