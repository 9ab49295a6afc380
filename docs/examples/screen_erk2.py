"""The workflow of chapter 11 of "Deep Learning for the Life Sciences": learn which molecules bind ERK2, screen a library.

    python screen_erk2.py dude_erk2_mk01.csv.gz zinc250k.smi.gz --out erk2

The first file is DUD-E's set for ERK2 (MK01) with columns SMILES, ID and is_active, the second any library that
`catalase.screen` reads. The book's notebook learns with graph convolutions; here a dense net on ECFP4 does. Written are
the model, the top 100 hits with clusters and similarity to the known actives (CSV), and their picture.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import catalase as ct

BITS = 2048
SETTINGS = {"layer_sizes": [1000], "dropouts": 0.5, "batch_size": 100, "learning_rate": 1e-3}


def fit(dataset: ct.data.Dataset, epochs: int, seed: int) -> ct.models.MultitaskClassifier:
    """Train on a dataset whose classes are made to weigh the same."""
    balanced = ct.trans.BalancingTransformer(dataset=dataset).transform(dataset)
    model = ct.models.MultitaskClassifier(1, BITS, seed=seed, **SETTINGS)
    model.fit(balanced, nb_epoch=epochs, progress=False)
    return model


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("actives_and_decoys")
    parser.add_argument("library")
    parser.add_argument("--out", default="erk2")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--top", type=int, default=100)
    options = parser.parse_args(arguments)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)

    loader = ct.data.CSVLoader(["is_active"], ct.feat.CircularFingerprint(size=BITS), feature_field="SMILES")
    data = loader.create_dataset(options.actives_and_decoys)
    print(f"{len(data):,} molecules, {int(data.y.sum())} active")

    metric = ct.metrics.Metric(ct.metrics.matthews_corrcoef)
    scores = []
    for i, (train, valid) in enumerate(ct.splits.RandomSplitter().k_fold_split(data, options.folds, seed=0)):
        model = fit(train, options.epochs, seed=i)
        scores.append([next(iter(model.evaluate(part, metric).values())) for part in (train, valid)])
    means, spread = np.mean(scores, axis=0), np.std(scores, axis=0)
    print(f"Matthews correlation, {options.folds} folds: train {means[0]:.3f} (deviation {spread[0]:.3f}), "
          f"valid {means[1]:.3f} ({spread[1]:.3f})")  # fmt: skip

    model = fit(data, options.epochs, seed=0)
    model.save(out / "model")

    begin = time.perf_counter()
    actives = [str(smiles) for smiles in data.ids[data.y[:, 0] == 1]]
    hits = ct.screen(
        out / "model", options.library, options.top, out=out / "hits.csv", force=True,
        similar_to=actives, filters="pains,brenk", properties=True, diverse=options.top,
    )  # fmt: skip
    hits.to_png(out / "hits.png")
    clusters = len(set(hits.columns["cluster"]))
    print(
        f"{hits.report.kept:,} molecules of the library scored in {time.perf_counter() - begin:.1f} s, with the picture"
    )
    print(f"{len(hits)} hits in {clusters} clusters, {sum(map(bool, hits.columns['alerts']))} with structural alerts")
    print(f"  {out / 'hits.csv'}, {out / 'hits.png'}")
    return {"train": float(means[0]), "valid": float(means[1]), "hits": float(len(hits)), "clusters": float(clusters)}


if __name__ == "__main__":
    main(sys.argv[1:])
