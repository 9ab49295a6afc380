"""Fingerprints hashed on a device have the CPU's bits, reports and refusals, whatever the sizes of molecules, rows and chunks.

That both have RDKit's bits is shown in `tests/ops/test_ecfp_native.py`.
"""

from __future__ import annotations

import csv
import gzip

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase.backends import cuda as _cuda
from catalase.backends.cuda import ecfp as device
from catalase.ops.ecfp import fingerprints
from tests.ops.test_ecfp_native import AWKWARD, MOLECULES, large, mutated

pytestmark = pytest.mark.on_a_device

FEW = [
    *AWKWARD[:12],
    *AWKWARD[60:120:4],
    *MOLECULES[:8],
    "FS(F)(F)(F)(F)F",
    "Cl[U](F)(F)(O)(N)(C)(CC)CCC",
    "C[Re](F)(Cl)(O)(N)(S)CC",
    "C[N+](C)(C)C.[O-]Cl(=O)(=O)=O",
]
# One word of atoms and of bonds and just more; several words; the most that a graph holds, and more, which the CPU hashes.
SIZES = [
    "C" * 60, "C" * 64, "C" * 65, "C1" + "C" * 62 + "C1", "C1" + "C" * 63 + "C1", "C" * 200, "C" * 254, "C" * 255, "C" * 256, "CC(C)" * 50, "C1CC1" * 12, "C1CC1" * 22, "C1CC1" * 70,
    "c1ccccc1-" * 30 + "C", "C(" * 90 + "C" + ")" * 90, "FS(F)(F)(F)(F)" * 20 + "F",
]  # fmt: skip
# Neighbourhoods that meet: cages, rings, two-atom parts, and many parts that are equal.
MEETING = [
    "C12C3C4C1C5C2C3C45", "C1C2CC3CC1CC(C2)C3", "C1CC2CCC1CC2", "C12C3C1C1C2C31", "C1CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC1", "CC.CC.[Na+].[Cl-].O.O.CO", "C=C.N#N.[13CH3]C.CC(C)(C)C",
    "C1CC1." * 20 + "C1CC1", "C.[Na+]." * 40 + "C", "CC." * 80 + "CC", "C1C2CC3CC1CC(C2)C3." * 9 + "C1C2CC3CC1CC(C2)C3", "c12c3c4c5c1c1c6c7c2c2c8c3c3c9c4c4c%10c5c5c1c1c6c6c%11c7c2c2c7c8c3c3c8c9c4c4c9c%10c5c5c1c1c6c6c%11c2c2c7c3c3c8c4c4c9c5c1c1c6c2c3c41",
]  # fmt: skip


def assert_equal_to_the_cpu(backend, smiles, **options):
    """Rows, their type, what is kept, and the report are the CPU's."""
    options = {"errors": "mask", "return_report": True, **options}
    *found, report = ct.ops.ecfp(smiles, device=backend.device, **options)
    *expected, cpu_report = ct.ops.ecfp(smiles, **options)
    rows = backend.get(found[0])
    assert rows.dtype == expected[0].dtype and rows.shape == expected[0].shape
    different = [i for i, (a, b) in enumerate(zip(rows, expected[0], strict=True)) if not np.array_equal(a, b)]
    assert not different, f"{options}: {[smiles[i] for i in different[:5]]}"
    assert all(np.array_equal(a, b) for a, b in zip(found[1:], expected[1:], strict=True))
    assert report.to_dict() == cpu_report.to_dict()


@pytest.mark.parametrize("output", ["packed", "dense", "counts"])
@pytest.mark.parametrize("size", [8, 40, 512, 1000, 2048, 4096])
def test_sizes_of_the_row(backend, size, output):
    assert_equal_to_the_cpu(backend, FEW, size=size, output=output, radius=3)  # of up to eight neighbours


@pytest.mark.parametrize("radius", [0, 1, 2, 4, 6])
def test_sizes_of_the_molecule(backend, radius):
    assert_equal_to_the_cpu(backend, SIZES, radius=radius, output="counts")
    assert_equal_to_the_cpu(backend, SIZES, radius=radius, size=4096)


@pytest.mark.parametrize("radius", [2, 3, 6])
def test_neighbourhoods_that_meet(backend, radius):
    assert_equal_to_the_cpu(backend, MEETING, radius=radius, output="counts", size=4096)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(mutated(), min_size=20, max_size=20), large(), st.integers(0, 4), st.booleans(), st.booleans())
def test_generated(backend, smiles, long, radius, features, use_bond_types):
    options = {"radius": radius, "features": features, "use_bond_types": use_bond_types}
    assert_equal_to_the_cpu(backend, [*smiles, long], output="counts", **options)


def test_neither_chunks_nor_threads_nor_company_change_a_bit(backend, monkeypatch):
    alone = ct.ops.ecfp(FEW, errors="mask")
    monkeypatch.setattr(device, "_CHUNK", 5)  # blocks of four molecules, the last one partly empty
    for threads in (1, 7):
        rows = ct.ops.ecfp(FEW * 3, errors="mask", num_threads=threads, device=backend.device)
        assert np.array_equal(backend.get(rows), np.concatenate([alone] * 3))


def test_rows_of_the_cpu_find_their_places(backend):
    from rdkit import Chem

    smiles = ["CCO", "*C", Chem.MolFromSmiles("CCN"), "C1CC", "C" * 300, "c1ccccc1", None, "[H][H]"]
    for size in (40, 2048):
        for errors in ("mask", "drop"):
            assert_equal_to_the_cpu(backend, smiles, errors=errors, size=size, output="packed")
            assert_equal_to_the_cpu(backend, smiles, errors=errors, size=size, output="dense")
    with pytest.raises(ValueError, match=r"molecule 3 of 4 .*unclosed ring"):
        ct.ops.ecfp(smiles[:4], device=backend.device)


def test_partial_sanitization(backend):
    smiles = ["CCO", "CN(C)(C)(C)C", "C[Na](C)C", "C1CC", "c1ccccc1"]
    options = {"radius": 2, "size": 512, "output": "packed", "chirality": False, "features": False}
    options |= {"use_bond_types": True, "errors": "mask", "return_report": True, "num_threads": None, "partial": True}
    rows, report = fingerprints(smiles, **options, device=backend.device)
    expected, cpu_report = fingerprints(smiles, **options)
    assert np.array_equal(backend.get(rows), expected) and report.to_dict() == cpu_report.to_dict()


def test_no_molecules_and_the_empty_one(backend):
    rows, kept = ct.ops.ecfp([], device=backend.device, errors="drop")
    assert rows.shape == (0, 256) and len(kept) == 0
    assert backend.get(ct.ops.ecfp([""], device=backend.device)).max() == 0
    assert backend.get(ct.ops.ecfp(["C1CC"], device=backend.device, errors="drop")[0]).shape == (0, 256)


def test_a_dense_layer_takes_them(backend, rng):
    w = rng.standard_normal((512, 5)).astype(np.float32)
    y = ct.ops.linear(ct.ops.ecfp(FEW, size=512, device=backend.device, errors="mask"), backend.array(w))
    assert np.allclose(backend.get(y), ct.ops.linear(ct.ops.ecfp(FEW, size=512, errors="mask"), w), atol=1e-5)


def test_devices_that_are_not_there():
    for name, error in (("gpu", ValueError), (None, TypeError), (["cuda"], TypeError)):
        with pytest.raises(error, match="ecfp: device must be 'cpu' or 'cuda', got"):
            ct.ops.ecfp(["C"], device=name)
    with pytest.raises(ValueError, match=r"'csr' is made on the CPU only; ops\.linear takes output='packed'"):
        ct.ops.ecfp(["C"], device="cuda", output="csr")
    if _cuda.describe_device().startswith("none"):
        with pytest.raises(RuntimeError, match="ecfp: needs a CUDA device, but there is none"):
            ct.ops.ecfp(["C"], device="cuda")


@pytest.mark.parametrize("name, column", [("tox21.csv.gz", "smiles"), ("sider.csv.gz", "smiles")])
def test_a_data_set(data_dir, backend, name, column):
    with gzip.open(data_dir / name, "rt") as file:
        smiles = [row[column] for row in csv.DictReader(file)][::20]
    for radius in (2, 3):
        assert_equal_to_the_cpu(backend, smiles, radius=radius, output="counts")
