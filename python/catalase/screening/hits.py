"""The hits of a screening: `TopK` selects them among the scored molecules, `Hits` holds them and writes their CSV file."""

from __future__ import annotations

import csv
import functools
import heapq
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .._internal import storage
from .._internal.frames import make_frame
from .._internal.markup import card, grid, picture
from .._internal.numbers import is_whole, path_of, shown, whole_number
from .._internal.report import Report
from .._internal.text import parse_float, parse_int
from ..ops.checks import dtype_of, whole_numbers

Entry = tuple[float, int, str, str]  # score, row from 0, SMILES, name
COLUMNS = ["rank", "row", "id", "smiles", "score"]
HITS_BEGIN = ",".join(COLUMNS).encode()  # a CSV file of hits is recognized by this beginning


class TopK:
    """The top-k molecules: higher scores first (lower ones with ``lowest``), equal scores by earlier row.

    Rows must be added in ascending order, since a molecule whose score only equals the worst one kept is not looked at.

    Examples
    --------
    >>> import numpy as np
    >>> best = TopK(2)
    >>> best.add(np.array([0.5, 0.9, 0.5, 0.7]), [0, 1, 2, 3], ["a", "b", "c", "d"], [""] * 4)
    >>> [(score, row) for score, row, *_ in best.sorted()]
    [(0.9, 1), (0.7, 3)]
    """

    def __init__(self, k: int, lowest: bool = False) -> None:
        self.k, self.sign = k, -1.0 if lowest else 1.0
        self._heap: list[Entry] = []  # entries begin with sign * score and -row, so the worst is at the root

    def add(self, scores: NDArray[Any], rows: Sequence[int], smiles: Sequence[str], ids: Sequence[str]) -> None:
        """Add molecules; those among the best so far are kept."""
        values = self.sign * scores.astype(np.float64)
        heap = self._heap
        candidates = values > heap[0][0] if len(heap) == self.k else np.ones(len(values), bool)
        for i in np.flatnonzero(candidates).tolist():
            entry = (float(values[i]), -rows[i], smiles[i], ids[i])
            if len(heap) < self.k:
                heapq.heappush(heap, entry)
            elif entry > heap[0]:
                heapq.heapreplace(heap, entry)

    def sorted(self) -> list[Entry]:
        """Return the best molecules, best first."""
        return [
            (self.sign * value, -row, smiles, name) for value, row, smiles, name in sorted(self._heap, reverse=True)
        ]

    def restore(self, entries: Sequence[Sequence[Any]]) -> None:
        """Continue from the entries that `sorted` returned."""
        self._heap = [(self.sign * float(score), -int(row), str(text), str(name)) for score, row, text, name in entries]
        heapq.heapify(self._heap)


class Hits:
    """The best molecules of a library, best first.

    Parameters
    ----------
    entries : list of (float, int, str, str)
        Score, row, SMILES and name of each hit, best first.
    dtype : dtype
        The floating-point type of the scores.
    report : Report, optional
        Of the screening.

    Attributes
    ----------
    smiles, ids : list of str
        SMILES and names as the library has them; "" where a molecule has no name.
    rows : ndarray of int64
        Position in the library, from 0 (the CSV file counts from 1). Blank lines and headers do not count.
    scores : ndarray
        The scores, as the model gives them.
    columns : dict of str to list of str
        Further columns, one text for each hit.
    report : Report
        How many molecules were read and scored, and the first failures with their reasons.

    Examples
    --------
    >>> from catalase.screening import Hits
    >>> Hits([(0.75, 4, "CCO", "ethanol")], "f4")
    1 hit: CCO 0.75
    """

    def __init__(self, entries: Sequence[Entry], dtype: Any = np.float64, report: Report | None = None) -> None:
        if not isinstance(entries, (list, tuple)) or not all(map(_is_entry, entries)):
            raise TypeError(f"Hits: entries must be a list of (score, row, SMILES, name), got {shown(entries)}")
        kind = dtype_of("Hits", "dtype", dtype)
        if kind.kind != "f":
            raise TypeError(f"Hits: dtype must be a floating one, got {kind}")
        if report is not None and not isinstance(report, Report):
            raise TypeError(f"Hits: report must be a Report, got {shown(report)}")
        self.scores: NDArray[Any] = np.array([entry[0] for entry in entries], kind)
        self.rows: NDArray[np.int64] = np.array([entry[1] for entry in entries], np.int64)
        self.smiles = [entry[2] for entry in entries]
        self.ids = [entry[3] for entry in entries]
        self.columns: dict[str, list[str]] = {}
        self.report = Report(len(entries), len(entries)) if report is None else report

    def __len__(self) -> int:
        return len(self.smiles)

    def __repr__(self) -> str:
        shown = ", ".join(f"{s} {v:.4g}" for s, v in zip(self.smiles[:3], self.scores[:3].tolist(), strict=True))
        more = ", ..." if len(self) > 3 else ""
        return f"{len(self):,} hit{'' if len(self) == 1 else 's'}: {shown}{more}" if len(self) else "no hits"

    def take(self, positions: Sequence[int]) -> Hits:
        """Return some of the hits, in the order given."""
        positions = whole_numbers("Hits.take", "positions", positions).tolist()
        if not isinstance(positions, list) or not all(is_whole(i) and -len(self) <= i < len(self) for i in positions):
            raise ValueError(
                f"Hits.take: positions must be a list of numbers below {len(self)}, got {shown(positions)}"
            )
        taken = Hits([], self.scores.dtype, self.report)
        taken.scores, taken.rows = self.scores[list(positions)], self.rows[list(positions)]
        taken.smiles, taken.ids = [self.smiles[i] for i in positions], [self.ids[i] for i in positions]
        taken.columns = {name: [cells[i] for i in positions] for name, cells in self.columns.items()}
        return taken

    def entries(self) -> list[Entry]:
        """Return the hits as tuples of score, row, SMILES and name."""
        return list(zip(self.scores.tolist(), self.rows.tolist(), self.smiles, self.ids, strict=True))

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write rank, row (from 1), id, smiles, score and the further columns; the file is replaced by one rename."""
        storage.write_file_atomic(path_of("Hits.to_csv", "path", path), functools.partial(write_hits, self))

    def to_frame(self, library: str = "pandas") -> Any:
        """Return the columns of `to_csv` as a data frame: rank and row from 1, id, smiles, score, and the further columns.

        Parameters
        ----------
        library : {"pandas", "polars", "arrow"}
        """
        columns = {
            "rank": np.arange(1, len(self) + 1), "row": self.rows + 1, "id": self.ids, "smiles": self.smiles,
            "score": self.scores,
        }  # fmt: skip
        return make_frame("Hits.to_frame", {**columns, **self.columns}, library)

    def _repr_html_(self) -> str:
        """What a notebook shows: the first hits with their structures."""
        from ..chem.drawing import molecule_svg

        names = [name for name in self.columns if name not in COLUMNS]
        rows = [
            [i + 1, picture(molecule_svg(self.smiles[i], 180, 130)), self.ids[i], self.smiles[i], float(self.scores[i]),
             *(self.columns[name][i] for name in names)]
            for i in range(min(12, len(self)))
        ]  # fmt: skip
        title = f"{len(self):,} hit{'' if len(self) == 1 else 's'}" + (", the first 12" if len(self) > 12 else "")
        return card(title, [], grid(["rank", "structure", "id", "smiles", "score", *names], rows))

    def to_png(self, path: str | os.PathLike[str], count: int = 100) -> None:
        """Draw the first hits, at most ``count``, five to a row, with rank, name and score."""
        path, count = path_of("Hits.to_png", "path", path), whole_number("Hits.to_png", "count", count)
        from ..chem.drawing import molecule_grid
        from ..chem.reading import partial_molecule, read_molecule

        if not len(self):
            raise ValueError("to_png: there are no hits to draw")
        drawn = self.smiles[:count]
        molecules = [read_molecule(text)[0] or partial_molecule(text) for text in drawn]
        legends = [f"{i + 1}  {self.ids[i]}  {self.scores[i]:.4g}" for i in range(len(drawn))]
        readable = [i for i, molecule in enumerate(molecules) if molecule is not None]
        molecule_grid(os.fspath(path), [molecules[i] for i in readable], [legends[i] for i in readable])


def write_hits(hits: Hits, binary: IO[bytes]) -> None:
    """Write the lines of `Hits.to_csv`."""
    with storage.csv_writer(binary) as writer:
        writer.writerow(COLUMNS + list(hits.columns))
        cells = list(hits.columns.values())
        for i, (row, score) in enumerate(zip(hits.rows.tolist(), hits.scores, strict=True)):
            # str of a NumPy number is the shortest text that reads back as the same bits
            writer.writerow([i + 1, row + 1, hits.ids[i], hits.smiles[i], str(score), *(c[i] for c in cells)])


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, (list, tuple)) or len(entry) != 4:
        return False
    number = isinstance(entry[0], (int, float, np.number)) and not isinstance(entry[0], bool)
    return number and is_whole(entry[1]) and isinstance(entry[2], str) and isinstance(entry[3], str)


def read_hits(path: str | os.PathLike[str], dtype: str) -> Hits:
    """Read a file that `Hits.to_csv` wrote."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"screen: there is no file {path}")
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        if header[: len(COLUMNS)] != COLUMNS:
            raise ValueError(f"screen: {path} holds no hits: its header is not {','.join(COLUMNS)}")
        try:
            rows = list(reader)
            hits = Hits([(parse_float(r[4]), parse_int(r[1]) - 1, r[3], r[2]) for r in rows], dtype)
            hits.columns = {name: [r[i] for r in rows] for i, name in enumerate(header) if i >= len(COLUMNS)}
        except (ValueError, IndexError, csv.Error) as error:
            raise ValueError(f"screen: {path} is damaged near line {reader.line_num}: {error}") from None
    return hits
