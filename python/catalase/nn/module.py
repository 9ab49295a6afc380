"""Modules: layers that hold parameters and other modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import refuse_masked
from .._internal.numbers import flag, shown, whole_number
from ..autograd import Tensor
from ..backends import assign
from ..ops.checks import check_device
from .buffer import Buffer
from .layer_table import table_of_layers
from .modes import MODE, WATCH
from .parameter import Parameter

_Kind = TypeVar("_Kind", bound=Tensor)


def check_finite(where: str, state: Mapping[str, NDArray[Any]], advice: str) -> None:
    """Refuse a state whose arrays hold NaN or infinity, naming the first of them."""
    for name, array in state.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{where}: the weights {name} hold NaN or infinity; {advice}")


class Module:
    """A layer, or a net of layers. Write ``forward``; parameters, buffers and submodules are found among the attributes.

    Examples
    --------
    >>> import catalase as ct
    >>> class Twice(ct.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.inner = ct.nn.Linear(3, 3)
    ...     def forward(self, x):
    ...         return self.inner(self.inner(x))
    >>> [name for name, _ in Twice().named_parameters()]
    ['inner.w', 'inner.b']

    Notes
    -----
    ``copy.deepcopy`` and ``pickle`` give a module of its own; an optimizer that is copied or pickled together with it
    moves the copy. Pickling takes what is on a device to the host. ``copy.copy`` shares layers and parameters.
    """

    _training = True

    def __init__(self) -> None:
        self._training = True

    @property
    def training(self) -> bool:
        """Whether the module computes as in training: set by `train` and `eval`, and False inside `inference`."""
        return self._training and not MODE.inference

    @training.setter
    def training(self, mode: bool) -> None:
        self._training = mode

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every module writes its own, with the arguments that it needs."""
        raise TypeError(f"{type(self).__name__} has no forward method; write one that takes and returns a Tensor")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        output = self.forward(*args, **kwargs)
        if WATCH.note is not None:
            WATCH.note(self, output)
        return output

    def children(self) -> Iterator[tuple[str, Module]]:
        """Yield the modules directly inside, with their attribute names, in the order in which they were set."""
        for name, value in self._held():
            if isinstance(value, Module):
                yield name, value

    def _held(self) -> Iterator[tuple[str, Any]]:
        """Attributes by name, and the items of lists, tuples and dicts among them by dotted name."""
        for name, value in list(vars(self).items()):  # as they are now: a fit in another thread may set one
            if isinstance(value, (list, tuple)):
                yield from ((f"{name}.{i}", item) for i, item in enumerate(value))
            elif isinstance(value, dict):
                yield from ((f"{name}.{key}", item) for key, item in value.items())
            else:
                yield name, value

    def named_modules(self, prefix: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Module]]:
        """Yield this module and all inside it once, outermost first, with dotted names."""
        seen = set() if seen is None else seen
        if id(self) in seen:
            return
        seen.add(id(self))
        yield prefix, self
        for name, child in self.children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name, seen)

    def modules(self) -> Iterator[Module]:
        """Yield this module and all inside it once, outermost first."""
        for _, module in self.named_modules():
            yield module

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield every parameter once, with its dotted name."""
        return self._named(Parameter)

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Yield every buffer once, with its dotted name."""
        return self._named(Buffer)

    def _named(self, kind: type[_Kind]) -> Iterator[tuple[str, _Kind]]:
        seen: set[int] = set()
        for prefix, module in self.named_modules():
            for name, value in module._held():
                if isinstance(value, kind) and id(value) not in seen:
                    seen.add(id(value))
                    yield (f"{prefix}.{name}" if prefix else name), value

    def parameters(self) -> list[Parameter]:
        """Return every parameter once."""
        return [p for _, p in self.named_parameters()]

    @property
    def device(self) -> str:
        """Where the parameters and buffers live: "cpu" (where there are none, too) or "cuda"."""
        found = self._some_state(set())
        return "cpu" if found is None else found.device

    def _some_state(self, seen: set[int]) -> Parameter | Buffer | None:
        """The first parameter or buffer that is met: all live in one place, and every training step asks where."""
        seen.add(id(self))
        for value in list(vars(self).values()):
            items = (
                value if isinstance(value, (list, tuple)) else value.values() if isinstance(value, dict) else (value,)
            )
            for item in items:
                if isinstance(item, (Parameter, Buffer)):
                    return item
                found = item._some_state(seen) if isinstance(item, Module) and id(item) not in seen else None
                if found is not None:
                    return found
        return None

    def to(self, device: str) -> Self:
        """Move every parameter, with its gradient, and every buffer to a device; returns the module.

        An optimizer over them follows, with its moments, at its next step. Inputs are moved by whoever calls the module:
        `train.fit` and the models do it batch by batch.

        Parameters
        ----------
        device : {"cpu", "cuda"}
            "cuda" is CuPy's current device.

        Raises
        ------
        RuntimeError
            Where there is no such device: one sentence with the reason and the command that installs what is needed.
        TypeError
            Where a parameter is not float32, which is all that a device takes.
        MemoryError
            Where the net does not fit; it stays where it was.

        Examples
        --------
        >>> import catalase as ct
        >>> ct.nn.Linear(2, 3).to("cpu").device
        'cpu'
        """
        device = check_device(f"{type(self).__name__}.to", device)
        state = list(self._named_state())
        for name, value in state:
            if device != "cpu" and value.dtype != np.float32:
                raise TypeError(f"{type(self).__name__}.to: {name} is {value.dtype}; a device takes float32")
        before = [(value, value.device) for _, value in state]
        try:
            for _, value in state:
                value.move(device)
        except MemoryError:
            for value, was in before:
                value.move(was)
            raise
        return self

    def train(self, mode: bool = True) -> Module:
        """Switch to training (dropout on, batch normalization by the batch), or with False to inference; returns the module."""
        mode = flag("train", "mode", mode)
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Switch to inference; returns the module. `nn.inference` does so for one thread, and changes no module."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def set_seed(self, seed: int) -> None:
        """Key every random layer by (seed, its place among them), and start their step counters at 0."""
        seed = whole_number("set_seed", "seed", seed, None)
        for place, layer in enumerate(self.random_layers()):
            layer.set_key(seed, place)

    def random_layers(self) -> list[Any]:
        """Return the layers that draw random numbers (those with a ``set_key`` method)."""
        return [m for m in self.modules() if hasattr(m, "set_key")]

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return a copy of every parameter and every buffer by name, contiguous, in its logical shape."""
        return {name: np.array(value.numpy(), order="C") for name, value in self._named_state()}

    def _named_state(self) -> Iterator[tuple[str, Parameter | Buffer]]:
        yield from self.named_parameters()
        yield from self.named_buffers()

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Set every parameter and buffer from `state`; nothing is changed unless all names, shapes and dtypes fit.

        Raises
        ------
        ValueError
            Naming those that are missing, unknown or of another shape or dtype.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"load_state_dict: state must be a dictionary of arrays by name, got {shown(state)}")
        own = dict(self._named_state())
        missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
        if missing or unknown:
            raise ValueError(f"load_state_dict: names do not fit; missing {missing}, unknown {unknown}")
        for name, parameter in own.items():
            refuse_masked("load_state_dict", name, state[name])
            value = np.asarray(state[name])
            if value.shape != parameter.shape or value.dtype != parameter.dtype:
                raise ValueError(
                    f"load_state_dict: {name} must be {parameter.dtype} {parameter.shape}, "
                    f"got {value.dtype} {value.shape}"
                )
        for name, parameter in own.items():
            assign(parameter.data, np.asarray(state[name]))
            if isinstance(parameter, Parameter):
                parameter.version += 1

    def summary(self, input_shape: tuple[Any, ...] | None = None) -> str:
        """Return a table of the layers and their parameters; see `catalase.nn.summary`."""
        return table_of_layers(self, input_shape)

    def __getstate__(self) -> dict[str, Any]:
        """Copies get a flat buffer of their own when they are first trained."""
        return {name: value for name, value in list(vars(self).items()) if name != "_parameter_buffer"}

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={child!r}" for name, child in self.children())
        return f"{type(self).__name__}({inner})"


class TensorModule(Module):
    """A module that gives one tensor, so that a type checker knows what a call of it returns."""

    if TYPE_CHECKING:

        def __call__(self, x: Any) -> Tensor: ...
