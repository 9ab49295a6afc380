"""Tests that no command replaces or deletes its inputs or a foreign file, for every output option against every input.

The options are read from the parser. A new option with a text must say by its type whether it is an input or an output
(`input_path`, `output_path` of `catalase.commands.common.options`), and needs a line in `VALUES`; else a test here fails.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
from pathlib import Path

import pytest

from catalase.commands import build_parser, main
from catalase.commands.common.options import input_path, output_path

# A value for each path and each other option that a command cannot do without.
VALUES = {
    "demo": {"out": "demo"},
    "bench": {"json": "b.json", "plot": "b.png"},
    "info": {},
    "train": {"table": "t.csv", "task": "y", "out": "new", "errors_file": "e.csv"},
    "evaluate": {"model": "m", "table": "t.csv", "errors_file": "e.csv"},
    "predict": {"model": "m", "table": "t.csv", "out": "p.csv", "errors_file": "e.csv"},
    "explain": {"model": "m", "table": "t.csv", "out": "x.csv", "png": "x.png", "errors_file": "e.csv"},
    "featurize": {"table": "t.csv", "out": "f.csv", "errors_file": "e.csv"},
    "standardize": {"table": "t.csv", "out": "c.csv", "task": "y", "errors_file": "e.csv"},
    "screen": {
        "model": "m",
        "library": "l.smi",
        "out": "h.csv",
        "errors_file": "e.csv",
        "similar_to": "a.smi",
        "picture": "h.png",
    },
    "screen-merge": {"hits": "s1.csv", "out": "h.csv", "similar_to": "a.smi", "picture": "h.png"},
}


def _commands():
    (found,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return found.choices


def _paths(command, kind):
    return [action.dest for action in _commands()[command]._actions if action.type is kind]


def _arguments(command, **changed):
    """A whole command line, with every path given; an option of `changed` that is no path of the command is added."""
    parser, arguments = _commands()[command], [command]
    for dest, value in {**VALUES[command], **changed}.items():
        action = next(action for action in parser._actions if action.dest == dest)
        arguments += [action.option_strings[-1], value] if action.option_strings else [value]
    return arguments


PAIRS = [
    (command, output, read)
    for command in VALUES
    for output, read in itertools.product(_paths(command, output_path), _paths(command, input_path))
]
TWINS = [(command, *pair) for command in VALUES for pair in itertools.combinations(_paths(command, output_path), 2)]


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """A folder with a table, a library, actives, a model and a shard."""
    folder = tmp_path_factory.mktemp("ready")
    tails = ["O", "N", "Cl", "c1ccccc1", "C1CC1", "C(=O)O"]
    smiles = ["C" * (1 + i % 7) + tails[i % 6] for i in range(60)]
    (folder / "t.csv").write_text("smiles,y\n" + "".join(f"{s},{len(s)}\n" for s in smiles) + "C1CC,1\n")
    (folder / "l.smi").write_text("".join(f"{s} n{i}\n" for i, s in enumerate(smiles)) + "C1CC bad\n")
    (folder / "a.smi").write_text("CCO a\nCCN b\n")
    before = os.getcwd()
    os.chdir(folder)
    try:
        train = ["--task", "y", "--epochs", "1", "--size", "64", "--layer", "4", "--splitter", "random", "--out", "m"]
        assert main(["train", "t.csv", *train]) == 0
        assert main(["screen", "m", "l.smi", "-o", "s1.csv", "--shard", "1/1"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def here(ready, tmp_path, monkeypatch):
    shutil.copytree(ready, tmp_path / "w", symlinks=True)
    monkeypatch.chdir(tmp_path / "w")
    return tmp_path / "w"


def _state():
    """Every file and folder below the current one, with its content and what its name leads to."""
    return {
        path: (os.readlink(path) if path.is_symlink() else "", path.read_bytes() if path.is_file() else b"")
        for path in sorted(Path().rglob("*"))
    }


def _refused(arguments, capsys, words):
    before = _state()
    capsys.readouterr()
    assert main(arguments) == 1, arguments
    said = capsys.readouterr()
    assert words in said.err and said.err.count("\n") == 1 and said.out == "", said
    assert _state() == before, arguments


def test_every_option_that_takes_a_text_says_what_it_is():
    assert set(_commands()) == set(VALUES)
    for command, parser in _commands().items():
        for action in parser._actions:
            takes_text = action.nargs != 0 and not action.choices and action.dest != "families"
            assert not takes_text or action.type is not None, (
                f"{command} {action.dest}: give it a type of commands/common/options.py"
            )
        for dest in _paths(command, input_path) + _paths(command, output_path):
            assert dest in VALUES[command], f"{command} {dest}: give it a value in VALUES"


@pytest.mark.parametrize("how", ["same", "dotted", "absolute", "link", "hard link"])
@pytest.mark.parametrize("command, output, read", PAIRS)
def test_an_output_is_never_an_input(here, capsys, command, output, read, how):
    path = VALUES[command][read]
    path = "m/config.json" if path == "m" else path
    if how == "link":
        os.symlink(path, "other")
    elif how == "hard link":
        os.link(path, "other")
    name = {"same": path, "dotted": f"./m/../{path}", "absolute": os.path.abspath(path)}.get(how, "other")
    if how == "hard link" and (command, output) == ("train", "out"):
        pytest.skip("a folder has no hard links")
    _refused([*_arguments(command, **{output: name}), "--force"], capsys, "choose another")


@pytest.mark.parametrize("command, first, second", TWINS)
def test_two_outputs_are_never_one_file(here, capsys, command, first, second):
    one = VALUES[command][first]
    _refused([*_arguments(command, **{second: one}), "--force"], capsys, "choose another")
    os.symlink(one, "other")  # dangling: the file is not there yet
    _refused([*_arguments(command, **{second: "other"}), "--force"], capsys, "choose another")


@pytest.mark.parametrize(
    "command, output", [(c, o) for c in VALUES for o in _paths(c, output_path) if (c, o) != ("demo", "out")]
)
def test_a_file_of_the_users_is_replaced_only_by_force(here, capsys, command, output):
    name = VALUES[command][output]
    Path(name).write_text("mine\n")
    _refused(_arguments(command), capsys, "choose another")
    assert Path(name).read_text() == "mine\n"


@pytest.mark.parametrize(
    "command, read, name, changed",
    [
        ("train", "table", "new.errors.csv", {}),
        ("predict", "table", "p.csv.errors.csv", {}),
        ("featurize", "table", "f.csv.errors.csv", {}),
        ("standardize", "table", "c.csv.errors.csv", {}),
        ("screen", "library", "h.csv.json", {"smiles_column": "smiles"}),
        ("screen", "library", "h.csv.errors.csv", {}),
        ("screen", "similar_to", "h.csv.json", {}),
        ("screen", "similar_to", "h.csv.errors.csv", {}),
        ("screen-merge", "similar_to", "h.csv.json", {}),
        ("screen-merge", "hits", "h.csv.json", {}),
    ],
)
def test_files_that_are_named_after_an_output_are_compared_too(here, capsys, command, read, name, changed):
    shutil.copy(VALUES[command][read], name)
    values = {dest: value for dest, value in VALUES[command].items() if dest != "errors_file"}
    parser, arguments = _commands()[command], [command]
    for dest, value in {**values, read: name, **changed}.items():
        action = next(action for action in parser._actions if action.dest == dest)
        arguments += [action.option_strings[-1], value] if action.option_strings else [value]
    _refused([*arguments, "--force"], capsys, "choose another name")


def test_an_error_file_in_the_folder_of_the_new_model_is_refused(here, capsys):
    Path("new").mkdir()
    _refused([*_arguments("train", errors_file="new/config.json"), "--force"], capsys, "is written by --out too")


def test_a_model_is_not_trained_for_a_folder_that_it_cannot_be_saved_in(here, capsys):
    Path("new").mkdir()
    Path("new/config.json").write_text('{"mine": 1}')
    _refused([*_arguments("train"), "--force"], capsys, "was not written by Catalase")


def test_the_error_file_of_an_earlier_run_goes_when_nothing_fails_and_no_other_file_does(here):
    predict = ["predict", "m", "new.csv", "-o", "p.csv", "--force"]
    Path("new.csv").write_text("smiles\nCCO\nC1CC\n")
    assert main(predict) == 0 and Path("p.csv.errors.csv").is_file()
    Path("new.csv").write_text("smiles\nCCO\nC1CC1\n")
    assert main(predict[:-1]) == 1 and Path("p.csv.errors.csv").is_file()
    assert main(predict) == 0 and not Path("p.csv.errors.csv").exists()
    Path("p.csv.errors.csv").write_text("mine\n")
    assert main(predict) == 0 and Path("p.csv.errors.csv").read_text() == "mine\n"


def test_the_demo_leaves_files_alone_that_no_demo_wrote(here, capsys):
    Path("demo").mkdir()
    Path("demo/parity.png").write_text("mine\n")
    _refused(["demo", "--out", "demo", "--quick"], capsys, "--force")


def test_devices_may_be_read_and_written_at_once(here):
    assert main(["predict", "m", "t.csv", "-o", "/dev/null", "--errors-file", "/dev/null"]) == 0
    assert main(["screen", "m", "l.smi", "-o", "h.csv", "--errors-file", "/dev/null"]) == 0
    assert Path("/dev/null").is_char_device() and not Path("h.csv.errors.csv").exists()


def test_a_screening_does_not_write_into_pipes(here, capsys):
    os.mkfifo("pipe")
    for dest in ("out", "errors_file"):
        assert main(_arguments("screen", **{dest: "pipe"})) == 1
        assert "is a device or a pipe" in capsys.readouterr().err
    assert Path("pipe").is_fifo()
