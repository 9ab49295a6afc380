"""Pictures of molecules, by RDKit alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from ._internal import storage

_MAX_ATOMS = 500  # of a molecule that is drawn: coordinates take time with the square, and nobody sees the atoms


def molecule_grid(path: str, mols: Sequence[Any], legends: Sequence[str], *, columns: int = 5) -> None:
    """Draw molecules in a grid with a legend below each, five to a row, as a PNG file.

    A molecule of more than 500 atoms is left blank, and its legend says so.
    """
    from rdkit import Chem
    from rdkit.Chem import rdDepictor
    from rdkit.Chem.Draw import rdMolDraw2D

    mols, legends = list(mols), list(legends)
    for i, mol in enumerate(mols):
        if mol.GetNumAtoms() > _MAX_ATOMS:
            legends[i] = f"{legends[i]} (not drawn: {mol.GetNumAtoms():,} atoms)"
            mols[i] = Chem.Mol()
    rows = -(-len(mols) // columns)
    drawer = rdMolDraw2D.MolDraw2DCairo(columns * 260, rows * 230, 260, 230)
    options: Any = drawer.drawOptions()
    options.legendFontSize = 17
    options.padding = 0.08
    for mol in mols:
        rdDepictor.Compute2DCoords(mol)
    drawer.DrawMolecules(mols, legends=legends)
    drawer.FinishDrawing()
    picture: bytes = drawer.GetDrawingText()
    storage.write_file_atomic(path, lambda file: cast(None, file.write(picture)))
