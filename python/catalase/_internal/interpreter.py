"""This module refuses to be imported in a subinterpreter, because NumPy and the kernels hang or crash there."""

from __future__ import annotations

import importlib
import sys


def in_main_interpreter() -> bool:
    """Return whether this is the process's first interpreter; True where Python cannot tell."""
    try:
        interpreters = importlib.import_module("_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters")
    except ImportError:
        return True
    return bool(interpreters.get_current() == interpreters.get_main())


if not in_main_interpreter():
    raise ImportError(
        "catalase cannot be imported in a subinterpreter, because NumPy and the compiled kernels work in the main "
        "interpreter only; use threads (kernels run without Python's lock) or processes instead"
    )
