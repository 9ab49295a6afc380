"""Tests that fingerprints equal RDKit's one by one, in every output form, and that errors name position and reason."""

from __future__ import annotations

import os

import numpy as np
import pytest

import catalase as ct

# Rings, charges, isotopes, stereo, salts, organometallics, explicit hydrogens, wildcards, aromatic hetero atoms.
SMILES = [
    "C", "CCO", "c1ccccc1", "CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "[Na+].[Cl-]", "C[C@H](N)C(=O)O",
    "F/C=C/F", "F/C=C\\F", "[13CH4]", "[NH4+]", "O=[N+]([O-])c1ccccc1", "c1ccc2c(c1)cccc2", "C1CC2CCC1CC2", "*C", "[H][H]",
    "[2H]C", "N#N", "CC(C)(C)c1cc2ccccc2[nH]1", "s1cccc1", "C1=CC=C[N-]1", "[Fe]", "CS(=O)(=O)N", "P(=O)(O)(O)O", "",
    "C1CCCCCCCCCCC1", "OCC1OC(O)C(O)C(O)C1O", "[O-][n+]1ccccc1", "B(O)O", "[se]1cccc1", "C%12CC%12", "N[Pt](N)(Cl)Cl",
]  # fmt: skip


def rdkit_bits(smiles, radius=2, size=2048, **options):
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator as generators

    if options.pop("features", False):
        options["atomInvariantsGenerator"] = generators.GetMorganFeatureAtomInvGen()
    generator = generators.GetMorganGenerator(radius=radius, fpSize=size, **options)
    return np.array([generator.GetFingerprintAsNumPy(Chem.MolFromSmiles(s)) for s in smiles])


@pytest.mark.parametrize("radius, size", [(0, 512), (1, 1024), (2, 2048), (3, 4096), (2, 8)])
@pytest.mark.parametrize(
    "ours, theirs",
    [
        ({}, {}),
        ({"chirality": True}, {"includeChirality": True}),
        ({"features": True}, {"features": True}),
        ({"use_bond_types": False}, {"useBondTypes": False}),
    ],
)
def test_equal_to_rdkit_one_by_one(threads, radius, size, ours, theirs):
    packed = ct.ops.ecfp(SMILES, radius=radius, size=size, **ours)
    assert packed.shape == (len(SMILES), size // 8) and packed.dtype == np.uint8
    expected = rdkit_bits(SMILES, radius, size, **theirs)
    different = [
        s
        for s, a, b in zip(SMILES, np.unpackbits(packed, axis=1, bitorder="little"), expected, strict=True)
        if not np.array_equal(a, b)
    ]
    assert not different


def test_equal_to_rdkit_on_real_molecules():
    from rdkit import Chem, RDConfig, rdBase

    path = os.path.join(RDConfig.RDDataDir, "NCI", "first_5K.smi")
    with open(path) as file:
        smiles = [line.split()[0] for line in file][:600]
    packed, kept = ct.ops.ecfp(smiles, errors="drop")
    with rdBase.BlockLogs():
        readable = [i for i, s in enumerate(smiles) if Chem.MolFromSmiles(s) is not None]
    assert kept.tolist() == readable
    assert np.array_equal(np.unpackbits(packed, axis=1, bitorder="little"), rdkit_bits([smiles[i] for i in readable]))


def test_a_golden_value():
    packed = ct.ops.ecfp(["CCO"], size=2048)
    assert np.flatnonzero(np.unpackbits(packed[0], bitorder="little")).tolist() == [80, 222, 294, 807, 1057, 1410]


def test_output_forms_agree():
    packed = ct.ops.ecfp(SMILES)
    dense = ct.ops.ecfp(SMILES, output="dense")
    indptr, indices, shape = ct.ops.ecfp(SMILES, output="csr")
    counts = ct.ops.ecfp(SMILES, output="counts")
    bits = np.unpackbits(packed, axis=1, bitorder="little")
    assert dense.dtype == np.float32 and np.array_equal(dense, bits) and counts.dtype == np.uint32
    assert np.array_equal(counts > 0, bits > 0) and counts.max() > 1
    rebuilt = np.zeros(shape, np.uint8)
    rebuilt[np.repeat(np.arange(shape[0]), np.diff(indptr)), indices] = 1
    assert np.array_equal(rebuilt, bits)


def test_molecules_and_white_space_are_taken():
    from rdkit import Chem

    plain = ct.ops.ecfp(["CCO"])
    for other in ("CCO ", "\tCCO\r\n", Chem.MolFromSmiles("OCC")):
        assert np.array_equal(ct.ops.ecfp([other]), plain)
    assert ct.ops.ecfp([]).shape == (0, 256)


@pytest.mark.parametrize(
    "bad, reason",
    [
        ("C1CC", "not a valid SMILES"),
        ("C\u041eC", "U+041E"),
        ("CC aspirin", "follows the SMILES at position 2"),
        ("C\x00C", "U+0000"),
        ("[AlH3](O)(O)O", "valence"),
        ("c1cccc1", "kekulize"),
        (None, "NoneType"),
        (3.5, "float"),
    ],
)
def test_what_cannot_be_read(bad, reason):
    good = ["C", bad, "CC"]
    with pytest.raises((ValueError, TypeError)) as error:
        ct.ops.ecfp(good)
    assert "molecule 1 of 3" in str(error.value) and reason.lower() in str(error.value).lower(), str(error.value)
    masked, report = ct.ops.ecfp(good, errors="mask", return_report=True)
    assert masked.shape == (3, 256) and not masked[1].any() and masked[0].any()
    assert [f.position for f in report.failures] == [1] and reason.lower() in report.failures[0].reason.lower()
    dropped, kept, report = ct.ops.ecfp(good, errors="drop", return_report=True)
    assert dropped.shape == (2, 256) and kept.tolist() == [0, 2] and report.kept == 2 and report.total == 3


def test_a_molecule_that_is_not_sanitized_is_refused():
    from rdkit import Chem

    with pytest.raises(TypeError, match="not sanitized"):
        ct.ops.ecfp([Chem.MolFromSmiles("C1CC1", sanitize=False)])


def test_bad_settings():
    for options, words in [
        ({"size": 100}, "multiple of 8"),
        ({"radius": -1}, "radius"),
        ({"output": "bits"}, "'packed', 'dense', 'csr' or 'counts'"),
        ({"errors": "ignore"}, "'raise', 'mask' or 'drop'"),
        ({"num_threads": 0}, "num_threads"),
    ]:
        with pytest.raises(ValueError, match=words):
            ct.ops.ecfp(["C"], **options)
    with pytest.raises(TypeError, match="a list of strings or molecules, got str; wrap it"):
        ct.ops.ecfp("CCO")


class LabelledColumn:
    """Like a pandas Series: iterated by position, indexed by label."""

    def __init__(self, values, labels):
        self.values, self.labels = values, labels

    def __len__(self):
        return len(self.values)

    def __iter__(self):
        return iter(self.values)

    def __getitem__(self, label):
        return self.values[self.labels.index(label)]


@pytest.mark.parametrize("labels", [[2, 0, 1], [5, 7, 9]])
def test_a_column_with_labels_is_read_by_position(labels):
    smiles = ["CCO", "c1ccccc1", "CN"]
    assert np.array_equal(ct.ops.ecfp(LabelledColumn(smiles, labels)), ct.ops.ecfp(smiles))


@pytest.mark.parametrize(
    ("options", "kind"),
    [({"radius": 10**12}, ValueError), ({"size": 2**33}, ValueError), ({"num_threads": "2"}, TypeError)],
)
def test_settings_beyond_rdkit_are_refused_in_a_sentence(options, kind):
    with pytest.raises(kind, match=r"^ecfp: "):
        ct.ops.ecfp(["CC"], **options)


def test_sets_have_no_order_to_keep():
    with pytest.raises(TypeError, match="list of strings"):
        ct.ops.ecfp({"CC", "CO"})
