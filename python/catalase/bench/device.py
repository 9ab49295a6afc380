"""Where a case runs: on the CPU, or on a device whose runtime has a name."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Device:
    """Takes arrays, nets and tensors there, and results back.

    Attributes
    ----------
    name : str
        For Catalase: "cpu", "cuda".
    torch_name : str
        For PyTorch.
    """

    name: str = "cpu"
    torch_name: str = "cpu"

    def array(self, x: NDArray[Any]) -> Any:
        """An array of Catalase's."""
        if self.name == "cpu":
            return x
        from ..backends import backend_named

        return backend_named(self.name, "bench").array(x)

    def tensor(self, x: NDArray[Any]) -> Any:
        """A tensor of PyTorch's, over the same memory where that is the CPU's."""
        import torch

        return torch.from_numpy(x).to(self.torch_name)

    def numpy(self, x: Any) -> NDArray[Any]:
        """A result of either as NumPy's; waits for the device."""
        from ..backends import to_host

        if hasattr(x, "detach") and hasattr(x, "cpu"):
            x = x.detach().cpu()
        x = x.numpy() if hasattr(x, "numpy") else x
        return np.asarray(to_host(x))

    def module(self, net: Any) -> Any:
        """A net of Catalase's, moved there."""
        return net.to(self.name)

    def set_precision(self, precision: str) -> None:
        """Products in float32 or TF32, for all libraries: PyTorch would take TF32 in cuDNN unasked."""
        from .._internal.config import set_matmul_precision

        set_matmul_precision(precision)
        if self.torch_name == "cuda":
            import torch

            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
            torch.backends.cudnn.benchmark = True  # its fastest kernels, not its first guess

    def stream(self) -> AbstractContextManager[Any]:
        """A stream of Catalase's own for all that follows, which graphs can be captured on."""
        from ..backends import backend_named

        return backend_named(self.name, "bench").capturing_stream()

    def synchronize(self) -> None:
        """Wait for all that was started."""
        if self.name == "cuda":
            import cupy

            cupy.cuda.Device().synchronize()


CPU = Device()
DEVICES = {"cpu": CPU, "cuda": Device("cuda", "cuda")}
