"""Tests of `chem.draw`: size and content of the picture, and molecules that cannot be drawn."""

from __future__ import annotations

import struct

import pytest
from rdkit import Chem

from catalase import chem


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


def test_wrong_counts_are_refused():
    with pytest.raises(ValueError, match="legends must have a text for each of the 2 molecules"):
        chem.draw(["CCO", "CCN"], legends=["a"])
    with pytest.raises(ValueError, match="1 to 142 molecules for 1 columns, got 143"):
        chem.draw(["C"] * 143, columns=1)
    with pytest.raises(ValueError, match="got 0"):
        chem.draw([])
