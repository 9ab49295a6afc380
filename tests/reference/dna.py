"""One-hot DNA, one letter at a time."""

from __future__ import annotations

import numpy as np

COLUMNS = {"A": 0, "C": 1, "G": 2, "T": 3, "U": 3}
OTHERS = "NRYSWKMBDHV"


def one_hot(sequence, length=None, reverse=False):
    """Return float64 (length, 4)."""
    out = np.zeros((len(sequence) if length is None else length, 4))
    for row, letter in enumerate(reversed(sequence) if reverse else sequence):
        letter = letter.upper()
        assert letter in COLUMNS or letter in OTHERS
        if letter in COLUMNS:
            column = COLUMNS[letter]
            out[row, 3 - column if reverse else column] = 1
    return out
