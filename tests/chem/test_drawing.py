"""Tests of `chem.draw`: size and content of the picture, and molecules that cannot be drawn."""

from __future__ import annotations

import struct

import pytest
from rdkit import Chem

import catalase as ct
from catalase import chem
from catalase.chem.drawing import molecule_svg


def size(picture):
    """Width and height of a PNG picture."""
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", picture[16:24])


def test_a_picture_has_a_place_for_each_molecule(tmp_path):
    picture = chem.draw(["CCO", "CCN", "CCC"], tmp_path / "p.png", legends=["a", "b", "c"], columns=2)
    assert size(picture) == (520, 460) and (tmp_path / "p.png").read_bytes() == picture
    assert size(chem.draw(["CCO"], columns=3)) == (780, 230)
    assert chem.draw(["CCO"], legends=["x"]) != chem.draw(["CCO"]) != chem.draw(["CCN"])


def test_molecules_that_cannot_be_read_are_blank_or_left_out():
    with pytest.raises(ValueError, match=r"^draw: molecule 1 of 3 \('C1CC'\) cannot be read"):
        chem.draw(["CCO", "C1CC", "CCN"])
    assert size(chem.draw(["CCO", "C1CC", "CCN"], columns=1, errors="mask")) == (260, 690)
    assert chem.draw(["CCO", "C1CC", "CCN"], errors="drop") == chem.draw(["CCO", "CCN"])
    with pytest.raises(ValueError, match="none of the molecules in smiles can be read"):
        chem.draw(["C1CC"], errors="drop")


def test_drawing_leaves_the_coordinates_of_a_molecule_alone():
    molecule = Chem.MolFromSmiles("CCO")
    chem.draw([molecule])
    assert molecule.GetNumConformers() == 0


def test_matches_are_marked_where_they_are():
    smiles = ["CCO", "c1ccccc1O", "CCC"]
    plain = chem.draw(smiles)
    matches = [row[0] for row in ct.ops.substructure(smiles, ["[OX2H]"], what="atoms")]
    assert matches == [[(2,)], [(6,)], []]
    marked = chem.draw(smiles, highlight=matches)
    assert marked != plain and size(marked) == size(plain)
    assert chem.draw(smiles, highlight=[[], (), []]) == plain == chem.draw(smiles, highlight=None)
    # A bond is marked with its two atoms in one match, and not with the same atoms in two.
    assert chem.draw(["CCO"], highlight=[[(0, 1)]]) != chem.draw(["CCO"], highlight=[[(0,), (1,)]])
    assert chem.draw(["CCO", "C1CC", "CO"], highlight=[[(2,)], [(9,)], [(1,)]], errors="drop") == chem.draw(
        ["CCO", "CO"], highlight=[[(2,)], [[1]]]
    )


def test_matches_that_do_not_fit_are_refused():
    for highlight, words in (
        ([[(3,)]], "highlight names atom 3 of molecule 0, which has atoms 0 to 2"),
        ([[(-1,)]], "highlight names atom -1 of molecule 0"),
        ([[(0.5,)]], "highlight names atom 0.5"),
        ([], "highlight must have the matches of each of the 1 molecules"),
    ):
        with pytest.raises(ValueError, match=f"^draw: {words}"):
            chem.draw(["CCO"], highlight=highlight)
    for highlight in ([[0]], 5, [5]):
        with pytest.raises(TypeError, match=r"^draw: highlight must be a list"):
            chem.draw(["CCO"], highlight=highlight)


def test_wrong_counts_are_refused():
    with pytest.raises(ValueError, match="legends must have a text for each of the 2 molecules"):
        chem.draw(["CCO", "CCN"], legends=["a"])
    with pytest.raises(ValueError, match="1 to 142 molecules for 1 columns, got 143"):
        chem.draw(["C"] * 143, columns=1)
    with pytest.raises(ValueError, match="got 0"):
        chem.draw([])


def test_a_single_molecule_is_drawn_as_svg_or_not_at_all():
    picture = molecule_svg("c1ccccc1O", width=120, height=90)
    assert b"<svg" in picture and b"width='120px'" in picture and picture != molecule_svg("CCO", width=120, height=90)
    assert molecule_svg("C1CC") is None and molecule_svg("") is None and molecule_svg("C" * 501) is None


def test_contributions_colour_atoms_on_one_scale_and_must_be_those_of_the_molecule():
    plain, coloured = chem.draw(["CCO", "C"]), chem.draw(["CCO", "C"], contributions=[[1.0, 0.0, -1.0], None])
    assert size(coloured) == size(plain) and coloured != plain
    assert coloured == chem.draw(["CCO", "C"], contributions=[[2.0, 0.0, -2.0], None])
    with pytest.raises(
        ValueError, match="contributions must have a finite number for each of the 3 atoms of molecule 0"
    ):
        chem.draw(["CCO"], contributions=[[1.0]])
    with pytest.raises(ValueError, match="contributions must have the numbers of each of the 1 molecules"):
        chem.draw(["CCO"], contributions=[])
    with pytest.raises(ValueError, match="without highlight"):
        chem.draw(["CCO"], contributions=[None], highlight=[()])
