"""The command line on the user's own tables: end to end, error files, exit codes."""

from __future__ import annotations

import csv
import gzip

import pytest

from catalase.cli import main


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
    (tmp_path / "bad.csv").write_text("smiles\nCC\n")
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
        ("latin.csv", "mol,é\nCC,1\n".encode("latin-1"), "latin.csv is not UTF-8 text"),
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
