"""Tests that the README's first example runs, and that its picture exists."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

README = Path(__file__).parent.parent / "README.md"


def test_the_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = re.search(r"<!-- example.*?-->\n```python\n(.*?)```", README.read_text(), re.S).group(1)
    assert len([line for line in code.splitlines() if line.strip()]) <= 12
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102
    value = float(capsys.readouterr().out.strip(" []\n"))
    assert np.isfinite(value) and -3 < value < 3


def test_the_picture_is_the_demos(quick_demo):
    assert "docs/demo-parity.png" in README.read_text()
    committed = (README.parent / "docs" / "demo-parity.png").read_bytes()
    drawn = (quick_demo[0] / "parity.png").read_bytes()
    assert committed[:8] == drawn[:8] == b"\x89PNG\r\n\x1a\n" and committed[16:24] == drawn[16:24], "same kind and size"


def test_both_commands_are_there():
    text = README.read_text()
    assert ".venv/bin/catalase demo" in text and re.search(r"^.*pip install .*pytest$", text, re.M)
