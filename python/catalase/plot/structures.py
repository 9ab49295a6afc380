"""Pictures of molecules on axes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from .. import chem
from .figure import axes_of


def molecules(
    smiles: Sequence[Any],
    *,
    legends: Sequence[str] | None = None,
    contributions: Sequence[Any] | None = None,
    columns: int = 5,
    errors: str = "raise",
    ax: Any = None,
) -> Any:
    """Draw molecules in a grid.

    Parameters
    ----------
    smiles : sequence of str or rdkit.Chem.Mol
    legends, contributions, columns, errors
        As of `catalase.chem.draw`, which draws them.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Without ticks and frame.

    Raises
    ------
    ImportError
        Where matplotlib is not installed.
    TypeError, ValueError
        As `catalase.chem.draw`.

    Examples
    --------
    >>> import catalase as ct
    >>> ax = ct.plot.molecules(["CCO", "c1ccccc1"], legends=["ethanol", "benzene"])
    """
    picture = chem.draw(smiles, legends=legends, contributions=contributions, columns=columns, errors=errors)
    ax = axes_of("molecules", ax)
    from matplotlib.image import imread

    ax.imshow(imread(io.BytesIO(picture), format="png"))
    ax.set_axis_off()
    return ax
