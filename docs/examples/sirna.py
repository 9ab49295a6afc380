"""How well does an siRNA silence its gene? Chapter 6 of "Deep Learning for the Life Sciences".

    git clone https://github.com/deepchem/DeepLearningLifeSciences
    python sirna.py DeepLearningLifeSciences/Chapter06 [--seeds 0 1 2] [--epochs 200]

The folder holds ``train_siRNA`` and ``valid_siRNA``, DeepChem datasets of 2,187 and 244 molecules of 21 bases, one-hot,
with the measured efficacy of each. The net and the recipe are the book's; the valid set is only looked at, to show how
the training goes: nothing was chosen by it.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import catalase as ct


def load(folder: str | Path) -> ct.data.NumpyDataset:
    """Read one of the two datasets; the bases are int8 on disk, and nets take float32."""
    data = ct.data.DiskDataset(folder)
    return ct.data.NumpyDataset(np.asarray(data.X, np.float32), np.asarray(data.y, np.float32))


def make_net(seed: int, rate: float = 0.3) -> ct.nn.Sequential:
    """Two convolutions of 10 filters as wide as 10 bases, then one number from 0 to 1."""
    rng = np.random.default_rng(seed)
    return ct.nn.Sequential(
        ct.nn.Conv1D(4, 10, 10, activation="relu", rng=rng),
        ct.nn.Dropout(rate),
        ct.nn.Conv1D(10, 10, 10, activation="relu", rng=rng),
        ct.nn.Dropout(rate),
        ct.nn.Flatten(),
        ct.nn.Linear(21 * 10, 1, "sigmoid", rng=rng),
    )


def predict(net: ct.nn.Module, X: np.ndarray) -> np.ndarray:
    """Predicted efficacies, (N,), dropout off."""
    net.eval()
    with ct.no_grad():
        return net(ct.Tensor(X)).numpy()[:, 0]


def pearson(net: ct.nn.Module, data: ct.data.Dataset) -> float:
    """Pearson's correlation of predicted and measured efficacy."""
    return float(np.corrcoef(predict(net, data.X), data.y[:, 0])[0, 1])


def train(
    data: ct.data.Dataset, valid: ct.data.Dataset, epochs: int, seed: int
) -> tuple[ct.nn.Module, ct.train.History]:
    """The book's recipe: squared error, batches of 1,000, Adam at its usual rate."""
    net = make_net(seed)
    history = ct.train.fit(
        net,
        data,
        ct.nn.losses.L2Loss(),
        optimizer=ct.optim.Adam(net, lr=1e-3),
        nb_epoch=epochs,
        batch_size=1000,
        seed=seed,
        metrics={"valid r": lambda: pearson(net, valid)},
    )
    return net, history


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="the book's Chapter06")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args(arguments)
    data, valid = (load(Path(options.folder) / name) for name in ("train_siRNA", "valid_siRNA"))
    print(make_net(0).summary((21, 4)))
    scores = []
    for seed in options.seeds:
        begin = time.perf_counter()
        net, history = train(data, valid, options.epochs, seed)
        scores.append(pearson(net, valid))
        for epoch in range(19, len(history), 20):
            print(f"  epoch {epoch + 1}: loss {history['loss'][epoch]:.4f}, valid r {history['valid r'][epoch]:.3f}")
        print(
            f"seed {seed}: train r {pearson(net, data):.3f}, valid r {scores[-1]:.3f}, {time.perf_counter() - begin:.1f} s"
        )
    mean = math.fsum(scores) / len(scores)
    print(f"mean of {len(scores)}: valid r {mean:.3f}")
    return {"valid": mean, "lowest": min(scores), "highest": max(scores)}


if __name__ == "__main__":
    main(sys.argv[1:])
