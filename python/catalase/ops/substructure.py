"""SMARTS patterns in molecules.

RDKit is the authority. The native matcher (cpp/substructure) gives the same matches, or leaves a pattern, a molecule, or one
pattern in one molecule to RDKit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._internal.numbers import choice, flag
from .._internal.report import Failure, Report
from ..chem.queries import MAX_SMARTS_LENGTH, compared_smarts, query_of
from ..chem.reading import read_molecule, refusal
from .ecfp import CHUNK, binaries_of, check_molecules, text_of, threads_of

_COMPILED = _core.SMARTS_STATUSES["compiled"]
_LEFT = {"match": _core.MATCH_LEFT, "count": _core.COUNT_LEFT, "atoms": _core.COUNT_LEFT}
_GIVEN_UP = {"match": _core.MATCH_GIVEN_UP, "count": _core.COUNT_GIVEN_UP, "atoms": _core.COUNT_GIVEN_UP}


def substructure(
    smiles: Sequence[Any],
    patterns: Sequence[Any],
    *,
    what: str = "match",
    errors: str = "raise",
    return_report: bool = False,
    num_threads: int | None = None,
) -> Any:
    """Return which molecules have which substructures, equal to RDKit's matches of SMARTS patterns.

    Parameters
    ----------
    smiles : sequence of str or rdkit.Chem.Mol
        Molecules, as in `ecfp`.
    patterns : sequence of str or rdkit.Chem.Mol
        SMARTS, in RDKit's dialect, or queries that RDKit has read.
    what : {"match", "count", "atoms"}
        "match": whether there is a match. "count": the number of matches of different atoms, as
        ``len(mol.GetSubstructMatches(query))``. "atoms": these matches, ``mol.GetSubstructMatches(query)``.
    errors : {"raise", "mask", "drop"}
        Treatment of a molecule that cannot be read: raise an error, give a row without matches, or leave it out (the result
        is then ``(matches, kept_indices)``).
    return_report : bool
        Append a `Report` of the failures; its ``counts`` are the numbers of molecules that were matched natively, that RDKit
        matched wholly or in part, and that were refused.
    num_threads : int, optional
        The most threads that the native matcher uses; `catalase.get_num_threads` by default.

    Returns
    -------
    matches, or a tuple of (matches[, kept_indices][, report])
        For N molecules and P patterns: bool (N, P), int32 (N, P), or a list of N lists of P lists of tuples, which hold the
        molecule's atoms in the order of the pattern's atoms, in RDKit's numbering and order.

    Raises
    ------
    TypeError
        If ``smiles`` or ``patterns`` is one string, or holds something that is neither text nor a molecule.
    ValueError
        For settings out of range, a pattern that is no SMARTS, and with ``errors="raise"`` for the first molecule that
        cannot be read, or whose search takes more than 20 million steps, as of a pattern that backtracks exponentially.

    Notes
    -----
    The result is deterministic: threads never change it. Matches do not depend on chirality or on the direction of bonds,
    like RDKit's by default. RDKit stops after 1,000 matches. A SMARTS of more than 10,000 characters is refused.
    RDKit reads patterns with dative and quadruple bonds, serial numbers, names, and other forms that
    the native reader does not know, and `Mol` objects whose SMARTS is not the same query. It reads the molecules that `ecfp`
    leaves to it, isotopes if a pattern asks about isotopes, and cages if a pattern counts rings (``R2``, ``k5``). Molecules
    that RDKit has read, `Mol` objects too, are then matched natively, unless they have more than 255 atoms or rare bonds.
    RDKit also matches patterns with more than 1,000 matches, each symmetric form counted.
    An empty list gives an array without rows; an empty pattern or molecule has no matches.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.ops.substructure(["CCO", "c1ccccc1O"], ["[OX2H]", "c1ccccc1"])
    array([[ True, False],
           [ True,  True]])
    >>> ct.ops.substructure(["OCCO"], ["[OX2H]"], what="count").tolist()
    [[2]]
    >>> ct.ops.substructure(["OCCO"], ["[OX2H]C"], what="atoms")
    [[[(0, 1), (3, 2)]]]
    """
    check_molecules("substructure", smiles)
    choice("substructure", "what", what, ("match", "count", "atoms"))
    choice("substructure", "errors", errors, ("raise", "mask", "drop"))
    return_report = flag("substructure", "return_report", return_report)
    threads = threads_of("substructure", num_threads)
    columns = read_patterns("substructure", patterns)
    matched = match_columns("substructure", list(smiles), columns, what, errors, threads)
    result: list[Any] = [matched.rows.view(bool) if what == "match" else matched.rows]
    if what == "atoms":
        result[0] = matched.atoms
    if errors == "drop":
        kept = np.delete(np.arange(len(smiles)), matched.failed)
        result = [[matched.atoms[i] for i in kept.tolist()] if what == "atoms" else result[0][kept], kept]
    if return_report:
        result.append(matched.report(errors))
    return result[0] if len(result) == 1 else tuple(result)


class Query(Protocol):
    """A pattern for RDKit."""

    def result(self, molecule: Any, what: str) -> Any:
        """Return whether it matches, how often, or the atoms of all matches."""


class SmartsQuery:
    """A query molecule."""

    def __init__(self, molecule: Any) -> None:
        self.molecule = molecule

    def result(self, molecule: Any, what: str) -> Any:
        if what == "match":
            return molecule.HasSubstructMatch(self.molecule)
        matches = molecule.GetSubstructMatches(self.molecule)
        return len(matches) if what == "count" else [tuple(match) for match in matches]


class Columns:
    """The patterns of a call: those that are compiled, and a query for RDKit of each.

    Parameters
    ----------
    names : list of str
        The patterns as error messages show them.
    texts : list of (str, int or None)
        SMARTS to compile, or what else is counted (``_core.AROMATIC_RINGS``, ``_core.PARTS``); None for a pattern that RDKit
        must match.
    queries : list of (Query or None)
        The patterns for RDKit. None is made of the text, where it is needed.
    low, high : int64 arrays, optional
        The numbers of matches that count as a match.
    """

    def __init__(
        self,
        names: list[str],
        texts: Sequence[str | int | None],
        queries: list[Query | None],
        low: NDArray[np.int64] | None = None,
        high: NDArray[np.int64] | None = None,
    ) -> None:
        self.names, self._texts, self._queries = names, texts, queries
        given = [column for column, text in enumerate(texts) if isinstance(text, str)]
        self.compiled = _core.Patterns([texts[column] for column in given])
        numbers = {column: text for column, text in enumerate(texts) if isinstance(text, int)}
        numbers |= {given[k]: k for k, status in enumerate(self.compiled.statuses) if status == _COMPILED}
        self.stopped = dict(zip(given, self.compiled.positions, strict=True))  # where reading ended
        self.native = np.array(sorted(numbers), np.intp)
        self._which = np.array([numbers[column] for column in sorted(numbers)], np.int64)
        self._low = np.ones(len(numbers), np.int64) if low is None else low[self.native]
        self._high = np.full(len(numbers), 2**31 - 1, np.int64) if high is None else high[self.native]
        self.others = np.setdiff1d(np.arange(len(names)), self.native).tolist()

    def __len__(self) -> int:
        return len(self.names)

    def query(self, column: int) -> Query:
        """Return the pattern for RDKit."""
        query = self._queries[column]
        if query is None:
            query = self._queries[column] = SmartsQuery(query_of(str(self._texts[column])))
        return query

    def match(
        self, smiles: list[Any], what: str, threads: int, binary: bool = False
    ) -> tuple[NDArray[Any], NDArray[np.uint8], Any]:
        """Return the native results of all columns, the status of each molecule, and the atoms if they are asked for.

        ``binary`` means that the molecules are in RDKit's binary form.
        """
        dtype = np.dtype(np.uint8 if what == "match" else np.int32)
        status = np.zeros(len(smiles), np.uint8)
        rows = _core.empty((len(smiles), len(self.native)), dtype)
        atoms = _core.substructure(
            smiles, self.compiled, self._which, self._low, self._high, rows, status, what == "atoms", threads, binary
        )
        if not self.others:
            return rows, status, atoms
        wide = np.full((len(smiles), len(self)), _LEFT[what], dtype)
        wide[:, self.native] = rows
        if atoms is not None:
            positions = self.native.tolist()
            for i, row in enumerate(atoms):
                spread: list[Any] = [[] for _ in self.names]
                for column, matches in zip(positions, row, strict=True):
                    spread[column] = matches
                atoms[i] = spread
        return wide, status, atoms

    def first_atoms(self, smiles: list[Any], threads: int) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Return how often each pattern matches each molecule, and the first atom of each match, in this order.

        A negative number means that RDKit must match, or that the search was given up.
        """
        counts = _core.empty((len(smiles), len(self)), np.dtype(np.int32))
        if self.others:
            counts[:] = _LEFT["atoms"]
            return counts, np.zeros(0, np.uint8)
        status = np.zeros(len(smiles), np.uint8)
        atoms = _core.substructure(
            smiles, self.compiled, self._which, self._low, self._high, counts, status, True, threads, first_only=True
        )
        counts[status != 0] = _LEFT["atoms"]
        return counts, atoms

    def given_up(self, codes: NDArray[Any], what: str) -> str:
        """Return the reason why a molecule fails whose row has these codes, "" if none was given up."""
        found = np.flatnonzero(codes == _GIVEN_UP[what])
        if not len(found):
            return ""
        name = self.names[int(found[0])][:80]
        return f"the search for pattern {found[0]} ({name!r}) was given up after 20,000,000 steps"


def read_patterns(function: str, patterns: Any) -> Columns:
    """Return the columns of a list of patterns; raise if one is neither a SMARTS nor a molecule."""
    check_molecules(function, patterns, "patterns", "SMARTS patterns")
    names: list[str] = []
    texts: list[str | None] = []
    queries: list[Query | None] = []
    for position, pattern in enumerate(patterns):
        if isinstance(pattern, str):
            if len(pattern) > MAX_SMARTS_LENGTH:
                raise ValueError(
                    f"{function}: pattern {position} ({pattern[:40]!r}...) has {len(pattern):,} characters; a SMARTS of "
                    f"at most {MAX_SMARTS_LENGTH:,} is read"
                )
            names.append(pattern)
            texts.append(pattern if pattern.isascii() else None)
            queries.append(None)
            continue
        text = compared_smarts(pattern)
        if text is None:
            raise TypeError(
                f"{function}: pattern {position} must be a SMARTS or an RDKit molecule, got {type(pattern).__name__}"
            )
        names.append(repr(pattern))
        texts.append(text or None)
        queries.append(SmartsQuery(pattern))
    columns = Columns(names, texts, queries)
    for column in columns.others:
        if queries[column] is None and (query := query_of(names[column])) is None:
            position = columns.stopped.get(column, 0)
            raise ValueError(
                f"{function}: pattern {column} ({names[column][:80]!r}) is not a valid SMARTS: RDKit cannot read it "
                f"(reading ended at position {position})"
            )
        elif queries[column] is None:
            queries[column] = SmartsQuery(query)
    return columns


class Matched(NamedTuple):
    """The results of all molecules, and what became of those that were not read natively."""

    rows: NDArray[Any]
    atoms: list[Any]
    failures: list[Failure]
    failed: list[int]
    by_rdkit: int

    def report(self, errors: str) -> Report:
        """Return the report of a call."""
        total, refused = len(self.rows), len(self.failed)
        counts = {"native": total - self.by_rdkit - refused, "rdkit": self.by_rdkit, "refused": refused}
        return Report(total, total - (0 if errors == "mask" else refused), self.failures, (), counts)


def match_columns(
    function: str,
    smiles: list[Any],
    columns: Columns,
    what: str,
    errors: str,
    threads: int,
    start: int = 0,
    total: int | None = None,
) -> Matched:
    """Match all molecules; RDKit fills the entries that the native matcher leaves. Failures have rows without matches.

    The molecules may be a part of ``total``, which begins at ``start``.
    """
    rows, status, atoms = columns.match(smiles, what, threads)
    rows[status != 0] = _LEFT[what]
    failures: list[Failure] = []
    by_rdkit = 0
    unfinished = np.flatnonzero(((rows == _LEFT[what]) | (rows == _GIVEN_UP[what])).any(1) | (status != 0))
    for first in range(0, len(unfinished), CHUNK):
        reasons: dict[int, str] = {}
        molecules: dict[int, Any] = {}
        for i in unfinished[first : first + CHUNK].tolist():
            molecule, reason = None, columns.given_up(rows[i], what)
            if not reason:
                molecule, reason = read_molecule(smiles[i])
            if reason:
                reasons[i] = reason
            else:
                molecules[i] = molecule
        # RDKit's molecules are matched natively too: their rings are known.
        binaries = binaries_of(list(molecules.values()))
        again, states, found = columns.match(binaries, what, threads, binary=True)
        again[states != 0] = _LEFT[what]
        for k, (i, molecule) in enumerate(molecules.items()):
            reason = columns.given_up(again[k], what)
            if reason:
                reasons[i] = reason
                continue
            asked = rows[i] == _LEFT[what]
            rows[i, asked] = again[k, asked]
            if atoms is not None:
                for column in np.flatnonzero(asked).tolist():
                    atoms[i][column] = found[k][column]
            left = np.flatnonzero(rows[i] == _LEFT[what]).tolist()
            for column in left:
                result = columns.query(column).result(molecule, what)
                rows[i, column] = len(result) if what == "atoms" else result
                if atoms is not None:
                    atoms[i][column] = result
            by_rdkit += isinstance(smiles[i], str) or bool(left)
        for i in sorted(reasons):
            failure = Failure(i, text_of(smiles[i]), reasons[i])
            if errors == "raise":
                raise refusal(function, smiles[i], failure.shifted(start), len(smiles) if total is None else total)
            failures.append(failure)
            rows[i] = 0
            if atoms is not None:
                atoms[i] = [[] for _ in columns.names]
    return Matched(rows, atoms, failures, [failure.position for failure in failures], by_rdkit)
