"""Does a generative adversarial net find all modes of a mixture?

    python gan_mixture.py [--epochs 200] [--seeds 0 1 2] [--picture mixture.png]

Eight normal distributions stand on a circle. `GAN` makes 1,000 points; those within four deviations of a centre count for it.
"""

from __future__ import annotations

import argparse

import numpy as np

import catalase as ct

CENTERS = 2 * np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], axis=1)
DEVIATION = 0.1


def mixture(rows: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (CENTERS[rng.integers(0, 8, rows)] + DEVIATION * rng.standard_normal((rows, 2))).astype(np.float32)


def modes(points: np.ndarray) -> np.ndarray:
    """Return how many points are near each centre."""
    distance = np.linalg.norm(points[:, None] - CENTERS, axis=2)
    return np.bincount(distance.argmin(axis=1)[distance.min(axis=1) < 4 * DEVIATION], minlength=8)


def main(arguments: list[str] | None = None) -> list[np.ndarray]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--picture")
    options = parser.parse_args(arguments)
    X, counts = mixture(2000, 0), []
    for seed in options.seeds:
        model = ct.models.GAN(2, latent_size=8, layer_sizes=[64, 64], seed=seed)
        model.fit(ct.data.NumpyDataset(X), nb_epoch=options.epochs, progress=False)
        points = model.sample(1000, seed=0)
        counts.append(modes(points))
        print(
            f"seed {seed}: {np.count_nonzero(counts[-1])} of 8 modes, {counts[-1].sum() / 10:.0f}% of the points near one"
        )
    if options.picture:
        from matplotlib import pyplot

        ax = pyplot.subplots(figsize=(4, 4))[1]
        ax.plot(*X.T, ".", color="0.8", label="data")
        ax.plot(*points.T, ".", markersize=3, label="made")
        ax.legend()
        ax.figure.savefig(options.picture)
    return counts


if __name__ == "__main__":
    main()
