"""What a convolution does, in pictures: steps, edges, padding and stride, and what a trained net looks for.

    pip install ".[demo]"
    python edge_detection.py [--out pictures]

Draws the four pictures of docs/convolution.md. The image of cells is made up: ellipses of different brightness and some
noise. The digits are scikit-learn's, the net is trained here in some seconds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import catalase as ct

STEP = np.array([-1, 1], np.float32)
WIDE_STEP = np.array([-1, -1, -1, 1, 1, 1], np.float32) / 3
SOBEL_X = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)
SOBEL_Y = SOBEL_X.T
LAPLACE = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)


def slide1d(signal: np.ndarray, kernel: np.ndarray, **options: Any) -> np.ndarray:
    """One signal (L,) and one kernel (K,): the batch and channel axes that `conv1d` wants are of length 1."""
    return ct.ops.conv1d(signal.reshape(1, -1, 1), kernel.reshape(-1, 1, 1), **options).ravel()


def slide2d(image: np.ndarray, *kernels: np.ndarray, **options: Any) -> np.ndarray:
    """One image (H, W) and several kernels of one size: their outputs (kernels, H', W'), from a single call."""
    w = np.stack(kernels, axis=-1)[:, :, None, :]  # (KH, KW, 1, kernels)
    return np.moveaxis(ct.ops.conv2d(image[None, :, :, None], w, **options)[0], -1, 0)


def stairs(noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """A signal of 100 points that steps up at 20 and 45, and down at 70."""
    signal = np.zeros(100, np.float32)
    signal[20:] += 1
    signal[45:] += 0.5
    signal[70:] -= 1.5
    return signal + noise * np.random.default_rng(seed).standard_normal(100, dtype=np.float32)


def cells(size: int = 48, seed: int = 3) -> np.ndarray:
    """A made-up micrograph: seven ellipses on a dark ground."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    image = np.full((size, size), 0.1, np.float32)
    for _ in range(7):
        row, column = rng.uniform(size / 8, size * 7 / 8, 2)
        a, b = rng.uniform(size / 16, size / 6, 2)
        image[((y - row) / a) ** 2 + ((x - column) / b) ** 2 < 1] = rng.uniform(0.4, 1.0)
    return image + 0.02 * rng.standard_normal((size, size), dtype=np.float32)


def edges(image: np.ndarray) -> dict[str, np.ndarray]:
    """Slopes across and down, how steep the image is in any direction, and its Laplacian."""
    across, down, laplacian = slide2d(image, SOBEL_X, SOBEL_Y, LAPLACE, padding="valid")
    return {"Sobel, across": across, "Sobel, down": down, "steepness": np.hypot(across, down), "Laplacian": laplacian}


def train_digits(seed: int = 0, epochs: int = 30) -> tuple[ct.nn.Sequential, float]:
    """A small net on 8 x 8 digits; returned with its accuracy on the test part."""
    rng = np.random.default_rng(seed)
    net = ct.nn.Sequential(
        ct.nn.Conv2D(1, 8, 3, activation="relu", rng=rng),
        ct.nn.MaxPool2D(2),
        ct.nn.Conv2D(8, 16, 3, activation="relu", rng=rng),
        ct.nn.Flatten(),
        ct.nn.Linear(4 * 4 * 16, 10, rng=rng),
    )
    parts = ct.data.mnist.digits()
    data = ct.data.NumpyDataset(parts.train.images.reshape(-1, 8, 8, 1), parts.train.labels)
    ct.train.fit(
        net, data, ct.nn.losses.SoftmaxCrossEntropy(), optimizer=ct.optim.Adam(net, lr=3e-3),
        nb_epoch=epochs, batch_size=50, seed=seed,
    )  # fmt: skip
    with ct.no_grad():
        answers = net(ct.Tensor(parts.test.images.reshape(-1, 8, 8, 1))).numpy().argmax(axis=1)
    return net, ct.metrics.accuracy_score(parts.test.labels, answers)


def figure(rows: int, columns: int, width: float, height: float) -> tuple[Figure, np.ndarray]:
    """A grid of axes, drawn without a window system."""
    picture = Figure(figsize=(width, height), dpi=80, layout="tight")
    FigureCanvasAgg(picture)
    return picture, picture.subplots(rows, columns, squeeze=False)


def show(axes: Any, image: np.ndarray, title: str, signed: bool = True) -> None:
    """Draw an array: red above zero and blue below where ``signed``, else from black to white."""
    top = float(np.abs(image).max()) or 1.0
    colours: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -top, "vmax": top} if signed else {"cmap": "gray"}
    axes.imshow(image, interpolation="nearest", **colours)
    axes.set_title(title, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])
    if image.size <= 81 and signed:
        for (i, j), value in np.ndenumerate(image):
            dark = abs(value) > 0.6 * top
            axes.text(j, i, f"{value:g}", ha="center", va="center", fontsize=7, color="white" if dark else "black")


def draw_steps(path: Path) -> None:
    picture, axes = figure(3, 2, 8, 5)
    clear, noisy = stairs(), stairs(noise=0.25)
    columns = [
        {
            "input": clear,
            "[-1, 1]: the step is at the peak": slide1d(clear, STEP),
            "the same, kernel flipped (true convolution)": slide1d(clear, STEP, flip_kernel=True),
        },
        {
            "input with noise": noisy,
            "[-1, 1]: the noise is as high as the second step": slide1d(noisy, STEP),
            "[-1, -1, -1, 1, 1, 1] / 3: averages, and finds them": slide1d(noisy, WIDE_STEP),
        },
    ]
    for column, lines in enumerate(columns):
        for ax, (title, values) in zip(axes[:, column], lines.items(), strict=True):
            ax.plot(values, linewidth=1.2, drawstyle="steps-post")
            ax.set_title(title, fontsize=9)
            ax.set_ylim(-2, 2)
            ax.grid(alpha=0.3)
    picture.savefig(path, metadata={"Software": None})


def draw_edges(path: Path) -> None:
    image = cells()
    picture, axes = figure(2, 4, 9, 4.8)
    kernels = {"Sobel, across": SOBEL_X, "Sobel, down": SOBEL_Y, "Laplacian": LAPLACE}
    show(axes[0, 0], image, "input (made up)", signed=False)
    for ax, (name, kernel) in zip(axes[0, 1:], kernels.items(), strict=True):
        show(ax, kernel, f"kernel: {name}")
    found = edges(image)
    show(axes[1, 0], found["steepness"], "steepness: root of the squares", signed=False)
    for ax, name in zip(axes[1, 1:], kernels, strict=True):
        show(ax, found[name], f"output: {name}")
    picture.savefig(path, metadata={"Software": None})


def draw_padding(path: Path) -> None:
    dot, corner = np.zeros((5, 5), np.float32), np.array([[1, 2, 3], [4, 0, 0], [5, 0, 0]], np.float32)
    dot[2, 2] = 1
    square = np.zeros((6, 6), np.float32)
    square[1:5, 1:5] = 1
    box = np.ones((3, 3), np.float32)
    picture, axes = figure(2, 4, 9, 5)
    show(axes[0, 0], dot, "input: one dot")
    show(axes[0, 1], corner, "kernel")
    show(axes[0, 2], slide2d(dot, corner)[0], "cross-correlation")
    show(axes[0, 3], slide2d(dot, corner, flip_kernel=True)[0], "true convolution")
    show(axes[1, 0], slide2d(square, box, padding="valid")[0], "box on 6 x 6, valid: 4 x 4")
    show(axes[1, 1], slide2d(square, box, padding="same")[0], "same: 6 x 6")
    show(axes[1, 2], slide2d(square, box, padding="full")[0], "full: 8 x 8")
    show(axes[1, 3], slide2d(square, box, padding="same", stride=2)[0], "same, stride 2: 3 x 3")
    picture.savefig(path, metadata={"Software": None})


def draw_filters(path: Path, net: ct.nn.Sequential) -> None:
    """The first layer's filters, and what both convolutions make of the first test digit."""
    digit = ct.data.mnist.digits().test.images[:1].reshape(1, 8, 8, 1)
    with ct.no_grad():
        first = net[0](ct.Tensor(digit))
        second = net[2](net[1](first))
    picture, axes = figure(4, 8, 9, 5)
    for k in range(8):
        show(axes[0, k], np.round(net[0].w.numpy()[:, :, 0, k], 1) + 0.0, f"filter {k}")  # no "-0"
        show(axes[1, k], first.numpy()[0, :, :, k], f"map {k}", signed=False)
        show(axes[2, k], second.numpy()[0, :, :, k], f"2nd, {k}", signed=False)
        show(axes[3, k], second.numpy()[0, :, :, k + 8], f"2nd, {k + 8}", signed=False)
    picture.suptitle("A net trained on digits: filters, and the maps of one digit", fontsize=10)
    picture.savefig(path, metadata={"Software": None})


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="pictures")
    out = Path(parser.parse_args(arguments).out)
    out.mkdir(parents=True, exist_ok=True)
    draw_steps(out / "convolution-steps.png")
    draw_edges(out / "convolution-edges.png")
    draw_padding(out / "convolution-padding.png")
    begin = time.perf_counter()
    net, accuracy = train_digits()
    print(f"trained in {time.perf_counter() - begin:.1f} s")
    print(net.summary((8, 8, 1)))
    print(f"accuracy on 360 test digits: {accuracy:.3f}")
    draw_filters(out / "convolution-filters.png", net)
    print(f"four pictures in {out}")
    return {"accuracy": accuracy}


if __name__ == "__main__":
    main(sys.argv[1:])
