"""``catalase demo``: a small virtual screening on measured molecules that every RDKit wheel carries.

The demo loads and cleans, featurizes, splits by scaffold, trains an ensemble with early stopping, compares it with three
baselines, saves and loads it, screens a library, and draws. ``workflow.py`` has the settings of the net, and tells how they
were chosen.
"""

from __future__ import annotations

from .workflow import run_demo

__all__ = ["run_demo"]
