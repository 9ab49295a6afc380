"""How well does a molecule dissolve in water? After chapter 4 of "Deep Learning for the Life Sciences".

    python solubility.py [SMILES ...] [--epochs 100] [--model graph-conv|dmpnn] [--table TABLE.csv]

A graph net learns the solubilities that Delaney measured (ESOL: log10 of mol/l), and predicts those of your own SMILES.
``--table`` reads another table, with the columns ``smiles`` and ``y``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

import numpy as np

import catalase as ct

CHAPTER = [  # the molecules that the chapter asks about
    "COC(C)(C)CCCC(C)CC=CC(C)=CC(=O)OC(C)C",
    "CCOC(=O)CC",
    "CSc1nc(NC(C)C)nc(NC(C)C)n1",
    "CC(C#C)N(C)C(=O)Nc1ccc(Cl)cc1",
    "Cc1cc2ccccc2cc1C",
]


def load(table: str | None, features: str, seed: int) -> tuple[list[ct.data.GraphDataset], list[ct.trans.Transformer]]:
    """Training, validation and test molecules, split at random, and the transformer of their labels."""
    if table is None:
        featurizer = ct.feat.MolGraphFeaturizer(features)
        _, parts, transformers = ct.molnet.load_delaney(featurizer=featurizer, splitter="random", seed=seed)
        return list(parts), list(transformers)
    loader = ct.data.CSVLoader(["y"], feature_field="smiles", featurizer=ct.feat.MolGraphFeaturizer(features))
    whole = loader.create_dataset(table)
    parts = ct.splits.RandomSplitter().train_valid_test_split(whole, seed=seed)
    transformer = ct.trans.NormalizationTransformer(transform_y=True, dataset=parts[0])
    return [part.transform(transformer) for part in parts], [transformer]


def make(name: str, seed: int) -> ct.models.NetModel:
    if name == "dmpnn":
        return ct.models.DMPNNModel(seed=seed)
    return ct.models.GraphConvModel(1, mode="regression", batch_normalize=False, seed=seed)


def learn(
    model: ct.models.NetModel,
    parts: Sequence[ct.data.GraphDataset],
    transformers: Sequence[ct.trans.Transformer],
    epochs: int,
) -> dict[str, float]:
    """Train with early stopping, and return the correlation with the measurements of each part."""
    train, valid, _ = parts
    model.fit(train, nb_epoch=epochs, valid=valid, callbacks=ct.train.EarlyStopping(patience=20))
    model.transformers = list(transformers)
    metric = ct.metrics.Metric(ct.metrics.pearson_r2_score)
    scores = [model.evaluate(part, metric, transformers)[metric.name] for part in parts]
    return dict(zip(("train", "valid", "test"), scores, strict=True))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("smiles", nargs="*", default=CHAPTER)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--model", choices=["graph-conv", "dmpnn"], default="graph-conv")
    parser.add_argument("--table")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    model = make(options.model, options.seed)
    parts, transformers = load(options.table, model.features, options.seed)
    start = time.perf_counter()
    scores = learn(model, parts, transformers, options.epochs)
    print(f"trained in {time.perf_counter() - start:.1f} s, {len(model.history)} epochs")
    print("squared correlation: " + ", ".join(f"{part} {score:.3f}" for part, score in scores.items()))
    predicted = model.predict(options.smiles, errors="mask")[:, 0]
    for smiles, value in zip(options.smiles, predicted.tolist(), strict=True):
        print(f"{smiles:45} {'cannot be read' if np.isnan(value) else f'{value:6.2f} log10(mol/l)'}")


if __name__ == "__main__":
    sys.exit(main())
