"""Circular fingerprints (ECFP, Morgan) of molecules.

RDKit is the authority. The native reader (cpp/molecule) gives the same bits, or leaves a molecule to RDKit; whatever
is refused, is refused by RDKit, in its words.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._internal.numbers import choice, flag, shown, whole_number
from .._internal.report import Failure, Report
from ..backends import backend_named
from ..chem import MAX_RDKIT_ATOMS, partial_molecule, read_molecule, valence_reason

_NOT_TEXT = _core.ECFP_STATUSES["not text"]
_MAX_SETTING = 2**31 - 1  # of RDKit's unsigned int, with room to spare


def ecfp(
    smiles: Sequence[Any],
    *,
    radius: int = 2,
    size: int = 2048,
    output: str = "packed",
    chirality: bool = False,
    features: bool = False,
    use_bond_types: bool = True,
    errors: str = "raise",
    return_report: bool = False,
    num_threads: int | None = None,
    device: str = "cpu",
) -> Any:
    """Return extended-connectivity fingerprints, equal to those of RDKit's Morgan generator bit for bit.

    Parameters
    ----------
    smiles : sequence of str or rdkit.Chem.Mol
        Surrounding ASCII white space is stripped. Bytes outside 0x21-0x7E, and anything after the SMILES (a name, an
        extension), are refused: RDKit would drop them silently and may read another molecule.
    radius : int
        Bonds around each atom, 0 or more; ECFP4 is radius 2.
    size : int
        Bits, a multiple of 8, 8 or more.
    output : {"packed", "dense", "csr", "counts"}
        uint8 (N, size / 8), bit i of byte j is feature 8 j + i; float32 (N, size); (indptr int64, indices int32, shape);
        uint32 (N, size), how often each feature occurs.
    chirality, features, use_bond_types : bool
        Chirality in the invariants; pharmacophoric atom invariants (FCFP); bond orders in the environments.
    errors : {"raise", "mask", "drop"}
        What to do with a molecule that cannot be read: raise, give a row of zeros, or leave it out (the result is then
        ``(fingerprints, kept_indices)``).
    return_report : bool
        Append a `Report` of what failed and why; its ``counts`` say how many were read natively, by RDKit, or refused.
    num_threads : int, optional
        Threads; `catalase.get_num_threads` where left out, and the most that the native reader takes.
    device : {"cpu", "cuda"}
        Where environments are hashed, and where the fingerprints are then: NumPy arrays, or CuPy's (no "csr"). SMILES
        are read on the CPU either way; so are molecules of more than 255 atoms or bonds, `Mol` objects, any with
        ``radius`` above 6, and what RDKit reads: their rows are copied over.

    Returns
    -------
    fingerprints, or a tuple of (fingerprints[, kept_indices][, report])

    Raises
    ------
    TypeError
        If ``smiles`` is one string, or holds something that is neither text nor a molecule (with ``errors="raise"``).
    ValueError
        For settings out of range, and with ``errors="raise"`` for the first molecule that cannot be read.
    RuntimeError
        Without a CUDA device, where one is asked for.

    Notes
    -----
    Deterministic: threads never change a bit. Text is read by native code, without Python's lock, some 80 times as fast as
    by RDKit, in time linear in their size. RDKit reads what is not proven to come out equal: wildcards, dative bonds and
    what RDKit makes one, rare valences and isotopes, some cages, more than 333 atoms with ``features=True``, stereo marks
    with ``chirality=True``; it is imported only then. A metal that binds more than RDKit permits is refused in
    its words. ``radius`` above 6 is slower.
    `Mol` objects are taken as they are, edited or partly sanitized, if rings and valences are known. The native code reads
    ``Mol.ToBinary``, which holds Python's lock, and leaves to RDKit query atoms and bonds, dative and other rare bonds,
    residues, substance and stereo groups, more than 255 atoms or bonds, ``radius`` above 6, ``chirality=True``, RDKit
    before 2024.9 or after 2026.9, and bits on more than three threads, where RDKit's own are faster.
    A SMILES of more than 1,048,576 characters is refused, and so is what only RDKit could read beyond 25,000 characters
    (5,000 characters or 500 ring closures where there are rings; 5,000 with RDKit 2025, 1,500 with 2024), and a `Mol` of
    more than 10,000 atoms that is not read natively: RDKit's time and memory grow with the square of a molecule (in 2024
    with its cube), and its calls hear no Ctrl-C.
    An empty list gives an array of no rows; an empty SMILES is a molecule of no atoms and no bits.

    References
    ----------
    Rogers and Hahn, J. Chem. Inf. Model. 50 (2010) 742-754, doi:10.1021/ci100050t.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.ops.ecfp(["CCO", "c1ccccc1"], size=1024).shape
    (2, 128)
    >>> array, kept = ct.ops.ecfp(["CCO", "C1CC"], output="dense", errors="drop")
    >>> array.shape, kept.tolist()
    ((1, 2048), [0])
    >>> _, report = ct.ops.ecfp(["CCO", "*CC"], return_report=True)
    >>> report.counts
    {'native': 1, 'rdkit': 1, 'refused': 0}
    """
    return fingerprints(
        smiles,
        radius=radius,
        size=size,
        output=output,
        chirality=chirality,
        features=features,
        use_bond_types=use_bond_types,
        errors=errors,
        return_report=return_report,
        num_threads=num_threads,
        partial=False,
        device=device,
    )


def fingerprints(
    smiles: Sequence[Any],
    *,
    radius: int,
    size: int,
    output: str,
    chirality: bool,
    features: bool,
    use_bond_types: bool,
    errors: str,
    return_report: bool,
    num_threads: int | None,
    partial: bool,
    device: str = "cpu",
) -> Any:
    """`ecfp`, and with ``partial`` molecules refused for valence are read by a partial sanitization, and reported."""
    _check_settings(smiles, radius, size, output, errors, device)
    chirality, features = flag("ecfp", "chirality", chirality), flag("ecfp", "features", features)
    use_bond_types, return_report = (
        flag("ecfp", "use_bond_types", use_bond_types),
        flag("ecfp", "return_report", return_report),
    )
    smiles = list(smiles)  # by position: a pandas Series is indexed by its labels, which may be in another order
    threads = _threads(num_threads)
    settings = Settings(radius, size, output, chirality, features, use_bond_types, threads)
    places = on_device = None
    mine = smiles  # what is done here
    if device != "cpu":
        from ..backends.cuda.ecfp import DeviceFingerprints

        backend: Any = backend_named(device, "ecfp")
        on_device = DeviceFingerprints(backend, smiles, settings)
        places = on_device.others
        mine = [smiles[i] for i in places.tolist()]
    rows, status = _native(mine, settings, partial)
    left = np.flatnonzero(status)  # for RDKit, but what is known to be refused
    failures, failed, n_partial = fill_by_rdkit(
        mine, left, rows, status, settings, partial, errors, places, len(smiles)
    )
    if on_device is not None:
        on_device.fill(rows)
    if errors == "drop":
        indices = np.delete(np.arange(len(smiles)), failed)
        if failed and on_device is not None:
            on_device.take(indices)
        elif failed:
            rows = rows[indices]
    if on_device is not None:
        rows = on_device.rows
    result: list[Any] = [_csr(rows, size) if output == "csr" else rows]
    if errors == "drop":
        result.append(indices)
    if return_report:
        notes = [f"{n_partial} featurized from a partial sanitization (valence not checked)"] if n_partial else []
        n_kept = len(smiles) - (0 if errors == "mask" else len(failed))
        counts = {"native": len(smiles) - len(left), "rdkit": len(left) - len(failures), "refused": len(failures)}
        result.append(Report(len(smiles), n_kept, failures, notes, counts))
    return result[0] if len(result) == 1 else tuple(result)


def _native(smiles: list[Any], settings: Settings, partial: bool) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Rows of all molecules, and a status for each: where it is not 0 the row is zero, and RDKit's to fill.

    REFUSED is for good: RDKit refuses the molecule for a metal's valence, and ``partial`` fills its row.
    """
    radius, size, output, chirality, features, use_bond_types, threads = settings
    columns = size if output in ("dense", "counts") else size // 8
    rows = _core.empty((len(smiles), columns), np.dtype({"dense": "f4", "counts": "u4"}.get(output, "u1")))
    status = np.ones(len(smiles), np.uint8)
    options = bool(use_bond_types), bool(chirality), bool(features)
    numbers = int(radius), int(size), *options
    _core.ecfp(smiles, *numbers, rows, status, threads, partial=partial)
    others = np.flatnonzero(status == _NOT_TEXT)
    if chirality or not prefers_binary(radius, output, features, threads):
        return rows, status
    for start in range(0, len(others), CHUNK):
        fill_from_molecules(smiles, others[start : start + CHUNK], numbers, rows, status, threads)
    return rows, status


def _check_settings(smiles: Any, radius: int, size: int, output: str, errors: str, device: str) -> None:
    wrong = (str, bytes, bytearray, memoryview, dict, set, frozenset, range, type, ModuleType)
    if isinstance(smiles, wrong) or not hasattr(smiles, "__len__") or getattr(smiles, "ndim", 1) != 1:
        raise TypeError(
            f"ecfp: smiles must be a list of strings or molecules, got {type(smiles).__name__}; wrap it in [ ]"
        )
    whole_number("ecfp", "radius", radius, 0, _MAX_SETTING)
    if whole_number("ecfp", "size", size, 8, _MAX_SETTING) % 8:
        raise ValueError(f"ecfp: size must be a multiple of 8 from 8 to {_MAX_SETTING}, got {size!r}")
    choice("ecfp", "output", output, ("packed", "dense", "csr", "counts"))
    choice("ecfp", "errors", errors, ("raise", "mask", "drop"))
    if not isinstance(device, str):
        raise TypeError(f"ecfp: device must be 'cpu' or 'cuda', got {shown(device)}")
    if device != "cpu" and output == "csr":
        raise ValueError("ecfp: output='csr' is made on the CPU only; ops.linear takes output='packed' as it is")


def _threads(num_threads: int | None) -> int:
    if num_threads is None:
        return _core.get_num_threads()
    return min(whole_number("ecfp", "num_threads", num_threads), 2**31 - 1)


def _csr(packed: NDArray[np.uint8], size: int) -> tuple[NDArray[np.int64], NDArray[np.int32], tuple[int, int]]:
    packed = np.ascontiguousarray(packed)
    indptr = np.zeros(len(packed) + 1, np.int64)
    _core.count_set_bits(packed, indptr[1:])
    np.cumsum(indptr, out=indptr)
    indices = _core.empty((int(indptr[-1]),), np.dtype(np.int32))
    _core.list_set_bits(packed, indptr, indices)
    return indptr, indices, (len(packed), size)


CHUNK = 10_000  # molecules held as RDKit objects at a time
REFUSED = _core.ECFP_STATUSES["refused"]


class Settings(NamedTuple):
    """What a fingerprint is, and on how many threads it is made; checked."""

    radius: int
    size: int
    output: str
    chirality: bool
    features: bool
    use_bond_types: bool
    threads: int


def fill_by_rdkit(
    smiles: list[Any],
    left: NDArray[np.intp],
    rows: NDArray[Any],
    status: NDArray[np.uint8],
    settings: Settings,
    partial: bool,
    errors: str,
    places: NDArray[np.intp] | None,
    total: int,
) -> tuple[list[Failure], list[int], int]:
    """Fill the rows that are ``left``; return what failed, where, and how many were read in part.

    ``places`` are the positions of ``smiles`` among the caller's ``total``, if these are not all.
    """
    failures: list[Failure] = []
    failed: list[int] = []
    n_partial = 0
    generator = _generator(settings) if (status[left] != REFUSED).any() else None
    for start in range(0, len(left), CHUNK):
        molecules: list[Any] = []
        kept: list[int] = []
        for i in left[start : start + CHUNK].tolist():
            item, position = smiles[i], i if places is None else int(places[i])
            refused = status[i] == REFUSED
            has_row = refused and partial
            molecule, reason = (None, valence_reason(item)) if refused else read_molecule(item)
            if reason:
                failure = Failure(position, _text(item), reason)
                if partial and not refused:
                    molecule = partial_molecule(item)
                n_partial += has_row or molecule is not None
                if not has_row and molecule is None and errors == "raise":
                    raise _refusal(item, failure, total)
                failures.append(failure)
            if molecule is not None:
                kept.append(i)
                molecules.append(molecule)
            elif not has_row:
                failed.append(position)
        if molecules:
            bits = _bits(generator, molecules, settings)
            rows[kept] = np.unpackbits(bits, axis=1, bitorder="little") if settings.output == "dense" else bits
    return failures, failed, n_partial


def _refusal(item: Any, failure: Failure, total: int) -> Exception:
    kind = ValueError if isinstance(item, str) else TypeError
    return kind(
        f"ecfp: molecule {failure.position} of {total} ({failure.text[:80]!r}) cannot be read: {failure.reason}; "
        "errors='mask' gives it a row of zeros, errors='drop' leaves it out"
    )


def _text(item: Any) -> str:
    return item if isinstance(item, str) else repr(item)[:200]


def _generator(settings: Settings) -> Any:
    from rdkit.Chem import rdFingerprintGenerator as generators

    invariants = generators.GetMorganFeatureAtomInvGen() if settings.features else None
    return generators.GetMorganGenerator(
        radius=min(
            int(settings.radius), MAX_RDKIT_ATOMS
        ),  # no environment grows beyond; RDKit reserves memory for each
        fpSize=int(settings.size),
        includeChirality=bool(settings.chirality),
        useBondTypes=bool(settings.use_bond_types),
        atomInvariantsGenerator=invariants,
    )


def _bits(generator: Any, molecules: list[Any], settings: Settings) -> NDArray[Any]:
    """Packed bits, or counts, of molecules that were read."""
    from rdkit import DataStructs

    if settings.output == "counts":
        table = np.zeros((len(molecules), settings.size), np.uint32)
        vectors = generator.GetCountFingerprints(molecules, numThreads=settings.threads)
        for row, vector in zip(table, vectors, strict=True):
            elements = vector.GetNonzeroElements()
            row[list(elements.keys())] = list(elements.values())
        return table
    to_bytes: Callable[[Any], bytes] = DataStructs.BitVectToBinaryText
    packed = b"".join(map(to_bytes, generator.GetFingerprints(molecules, numThreads=settings.threads)))
    return np.frombuffer(packed, np.uint8).reshape(len(molecules), settings.size // 8)


_MAX_THREADS = 3


def prefers_binary(radius: int, output: str, features: bool, threads: int) -> bool:
    """Whether the native code can do it and is likely to be ahead of RDKit's bulk call.

    The binary form is written under Python's lock, on one thread, in about half the time that RDKit's bits take there; its
    bits are made on all threads. Counts and features are much slower in RDKit.
    """
    return radius <= _core.ECFP_MAX_RADIUS and (threads <= _MAX_THREADS or features or output == "counts")


def fill_from_molecules(
    smiles: list[Any],
    positions: NDArray[np.intp],
    settings: tuple[int, int, bool, bool, bool],
    rows: NDArray[Any],
    status: NDArray[np.uint8],
    threads: int,
) -> None:
    """Fill the rows of `Mol` objects, and their status, as far as RDKit's binary form says all that is needed."""
    binaries = _binaries([smiles[i] for i in positions.tolist()])
    first, last = positions[0], positions[-1] + 1
    if last - first == len(positions):
        _core.ecfp(binaries, *settings, rows[first:last], status[first:last], threads, True)
        return
    part, reasons = np.empty((len(positions), rows.shape[1]), rows.dtype), np.empty(len(positions), np.uint8)
    _core.ecfp(binaries, *settings, part, reasons, threads, True)
    rows[positions], status[positions] = part, reasons


def _binaries(items: list[Any]) -> list[bytes | None]:
    """RDKit's binary form of each molecule; None for other things, and where hydrogens were never counted."""
    from rdkit import Chem

    if not _binary_is_known():
        return [None] * len(items)
    # Not the item's own methods, which a subclass may have replaced.
    to_binary, uncounted = Chem.Mol.ToBinary, Chem.Mol.NeedsUpdatePropertyCache
    flags = int(Chem.PropertyPickleOptions.NoConformers)
    binaries: list[bytes | None] = []
    for item in items:
        binary: bytes | None = None
        if isinstance(item, Chem.Mol):
            try:
                binary = None if uncounted(item) else to_binary(item, flags)
            except Exception:  # RDKit's to say
                binary = None
        binaries.append(binary)
    return binaries


@functools.cache
def _binary_is_known() -> bool:
    """Whether the native code reads the binary form of this RDKit: it follows RDKit's versions."""
    from rdkit import Chem

    binary = Chem.MolFromSmiles("C").ToBinary(int(Chem.PropertyPickleOptions.NoConformers))
    status = np.ones(1, np.uint8)
    _core.ecfp([binary], 2, 8, True, False, False, np.zeros((1, 1), np.uint8), status, 1, True)
    return not status.any()
