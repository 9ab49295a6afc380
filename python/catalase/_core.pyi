from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__version__: str

# runtime.cpp
def set_num_threads(count: int) -> None: ...
def get_num_threads() -> int: ...
def usable_cores() -> int: ...
def quota_cores(root: str, group: str) -> int: ...
def set_cpu_level(name: str) -> None: ...
def get_cpu_level() -> str: ...
def build_info() -> dict[str, Any]: ...

# memory.cpp
def empty(shape: Sequence[int], dtype: Any) -> NDArray[Any]: ...
def cache_stats() -> dict[str, int]: ...
def release_cached_memory() -> None: ...
def fail_allocation(n: int) -> int: ...

# matmul.cpp
CHAIN_LENGTH: int

def plain_matmul(a: Any, b: Any, transpose_a: bool, transpose_b: bool, out: Any) -> NDArray[Any] | None: ...
def plain_input_gradient(dz: Any, w: Any, y: Any, scale: float) -> NDArray[Any] | None: ...
def plain_linear(x: Any, w: Any, b: Any, activation: int) -> NDArray[Any] | None: ...
def matmul(
    a: NDArray[Any],
    b: NDArray[Any],
    bias: NDArray[Any] | None,
    activation: int,
    out: NDArray[Any],
    add: NDArray[Any] | None = None,
    keep: NDArray[Any] | None = None,
) -> None: ...
def linear(
    a: NDArray[Any],
    b: NDArray[Any],
    bias: NDArray[Any] | None,
    activation: int,
    out: NDArray[Any],
    add: NDArray[Any] | None = None,
    keep: NDArray[Any] | None = None,
) -> None: ...
def matmul_batch(a: NDArray[Any], b: NDArray[Any], out: NDArray[Any]) -> None: ...
def column_sum(x: NDArray[Any], out: NDArray[Any]) -> None: ...

# sparse_batch.cpp
class SparseBatch:
    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def entries(self) -> int: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def to_dense(self) -> NDArray[Any]: ...
    def take(self, rows: NDArray[np.int64]) -> SparseBatch: ...
    def __len__(self) -> int: ...
    def linear(self, w: NDArray[Any], bias: NDArray[Any] | None, activation: int) -> NDArray[Any]: ...
    def weight_gradient(self, dz: NDArray[Any], out: NDArray[Any]) -> None: ...

def look(x: NDArray[Any]) -> SparseBatch | None: ...
def sparse_from_bits(bits: NDArray[np.uint8], as_double: bool) -> SparseBatch: ...

# similarity.cpp
CHUNK_ROWS: int
MAX_ROW_BYTES: int

def tanimoto(a: NDArray[np.uint8], b: NDArray[np.uint8], out: NDArray[np.float32]) -> None: ...
def tanimoto_topk(
    queries: NDArray[np.uint8],
    targets: NDArray[np.uint8],
    threshold: float,
    indices: NDArray[np.int64],
    similarities: NDArray[np.float32],
) -> None: ...
def allow_vpopcntdq(allowed: bool) -> None: ...
def slice_bytes(rows: int, bytes: int) -> int: ...
def build_index(
    library: NDArray[np.uint8],
    slices: NDArray[np.uint8],
    popcounts: NDArray[np.int32],
    places: NDArray[np.int64],
    bit_frequencies: NDArray[np.int64],
) -> None: ...
def index_topk(
    slices: NDArray[np.uint8],
    popcounts: NDArray[np.int32],
    places: NDArray[np.int64],
    bit_frequencies: NDArray[np.int64],
    queries: NDArray[np.uint8],
    threshold: float,
    indices: NDArray[np.int64],
    similarities: NDArray[np.float32],
) -> None: ...
def index_neighbors(
    slices: NDArray[np.uint8],
    popcounts: NDArray[np.int32],
    places: NDArray[np.int64],
    bit_frequencies: NDArray[np.int64],
    queries: NDArray[np.uint8],
    cutoff: float,
    counts: NDArray[np.int64],
    starts: NDArray[np.int64] | None = None,
    neighbors: NDArray[np.int64] | None = None,
) -> None: ...

# fingerprint.cpp
ECFP_OUTPUTS: dict[str, int]  # the numbers of an enum by name, here and below
ECFP_STATUSES: dict[str, int]
ECFP_MAX_RADIUS: int
MAX_SMILES_LENGTH: int

def ecfp(
    smiles: list[Any],
    radius: int,
    size: int,
    use_bond_types: bool,
    chirality: bool,
    features: bool,
    rows: NDArray[Any],
    status: NDArray[np.uint8],
    threads: int,
    binary: bool = False,
    partial: bool = False,
) -> None: ...
def ecfp_graphs(
    smiles: list[Any],
    use_bond_types: bool,
    chirality: bool,
    features: bool,
    status: NDArray[np.uint8],
    threads: int,
) -> tuple[NDArray[np.uint32], int, int]: ...
def valence_problems(smiles: str) -> tuple[list[tuple[int, str, int]], int] | None: ...
def count_set_bits(rows: NDArray[np.uint8], counts: NDArray[np.int64]) -> None: ...
def list_set_bits(rows: NDArray[np.uint8], indptr: NDArray[np.int64], indices: NDArray[np.int32]) -> None: ...

# elementwise.cpp
ACTIVATIONS: dict[str, int]
DERIVED_FROM_INPUT: frozenset[str]
MAPS: dict[str, int]

def map(function: int, x: NDArray[Any], y: NDArray[Any]) -> None: ...
def activation_backward(activation: int, dy: NDArray[Any], saved: NDArray[Any], dx: NDArray[Any]) -> None: ...
def dropout(
    x: NDArray[Any],
    y: NDArray[Any],
    seed: int,
    layer: int,
    step: int,
    threshold: int,
    scale: float,
    kept: NDArray[Any] | None,
) -> None: ...
def keep(x: NDArray[Any], y: NDArray[Any], kept: NDArray[Any], scale: float) -> None: ...

# loss.cpp
LOSSES: dict[str, int]

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
RULES: dict[str, int]

def optim_step_fits(param: object, grad: object, x: object, first: object, second: object) -> bool: ...
def optim_step(
    rule: int,
    param: NDArray[Any],
    grad: NDArray[Any],
    x: NDArray[Any] | SparseBatch | None,
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

# conv.cpp
Triple = tuple[int, ...]

def conv_forward(
    x: NDArray[Any],
    w: NDArray[Any],
    bias: NDArray[Any] | None,
    activation: int,
    stride: Triple,
    before: Triple,
    dilation: Triple,
    groups: int,
    flip: bool,
    exact: bool,
    y: NDArray[Any],
) -> None: ...
def conv_backward_data(
    dy: NDArray[Any],
    w: NDArray[Any],
    bias: NDArray[Any] | None,
    activation: int,
    stride: Triple,
    before: Triple,
    dilation: Triple,
    groups: int,
    flip: bool,
    exact: bool,
    dx: NDArray[Any],
) -> None: ...
def conv_backward_weights(
    x: NDArray[Any],
    dy: NDArray[Any],
    stride: Triple,
    before: Triple,
    dilation: Triple,
    groups: int,
    flip: bool,
    exact: bool,
    dw: NDArray[Any],
) -> None: ...
def winograd_applies(x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], before: tuple[int, int]) -> bool: ...
def winograd_forward(
    x: NDArray[Any],
    w: NDArray[Any],
    bias: NDArray[Any] | None,
    relu: bool,
    before: tuple[int, int],
    y: NDArray[Any],
) -> None: ...
def winograd_backward_data(dy: NDArray[Any], w: NDArray[Any], before: tuple[int, int], dx: NDArray[Any]) -> None: ...
def winograd_backward_weights(x: NDArray[Any], dy: NDArray[Any], before: tuple[int, int], dw: NDArray[Any]) -> None: ...

# embedding.cpp
def embedding(ids: NDArray[np.int64], w: NDArray[Any], out: NDArray[Any]) -> int: ...
def embedding_gradient(ids: NDArray[np.int64], padding: int, dy: NDArray[Any], dw: NDArray[Any]) -> int: ...

# one_hot.cpp
def one_hot_dna(
    texts: list[Any],
    which: NDArray[np.int64],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    reverse: NDArray[np.uint8],
    out: NDArray[Any],
    bad: NDArray[np.int64],
) -> None: ...

# image.cpp
BORDERS: dict[str, int]

class AugmentOptions:
    def __init__(
        self,
        *,
        flip_horizontal: float,
        flip_vertical: float,
        quarter_turns: bool,
        rotation: float,
        shift_y: float,
        shift_x: float,
        brightness: float,
        contrast: float,
        noise: float,
        scale: float,
        low: float,
        high: float,
        border: int,
        fill: float,
        random: bool,
    ) -> None: ...

def augment(
    options: AugmentOptions,
    seed: int,
    step: int,
    numbers: NDArray[np.uint32],
    x: NDArray[Any],
    y: NDArray[np.float32],
) -> None: ...
def augment_masks(
    options: AugmentOptions, seed: int, step: int, numbers: NDArray[np.uint32], x: NDArray[Any], y: NDArray[Any]
) -> None: ...

# pool.cpp
POOLS: dict[str, int]

def pool(
    kind: int,
    x: NDArray[Any],
    y: NDArray[Any],
    size: Sequence[int],
    stride: Sequence[int],
    before: Sequence[int],
) -> None: ...
def pool_backward(
    kind: int,
    x: NDArray[Any] | None,
    dy: NDArray[Any],
    dx: NDArray[Any],
    size: Sequence[int],
    stride: Sequence[int],
    before: Sequence[int],
) -> None: ...

# norm.cpp
def moments(x: NDArray[Any], mean: NDArray[Any], var: NDArray[Any]) -> None: ...
def batch_norm(
    x: NDArray[Any],
    gamma: NDArray[Any],
    beta: NDArray[Any],
    mean: NDArray[Any],
    var: NDArray[Any],
    eps: float,
    relu: bool,
    y: NDArray[Any],
) -> None: ...
def batch_norm_backward(
    x: NDArray[Any],
    dy: NDArray[Any],
    gamma: NDArray[Any],
    beta: NDArray[Any],
    mean: NDArray[Any],
    var: NDArray[Any],
    eps: float,
    relu: bool,
    batch_statistics: bool,
    dx: NDArray[Any] | None,
    dgamma: NDArray[Any],
    dbeta: NDArray[Any],
) -> None: ...

# peak.cpp
def fma_peak(repeats: int) -> float: ...
def copy_peak(repeats: int) -> float: ...

# rnn.cpp
CELLS: dict[str, int]

def rnn_forward(
    cell: int,
    x: NDArray[Any],
    w_x: NDArray[Any],
    w_h: NDArray[Any],
    b: NDArray[Any] | None,
    h0: NDArray[Any] | None,
    c0: NDArray[Any] | None,
    lengths: NDArray[np.intp] | None,
    reverse: bool,
    keep: bool,
    y: NDArray[Any],
) -> tuple[Any, ...]: ...
def rnn_backward(
    cell: int,
    x: NDArray[Any],
    w_x: NDArray[Any],
    w_h: NDArray[Any],
    lengths: NDArray[np.intp] | None,
    reverse: bool,
    kept: tuple[Any, ...],
    gradients: tuple[Any, ...],
    dx: NDArray[Any] | None,
    dw_x: NDArray[Any],
    dw_h: NDArray[Any],
    db: NDArray[Any],
    dh0: NDArray[Any],
    dc0: NDArray[Any] | None,
) -> None: ...
