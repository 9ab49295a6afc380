"""Which bases of a DNA belong to a gene? A label, and a prediction, for every step of a sequence.

    python mark_genes.py [--rows 2000] [--epochs 8] [--truncation 100]

The DNA is made up: 300 to 600 random letters, and in each a gene of 30 to 80 codons from ATG to a stop, its codons drawn
with a preference for some, as organisms have it. A GRU reads from both ends and says for each base whether it is coding.
With ``--truncation`` it reads from the first base on only, and is trained in windows of so many bases (both ends cannot
be had then: a window does not know what comes after it).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

import numpy as np

import catalase as ct

STOPS = ("TAA", "TAG", "TGA")
CODONS = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT" if a + b + c not in STOPS]


def make_up(rows: int, rng: np.random.Generator, usage: np.ndarray) -> tuple[list[str], list[np.ndarray]]:
    """Texts of DNA, and for each an array of its length: 1 where a base is coding."""
    texts, labels = [], []
    for length in rng.integers(300, 601, rows):
        codons = rng.choice(CODONS, size=rng.integers(28, 79), p=usage)
        gene = "ATG" + "".join(codons) + str(rng.choice(STOPS))
        start = int(rng.integers(0, length - len(gene) + 1))
        around = "".join(rng.choice(list("ACGT"), size=length - len(gene)))
        texts.append(around[:start] + gene + around[start:])
        coding = np.zeros(length, np.int64)
        coding[start : start + len(gene)] = 1
        labels.append(coding)
    return texts, labels


def picture(text: str, label: np.ndarray, probability: np.ndarray, width: int = 100) -> str:
    """The letters in lines, coding ones as capitals; below each what is predicted, 0 to 9 for 0 to 100%."""
    shown = "".join(letter if is_in else letter.lower() for letter, is_in in zip(text, label, strict=True))
    digits = "".join(str(min(9, int(10 * p))) for p in probability)
    starts = range(0, len(text), width)
    return "\n".join(f"{shown[i : i + width]}\n{digits[i : i + width]}" for i in starts)


def run(rows: int, epochs: int, truncation: int | None, seed: int) -> float:
    """Train on four fifths of the rows; return the ROC-AUC over the bases of the rest."""
    rng, tokenizer = np.random.default_rng(seed), ct.data.DNATokenizer()
    usage = rng.dirichlet(np.full(len(CODONS), 1.0))
    texts, labels = make_up(rows, rng, usage)
    data = ct.data.SequenceDataset.from_texts(texts, tokenizer, labels, ids=np.arange(rows), per_step=True)
    cut = rows * 4 // 5
    train, test = data.select(np.arange(cut)), data.select(np.arange(cut, rows))
    model = ct.models.SequenceClassifier(
        1, tokenizer, embedding_size=8, hidden_size=48, bidirectional=truncation is None, per_step=True,
        truncation=truncation, batch_size=25, learning_rate=5e-3, seed=seed,
    )  # fmt: skip
    begin = time.perf_counter()
    history = model.fit(train, nb_epoch=epochs)
    took = time.perf_counter() - begin
    metrics = [ct.metrics.Metric(ct.metrics.roc_auc_score), ct.metrics.Metric(ct.metrics.accuracy_score)]
    scores = model.evaluate(test, metrics)
    print(picture(texts[cut], labels[cut], model.predict(test.select([0]))[0][:, 0, 1]))
    print(f"{len(train):,} sequences to learn from, {len(test):,} held out ({len(test.X.values):,} bases), {epochs} epochs, "
          f"{took:.0f} s: loss {history['loss'][-1]:.3f}, held-out ROC-AUC {scores['roc_auc_score']:.3f}, accuracy "
          f"{scores['accuracy_score']:.3f}", flush=True)  # fmt: skip
    return float(scores["roc_auc_score"])


def main(arguments: Sequence[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--truncation", type=int)
    parser.add_argument("--seed", type=int, default=0)
    o = parser.parse_args(arguments)
    return run(o.rows, o.epochs, o.truncation, o.seed)


if __name__ == "__main__":
    main(sys.argv[1:])
