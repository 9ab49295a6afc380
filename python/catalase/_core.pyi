from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__version__: str

# runtime.cpp
def set_num_threads(count: int) -> None: ...
def get_num_threads() -> int: ...
def usable_cores() -> int: ...
def set_cpu_level(name: str) -> None: ...
def get_cpu_level() -> str: ...
def build_info() -> dict[str, Any]: ...

# memory.cpp
def empty(shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]: ...
def cache_stats() -> dict[str, int]: ...
def release_cached_memory() -> None: ...

# matmul.cpp
def matmul(a: NDArray[Any], b: NDArray[Any], bias: NDArray[Any] | None, activation: int, out: NDArray[Any]) -> None: ...
def linear(a: NDArray[Any], b: NDArray[Any], bias: NDArray[Any] | None, activation: int, out: NDArray[Any]) -> None: ...
def column_sum(x: NDArray[Any], out: NDArray[Any]) -> None: ...

# fingerprint.cpp
def tanimoto(a: NDArray[np.uint8], b: NDArray[np.uint8], out: NDArray[np.float32]) -> None: ...

# elementwise.cpp
def map(function: int, x: NDArray[Any], y: NDArray[Any]) -> None: ...
def activation_backward(activation: int, dy: NDArray[Any], y: NDArray[Any], dx: NDArray[Any]) -> None: ...
def dropout(
    x: NDArray[Any], y: NDArray[Any], seed: int, layer: int, step: int, threshold: int, scale: float
) -> None: ...

# loss.cpp
def softmax(log: bool, x: NDArray[Any], y: NDArray[Any], classes: int) -> None: ...
def softmax_backward(log: bool, dy: NDArray[Any], y: NDArray[Any], dx: NDArray[Any], classes: int) -> None: ...
def loss(
    kind: int,
    logits: NDArray[Any],
    labels: NDArray[np.int64] | None,
    targets: NDArray[Any] | None,
    weights: NDArray[Any] | None,
    dloss: NDArray[Any] | None,
    out: NDArray[Any],
    classes: int,
) -> None: ...

# optim.cpp
def optim_step(
    rule: int,
    param: NDArray[Any],
    grad: NDArray[Any],
    first: NDArray[Any] | None,
    second: NDArray[Any] | None,
    lr: float,
    l1: float,
    l2: float,
    decay: float,
    beta1: float,
    beta2: float,
    eps: float,
    step: int,
    nesterov: bool,
) -> None: ...
