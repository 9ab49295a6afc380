"""Tests of the Tanimoto similarity of counts against NumPy and RDKit, at every level and number of threads."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import catalase as ct
from tests.agreement import same_with_threads
from tests.reference import tanimoto as reference

pytestmark = pytest.mark.on_the_cpu

SHAPES = [
    (0, 3, 8),
    (3, 0, 8),
    (2, 3, 0),
    (1, 1, 1),
    (5, 64, 63),
    (3, 65, 64),
    (257, 63, 65),
    (7, 130, 300),
    (2, 1100, 33),
]


@functools.cache
def rows(n, m, columns, most, density=0.2):
    """Counts up to ``most``, most of them zero; the first row of one side and the last of the other are empty."""
    rng = np.random.default_rng([n, m, columns, most])
    sides = [rng.integers(0, most + 1, (k, columns)) * (rng.random((k, columns)) < density) for k in (n, m)]
    sides[0][:1], sides[1][-1:] = 0, 0
    return sides[0], sides[1], reference.tanimoto_counts(*sides)


@pytest.mark.parametrize("most", [1, 5, 255, 256, 70_000])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_the_oracle_to_the_bit(backend, threads, shape, most):
    a, b, expected = rows(*shape, most)
    for kind in (np.uint16, np.uint32, np.float32, np.float64):
        if most > np.iinfo(np.uint16).max and kind == np.uint16:
            continue
        found = ct.ops.tanimoto_counts(a.astype(kind), b.astype(np.uint32), dtype=np.float64)
        assert found.dtype == np.float64 and np.array_equal(found, expected)
        found = ct.ops.tanimoto_counts(a.astype(np.uint32), b.astype(kind))
        assert found.dtype == np.float32 and found.shape == expected.shape
        assert np.allclose(found, expected, rtol=1.2e-7, atol=0)  # half an ulp, or rounded sums above 2**24


def test_sums_of_bytes_do_not_overflow(backend):
    """A row of 300 columns with 255 each has sums of 76,500, and lines of the table that are full."""
    a = np.full((3, 300), 255, np.uint32)
    a[1], a[2, ::2] = 1, 0
    assert np.array_equal(ct.ops.tanimoto_counts(a, a, dtype=np.float64), reference.tanimoto_counts(a, a))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_with_fractions_are_within_rounding(backend, threads, rng, dtype):
    a, b = (np.where(rng.random((n, 200)) < 0.3, rng.random((n, 200)) * 10, 0).astype(dtype) for n in (70, 66))
    found = ct.ops.tanimoto_counts(a, b, dtype=dtype)
    assert np.all(
        abs(found - reference.tanimoto_counts(a, b)) <= 200 * np.finfo(np.float64).eps + 2 * np.finfo(dtype).eps
    )
    alone = ct.ops.tanimoto_counts(a, a, dtype=dtype)
    assert np.all(np.diag(alone) == 1) and np.array_equal(alone, alone.T) and alone.max() <= 1


def test_a_pair_has_the_same_bits_whatever_the_other_rows_hold(backend, rng):
    a = rng.integers(0, 9, (20, 100)).astype(np.uint32)
    large = a.copy()
    large[-1, 0] = 1000  # all rows are then added up in float64
    assert np.array_equal(ct.ops.tanimoto_counts(a, a)[:-1, :-1], ct.ops.tanimoto_counts(large, large)[:-1, :-1])
    assert np.array_equal(ct.ops.tanimoto_counts(a, a)[3:7, 5:6], ct.ops.tanimoto_counts(a[3:7], a[5:6]))


def test_bits_do_not_depend_on_threads_or_level(rng):
    a = np.where(rng.random((300, 500)) < 0.1, rng.random((300, 500)), 0)
    results = []
    for level in ct._core.build_info()["cpu_levels"]:
        before = ct._core.get_cpu_level()
        try:
            ct._core.set_cpu_level(level)
            results += same_with_threads(lambda: ct.ops.tanimoto_counts(a, a[:150]), (1, 2, 3, 7))
        finally:
            ct._core.set_cpu_level(before)
    assert all(np.array_equal(results[0], other) for other in results[1:])


def test_views_are_read_in_place_and_others_are_copied(backend):
    a, b, expected = rows(40, 66, 130, 9)
    wide = np.zeros((40, 200), np.float32)
    wide[:, 7:137] = a
    assert np.array_equal(ct.ops.tanimoto_counts(wide[:, 7:137], b.astype(np.uint32), dtype=np.float64), expected)
    turned = np.asfortranarray(a.astype(np.uint32))
    assert np.array_equal(ct.ops.tanimoto_counts(turned[::-1], b.astype(np.uint32), dtype=np.float64), expected[::-1])
    out = np.full((40, 66), np.nan)
    assert ct.ops.tanimoto_counts(a.astype(float), b.astype(float), dtype=np.float64, out=out) is out
    assert np.array_equal(out, expected)


def test_equals_rdkit():
    generators = pytest.importorskip("rdkit.Chem.rdFingerprintGenerator")
    from rdkit import Chem, DataStructs

    smiles = ["CCO", "CCCCCC(=O)OC", "c1ccccc1C(=O)NCCO", "C" * 40, "OCC(O)C(O)C(O)C(O)CO", "C1CCCCC1N"]
    generator = generators.GetMorganGenerator(radius=2, fpSize=2048)
    vectors = [generator.GetCountFingerprint(Chem.MolFromSmiles(text)) for text in smiles]
    expected = [DataStructs.BulkTanimotoSimilarity(vector, vectors) for vector in vectors]
    counts = ct.ops.ecfp(smiles, output="counts")
    assert np.allclose(ct.ops.tanimoto_counts(counts, counts, dtype=np.float64), expected, rtol=1e-15)


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf, 1e39])
def test_numbers_that_are_no_counts_are_refused_by_place(value):
    a, b = np.ones((300, 70)), np.ones((70, 70))
    b[66, 69] = value
    with pytest.raises(ValueError, match=r"b holds .* at row 66, column 69; counts are finite numbers, 0 or more"):
        ct.ops.tanimoto_counts(a, b)
    a[270, 3] = value
    with pytest.raises(ValueError, match=r"a holds .* at row 270, column 3"):
        ct.ops.tanimoto_counts(a, b)


def test_refusals_say_what_to_do():
    good = np.ones((2, 8), np.uint32)
    for wrong, kind, words in [
        (np.ones((2, 8), np.uint8), TypeError, "packed bits go to ops.tanimoto"),
        (np.ones((2, 8), np.int64), TypeError, "astype"),
        (np.ones((2, 8), ">u4"), TypeError, "astype"),
        (np.ones(8, np.uint32), ValueError, r"a\[None\]"),
        (np.ones((2, 9), np.uint32), ValueError, "9 columns but b has 8"),
    ]:
        with pytest.raises(kind, match=words):
            ct.ops.tanimoto_counts(wrong, good)
    with pytest.raises(TypeError, match="dtype must be float32 or float64"):
        ct.ops.tanimoto_counts(good, good, dtype=np.int32)
