"""How many cells are in an image, and where? After chapter 7 of "Deep Learning for the Life Sciences".

    python cells.py count CELLS.npz [--seeds 0 1 2] [--epochs 25]
    python cells.py segment CELLS.npz [--seeds 0] [--epochs 10] [--picture cells.png]

``CELLS.npz`` holds images ``X``, uint8 (N, H, W), their ``count``s (N,), and a dot for every cell: ``dots_yx``, row and
column, those of image i from ``dots_offset[i]`` to ``dots_offset[i + 1]``. Without a file, cells are made up.

``count`` trains five strided convolutions to tell the number of cells. ``segment`` trains a U-Net to tell which pixels
belong to cells; the dots, drawn as discs, are the masks. The first two thirds of the images teach, the last third tests.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import catalase as ct

RADIUS = 4  # of a cell, in pixels


class Cells(NamedTuple):
    """Images (N, H, W, 1), how many cells each has, and the cells' pixels (N, H, W)."""

    X: np.ndarray
    count: np.ndarray
    mask: np.ndarray

    def split(self) -> tuple[Cells, Cells]:
        """The first two thirds to learn from, the rest to test."""
        cut = len(self.X) * 2 // 3
        return Cells(*(a[:cut] for a in self)), Cells(*(a[cut:] for a in self))


def discs(dots: Sequence[np.ndarray], size: tuple[int, int], radius: float = RADIUS) -> np.ndarray:
    """Masks (N, H, W): 1 within ``radius`` of a dot."""
    reach = int(radius)
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    inside = np.argwhere(dy**2 + dx**2 <= radius**2) - reach
    masks = np.zeros((len(dots), *size), np.uint8)
    for mask, places in zip(masks, dots, strict=True):
        y, x = (np.asarray(places, int)[:, None, :] + inside).reshape(-1, 2).T
        here = (y >= 0) & (y < size[0]) & (x >= 0) & (x < size[1])
        mask[y[here], x[here]] = 1
    return masks


def load(file: str | Path) -> Cells:
    with np.load(file, allow_pickle=False) as arrays:
        X, count, dots, offset = (arrays[name] for name in ("X", "count", "dots_yx", "dots_offset"))
    parts = [dots[a:b] for a, b in itertools.pairwise(offset)]
    return Cells(X[..., None], count.astype(np.float32), discs(parts, X.shape[1:]))


def make_up(images: int, size: int = 64, most: int = 30, seed: int = 0) -> Cells:
    """Blurred bright discs on an uneven dark ground, with noise: no microscope saw these."""
    rng = np.random.default_rng(seed)
    dots = [rng.integers(0, size, (rng.integers(3, most + 1), 2)) for _ in range(images)]
    y, x = np.mgrid[:size, :size].astype(np.float32)
    X = np.empty((images, size, size), np.float32)
    for image, places in zip(X, dots, strict=True):
        image[...] = rng.uniform(20, 60) + rng.uniform(0, 30) * x / size
        for row, column in places:
            image += rng.uniform(60, 140) * np.exp(-((((y - row) ** 2 + (x - column) ** 2) / 10) ** 2))
        image += rng.normal(0, 4, image.shape)
    count = np.array([len(places) for places in dots], np.float32)
    return Cells(X.clip(0, 255).astype(np.uint8)[..., None], count, discs(dots, (size, size)))


def turned(data: ct.data.Dataset, masks: bool = False, **more: object) -> ct.data.Dataset:
    """The dataset, mirrored and turned at random as it is read: cells look the same from all sides."""
    augment = ct.data.Augment(flip_horizontal=0.5, flip_vertical=0.5, rotate90=True, **more)
    return ct.data.AugmentedDataset(data, augment, masks=masks)


# Counting.
def counting_net(filters: Sequence[int], steps: int, seed: int, rate: float = 3e-3) -> ct.models.CNN:
    """Five convolutions of 5x5 and stride 2, as in the book, normalized; the mean over all places, and one number."""
    widths = [1, *filters]
    he = [float(np.sqrt(2 / (25 * width))) for width in widths[:-1]]
    return ct.models.CNN(
        1, 1, 2, filters, kernel_size=5, strides=2, padding="same", pool_type="average", mode="regression",
        dropouts=0.0, weight_init_stddevs=[*he, float(np.sqrt(1 / widths[-1]))], bias_init_consts=0.0, batch_norm=True,
        batch_size=10, learning_rate=ct.optim.CosineDecay(rate, 0.0, steps, warmup=steps // 10), seed=seed,
    )  # fmt: skip


def train_counting(
    cells: Cells, epochs: int, seed: int, filters: Sequence[int] = (16, 32, 64, 128, 256), rate: float = 3e-3
) -> ct.models.CNN:
    """Squared error of the counts, brought to mean 0 and deviation 1; Adam, its rate falling to 0."""
    data = ct.data.NumpyDataset(cells.X, cells.count[:, None])
    scale = ct.trans.NormalizationTransformer(dataset=data)
    net = counting_net(filters, epochs * -(-len(data) // 10), seed, rate)
    net.fit(turned(scale.transform(data)), nb_epoch=epochs)
    net.transformers = [scale]  # so that it predicts counts
    return net


def count_errors(train: Cells, test: Cells, predicted: np.ndarray) -> dict[str, float]:
    """Mean absolute errors on the test images: the net's, the mean count's, and that of a line in the brightness."""
    bright = [np.c_[cells.X.mean(axis=(1, 2, 3)), np.ones(len(cells.X))] for cells in (train, test)]
    line = np.linalg.lstsq(bright[0], train.count, rcond=None)[0]
    guesses = {"net": predicted[:, 0], "mean": train.count.mean(), "brightness": bright[1] @ line}
    return {name: float(np.abs(guess - test.count).mean()) for name, guess in guesses.items()}


# Segmentation.
def train_segmentation(
    cells: Cells, epochs: int, seed: int, crop: int = 128, filters: Sequence[int] = (16, 32, 64)
) -> ct.models.UNet:
    """Cross-entropy of each pixel, on pieces of the images."""
    steps = epochs * -(-len(cells.X) // 4)
    net = ct.models.UNet(
        layer_filters=filters, batch_size=4, learning_rate=ct.optim.CosineDecay(3e-3, 0.0, steps), seed=seed
    )
    net.fit(turned(ct.data.NumpyDataset(cells.X, cells.mask), masks=True, crop=(crop, crop)), nb_epoch=epochs)
    return net


def overlap(predicted: np.ndarray, mask: np.ndarray) -> float:
    """Pixels in both, divided by pixels in either (intersection over union)."""
    found, true = predicted.reshape(mask.shape) > 0, mask > 0
    return float((found & true).sum() / max(1, (found | true).sum()))


def best_threshold(cells: Cells) -> int:
    """The brightness above which most of the pixels that belong to cells lie, and few others, by `overlap`."""
    return max(range(0, 256, 4), key=lambda level: overlap(level < cells.X, cells.mask))


def draw(net: ct.models.UNet, image: np.ndarray, mask: np.ndarray, path: str | Path) -> None:
    """An image with its discs and what the net finds; the first filters, and their maps of that image."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    first = net.module.down[0]  # convolution, normalization with ReLU, and the same again
    with ct.no_grad():
        maps = first[1](first[0](ct.Tensor(image[None] / np.float32(255)))).numpy()[0]
    filters = first[0].w.numpy()[:, :, 0]
    picture = Figure(figsize=(9, 6.6), dpi=80, layout="tight")
    FigureCanvasAgg(picture)
    axes = picture.subplots(3, 4)
    top = [
        ("image", image[..., 0]),
        ("discs at the dots", mask),
        ("U-Net: probability", net.predict(image[None])[0, ..., 0]),
    ]
    top.append(("above 0.5, less the discs", (top[2][1] > 0.5) - mask.astype(float)))
    strongest = np.argsort(-maps.std(axis=(0, 1)))[:4]
    rows = [top, [(f"filter {k}", filters[..., k]) for k in strongest], [(f"map {k}", maps[..., k]) for k in strongest]]
    for line, named in zip(axes, rows, strict=True):
        for ax, (title, values) in zip(line, named, strict=True):
            signed = values.min() < 0
            most = float(np.abs(values).max()) or 1.0
            limits = {"cmap": "RdBu_r", "vmin": -most, "vmax": most} if signed else {"cmap": "gray", "vmin": 0}
            ax.imshow(values, interpolation="nearest", **limits)
            ax.set_title(title, fontsize=9)
            ax.set_xticks([])
            ax.set_yticks([])
    picture.savefig(path, metadata={"Software": None})


def count(train: Cells, test: Cells, epochs: int, seeds: Sequence[int]) -> dict[str, float]:
    scores = []
    for seed in seeds:
        begin = time.perf_counter()
        net = train_counting(train, epochs, seed)
        seconds = time.perf_counter() - begin
        scores.append(count_errors(train, test, net.predict(test.X)))
        print(f"seed {seed}: mean absolute error {scores[-1]['net']:.1f} cells, {seconds:.1f} s", flush=True)
    print(net.summary())
    mean = {name: sum(score[name] for score in scores) / len(scores) for name in scores[0]}
    print(f"mean of {len(scores)}: {mean['net']:.2f}; the mean count gives {mean['mean']:.2f}, "
          f"a line in the brightness {mean['brightness']:.2f}")  # fmt: skip
    return mean


def segment(
    train: Cells, test: Cells, epochs: int, seeds: Sequence[int], picture: str | None = None
) -> dict[str, float]:
    level = best_threshold(train)
    result = {"threshold": overlap(level < test.X, test.mask), "net": 0.0}
    for seed in seeds:
        begin = time.perf_counter()
        net = train_segmentation(train, epochs, seed, min(128, train.X.shape[1]))
        seconds = time.perf_counter() - begin
        found = net.predict(test.X) > 0.5
        score = overlap(found, test.mask)
        right = float((found.reshape(test.mask.shape) == test.mask).mean())
        print(f"seed {seed}: overlap {score:.3f}, {right:.1%} of the pixels right, {seconds:.1f} s", flush=True)
        result["net"] += score / len(seeds)
        if picture is not None and seed == seeds[-1]:
            draw(net, test.X[0], test.mask[0], picture)
    print(f"mean of {len(seeds)}: overlap {result['net']:.3f}; pixels brighter than {level}: {result['threshold']:.3f}")
    return result


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["count", "segment"])
    parser.add_argument("file", nargs="?", help="images, counts and dots; made up where left out")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--picture", help="for segment: where to draw what the last net finds")
    options = parser.parse_args(arguments)
    train, test = (load(options.file) if options.file else make_up(150)).split()
    print(f"{len(train.X)} images to learn from, {len(test.X)} to test; {test.count.mean():.0f} cells a test image")
    if options.task == "count":
        return count(train, test, options.epochs or 25, options.seeds)
    return segment(train, test, options.epochs or 10, options.seeds, options.picture)


if __name__ == "__main__":
    main(sys.argv[1:])
