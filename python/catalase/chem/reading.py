"""RDKit molecules: reading them within limits, and explaining why one is refused."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from .. import _core
from .._internal.numbers import choice, flag
from .._internal.report import Failure, Report
from .._internal.text import strip_white

if TYPE_CHECKING:
    from .._internal.outcomes import Errors, InPlace

MAX_SMILES_LENGTH = _core.MAX_SMILES_LENGTH  # characters of a molecule
MAX_RDKIT_CLOSURES = 500  # ring closures of a molecule that RDKit is to read
MAX_RDKIT_ATOMS = 10_000  # atoms of a molecule that RDKit has already read


class Limits(NamedTuple):
    """The most characters of a molecule that RDKit is to read, with rings and without."""

    rings: int
    chain: int


# RDKit's time and memory grow with the square of a molecule's size, before 2025.3 with its cube, inside calls that no signal
# interrupts. Measured near the limits: 2026.9 takes 3 s and 0.8 GB for one ring of 5,000 atoms, 4 s for a chain of 20,000;
# 2025.9 1.5 s for a chain of 5,000 (by 0.24 s for 2,000); 2024.9 0.7 s for 1,000 and 6 s for 2,000.
_LIMITS = {(2026, 3): Limits(5_000, 25_000), (2025, 3): Limits(5_000, 5_000), (0, 0): Limits(1_500, 1_500)}


@functools.cache
def rdkit_limits() -> Limits:
    """Return the limits for the installed RDKit."""
    from rdkit import rdBase

    year, month = (int(part) for part in rdBase.rdkitVersion.split(".")[:2])
    return next(limits for since, limits in _LIMITS.items() if (year, month) >= since)


# Kinds of CXSMILES that stand for more than one molecule: variable bonds, polymers, link nodes, R groups.
_SEVERAL_MOLECULES = re.compile(r"(^\||,)\s*(m|Sg|LN|RG|LO):")
_CLOSURE = re.compile(r"\[[^\]]*\]|(%\(\d+\)|%\d\d|\d)")  # digits in brackets are not ring closures


@overload
def read(
    smiles: Sequence[Any],
    *,
    errors: InPlace = ...,
    return_report: Literal[False] = ...,
) -> list[Any]: ...
@overload
def read(
    smiles: Sequence[Any],
    *,
    errors: InPlace = ...,
    return_report: Literal[True],
) -> tuple[list[Any], Report]: ...
@overload
def read(
    smiles: Sequence[Any],
    *,
    errors: Literal["drop"],
    return_report: Literal[False] = ...,
) -> tuple[list[Any], list[int]]: ...
@overload
def read(
    smiles: Sequence[Any],
    *,
    errors: Literal["drop"],
    return_report: Literal[True],
) -> tuple[list[Any], list[int], Report]: ...
@overload
def read(smiles: Sequence[Any], *, errors: Errors = ..., return_report: bool = ...) -> Any: ...
def read(smiles: Sequence[Any], *, errors: Errors = "raise", return_report: bool = False) -> Any:
    """Return RDKit molecules, read within limits of size and with a reason for each one that is refused.

    Parameters
    ----------
    smiles : sequence of str or rdkit.Chem.Mol
        Surrounding ASCII white space is stripped. Molecules are returned as they are.
    errors : {"raise", "mask", "drop"}
        Treatment of a molecule that cannot be read: raise an error, give None in its place, or leave it out (the result
        is then ``(molecules, kept_indices)``).
    return_report : bool
        Append a `Report` of the failures.

    Returns
    -------
    list of rdkit.Chem.Mol, or a tuple of (molecules[, kept_indices][, report])

    Raises
    ------
    TypeError
        If ``smiles`` is one string, or holds something that is neither text nor a molecule (with ``errors="raise"``).
    ValueError
        With ``errors="raise"`` for the first molecule that cannot be read.

    Notes
    -----
    The molecules are those of ``Chem.MolFromSmiles``. Text is refused that RDKit would read as another molecule (characters
    beyond ASCII, anything behind the SMILES), and text for which RDKit would need minutes: see the limits of
    `catalase.ops.ecfp`. An empty SMILES is a molecule without atoms. Behind the SMILES only the extension of a CXSMILES is
    read: stereocentres of a mixture (``|&1:1|``, ``|o1:1|``) become unspecified, and an extension that stands for several
    molecules (variable bonds, polymers, R groups) or that RDKit cannot read is refused.

    Examples
    --------
    >>> import catalase as ct
    >>> [molecule.GetNumAtoms() for molecule in ct.chem.read(["CCO", "c1ccccc1"])]
    [3, 6]
    >>> molecules, kept, report = ct.chem.read(["CCO", "C1CC"], errors="drop", return_report=True)
    >>> kept, report.failures[0].reason
    ([0], 'not a valid SMILES (unknown atom, or unclosed ring, branch or bracket)')
    """
    items = molecule_list("read", smiles)
    choice("read", "errors", errors, ("raise", "mask", "drop"))
    return_report = flag("read", "return_report", return_report)
    molecules: list[Any] = []
    failures: list[Failure] = []
    for position, item in enumerate(items):
        molecule, reason = read_molecule(item)
        molecules.append(molecule)
        if reason:
            failures.append(Failure(position, item_text(item), reason))
            if errors == "raise":
                raise refusal("read", item, failures[-1], len(items), "gives None in its place")
    result: list[Any] = [molecules]
    if errors == "drop":
        kept = [position for position, molecule in enumerate(molecules) if molecule is not None]
        result = [[molecules[position] for position in kept], kept]
    if return_report:
        n_kept = len(items) - (len(failures) if errors == "drop" else 0)
        counts = {"rdkit": len(items) - len(failures), "refused": len(failures)}
        result.append(Report(len(items), n_kept, failures, counts=counts))
    return result[0] if len(result) == 1 else tuple(result)


def molecule_list(function: str, smiles: Any) -> list[Any]:
    """Return the items of a sequence of molecules; refuse a single text, and containers without an order."""
    wrong = (str, bytes, bytearray, memoryview, dict, set, frozenset, range, type, ModuleType)
    if isinstance(smiles, wrong) or not hasattr(smiles, "__len__") or getattr(smiles, "ndim", 1) != 1:
        raise TypeError(
            f"{function}: smiles must be a list of strings or molecules, got {type(smiles).__name__}; wrap it in [ ]"
        )
    return list(smiles)


def item_text(item: Any) -> str:
    """Return the text by which a report names an item."""
    return item if isinstance(item, str) else repr(item)[:200]


def refusal(
    function: str, item: Any, failure: Failure, total: int, masked: str = "gives it a row of zeros", drop: bool = True
) -> Exception:
    """Return the error of a molecule that cannot be read; ``masked`` is what ``errors="mask"`` does, ``drop`` whether the
    function has ``errors="drop"``."""
    kind = ValueError if isinstance(item, str) else TypeError
    remedy = f"errors='mask' {masked}" + (", errors='drop' leaves it out" if drop else "")
    return kind(
        f"{function}: molecule {failure.position} of {total} ({failure.text[:80]!r}) cannot be read: {failure.reason}; {remedy}"
    )


_WILDCARD = re.compile(r"\*|\[\d*\*(:\d+)?\]")  # an atom of any kind, which a SMILES can hold too


def clean_smiles(text: str) -> tuple[str, str]:
    """Return the stripped SMILES and an empty reason, or the reason why the text is refused without reading it."""
    stripped = strip_white(text)
    if len(stripped) > MAX_SMILES_LENGTH:
        return stripped, f"it has {len(stripped):,} characters; a SMILES of at most {MAX_SMILES_LENGTH:,} is read"
    if stripped.isascii() and stripped.isprintable() and " " not in stripped:
        return stripped, ""
    for i, character in enumerate(stripped):
        if character in " \t":
            return (
                stripped,
                f"something follows the SMILES at position {i}: {strip_white(stripped[i:])[:40]!r}; pass it apart",
            )
        if not "!" <= character <= "~":
            return (
                stripped,
                f"character {character!r} (U+{ord(character):04X}) at position {i} does not belong in a SMILES",
            )
    return stripped, ""


def clean_for_rdkit(text: str) -> tuple[str, str]:
    """Return `clean_smiles` of a text that RDKit is to read; the reason may also be that RDKit would take too long."""
    stripped, reason = clean_smiles(text)
    if reason or len(stripped) <= MAX_RDKIT_CLOSURES:
        return stripped, reason
    limits = rdkit_limits()
    rings = len(stripped) <= limits.chain and any(match[1] for match in _CLOSURE.finditer(stripped))
    longest = limits.rings if rings else limits.chain
    if len(stripped) > longest:
        kind = " of a molecule with rings" if rings else ""
        return stripped, (
            f"only RDKit could read it, which is given at most {longest:,} characters{kind}, and it has {len(stripped):,}"
        )
    closures = sum(bool(match[1]) for match in _CLOSURE.finditer(stripped)) // 2
    if closures > MAX_RDKIT_CLOSURES:
        return stripped, (
            f"only RDKit could read it, which is given at most {MAX_RDKIT_CLOSURES} ring closures, and it has {closures:,}"
        )
    return stripped, ""


def refusal_reason(text: str) -> str:
    """Return RDKit's reason for refusing a SMILES, in one line."""
    from rdkit import Chem, rdBase

    text, reason = clean_for_rdkit(text)
    if reason:
        return reason
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text, sanitize=False)
        if molecule is not None:
            problems = [problem.Message() for problem in Chem.DetectChemistryProblems(molecule)]
            return _listing(problems[:2], len(problems)) or "RDKit cannot sanitize it"
    return "not a valid SMILES (unknown atom, or unclosed ring, branch or bracket)"


def valence_reason(text: str) -> str:
    """Return `refusal_reason` without RDKit, for a SMILES that the native reader refuses for a metal's valence."""
    found = _core.valence_problems(clean_smiles(text)[0])
    if found is None:
        return refusal_reason(text)
    problems = [f"Explicit valence for atom # {a} {s}, {v}, is greater than permitted" for a, s, v in found[0]]
    return _listing(problems, found[1])


def _listing(first: list[str], count: int) -> str:
    """Return the first two problems of a molecule, and the number of further ones, as one text."""
    return "; ".join(first + ([f"and {count - 2} problems more"] if count > 2 else []))


def read_molecule(item: Any) -> tuple[Any, str]:
    """Return an RDKit molecule and an empty reason, or None and the reason why it cannot be read."""
    if not isinstance(item, str):
        if isinstance(item, _molecule_class()):
            return _checked(item)
        return None, f"needs text or an RDKit molecule, got {type(item).__name__}"
    smiles, extension = split_extension(item)
    if extension:
        molecule, _, reason = read_extended(smiles, extension)
        return molecule, reason
    from rdkit import Chem, rdBase

    text, reason = clean_for_rdkit(item)
    if reason:
        return None, reason
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text)
    return (molecule, "") if molecule is not None else (None, refusal_reason(text))


def canonical_smiles(molecule: Any) -> str:
    """Return RDKit's canonical SMILES of a molecule."""
    from rdkit import Chem

    text: str = Chem.MolToSmiles(molecule)
    return text


def split_extension(text: str) -> tuple[str, str]:
    """Return the SMILES and the extension of a CXSMILES, which stands behind it between bars; "" where there is none."""
    smiles, _, rest = strip_white(text).partition(" ")
    extension = strip_white(rest)
    return (smiles, extension) if len(extension) > 1 and extension[0] == extension[-1] == "|" else (text, "")


def read_extended(smiles: str, extension: str) -> tuple[Any, list[str], str]:
    """Return the molecule of a CXSMILES, what was made of its extension, and a reason where it cannot be read."""
    _, reason = read_molecule(smiles)
    if reason:
        return None, [], reason
    if _SEVERAL_MOLECULES.search(extension):
        return None, [], f"the extension {extension[:40]!r} describes several molecules or a polymer"
    from rdkit import Chem, rdBase

    parameters: Any = Chem.SmilesParserParams()
    parameters.strictCXSMILES = True
    parameters.parseName = False
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(f"{smiles} {extension}", parameters) if extension.isascii() else None
    if molecule is None:
        return None, [], f"RDKit cannot read the extension {extension[:40]!r}"
    said = [f"dropped the extension {extension}"]
    relative = {
        atom.GetIdx()
        for group in molecule.GetStereoGroups()
        if group.GetGroupType() != Chem.StereoGroupType.STEREO_ABSOLUTE
        for atom in group.GetAtoms()
    }
    if relative:
        molecule = Chem.RWMol(molecule)
        molecule.SetStereoGroups([])
        for index in relative:
            molecule.GetAtomWithIdx(index).SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
        Chem.AssignStereochemistry(molecule, cleanIt=True, force=True)
        said.append(f"made {len(relative)} stereocentre{'s' * (len(relative) > 1)} of a mixture unspecified")
    return molecule, said, ""


def mol_block_smiles(block: bytes) -> tuple[str, str]:
    """Return the canonical SMILES of a structure in MDL's format, V2000 or V3000, or "" and the reason why there is none."""
    from rdkit import Chem, rdBase

    counts = re.search(rb"^M  V30 COUNTS +(\d+)", block, re.MULTILINE) or re.match(rb"(?:.*\n){3} *(\d{1,3})", block)
    most = rdkit_limits().rings
    if counts is not None and int(counts[1]) > most:
        return "", f"it has {int(counts[1]):,} atoms; RDKit is given at most {most:,}"
    with rdBase.BlockLogs():
        molecule = Chem.MolFromMolBlock(block)
        if molecule is None:
            molecule = Chem.MolFromMolBlock(block, sanitize=False)
            problems = [] if molecule is None else [found.Message() for found in Chem.DetectChemistryProblems(molecule)]
            return "", _listing(problems[:2], len(problems)) or "RDKit cannot read the structure"
        if not molecule.GetNumAtoms():
            return "", "the structure has no atoms"
        # By index, which takes half the time of walking through them.
        parts: Iterator[Any] = itertools.chain(
            map(molecule.GetAtomWithIdx, range(molecule.GetNumAtoms())),
            map(molecule.GetBondWithIdx, range(molecule.GetNumBonds())),
        )
        query = next(
            (part.GetSmarts() for part in parts if part.HasQuery() and not _WILDCARD.fullmatch(part.GetSmarts())), ""
        )
        if query:
            return "", f"it is a query that stands for many molecules, with {query[:40]!r}"
        return Chem.MolToSmiles(molecule), ""


def partial_molecule(item: Any) -> Any:
    """Read a molecule without checking valences; return None if that fails too."""
    from rdkit import Chem, rdBase

    if not isinstance(item, str):
        return None
    text, reason = clean_for_rdkit(item)
    if reason:
        return None
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text, sanitize=False)
        if molecule is None:
            return None
        molecule.UpdatePropertyCache(strict=False)
        steps = Chem.SanitizeFlags.SANITIZE_ALL ^ Chem.SanitizeFlags.SANITIZE_PROPERTIES
        if Chem.SanitizeMol(molecule, steps, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
            return None
        molecule = Chem.RemoveHs(molecule, sanitize=False)
        molecule.UpdatePropertyCache(strict=False)  # the removal does not update hydrogen counts and rings
        Chem.GetSymmSSSR(molecule)
        Chem.AssignStereochemistry(molecule, cleanIt=True, force=True)  # as MolFromSmiles does; chiral bits need it
        return molecule


def _checked(molecule: Any) -> tuple[Any, str]:
    if (n := molecule.GetNumAtoms()) > MAX_RDKIT_ATOMS:
        return None, f"it has {n:,} atoms; of an RDKit molecule at most {MAX_RDKIT_ATOMS:,} are taken"
    return (molecule, "") if _is_sanitized(molecule) else (None, "the molecule is not sanitized; call Chem.SanitizeMol")


def _is_sanitized(molecule: Any) -> bool:
    """Return whether rings and valences are known; otherwise RDKit's threads would end the process."""
    if molecule.NeedsUpdatePropertyCache():
        return False
    try:
        molecule.GetRingInfo().NumRings()
    except RuntimeError:
        return False
    return True


@functools.cache
def _molecule_class() -> type:
    """Return `rdkit.Chem.Mol`, cached, because an import statement takes longer than the check of a molecule."""
    from rdkit import Chem

    return Chem.Mol


class Spelling(NamedTuple):
    """A SMILES of a molecule, and the number in the molecule of each atom of the SMILES, one byte each."""

    text: str
    order: bytes


def spelling_of(molecule: Any) -> Spelling | None:
    """Return a SMILES of a `Mol` object in the order of its atoms, as far as a SMILES can be; None if it has none.

    Molecules of more than 255 atoms have none.
    """
    from rdkit import Chem

    copy = Chem.Mol(molecule)  # RDKit writes the order into the molecule
    if not 0 < copy.GetNumAtoms() < 256:
        return None
    try:
        text = Chem.MolToSmiles(copy, canonical=False)
        order = copy.GetProp("_smilesAtomOutputOrder")
        return Spelling(text, bytes(map(int, order.strip("[,]").split(","))))
    except Exception:  # RDKit reports what is wrong with it later
        return None
