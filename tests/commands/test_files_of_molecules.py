"""Tests that all commands read the same molecules from every format: tables, SD files, SMILES with names, Parquet."""

from __future__ import annotations

import csv
import gzip

import pytest
from rdkit import Chem

from catalase.commands import main

from .test_command_line import molecules

TRAIN = ["--task", "y", "--epochs", "2", "--layer", "8", "--size", "128", "--splitter", "index"]
ROWS = [(Chem.CanonSmiles(s), f"n{i}", str(v)) for i, (s, v) in enumerate(molecules(60))]
ROWS[7] = ("C1CC", "n7", "1.0")  # no molecule


def sdf():
    """The rows as records; the seventh is broken."""
    records = []
    for smiles, name, value in ROWS:
        block = Chem.MolToMolBlock(Chem.MolFromSmiles("CCC" if smiles == "C1CC" else smiles))
        block = block.replace("  3  2  0", "  9  2  0") if smiles == "C1CC" else block
        records.append(f"{name}{block}> <y>\n{value}\n\n$$$$\n")
    return "".join(records).encode()


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The same molecules in each format."""
    monkeypatch.chdir(tmp_path)
    lines = [",".join(("smiles", "name", "y")), *map(",".join, ROWS)]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "t.tsv").write_text("\n".join(lines).replace(",", "\t") + "\n")
    (tmp_path / "t.cxsmiles").write_text("\n".join(lines).replace(",", "\t") + "\n")
    (tmp_path / "t.sdf").write_bytes(sdf())
    (tmp_path / "t.sdf.gz").write_bytes(gzip.compress(sdf()))
    (tmp_path / "t.smi").write_text("".join(f"{s} {name}\n" for s, name, _ in ROWS))
    names = ["t.csv", "t.tsv", "t.cxsmiles", "t.sdf", "t.sdf.gz"]
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError:
        return names
    columns = dict(zip(("smiles", "name", "y"), zip(*ROWS, strict=True), strict=True))
    parquet.write_table(pyarrow.table({name: list(cells) for name, cells in columns.items()}), "t.parquet")
    return [*names, "t.parquet"]


def test_every_format_gives_the_same_model_scores_predictions_and_hits(files, capsys):
    seen = []
    for name in files:
        assert main(["train", name, *TRAIN, "--out", f"m-{name}"]) == 0
        assert main(["evaluate", f"m-{name}", name, "--force"]) == 0
        scores = [line for line in capsys.readouterr().out.splitlines() if "0." in line and "errors" not in line]
        assert main(["predict", f"m-{name}", name, "-o", f"{name}.p.csv"]) == 0
        rows = read(f"{name}.p.csv")
        assert [row["name"] for row in rows] == [f"n{i}" for i in range(60)] and rows[7]["predicted y"] == ""
        assert main(["screen", f"m-{name}", name, "-o", f"{name}.h.csv", "--top", "9"]) == 0
        hits = read(f"{name}.h.csv")
        assert len(hits) == 9 and {row["id"] for row in hits} <= {f"n{i}" for i in range(60)}
        errors = [read(f"{name}.{kind}.csv.errors.csv") for kind in "ph"]
        assert [[error["row"] for error in one] for one in errors] == [["8"], ["8"]]
        predictions = [row["predicted y"] for row in rows]
        seen.append(([line.replace(name, "") for line in scores], predictions, hits))
    assert all(one[1:] == seen[0][1:] for one in seen)
    assert main(["predict", "m-t.csv", "t.smi", "-o", "smi.csv"]) == 0
    assert [row["predicted y"] for row in read("smi.csv")] == seen[0][1]
    assert list(read("smi.csv")[0]) == ["smiles", "name", "predicted y"]


# A racemate, a name beyond ASCII, atom labels, and extensions that stand for several molecules.
EXTENDED = [
    ("C[C@H](N)CO |&1:1|", "a"),
    ("CCO", "b\u00e9"),
    ("CCN |$x;y;z$|", "c"),
    ("CC |m:0:1.2|", "d"),
    ("OCC |LN:1:1.3|", "e"),
]


@pytest.fixture
def libraries(files, tmp_path):
    """The same five molecules as CXSMILES in every format that can hold them, plain and compressed."""
    text = "".join(f"{smiles}\t{name}\n" for smiles, name in EXTENDED)
    table = "smiles\tname\n" + text
    content = {"l.smi": text, "l.cxsmiles": text, "h.cxsmiles": table, "l.tsv": table, "h.smi": table}
    content["l.csv"] = "smiles,name\n" + "".join(f'"{smiles}",{name}\n' for smiles, name in EXTENDED)
    for name, lines in content.items():
        (tmp_path / name).write_text(lines, encoding="utf-8")
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(lines.encode()))
    names = [name + packing for name in content for packing in ("", ".gz")]
    if "t.parquet" in files:
        import pyarrow
        import pyarrow.parquet as parquet

        columns = dict(zip(("smiles", "name"), map(list, zip(*EXTENDED, strict=True)), strict=True))
        parquet.write_table(pyarrow.table(columns), "l.parquet")
        names.append("l.parquet")
    return names


def test_cxsmiles_are_read_by_every_command_and_in_every_format(libraries, tmp_path, capsys):
    assert main(["train", "t.csv", *TRAIN, "--out", "m"]) == 0
    assert main(["predict", "m", "l.csv", "-o", "p.csv"]) == 0
    predicted = [row["predicted y"] for row in read("p.csv")]
    (tmp_path / "plain.csv").write_text("smiles\nCC(N)CO\nCCO\nCCN\n")
    assert main(["predict", "m", "plain.csv", "-o", "plain.p.csv"]) == 0
    assert predicted == [*(row["predicted y"] for row in read("plain.p.csv")), "", ""]
    for name in libraries:
        assert main(["predict", "m", name, "-o", "p.csv", "--force"]) == 0
        assert [row["predicted y"] for row in read("p.csv")] == predicted, name
        assert [row["name"] for row in read("p.csv")] == [name for _, name in EXTENDED]
        assert main(["screen", "m", name, "-o", "h.csv", "--force"]) == 0
        assert {row["id"]: row["score"] for row in read("h.csv")} == dict(
            zip(["a", "bé", "c"], predicted, strict=False)
        )
        assert main(["featurize", name, "-o", "f.csv", "--features", "HeavyAtomCount", "--force"]) == 0
        assert [row["HeavyAtomCount"] for row in read("f.csv")] == ["5", "3", "3", "", ""]
        assert main(["standardize", name, "-o", "s.csv", "--force"]) == 0
        assert [row["standard smiles"] for row in read("s.csv")] == ["CC(N)CO", "CCO", "CCN", "", ""]
        for out in "phfs":
            errors = read(f"{out}.csv.errors.csv")
            assert [error["row"] for error in errors] == ["4", "5"], (name, out)
            assert all("describes several molecules or a polymer" in error["reason"] for error in errors)


def test_standardizing_and_featurizing_give_the_same_for_every_format(files, capsys):
    seen = []
    for name in [*files, "t.smi"]:
        columns = []
        for command, new in (("standardize", "standard smiles"), ("featurize", "MolWt")):
            assert main([command, name, "-o", f"{name}.{command}.csv"]) == 0
            rows = read(f"{name}.{command}.csv")
            assert [row["name"] for row in rows] == [f"n{i}" for i in range(60)]
            assert [error["row"] for error in read(f"{name}.{command}.csv.errors.csv")] == ["8"]
            columns.append([row[new] for row in rows])
        seen.append(columns)
    assert all(one == seen[0] for one in seen) and seen[0][0][7] == seen[0][1][7] == ""


@pytest.mark.parametrize("packing", ["", ".gz"])
def test_a_file_of_smiles_whose_header_names_the_second_column_can_be_trained_on(files, tmp_path, capsys, packing):
    text = "smiles y\n" + "".join(f"{smiles} {value}\n" for smiles, _, value in ROWS)
    (tmp_path / f"y.smi{packing}").write_bytes(gzip.compress(text.encode()) if packing else text.encode())
    scores = []
    for name in ("t.csv", f"y.smi{packing}"):
        assert main(["train", name, *TRAIN, "--out", f"m-{name}"]) == 0
        scores.append([line for line in capsys.readouterr().out.splitlines() if " test " in line])
        assert main(["evaluate", f"m-{name}", name]) == 0
        scores[-1].append(capsys.readouterr().out.splitlines()[1].replace(name, ""))
    assert scores[0][0] == scores[1][0] and scores[0][1].split() == scores[1][1].split()


def test_a_model_of_a_table_with_another_name_for_its_smiles_reads_sd_files(files, tmp_path, capsys):
    (tmp_path / "other.csv").write_text((tmp_path / "t.csv").read_text().replace("smiles,", "Structure,"))
    assert main(["train", "other.csv", "--smiles", "Structure", *TRAIN, "--out", "m"]) == 0
    assert main(["predict", "m", "other.csv", "-o", "a.csv"]) == 0
    assert main(["predict", "m", "t.sdf", "-o", "b.csv"]) == 0
    assert [row["predicted y"] for row in read("a.csv")] == [row["predicted y"] for row in read("b.csv")]
    assert main(["evaluate", "m", "t.sdf"]) == 0
    assert main(["predict", "m", "t.tsv", "-o", "c.csv"]) == 0  # by the name of its own column
    assert [row["predicted y"] for row in read("a.csv")] == [row["predicted y"] for row in read("c.csv")]
    capsys.readouterr()
    (tmp_path / "none.csv").write_text((tmp_path / "t.csv").read_text().replace("smiles,", "compound,"))
    assert main(["predict", "m", "none.csv", "-o", "d.csv"]) == 1
    assert "has no column 'Structure'" in capsys.readouterr().err
