"""Circular fingerprints (ECFP, Morgan) of molecules.

RDKit is the authority. The native reader (cpp/molecule) gives the same bits, or leaves a molecule to RDKit. Molecules are
refused only if RDKit refuses them, with RDKit's message.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._internal.numbers import choice, flag, shown, whole_number
from .._internal.report import Failure, Report
from ..backends import backend_named
from ..chem.reading import MAX_RDKIT_ATOMS, partial_molecule, read_molecule, refusal, valence_reason

if TYPE_CHECKING:
    from .._internal.outcomes import CSR, Counts, Dense, Errors, InPlace, Numbers, Packed

NOT_TEXT = _core.ECFP_STATUSES["not text"]
MAX_SETTING = 2**31 - 1  # fits into RDKit's unsigned int


class _Options(TypedDict, total=False):
    """The arguments of `ecfp` that do not change the type of its result."""

    radius: int
    size: int
    chirality: bool
    features: bool
    use_bond_types: bool
    num_threads: int | None
    device: str


@overload
def ecfp(
    smiles: Sequence[Any],
    *,
    output: Literal["packed"] = ...,
    errors: InPlace = ...,
    return_report: Literal[False] = ...,
    **options: Unpack[_Options],
) -> Packed: ...
@overload
def ecfp(
    smiles: Sequence[Any],
    *,
    output: Literal["packed"] = ...,
    errors: InPlace = ...,
    return_report: Literal[True],
    **options: Unpack[_Options],
) -> tuple[Packed, Report]: ...
@overload
def ecfp(
    smiles: Sequence[Any],
    *,
    output: Literal["packed"] = ...,
    errors: Literal["drop"],
    return_report: Literal[False] = ...,
    **options: Unpack[_Options],
) -> tuple[Packed, Numbers]: ...
@overload
def ecfp(
    smiles: Sequence[Any],
    *,
    output: Literal["packed"] = ...,
    errors: Literal["drop"],
    return_report: Literal[True],
    **options: Unpack[_Options],
) -> tuple[Packed, Numbers, Report]: ...
@overload
def ecfp(
    smiles: Sequence[Any],
    *,
    output: Literal["dense"],
    errors: InPlace = ...,
    return_report: Literal[False] = ...,
    **options: Unpack[_Options],
) -> Dense: ...
@overload
def ecfp(
    smiles: Sequence[Any],
    *,
    output: Literal["dense"],
    errors: InPlace = ...,
    return_report: Literal[True],
    **options: Unpack[_Options],
) -> tuple[Dense, Report]: ...
@overload
def ecfp(
    smiles: Sequence[Any],
    *,
    output: Literal["dense"],
    errors: Literal["drop"],
    return_report: Literal[False] = ...,
    **options: Unpack[_Options],
) -> tuple[Dense, Numbers]: ...
@overload
def ecfp(
    smiles: Sequence[Any],
    *,
    output: Literal["dense"],
    errors: Literal["drop"],
    return_report: Literal[True],
    **options: Unpack[_Options],
) -> tuple[Dense, Numbers, Report]: ...
@overload
def ecfp(
    smiles: Sequence[Any],
    *,
    output: Literal["csr"],
    errors: InPlace = ...,
    return_report: Literal[False] = ...,
    **options: Unpack[_Options],
) -> CSR: ...
@overload
def ecfp(
    smiles: Sequence[Any],
    *,
    output: Literal["csr"],
    errors: InPlace = ...,
    return_report: Literal[True],
    **options: Unpack[_Options],
) -> tuple[CSR, Report]: ...
@overload
def ecfp(
    smiles: Sequence[Any],
    *,
    output: Literal["csr"],
    errors: Literal["drop"],
    return_report: Literal[False] = ...,
    **options: Unpack[_Options],
) -> tuple[CSR, Numbers]: ...
@overload
def ecfp(
    smiles: Sequence[Any],
    *,
    output: Literal["csr"],
    errors: Literal["drop"],
    return_report: Literal[True],
    **options: Unpack[_Options],
) -> tuple[CSR, Numbers, Report]: ...
@overload
def ecfp(
    smiles: Sequence[Any],
    *,
    output: Literal["counts"],
    errors: InPlace = ...,
    return_report: Literal[False] = ...,
    **options: Unpack[_Options],
) -> Counts: ...
@overload
def ecfp(
    smiles: Sequence[Any],
    *,
    output: Literal["counts"],
    errors: InPlace = ...,
    return_report: Literal[True],
    **options: Unpack[_Options],
) -> tuple[Counts, Report]: ...
@overload
def ecfp(
    smiles: Sequence[Any],
    *,
    output: Literal["counts"],
    errors: Literal["drop"],
    return_report: Literal[False] = ...,
    **options: Unpack[_Options],
) -> tuple[Counts, Numbers]: ...
@overload
def ecfp(
    smiles: Sequence[Any],
    *,
    output: Literal["counts"],
    errors: Literal["drop"],
    return_report: Literal[True],
    **options: Unpack[_Options],
) -> tuple[Counts, Numbers, Report]: ...
@overload
def ecfp(
    smiles: Sequence[Any],
    *,
    output: Literal["packed", "dense", "csr", "counts"] = ...,
    errors: Errors = ...,
    return_report: bool = ...,
    **options: Unpack[_Options],
) -> Any: ...
def ecfp(
    smiles: Sequence[Any],
    *,
    radius: int = 2,
    size: int = 2048,
    output: Literal["packed", "dense", "csr", "counts"] = "packed",
    chirality: bool = False,
    features: bool = False,
    use_bond_types: bool = True,
    errors: Errors = "raise",
    return_report: bool = False,
    num_threads: int | None = None,
    device: str = "cpu",
) -> Any:
    """Return extended-connectivity fingerprints, equal to those of RDKit's Morgan generator bit for bit.

    Parameters
    ----------
    smiles : sequence of str or rdkit.Chem.Mol
        Surrounding ASCII white space is stripped. Bytes outside 0x21-0x7E, and anything after the SMILES, are refused,
        because RDKit would drop them silently and might read another molecule. Only the extension of a CXSMILES is read
        there, by RDKit, as `catalase.chem.read` explains.
    radius : int
        Number of bonds around each atom, 0 or more; ECFP4 has radius 2.
    size : int
        Number of bits, a multiple of 8, 8 or more.
    output : {"packed", "dense", "csr", "counts"}
        "packed": uint8 (N, size / 8), where bit i of byte j is feature 8 j + i. "dense": float32 (N, size). "csr":
        (indptr int64, indices int32, shape). "counts": uint32 (N, size), the number of occurrences of each feature.
    chirality, features, use_bond_types : bool
        Chirality in the invariants; pharmacophoric atom invariants (FCFP); bond orders in the environments.
    errors : {"raise", "mask", "drop"}
        Treatment of a molecule that cannot be read: raise an error, give a row of zeros, or leave it out (the result is
        then ``(fingerprints, kept_indices)``).
    return_report : bool
        Append a `Report` of the failures; its ``counts`` are the numbers read natively, read by RDKit, and refused.
    num_threads : int, optional
        The most threads that the native reader uses; `catalase.get_num_threads` by default.
    device : {"cpu", "cuda"}
        Device that hashes environments and holds the result, a NumPy or a CuPy array (not "csr"). SMILES are read on the
        CPU either way. Molecules of more than 255 atoms or bonds, `Mol` objects, all molecules if ``radius`` is above 6,
        and molecules that RDKit reads are also hashed on the CPU, and their rows copied.

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
        If a CUDA device is requested, but there is none.

    Notes
    -----
    The result is deterministic: threads never change a bit. Native code reads text without Python's lock, some 80 times as
    fast as RDKit, in time linear in its size. RDKit reads molecules for which equal bits are not proven: wildcards, dative
    bonds and bonds that RDKit makes dative, rare valences and isotopes, some cages, more than 333 atoms with
    ``features=True``, stereo marks with ``chirality=True``; it is imported only then. A metal with more bonds than RDKit
    permits is refused with RDKit's message. ``radius`` above 6 is slower.
    `Mol` objects are used unchanged, also edited or partly sanitized ones, if rings and valences are known. The native code
    reads ``Mol.ToBinary``, which holds Python's lock. It leaves to RDKit query atoms and bonds, dative and other rare bonds,
    residues, substance and stereo groups, more than 255 atoms or bonds, ``radius`` above 6, ``chirality=True``, RDKit
    before 2024.9 or after 2026.9, and bits on more than three threads, where RDKit is faster.
    A SMILES of more than 1,048,576 characters is refused. A SMILES that only RDKit could read is refused beyond 25,000
    characters (5,000 characters or 500 ring closures if it has rings; 5,000 with RDKit 2025, 1,500 with 2024), and a `Mol`
    that is not read natively beyond 10,000 atoms: RDKit's time and memory grow with the square of a molecule's size (in
    2024 with its cube), and Ctrl-C does not interrupt its calls.
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
    """Return `ecfp` of the same parameters; ``partial`` also reads molecules with wrong valences, and reports them."""
    _check_settings(smiles, radius, size, output, errors, device)
    chirality, features = flag("ecfp", "chirality", chirality), flag("ecfp", "features", features)
    use_bond_types, return_report = (
        flag("ecfp", "use_bond_types", use_bond_types),
        flag("ecfp", "return_report", return_report),
    )
    smiles = list(smiles)  # by position: a pandas Series is indexed by its labels, which may be in another order
    threads = threads_of("ecfp", num_threads)
    settings = Settings(radius, size, output, chirality, features, use_bond_types, threads)
    places = on_device = None
    on_host = smiles  # the molecules to hash on the host
    if device != "cpu":
        from ..backends.cuda.ecfp import DeviceFingerprints

        backend: Any = backend_named(device, "ecfp")
        on_device = DeviceFingerprints(backend, smiles, settings)
        places = on_device.others
        on_host = [smiles[i] for i in places.tolist()]
    rows, status = _native(on_host, settings, partial)
    left = np.flatnonzero(status)  # for RDKit, except molecules known to be refused
    failures, failed, n_partial = fill_by_rdkit(
        "ecfp",
        on_host,
        left,
        rows,
        status,
        lambda: rdkit_generator(settings),
        output,
        threads,
        errors,
        partial=partial,
        places=places,
        total=len(smiles),
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
    result: list[Any] = [as_csr(rows, size) if output == "csr" else rows]
    if errors == "drop":
        result.append(indices)
    if return_report:
        notes = [f"{n_partial} featurized from a partial sanitization (valence not checked)"] if n_partial else []
        n_kept = len(smiles) - (0 if errors == "mask" else len(failed))
        counts = {"native": len(smiles) - len(left), "rdkit": len(left) - len(failures), "refused": len(failures)}
        result.append(Report(len(smiles), n_kept, failures, notes, counts))
    return result[0] if len(result) == 1 else tuple(result)


def _native(smiles: list[Any], settings: Settings, partial: bool) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Return the rows of all molecules and a status for each; where it is not 0 the row is zero, and RDKit must fill it.

    The status REFUSED is final: RDKit refuses the molecule for a metal's valence, and ``partial`` fills its row.
    """
    radius, size, output, chirality, features, use_bond_types, threads = settings
    columns = size if output in ("dense", "counts") else size // 8
    rows = _core.empty((len(smiles), columns), np.dtype({"dense": "f4", "counts": "u4"}.get(output, "u1")))
    status = np.ones(len(smiles), np.uint8)
    options = bool(use_bond_types), bool(chirality), bool(features)
    numbers = int(radius), int(size), *options
    _core.ecfp(smiles, *numbers, rows, status, threads, partial=partial)
    others = np.flatnonzero(status == NOT_TEXT)
    if chirality or not prefers_binary(radius, output, features, threads):
        return rows, status
    for start in range(0, len(others), CHUNK):
        fill_from_molecules(smiles, others[start : start + CHUNK], numbers, rows, status, threads)
    return rows, status


def check_molecules(function: str, molecules: Any, name: str = "smiles", kind: str = "strings or molecules") -> None:
    """Raise unless an argument is a sequence, and not one text."""
    wrong = (str, bytes, bytearray, memoryview, dict, set, frozenset, range, type, ModuleType)
    if isinstance(molecules, wrong) or not hasattr(molecules, "__len__") or getattr(molecules, "ndim", 1) != 1:
        raise TypeError(f"{function}: {name} must be a list of {kind}, got {type(molecules).__name__}; wrap it in [ ]")


def _check_settings(smiles: Any, radius: int, size: int, output: str, errors: str, device: str) -> None:
    check_molecules("ecfp", smiles)
    whole_number("ecfp", "radius", radius, 0, MAX_SETTING)
    if whole_number("ecfp", "size", size, 8, MAX_SETTING) % 8:
        raise ValueError(f"ecfp: size must be a multiple of 8 from 8 to {MAX_SETTING}, got {size!r}")
    choice("ecfp", "output", output, ("packed", "dense", "csr", "counts"))
    choice("ecfp", "errors", errors, ("raise", "mask", "drop"))
    if not isinstance(device, str):
        raise TypeError(f"ecfp: device must be 'cpu' or 'cuda', got {shown(device)}")
    if device != "cpu" and output == "csr":
        raise ValueError("ecfp: output='csr' is made on the CPU only; ops.linear takes output='packed' as it is")


def threads_of(function: str, num_threads: int | None) -> int:
    """Return the number of threads of a call."""
    if num_threads is None:
        return _core.get_num_threads()
    return min(whole_number(function, "num_threads", num_threads), 2**31 - 1)


def as_csr(packed: NDArray[np.uint8], size: int) -> tuple[NDArray[np.int64], NDArray[np.int32], tuple[int, int]]:
    """Return packed bits as compressed sparse rows."""
    packed = np.ascontiguousarray(packed)
    indptr = np.zeros(len(packed) + 1, np.int64)
    _core.count_set_bits(packed, indptr[1:])
    np.cumsum(indptr, out=indptr)
    indices = _core.empty((int(indptr[-1]),), np.dtype(np.int32))
    _core.list_set_bits(packed, indptr, indices)
    return indptr, indices, (len(packed), size)


CHUNK = 10_000  # molecules held as RDKit objects at a time
REFUSED = _core.ECFP_STATUSES["refused"]
_SUBGRAPHS = _core.ECFP_STATUSES["subgraphs"]


class Settings(NamedTuple):
    """The checked settings of a fingerprint, and the number of threads."""

    radius: int
    size: int
    output: str
    chirality: bool
    features: bool
    use_bond_types: bool
    threads: int


def fill_by_rdkit(
    function: str,
    smiles: list[Any],
    left: NDArray[np.intp],
    rows: NDArray[Any],
    status: NDArray[np.uint8],
    make_generator: Callable[[], Any],
    output: str,
    threads: int,
    errors: str,
    *,
    partial: bool = False,
    places: NDArray[np.intp] | None = None,
    total: int | None = None,
) -> tuple[list[Failure], list[int], int]:
    """Fill the rows that are ``left``; return the failures, their rows, and the number of partly sanitized molecules.

    ``make_generator`` returns RDKit's generator of fingerprints, where one is needed. ``places`` are the positions of
    ``smiles`` among the caller's ``total``, unless these are all.
    """
    failures: list[Failure] = []
    failed: list[int] = []
    n_partial = 0
    generator = make_generator() if (status[left] != REFUSED).any() else None
    for start in range(0, len(left), CHUNK):
        molecules: list[Any] = []
        kept: list[int] = []
        for i in left[start : start + CHUNK].tolist():
            item, position = smiles[i], i if places is None else int(places[i])
            refused = status[i] == REFUSED
            has_row = refused and partial
            if refused:
                molecule, reason = None, valence_reason(item)
            elif status[i] == _SUBGRAPHS:
                molecule, reason = (
                    None,
                    f"it has more than {_core.MAX_SUBGRAPHS:,} paths of up to 7 bonds, with branches",
                )
            else:
                molecule, reason = read_molecule(item)
            if reason:
                failure = Failure(position, text_of(item), reason)
                if partial and not refused:
                    molecule = partial_molecule(item)
                n_partial += has_row or molecule is not None
                if not has_row and molecule is None and errors == "raise":
                    raise refusal(function, item, failure, len(smiles) if total is None else total)
                failures.append(failure)
            if molecule is not None:
                kept.append(i)
                molecules.append(molecule)
            elif not has_row:
                failed.append(position)
        if molecules:
            bits = _bits(generator, molecules, output == "counts", rows.shape[1], threads)
            rows[kept] = np.unpackbits(bits, axis=1, bitorder="little") if output == "dense" else bits
    return failures, failed, n_partial


def text_of(item: Any) -> str:
    """Return a molecule as reports show it."""
    return item if isinstance(item, str) else repr(item)[:200]


def rdkit_generator(settings: Settings) -> Any:
    """Return RDKit's generator of the same fingerprints."""
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


def _bits(generator: Any, molecules: list[Any], counts: bool, columns: int, threads: int) -> NDArray[Any]:
    """Return the packed bits, or the counts, of RDKit molecules."""
    from rdkit import DataStructs

    if counts:
        table = np.zeros((len(molecules), columns), np.uint32)
        vectors = generator.GetCountFingerprints(molecules, numThreads=threads)
        for row, vector in zip(table, vectors, strict=True):
            elements = vector.GetNonzeroElements()
            row[list(elements.keys())] = list(elements.values())
        return table
    to_bytes: Callable[[Any], bytes] = DataStructs.BitVectToBinaryText
    packed = b"".join(map(to_bytes, generator.GetFingerprints(molecules, numThreads=threads)))
    return np.frombuffer(packed, np.uint8).reshape(len(molecules), -1)


_MAX_THREADS = 3


def prefers_binary(radius: int, output: str, features: bool, threads: int) -> bool:
    """Return whether the native code supports these settings and is likely to be faster than RDKit's bulk call.

    Writing the binary form holds Python's lock, on one thread, for about half the time of RDKit's bits; the native code then
    uses all threads. Counts and features are much slower in RDKit.
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
    """Fill the rows and the status of `Mol` objects whose binary form in RDKit is sufficient."""
    binaries = binaries_of([smiles[i] for i in positions.tolist()])
    first, last = positions[0], positions[-1] + 1
    if last - first == len(positions):
        _core.ecfp(binaries, *settings, rows[first:last], status[first:last], threads, True)
        return
    part, reasons = np.empty((len(positions), rows.shape[1]), rows.dtype), np.empty(len(positions), np.uint8)
    _core.ecfp(binaries, *settings, part, reasons, threads, True)
    rows[positions], status[positions] = part, reasons


def binaries_of(items: list[Any]) -> list[bytes | None]:
    """Return RDKit's binary form of each molecule; None for other objects, and where hydrogens were never counted."""
    from rdkit import Chem

    if not _binary_is_known():
        return [None] * len(items)
    # The methods of the class are called, because a subclass may have replaced its own.
    to_binary, uncounted = Chem.Mol.ToBinary, Chem.Mol.NeedsUpdatePropertyCache
    flags = int(Chem.PropertyPickleOptions.NoConformers)
    binaries: list[bytes | None] = []
    for item in items:
        binary: bytes | None = None
        if isinstance(item, Chem.Mol):
            try:
                binary = None if uncounted(item) else to_binary(item, flags)
            except Exception:  # RDKit reports it later
                binary = None
        binaries.append(binary)
    return binaries


@functools.cache
def _binary_is_known() -> bool:
    """Return whether the native code reads the binary form of this RDKit, which depends on RDKit's version."""
    from rdkit import Chem

    binary = Chem.MolFromSmiles("C").ToBinary(int(Chem.PropertyPickleOptions.NoConformers))
    status = np.ones(1, np.uint8)
    _core.ecfp([binary], 2, 8, True, False, False, np.zeros((1, 1), np.uint8), status, 1, True)
    return not status.any()
