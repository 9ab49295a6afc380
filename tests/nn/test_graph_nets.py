"""GINConv, GATConv and AttentiveFP against nets in float64 that go atom by atom, against PyTorch, and their gradients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalase as ct
from tests.agreement import same_with_threads
from tests.nn.test_graph import SMILES, in_float64
from tests.ops.test_environments import MOLECULES, ODD, packed, ring
from tests.reference import graph_nets as reference
from tests.reference.gradients import directional

SETTINGS = settings(max_examples=25, deadline=None, derandomize=True)
WIDTH = 7


def odd_graphs(molecules, seed=0):
    """Molecules, each (number of atoms, list of bonds), with random features of the set "molgraph"."""
    rng, made = np.random.default_rng(seed), packed(molecules)
    like = ct.ops.mol_graphs([], features="molgraph")
    atoms, bonds = len(made.atom_codes), len(made.source)
    codes = rng.integers(0, 2, (atoms, len(like.atom_columns)), np.uint8) % [size for _, size in like.atom_columns]
    bond_codes = rng.integers(0, 2, (bonds // 2, len(like.bond_columns)), np.uint8) % [
        size for _, size in like.bond_columns
    ]
    return ct.ops.MolGraphs(
        "molgraph", made.atom_offsets, made.bond_offsets, codes.astype(np.uint8),
        rng.integers(-1, 2, (atoms, 1)).astype(np.float32), np.repeat(bond_codes.astype(np.uint8), 2, axis=0), made.source, made.target,
    )  # fmt: skip


class Stack(ct.nn.Module):
    """Two layers over atoms, and the sum over the molecule."""

    def __init__(self, make, along, between=WIDTH):
        super().__init__()
        self.layers = [make(30, 0), make(between, 1)]
        self.along, self.distinct = along, True

    def forward(self, batch):
        paths = batch.environments(2, along=self.along, distinct=self.distinct)
        rows = paths.atom_features
        for layer, lists in zip(self.layers, paths.depths, strict=True):
            rows = layer(rows, lists, *([paths.bond_features] if self.along == "atoms and bonds" else []))
        return ct.nn.GraphReadout("sum")(rows, paths.molecules)


def gin(**options):
    along = "atoms and bonds" if "bond_features" in options else "atoms"
    exact = {name: value for name, value in options.items() if name in ("eps", "activation")}
    return (
        lambda: Stack(lambda inputs, seed: ct.nn.GINConv(inputs, WIDTH, rng=seed, **options), along),
        lambda x, molecule, weights: reference.gin_conv(x, molecule, weights, **exact),
    )


def gat(**options):
    between = 5 * options.get("heads", 1) if options.get("concat", True) else 5
    exact = {name: value for name, value in options.items() if name not in ("v2", "bias")}
    return (
        lambda: Stack(lambda inputs, seed: ct.nn.GATConv(inputs, 5, rng=seed, **options), "atoms", between),
        lambda x, molecule, weights: reference.gat_conv(x, molecule, weights, **exact),
    )


STACKS = {
    "GIN": gin(), "GIN with a learned eps": gin(train_eps=True, hidden=9), "GIN with a fixed eps": gin(eps=0.4, activation="tanh"),
    "GINE": gin(bond_features=11), "GAT": gat(), "GAT of heads": gat(heads=3), "GAT of averaged heads": gat(heads=3, concat=False, bias=False),
    "GAT without loops": gat(self_loops=False, negative_slope=0.05), "GATv2": gat(v2=True, heads=2),
}  # fmt: skip
NETS = {"AttentiveFP": {}, "AttentiveFP without loops": {"self_loops": False, "num_layers": 3, "num_timesteps": 1}}


def made(name):
    """A net, and its value for one molecule in float64 by the weights."""
    if name in NETS:
        options = NETS[name]
        net = ct.nn.AttentiveFP(30, 11, hidden=WIDTH, rng=0, **options)
        return net, lambda molecule, weights: reference.attentive_fp(molecule, weights, **options)
    make, layer = STACKS[name]

    def exact(molecule, weights):
        x = molecule[0]
        for i in range(2):
            x = layer(x, molecule, reference.part(weights, f"layers.{i}."))
        return x.sum(axis=0)

    return make(), exact


@pytest.fixture(params=[*STACKS, *NETS])
def name(request):
    return request.param


def check_values(net, exact, graphs):
    weights = in_float64(net)
    expected = np.array([exact(molecule, weights) for molecule in reference.molecules(graphs)])
    found = net(ct.data.GraphBatch(graphs)).numpy()
    scale = 1 + np.abs(expected).max(initial=0)
    assert found.shape == expected.shape and np.abs(found - expected).max(initial=0) < 1e-5 * scale


def with_random_biases(net, rng):
    for key, parameter in net.named_parameters():
        if key.endswith(("b", "b_score", "b_pair")):
            parameter.data[...] = rng.standard_normal(parameter.shape) * 0.3
    return net


def test_values_agree_with_float64(name, rng):
    net, exact = made(name)
    check_values(with_random_biases(net, rng), exact, ct.ops.mol_graphs(SMILES, features="molgraph"))


@pytest.mark.parametrize(
    "name", ["GINE", "GAT of heads", "GAT without loops", "AttentiveFP", "AttentiveFP without loops"]
)
@given(names=MOLECULES, seed=st.integers(0, 99))
@SETTINGS
def test_odd_graphs_agree_with_float64_and_have_their_bits_in_any_batch(name, names, seed):
    rng = np.random.default_rng(seed)
    net, exact = made(name)
    with_random_biases(net, rng)
    graphs = odd_graphs([ODD[n] for n in names], seed)
    check_values(net, exact, graphs)
    whole = net(ct.data.GraphBatch(graphs)).numpy()
    rows = rng.integers(0, len(names), 5)
    assert np.array_equal(net(ct.data.GraphBatch(graphs, rows)).numpy(), whole[rows])
    assert np.array_equal(net(ct.data.GraphBatch(graphs[[0]])).numpy(), whole[:1])


def test_gradients_are_slopes_in_float64(name, rng):
    net, exact = made(name)
    with_random_biases(net, rng)
    graphs = ct.ops.mol_graphs(SMILES, features="molgraph")
    out = net(ct.data.GraphBatch(graphs))
    factor = rng.standard_normal(out.shape)
    (out * factor.astype(np.float32)).sum().backward()
    weights = in_float64(net)
    molecules = list(reference.molecules(graphs))
    for key, parameter in net.named_parameters():

        def value(w, key=key):
            return sum(exact(m, {**weights, key: w}) @ f for m, f in zip(molecules, factor, strict=True))

        gradient = parameter.grad.astype(np.float64)
        slope, claimed = directional(value, [weights[key]], [gradient], rng, h=1e-6)
        assert np.isclose(claimed, slope, rtol=1e-3, atol=1e-3), key


def with_single_rows(net):
    """From now on each atom has a row of its own."""
    if isinstance(net, Stack):
        net.distinct = False
    else:
        net.layers[0].dropout = ct.nn.Dropout(0.5).eval()  # nothing is dropped


def test_equal_environments_share_rows_and_give_what_single_rows_give(name, rng):
    net, _ = made(name)
    graphs = ct.ops.mol_graphs(SMILES, features="molgraph")
    shared = net(ct.data.GraphBatch(graphs)).numpy()
    with_single_rows(net)
    batch, asked = ct.data.GraphBatch(graphs), []
    batch.environments = lambda *a, **options: (
        asked.append(options) or ct.data.GraphBatch.environments(batch, *a, **options)
    )
    single = net(batch).numpy()
    assert [options["distinct"] for options in asked] == [False]
    assert np.allclose(single, shared, atol=1e-5 * (1 + np.abs(shared).max()))


def test_bits_do_not_depend_on_threads_batch_or_spelling(name, rng):
    net, _ = made(name)
    graphs = ct.ops.mol_graphs(SMILES, features="molgraph")
    (whole,) = same_with_threads(lambda: (net(ct.data.GraphBatch(graphs)).numpy(),), (1, 2, 3, 7))
    assert np.array_equal(whole[0], whole[11]) and np.array_equal(whole[0], whole[12])
    for rows in ([3], [7], rng.permutation(len(graphs)), [7, 7, 1]):
        assert np.array_equal(net(ct.data.GraphBatch(graphs, rows)).numpy(), whole[rows])


@pytest.mark.parametrize(
    "name", ["GINE", "GIN with a learned eps", "GAT of heads", "GATv2", "AttentiveFP without loops"]
)
def test_every_backend_gives_the_values_and_gradients_of_the_cpu(name, backend, rng):
    batch = ct.data.GraphBatch(ct.ops.mol_graphs(["CCO", "C1CC1", "[Na+].[Cl-]"], features="molgraph"))
    (net, _), (moved, _) = made(name), made(name)
    moved.to(backend.device)
    expected, found = net(batch), moved(batch)
    expected.sum().backward()
    found.sum().backward()
    assert np.allclose(backend.get(found.data), expected.numpy(), rtol=1e-4, atol=1e-5)
    for p, q in zip(net.parameters(), moved.parameters(), strict=True):
        assert np.allclose(backend.get(q.grad), p.grad, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["GINE", "GAT", "AttentiveFP"])
def test_ten_thousand_atoms(name):
    bonds = [(i, i + 1) for i in range(9_999)] + [(i, i + 5) for i in range(0, 9_000, 9)]
    net, _ = made(name)
    graphs = odd_graphs([(10_000, bonds), (6, ring(6))], 3)
    shared = net(ct.data.GraphBatch(graphs))
    shared.sum().backward()
    assert all(np.isfinite(p.grad).all() for p in net.parameters())
    with_single_rows(net)
    assert np.allclose(net(ct.data.GraphBatch(graphs)).numpy(), shared.numpy(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("smiles", [[], [""], ["", "C"]])
def test_graphs_without_molecules_atoms_or_bonds(name, smiles):
    net, exact = made(name)
    graphs = ct.ops.mol_graphs(smiles, features="molgraph")
    out = net(ct.data.GraphBatch(graphs))
    out.sum().backward()
    expected = [exact(molecule, in_float64(net)) for molecule in reference.molecules(graphs)]
    assert np.allclose(out.numpy(), np.reshape(expected, out.shape), atol=1e-5)
    assert all(p.grad is None or np.isfinite(p.grad).all() for p in net.parameters())


@pytest.mark.parametrize("name", ["AttentiveFP", "GAT"])
def test_dropout_acts_in_training_only(name):
    batch = ct.data.GraphBatch(ct.ops.mol_graphs(SMILES, features="molgraph"))

    def net(**options):
        if name == "AttentiveFP":
            return ct.nn.AttentiveFP(30, 11, WIDTH, rng=0, **options)
        return Stack(lambda inputs, seed: ct.nn.GATConv(inputs, WIDTH, rng=seed, **options), "atoms")

    dropping = net(dropout=0.5)
    assert not np.allclose(dropping(batch).numpy(), dropping(batch).numpy())
    assert np.array_equal(dropping.eval()(batch).numpy(), net()(batch).numpy())


def test_equality_with_pytorch():
    torch = pytest.importorskip("torch")
    from torch.nn import functional as tf

    graphs = ct.ops.mol_graphs(SMILES, features="molgraph")
    parts = list(reference.molecules(graphs))
    shift = np.cumsum([0, *(len(atoms) for atoms, _, _ in parts)])
    x, bonds = (torch.tensor(np.concatenate([part[i] for part in parts]), dtype=torch.float32) for i in (0, 1))
    source, target = torch.tensor(
        np.concatenate([e + s for (_, _, e), s in zip(parts, shift[:-1], strict=True)], axis=1)
    )
    owner = torch.tensor(np.repeat(np.arange(len(parts)), np.diff(shift)))

    def summed(rows, where, count):
        return torch.zeros(count, rows.shape[1]).index_add(0, where, rows)

    def softmax(scores, where, count):
        e = torch.exp(scores - scores.detach().max())
        return e / summed(e, where, count)[where]

    def of(state):
        return {name: torch.tensor(value, requires_grad=True) for name, value in state.items()}

    def gin(w):
        h = x
        for i in range(2):
            p = reference.part(w, f"layers.{i}.")
            near = summed(torch.relu(h[source] + bonds @ p["bonds.w"] + p["bonds.b"]), target, len(h))
            h = torch.relu((h + near) @ p["first.w"] + p["first.b"]) @ p["last.w"] + p["last.b"]
        return summed(h, owner, len(parts))

    def attention(p, state, query, values, where):
        scores = (query @ p["w_own"])[where] + values @ p["w_other"] + p["b_score"]
        shares = softmax(tf.leaky_relu(scores), where, len(state))
        context = tf.elu(summed(shares * (values @ p["project.w"] + p["project.b"]), where, len(state)))
        cell = torch.nn.GRUCell(WIDTH, WIDTH)
        named = {
            "weight_ih": p["gru.w_x"].T,
            "weight_hh": p["gru.w_h"].T,
            "bias_ih": p["gru.b"][0],
            "bias_hh": p["gru.b"][1],
        }
        return torch.func.functional_call(cell, named, (context, state))

    def attentive(w):
        loops = torch.arange(len(x))
        near, to = torch.cat([source, loops]), torch.cat([target, loops])
        of_bonds = torch.cat([bonds, torch.zeros(len(x), bonds.shape[1])])
        h = tf.leaky_relu(x @ w["atoms.w"] + w["atoms.b"])
        for i in range(2):
            pairs = (
                tf.leaky_relu(x[near] @ w["w_pair_atom"] + of_bonds @ w["w_pair_bond"] + w["b_pair"])
                if i == 0
                else h[near]
            )
            h = torch.relu(attention(reference.part(w, f"layers.{i}."), h, h, pairs, to))
        state = summed(h, owner, len(parts))
        for i in range(2):
            state = attention(reference.part(w, f"readouts.{i}."), state, torch.relu(state), h, owner)
        return state

    def gat(w):
        loops, h = torch.arange(len(x)), x
        near, to = torch.cat([source, loops]), torch.cat([target, loops])
        for i in range(2):
            p = reference.part(w, f"layers.{i}.")
            rows = (h @ p["w"]).unflatten(1, p["a_source"].shape)
            if "w_target" in p:
                targets = (h @ p["w_target"]).unflatten(1, p["a_source"].shape)
                scores = (tf.leaky_relu(targets[to] + rows[near], 0.2) * p["a_source"]).sum(2)
            else:
                scores = tf.leaky_relu((rows * p["a_target"]).sum(2)[to] + (rows * p["a_source"]).sum(2)[near], 0.2)
            shares = softmax(scores, to, len(h))
            h = summed((rows[near] * shares[:, :, None]).flatten(1), to, len(h)) + p["b"]
        return summed(h, owner, len(parts))

    for name, theirs in (("GINE", gin), ("AttentiveFP", attentive), ("GAT of heads", gat), ("GATv2", gat)):
        net, _ = made(name)
        weights = of(net.state_dict())
        found, expected = net(ct.data.GraphBatch(graphs)), theirs(weights)
        (found * found).sum().backward()
        (expected * expected).sum().backward()
        assert np.allclose(found.numpy(), expected.detach().numpy(), rtol=1e-4, atol=1e-5), name
        for key, parameter in net.named_parameters():
            gradient = weights[key].grad.numpy()
            assert np.allclose(parameter.grad, gradient, rtol=2e-3, atol=1e-4 * (1 + np.abs(gradient).max())), (
                name,
                key,
            )


def test_lists_and_graphs_that_do_not_fit_are_refused():
    batch = ct.data.GraphBatch(ct.ops.mol_graphs(["CCO"], features="molgraph"))
    paths = batch.environments(1, along="atoms and bonds")
    layer = ct.nn.GINConv(30, 4, bond_features=11, rng=0)
    with pytest.raises(ValueError, match="GINConv: a layer with bond_features needs lists with bonds"):
        layer(paths.atom_features, batch.environments(1, along="atoms").depths[0], paths.bond_features)
    with pytest.raises(TypeError, match="GINConv: bonds must be a Tensor"):
        layer(paths.atom_features, paths.depths[0])
    with pytest.raises(ValueError, match=r"GINConv: bonds must have shape \(kinds, 11\)"):
        layer(paths.atom_features, paths.depths[0], paths.atom_features)
    with pytest.raises(ValueError, match=r"GINConv: x must have shape \(3, 30\), a row for each at the depth below"):
        layer(paths.atom_features[:2], paths.depths[0], paths.bond_features)
    with pytest.raises(TypeError, match="GATConv: lists must be one of the depths"):
        ct.nn.GATConv(30, 4, rng=0)(paths.atom_features, paths.molecules)
    with pytest.raises(
        ValueError, match="AttentiveFP: takes 72 features of an atom and 14 of a bond, but the graphs have 30"
    ):
        ct.nn.AttentiveFP(72, 14, rng=0)(batch)
    with pytest.raises(ValueError, match="num_layers must be"):
        ct.nn.AttentiveFP(30, 11, num_layers=0)
