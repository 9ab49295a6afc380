"""The page about training lists every optimizer, schedule and setting, and its examples run."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np

import catalase as ct
from catalase import optim

PAGE = (Path(__file__).parents[2] / "docs" / "training.md").read_text()


def test_every_optimizer_schedule_and_setting_is_on_the_page():
    classes = {n for n in optim.__all__ if inspect.isclass(getattr(optim, n))} - {"Optimizer"}
    arguments = {*optim.Optimizer.settings, *ct.train.Noise.settings} - {"lr"}
    missing = {name for name in classes | arguments if not re.search(rf"`{name}[`(]", PAGE)}
    assert not missing


def test_the_examples_run(capsys):
    names = {"np": np, "ct": ct}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.S):
        exec(block, names)  # noqa: S102 (ours)
    assert capsys.readouterr().out.split()[0] == "17"
