"""What a net can learn, and how training goes wrong: the pictures of a first lecture on deep learning, on made-up points.

    python learning_curves.py [--out pictures] [--figures fit capacity ...] [--effort 1.0]

The figures: ``fit`` (too small, right, too large), ``capacity`` (errors against width), ``rows`` (errors against training
rows), ``rate`` (learning rates), ``race`` (optimizers), ``penalties`` (regions of classes), ``approximation`` (one hidden
layer comes near any function), ``linear`` (a net without activations stays linear) and ``activations``. Each is written as
a PNG file, and its numbers are printed. ``--effort 0.1`` trains a tenth of the epochs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

import catalase as ct

matplotlib.use("Agg")
from matplotlib import pyplot as plt

Numbers = dict[str, Any]
RMS = ct.metrics.Metric(ct.metrics.rms_score)


def truth(x: np.ndarray) -> np.ndarray:
    return np.sin(2 * x) + 0.3 * x


def wave(rows: int, seed: int, noise: float = 0.3) -> ct.data.NumpyDataset:
    """Noisy points of a wave, one feature and one label."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3, 3, (rows, 1)).astype(np.float32)
    return ct.data.NumpyDataset(x, truth(x) + noise * rng.normal(size=x.shape))


def moons(rows: int, seed: int, noise: float = 0.25) -> ct.data.NumpyDataset:
    """Two half circles that reach into each other, one for each class."""
    rng = np.random.default_rng(seed)
    label = np.arange(rows) % 2
    angle = rng.uniform(0, np.pi, rows)
    x = np.where(label, 1 - np.cos(angle), np.cos(angle))
    y = np.where(label, 0.5 - np.sin(angle), np.sin(angle))
    points = np.stack([x, y], axis=1) + noise * rng.normal(size=(rows, 2))
    return ct.data.NumpyDataset(points.astype(np.float32), label)


def regressor(data: Any, epochs: int, layers: Sequence[int], seed: int = 0, **options: Any) -> Any:
    settings = {"dropouts": 0.0, "activation_fns": "tanh", "learning_rate": 0.01, "batch_size": 32}
    model = ct.models.MultitaskRegressor(1, 1, layer_sizes=list(layers), seed=seed, **{**settings, **options})
    model.fit(data, nb_epoch=epochs, progress=False)
    return model


def classifier(data: Any, epochs: int, **options: Any) -> Any:
    settings = {"layer_sizes": [64, 64], "dropouts": 0.0, "activation_fns": "tanh", "learning_rate": 0.01}
    settings["weight_init_stddevs"] = 0.15  # about 1 / sqrt(64), so that the signal neither fades nor grows
    model = ct.models.MultitaskClassifier(1, 2, seed=0, batch_size=32, **{**settings, **options})
    model.fit(data, nb_epoch=epochs, progress=False)
    return model


def error(model: Any, data: Any) -> float:
    return float(model.evaluate(data, [RMS])["rms_score"])


def draw_function(ax: Any, model: Any, data: Any | None = None) -> None:
    x = np.linspace(-3, 3, 400, dtype=np.float32)[:, None]
    ax.plot(x, truth(x), color="0.6", linestyle=":", label="truth")
    if data is not None:
        ax.plot(data.X[:, 0], data.y[:, 0], ".", color="0.35", label="training points")
    ax.plot(x, model.predict(x)[:, 0], color="#4c78a8", label="net")


def fit(effort: float) -> tuple[Any, Numbers]:
    """Too small a net misses the wave; too large a one, trained for long, follows the noise."""
    train, test = wave(25, 0), wave(400, 1)
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), sharey=True)
    found: Numbers = {}
    cases = (("too small", [1], 1000), ("right", [8], 1000), ("too large", [256, 256], 6000))
    for ax, (name, layers, epochs) in zip(axes, cases, strict=True):
        model = regressor(train, round(effort * epochs) or 1, layers, learning_rate=0.003 if len(layers) > 1 else 0.01)
        found[name] = error(model, train), error(model, test)
        draw_function(ax, model, train)
        ax.set(title=f"{name}: RMSE {found[name][0]:.2f}, of new points {found[name][1]:.2f}", ylim=(-2.6, 2.6))
    axes[0].legend(frameon=False)
    return figure, found


def capacity(effort: float) -> tuple[Any, Numbers]:
    """The training error falls with the width of two layers; that of new points falls and rises again."""
    widths, seeds = [1, 2, 4, 8, 16, 32, 64, 128], range(3)
    test = wave(400, 1)
    scores = np.empty((2, len(widths), len(seeds)))
    for i, width in enumerate(widths):
        for seed in seeds:
            train = wave(25, 10 + seed)
            model = regressor(train, round(effort * 3000) or 1, [width, width], seed, learning_rate=0.005)
            scores[:, i, seed] = error(model, train), error(model, test)
    ax = ct.plot.validation_curve(widths, scores[0], scores[1], name="units of each of two hidden layers")
    ax.set(ylabel="RMSE", ylim=(0, None))
    return ax.figure, {"widths": widths, "train": scores[0].mean(axis=1), "new": scores[1].mean(axis=1)}


def rows(effort: float) -> tuple[Any, Numbers]:
    """With more rows the training error rises, and that of rows that were held out falls towards it."""
    epochs = round(effort * 600) or 1
    curve = ct.hyper.learning_curve(
        lambda train: regressor(train, epochs, [16]), wave(400, 2), RMS, sizes=[10, 20, 40, 80, 160, 320]
    )
    ax = ct.plot.learning_curve(curve)
    ax.set(ylabel="RMSE", ylim=(0, None))
    return ax.figure, {"rows": curve.values, "train": curve.train.mean(axis=1), "held out": curve.valid.mean(axis=1)}


def rate(effort: float) -> tuple[Any, Numbers]:
    """A small learning rate takes long, a large one jumps about or never arrives."""
    train = wave(200, 3)
    ax = plt.subplots(figsize=(5.5, 3.8))[1]
    found: Numbers = {}
    for value in (1e-4, 1e-3, 1e-2, 1e-1, 1.0):
        loss = regressor(train, round(effort * 200) or 1, [32], learning_rate=value).history["loss"]
        ax.plot(np.arange(1, len(loss) + 1), loss, label=f"{value:g}")
        found[f"{value:g}"] = loss[-1]
    ax.set(xlabel="epoch", ylabel="loss", yscale="log")
    ax.legend(title="learning rate", frameon=False)
    return ax.figure, found


def race(effort: float) -> tuple[Any, Numbers]:
    """Optimizers from the same weights, each with the best of six learning rates for the last loss."""
    train = moons(400, 0)
    ax = plt.subplots(figsize=(5.5, 3.8))[1]
    found: Numbers = {}
    for name in ("SGD", "Momentum", "AdaGrad", "RMSProp", "Adam"):
        losses = {}
        for value in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3):
            model = classifier(train, round(effort * 60) or 1, optimizer=getattr(ct.optim, name)(lr=value))
            losses[value] = np.nan_to_num(model.history["loss"], nan=np.inf)
        best = min(losses, key=lambda value: losses[value][-1])
        ax.plot(np.arange(1, len(losses[best]) + 1), losses[best], label=f"{name}, {best:g}")
        found[name] = float(losses[best][-1])
    ax.set(xlabel="epoch", ylabel="loss", yscale="log")
    ax.legend(title="optimizer, learning rate", frameon=False)
    return ax.figure, found


def penalties(effort: float) -> tuple[Any, Numbers]:
    """The larger the penalty on weights, the smoother the border between two classes."""
    train, test = moons(80, 1, noise=0.4), moons(2000, 2, noise=0.4)
    figure, axes = plt.subplots(1, 4, figsize=(11, 2.9), sharey=True)
    accuracy = ct.metrics.Metric(ct.metrics.accuracy_score)
    found: Numbers = {}
    for ax, penalty in zip(axes, (0.0, 0.0003, 0.001, 0.01), strict=True):
        model = classifier(train, round(effort * 600) or 1, weight_decay_penalty=penalty)
        scores = [model.evaluate(data, [accuracy])["accuracy_score"] for data in (train, test)]
        found[f"{penalty:g}"] = tuple(scores)
        ct.plot.decision_regions(model, train.X, train.y, resolution=100, ax=ax)
        ax.set(title=f"penalty {penalty:g}: {scores[0]:.0%}, new {scores[1]:.0%}")
    return figure, found


def approximation(effort: float) -> tuple[Any, Numbers]:
    """One hidden layer comes as near to a continuous function as one likes, if it has enough units."""
    data = wave(2000, 4, noise=0.0)
    figure, axes = plt.subplots(1, 4, figsize=(12, 3), sharey=True)
    found: Numbers = {}
    for ax, width in zip(axes, (1, 2, 4, 32), strict=True):
        model = regressor(data, round(effort * 150) or 1, [width], learning_rate=0.02)
        found[str(width)] = error(model, data)
        draw_function(ax, model)
        ax.set(title=f"{width} unit{'s' * (width > 1)}: RMSE {found[str(width)]:.3f}")
    axes[0].legend(frameon=False)
    return figure, found


def linear(effort: float) -> tuple[Any, Numbers]:
    """Layers without an activation are together one linear layer, however many they are."""
    train = moons(300, 3, noise=0.15)
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True)
    found: Numbers = {}
    for ax, activation in zip(axes, ("identity", "relu"), strict=True):
        model = classifier(train, round(effort * 100) or 1, layer_sizes=[64, 64, 64], activation_fns=activation)
        score = model.evaluate(train, [ct.metrics.Metric(ct.metrics.accuracy_score)])["accuracy_score"]
        chance = model.predict(train.X)[:, 0]
        logit = np.log(chance[:, 1] / chance[:, 0])
        design = np.c_[train.X, np.ones(len(train))]
        found[activation] = score, ct.metrics.r2_score(logit, design @ np.linalg.lstsq(design, logit, rcond=None)[0])
        ct.plot.decision_regions(model, train.X, train.y, resolution=100, ax=ax)
        ax.set(title=f"three hidden layers, {activation}: {score:.0%}")
    return figure, found


def activations(effort: float) -> tuple[Any, Numbers]:
    """Activations and their derivatives."""
    ax = ct.plot.activations(["relu", "tanh", "sigmoid", "gelu"])
    return ax.figure, {"drawn": len(ax.lines)}


FIGURES: dict[str, Callable[[float], tuple[Any, Numbers]]] = {
    f.__name__: f for f in (fit, capacity, rows, rate, race, penalties, approximation, linear, activations)
}


def text_of(value: Any) -> str:
    if isinstance(value, (tuple, list, np.ndarray)):
        return " ".join(map(text_of, value))
    return f"{value:.4g}"


def main(arguments: Sequence[str] | None = None) -> dict[str, Numbers]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("pictures"), help="folder of the PNG files")
    parser.add_argument("--figures", nargs="+", choices=FIGURES, default=list(FIGURES), metavar="FIGURE")
    parser.add_argument("--effort", type=float, default=1.0, help="share of the epochs")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    found = {}
    for name in options.figures:
        figure, found[name] = FIGURES[name](options.effort)
        figure.tight_layout()
        figure.savefig(options.out / f"learning-{name}.png", dpi=60, metadata={"Software": None})
        plt.close(figure)
        print(name, *(f"{key}: {text_of(value)}" for key, value in found[name].items()), sep="\n  ")
    return found


if __name__ == "__main__":
    main()
