"""Tests that `catalase bench --device` gives the peers' results for every family's small cases. The host emulates the device,
and PyTorch runs on the CPU; timing is only run to check that it ends."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

import catalase as ct
from catalase.backends import cuda as _cuda
from catalase.bench import run_bench
from catalase.bench.case import compare
from catalase.bench.device import Device
from catalase.bench.families import DEVICE_FAMILIES, cases_of, family_of, libraries_of
from catalase.bench.runner import DEVICE_PEERS
from catalase.bench.worker import _prepare, _time_on_device
from catalase.commands import main

HOST = Device("host", "cpu")
LIBRARIES = ["catalase", "catalase-cpu", *(["torch"] if importlib.util.find_spec("torch") else [])]


@pytest.fixture(autouse=True)
def as_before():
    yield
    ct.set_matmul_precision("float32")


@pytest.mark.parametrize("name", DEVICE_FAMILIES)
def test_every_case_agrees_with_its_peers(host_runtime, tmp_path, name):
    family = family_of(name)
    small = [case for case in cases_of(family, True, "host") if case.options.get("fused", True)]
    for case in small:
        before = host_runtime.launches
        command = {"family": name, "case": case.name, "folder": str(tmp_path), "quick": True}
        _, answer = _prepare(LIBRARIES, command, HOST)
        assert not answer["problems"] and host_runtime.launches > before
        results = {library: list(np.load(path).values()) for library, path in answer["files"].items()}
        assert len(results) >= 1 + ("torch" in LIBRARIES) or name == "fingerprint"
        for library, theirs in results.items():
            assert compare(case, results["catalase"], theirs) is None, (library, case.name)
        assert ct.get_matmul_precision() == case.options.get("precision", "float32")


def test_tf32_rows_run_on_tensor_cores(host_runtime, tmp_path):
    host_runtime.kernels.clear()
    _prepare(["catalase"], {"family": "matmul", "case": "33x40x20, TF32", "folder": str(tmp_path), "quick": True}, HOST)
    assert any(name.startswith("matmul_tf32") for name in host_runtime.kernels)


def test_calls_are_timed_in_turns_that_are_waited_for():
    waits, calls = [], []
    ready = {name: type("P", (), {"call": lambda self, name=name: calls.append(name)})() for name in ("a", "b")}
    samples = _time_on_device(ready, 0.01, 0.0, lambda: waits.append(len(calls)))
    assert set(samples) == {"a", "b"} and all(len(s) >= 3 and min(s) > 0 for s in samples.values())
    assert waits[0] == 1 and waits[1] == 2  # the first call is waited for on its own


def test_the_table_for_a_device():
    names = [case.name for case in cases_of(family_of("matmul"), False, "cuda")]
    for n in (1024, 2048, 4096, 8192):
        assert {f"{n}x{n}x{n}", f"{n}x{n}x{n}, TF32"} <= set(names)
    assert len(set(names)) == len(names) and "50x1024x1000" in names
    assert set(DEVICE_FAMILIES) >= {"matmul", "mlp", "predict", "convnet", "rnn", "tanimoto", "fingerprint"}
    for name in DEVICE_FAMILIES:
        assert set(libraries_of(family_of(name), "cuda")) <= {"catalase", *DEVICE_PEERS}
        for quick in (True, False):
            names = [case.name for case in cases_of(family_of(name), quick, "cuda")]
            assert names and len(set(names)) == len(names)


def test_without_a_device_one_sentence_and_an_exit_code(capsys):
    if not _cuda.describe_device().startswith("none"):
        pytest.skip("there is a device")
    with pytest.raises(RuntimeError, match="bench: needs a CUDA device, but there is none"):
        run_bench(["matmul"], device="cuda")
    assert main(["bench", "matmul", "--device", "cuda"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("catalase bench: needs a CUDA device") and err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"families": ["screen"], "device": "cuda"}, "screen does not run on cuda; choose from matmul"),
        ({"peers": ["numpy"], "device": "cuda"}, "there is no peer 'numpy' on cuda; choose from torch"),
        ({"device": "tpu"}, "device must be 'cpu' or 'cuda', got 'tpu'"),
    ],
)
def test_bad_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        run_bench(**arguments)


@pytest.mark.cuda
def test_a_family_is_timed_on_a_device():
    if _cuda.describe_device().startswith("none"):
        pytest.skip(_cuda.describe_device())
    report = run_bench(["matmul"], seconds=0.05, quick=True, device="cuda")
    assert report["rows"] and not report["skipped"] and all(not row["problems"] for row in report["rows"])
