"""``catalase demo``: a small virtual screening on measured molecules that every RDKit wheel carries.

The demo loads and cleans, trains an `AutoModel` and tests it on scaffolds that it never saw, beside baselines, saves and loads
it with its report, screens a library, and draws.
"""

from __future__ import annotations

from .workflow import run_demo

__all__ = ["run_demo"]
