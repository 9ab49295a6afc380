"""The examples of docs/searching.md, docs/metrics.md and docs/plots.md run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def run(page):
    names = {"__name__": page}
    for block in re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.S):
        exec(compile(block, page, "exec"), names)  # noqa: S102
    return names


def test_the_page_about_searches(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = run("searching.md")
    assert len(names["scores"]) == 32 and "True\n" in capsys.readouterr().out
    assert len((tmp_path / "search" / "trials.jsonl").read_text().splitlines()) == 7


def test_the_page_about_metrics(capsys):
    run("metrics.md")
    shown = capsys.readouterr().out
    assert shown.startswith("1.0\n1.0\n0.8\n[[2 0]\n [1 2]]\n") and "(2, 4, 4) ['ACGT', 'TTAN']" in shown


def test_the_page_about_plots():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.close("all")
    run("plots.md")
    assert len(pyplot.get_fignums()) == 7
    pyplot.close("all")


@pytest.mark.parametrize("module, page", [("metrics", "metrics.md"), ("plot", "plots.md"), ("hyper", "searching.md")])
def test_a_page_names_everything_of_its_package(module, page):
    import importlib

    text = (DOCS / page).read_text()
    results = ("NestedResult", "ScrambledResult", "CrossValidated", "ScoreCurve", "SearchResult", "HyperparamOpt")
    public = set(importlib.import_module(f"catalase.{module}").__all__) - set(results)
    assert not {name for name in public if name not in text}
