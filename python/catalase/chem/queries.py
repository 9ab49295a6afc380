"""RDKit's query molecules: reading a SMARTS, and a SMARTS that is the same query as a molecule."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from typing import Any

MAX_SMARTS_LENGTH = 10_000  # characters


def query_of(smarts: str) -> Any:
    """Return RDKit's query of a SMARTS, or None if it cannot be read."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        return Chem.MolFromSmarts(smarts)


def compared_smarts(query: Any, *, in_order: bool = True) -> str | None:
    """Return a SMARTS that is the same query as an RDKit molecule, "" if there is none, None for another object.

    ``in_order`` asks for the same order of atoms and bonds too, which decides the order of matches.
    """
    from rdkit import Chem

    if not isinstance(query, Chem.Mol):
        return None
    smarts: str = Chem.MolToSmarts(query)
    again = query_of(smarts) if smarts else None
    if again is None:
        return ""
    ours, theirs = ([_described(part, in_order) for part in _parts(q)] for q in (query, again))
    roots = in_order or all(order[:1] == [0] for _, _, order in ours[1:])  # of recursive queries
    same = roots and [part[:2] for part in ours] == [part[:2] for part in theirs]
    return smarts if same else ""


def maccs_patterns() -> dict[int, tuple[str, int]]:
    """Return the SMARTS of each MACCS key, and the number of matches that it must exceed.

    They are read from the text of the module ``MACCSkeys`` of the installed RDKit, which takes long to import. "?" is no
    SMARTS.
    """
    import rdkit

    path = os.path.join(os.path.dirname(rdkit.__file__), "Chem", "MACCSkeys.py")
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "smartsPatts":
            patterns: dict[int, tuple[str, int]] = ast.literal_eval(statement.value)
            return patterns
    raise RuntimeError(f"{path} has no smartsPatts, the patterns of the MACCS keys; install RDKit again")


def alternatives(smarts: str) -> list[str]:
    """Return the patterns one of which matches where "[$(...),$(...)]" matches; of another SMARTS, itself."""
    parts, outside, depth = [""], "", 0  # what is in parentheses, and what is not
    for character in smarts:
        depth -= character == ")"
        if depth == 0:
            outside += character
            if character == ",":
                parts.append("")
        else:
            parts[-1] += character
        depth += character == "("
    return parts if re.fullmatch(r"\[\$\(\)(,\$\(\))*\]", outside) else [smarts]


_BINARY_MARK = b"\xef\xbe\xad\xde"  # the beginning of RDKit's binary form of a molecule


def _parts(query: Any) -> Iterator[Any]:
    """Yield a query and its recursive queries, which its binary form holds in the order of the atoms."""
    from rdkit import Chem

    binary = query.ToBinary()
    for mark in re.finditer(re.escape(_BINARY_MARK), binary):
        yield Chem.Mol(binary[mark.start() :])


def _described(part: Any, in_order: bool) -> tuple[list[Any], list[Any], list[int]]:
    """Return the expressions of a query's atoms and bonds, and the order in which its SMARTS has the atoms.

    Unless ``in_order`` is true, the atoms are in that order, and the bonds are sorted.
    """
    from rdkit import Chem

    order = list(range(part.GetNumAtoms()))
    if not in_order:
        Chem.MolToSmarts(part)
        order = [int(atom) for atom in part.GetPropsAsDict(True, True)["_smilesAtomOutputOrder"]]
    place = {atom: i for i, atom in enumerate(order)}
    atoms = [_expression(part.GetAtomWithIdx(atom)) for atom in order]
    ends = [sorted((place[bond.GetBeginAtomIdx()], place[bond.GetEndAtomIdx()])) for bond in part.GetBonds()]
    bonds = [(*pair, _expression(bond)) for pair, bond in zip(ends, part.GetBonds(), strict=True)]
    return atoms, bonds if in_order else sorted(bonds), order


def _expression(item: Any) -> list[Any]:
    """Return the expression of a query atom or bond as lists; "a and (b and c)" is "a and b and c"."""
    text: str = item.DescribeQuery()
    # The two primitives have the same meaning, and the same SMARTS.
    lines = text.replace("AtomInRing 1 ", "AtomInNRings -1 ").splitlines()
    stack: list[list[Any]] = [[]]
    for line in lines:
        term = line.lstrip(" ")
        del stack[(len(line) - len(term)) // 2 + 1 :]
        stack[-1].append([term])
        stack.append(stack[-1][-1])
    return _flat(stack[0])


def _flat(terms: list[Any]) -> list[Any]:
    flat: list[Any] = terms[:1] if terms and isinstance(terms[0], str) else []
    for term in terms[len(flat) :]:
        inner = _flat(term)
        joined = flat and inner[0] == flat[0] and inner[0] in ("AtomAnd", "AtomOr", "BondAnd", "BondOr")
        flat += inner[1:] if joined else [inner]
    return flat
