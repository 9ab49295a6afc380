"""The examples of docs/sklearn.md, and of "Data frames" in docs/tables.md, run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def run(text, name):
    names = {"__name__": "page"}
    for block in re.findall(r"```python\n(.*?)```", text, re.S):
        exec(compile(block, name, "exec"), names)  # noqa: S102
    return names


def test_the_page_about_scikit_learn(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    names = run((DOCS / "sklearn.md").read_text(), "sklearn.md")
    assert names["again"].shape == (1, 1) and names["search"].best_score_ == names["search"].best_score_
    assert names["net"].predict_proba(["CCCO"]).shape == (1, 4)


def test_the_page_about_data_frames():
    for library in ("pandas", "polars"):
        pytest.importorskip(library)
    names = run((DOCS / "tables.md").read_text().split("## Data frames\n")[1], "tables.md")
    assert names["data"].w.ravel().tolist() == names["plain"].w.ravel().tolist() == [1, 1, 0]
