"""A synthetic library for screening, and its hits found by scoring all and sorting."""

from __future__ import annotations

import csv

import catalase as ct

HEADS = ["", "CC", "OC", "NC", "ClC", "FC", "c1ccccc1", "C1CC1", "c1ccncc1", "C1CCNCC1"]


def library(n):
    """Molecules that repeat, so that there are ties; every 41st cannot be read."""
    out = []
    for i in range(n):
        smiles = HEADS[i % 10] + "C" * (1 + i // 10 % 17) + ["O", "N", "C(=O)O", "C#N", "S"][i // 170 % 5]
        out.append(["C1CC", "C(C)(C)(C)(C)C", "", "CCé"][i // 41 % 4] if i % 41 == 40 else smiles)
    return out


def brute(model, smiles, top, sign=-1):
    """Score all that can be read, sort: (row, score)."""
    loaded = ct.models.load(model)
    X, kept = ct.ops.ecfp(smiles, radius=1, size=256, errors="drop")
    scores = loaded.predict(X)[:, 0]
    pairs = [(int(row), score) for row, score in zip(kept, scores, strict=True) if smiles[row].strip()]
    return sorted(pairs, key=lambda pair: (sign * pair[1], pair[0]))[:top]


def pairs(hits):
    return list(zip(hits.rows.tolist(), hits.scores, strict=True))


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def write_smi(path, smiles, names=True):
    # A line without a SMILES must be told from a blank line: a tab does it.
    path.write_text("".join(f"{s}\tname{i}\n" if names else f"{s}\n" for i, s in enumerate(smiles)))
    return path
