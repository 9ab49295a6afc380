"""Settings of the whole process: the number of threads, and the precision of matrix products on a GPU."""

from __future__ import annotations

import os
import sys

from .. import _core


def set_num_threads(n: int) -> None:
    """Set how many threads the kernels use. The results do not change by a bit.

    Parameters
    ----------
    n : int
        1 or more. The initial value is ``CATALASE_NUM_THREADS``, or the number of cores that this process may use
        under its affinity mask and container quota; in a worker process of joblib as many as joblib allots to it.

    Raises
    ------
    TypeError, ValueError
        If ``n`` is not a whole number, or is below 1.

    Examples
    --------
    >>> import catalase as ct
    >>> before = ct.get_num_threads()
    >>> ct.set_num_threads(1)
    >>> ct.get_num_threads()
    1
    >>> ct.set_num_threads(before)
    """
    from .._internal.numbers import whole_number

    _core.set_num_threads(whole_number("set_num_threads", "n", n, 1, 4096))


def get_num_threads() -> int:
    """Return how many threads the kernels use."""
    return _core.get_num_threads()


_PRECISIONS = ("float32", "tf32", "bf16")
_matmul_precision = "float32"


def set_matmul_precision(precision: str) -> None:
    """Choose how a GPU multiplies float32 matrices: as the CPU does, or on tensor cores, faster and less precisely.

    The setting applies to `catalase.ops.matmul`, `catalase.ops.linear` and their gradients on device arrays, in the whole
    process. It changes nothing on the CPU, nor in products that gather rows (packed bits, `catalase.ops.as_sparse`),
    convolutions, recurrent cells and all other operations.

    Parameters
    ----------
    precision : {"float32", "tf32", "bf16"}
        "float32", the default, computes the CPU's operations in the CPU's order. "tf32" rounds the factors to 11
        significant bits (relative error 2**-11 each), "bf16" to 8 (relative error 2**-8 each). For both, products are
        exact, sums are float32, and inputs and outputs stay float32 arrays.

    Raises
    ------
    TypeError, ValueError
        If ``precision`` is none of these.

    Notes
    -----
    "tf32" and "bf16" need a GPU of compute capability 8.0 or above; a product on another one raises a RuntimeError. As
    with "float32" the bits do not depend on the grid, nor on which other rows are present; a captured CUDA graph keeps the
    precision that it was captured with.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.set_matmul_precision("tf32")
    >>> ct.get_matmul_precision()
    'tf32'
    >>> ct.set_matmul_precision("float32")
    """
    global _matmul_precision
    if not isinstance(precision, str):
        raise TypeError(f"set_matmul_precision: precision must be a string, got {type(precision).__name__}")
    if precision not in _PRECISIONS:
        raise ValueError(f"set_matmul_precision: precision must be one of {', '.join(_PRECISIONS)}, got {precision!r}")
    _matmul_precision = precision


def get_matmul_precision() -> str:
    """Return how a GPU multiplies float32 matrices: "float32", "tf32" or "bf16"."""
    return _matmul_precision


def _share_cores() -> None:
    """In a worker process of joblib, use as many threads as it allots, which it says by a variable that OpenMP reads."""
    if "joblib" not in sys.modules or "CATALASE_NUM_THREADS" in os.environ:
        return
    from multiprocessing import current_process

    allotted = os.environ.get("OMP_NUM_THREADS", "")
    if type(current_process()).__name__ == "LokyProcess" and allotted.isdecimal():
        _core.set_num_threads(max(1, min(int(allotted), _core.get_num_threads())))


_share_cores()
