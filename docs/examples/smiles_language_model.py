"""A language model of SMILES: learn how drug-like molecules are written, then write new ones.

    python smiles_language_model.py zinc250k.smi.gz [--molecules 80000] [--epochs 2] [--samples 5000] [--save FOLDER]

A GRU reads molecules token by token and learns which token comes next. Drawn from, it writes new SMILES. RDKit tells how
many are molecules (**validity**), how many of those are different (**uniqueness**), and how many of the different ones
are in none of the file's rows that it was trained on (**novelty**), compared as canonical SMILES. A twentieth of the rows
is held out: the loss on them is reported.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import catalase as ct


def read_smiles(path: str | Path) -> list[str]:
    """The first word of each line of a file, plain or gzipped."""
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="ascii") as lines:
        return [line.split()[0] for line in lines if line.strip()]


def canonical(smiles: Iterable[str]) -> list[str | None]:
    """Canonical SMILES; None for what is no molecule, or none of any atoms."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecules = (Chem.MolFromSmiles(text) for text in smiles)
        return [Chem.MolToSmiles(m) if m is not None and m.GetNumAtoms() else None for m in molecules]


def assess(samples: Sequence[str], known: Iterable[str]) -> dict[str, float]:
    """Validity, uniqueness and novelty of samples, beside the SMILES that the model was trained on."""
    valid = [text for text in canonical(samples) if text is not None]
    different = set(valid)
    new = different.difference(text for text in canonical(known) if text is not None) if different else set()
    return {
        "validity": len(valid) / max(1, len(samples)),
        "uniqueness": len(different) / max(1, len(valid)),
        "novelty": len(new) / max(1, len(different)),
    }


def make_model(
    tokenizer: ct.data.SmilesTokenizer, rows: int, epochs: int, hidden: int, seed: int, batch_size: int = 64
) -> ct.models.LanguageModel:
    """One layer of GRU, and a learning rate that falls along a cosine to nearly nothing at the last batch."""
    batches = epochs * -(-rows // batch_size)
    rate = ct.optim.CosineDecay(3e-3, 1e-5, max(2, batches), warmup=min(100, batches // 10))
    return ct.models.LanguageModel(
        tokenizer, hidden_size=hidden, embedding_size=64, batch_size=batch_size, learning_rate=rate, seed=seed
    )


def run(
    smiles: list[str],
    epochs: int = 2,
    hidden: int = 256,
    samples: int = 5000,
    seed: int = 0,
    temperature: float = 1.0,
    callbacks: Sequence[ct.train.Callback] = (),
    save: str | None = None,
) -> dict[str, float]:
    """Train on 19 of 20 rows; report the loss on the rest, and what the samples are worth."""
    tokenizer = ct.data.SmilesTokenizer.fit(smiles)
    data = ct.data.SequenceDataset.from_texts(smiles, tokenizer)
    train, held = ct.splits.RandomSplitter().train_test_split(data, frac_train=0.95, seed=seed)
    model = make_model(tokenizer, len(train), epochs, hidden, seed)
    begin = time.perf_counter()
    history = model.fit(train, nb_epoch=epochs, callbacks=callbacks)
    took = time.perf_counter() - begin
    if save is not None:
        model.save(save)
    scores = {"train_loss": history["loss"][-1], **model.evaluate(held)} if epochs else {}
    print(f"{len(train):,} molecules, {epochs} epochs, {took:.0f} s: " + _listed(scores), flush=True)
    begin = time.perf_counter()
    drawn = model.sample(samples, temperature, seed=seed)
    print(
        f"{samples:,} samples drawn in {time.perf_counter() - begin:.1f} s, such as {' '.join(drawn[:3])}", flush=True
    )
    scores |= assess(drawn, train.ids.tolist())
    print(_listed({name: scores[name] for name in ("validity", "uniqueness", "novelty")}), flush=True)
    return scores


def _listed(scores: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in scores.items())


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="SMILES, one a line; plain or gzipped")
    parser.add_argument("--molecules", type=int, default=80_000, help="rows of the file, from the first on")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--temperature", type=float, default=1.0, help="below 1 the model prefers what it finds likely")
    parser.add_argument("--save", help="folder for the trained model")
    o = parser.parse_args(arguments)
    return run(read_smiles(o.file)[: o.molecules], o.epochs, o.hidden, o.samples, o.seed, o.temperature, save=o.save)


if __name__ == "__main__":
    main(sys.argv[1:])
