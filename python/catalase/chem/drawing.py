"""Pictures of molecules, drawn by RDKit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .._internal import storage
from .._internal.arrays import numbers
from .._internal.numbers import choice, is_whole, listed, path_of, shown, whole_number
from .._internal.report import Failure
from .reading import item_text, molecule_list, read_molecule, refusal

_MAX_DRAWN_ATOMS = 500  # the time for coordinates is quadratic, and so many atoms cannot be seen
_WIDTH, _HEIGHT = 260, 230  # pixels of a molecule with its legend
_ABOVE, _BELOW = (0.94, 0.40, 0.35), (0.40, 0.62, 0.90)  # colours of the largest contributions
_MAX_PIXELS = 32_767  # on a side of Cairo's pictures


def draw(
    smiles: Sequence[Any],
    path: str | os.PathLike[str] | None = None,
    *,
    legends: Sequence[str] | None = None,
    highlight: Sequence[Sequence[Any]] | None = None,
    contributions: Sequence[Any] | None = None,
    columns: int = 5,
    errors: str = "raise",
) -> bytes:
    """Draw molecules in a grid, and return the picture as the bytes of a PNG file.

    Parameters
    ----------
    smiles : sequence of str or rdkit.Chem.Mol
        One or more molecules.
    path : path, optional
        A file into which the picture is written; it is replaced by one rename.
    legends : sequence of str, optional
        A text below each molecule; by default none.
    highlight : sequence, optional
        For each molecule the matches to mark: tuples of atoms as `catalase.ops.substructure` gives them with
        ``what="atoms"``. The bonds between the atoms of a match are marked with them.
    contributions : sequence, optional
        For each molecule a number for each of its atoms, as `catalase.explain.atoms` gives them, or None: atoms above 0 are
        red, those below 0 blue, on one scale for all molecules. Not together with ``highlight``.
    columns : int
        Molecules in a row, at most 126.
    errors : {"raise", "mask", "drop"}
        Treatment of a molecule that cannot be read: raise an error, leave its place blank with a legend that says so, or
        leave it out with its legend.

    Returns
    -------
    bytes
        In a notebook, ``IPython.display.Image(ct.chem.draw(smiles))`` shows it.

    Raises
    ------
    TypeError, ValueError
        As `read`; also where there are no molecules, too many for one picture (142 rows), not as many legends, matches or
        contributions, or an atom that a molecule does not have.

    Notes
    -----
    A molecule of more than 500 atoms is left blank, and its legend says so. Molecules are drawn as copies: coordinates of a
    `Mol` object stay as they are.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.chem.draw(["CCO", "c1ccccc1"], "grid.png", legends=["ethanol", "benzene"])[:4]
    b'\\x89PNG'
    >>> matches = ct.ops.substructure(["CCO", "OCCO"], ["[OX2H]"], what="atoms")
    >>> picture = ct.chem.draw(["CCO", "OCCO"], highlight=[of_molecule[0] for of_molecule in matches])
    """
    items = molecule_list("draw", smiles)
    file = None if path is None else path_of("draw", "path", path)
    texts = [""] * len(items) if legends is None else listed("draw", "legends", legends, "texts")
    columns = whole_number("draw", "columns", columns, 1, _MAX_PIXELS // _WIDTH)
    choice("draw", "errors", errors, ("raise", "mask", "drop"))
    if not items or len(items) > columns * (_MAX_PIXELS // _HEIGHT):
        most = columns * (_MAX_PIXELS // _HEIGHT)
        raise ValueError(
            f"draw: smiles must have 1 to {most:,} molecules for {columns} columns, got {len(items):,}; draw a part of them"
        )
    if len(texts) != len(items) or not all(isinstance(text, str) for text in texts):
        raise ValueError(
            f"draw: legends must have a text for each of the {len(items):,} molecules, got {shown(legends)}; "
            "use '' where there is none"
        )
    marks = [()] * len(items) if highlight is None else listed("draw", "highlight", highlight, "lists of matches")
    if len(marks) != len(items):
        raise ValueError(
            f"draw: highlight must have the matches of each of the {len(items):,} molecules, got {shown(highlight)}; use () "
            "where there is none"
        )
    parts: list[Any] = [None] * len(items)
    if contributions is not None:
        parts = listed("draw", "contributions", contributions, "numbers for each atom")
        if len(parts) != len(items) or highlight is not None:
            raise ValueError(
                f"draw: contributions must have the numbers of each of the {len(items):,} molecules, without highlight, got "
                f"{shown(contributions)}; use None where there are none"
            )
    molecules, kept, marked, values = [], [], [], []
    for position, (item, text, mark) in enumerate(zip(items, texts, marks, strict=True)):
        molecule, reason = read_molecule(item)
        if reason and errors == "raise":
            raise refusal(
                "draw", item, Failure(position, item_text(item), reason), len(items), "gives a blank in its place"
            )
        if reason and errors == "drop":
            continue
        molecules.append(molecule)
        kept.append(f"{text} (cannot be read)" if reason else text)
        marked.append([] if reason else _matches(position, mark, molecule.GetNumAtoms()))
        values.append(None if reason else _contributions(position, parts[position], molecule.GetNumAtoms()))
    if not molecules:
        raise ValueError(
            "draw: none of the molecules in smiles can be read; read them with return_report=True to see why"
        )
    picture = _picture(molecules, kept, columns, marked, values)
    if file is not None:
        storage.write_file_atomic(file, lambda binary: cast(None, binary.write(picture)))
    return picture


def _matches(position: int, given: Any, atoms: int) -> list[tuple[int, ...]]:
    """Return the matches of a molecule as tuples of its atoms."""
    matches = []
    for match in listed("draw", "highlight", given, "matches"):
        match = tuple(listed("draw", "highlight", match, "atoms"))
        wrong = next((atom for atom in match if not is_whole(atom) or not 0 <= atom < atoms), None)
        if wrong is not None:
            raise ValueError(
                f"draw: highlight names atom {shown(wrong)} of molecule {position}, which has atoms 0 to {atoms - 1}"
            )
        matches.append(tuple(map(int, match)))
    return matches


def _contributions(position: int, given: Any, atoms: int) -> NDArray[np.float64] | None:
    """Return the numbers of a molecule's atoms; None where there are none."""
    if given is None:
        return None
    values = numbers("draw", "contributions", given)
    if values.shape != (atoms,) or not np.isfinite(values).all():
        raise ValueError(
            f"draw: contributions must have a finite number for each of the {atoms} atoms of molecule {position}, got "
            f"{shown(given)}"
        )
    return values.astype(np.float64)


def molecule_grid(path: str, mols: Sequence[Any], legends: Sequence[str], *, columns: int = 5) -> None:
    """Draw RDKit molecules in a grid with a legend below each, five to a row, as a PNG file."""
    picture = _picture(mols, legends, columns)
    storage.write_file_atomic(path, lambda file: cast(None, file.write(picture)))


def molecule_svg(smiles: str, width: int = 260, height: int = 200, contributions: Any = None) -> bytes | None:
    """Return a drawing of a molecule as an SVG file; None where it cannot be read, or has too many atoms to be seen.

    ``contributions`` colour its atoms, as in `draw`.
    """
    from rdkit.Chem.Draw import rdMolDraw2D

    molecule, _ = read_molecule(smiles)
    if molecule is None or not 0 < molecule.GetNumAtoms() <= _MAX_DRAWN_ATOMS:
        return None
    drawer = rdMolDraw2D.MolDraw2DSVG(width, height)
    options: Any = drawer.drawOptions()
    options.clearBackground = False
    if contributions is None:
        drawer.DrawMolecule(molecule)
    else:
        _make_room_for_colours(options)
        atoms, bonds = _colours(molecule, contributions, float(np.abs(contributions).max()))
        drawer.DrawMolecule(
            molecule,
            highlightAtoms=list(atoms),
            highlightAtomColors=atoms,
            highlightBonds=list(bonds),
            highlightBondColors=bonds,
        )
    drawer.FinishDrawing()
    picture: str = drawer.GetDrawingText()
    return picture.encode()


def _make_room_for_colours(options: Any) -> None:
    """Widen what is behind coloured atoms and bonds, so that the colours can be told apart."""
    options.highlightRadius, options.highlightBondWidthMultiplier = 0.4, 18


_Colours = dict[int, tuple[float, float, float]]


def _colours(molecule: Any, values: NDArray[np.float64], most: float) -> tuple[_Colours, _Colours]:
    """Return the colours of atoms and bonds: red above 0, blue below, white at 0; a bond has the mean of its atoms."""

    def colour(value: float) -> tuple[float, float, float]:
        end = _ABOVE if value > 0 else _BELOW
        share = abs(value) / most if most > 0 else 0.0
        red, green, blue = (1 - share * (1 - part) for part in end)
        return red, green, blue

    atoms = {atom: colour(value) for atom, value in enumerate(values.tolist())}
    bonds = {}
    for bond in molecule.GetBonds():
        ends = values[[bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()]]
        bonds[bond.GetIdx()] = colour(float(ends.mean()))
    return atoms, bonds


def _picture(
    mols: Sequence[Any],
    legends: Sequence[str],
    columns: int,
    matches: Sequence[Sequence[tuple[int, ...]]] = (),
    values: Sequence[NDArray[np.float64] | None] = (),
) -> bytes:
    """Return a grid of molecules as PNG; None is left blank, and so is a molecule of too many atoms, whose legend says so.

    The atoms of ``matches``, and the bonds between those of one match, are marked; those of ``values`` are coloured.
    """
    from rdkit import Chem
    from rdkit.Chem import rdDepictor
    from rdkit.Chem.Draw import rdMolDraw2D

    drawn, legends, atoms, bonds = [], list(legends), [], []
    for i, mol in enumerate(mols):
        large = mol is not None and mol.GetNumAtoms() > _MAX_DRAWN_ATOMS
        if large:
            legends[i] = f"{legends[i]} (not drawn: {mol.GetNumAtoms():,} atoms)"
        blank = large or mol is None
        drawn.append(Chem.Mol() if blank else Chem.Mol(mol))
        found = [] if blank or not matches else [set(match) for match in matches[i]]
        atoms.append(sorted(set().union(*found)))
        ends = [(bond.GetIdx(), {bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()}) for bond in drawn[-1].GetBonds()]
        bonds.append([bond for bond, pair in ends if any(pair <= match for match in found)])
        rdDepictor.Compute2DCoords(drawn[-1])
    rows = -(-len(drawn) // columns)
    drawer = rdMolDraw2D.MolDraw2DCairo(columns * _WIDTH, rows * _HEIGHT, _WIDTH, _HEIGHT)
    options: Any = drawer.drawOptions()
    options.legendFontSize = 17
    options.padding = 0.08
    if any(part is not None for part in values):
        _make_room_for_colours(options)
        most = max((float(np.abs(part).max()) for part in values if part is not None and len(part)), default=0.0)
        coloured = [
            ({}, {}) if part is None or not mol.GetNumAtoms() else _colours(mol, part, most)
            for mol, part in zip(drawn, values, strict=True)
        ]
        drawer.DrawMolecules(
            drawn,
            legends=legends,
            highlightAtoms=[list(of_atoms) for of_atoms, _ in coloured],
            highlightBonds=[list(of_bonds) for _, of_bonds in coloured],
            highlightAtomColors=[of_atoms for of_atoms, _ in coloured],
            highlightBondColors=[of_bonds for _, of_bonds in coloured],
        )
    elif any(atoms):
        drawer.DrawMolecules(drawn, legends=legends, highlightAtoms=atoms, highlightBonds=bonds)
    else:
        drawer.DrawMolecules(drawn, legends=legends)
    drawer.FinishDrawing()
    picture: bytes = drawer.GetDrawingText()
    return picture
