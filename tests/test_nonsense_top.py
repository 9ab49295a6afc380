"""Nonsense in every argument of the top-level functions: settings, `FingerprintIndex`, clusters, the benchmark, the demo."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import catalase as ct
from catalase import bench, cluster, demo
from catalase.bench import runner as bench_run
from catalase.demo import workflow as demo_workflow
from tests.nonsense import Target, call, public, report

KINDS = {
    "packed": "packed", "queries": "packed", "fingerprints": "packed", "k": "whole", "threshold": "number", "cutoff": "number", "path": "path", "n": "whole", "precision": "word",
    "families": "anything", "threads": "sizes", "peers": "anything", "on_row": "function?", "out": "path", "device": "device", "smiles": "anything",
}  # fmt: skip


def bits(rows):
    return np.full((rows, 8), 3, np.uint8)


INDEX = {
    "FingerprintIndex": lambda: call(bits(3)),
    "topk": lambda: call(bits(2), 2, threshold=0.5),
    "save": lambda: call("index"),
    "load": lambda: call("index", verify=True),
}
SETTINGS = {"set_num_threads": lambda: call(1), "set_matmul_precision": lambda: call("float32")}
WITHOUT_ARGUMENTS = {"get_num_threads", "get_matmul_precision", "show_config"}
# Tables of their own: tests/test_nonsense.py, tests/screening and those of the packages.
ELSEWHERE = {"Tensor", "from_dlpack", "no_grad", "screen"}


@pytest.mark.parametrize("name", INDEX)
def test_fingerprint_index(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    index = ct.FingerprintIndex(bits(3))
    index.save("index")
    function = ct.FingerprintIndex if name == "FingerprintIndex" else getattr(index, name)
    wrong = Target(function, INDEX[name], KINDS).failures()
    assert not wrong, report(wrong)


@pytest.mark.parametrize("name", SETTINGS)
def test_settings(name, monkeypatch):
    before = ct.get_num_threads(), ct.get_matmul_precision()
    try:
        wrong = Target(getattr(ct, name), SETTINGS[name], KINDS).failures()
    finally:
        ct.set_num_threads(before[0])
        ct.set_matmul_precision(before[1])
    assert not wrong, report(wrong)


def test_clusters():
    wrong = Target(cluster.butina, lambda: call(bits(3), 0.3, reordering=False), KINDS).failures()
    assert not wrong, report(wrong)


def test_the_benchmark(monkeypatch):
    monkeypatch.setattr(bench_run, "_run_calls", lambda *_: iter(()))  # arguments are checked before
    monkeypatch.setattr(bench_run, "_run_processes", lambda *_: iter(()))
    monkeypatch.setattr(bench_run, "describe_machine", lambda *_: {})
    options = {"threads": [1], "peers": ["numpy"], "seconds": 0.1, "quick": True, "device": "cpu", "on_row": print}
    also = {"families": ["family"], "peers": ["peer"]}
    wrong = Target(bench.run_bench, lambda: call(["matmul"], **options), KINDS, ("bench", "run_bench"), also).failures()
    assert not wrong, report(wrong)


def test_the_demo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo_workflow, "_run", lambda *_: {})  # arguments are checked before
    options = {"seed": 0, "quick": True, "force": False}
    wrong = Target(demo.run_demo, lambda: call("out", **options), KINDS, ("demo", "run_demo")).failures()
    assert not wrong, report(wrong)


def test_everything_public_is_in_a_table():
    functions = {name for name in ct.__all__ if callable(getattr(ct, name))}
    assert functions == set(SETTINGS) | WITHOUT_ARGUMENTS | ELSEWHERE | {"FingerprintIndex"}
    methods = {name for name in vars(ct.FingerprintIndex) if not name.startswith("_")}
    assert methods - {"shape"} == set(INDEX) - {"FingerprintIndex"}
    assert {name for name in public(cluster) if inspect.isfunction(getattr(cluster, name))} == {"butina"}
    assert set(bench.__all__) == {"FAMILIES", "Row", "run_bench"} and set(demo.__all__) == {"run_demo"}
