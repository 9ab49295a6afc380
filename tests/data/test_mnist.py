"""Tests of MNIST's files: accepted files, refusals, and the division of the set."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from catalase.data import mnist

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx(array, code=8):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path, rng):
    """A set of 30 and 12 images of 5 x 3 pixels; two files gzipped."""
    for kind, n, zipped in (("train", 30, True), ("t10k", 12, False)):
        images = rng.integers(0, 256, (n, 5, 3), np.uint8)
        images[0, 0, 0], images[-1, 0, 0] = 0, 255
        for name, array in (("images-idx3", images), ("labels-idx1", np.arange(n, dtype=np.uint8) % 10)):
            data = idx(array)
            name = f"{kind}-{name}-ubyte"
            (tmp_path / (name + ".gz" * zipped)).write_bytes(gzip.compress(data) if zipped else data)
    return tmp_path


def test_parts(folder):
    data = mnist.read_data_sets(folder, validation_size=7)
    assert [len(part) for part in data] == [23, 7, 12] and data.train.num_examples == 23
    assert data.train.images.shape == (23, 15) and data.train.images.dtype == np.float32
    raw = mnist.read_idx(folder / "train-images-idx3-ubyte.gz")
    assert np.array_equal(data.validation.images, (raw[:7].reshape(7, 15) / 255).astype(np.float32))
    assert np.array_equal(data.train.images, (raw[7:].reshape(23, 15) / 255).astype(np.float32))
    assert data.train.images.max() == 1 and data.train.labels.tolist() == [(7 + i) % 10 for i in range(23)]
    assert data.train.labels.dtype == np.uint8


def test_one_hot(folder):
    hot = mnist.read_data_sets(folder, one_hot=True, validation_size=7).test
    assert hot.labels.shape == (12, 10) and hot.labels.dtype == np.float32
    assert np.array_equal(hot.labels.argmax(1), np.arange(12) % 10) and np.all(hot.labels.sum(1) == 1)
    assert hot.dataset().get_shape()[:2] == ((12, 15), (12, 10))


def test_next_batch_walks_through_all_before_it_begins_anew(folder):
    part = mnist.read_data_sets(folder, validation_size=0).train
    first = np.concatenate([part.next_batch(10)[1] for _ in range(3)])
    assert sorted(first) == sorted(part.labels) and first.tolist() != part.labels.tolist()
    assert len(part.next_batch(70)[0]) == 70
    fresh = mnist.read_data_sets(folder, validation_size=0).train
    assert np.array_equal(fresh.next_batch(4, shuffle=False)[1], [0, 1, 2, 3])
    with pytest.raises(ValueError, match="batch_size must be 1 or more"):
        part.next_batch(0)


@pytest.mark.parametrize("code, dtype", [(8, "u1"), (9, "i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")])
def test_every_type_of_idx(tmp_path, code, dtype):
    array = np.arange(6).astype(dtype).reshape(2, 1, 3)
    (tmp_path / "a").write_bytes(idx(array, code))
    read = mnist.read_idx(tmp_path / "a")
    assert np.array_equal(read, array) and read.dtype == np.dtype(dtype).newbyteorder("=") and read.flags.writeable
    (tmp_path / "e").write_bytes(idx(array[:0], code))
    assert mnist.read_idx(tmp_path / "e").shape == (0, 1, 3)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    "change, words",
    [
        (lambda d: d[:-1], "is cut short: its header says"),
        (lambda d: d[:9], "cut short within its header"),
        (lambda d: d[:3], "not an IDX file: it begins with the bytes 00 00 08"),
        (lambda d: b"", r"not an IDX file: it begins with the bytes \(none\)"),
        (lambda d: b"\x89PNG" + d, "not an IDX file: it begins with the bytes 89 50 4e 47"),
        (lambda d: d[:2] + b"\x07" + d[3:], "not an IDX file"),
        (lambda d: d + b"x", "goes on after"),
        (lambda d: d[:4] + b"\xff" * 12 + d[16:], "more than any such file"),
    ],
)
def test_files_that_are_refused(tmp_path, change, words, zipped):
    data = change(idx(np.zeros((4, 2, 2), np.uint8)))
    (tmp_path / "f").write_bytes(gzip.compress(data) if zipped else data)
    with pytest.raises(ValueError, match=words):
        mnist.read_idx(tmp_path / "f")


def test_a_gzip_that_is_cut_short_or_altered(tmp_path, rng):
    data = gzip.compress(idx(rng.integers(0, 256, (50, 9, 9), np.uint8)))
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 0xFF
    for bad in (data[:-300], data[:12], bytes(flipped)):
        (tmp_path / "f.gz").write_bytes(bad)
        with pytest.raises(ValueError, match="damaged or cut short"):
            mnist.read_idx(tmp_path / "f.gz")


def test_a_folder_that_does_not_fit(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*mnist\.digits"):
        mnist.read_data_sets(folder / "nowhere")
    with pytest.raises(ValueError, match="from 0 to the 30 training images, got 5000"):
        mnist.read_data_sets(folder)
    labels = folder / "t10k-labels-idx1-ubyte"
    for bad, words in (
        (idx(np.zeros(11, np.uint8)), "12 images but .* 11 labels"),
        (idx(np.full(12, 10, np.uint8)), "the label 10"),
        (idx(np.zeros((12, 1), np.uint8)), r"1-dimensional unsigned bytes \(magic 2049\)"),
    ):
        labels.write_bytes(bad)
        with pytest.raises(ValueError, match=words):
            mnist.read_data_sets(folder, validation_size=7)
    labels.unlink()
    with pytest.raises(FileNotFoundError, match=r"neither t10k-labels-idx1-ubyte nor t10k-labels-idx1-ubyte\.gz"):
        mnist.read_data_sets(folder, validation_size=7)


def test_the_digits_that_need_no_files():
    data = mnist.digits(one_hot=True)
    assert [part.images.shape for part in data] == [(1257, 64), (180, 64), (360, 64)]
    assert data.train.labels.shape == (1257, 10) and data.test.images.max() == 1 and data.test.images.min() == 0


def test_the_real_files(data_dir):
    data = mnist.read_data_sets(data_dir / "mnist")
    assert [part.images.shape for part in data] == [(55000, 784), (5000, 784), (10000, 784)]
    assert data.validation.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    counts = np.bincount(data.train.labels, minlength=10) + np.bincount(data.validation.labels, minlength=10)
    assert counts.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    mean = (data.train.images.mean(dtype=float) * 55 + data.validation.images.mean(dtype=float) * 5) / 60
    assert abs(mean - 0.1307) < 5e-5


def test_files_in_folders_of_their_names(folder):
    expected = mnist.read_data_sets(folder, validation_size=0)
    for file in list(folder.iterdir()):
        moved = file.rename(folder / "moving")
        file.mkdir()
        moved.rename(file / file.name)
    found = mnist.read_data_sets(folder, validation_size=0)
    np.testing.assert_array_equal(found.train.images, expected.train.images)
    np.testing.assert_array_equal(found.test.labels, expected.test.labels)


def test_files_whose_names_have_a_point(folder):
    expected = mnist.read_data_sets(folder, validation_size=0)
    for file in list(folder.iterdir()):
        file.rename(folder / file.name.replace("-idx", ".idx"))
    found = mnist.read_data_sets(folder, validation_size=0)
    np.testing.assert_array_equal(found.train.images, expected.train.images)
    np.testing.assert_array_equal(found.test.labels, expected.test.labels)
