"""The examples of docs/results.md run, and its tables name what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from catalase import plot, workflow
from catalase.workflow import folder
from catalase.workflow.caveats import DECADES, FEW_LABELS
from catalase.workflow.scores import SCORES

PAGE = (Path(__file__).parents[2] / "docs" / "results.md").read_text()


def test_the_examples_run_and_write_the_files(tmp_path, monkeypatch, capsys):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.S):
        exec(compile(block, "results.md", "exec"), names)  # noqa: S102
    pyplot.close("all")
    assert "test molecules, which took no part" in capsys.readouterr().out
    found = json.loads((tmp_path / "chains" / "metrics.json").read_text())
    assert found["test"]["rmse"] < found["baselines"]["the mean"]["test"]["rmse"] / 2
    assert (tmp_path / "chains" / "config.json").exists()


def test_every_file_column_key_score_and_function_is_named(tmp_path, monkeypatch):
    from tests.workflow.outcomes import outcome

    monkeypatch.setattr(folder, "report_of", lambda made: folder.FIRST_LINES)
    files = workflow.write_folder(tmp_path, outcome())
    keys = [key for key in json.loads(files[0].read_text()) if key != "format"]
    columns = files[1].read_text().splitlines()[0].split(",") + files[2].read_text().splitlines()[0].split(",")
    names = (
        [path.name for path in files]
        + keys
        + columns
        + [key for mode in SCORES.values() for key in mode]
        + plot.__all__
    )
    assert [name for name in names if f"`{name}`" not in PAGE] == []
    assert f"fewer than {FEW_LABELS} of a task" in PAGE and f"{DECADES:,.0f} times" in PAGE
