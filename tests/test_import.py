"""Tests of the time and the modules of an import, and of the environment variables. Each case runs in its own process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import catalase as ct

HEAVY = [
    "rdkit",
    "sklearn",
    "pandas",
    "scipy",
    "matplotlib",
    "pyarrow",
    "rich",
    "cupy",
    "torch",
    "safetensors",
    "pooch",
]


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, timeout=60
    )


def test_import_is_silent_and_light():
    result = run(f"import sys, catalase; print([m for m in {HEAVY!r} if m in sys.modules])")
    assert result.returncode == 0 and result.stderr == "" and result.stdout.strip() == "[]"


def test_the_lazy_floors_are_light_too():
    code = "import sys, catalase as ct; ct.ops; ct.nn; ct.optim; ct.data; ct.models; ct.train; ct.metrics; ct.splits; ct.trans"
    result = run(f"{code}; print([m for m in {HEAVY!r} if m in sys.modules])")
    assert result.returncode == 0 and result.stdout.strip() == "[]", result.stderr


def test_a_model_brings_in_its_own_module_and_loading_brings_in_all(tmp_path):
    model = ct.models.TanimotoKNNRegressor(1, 512, k=1)
    model.fit(ct.data.NumpyDataset(ct.ops.ecfp(["CCO", "CCN"], size=512), [[1.0], [2.0]]))
    model.save(tmp_path / "model")
    others = (
        "[m for m in ('cnn', 'language', 'neighbors', 'tensorgraph', 'unet') if 'catalase.models.' + m in sys.modules]"
    )
    result = run(f"import sys, catalase as ct; ct.models.MultitaskClassifier; print({others})")
    assert result.stdout.strip() == "[]", result.stderr
    code = "import sys, catalase as ct; print(type(ct.models.load(sys.argv[1])).__name__)"
    result = run(f"import sys; sys.argv.append({str(tmp_path / 'model')!r}); {code}")
    assert result.stdout.strip() == "TanimotoKNNRegressor", result.stderr


@pytest.mark.parametrize(
    "name, words",
    [("sse9", ["'sse9'", "not a level", "auto"]), ("AVX2", ["'AVX2'", "avx2" if "avx2" in ct._core.build_info()["cpu_levels"] else "portable"])],
)  # fmt: skip
def test_an_unknown_cpu_level_is_refused(name, words):
    result = run("import catalase", CATALASE_CPU=name)
    assert result.returncode != 0 and all(word in result.stderr for word in words), result.stderr


@pytest.mark.parametrize("level", ct._core.build_info()["cpu_levels"])
def test_a_level_can_be_forced(level):
    result = run("import catalase; print(catalase._core.get_cpu_level())", CATALASE_CPU=level)
    assert result.stdout.strip() == level


@pytest.mark.parametrize("value", ["0", "-2", "two", "1.5", "99999999"])
def test_a_bad_thread_count_is_refused(value):
    result = run("import catalase", CATALASE_NUM_THREADS=value)
    assert result.returncode != 0 and f"'{value}'" in result.stderr and "CATALASE_NUM_THREADS" in result.stderr


def test_the_thread_count_is_obeyed():
    assert run("import catalase; print(catalase.get_num_threads())", CATALASE_NUM_THREADS="3").stdout.strip() == "3"


def test_set_num_threads_checks_its_argument():
    for bad, kind in ((0, ValueError), (-1, ValueError), (1.0, TypeError), (True, TypeError), ("2", TypeError)):
        with pytest.raises(kind, match="set_num_threads"):
            ct.set_num_threads(bad)


def test_show_config(capsys):
    ct.show_config()
    text = capsys.readouterr().out
    assert ct.__version__ in text and ct._core.get_cpu_level() in text and "rdkit" in text


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        ct.nonsense  # noqa: B018
