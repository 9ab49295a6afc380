# The types of the compiled module: written by tests/test_core_stub.py.
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ACTIVATIONS: dict[str, int]
AROMATIC_RINGS: int
ATOM_FACTS: dict[str, int]
BOND_FACTS: int
BORDERS: dict[str, int]
CELLS: dict[str, int]
CHAIN_LENGTH: int
CHUNK_ROWS: int
COUNT_GIVEN_UP: int
COUNT_LEFT: int
DERIVED_FROM_INPUT: frozenset[str]
DESCRIPTORS: dict[str, int]
ECFP_MAX_RADIUS: int
ECFP_OUTPUTS: dict[str, int]
ECFP_STATUSES: dict[str, int]
LOSSES: dict[str, int]
MAPS: dict[str, int]
MATCH_GIVEN_UP: int
MATCH_LEFT: int
MAX_COUNT_COLUMNS: int
MAX_ROW_BYTES: int
MAX_SMILES_LENGTH: int
MAX_SUBGRAPHS: int
PARTS: int
PATH_FINGERPRINTS: dict[str, int]
POOLS: dict[str, int]
RULES: dict[str, int]
SMARTS_STATUSES: dict[str, int]
__version__: str

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

class EnvironmentTables:
    def __init__(
        self,
        atom_offsets: NDArray[Any],
        atom_classes: NDArray[Any],
        atom_order: NDArray[Any],
        atom_kinds: int,
        bond_kinds: int,
        atoms: tuple[Any, ...],
        bonds: tuple[Any, ...],
        along_atoms: bool,
    ) -> None: ...
    def batch(self, rows: NDArray[Any]) -> tuple[Any, ...]: ...

class MolGraphTables:
    def __init__(
        self,
        atom_fields: Sequence[tuple[int, NDArray[Any]]],
        bond_fields: NDArray[Any],
        floats: Sequence[tuple[int, NDArray[Any]]],
    ) -> None: ...

class PatternTables:
    def __init__(
        self,
        types: Sequence[str],
        log_p: Sequence[float],
        refractivity: Sequence[float],
        hydrogens: Sequence[tuple[str, int, bool]],
        counted: Sequence[str],
        acceptors: Sequence[str],
        alerts: Sequence[str],
    ) -> None: ...

class Patterns:
    def __init__(self, smarts: list[Any]) -> None: ...
    @property
    def positions(self) -> list[Any]: ...
    @property
    def statuses(self) -> list[Any]: ...

class SparseBatch:
    def __len__(self) -> int: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def entries(self) -> int: ...
    def linear(self, w: NDArray[Any], bias: Any, activation: int) -> Any: ...
    @property
    def shape(self) -> tuple[int, int]: ...
    def take(self, rows: NDArray[Any]) -> SparseBatch: ...
    def to_dense(self) -> NDArray[Any]: ...
    def weight_gradient(self, dz: NDArray[Any], out: NDArray[Any]) -> None: ...

def activation_backward(activation: int, dy: NDArray[Any], saved: NDArray[Any], dx: NDArray[Any]) -> None: ...
def allow_vpopcntdq(allowed: bool) -> None: ...
def attention(
    q: NDArray[Any],
    k: NDArray[Any],
    v: NDArray[Any],
    query_lengths: Any,
    lengths: Any,
    causal: bool,
    scale: float,
    y: NDArray[Any],
    top: NDArray[Any],
    inverse: NDArray[Any],
) -> None: ...
def attention_backward(
    dy: NDArray[Any],
    q: NDArray[Any],
    k: NDArray[Any],
    v: NDArray[Any],
    y: NDArray[Any],
    top: NDArray[Any],
    inverse: NDArray[Any],
    query_lengths: Any,
    lengths: Any,
    causal: bool,
    scale: float,
    dq: NDArray[Any],
    dk: NDArray[Any],
    dv: NDArray[Any],
) -> None: ...
def augment(
    options: AugmentOptions, seed: int, step: int, numbers: NDArray[Any], x: NDArray[Any], y: NDArray[Any]
) -> None: ...
def augment_masks(
    options: AugmentOptions, seed: int, step: int, numbers: NDArray[Any], x: NDArray[Any], y: NDArray[Any]
) -> None: ...
def bad_offset(offsets: NDArray[Any], entries: int) -> int: ...
def bad_row(index: NDArray[Any], rows: int) -> int: ...
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
    dx: Any,
    dgamma: NDArray[Any],
    dbeta: NDArray[Any],
) -> None: ...
def build_index(
    library: NDArray[Any],
    slices: NDArray[Any],
    popcounts: NDArray[Any],
    places: NDArray[Any],
    bit_frequencies: NDArray[Any],
) -> None: ...
def build_info() -> dict[str, Any]: ...
def cache_stats() -> dict[str, Any]: ...
def cholesky(a: NDArray[Any], out: NDArray[Any]) -> Any: ...
def column_sum(x: NDArray[Any], out: NDArray[Any]) -> None: ...
def conv_backward_data(
    dy: NDArray[Any],
    w: NDArray[Any],
    bias: Any,
    activation: int,
    stride: Sequence[int],
    before: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    flip: bool,
    exact: bool,
    dx: NDArray[Any],
) -> None: ...
def conv_backward_weights(
    x: NDArray[Any],
    dy: NDArray[Any],
    stride: Sequence[int],
    before: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    flip: bool,
    exact: bool,
    dw: NDArray[Any],
) -> None: ...
def conv_forward(
    x: NDArray[Any],
    w: NDArray[Any],
    bias: Any,
    activation: int,
    stride: Sequence[int],
    before: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    flip: bool,
    exact: bool,
    y: NDArray[Any],
) -> None: ...
def copy_peak(repeats: int) -> float: ...
def count_set_bits(rows: NDArray[Any], counts: NDArray[Any]) -> None: ...
def descriptors(
    smiles: list[Any],
    patterns: PatternTables,
    columns: NDArray[Any],
    rows: NDArray[Any],
    status: NDArray[Any],
    threads: int,
    held: list[Any] | None = None,
) -> None: ...
def dropout(
    x: NDArray[Any], y: NDArray[Any], seed: int, layer: int, step: int, threshold: int, scale: float, kept: Any
) -> None: ...
def ecfp(
    smiles: list[Any],
    radius: int,
    size: int,
    use_bond_types: bool,
    chirality: bool,
    features: bool,
    rows: NDArray[Any],
    status: NDArray[Any],
    threads: int,
    binary: bool = False,
    partial: bool = False,
) -> None: ...
def ecfp_graphs(
    smiles: list[Any], use_bond_types: bool, chirality: bool, features: bool, status: NDArray[Any], threads: int
) -> tuple[Any, ...]: ...
def embedding(ids: NDArray[Any], w: NDArray[Any], out: NDArray[Any]) -> int: ...
def embedding_gradient(ids: NDArray[Any], padding: int, dy: NDArray[Any], dw: NDArray[Any]) -> int: ...
def empty(shape: Sequence[int], dtype: Any) -> NDArray[Any]: ...
def environments(
    atom_offsets: NDArray[Any],
    bond_offsets: NDArray[Any],
    atom_codes: NDArray[Any],
    atom_floats: NDArray[Any],
    bond_codes: NDArray[Any],
    source: NDArray[Any],
    target: NDArray[Any],
    depth: int,
    distinct: bool,
    along_atoms: bool,
    with_bonds: bool,
) -> Any: ...
def fail_allocation(n: int) -> int: ...
def fma_peak(repeats: int) -> float: ...
def get_cpu_level() -> str: ...
def get_num_threads() -> int: ...
def index_neighbors(
    slices: NDArray[Any],
    popcounts: NDArray[Any],
    places: NDArray[Any],
    bit_frequencies: NDArray[Any],
    queries: NDArray[Any],
    cutoff: float,
    counts: NDArray[Any],
    starts: Any = None,
    neighbors: Any = None,
) -> None: ...
def index_topk(
    slices: NDArray[Any],
    popcounts: NDArray[Any],
    places: NDArray[Any],
    bit_frequencies: NDArray[Any],
    queries: NDArray[Any],
    threshold: float,
    indices: NDArray[Any],
    similarities: NDArray[Any],
) -> None: ...
def keep(x: NDArray[Any], y: NDArray[Any], kept: NDArray[Any], scale: float) -> None: ...
def layer_norm(
    x: NDArray[Any], gamma: NDArray[Any], beta: NDArray[Any], eps: float, centered: bool, y: NDArray[Any]
) -> None: ...
def layer_norm_backward(
    x: NDArray[Any],
    dy: NDArray[Any],
    gamma: NDArray[Any],
    eps: float,
    centered: bool,
    dx: Any,
    dgamma: NDArray[Any],
    dbeta: NDArray[Any],
) -> None: ...
def linear(
    a: NDArray[Any], b: NDArray[Any], bias: Any, activation: int, out: NDArray[Any], add: Any = None, keep: Any = None
) -> None: ...
def list_max(offsets: NDArray[Any], index: Any, x: NDArray[Any], out: NDArray[Any]) -> None: ...
def list_max_backward(
    offsets: NDArray[Any], index: Any, dy: NDArray[Any], x: NDArray[Any], dx: NDArray[Any]
) -> None: ...
def list_set_bits(rows: NDArray[Any], indptr: NDArray[Any], indices: NDArray[Any]) -> None: ...
def list_sum(
    offsets: NDArray[Any], index: Any, mean: bool, x: NDArray[Any], z: Any, kind: Any, relu: bool, out: NDArray[Any]
) -> None: ...
def look(x: NDArray[Any]) -> Any: ...
def loss(
    kind: int,
    logits: NDArray[Any],
    labels: Any,
    targets: Any,
    weights: Any,
    dloss: Any,
    out: NDArray[Any],
    classes: int,
) -> None: ...
def map(function: int, x: NDArray[Any], y: NDArray[Any]) -> None: ...
def matmul(
    a: NDArray[Any], b: NDArray[Any], bias: Any, activation: int, out: NDArray[Any], add: Any = None, keep: Any = None
) -> None: ...
def matmul_batch(a: NDArray[Any], b: NDArray[Any], out: NDArray[Any]) -> None: ...
def message_update(
    offsets: NDArray[Any],
    index: NDArray[Any],
    h: NDArray[Any],
    w: NDArray[Any],
    z: Any,
    kind: Any,
    bias: Any,
    activation: int,
    m: Any,
    y: NDArray[Any],
) -> None: ...
def mol_graphs(
    smiles: list[Any], tables: MolGraphTables, status: NDArray[Any], threads: int, binary: bool = False
) -> list[Any]: ...
def moments(x: NDArray[Any], mean: NDArray[Any], var: NDArray[Any]) -> None: ...
def one_hot_dna(
    texts: list[Any],
    which: NDArray[Any],
    start: NDArray[Any],
    stop: NDArray[Any],
    reverse: NDArray[Any],
    out: NDArray[Any],
    bad: NDArray[Any],
) -> None: ...
def optim_step(
    rule: int,
    param: NDArray[Any],
    grad: NDArray[Any],
    x: Any,
    first: Any,
    second: Any,
    third: Any,
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
def optim_step_fits(param: Any, grad: Any, x: Any, first: Any, second: Any, third: Any) -> bool: ...
def path_fingerprints(
    smiles: list[Any], kind: int, size: int, rows: NDArray[Any], status: NDArray[Any], threads: int
) -> None: ...
def plain_input_gradient(dz: Any, w: Any, y: Any, scale: float) -> Any: ...
def plain_linear(x: Any, w: Any, b: Any, activation: int) -> Any: ...
def plain_matmul(a: Any, b: Any, transpose_a: bool, transpose_b: bool, out: Any) -> Any: ...
def pool(
    kind: int, x: NDArray[Any], y: NDArray[Any], size: Sequence[int], stride: Sequence[int], before: Sequence[int]
) -> None: ...
def pool_backward(
    kind: int,
    x: Any,
    dy: NDArray[Any],
    dx: NDArray[Any],
    size: Sequence[int],
    stride: Sequence[int],
    before: Sequence[int],
) -> None: ...
def quota_cores(root: str, group: str) -> int: ...
def release_cached_memory() -> None: ...
def rnn_backward(
    cell: int,
    x: NDArray[Any],
    w_x: NDArray[Any],
    w_h: NDArray[Any],
    lengths: Any,
    reverse: bool,
    kept: tuple[Any, ...],
    gradients: tuple[Any, ...],
    dx: Any,
    dw_x: NDArray[Any],
    dw_h: NDArray[Any],
    db: NDArray[Any],
    dh0: Any,
    dc0: Any,
) -> None: ...
def rnn_forward(
    cell: int,
    x: NDArray[Any],
    w_x: NDArray[Any],
    w_h: NDArray[Any],
    b: NDArray[Any],
    h0: Any,
    c0: Any,
    lengths: Any,
    reverse: bool,
    keep: bool,
    y: NDArray[Any],
) -> tuple[Any, ...]: ...
def scaffold_keys(smiles: list[Any], status: NDArray[Any], threads: int) -> list[Any]: ...
def segment_softmax(offsets: NDArray[Any], x: NDArray[Any], y: NDArray[Any]) -> None: ...
def segment_softmax_backward(offsets: NDArray[Any], dy: NDArray[Any], y: NDArray[Any], dx: NDArray[Any]) -> None: ...
def segment_spread(offsets: NDArray[Any], mean: bool, dy: NDArray[Any], dx: NDArray[Any]) -> None: ...
def set_cpu_level(name: str) -> None: ...
def set_num_threads(count: int) -> None: ...
def slice_bytes(rows: int, bytes: int) -> int: ...
def softmax(log: bool, x: NDArray[Any], y: NDArray[Any], classes: int) -> None: ...
def softmax_backward(log: bool, dy: NDArray[Any], y: NDArray[Any], dx: NDArray[Any], classes: int) -> None: ...
def solve_triangular(t: NDArray[Any], lower: bool, x: NDArray[Any]) -> None: ...
def sparse_from_bits(bits: NDArray[Any], as_double: bool) -> SparseBatch: ...
def sparse_from_entries(
    starts: NDArray[Any], cols: int, columns: NDArray[Any], values: NDArray[Any]
) -> SparseBatch: ...
def substructure(
    smiles: list[Any],
    patterns: Patterns,
    which: NDArray[Any],
    low: NDArray[Any],
    high: NDArray[Any],
    rows: NDArray[Any],
    status: NDArray[Any],
    list_atoms: bool,
    threads: int,
    binary: bool = False,
    first_only: bool = False,
) -> Any: ...
def tanimoto(a: NDArray[Any], b: NDArray[Any], out: NDArray[Any]) -> None: ...
def tanimoto_counts(a: NDArray[Any], b: NDArray[Any], out: NDArray[Any]) -> Any: ...
def tanimoto_topk(
    queries: NDArray[Any], targets: NDArray[Any], threshold: float, indices: NDArray[Any], similarities: NDArray[Any]
) -> None: ...
def transpose_lists(offsets: NDArray[Any], index: NDArray[Any], rows: int) -> tuple[NDArray[Any], NDArray[Any]]: ...
def usable_cores() -> int: ...
def valence_problems(smiles: str) -> Any: ...
def winograd_applies(x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], before: tuple[int, int]) -> bool: ...
def winograd_backward_data(dy: NDArray[Any], w: NDArray[Any], before: tuple[int, int], dx: NDArray[Any]) -> None: ...
def winograd_backward_weights(x: NDArray[Any], dy: NDArray[Any], before: tuple[int, int], dw: NDArray[Any]) -> None: ...
def winograd_forward(
    x: NDArray[Any], w: NDArray[Any], bias: Any, relu: bool, before: tuple[int, int], y: NDArray[Any]
) -> None: ...
