"""The best so far."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Entry = tuple[float, int, str, str]  # score, row from 0, SMILES, name


class Best:
    """The ``top`` best molecules: higher score first (lower, with ``lowest``), equal ones by earlier row.

    Rows must be added in ascending order: a later one that only equals the worst kept is passed over unseen.

    Examples
    --------
    >>> import numpy as np
    >>> best = Best(2)
    >>> best.add(np.array([0.5, 0.9, 0.5, 0.7]), [0, 1, 2, 3], ["a", "b", "c", "d"], [""] * 4)
    >>> [(score, row) for score, row, *_ in best.sorted()]
    [(0.9, 1), (0.7, 3)]
    """

    def __init__(self, top: int, lowest: bool = False) -> None:
        self.top, self.sign = top, -1.0 if lowest else 1.0
        self._heap: list[Entry] = []  # sign * score, -row: the worst is at the root

    def add(self, scores: NDArray[Any], rows: Sequence[int], smiles: Sequence[str], ids: Sequence[str]) -> None:
        """Offer some molecules."""
        values = self.sign * scores.astype(np.float64)
        heap = self._heap
        candidates = values > heap[0][0] if len(heap) == self.top else np.ones(len(values), bool)
        for i in np.flatnonzero(candidates).tolist():
            entry = (float(values[i]), -rows[i], smiles[i], ids[i])
            if len(heap) < self.top:
                heapq.heappush(heap, entry)
            elif entry > heap[0]:
                heapq.heapreplace(heap, entry)

    def sorted(self) -> list[Entry]:
        """The best, in order."""
        return [
            (self.sign * value, -row, smiles, name) for value, row, smiles, name in sorted(self._heap, reverse=True)
        ]

    def restore(self, entries: Sequence[Sequence[Any]]) -> None:
        """Take over what `sorted` gave."""
        self._heap = [(self.sign * float(score), -int(row), str(text), str(name)) for score, row, text, name in entries]
        heapq.heapify(self._heap)
