"""Tests of environments and message passing on odd graphs: classes, batches, bits alone and in any spelling, gradients."""

from __future__ import annotations

import multiprocessing
import pickle
import threading
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase import ops
from catalase.nn import functional
from tests.agreement import same_with_threads
from tests.reference import graph as oracle
from tests.reference.gradients import directional

SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)


def packed(molecules, codes=2, seed=0):
    """Packed graphs of molecules, each (number of atoms, list of bonds), with random codes."""
    rng = np.random.default_rng(seed)
    atom_offsets, bond_offsets, source, target = [0], [0], [], []
    for atoms, bonds in molecules:
        for a, b in bonds:
            source += [atom_offsets[-1] + a, atom_offsets[-1] + b]
            target += [atom_offsets[-1] + b, atom_offsets[-1] + a]
        atom_offsets.append(atom_offsets[-1] + atoms)
        bond_offsets.append(len(source))
    atoms, bonds = atom_offsets[-1], len(source)
    return SimpleNamespace(
        atom_offsets=np.array(atom_offsets), bond_offsets=np.array(bond_offsets), source=np.array(source, np.int32),
        target=np.array(target, np.int32), atom_codes=rng.integers(0, codes, (atoms, 2), np.uint8),
        atom_floats=rng.integers(0, 2, (atoms, 1)).astype(np.float32),
        bond_codes=np.repeat(rng.integers(0, codes, (bonds // 2, 1), np.uint8), 2, axis=0),
        atom_columns=((0, codes), (codes, codes)), atom_float_columns=(2 * codes,), bond_columns=((0, codes),),
    )  # fmt: skip


def respelled(graphs, rng):
    """The same molecules with their atoms and bonds in another order."""
    other = SimpleNamespace(
        **{name: np.array(x) if isinstance(x, np.ndarray) else x for name, x in vars(graphs).items()}
    )
    for i in range(len(graphs.atom_offsets) - 1):
        a0, a1 = graphs.atom_offsets[i : i + 2]
        b0, b1 = graphs.bond_offsets[i : i + 2]
        place = a0 + rng.permutation(a1 - a0)  # the new number of each atom
        other.atom_codes[place], other.atom_floats[place] = graphs.atom_codes[a0:a1], graphs.atom_floats[a0:a1]
        order = (
            (
                b0 + 2 * rng.permutation((b1 - b0) // 2)[:, None] + rng.permuted([[0, 1]] * ((b1 - b0) // 2), axis=1)
            ).ravel()
            if b1 > b0
            else np.arange(0)
        )
        for name in ("source", "target"):
            getattr(other, name)[b0:b1] = place[getattr(graphs, name)[order] - a0]
        other.bond_codes[b0:b1] = graphs.bond_codes[order]
    return other


def ring(n, first=0):
    return [(first + i, first + (i + 1) % n) for i in range(n)]


ODD = {
    "no atoms": (0, []), "one atom": (1, []), "two atoms apart": (2, []), "one bond": (2, [(0, 1)]), "star": (9, [(0, i) for i in range(1, 9)]),
    "ring": (6, ring(6)), "two rings that share a bond": (10, [*ring(6), (5, 6), (6, 7), (7, 8), (8, 9), (9, 0)]),
    "ring of rings": (24, [b for k in range(6) for b in [*ring(4, 4 * k), (4 * k, (4 * k + 6) % 24)]]), "cage": (8, [*ring(4), *ring(4, 4), *((i, i + 4) for i in range(4))]),
    "salt": (5, [(0, 1), (1, 2)]), "chain": (40, [(i, i + 1) for i in range(39)]),
}  # fmt: skip

MOLECULES = st.lists(st.sampled_from(sorted(ODD)), min_size=1, max_size=6)


def depths_of(found, rows):
    """Rebuild the contents of classes from a batch's lists: for each molecule the sorted contents of its atoms."""
    batch = found.batch(rows)
    kinds = [row.tobytes() for row in batch.bond_features]
    contents = kinds
    for level in batch.bonds:
        contents = [
            (kinds[k], tuple(sorted(map(repr, (contents[j] for j in level.index[a:b])))))
            for k, a, b in zip(level.kind, level.offsets, level.offsets[1:], strict=False)
        ]
    atoms = [row.tobytes() for row in batch.atom_features]
    level = batch.atoms
    whole = [
        repr((atoms[k], tuple(sorted(map(repr, (contents[j] for j in level.index[a:b]))))))
        for k, a, b in zip(level.kind, level.offsets, level.offsets[1:], strict=False)
    ]
    of = batch.molecules
    return [sorted(whole[j] for j in of.index[a:b]) for a, b in zip(of.offsets, of.offsets[1:], strict=False)]


@given(names=MOLECULES, depth=st.integers(1, 4), codes=st.integers(1, 3), seed=st.integers(0, 99))
@SETTINGS
def test_classes_are_those_of_equal_contents(names, depth, codes, seed):
    graphs = packed([ODD[name] for name in names], codes, seed)
    found = ops.environments(graphs, depth)
    depths, atoms = oracle.environments(graphs, depth)
    assert found.counts == (*(len(set(level)) for level in depths), len(set(atoms)))
    partition = {}
    for number, content in zip(found.atom_classes.tolist(), atoms, strict=True):
        assert partition.setdefault(number, content) == content
    rows = np.random.default_rng(seed).integers(0, len(names), 5)
    distinct, plain = depths_of(found, rows), depths_of(ops.environments(graphs, depth, distinct=False), rows)
    assert distinct == plain


@given(
    names=MOLECULES,
    depth=st.integers(1, 3),
    along=st.sampled_from(["bonds", "atoms", "atoms and bonds"]),
    distinct=st.booleans(),
    seed=st.integers(0, 99),
)
@SETTINGS
def test_lists_of_a_batch_are_transposed_and_name_rows(names, depth, along, distinct, seed):
    graphs = packed([ODD[name] for name in names], 2, seed)
    batch = ops.environments(graphs, depth, along=along, distinct=distinct).batch()
    below = len(batch.bond_kinds if along == "bonds" else batch.atom_kinds)
    for level in (*batch.depths, batch.molecules):
        for a, b in zip(level.transposed, ops.transpose_index(level.index, level.offsets, below), strict=True):
            assert np.array_equal(a, b)
        if level.kind is not None:
            kinds = len(batch.atom_kinds if level is batch.atoms else batch.bond_kinds) if along == "bonds" else below
            for a, b in zip(
                level.kinds, ops.transpose_index(level.kind, np.arange(len(level) + 1), kinds), strict=True
            ):
                assert np.array_equal(a, b)
        assert (level.bond is not None) == (along == "atoms and bonds" and level is not batch.molecules)
        if level.bond is not None:
            assert len(level.bond) == len(level.index) and np.all(level.bond < len(batch.bond_kinds))
        below = len(level)
    assert len(batch) == len(names)


class Net:
    """D-MPNN's message passing on the tape."""

    def __init__(self, graphs, hidden, dtype=np.float32, seed=0):
        rng = np.random.default_rng(seed)
        atoms = 2 * graphs.atom_columns[0][1] + 1
        shapes = (atoms + graphs.bond_columns[0][1], hidden), (hidden, hidden), (atoms, hidden), (hidden, hidden)
        self.weights = [(rng.standard_normal(shape) * 0.3).astype(dtype) for shape in shapes]

    def __call__(self, batch, *weights):
        w_i, w_h, w_a, w_o = weights or self.weights
        dtype = w_i.dtype
        z0 = functional.linear(batch.bond_features.astype(dtype), w_i)
        h = z0.relu()
        for level in batch.bonds:
            lists = {"kind": level.kind, "transposed": level.transposed, "kinds": level.kinds}
            h = functional.message_update(h, w_h, level.index, level.offsets, z=z0, **lists)
        z, level = functional.linear(batch.atom_features.astype(dtype), w_a), batch.atoms
        lists = {"kind": level.kind, "transposed": level.transposed, "kinds": level.kinds}
        atoms = functional.message_update(h, w_o, level.index, level.offsets, z=z, **lists)
        lists = batch.molecules
        return functional.gather_sum(atoms, lists.index, lists.offsets, transposed=lists.transposed)


@given(names=MOLECULES, depth=st.integers(1, 4), seed=st.integers(0, 99), hidden=st.sampled_from([1, 5, 16, 33]))
@SETTINGS
def test_distinct_and_plain_rows_agree_with_the_oracle(names, depth, seed, hidden):
    graphs = packed([ODD[name] for name in names], 2, seed)
    net = Net(graphs, hidden)
    w_i, w_h, w_a, w_o = (w.astype(np.float64) for w in net.weights)
    plain = ops.environments(graphs, depth, distinct=False).batch()
    bond_inputs, atom_inputs = (
        plain.bond_features[np.argsort(plain.bond_kinds)],
        plain.atom_features[np.argsort(plain.atom_kinds)],
    )
    atoms = oracle.message_passing(graphs, depth, bond_inputs, atom_inputs, w_i, w_h, np.vstack([w_a, w_o]))
    exact = oracle.reduced("sum", atoms, graphs.atom_offsets)
    for batch in (plain, ops.environments(graphs, depth).batch()):
        found = net(batch).numpy()
        assert found.shape == exact.shape
        assert np.allclose(found, exact, rtol=1e-4, atol=1e-4 * (1 + np.abs(exact).max(initial=0)))


@given(names=MOLECULES, depth=st.integers(1, 3), seed=st.integers(0, 99))
@SETTINGS
def test_a_molecule_has_its_bits_alone_in_any_batch_and_in_any_spelling(names, depth, seed):
    rng = np.random.default_rng(seed)
    graphs = packed([ODD[name] for name in names], 2, seed)
    net = Net(graphs, 17)
    found = ops.environments(graphs, depth)
    whole = net(found.batch()).numpy()
    for i in range(len(names)):
        assert np.array_equal(net(found.batch([i])).numpy()[0], whole[i])
    rows = rng.integers(0, len(names), 9)
    assert np.array_equal(net(found.batch(rows)).numpy(), whole[rows])
    again = ops.environments(respelled(graphs, rng), depth)
    assert np.array_equal(net(again.batch()).numpy(), whole)


@given(names=MOLECULES, depth=st.integers(1, 4), with_bonds=st.booleans(), seed=st.integers(0, 99))
@SETTINGS
def test_along_atoms_classes_and_sums_agree_with_the_oracle(names, depth, with_bonds, seed):
    graphs = packed([ODD[name] for name in names], 2, seed)
    rng = np.random.default_rng(seed)
    w_own, w_near = (rng.standard_normal((5, 5)).astype(np.float32) * 0.4 for _ in range(2))
    w_bond, along = rng.standard_normal((2, 5)).astype(np.float32), "atoms and bonds" if with_bonds else "atoms"
    found = ops.environments(graphs, depth, along=along)
    depths = oracle.atom_environments(graphs, depth, with_bonds)
    assert found.counts == tuple(len(set(level)) for level in depths)
    plain = ops.environments(graphs, depth, along=along, distinct=False)
    assert np.array_equal(plain.batch().atom_kinds, np.arange(len(graphs.atom_codes)))

    def run(batch):
        h = ct.Tensor(batch.atom_features)
        for level in batch.depths:
            own = functional.gather_rows(functional.matmul(h, ct.Tensor(w_own)), level.kind)
            if with_bonds:
                bonds = ct.Tensor(batch.bond_features @ w_bond)
                rows = functional.gather_rows(h, level.index) + functional.gather_rows(bonds, level.bond)
                h = (functional.matmul(functional.segment_sum(rows, level.offsets), ct.Tensor(w_near)) + own).tanh()
            else:
                h = functional.message_update(h, w_near, level.index, level.offsets, z=own, activation="tanh")
        return functional.gather_sum(h, batch.molecules.index, batch.molecules.offsets).numpy()

    inputs = plain.batch().atom_features
    bonds = np.eye(2)[graphs.bond_codes[:, 0]] @ w_bond if with_bonds else 0.0
    exact = oracle.reduced("sum", oracle.convolution(graphs, depth, inputs, w_own, w_near, bonds), graphs.atom_offsets)
    whole = run(found.batch())
    assert np.allclose(whole, exact, atol=1e-4) and np.allclose(run(plain.batch()), exact, atol=1e-4)
    rows = rng.integers(0, len(names), 7)
    assert np.array_equal(run(found.batch(rows)), whole[rows])
    again = ops.environments(respelled(graphs, rng), depth, along=along)
    assert np.array_equal(run(again.batch()), whole)
    level = plain.batch().depths[-1]
    near = [sorted([a, *level.index[i:j]]) for a, (i, j) in enumerate(pairwise(level.offsets))]
    index, offsets = level.with_own()
    assert [sorted(index[i:j]) for i, j in pairwise(offsets)] == near


@pytest.mark.parametrize("distinct", [True, False])
def test_gradients_by_central_differences(distinct, rng):
    graphs = packed([ODD[name] for name in ("ring of rings", "star", "salt", "one atom")], 2, 3)
    net = Net(graphs, 6, np.float64)
    batch = ops.environments(graphs, 3, distinct=distinct).batch()
    factor = rng.standard_normal((4, 6))

    def loss(*weights):
        return (net(batch, *weights).tanh() * factor).sum()

    leaves = [ct.Tensor(w, requires_grad=True) for w in net.weights]
    loss(*leaves).backward()
    measured, claimed = directional(
        lambda *w: float(loss(*map(ct.Tensor, w))), net.weights, [leaf.grad for leaf in leaves], rng, h=1e-7
    )
    assert np.isclose(measured, claimed, rtol=1e-5)


@given(names=MOLECULES, depth=st.integers(1, 4), distinct=st.booleans(), bias=st.booleans(), seed=st.integers(0, 99))
@SETTINGS
def test_all_depths_in_one_operation_are_the_updates_one_by_one(names, depth, distinct, bias, seed):
    graphs = packed([ODD[name] for name in names], 2, seed)
    batch, rng = ops.environments(graphs, depth, distinct=distinct).batch(), np.random.default_rng(seed)
    arrays = [rng.standard_normal(s) for s in ((len(batch.bond_kinds), 9), (9, 9), *([(9,)] if bias else []))]
    leaves = [[ct.Tensor(x, requires_grad=True) for x in arrays] for _ in range(2)]
    z, w, *b = leaves[0]
    whole = functional.message_passing(z, w, batch.bonds, *b)
    z, w, *b = leaves[1]
    h = z.relu()
    summed_first = h.numpy()
    for level in batch.bonds:
        more = {"kind": level.kind, "transposed": level.transposed, "kinds": level.kinds}
        product, added = functional.linear(h, w), z + b[0] if b else z
        h = functional.gather_sum(product, level.index, level.offsets, z=added, relu=True, **more)
        summed_first = ops.message_update(
            summed_first,
            arrays[1],
            level.index,
            level.offsets,
            z=arrays[0],
            kind=level.kind,
            b=arrays[2] if b else None,
        )
    assert np.array_equal(whole.numpy(), h.numpy())
    assert np.allclose(whole.numpy(), summed_first, rtol=1e-10, atol=1e-10 * np.abs(summed_first).max(initial=1))
    factor = rng.standard_normal(h.shape)
    (whole * factor).sum().backward()
    (h * factor).sum().backward()
    for one, other in zip(*leaves, strict=True):
        assert (one.grad is None) == (other.grad is None)
        if one.grad is not None:
            assert np.allclose(one.grad, other.grad, rtol=1e-9, atol=1e-9)


def test_large_graphs_and_stars(rng):
    chain = (10_000, [(i, i + 1) for i in range(9_999)] + [(i, i + 7) for i in range(0, 9_000, 3)])
    star = (300, [(0, i) for i in range(1, 300)])
    graphs = packed([chain, star], 2, 1)
    net = Net(graphs, 8)
    found = ops.environments(graphs, 3)
    (whole,) = same_with_threads(lambda: net(found.batch()).numpy())
    assert np.array_equal(net(ops.environments(respelled(graphs, rng), 3).batch()).numpy(), whole)
    assert np.allclose(net(ops.environments(graphs, 3, distinct=False).batch()).numpy(), whole, rtol=1e-3)


def test_batches_of_several_threads_and_pickles_are_equal():
    graphs = packed([ODD[name] for name in ODD] * 30, 3, 5)
    found = ops.environments(graphs, 3)
    copy = pickle.loads(pickle.dumps(found))  # noqa: S301
    rows = [np.random.default_rng(i).integers(0, len(found), 64) for i in range(8)]
    expected = [copy.batch(r) for r in rows]
    wrong = []

    def work():
        for _ in range(20):
            for r, e in zip(rows, expected, strict=True):
                b = found.batch(r)
                same = np.array_equal(b.molecules.index, e.molecules.index) and np.array_equal(
                    b.atoms.index, e.atoms.index
                )
                if not same or not np.array_equal(b.bonds[0].index, e.bonds[0].index):
                    wrong.append(r)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def _batch_in_a_child(found, net, rows):
    return net(found.batch(rows)).numpy()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_a_forked_child_has_the_same_bits():
    graphs = packed([ODD[name] for name in ODD] * 20, 3, 5)
    found, net, rows = ops.environments(graphs, 3), Net(graphs, 40), np.arange(50) * 3
    expected = net(found.batch(rows)).numpy()
    child = multiprocessing.get_context("fork").Pool(1)
    with child:
        assert np.array_equal(child.apply(_batch_in_a_child, (found, net, rows)), expected)


def test_features_are_those_of_the_codes():
    graphs = packed([ODD["ring"], ODD["salt"]], 3, 2)
    graphs.atom_codes[0, 0], graphs.bond_width = 255, 5  # nothing of the field is set; two columns of zeros at the end
    expected = np.zeros((len(graphs.atom_codes), 7), np.float32)
    for a, (first, second) in enumerate(graphs.atom_codes):
        if first != 255:
            expected[a, first] = 1
        expected[a, 3 + second], expected[a, 6] = 1, graphs.atom_floats[a, 0]
    bonds = np.eye(5, dtype=np.float32)[graphs.bond_codes[:, 0]]
    plain = ops.environments(graphs, 2, distinct=False).batch()
    assert np.array_equal(plain.atom_features, expected[plain.atom_kinds])
    both = np.hstack([expected[graphs.source], bonds])
    assert np.array_equal(plain.bond_features, both[plain.bond_kinds])
    distinct = ops.environments(graphs, 2).batch()
    assert {row.tobytes() for row in distinct.bond_features} == {row.tobytes() for row in both}
    assert len(distinct.atom_features) == len({row.tobytes() for row in expected})


def test_errors_say_what_is_wrong():
    graphs = packed([ODD["ring"], ODD["star"]])
    for change, kind, match in (
        ({"source": None}, TypeError, "with an array source"),
        ({"source": graphs.source.astype(np.int64)}, TypeError, r"graphs\.source must be int32 with 1 axes, got int64"),
        ({"atom_codes": graphs.atom_codes[:3]}, ValueError, "must be equally long"),
        ({"atom_offsets": np.array([0, 9, 6])}, ValueError, r"graphs\.atom_offsets must ascend from 0 to 15"),
        ({"source": graphs.target}, ValueError, "side by side, within their molecule, but bond 0 goes from"),
        ({"atom_offsets": np.array([0, 2, 15])}, ValueError, "within their molecule"),
        ({"bond_offsets": np.array([0, 3, len(graphs.source)])}, ValueError, "side by side"),
    ):
        with pytest.raises(kind, match=f"^environments: .*{match}" if "graphs" not in match else match):
            ops.environments(SimpleNamespace(**(vars(graphs) | change)), 3)
    with pytest.raises(ValueError, match="environments: depth must be from 1 to 64, got 0"):
        ops.environments(graphs, 0)
    found = ops.environments(graphs, 2)
    with pytest.raises(ValueError, match=r"Environments\.batch: rows must be from 0 to 1, .* rows\[1\] is 2"):
        found.batch([0, 2])
    with pytest.raises(TypeError, match="rows must be whole numbers"):
        found.batch([0.5])
    bare = SimpleNamespace(**{k: v for k, v in vars(graphs).items() if not k.endswith("columns")})
    with pytest.raises(TypeError, match="graphs have no atom_columns"):
        ops.environments(bare, 2).batch().atom_features  # noqa: B018
