"""The input of nets: one-hot DNA, augmentation, images decoded before they are needed, and datasets that stay on disk.

- One-hot DNA is compared with a table of 256 rows that NumPy indexes with the bytes of the joined strings.
- Augmentation that mirrors bytes and scales them to [0, 1] is compared with NumPy. Random turns, shifts and noise have no
  peer, since no two libraries draw the same random numbers (torchvision, where it is installed, has no case).
- PNG files are read, and each batch is then multiplied by a matrix. Catalase decodes the next batch in its own thread in
  the meantime, at one thread too; the peer is the plain loop, Pillow and NumPy in turn.
- A shuffled walk in batches of 100 through a `DiskDataset` is compared with NumPy and all data in memory.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Case, Prepared

FAMILY = "data"
_LENGTH, _BATCH = 101, 100


def cases(quick: bool) -> list[Case]:
    texts, images, files, rows = (50, 4, 6, 500) if quick else (20_000, 100, 200, 200_000)
    side = 16 if quick else 128
    return [
        Case(f"one-hot DNA, {texts:,} of {_LENGTH}", texts * _LENGTH, "Mbases/s", {"what": "dna", "n": texts}, 0.0),
        Case(f"mirror and scale, {images} of {side}x{side}x3", images, "images/s",
             {"what": "mirror", "n": images, "side": side}, 1e-6),
        Case(f"turn, shift, brighten, add noise, {images} of {side}x{side}x3", images, "images/s",
             {"what": "augment", "n": images, "side": side}, 1e-6),
        Case(f"decode {files} PNG of {side}x{side}x3 and use them", files, "images/s",
             {"what": "decode", "n": files, "side": side}, 1e-4),
        Case(f"shuffled walk, {rows:,} of 28x28 bytes", rows, "Mimages/s",
             {"what": "walk", "n": rows, "window": 100_000 if quick else 64 * 2**20}, 0.0),
    ]  # fmt: skip


def _texts(case: Case) -> list[str]:
    letters = np.frombuffer(b"ACGTN", np.uint8)
    rows = letters[np.random.default_rng(0).integers(0, 5, (case.options["n"], _LENGTH))]
    return [bytes(row).decode() for row in rows]


def _images(case: Case) -> NDArray[np.uint8]:
    side = case.options["side"]
    return np.random.default_rng(0).integers(0, 256, (case.options["n"], side, side, 3), np.uint8)


@functools.cache
def _folder() -> Any:
    return tempfile.TemporaryDirectory(prefix="catalase-bench-")  # removed when the process ends


def _files(case: Case) -> list[Path]:
    """Write pictures that can be compressed: steps, and a little noise."""
    from PIL import Image

    folder = Path(_folder().name)
    files = [folder / f"{i}-{case.options['side']}.png" for i in range(case.options["n"])]
    for file, noise in zip(files, _images(case), strict=True):
        if not file.exists():
            picture = np.arange(len(noise), dtype=np.uint8)[:, None, None] // 16 * 16 + noise // 32
            Image.fromarray(picture).save(file)
    return files


def _rows(case: Case) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (case.options["n"], 28, 28), np.uint8)


def _on_disk(case: Case) -> Path:
    from ...data import DiskDataset, NumpyDataset

    path = Path(_folder().name) / f"walk-{case.options['n']}"
    if not path.exists():
        X = _rows(case)
        numbers = np.arange(len(X))
        shards = (NumpyDataset(X[i : i + 8192], ids=numbers[i : i + 8192]) for i in range(0, len(X), 8192))
        DiskDataset.create(path, shards)
    return path


def _use(X: NDArray[Any]) -> NDArray[Any]:
    """Multiply a batch of images by a matrix: the work during which the next batch is decoded."""
    flat = X.reshape(len(X), -1).astype(np.float32)
    return flat @ np.full((flat.shape[1], 64), 1 / 255, np.float32)


def _sums(batches: Any) -> list[NDArray[Any]]:
    """Return the number of rows of a walk in any order, and a sum that shows whether each came once."""
    count, total = 0, 0
    for X in batches:
        count += len(X)
        total += int(X[:, ::7, ::7].sum(dtype=np.int64))
    return [np.array([count]), np.array([total])]


def catalase(case: Case) -> Prepared:
    from ... import data, ops

    what = case.options["what"]
    if what == "dna":
        texts = _texts(case)
        return _both(lambda: [ops.one_hot_dna(texts)])
    if what == "mirror":
        images = _images(case)
        return _both(lambda: [ops.augment_images(images, seed=0, flip_horizontal=1.0)])
    if what == "augment":
        images = _images(case)
        augment = data.Augment(flip_horizontal=0.5, rotation=20, shift=4, brightness=0.1, contrast=0.1, noise=0.02)
        return _both(lambda: [augment(images)])
    if what == "decode":
        files = data.ImageDataset(_files(case))
        return _both(lambda: [np.concatenate([_use(X) for X, *_ in files.iterbatches(20, deterministic=True)])])
    walk = data.DiskDataset(_on_disk(case), window_bytes=case.options["window"])
    return _both(lambda: _sums(X for X, *_ in walk.iterbatches(_BATCH, seed=0)))


def numpy(case: Case) -> Prepared | None:
    what = case.options["what"]
    if what == "dna":
        texts = _texts(case)
        table = np.zeros((256, 4), np.float32)
        table[np.frombuffer(b"ACGT", np.uint8), np.arange(4)] = 1
        table[np.frombuffer(b"acgt", np.uint8), np.arange(4)] = 1
        return _both(lambda: [table[np.frombuffer("".join(texts).encode(), np.uint8)].reshape(-1, _LENGTH, 4)])
    if what == "mirror":
        images = _images(case)
        return _both(lambda: [images[:, :, ::-1] / np.float32(255)])
    if what == "decode":
        from PIL import Image

        files = _files(case)

        def batch(start: int) -> NDArray[Any]:
            return np.stack([np.asarray(Image.open(file)) for file in files[start : start + 20]])

        return _both(lambda: [np.concatenate([_use(batch(i)) for i in range(0, len(files), 20)])])
    if what == "walk":
        X = _rows(case)
        numbers = np.arange(len(X))
        columns: list[NDArray[Any]] = [X, np.zeros(len(X)), np.ones(len(X)), numbers]  # like a batch of a dataset

        def shuffled() -> list[NDArray[Any]]:
            order = np.random.default_rng(0).permutation(numbers)
            rows = (order[i : i + _BATCH] for i in range(0, len(X), _BATCH))
            return _sums(X for X, *_ in ([column[here] for column in columns] for here in rows))

        return _both(shuffled)
    return None


def _both(call: Any) -> Prepared:
    return Prepared(call, call)


LIBRARIES = {"catalase": catalase, "numpy": numpy}
