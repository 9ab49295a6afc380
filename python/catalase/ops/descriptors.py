"""Molecular descriptors, by RDKit's names.

RDKit is the authority. The native code (cpp/descriptor) gives equal values, or leaves a molecule to RDKit, which also computes
the descriptors without native code.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._internal.numbers import choice, flag, shown
from .._internal.report import Failure, Report
from ..chem.reading import read_molecule, refusal, spelling_of
from .descriptor_patterns import patterns
from .ecfp import CHUNK, NOT_TEXT, binaries_of, check_molecules, text_of, threads_of

if TYPE_CHECKING:
    from .._internal.outcomes import Errors, InPlace, Numbers, Values

_LISTING = """
MaxAbsEStateIndex MaxEStateIndex MinAbsEStateIndex MinEStateIndex qed SPS MolWt HeavyAtomMolWt ExactMolWt
NumValenceElectrons NumRadicalElectrons MaxPartialCharge MinPartialCharge MaxAbsPartialCharge MinAbsPartialCharge
FpDensityMorgan1 FpDensityMorgan2 FpDensityMorgan3 BCUT2D_MWHI BCUT2D_MWLOW BCUT2D_CHGHI BCUT2D_CHGLO BCUT2D_LOGPHI
BCUT2D_LOGPLOW BCUT2D_MRHI BCUT2D_MRLOW AvgIpc BalabanJ BertzCT Chi0 Chi0n Chi0v Chi1 Chi1n Chi1v Chi2n Chi2v Chi3n
Chi3v Chi4n Chi4v HallKierAlpha Ipc Kappa1 Kappa2 Kappa3 LabuteASA PEOE_VSA1 PEOE_VSA10 PEOE_VSA11 PEOE_VSA12
PEOE_VSA13 PEOE_VSA14 PEOE_VSA2 PEOE_VSA3 PEOE_VSA4 PEOE_VSA5 PEOE_VSA6 PEOE_VSA7 PEOE_VSA8 PEOE_VSA9 SMR_VSA1
SMR_VSA10 SMR_VSA2 SMR_VSA3 SMR_VSA4 SMR_VSA5 SMR_VSA6 SMR_VSA7 SMR_VSA8 SMR_VSA9 SlogP_VSA1 SlogP_VSA10 SlogP_VSA11
SlogP_VSA12 SlogP_VSA2 SlogP_VSA3 SlogP_VSA4 SlogP_VSA5 SlogP_VSA6 SlogP_VSA7 SlogP_VSA8 SlogP_VSA9 TPSA EState_VSA1
EState_VSA10 EState_VSA11 EState_VSA2 EState_VSA3 EState_VSA4 EState_VSA5 EState_VSA6 EState_VSA7 EState_VSA8
EState_VSA9 VSA_EState1 VSA_EState10 VSA_EState2 VSA_EState3 VSA_EState4 VSA_EState5 VSA_EState6 VSA_EState7
VSA_EState8 VSA_EState9 FractionCSP3 HeavyAtomCount NHOHCount NOCount NumAliphaticCarbocycles NumAliphaticHeterocycles
NumAliphaticRings NumAmideBonds NumAromaticCarbocycles NumAromaticHeterocycles NumAromaticRings NumAtomStereoCenters
NumBridgeheadAtoms NumHAcceptors NumHDonors NumHeteroatoms NumHeterocycles NumRotatableBonds NumSaturatedCarbocycles
NumSaturatedHeterocycles NumSaturatedRings NumSpiroAtoms NumUnspecifiedAtomStereoCenters Phi RingCount MolLogP MolMR
fr_Al_COO fr_Al_OH fr_Al_OH_noTert fr_ArN fr_Ar_COO fr_Ar_N fr_Ar_NH fr_Ar_OH fr_COO fr_COO2 fr_C_O fr_C_O_noCOO
fr_C_S fr_HOCCN fr_Imine fr_NH0 fr_NH1 fr_NH2 fr_N_O fr_Ndealkylation1 fr_Ndealkylation2 fr_Nhpyrrole fr_SH
fr_aldehyde fr_alkyl_carbamate fr_alkyl_halide fr_allylic_oxid fr_amide fr_amidine fr_aniline fr_aryl_methyl fr_azide
fr_azo fr_barbitur fr_benzene fr_benzodiazepine fr_bicyclic fr_diazo fr_dihydropyridine fr_epoxide fr_ester fr_ether
fr_furan fr_guanido fr_halogen fr_hdrzine fr_hdrzone fr_imidazole fr_imide fr_isocyan fr_isothiocyan fr_ketone
fr_ketone_Topliss fr_lactam fr_lactone fr_methoxy fr_morpholine fr_nitrile fr_nitro fr_nitro_arom
fr_nitro_arom_nonortho fr_nitroso fr_oxazole fr_oxime fr_para_hydroxylation fr_phenol fr_phenol_noOrthoHbond
fr_phos_acid fr_phos_ester fr_piperdine fr_piperzine fr_priamide fr_prisulfonamd fr_pyridine fr_quatN fr_sulfide
fr_sulfonamd fr_sulfone fr_term_acetylene fr_tetrazole fr_thiazole fr_thiocyan fr_thiophene fr_unbrch_alkane fr_urea
"""
DESCRIPTOR_NAMES: tuple[str, ...] = tuple(_LISTING.split())
"""The names of RDKit 2026.9, in its order."""

_LEFT_OUT = re.compile(
    r"fr_|BCUT|qed$|SPS$|FpDensity|Chi|Kappa|HallKierAlpha|BalabanJ|BertzCT|Ipc$|AvgIpc|Phi$|LabuteASA"
)
DEFAULT_NAMES = tuple(name for name in DESCRIPTOR_NAMES if not _LEFT_OUT.match(name))
"""The 97 that are computed unless others are asked for: counts, weights, polar surface, Crippen's, charges, states."""


@overload
def descriptors(
    smiles: Sequence[Any],
    *,
    names: Sequence[str] | None = ...,
    errors: InPlace = ...,
    return_report: Literal[False] = ...,
    num_threads: int | None = ...,
) -> Values: ...
@overload
def descriptors(
    smiles: Sequence[Any],
    *,
    names: Sequence[str] | None = ...,
    errors: InPlace = ...,
    return_report: Literal[True],
    num_threads: int | None = ...,
) -> tuple[Values, Report]: ...
@overload
def descriptors(
    smiles: Sequence[Any],
    *,
    names: Sequence[str] | None = ...,
    errors: Literal["drop"],
    return_report: Literal[False] = ...,
    num_threads: int | None = ...,
) -> tuple[Values, Numbers]: ...
@overload
def descriptors(
    smiles: Sequence[Any],
    *,
    names: Sequence[str] | None = ...,
    errors: Literal["drop"],
    return_report: Literal[True],
    num_threads: int | None = ...,
) -> tuple[Values, Numbers, Report]: ...
@overload
def descriptors(
    smiles: Sequence[Any],
    *,
    names: Sequence[str] | None = ...,
    errors: Errors = ...,
    return_report: bool = ...,
    num_threads: int | None = ...,
) -> Any: ...
def descriptors(
    smiles: Sequence[Any],
    *,
    names: Sequence[str] | None = None,
    errors: Errors = "raise",
    return_report: bool = False,
    num_threads: int | None = None,
) -> Any:
    """Return molecular descriptors, equal to RDKit's.

    Parameters
    ----------
    smiles : sequence of str or rdkit.Chem.Mol
        Molecules, as in `ecfp`.
    names : sequence of str, optional
        Names of `catalase.feat.DESCRIPTOR_NAMES`, in the order of the columns. By default the 97 that cost little and hold
        most of the value: counts, weights, polar surface area (TPSA), Crippen's logP and refractivity, Gasteiger's charges,
        E-state indices, and the surface areas by each of these (``SlogP_VSA``, ``SMR_VSA``, ``PEOE_VSA``, ``EState_VSA``,
        ``VSA_EState``).
    errors : {"raise", "mask", "drop"}
        Treatment of a molecule that cannot be read: raise an error, give a row of zeros, or leave it out (the result is
        then ``(descriptors, kept_indices)``).
    return_report : bool
        Append a `Report` of the failures; its ``counts`` are the numbers read natively, read by RDKit, and refused. Its
        ``notes`` name the descriptors with values that are NaN or infinite, and those that RDKit computed.
    num_threads : int, optional
        The most threads that the native code uses; `catalase.get_num_threads` by default.

    Returns
    -------
    descriptors, or a tuple of (descriptors[, kept_indices][, report])
        float64 (N, D).

    Raises
    ------
    TypeError
        If ``smiles`` or ``names`` is one string, or holds something of another kind (with ``errors="raise"``).
    ValueError
        For unknown names or settings, and with ``errors="raise"`` for the first molecule that cannot be read.

    Notes
    -----
    The result is deterministic: threads never change a bit. Whole numbers equal RDKit's, and others within 1e-9 relative.
    Values that RDKit gives as NaN or infinite (charges of metals, for example) are so here, and NaN also stands where RDKit
    has no value (E-state indices of a molecule without atoms).
    All have native code. RDKit reads the molecules that `ecfp` leaves to it, those of more than 255 atoms and ring closures
    (64 atoms for ``Ipc``), isotopes, elements beyond americium, elements without Gasteiger's parameters for ``BCUT2D``, ring
    systems of more than ten rings that share bonds, and stereo centres that depend on marked ones or on double bonds. It also
    computes descriptors whose patterns are missing in its data folder. `Mol` objects, which are not changed, are read from
    their SMILES in the order of their atoms if RDKit holds just what that says; an edited molecule, or one with hydrogens as
    atoms, is left to RDKit. Where that order is not a SMILES's, sums can differ from RDKit's by some 1e-15.

    References
    ----------
    docs/chemistry.md names the paper of each kind.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.ops.descriptors(["CCO", "c1ccccc1O"], names=["MolWt", "TPSA", "NumHDonors"]).round(2)
    array([[46.07, 20.23,  1.  ],
           [94.11, 20.23,  1.  ]])
    >>> values, kept = ct.ops.descriptors(["CCO", "C1CC"], names=["RingCount"], errors="drop")
    >>> values.shape, kept.tolist()
    ((1, 1), [0])
    """
    check_molecules("descriptors", smiles)
    choice("descriptors", "errors", errors, ("raise", "mask", "drop"))
    return_report = flag("descriptors", "return_report", return_report)
    columns = checked_names("descriptors", "names", names)
    threads = threads_of("descriptors", num_threads)
    smiles = list(smiles)
    rows = np.zeros((len(smiles), len(columns)))
    native = np.array([j for j, name in enumerate(columns) if name in patterns().numbers], np.intp)
    status = _compute(smiles, columns, native, rows, threads)
    _fill_from_molecules(smiles, columns, native, rows, status, threads)
    failures, failed = _fill_by_rdkit(smiles, columns, native, rows, status, errors)
    n_rdkit = int(np.count_nonzero(status)) - len(failures)
    kept = np.delete(np.arange(len(smiles)), failed)
    if errors == "drop":
        rows = rows[kept]
    result: list[Any] = [rows]
    if errors == "drop":
        result.append(kept)
    if return_report:
        notes = _notes(rows, columns, len(columns) - len(native))
        counts = {"native": len(kept) - n_rdkit, "rdkit": n_rdkit, "refused": len(failures)}
        result.append(Report(len(smiles), len(rows), failures, notes, counts))
    return result[0] if len(result) == 1 else tuple(result)


def checked_names(where: str, argument: str, names: Any) -> tuple[str, ...]:
    """Return the names of descriptors that an argument asks for; the default ones for None."""
    if names is None:
        return DEFAULT_NAMES
    wrong = (str, bytes, bytearray, memoryview, dict, set, frozenset, range)
    if isinstance(names, wrong) or not hasattr(names, "__len__") or getattr(names, "ndim", 1) != 1:
        raise TypeError(f"{where}: {argument} must be a list of names of descriptors, got {shown(names)}")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{where}: {argument} must hold names as text, got {shown(name)}")
        if name not in _KNOWN:
            raise ValueError(
                f"{where}: {argument} holds {name[:80]!r}, which is no descriptor; catalase.feat.DESCRIPTOR_NAMES has all "
                "names"
            )
    return tuple(str(name) for name in names)


_KNOWN = frozenset(DESCRIPTOR_NAMES)


def _compute(
    smiles: list[Any],
    columns: tuple[str, ...],
    native: NDArray[np.intp],
    rows: NDArray[np.float64],
    threads: int,
    held: list[tuple[bytes, bytes] | None] | None = None,
) -> NDArray[np.uint8]:
    """Fill the native columns of the molecules whose status is returned as 0.

    ``held`` has the molecules that the texts were written from: those that are others than their texts say have a status.
    """
    tables, number = patterns()
    numbers = np.array([number[columns[j]] for j in native.tolist()], np.int32)
    status = np.ones(len(smiles), np.uint8)
    if len(native) == len(columns):
        _core.descriptors(smiles, tables, numbers, rows, status, threads, held)
    elif len(native):
        part = np.zeros((len(smiles), len(native)))
        _core.descriptors(smiles, tables, numbers, part, status, threads, held)
        rows[:, native] = part
    return status


def _fill_from_molecules(
    smiles: list[Any],
    columns: tuple[str, ...],
    native: NDArray[np.intp],
    rows: NDArray[np.float64],
    status: NDArray[np.uint8],
    threads: int,
) -> None:
    """Fill the rows and the status of `Mol` objects that are what their SMILES say."""
    objects = np.flatnonzero(status == NOT_TEXT)
    noted = [j for j, name in enumerate(columns) if name in _OF_NOTES]
    functions = [_rdkit_functions(columns)[columns[j]] for j in noted] if len(objects) else []
    for start in range(0, len(objects), CHUNK):
        here = objects[start : start + CHUNK]
        texts: list[str] = []
        held: list[tuple[bytes, bytes] | None] = []
        places: list[int] = []
        items = [smiles[i] for i in here.tolist()]
        for i, item, binary in zip(here.tolist(), items, binaries_of(items), strict=True):
            if binary is not None and (spelling := spelling_of(item)) is not None:
                texts.append(spelling.text)
                held.append((binary, spelling.order))
                places.append(i)
        part = np.zeros((len(texts), len(columns)))
        found = _compute(texts, columns, native, part, threads, held)
        rows[places], status[places] = part, found
        for k in np.flatnonzero(found == 0).tolist() if noted else []:
            rows[places[k], noted] = _rdkit_values(smiles[places[k]], functions)


def _fill_by_rdkit(
    smiles: list[Any],
    columns: tuple[str, ...],
    native: NDArray[np.intp],
    rows: NDArray[np.float64],
    status: NDArray[np.uint8],
    errors: str,
) -> tuple[list[Failure], list[int]]:
    """Fill what is not native; return the failures and their rows."""
    failures: list[Failure] = []
    others = np.setdiff1d(np.arange(len(columns)), native)
    left = np.flatnonzero(status) if not len(others) else np.arange(len(smiles))
    functions = _rdkit_functions(columns) if len(left) else {}
    for i in left.tolist():
        molecule, reason = read_molecule(smiles[i])
        if reason:
            failure = Failure(i, text_of(smiles[i]), reason)
            if errors == "raise":
                raise refusal("descriptors", smiles[i], failure, len(smiles))
            failures.append(failure)
            rows[i] = 0
            status[i] = 1
            continue
        wanted = range(len(columns)) if status[i] else others.tolist()
        rows[i, list(wanted)] = _rdkit_values(molecule, [functions[columns[j]] for j in wanted])
    return failures, [failure.position for failure in failures]


# RDKit counts possible centres by what it noted at the atoms of an object when it last looked for them.
_OF_NOTES = {"NumAtomStereoCenters", "NumUnspecifiedAtomStereoCenters"}
_OF_STATES = {"MaxEStateIndex", "MinEStateIndex", "MaxAbsEStateIndex", "MinAbsEStateIndex"}


def _rdkit_functions(names: Sequence[str]) -> dict[str, Callable[[Any], Any]]:
    from rdkit import rdBase
    from rdkit.Chem import Descriptors

    functions = dict(Descriptors._descList)
    for name in functions.keys() & _OF_STATES:  # each would compute the states again
        functions[name] = functools.partial(functions[name], force=False)
    for name in names:
        if name not in functions:
            raise ValueError(
                f"descriptors: RDKit {rdBase.rdkitVersion} does not have the descriptor {name!r}, and it is needed for it; "
                "install a newer RDKit, or leave the name out"
            )
    return functions


def _rdkit_values(molecule: Any, functions: Sequence[Callable[[Any], Any]]) -> list[float]:
    """Return RDKit's values; NaN where it has none."""
    from rdkit import Chem, rdBase

    molecule = Chem.Mol(molecule)  # the functions keep results as properties
    values = []
    with rdBase.BlockLogs(), np.errstate(all="ignore"):
        for function in functions:
            try:
                values.append(float(function(molecule)))
            except Exception:
                values.append(np.nan)
    return values


def _notes(rows: NDArray[np.float64], columns: tuple[str, ...], by_rdkit: int) -> list[str]:
    notes = [f"{by_rdkit} of {len(columns)} descriptors computed by RDKit"] if by_rdkit else []
    for kind, odd in (("NaN", np.isnan(rows)), ("infinite", np.isinf(rows))):
        if odd.any():
            found = [f"{columns[j]} ({odd[:, j].sum():,})" for j in np.flatnonzero(odd.any(axis=0)).tolist()]
            listing = ", ".join(found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
            notes.append(f"{odd.any(axis=1).sum():,} rows have values that are {kind}: {listing}")
    return notes
