"""The CUDA backend: the launches of the kernels in the folder ``cuda/``, in one file a family with the family's name.

`CudaBackend` (backend.py) has all kernel calls of the protocol; `CupyBackend` (cupy_backend.py) launches them through CuPy,
with kernels that compile.py finds or compiles; capture.py replays training steps as CUDA graphs. CuPy is imported when a
device is requested or a CuPy array is passed in.
"""

from __future__ import annotations

from .device import describe_device, require_cuda

__all__ = ["describe_device", "require_cuda"]
