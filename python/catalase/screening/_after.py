"""What is done with the hits, once they are known: similarity to actives, structural alerts, properties, a diverse pick."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import cluster, feat, ops
from ..ops._check import flag, fraction, is_whole, shown
from ..ops._ecfp_rdkit import partial_molecule, read_molecule
from ._hits import Hits
from ._library import Library

FILTERS = ("pains", "pains_a", "pains_b", "pains_c", "brenk", "nih", "zinc", "chembl")


class After:
    """Steps on the hits, in this order: similarity, properties, alerts, dropping, diverse pick.

    Everything that can be wrong with the arguments is found here, before the library is read.

    Parameters
    ----------
    similar_to : path or iterable of SMILES, optional
        Known actives; see `screen`, like all others.
    filters : str or sequence of str, optional
    drop_filtered, properties : bool
    diverse : int, optional
    cutoff : float
    where : str
        The function, for messages.
    """

    def __init__(
        self,
        similar_to: Any = None,
        filters: str | Sequence[str] | None = None,
        drop_filtered: bool = False,
        properties: bool = False,
        diverse: int | None = None,
        cutoff: float = 0.35,
        where: str = "screen",
    ) -> None:
        names = filters.split(",") if isinstance(filters, str) else () if filters is None else filters
        if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"{where}: filters must be names of filters, got {shown(filters)}")
        self.filters = [name.strip().lower() for name in names if name.strip()]
        unknown = [name for name in self.filters if name not in FILTERS]
        if unknown:
            raise ValueError(f"{where}: there is no filter {unknown[0]!r}; choose from {', '.join(FILTERS)}")
        self.drop = flag(where, "drop_filtered", drop_filtered)
        if self.drop and not self.filters:
            raise ValueError(f"{where}: drop_filtered needs filters (--filters), such as pains,brenk")
        if diverse is not None and (not is_whole(diverse) or diverse < 1):
            raise ValueError(f"{where}: diverse must be a whole number, 1 or more, got {shown(diverse)}")
        self.properties = flag(where, "properties", properties)
        self.diverse = None if diverse is None else int(diverse)
        self.cutoff = fraction(where, "cutoff", cutoff)
        self.similar_to, self._where = similar_to, where
        self.notes: list[str] = []
        self._actives: tuple[NDArray[np.uint8], list[str]] | None = None

    def asked(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.similar_to is not None or self.filters or self.properties or self.diverse)

    def prepare(self, fingerprint: dict[str, Any]) -> dict[str, Any]:
        """Read the actives, with the model's fingerprint; returns what decides the steps' results, as JSON values."""
        self._featurizer = feat.CircularFingerprint(**{**fingerprint, "is_counts_based": False})
        digest = None
        if self.similar_to is not None:
            self._actives = self._read_actives()
            digest = hashlib.sha256(self._actives[0].tobytes() + "\n".join(self._actives[1]).encode("utf-8", "replace"))
        return {
            "similar_to": digest.hexdigest() if digest else None,
            "filters": self.filters,
            "drop_filtered": self.drop,
            "properties": self.properties,
            "diverse": self.diverse,
            "cutoff": self.cutoff,
        }

    def __call__(self, hits: Hits) -> Hits:
        """Add the columns and leave out what is to be left out."""
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
        packed: NDArray[np.uint8] = self._featurizer.featurize(smiles, errors="mask", output="packed")
        return packed

    def _read_actives(self) -> tuple[NDArray[np.uint8], list[str]]:
        smiles: list[str] = []
        names: list[str] = []
        failed = 0
        for chunk in Library(self.similar_to, argument="similar_to").chunks(8192):
            texts = ["" if i in chunk.faults else text for i, text in enumerate(chunk.smiles)]
            _, kept = self._featurizer.featurize(texts, errors="drop", output="packed")
            kept = [i for i in kept.tolist() if texts[i].strip()]
            failed += len(texts) - len(kept)
            smiles += [texts[i] for i in kept]
            names += [chunk.ids[i] or texts[i].strip() for i in kept]
        if not smiles:
            raise ValueError(f"{self._where}: none of the {failed} actives of similar_to can be read")
        if failed:
            self.notes.append(f"{failed:,} of {failed + len(smiles):,} actives of similar_to could not be read")
        return self._packed(smiles), names

    def _describe(self, hits: Hits) -> Hits:
        """Columns that need RDKit's molecules."""
        from rdkit.Chem import Descriptors

        compute: Any = Descriptors  # its stubs do not list what it computes
        catalogs = [(name, _catalog(name)) for name in self.filters]
        alerts, weights, logps = [], [], []
        for text in hits.smiles:
            molecule = read_molecule(text)[0] or partial_molecule(text)
            if self.properties:
                weights.append("" if molecule is None else f"{compute.MolWt(molecule):.3f}")
                logps.append("" if molecule is None else f"{compute.MolLogP(molecule):.4f}")
            found = ["not checked: RDKit cannot read it"] if molecule is None else []
            if molecule is not None:
                found = [f"{name}: {m.GetDescription()}" for name, c in catalogs for m in c.GetMatches(molecule)]
            alerts.append("; ".join(found))
        if self.properties:
            hits.columns |= {"molecular_weight": weights, "logp": logps}
        if self.filters:
            hits.columns["alerts"] = alerts
        if self.drop:
            kept = [i for i, text in enumerate(alerts) if not text]
            hits.report.notes.append(f"{len(hits) - len(kept):,} of {len(hits):,} hits dropped for structural alerts")
            hits = hits.take(kept)
        return hits

    def _pick(self, hits: Hits, k: int) -> Hits:
        """The best of each cluster, then the second best of each, until there are k."""
        clusters = sorted(
            sorted(members.tolist()) for members in cluster.butina(self._packed(hits.smiles), self.cutoff)
        )
        order = sorted((turn, i, number) for number, c in enumerate(clusters, 1) for turn, i in enumerate(c))
        picks = sorted((i, number) for _, i, number in order[:k])
        hits.report.notes.append(f"{len(picks):,} of {len(hits):,} hits picked from {len(clusters):,} clusters")
        picked = hits.take([i for i, _ in picks])
        picked.columns["cluster"] = [str(number) for _, number in picks]
        return picked


def _catalog(name: str) -> Any:
    from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

    return FilterCatalog(FilterCatalogParams(getattr(FilterCatalogParams.FilterCatalogs, name.upper())))
