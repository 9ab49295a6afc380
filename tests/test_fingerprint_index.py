"""Tests that a FingerprintIndex gives the answers of a full sort, and that its folder is complete or refused."""

from __future__ import annotations

import copy
import functools
import json
import threading

import numpy as np
import pytest

import catalase as ct
from catalase import _core
from catalase._internal import storage
from tests.reference import tanimoto as reference

pytestmark = [pytest.mark.on_the_cpu, pytest.mark.counts_bits]


def assert_equal(found, expected, *context):
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == theirs.dtype and np.array_equal(ours, theirs, equal_nan=True), context


@functools.cache
def searches(size, m):
    """A library, queries, and the best rows for some k and thresholds: the same for every level and number of threads."""
    rng = np.random.default_rng([size, m])
    library, queries = reference.library(rng, m, size), reference.library(rng, 12, size)
    queries[: min(m, 3)] = library[: min(m, 3)]
    queries[3], queries[4] = 0, 255
    asked = [(1, 0.0), (10, 0.0), (10, 0.5), (m + 3, 0.0), (5, 1.0), (3, 0.31)]
    return library, queries, {(k, bar): reference.topk(queries, library, k, bar) for k, bar in asked}


@pytest.mark.parametrize("size", [1, 5, 8, 128, 200])
@pytest.mark.parametrize("m", [0, 1, 63, 511, 512, 513, 1500])
def test_equals_a_full_sort(backend, threads, size, m):
    library, queries, results = searches(size, m)
    index = ct.FingerprintIndex(library)
    assert len(index) == m and index.shape == (m, size)
    for (k, threshold), expected in results.items():
        assert_equal(index.topk(queries, k, threshold), expected, size, m, k, threshold)
        assert_equal(index.topk(queries[:1], k, threshold), [x[:1] for x in expected], "alone", k, threshold)


@functools.cache
def several_chunks():
    rng = np.random.default_rng(0)
    library = reference.library(rng, _core.CHUNK_ROWS * 2 + 700, 16, bits=12)
    queries = np.concatenate([library[::113], reference.library(rng, 30, 16, bits=30)])
    return library, queries, reference.topk(queries[::23], library, 7)


def test_a_similarity_equal_to_the_threshold_is_found():
    ones = np.packbits(np.tri(33, 64, -1, dtype=bool), axis=1, bitorder="little")  # row n has the first n bits
    for whole in range(1, 33):
        index = ct.FingerprintIndex(ones[whole : whole + 1])
        for common in range(1, whole + 1):
            for threshold in {common / whole, round(common / whole, 2)}:
                query = ones[common : common + 1]
                expected = 0 if common / whole >= threshold else -1
                assert index.topk(query, 1, threshold)[0] == expected, (common, whole, threshold)
                plain, _ = ct.ops.tanimoto_topk(query, ones[whole : whole + 1], 1, threshold=threshold)
                assert plain == expected, (common, whole, threshold)


def test_several_chunks(backend, threads):
    """More rows than one chunk, the last one neither full nor empty; more queries than one block."""
    library, queries, expected = several_chunks()
    index = ct.FingerprintIndex(library)
    assert_equal([x[::23] for x in index.topk(queries, 7)], expected)
    assert_equal(index.topk(queries, 40, 0.6), ct.ops.tanimoto_topk(queries, library, 40, threshold=0.6))


@pytest.mark.parametrize("m", [_core.CHUNK_ROWS - 1, _core.CHUNK_ROWS, _core.CHUNK_ROWS + 1])
def test_chunk_edges_and_ties(backend, threads, m):
    """Nine distinct fingerprints, thousands of each: the lowest indices must win, from whichever chunk they come."""
    library = np.random.default_rng(m).integers(0, 256, (m, 1), np.uint8) & 0b10010110
    library[::7] = 0
    queries = np.array([[0], [1], [0b10010110], [255], [0b100]], np.uint8)
    index = ct.FingerprintIndex(library)
    for k in (1, 10, 3000):
        assert_equal(index.topk(queries, k), reference.topk(queries, library, k), m, k)


@pytest.mark.parametrize("width, bits", [(9, 63), (9, 64), (16, 127), (16, 128), (32, 255), (32, 256), (520, 4096)])
def test_queries_of_many_bits(backend, rng, width, bits):
    """Either side of each number of planes that the kernels count in."""
    library = rng.integers(0, 256, (600, width), np.uint8) | rng.integers(0, 256, (600, width), np.uint8)
    library[0], library[1] = 255, 0
    query = np.packbits(np.arange(8 * width) < bits)[None]
    assert_equal(ct.FingerprintIndex(library).topk(query, 50), reference.topk(query, library, 50))


def test_more_queries_than_one_round(rng):
    library = reference.library(rng, 300, 8, bits=9)
    queries = np.tile(reference.library(rng, 50, 8, bits=9), (90, 1))  # 4,500
    found = ct.FingerprintIndex(library).topk(queries, 4)
    assert_equal(found, [np.tile(x, (90, 1)) for x in reference.topk(queries[:50], library, 4)])


def test_no_queries_and_no_bytes():
    index = ct.FingerprintIndex(np.zeros((3, 0), np.uint8))
    assert index.topk(np.zeros((2, 0), np.uint8), 2)[0].tolist() == [[0, 1], [0, 1]]
    assert index.topk(np.zeros((0, 0), np.uint8), 2)[0].shape == (0, 2)


def test_searched_from_several_python_threads(rng):
    library = reference.library(rng, 2000, 32)
    index, expected, wrong = ct.FingerprintIndex(library), reference.topk(library[:40], library, 5), []

    def search():
        for _ in range(20):
            if not np.array_equal(index.topk(library[:40], 5)[0], expected[0]):
                wrong.append(1)

    workers = [threading.Thread(target=search) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_bad_input(rng):
    index = ct.FingerprintIndex(reference.library(rng, 5, 4))
    with pytest.raises(TypeError, match="FingerprintIndex: packed must be a uint8 array"):
        ct.FingerprintIndex(np.ones((2, 4), np.float32))
    with pytest.raises(ValueError, match="queries has 3 bytes a row but the index has 4"):
        index.topk(np.zeros((1, 3), np.uint8), 1)
    with pytest.raises(ValueError, match=r"FingerprintIndex\.topk: k must be 1 or more, got 0"):
        index.topk(np.zeros((1, 4), np.uint8), 0)
    with pytest.raises(ValueError, match="threshold must be from 0 to 1, got 2"):
        index.topk(np.zeros((1, 4), np.uint8), 1, 2)


# Folders.
@pytest.fixture
def saved(tmp_path, rng):
    library = reference.library(rng, 700, 16)
    index = ct.FingerprintIndex(library)
    index.save(tmp_path / "index")
    return tmp_path / "index", index, library


@pytest.mark.parametrize("verify", [True, False])
def test_saves_and_maps(saved, verify):
    folder, index, library = saved
    again = ct.FingerprintIndex.load(folder, verify=verify)
    assert repr(again) == repr(index) == "FingerprintIndex(700 fingerprints of 128 bits)"
    assert all(isinstance(array, np.memmap) for array in again._arrays.values())
    assert_equal(again.topk(library, 5), index.topk(library, 5))
    again.save(folder)  # onto the files that it is mapped from
    assert_equal(ct.FingerprintIndex.load(folder).topk(library, 5), again.topk(library, 5))
    assert_equal(copy.deepcopy(again).topk(library, 5), index.topk(library, 5))


def test_an_empty_index_is_saved(tmp_path):
    ct.FingerprintIndex(np.zeros((0, 16), np.uint8)).save(tmp_path)
    assert ct.FingerprintIndex.load(tmp_path).topk(np.ones((1, 16), np.uint8), 2)[0].tolist() == [[-1, -1]]


def test_a_new_index_replaces_the_old_one_and_its_files(saved, rng):
    folder, old, library = saved
    mapped = ct.FingerprintIndex.load(folder)
    new = ct.FingerprintIndex(library[:50])
    (folder / "notes.txt").write_text("kept")
    new.save(folder)
    assert len(ct.FingerprintIndex.load(folder)) == 50
    assert len(list(folder.iterdir())) == 4 + 1 + 1 and (folder / "notes.txt").exists()
    assert_equal(mapped.topk(library, 3), old.topk(library, 3))


@pytest.mark.parametrize("name", ["slices", "popcounts", "places", "bit_frequencies"])
def test_a_single_altered_byte_is_found(saved, name):
    folder = saved[0]
    file = next(folder.glob(f"{name}-*.npy"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(ValueError, match=f"{name}-.* was altered or cut short"):
        ct.FingerprintIndex.load(folder)


@pytest.mark.parametrize("verify", [True, False])
def test_files_that_are_missing_short_or_of_another_kind(saved, verify):
    folder = saved[0]
    file = next(folder.glob("slices-*.npy"))
    whole = file.read_bytes()
    for data in (whole[:-1], whole[:40], b"", b"not an array"):
        file.write_bytes(data)
        with pytest.raises(ValueError, match=r"slices-.*(altered|cannot be read)"):
            ct.FingerprintIndex.load(folder, verify=verify)
    with open(file, "wb") as stream:
        np.save(stream, np.zeros(5, np.int64))
    with pytest.raises(ValueError, match=r"slices-.*(altered|needed uint8 of shape)"):
        ct.FingerprintIndex.load(folder, verify=verify)
    file.unlink()
    with pytest.raises(ValueError, match=r"slices-.*npy is missing"):
        ct.FingerprintIndex.load(folder, verify=verify)


def test_manifests_that_are_altered_or_foreign(saved, tmp_path):
    folder, index, _ = saved
    path = folder / "manifest.json"
    good = storage.read_json(path)
    text = json.loads(path.read_text())
    text["rows"] = 699
    path.write_text(json.dumps(text))
    with pytest.raises(ValueError, match=r"the digest in .* does not fit"):
        ct.FingerprintIndex.load(folder)
    files = good["files"]
    for change, words in [
        ({"format": "catalase-dataset"}, "is not of a fingerprint index"),
        ({"format_version": 2}, "format version 2 .* make the index again"),
        ({"chunk_rows": 8}, "chunks of 8"),
        ({"rows": True}, "wrong type"),
        ({"rows": -1}, "wrong type"),
        ({"bytes": 2**21}, "wrong type"),
        ({"files": {**files, "slices": "../../secret"}}, "wrong type"),
        ({"files": {"slices": files["slices"]}}, "wrong type"),
        ({"rows": 1400}, "needed|is not the file"),
        ({"bytes": 17}, "needed"),
    ]:
        storage.write_json_atomic(path, {**good, **change})
        with pytest.raises(ValueError, match=words):
            ct.FingerprintIndex.load(folder)
    with pytest.raises(FileNotFoundError, match=r"no manifest\.json in"):
        ct.FingerprintIndex.load(tmp_path / "nowhere")
    other = tmp_path / "other"
    other.mkdir()
    (other / "manifest.json").write_text("{}")
    with pytest.raises(ValueError, match="is not of an index and would be lost"):
        index.save(other)
    assert (other / "manifest.json").read_text() == "{}"


def test_a_save_that_fails_leaves_the_old_index(saved, monkeypatch):
    folder, index, library = saved

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "write_json_atomic", fail)
    with pytest.raises(OSError, match="No space left"):
        ct.FingerprintIndex(library[:50]).save(folder)
    assert_equal(ct.FingerprintIndex.load(folder).topk(library, 3), index.topk(library, 3))
