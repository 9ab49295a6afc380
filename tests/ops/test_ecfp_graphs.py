"""Tests that graphs for a device give RDKit's counts by the reference; a refused molecule has a status and no atoms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase import _core
from tests.ops.test_ecfp_native import AWKWARD, MOLECULES, large, mutated
from tests.reference import morgan

pytestmark = pytest.mark.on_the_cpu

SIZE = 4096


def read(smiles, *options):
    """Graphs and statuses, after checks of the form."""
    status = np.full(len(smiles), 99, np.uint8)
    words, atoms, ends = _core.ecfp_graphs(smiles, *(options or (True, False, False)), status, 2)
    assert words.dtype == np.uint32 and words.shape == (1, len(smiles) + 2 + 2 * atoms + ends)
    graphs = morgan.unpack(words, len(smiles), atoms)
    assert all(not values for (values, _), reason in zip(graphs, status, strict=True) if reason)
    assert (
        sum(len(values) for values, _ in graphs) == atoms and sum(map(len, (e for _, b in graphs for e in b))) == ends
    )
    for _, bonds in graphs:
        numbers = sorted(bond for own in bonds for _, bond, _ in own)
        assert numbers == sorted(2 * list(range(len(numbers) // 2))), "every bond has two ends"
    return graphs, status


def assert_counts(smiles, radius, bond_types=True, features=False):
    graphs, status = read(smiles, bond_types, False, features)
    known = [text for text, reason in zip(smiles, status, strict=True) if reason == 0]
    options = {"radius": radius, "use_bond_types": bond_types, "features": features}
    expected = ct.ops.ecfp(known, size=SIZE, output="counts", **options)
    graphs = [graph for graph, reason in zip(graphs, status, strict=True) if reason == 0]
    for text, graph, row in zip(known, graphs, expected, strict=True):
        places = np.array(morgan.features(graph, radius), np.int64) % SIZE
        assert np.array_equal(np.bincount(places, minlength=SIZE), row), (text, options)
    return len(known) / max(1, len(smiles))


@pytest.mark.parametrize("options", [{}, {"bond_types": False}, {"features": True}], ids=str)
@pytest.mark.parametrize("radius", [0, 2, 4])
def test_hashed_by_the_reference(backend, radius, options):
    assert assert_counts(AWKWARD + MOLECULES, radius, **options) > 0.75


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(mutated(), large()), min_size=1, max_size=4), st.integers(0, 3), st.booleans())
def test_generated(smiles, radius, features):
    assert_counts(smiles, radius, features=features)


def test_what_has_a_graph_and_what_has_not():
    graphs, status = read(["CCO", "*C", "C1CC", "C" * 256, None, "", "[2H]C"])
    assert status.tolist()[0] == 0 and 0 not in status[1:5] and status.tolist()[5:] == [0, 0]
    assert [len(values) for values, _ in graphs] == [3, 0, 0, 0, 0, 0, 2]
    assert read(["C[C@H](F)Cl"], True, True, False)[1].all() and not read(["C[C@H](F)Cl"])[1].any()
    assert read([])[0] == []
