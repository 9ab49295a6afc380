"""Fingerprints hashed on a device: the CPU's bits, which are RDKit's, and the same reports and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase._cuda import ecfp as device
from tests.ops.test_ecfp_native import AWKWARD, MOLECULES, REFUSED, large, mutated

FEW = AWKWARD[:8] + AWKWARD[60:100:3] + MOLECULES[:6]


def assert_equal_to_the_cpu(backend, smiles, **options):
    """Rows, their type, and the report are the CPU's."""
    options = {"errors": "mask", "return_report": True, **options}
    *found, report = ct.ops.ecfp(smiles, device=backend.name, **options)
    *expected, cpu_report = ct.ops.ecfp(smiles, **options)
    rows = backend.get(found[0])
    assert rows.dtype == expected[0].dtype and rows.shape == expected[0].shape
    different = [i for i, (a, b) in enumerate(zip(rows, expected[0], strict=True)) if not np.array_equal(a, b)]
    assert not different, f"{options}: {[smiles[i] for i in different[:5]]}"
    assert all(np.array_equal(a, b) for a, b in zip(found[1:], expected[1:], strict=True))
    assert report.to_dict() == cpu_report.to_dict()


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 4, 6, 7])
def test_awkward_molecules(backend, radius):
    assert_equal_to_the_cpu(backend, AWKWARD + MOLECULES, radius=radius)
