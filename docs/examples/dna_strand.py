"""On which strand of a bacterial genome does a gene lie? And what tells a gene from shuffled letters?

    python dna_strand.py strand ecoli_k12.fna.gz [--windows 20000] [--epochs 6]
    python dna_strand.py shuffled ecoli_k12.fna.gz

Genes are taken to be what lies between two stop codons of a frame, 900 bases and more apart: in random letters of this
length hardly any stretch is that long. Of two that overlap the longer one counts. Pieces of 100 to 300 bases are cut
out of them at random places, in any frame. ``strand``: half of the pieces are turned into their reverse complement, and
the net is to tell which. ``shuffled``: half of them have their letters put into random order. The last fifth of the
genome is held out: no test piece overlaps with a training piece.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import catalase as ct

STOPS = (b"TAA", b"TAG", b"TGA")
LONGEST, SHORTEST = 300, 100  # of a piece


def stretches(strand: bytes, least: int) -> list[tuple[int, int]]:
    """Where no stop codon of a frame stands for ``least`` bases: (start, end), of one strand."""
    letters = np.frombuffer(strand, np.uint8)
    stop = np.zeros(max(0, len(letters) - 2), bool)
    for codon in STOPS:
        stop |= (letters[:-2] == codon[0]) & (letters[1:-1] == codon[1]) & (letters[2:] == codon[2])
    found = []
    for frame in range(3):
        at = np.flatnonzero(stop[frame::3]) * 3 + frame
        long = np.flatnonzero(np.diff(at) >= least + 3)
        found += [(int(at[i]) + 3, int(at[i + 1])) for i in long]
    return found


def genes(genome: str, least: int = 900) -> list[tuple[int, str]]:
    """What is taken for genes: (place in the genome, letters read along the gene), by place."""
    forward = genome.upper()
    backward = ct.data.reverse_complement(forward)
    found = [(start, end, forward[start:end]) for start, end in stretches(forward.encode(), least)]
    size = len(genome)
    found += [(size - end, size - start, backward[start:end]) for start, end in stretches(backward.encode(), least)]
    taken = np.zeros(size, bool)
    kept = []
    for start, end, letters in sorted(found, key=lambda gene: gene[0] - gene[1]):
        if not taken[start:end].any():
            taken[start:end] = True
            kept.append((start, letters))
    return sorted(kept)


def pieces(chosen: list[str], count: int, task: str, rng: np.random.Generator) -> tuple[list[str], np.ndarray]:
    """Pieces of genes, each longer genes' more often; label 1 as they are, 0 turned around or shuffled."""
    share = np.array([len(gene) for gene in chosen], float)
    texts, y = [], np.arange(count) % 2
    for label, gene in zip(y, rng.choice(len(chosen), size=count, p=share / share.sum()), strict=True):
        length = int(rng.integers(SHORTEST, LONGEST + 1))
        start = int(rng.integers(0, len(chosen[gene]) - length + 1))
        text = chosen[gene][start : start + length]
        if label == 0 and task == "strand":
            text = ct.data.reverse_complement(text)
        elif label == 0:
            text = "".join(rng.permutation(list(text)))
        texts.append(text)
    return texts, y


def run(
    genome: str, task: str, count: int, epochs: int, seed: int, callbacks: Sequence[ct.train.Callback] = ()
) -> float:
    """Train on the first four fifths of the genome; return the ROC-AUC on the last."""
    rng = np.random.default_rng(seed)
    found, cut = genes(genome), len(genome) * 4 // 5
    tokenizer = ct.data.DNATokenizer()
    parts = []
    for share, chosen in (
        (0.8, [gene for start, gene in found if start + len(gene) <= cut]),
        (0.2, [gene for start, gene in found if start >= cut]),
    ):
        texts, y = pieces(chosen, int(count * share), task, rng)
        parts.append(ct.data.SequenceDataset.from_texts(texts, tokenizer, y))
    train, test = parts
    rate = ct.optim.CosineDecay(5e-3, 1e-4, max(2, epochs * -(-len(train) // 100)))
    model = ct.models.SequenceClassifier(
        1, tokenizer, embedding_size=8, hidden_size=64, bidirectional=True, pool="mean", learning_rate=rate, seed=seed
    )
    begin = time.perf_counter()
    history = model.fit(train, nb_epoch=epochs, callbacks=callbacks)
    took = time.perf_counter() - begin
    metrics = [ct.metrics.Metric(ct.metrics.roc_auc_score), ct.metrics.Metric(ct.metrics.accuracy_score)]
    scores = model.evaluate(test, metrics)
    print(f"{task}: {len(found):,} genes, {len(train):,} pieces to learn from, {len(test):,} held out, {epochs} epochs, "
          f"{took:.0f} s: loss {history['loss'][-1]:.3f}, held-out ROC-AUC {scores['roc_auc_score']:.3f}, accuracy "
          f"{scores['accuracy_score']:.3f}", flush=True)  # fmt: skip
    return float(scores["roc_auc_score"])


def main(arguments: Sequence[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["strand", "shuffled"])
    parser.add_argument("genome", type=Path, help="FASTA, plain or gzipped; its first sequence is read")
    parser.add_argument("--windows", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    o = parser.parse_args(arguments)
    return run(next(ct.data.read_fasta(o.genome)).sequence, o.task, o.windows, o.epochs, o.seed)


if __name__ == "__main__":
    main(sys.argv[1:])
