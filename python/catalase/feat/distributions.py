"""DeepChem's distributions of descriptors, from an installed DeepChem: the table is not part of Catalase."""

from __future__ import annotations

import ast
import importlib.util
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TABLE = "desc_norm_params"


def distributions(where: str) -> dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]]:
    """Return for each descriptor the function that gives the share of molecules with a smaller value."""
    path = _module()
    if path is None:
        raise ValueError(
            f"{where}: is_normalized=True needs DeepChem's distributions, which are read from an installed DeepChem (pip "
            "install deepchem); catalase.trans.NormalizationTransformer(transform_X=True) scales by the data"
        )
    try:
        from scipy import stats
    except ImportError:
        raise ValueError(f"{where}: is_normalized=True needs SciPy; pip install scipy") from None
    with open(path, encoding="utf-8") as file:
        table = _table(file.read())
    if not table:
        raise ValueError(f"{where}: this DeepChem has no table of distributions ({_TABLE} in {path})")
    return {name: _share(getattr(stats, kind), *rest) for name, (kind, *rest) in table.items()}


def _module() -> str | None:
    """Return the file of DeepChem's table, without importing DeepChem, which takes seconds."""
    found = importlib.util.find_spec("deepchem")
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        path = os.path.join(folder, "utils", "rdkit_utils.py")
        if os.path.exists(path):
            return path
    return None


class _Infinity(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.copy_location(ast.Constant(float("inf")), node) if node.id == "inf" else node


def _table(text: str) -> dict[str, Any]:
    """Return name -> (distribution of scipy.stats, its parameters, least, most, mean, deviation)."""
    for node in ast.walk(ast.parse(text)):
        targets = [getattr(target, "id", "") for target in node.targets] if isinstance(node, ast.Assign) else []
        if _TABLE in targets and isinstance(node, ast.Assign):
            return dict(ast.literal_eval(_Infinity().visit(node.value)))
    return {}


def _share(
    distribution: Any, parameters: Any, least: float, most: float, *_: float
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    *shape, location, scale = parameters

    def share(values: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = np.clip(values, least, most)
        return np.clip(distribution.cdf(inside, *shape, loc=location, scale=scale), 0.0, 1.0)

    return share
