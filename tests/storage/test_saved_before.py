"""Tests that folders of an earlier version load and give the same answers. `write_saved.py` says how they were made."""

from __future__ import annotations

import importlib.util
import json
import shutil
from typing import Any

import pytest

from . import write_saved
from .write_saved import ANSWERS, MODELS, NEEDS, OTHERS, SAVED

pytestmark = pytest.mark.on_the_cpu

BEFORE = json.loads(ANSWERS.read_text())
ROUNDED = ("gaussian_process", "automatic")  # a process's means have been sums in float64 since


def differences(before: Any, now: Any, bound: float, place: str = "") -> list[str]:
    """Where two JSON values differ, numbers by more than the bound times their size; what is new in a dict is no difference."""
    if isinstance(before, dict) and isinstance(now, dict) and before.keys() <= now.keys():
        return [line for key in before for line in differences(before[key], now[key], bound, f"{place}.{key}")]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [
            line
            for i, pair in enumerate(zip(before, now, strict=True))
            for line in differences(*pair, bound, f"{place}[{i}]")
        ]
    if isinstance(before, float) and isinstance(now, float) and abs(before - now) <= bound * max(1.0, abs(before)):
        return []
    return [] if before == now and type(before) is type(now) else [f"{place}: {before!r} -> {now!r}"]


@pytest.mark.parametrize("name", [*MODELS, *OTHERS])
def test_what_an_earlier_version_saved_says_what_it_said(name, backend, tmp_path):
    """To the bit at the levels with FMA, which give the same bits as the one that wrote the folders."""
    for package in NEEDS.get(name, ()):
        pytest.importorskip(package)
    shutil.copytree(SAVED / name, tmp_path / "copy")
    before, now = BEFORE[name]["said"], write_saved.ask(name, tmp_path / "copy")
    bound = 1e-5 if backend.name == "portable" else 1e-6 if name in ROUNDED else 0.0
    wrong = differences(before, now, bound)
    assert not wrong, f"saved by version {BEFORE[name]['version']}, at {backend}:\n" + "\n".join(wrong[:10])


def test_loading_a_model_leaves_its_folder_as_it_was():
    for name in MODELS:
        if not all(map(importlib.util.find_spec, NEEDS.get(name, ()))):
            continue
        files = sorted(path.name for path in (SAVED / name).iterdir())
        write_saved.ask(name, SAVED / name)
        assert sorted(path.name for path in (SAVED / name).iterdir()) == files


def test_every_saved_folder_is_asked():
    assert {path.name for path in SAVED.iterdir()} == {ANSWERS.name, *MODELS, *OTHERS} and {*BEFORE} == {
        *MODELS,
        *OTHERS,
    }


def test_every_model_that_can_be_saved_is_among_them():
    kinds = {BEFORE[name]["said"]["class"] for name in MODELS}
    assert kinds == {name for name in write_saved.models.__all__ if name[0].isupper()} - {"Model"}
