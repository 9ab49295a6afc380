"""Tests that a command is found by its file, and that no command imports modules that only another one needs."""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
from dataclasses import fields

import pytest

import catalase as ct
from catalase import commands
from catalase.bench import FAMILIES
from catalase.commands import build_parser, main
from catalase.commands.common.options import list_of, name, whole_number
from catalase.screening.hit_steps import HitSteps

from ..test_import import HEAVY


def imported(code):
    """The packages and modules of Catalase, and the heavy ones of others, that are there after some code has run."""
    report = f"""
import json
ours = {{name.removeprefix('catalase.').removeprefix('_internal.').split('.')[0] for name in sys.modules if name.startswith('catalase.')}}
print(json.dumps(sorted(ours | {{name for name in {[*HEAVY, "numpy"]!r} if name in sys.modules}})))
"""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\n{report}"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def parsers():
    (found,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return found.choices


def test_the_parser_imports_nothing_but_the_commands():
    extra = imported("from catalase.commands import build_parser; build_parser()") - imported("import catalase")
    assert extra == {"commands", "console", "text"}


@pytest.mark.parametrize(
    "line, others",
    [
        ("--version", {"bench", "data", "demo", "models", "ops", "rich", "screening", "storage", "numpy"}),
        ("info", {"bench", "data", "demo", "models", "nn", "screening", "storage", "rich", "rdkit"}),
        ("bench nonsense", {"data", "demo", "models", "nn", "ops", "screening", "rdkit"}),
        ("train none.csv --task y --out m", {"bench", "demo", "screening", "rdkit"}),
        ("evaluate none none.csv", {"bench", "demo", "screening", "splits", "rdkit"}),
        ("predict none none.csv -o p.csv", {"bench", "demo", "screening", "splits", "rdkit"}),
        ("standardize none.csv -o c.csv", {"bench", "demo", "screening", "splits", "rdkit"}),
        ("screen none none.smi -o h.csv", {"bench", "demo", "splits", "rich", "rdkit"}),
        ("screen-merge none.csv -o h.csv", {"bench", "demo", "models", "nn", "splits", "train", "rich", "rdkit"}),
    ],
)
def test_a_command_imports_what_it_uses(tmp_path, line, others):
    code = f"import os; os.chdir({str(tmp_path)!r}); from catalase.commands import main; main({line.split()!r})"
    assert not imported(code) & others


def test_a_new_command_is_one_file(tmp_path, monkeypatch, capsys):
    (tmp_path / "greet.py").write_text(
        "from catalase.commands.common.command import command\n"
        "def add(commands):\n"
        "    command(commands, 'greet', 'Say hello.', run, prints=lambda options: True).add_argument('who')\n"
        "def run(options):\n"
        "    print('hello', options.who)\n"
        "    return 0\n"
    )
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    try:
        assert main(["greet", "you"]) == 0 and capsys.readouterr().out == "hello you\n"
        assert list(parsers())[-1] == "greet"
    finally:
        sys.modules.pop("catalase.commands.greet", None)
        vars(commands).pop("greet", None)


def test_every_module_of_the_folder_is_the_command_of_its_name():
    modules = [found.name for found in pkgutil.iter_modules(commands.__path__) if not found.ispkg]
    assert list(parsers()) == [
        "demo",
        "info",
        "bench",
        "train",
        "evaluate",
        "predict",
        "explain",
        "standardize",
        "featurize",
        "screen",
        "screen-merge",
    ]
    assert sorted(parsers()) == sorted(module.replace("_", "-") for module in modules)
    for command, parser in parsers().items():
        module = importlib.import_module(f"catalase.commands.{command.replace('-', '_')}")
        assert parser.get_default("run") is module.run


def test_every_option_says_what_it_does_and_its_default():
    for command, parser in parsers().items():
        for action in parser._actions:
            assert action.help and action.help[0] != "(", f"{command} {action.dest}"
            plain = action.default in (None, False, [], argparse.SUPPRESS) or not action.option_strings
            assert plain or "default" in action.help, f"{command} {action.dest}"


def test_the_help_of_the_bench_names_the_families(capsys):
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    assert " ".join(FAMILIES) in " ".join(capsys.readouterr().out.split())


def test_options_of_a_screening_are_the_arguments_of_the_functions():
    steps = {field.name: field.default for field in fields(HitSteps)}
    for function, command in ((ct.screen, "screen"), (ct.screening.merge, "screen-merge")):
        parameters = inspect.signature(function).parameters
        parser = parsers()[command]
        assert steps.items() <= {name: p.default for name, p in parameters.items()}.items()
        for action in parser._actions:
            own = action.dest in ("help", "debug", "strict", "picture", "hits")
            assert own or action.dest in parameters, f"{command} {action.dest}"
            if action.dest in steps:
                assert action.default == steps[action.dest]


def test_only_ascii_white_space_is_white_space(tmp_path, capsys):
    assert name("\u00a0") == "\u00a0" and list_of(name)(" a,\u00a0b ,,\t") == ["a", "\u00a0b"]
    for text in ("", " \t"):
        with pytest.raises(argparse.ArgumentTypeError, match="must not be empty"):
            name(text)
    with pytest.raises(ValueError, match="no whole number"):
        list_of(whole_number(1))("1,\u00a02")
    (tmp_path / "t.csv").write_text("smiles,y\nCCO,1\n", encoding="utf-8")
    assert main(["train", str(tmp_path / "t.csv"), "--task", "\u00a0", "--out", str(tmp_path / "m")]) == 1
    assert r"no column '\xa0'; it has 'smiles', 'y'" in capsys.readouterr().err
