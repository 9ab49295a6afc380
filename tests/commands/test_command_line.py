"""Tests of the command line on a user's tables: whole workflows, error files and exit codes."""

from __future__ import annotations

import csv
import gzip
import os

import pytest

from catalase.commands import main


def molecules(n):
    """Chains with a ring or without: many scaffolds, a property that follows from the formula."""
    rings = ["", "c1ccccc1", "C1CCCCC1", "c1ccncc1", "C1CC1", "c1ccoc1", "c1ccsc1"]
    return [("C" * (1 + i % 6) + "O" * (i % 2) + rings[i % 7], round(0.5 * (1 + i % 6) - i % 2, 2)) for i in range(n)]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    rows = [f"{s},{v},{int(v > 1)}" for s, v in molecules(120)]
    rows[5] = "C1CC,1.0,0"
    rows[7] = "CCO,many,1"
    path.write_text("mol,y,toxic\n" + "\n".join(rows) + "\n")
    return path


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


TRAIN = ["--smiles", "mol", "--epochs", "5", "--layer", "16", "--size", "256", "--splitter", "random"]


@pytest.mark.parametrize(
    "extra, column", [(["--task", "y"], "predicted y"), (["--task", "toxic", "--classification"], "predicted toxic")]
)
def test_train_evaluate_predict(table, tmp_path, capsys, extra, column):
    model, out = tmp_path / "model", tmp_path / "out.csv"
    assert main(["train", str(table), *TRAIN, *extra, "--out", str(model)]) == 0
    text = capsys.readouterr().out
    assert "rows could not be read" in text and "model saved in" in text and "test" in text
    errors = read(f"{model}.errors.csv")
    assert errors[-1]["text"] in ("C1CC", "many") and {e["row"] for e in errors} <= {"6", "8"}
    assert main(["evaluate", str(model), str(table)]) == 0
    assert main(["evaluate", str(model), str(table), "--strict"]) == 3
    assert main(["predict", str(model), str(table), "-o", str(out), "--strict"]) == 3
    rows = read(out)
    assert len(rows) == 120 and rows[5][column] == "" and rows[1]["mol"] == molecules(2)[1][0]
    values = [float(r[column]) for i, r in enumerate(rows) if i != 5]
    assert len(set(values)) > 5 and (column == "predicted y" or all(0 <= v <= 1 for v in values))
    assert [e["row"] for e in read(f"{out}.errors.csv")] == ["6"]


def test_nothing_is_overwritten_without_force(table, tmp_path, capsys):
    model, out = tmp_path / "model", tmp_path / "out.csv"
    arguments = ["train", str(table), *TRAIN, "--task", "y", "--out", str(model)]
    assert main(arguments) == 0 and main(arguments) == 1
    assert "--force" in capsys.readouterr().err
    assert main([*arguments, "--force", "--strict"]) == 3
    out.write_text("mine")
    assert main(["predict", str(model), str(table), "-o", str(out)]) == 1 and out.read_text() == "mine"
    assert main(["predict", str(model), str(table), "-o", str(out), "--force"]) == 0 and len(read(out)) == 120


def test_same_seed_same_model(table, tmp_path):
    outputs = []
    for name in "ab":
        main(["train", str(table), *TRAIN, "--task", "y", "--seed", "4", "--out", str(tmp_path / name)])
        main(["predict", str(tmp_path / name), str(table), "-o", str(tmp_path / f"{name}.csv")])
        outputs.append((tmp_path / f"{name}.csv").read_bytes())
    assert outputs[0] == outputs[1]


def test_mistakes_are_one_sentence_on_stderr(table, tmp_path, capsys):
    model = tmp_path / "model"
    main(["train", str(table), *TRAIN, "--task", "y", "--out", str(model)])
    (tmp_path / "bad.csv").write_text("compound\nCC\n")
    capsys.readouterr()
    for arguments, words in [
        (
            ["train", str(table), "--task", "z", "--smiles", "mol", "--out", str(tmp_path / "m")],
            "no column 'z'; it has 'mol'",
        ),
        (["train", str(tmp_path / "none.csv"), "--task", "y", "--out", str(tmp_path / "m")], "there is no file"),
        (
            ["train", str(table), "--task", "y", "--smiles", "mol", "--classification", "--out", str(tmp_path / "m")],
            "labels 0 and 1",
        ),
        (["predict", str(tmp_path / "nothing"), str(table), "-o", str(tmp_path / "p.csv")], "nothing"),
        (["predict", str(model), str(tmp_path / "bad.csv"), "-o", str(tmp_path / "p.csv")], "no column 'mol'"),
        (["train", str(table), *TRAIN, "--size", "100", "--task", "y", "--out", str(tmp_path / "m")], "multiple of 8"),
    ]:
        assert main(arguments) == 1
        error = capsys.readouterr().err
        assert words in error and "Traceback" not in error and error.count("\n") == 1, error
    assert not (tmp_path / "p.csv").exists() and not (tmp_path / "m").exists()
    with pytest.raises(ValueError, match="no column"):
        main(["predict", "--debug", str(model), str(tmp_path / "bad.csv"), "-o", str(tmp_path / "p.csv")])


def test_usage(capsys):
    for arguments in (["train"], ["nonsense"], ["train", "t.csv", "--task", "y", "--out", "m", "--epochs", "0"]):
        with pytest.raises(SystemExit) as error:
            main(arguments)
        assert error.value.code == 2
    assert main([]) == 2 and main(["--version"]) == 0 and main(["info"]) == 0
    assert "catalase 0." in capsys.readouterr().out


def test_an_interrupt_has_its_own_code(monkeypatch, capsys):
    import catalase

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(catalase, "show_config", interrupted)
    assert main(["info"]) == 130


@pytest.fixture
def model(table, tmp_path):
    assert main(["train", str(table), *TRAIN, "--task", "y", "--out", str(tmp_path / "model")]) == 0
    return tmp_path / "model"


def test_damaged_tables_are_one_sentence_and_leave_no_output(model, tmp_path, capsys):
    packed = gzip.compress(("mol,y\n" + "".join(f"{'C' * (i % 50)},{i}\n" for i in range(999))).encode())
    for name, content, words in [
        ("odd.csv", b"mol,\x81\nCC,1\n", "odd.csv is not UTF-8 text"),  # nor Windows-1252
        ("cut.csv.gz", packed[: len(packed) // 2], "cut.csv.gz is damaged or cut short"),
        ("ragged.csv", b"mol,y\nCC,1,2\n", "the row has 3 fields, the header 2"),
        ("quote.csv", b'mol,y\n"CC,1\nCC,2\nCCC,3\n', "a quote is opened there and never closed"),
        ("sheet.csv", b"PK\x03\x04" + bytes(99), "an Excel workbook"),
        ("again.csv", b"mol,predicted y\nCC,1\n", "'predicted y' already"),
        ("none.csv", None, "there is no file"),
    ]:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        capsys.readouterr()
        assert main(["predict", str(model), str(tmp_path / name), "-o", str(tmp_path / "out.csv")]) == 1
        error = capsys.readouterr().err
        assert words in error and "Errno" not in error and error.count("\n") == 1, error
        assert not (tmp_path / "out.csv").exists()


def test_a_result_may_have_a_name_that_is_no_utf8(model, table, tmp_path, capsys):
    assert main(["predict", str(model), str(table), "-o", os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv")]) == 0
    assert os.path.isfile(os.fsencode(tmp_path) + b"/caf\xe9.csv")


def test_cells_pass_through_as_they_are(model, tmp_path):
    (tmp_path / "in.csv").write_text('a,a,mol,\n1,"x, ""y""",CCO,é\n\n3,4,CC(,\n', encoding="utf-8-sig")
    assert main(["predict", str(model), str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.csv"), "--strict"]) == 3
    with open(tmp_path / "out.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["a", "a", "mol", "", "predicted y"]
    assert rows[1][:4] == ["1", 'x, "y"', "CCO", "é"] and float(rows[1][4])
    assert rows[2] == ["3", "4", "CC(", "", ""] and [e["row"] for e in read(tmp_path / "out.csv.errors.csv")] == ["2"]


def test_where_nothing_can_be_learned_or_written_one_sentence_says_so_at_once(model, table, tmp_path, capsys):
    (tmp_path / "l.smi").write_text("CCO\n")
    (tmp_path / "file").write_text("")
    train = ["train", str(table), *TRAIN, "--out", str(tmp_path / "m")]
    capsys.readouterr()
    for arguments, words in [
        ([*train, "--task", "mol", "--smiles", "toxic"], "no row of"),
        (["train", str(tmp_path), "--task", "y", "--out", str(tmp_path / "m")], "is a folder; give a CSV file"),
        ([*train[:-1], str(tmp_path / "file" / "m"), "--task", "y"], "the model could not be saved in"),
        (["screen", str(model), str(tmp_path), "-o", str(tmp_path / "h.csv")], "is a folder; needed a file"),
        (["screen", str(model), str(tmp_path / "l.smi"), "-o", str(tmp_path / "no" / "h.csv")], "there is no folder"),
        (
            ["screen", str(tmp_path / "no"), str(tmp_path / "l.smi"), "-o", str(tmp_path / "h.csv")],
            "give the folder of a saved model",
        ),
    ]:
        assert main(arguments) == 1
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1 and f"{arguments[0]}: {arguments[0]}:" not in error, error
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    "extra",
    [
        "--dropout nan", "--dropout -0.1", "--dropout 1", "--dropout 1_0", "--learning-rate inf", "--learning-rate 0",
        "--weight-decay -1", "--epochs 99999999999999999999", "--epochs 1_0", "--epochs ٣", "--layer 0", "--seed -1",
        "--max-unreadable 1.5", "--max-unreadable nan", "--task=", "--smiles=", "--errors-file=", "--out=",
    ],
)  # fmt: skip
def test_numbers_and_names_that_make_no_sense_are_mistakes_of_the_command_line(table, tmp_path, capsys, extra):
    with pytest.raises(SystemExit) as error:
        main(["train", str(table), *TRAIN, "--task", "y", "--out", str(tmp_path / "m"), *extra.split()])
    assert error.value.code == 2 and extra.split("=")[0].split()[0] in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--cutoff", "5"], ["--cutoff", "nan"], ["--task", ""], ["--top", "0"]])
def test_the_same_of_a_screening(arguments):
    with pytest.raises(SystemExit):
        main(["screen", "m", "l.smi", "-o", "h.csv", *arguments])


@pytest.mark.parametrize("arguments", [["--seconds", "-1"], ["--seconds", "nan"], ["--threads", "0"]])
def test_the_same_of_the_bench(arguments):
    with pytest.raises(SystemExit):
        main(["bench", *arguments])


def test_tasks_that_make_no_sense(table, tmp_path, capsys):
    for tasks, words in [(["y", "y"], "--task y is given twice"), (["mol"], "--task mol is the column of SMILES")]:
        given = [word for task in tasks for word in ("--task", task)]
        assert main(["train", str(table), *TRAIN, *given, "--out", str(tmp_path / "m")]) == 1
        assert words in capsys.readouterr().err


def test_errors_of_any_kind_are_one_sentence(monkeypatch, capsys):
    import catalase

    for error, words in [
        (MemoryError("Unable to allocate 9 TiB"), "not enough memory (Unable to allocate 9 TiB)"),
        (MemoryError(), "not enough memory"),
        (OverflowError("too large"), "catalase info: too large"),
        (AttributeError("no such thing"), "a fault of Catalase: please report it"),
        (ValueError("two\nlines"), "two lines"),
    ]:

        def fails(error=error):
            raise error

        monkeypatch.setattr(catalase, "show_config", fails)
        assert main(["info"]) == 1
        said = capsys.readouterr().err
        assert words in said and said.count("\n") == 1


def test_where_most_rows_would_be_lost_the_command_stops(model, tmp_path, capsys):
    path, out = tmp_path / "n.csv", tmp_path / "n.out.csv"
    path.write_text("mol,y\nC1CC,1\nCCO,1\nCCN,2\nC(,3\nCC,many\nC1CO,x\n")
    train = ["train", str(path), *TRAIN, "--task", "y", "--out", str(tmp_path / "m")]
    for arguments, count in [
        (["predict", str(model), str(path), "-o", str(out), "--max-unreadable", "0.4"], "3 of 6 rows"),
        (["evaluate", str(model), str(path), "--errors-file", str(tmp_path / "e.csv")], "4 of 6 rows"),
        (train, "4 of 6 rows"),  # a row with two faults counts once
    ]:
        capsys.readouterr()
        assert main(arguments) == 1
        error = capsys.readouterr().err
        assert count in error and "row 1, 'C1CC'" in error and "--max-unreadable" in error and error.count("\n") == 1
    assert not out.exists() and not (tmp_path / "m").exists()
    assert [e["row"] for e in read(f"{out}.errors.csv")] == ["1", "4", "6"]
    assert main(["predict", str(model), str(path), "-o", str(out)]) == 0 and len(read(out)) == 6
    (tmp_path / "l.smi").write_text("C1CC\nC(\nCC\n")
    screen = ["screen", str(model), str(tmp_path / "l.smi"), "-o", str(tmp_path / "h.csv")]
    assert main(screen) == 1 and "2 of 3 molecules could not be scored" in capsys.readouterr().err
    assert main([*screen, "--resume", "--max-unreadable", "1"]) == 0 and len(read(tmp_path / "h.csv")) == 1


def test_predictions_read_back_as_the_bits_of_the_model(model, table, tmp_path):
    import numpy as np

    import catalase as ct

    out = tmp_path / "out.csv"
    assert main(["predict", str(model), str(table), "-o", str(out)]) == 0
    rows = [r for r in read(out) if r["predicted y"]]
    loaded = ct.models.load(model)
    X = ct.ops.ecfp([r["mol"] for r in rows], size=256)
    values = loaded.predict(X, loaded.transformers)[:, 0]
    assert np.array_equal(np.array([r["predicted y"] for r in rows], np.float64).astype(values.dtype), values)


def test_an_error_file_that_cannot_be_written_costs_no_scores(model, table, tmp_path, capsys):
    (tmp_path / "t.csv.errors.csv").mkdir()
    assert main(["evaluate", str(model), str(table)]) == 0
    out = capsys.readouterr().out
    assert "RMSE" in out and "2 of 120 rows" in out and "--errors-file" in out
    assert main(["evaluate", str(model), str(table), "--errors-file", str(tmp_path)]) == 1


def test_evaluate_takes_another_column_of_smiles(model, table, tmp_path):
    (tmp_path / "other.csv").write_text(table.read_text().replace("mol,y", "structure,y"))
    assert main(["evaluate", str(model), str(tmp_path / "other.csv"), "--smiles", "structure"]) == 0


def test_one_class_alone(table, tmp_path, capsys):
    lines = table.read_text().splitlines()
    ones = [line for line in lines[1:] if line.endswith(",1") and "many" not in line]
    (tmp_path / "one.csv").write_text("\n".join([lines[0], *ones]) + "\n")
    train = ["--task", "toxic", "--classification", "--out", str(tmp_path / "m"), "--smiles", "mol", *TRAIN[2:]]
    assert main(["train", str(tmp_path / "one.csv"), *train]) == 1
    assert "one class only in toxic" in capsys.readouterr().err
    zeros = [line for line in lines[1:] if line.endswith(",0") and "C1CC," not in line]
    (tmp_path / "last.csv").write_text("\n".join([lines[0], *zeros * 4, *ones[:10]]) + "\n")
    assert main(["train", str(tmp_path / "last.csv"), *train, "--splitter", "index"]) == 1
    error = capsys.readouterr().err
    assert "--splitter random or scaffold" in error and error.count("\n") == 1
    assert main(["train", str(table), *train]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "m"), str(tmp_path / "one.csv")]) == 0
    said = capsys.readouterr()
    assert "nan: this score cannot be computed; it needs molecules of both classes" in said.out and said.err == ""


def test_tab_separated_tables_and_long_cells(tmp_path):
    lines = ["mol\ty\tseq", *(f"{s}\t{v}\tA" for s, v in molecules(60)), "CCO\t1\t" + "A" * 200_000]
    (tmp_path / "t.tsv").write_text("\n".join(lines) + "\n")
    model, out = tmp_path / "m", tmp_path / "o.csv"
    assert main(["train", str(tmp_path / "t.tsv"), *TRAIN, "--task", "y", "--out", str(model), "--strict"]) == 0
    assert main(["evaluate", str(model), str(tmp_path / "t.tsv"), "--strict"]) == 0
    assert main(["predict", str(model), str(tmp_path / "t.tsv"), "-o", str(out), "--strict"]) == 0
    assert len(out.read_text().splitlines()[-1]) > 200_000


def test_the_folder_around_a_new_model_is_made_with_it(table, tmp_path):
    model = tmp_path / "new" / "deep" / "model"
    assert main(["train", str(table), *TRAIN, "--task", "y", "--out", f"{model}/"]) == 0
    assert (model / "config.json").is_file() and len(read(f"{model}.errors.csv")) == 2
