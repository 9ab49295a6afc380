"""The features that the members of an `AutoModel` share: each molecule is featurized once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ... import ops
from ..._internal.numbers import choice
from ..._internal.registry import Bool, register
from ..._internal.report import Failure, Report
from ...feat import CircularFingerprint, Descriptors
from ...feat.featurizer import Featurizer, datapoints_of
from ...ops import MolGraphs
from ..scaling import bounded, on_scale, scaling

if TYPE_CHECKING:
    from ..._internal.outcomes import Errors

SIZE, DESCRIPTORS = 2048, 97  # columns
_COMMON = 3  # molecules


class Statistics(NamedTuple):
    """What the training molecules' features are like.

    Attributes
    ----------
    means, deviations : float64 ndarray (97,)
        Of the descriptors; a deviation of 0 where all are equal.
    common : bool ndarray (2145,)
        Which counts and descriptors are other than 0 in three molecules or more.
    """

    means: NDArray[np.float64]
    deviations: NDArray[np.float64]
    common: NDArray[np.bool_]

    @classmethod
    def of(cls, blocks: Blocks) -> Self:
        """The statistics of some molecules."""
        found = scaling(blocks.descriptors)
        means, deviations = np.zeros((2, DESCRIPTORS))
        means[found["columns"]], deviations[found["columns"]] = found["centers"], found["scales"]
        return cls(means, deviations, np.count_nonzero(blocks.numbers, axis=0) >= _COMMON)

    def scaled(self, descriptors: NDArray[np.float64]) -> NDArray[np.float32]:
        """Descriptors in deviations from the mean, at most 6; 0 where all were equal."""
        varied = self.deviations > 0
        found = np.zeros(descriptors.shape, np.float32)
        found[:, varied] = on_scale(descriptors[:, varied], self.means[varied], self.deviations[varied])
        return found


@dataclass
class Blocks:
    """Features of N molecules.

    Attributes
    ----------
    counts : uint16 ndarray (N, 2048)
        Of ECFP4.
    descriptors : float64 ndarray (N, 97)
        The default ones of `catalase.feat.Descriptors`; 0 where RDKit's are not finite, and at most 1e5.
    graphs : MolGraphs or None
        Where a member takes them.
    """

    counts: NDArray[np.uint16]
    descriptors: NDArray[np.float64]
    graphs: MolGraphs | None = None

    def __len__(self) -> int:
        return len(self.counts)

    def at(self, rows: Any) -> Blocks:
        """Some rows."""
        graphs = None if self.graphs is None else self.graphs[rows]
        return Blocks(self.counts[rows], self.descriptors[rows], graphs)

    @cached_property
    def bits(self) -> NDArray[np.uint8]:
        """Packed bits, (N, 256), as `catalase.ops.ecfp` packs them."""
        return np.packbits(self.counts > 0, axis=1, bitorder="little")

    @cached_property
    def numbers(self) -> NDArray[np.float32]:
        """Counts and descriptors side by side, as they are."""
        return np.concatenate([self.counts, self.descriptors], axis=1, dtype=np.float32, casting="same_kind")

    def scaled(self, known: Statistics) -> NDArray[np.float32]:
        """Logarithms of 1 + counts beside scaled descriptors."""
        logs = np.log1p(self.counts, dtype=np.float32)
        return np.concatenate([logs, known.scaled(self.descriptors)], axis=1)


@register("MoleculeBlocks", graphs=Bool())
class MoleculeBlocks(Featurizer):
    """Makes `Blocks` of SMILES.

    Parameters
    ----------
    graphs : bool
        Whether to make molecular graphs too.
    """

    reads = "SMILES"

    def __init__(self, graphs: bool = False) -> None:
        self.graphs = graphs

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return {"graphs": self.graphs}

    def featurize(self, datapoints: Sequence[Any], errors: Errors = "raise") -> Any:
        """Return the blocks; with ``errors="drop"`` also which molecules could be read. "mask" is not for blocks."""
        choice("featurize", "errors", errors, ("raise", "drop"))
        items = datapoints_of("featurize", datapoints, "SMILES or molecules")
        rows = np.arange(len(items))
        failures: list[Failure] = []
        made: list[Any] = []
        for part in self._parts():
            given = [items[i] for i in rows.tolist()]
            X, kept = part.featurize(given, errors="drop") if errors == "drop" else (part.featurize(given), None)
            if kept is not None and len(kept) < len(rows):
                found = part.report.failures if part.report else []
                failures += [failure._replace(position=int(rows[failure.position])) for failure in found]
                made = [block[kept] for block in made]
                rows = rows[kept]
            made.append(X)
        counts, descriptors, graphs = (*made, None)[:3]
        blocks = Blocks(counts.astype(np.uint16), bounded(descriptors), graphs)
        self.report = Report(len(items), len(rows), sorted(failures))
        return (blocks, rows) if errors == "drop" else blocks

    def _parts(self) -> list[Any]:
        parts: list[Any] = [CircularFingerprint(size=SIZE, is_counts_based=True), Descriptors()]
        return [*parts, _Graphs()] if self.graphs else parts


class _Graphs:
    """`catalase.ops.mol_graphs` with the call of a featurizer."""

    report: Report | None = None

    def featurize(self, datapoints: Sequence[Any], errors: Errors = "raise") -> Any:
        *rest, self.report = ops.mol_graphs(datapoints, errors=errors, return_report=True)
        return rest[0] if len(rest) == 1 else tuple(rest)
