"""Tests that texts that would keep RDKit busy for minutes are refused in one sentence, and that Ctrl-C works."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

import catalase as ct
from catalase.chem.reading import MAX_SMILES_LENGTH, rdkit_limits

LIMITS = rdkit_limits()


def refused(smiles, **options):
    began = time.process_time()
    rows, kept, report = ct.ops.ecfp(smiles, errors="drop", return_report=True, **options)
    assert time.process_time() - began < 5
    return {failure.position: failure.reason for failure in report.failures}, kept.tolist(), len(rows)


def test_a_text_beyond_the_limit_is_refused_at_once():
    text = "C" * (MAX_SMILES_LENGTH + 1)
    reasons, kept, n = refused(["CCO", text, "CCN"])
    assert kept == [0, 2] and n == 2
    assert reasons == {1: "it has 1,048,577 characters; a SMILES of at most 1,048,576 is read"}
    with pytest.raises(ValueError, match=r"ecfp: molecule 1 of 2 .* it has 1,048,577 characters"):
        ct.ops.ecfp(["C", text])
    assert not ct.ops.ecfp(["C", text], errors="mask")[1].any()


@pytest.mark.parametrize(
    "text",
    [
        "*" + "C" * 25_000,
        "C" * 100_000 + "[Xx]",
        "[Fe]<-N" + "C" * 100_000,
        "C%10" + "C" * 50_000 + "C%10*",
        "*" + "NC(Cc1ccccc1)C(=O)" * 50_000,
        "C(" * 200_000 + "C" + ")" * 200_001,
        "*" + "C" * (MAX_SMILES_LENGTH - 2) + "$",
    ],
    ids=["wildcard", "syntax", "metal", "ring", "peptide", "branches", "longest"],
)
def test_what_only_rdkit_reads_is_bounded(text):
    reasons, kept, _ = refused(["C", text])
    assert kept == [0]
    assert (
        reasons[1]
        == f"only RDKit could read it, which is given at most {LIMITS.chain:,} characters, and it has {len(text):,}"
    )


def test_molecules_with_rings_are_bounded_sooner():
    if LIMITS.rings == LIMITS.chain:
        pytest.skip("this RDKit takes as long for a chain")
    chain, ring = "*" + "C" * 6_000, "*C%10" + "C" * 6_000 + "C%10"
    reasons, kept, _ = refused([chain, ring])
    assert kept == [0]
    assert (
        reasons[1]
        == "only RDKit could read it, which is given at most 5,000 characters of a molecule with rings, and it has 6,009"
    )


def test_ring_closures_are_bounded():
    fits = "*" + "[13CH]1CC1" * (140 if LIMITS.rings < 5_000 else 490)
    reasons, kept, _ = refused([fits, "*" + "C1CC1" * 900, "*" + "C%10CC%10" * 501])
    assert kept == [0]
    if LIMITS.rings >= 5_000:
        assert reasons == {
            i: f"only RDKit could read it, which is given at most 500 ring closures, and it has {n}" for i, n in ((1, 900), (2, 501))
        }  # fmt: skip
    else:  # too long already
        assert all("at most 1,500 characters" in reason for reason in reasons.values())


def test_a_wide_radius_that_the_native_reader_gives_up_is_bounded():
    reasons, kept, _ = refused(["C" * 60_000], radius=2_000)
    assert kept == [] and "only RDKit could read it" in reasons[0]


def test_a_radius_beyond_all_atoms_takes_no_memory():
    rows = ct.ops.ecfp(["*CCCC", "*CC(C)CO"], radius=2**31 - 1)
    assert (rows == ct.ops.ecfp(["*CCCC", "*CC(C)CO"], radius=20)).all()


def test_a_molecule_of_rdkit_is_bounded_too():
    from rdkit import Chem

    big = Chem.MolFromSmiles("C" * 10_001, sanitize=False)  # how it was read does not matter
    reasons, kept, _ = refused([big, Chem.MolFromSmiles("C" * 300)])
    assert kept == [1]
    assert reasons[0] == "it has 10,001 atoms; of an RDKit molecule at most 10,000 are taken"


def test_scaffolds_of_long_molecules_are_made_or_refused_at_once():
    began = time.process_time()
    scaffold = ct.splits.murcko_scaffold
    assert scaffold("C" * 1_400) == "" and scaffold("C" * (LIMITS.chain + 1)) is None
    assert scaffold("C1CC1" + "C" * 1_100) is None
    assert scaffold("C1CC1" + "C" * 100) == "C1CC1"
    assert time.process_time() - began < 10


def test_molecules_too_large_to_draw_are_left_blank(tmp_path):
    from rdkit import Chem

    from catalase.chem.drawing import molecule_grid

    began = time.process_time()
    molecule_grid(str(tmp_path / "grid.png"), [Chem.MolFromSmiles(s) for s in ("CCO", "C" * 600)], ["a", "b"])
    assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG") and time.process_time() - began < 10


_LONG_LIST = """
import catalase as ct
print("begin", flush=True)
ct.ops.ecfp({smiles}, errors="mask", size=8)
print("end", flush=True)
"""


@pytest.mark.parametrize("smiles", ['["C" * 200_000] * 500', '["*CC(C)CCO"] * 2_000_000', '["CCOC(=O)C"] * 20_000_000'])
def test_ctrl_c_is_obeyed_within_a_second_or_so(smiles):
    process = subprocess.Popen([sys.executable, "-c", _LONG_LIST.format(smiles=smiles)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "begin\n"
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    try:
        out, err = process.communicate(timeout=15)
    finally:
        process.kill()
    assert "KeyboardInterrupt" in err and "end" not in out
    assert time.monotonic() - began < 8  # a second alone; other tests share the cores
