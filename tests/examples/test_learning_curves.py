"""Tests of the example that draws what a net can learn: the pictures are written, and show what their captions say."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"


@pytest.fixture
def learning(example):
    return example("learning_curves")


def test_every_figure_is_drawn_and_every_picture_of_the_docs_is_one_of_them(learning, tmp_path):
    found = learning.main(["--out", str(tmp_path), "--effort", "0.01"])
    assert list(found) == list(learning.FIGURES)
    names = {f"learning-{name}.png" for name in found}
    assert {file.name for file in tmp_path.iterdir()} == names == {f.name for f in PICTURES.glob("learning-*.png")}
    assert all(file.stat().st_size < 60_000 for file in PICTURES.glob("learning-*.png"))


def test_a_net_without_activations_stays_linear(learning, tmp_path):
    found = learning.main(["--out", str(tmp_path), "--figures", "linear"])["linear"]
    assert found["identity"][0] < 0.95 and found["identity"][1] > 1 - 1e-6
    assert found["relu"][0] > 0.98 and found["relu"][1] < 0.95


def test_a_small_net_underfits_and_a_large_one_overfits(learning, tmp_path):
    found = learning.main(["--out", str(tmp_path), "--figures", "fit"])["fit"]
    assert found["too small"][0] > 0.5 and found["too large"][0] < found["right"][0]
    assert found["right"][1] < min(found["too small"][1], found["too large"][1])


def test_more_units_come_nearer_to_a_function(learning, tmp_path):
    found = learning.main(["--out", str(tmp_path), "--figures", "approximation"])["approximation"]
    assert found["1"] > 2 * found["2"] > 4 * found["4"] > 4 * found["32"]
