"""Nonsense in every argument of `catalase.ops`, with one valid call of each function and the kinds that it accepts."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from catalase import ops
from tests.nonsense import Target, call, ones, report
from tests.ops.test_environments import ODD, packed
from tests.reference.activations import NAMES

f32 = np.float32
KINDS = {
    "out": "array?", "add": "array?", "keep": "array?", "b": "array?", "out_dw": "array?", "out_db": "array?", "dy": "array?", "dh": "array?", "dc": "array?",
    "activation": "word?", "name": "word?", "kept": "packed?", "ids": "ids", "labels": "labels", "lengths": "ids?", "query_lengths": "ids?", "num_embeddings": "whole", "padding_index": "whole?",
    "stride": "sizes", "padding": "padding", "dilation": "sizes", "size": "sizes", "factor": "sizes", "output_size": "sizes?", "shape": "sizes",
    "x": "array", "smiles": "anything", "patterns": "anything", "num_threads": "whole?", "reverse_complement": "anything", "sequences": "anything", "dtype": "dtype",
    "index": "ids", "offsets": "ids", "kind": "ids?", "kinds": "whole?", "z": "array?", "graphs": "ours", "numbers": "ids?", "masks": "anything", "fill": "real", "limits": "anything", "shift": "anything", "crop": "sizes?", "grad": "array", "mom": "array?", "weights": "array?",
}  # fmt: skip
# Where a function takes more, or other things, than the others of that name do.
OWN = {
    "linear.x": "floats or packed", "as_sparse.x": "floats or packed", "as_sparse.dtype": "dtype", "augment_images.x": "floats or packed", "empty.dtype": "dtype",
    "tanimoto.a": "packed", "tanimoto.b": "packed", "tanimoto_counts.b": "array", "matmul.b": "array", "solve_triangular.b": "array", "matmul_backward.b": "array", "rnn.b": "array", "gru.b": "array", "lstm.b": "array",
    "ecfp.size": "whole", "activation_backward.y": "array?", "linear_backward_bias.scale": "real", "squared_error.labels": "array", "softmax_cross_entropy.labels": "labels", "linear_backward.x": "floats or packed",
}  # fmt: skip
ALSO = {"smiles": ["molecule"], "patterns": ["pattern"], "sequences": ["sequence"]}  # errors name the one that is wrong


def conv(dims, **more):
    return call(ones(2, *(5, 6, 4)[:dims], 2), ones(*(3, 2, 2)[:dims], 2, 2), ones(2), stride=2, padding="same", dilation=1, groups=1, activation="relu", flip_kernel=False, **more)  # fmt: skip


def conv_backward(dims, transposed, **more):
    name = f"conv{'_transpose' * transposed}{dims}d"
    x, w = ones(2, *(5, 6, 4)[:dims], 2), ones(*(3, 2, 2)[:dims], 2, 2)
    y = getattr(ops, name)(x, w, stride=1)
    return call(ones(*y.shape), x, w, y, stride=1, padding="same", dilation=1, groups=1, activation="relu", flip_kernel=False, exact=False, need_dx=True, out_dw=ones(*w.shape), out_db=ones(2), **more)  # fmt: skip


def nd_backward():
    x, w = ones(2, 3, 3, 3, 3, 2), ones(2, 2, 2, 2, 2, 2)
    return call(ones(2, 3, 3, 3, 3, 2), x, w, ops.convnd(x, w), stride=1, padding="same", dilation=1, groups=1, activation="relu", flip_kernel=False, need_dx=True)  # fmt: skip


HEADS = {"lengths": [4, 2], "query_lengths": [1, 3], "causal": True, "scale": 0.5}
GATES = {"rnn": 1, "gru": 3, "lstm": 4}


def cell(kind, way):
    gates = GATES[kind]
    x, w_x, w_h, b = (
        ones(2, 3, 2),
        ones(2, gates * 2),
        ones(2, gates * 2),
        ones(*((2, 6) if kind == "gru" else (gates * 2,))),
    )
    extra = {"activation": "tanh"} if kind == "rnn" else {}
    states = [ones(2, 2), ones(2, 2)] if kind == "lstm" else [ones(2, 2)]
    options = {"lengths": [3, 2], "reverse": False} | extra
    if way != "backward":
        return call(x, w_x, w_h, b, *states, **options)
    saved = getattr(ops, f"{kind}_forward")(x, w_x, w_h, b, *states, **options)[-1]
    return call(ones(2, 3, 2), *states, x, w_x, w_h, saved, **options, input_gradient=True)


def pool(name, dims):
    x = ones(2, *(4, 4, 4)[:dims], 2)
    options = {"stride": 2, "padding": "valid"}
    if not name.endswith("_backward"):
        return call(x, 2, **options)
    dy = ones(2, *(2, 2, 2)[:dims], 2)
    return call(dy, x if name.startswith("max") else x.shape, 2, **options)


STEP = {"l1": 0.1, "l2": 0.1, "decay": 0.1}
CALLS = {
    **{name: lambda: call(ones(2, 3), out=ones(2, 3)) for name in ("exp", "log", *NAMES)},
    "activation": lambda: call(ones(2, 3), "relu"),
    "activation_backward": lambda: call(ones(2, 3), ones(2, 3), "silu", x=ones(2, 3)),
    "softmax": lambda: call(ones(2, 3)), "log_softmax": lambda: call(ones(2, 3)),
    "softmax_backward": lambda: call(ones(2, 3), ones(2, 3)), "log_softmax_backward": lambda: call(ones(2, 3), ones(2, 3)),
    "matmul": lambda: call(ones(2, 3), ones(3, 4), transpose_a=False, transpose_b=False, out=ones(2, 4), add=ones(2, 4), keep=ones(2, 4)),
    "matmul_backward": lambda: call(ones(2, 4), ones(2, 3), ones(3, 4), transpose_a=False, transpose_b=False),
    "linear": lambda: call(ones(2, 3), ones(3, 4), ones(4), activation="relu"),
    "linear_backward": lambda: call(ones(2, 4), ones(2, 3), ones(3, 4), ones(2, 4), activation="relu", need_dx=True, out_dw=ones(3, 4), out_db=ones(4)),
    "linear_backward_bias": lambda: call(ones(2, 4), ones(2, 4), activation="relu", out_db=ones(4), scale=2.0),
    "linear_backward_input": lambda: call(ones(2, 4), ones(3, 4)),
    "as_sparse": lambda: call(np.ones((2, 3), np.uint8), np.float32),
    "embedding": lambda: call([[1, 0]], ones(3, 4)),
    "embedding_backward": lambda: call(ones(2, 4), [1, 0], 3, padding_index=2, out=ones(3, 4)),
    "gather_rows": lambda: call(ones(3, 4), [0, 2]), "gather_rows_backward": lambda: call(ones(2, 4), [0, 2], 3),
    "gather_sum": lambda: call(ones(3, 4), [0, 2], [0, 2], z=ones(2, 4), kind=[1], relu=True), "gather_sum_backward": lambda: call(ones(1, 4), [0, 2], [0, 2], 3),
    "gather_max": lambda: call(ones(3, 4), [0, 2], [0, 2]), "gather_max_backward": lambda: call(ones(1, 4), ones(3, 4), [0, 2], [0, 2]),
    **{f"segment_{how}": lambda: call(ones(3, 4), [0, 1, 3]) for how in ("sum", "mean", "max", "softmax")},
    **{f"segment_{how}_backward": lambda: call(ones(2, 4), [0, 1, 3], 3) for how in ("sum", "mean")},
    "segment_max_backward": lambda: call(ones(2, 4), ones(3, 4), [0, 1, 3]), "segment_softmax_backward": lambda: call(ones(3, 4), ones(3, 4), [0, 1, 3]),
    "grouped_linear": lambda: call(ones(3, 4), ones(2, 4, 5), [0, 1, 3], ones(2, 5), activation="relu"),
    "grouped_linear_backward": lambda: call(ones(3, 5), ones(3, 4), ones(2, 4, 5), ones(3, 5), [0, 1, 3], activation="relu"),
    "transpose_index": lambda: call([0, 2], [0, 2], 3),
    **{name: lambda: call(ones(3, 4), ones(4, 2), [0, 2], [0, 2], z=ones(2, 2), kind=[1], b=ones(2), activation="relu") for name in ("message_update", "message_update_forward")},
    "message_update_backward": lambda: call(ones(1, 2), ones(1, 2), ones(1, 4), ones(4, 2), [0, 2], [0, 2], 3, kind=[1], kinds=2, activation="relu"),
    "environments": lambda: call(packed([ODD["ring"]]), 2, along="atoms", distinct=True),
    "dropout": lambda: call(ones(2, 3), 0.5, seed=1, layer=0, step=0, kept=np.ones((2, 3), np.uint8), out=ones(2, 3)),
    "dropout_backward": lambda: call(ones(2, 3), 0.5, seed=1, layer=0, step=0, kept=np.ones((2, 3), np.uint8)),
    "softmax_cross_entropy": lambda: call(ones(2, 3), np.array([0, 2]), ones(2)),
    "softmax_cross_entropy_backward": lambda: call(ones(2), ones(2, 3), np.array([0, 2]), ones(2)),
    **{name: lambda: call(ones(2, 3), ones(2, 3), ones(2, 3)) for name in ("sigmoid_cross_entropy", "squared_error")},
    **{f"{name}_backward": lambda: call(ones(2, 3), ones(2, 3), ones(2, 3), ones(2, 3)) for name in ("sigmoid_cross_entropy", "squared_error")},
    "batch_norm": lambda: call(ones(2, 3), ones(3), ones(3), ones(3), ones(3), eps=1e-5, activation="relu"),
    **{f"attention{way}": lambda: call(ones(2, 1, 3, 2), ones(2, 1, 4, 2), ones(2, 1, 4, 5), **HEADS) for way in ("", "_forward")},
    "attention_backward": lambda: call(ones(2, 1, 3, 5), ones(2, 1, 3, 2), ones(2, 1, 4, 2), ones(2, 1, 4, 5), ones(2, 1, 3, 5), ones(2, 2, 1, 3), **HEADS, out=(ones(2, 1, 3, 2), ones(2, 1, 4, 2), ones(2, 1, 4, 5))),
    "rms_norm": lambda: call(ones(2, 3), ones(3), eps=1e-5),
    "rms_norm_backward": lambda: call(ones(2, 3), ones(2, 3), ones(3), eps=1e-5, input_gradient=True),
    "layer_norm": lambda: call(ones(2, 3), ones(3), ones(3), eps=1e-5),
    "layer_norm_backward": lambda: call(ones(2, 3), ones(2, 3), ones(3), eps=1e-5, input_gradient=True),
    "batch_norm_backward": lambda: call(ones(2, 3), ones(2, 3), ones(3), ones(3), ones(3), ones(3), batch_statistics=True, eps=1e-5, activation="relu", input_gradient=True),
    "sgd_step": lambda: call(ones(6), ones(6), lr=0.1, **STEP),
    "momentum_step": lambda: call(ones(6), ones(6), ones(6), lr=0.1, momentum=0.9, nesterov=False, **STEP),
    "lion_step": lambda: call(ones(6), ones(6), ones(6), lr=0.1, beta1=0.9, beta2=0.99, **STEP),
    "lamb_step": lambda: call(ones(6), ones(6), ones(6), ones(6), lr=0.1, step=1, beta1=0.9, beta2=0.99, eps=1e-8, **STEP),
    "adam_step": lambda: call(ones(6), ones(6), ones(6), ones(6), ones(6), lr=0.1, step=1, beta1=0.9, beta2=0.99, eps=1e-8, **STEP),
    "adagrad_step": lambda: call(ones(6), ones(6), ones(6), lr=0.1, eps=1e-8, **STEP),
    "rmsprop_step": lambda: call(ones(6), ones(6), ones(6), ones(6), lr=0.1, alpha=0.9, eps=1e-8, momentum=0.5, **STEP),
    **{f"conv{d}d": lambda d=d: conv(d, exact=False) for d in (1, 2, 3)},
    **{f"conv_transpose{d}d": lambda d=d: conv(d, exact=False, output_size=(9, 11, 7)[:d]) for d in (1, 2, 3)},
    **{f"conv{d}d_backward": lambda d=d: conv_backward(d, False) for d in (1, 2, 3)},
    **{f"conv_transpose{d}d_backward": lambda d=d: conv_backward(d, True, output_size=(5, 6, 4)[:d]) for d in (1, 2, 3)},
    "convnd": lambda: call(ones(2, 3, 3, 3, 3, 2), ones(2, 2, 2, 2, 2, 2), ones(2), stride=1, padding="same", dilation=1, groups=1, activation="relu", flip_kernel=False),
    "convnd_backward": nd_backward,
    **{f"{name}{d}d{way}": lambda name=name, d=d, way=way: pool(f"{name}{way}", d) for name in ("max_pool", "avg_pool") for d in (1, 2, 3) for way in ("", "_backward")},
    "global_max_pool": lambda: call(ones(2, 4, 2)), "global_avg_pool": lambda: call(ones(2, 4, 2)),
    "global_max_pool_backward": lambda: call(ones(2, 2), ones(2, 4, 2)), "global_avg_pool_backward": lambda: call(ones(2, 2), (2, 4, 2)),
    "upsample": lambda: call(ones(2, 4, 2), 2, mode="linear"), "upsample_backward": lambda: call(ones(2, 4, 2), 2, mode="linear"),
    **{f"{kind}{way}": lambda kind=kind, way=way: cell(kind, way.lstrip("_")) for kind in GATES for way in ("", "_forward", "_backward")},
    "tanimoto": lambda: call(np.ones((2, 8), np.uint8), np.ones((3, 8), np.uint8)),
    "cholesky": lambda: call(2 * np.eye(3, dtype=f32), out=ones(3, 3)),
    "solve_triangular": lambda: call(np.eye(3, dtype=f32), ones(3, 2), lower=True, transposed=False),
    "tanimoto_counts": lambda: call(ones(2, 8), ones(3, 8), dtype="float32", out=ones(2, 3)),
    "tanimoto_topk": lambda: call(np.ones((2, 8), np.uint8), np.ones((3, 8), np.uint8), 2, threshold=0.5),
    "one_hot_dna": lambda: call(["ACG", "AC"], length=3, reverse_complement=False, dtype="uint8", device="cpu"),
    "ecfp": lambda: call(["CCO"], radius=2, size=64, output="packed", chirality=False, features=False, use_bond_types=True, errors="raise", return_report=False, num_threads=1, device="cpu"),
    "descriptors": lambda: call(["CCO"], names=["MolWt", "qed"], errors="raise", return_report=False, num_threads=1),
    "mol_graphs": lambda: call(["CCO"], "dmpnn", errors="raise", return_report=False, num_threads=1),
    "MolGraphs": lambda: call("dmpnn", np.zeros(2, np.int64), np.zeros(2, np.int64), np.zeros((0, 7), np.uint8), np.zeros((0, 1), f32), np.zeros((0, 4), np.uint8), np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros((1, 2), f32)),
    "maccs": lambda: call(["CCO"], output="packed", errors="raise", return_report=False, num_threads=1),
    **{name: lambda: call(["CCO"], size=64, output="packed", errors="raise", return_report=False, num_threads=1) for name in ("atom_pairs", "topological_torsions", "rdkit_fingerprint")},
    "substructure": lambda: call(["CCO"], ["[OX2H]", "CC"], what="atoms", errors="raise", return_report=False, num_threads=1),
    "empty": lambda: call((2, 3), np.float32),
    "augment_images": lambda: call(
        ones(2, 4, 4, 3), seed=1, step=0, numbers=[0, 1], masks=np.ones((2, 4, 4), np.uint8), random=True, flip_horizontal=0.5, flip_vertical=0.5, rotate90=True, rotation=10.0,
        shift=1.0, crop=(2, 2), brightness=0.1, contrast=0.1, noise=0.1, limits=(0.0, 1.0), border="edge", fill=0.5,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_nonsense_is_answered_by_a_sentence(name):
    function = getattr(ops, name)
    own = {key.partition(".")[2]: kind for key, kind in OWN.items() if key.partition(".")[0] == name}
    wrong = Target(function, CALLS[name], KINDS | own, also=ALSO).failures()
    assert not wrong, report(wrong)


def test_every_function_has_a_valid_call():
    found = {name for name in ops.__all__ if inspect.isfunction(getattr(ops, name))}
    assert found | {"MolGraphs"} == set(CALLS)
    for name, make in CALLS.items():
        given = set(Target(getattr(ops, name), make).arguments)
        parameters = inspect.signature(getattr(ops, name)).parameters.values()
        left_out = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD} - given
        assert not left_out, f"{name}: the call in the table leaves {left_out} out"
