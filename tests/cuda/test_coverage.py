"""Calls every array function once on each backend, and compares with float64. No function is missing here or in the docs."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from catalase import ops
from tests.ops.test_rnn import make
from tests.reference.activations import NAMES

pytestmark = pytest.mark.at_one_level

DOCS = Path(__file__).parent.parent.parent / "docs" / "gpu.md"
# Results, memory of the host, molecules that only the CPU reads, and what only the CPU computes.
NO_ARRAY_FUNCTIONS = {
    "RnnSaved",
    "SparseBatch",
    "empty",
    "descriptors",
    "substructure",
    "MolGraphs",
    "mol_graphs",
    "maccs",
    "atom_pairs",
    "topological_torsions",
    "rdkit_fingerprint",
}
NO_ARRAY_FUNCTIONS |= {
    "environments",
    "Environments",
    "EnvironmentBatch",
    "RowLists",
    "transpose_index",
    "tanimoto_counts",
    "cholesky",
    "solve_triangular",
}

RNG = np.random.default_rng(7)


def f32(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def gradient(on, y):
    return on(np.random.default_rng(8).standard_normal(y.shape).astype(np.float32))


X, W, B, DY, D, TOKENS = f32(6, 16), f32(16, 4), f32(4), f32(6, 4), f32(6), f32(3, 4, 3)
POSITIVE, BITS = np.abs(X) + np.float32(0.1), RNG.integers(0, 256, (6, 2), dtype=np.uint8)
LABELS, PROBABILITIES = RNG.integers(0, 16, 6), RNG.random((6, 16)).astype(np.float32)
HEADS = f32(2, 2, 4, 3), f32(2, 2, 5, 3), f32(2, 2, 5, 6)
SIDES, KERNEL = (6, 5, 4), (3, 2, 2)
PIXELS = RNG.integers(0, 256, (2, 8, 7, 3), dtype=np.uint8)
IDS, TABLE = RNG.integers(0, 5, (3, 4)), f32(5, 3)
KIND, SQUARE = np.array([1, 0, 1], np.int32), f32(3, 3)
INDEX, OFFSETS, NUMBERS = np.array([0, 4, 4, 1, 3], np.int32), np.array([0, 2, 2, 5]), np.array([0, 4, 4, 1])
SCALE = [np.abs(f32(3)) + 1, f32(3)]


def _batch_norm_backward(on, device):
    x, *scale = map(on, (TOKENS, *SCALE))
    y, mean, var = ops.batch_norm(x, *scale)
    return ops.batch_norm_backward(gradient(on, y), x, *scale, mean, var)


def _attention_backward(on, device):
    arrays = [*map(on, HEADS)]
    y, statistics = ops.attention_forward(*arrays, causal=True)
    return ops.attention_backward(gradient(on, y), *arrays, y, statistics, causal=True)


def _update(on):
    more = {"z": on(TABLE[:2]), "kind": on(KIND), "b": on(TABLE[4])}
    return ops.message_update_forward(on(TABLE), on(SQUARE), on(INDEX), on(OFFSETS), **more)


def _update_backward(on, device):
    y, m = _update(on)
    lists = (on(INDEX), on(OFFSETS), 5)
    return ops.message_update_backward(gradient(on, y), y, m, on(SQUARE), *lists, kind=on(KIND), kinds=2)


# By name: what is run with `on`, which brings arrays to the backend, and its name.
CALLS = {
    "matmul": lambda on, device: ops.matmul(on(X), on(W)),
    "matmul_backward": lambda on, device: ops.matmul_backward(on(DY), on(X), on(W)),
    "linear": lambda on, device: ops.linear(on(BITS), on(W), on(B), activation="tanh"),
    "linear_backward": lambda on, device: ops.linear_backward(*map(on, (DY, X, W, DY)), activation="relu"),
    "linear_backward_bias": lambda on, device: ops.linear_backward_bias(on(DY), on(DY), activation="relu"),
    "linear_backward_input": lambda on, device: ops.linear_backward_input(on(DY), on(W)),
    "as_sparse": lambda on, device: ops.linear(ops.as_sparse(on(BITS), on(W).dtype), on(W)),
    "LinearGradient": lambda on, device: ops.LinearGradient(on(X), on(DY)).array(),
    "log": lambda on, device: ops.log(on(POSITIVE)),
    "activation": lambda on, device: ops.activation(on(X), "softplus"),
    "activation_backward": lambda on, device: ops.activation_backward(on(X), on(POSITIVE), "tanh"),
    "softmax_cross_entropy": lambda on, device: ops.softmax_cross_entropy(on(X), on(LABELS)),
    "softmax_cross_entropy_backward": lambda on, device: ops.softmax_cross_entropy_backward(*map(on, (D, X, LABELS))),
    "dropout": lambda on, device: ops.dropout(on(X), 0.4, seed=3),
    "dropout_backward": lambda on, device: ops.dropout_backward(on(X), 0.4, seed=3),
    "tanimoto": lambda on, device: ops.tanimoto(on(BITS), on(BITS[:4])),
    "tanimoto_topk": lambda on, device: ops.tanimoto_topk(on(BITS[:2]), on(BITS), 3),
    "ecfp": lambda on, device: ops.ecfp(["CCO", "c1ccccc1O"], size=64, device=device),
    "one_hot_dna": lambda on, device: ops.one_hot_dna(["ACGTN", "TT"], length=6, device=device),
    "augment_images": lambda on, device: ops.augment_images(on(PIXELS), seed=1, flip_vertical=0.5, rotation=30.0, noise=0.1),
    "embedding": lambda on, device: ops.embedding(on(IDS), on(TABLE)),
    "embedding_backward": lambda on, device: ops.embedding_backward(on(TOKENS), on(IDS), 5),
    "message_update": lambda on, device: ops.message_update(on(TABLE), on(SQUARE), on(INDEX), on(OFFSETS), z=on(TABLE[:3])),
    "message_update_forward": lambda on, device: _update(on),
    "message_update_backward": _update_backward,
    "grouped_linear": lambda on, device: ops.grouped_linear(on(X), on(W[None]), [0, 6], on(B[None]), activation="tanh"),
    "grouped_linear_backward": lambda on, device: ops.grouped_linear_backward(on(DY), on(X), on(W[None]), on(DY), [0, 6]),
    "gather_rows": lambda on, device: ops.gather_rows(on(TABLE), on(NUMBERS)),
    "gather_rows_backward": lambda on, device: ops.gather_rows_backward(on(TABLE[:4]), on(NUMBERS), 5),
    "gather_sum": lambda on, device: ops.gather_sum(on(TABLE), on(INDEX), on(OFFSETS)),
    "gather_sum_backward": lambda on, device: ops.gather_sum_backward(on(TABLE[:3]), on(INDEX), on(OFFSETS), 5),
    "gather_max": lambda on, device: ops.gather_max(on(TABLE), on(INDEX), on(OFFSETS)),
    "gather_max_backward": lambda on, device: ops.gather_max_backward(on(TABLE[:3]), on(TABLE), on(INDEX), on(OFFSETS)),
    "segment_sum_backward": lambda on, device: ops.segment_sum_backward(on(TABLE[:3]), on(OFFSETS), 5),
    "segment_mean_backward": lambda on, device: ops.segment_mean_backward(on(TABLE[:3]), on(OFFSETS), 5),
    "segment_max_backward": lambda on, device: ops.segment_max_backward(on(TABLE[:3]), on(TABLE), on(OFFSETS)),
    "segment_softmax_backward": lambda on, device: ops.segment_softmax_backward(on(TABLE), on(TABLE), on(OFFSETS)),
    "attention": lambda on, device: ops.attention(*map(on, HEADS), lengths=[3, 5], causal=True),
    "attention_forward": lambda on, device: ops.attention_forward(*map(on, HEADS)),
    "attention_backward": _attention_backward,
    "batch_norm": lambda on, device: ops.batch_norm(on(TOKENS), *map(on, SCALE), activation="relu"),
    "batch_norm_backward": _batch_norm_backward,
    "rms_norm": lambda on, device: ops.rms_norm(on(TOKENS), on(SCALE[0])),
    "rms_norm_backward": lambda on, device: ops.rms_norm_backward(on(TOKENS), on(TOKENS), on(SCALE[0])),
    "layer_norm": lambda on, device: ops.layer_norm(on(TOKENS), *map(on, SCALE)),
    "layer_norm_backward": lambda on, device: ops.layer_norm_backward(on(TOKENS), on(TOKENS), on(SCALE[0])),
    "global_max_pool": lambda on, device: ops.global_max_pool(on(TOKENS)),
    "global_max_pool_backward": lambda on, device: ops.global_max_pool_backward(on(TABLE[:3]), on(TOKENS)),
    "global_avg_pool": lambda on, device: ops.global_avg_pool(on(TOKENS)),
    "global_avg_pool_backward": lambda on, device: ops.global_avg_pool_backward(on(TABLE[:3]), TOKENS.shape),
    "upsample": lambda on, device: ops.upsample(on(TOKENS), 3, mode="linear"),
    "upsample_backward": lambda on, device: ops.upsample_backward(on(TOKENS), 2),
}  # fmt: skip
for _name in (*NAMES, "exp", "softmax", "log_softmax"):
    CALLS[_name] = lambda on, device, name=_name: getattr(ops, name)(on(X))
for _name in ("sum", "mean", "max", "softmax"):
    CALLS[f"segment_{_name}"] = lambda on, device, name=f"segment_{_name}": getattr(ops, name)(on(TABLE), on(OFFSETS))
for _name in ("softmax", "log_softmax"):
    CALLS[f"{_name}_backward"] = lambda on, device, name=f"{_name}_backward": getattr(ops, name)(
        on(X), on(PROBABILITIES)
    )
for _name in ("sigmoid_cross_entropy", "squared_error"):
    CALLS[_name] = lambda on, device, name=_name: getattr(ops, name)(on(X), on(PROBABILITIES))
    CALLS[f"{_name}_backward"] = lambda on, device, name=f"{_name}_backward": getattr(ops, name)(
        *map(on, (X, X, PROBABILITIES))
    )


def _step(name, states, **options):
    def run(on, device):
        param, grad, *state = (on(a.ravel().copy()) for a in (X, PROBABILITIES, *[POSITIVE] * states))
        getattr(ops, name)(param, grad, *state, lr=0.1, l2=0.01, **options)
        return param, *state

    CALLS[name] = run


_step("sgd_step", 0)
_step("momentum_step", 1)
_step("adam_step", 2, step=2)
_step("lion_step", 1)
_step("lamb_step", 2, step=2)
_step("adagrad_step", 1)
_step("rmsprop_step", 1)


def _convolution(name, w):
    x, b = f32(2, *SIDES[: w.ndim - 2], 3), f32(4)

    def forward(on, device):
        return getattr(ops, name)(on(x), on(w), on(b), stride=2, activation="tanh")

    def backward(on, device):
        y = forward(on, device)
        run = getattr(ops, f"{name}_backward")
        return run(gradient(on, y), on(x), on(w), y, stride=2, activation="tanh")

    CALLS.update({name: forward, f"{name}_backward": backward})


def _pooling(dims):
    x = f32(2, *SIDES[:dims], 3)
    for kind in ("max", "avg"):
        name = f"{kind}_pool{dims}d"

        def forward(on, device, name=name):
            return getattr(ops, name)(on(x), 2, stride=1)

        def backward(on, device, name=name, forward=forward):
            dy = gradient(on, forward(on, device))
            return getattr(ops, f"{name}_backward")(dy, on(x) if "max" in name else x.shape, 2, stride=1)

        CALLS.update({name: forward, f"{name}_backward": backward})


for _dims in (1, 2, 3):
    _convolution(f"conv{_dims}d", f32(*KERNEL[:_dims], 3, 4))
    _convolution(f"conv_transpose{_dims}d", f32(*KERNEL[:_dims], 4, 3))
    _pooling(_dims)
_convolution("convnd", f32(*KERNEL[:2], 3, 4))


def _cell(name):
    arrays = make(RNG, "tanh" if name == "rnn" else name, 3, 4, 2, 5)

    def whole(on, device):
        return getattr(ops, name)(*map(on, arrays.values()), reverse=True)

    def forward(on, device):
        return getattr(ops, f"{name}_forward")(*map(on, arrays.values()), lengths=[4, 0, 3])[:-1]

    def backward(on, device):
        *outputs, saved = getattr(ops, f"{name}_forward")(*map(on, arrays.values()))
        given = [on(arrays[key]) for key in ("x", "w_x", "w_h")]
        return getattr(ops, f"{name}_backward")(*(gradient(on, y) for y in outputs), *given, saved)

    CALLS.update({name: whole, f"{name}_forward": forward, f"{name}_backward": backward})


for _name in ("rnn", "gru", "lstm"):
    _cell(_name)


def in_float64(x):
    return x.astype(np.float64) if x.dtype == np.float32 else x


@pytest.mark.parametrize("name", sorted(CALLS))
def test_runs_where_its_arrays_are(backend, monkeypatch, name):
    expected, called, function = CALLS[name](in_float64, "cpu"), [], getattr(ops, name)

    def counted(*args, **options):
        called.append(name)
        return function(*args, **options)

    monkeypatch.setattr(ops, name, counted)
    found = CALLS[name](backend.array, backend.device)
    assert called, "the call is not one of this function"
    found, expected = (v if isinstance(v, tuple) else (v,) for v in (found, expected))
    for array, exact in zip(map(backend.get, found), expected, strict=True):
        assert array.shape == exact.shape and array.size and (array.dtype == exact.dtype or exact.dtype == np.float64)
        assert array.dtype.kind != "f" or array.dtype == np.float32
        assert np.allclose(array, exact, rtol=1e-4, atol=1e-5)


# Arrays of a call, by their place, that may stay on the host: tokens, one whose dtype is asked for, and those alone in a call.
MAY_STAY = {"embedding": [0], "embedding_backward": [1], "as_sparse": [1]}
MAY_STAY |= {"gather_rows": [1], "gather_rows_backward": [1]} | {
    "gather_sum": [1, 2],
    "gather_sum_backward": [1, 2],
    "gather_max": [1, 2],
}
MAY_STAY |= {
    "message_update": [2, 3],
    "message_update_forward": [1, 5, 6],
    "message_update_backward": [1, 5, 6, 7, 8, 11],
}
MAY_STAY |= {"gather_max_backward": [2, 3]} | {f"segment_{how}": [1] for how in ("sum", "mean", "max", "softmax")}
MAY_STAY |= {
    "segment_sum_backward": [1],
    "segment_mean_backward": [1],
    "segment_max_backward": [2],
    "segment_softmax_backward": [2],
}
for _dims in (1, 2, 3):
    MAY_STAY |= {f"max_pool{_dims}d_backward": [0], f"avg_pool{_dims}d_backward": [0, 1]}


@pytest.mark.on_a_device
@pytest.mark.parametrize("name", sorted(CALLS))
def test_an_array_of_the_host_among_those_of_a_device_is_refused(backend, name):
    """Each array of the call in turn stays behind."""
    arrays = []
    CALLS[name](lambda x: arrays.append(x) or backend.array(x), backend.device)
    for left in range(len(arrays) if len(arrays) > 1 else 0):
        if left in MAY_STAY.get(name, []):
            continue
        place = itertools.count()
        with pytest.raises(TypeError, match=r"on one device|on the GPU"):
            CALLS[name](
                lambda x, place=place, left=left: x if next(place) == left else backend.array(x), backend.device
            )


@pytest.mark.on_a_device
@pytest.mark.parametrize("name", sorted(CALLS))
def test_doubles_are_refused_on_a_device(backend, name):
    floats = []
    CALLS[name](lambda x: floats.append(x.dtype == np.float32) or backend.array(x), backend.device)
    if any(floats):
        with pytest.raises(TypeError, match=r"must be (a )?float32"):
            CALLS[name](lambda x: backend.array(in_float64(x)), backend.device)


def test_no_function_is_missing():
    assert set(CALLS) == set(ops.__all__) - NO_ARRAY_FUNCTIONS


def test_the_docs_promise_these():
    promised = set()
    for row in re.findall(r"^\| (`.*?) \|", DOCS.read_text(), re.M):
        row = re.sub(r"`(\w+)1d` to `3d`", r"`\g<1>1d`, `\g<1>2d`, `\g<1>3d`", row)
        names = re.findall(r"`(\w+)`", row)
        if names and hasattr(ops, names[0]):
            plain = [name for name in names if name[0] != "_"]
            if "activation" in names:
                promised |= set(NAMES)  # each by its own name, as the row says
            promised |= {*plain, *(a + b for a in plain for b in names if b[0] == "_")}
    assert promised == set(CALLS)
