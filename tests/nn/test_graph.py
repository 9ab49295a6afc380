"""Layers on molecular graphs against nets in float64 that go molecule by molecule, and their gradients."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.agreement import same_with_threads
from tests.reference import graph_nets as reference

SMILES = [
    "CCO", "c1ccccc1", "C", "", "[Na+].[Cl-]", "CC(C)(C)C", "C1CC2CC1CC2", "O=C(O)c1ccccc1OC(C)=O", "N[C@@H](C)C(=O)O", "C/C=C/C",
    "FS(F)(F)(F)(F)F", "CCO", "OCC",
]  # fmt: skip


@pytest.fixture(scope="module")
def graphs():
    return ct.ops.mol_graphs(SMILES)


def in_float64(module):
    return {name: value.astype(np.float64) for name, value in module.state_dict().items()}


@pytest.mark.parametrize("options", [
    {}, {"depth": 1}, {"depth": 5, "bias": True}, {"activation": "tanh", "bias": True}, {"activation": "elu", "depth": 2},
])  # fmt: skip
def test_directed_messages_agree_with_float64(graphs, options):
    layer = ct.nn.DirectedMessagePassing(72, 14, hidden=19, rng=0, **options)
    weights, depth = in_float64(layer), options.get("depth", 3)
    rows, lists = layer(ct.data.GraphBatch(graphs))
    exact = [reference.dmpnn_atoms(m, weights, depth, layer.activation) for m in reference.molecules(graphs)]
    for kind in ("sum", "mean", "norm", "attention"):
        readout = ct.nn.GraphReadout(kind, norm=7.0, features=19, rng=1)
        attention = {"w": readout.w.numpy(), "b": readout.b.numpy()} if kind == "attention" else {}
        expected = [reference.readout(atoms, kind, 7.0, **attention) for atoms in exact]
        assert np.allclose(readout(rows, lists).numpy(), expected, atol=2e-6), kind


@pytest.mark.parametrize("distinct", [True, False])
def test_gradients_of_directed_messages_are_slopes_in_float64(graphs, rng, distinct):
    layer = ct.nn.DirectedMessagePassing(72, 14, hidden=8, bias=True, activation="tanh", rng=0)
    if not distinct:
        layer.dropout = ct.nn.Dropout(0.5).eval()  # every bond has a row of its own; nothing is dropped
    given = rng.standard_normal((len(graphs), 8))

    def value(weights):
        atoms = [reference.dmpnn_atoms(m, weights, 3, "tanh") for m in reference.molecules(graphs)]
        return sum(float(reference.readout(a, "sum") @ g) for a, g in zip(atoms, given, strict=True))

    out = ct.nn.GraphReadout("sum")(*layer(ct.data.GraphBatch(graphs)))
    (out * given.astype(np.float32)).sum().backward()
    weights = in_float64(layer)
    gradients = {name: p.grad.astype(np.float64) for name, p in layer.named_parameters()}
    assert gradients.keys() == weights.keys()
    for name in weights:
        direction = rng.standard_normal(weights[name].shape)
        up, down = ({**weights, name: weights[name] + sign * 1e-5 * direction} for sign in (1, -1))
        slope = (value(up) - value(down)) / 2e-5
        assert np.isclose(np.sum(gradients[name] * direction), slope, rtol=1e-3, atol=1e-4), name


def test_equal_environments_share_rows_and_give_what_single_rows_give(graphs):
    layer = ct.nn.DirectedMessagePassing(72, 14, hidden=32, rng=0)
    shared, lists = layer(ct.data.GraphBatch(graphs))
    together = ct.nn.GraphReadout("sum")(shared, lists).numpy()
    layer.dropout = ct.nn.Dropout(0.5).eval()
    single, lists = layer(ct.data.GraphBatch(graphs))
    assert len(single) == len(graphs.atom_codes) > len(shared)
    assert np.allclose(ct.nn.GraphReadout("sum")(single, lists).numpy(), together, atol=1e-6)


def test_a_molecule_has_the_same_bits_alone_in_any_batch_in_any_spelling_and_on_any_number_of_threads(graphs, rng):
    layer, readout = ct.nn.DirectedMessagePassing(72, 14, hidden=64, rng=0), ct.nn.GraphReadout("norm")
    (whole,) = same_with_threads(lambda: (readout(*layer(ct.data.GraphBatch(graphs))).numpy(),))
    assert np.array_equal(whole[0], whole[11]) and np.array_equal(whole[0], whole[12])
    for rows in ([3], [7], rng.permutation(len(graphs)), [7, 7, 1]):
        assert np.array_equal(readout(*layer(ct.data.GraphBatch(graphs, rows))).numpy(), whole[rows])
        assert np.array_equal(readout(*layer(ct.data.GraphBatch(graphs[rows]))).numpy(), whole[rows])


@pytest.mark.parametrize("max_degree", [10, 2])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_graph_convolution_and_pooling_agree_with_float64(rng, max_degree, activation):
    graphs = ct.ops.mol_graphs(SMILES, features="convmol")
    layer, atoms = ct.nn.GraphConv(75, 11, max_degree, activation, rng=0), ct.data.GraphBatch(graphs).atoms(max_degree)
    layer.b.data[...] = rng.standard_normal(layer.b.shape)
    weights = in_float64(layer)
    rows = layer(atoms.features, atoms)
    pooled = ct.nn.GraphPool()(rows, atoms)
    gathered = ct.nn.GraphGather("tanh")(pooled, atoms).numpy()
    for i, molecule in enumerate(reference.molecules(graphs)):
        near = reference.neighbours(molecule)
        exact = reference.graph_conv(molecule[0], near, weights, max_degree, activation)
        best = reference.graph_pool(exact, near)
        lists = atoms.molecules
        mine = lists.index[lists.offsets[i] : lists.offsets[i + 1]]
        assert np.allclose(rows.numpy()[mine], exact, atol=1e-5) and np.allclose(pooled.numpy()[mine], best, atol=1e-5)
        expected = np.tanh(np.concatenate([best.sum(axis=0), best.max(axis=0)])) if len(best) else np.zeros(22)
        assert np.allclose(gathered[i], expected, atol=1e-5)


def test_gradients_of_graph_convolutions_are_slopes_in_float64(rng):
    graphs = ct.ops.mol_graphs(SMILES, features="convmol")
    first, second = ct.nn.GraphConv(75, 6, activation="tanh", rng=0), ct.nn.GraphConv(6, 5, activation="tanh", rng=1)
    net, atoms = ct.nn.Sequential(first, second), ct.data.GraphBatch(graphs).atoms()
    given = rng.standard_normal((len(graphs), 10))
    out = ct.nn.GraphGather(None)(ct.nn.GraphPool()(second(first(atoms.features, atoms), atoms), atoms), atoms)
    (out * given.astype(np.float32)).sum().backward()
    weights = in_float64(net)

    def value(weights):
        total = 0.0
        parts = [{k.split(".")[-1]: v for k, v in weights.items() if f".{i}." in k} for i in range(2)]
        for molecule, slope in zip(reference.molecules(graphs), given, strict=True):
            x, near = molecule[0], reference.neighbours(molecule)
            for part in parts:
                x = reference.graph_conv(x, near, part, 10, "tanh")
            x = reference.graph_pool(x, near)
            total += float(np.concatenate([x.sum(axis=0), x.max(axis=0)]) @ slope) if len(x) else 0.0
        return total

    for name, parameter in net.named_parameters():
        direction = rng.standard_normal(parameter.shape)
        up, down = ({**weights, name: weights[name] + sign * 1e-5 * direction} for sign in (1, -1))
        slope = (value(up) - value(down)) / 2e-5
        claimed = np.sum(parameter.grad.astype(np.float64) * direction)
        assert np.isclose(claimed, slope, rtol=1e-3, atol=1e-4), name


def test_graphs_without_molecules_atoms_or_bonds():
    for smiles in ([], [""], ["C", "", "[Na+]"]):
        graphs = ct.ops.mol_graphs(smiles)
        rows = ct.nn.GraphReadout("mean")(*ct.nn.DirectedMessagePassing(72, 14, 4, rng=0)(ct.data.GraphBatch(graphs)))
        assert rows.shape == (len(smiles), 4)
        assert not rows.numpy()[[i for i, s in enumerate(smiles) if not s]].any()
        atoms = ct.data.GraphBatch(ct.ops.mol_graphs(smiles, features="convmol")).atoms()
        assert ct.nn.GraphGather()(ct.nn.GraphConv(75, 3, rng=0)(atoms.features, atoms), atoms).shape == (
            len(smiles),
            6,
        )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ct.nn.DirectedMessagePassing(72, 14, hidden=0), "hidden must be"),
        (lambda: ct.nn.DirectedMessagePassing(72, 14, depth=0), "depth must be"),
        (lambda: ct.nn.DirectedMessagePassing(72, 14, dropout=1.0), "below 1"),
        (lambda: ct.nn.GraphReadout("median"), "kind must be .sum., .mean., .norm. or .attention., got .median."),
        (lambda: ct.nn.GraphReadout("norm", norm=0), "norm must be above 0"),
        (lambda: ct.nn.GraphConv(0, 3), "in_features must be"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()
