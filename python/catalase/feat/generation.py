"""A report on generated molecules: are they valid, different, new, and like those that the model was trained on?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._internal.markup import card, grid
from .._internal.numbers import choice, listed, whole_number
from .._internal.report import Failure
from ..chem.murcko import scaffold_groups
from ..chem.reading import read_molecule
from ..ops.descriptors import descriptors
from ..ops.ecfp import check_molecules, ecfp, threads_of
from ..ops.tanimoto import tanimoto
from .alerts import CATALOGS, filter_catalog

PROPERTIES = (
    "MolWt", "MolLogP", "TPSA", "NumHDonors", "NumHAcceptors", "NumRotatableBonds", "RingCount", "FractionCSP3", "qed",
)  # fmt: skip
_MOST_PAIRED = 5_000  # molecules whose pairs are all compared


class GenerationReport(NamedTuple):
    """What `generation_report` found.

    Attributes
    ----------
    total, valid, unique : int
        Texts; texts that are molecules; different molecules among them.
    new : int or None
        Different molecules that are not in the training set; None without one.
    diversity : float
        1 minus the mean Tanimoto similarity (ECFP4, 2048 bits) of two different molecules.
    scaffolds : int
        Different Bemis-Murcko scaffolds; molecules without rings have none.
    new_scaffolds : int or None
        Scaffolds that no molecule of the training set has.
    alerts : dict of str to float
        For each catalog the share of the different molecules that match an entry.
    properties : dict of str to tuple of ndarray
        For each property its values of the different molecules, and of the training set (empty without one).
    distances : dict of str to float
        For each property the Kolmogorov-Smirnov distance between both: the largest difference of the shares below a value.
    frechet : float or None
        The Frechet distance of both sets of properties, each in units of its standard deviation in the training set.
    failures : list of Failure
        The texts that are no molecules, and why.
    molecules : list of str
        The different molecules, as they were written first.
    """

    total: int
    valid: int
    unique: int
    new: int | None
    diversity: float
    scaffolds: int
    new_scaffolds: int | None
    alerts: dict[str, float]
    properties: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    distances: dict[str, float]
    frechet: float | None
    failures: list[Failure]
    molecules: list[str]

    @property
    def validity(self) -> float:
        """The share of the texts that are molecules."""
        return self.valid / self.total if self.total else float("nan")

    @property
    def uniqueness(self) -> float:
        """The share of the molecules that are different."""
        return self.unique / self.valid if self.valid else float("nan")

    @property
    def novelty(self) -> float | None:
        """The share of the different molecules that are not in the training set."""
        return None if self.new is None else self.new / self.unique if self.unique else float("nan")

    @property
    def scaffold_novelty(self) -> float | None:
        """The share of the scaffolds that no molecule of the training set has."""
        if self.new_scaffolds is None:
            return None
        return self.new_scaffolds / self.scaffolds if self.scaffolds else float("nan")

    def _facts(self) -> list[tuple[str, str]]:
        shares = [
            ("valid", self.validity, f"{self.valid:,} of {self.total:,} texts"),
            ("unique", self.uniqueness, f"{self.unique:,} of {self.valid:,} molecules"),
            ("new", self.novelty, f"{self.new or 0:,} of {self.unique:,} different molecules"),
            ("new scaffolds", self.scaffold_novelty, f"{self.new_scaffolds or 0:,} of {self.scaffolds:,}"),
        ]
        facts = [(name, f"{share:.1%} ({said})") for name, share, said in shares if share is not None]
        facts.append(("internal diversity", f"{self.diversity:.3f}"))
        facts += [(f"{name} alerts", f"{share:.1%}") for name, share in self.alerts.items()]
        if self.frechet is not None:
            facts.append(("Frechet distance of properties", f"{self.frechet:.3f}"))
        return facts

    def _rows(self) -> list[list[Any]]:
        rows = []
        for name, (made, known) in self.properties.items():
            means = [f"{values.mean():.3g}" if len(values) else "" for values in (made, known)]
            rows.append([name, *means, f"{self.distances[name]:.3f}" if name in self.distances else ""])
        return rows

    def __str__(self) -> str:
        lines = [f"{name}: {said}" for name, said in self._facts()]
        for name, made, known, distance in self._rows():
            lines.append(f"{name}: mean {made}" + (f", training {known}, KS {distance}" if known else ""))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        columns = ["property", "mean", "mean of training", "KS distance"]
        return card("GenerationReport", self._facts(), grid(columns, self._rows()))


def generation_report(
    smiles: Sequence[str],
    training: Sequence[str] | None = None,
    *,
    alerts: str | Sequence[str] = ("pains", "brenk"),
    seed: int = 0,
    num_threads: int | None = None,
) -> GenerationReport:
    """Report on generated molecules, and compare them with those of the training set.

    Parameters
    ----------
    smiles : sequence of str
        What a model has written. An empty text is no molecule.
    training : sequence of str, optional
        The molecules that the model was trained on; those that cannot be read are left out.
    alerts : str or sequence of str
        Catalogs of `catalase.feat.filter_catalog`; none with an empty list.
    seed : int
        Decides which 5,000 molecules are compared for the diversity, where there are more.
    num_threads : int, optional
        The most threads that the native code uses; `catalase.get_num_threads` by default.

    Returns
    -------
    GenerationReport
        ``print`` shows it, and `catalase.plot.generation` draws it.

    Raises
    ------
    TypeError, ValueError
        For what is no list of texts, and unknown catalogs.

    Notes
    -----
    Valid is what `catalase.ops.ecfp` reads, which is what RDKit reads. Molecules are the same where RDKit writes the same
    canonical SMILES; it is only asked to for molecules whose native fingerprints are equal, since others differ.
    Chirality counts there, and not among scaffolds.

    References
    ----------
    Polykovskiy et al., "Molecular sets (MOSES)", arXiv:1811.12823; Brown et al., "GuacaMol", arXiv:1811.09621.

    Examples
    --------
    >>> import catalase as ct
    >>> report = ct.chem.generation_report(["CCO", "OCC", "CCN", "C1CC"], ["CCN", "CCC"])
    >>> report.validity, round(report.uniqueness, 3), report.novelty
    (0.75, 0.667, 0.5)
    """
    where = "generation_report"
    texts = _texts(where, "smiles", smiles)
    known = [] if training is None else _texts(where, "training", training)
    seed = whole_number(where, "seed", seed, 0)
    threads = threads_of(where, num_threads)
    named = [alerts] if isinstance(alerts, str) else listed(where, "alerts", alerts, "names of catalogs")
    catalogs = {choice(where, "alerts", name, CATALOGS): filter_catalog(name) for name in named}
    prints, rows, failures = _read(texts, threads)
    others, kept, _ = _read(known, threads)
    written, learned = [texts[row] for row in rows], [known[row] for row in kept]
    made = _distinct(written, prints, learned, others)
    first, fresh = np.array([row for row, _ in made], np.intp), [is_new for _, is_new in made]
    molecules = [written[row] for row in first]
    values, reference = (_properties(items, threads) for items in (molecules, learned))
    groups = scaffold_groups(where, molecules + learned) if molecules else []
    ringed = [group for group in groups if group[0] < len(molecules)]
    ringed = [group for group, there in zip(ringed, _with_rings(molecules, ringed), strict=True) if there]
    has_training = training is not None
    return GenerationReport(
        total=len(texts),
        valid=len(written),
        unique=len(molecules),
        new=sum(fresh) if has_training else None,
        diversity=_diversity(prints[first], seed),
        scaffolds=len(ringed),
        new_scaffolds=sum(group[-1] < len(molecules) for group in ringed) if has_training else None,
        alerts={
            name: float(np.mean(catalog.has_match(molecules, errors="mask", num_threads=threads))) if molecules else 0.0
            for name, catalog in catalogs.items()
        },
        properties={name: (values[:, i], reference[:, i]) for i, name in enumerate(PROPERTIES)},
        distances={
            name: ks_distance(values[:, i], reference[:, i])
            for i, name in enumerate(PROPERTIES)
            if len(values) and len(reference)
        },
        frechet=frechet_distance(values, reference) if min(len(values), len(reference)) > 1 else None,
        failures=failures,
        molecules=molecules,
    )


def _texts(where: str, name: str, smiles: Any) -> list[str]:
    check_molecules(where, smiles, name)
    texts = list(smiles)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"{where}: {name} must be texts, got {type(text).__name__} at row {row}")
    return texts


def _read(texts: list[str], threads: int) -> tuple[NDArray[np.uint8], list[int], list[Failure]]:
    """Packed fingerprints of the texts that are molecules, their rows, and the failures of the others."""
    some = [row for row, text in enumerate(texts) if text.strip()]
    prints, kept, report = ecfp(
        [texts[row] for row in some], output="packed", errors="drop", return_report=True, num_threads=threads
    )
    failures = [failure._replace(position=some[failure.position]) for failure in report.failures]
    failures += [Failure(row, text, "it is empty") for row, text in enumerate(texts) if not text.strip()]
    return prints, [some[i] for i in kept.tolist()], sorted(failures)


def _distinct(
    texts: list[str], prints: NDArray[np.uint8], known: list[str], others: NDArray[np.uint8]
) -> list[tuple[int, bool]]:
    """The first row of each different molecule, and whether it is not among those that are known."""
    of_known: dict[bytes, set[str]] = {}
    wanted = {row.tobytes() for row in prints}
    for text, row in zip(known, others, strict=True):
        if (key := row.tobytes()) in wanted:
            of_known.setdefault(key, set()).add(text)
    buckets: dict[bytes, dict[str, int]] = {}
    for place, (text, row) in enumerate(zip(texts, prints, strict=True)):
        buckets.setdefault(row.tobytes(), {}).setdefault(text, place)
    found = []
    for key, rows in buckets.items():
        there = of_known.get(key, set())
        if len(rows) + len(there - rows.keys()) == 1:
            found.append((next(iter(rows.values())), not there))
            continue
        forms = {_canonical(text) for text in there}
        seen: set[str] = set()
        for text, place in rows.items():
            if (form := _canonical(text)) not in seen:
                seen.add(form)
                found.append((place, form not in forms))
    return sorted(found)


def _canonical(text: str) -> str:
    from rdkit import Chem

    molecule, _ = read_molecule(text)
    return text if molecule is None else str(Chem.MolToSmiles(molecule))


def _with_rings(molecules: list[str], groups: list[list[int]]) -> list[bool]:
    """Whether the molecules of each group have rings, and so a scaffold."""
    first = [molecules[group[0]] for group in groups]
    if not first:
        return []
    rings = descriptors(first, names=["RingCount"], errors="mask")
    return [bool(count > 0) for count in rings[:, 0]]


def _properties(molecules: list[str], threads: int) -> NDArray[np.float64]:
    values = descriptors(molecules, names=PROPERTIES, errors="drop", num_threads=threads)[0]
    return np.asarray(values[np.isfinite(values).all(axis=1)], np.float64)


def _diversity(prints: NDArray[np.uint8], seed: int) -> float:
    if len(prints) > _MOST_PAIRED:
        chosen = np.random.Generator(np.random.Philox(seed)).choice(len(prints), _MOST_PAIRED, replace=False)
        prints = prints[np.sort(chosen)]
    if len(prints) < 2:
        return float("nan")
    total = 0.0
    for start in range(0, len(prints), 500):
        alike = tanimoto(prints[start : start + 500], prints)
        own = alike[np.arange(len(alike)), start + np.arange(len(alike))]
        total += float(alike.sum(dtype=np.float64)) - float(own.sum(dtype=np.float64))
    return 1 - total / (len(prints) * (len(prints) - 1))


def ks_distance(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the largest difference between the shares of two samples that are at or below a value.

    Examples
    --------
    >>> import numpy as np
    >>> from catalase.feat.generation import ks_distance
    >>> ks_distance(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0, 5.0]))
    0.5
    """
    a, b = np.sort(a), np.sort(b)
    at = np.concatenate([a, b])
    shares = [np.searchsorted(x, at, "right") / len(x) for x in (a, b)]
    return float(np.abs(shares[0] - shares[1]).max())


def frechet_distance(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the Frechet distance of the normal distributions of two samples (N, D), in units of the deviations of ``b``.

    ``|m - n|**2 + trace(A + B - 2 (A B)**0.5)`` of their means and covariances. A column that is constant in ``b`` keeps
    its own units.

    References
    ----------
    Dowson and Landau, J. Multivariate Anal. 12 (1982) 450.

    Examples
    --------
    >>> import numpy as np
    >>> from catalase.feat.generation import frechet_distance
    >>> a = np.random.default_rng(0).standard_normal((100, 3))
    >>> round(frechet_distance(a + [3.0 * a[:, 0].std(ddof=1), 0, 0], a), 6)
    9.0
    """
    spread = b.std(axis=0, ddof=1)
    spread[(b == b[0]).all(axis=0)] = 1  # rounding of the mean leaves them a deviation
    a, b = a / spread, b / spread
    gap = a.mean(axis=0) - b.mean(axis=0)
    first, second = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    root = _root(second)
    middle = np.linalg.eigvalsh(root @ first @ root)
    cross = np.sqrt(np.maximum(middle, 0)).sum()
    return max(0.0, float(gap @ gap + np.trace(first) + np.trace(second) - 2 * cross))


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
