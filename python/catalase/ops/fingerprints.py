"""Fingerprints besides ECFP: MACCS keys, atom pairs, topological torsions, RDKit's path fingerprint.

RDKit is the authority. The native code (cpp/substructure, cpp/fingerprint) gives the same bits, or leaves a molecule to RDKit.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._internal.numbers import choice, flag, whole_number
from .._internal.report import Failure, Report
from ..chem.queries import alternatives, maccs_patterns, query_of
from .ecfp import CHUNK, MAX_SETTING, as_csr, check_molecules, fill_by_rdkit, threads_of
from .substructure import Columns, Query, match_columns

MACCS_SIZE = 167  # bits; bit 0 is not used, so that bit k is key k


def maccs(
    smiles: Sequence[Any],
    *,
    output: str = "packed",
    errors: str = "raise",
    return_report: bool = False,
    num_threads: int | None = None,
) -> Any:
    """Return MACCS keys, equal to those of RDKit's ``MACCSkeys.GenMACCSKeys``.

    Parameters
    ----------
    smiles : sequence of str or rdkit.Chem.Mol
        Molecules, as in `ecfp`.
    output : {"packed", "dense", "csr"}
        "packed": uint8 (N, 21), where bit i of byte j is key 8 j + i, for `tanimoto` and `catalase.FingerprintIndex`.
        "dense": float32 (N, 167). "csr": (indptr int64, indices int32, shape). Key 0 is never set.
    errors : {"raise", "mask", "drop"}
        Treatment of a molecule that cannot be read: raise an error, give a row of zeros, or leave it out (the result is
        then ``(keys, kept_indices)``).
    return_report : bool
        Append a `Report` of the failures; its ``counts`` are the numbers matched natively, by RDKit wholly or in part, and
        refused.
    num_threads : int, optional
        The most threads that the native matcher uses; `catalase.get_num_threads` by default.

    Returns
    -------
    keys, or a tuple of (keys[, kept_indices][, report])

    Raises
    ------
    TypeError
        If ``smiles`` is one string, or holds something that is neither text nor a molecule (with ``errors="raise"``).
    ValueError
        For settings out of range, and with ``errors="raise"`` for the first molecule that cannot be read.

    Notes
    -----
    The result is deterministic: threads never change a bit. The patterns are those of the installed RDKit's module
    ``MACCSkeys``. RDKit reads the molecules that `ecfp` leaves to it, and counts aromatic rings (key 125) where smallest
    rings are not unique; `substructure` says more.

    References
    ----------
    Durant et al., J. Chem. Inf. Comput. Sci. 42 (2002) 1273-1280, doi:10.1021/ci010132r.

    Examples
    --------
    >>> import catalase as ct
    >>> keys = ct.ops.maccs(["CCO", "c1ccccc1O"])
    >>> keys.shape
    (2, 21)
    >>> ct.ops.tanimoto(keys[:1], keys[1:]).round(2)
    array([[0.19]], dtype=float32)
    """
    check_molecules("maccs", smiles)
    choice("maccs", "output", output, ("packed", "dense", "csr"))
    choice("maccs", "errors", errors, ("raise", "mask", "drop"))
    return_report = flag("maccs", "return_report", return_report)
    threads = threads_of("maccs", num_threads)
    smiles = list(smiles)
    columns, key = _keys()
    rows = np.zeros((len(smiles), -(-MACCS_SIZE // 8)), np.uint8)
    failures: list[Failure] = []
    by_rdkit = 0
    for start in range(0, len(smiles), CHUNK):
        part = smiles[start : start + CHUNK]
        matched = match_columns("maccs", part, columns, "match", errors, threads, start, len(smiles))
        bits = np.zeros((MACCS_SIZE, len(part)), np.uint8)
        for column, k in enumerate(key.tolist()):
            bits[k] |= matched.rows[:, column]
        rows[start : start + CHUNK] = np.packbits(bits, axis=0, bitorder="little").T
        failures += [failure.shifted(start) for failure in matched.failures]
        by_rdkit += matched.by_rdkit
    if output == "dense":
        rows = np.unpackbits(rows, axis=1, count=MACCS_SIZE, bitorder="little").astype(np.float32)
    return _result(rows, MACCS_SIZE, output, errors, failures, by_rdkit, return_report)


def atom_pairs(
    smiles: Sequence[Any],
    *,
    size: int = 2048,
    output: str = "packed",
    errors: str = "raise",
    return_report: bool = False,
    num_threads: int | None = None,
) -> Any:
    """Return atom-pair fingerprints, equal to those of ``rdFingerprintGenerator.GetAtomPairGenerator(fpSize=size)``.

    A feature is two atoms, each described by its element, its neighbours and its pi electrons, and the number of bonds
    between them, 1 to 30.

    Parameters
    ----------
    smiles : sequence of str or rdkit.Chem.Mol
        Molecules, as in `ecfp`.
    size : int
        Number of bits, a multiple of 8, 8 or more.
    output : {"packed", "dense", "csr", "counts"}
        "packed": uint8 (N, size / 8), where bit i of byte j is bit 8 j + i. "dense": float32 (N, size). "csr": (indptr
        int64, indices int32, shape). "counts": uint32 (N, size), the number of occurrences of each feature. Bits simulate
        counts, as RDKit's do: four bits stand for features that occur at least 1, 2, 4 and 8 times.
    errors : {"raise", "mask", "drop"}
        Treatment of a molecule that cannot be read: raise an error, give a row of zeros, or leave it out (the result is
        then ``(fingerprints, kept_indices)``).
    return_report : bool
        Append a `Report` of the failures; its ``counts`` are the numbers read natively, read by RDKit, and refused.
    num_threads : int, optional
        The most threads that are used; `catalase.get_num_threads` by default.

    Returns
    -------
    fingerprints, or a tuple of (fingerprints[, kept_indices][, report])

    Raises
    ------
    TypeError
        If ``smiles`` is one string, or holds something that is neither text nor a molecule (with ``errors="raise"``).
    ValueError
        For settings out of range, and with ``errors="raise"`` for the first molecule that cannot be read.

    Notes
    -----
    The result is deterministic: threads never change a bit. RDKit reads the molecules that `ecfp` leaves to it, `Mol`
    objects, molecules of more than 255 atoms and ring closures, and those with multiple bonds at atoms other than carbon,
    nitrogen, oxygen, sulphur and phosphorus of usual valence.

    References
    ----------
    Carhart, Smith and Venkataraghavan, J. Chem. Inf. Comput. Sci. 25 (1985) 64-73, doi:10.1021/ci00046a002.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.ops.atom_pairs(["CCO", "c1ccccc1"], size=1024).shape
    (2, 128)
    >>> int(ct.ops.atom_pairs(["CCO"], output="counts").sum())
    3
    """
    return _path_fingerprints("atom_pairs", smiles, size, output, errors, return_report, num_threads)


def topological_torsions(
    smiles: Sequence[Any],
    *,
    size: int = 2048,
    output: str = "packed",
    errors: str = "raise",
    return_report: bool = False,
    num_threads: int | None = None,
) -> Any:
    """Return torsion fingerprints, equal to those of ``rdFingerprintGenerator.GetTopologicalTorsionGenerator(fpSize=size)``.

    A feature is a path of four atoms, each described by its element, its neighbours and its pi electrons, or a ring of
    three.

    Parameters
    ----------
    smiles, size, output, errors, return_report, num_threads
        As for `atom_pairs`; bits simulate counts here too.

    Returns
    -------
    fingerprints, or a tuple of (fingerprints[, kept_indices][, report])

    Raises
    ------
    TypeError, ValueError
        As for `atom_pairs`.

    Notes
    -----
    As for `atom_pairs`.

    References
    ----------
    Nilakantan et al., J. Chem. Inf. Comput. Sci. 27 (1987) 82-85, doi:10.1021/ci00054a008.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.ops.topological_torsions(["CCCO", "c1ccccc1"], size=1024).shape
    (2, 128)
    >>> int(ct.ops.topological_torsions(["CCCO"], output="counts").sum())
    1
    """
    return _path_fingerprints("topological_torsions", smiles, size, output, errors, return_report, num_threads)


def rdkit_fingerprint(
    smiles: Sequence[Any],
    *,
    size: int = 2048,
    output: str = "packed",
    errors: str = "raise",
    return_report: bool = False,
    num_threads: int | None = None,
) -> Any:
    """Return RDKit's path fingerprints, equal to those of ``rdFingerprintGenerator.GetRDKitFPGenerator(fpSize=size)``.

    A feature is a connected part of the molecule with 1 to 7 bonds, with branches; each sets two bits.

    Parameters
    ----------
    smiles, size, output, errors, return_report, num_threads
        As for `atom_pairs`; bits do not simulate counts, and each feature counts in both of its columns.

    Returns
    -------
    fingerprints, or a tuple of (fingerprints[, kept_indices][, report])

    Raises
    ------
    TypeError, ValueError
        As for `atom_pairs`.

    Notes
    -----
    The result is deterministic: threads never change a bit. RDKit reads the molecules that `ecfp` leaves to it, `Mol`
    objects, molecules of more than 255 atoms and ring closures, and benzynes. A molecule of more than 4,000,000 such parts
    is refused, since RDKit's memory would not suffice: cages of metals, for example.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.ops.rdkit_fingerprint(["CCO", "c1ccccc1"], size=1024).shape
    (2, 128)
    >>> int(ct.ops.rdkit_fingerprint(["CCO"], output="counts").sum())
    6
    """
    return _path_fingerprints("rdkit_fingerprint", smiles, size, output, errors, return_report, num_threads)


def _path_fingerprints(
    function: str,
    smiles: Any,
    size: int,
    output: str,
    errors: str,
    return_report: bool,
    num_threads: int | None,
) -> Any:
    check_molecules(function, smiles)
    if whole_number(function, "size", size, 8, MAX_SETTING) % 8:
        raise ValueError(f"{function}: size must be a multiple of 8 from 8 to {MAX_SETTING}, got {size!r}")
    choice(function, "output", output, ("packed", "dense", "csr", "counts"))
    choice(function, "errors", errors, ("raise", "mask", "drop"))
    return_report = flag(function, "return_report", return_report)
    threads = threads_of(function, num_threads)
    smiles, size = list(smiles), int(size)
    columns = size if output in ("dense", "counts") else size // 8
    rows = _core.empty((len(smiles), columns), np.dtype({"dense": "f4", "counts": "u4"}.get(output, "u1")))
    status = np.ones(len(smiles), np.uint8)
    _core.path_fingerprints(smiles, _core.PATH_FINGERPRINTS[function], size, rows, status, threads)
    left = np.flatnonzero(status)
    failures, _, _ = fill_by_rdkit(
        function, smiles, left, rows, status, lambda: _generator(function, size), output, threads, errors
    )
    return _result(rows, size, output, errors, failures, len(left) - len(failures), return_report)


def _generator(function: str, size: int) -> Any:
    from rdkit.Chem import rdFingerprintGenerator as generators

    makers: dict[str, Callable[..., Any]] = {
        "atom_pairs": generators.GetAtomPairGenerator,
        "topological_torsions": generators.GetTopologicalTorsionGenerator,
        "rdkit_fingerprint": generators.GetRDKitFPGenerator,
    }
    return makers[function](fpSize=size)


def _result(
    rows: NDArray[Any],
    size: int,
    output: str,
    errors: str,
    failures: list[Failure],
    by_rdkit: int,
    return_report: bool,
) -> Any:
    """Return what the caller asked for."""
    total = len(rows)
    kept = np.delete(np.arange(total), [failure.position for failure in failures])
    if errors == "drop":
        rows = rows[kept] if failures else rows
    result: list[Any] = [as_csr(rows, size) if output == "csr" else rows]
    if errors == "drop":
        result.append(kept)
    if return_report:
        counts = {"native": len(kept) - by_rdkit, "rdkit": by_rdkit, "refused": len(failures)}
        result.append(Report(total, len(rows), failures, counts=counts))
    return result[0] if len(result) == 1 else tuple(result)


class _Keys(NamedTuple):
    """The columns to match, and the key that each of them sets."""

    columns: Columns
    key: NDArray[np.intp]


# What no SMARTS says; key 1 (an isotope) is never set.
_COUNTED = {125: _core.AROMATIC_RINGS, 166: _core.PARTS}


@functools.cache
def _keys() -> _Keys:
    names: list[str] = []
    texts: list[str | int] = []
    queries: list[Query | None] = []
    low: list[int] = []
    keys: list[int] = []
    for key, (smarts, most) in maccs_patterns().items():
        if key >= MACCS_SIZE or (smarts == "?" and key not in _COUNTED):
            continue
        # More than one match of a recursive query is another question than one of each alternative.
        parts: list[str | int] = (
            [_COUNTED[key]] if smarts == "?" else list(alternatives(smarts)) if most == 0 else [smarts]
        )
        for part in parts:
            least = 2 if smarts == "?" else most + 1
            names.append(f"key {key}, {smarts}")
            texts.append(part)
            queries.append(_KeyQuery(part, least))
            low.append(least)
            keys.append(key)
    return _Keys(Columns(names, texts, queries, low=np.array(low, np.int64)), np.array(keys, np.intp))


class _KeyQuery:
    """A pattern, or what else is counted, and the least number of it, for RDKit."""

    def __init__(self, part: str | int, least: int) -> None:
        self._part, self._least = part, least

    def result(self, molecule: Any, what: str) -> bool:
        """Return whether a molecule has so many."""
        if self._part == _core.PARTS:
            from rdkit import Chem

            return len(Chem.GetMolFrags(molecule)) >= self._least
        if self._part == _core.AROMATIC_RINGS:
            bonds = [bond.GetIsAromatic() for bond in molecule.GetBonds()]
            rings = molecule.GetRingInfo().BondRings()
            return sum(all(bonds[bond] for bond in ring) for ring in rings) >= self._least
        query = query_of(str(self._part))
        if self._least == 1:
            return bool(molecule.HasSubstructMatch(query))
        return len(molecule.GetSubstructMatches(query)) >= self._least
