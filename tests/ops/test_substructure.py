"""Tests that `ops.substructure` gives RDKit's matches, for every primitive, random patterns and the patterns that RDKit carries."""

from __future__ import annotations

import csv
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem, RDConfig, rdBase
from rdkit.Chem import MACCSkeys

import catalase as ct
from tests.ops.test_ecfp_native import AWKWARD, MOLECULES

PRIMITIVES = [
    "C", "c", "N", "n", "O", "o", "S", "s", "P", "p", "B", "b", "F", "Cl", "Br", "I", "*", "a", "A", "[Fe]", "[Se]", "[si]", "[se]", "[as]", "[te]", "[Na]", "[K]", "[U]", "[#6]", "[#7]", "[#0]", "[#1]",
    "[H]", "[H+]", "[2H]", "[2H+]", "[H:1]", "[13C]", "[13]", "[0C]", "[C13]", "[2HC]", "[CH]", "[CH2]", "[CH3]", "[H0]", "[H1]", "[H2]", "[H3]", "[!H0]", "[HH]", "[H,C]", "[D]", "[D2]", "[D3]", "[D4]", "[d]", "[d1]", "[d4]",
    "[X]", "[X1]", "[X2]", "[X3]", "[X4]", "[x]", "[x2]", "[x3]", "[x4]", "[v]", "[v2]", "[v3]", "[v4]", "[v5]", "[v6]", "[h]", "[h1]", "[h2]", "[R]", "[R0]", "[R1]", "[R2]", "[R3]", "[!R]", "[!R1]", "[r]", "[r3]", "[r5]", "[r6]", "[r7]",
    "[k]", "[k5]", "[k6]", "[!k6]", "[z]", "[z1]", "[z2]", "[Z]", "[Z1]", "[Z2]", "[^0]", "[^1]", "[^2]", "[^3]", "[^4]", "[^5]", "[!^2]", "[^2^3]", "[C^3;R]", "[^2,^1]~[^3]", "[$([^1]#C)]", "[^22]", "[13^3]", "[+]", "[++]", "[+0]", "[+1]", "[+2]", "[-]", "[--]", "[-1]", "[N+]", "[O-]", "[n+]", "[CH3+]", "[Cl-]",
    "[D{2-3}]", "[D{-3}]", "[D{2-}]", "[R{1-}]", "[R{2-}]", "[R{-1}]", "[R{0-0}]", "[r{5-6}]", "[r{-5}]", "[r{6-}]", "[x{2-}]", "[h{1-}]", "[v{-3}]", "[X{2-3}]", "[z{1-}]", "[Z{1-}]", "[d{1-2}]", "[+{1-}]", "[-{1-2}]", "[+{-0}]",
    "[!C]", "[!#6;!#1]", "[C,N]", "[C,N;H1]", "[C;H2,H3]", "[N&H1,O&H1]", "[!!C]", "[*,C]", "[C&A]", "[a;r6]", "[C:1]", "[CH2:12]", "[C@H]", "[C@@H]", "[C@]", "[$(CO)]", "[!$(CO)]", "[C$(CO)]", "[$(C)$(CC)]", "[$(C=O),$(N)]",
    "[$([#6]~[$([#7]~[#6])])]", "[$(C1CC1)]", "[$(*.*)]", "[C;$(C(=O)[O;H,-]);!$(CC=O)]", "CC", "C-C", "C=C", "C#C", "c:c", "c-c", "C~C", "C@C", "C!@C", "C-@C", "C-;@C", "C-,=C", "C=,:@C", "C!-C", "C!@!=C", "C/C=C/C", "C\\C", "C-,/C", "C-=C", "*-&:*",
    "c1ccccc1", "C1CC1", "C-1CC-1", "C=1CC1", "C1CC=1", "C~1CC1", "C!@1CC1", "C%12CC%12", "C0CC0", "C1CC1C1CC1", "C(C)1CC1", "C1.C1", "C.C", "F.F", "C(C)(C)C", "C(C)(N)O", "*~*~*~*", "*1~*~*~*~*~*1", "[#6]~[#6]~[#7]", "a:a-a", "[R]!@[R]", "[R]@[R]", "*=,#*",
    "[OX2H]", "[#7;+]", "C(=O)[O;H,-]", "[$(C=O)]", "[n;H1]", "[nH]:c", "[c;!H]:[cH]", "C(=O)N", "[S;D2]([#6])[#6]", "S(=O)(=O)[NX3]", "[NX3;H2,H1;!$(NC=O)]",
]  # fmt: skip
LEFT = ["[!13C]", "[k{5-6}]", "[!*]", "C$C", "C->C", "[C@TH1]", "CC name", " C ", "C%(123)CC%(123)", "[#200]", "[C;$(CO)_100]", "C(C.C)C", "C-1CC=1", "C" * 65]  # fmt: skip
REFUSED = ["C(", "C)", "[C", "C]", "[]", "[Q]", "[^6]", "[^]", "[^{1-2}]", "[!]", "[C,]", "[,C]", "[C&&N]", "C()C", "C.", ".C", "C..C", "C11", "C12CC12", "C1CC", "C;-C", "[$()]", "[$(C]", "[H{1-2}]", "(C).(C)", "[C:01]", "[D1{1-2}]", "[Nope]", "é"]  # fmt: skip

# Cages, and rings that share more than one bond.
RINGS = ["C12C3C4C1C5C2C3C45", "C1CC2CCC1CC2", "C1CC2CCC1C2", "C1C2CC3CC1CC(C2)C3", "C1CCC2(CC1)CCCCC2", "C2CC1CC2C1", "C%12CC%12CC1CC1", "C1CC2CC1C1C2CC2CC1C=C2", "C1CCCCCCCCCC1", "c1cc2ccc3cccc4ccc(c1)c2c34"]  # fmt: skip


def readable(texts):
    with rdBase.BlockLogs():
        return [text for text in texts if Chem.MolFromSmiles(text) is not None]


BLOCK = readable([*AWKWARD, *MOLECULES, *RINGS])


def queries(patterns):
    with rdBase.BlockLogs():
        return [Chem.MolFromSmarts(pattern) for pattern in patterns]


def assert_equal_to_rdkit(smiles, patterns, expected=None):
    """All three results are RDKit's. Returns the report."""
    atoms, report = ct.ops.substructure(smiles, patterns, what="atoms", return_report=True)
    count = ct.ops.substructure(smiles, patterns, what="count")
    match = ct.ops.substructure(smiles, patterns)
    assert match.shape == count.shape == (len(smiles), len(patterns))
    assert match.dtype == bool and count.dtype == np.int32
    expected = queries(patterns) if expected is None else expected
    wrong = []
    for i, text in enumerate(smiles):
        molecule = Chem.MolFromSmiles(text)
        for j, query in enumerate(expected):
            matches = list(molecule.GetSubstructMatches(query))
            found = (atoms[i][j], count[i, j], match[i, j])
            if found != (matches, len(matches), bool(matches)):
                wrong.append((patterns[j], text, found, matches[:3]))
    assert not wrong, wrong[:5]
    return report


@pytest.mark.on_the_cpu
def test_every_primitive_on_awkward_molecules(backend):
    report = assert_equal_to_rdkit(BLOCK, PRIMITIVES)
    assert report.kept == len(BLOCK)


def test_every_primitive_alone():
    """What is computed of a molecule, and what is left to RDKit, depends on the patterns of the call."""
    molecules = [Chem.MolFromSmiles(text) for text in BLOCK]
    for pattern, query in zip(PRIMITIVES, queries(PRIMITIVES), strict=True):
        count = ct.ops.substructure(BLOCK, [pattern], what="count")[:, 0]
        expected = [len(molecule.GetSubstructMatches(query)) for molecule in molecules]
        wrong = [text for text, a, b in zip(BLOCK, count.tolist(), expected, strict=True) if a != b]
        assert not wrong, (pattern, wrong[:5])


def test_most_primitives_are_matched_natively():
    smiles = readable(MOLECULES)
    _, report = ct.ops.substructure(smiles, PRIMITIVES, return_report=True)
    # Codeine, cocaine and the like have rings or matches that some patterns leave to RDKit.
    assert report.counts["rdkit"] < len(smiles) / 3, report.counts
    for pattern in PRIMITIVES:
        _, report = ct.ops.substructure(["CCO"], [pattern], return_report=True)
        assert report.counts == {"native": 1, "rdkit": 0, "refused": 0}, pattern


def test_hybridization_is_that_of_rdkit_for_each_element_with_charges_and_neighbours():
    table = Chem.GetPeriodicTable()
    atoms = [
        f"[{table.GetElementSymbol(z)}{rest}]" for z in range(1, 95) for rest in ("", "+", "-", "+2", "H", "H2", "H3")
    ]
    texts = [
        text for atom in atoms for text in (atom, f"C{atom}", f"C=C{atom}C=O", f"C{atom}(F)(Cl)O", f"C1C{atom}1CC")
    ]
    smiles = readable([*texts[::3], "FS(F)(F)(F)(F)F", "FP(F)(F)(F)F", "CS(C)(=O)=O", "N=[N+]=[N-]", "OC=O", "c1ccoc1"])
    patterns = [f"[^{n}]" for n in range(6)]
    count = ct.ops.substructure(smiles, patterns, what="count")
    again = ct.ops.substructure([Chem.MolFromSmiles(text) for text in smiles], patterns, what="count")
    expected = [[len(Chem.MolFromSmiles(text).GetSubstructMatches(q)) for q in queries(patterns)] for text in smiles]
    wrong = [(text, a, b) for text, a, b in zip(smiles, count.tolist(), expected, strict=True) if a != b]
    assert not wrong, wrong[:5]
    assert np.array_equal(again, expected)


def test_patterns_that_are_left_to_rdkit():
    for pattern in LEFT:
        assert_equal_to_rdkit(["C" * 70, "CC=C[CH2+]", "[13CH3]C1CC1"], [pattern, "CC"])
        _, report = ct.ops.substructure(["CCO"], [pattern], return_report=True)
        assert report.counts == {"native": 0, "rdkit": 1, "refused": 0}, pattern


@pytest.mark.parametrize("pattern", REFUSED)
def test_a_pattern_that_rdkit_refuses_is_refused_with_its_position(pattern):
    assert queries([pattern]) == [None]
    with pytest.raises(ValueError, match=r"^substructure: pattern 1 \(.*is not a valid SMARTS.*position \d+") as caught:
        ct.ops.substructure(["C"], ["CC", pattern])
    assert repr(pattern) in str(caught.value)


def random_atom(rng, depth):
    kind = rng.random()
    if kind < 0.35:
        return rng.choice(["C", "c", "N", "n", "O", "*", "[#6]", "[#7]", "S", "a", "A", "F", "Cl"])
    if kind < 0.45 and depth < 2:
        inside = random_pattern(rng, rng.randint(1, 3), depth + 1)
        return f"[{rng.choice(['', '!', 'C', 'A;'])}$({inside})]"
    terms = ["C", "c", "#6", "#7", "N", "O", "R", "!R", "R1", "r6", "H0", "H1", "H2", "D2", "D3", "X3", "X4", "v4", "+0", "-", "+", "a", "A", "*", "x2", "z1", "!#6", "!C", "h1", "D{1-2}"]  # fmt: skip
    text = rng.choice(terms)
    for _ in range(rng.randint(0, 3)):
        text += rng.choice([";", ",", "&"]) + rng.choice(terms)
    return f"[{text}]"


def random_pattern(rng, atoms, depth=0):
    bond = lambda: rng.choice(["", "", "", "~", "-", "=", ":", "@", "!@", "-,=", "~", "-;!@", "=,:"])  # noqa: E731
    text = random_atom(rng, depth)
    open_ring, ring_at = False, 0
    for k in range(1, atoms):
        step = bond() + random_atom(rng, depth)
        text += f"({step})" if rng.random() < 0.25 else step
        if rng.random() < 0.2 and not text.endswith(")") and (not open_ring or k > ring_at + 1):
            text += "1"
            open_ring, ring_at = not open_ring, k
    return text + ("~*1" if open_ring and ring_at < atoms - 1 else "~*~*1" if open_ring else "")


@pytest.mark.parametrize("seed", range(4))
def test_random_patterns(seed):
    rng = random.Random(seed)
    patterns = []
    while len(patterns) < 150:
        pattern = random_pattern(rng, rng.randint(1, 7))
        if queries([pattern])[0] is not None:
            patterns.append(pattern)
    assert_equal_to_rdkit(rng.sample(BLOCK, 60), patterns)


def test_stars_whose_rays_overlap_include_or_exclude_each_other():
    rays = ["~*", "@*", "=*", "~[#6]", "-C", ":c", "~[!#6;!#1]", "~[N,O]", "~[!#6]", "~[CH3]", "~[C;H2,H3]", "~[$(C=O)]", "~[$([R]~1~[R]~[R]~1)]"]  # fmt: skip
    rng = random.Random(7)
    stars = []
    for centre in ["*", "[#6]", "[!#6;!#1]", "[R]", "N", "[$(C~O)]"]:
        for size in (1, 2, 3, 4):
            *branches, last = [rng.choice(rays) for _ in range(size)]
            stars.append(centre + "".join(f"({ray})" for ray in branches) + last)
            stars.append(f"[$({stars[-1]})]~*")
    assert_equal_to_rdkit(BLOCK, stars)


def test_rings_of_any_atoms_but_one():
    rings = ["[!#6;!#1]1~*~*~*~1", "N1~*~*~*~*~*~1", "*1~*~[R2]~*~1", "[$(C=O)]1~*~*~*~*~1", "*1~*~*~*~N~*~*~*~1", "O1@[R]@[R]@1", "N1~*~*~O~*~1"]  # fmt: skip
    assert_equal_to_rdkit(BLOCK, rings + [f"[$({ring})]~*" for ring in rings] + [f"C{ring}" for ring in rings])


def respelled(smiles, rng):
    """The molecule with another order of atoms, some with explicit bonds or Kekule's."""
    molecule = Chem.MolFromSmiles(smiles)
    if rng.random() < 0.3:
        Chem.Kekulize(molecule, clearAromaticFlags=True)
    with rdBase.BlockLogs():
        return Chem.MolToSmiles(molecule, doRandom=True, canonical=False, allBondsExplicit=rng.random() < 0.2)


def test_random_spellings_have_matches_in_their_own_numbering():
    rng = random.Random(5)
    smiles = readable([respelled(text, rng) for text in rng.choices(readable(MOLECULES), k=150)])
    patterns = ["c1ccccc1", "[R2]", "*~*~*", "C(=O)N", "[NX3]", "[$(C~[!#6])]", "C1CC1", "*1~*~*~*~*1", "[r5]@[r6]"]
    assert_equal_to_rdkit(smiles, patterns)


def test_maccs_keys():
    patterns = [smarts for smarts, _ in MACCSkeys.smartsPatts.values() if smarts != "?"]
    assert len(patterns) > 150
    assert_equal_to_rdkit(BLOCK, patterns)


@pytest.mark.parametrize("name", ["Crippen.txt", "FragmentDescriptors.csv"])
def test_patterns_of_descriptors(name):
    path = Path(RDConfig.RDDataDir) / name
    if not path.exists():
        pytest.skip(f"this RDKit has no {name}")
    with open(path, encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    patterns = list(dict.fromkeys(cell for row in rows for cell in row[1:3] if len(row) > 2 and row[0][:1] != "#"))
    patterns = [p for p, q in zip(patterns, queries(patterns), strict=True) if q is not None and q.GetNumAtoms()]
    assert len(patterns) > 60
    report = assert_equal_to_rdkit(BLOCK[::2], patterns)
    assert report.counts["native"]


def test_queries_that_rdkit_has_read():
    texts = ["[OX2H]", "c1ccccc1", "[C;$(C=O)]"]
    mols = [*queries(texts), Chem.MolFromSmiles("CCO"), Chem.MolFromSmiles("c1ccccc1")]
    mols.append(Chem.MergeQueryHs(Chem.MolFromSmarts("[#6]-[#7]-[#1]")))
    assert_equal_to_rdkit(BLOCK, mols, mols)
    _, report = ct.ops.substructure(["CCO"], queries(texts), return_report=True)
    assert report.counts["native"] == 1


def test_molecules_that_rdkit_has_read():
    patterns = [*PRIMITIVES, "[R2]", "[k4]", "[2H]", "[13C]"]
    molecules = [Chem.MolFromSmiles(text) for text in BLOCK]
    for text in BLOCK[::5]:  # other forms than RDKit reads: hydrogens as atoms, Kekule's bonds, no hydrogens known
        molecules.append(Chem.AddHs(Chem.MolFromSmiles(text)))
        molecules.append(Chem.MolFromSmiles(text))
        Chem.Kekulize(molecules[-1], clearAromaticFlags=True)
    atoms, report = ct.ops.substructure(molecules, patterns, what="atoms", return_report=True)
    match = ct.ops.substructure(molecules, patterns)
    expected = queries(patterns)
    for i, molecule in enumerate(molecules):
        theirs = [list(molecule.GetSubstructMatches(query)) for query in expected]
        assert atoms[i] == theirs, Chem.MolToSmiles(molecule)
        assert match[i].tolist() == [bool(matches) for matches in theirs]
    assert report.counts["refused"] == 0
    _, report = ct.ops.substructure(molecules, ["[R2]", "[13C]", "[$(C=O)]"], return_report=True)
    assert report.counts["native"] > 0.9 * len(molecules), report.counts


def test_an_edited_molecule_is_matched_as_it_is():
    molecule = Chem.RWMol(Chem.MolFromSmiles("c1ccccc1CC(C)O"))
    molecule.RemoveBond(0, 1)
    molecule.AddBond(6, 0, Chem.BondType.SINGLE)
    molecule.RemoveAtom(9)
    molecule.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(molecule)
    patterns = ["[R]", "[r]", "*~*~*", "c", "[v4]", "[H1]", "[x3]", "[R2]"]
    expected = [list(molecule.GetSubstructMatches(query)) for query in queries(patterns)]
    assert ct.ops.substructure([molecule], patterns, what="atoms") == [expected]


def test_threads_do_not_change_the_result():
    smiles = BLOCK * 5
    patterns = PRIMITIVES[:120]
    for what in ("count", "atoms"):
        one = ct.ops.substructure(smiles, patterns, what=what, num_threads=1)
        two = ct.ops.substructure(smiles, patterns, what=what, num_threads=2)
        assert np.array_equal(one, two) if what == "count" else one == two


def test_more_than_a_thousand_matches():
    smiles = ["C" * 40, "C" * 250, "C" * 400, "CC(C)(C)" * 20 + "C"]
    assert_equal_to_rdkit(smiles, ["C.C", "C~C~C", "[$(*.*.C)]", "C", "*~*~*~*~*"])


def test_failures_are_raised_masked_or_dropped():
    smiles, patterns = ["CCO", "C(", "OC", 5], ["[OH]", "CC"]
    with pytest.raises(ValueError, match=r"^substructure: molecule 1 of 4 \('C\('\) cannot be read"):
        ct.ops.substructure(smiles, patterns)
    with pytest.raises(TypeError, match=r"^substructure: molecule 0 of 1 .*needs text"):
        ct.ops.substructure([5], patterns)
    match, report = ct.ops.substructure(smiles, patterns, errors="mask", return_report=True)
    assert match.tolist() == [[True, True], [False, False], [True, False], [False, False]]
    assert [failure.position for failure in report.failures] == [1, 3] and report.kept == 4
    assert report.counts == {"native": 2, "rdkit": 0, "refused": 2}
    atoms, kept = ct.ops.substructure(smiles, patterns, what="atoms", errors="drop")
    assert kept.tolist() == [0, 2] and atoms == [[[(2,)], [(0, 1)]], [[(0,)], []]]
    assert ct.ops.substructure(smiles, patterns, what="atoms", errors="mask")[1] == [[], []]


def test_a_refused_metal_has_rdkits_reason():
    with pytest.raises(ValueError, match="Explicit valence for atom # 1 Al"):
        ct.ops.substructure(["O[AlH3](O)O"], ["O"])


def test_empty_arguments():
    assert ct.ops.substructure([], ["C"]).shape == (0, 1)
    assert ct.ops.substructure(["C"], []).shape == (1, 0)
    assert ct.ops.substructure(["C", ""], [], what="atoms") == [[], []]
    assert_equal_to_rdkit(["", "C"], ["C", ""])


def test_one_text_is_no_list():
    with pytest.raises(TypeError, match=r"smiles must be a list.*wrap it in \[ \]"):
        ct.ops.substructure("CCO", ["C"])
    with pytest.raises(TypeError, match=r"patterns must be a list of SMARTS patterns.*wrap it in \[ \]"):
        ct.ops.substructure(["CCO"], "C")
    with pytest.raises(TypeError, match="pattern 1 must be a SMARTS or an RDKit molecule, got float"):
        ct.ops.substructure(["CCO"], ["C", 5.0])


def test_a_pattern_that_backtracks_exponentially_stops_in_a_sentence():
    # A ladder has exponentially many paths, but none of these leads to an atom that has two more neighbours.
    ladder = "".join(f"C%{k}C" for k in range(10, 34)) + "C" + "".join(f"C%{k}C" for k in range(33, 9, -1))
    pattern = "[D3]" + "~[#6]" * 40 + "([#6])[#6]~[D1]"
    smiles = [ladder, "CCO"]
    with pytest.raises(
        ValueError, match=r"the search for pattern 1 \(.*\) was given up after 20,000,000 steps"
    ) as caught:
        ct.ops.substructure(smiles, ["C", pattern])
    assert str(caught.value).startswith("substructure: molecule 0 of 2 ")
    match, report = ct.ops.substructure(smiles, ["C", pattern], errors="mask", return_report=True)
    assert match.tolist() == [[False, False], [True, False]] and len(report.failures) == 1


def test_long_and_deep_patterns():
    deep = "C"
    for _ in range(20):
        deep = f"[$({deep})]"
    wide = "[" + ",".join(["C", "N"] * 400) + "]"
    assert_equal_to_rdkit(["CCN", "O"], [deep, wide, "[" + "!" * 2000 + "C]"])
    with pytest.raises(ValueError, match=r"pattern 0 .*has 20,000 characters; a SMARTS of at most 10,000 is read"):
        ct.ops.substructure(["C"], ["C" * 20_000])


def test_rdkit_is_not_imported_for_what_is_matched_natively():
    program = """
import sys, catalase as ct
print(ct.ops.substructure(["CCO", "c1ccccc1O"], ["[OX2H]", "[$(C=O)]"], what="count").tolist(), "rdkit" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[0] == "[[1, 0], [1, 0]] False"


def test_positions_of_unreadable_patterns():
    with pytest.raises(ValueError, match=re.escape("pattern 0 ('CC[N')")) as caught:
        ct.ops.substructure(["C"], ["CC[N"])
    assert "position 4" in str(caught.value)
