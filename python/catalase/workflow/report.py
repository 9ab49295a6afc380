"""The report: one HTML file with everything inside, which asks for nothing from outside.

Its policy (Content-Security-Policy) lets a browser load nothing, and run no script but the one that sorts tables, whose
digest it names. All texts go through `markup.element`, which escapes them.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterator
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.markup import Markup, element
from ..chem.drawing import molecule_svg
from .card import sections_of
from .caveats import caveats_of
from .markup import Number, table
from .outcome import Outcome
from .scores import SCORES, Score, best_baseline, headline, intervals_held
from .statements import statements_of, title_of
from .words import counted, figure, percent

FIRST_LINES = "<!DOCTYPE html>\n<!-- catalase report -->\n"
_WORST = 10
_SHOWN_ROWS = 1_000  # of the table of test predictions
_PLOTTED_TASKS = 6  # that have plots of their own
_SHOWN_SMILES = 300  # characters


def report_of(outcome: Outcome) -> str:
    """Return the report as HTML."""
    script = _packaged("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    body = "\n".join(part for part in _body(outcome) if part)
    return Template(_packaged("report.html")).substitute(
        title=html.escape(title_of(outcome)), script_hash=f"sha256-{digest}", script=script, body=body
    )


def _packaged(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _body(outcome: Outcome) -> Iterator[Markup]:
    train, test = (len(outcome.rows_of(part)) for part in ("train", "test"))
    yield element("h1", title_of(outcome))
    yield element(
        "p",
        f"{outcome.mode}; {counted(train, 'molecule')} to train, {counted(test, 'molecule')} to test",
        class_="soft",
    )
    caveats = caveats_of(outcome)
    if caveats:
        yield element("div", element("h2", "Warnings"), _list(caveats), class_="warnings", role="note")
    yield element("div", list(_tiles(outcome)), class_="tiles")
    yield _card("What the model is worth", [element("p", text) for text in statements_of(outcome)])
    if outcome.table:
        yield _card("The table", _list(outcome.table))
    yield _card("Scores", _score_tables(outcome))
    yield _plots(outcome)
    yield _worst(outcome)
    yield _predictions(outcome)
    card = [[element("h3", s.heading), _list(s.lines)] for s in sections_of(outcome) if s.lines]
    yield _card("Model card", card)


def _card(heading: str, *content: Any) -> Markup:
    return element("section", element("h2", heading), content, class_="card")


def _list(lines: list[str]) -> Markup:
    return element("ul", [element("li", line) for line in lines])


def _tiles(outcome: Outcome) -> Iterator[Markup]:
    def tile(name: str, value: str, note: str) -> Markup:
        inner = [element("div", text, class_=kind) for text, kind in ((name, "name"), (value, "value"), (note, "soft"))]
        return element("div", inner, class_="tile")

    def shown(key: str) -> str:
        return SCORES[outcome.mode][key].text(test.get(key))

    key, test = headline(outcome.mode), outcome.metrics.get("test", {})
    score = SCORES[outcome.mode][key]
    several = len(outcome.tasks) > 1
    interval = (
        outcome.metrics.get("per_task", {}).get(outcome.tasks[0], {}).get("test", {}).get("intervals", {}).get(key)
    )
    note = f"mean of {counted(len(outcome.tasks), 'task')}" if several else (
        f"{score.text(interval[0])} to {score.text(interval[1])} (95%)" if interval else ""
    )  # fmt: skip
    yield tile(f"{score.label} on the test part", shown(key), note)
    if outcome.mode == "regression":
        yield tile("R2", shown("r2"), f"Spearman {shown('spearman')}")
    else:
        yield tile("average precision", shown("average_precision"), f"Brier {shown('brier')}")
    best = best_baseline(outcome)
    if best:
        yield tile("best simple model", score.text(best[1]), f"{best[0]}, {score.label}")
    fared = [held for held in (intervals_held(outcome, t) for t in range(len(outcome.tasks))) if held.labels]
    if fared:
        share = sum(held.inside for held in fared) / sum(held.labels for held in fared)
        width = "" if several else f", {figure(fared[0].width)} wide"
        yield tile(f"{percent(outcome.coverage)} intervals hold", percent(share), f"of test labels{width}")
    rows = outcome.rows_of("test")
    if len(rows):
        note = f"of test molecules, similarity {figure(outcome.domain_threshold)} or more"
        yield tile("in the domain", percent(float(outcome.in_domain[rows].mean())), note)


def _score_tables(outcome: Outcome) -> Iterator[Markup]:
    names = SCORES[outcome.mode]
    part_words = (("test", "test"), ("validation", "out of fold"))
    rows = []
    for task in outcome.tasks:
        for part, word in part_words:
            entry = outcome.metrics.get("per_task", {}).get(task, {}).get(part, {})
            cells: list[Any] = [task, word, Number.of(entry.get("labels"))._replace(text=f"{entry.get('labels', 0):,}")]
            for key in names:
                ends = entry.get("intervals", {}).get(key)
                cell = Number.of(entry.get(key))
                cells.append(
                    cell._replace(text=f"{cell.text} ({figure(ends[0])} to {figure(ends[1])})") if ends else cell
                )
            rows.append(cells)
    yield element("p", "In brackets: 95% interval by bootstrap over the rows of the part.", class_="soft")
    yield table(["task", "part", "labels", *(score.label for score in names.values())], rows)
    shown = [("the model", "model", outcome.metrics)]
    for group, word in (("members", "member"), ("baselines", "baseline")):
        for name, entry in outcome.metrics.get(group, {}).items():
            left_out = group == "members" and not entry.get("kept", True)
            shown.append((name, f"{word}, left out" if left_out else word, entry))
    if len(shown) > 1:
        yield element("h3", "Members and baselines")
        compared = list(names)[:3]
        columns = [(key, part, word) for key in compared for part, word in part_words]
        lines = [
            [name, kind, *(_score_cell(names[key], entry.get(part, {}).get(key)) for key, part, _ in columns)]
            for name, kind, entry in shown
        ]
        yield table(["name", "kind", *(f"{names[key].label}, {word}" for key, _, word in columns)], lines)


def _score_cell(score: Score, value: Any) -> Number:
    return Number.of(value)._replace(text=score.text(value))


def _plots(outcome: Outcome) -> Markup:
    from ..plot.figure import matplotlib_missing

    missing = matplotlib_missing()
    if missing:
        return _card("Plots", element("p", missing[0].upper() + missing[1:] + "."))
    pictures = [*_score_plots(outcome), *_curves(outcome)]
    if not pictures:
        return Markup("")
    left = len(outcome.tasks) - _PLOTTED_TASKS
    note = f"Plots of the first {_PLOTTED_TASKS} tasks; test_predictions.csv has the others." if left > 0 else ""
    return _card("Plots", element("p", note, class_="soft") if note else "", element("div", pictures, class_="grid"))


def _picture(ax: Any, text: str) -> Markup:
    from ..plot.figure import as_svg

    return element("figure", element("img", src=_data_address(as_svg(ax)), alt=text), class_="figure")


def _data_address(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


def _score_plots(outcome: Outcome) -> Iterator[Markup]:
    from .. import plot
    from ..plot.figure import new_axes

    for t, task in enumerate(outcome.tasks[:_PLOTTED_TASKS]):
        rows = outcome.known(t, "test") & np.isfinite(outcome.predicted[:, t])
        if not rows.any():
            continue
        title = _plain(task)
        y, predicted = outcome.measured[rows, t], outcome.predicted[rows, t]
        if outcome.mode == "regression":
            low, high = outcome.low[rows, t], outcome.high[rows, t]
            ends = {} if np.isnan(low).any() or np.isnan(high).any() else {"low": low, "high": high}
            similarity = outcome.nearest_similarity[rows]
            color = {} if np.isnan(similarity).any() else {"color": similarity, "color_label": "nearest similarity"}
            ax = plot.parity(y, predicted, **ends, **color, ax=new_axes(5.2, 4.4))
            units = f" ({_plain(outcome.units)})" if outcome.units else ""
            ax.set(title=title, xlabel=f"measured{units}", ylabel=f"predicted{units}")
            yield _picture(ax, f"Predicted against measured {task} of test molecules")
            continue
        if y.min() != y.max():
            ax = plot.roc(y, predicted, ax=new_axes(4.6, 4.4))
            ax.set_title(title)
            yield _picture(ax, f"ROC curve of {task} on the test part")
        ax = plot.calibration(y, np.clip(predicted, 0, 1), ax=new_axes(4.6, 4.4))
        ax.set_title(f"{title}: calibration")
        yield _picture(ax, f"Calibration of {task} on the test part")


def _curves(outcome: Outcome) -> Iterator[Markup]:
    """One picture for members that differ in a number at the end of their names, such as "net 1" and "net 2"."""
    from .. import plot
    from ..plot.figure import new_axes

    groups: dict[str, list[Any]] = {}
    for member, history in outcome.histories.items():
        loss = np.asarray(history.get("loss", ()), dtype=np.float64)
        if np.isfinite(loss).any():
            valid = np.asarray(history.get("valid_loss", ()), dtype=np.float64)
            curves = (loss, valid if len(valid) == len(loss) and np.isfinite(valid).any() else None)
            groups.setdefault(re.sub(r"[\s_-]*\d+$", "", member) or member, []).append(curves)
    for name, members in groups.items():
        ax = new_axes(5.2, 3.8)
        for loss, valid in members:
            best = None if valid is None else int(np.nanargmin(valid)) + 1
            plot.learning_curve(loss, valid, best_epoch=best, ax=ax)
        ax.set_title(_plain(name if len(members) == 1 else f"{name}, {len(members)} members"))
        yield _picture(ax, f"Learning curve of {name}")


def _plain(text: str) -> str:
    """Return a text that matplotlib draws as it is: no formula between dollar signs, and not longer than a title."""
    text = text if len(text) <= 60 else text[:57] + "..."
    return text.replace("$", r"\$")


def _errors(outcome: Outcome) -> NDArray[np.float64]:
    """Return the errors of test predictions (N, T), -inf where there is none; with several tasks in deviations of each."""
    found = np.full(outcome.measured.shape, -np.inf)
    for t in range(len(outcome.tasks)):
        rows = outcome.known(t, "test")
        error = np.abs(outcome.predicted[rows, t] - outcome.measured[rows, t])
        deviation = outcome.measured[rows, t].std() if rows.any() else 0.0
        scale = deviation if len(outcome.tasks) > 1 and outcome.mode == "regression" and deviation > 0 else 1.0
        found[rows, t] = error / scale
    return found


def worst_predictions(outcome: Outcome) -> list[tuple[int, int]]:
    """Return the places of the test predictions that the report draws, each with its task: those with the largest errors."""
    errors = _errors(outcome)
    order = np.argsort(-errors, axis=None, kind="stable")[:_WORST]
    return [divmod(int(place), len(outcome.tasks)) for place in order if np.isfinite(errors.flat[place])]


def _worst(outcome: Outcome) -> Markup:
    chosen = worst_predictions(outcome)
    if not chosen:
        return Markup("")
    cards = [_molecule(outcome, row, task) for row, task in chosen]
    heading = f"The {counted(len(cards), 'test molecule')} with the largest errors"
    coloured = any(outcome.contributions.values())
    note = "Atoms that raise the prediction are red, those that lower it blue." if coloured else ""
    text = element("p", note, class_="soft") if note else ""
    return _card(heading, text, element("div", cards, class_="molecules"))


def _molecule(outcome: Outcome, row: int, task: int) -> Markup:
    smiles = outcome.smiles[row]
    svg = molecule_svg(smiles, contributions=outcome.contributions.get(outcome.tasks[task], {}).get(row))
    text = smiles if len(smiles) <= _SHOWN_SMILES else smiles[: _SHOWN_SMILES - 3] + "..."
    picture = (
        element("p", "(not drawn)", class_="soft") if svg is None else element("img", src=_data_address(svg), alt=text)
    )
    low, high = outcome.low[row, task], outcome.high[row, task]
    name = f"{outcome.tasks[task]}: " if len(outcome.tasks) > 1 else ""
    lines = [
        element("div", f"{name}measured {_label(outcome, row, task).text}"),
        element("div", f"predicted {figure(outcome.predicted[row, task])}", class_="off"),
        element("div", "" if np.isnan(low) or np.isnan(high) else f"interval {figure(low)} to {figure(high)}"),
        element(
            "div",
            f"row {outcome.rows[row]:,}; similarity {figure(outcome.nearest_similarity[row])} ",
            _tag(outcome, row),
        ),
        element("div", text, class_="smiles", title=text),
    ]
    return element("div", picture, lines, class_="molecule")


def _label(outcome: Outcome, row: int, task: int) -> Number:
    """Return a measured label, a class as a whole number."""
    cell = Number.of(outcome.measured[row, task])
    whole = outcome.mode == "classification" and not np.isnan(cell.value)
    return cell._replace(text=f"{cell.value:.0f}") if whole else cell


def _tag(outcome: Outcome, row: int) -> Markup:
    inside = bool(outcome.in_domain[row])
    return element("span", "in domain" if inside else "outside", class_="tag" if inside else "tag out")


def _predictions(outcome: Outcome) -> Markup:
    cells = [
        (row, task) for row in outcome.rows_of("test").tolist() for task in range(len(outcome.tasks))
        if not np.isnan(outcome.predicted[row, task])
    ]  # fmt: skip
    if not cells:
        return Markup("")
    rows = []
    for row, task in cells[:_SHOWN_ROWS]:
        smiles = outcome.smiles[row]
        rows.append([
            Number(float(outcome.rows[row]), f"{outcome.rows[row]:,}"),
            smiles if len(smiles) <= _SHOWN_SMILES else smiles[: _SHOWN_SMILES - 3] + "...",
            *([outcome.tasks[task]] if len(outcome.tasks) > 1 else []),
            _label(outcome, row, task),
            *(Number.of(values[row, task]) for values in (outcome.predicted, outcome.low, outcome.high)),
            Number.of(outcome.nearest_similarity[row]),
            _tag(outcome, row),
        ])  # fmt: skip
    note = (
        ""
        if len(cells) <= _SHOWN_ROWS
        else f"The first {_SHOWN_ROWS:,} of {len(cells):,}; test_predictions.csv has all."
    )
    columns = ["row", "SMILES", *(["task"] if len(outcome.tasks) > 1 else []), "measured", "predicted", "low", "high"]
    return _card(
        "Test predictions",
        element("p", note, class_="soft") if note else "",
        table([*columns, "similarity", "domain"], rows),
    )
