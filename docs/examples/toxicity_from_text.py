"""Toxicity from the text of SMILES, beside fingerprints: Tox21's twelve assays, the same split for both.

    python toxicity_from_text.py [--epochs 20] [--splitter index]

A GRU reads the SMILES token by token from both ends; the dense net reads 1,024 bits of circular fingerprints (radius 2),
as in chapter 3 of "Deep Learning for the Life Sciences". Classes are balanced by weights, missing labels count nothing.
The reader stops when the loss on the validation part has not fallen for five epochs, and keeps its best weights. The
file is found in ``CATALASE_DATA_DIR``, or downloaded.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

import catalase as ct


def as_text(parts: Sequence[Any]) -> tuple[ct.data.SmilesTokenizer, list[ct.data.SequenceDataset]]:
    """The parts with their SMILES (the ids) as tokens; what training does not know is ``<unk>``."""
    tokenizer = ct.data.SmilesTokenizer.fit(parts[0].ids.tolist(), unknown="token")
    return tokenizer, [
        ct.data.SequenceDataset.from_texts(part.ids.tolist(), tokenizer, part.y, part.w, tasks=part.tasks)
        for part in parts
    ]


def read_text(
    parts: Sequence[Any], epochs: int, seed: int, hidden: int = 128, callbacks: Sequence[ct.train.Callback] = ()
) -> ct.models.SequenceClassifier:
    """Train the reader on the first part, watching the second."""
    tokenizer, (train, valid, _) = as_text(parts)
    model = ct.models.SequenceClassifier(
        len(train.tasks), tokenizer, hidden_size=hidden, bidirectional=True, pool="max", dropout=0.3, learning_rate=2e-3,
        batch_size=64, seed=seed,
    )  # fmt: skip
    stop = ct.train.EarlyStopping(patience=5)
    model.fit(train, nb_epoch=epochs, valid=valid, callbacks=[stop, *callbacks])
    return model


def read_fingerprints(parts: Sequence[Any], seed: int) -> ct.models.MultitaskClassifier:
    """The book's dense net: one layer of 1,000, ten epochs."""
    model = ct.models.MultitaskClassifier(len(parts[0].tasks), 1024, layer_sizes=[1000], seed=seed)
    model.fit(parts[0], nb_epoch=10)
    return model


def run(
    parts: Sequence[Any], epochs: int, seed: int, hidden: int = 128, callbacks: Sequence[ct.train.Callback] = ()
) -> dict[str, float]:
    """Train both; report the mean ROC-AUC over the assays on the test part."""
    metric = ct.metrics.Metric(ct.metrics.roc_auc_score, np.mean)
    scores = {}
    begin = time.perf_counter()
    reader = read_text(parts, epochs, seed, hidden, callbacks)
    took = time.perf_counter() - begin
    assert reader.history is not None
    scores["text"] = reader.evaluate(as_text(parts)[1][2], [metric])[metric.name]
    print(f"text: {len(reader.history)} epochs, {took:.0f} s, test ROC-AUC {scores['text']:.3f}", flush=True)
    begin = time.perf_counter()
    dense = read_fingerprints(parts, seed)
    took = time.perf_counter() - begin
    scores["fingerprints"] = dense.evaluate(parts[2], [metric])[metric.name]
    print(f"fingerprints: 10 epochs, {took:.0f} s, test ROC-AUC {scores['fingerprints']:.3f}", flush=True)
    return scores


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--splitter", default="index", choices=["index", "random", "scaffold"])
    parser.add_argument("--seed", type=int, default=0)
    o = parser.parse_args(arguments)
    _, parts, _ = ct.molnet.load_tox21(featurizer="ECFP", splitter=o.splitter)
    return run(parts, o.epochs, o.seed)


if __name__ == "__main__":
    main(sys.argv[1:])
