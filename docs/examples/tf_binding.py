"""Where does a transcription factor bind? Chapter 6 of "Deep Learning for the Life Sciences".

    python tf_binding.py motif [--genome ecoli.fna.gz] [--epochs 30]
    python tf_binding.py jund CHAPTER06 [--epochs 15]

The net is the book's: three convolutions of 15 filters as wide as 10 bases, dropout 0.5, one logit, batches of 1,000,
and weights that make bound and unbound segments count the same.

``motif`` shows that it learns where there is something to learn: half of 20,000 segments of a genome (of random letters
where none is given) get the site of AP-1, TGASTCA (S is C or G), written into them. Then a second input joins before the
dense layer, as the book does with the accessibility of the chromatin. **This accessibility is made up**: half of the
segments are open at random, and only an open segment with a site is bound, which DNA alone cannot tell.

``jund`` trains on the segments of chromosome 22 that the book labels by JUND's binding in HepG2 cells, from the files
``tfbinding_jund_chr22_valid.npz`` and ``..._test.npz`` (X, y, w). 146 of 34,527 and 146 of 34,528 are bound.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import catalase as ct

LENGTH, FILTERS, WIDTH = 101, 15, 10
SITES = ("TGACTCA", "TGAGTCA")


class BindingNet(ct.nn.Module):
    """DNA (N, 101, 4), and one more number a segment if ``accessibility``, to one logit a segment."""

    def __init__(
        self, accessibility: bool = False, rate: float = 0.5, rng: np.random.Generator | int | None = None
    ) -> None:
        super().__init__()
        rng = np.random.default_rng(rng)
        self.sequence = ct.nn.Sequential(
            ct.nn.Conv1D(4, FILTERS, WIDTH, activation="relu", rng=rng),
            ct.nn.Dropout(rate),
            ct.nn.Conv1D(FILTERS, FILTERS, WIDTH, activation="relu", rng=rng),
            ct.nn.Dropout(rate),
            ct.nn.Conv1D(FILTERS, FILTERS, WIDTH, activation="relu", rng=rng),
            ct.nn.Dropout(rate),
            ct.nn.Flatten(),
        )
        self.dense = ct.nn.Linear(LENGTH * FILTERS + accessibility, 1, rng=rng)

    def forward(self, dna: ct.Tensor, accessibility: ct.Tensor | None = None) -> ct.Tensor:
        x = self.sequence(dna)
        if accessibility is not None:
            x = ct.nn.functional.concatenate([x, accessibility], axis=1)
        return self.dense(x)


def call(net: BindingNet, X: np.ndarray) -> ct.Tensor:
    """Run the net on rows of a dataset.

    A dataset has one X: either bases alone, (N, 101, 4), or the bases' 404 numbers with the accessibility behind them,
    (N, 405). `catalase.train.fit` takes this function as ``forward=``.
    """
    if X.ndim == 3:
        return net(ct.Tensor(X.astype(np.float32)))
    dna, accessibility = np.split(np.ascontiguousarray(X, np.float32), [LENGTH * 4], axis=1)
    return net(ct.Tensor(dna.reshape(-1, LENGTH, 4)), ct.Tensor(accessibility))


def predict(net: BindingNet, data: ct.data.Dataset) -> np.ndarray:
    """Logits, (N,), dropout off."""
    net.eval()
    with ct.no_grad():
        batches = data.iterbatches(1000, deterministic=True)
        return np.concatenate([call(net, X).numpy()[:, 0] for X, *_ in batches])


def roc_auc(net: BindingNet, data: ct.data.Dataset) -> float:
    return ct.metrics.roc_auc_score(data.y[:, 0], predict(net, data))


def train(
    net: BindingNet, data: ct.data.Dataset, epochs: int, seed: int, batch_size: int = 1000, lr: float = 1e-3
) -> ct.train.History:
    """Weighted cross-entropy and Adam, as in the book."""
    return ct.train.fit(
        net,
        data,
        ct.nn.losses.SigmoidCrossEntropy(),
        optimizer=ct.optim.Adam(net, lr=lr),
        nb_epoch=epochs,
        batch_size=batch_size,
        seed=seed,
        forward=call,
    )


def balanced(X: np.ndarray, y: np.ndarray) -> ct.data.Dataset:
    """A dataset whose two classes weigh the same."""
    data = ct.data.NumpyDataset(X, np.asarray(y, np.float32).reshape(-1, 1))
    return ct.trans.BalancingTransformer(dataset=data).transform(data)


def segments(genome: str | Path | None, count: int, rng: np.random.Generator) -> list[str]:
    """Segments of a genome at random places, or random letters where no genome is given."""
    if genome is None:
        letters = rng.choice(list("ACGT"), size=(count, LENGTH))
        return ["".join(row) for row in letters]
    sequence = next(ct.data.read_fasta(genome)).sequence.upper()
    starts = rng.integers(0, len(sequence) - LENGTH, size=count)
    return [sequence[start : start + LENGTH] for start in starts]


def plant(texts: list[str], rng: np.random.Generator) -> tuple[list[str], np.ndarray]:
    """Write a site somewhere into every second segment; return the segments and which have one."""
    planted = np.arange(len(texts)) % 2 == 1
    result = list(texts)
    for i in np.flatnonzero(planted):
        site = SITES[rng.integers(len(SITES))]
        at = rng.integers(0, LENGTH - len(site) + 1)
        result[i] = texts[i][:at] + site + texts[i][at + len(site) :]
    return result, planted


def made_up_accessibility(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Which segments are open, half of them at random, and a noisy measurement of that. No experiment gave these."""
    is_open = rng.random(count) < 0.5
    return is_open, (is_open + 0.2 * rng.standard_normal(count)).astype(np.float32)


def halves(X: np.ndarray, y: np.ndarray) -> tuple[ct.data.Dataset, ct.data.Dataset]:
    """The first four fifths to learn from, the rest to test."""
    cut = len(X) * 4 // 5
    return balanced(X[:cut], y[:cut]), balanced(X[cut:], y[cut:])


def motif(genome: str | Path | None, count: int, epochs: int, seed: int) -> dict[str, float]:
    """Train on planted sites: on DNA alone, then where binding needs open chromatin too, without and with that input."""
    rng = np.random.default_rng(seed)
    texts, planted = plant(segments(genome, count, rng), rng)
    dna = ct.ops.one_hot_dna(texts)
    is_open, measured = made_up_accessibility(count, rng)
    both = np.concatenate([dna.reshape(count, -1), measured[:, None]], axis=1)
    tasks = {
        "planted sites, DNA": (dna, planted),
        "open planted sites, DNA": (dna, planted & is_open),
        "open planted sites, DNA and made-up accessibility": (both, planted & is_open),
    }
    scores = {}
    for name, (X, y) in tasks.items():
        begin = time.perf_counter()
        data, test = halves(X, y)
        net = BindingNet(accessibility=X.ndim == 2, rng=seed)
        train(net, data, epochs, seed)
        scores[name] = roc_auc(net, test)
        print(f"{name}: test ROC-AUC {scores[name]:.3f}, {time.perf_counter() - begin:.1f} s", flush=True)
    return scores


def jund(folder: str | Path, epochs: int, seed: int) -> dict[str, float]:
    """Train on the segments of the book's valid set, test on those of its test set."""
    parts = []
    for name in ("valid", "test"):
        with np.load(Path(folder) / f"tfbinding_jund_chr22_{name}.npz", allow_pickle=False) as file:
            parts.append(ct.data.NumpyDataset(file["X"], file["y"], file["w"]))
    data, test = parts
    begin = time.perf_counter()
    net = BindingNet(rng=seed)
    train(net, data, epochs, seed)
    scores = {"train": roc_auc(net, data), "test": roc_auc(net, test)}
    print(f"JUND, {int(data.y.sum())} of {len(data):,} segments bound: ROC-AUC on train {scores['train']:.3f}, "
          f"on test {scores['test']:.3f}, {time.perf_counter() - begin:.1f} s")  # fmt: skip
    return scores


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["motif", "jund"])
    parser.add_argument("folder", nargs="?", help="for jund: where the two files are")
    parser.add_argument("--genome", help="for motif: a FASTA file")
    parser.add_argument("--segments", type=int, default=20_000)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.task == "jund":
        if options.folder is None:
            parser.error("jund needs the folder of the two files")
        return jund(options.folder, options.epochs or 15, options.seed)
    return motif(options.genome, options.segments, options.epochs or 30, options.seed)


if __name__ == "__main__":
    main(sys.argv[1:])
