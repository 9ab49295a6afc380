"""Steps on the hits of a screening: similarity to actives, properties, structural alerts, a diverse pick."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import cluster, feat, ops
from .._internal.numbers import flag, fraction, is_whole, shown
from .._internal.text import strip_white
from ..chem.reading import partial_molecule, split_extension
from ..feat.alerts import CATALOGS
from .hits import Hits
from .library import Library

# The columns of properties, the descriptors that they hold, and how these are written.
_PROPERTIES = {"molecular_weight": ("MolWt", ".3f"), "logp": ("MolLogP", ".4f"), "tpsa": ("TPSA", ".2f")}


@dataclass
class HitSteps:
    """The steps on the hits, taken in this order: similarity, properties, alerts, dropping, diverse pick.

    The settings are checked when the object is made, before the library is read. `prepare` reads the actives, and `apply`
    takes the steps.

    Attributes
    ----------
    similar_to : path or iterable of SMILES, optional
        Known actives. This and the other settings are arguments of `screen`, which describes them.
    filters : str or sequence of str, optional
        Given as in `screen`; kept as a list of names.
    drop_filtered, properties : bool
    diverse : int, optional
    cutoff : float
    function : str
        The function whose arguments these are; error messages name it.
    """

    similar_to: Any = None
    filters: Any = None
    drop_filtered: bool = False
    properties: bool = False
    diverse: int | None = None
    cutoff: float = 0.35
    function: InitVar[str] = "screen"

    def __post_init__(self, function: str) -> None:
        self.notes: list[str] = []
        self._function = function
        self._actives: tuple[NDArray[np.uint8], list[str]] | None = None
        given: Any = self.filters.split(",") if isinstance(self.filters, str) else self.filters
        given = () if given is None else given
        if not isinstance(given, (list, tuple)) or not all(isinstance(name, str) for name in given):
            raise TypeError(f"{function}: filters must be names of filters, got {shown(given)}")
        self.filters = [strip_white(name).lower() for name in given if strip_white(name)]
        unknown = [name for name in self.filters if name not in CATALOGS]
        if unknown:
            raise ValueError(f"{function}: there is no filter {unknown[0]!r}; choose from {', '.join(CATALOGS)}")
        self.drop_filtered = flag(function, "drop_filtered", self.drop_filtered)
        self.properties = flag(function, "properties", self.properties)
        if self.drop_filtered and not self.filters:
            raise ValueError(f"{function}: drop_filtered needs filters (--filters), such as pains,brenk")
        if self.diverse is not None:
            if not is_whole(self.diverse) or self.diverse < 1:
                raise ValueError(f"{function}: diverse must be a whole number, 1 or more, got {shown(self.diverse)}")
            self.diverse = int(self.diverse)
        self.cutoff = fraction(function, "cutoff", self.cutoff)

    @classmethod
    def of(cls, arguments: Mapping[str, Any], function: str) -> HitSteps:
        """Make the steps from the arguments of a function that have the names of the fields."""
        return cls(**fields_among(cls, arguments), function=function)

    def asked(self) -> bool:
        """Return whether any step is to be taken."""
        return bool(self.similar_to is not None or self.filters or self.properties or self.diverse)

    def prepare(self, fingerprint: dict[str, Any]) -> dict[str, Any]:
        """Read the actives with the model's fingerprint; return all that decides the results of the steps, as JSON values."""
        self._featurizer = feat.CircularFingerprint(**{**fingerprint, "is_counts_based": False})
        digest = None
        if self.similar_to is not None:
            self._actives = self._read_actives()
            packed, names = self._actives
            digest = hashlib.sha256(packed.tobytes() + "\n".join(names).encode("utf-8", "replace")).hexdigest()
        return {step.name: getattr(self, step.name) for step in fields(self)} | {"similar_to": digest}

    def apply(self, hits: Hits) -> Hits:
        """Take the steps: return the hits that remain, with the new columns."""
        hits.report.notes += self.notes
        if not len(hits):
            return hits
        if self._actives is not None:
            packed, names = self._actives
            nearest, similarity = ops.tanimoto_topk(self._packed(hits.smiles), packed, 1)
            hits.columns["similarity"] = [str(value) for value in similarity[:, 0]]
            hits.columns["nearest_active"] = [names[i] for i in nearest[:, 0]]
        if self.properties or self.filters:
            hits = self._describe(hits)
        return hits if self.diverse is None else self._pick(hits, self.diverse)

    def _packed(self, smiles: list[str]) -> NDArray[np.uint8]:
        return self._featurizer.featurize(smiles, errors="mask", output="packed")

    def _read_actives(self) -> tuple[NDArray[np.uint8], list[str]]:
        smiles: list[str] = []
        names: list[str] = []
        failed = 0
        for chunk in Library(self.similar_to, argument="similar_to").chunks(8192):
            texts = chunk.smiles
            _, kept = self._featurizer.featurize(texts, errors="drop", output="packed")
            rows = [i for i in kept.tolist() if strip_white(texts[i])]
            failed += len(texts) - len(rows)
            smiles += [texts[i] for i in rows]
            names += [chunk.ids[i] or strip_white(texts[i]) for i in rows]
        if not smiles:
            raise ValueError(f"{self._function}: none of the {failed} actives of similar_to can be read")
        if failed:
            self.notes.append(f"{failed:,} of {failed + len(smiles):,} actives of similar_to could not be read")
        return self._packed(smiles), names

    def _describe(self, hits: Hits) -> Hits:
        """Add the columns of properties and alerts, and drop hits with alerts where that was asked for."""
        molecules = _readable(hits.smiles)
        there = [i for i, molecule in enumerate(molecules) if molecule is not None]
        known = [molecules[i] for i in there]
        if self.properties:
            values = ops.descriptors(known, names=[name for name, _ in _PROPERTIES.values()])
            for (column, (_, form)), numbers in zip(_PROPERTIES.items(), values.T.tolist(), strict=True):
                hits.columns[column] = _spread(there, [format(number, form) for number in numbers], len(hits))
            charges = [str(net_charge(hits.smiles[i])) for i in there]
            hits.columns["charge"] = _spread(there, charges, len(hits))
        if not self.filters:
            return hits
        found: list[list[str]] = [[] for _ in known]
        for name in self.filters:
            for alerts, names in zip(found, feat.filter_catalog(name).matches(known), strict=True):
                alerts += [f"{name}: {alert}" for alert in names]
        unread = "not checked: RDKit cannot read it"
        hits.columns["alerts"] = _spread(there, ["; ".join(alerts) for alerts in found], len(hits), unread)
        if self.drop_filtered:
            kept = [i for i, text in enumerate(hits.columns["alerts"]) if not text]
            hits.report.notes.append(f"{len(hits) - len(kept):,} of {len(hits):,} hits dropped for structural alerts")
            hits = hits.take(kept)
        return hits

    def _pick(self, hits: Hits, k: int) -> Hits:
        """Pick the best hit of each cluster, then the second best of each, until there are k."""
        clusters = sorted(
            sorted(members.tolist()) for members in cluster.butina(self._packed(hits.smiles), self.cutoff)
        )
        order = sorted((turn, i, number) for number, c in enumerate(clusters, 1) for turn, i in enumerate(c))
        picks = sorted((i, number) for _, i, number in order[:k])
        hits.report.notes.append(f"{len(picks):,} of {len(hits):,} hits picked from {len(clusters):,} clusters")
        picked = hits.take([i for i, _ in picks])
        picked.columns["cluster"] = [str(number) for _, number in picks]
        return picked


def _readable(smiles: list[str]) -> list[Any]:
    """Return the SMILES; a partly sanitized molecule, or None, for one that RDKit refuses."""
    report = ops.descriptors(smiles, names=["HeavyAtomCount"], errors="mask", return_report=True)[1]
    molecules: list[Any] = list(smiles)
    for failure in report.failures:
        molecules[failure.position] = partial_molecule(smiles[failure.position])
    return molecules


def _spread(places: list[int], texts: list[str], length: int, missing: str = "") -> list[str]:
    """Return a column with the texts in their places."""
    column = [missing] * length
    for place, text in zip(places, texts, strict=True):
        column[place] = text
    return column


_CHARGE = re.compile(r"\[[^]]*?(?:(\++|-+)(\d*))(?::\d+)?\]")


def net_charge(smiles: str) -> int:
    """Return the sum of the charges that a SMILES writes, which RDKit's rewriting of groups does not change.

    Examples
    --------
    >>> net_charge("CC(=O)[O-].[Ca+2].C[N+](C)(C)C"), net_charge("[NH3+]CC([O-])=O")
    (2, 0)
    """
    charges = [(signs, int(number or len(signs))) for signs, number in _CHARGE.findall(split_extension(smiles)[0])]
    return sum(size if signs[0] == "+" else -size for signs, size in charges)


def fields_among(cls: type, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that have the names of fields of a dataclass."""
    return {field.name: arguments[field.name] for field in fields(cls) if field.name in arguments}
