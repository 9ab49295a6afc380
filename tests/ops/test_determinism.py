"""Tests that the bits of every array function do not depend on the threads, nor on the other rows of a batch.

Each case draws arrays and returns a call that gives two tuples: results with a row for each row of the batch, and sums
over the batch (gradients of weights). Both must be equal for all numbers of threads, the former for all splits too.
"""

from __future__ import annotations

import inspect
import zlib

import numpy as np
import pytest

import catalase as ct
from catalase import ops
from tests.reference.activations import NAMES

pytestmark = pytest.mark.on_the_cpu

THREADS = (1, 2, 3, 7, 16)
ROUNDS = 8
COVERS: dict[str, tuple[str, ...]] = {}
CASES = {}

# Nothing is summed or split: an array, a view, or the same bits by definition.
NOT_TESTED_HERE = {"empty", "as_sparse", "environments"}  # test_environments.py splits its batches


def case(*names):
    def add(draw):
        CASES[draw.__name__] = draw
        COVERS[draw.__name__] = names
        return draw

    return add


def normal(rng, dtype, *shape):
    return rng.standard_normal(shape).astype(dtype)


def sides(rng, dims, most):
    """Lengths of up to 256 a side, whose product stays small enough for a quick test."""
    lengths = [int(rng.integers(1, 257)) if rng.random() < 0.4 else int(rng.integers(1, 40)) for _ in range(dims)]
    while np.prod(lengths) > most:
        lengths[int(np.argmax(lengths))] = max(1, max(lengths) // 2)
    return tuple(lengths)


def convolution(dims, transposed):
    name = f"conv_transpose{dims}d" if transposed else f"conv{dims}d"
    forward, backward = getattr(ops, name), getattr(ops, f"{name}_backward")

    def draw(rng, dtype):
        n, groups = int(rng.integers(1, 6)), int(rng.choice([1, 1, 1, 2]))
        # Few channels on either side take kernels of their own; so do 16 and more (Winograd).
        few, many = int(rng.integers(1, 5)), int(rng.choice([5, 16, 17, 33]))
        inputs, outputs = rng.permutation([few, many]) if rng.random() < 0.7 else (many, many)
        if rng.random() < 0.15:
            groups = inputs = outputs = many  # depthwise
        inputs, outputs = int(groups * -(-inputs // groups)), int(groups * -(-outputs // groups))
        kernel = tuple(rng.choice([1, 2, 3, 3, 5], dims).tolist())
        size = sides(rng, dims, 120_000 // (inputs + outputs))
        options = {
            "stride": tuple(rng.choice([1, 1, 2, 3], dims).tolist()), "dilation": tuple(rng.choice([1, 1, 2], dims).tolist()),
            "padding": "same" if rng.random() < 0.8 else "full", "groups": groups, "exact": bool(rng.integers(2)),
            "flip_kernel": bool(rng.random() < 0.2), "activation": rng.choice([None, "relu", "tanh"]),
        }  # fmt: skip
        w_shape = (outputs // groups, inputs) if transposed else (inputs // groups, outputs)
        x, w, b = (
            normal(rng, dtype, n, *size, inputs),
            normal(rng, dtype, *kernel, *w_shape),
            normal(rng, dtype, outputs),
        )
        y = forward(x, w, b, **options)
        dy = normal(rng, dtype, *y.shape)

        def call(x, dy, y):
            dx, dw, db = backward(dy, x, w, y, **options)
            return (forward(x, w, b, **options), dx), (dw, db)

        return call, (x, dy, y), f"x {x.shape}, w {w.shape}, {options}"

    draw.__name__ = name
    case(name, f"{name}_backward")(draw)


for _dims in (1, 2, 3):
    convolution(_dims, False)
    convolution(_dims, True)


@case("convnd", "convnd_backward")
def convnd(rng, dtype):
    x, w = normal(rng, dtype, 3, *sides(rng, 2, 900), 3), normal(rng, dtype, 3, 2, 3, 8)
    y = ops.convnd(x, w)
    dy = normal(rng, dtype, *y.shape)

    def call(x, dy, y):
        dx, dw, db = ops.convnd_backward(dy, x, w, y)
        return (ops.convnd(x, w), dx), (dw, db)

    return call, (x, dy, y), f"x {x.shape}"


@case(*(f"{kind}_pool{d}d{b}" for kind in ("avg", "max") for d in (1, 2, 3) for b in ("", "_backward")),
      *(f"global_{kind}_pool{b}" for kind in ("avg", "max") for b in ("", "_backward")))  # fmt: skip
def pooling(rng, dtype):
    dims, kind = int(rng.integers(1, 4)), str(rng.choice(["avg", "max"]))
    x = normal(rng, dtype, int(rng.integers(1, 5)), *sides(rng, dims, 5000), int(rng.integers(1, 20)))
    options = {"stride": int(rng.integers(1, 4)), "padding": "same"}
    size, whole = int(rng.integers(1, 6)), bool(rng.random() < 0.3)
    name = f"global_{kind}_pool" if whole else f"{kind}_pool{dims}d"

    def pool(x):
        return getattr(ops, name)(x) if whole else getattr(ops, name)(x, size, **options)

    dy = normal(rng, dtype, *pool(x).shape)

    def call(x, dy):
        given = x if kind == "max" else x.shape
        back = getattr(ops, f"{name}_backward")
        return (pool(x), back(dy, given) if whole else back(dy, given, size, **options)), ()

    return call, (x, dy), f"{name} x {x.shape}, size {size}, {options}"


@case("upsample", "upsample_backward")
def upsample(rng, dtype):
    x = normal(rng, dtype, 3, *sides(rng, 2, 900), int(rng.integers(1, 9)))
    mode, factor = str(rng.choice(["nearest", "linear"])), int(rng.integers(1, 4))
    dy = normal(rng, dtype, *ops.upsample(x, factor, mode=mode).shape)

    def call(x, dy):
        return (ops.upsample(x, factor, mode=mode), ops.upsample_backward(dy, factor, mode=mode)), ()

    return call, (x, dy), f"x {x.shape}, {mode} by {factor}"


@case("batch_norm", "batch_norm_backward")
def norm(rng, dtype):
    channels = int(rng.integers(1, 40))
    x = normal(rng, dtype, int(rng.integers(1, 300)), int(rng.integers(1, 30)), channels)
    gamma, beta, mean = (normal(rng, dtype, channels) for _ in range(3))
    var, dy = np.abs(normal(rng, dtype, channels)) + dtype(0.1), normal(rng, dtype, *x.shape)

    def call(x, dy):
        y = ops.batch_norm(x, gamma, beta, mean, var)[0]  # inference; in training a row depends on all
        dx, *rest = ops.batch_norm_backward(dy, x, gamma, beta, mean, var, batch_statistics=False)
        trained = ops.batch_norm(x, gamma, beta)
        return (y, dx), (*rest, *trained, *ops.batch_norm_backward(dy, x, gamma, beta, *trained[1:]))

    return call, (x, dy), f"x {x.shape}"


@case("layer_norm", "layer_norm_backward", "rms_norm", "rms_norm_backward")
def layer_norm(rng, dtype):
    channels = int(rng.integers(1, 200))
    x = normal(rng, dtype, int(rng.integers(1, 300)), int(rng.integers(1, 6)), channels)
    gamma, beta, dy = normal(rng, dtype, channels), normal(rng, dtype, channels), normal(rng, dtype, *x.shape)

    def call(x, dy):
        dx, *rest = ops.layer_norm_backward(dy, x, gamma)
        dx_rms, dgamma_rms = ops.rms_norm_backward(dy, x, gamma)
        return (ops.layer_norm(x, gamma, beta), dx, ops.rms_norm(x, gamma), dx_rms), (*rest, dgamma_rms)

    return call, (x, dy), f"x {x.shape}"


@case("attention", "attention_forward", "attention_backward")
def attention(rng, dtype):
    n, heads, queries, keys, width, values = (int(rng.integers(1, most)) for most in (6, 4, 90, 700, 70, 70))
    shapes = ((queries, width), (keys, width), (keys, values), (queries, values))
    q, k, v, dy = (normal(rng, dtype, n, heads, *shape) for shape in shapes)
    lengths, query_lengths = rng.integers(0, keys + 1, n), rng.integers(0, queries + 1, n)
    causal = bool(rng.integers(2))

    def call(q, k, v, dy, lengths, query_lengths):
        how = {"lengths": lengths, "query_lengths": query_lengths, "causal": causal}
        y, statistics = ops.attention_forward(q, k, v, **how)
        gradients = ops.attention_backward(dy, q, k, v, y, statistics, **how)
        return (ops.attention(q, k, v, **how), y, *statistics, *gradients), ()

    rows = (q, k, v, dy, lengths, query_lengths)
    return call, rows, f"q {q.shape}, k {k.shape}, v {v.shape}, lengths {lengths}, causal {causal}"


@case("matmul", "matmul_backward", "linear", "linear_backward", "linear_backward_bias", "linear_backward_input")
def products(rng, dtype):
    m, k, n = int(rng.integers(1, 300)), int(rng.choice([1, 7, 64, 257, 4097, 5000])), int(rng.integers(1, 100))
    x, w, b = normal(rng, dtype, m, k), normal(rng, dtype, k, n), normal(rng, dtype, n)
    if rng.random() < 0.5:  # mostly zeros: rows of w are gathered
        x[rng.random(x.shape) < 0.95] = 0
    dy, y = normal(rng, dtype, m, n), ops.linear(x, w, b, activation="relu")

    def call(x, dy, y):
        dx, dw, db = ops.linear_backward(dy, x, w, y, activation="relu")
        dz, more_db = ops.linear_backward_bias(dy, y, activation="relu")
        da, dw_of_product = ops.matmul_backward(dy, x, w)
        rows = (ops.matmul(x, w), ops.linear(x, w, b, activation="relu"), dx, dz, ops.linear_backward_input(dz, w), da)
        return rows, (dw, db, more_db, dw_of_product)

    return call, (x, dy, y), f"x {x.shape}, w {w.shape}"


def recurrent(name, gates):
    def draw(rng, dtype):
        n, t, i, h = (
            int(rng.integers(1, 40)),
            int(rng.integers(1, 20)),
            int(rng.integers(1, 40)),
            int(rng.integers(1, 70)),
        )
        x, dy = normal(rng, dtype, n, t, i), normal(rng, dtype, n, t, h)
        bias = (2, 3 * h) if name == "gru" else (gates * h,)
        weights = [normal(rng, dtype, *s) * dtype(0.2) for s in ((i, gates * h), (h, gates * h), bias)]
        lengths = rng.integers(0, t + 1, n) if rng.random() < 0.5 else None
        reverse = bool(rng.integers(2))
        rows = (x, dy) if lengths is None else (x, dy, lengths)

        def call(x, dy, lengths=None):
            how = {"lengths": lengths, "reverse": reverse}
            *states, saved = getattr(ops, f"{name}_forward")(x, *weights, **how)
            plain = getattr(ops, name)(x, *weights, **how)
            rest = (None,) * (len(states) - 1)
            dx, dw_x, dw_h, db, *d_states = getattr(ops, f"{name}_backward")(dy, *rest, x, *weights[:2], saved, **how)
            return (*states, *plain, dx, *d_states), (dw_x, dw_h, db)

        return call, rows, f"x {x.shape}, hidden {h}, lengths {lengths}, reverse {reverse}"

    draw.__name__ = name
    case(name, f"{name}_forward", f"{name}_backward")(draw)


for _name, _gates in (("rnn", 1), ("gru", 3), ("lstm", 4)):
    recurrent(_name, _gates)


@case("softmax", "softmax_backward", "log_softmax", "log_softmax_backward", "softmax_cross_entropy", "softmax_cross_entropy_backward",
      "sigmoid_cross_entropy", "sigmoid_cross_entropy_backward", "squared_error", "squared_error_backward")  # fmt: skip
def losses(rng, dtype):
    n, classes = int(rng.integers(1, 3000)), int(rng.integers(1, 70))
    z, dy, target = (normal(rng, dtype, n, classes) for _ in range(3))
    labels, weights, d_loss = rng.integers(0, classes, n), rng.random((n, classes)).astype(dtype), normal(rng, dtype, n)

    def call(z, dy, target, labels, weights, d_loss):
        soft, logs, marks = ops.softmax(z), ops.log_softmax(z), (target > 0).astype(dtype)
        return (
            soft, logs, ops.softmax_backward(dy, soft), ops.log_softmax_backward(dy, logs),
            ops.softmax_cross_entropy(z, labels, weights[:, 0].copy()),
            ops.softmax_cross_entropy_backward(d_loss, z, labels, weights[:, 0].copy()),
            ops.sigmoid_cross_entropy(z, marks, weights), ops.sigmoid_cross_entropy_backward(dy, z, marks, weights),
            ops.squared_error(z, target, weights), ops.squared_error_backward(dy, z, target, weights),
        ), ()  # fmt: skip

    return call, (z, dy, target, labels, weights, d_loss), f"{n} rows, {classes} classes"


@case("exp", "log", *NAMES, "activation", "activation_backward")
def elementwise(rng, dtype):
    x = normal(rng, dtype, int(rng.integers(1, 4000)), int(rng.integers(1, 60)))

    def call(x):
        maps = [getattr(ops, name)(x) for name in ("exp", *NAMES)]
        slopes = [ops.activation_backward(x, y, name, x=x) for y, name in zip(maps[1:], NAMES, strict=True)]
        return (*maps, *slopes, ops.log(np.abs(x) + dtype(0.1)), ops.activation(x, "tanh")), ()

    return call, (x,), f"x {x.shape}"


@case("dropout", "dropout_backward")
def dropout(rng, dtype):  # an element's mask is keyed by its place in the batch, so rows are not drawn alone
    x = normal(rng, dtype, int(rng.integers(1, 3000)), int(rng.integers(1, 100)))
    return lambda x: ((), (ops.dropout(x, 0.3, seed=1), ops.dropout_backward(x, 0.3, seed=1))), (x,), f"x {x.shape}"


@case("embedding", "embedding_backward")
def embedding(rng, dtype):
    count, width = int(rng.integers(1, 200)), int(rng.integers(1, 70))
    ids, w = (
        rng.integers(0, count, (int(rng.integers(1, 60)), int(rng.integers(1, 200)))),
        normal(rng, dtype, count, width),
    )
    dy = normal(rng, dtype, *ids.shape, width)
    return (
        lambda ids, dy: ((ops.embedding(ids, w),), (ops.embedding_backward(dy, ids, count),)),
        (ids, dy),
        f"ids {ids.shape}, w {w.shape}",
    )


@case("gather_rows", "gather_rows_backward", "gather_sum", "gather_sum_backward", "gather_max", "gather_max_backward",
      "segment_sum", "segment_sum_backward", "segment_mean", "segment_mean_backward", "segment_max", "segment_max_backward",
      "segment_softmax", "segment_softmax_backward", "transpose_index", "message_update", "message_update_forward", "message_update_backward", "grouped_linear", "grouped_linear_backward")  # fmt: skip
def graph(rng, dtype):
    rows, width = int(rng.integers(1, 300)), int(rng.integers(1, 70))
    lengths = rng.integers(0, int(rng.choice([2, 5, 300])), int(rng.integers(1, 200)))
    x, dy = normal(rng, dtype, rows, width), normal(rng, dtype, len(lengths), width)
    index = rng.integers(0, rows, lengths.sum()).astype(np.int32)
    ends, kind = np.cumsum(lengths), rng.integers(0, 5, len(lengths))
    w, z, b = normal(rng, dtype, width, width), normal(rng, dtype, 5, width), normal(rng, dtype, width)

    def call(lengths, ends, dy, kind):
        offsets = np.cumsum([0, *lengths])
        own = index[ends[0] - lengths[0] : ends[-1]]  # of these lists
        wide = ops.gather_rows(x, own)
        soft = ops.segment_softmax(wide, offsets)
        y, m = ops.message_update_forward(x, w, own, offsets, z=z, kind=kind, b=b)
        dh, dw, dz, db = ops.message_update_backward(dy, y, m, w, own, offsets, rows, kind=kind, kinds=5)
        stacked = np.stack([w, w.T, w + 1])
        groups = [0, len(own) // 3, len(own) // 3, len(own)]
        grouped = ops.grouped_linear(wide, stacked, groups, activation="relu")
        dx_grouped, *of_groups = ops.grouped_linear_backward(soft, wide, stacked, grouped, groups, activation="relu")
        by_list = (
            y, m, ops.message_update(x, w, own, offsets, z=dy, activation="tanh"),
            ops.gather_sum(x, own, offsets), ops.gather_max(x, own, offsets), ops.segment_sum(wide, offsets),
            ops.segment_mean(wide, offsets), ops.segment_max(wide, offsets),
        )  # fmt: skip
        by_entry = (
            wide, soft, ops.segment_sum_backward(dy, offsets, len(own)), ops.segment_mean_backward(dy, offsets, len(own)),
            ops.segment_max_backward(dy, wide, offsets), ops.segment_softmax_backward(wide, soft, offsets),
        )  # fmt: skip
        summed = (
            ops.gather_rows_backward(wide, own, rows), ops.gather_sum_backward(dy, own, offsets, rows),
            ops.gather_max_backward(dy, x, own, offsets), *ops.transpose_index(own, offsets, rows), dh, dw, dz, db,
            grouped, dx_grouped, *of_groups,
        )  # fmt: skip
        return (*by_list, *by_entry), summed

    return call, (lengths, ends, dy, kind), f"x {x.shape}, {len(lengths)} lists of {len(index)}"


@case("one_hot_dna")
def one_hot(rng, dtype):
    texts = np.array(
        ["".join(rng.choice(list("ACGTN"), int(rng.integers(1, 300)))) for _ in range(int(rng.integers(1, 50)))]
    )
    return (
        lambda texts: (
            (ops.one_hot_dna(texts.tolist(), length=300, dtype=np.float32 if dtype is np.float32 else np.uint8),),
            (),
        ),
        (texts,),
        f"{len(texts)} sequences",
    )


@case("augment_images")
def augment(rng, dtype):
    x = normal(rng, np.float32, int(rng.integers(1, 6)), *sides(rng, 2, 2000), 3)
    numbers = rng.integers(0, 10**6, len(x))

    def call(x, numbers):
        return (ops.augment_images(x, seed=1, numbers=numbers, flip_horizontal=0.5, rotation=30.0, noise=0.1),), ()

    return call, (x, numbers), f"x {x.shape}"


@case(
    "ecfp", "tanimoto", "tanimoto_counts", "tanimoto_topk", "descriptors", "substructure", "maccs", "atom_pairs",
    "topological_torsions", "rdkit_fingerprint", "mol_graphs",
)  # fmt: skip
def fingerprints(rng, dtype):
    pieces = ["C", "O", "N", "c1ccccc1", "C(=O)", "S", "Cl", "C1CCNCC1", "[Na+].", "(C)C"]
    smiles = np.array(
        ["C" + "".join(rng.choice(pieces, int(rng.integers(0, 12)))) for _ in range(int(rng.integers(1, 400)))]
    )
    targets = rng.integers(0, 256, (int(rng.integers(1, 3000)), 64), dtype=np.uint8)

    def call(smiles):
        bits = ops.ecfp(smiles.tolist(), size=512, errors="mask")
        bits = bits[0] if isinstance(bits, tuple) else bits
        given = smiles.tolist()
        rows = ops.ecfp(given, size=512, output="counts", errors="mask")
        others = ops.ecfp(["CCO" * 5, *["c1ccccc1CN"] * 70, "C" * 300], size=512, output="counts")
        values = ops.descriptors(given, errors="mask")
        counts = ops.substructure(given, ["[OX2H]", "C~*~[#6]", "c1ccccc1"], what="count", errors="mask")
        graphs = ops.mol_graphs(given, errors="mask")
        more = [
            function(given, errors="mask")
            for function in (ops.maccs, ops.atom_pairs, ops.topological_torsions, ops.rdkit_fingerprint)
        ]
        arrays = ("atom_codes", "atom_floats", "bond_codes", "source", "target")
        graph_sums = np.array([zlib.crc32(b"".join(getattr(g, name).tobytes() for name in arrays)) for g in graphs])
        return (
            bits, *more, ops.tanimoto(bits, targets), *ops.tanimoto_topk(bits, targets, min(7, len(targets))), values, counts, graph_sums,
            ops.tanimoto_counts(rows, others), ops.tanimoto_counts(rows * 0.3, others * 0.7, dtype=dtype),
        ), ()  # fmt: skip

    return call, (smiles,), f"{len(smiles)} molecules, {len(targets)} targets"


@case("cholesky", "solve_triangular")
def triangles(rng, dtype):
    n, m = int(rng.integers(1, 400)), int(rng.integers(1, 80))
    half, b = normal(rng, dtype, n, n), normal(rng, dtype, m, n)  # its rows are the right-hand sides

    def call(b):
        factor = ops.cholesky(ops.matmul(half, half, transpose_b=True) + n * np.eye(n, dtype=dtype))
        sides = [(lower, transposed) for lower in (True, False) for transposed in (True, False)]
        solved = [
            ops.solve_triangular(factor if lower else factor.T, b.T, lower=lower, transposed=transposed)
            for lower, transposed in sides
        ]
        return tuple(x.T for x in solved), (factor,)

    return call, (b,), f"n {n}, m {m}"


@case("sgd_step", "momentum_step", "adagrad_step", "rmsprop_step", "adam_step", "lion_step", "lamb_step")
def optimizers(rng, dtype):
    n = int(rng.integers(1, 300_000))
    param, grad = normal(rng, dtype, n), normal(rng, dtype, n)

    def call():
        found = []
        for step, states, more in (
            (ops.sgd_step, 0, {}), (ops.momentum_step, 1, {}), (ops.adagrad_step, 1, {}), (ops.rmsprop_step, 2, {"momentum": 0.5}),
            (ops.adam_step, 2, {"step": 3}), (ops.adam_step, 3, {"step": 3}), (ops.lion_step, 1, {}), (ops.lamb_step, 2, {"step": 3}),
        ):  # fmt: skip
            arrays = [param.copy(), *(np.full(n, 0.1, dtype) for _ in range(states))]
            step(arrays[0], grad, *arrays[1:], lr=0.01, l1=0.01, l2=0.1, **more)
            found += arrays
        return (), tuple(found)

    return call, (), f"{n} parameters"


def assert_equal(found, expected, note):
    for number, (a, b) in enumerate(zip(found, expected, strict=True)):
        assert a.shape == b.shape and a.dtype == b.dtype, (
            f"{note}: result {number} is {a.dtype} {a.shape}, not {b.dtype} {b.shape}"
        )
        if a.tobytes() == b.tobytes() or np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
            continue
        wrong = a != b
        worst = np.unravel_index(np.argmax(np.abs(np.where(wrong, a.astype(float) - b, 0))), a.shape)
        pytest.fail(
            f"{note}: {int(wrong.sum())} elements of result {number} differ, at {worst} {a[worst]!r} is not {b[worst]!r}"
        )


def splits_of(rng, n):
    """Where to cut a batch: every row alone, or a few pieces."""
    if n <= 6 and rng.random() < 0.5:
        return list(range(1, n))
    return (
        sorted(rng.choice(np.arange(1, n), min(n - 1, int(rng.integers(1, 4))), replace=False).tolist())
        if n > 1
        else []
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_bits_depend_on_neither_threads_nor_batch(backend, name, dtype):
    before = ct.get_num_threads()
    try:
        for number in range(ROUNDS):
            rng = np.random.default_rng([number, *name.encode()])
            ct.set_num_threads(1)
            call, rows, shapes = CASES[name](rng, dtype)
            by_row, summed = call(*rows)
            for threads in THREADS[1:]:
                ct.set_num_threads(threads)
                again, again_summed = call(*rows)
                note = f"{name} {np.dtype(dtype)} on {backend}, round {number}, {threads} threads, {shapes}"
                assert_equal((*again, *again_summed), (*by_row, *summed), note)
            if not by_row:
                continue
            ct.set_num_threads(int(rng.choice(THREADS)))
            cuts = splits_of(rng, len(rows[0]))
            parts = [call(*part)[0] for part in zip(*(np.split(a, cuts) for a in rows), strict=True)]
            note = f"{name} {np.dtype(dtype)} on {backend}, round {number}, {ct.get_num_threads()} threads, cut at {cuts}, {shapes}"
            assert_equal([np.concatenate(pieces) for pieces in zip(*parts, strict=True)], by_row, note)
    finally:
        ct.set_num_threads(before)


def test_every_array_function_has_a_case():
    functions = {n for n in dir(ops) if not n.startswith("_") and inspect.isfunction(getattr(ops, n))}
    covered = {name for names in COVERS.values() for name in names}
    assert functions - covered == NOT_TESTED_HERE and covered <= functions
