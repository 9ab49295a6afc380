"""The layers of a dense net: Linear, Dropout, GaussianNoise, Softmax, Sequential."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import flag, number, shown, whole_number
from ..autograd import Tensor, is_recording
from ..autograd.tensor import as_tensor
from ..backends import is_device_array, to_device_of
from ..ops import empty
from ..ops.checks import activation_code, shape_of
from ..ops.dropout import check_rate
from ..ops.linear import is_sparse
from . import functional
from .activations import Activation
from .batch_norm import BatchNorm
from .functional.random import normal_values
from .init import LARGEST_SIZE, Initializer, glorot_uniform, random_generator, start_values, zeros
from .layer_norm import LayerNorm
from .modes import WATCH
from .module import Module, TensorModule
from .parameter import Parameter


class Linear(TensorModule):
    """A dense layer: ``activation(x @ w + b)``, fused.

    Parameters
    ----------
    in_features, out_features : int
        Widths, 1 or more.
    activation : str or None
        As for `catalase.ops.activation`.
    bias : bool
    weight_init, bias_init : initializer, optional
        From `catalase.nn.init`; Glorot uniform and zeros where left out.
    rng : numpy.random.Generator or int, optional
        Where the start values come from, or a seed; fresh entropy where left out.

    Attributes
    ----------
    w : Parameter, shape (in_features, out_features)
    b : Parameter, shape (out_features,), or None

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.Linear(3, 2)(ct.Tensor(np.ones((5, 3), np.float32))).shape
    (5, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        activation: str | None = None,
        bias: bool = True,
        weight_init: Initializer | None = None,
        bias_init: Initializer | None = None,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        super().__init__()
        in_features = whole_number("Linear", "in_features", in_features, 1, LARGEST_SIZE)
        out_features = whole_number("Linear", "out_features", out_features, 1, LARGEST_SIZE)
        rng = random_generator("Linear", rng)
        activation_code("Linear", activation)
        self.activation = activation
        self.w = Parameter(
            _draw(
                "weight_init",
                glorot_uniform() if weight_init is None else weight_init,
                (in_features, out_features),
                rng,
            )
        )
        self.b = (
            Parameter(_draw("bias_init", zeros() if bias_init is None else bias_init, (out_features,), rng), False)
            if flag("Linear", "bias", bias)
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.w, self.b, activation=self.activation)

    def __repr__(self) -> str:
        return f"Linear({self.w.shape[0]}, {self.w.shape[1]}, activation={self.activation!r})"


def _draw(
    name: str, initializer: Initializer, shape: tuple[int, ...], rng: np.random.Generator, layer: str = "Linear"
) -> NDArray[Any]:
    return start_values(layer, name, initializer, shape, rng)


class Dropout(TensorModule):
    """Drop values at random while training, scale the others up; pass everything through in inference.

    Parameters
    ----------
    rate : float
        Share that is dropped, from 0 to below 1.

    Notes
    -----
    The mask depends on (seed, place of the layer, how many training passes it has made) alone: `Module.set_seed` sets
    the key, ``step`` counts the passes.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> layer = ct.nn.Dropout(0.5).eval()
    >>> layer(ct.Tensor(np.ones(3))).numpy()
    array([1., 1., 1.])
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = check_rate("Dropout", rate)
        self.set_key(int(np.random.SeedSequence().entropy) % 2**64, 0)  # type: ignore[arg-type]

    def set_key(self, seed: int, layer: int) -> None:
        """Choose the masks by a new key, and count steps from 0 again."""
        self.seed = whole_number("Dropout.set_key", "seed", seed, None) % 2**64
        self.layer, self.step = whole_number("Dropout.set_key", "layer", layer, 0, 2**32 - 1), 0

    def draw(self) -> dict[str, Any] | None:
        """Return the arguments of `functional.dropout` for this pass, and count the pass; None if nothing is dropped."""
        if not self.training or self.rate == 0:
            return None
        step, self.step = self.step, self.step + 1
        return {"rate": self.rate, "seed": self.seed, "layer": self.layer, "step": step}

    def forward(self, x: Tensor) -> Tensor:
        x = as_tensor("Dropout", "x", x)
        drawn = self.draw()
        return x if drawn is None else functional.dropout(x, **drawn)

    def __repr__(self) -> str:
        return f"Dropout({self.rate})"


_NO_EPOCH = 2**62  # so that the draws of layers are none of `train.Noise`, whose key may be the same


class GaussianNoise(TensorModule):
    """Add normal noise while training; pass everything through in inference.

    Parameters
    ----------
    stddev : float
        Standard deviation, 0 or more.

    Notes
    -----
    As for `Dropout` the noise depends on (seed, place of the layer, how many training passes it has made) alone. It is drawn
    on the host, so on a device it needs ``graph=False``. For noise on the inputs, weights and labels of any model there is
    `catalase.train.Noise`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> net = ct.nn.Sequential(ct.nn.Linear(4, 8, "relu"), ct.nn.GaussianNoise(0.1), ct.nn.Linear(8, 1))
    >>> ct.nn.GaussianNoise(0.5).eval()(ct.Tensor(np.ones(3))).numpy()
    array([1., 1., 1.])
    """

    def __init__(self, stddev: float) -> None:
        super().__init__()
        self.stddev = number("GaussianNoise", "stddev", stddev, at_least=0, at_most=1e6)
        self.set_key(int(np.random.SeedSequence().entropy) % 2**64, 0)  # type: ignore[arg-type]

    def set_key(self, seed: int, layer: int) -> None:
        """Choose the noise by a new key, and count steps from 0 again."""
        self.seed = whole_number("GaussianNoise.set_key", "seed", seed, None) % 2**64
        self.layer, self.step = whole_number("GaussianNoise.set_key", "layer", layer, 0, 2**32 - 1), 0

    def forward(self, x: Tensor) -> Tensor:
        x = as_tensor("GaussianNoise", "x", x)
        if not self.training or self.stddev == 0:
            return x
        if is_device_array(x.data):
            from ..backends.cuda.capture import captured

            if captured() is not None:
                raise RuntimeError("graph: GaussianNoise draws its noise on the host; train with graph=False")
        step, self.step = self.step, self.step + 1
        drawn = normal_values(x.shape, x.dtype, self.stddev, self.seed, _NO_EPOCH, step, self.layer)
        return x + Tensor(to_device_of(drawn, x.data))

    def __repr__(self) -> str:
        return f"GaussianNoise({self.stddev})"


class Softmax(TensorModule):
    """Softmax over the last axis."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.softmax(x)


class Sequential(TensorModule):
    """Layers one after another.

    Parameters
    ----------
    *layers : Module
    output_shape : tuple of int, optional
        Axes in place of the last one of the output: (12, 2) makes (N, 24) into (N, 12, 2).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> net = ct.nn.Sequential(ct.nn.Linear(4, 8, "relu"), ct.nn.Dropout(0.2), ct.nn.Linear(8, 1))
    >>> net(ct.Tensor(np.ones((2, 4), np.float32))).shape
    (2, 1)
    """

    def __init__(self, *layers: Module, output_shape: Sequence[int] | None = None) -> None:
        super().__init__()
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential: layer {i} must be a Module, got {type(layer).__name__}")
        self.layers = list(layers)
        self.output_shape = None if output_shape is None else shape_of("Sequential", output_shape, "output_shape")
        self._fused = FusedLayers(self.layers, self.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        data = x.data if isinstance(x, Tensor) else x
        if not (type(data) is np.ndarray or is_sparse(data) or isinstance(getattr(data, "ndim", None), int)):
            raise TypeError(f"Sequential: x must be a Tensor or a NumPy array, got {shown(x)}")
        if len(data.shape) == 2 and data.shape[0] > _BLOCK_ROWS and self._takes_blocks(data):
            return self._in_blocks(data)
        if self._fused.layers != self.layers:  # the list was changed
            self._fused = FusedLayers(self.layers, self.output_shape)
        return self._fused(x)

    def _takes_blocks(self, data: Any) -> bool:
        return isinstance(data, np.ndarray) and not is_recording() and _by_rows(self)

    def _in_blocks(self, data: NDArray[Any]) -> Tensor:
        """Compute the same bits in blocks of rows: the output of each layer stays in the cache, and memory does not grow."""
        kind: Any = Tensor if data.dtype.kind == "f" else np.asarray  # packed bits stay an array
        first = self.forward(kind(data[:_BLOCK_ROWS])).data
        out = empty((data.shape[0], *first.shape[1:]), first.dtype)
        out[:_BLOCK_ROWS] = first
        for start in range(_BLOCK_ROWS, data.shape[0], _BLOCK_ROWS):
            out[start : start + _BLOCK_ROWS] = self.forward(kind(data[start : start + _BLOCK_ROWS])).data
        return Tensor(out)

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: int) -> Module:
        return self.layers[index]

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)


class FusedLayers:
    """Layers one after another; a dense layer with ReLU and the dropout after it are one operation, with the same bits.

    Which layers are computed together is decided here, once, from the list.
    """

    def __init__(self, layers: Sequence[Module], output_shape: tuple[int, ...] | None = None) -> None:
        self.layers = list(layers)
        self._steps: list[Callable[[Any], Any]] = []
        for layer in self.layers:
            last = self._steps[-1] if self._steps else None
            if type(layer) is Dropout and type(last) is Linear and last.activation == "relu":
                self._steps[-1] = _LinearDropout(last, layer)
            else:
                self._steps.append(layer)
        if output_shape is not None:
            last = self._steps[-1] if self._steps else None
            if type(last) is Linear:
                self._steps[-1] = _Shaped(last, output_shape)
            else:
                self._steps.append(_Shaped(None, output_shape))

    def __call__(self, x: Any) -> Any:
        for step in self._steps:
            x = step(x)
        return x


def _is_watched(*layers: Module) -> bool:
    """Whether each layer must be called by itself: its output is watched, or a function was put in place of its forward."""
    return WATCH.note is not None or any("forward" in vars(layer) for layer in layers)


class _Shaped:
    """A dense layer, if there is one, whose output gets other axes in place of its last."""

    def __init__(self, linear: Linear | None, shape: tuple[int, ...]) -> None:
        self.linear, self.shape = linear, shape

    def __call__(self, x: Any) -> Tensor:
        linear = self.linear
        if linear is not None and not _is_watched(linear):
            return functional.linear(x, linear.w, linear.b, activation=linear.activation, output_shape=self.shape)
        y = as_tensor("Sequential", "x", x) if linear is None else linear(x)
        return y.reshape((*y.shape[:-1], *self.shape))


class _LinearDropout:
    """A dense layer with ReLU and the dropout after it."""

    def __init__(self, linear: Linear, dropout: Dropout) -> None:
        self.linear, self.dropout = linear, dropout

    def __call__(self, x: Any) -> Tensor:
        linear, dropout = self.linear, self.dropout
        if linear.activation != "relu" or type(linear.w.data) is not np.ndarray or _is_watched(linear, dropout):
            return dropout(linear(x))
        drawn = dropout.draw()
        try:
            return functional.linear(x, linear.w, linear.b, activation="relu", dropout=drawn)
        except BaseException:
            if drawn is not None:
                dropout.step = drawn["step"]  # a pass that was refused draws no mask
            raise


_BLOCK_ROWS = 2048  # w is read again for every block: 1,000 rows in blocks of 256 took a fifth longer than whole
_ROW_WISE = (Linear.forward, Activation.forward, Softmax.forward, LayerNorm.forward)


def _by_rows(layer: Module) -> bool:
    """Whether each row of the output depends on that row of the input alone. A forward of another class may do anything."""
    if type(layer) is Sequential:
        return all(_by_rows(inner) for inner in layer.layers)
    if type(layer) is Dropout:
        return not layer.training or layer.rate == 0
    if type(layer) is BatchNorm:
        return not layer.training
    if type(layer) is LayerNorm and len(layer.normalized_shape) > 1:
        return False
    return type(layer).forward in _ROW_WISE and "forward" not in vars(layer)
