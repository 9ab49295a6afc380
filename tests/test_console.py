"""Tests that printing never stops a command: closed, full and missing streams, other encodings, objects that only write."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import catalase as ct
from catalase._internal.console import Console, SafeStream
from catalase.train.progress import progress_bar

COMMAND = f"{sys.executable} -m catalase"
TRAIN = "train t.csv --task y --epochs 2 --size 64 --layer 4 --splitter random --out m"


@pytest.fixture
def here(tmp_path, monkeypatch):
    rows = [("C" * (1 + i % 6) + "OONNc1ccccc1C1CC1"[: i % 2], i % 6) for i in range(40)]
    (tmp_path / "t.csv").write_text("smiles,y\n" + "".join(f"{s},{y}\n" for s, y in rows))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shell(line, **environment):
    done = subprocess.run(["bash", "-c", line], capture_output=True, env={**os.environ, **environment}, timeout=120)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


class OnlyWrites:
    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


class Full(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("end", ["| head -1", "| true", ">&-", "> /dev/full", "> /dev/full 2> /dev/full", ">&- 2>&-"])
def test_a_trained_model_is_saved_whatever_becomes_of_the_messages(here, end):
    code, _, err = shell(f"set -o pipefail; {COMMAND} {TRAIN} {end}")
    assert code == 0 and "Traceback" not in err and "Exception ignored" not in err, err
    assert ct.models.load("m").predict(np.zeros((1, 64), np.float32)).shape == (1, 1)


def test_predictions_on_standard_output_and_what_becomes_of_a_reader_that_goes(here):
    assert shell(f"{COMMAND} {TRAIN}")[0] == 0
    code, out, err = shell(f"cat t.csv | {COMMAND} predict m - -o -")
    assert code == 0 and out.count(b"\n") == 41 and out.startswith(b"smiles,y,predicted y\n") and "40 rows" in err
    assert shell(f"{COMMAND} predict m t.csv -o /dev/stdout > f; wc -l < f")[1].strip() == b"41"
    assert shell(f"echo before > f; {COMMAND} predict m t.csv -o /dev/stdout >> f; wc -l < f")[1].strip() == b"42"
    code, _, err = shell(f"set -o pipefail; {COMMAND} predict m t.csv -o - 2>/dev/null | true")
    assert code == 141 and err == ""
    code, _, err = shell(f"{COMMAND} predict m t.csv -o - > /dev/full")
    assert code == 1 and err.count("\n") == 1 and "No space left" in err
    code, _, err = shell(f"{COMMAND} predict m t.csv -o - >&-")
    assert code == 1 and "standard output is closed" in err


def test_a_result_that_is_only_printed_and_cannot_be_is_an_error_but_a_closed_pipe_is_none(here):
    code, _, err = shell(f"{COMMAND} info > /dev/full")
    assert code == 1 and "could not be printed: No space left" in err and err.count("\n") == 1
    for end in ("| true", ">&-"):
        assert shell(f"set -o pipefail; {COMMAND} info {end}") == (0, b"", "")


def test_names_that_the_terminal_cannot_show_are_escaped(here):
    assert shell(f"{COMMAND} {TRAIN}")[0] == 0
    code, out, err = shell(f"{COMMAND} predict m t.csv -o données.csv", PYTHONIOENCODING="ascii")
    assert code == 0 and rb"donn\xe9es.csv" in out and err == "", err
    assert Path("données.csv").is_file()


def test_a_user_without_a_name_and_a_home_can_train(here):
    stranger = "import pwd, os; del os.environ['HOME']; pwd.getpwuid = lambda number: {}['no such user']"
    line = ["train", "t.csv", "--task", "y", "--splitter", "random", "--model", "ridge", "--out", "m"]
    code = f"{stranger}; from catalase.commands import main; raise SystemExit(main({line}))"
    environment = {k: v for k, v in os.environ.items() if k not in ("USER", "LOGNAME", "USERNAME", "MPLCONFIGDIR")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0 and Path("m/report.html").is_file(), done.stderr


def test_a_file_never_takes_the_place_of_a_closed_stream(here):
    (here / "bad.csv").write_text("smiles,y\nCCO,1\nC1CC,1\nCCN,2\n")
    assert shell(f"{COMMAND} {TRAIN}")[0] == 0
    assert shell(f"{COMMAND} predict m bad.csv -o a.csv")[0] == 0
    assert shell(f"{COMMAND} predict m bad.csv -o b.csv <&- >&- 2>&-")[0] == 0
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()


def test_an_interrupt_saves_the_best_weights_so_far_and_says_so(here):
    line = TRAIN.replace("--epochs 2", "--epochs 100000000 --patience 100000000").split()
    # An ignored signal would stay ignored in the child.
    process = subprocess.Popen(
        [sys.executable, "-m", "catalase", *line], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stdout is not None
    for _ in range(2000):  # its first line comes through once the pipe is full or at the end: wait for the work instead
        if float(Path(f"/proc/{process.pid}/stat").read_text().split()[13]) > 400:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and err.count(b"\n") == 1, err
    assert b"the best so far, are saved in m" in err
    assert ct.models.load("m").transformers


def test_an_interrupt_before_the_first_epoch_says_that_nothing_was_saved(here, monkeypatch, capsys):
    from catalase.commands import main

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(ct.models.MultitaskRegressor, "fit", interrupted)
    assert main(TRAIN.split()) == 130
    assert "nothing was saved" in capsys.readouterr().err and not Path("m").exists()


@pytest.mark.parametrize("stream", [None, OnlyWrites(), Full(), object()], ids=["none", "writes", "full", "nothing"])
@pytest.mark.parametrize("progress", [None, True])
def test_training_goes_on_with_any_standard_error(stream, progress):
    data = ct.data.NumpyDataset(np.eye(8, dtype=np.float32), np.arange(8.0))
    model = ct.models.MultitaskRegressor(1, 8, layer_sizes=[2], seed=0)
    with contextlib.redirect_stderr(stream):
        model.fit(data, nb_epoch=2, progress=progress)
        screened = ct.models.MultitaskRegressor(1, 64, layer_sizes=[2], seed=0)
        screened.featurizer = ct.feat.CircularFingerprint(size=64)
        hits = ct.screen(screened, ["CCO"], top=1)
    assert len(hits) == 1
    if isinstance(stream, OnlyWrites):
        assert ("training 2/2" in stream.text) == bool(progress)


def test_a_closed_standard_error_draws_no_bar():
    closed = io.StringIO()
    closed.close()
    with contextlib.redirect_stderr(closed), progress_bar("x", 2) as advance:
        advance(1, "")


def test_safe_streams_escape_and_forget():
    ascii_only = io.TextIOWrapper(io.BytesIO(), "ascii")
    stream = SafeStream(ascii_only)
    stream.write("é\udc80a")
    stream.flush()
    assert ascii_only.buffer.getvalue() == rb"\xe9\udc80a" and stream.error is None
    full = SafeStream(Full())
    assert full.write("abc") == 3 and isinstance(full.error, OSError) and full.write("d") == 1
    Console(Full()).table(["a"], [["b"]])
    assert not SafeStream(OnlyWrites()).isatty() and not SafeStream(None).isatty()


def test_a_wide_table_in_a_log_is_never_cut():
    out = io.StringIO()
    Console(out).table(["name of a column " * 5] * 4, [["a cell of text " * 8] * 4])
    assert out.getvalue().count("a cell of text") == 32 and "…" not in out.getvalue()
