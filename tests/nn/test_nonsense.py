"""Nonsense in every argument of `catalase.nn`: functions, layers' constructors and calls, losses, initial values."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import catalase as ct
from catalase import nn
from catalase.nn import functional, init, losses, tf_nn
from tests.nonsense import Target, call, ones, public, report
from tests.ops.test_environments import packed
from tests.reference import losses as reference
from tests.reference.activations import NAMES

KINDS = {
    "x": "tensor", "b": "tensor?", "w": "tensor", "activation": "word?", "name": "word?", "stride": "sizes", "strides": "sizes", "ksize": "sizes", "padding": "padding", "dilation": "sizes",
    "size": "sizes", "factor": "sizes", "output_size": "sizes?", "ids": "ids", "labels": "labels", "weights": "array?", "lengths": "ids?", "padding_index": "whole?",
    "h0": "tensor?", "c0": "tensor?", "kernel_size": "sizes", "weight_init": "function?", "bias_init": "function?", "rng": "rng?", "dropout": "anything",
    "shape": "sizes", "axis": "signed", "seed": "seed?", "condition": "anything", "a": "operand", "tensors": "anything", "gamma": "tensor", "beta": "tensor", "mean": "array?", "var": "array?",
    "state": "anything", "module": "layer", "input_shape": "sizes?", "prefix": "word", "suffix": "word?", "array": "values", "y": "values", "w_x": "tensor", "w_h": "tensor", "target": "labels",
    "output": "tensor", "sequential": "layer", "model": "layer", "layer": "layer", "value": "tensor", "bias": "flag", "device": "word", "normalized_shape": "sizes",
    "values": "tensor", "index": "ids", "offsets": "ids", "batch": "ours", "atoms": "ours", "molecules": "ours", "rows": "tensor", "norm": "number", "features": "whole?", "h": "tensor", "z": "tensor?", "kind": "ids?", "transposed": "ours?", "kinds": "ours?",
}  # fmt: skip


def check(function, make, own=None, **more):
    wrong = Target(function, make, KINDS | (own or {}), **more).failures()
    assert not wrong, report(wrong)


def tensor(*shape):
    return ct.Tensor(ones(*shape), requires_grad=True)


def molecules():
    return ct.data.GraphBatch(ct.ops.mol_graphs(["CCO", "C"]))


def depth():
    """The lists of the four atoms, with their bonds."""
    return molecules().environments(1, along="atoms and bonds").depths[0]


def conv(dims, transposed=False):
    more = {"output_size": (9, 11, 7)[:dims]} if transposed else {}
    return call(tensor(2, *(5, 6, 4)[:dims], 2), tensor(*(3, 2, 2)[:dims], 2, 2), tensor(2), stride=2, padding="same", dilation=1, groups=1, activation="relu", flip_kernel=False, exact=False, **more)  # fmt: skip


def cell(kind):
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[kind]
    weights = tensor(2, gates * 2), tensor(2, gates * 2), tensor(*((2, 6) if kind == "gru" else (gates * 2,)))
    states = [tensor(2, 2)] * (2 if kind == "lstm" else 1)
    extra = {"activation": "tanh"} if kind == "rnn" else {}
    return call(tensor(2, 3, 2), *weights, *states, lengths=[3, 2], reverse=False, **extra)


def packed_bonds():
    """The lists of two bonds, of two kinds."""
    graphs = packed([(2, [(0, 1)])], 1, 1)
    graphs.atom_codes[1] = 1
    return ct.ops.environments(graphs, 2).batch().bonds


FUNCTIONS = {
    **{name: lambda: call(tensor(2, 3)) for name in (*NAMES, "exp", "log", "softmax", "log_softmax")},
    "activation": lambda: call(tensor(2, 3), "relu"),
    "linear": lambda: call(tensor(2, 3), tensor(3, 4), tensor(4), activation="relu", dropout={"rate": 0.5, "seed": 1}),
    "matmul": lambda: call(tensor(2, 3), tensor(3, 4), transpose_a=False, transpose_b=False),
    "softmax_cross_entropy": lambda: call(tensor(2, 3), np.array([0, 2]), ones(2)),
    "sigmoid_cross_entropy": lambda: call(tensor(2, 3), ones(2, 3), ones(2, 3)),
    "squared_error": lambda: call(tensor(2, 3), ones(2, 3), ones(2, 3)),
    "dropout": lambda: call(tensor(2, 3), 0.5, seed=1, layer=0, step=0),
    "embedding": lambda: call([[1, 0]], tensor(3, 4), padding_index=2),
    "gather_rows": lambda: call(tensor(3, 4), [0, 2]), "gather_max": lambda: call(tensor(3, 4), [0, 2], [0, 2]),
    "message_passing": lambda: call(tensor(2, 3), tensor(3, 3), packed_bonds(), tensor(3)),
    "grouped_linear": lambda: call(tensor(3, 4), tensor(2, 4, 5), [0, 1, 3], tensor(2, 5), activation="relu"),
    "gather_sum": lambda: call(tensor(3, 4), [0, 2], [0, 2], z=tensor(2, 4), kind=[1], relu=True, transposed=([0, 0], [0, 1, 1, 2]), kinds=([0], [0, 0, 1])),
    "message_update": lambda: call(tensor(3, 4), tensor(4, 2), [0, 2], [0, 2], z=tensor(2, 2), kind=[1], b=tensor(2), activation="relu", transposed=([0, 0], [0, 1, 1, 2]), kinds=([0], [0, 0, 1])),
    **{f"segment_{how}": lambda: call(tensor(3, 4), [0, 1, 3]) for how in ("sum", "mean", "max", "softmax")},
    "batch_norm": lambda: call(tensor(2, 3), tensor(3), tensor(3), ones(3), ones(3), eps=1e-5, activation="relu"),
    "attention": lambda: call(tensor(2, 1, 3, 2), tensor(2, 1, 4, 2), tensor(2, 1, 4, 5), lengths=[4, 2], query_lengths=[1, 3], causal=True, scale=0.5),
    "rms_norm": lambda: call(tensor(2, 3), tensor(3), eps=1e-5),
    "layer_norm": lambda: call(tensor(2, 3), tensor(3), tensor(3), eps=1e-5),
    "concatenate": lambda: call([tensor(2, 3), tensor(2, 3)], axis=0),
    "where": lambda: call(np.ones((2, 3), bool), tensor(2, 3), tensor(2, 3)),
    **{f"conv{d}d": lambda d=d: conv(d) for d in (1, 2, 3)},
    **{f"conv_transpose{d}d": lambda d=d: conv(d, True) for d in (1, 2, 3)},
    **{f"{name}{d}d": lambda d=d: call(tensor(2, *(4, 4, 4)[:d], 2), 2, stride=2, padding="valid") for name in ("max_pool", "avg_pool") for d in (1, 2, 3)},
    "global_max_pool": lambda: call(tensor(2, 4, 2)), "global_avg_pool": lambda: call(tensor(2, 4, 2)),
    "upsample": lambda: call(tensor(2, 4, 2), 2, mode="linear"),
    **{kind: lambda kind=kind: cell(kind) for kind in ("rnn", "gru", "lstm")},
}  # fmt: skip
OWN = {
    "linear": {"x": "floats, packed or tensor"}, "matmul": {"b": "tensor"}, "rnn": {"b": "tensor"}, "gru": {"b": "tensor"}, "lstm": {"b": "tensor"}, "where": {"b": "operand"},
    "message_update": {"kind": "ids?"}, "message_passing": {"depths": "no objects"}, "dropout": {"layer": "whole"}, "sigmoid_cross_entropy": {"labels": "array"}, "squared_error": {"target": "array"},
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    cell = name in ("rnn", "gru", "lstm", "message_update", "attention")
    more = ("message_update_forward", "gather_sum") if name == "message_passing" else ()
    check(
        getattr(functional, name),
        FUNCTIONS[name],
        OWN.get(name),
        names=(name, *more, f"{name}_forward") if cell or more else (),
    )


TF = {
    **{name: lambda: call(tensor(2, 3)) for name in ("relu", "tanh", "sigmoid", "softmax")},
    "conv2d": lambda: call(tensor(2, 5, 6, 2), tensor(3, 2, 2, 4), [1, 2, 2, 1], "SAME"),
    "bias_add": lambda: call(tensor(2, 3), tensor(3)),
    "max_pool": lambda: call(tensor(2, 4, 4, 2), [1, 2, 2, 1], [1, 2, 2, 1], "SAME"),
    "avg_pool": lambda: call(tensor(2, 4, 4, 2), [1, 2, 2, 1], [1, 2, 2, 1], "SAME"),
    "dropout": lambda: call(tensor(2, 3), 0.5, seed=1),
    "softmax_cross_entropy_with_logits": lambda: call(ones(2, 3), tensor(2, 3)),
}


@pytest.mark.parametrize("name", TF)
def test_functions_of_tensorflow(name):
    own = {"W": "tensor", "bias": "tensor"} | ({"labels": "values"} if name.startswith("softmax_") else {})
    check(
        getattr(tf_nn, name), TF[name], own, names=(name, f"{name}2d", "activation", "softmax_cross_entropy", "Tensor")
    )


START = {"weight_init": init.zeros(), "rng": 0}
CONV = {"stride": 1, "padding": "same", "dilation": 1, "groups": 1, "activation": "relu", "bias": True, "flip_kernel": False, "exact": False, "bias_init": init.zeros(), **START}  # fmt: skip
ENCODER = {"hidden_size": 6, "dropout": 0.1, "activation": "gelu", "norm_first": True, "eps": 1e-5, "rng": 0}
RECURRENT = {"num_layers": 2, "dropout": 0.5, "bidirectional": False, "reverse": False, "rng": 0}
LAYERS = {  # how they are made, and what they are called with
    "Linear": (lambda: call(3, 2, activation="relu", bias=True, bias_init=init.zeros(), **START), lambda: call(tensor(2, 3))),
    **{f"Conv{d}D": (lambda: call(2, 4, 3, **CONV), lambda d=d: call(tensor(2, *(5, 5, 5)[:d], 2))) for d in (1, 2, 3)},
    **{f"ConvTranspose{d}D": (lambda: call(2, 4, 3, **CONV), lambda d=d: call(tensor(2, *(5, 5, 5)[:d], 2))) for d in (1, 2, 3)},
    **{f"{kind}Pool{d}D": (lambda: call(2, stride=2, padding="valid"), lambda d=d: call(tensor(2, *(4, 4, 4)[:d], 2))) for d in (1, 2, 3) for kind in ("Max", "Avg")},
    "GlobalMaxPool": (call, lambda: call(tensor(2, 4, 2))), "GlobalAvgPool": (call, lambda: call(tensor(2, 4, 2))),
    "Upsample": (lambda: call(2, mode="nearest"), lambda: call(tensor(2, 4, 2))),
    "Flatten": (call, lambda: call(tensor(2, 4, 2))),
    "Reshape": (lambda: call((4, 2)), lambda: call(tensor(2, 8))),
    "BatchNorm": (lambda: call(3, momentum=0.1, eps=1e-5, activation="relu"), lambda: call(tensor(2, 3))),
    "LayerNorm": (lambda: call(3, eps=1e-5, elementwise_affine=True, bias=True), lambda: call(tensor(2, 3))),
    "RMSNorm": (lambda: call(3, eps=1e-5, elementwise_affine=True), lambda: call(tensor(2, 3))),
    "GroupNorm": (lambda: call(2, 4, eps=1e-5, affine=True), lambda: call(tensor(2, 3, 4))),
    "MultiHeadAttention": (lambda: call(4, 2, bias=True, rng=0), lambda: call(tensor(2, 3, 4), tensor(2, 5, 4), tensor(2, 5, 4), [5, 2], [3, 1], False)),
    "TransformerEncoderLayer": (lambda: call(4, 2, **ENCODER), lambda: call(tensor(2, 3, 4), [3, 1], False)),
    "TransformerEncoder": (lambda: call(4, 2, 2, causal=True, **ENCODER), lambda: call(tensor(2, 1, 4), (tensor(2, 3, 2, 4), tensor(2, 3, 2, 4)), [1, 1])),
    "SinusoidalPositions": (call, lambda: call(tensor(2, 3, 4), 1)),
    "LearnedPositions": (lambda: call(9, 4, rng=0), lambda: call(tensor(2, 3, 4), 1)),
    "Dropout": (lambda: call(0.5), lambda: call(tensor(2, 3))),
    "GaussianNoise": (lambda: call(0.5), lambda: call(tensor(2, 3))),
    **{name: (call, lambda: call(tensor(2, 3))) for name in (*nn.activations.__all__, "Softmax")},
    "Sequential": (lambda: call(nn.Linear(3, 2), nn.ReLU()), lambda: call(tensor(2, 3))),
    "Embedding": (lambda: call(3, 4, padding_index=2, **START), lambda: call([[1, 0]])),
    "RNN": (lambda: call(2, 3, activation="tanh", **RECURRENT), lambda: call(tensor(2, 4, 2), tensor(2, 2, 3), [4, 3])),
    "GRU": (lambda: call(2, 3, **RECURRENT), lambda: call(tensor(2, 4, 2), tensor(2, 2, 3), [4, 3])),
    "LSTM": (lambda: call(2, 3, **RECURRENT), lambda: call(tensor(2, 4, 2), (tensor(2, 2, 3), tensor(2, 2, 3)), [4, 3])),
    "Bidirectional": (lambda: call(nn.GRU(2, 3), nn.GRU(2, 3, reverse=True)), lambda: call(tensor(2, 4, 2), (tensor(2, 3), tensor(2, 3)), [4, 3])),
    "DirectedMessagePassing": (lambda: call(72, 14, hidden=3, depth=2, bias=True, dropout=0.1, activation="relu", rng=0), lambda: call(molecules())),
    "GraphReadout": (lambda: call("attention", norm=2.0, features=3, rng=0), lambda: call(tensor(4, 3), molecules().environments(1).molecules)),
    "GINConv": (lambda: call(3, 2, hidden=4, eps=0.1, train_eps=True, bond_features=2, activation="relu", rng=0), lambda: call(tensor(4, 3), depth(), tensor(1, 2))),
    "GATConv": (
        lambda: call(3, 2, heads=2, concat=True, negative_slope=0.1, dropout=0.1, self_loops=True, bias=True, v2=False, rng=0), lambda: call(tensor(4, 3), depth()),
    ),
    "AttentiveFP": (lambda: call(72, 14, hidden=3, num_layers=2, num_timesteps=1, dropout=0.1, self_loops=True, rng=0), lambda: call(molecules())),
    "GraphConv": (lambda: call(3, 2, max_degree=4, activation="relu", rng=0), lambda: call(tensor(4, 3), molecules().atoms(4))),
    "GraphPool": (call, lambda: call(tensor(4, 3), molecules().atoms(4))), "GraphGather": (lambda: call("tanh"), lambda: call(tensor(4, 3), molecules().atoms(4))),
    "Parameter": (lambda: call(ones(2, 3), decay=True, name="w"), None),
    "Buffer": (lambda: call(ones(2, 3)), None),
    "ParameterBuffer": (lambda: call(nn.Linear(2, 3)), None),
    "Module": (call, None),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_made(name):
    own = {"dropout": "number", "name": "word", "momentum": "number", "rate": "number"}
    names = (name, "Tensor", "flatten_parameters")
    also = {"*layers0": ["layer"], "*layers1": ["layer"]}
    check(
        getattr(nn, name),
        LAYERS[name][0],
        own | {"activation": "word" if name == "RNN" else "word?"},
        names=names,
        also=also,
    )


# By which errors of a layer that is called begin, beside its own name: the function that it calls.
CALLS = {"RMSNorm": "rms_norm", "MultiHeadAttention": "attention", "TransformerEncoderLayer": "attention", "TransformerEncoder": "attention", "GraphReadout": "gather_rows", "GINConv": "linear"} | {f"{kind}{d}D": f"{function}{d}d" for d in (1, 2, 3) for kind, function in (("Conv", "conv"), ("ConvTranspose", "conv_transpose"), ("MaxPool", "max_pool"), ("AvgPool", "avg_pool"))} | {
    **dict.fromkeys(nn.activations.__all__, "activation"), "Softmax": "softmax", "Dropout": "dropout", "Linear": "linear", "Sequential": "linear",
    "GlobalMaxPool": "global_max_pool", "GlobalAvgPool": "global_avg_pool", "Upsample": "upsample", "BatchNorm": "batch_norm", "LayerNorm": "layer_norm", "Embedding": "embedding", "RNN": "rnn", "GRU": "gru", "LSTM": "lstm",
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name, (_, calls) in LAYERS.items() if calls is not None])
def test_layers_are_called(name):
    made, calls = LAYERS[name]
    args, kwargs = made()
    layer = getattr(nn, name)(*args, **kwargs)
    own = {"x": "floats, packed or tensor"} if name in ("Linear", "Sequential") else {}
    own |= {"x": "anything"} if name in ("Flatten", "Reshape") else {}  # packed bits, among others
    own |= {"state": {"Bidirectional": "anything", "LSTM": "anything"}.get(name, "tensor?")}
    called = CALLS.get(name, name)
    names = (name, called, f"{called}_forward", *(("GRU", "gru", "gru_forward") if name == "Bidirectional" else ()))
    for mode in (True, False):
        layer.train(mode)
        check(
            type(layer).forward,
            lambda: call(layer, *calls()[0]),
            own | {"self": "anything"},
            names=names,
            skip=("self",),
        )


LOSSES = {
    "SoftmaxCrossEntropy": (2,),
    "SigmoidCrossEntropy": (2, 3),
    "L2Loss": (2, 3),
    "L1Loss": (2, 3),
    "GaussianNLL": (3,),
    **dict.fromkeys((*reference.ELEMENTWISE, *reference.VECTORS), (2, 3)),
    "SparseCrossEntropyLoss": (2,),
    "CensoredLoss": (2, 2, 3),
}
SETTINGS_OF_LOSSES = {"delta": "number", "log_output": "flag", "gamma": "number", "alpha": "number?"}


@pytest.mark.parametrize("name", LOSSES)
def test_settings_of_losses(name):
    kind = getattr(losses, name)
    given = {key: p.default for key, p in inspect.signature(kind).parameters.items()}
    own = SETTINGS_OF_LOSSES | dict.fromkeys(("reduction", "outputs"), "word")
    check(kind, lambda: call(**given), own, names=(name,))


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name):
    loss, shape = getattr(losses, name)(), LOSSES[name]
    for what in (loss.__call__, loss.elementwise):
        check(
            what,
            lambda: call(tensor(2, 3), ones(*shape), ones(*shape)),
            {"w": "values?", "y": "values"},
            names=(name, "loss", "softmax_cross_entropy"),
            also={"y": ["labels"]},
        )


STARTS = {
    "normal": lambda: call(std=0.1, mean=0.0), "truncated_normal": lambda: call(std=0.1), "uniform": lambda: call(0.1), "constant": lambda: call(0.5), "zeros": call, "glorot_uniform": call, "glorot_normal": call,
    "he_uniform": call, "he_normal": call, "generator": lambda: call(1),
}  # fmt: skip


@pytest.mark.parametrize("name", STARTS)
def test_start_values(name):
    own = {"mean": "real", "value": "real", "seed": "rng?"}
    check(getattr(init, name), STARTS[name], own, names=(f"init.{name}",))
    if name != "generator":
        draw = getattr(init, name)() if name != "constant" else init.constant(1.0)
        check(draw, lambda: call((2, 3), np.random.default_rng(0)), {"rng": "rng"}, names=(f"init.{name}",))


def net():
    return nn.Sequential(nn.Linear(3, 2, activation="relu", rng=0), nn.ReLU())


OTHERS = {
    "detach_state": lambda: call((tensor(2, 3), tensor(2, 3))),
    "recurrent_from_torch": lambda: call({"weight_ih_l0": ones(3, 2), "weight_hh_l0": ones(3, 3)}, "_l0"),
    "recurrent_to_torch": lambda: call(nn.RNN(2, 3), "_l0"),
    "dead_relu": lambda: call(net(), ones(4, 3)),
    "flatten_parameters": lambda: call(net()),
    "fold_batch_norm": lambda: call(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm(2))),
    "summary": lambda: call(net(), (3,)),
    "inference": call,
}


@pytest.mark.parametrize("name", [name for name in OTHERS if hasattr(nn, name)])
def test_other_functions(name):
    check(
        getattr(nn, name),
        OTHERS[name],
        {"suffix": "word?", "input_shape": "anything", "x": "anything"},
        names=(name, "linear", "activation", "Tensor"),
        also={"input_shape": ["x"], "state": ["suffix"], "suffix": ["state"]},
    )


METHODS = {
    "train": lambda: call(True), "set_seed": lambda: call(1), "to": lambda: call("cpu"), "load_state_dict": lambda: call(net().state_dict()), "summary": lambda: call((3,)),
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_methods_of_modules(name):
    check(
        getattr(net(), name),
        METHODS[name],
        {"seed": "signed", "input_shape": "anything"},
        names=(name, "linear", "activation"),
        also={"input_shape": ["x"], "state": ["names"]},
    )


def test_everything_public_is_in_a_table():
    functions = {name for name in public(functional) if inspect.isfunction(getattr(functional, name))}
    assert functions == set(FUNCTIONS)
    assert public(tf_nn) == set(TF)
    assert {name for name in public(nn) if inspect.isclass(getattr(nn, name))} == set(LAYERS)
    assert {name for name in public(nn) if inspect.isfunction(getattr(nn, name))} <= set(OTHERS)
    assert {
        value.__name__ for value in vars(losses).values() if inspect.isclass(value) and issubclass(value, losses.Loss)
    } - {"Loss", "ElementwiseLoss", "VectorLoss", "_Sloped", "_SlopedVector"} == set(LOSSES)
    assert public(init) - {"Initializer"} == set(STARTS)
