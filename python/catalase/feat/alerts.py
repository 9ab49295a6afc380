"""Structural alerts: RDKit's catalogs of filters over whole libraries."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import choice, flag
from .._internal.report import Failure, Report
from ..chem.queries import compared_smarts
from ..ops.ecfp import check_molecules, threads_of
from ..ops.substructure import Columns, Query, match_columns

_CHUNK = 4096  # molecules whose matches of all entries are held at a time
_NO_MAXIMUM = 2**32 - 1
CATALOGS = ("pains", "pains_a", "pains_b", "pains_c", "brenk", "nih", "zinc", "chembl")


class FilterCatalog:
    """The entries of RDKit's catalogs; `filter_catalog` makes it.

    Attributes
    ----------
    names : list of str
        The descriptions of the entries, in RDKit's order.
    """

    def __init__(self, name: str | Sequence[str]) -> None:
        self._chosen = _chosen("FilterCatalog", name)
        entries = [entry for one in self._chosen for entry in _entries(one)]
        self.names = [entry.GetDescription() for entry in entries]
        extracted = [_extracted(entry) for entry in entries]
        self._columns = Columns(
            self.names,
            [smarts for smarts, _, _ in extracted],
            [_Entry(entry) for entry in entries],
            np.array([low for _, low, _ in extracted], np.int64),
            np.array([high for _, _, high in extracted], np.int64),
        )

    def __repr__(self) -> str:
        return f"FilterCatalog({' + '.join(self._chosen)}, {len(self.names)} entries)"

    def has_match(
        self,
        smiles: Sequence[Any],
        *,
        errors: str = "raise",
        return_report: bool = False,
        num_threads: int | None = None,
    ) -> Any:
        """Return which molecules match an entry: bool (N,), equal to RDKit's ``FilterCatalog.HasMatch``.

        Parameters
        ----------
        smiles : sequence of str or rdkit.Chem.Mol
            Molecules, as in `catalase.ops.ecfp`.
        errors : {"raise", "mask", "drop"}
            Treatment of a molecule that cannot be read: raise an error, give False (or no names), or leave it out (the
            result is then ``(matches, kept_indices)``).
        return_report : bool
            Append a `Report`; its ``counts`` are the numbers of molecules that were matched natively, that RDKit matched
            wholly or in part, and that were refused.
        num_threads : int, optional
            The most threads that the native matcher uses; `catalase.get_num_threads` by default.
        """
        rows, *more = self._matched("has_match", smiles, errors, return_report, num_threads)
        found = np.concatenate([np.zeros(0, bool), *(part.any(1) for part in rows)])
        return self._result(found, more)

    def matches(
        self,
        smiles: Sequence[Any],
        *,
        errors: str = "raise",
        return_report: bool = False,
        num_threads: int | None = None,
    ) -> Any:
        """Return the names of the entries that each molecule matches, as ``FilterCatalog.GetMatches`` has them.

        Parameters
        ----------
        smiles, errors, return_report, num_threads
            As in `has_match`.
        """
        rows, *more = self._matched("matches", smiles, errors, return_report, num_threads)
        found = [[self.names[c] for c in np.flatnonzero(row).tolist()] for part in rows for row in part]
        return self._result(found, more)

    def _matched(
        self, method: str, smiles: Any, errors: str, return_report: bool, num_threads: int | None
    ) -> tuple[list[NDArray[np.bool_]], NDArray[np.intp] | None, Report | None]:
        """Return the matches of all entries in chunks, the molecules that are kept if some may be dropped, and the report."""
        function = f"FilterCatalog.{method}"
        check_molecules(function, smiles)
        choice(function, "errors", errors, ("raise", "mask", "drop"))
        return_report = flag(function, "return_report", return_report)
        threads = threads_of(function, num_threads)
        smiles = list(smiles)
        rows: list[NDArray[np.bool_]] = []
        failures: list[Failure] = []
        by_rdkit = 0
        for start in range(0, len(smiles), _CHUNK):
            part = match_columns(
                function, smiles[start : start + _CHUNK], self._columns, "match", errors, threads, start, len(smiles)
            )
            kept = np.delete(part.rows, part.failed, 0) if errors == "drop" else part.rows
            rows.append(kept.view(bool))
            failures += [failure.shifted(start) for failure in part.failures]
            by_rdkit += part.by_rdkit
        refused = [failure.position for failure in failures]
        counts = {"native": len(smiles) - by_rdkit - len(refused), "rdkit": by_rdkit, "refused": len(refused)}
        report = Report(len(smiles), len(smiles) - (0 if errors == "mask" else len(refused)), failures, (), counts)
        positions = np.delete(np.arange(len(smiles)), refused) if errors == "drop" else None
        return rows, positions, report if return_report else None

    @staticmethod
    def _result(found: Any, more: list[Any]) -> Any:
        result = [found, *(value for value in more if value is not None)]
        return result[0] if len(result) == 1 else tuple(result)


@functools.cache
def _catalog(names: tuple[str, ...]) -> FilterCatalog:
    return FilterCatalog(names)


def _chosen(function: str, name: Any) -> tuple[str, ...]:
    names = name if isinstance(name, list | tuple) and name else [name]
    return tuple(choice(function, "name", one, CATALOGS) for one in names)


def filter_catalog(name: str | Sequence[str]) -> FilterCatalog:
    """Return RDKit's catalogs of structural alerts, compiled for whole libraries.

    The patterns come from the installed RDKit.

    Parameters
    ----------
    name : {"pains", "pains_a", "pains_b", "pains_c", "brenk", "nih", "zinc", "chembl"}, or a list of these
        PAINS (480 entries: pan-assay interference; also its three parts alone), Brenk (105: unwanted functionality), NIH
        (180), ZINC (50: drug-likeness), ChEMBL (770: the alerts of eight companies). Of several, a molecule is read once.

    Returns
    -------
    FilterCatalog

    Notes
    -----
    Matches are equal to RDKit's. An entry that could not be extracted from RDKit
    exactly would be matched by RDKit; there is none in RDKit 2026.9. The notes of `catalase.ops.substructure` say which
    molecules are left to RDKit.

    References
    ----------
    Baell and Holloway, J. Med. Chem. 53 (2010) 2719, doi:10.1021/jm901137j. Brenk et al., ChemMedChem 3 (2008) 435,
    doi:10.1002/cmdc.200700139.

    Examples
    --------
    >>> import catalase as ct
    >>> alerts = ct.feat.filter_catalog("brenk")
    >>> alerts.has_match(["CCO", "O=[N+]([O-])c1ccccc1"]).tolist()
    [False, True]
    >>> alerts.matches(["O=[N+]([O-])c1ccccc1"])
    [['nitro_group', 'Oxygen-nitrogen_single_bond']]
    """
    return _catalog(_chosen("filter_catalog", name))


class _Entry(Query):
    """An entry for RDKit."""

    def __init__(self, entry: Any) -> None:
        self._entry = entry

    def result(self, molecule: Any, what: str) -> Any:
        return self._entry.HasFilterMatch(molecule)


def _entries(name: str) -> list[Any]:
    from rdkit.Chem import FilterCatalog as rdkit_catalogs

    parameters = rdkit_catalogs.FilterCatalogParams()
    parameters.AddCatalog(getattr(parameters.FilterCatalogs, name.upper()))
    catalog = rdkit_catalogs.FilterCatalog(parameters)
    return [catalog.GetEntry(i) for i in range(catalog.GetNumEntries())]


@functools.cache
def _archive_header() -> bytes:
    """Return how RDKit's archive of an entry with one SMARTS begins."""
    from rdkit.Chem import FilterCatalog as rdkit_catalogs

    matcher = rdkit_catalogs.SmartsMatcher("name", "C", 1)
    archive = bytes(rdkit_catalogs.FilterCatalogEntry("name", matcher).Serialize())
    return archive[: archive.index(b" 4 name ")]


def _extracted(entry: Any) -> tuple[str | None, int, int]:
    """Return an entry's SMARTS, and the lowest and highest number of matches; None if it is not exactly that.

    The archive has the name of the matcher and the query in RDKit's binary form, each after its length, then the numbers.
    """
    from rdkit import Chem

    left = None, 1, _NO_MAXIMUM
    archive, header = bytes(entry.Serialize()), _archive_header()
    name = re.match(re.escape(header) + rb" (\d+) ", archive)
    if name is None:
        return left
    query = re.compile(rb" (\d+) ").match(archive, name.end() + int(name[1]))
    if query is None:
        return left
    numbers = re.compile(rb" (\d+) (\d+) 0 0 \d+ 0 11 description ").match(archive, query.end() + int(query[1]))
    if numbers is None:
        return left
    molecule: Any = Chem.Mol
    smarts = compared_smarts(molecule(archive[query.end() : query.end() + int(query[1])]), in_order=False)
    return smarts or None, int(numbers[1]), int(numbers[2])
