"""``catalase train`` with `AutoModel`: the folder beside the model, intervals and domain in predict and screen, options."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest

import catalase as ct
from catalase.commands import main
from catalase.demo.data import find_files, load_measured


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A messy export, and what a training on it leaves."""
    here = tmp_path_factory.mktemp("auto")
    paths = find_files()
    found = load_measured(paths["activity"], paths["smiles"])
    rows = [[f"c{i}", text, f"{value:.2f}".replace(".", ",")] for i, (text, value) in enumerate(zip(found.smiles, found.activity, strict=True))][:160]  # fmt: skip
    rows += [
        ["twice", rows[3][1], rows[3][2]],
        ["bad", "C1CC", "1,0"],
        ["cell", "CCO", "n.d."],
        ["weak", "CCCO", "<4,2"],
    ]
    with open(here / "export.txt", "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";", lineterminator="\r\n")
        writer.writerow(["Näme", "SMILES", "pAct"])
        writer.writerows(rows)
    arguments = [
        "train",
        str(here / "export.txt"),
        "--task",
        "pAct",
        "--out",
        str(here / "model"),
        "--splitter",
        "random",
    ]
    assert main([*arguments, "--model", "gp", "--folds", "4", "--coverage", "0.8"]) == 0
    return here


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_folder_explains_the_model(folder):
    metrics = json.loads((folder / "model" / "metrics.json").read_text())
    assert {"test", "validation", "members", "baselines"} <= set(metrics) and metrics["test"]["rmse"] > 0
    assert set(metrics["members"]) == {"Gaussian process"} and metrics["plan"]["folds"] == 4
    assert (folder / "model" / "report.html").stat().st_size > 10_000
    first = read(folder / "model" / "test_predictions.csv")[0]
    assert list(first) == ["smiles", "task", "measured", "predicted", "std", "low", "high", "nearest_similarity", "in_domain"]  # fmt: skip
    split = read(folder / "model" / "split.csv")
    assert {row["part"] for row in split} == {"train", "test"} and len(split) == 162
    assert [row["row"] for row in read(folder / "model.errors.csv")] == ["162"]


@pytest.mark.parametrize("model", ["dense", "graph", "sequence"])
def test_the_folder_explains_a_single_net_too(folder, tmp_path, model, capsys):
    out = tmp_path / model
    arguments = ["train", str(folder / "export.txt"), "--task", "pAct", "--out", str(out), "--splitter", "random"]
    assert main([*arguments, "--model", model, "--epochs", "2"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    metrics = json.loads((out / "metrics.json").read_text())
    assert set(metrics["baselines"]) == {"mean", "ridge", "nearest neighbours"}
    assert (f"{metrics['test']['rmse']:.3f}") in said, "the scores are those of the command"
    assert (out / "report.html").stat().st_size > 10_000
    card = (out / "model_card.md").read_text()
    assert "folds: 0 chose the epoch" in card and "low and high" not in card
    predictions = read(out / "test_predictions.csv")
    smiles = [row["smiles"] for row in predictions]
    loaded = ct.models.load(out)
    np.testing.assert_allclose(
        loaded.predict(smiles)[:, 0], [float(row["predicted"]) for row in predictions], rtol=1e-6
    )
    assert {row["low"] for row in predictions} == {""} and {row["in_domain"] for row in predictions} <= {"yes", "no"}
    split = read(out / "split.csv")
    assert {(row["part"], row["fold"]) for row in split} == {("train", "0"), ("train", "1"), ("test", "-1")}


@pytest.mark.parametrize("labels", [("0", "1"), ("1.5", "2.5")])
def test_a_task_without_a_label_to_learn_from_is_named_and_the_others_are_compared(tmp_path, labels, capsys):
    smiles = [f"{'C' * n}{end}" for n in range(1, 11) for end in ("O", "N", "Cl")]
    rows = [f"{s},{labels[i % 2]},{labels[i % 2] if i > 26 else ''}\n" for i, s in enumerate(smiles)]
    table, out = tmp_path / "late.csv", tmp_path / "model"
    table.write_text("smiles,a,b\n" + "".join(rows))
    net = ["--model", "dense", "--layer", "4", "--epochs", "2", "--splitter", "index", "--out", str(out)]
    assert main(["train", str(table), "--task", "a", "--task", "b", *net]) == 0
    said = capsys.readouterr()
    assert "b has no label in the training part, so nothing is learned of it" in said.out and "warning" not in said.err
    metrics = json.loads((out / "metrics.json").read_text())
    assert [metrics["baselines"][name]["test"]["labels"] for name in ("mean", "ridge", "nearest neighbours")] == [3] * 3


@pytest.mark.parametrize("stopped", ["fit", "net_outcome"])
def test_ctrl_c_says_what_of_a_single_net_is_saved(folder, tmp_path, stopped, monkeypatch, capsys):
    from catalase.train import EarlyStopping
    from catalase.workflow import nets

    def interrupt(*given):
        raise KeyboardInterrupt

    ended = EarlyStopping.on_epoch_end
    if stopped == "fit":
        monkeypatch.setattr(
            EarlyStopping, "on_epoch_end", lambda s, state: interrupt() if state.epoch == 2 else ended(s, state)
        )
    else:
        monkeypatch.setattr(nets, "net_outcome", interrupt)
    out = tmp_path / "model"
    net = ["--model", "dense", "--layer", "4", "--epochs", "9", "--splitter", "random", "--out", str(out)]
    assert main(["train", str(folder / "export.txt"), "--task", "pAct", *net]) == 130
    said = capsys.readouterr().err
    assert ct.models.load(out).predict(["CCO"]).shape == (1, 1)
    if stopped == "fit":
        assert f"the best so far, are saved in {out}" in said
        assert "the weights are those of the best epoch until then" in (out / "report.html").read_text()
    else:
        assert f"the model is saved in {out}, without a report" in said


def test_predict_adds_intervals_and_the_domain(folder, tmp_path):
    out = tmp_path / "p.csv"
    assert main(["predict", str(folder / "model"), str(folder / "export.txt"), "-o", str(out)]) == 0
    rows = read(out)
    added = ["predicted pAct", "std pAct", "low pAct", "high pAct", "nearest_similarity", "in_domain"]
    assert list(rows[0]) == ["Näme", "SMILES", "pAct", *added]
    model = ct.models.load(folder / "model")
    said = model.predict_table([row["SMILES"] for row in rows[:20]])
    for name, column in (("predicted", said.mean), ("std", said.std), ("low", said.low), ("high", said.high)):
        assert [float(row[f"{name} pAct"]) for row in rows[:20]] == column[:, 0].tolist()
    assert [row["in_domain"] == "yes" for row in rows[:20]] == said.in_domain.tolist()
    assert [rows[161][name] for name in added] == [""] * 6, "an unreadable molecule has blanks"


def test_a_wider_interval_may_be_asked_for(folder, tmp_path):
    width = {}
    for coverage in ("0.5", "0.95"):
        out = tmp_path / f"{coverage}.csv"
        assert main(["predict", str(folder / "model"), str(folder / "export.txt"), "-o", str(out), "--coverage", coverage]) == 0  # fmt: skip
        width[coverage] = [float(row["high pAct"]) - float(row["low pAct"]) for row in read(out)[:20]]
    assert (np.array(width["0.5"]) < np.array(width["0.95"])).all()


def test_screen_adds_them_to_the_hits_with_shards_too(folder, tmp_path):
    out, library = tmp_path / "hits.csv", str(folder / "export.txt")
    screen = ["screen", str(folder / "model"), library, "--smiles-column", "SMILES", "--top", "5"]
    assert main([*screen, "-o", str(out)]) == 0
    rows = read(out)
    added = ["std pAct", "low pAct", "high pAct", "nearest_similarity", "in_domain"]
    assert list(rows[0]) == ["rank", "row", "id", "smiles", "score", *added]
    said = ct.models.load(folder / "model").predict_table([row["smiles"] for row in rows])
    assert [float(row["score"]) for row in rows] == said.mean[:, 0].tolist()
    assert [float(row["low pAct"]) for row in rows] == said.low[:, 0].tolist()
    parts = [str(tmp_path / f"{i}.csv") for i in (1, 2)]
    for i, part in enumerate(parts, 1):
        assert main([*screen, "-o", part, "--shard", f"{i}/2"]) == 0
    assert main(["screen-merge", *parts, "-o", str(tmp_path / "merged.csv")]) == 0
    assert (tmp_path / "merged.csv").read_bytes() == out.read_bytes()


def test_evaluate_says_where_molecules_of_the_training_make_the_scores_too_good(folder, tmp_path, capsys):
    assert main(["evaluate", str(folder / "model"), str(folder / "export.txt")]) == 0
    said = re.search(r"(\d+) of (\d+) molecules have the fingerprint of a training molecule", capsys.readouterr().out)
    split = [row["part"] for row in read(folder / "model" / "split.csv")]
    assert split.count("train") <= int(said[1]) <= int(said[2]) == 163, (
        "rows with a cell that could not be read are molecules, too"
    )
    with open(tmp_path / "new.csv", "w") as file:
        file.write("SMILES;pAct\nC1CCCCCCCCC1;5\nFC(F)(F)C(Cl)Br;6\n")
    assert main(["evaluate", str(folder / "model"), str(tmp_path / "new.csv")]) == 0
    assert "training molecule" not in capsys.readouterr().out


def test_what_the_model_is_worth_is_printed_beside_the_baselines(folder, tmp_path, capsys):
    out = tmp_path / "model"
    arguments = ["train", str(folder / "export.txt"), "--task", "pAct", "--splitter", "random", "--out", str(out)]
    assert main([*arguments, "--model", "ridge", "--scramble", "2"]) == 0
    said = capsys.readouterr().out
    assert f"model saved in {out}; report.html there shows it" in said
    assert "baseline: nearest neighbours" in said and "trained on shuffled labels 2 times" in said
    assert [member.kind for member in ct.models.load(out).learned] == ["ridge"]


def test_ctrl_c_saves_the_members_that_were_done(folder, tmp_path, monkeypatch, capsys):
    from catalase.models.auto import members

    def stopped(training, X, said):
        raise KeyboardInterrupt

    monkeypatch.setitem(members.KINDS, "net", members.Kind(members.KINDS["ridge"].view, members.KINDS["ridge"].fit))
    monkeypatch.setitem(members.KINDS, "Gaussian process", members.Kind(members.KINDS["ridge"].view, stopped))
    out = tmp_path / "model"
    assert (
        main(["train", str(folder / "export.txt"), "--task", "pAct", "--splitter", "random", "--out", str(out)]) == 130
    )
    assert f"the members that were done, net, are saved in {out}" in capsys.readouterr().err
    assert json.loads((out / "metrics.json").read_text())["plan"]["cut short"] == "Ctrl-C"
    assert ct.models.load(out).predict(["CCO"]).shape == (1, 1)


def test_a_setting_of_a_net_means_a_net_and_is_refused_beside_another_model(folder, tmp_path, capsys):
    table, out = str(folder / "export.txt"), tmp_path / "net"
    assert main(["train", table, "--task", "pAct", "--layer", "4", "--epochs", "1", "--splitter", "random", "--out", str(out)]) == 0  # fmt: skip
    assert type(ct.models.load(out)).__name__ == "MultitaskRegressor"
    assert main(["train", table, "--task", "pAct", "--model", "gp", "--layer", "4", "--out", str(tmp_path / "gp")]) == 1
    assert "--layer is a setting of a net; leave it out, or give --model dense" in capsys.readouterr().err
    assert (
        main(["train", table, "--task", "pAct", "--model", "graph", "--scramble", "2", "--out", str(tmp_path / "g")])
        == 1
    )
    assert "--scramble is not for a single net; leave it out, or give --model auto" in capsys.readouterr().err
    assert main(["predict", str(out), table, "-o", str(tmp_path / "p.csv"), "--coverage", "0.5"]) == 1
    assert "--coverage is for models with intervals" in capsys.readouterr().err


def test_a_file_of_yours_beside_the_model_is_never_replaced(folder, tmp_path, capsys):
    out = tmp_path / "model"
    out.mkdir()
    (out / "report.html").write_text("mine")
    table = str(folder / "export.txt")
    assert main(["train", table, "--task", "pAct", "--model", "ridge", "--out", str(out)]) == 1
    assert (out / "report.html").read_text() == "mine" and not (out / "config.json").exists()
    assert "exists and is not empty" in capsys.readouterr().err


def test_a_table_that_leaves_nothing_to_learn_from_is_refused_in_a_sentence(tmp_path, capsys):
    table = tmp_path / "tiny.csv"
    table.write_text("smiles,y\nCCO,1\nCCC,2\n")
    assert main(["train", str(table), "--task", "y", "--out", str(tmp_path / "m")]) == 1
    error = capsys.readouterr().err
    assert "leaves none of 2 molecules to learn from" in error and "--splitter random" in error
    assert main(["train", str(table), "--task", "y", "--splitter", "random", "--out", str(tmp_path / "m")]) == 1
    assert "y has 1 labels; 10 or more are needed" in capsys.readouterr().err
