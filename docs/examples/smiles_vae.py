"""Molecules from a continuous space: a variational autoencoder of SMILES (Deep Learning for the Life Sciences, chapter 9).

    python smiles_vae.py SMILES [--minutes 60] [--latent 56] [--hidden 256] [--beta 0.05] [--samples 1000] [--save FOLDER]

``SMILES`` is a file with a molecule a line, such as ZINC's 250,000. The model is trained for so many minutes; then molecules
are drawn from N(0, I), and a report says how many are valid, different and new.
"""

from __future__ import annotations

import argparse
import gzip
import time
from pathlib import Path

import catalase as ct


class Minutes(ct.train.Callback):
    """Stop after the epoch in which the time is over."""

    def __init__(self, minutes: float) -> None:
        self.end = time.monotonic() + 60 * minutes

    def on_epoch_end(self, state) -> None:
        state.stop = time.monotonic() > self.end


def read(path: str | Path, longest: int = 100) -> list[str]:
    """Return the first text of each line, where it is not too long."""
    with (gzip.open if str(path).endswith(".gz") else open)(path, "rt") as lines:
        words = (line.split() for line in lines)
        return [found[0] for found in words if found and len(found[0]) <= longest]


def main(arguments: list[str] | None = None) -> ct.chem.GenerationReport:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("smiles")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--latent", type=int, default=56)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--beta", type=float, default=0.05)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--save")
    options = parser.parse_args(arguments)
    texts = read(options.smiles)
    tokenizer = ct.data.SmilesTokenizer.fit(texts)
    model = ct.models.SmilesVAE(
        tokenizer, options.latent, hidden_size=options.hidden, beta=options.beta, annealing_epochs=5, seed=0
    )
    data = ct.data.SequenceDataset.from_texts(texts, tokenizer)
    history = model.fit(data, nb_epoch=1000, callbacks=Minutes(options.minutes))
    last = history.epochs[-1]
    print(f"{len(history)} epochs, reconstruction {last['reconstruction']:.2f} nats, KL {last['kl']:.2f} nats")
    report = ct.chem.generation_report(model.sample(options.samples, temperature=1.0, seed=0), texts)
    print(report)
    if options.save:
        model.save(options.save)
    return report


if __name__ == "__main__":
    main()
