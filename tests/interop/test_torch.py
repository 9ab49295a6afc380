"""Tests of the bridge to PyTorch: layers, functions and whole nets against PyTorch's own."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import catalase as ct

torch = pytest.importorskip("torch")

from tests.interop import torch_nets  # noqa: E402
from tests.reference.activations import NAMES  # noqa: E402

ours = ct.interop.torch


def outputs(found):
    """The tensors of an output: y, or y with the last states."""
    if torch.is_tensor(found):
        return [found]
    y, states = found
    return [y, *(states if isinstance(states, tuple) else [states])]


def check_equal(a, b, bound=1e-5):
    assert a.shape == b.shape
    assert torch.allclose(a, b, rtol=bound, atol=bound * (1 + float(b.detach().abs().max()) if b.numel() else 1))


def pair(name, *args, **options):
    torch.manual_seed(0)
    theirs, own = getattr(torch.nn, name)(*args, **options), getattr(ours, name)(*args, **options)
    own.load_state_dict(theirs.state_dict())
    assert repr(own) == repr(theirs)
    assert list(own.state_dict()) == list(theirs.state_dict())
    return own, theirs


def check_layer(own, theirs, x, *more):
    """Values, gradients of input and weights, and values without a tape are PyTorch's."""
    xs = x.clone().requires_grad_(), x.clone().requires_grad_()
    found = [outputs(layer(given, *more)) for layer, given in zip((own, theirs), xs, strict=True)]
    for a, b in zip(*found, strict=True):
        check_equal(a, b)
    for values in found:
        sum((y * torch.arange(y.numel()).reshape(y.shape).cos()).sum() for y in values).backward()
    check_equal(xs[0].grad, xs[1].grad, 1e-4)
    for a, b in zip(own.parameters(), theirs.parameters(), strict=True):
        check_equal(a.grad, b.grad, 1e-4)
    with torch.no_grad():
        for a, b in zip(outputs(own(x, *more)), found[1], strict=True):
            assert not a.requires_grad
            check_equal(a, b)


@pytest.mark.parametrize("shape", [(7, 5), (5,), (2, 3, 5), (0, 5), (1, 5)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_dense_layer_is_that_of_pytorch(shape, bias):
    check_layer(*pair("Linear", 5, 4, bias=bias), torch.randn(*shape))


CONVOLUTIONS = [
    {}, {"stride": 2}, {"padding": 2}, {"padding": "same"}, {"padding": "valid"}, {"dilation": 2, "padding": "same"},
    {"groups": 2}, {"bias": False}, {"padding": 1, "padding_mode": "circular"}, {"padding": 1, "padding_mode": "reflect"},
]  # fmt: skip


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
def test_convolutions_are_those_of_pytorch(options):
    check_layer(*pair("Conv1d", 4, 6, 3, **options), torch.randn(2, 4, 11))
    check_layer(*pair("Conv2d", 4, 6, (3, 2), **options), torch.randn(2, 4, 9, 11))
    images = torch.randn(2, 4, 9, 11).to(memory_format=torch.channels_last)
    check_layer(*pair("Conv2d", 4, 6, 3, **options), images)
    check_layer(*pair("Conv2d", 4, 6, 3, **options), torch.randn(4, 9, 11))  # without a batch


def test_images_with_channels_last_stay_so():
    y = ours.Conv2d(4, 6, 3)(torch.randn(2, 4, 9, 11))
    assert y.is_contiguous(memory_format=torch.channels_last)


RECURRENT = [
    {}, {"batch_first": True}, {"num_layers": 2, "bidirectional": True}, {"bias": False}, {"num_layers": 3, "batch_first": True},
]  # fmt: skip


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("options", RECURRENT, ids=str)
def test_recurrent_layers_are_those_of_pytorch(name, options):
    layers = pair(name, 5, 6, **options)
    check_layer(*layers, torch.randn(7, 3, 5))
    layers[0].zero_grad()
    layers[1].zero_grad()
    check_layer(*layers, torch.randn(7, 5))
    layers[0].zero_grad()
    layers[1].zero_grad()
    count = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    rows = 7 if options.get("batch_first") else 3
    state = torch.randn(count, rows, 6)
    check_layer(*layers, torch.randn(7, 3, 5), (state, state + 1) if name == "LSTM" else state)


def test_a_plain_recurrent_layer_has_relu_too():
    check_layer(*pair("RNN", 5, 6, nonlinearity="relu"), torch.randn(7, 3, 5))


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("batch_first", [True, False])
def test_packed_sequences_give_packed_sequences(name, batch_first):
    own, theirs = pair(name, 5, 6, num_layers=2, bidirectional=True, batch_first=batch_first)
    x = torch.randn(*((4, 7, 5) if batch_first else (7, 4, 5)))
    for lengths, enforce_sorted in (([3, 7, 1, 5], False), ([7, 5, 3, 3], True)):
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first, enforce_sorted)
        (a, ends), (b, other) = own(packed), theirs(packed)
        check_equal(a.data, b.data)
        assert torch.equal(a.batch_sizes, b.batch_sizes)
        for one, two in zip(outputs((a.data, ends)), outputs((b.data, other)), strict=True):
            check_equal(one, two)


def test_dropout_between_recurrent_layers_is_for_training():
    own, theirs = pair("GRU", 5, 6, num_layers=2, dropout=0.5)
    x = torch.randn(7, 3, 5)
    assert not torch.equal(own(x)[0], own(x)[0])
    check_equal(own.eval()(x)[0], theirs.eval()(x)[0])


LAYERS = {
    "Linear": (lambda: ours.Linear(4, 3), (3, 4)),
    "Conv1d": (lambda: ours.Conv1d(2, 3, 3), (2, 2, 6)),
    "Conv2d": (lambda: ours.Conv2d(2, 3, 3, padding=1), (1, 2, 4, 4)),
    "RNN": (lambda: ours.RNN(2, 3), (4, 2, 2)),
    "GRU": (lambda: ours.GRU(2, 3), (4, 2, 2)),
    "LSTM": (lambda: ours.LSTM(2, 3, num_layers=2, bidirectional=True), (4, 2, 2)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_layers_are_those_of_differences(name):
    make, shape = LAYERS[name]
    torch.manual_seed(0)
    layer = make().double()
    names = [name for name, _ in layer.named_parameters()]

    def call(x, *weights):
        return tuple(outputs(torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), (x,))))

    x = torch.randn(*shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(call, (x, *layer.parameters()))


def test_gradients_of_message_passing_are_those_of_differences():
    layer = ours.DMPNN(72, 14, 4, bias=True).double()
    names = [name for name, _ in layer.named_parameters()]
    graphs = ct.ops.mol_graphs(["CCO", "CN"])

    def call(*weights):
        return torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), (graphs,))

    assert torch.autograd.gradcheck(call, tuple(layer.parameters()))


def numbers(*shape):
    return torch.rand(*shape, dtype=torch.float64, requires_grad=True)


FUNCTIONS = {
    "linear": lambda f: (lambda x, w, b: f(x, w, b, activation="tanh"), (numbers(3, 4), numbers(4, 2), numbers(2))),
    "matmul": lambda f: (f, (numbers(2, 3), numbers(3, 4))),
    "conv1d": lambda f: (f, (numbers(2, 5, 2), numbers(3, 2, 3), numbers(3))),
    "conv_transpose2d": lambda f: (f, (numbers(1, 3, 3, 2), numbers(2, 2, 3, 2))),
    "softmax": lambda f: (f, (numbers(3, 4),)),
    "layer_norm": lambda f: (f, (numbers(3, 4), numbers(4), numbers(4))),
    "avg_pool1d": lambda f: (lambda x: f(x, 2), (numbers(2, 6, 3),)),
    "gather_sum": lambda f: (lambda x: f(x, torch.tensor([0, 2, 1]), torch.tensor([0, 2, 3])), (numbers(3, 2),)),
    "segment_softmax": lambda f: (lambda x: f(x, [0, 2, 3]), (numbers(3, 2),)),
    "message_update": lambda f: (lambda h, w, z: f(h, w, [0, 1, 1], [0, 2, 3], z=z), (numbers(2, 3), numbers(3, 3), numbers(2, 3))),
    "softmax_cross_entropy": lambda f: (lambda x: f(x, torch.tensor([0, 2])), (numbers(2, 3),)),
    "squared_error": lambda f: (lambda x: f(x, np.ones((2, 3))), (numbers(2, 3),)),
    "gru": lambda f: (lambda x, *w: f(x, *w, lengths=torch.tensor([2, 3])), (numbers(2, 3, 2), numbers(2, 9), numbers(3, 9), numbers(2, 9))),
    "concatenate": lambda f: (lambda a, b: f([a, b]), (numbers(2, 3), numbers(1, 3))),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_of_functions_are_those_of_differences(name):
    torch.manual_seed(0)
    call, tensors = FUNCTIONS[name](ours.function(name))
    assert torch.autograd.gradcheck(call, tensors)


def test_a_loss_and_a_function_of_ones_own_are_functions():
    x, labels = torch.tensor([[0.5, 2.0]], requires_grad=True), np.array([[1.0, 0.0]], np.float32)
    loss = ours.function(ct.nn.losses.L2Loss())(x, labels)
    check_equal(loss, torch.nn.functional.mse_loss(x, torch.from_numpy(labels)))
    _, z = ours.function(lambda x: (x.exp(), x * 2))(x)
    z.sum().backward()  # nothing comes back to the first
    assert x.grad.tolist() == [[2.0, 2.0]]
    assert torch.autograd.gradcheck(ours.function(lambda a, b: a * b + a), (numbers(2, 3), numbers(2, 3)))


def test_inputs_and_outputs_are_not_copied():
    seen = []

    def op(x, w):
        y = x @ w
        seen.extend([x.data, y.data])
        return y

    x, w = torch.rand(3, 4), torch.rand(4, 2, requires_grad=True)
    y = ours.function(op)(x, w)
    assert seen[0].ctypes.data == x.data_ptr()
    assert seen[1].ctypes.data == y.data_ptr()


def test_an_output_that_lies_in_an_input_is_a_copy():
    x = torch.ones(2, 3, requires_grad=True)
    y = ours.function(lambda x: x.reshape(3, 2))(x)
    with torch.no_grad():
        x += 1
    assert y.tolist() == [[1.0, 1.0]] * 3


def test_gradients_share_no_memory():
    a, b = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    given = torch.ones(3)
    y = ours.function(lambda a, b: a + b)(a, b)
    y.backward(given)
    a.grad += 5
    assert b.grad.tolist() == given.tolist() == [1.0, 1.0, 1.0]


def test_what_was_changed_in_place_is_refused_on_the_way_back():
    w = torch.ones(3, 2, requires_grad=True)
    x = torch.ones(4, 3)
    y = ours.function("linear")(x, w)
    x += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
    y = ours.function("linear")(x, w, activation="tanh")
    with torch.no_grad():
        y.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_relu_in_place_may_follow_a_layer():
    own, theirs = pair("Conv2d", 3, 4, 3)
    nets = [torch.nn.Sequential(layer, torch.nn.ReLU(inplace=True)) for layer in (own, theirs)]
    check_layer(*nets, torch.randn(2, 3, 6, 6))


def test_a_graph_that_is_kept_is_walked_again():
    x = torch.ones(2, 3, requires_grad=True)
    y = ours.function("linear")(x, torch.ones(3, 2), activation="tanh").sum()
    (first,) = torch.autograd.grad(y, x, retain_graph=True)
    (second,) = torch.autograd.grad(y, x)
    assert torch.equal(first, second)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(y, x)


def test_gradients_of_gradients_are_refused():
    x = torch.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="gradients of gradients"):
        torch.autograd.grad(ours.function("softmax")(x)[0, 0], x, create_graph=True)


def test_sparse_inputs_and_packed_bits_give_what_dense_ones_give():
    layer = ours.SparseLinear(64, 5)
    bits = (torch.rand(6, 64) < 0.05).float()
    packed = torch.from_numpy(np.packbits(bits.numpy().astype(np.uint8), axis=1, bitorder="little"))
    wanted = torch.nn.functional.linear(bits, layer.weight, layer.bias)
    (grad,) = torch.autograd.grad(wanted.square().sum(), layer.weight)
    for x in (bits, bits.to_sparse(), bits.to_sparse_csr(), packed):
        y = layer(x)
        check_equal(y, wanted)
        check_equal(torch.autograd.grad(y.square().sum(), layer.weight)[0], grad)


def test_a_sparse_layer_takes_rows_whose_columns_do_not_ascend():
    layer = ours.SparseLinear(16, 4)
    x = torch.sparse_csr_tensor([0, 0, 3, 3, 5], [7, 1, 7, 2, 0], [1.0, 2.0, 3.0, 4.0, 5.0], (4, 16))
    y = layer(x)
    y.square().sum().backward()
    found, layer.weight.grad = layer.weight.grad, None
    dense = torch.zeros(4, 16)
    dense[1, 7], dense[1, 1], dense[3, 2], dense[3, 0] = 4, 2, 4, 5
    expected = layer(dense)
    expected.square().sum().backward()
    assert torch.allclose(y, expected) and torch.allclose(found, layer.weight.grad)


@pytest.mark.parametrize("form", ["tensors", "graphs", "batch"])
@pytest.mark.parametrize("bias", [False, True])
def test_message_passing_is_that_of_a_users_own_code(form, bias):
    graphs = ct.ops.mol_graphs(["CCO", "c1ccccc1O", "", "[Na+].[Cl-]", "CC(=O)Nc1ccc(O)cc1"], errors="mask")
    torch.manual_seed(0)
    theirs, own = (kind(72, 14, 20, bias, 4) for kind in (torch_nets.Messages, ours.DMPNN))
    own.load_state_dict(theirs.state_dict())
    tensors = torch_nets.graphs_of(graphs)
    y = own({"tensors": tensors, "graphs": graphs, "batch": ct.data.GraphBatch(graphs)}[form])
    wanted = theirs(tensors)
    check_equal(y, wanted)
    weights = torch.randn(wanted.shape)
    (y * weights).sum().backward()
    (wanted * weights).sum().backward()
    for a, b in zip(own.parameters(), theirs.parameters(), strict=True):
        check_equal(a.grad, b.grad, 1e-4)


def test_message_passing_takes_molecules_in_any_order_and_bonds_in_any_order():
    graphs = ct.ops.mol_graphs(["CCO", "c1ccccc1O", "CN"])
    layer = ours.DMPNN(72, 14, 8)
    whole = layer(graphs).split(graphs.atom_counts.tolist())
    check_equal(layer(ct.data.GraphBatch(graphs, [2, 0, 2])), torch.cat([whole[2], whole[0], whole[2]]))
    tensors = torch_nets.graphs_of(graphs)
    order = torch.randperm(len(tensors.E))
    place = torch.argsort(order)
    tensors.E, tensors.edge_index = tensors.E[order], tensors.edge_index[:, order]
    tensors.rev_edge_index = place[tensors.rev_edge_index[order]]
    check_equal(layer(tensors), torch.cat(whole))


def test_dropout_in_message_passing_is_for_training():
    graphs = ct.ops.mol_graphs(["CCO", "c1ccccc1O"])
    layer = ours.DMPNN(72, 14, 16, dropout=0.4)
    y = layer(graphs)
    assert 0.2 < float((y == 0).float().mean() - (ours.DMPNN.forward(layer.eval(), graphs) == 0).float().mean()) < 0.6
    plain = ours.DMPNN(72, 14, 16)
    plain.load_state_dict(layer.state_dict())
    assert torch.equal(layer(graphs), plain(graphs))


@pytest.mark.parametrize("case", ["D-MPNN", "LSTM", "LSTM, packed"])
def test_a_users_net_trains_alike_by_one_import(case):
    if case == "D-MPNN":
        make, theirs, own = torch_nets.DMPNN, torch_nets.Messages, ours.DMPNN
        batches = torch_nets.graph_batches(16, 5)
    else:
        make, theirs, own = torch_nets.SequenceNet, torch.nn.LSTM, ours.LSTM
        batches = torch_nets.sequence_batches(16, 5, 40, equal=case == "LSTM")
    losses = [torch_nets.train(net, batches, 50, 1e-4) for net in torch_nets.both(make, theirs, own)]
    assert np.allclose(*losses, rtol=1e-4, atol=1e-4)
    assert np.mean(losses[0][-5:]) < np.mean(losses[0][:5])


def test_layers_are_pickled_and_copied_as_modules():
    for layer, x in ((ours.LSTM(3, 4), torch.ones(2, 1, 3)), (ours.Conv1d(3, 4, 2), torch.ones(1, 3, 5))):
        again = pickle.loads(pickle.dumps(layer))  # noqa: S301
        assert torch.equal(outputs(again(x))[0], outputs(layer(x))[0])


# Whole nets.

RNG = np.random.default_rng(0)
ROWS = RNG.random((30, 20)).astype(np.float32)


def fitted(model, X):
    y = X.reshape(len(X), -1)[:, :2] > 0.5
    model.fit(ct.data.NumpyDataset(X, y.astype(np.float32)), nb_epoch=2)
    return model


@pytest.mark.parametrize("norm", [True, False])
def test_dense_models_go_to_pytorch_and_back(norm):
    model = fitted(
        ct.models.MultitaskRegressor(2, 20, layer_sizes=[16, 8], dropouts=0.1, layer_norm=norm, seed=0), ROWS
    )
    net = ours.to_torch(model)
    wanted = model.predict(ROWS, raw=True)
    assert np.allclose(net(torch.from_numpy(ROWS)).detach().numpy(), wanted, atol=1e-5)
    assert np.allclose(ours.from_torch(net)(ROWS).numpy(), wanted, atol=1e-5)
    model = fitted(ct.models.MultitaskClassifier(2, 20, layer_sizes=[16], seed=0), ROWS)
    found = ours.to_torch(model)(torch.from_numpy(ROWS)).softmax(-1)
    assert np.allclose(found.detach().numpy(), model.predict(ROWS, raw=True), atol=1e-5)


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_convolutional_models_go_to_pytorch(dims, batch_norm):
    X = RNG.random((10, *(12,) * dims, 3)).astype(np.float32)
    options = {"layer_filters": [8, 6], "kernel_size": 3, "mode": "regression", "batch_norm": batch_norm, "seed": 0}
    model = fitted(ct.models.CNN(2, n_features=3, dims=dims, **options), X)
    found = ours.to_torch(model)(torch.from_numpy(X).movedim(-1, 1))
    assert np.allclose(found.detach().numpy(), model.predict(X, raw=True), atol=1e-5)


def test_a_net_with_flattened_images_goes_to_pytorch_and_back():
    nn = ct.nn
    net = nn.Sequential(
        nn.Conv2D(3, 8, 3, activation="relu", rng=0), nn.BatchNorm(8), nn.MaxPool2D(2, padding="same"),
        nn.Conv2D(8, 4, 3, padding=1, stride=2, activation="gelu", rng=1), nn.AvgPool2D(2, padding="same"), nn.Flatten(),
        nn.Dropout(0.2), nn.Linear(16, 7, "tanh", rng=2), nn.Linear(7, 4, rng=3), nn.Softmax(),
    ).eval()  # fmt: skip
    x = RNG.random((5, 13, 13, 3)).astype(np.float32)
    found = ours.to_torch(net)(torch.from_numpy(x).movedim(-1, 1))
    assert np.allclose(found.detach().numpy(), net(ct.Tensor(x)).numpy(), atol=1e-5)


def test_a_net_of_pytorch_comes_from_it():
    nn = torch.nn
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Sequential(nn.Conv2d(8, 4, 3, stride=2, padding=(1, 0)), nn.LeakyReLU()), nn.Flatten(), nn.Linear(24, 5), nn.Softmax(1),
    )  # fmt: skip
    net(torch.rand(9, 3, 12, 12))  # statistics of batches
    x = torch.rand(4, 3, 12, 12)
    found = ours.from_torch(net.eval())(ct.Tensor(x.movedim(1, -1).contiguous().numpy()))
    assert np.allclose(found.numpy(), net(x).detach().numpy(), atol=1e-5)
    pooled = nn.Sequential(nn.Conv1d(3, 4, 3), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2)).eval()
    x = torch.rand(2, 3, 9)
    found = ours.from_torch(pooled)(ct.Tensor(x.movedim(1, -1).contiguous().numpy()))
    assert np.allclose(found.numpy(), pooled(x).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_every_activation_goes_to_pytorch_and_back(name):
    net = ct.nn.Sequential(ct.nn.Linear(4, 64, name, rng=0), ct.nn.Linear(64, 2, rng=1))
    there, x = ours.to_torch(net), 3 * RNG.standard_normal((9, 4)).astype(np.float32)
    found = there(torch.from_numpy(x)).detach().numpy()
    again = ours.from_torch(there)
    assert np.allclose(found, net(ct.Tensor(x)).numpy(), atol=1e-5)
    assert again[1].name == name and np.array_equal(again(ct.Tensor(x)).numpy(), net(ct.Tensor(x)).numpy())


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_recurrent_layers_go_to_pytorch_and_back(name):
    layer = getattr(ct.nn, name)(3, 4, num_layers=2, bidirectional=True, rng=0)
    x = torch.rand(2, 5, 3)
    there = ours.to_torch(layer)
    for found in (there(x)[0].detach().numpy(), ours.from_torch(there)(x.numpy())[0].numpy()):
        assert np.allclose(found, layer(x.numpy())[0].numpy(), atol=1e-5)


@pytest.mark.parametrize("aggregation", ["norm", "mean", "sum"])
def test_a_message_passing_model_goes_to_pytorch(aggregation):
    smiles = ["C" * n + "O" for n in range(1, 11)]
    data = ct.data.GraphDataset(ct.ops.mol_graphs(smiles), np.arange(1.0, 11.0)[:, None])
    options = {"message_hidden_dim": 16, "ffn_hidden_dim": 16, "batch_norm": True, "seed": 0}
    model = ct.models.DMPNNModel(aggregation=aggregation, **options)
    model.fit(data, nb_epoch=3)
    net, wanted = ours.to_torch(model), model.predict(smiles)
    assert np.allclose(net(data.X).detach().numpy(), wanted, atol=1e-5)
    assert np.allclose(net(ct.data.GraphBatch(data.X, [3, 1])).detach().numpy(), wanted[[3, 1]], atol=1e-5)
    assert np.allclose(net(torch_nets.graphs_of(data.X)).detach().numpy(), wanted, atol=1e-5)


# Refusals.

NET, THEIRS = ct.nn, torch.nn
REFUSED = {
    "proj_size": (lambda: ours.LSTM(3, 4, proj_size=2), ValueError, "LSTM: projections"),
    "undirected": (lambda: ours.DMPNN(undirected=True), ValueError, "DMPNN: undirected messages"),
    "bfloat16": (lambda: ours.Linear(3, 4).bfloat16()(torch.ones(2, 3).bfloat16()), TypeError, r"call \.float\(\) first"),
    "width": (lambda: ours.Linear(3, 4)(torch.ones(2, 5)), ValueError, "Linear: input must have 3 values"),
    "channels": (lambda: ours.Conv1d(3, 4, 2)(torch.ones(2, 5, 6)), ValueError, r"Conv1d: input must be \(N, 3"),
    "axes": (lambda: ours.GRU(3, 4)(torch.ones(3)), ValueError, "GRU: input must have 2 or 3 axes"),
    "state": (lambda: ours.LSTM(3, 4)(torch.ones(2, 1, 3), torch.ones(1, 1, 4)), ValueError, r"LSTM: hx must be the pair \(h, c\)"),
    "sparse gradient": (lambda: ours.SparseLinear(3, 4)(torch.ones(2, 3, requires_grad=True).to_sparse()), ValueError, "a sparse input has no gradient"),
    "sparse width": (lambda: ours.SparseLinear(3, 4)(torch.ones(2, 5).to_sparse()), ValueError, r"SparseLinear: input must be \(N, 3\)"),
    "layer as function": (lambda: ours.function(NET.Linear(2, 2)), TypeError, "got a layer, whose parameters"),
    "graphs of other widths": (lambda: ours.DMPNN(5, 3, 4)(ct.ops.mol_graphs(["C"])), ValueError, "DMPNN: takes 5 features of an atom and 3"),
    "graphs that are none": (lambda: ours.DMPNN()(torch.ones(3)), TypeError, "DMPNN: the batch must be"),
    "a model without a counterpart": (lambda: ours.to_torch(NET.Embedding(3, 4)), TypeError, "to_torch: Embedding"),
    "stride and same": (lambda: ours.to_torch(NET.Conv1D(2, 3, 3, stride=2)), ValueError, "pads by the size of its input"),
    "dense after convolution": (lambda: ours.to_torch(NET.Sequential(NET.Conv1D(2, 3, 3), NET.Linear(3, 2))), ValueError, "needs a Flatten"),
    "module without a counterpart": (lambda: ours.from_torch(THEIRS.Transformer(4, 2, 1, 1, 4)), TypeError, "has no counterpart here"),
    "another slope": (lambda: ours.from_torch(THEIRS.LeakyReLU(0.2)), ValueError, "must have negative_slope=0.01"),
    "padding mode": (lambda: ours.from_torch(THEIRS.Conv1d(2, 3, 3, padding_mode="circular")), ValueError, "must pad with zeros"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_supported_is_refused_in_a_sentence(case):
    call, kind, words = REFUSED[case]
    with pytest.raises(kind, match=words):
        call()


def spoiled(**fields):
    tensors = torch_nets.graphs_of(ct.ops.mol_graphs(["CCO", "CN"]))
    for name, value in fields.items():
        setattr(tensors, name, value(getattr(tensors, name)))
    return tensors


@pytest.mark.parametrize(
    "fields",
    [
        {"E": lambda E: E + 0.5}, {"E": lambda E: E[1:]}, {"rev_edge_index": lambda r: r * 0}, {"edge_index": lambda e: e + 4},
        {"batch": lambda b: b.flip(0)}, {"V": lambda V: V.requires_grad_()}, {"rev_edge_index": lambda r: r - 99},
        {"batch": lambda b: b - 1},
    ],
)  # fmt: skip
def test_graphs_that_do_not_fit_together_are_refused(fields):
    with pytest.raises(ValueError, match="DMPNN: "):
        ours.DMPNN()(spoiled(**fields))


def test_the_listings_of_the_page_run():
    text = (Path(__file__).parents[2] / "docs" / "pytorch.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, "pytorch.md", "exec"), names)  # noqa: S102
    x = np.ones((2, 3), np.float32)
    assert np.array_equal(names["back"](x).numpy(), names["net"](x).numpy())
    assert names["again"].numpy().tolist() == [1.0, 2.0]
