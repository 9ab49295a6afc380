"""Tests of the example in docs: its arithmetic always, and the example on real tables if CATALASE_DATA_DIR has them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from catalase import molnet

SCRIPT = Path(__file__).parents[2] / "docs" / "examples" / "moleculenet_random_forest.py"


@pytest.fixture
def example():
    pytest.importorskip("sklearn")
    spec = importlib.util.spec_from_file_location("moleculenet_random_forest", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_row_names_a_loader(example):
    assert {f"load_{row.load}" for row in example.ROWS.values()} <= set(molnet.__all__)
    assert all(row.classes == (row.criterion in ("gini", "entropy")) for row in example.ROWS.values())


def test_the_band_is_welchs(example):
    from scipy.stats import ttest_ind_from_stats

    published, scores = (0.7194, 0.0068), [0.71, 0.713, 0.717]
    width = example.band(published, scores)
    spread = np.std(scores, ddof=1), published[1] * np.sqrt(3 / 2)
    p = ttest_ind_from_stats(width, spread[0], 3, 0, spread[1], 3, equal_var=False).pvalue
    assert np.isclose(p, 0.05)
    assert np.isfinite(example.band(published, [0.7])) and np.isfinite(example.band(published, [0.7, 0.7]))


@pytest.mark.parametrize("table", ["BACE classification", "BBBP"])
def test_the_row_is_inside_its_band(example, table, data_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["example", "--tables", table])
    example.main()
    out = capsys.readouterr().out
    assert [line.endswith(": inside") for line in out.splitlines() if line.startswith("  test ")] == [True], out
