"""Why does the net say so? Chapter 10 of "Deep Learning for the Life Sciences".

    python interpretation.py [--genome lambda_virus.fa] [--solubility delaney-processed.csv] [--epochs 20] [--out pictures]

A net learns where the site of AP-1, TGASTCA (S is C or G), is written into segments of a genome. Saliency, all substitutions
and occlusion then say which letters it looks at, and an input is changed until the net is as sure as it can be. A second
net learns solubilities with its uncertainty: which atoms raise the solubility, and how far each number can be trusted.
Files that are not given are searched in CATALASE_DATA_DIR; where they are not there either, letters and chains are made up.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import catalase as ct

LENGTH = 101
SITES = ("TGACTCA", "TGAGTCA")


def found(path: str | None, name: str) -> Path | None:
    """The file that was named, or that of this name in CATALASE_DATA_DIR; None where there is none."""
    if path is not None:
        return Path(path)
    folder = os.environ.get("CATALASE_DATA_DIR")
    inside = Path(folder) / name if folder else None
    return inside if inside is not None and inside.is_file() else None


def segments(genome: Path | None, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Segments, (N, 101, 4), of which every second has a site; and where each site starts, -1 for none."""
    if genome is None:
        letters = rng.choice(list("ACGT"), (count, LENGTH))
    else:
        sequence = np.array(list(next(ct.data.read_fasta(genome)).sequence.upper()))
        starts = rng.integers(0, len(sequence) - LENGTH, count)
        letters = sequence[starts[:, None] + np.arange(LENGTH)]
    places = np.where(np.arange(count) % 2, rng.integers(0, LENGTH - len(SITES[0]), count), -1)
    for row in np.flatnonzero(places >= 0).tolist():
        site = SITES[int(rng.integers(len(SITES)))]
        letters[row, places[row] : places[row] + len(site)] = list(site)
    return ct.ops.one_hot_dna(["".join(row) for row in letters]), places


def dna(genome: Path | None, count: int, epochs: int, seed: int) -> dict[str, float]:
    """Train on the segments, and see how often each method finds the site; then optimize an input."""
    rng = np.random.default_rng(seed)
    X, places = segments(genome, count, rng)
    cut = count * 4 // 5
    model = ct.models.CNN(
        1, 4, 1, layer_filters=[16], kernel_size=9, dropouts=0.1, weight_init_stddevs=0.1, bias_init_consts=0.0,
        learning_rate=5e-3, seed=seed,
    )  # fmt: skip
    model.fit(ct.data.NumpyDataset(X[:cut], (places[:cut] >= 0) * 1.0), nb_epoch=epochs)
    chance = model.predict(X[cut:])[:, 0, 1]
    print(f"a site is there: ROC-AUC {ct.metrics.roc_auc_score(places[cut:] >= 0, chance):.3f} on held-out segments")
    bound, starts = X[cut:][places[cut:] >= 0][:100], places[cut:][places[cut:] >= 0][:100]
    maps = {
        "saliency": (ct.explain.saliency(model, bound) * bound).sum(axis=2),
        "mutagenesis": -ct.explain.mutagenesis(model, bound).sum(axis=2),
        "occlusion": ct.explain.occlusion(model, bound),
    }
    width = len(SITES[0])
    shares = {}
    for name, importance in maps.items():
        means = np.array([np.convolve(row, np.ones(width) / width, "valid") for row in importance])
        shares[name] = float(np.mean(np.abs(means.argmax(axis=1) - starts) <= 1))
        print(f"{name}: the site is the most important stretch in {shares[name]:.0%} of {len(bound)} segments with one")
    start = ct.ops.one_hot_dna(["".join(rng.choice(list("ACGT"), LENGTH))])
    best = ct.explain.optimize_input(model, start, 300, seed=seed)
    text = "".join("ACGT"[k] for k in best.X[0].argmax(axis=1))
    print(
        f"a random segment, changed by 300 rounds of mutations: log-odds {best.history[0]:.1f} to {best.score:.1f}\n{text}"
    )
    return {**shares, "optimized": best.score - float(best.history[0])}


def solubility(table: Path | None, epochs: int, seed: int, out: Path | None) -> Any:
    """Train a net with a variance, and print what atoms contribute to some predictions, and how far to trust them."""
    if table is None:
        smiles = [a + "C" * n + b for n in range(1, 13) for a in ("", "N", "F") for b in ("O", "Cl", "C(=O)O", "")]
        y = np.array([text.count("O") - 0.5 * text.count("C") for text in smiles])
    else:
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        smiles = [row["smiles"].strip() for row in rows]
        y = np.array([float(row["measured log solubility in mols per litre"]) for row in rows])
    featurizer = ct.feat.CircularFingerprint(size=1024, is_counts_based=True)
    data = ct.data.NumpyDataset(featurizer(smiles), y[:, None], ids=smiles, featurizer=featurizer)
    train, test = ct.splits.RandomSplitter().train_test_split(data, seed=seed)
    scaler = ct.trans.NormalizationTransformer(transform_y=True, dataset=train)
    model = ct.models.MultitaskRegressor(1, 1024, layer_sizes=[256], dropouts=0.2, uncertainty=True, seed=seed)
    model.transformers = [scaler]
    model.fit(scaler.transform(train), nb_epoch=epochs)
    mean, std = model.predict_uncertainty(test)
    error = np.abs(mean[:, 0] - test.y[:, 0])
    sure = std[:, 0] <= np.median(std)
    print(
        f"solubility: mean error {error[sure].mean():.2f} where the net is surer, {error[~sure].mean():.2f} elsewhere"
    )
    shown = [str(text) for text in test.ids[:8]]
    parts = ct.explain.atoms(model, shown)
    for text, values, number, deviation in zip(shown, parts, mean[:, 0], std[:, 0], strict=False):
        print(f"{text}: {number:.2f} +- {deviation:.2f}; by atom {' '.join(f'{value:+.1f}' for value in values)}")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        legends = [
            f"{number:.1f} +- {deviation:.1f}" for number, deviation in zip(mean[:8, 0], std[:8, 0], strict=True)
        ]
        ct.chem.draw(shown, out / "solubility.png", legends=legends[: len(shown)], contributions=parts, columns=4)
    return parts


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--genome", help="a FASTA file")
    parser.add_argument("--solubility", help="Delaney's table")
    parser.add_argument("--segments", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for the picture of the molecules")
    options = parser.parse_args(arguments)
    shares = dna(found(options.genome, "lambda_virus.fa"), options.segments, options.epochs, options.seed)
    solubility(found(options.solubility, "delaney-processed.csv"), options.epochs, options.seed, options.out)
    return shares


if __name__ == "__main__":
    main(sys.argv[1:])
