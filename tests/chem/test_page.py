"""The examples of docs/chemistry.md about standardizing run, and give what their comments say."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "chemistry.md"


def test_the_page_about_standardizing(capsys):
    section = PAGE.read_text().split("## Standardizing\n")[1].split("\n## ")[0]
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", section, re.S):
        exec(compile(block, "chemistry.md", "exec"), names)  # noqa: S102
        for line in block.splitlines():
            expression, comment = line.partition("#")[::2]
            if comment and expression.strip().startswith("result."):
                shown = repr(eval(expression, names))  # noqa: S307
                assert comment.strip().startswith(shown), line
    assert names["merged"] == ["CC(=O)O", "CCO"] and names["labels"].ravel().tolist() == [6.0, 4.0]
    assert names["rows"] == [[0, 1], [2, 3]]
    assert "labels that differ: pIC50: row 0: 6.1, row 1: 5.9" in capsys.readouterr().out


def test_the_page_about_graphs():
    section = PAGE.read_text().split("## Molecular graphs\n")[1].split("\n## ")[0]
    names: dict = {}
    block = re.findall(r"```python\n(.*?)```", section, re.S)[0]
    exec(compile("import catalase as ct\n" + block, "chemistry.md", "exec"), names)  # noqa: S102
    graphs = names["graphs"]
    assert (graphs.atom_features(1).shape, graphs.bond_features(1).shape) == ((6, 72), (10, 14))
    assert graphs.edge_index(0).shape == (2, 4) and len(names["part"]) == 2
    for features, width in re.findall(r"^\| `\"(\w+)\"` \| (\d+, \d+) \|", section, re.M):
        made = names["ct"].ops.mol_graphs(["CCO"], features)
        assert f"{made.atom_width}, {made.bond_width}" == width
