"""MoleculeNet: benchmark tables of molecules, featurized, split and transformed in one call.

Wu et al., "MoleculeNet: a benchmark for molecular machine learning", Chem. Sci. 9 (2018) 513, doi:10.1039/C7SC02664A.
"""

from __future__ import annotations

from .loaders import (
    load_bace_classification,
    load_bace_regression,
    load_bbbp,
    load_clintox,
    load_delaney,
    load_freesolv,
    load_lipo,
    load_sampl,
    load_sider,
    load_tox21,
)

__all__ = [
    "load_bace_classification",
    "load_bace_regression",
    "load_bbbp",
    "load_clintox",
    "load_delaney",
    "load_freesolv",
    "load_lipo",
    "load_sampl",
    "load_sider",
    "load_tox21",
]
