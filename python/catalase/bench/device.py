"""`Device`: the CPU or a GPU that a case runs on."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Device:
    """Moves arrays, nets and tensors to a device, and results back.

    Attributes
    ----------
    name : str
        Catalase's name, "cpu" or "cuda".
    torch_name : str
        PyTorch's name.
    """

    name: str = "cpu"
    torch_name: str = "cpu"

    def array(self, x: NDArray[Any]) -> Any:
        """Return an array for Catalase."""
        if self.name == "cpu":
            return x
        from ..backends import backend_named

        return backend_named(self.name, "bench").array(x)

    def tensor(self, x: NDArray[Any]) -> Any:
        """Return a tensor for PyTorch, on the CPU over the same memory."""
        import torch

        return torch.from_numpy(x).to(self.torch_name)

    def numpy(self, x: Any) -> NDArray[Any]:
        """Return a result of either library as a NumPy array, after waiting for the device."""
        from ..backends import to_host

        if hasattr(x, "detach") and hasattr(x, "cpu"):
            x = x.detach().cpu()
        x = x.numpy() if hasattr(x, "numpy") else x
        return np.asarray(to_host(x))

    def module(self, net: Any) -> Any:
        """Return a net of Catalase, moved to the device."""
        return net.to(self.name)

    def set_precision(self, precision: str) -> None:
        """Compute products in float32 or TF32 in all libraries; by default PyTorch lets cuDNN use TF32."""
        from .._internal.config import set_matmul_precision

        set_matmul_precision(precision)
        if self.torch_name == "cuda":
            import torch

            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
            torch.backends.cudnn.benchmark = True  # so that cuDNN chooses its fastest kernels by measuring

    def stream(self) -> AbstractContextManager[Any]:
        """Return a separate stream for Catalase, on which CUDA graphs can be captured."""
        from ..backends import backend_named

        return backend_named(self.name, "bench").capturing_stream()

    def synchronize(self) -> None:
        """Wait until the device has done all its work."""
        if self.name == "cuda":
            import cupy

            cupy.cuda.Device().synchronize()


CPU = Device()
DEVICES = {"cpu": CPU, "cuda": Device("cuda", "cuda")}
