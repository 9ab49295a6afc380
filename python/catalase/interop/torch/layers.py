"""Dense and convolutional layers under PyTorch's names, with its arguments, start values, state dicts and layouts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ...nn import functional
from ...ops.linear import sparse_from_entries
from .functions import array_of, check_input, function

_linear = function("linear", keeps_output=False)
_conv1d = function("conv1d", keeps_output=False)
_conv2d = function("conv2d", keeps_output=False)


class Linear(torch.nn.Linear):
    """`torch.nn.Linear` on this library's kernels, which skip what is zero where few entries of the input are not.

    Examples
    --------
    >>> import torch, catalase as ct
    >>> layer = ct.interop.torch.Linear(3, 4)
    >>> layer.load_state_dict(torch.nn.Linear(3, 4).state_dict())
    <All keys matched successfully>
    >>> layer(torch.ones(2, 3)).shape
    torch.Size([2, 4])
    """

    def forward(self, input: Any) -> Any:
        """Return ``input @ weight.T + bias``, for an input (..., in_features)."""
        check_input(self, input)
        if input.ndim == 0 or input.shape[-1] != self.in_features:
            raise ValueError(
                f"{type(self).__name__}: input must have {self.in_features} values along the last axis, got shape "
                f"{tuple(input.shape)}"
            )
        rows = input.unsqueeze(0) if input.ndim == 1 else input
        found = _linear(rows, self.weight.t(), self.bias)
        return found.squeeze(0) if input.ndim == 1 else found


class SparseLinear(Linear):
    """A dense layer for inputs that are mostly zeros: sparse tensors (CSR or COO), packed bits, or dense ones.

    Parameters
    ----------
    in_features, out_features, bias, device, dtype
        As for `torch.nn.Linear`, whose state dict it has.

    Notes
    -----
    Packed bits are uint8 (N, in_features / 8), as `catalase.feat` packs fingerprints. A sparse or packed input has no
    gradient.

    Examples
    --------
    >>> import torch, catalase as ct
    >>> layer = ct.interop.torch.SparseLinear(16, 4)
    >>> x = torch.zeros(2, 16)
    >>> x[0, 3] = 1
    >>> bool(torch.equal(layer(x.to_sparse()), layer(x)))
    True
    """

    def forward(self, input: Any) -> Any:
        """Return ``input @ weight.T + bias``."""
        packed = isinstance(input, torch.Tensor) and input.dtype == torch.uint8
        if not packed:
            check_input(self, input)
        if not packed and input.layout == torch.strided:
            return super().forward(input)
        if input.ndim != 2 or input.shape[1] * (8 if packed else 1) != self.in_features:
            raise ValueError(
                f"SparseLinear: input must be (N, {self.in_features}), or packed bits (N, {self.in_features} / 8), got "
                f"{input.dtype} {tuple(input.shape)}"
            )
        if input.requires_grad:
            raise ValueError("SparseLinear: a sparse input has no gradient; call input.detach(), or input.to_dense()")
        x = array_of(input) if packed else _entries(input)
        return function(lambda w, b: functional.linear(x, w, b), keeps_output=False)(self.weight.t(), self.bias)


def _entries(x: Any) -> Any:
    """The sparse batch of a tensor."""
    if x.layout == torch.sparse_csr and not _ascend(x.crow_indices().numpy(), x.col_indices().numpy()):
        starts, columns = x.crow_indices(), x.col_indices()
        rows = torch.repeat_interleave(torch.arange(x.shape[0]), starts.diff())
        x = torch.sparse_coo_tensor(torch.stack([rows, columns.to(rows.dtype)]), x.values(), x.shape)
    if x.layout == torch.sparse_coo:
        x = x.coalesce()
        rows, columns = x.indices().numpy()
        starts = np.searchsorted(rows, np.arange(x.shape[0] + 1))
    elif x.layout == torch.sparse_csr:
        starts, columns = x.crow_indices().numpy(), x.col_indices().numpy()
    else:
        raise TypeError(f"SparseLinear: input must be dense, torch.sparse_csr or torch.sparse_coo, got {x.layout}")
    starts, columns = starts.astype(np.int64), columns.astype(np.int32)
    return sparse_from_entries(starts, columns, array_of(x.values()), x.shape[1])


def _ascend(starts: Any, columns: Any) -> bool:
    """Whether the columns of each row ascend, which PyTorch does not ask for."""
    falls = np.flatnonzero(np.diff(columns) <= 0) + 1  # as where a row begins
    return bool(np.isin(falls, starts).all())


class _Convolution:
    """What a convolution of PyTorch computes with; its own code checks the arguments, and draws the start values."""

    def _conv_forward(self, input: Any, weight: Any, bias: Any) -> Any:
        layer: Any = self
        check_input(layer, input)
        dims = len(layer.kernel_size)
        pads = layer._reversed_padding_repeated_twice  # the last axis first, as torch.nn.functional.pad takes them
        if layer.padding_mode != "zeros":
            input = torch.nn.functional.pad(input, pads, mode=layer.padding_mode)
            padding = [(0, 0)] * dims
        else:
            padding = [(pads[2 * i], pads[2 * i + 1]) for i in range(dims)][::-1]
        rows = input.unsqueeze(0) if input.ndim == dims + 1 else input
        if rows.ndim != dims + 2 or rows.shape[1] != layer.in_channels:
            raise ValueError(
                f"{type(self).__name__}: input must be (N, {layer.in_channels}, ...) with {dims} more axes, or without N, "
                f"got shape {tuple(input.shape)}"
            )
        found = (_conv1d if dims == 1 else _conv2d)(
            rows.movedim(1, -1),
            weight.permute(*range(2, dims + 2), 1, 0),
            bias,
            stride=layer.stride,
            padding=padding,
            dilation=layer.dilation,
            groups=layer.groups,
        ).movedim(-1, 1)
        return found.squeeze(0) if input.ndim == dims + 1 else found


class Conv1d(_Convolution, torch.nn.Conv1d):
    """`torch.nn.Conv1d` on this library's kernels; see `Conv2d`.

    Examples
    --------
    >>> import torch, catalase as ct
    >>> ct.interop.torch.Conv1d(4, 15, 10)(torch.ones(2, 4, 101)).shape
    torch.Size([2, 15, 92])
    """


class Conv2d(_Convolution, torch.nn.Conv2d):
    """`torch.nn.Conv2d` on this library's kernels.

    Notes
    -----
    The kernels read channels last. Images in PyTorch's ``torch.channels_last`` are read where they are; others are copied
    once. The output is channels last, which PyTorch's layers take as it is, so a net pays for one copy at its input.

    Examples
    --------
    >>> import torch, catalase as ct
    >>> layer = ct.interop.torch.Conv2d(3, 8, 5, stride=2, padding=2)
    >>> layer(torch.ones(2, 3, 28, 28)).shape
    torch.Size([2, 8, 14, 14])
    """
