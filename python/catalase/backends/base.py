"""The protocol of a backend: the array functions that `catalase.ops`, the tape and the optimizers call on a device.

A backend checks nothing, because `catalase.ops` has checked every argument: arrays live on this device, dtypes and shapes
fit, numbers are in range. Unless a method says otherwise, arrays may have any strides; results are new and C-contiguous.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = Any  # an array of the device: a NumPy array on the CPU, a CuPy array on a GPU
Axes = tuple[int, ...]


class Geometry(NamedTuple):
    """The geometry of a convolution: tuples with one entry for each spatial dimension.

    ``taps`` is the range [first, last) of the kernel's taps that ever meet the input; the other numbers describe the
    kernel of these taps alone. So ``before``, the number of zeros before the input, is negative where its first tap begins
    inside the input. ``all_taps`` says that no tap was left out.
    """

    stride: tuple[int, ...]
    before: tuple[int, ...]
    dilation: tuple[int, ...]
    out: tuple[int, ...]
    taps: tuple[tuple[int, int], ...]
    all_taps: bool

    def triples(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Return stride, padding before and dilation for the kernels, which have three spatial dimensions."""
        lead = 3 - len(self.out)
        return (1,) * lead + self.stride, (0,) * lead + self.before, (1,) * lead + self.dilation

    def padded(self, size: Sequence[int]) -> tuple[tuple[slice, ...], tuple[tuple[int, int], ...]]:
        """Return the part of an input of ``size`` that the taps cover, and the numbers of zeros around that part."""
        parts, pads = [], []
        for n, before, (first, last), stride, dilation, out in zip(
            size, self.before, self.taps, self.stride, self.dilation, self.out, strict=True
        ):
            stop = (out - 1) * stride + (last - first - 1) * dilation + 1 - before  # in coordinates of x
            start = min(max(0, -before), n)
            part = slice(start, max(start, min(n, stop)))
            parts.append(part)
            pads.append((max(0, before), max(0, stop - part.stop)))
        return tuple(parts), tuple(pads)

    def select(self, w: Any, flip_kernel: bool) -> Any:
        """Return the view of the weights that holds the taps; with ``flip_kernel`` w is stored in reverse."""
        if self.all_taps:
            return w
        kernel = w.shape[: len(self.taps)]
        spans = zip(kernel, self.taps, strict=True)
        return w[tuple(slice(k - last, k - first) if flip_kernel else slice(first, last) for k, (first, last) in spans)]


class Windows(NamedTuple):
    """Pooling windows: size, stride, padding before and output length, each (D, H, W); missing dimensions have length 1."""

    size: tuple[int, int, int]
    stride: tuple[int, int, int]
    before: tuple[int, int, int]
    out: tuple[int, int, int]


class RnnSaved(NamedTuple):
    """The arrays that a recurrent cell saves for its backward pass; only the backend reads them.

    Rows are in the order of time, longest sequences first. Block t of ``states`` and ``cells`` holds h and c before step
    t (N + sum of lengths rows in all). ``gates`` (N + sum of lengths, less the longest sequences) holds the gates after
    their activations, ``candidates`` GRU's recurrent half of n. A float32 LSTM saves ``24 * H`` bytes a step and
    sequence, a GRU ``20 * H``, a plain cell ``4 * H``.
    """

    gates: NDArray[Any] | None
    candidates: NDArray[Any] | None
    states: NDArray[Any]
    cells: NDArray[Any] | None


def mixed_devices(function: str, arrays: dict[str, Any]) -> TypeError:
    """Return the error for arrays that do not live on one device."""
    listing = ", ".join(f"{name} {type(x).__module__.partition('.')[0]}" for name, x in arrays.items())
    return TypeError(
        f"{function}: all arrays must be on one device, got {listing}; move them with cupy.asarray (arrays of "
        "PyTorch and JAX with cupy.from_dlpack, without a copy) or cupy.asnumpy"
    )


class SparseRows:
    """A batch of packed bits, or of floats that are mostly zeros, on a device: the result of `Backend.sparse` there.

    On the CPU that is a `catalase._core.SparseBatch`. Both have the features' ``shape`` and ``dtype``, ``ndim``, a length,
    and ``entries``, the number of entries that are not zero.
    """

    data: Any  # the rows, on the device
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    ndim = 2
    entries: int | None


def is_basic_index(index: Any) -> bool:
    """Return whether an index is made of whole numbers, slices, new axes and an ellipsis, so that no element repeats."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(isinstance(p, (int, slice, np.integer)) or p is None or p is Ellipsis for p in parts)


class Backend(ABC):
    """A device: its memory, NumPy's functions on its arrays, and its kernels.

    Attributes
    ----------
    name : str
        "cpu" or "cuda".
    float_dtypes : tuple of dtype
        The floating-point types of its kernels.
    is_host : bool
        Whether values can be read without waiting for a device.
    """

    name: str
    float_dtypes: ClassVar[tuple[np.dtype[Any], ...]]
    is_host: ClassVar[bool]

    # Memory.
    @abstractmethod
    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return an array whose values are not set."""

    @abstractmethod
    def array(self, x: NDArray[Any]) -> Array:
        """Return a NumPy array on the device: a copy, or on the CPU the array itself."""

    @abstractmethod
    def to_host(self, x: Array) -> NDArray[Any]:
        """Return an array as a NumPy array: a copy, which waits for the device, or on the CPU the array itself."""

    @abstractmethod
    def contiguous(self, x: Array) -> Array:
        """Return the array if it is C-contiguous, else a C-contiguous copy."""

    @abstractmethod
    def may_share(self, x: Array, y: Array) -> bool:
        """Return whether two arrays may overlap."""

    @abstractmethod
    def capturing_stream(self) -> AbstractContextManager[None]:
        """Return a context in which all work runs on a new stream, which may be captured."""

    @abstractmethod
    def address(self, x: Array) -> int:
        """Return the memory address of the first element of an array."""

    # NumPy's functions, under NumPy's names. Operands broadcast; some may be numbers.
    @abstractmethod
    def full(self, shape: tuple[int, ...], value: float, dtype: Any) -> Array: ...
    @abstractmethod
    def copy(self, x: Array) -> Array: ...
    @abstractmethod
    def copyto(self, x: Array, values: Any) -> None:
        """Write values of this device, or a number, into an array of any strides."""

    @abstractmethod
    def add(self, a: Any, b: Any, out: Array | None = None) -> Array: ...
    @abstractmethod
    def subtract(self, a: Any, b: Any) -> Array: ...
    @abstractmethod
    def multiply(self, a: Any, b: Any) -> Array: ...
    @abstractmethod
    def divide(self, a: Any, b: Any) -> Array: ...
    @abstractmethod
    def power(self, a: Any, b: Any) -> Array: ...
    @abstractmethod
    def equal(self, a: Any, b: Any) -> Array:
        """Return where two arrays are equal: booleans on the CPU, 1.0 and 0.0 on a device."""

    @abstractmethod
    def maximum(self, a: Any, b: Any) -> Array:
        """Return the larger of two; NaN is larger than any number."""

    @abstractmethod
    def minimum(self, a: Any, b: Any) -> Array:
        """Return the smaller of two; NaN is smaller than any number."""

    @abstractmethod
    def negative(self, x: Array) -> Array: ...
    @abstractmethod
    def sin(self, x: Array) -> Array: ...
    @abstractmethod
    def cos(self, x: Array) -> Array: ...
    @abstractmethod
    def sqrt(self, x: Array) -> Array: ...
    @abstractmethod
    def absolute(self, x: Array) -> Array: ...
    @abstractmethod
    def sign(self, x: Array) -> Array: ...
    @abstractmethod
    def where(self, mask: Any, a: Any, b: Any) -> Array:
        """Return ``a`` where the mask is true, else ``b``. The mask is NumPy's, or the device's with the result's shape."""

    @abstractmethod
    def sum(self, x: Array, axis: int | Axes | None = None, keepdims: bool = False) -> Array: ...
    @abstractmethod
    def max(self, x: Array, axis: int | Axes | None = None, keepdims: bool = False) -> Array: ...
    @abstractmethod
    def cumsum(self, x: Array, axis: int) -> Array: ...
    @abstractmethod
    def broadcast_to(self, x: Array, shape: tuple[int, ...]) -> Array:
        """Repeat an array along axes: a view on the CPU, a copy on a device."""

    @abstractmethod
    def reshape(self, x: Array, shape: tuple[int, ...]) -> Array: ...
    @abstractmethod
    def concatenate(self, parts: Sequence[Array], axis: int) -> Array: ...

    @abstractmethod
    def index(self, x: Array, index: Any) -> tuple[Array, Callable[[Array], Array]]:
        """Return ``x[index]``, and the function that maps its gradient to the gradient of x."""

    # Arithmetic without a name in NumPy.
    @abstractmethod
    def power_slope(self, base: Array, exponent: Array) -> Array:
        """Return the derivative of ``base ** exponent`` by its base; it is 0 where the exponent is 0, at base 0 too."""

    @abstractmethod
    def log_or_zero(self, x: Array) -> Array:
        """Return the natural logarithm of positive values, and 0 for the others."""

    @abstractmethod
    def masked(self, x: Array, weights: Array) -> Array:
        """Return ``x`` with 0 where the weights are 0, in the place of NaN too."""

    @abstractmethod
    def clip_norm(self, x: Array, limit: float) -> None:
        """Scale a flat array in place to the Euclidean norm ``limit`` if its norm is larger."""

    # Maps and losses.
    @abstractmethod
    def map(self, function: int, x: Array, out: Array | None = None) -> Array:
        """Apply a function of `catalase.ops.activation` to each value; ``out`` may be x, or overlap it."""

    @abstractmethod
    def activation_backward(self, activation: int, dy: Array, saved: Array) -> Array:
        """Return ``dy`` times the derivative, computed from ``saved``: the output or, for some activations, the input."""

    @abstractmethod
    def softmax(self, log: bool, x: Array) -> Array: ...
    @abstractmethod
    def softmax_backward(self, log: bool, dy: Array, y: Array) -> Array: ...
    @abstractmethod
    def softmax_loss(
        self, logits: Array, numbers: Array | None, targets: Array | None, weights: Array | None, dloss: Array | None
    ) -> Array:
        """Return softmax cross-entropy, or with ``dloss`` its gradient, for class numbers (int64) or probabilities."""

    @abstractmethod
    def elementwise_loss(
        self, kind: int, x: Array, target: Array, weights: Array | None, dloss: Array | None
    ) -> Array: ...
    @abstractmethod
    def dropout(
        self, x: Array, key: tuple[int, int, int], rate: float, kept: Array | None, out: Array | None = None
    ) -> Array:
        """Drop values by the mask of a key (seed, layer, step); ``kept`` (uint8, contiguous) is filled with that mask."""

    @abstractmethod
    def dropout_backward(self, dy: Array, rate: float, kept: Array) -> Array: ...

    # Products.
    @abstractmethod
    def matmul(
        self,
        a: Array,
        b: Array,
        out: Array | None = None,
        add: Array | None = None,
        keep: Array | None = None,
        exact: bool = False,
    ) -> Array:
        """Return ``a @ b + add``, with 0 where ``keep`` is not above 0; stacks take neither ``add`` nor ``keep``.

        ``exact`` computes in float32 whatever `catalase.set_matmul_precision` says.
        """  # fmt: skip

    @abstractmethod
    def linear(self, x: Any, w: Array, b: Array | None, activation: int) -> Array:
        """Return a dense layer's output; x may be a sparse batch."""

    @abstractmethod
    def sparse(self, x: Array, wide: bool) -> Any:
        """Return a sparse batch of packed bits, or of floats that are mostly zeros; None where that is not faster."""

    @abstractmethod
    def weight_gradient(self, x: Any, dz: Array, out: Array) -> Array:
        """Write ``x.T @ dz``; x may be a sparse batch."""

    @abstractmethod
    def relu_dropout_backward(self, dy: Array, y: Array, scale: float) -> Array:
        """Return ``dy * scale``, with 0 where ``y``, the output of a ReLU and of a dropout after it, is 0 or less."""

    @abstractmethod
    def column_sum(self, x: Array, out: Array) -> None:
        """Write the sum of each column of a matrix."""

    # Windows over images, sequences and volumes.
    @abstractmethod
    def conv(
        self,
        x: Array,
        w: Array,
        b: Array | None,
        activation: int,
        shape: tuple[int, ...],
        geometry: Geometry,
        groups: int,
        flip: bool,
        exact: bool,
        transposed: bool,
    ) -> Array:
        """Return a convolution of this shape, or its transpose, the gradient of a convolution's input."""  # fmt: skip

    @abstractmethod
    def conv_weights(
        self, image: Array, result: Array, dw: Array, geometry: Geometry, groups: int, flip: bool, exact: bool
    ) -> None:
        """Write the gradient of a convolution's weights, given its input and the gradient of its result."""

    @abstractmethod
    def pool(self, kind: int, x: Array, windows: Windows) -> Array: ...
    @abstractmethod
    def pool_backward(
        self, kind: int, dy: Array, x: Array | None, shape: tuple[int, ...], windows: Windows
    ) -> Array: ...
    @abstractmethod
    def upsample_linear(self, x: Array, factors: tuple[int, ...]) -> Array:
        """Return the linear interpolation of `catalase.ops.pool`."""

    @abstractmethod
    def upsample_linear_backward(self, dy: Array, factors: tuple[int, ...]) -> Array: ...

    # Batch and layer normalization.
    @abstractmethod
    def moments(self, x: Array) -> tuple[Array, Array]:
        """Return the mean and the variance of each channel."""

    @abstractmethod
    def batch_norm(
        self, x: Array, gamma: Array, beta: Array, mean: Array, var: Array, eps: float, relu: bool
    ) -> Array: ...
    @abstractmethod
    def batch_norm_backward(
        self, dy: Array, x: Array, gamma: Array, beta: Array, mean: Array, var: Array, eps: float, relu: bool,
        batch_statistics: bool, need_dx: bool,
    ) -> tuple[Array | None, Array, Array]: ...  # fmt: skip
    @abstractmethod
    def layer_norm(self, x: Array, gamma: Array, beta: Array, eps: float, centered: bool) -> Array:
        """Return the normalized rows; not centered, the mean counts as 0."""

    @abstractmethod
    def layer_norm_backward(
        self, dy: Array, x: Array, gamma: Array, eps: float, centered: bool, need_dx: bool
    ) -> tuple[Array | None, Array, Array]: ...
    @abstractmethod
    def update_statistics(
        self, running_mean: Array, running_var: Array, mean: Array, var: Array, momentum: float, rows: int
    ) -> None:
        """Move running statistics in place towards those of a batch of 2 rows or more; skip a batch that is not finite."""

    # Attention: arrays (N, H, T, D). Results and gradients are views of arrays (N, T, H, D), or written into ``out``.
    @abstractmethod
    def attention(
        self, q: Array, k: Array, v: Array, query_lengths: NDArray[np.intp] | None, lengths: NDArray[np.intp] | None,
        causal: bool, scale: float,
    ) -> tuple[Array, Array]:  # fmt: skip
        """Return the result, and of each query the largest score and the inverse sum of exponentials, (2, N, H, Tq)."""

    @abstractmethod
    def attention_backward(
        self, dy: Array, q: Array, k: Array, v: Array, y: Array, statistics: Array,
        query_lengths: NDArray[np.intp] | None, lengths: NDArray[np.intp] | None, causal: bool, scale: float,
        out: tuple[Array, Array, Array] | None,
    ) -> tuple[Array, Array, Array]: ...  # fmt: skip

    # Recurrent cells: kind is "rnn", "gru" or "lstm"; cell is "tanh", "relu", "gru" or "lstm".
    @abstractmethod
    def rnn(
        self, kind: str, cell: str, arrays: dict[str, Any], lengths: NDArray[np.intp] | None, reverse: bool, keep: bool
    ) -> tuple[Array, Array, Array | None, RnnSaved | None]:
        """Return y, h, c (of an LSTM) and the arrays for the backward pass."""

    @abstractmethod
    def rnn_backward(
        self,
        kind: str,
        cell: str,
        arrays: dict[str, Any],
        saved: RnnSaved,
        lengths: NDArray[np.intp] | None,
        reverse: bool,
        need_dx: bool,
    ) -> tuple[Array | None, ...]:
        """Return the gradients of x, w_x, w_h, b, h0 and c0 (of an LSTM)."""  # fmt: skip

    # Rows by number, one-hot rows, optimizers, fingerprints, images.
    @abstractmethod
    def embedding(self, ids: Array, w: Array) -> tuple[Array, int]:
        """Return rows by number, and the place of the first id without a row, or -1."""

    @abstractmethod
    def embedding_backward(self, ids: Array, dy: Array, dw: Array, padding: int) -> int:
        """Write the sums of gradient rows with equal ids (padding -1: none); return the place of a bad id, as `embedding`."""

    # Lists of rows: list r has the entries offsets[r] (int64) to offsets[r + 1] - 1, entry e the row index[e] (int32), or
    # row e if there is no index. Arrays of rows are matrices.
    @abstractmethod
    def list_sum(
        self,
        x: Array,
        offsets: Array,
        index: Array | None = None,
        mean: bool = False,
        z: Array | None = None,
        kind: Array | None = None,
        relu: bool = False,
    ) -> Array:
        """Return the sum (or mean) of each list, plus ``z[kind]`` (``z`` if there is no kind), after a ReLU if asked."""

    @abstractmethod
    def list_max(self, x: Array, offsets: Array, index: Array | None = None) -> Array: ...
    @abstractmethod
    def list_max_backward(self, dy: Array, x: Array, offsets: Array, index: Array | None = None) -> Array:
        """Return the gradient at x: the first row of the largest value gets it."""

    @abstractmethod
    def segment_softmax(self, x: Array, offsets: Array) -> Array: ...
    @abstractmethod
    def segment_softmax_backward(self, dy: Array, y: Array, offsets: Array) -> Array: ...
    @abstractmethod
    def segment_spread(self, dy: Array, offsets: Array, mean: bool, rows: int) -> Array:
        """Return row r of ``dy`` (or its quotient by the length) for each of the ``rows`` rows of segment r."""

    @abstractmethod
    def message_update(
        self,
        h: Array,
        w: Array,
        z: Array | None,
        kind: Array | None,
        b: Array | None,
        activation: int,
        offsets: Array,
        index: Array,
        keep: bool,
    ) -> tuple[Array, Array | None]:
        """Return ``act(m @ w + b + z[kind])``, and with ``keep`` the sums m; without ``kind`` list r adds row r of z."""

    @abstractmethod
    def transpose_lists(self, offsets: Array, index: Array, rows: int) -> tuple[Array, Array]:
        """Return the index and the offsets of each row's lists, ascending."""

    @abstractmethod
    def one_hot(
        self, texts: list[Any], stop: NDArray[np.int64], reverse: NDArray[np.uint8], columns: int, dtype: Any
    ) -> tuple[Array, int, int]:
        """Return one-hot DNA of sequences, and the sequence and position of the first other letter (position -1: none)."""

    @abstractmethod
    def optim_step(
        self,
        rule: int,
        param: Array,
        grad: Any,
        first: Array | None,
        second: Array | None,
        third: Array | None,
        numbers: tuple[Any, ...],
    ) -> None:
        """Update in place by an optimizer's rule; numbers are lr, l1, l2, decay, beta1, beta2, eps, step, nesterov."""

    @abstractmethod
    def tanimoto(self, a: Array, b: Array) -> Array: ...
    @abstractmethod
    def tanimoto_topk(self, queries: Array, targets: Array, k: int, threshold: float) -> tuple[Array, Array]: ...
    @abstractmethod
    def augment(
        self,
        x: Array,
        masks: Sequence[Array],
        options: dict[str, Any],
        seed: int,
        step: int,
        numbers: NDArray[np.uint32],
        size: tuple[int, int],
    ) -> tuple[Array, list[Array]]:
        """Return the images (N, *size, C) as float32, and the masks (N, H, W, C) transformed alike."""  # fmt: skip
