"""Catalase: a compiled deep-learning backend for the life sciences.

``import catalase as ct`` loads the compiled kernels, nothing else; NumPy comes with the first array. Everything above the
kernels (``ct.nn``, ``ct.data``, ``ct.models``, ``ct.molnet`` ...) is loaded when it is first named.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ._internal import interpreter as _interpreter  # noqa: F401  # isort: skip  # first: refuses a subinterpreter, in which NumPy and the kernels hang
from . import _core
from ._internal.config import get_matmul_precision, get_num_threads, set_matmul_precision, set_num_threads
from ._internal.lazy import attach

__version__: str = _core.__version__

with contextlib.suppress(ImportError):  # only where threadpoolctl is installed: a small module, 2 ms
    from ._internal.threadpoolctl import register as _register

    _register()

# Names that load on first use: submodules, and the few classes that stand at the top level.
_SUBMODULES = (
    "autograd",
    "chem",
    "cluster",
    "data",
    "explain",
    "feat",
    "hyper",
    "interop",
    "metrics",
    "models",
    "molnet",
    "nn",
    "ops",
    "optim",
    "plot",
    "screening",
    "sklearn",
    "splits",
    "train",
    "trans",
)
_ATTRIBUTES = {
    "FingerprintIndex": "fingerprint_index",
    "Tensor": "autograd",
    "from_dlpack": "autograd",
    "no_grad": "autograd",
    "screen": "screening",
    "show_config": "backends.description",
}

if TYPE_CHECKING:
    from . import (
        autograd,
        chem,
        cluster,
        data,
        explain,
        feat,
        hyper,
        interop,
        metrics,
        models,
        molnet,
        nn,
        ops,
        optim,
        plot,
        screening,
        sklearn,
        splits,
        train,
        trans,
    )
    from .autograd import Tensor, from_dlpack, no_grad
    from .backends.description import show_config
    from .fingerprint_index import FingerprintIndex
    from .screening import screen

__all__ = [
    "FingerprintIndex",
    "Tensor",
    "__version__",
    "autograd",
    "chem",
    "cluster",
    "data",
    "explain",
    "feat",
    "from_dlpack",
    "hyper",
    "interop",
    "get_matmul_precision",
    "get_num_threads",
    "metrics",
    "models",
    "molnet",
    "nn",
    "no_grad",
    "ops",
    "optim",
    "plot",
    "screen",
    "screening",
    "set_matmul_precision",
    "set_num_threads",
    "show_config",
    "sklearn",
    "splits",
    "train",
    "trans",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(__name__, _SUBMODULES, _ATTRIBUTES)
