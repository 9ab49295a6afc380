"""Tests that `catalase bench` runs, verifies before it times, names absent libraries, and writes its measurements."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from catalase.bench import FAMILIES, families, run_bench
from catalase.bench.case import Case, compare
from catalase.bench.families import family_of
from catalase.bench.runner import PEERS, Row, environment
from catalase.bench.worker import _prepare
from catalase.commands import main


@pytest.mark.parametrize("threads", [1, 2])
def test_matmul_beside_numpy(threads):
    report = run_bench(["matmul"], threads=[threads], peers=["numpy"], seconds=0.05, quick=True)
    assert {row["case"] for row in report["rows"]} == {"50x100x12", "64x64x64"}
    for row in report["rows"]:
        assert set(row["seconds"]) == {"catalase", "numpy"} and not row["problems"] and row["threads"] == threads
        for times in row["seconds"].values():
            assert 0 < times["best"] <= times["p50"] <= times["p90"] and times["samples"] >= 3
        assert row["peak"]["GFLOP/s"] > 0 and row["peak"]["GB/s"] > 0
    assert json.loads(json.dumps(report)) == report


@pytest.mark.parametrize("level, held", [("avx2", True), ("avx512", False), (None, False)])
def test_peers_are_held_to_the_level_that_catalase_is_held_to(monkeypatch, level, held):
    monkeypatch.delenv("CATALASE_CPU", raising=False)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    if level:
        monkeypatch.setenv("CATALASE_CPU", level)
    found = environment(3)
    assert found["OMP_NUM_THREADS"] == found["CATALASE_NUM_THREADS"] == "3"
    assert found.get("ONEDNN_MAX_CPU_ISA") == ("AVX2" if held else None)


FAMILIES_OF_CALLS = [name for name in FAMILIES if hasattr(family_of(name), "cases")]


@pytest.mark.parametrize("name", FAMILIES_OF_CALLS)
def test_every_family_runs_and_agrees_with_its_peers(name, tmp_path):
    """In this process, which imports the peers once; what the workers do besides is timed below."""
    family = family_of(name)
    libraries = ["catalase", *(p for p in family.LIBRARIES if p in PEERS and importlib.util.find_spec(PEERS[p]))]
    for case in family.cases(True):
        command = {"family": name, "case": case.name, "folder": str(tmp_path), "quick": True}
        ready, answer = _prepare(libraries, command)
        for prepared in ready.values():
            prepared.call()
        for library, path in answer["files"].items():
            with np.load(path) as theirs, np.load(answer["files"]["catalase"]) as ours:
                assert compare(case, list(ours.values()), list(theirs.values())) is None, (library, case.name)
        alone = {"torch", "rdkit"} & set(libraries) - set(ready)
        assert not alone or case.name == "index of 2,000"


def test_a_family_is_timed_beside_its_peers():
    report = run_bench(["predict"], seconds=0.02, quick=True)
    assert len(report["rows"]) == len(family_of("predict").cases(True))
    peers = {"torch"} if importlib.util.find_spec("torch") else set()
    for row in report["rows"]:
        assert not row["problems"] and set(row["seconds"]) >= {"catalase"} | peers


def test_imports_are_whole_processes():
    report = run_bench(["import"], peers=["numpy"], quick=True)
    assert {row["case"] for row in report["rows"]} == {"import", "whole process"}
    assert all(set(row["seconds"]) == {"catalase", "numpy"} for row in report["rows"])


def test_the_book_listing_runs(data_dir):
    report = run_bench(["book-tox21"], peers=[], quick=True)
    assert {"fit", "whole process"} <= {row["case"] for row in report["rows"]}


def test_families_are_found_each_in_its_file_and_keep_their_order():
    files = [path for path in Path(families.__file__).parent.glob("*.py") if path.stem != "__init__"]
    assert {Path(family_of(name).__file__) for name in FAMILIES} == set(files) and len(FAMILIES) == len(files)
    assert " ".join(FAMILIES).startswith(
        "matmul conv convnet mlp predict elementwise pool rnn data fingerprint tanimoto"
    )


def test_every_case_has_its_own_name():
    for name in FAMILIES:
        family = family_of(name)
        if hasattr(family, "cases"):
            for quick in (True, False):
                names = [case.name for case in family.cases(quick)]
                assert len(set(names)) == len(names) and "catalase" in family.LIBRARIES


def test_results_that_differ_are_not_timed():
    case = Case("x", 1.0, "steps/s", tolerance=1e-3)
    a = [np.array([1.0, 2.0])]
    assert compare(case, a, [np.array([1.0, 2.001])]) is None
    assert "differs by" in compare(case, a, [np.array([1.0, 2.1])])
    assert "shape" in compare(case, a, [np.array([1.0])])
    assert "differs by nan" in compare(case, a, [np.array([1.0, np.nan])])


def test_rates_and_ratios():
    row = Row("f", "c", 1, "GFLOP/s", 2e9, {"catalase": {"p50": 0.5}, "numpy": {"p50": 1.0}, "torch": {"p50": 0.75}})
    assert row.rate("catalase") == 4.0 and row.ratio("numpy") == 2.0 and row.best_peer() == "torch"


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"families": ["matmull"]}, "there is no family 'matmull'; choose from matmul"),
        ({"peers": ["tensorflow"]}, "there is no peer 'tensorflow'"),
        ({"threads": [0]}, "threads must be 1 or more"),
        ({"seconds": 0}, "seconds must be above 0"),
    ],
)
def test_bad_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        run_bench(**arguments)


def test_the_command_line(tmp_path, capsys):
    code = main([
        "bench", "matmul", "--threads", "1", "--peers", "numpy", "--seconds", "0.02", "--quick",
        "--json", str(tmp_path / "out.json"), "--plot", str(tmp_path / "out.png"),
    ])  # fmt: skip
    out, progress = capsys.readouterr()
    assert code == 0 and "50x100x12" in out and "numpy" in out and "ratio" in out
    assert "times as fast as numpy" in progress  # row by row: a run that is stopped has not measured for nothing
    assert json.loads((tmp_path / "out.json").read_text())["rows"]
    assert (tmp_path / "out.png").read_bytes()[:4] == b"\x89PNG"
    assert main(["bench", "nonsense"]) == 1
    assert main(["bench", "matmul", "--peers", "nonsense"]) == 1
