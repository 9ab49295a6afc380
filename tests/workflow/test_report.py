"""Tests of the report: what it says, that nothing of a table becomes HTML, and that a browser shows it and sorts its tables."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from catalase._internal.markup import Markup, element
from catalase.workflow import caveats_of, statements_of
from catalase.workflow.markup import Number, table
from catalase.workflow.report import report_of
from tests.workflow.outcomes import outcome


def browser():
    """The Chromium of this machine, if there is one that starts."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path and subprocess.run([path, "--version"], capture_output=True, timeout=60).returncode == 0:
            return path
    return None


BROWSER = browser()
HOSTILE = '"><script>document.title="taken"</script><img src=x onerror=alert(1)>&amp;$x^2$'


class Page(HTMLParser):
    """The elements, attributes and text of a page; fails where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def test_it_says_what_the_model_is_worth_with_warnings_on_top():
    made = outcome(warnings=["The clock cut the training short."])
    page = Page(report_of(made))
    for sentence in (*statements_of(made), *caveats_of(made), *made.table):
        assert sentence in page.text
    assert page.text.index("The clock cut") < page.text.index("What the model is worth")
    for heading in (
        "The table",
        "Scores",
        "Members and baselines",
        "Plots",
        "The 10 test molecules with the largest errors",
        "Test predictions",
        "Model card",
    ):
        assert heading in page.text, heading
    assert f"{made.metrics['test']['rmse']:.3f}" in page.text


@pytest.mark.parametrize(
    "mode, tasks", [("regression", 1), ("regression", 2), ("classification", 1), ("classification", 2)]
)
def test_it_asks_for_nothing_from_outside(mode, tasks):
    text = report_of(outcome(mode, tasks))
    page = Page(text)
    for name, value in page.attributes:
        assert name not in ("href", "srcset", "action") and not name.startswith("on")
        assert name != "src" or value.startswith("data:image/svg+xml;base64,")
    assert not re.search(r"https?://|url\(|@import", text)
    (policy,) = (value for name, value in page.attributes if name == "content" and "default-src" in value)
    script = text[text.index("<script>") + 8 : text.index("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; img-src data:;") and f"script-src 'sha256-{digest}'" in policy


def test_it_has_the_plots_of_its_mode():
    pytest.importorskip("matplotlib")

    def drawn(made):
        attributes = Page(report_of(made)).attributes
        return [
            value
            for name, value in attributes
            if name == "alt" and re.match("Predicted|ROC|Calibration|Learning", value)
        ]

    assert drawn(outcome()) == ["Predicted against measured activity of test molecules", "Learning curve of net"]
    assert drawn(outcome("classification", 2, histories={})) == [
        "ROC curve of activity on the test part", "Calibration of activity on the test part",
        "ROC curve of activity again on the test part", "Calibration of activity again on the test part",
    ]  # fmt: skip


def test_without_matplotlib_it_is_written_without_plots_and_names_the_extra(monkeypatch):
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    page = Page(report_of(outcome()))
    assert 'Matplotlib is not installed, so no plots are drawn (pip install "catalase[plot]" brings it).' in page.text
    assert "Test predictions" in page.text


def test_the_worst_test_molecules_are_those_with_the_largest_errors():
    made = outcome()
    predicted = made.predicted.copy()
    test = made.rows_of("test")[~np.isnan(made.measured[made.parts == "test", 0])]
    predicted[test[7]] += 50
    train = made.rows_of("train")[0]
    predicted[train] += 500  # no test molecule
    text = report_of(dataclasses.replace(made, predicted=predicted))
    cards = text[text.index("with the largest errors") : text.index("Test predictions</h2>")]
    assert cards.count('class="molecule"') == 10 and cards.count("data:image/svg+xml") == 10
    assert (
        Page("<div>" + cards.split('class="molecule">')[1].rpartition("</div>")[0] + "</div>").text.count(
            f"row {made.rows[test[7]]};"
        )
        == 1
    )


def test_nothing_of_a_table_becomes_html():
    made = outcome("regression", 2)
    worst = int(
        made.rows_of("test")[np.argmax(np.nan_to_num(np.abs(made.measured - made.predicted)[made.parts == "test", 0]))]
    )
    smiles = [HOSTILE if row == worst else text for row, text in enumerate(made.smiles)]
    hostile = dataclasses.replace(
        made, source=HOSTILE, tasks=[HOSTILE, "b"], smiles=smiles, warnings=[HOSTILE], table=[HOSTILE], units=HOSTILE, transform=HOSTILE,
        plan={HOSTILE: HOSTILE}, versions={HOSTILE: [HOSTILE]}, histories={HOSTILE: {"loss": [1.0, 0.5]}},
        metrics={**made.metrics, "per_task": {HOSTILE: made.metrics["per_task"]["activity"]}, "members": {HOSTILE: made.metrics["members"]["gp"]}, "baselines": {HOSTILE: made.metrics["baselines"]["ridge"]}},
    )  # fmt: skip
    text = report_of(hostile)
    page, plain = Page(text), Page(report_of(made))
    assert text.count("<script") == 1 and HOSTILE not in text and HOSTILE in page.text
    assert set(page.tags) == set(plain.tags) and not any(name.startswith("on") for name, _ in page.attributes)


def test_names_that_matplotlib_takes_for_formulas_or_has_no_letters_for_are_drawn_without_a_word(recwarn):
    for name in ("$x^2", "試料 (µM)", "a" * 500, r"\frac{1}", "$$", "%"):
        made = outcome()
        text = report_of(dataclasses.replace(made, tasks=[name], units=name, histories={name: {"loss": [1.0, 0.5]}}))
        assert name in Page(text).text
    assert not recwarn.list


def test_long_tables_are_cut_with_a_word_and_unreadable_molecules_are_not_drawn():
    made = outcome()
    n = 1500
    many = {
        name: np.repeat(getattr(made, name)[:1], n, axis=0)
        for name in ("folds", "predicted", "std", "low", "high", "nearest_similarity", "in_domain")
    }
    rows = np.arange(n)
    text = report_of(
        dataclasses.replace(
            made, smiles=["C1CC"] * n, rows=rows, parts=["test"] * n, measured=rows[:, None] * 1.0, histories={}, **many
        )
    )
    page = Page(text)
    assert (
        "The first 1,000 of 1,500; test_predictions.csv has all." in page.text and page.text.count("(not drawn)") == 10
    )
    assert len(text) < 2_000_000


def test_a_part_without_labels_gives_a_report_all_the_same():
    made = outcome()
    empty = made.measured * np.nan
    assert (
        "no labels on which the model could be scored"
        in Page(report_of(dataclasses.replace(made, measured=empty, metrics={}))).text
    )
    assert (
        "Model card"
        in Page(report_of(dataclasses.replace(made, predicted=empty, low=empty, high=empty, metrics={}))).text
    )
    alone = dataclasses.replace(made, parts=["train"] * 240, metrics={}, histories={})
    assert "Test predictions" not in Page(report_of(alone)).text


def test_elements_escape_texts_and_attributes_and_take_markup_as_it_is():
    assert (
        element("td", "<b>", Markup("<i></i>"), ["&"], title='"<')
        == '<td title="&quot;&lt;">&lt;b&gt;<i></i>&amp;</td>'
    )
    cells = table(["a<"], [[Number(float("nan"), "–")], [Number(0.5, "0.5")], ["x"]])
    assert "a&lt;" in cells and 'data-value=""' in cells and 'data-value="0.5"' in cells


def browse(path, *options):
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={path.parent / 'profile'}",
    ]
    done = subprocess.run([*command, *options, path.as_uri()], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")
def test_a_browser_shows_it_and_refuses_nothing(tmp_path):
    file = tmp_path / "report.html"
    file.write_text(report_of(outcome(warnings=[HOSTILE])), encoding="utf-8")
    done = browse(file, "--enable-logging=stderr", "--window-size=1100,2400", f"--screenshot={tmp_path / 'shot.png'}")
    assert b"Content Security Policy" not in done.stderr and b"CONSOLE" not in done.stderr
    picture = pytest.importorskip("matplotlib.image").imread(tmp_path / "shot.png")
    assert picture.shape[:2] == (2400, 1100)
    lines = np.abs(picture[:, :, :3] - picture[:, :1, :3]).sum(axis=(1, 2)) > 1  # of pixels that are not all paper
    assert lines[100:2300].mean() > 0.9
    shown = browse(file, "--dump-dom").stdout.decode()
    assert "<title>activity from table.csv</title>" in shown and "&lt;script&gt;" in shown


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")
def test_a_click_on_a_heading_sorts_the_table_by_value_and_another_turns_it(tmp_path):
    made = outcome()
    text = report_of(made).replace("'sha256-", "'unsafe-inline' 'not-")  # so that the test's own script may run
    click = "<script>for (let i = 0; i < CLICKS; i++) [...document.querySelectorAll('th button')].filter((b) => b.textContent === 'predicted')[0].click();</script>"
    orders = []
    for clicks in (1, 2):
        file = tmp_path / "sorted.html"
        file.write_text(text.replace("</body>", click.replace("CLICKS", str(clicks)) + "</body>"), encoding="utf-8")
        shown = browse(file, "--dump-dom").stdout.decode()
        part = shown[shown.index("Test predictions</h2>") : shown.index("Model card</h2>")]
        assert 'aria-sort="' in part
        cells = [re.findall(r'data-value="([^"]*)"', row) for row in part.split("<tr>")[2:]]
        orders.append([float(row[2]) for row in cells])
    assert len(orders[0]) == 60 and orders[0] == sorted(orders[0]) and orders[1] == sorted(orders[0], reverse=True)
