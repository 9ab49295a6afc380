"""CUDA kernels for arrays that live on a GPU: the other half of `catalase.ops`.

``runtime_of`` says which runtime owns an array; a family's module (``matmul``, ``elementwise``, ...) checks inputs, works
out launch shapes and launches kernels of the folder ``cuda/`` through it. Nothing here imports CuPy before an array of
CuPy's has come in or somebody asks for the device.
"""

from __future__ import annotations

from ._arrays import is_device_array, runtime_of
from ._device import describe_device, require_cuda

__all__ = ["describe_device", "is_device_array", "require_cuda", "runtime_of"]
