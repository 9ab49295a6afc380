"""The model card: data, training, scores, uncertainty, domain, use, versions; as sections, and as Markdown."""

from __future__ import annotations

import html
import re
from typing import Any, NamedTuple

from .caveats import caveats_of
from .outcome import Outcome
from .scores import has_intervals
from .statements import statements_of, title_of
from .words import counted, figure, joined, percent

FIRST_LINE = "<!-- catalase model card -->"


class Section(NamedTuple):
    """A heading and its lines."""

    heading: str
    lines: list[str]


def sections_of(outcome: Outcome) -> list[Section]:
    """Return the sections of the model card, in plain text."""
    caveats = caveats_of(outcome)
    return [
        Section("Model", _model(outcome)),
        Section("Data", _data(outcome)),
        Section("Scores on the test part", statements_of(outcome)),
        Section("Warnings", caveats or ["None was found."]),
        Section("Uncertainty and domain", _uncertainty(outcome)),
        Section("Intended use", _use(outcome)),
        Section("Training", [f"{name}: {_text(value)}" for name, value in outcome.plan.items()]),
        Section("Versions", [f"{name}: {_text(value)}" for name, value in outcome.versions.items()]),
    ]


def card_of(outcome: Outcome) -> str:
    """Return the model card as Markdown; texts of the table are escaped."""
    parts = [FIRST_LINE, f"# Model card: {_escaped(title_of(outcome))}"]
    for section in sections_of(outcome):
        if section.lines:
            parts.append(f"## {section.heading}")
            parts.append("\n".join(f"- {_escaped(line)}" for line in section.lines))
    return "\n\n".join(parts) + "\n"


def _model(outcome: Outcome) -> list[str]:
    members = outcome.metrics.get("members", {})
    kept = [name for name, entry in members.items() if entry.get("kept", True)]
    lines = [f"Predicts {joined(outcome.tasks)} from SMILES ({outcome.mode})."]
    if outcome.mode == "classification":
        lines.append("A prediction is the probability of class 1.")
    if outcome.units:
        lines.append(f"Units of the predictions: {outcome.units}.")
    if outcome.transform:
        lines.append(f"The labels of the table were transformed before the training: {outcome.transform}.")
    if kept:
        mean = (
            f"the mean of {counted(len(kept), 'member')}: {joined(kept, 12)}" if len(kept) > 1 else f"that of {kept[0]}"
        )
        lines.append(f"Its prediction is {mean}.")
    dropped = [name for name in members if name not in kept]
    if dropped:
        lines.append(f"Left out because their error out of fold was too large: {joined(dropped, 12)}.")
    return lines


def _data(outcome: Outcome) -> list[str]:
    train, test = (len(outcome.rows_of(part)) for part in ("train", "test"))
    folds = len(set(outcome.folds[outcome.parts == "train"].tolist()))
    lines = [f"Source: {outcome.source}."] if outcome.source else []
    lines.append(
        f"{counted(train, 'molecule')} to train, in {counted(folds, 'fold')}; {counted(test, 'molecule')} to test. "
        "split.csv says which row is where."
    )
    return lines + outcome.table


def _uncertainty(outcome: Outcome) -> list[str]:
    lines = []
    if outcome.mode == "regression" and has_intervals(outcome):
        lines.append(
            "The ends low and high of an interval are calibrated on predictions out of fold, so that "
            f"{percent(outcome.coverage)} of molecules like those of the training part lie inside. They promise less for "
            "molecules of another kind."
        )
    lines.append(
        "A molecule is in the domain if its Tanimoto similarity to the nearest training molecule is at least "
        f"{figure(outcome.domain_threshold)}: 95% of the training molecules are as near to one of another fold."
    )
    return lines


def _use(outcome: Outcome) -> list[str]:
    return [
        "To rank and choose molecules that resemble those of the table, with "
        f"{'the interval and ' if has_intervals(outcome) else ''}the domain of each prediction in view.",
        "Not in place of a measurement where people's safety depends on the answer, nor outside its domain.",
        "Scores hold for molecules that relate to the training molecules as the test part does.",
    ]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_text(entry)}" for name, entry in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _escaped(text: str) -> str:
    """Return a text in which Markdown and HTML see no signs of theirs, on one line."""
    return re.sub(r"([\\`*_\[\]#|~])", r"\\\1", html.escape(re.sub(r"\s+", " ", text), quote=False))
