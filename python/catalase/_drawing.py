"""Pictures of molecules, by RDKit alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from . import _storage


def molecule_grid(path: str, mols: Sequence[Any], legends: Sequence[str], *, columns: int = 5) -> None:
    """Draw molecules in a grid with a legend below each, five to a row, as a PNG file."""
    from rdkit.Chem import rdDepictor
    from rdkit.Chem.Draw import rdMolDraw2D

    rows = -(-len(mols) // columns)
    drawer = rdMolDraw2D.MolDraw2DCairo(columns * 260, rows * 230, 260, 230)
    options: Any = drawer.drawOptions()
    options.legendFontSize = 17
    options.padding = 0.08
    for mol in mols:
        rdDepictor.Compute2DCoords(mol)
    drawer.DrawMolecules(list(mols), legends=list(legends))
    drawer.FinishDrawing()
    picture: bytes = drawer.GetDrawingText()
    _storage.write_file_atomic(path, lambda file: cast(None, file.write(picture)))
