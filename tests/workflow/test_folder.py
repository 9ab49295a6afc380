"""Tests of `workflow.write_folder`: what is in each file, and what a run never does to files of others."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import signal
import threading
import time

import numpy as np
import pytest

import catalase as ct
from catalase._internal.storage import writing
from catalase._internal.storage.outputs import check_outputs
from catalase.workflow import caveats_of, folder, outputs, write_folder
from tests.workflow.outcomes import outcome

NAMES = ["metrics.json", "test_predictions.csv", "split.csv", "model_card.md", "report.html"]


@pytest.fixture
def short(monkeypatch):
    """Reports that take no time."""
    monkeypatch.setattr(folder, "report_of", lambda made: folder.FIRST_LINES + made.source)


def model(path):
    data = ct.data.NumpyDataset(np.eye(4, dtype=np.float32), np.arange(4.0))
    fitted = ct.models.RidgeRegression(1, 4)
    fitted.fit(data)
    fitted.save(path)
    return fitted


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_files_stand_beside_a_model_that_stays_as_it_was(tmp_path):
    fitted = model(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert [path.name for path in write_folder(tmp_path, outcome())] == NAMES
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*before, *NAMES])
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert np.array_equal(ct.models.load(tmp_path).predict(np.eye(4)), fitted.predict(np.eye(4)))
    fitted.save(tmp_path)  # and the model may be saved again beside them
    assert all((tmp_path / name).exists() for name in NAMES)


def test_metrics_have_the_scores_of_every_part_member_and_baseline_as_plain_json(tmp_path, short):
    made = outcome("classification", 2)
    write_folder(tmp_path, made)
    found = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=pytest.fail)
    assert found["test"]["roc_auc"] == made.metrics["test"]["roc_auc"]
    assert {"test", "validation", "members", "baselines", "per_task"} <= set(found)
    assert found["members"]["gp"]["kept"] is True and found["members"]["linear"]["kept"] is False
    assert found["warnings"] == caveats_of(made) and found["plan"]["cut short"] is False
    assert len(found["per_task"]["activity"]["test"]["intervals"]["roc_auc"]) == 2
    assert found["intervals"]["per_task"]["activity"]["share"] is None  # nan


def test_test_predictions_have_the_text_of_the_table_and_every_digit(tmp_path, short):
    made = outcome(tasks=2)
    smiles = list(made.smiles)
    first = made.rows_of("test")[0]
    smiles[first] = 'C,"\udce9\n<b>'
    made = dataclasses.replace(made, smiles=smiles)
    write_folder(tmp_path, made)
    with open(tmp_path / "test_predictions.csv", encoding="utf-8", errors="surrogateescape", newline="") as file:
        found = list(csv.DictReader(file))
    test = made.rows_of("test")
    assert list(found[0]) == [
        "smiles",
        "task",
        "measured",
        "predicted",
        "std",
        "low",
        "high",
        "nearest_similarity",
        "in_domain",
    ]
    assert [line["smiles"] for line in found] == [smiles[row] for row in test for _ in range(2)]
    for i, line in enumerate(found):
        row, task = test[i // 2], i % 2
        assert line["task"] == made.tasks[task] and line["in_domain"] == ("yes" if made.in_domain[row] else "no")
        for name in ("measured", "predicted", "std", "low", "high"):
            value = getattr(made, name)[row, task]
            assert line[name] == ("" if np.isnan(value) else repr(float(value)))


def test_the_split_has_every_row_with_its_part_and_fold(tmp_path, short):
    made = outcome()
    write_folder(tmp_path, made)
    found = rows(tmp_path / "split.csv")
    assert [(int(line["row"]), line["part"], int(line["fold"])) for line in found] == list(
        zip(made.rows, made.parts, made.folds, strict=True)
    )


def test_the_model_card_tells_data_scores_domain_use_and_versions_and_escapes_them(tmp_path, short):
    left_out = {"forest": "no scikit-learn", "graph net": "few rows"}
    made = outcome(
        source="<script>alert(1)</script> [x](http://x) `y` *z*.csv", plan={"left out": left_out, "seeds": []}
    )
    write_folder(tmp_path, made)
    text = (tmp_path / "model_card.md").read_text()
    for heading in (
        "Model",
        "Data",
        "Scores on the test part",
        "Warnings",
        "Uncertainty and domain",
        "Intended use",
        "Training",
        "Versions",
    ):
        assert f"\n## {heading}\n" in text
    assert r"&lt;script&gt;alert(1)&lt;/script&gt; \[x\](http://x) \`y\` \*z\*" in text and "<script" not in text
    assert "None was found." in text and f"catalase: {ct.__version__}" in text and "Left out because" in text
    assert "- left out: forest: no scikit-learn; graph net: few rows\n- seeds: none\n" in text


def test_equal_outcomes_give_equal_bytes(tmp_path):
    pytest.importorskip("matplotlib")
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        contents.append([path.read_bytes() for path in write_folder(tmp_path / name, outcome())])
    assert contents[0] == contents[1]


def test_files_of_an_earlier_training_are_replaced_and_those_of_others_are_not(tmp_path, short):
    write_folder(tmp_path, outcome(source="first"))
    write_folder(tmp_path, outcome(source="second"))
    assert json.loads((tmp_path / "metrics.json").read_text())["source"] == "second"
    for name in NAMES:
        other = tmp_path / name
        mine, before = other.read_bytes(), {p: p.read_bytes() for p in tmp_path.iterdir() if p != other}
        other.write_bytes(b"mine")
        with pytest.raises(
            ValueError, match=rf"^write_folder: .*{name} exists; choose another --out, or add force=True"
        ):
            write_folder(tmp_path, outcome(source="third"))
        assert other.read_bytes() == b"mine" and {p: p.read_bytes() for p in before} == before
        with pytest.raises(ValueError, match=f"^train: .*{name} exists; choose another --out, or add --force"):
            check_outputs("train", {}, outputs(tmp_path))
        other.write_bytes(mine)
    (tmp_path / "split.csv").write_bytes(b"mine")
    write_folder(tmp_path, outcome(source="third"), force=True)
    assert (tmp_path / "split.csv").read_bytes().startswith(b"row,part,fold\n")


def test_a_folder_that_does_not_exist_has_no_files_to_check_and_is_not_made(tmp_path, short):
    assert outputs(tmp_path / "new") == []
    with pytest.raises(OSError, match=r"write_folder: could not open the folder .*new: No such file"):
        write_folder(tmp_path / "new", outcome())
    assert not (tmp_path / "new").exists()


def test_two_writers_wait_for_each_other(tmp_path, short):
    write_folder(tmp_path, outcome(source="before"))
    done = threading.Thread(target=write_folder, args=(tmp_path, outcome(source="after")))
    with writing("test", tmp_path):
        done.start()
        time.sleep(0.3)
        assert json.loads((tmp_path / "metrics.json").read_text())["source"] == "before" and done.is_alive()
    done.join(20)
    assert json.loads((tmp_path / "metrics.json").read_text())["source"] == "after"


@pytest.mark.parametrize("seconds", [0.05, 0.11, 0.18])
def test_a_killed_run_leaves_whole_files(tmp_path, short, seconds):
    versions = [outcome(source="x" * 10), outcome(source="y" * 100_000)]
    whole: list[list[bytes]] = [[path.read_bytes() for path in write_folder(tmp_path, made)] for made in versions]
    child = os.fork()
    if not child:
        try:
            while True:
                for made in versions:
                    write_folder(tmp_path, made)
        finally:
            os._exit(1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for i, name in enumerate(NAMES):
        assert (tmp_path / name).read_bytes() in (whole[0][i], whole[1][i]), name
    write_folder(tmp_path, versions[0])  # the lock is free again
