"""Tests of the types that users see: a project of a user's is accepted by both type checkers, each of its mistakes reported."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import catalase as ct

HERE = Path(__file__).parent
LIBRARY = Path(ct.__file__).parents[1]


def lines_of_mypy(what: Path, folder: Path) -> set[tuple[str, int, str]]:
    pytest.importorskip("mypy")
    config = folder / "mypy.ini"
    config.write_text("[mypy]\nstrict = true\n[mypy-sklearn.*]\nignore_missing_imports = true\n")  # has no types
    command = [sys.executable, "-m", "mypy", "--config-file", config, "--cache-dir", folder / "cache", what.name]
    installed = "site-packages" in LIBRARY.parts  # where mypy finds it, and refuses to be told
    result = run(command, **({} if installed else {"MYPYPATH": str(LIBRARY)}))
    found = re.findall(r"^(.+?):(\d+): error: (.*)$", result.stdout, re.MULTILINE)
    assert found or "Success: no issues found" in result.stdout, result.stdout + result.stderr
    return {(Path(path).name, int(line), text) for path, line, text in found}


def lines_of_basedpyright(what: Path, folder: Path) -> set[tuple[str, int, str]]:
    if importlib.util.find_spec("basedpyright") is None:
        pytest.skip("basedpyright is not installed")
    config = folder / "pyrightconfig.json"
    config.write_text(json.dumps({"include": [str(what)], "extraPaths": [str(LIBRARY)]}))
    command = [
        sys.executable,
        "-m",
        "basedpyright",
        "--project",
        config,
        "--pythonpath",
        sys.executable,
        "--outputjson",
    ]
    result = run(command)
    report = json.loads(result.stdout)
    assert report["summary"]["filesAnalyzed"] > 0, result.stdout
    return {
        (Path(found["file"]).name, found["range"]["start"]["line"] + 1, found["message"])
        for found in report["generalDiagnostics"]
        if found["severity"] == "error"
    }


CHECKERS = {"mypy": lines_of_mypy, "basedpyright": lines_of_basedpyright}


def run(command, **environment):
    command = [str(word) for word in command]
    known = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, cwd=HERE, env=known, timeout=600)


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_checker_accepts_the_project(checker, tmp_path):
    for package in ("torch", "sklearn"):
        pytest.importorskip(package)
    assert CHECKERS[checker](HERE / "project", tmp_path) == set()


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_checker_reports_each_mistake_and_nothing_else(checker, tmp_path):
    mistakes = HERE / "mistakes.py"
    marked = {n for n, line in enumerate(mistakes.read_text().splitlines(), 1) if line.endswith("# wrong")}
    found = {line: text for _, line, text in CHECKERS[checker](mistakes, tmp_path)}
    assert (marked - found.keys(), {line: found[line] for line in found.keys() - marked}) == (set(), {})


def test_the_project_runs_and_gives_what_its_types_say(tmp_path):
    for package in ("torch", "sklearn"):
        pytest.importorskip(package)
    from .project import bridges, features, training

    assert features.outputs() == 1
    assert features.parts()[:2] == [(25, 7), (24, 8)]
    assert len(training.train(tmp_path / "model")) == 5
    predicted = training.predict(tmp_path / "model")
    assert (predicted.shape, predicted.dtype) == ((32, 1), "float32")
    assert training.interval_of(tmp_path / "model") == 0
    assert [limits.dtype for limits in training.intervals()] == ["float64", "float64"]
    assert bridges.pipeline().shape == (1,)
    assert bridges.shapes() == [(2, 4, 5), (2, 2)]


def test_the_types_of_activations_name_all_that_there_are():
    text = Path(ct.nn.functional.__file__).read_text()
    declared = re.findall(r"^    (\w+): Function$", text, re.MULTILINE)
    assert declared == sorted(ct.nn.functional.elementwise.ACTIVATION_FUNCTIONS)
