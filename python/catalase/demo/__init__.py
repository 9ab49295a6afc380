"""``catalase demo``: virtual screening in miniature, on measured molecules that every RDKit wheel carries.

Load and clean, featurize, split by scaffold, train an ensemble with early stopping, compare with three baselines, save and
load, screen a library, draw. The settings of the net stand in ``_workflow.py`` with how they were chosen.
"""

from __future__ import annotations

from .workflow import run_demo

__all__ = ["run_demo"]
