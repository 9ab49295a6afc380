"""Why a molecule is refused: RDKit's words, from RDKit, or from the native reader where it knows them."""

from __future__ import annotations


def clean_smiles(text: str) -> tuple[str, str]:
    """Return the stripped SMILES and an empty reason, or the reason why the text is refused before chemistry."""
    stripped = text.strip(" \t\n\r\x0b\x0c")
    if stripped.isascii() and stripped.isprintable() and " " not in stripped:
        return stripped, ""
    for i, character in enumerate(stripped):
        if character in " \t":
            return (
                stripped,
                f"something follows the SMILES at position {i}: {stripped[i:].strip()[:40]!r}; pass it apart",
            )
        if not "!" <= character <= "~":
            return (
                stripped,
                f"character {character!r} (U+{ord(character):04X}) at position {i} does not belong in a SMILES",
            )
    return stripped, ""


def why(text: str) -> str:
    """RDKit's reason for refusing a SMILES, in one line."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text, sanitize=False)
        if molecule is not None:
            problems = [problem.Message() for problem in Chem.DetectChemistryProblems(molecule)]
            return _joined(problems[:2], len(problems)) or "RDKit cannot sanitize it"
    return "not a valid SMILES (unknown atom, or unclosed ring, branch or bracket)"


def valence_reason(text: str) -> str:
    """The same, without RDKit, for a SMILES that the native reader knows to be refused for a metal's valence."""
    from .. import _core

    found = _core.valence_problems(clean_smiles(text)[0])
    if found is None:
        return why(text)
    problems = [f"Explicit valence for atom # {a} {s}, {v}, is greater than permitted" for a, s, v in found[0]]
    return _joined(problems, found[1])


def _joined(first: list[str], count: int) -> str:
    """The first two problems of a molecule, and how many there are beyond."""
    return "; ".join(first + ([f"and {count - 2} problems more"] if count > 2 else []))
