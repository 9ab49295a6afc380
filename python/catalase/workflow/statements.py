"""What a model is worth, in plain sentences."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

import numpy as np

from .outcome import Outcome, outcome_of
from .scores import SCORES, best_baseline, headline, intervals_held
from .words import counted, figure, joined, percent

_COMPARED = 5  # molecules on each side, from which errors inside and outside the domain are compared


def statements_of(outcome: Outcome) -> list[str]:
    """Return what a model is worth on its test part: its error, beside the baselines, its intervals and its domain.

    Parameters
    ----------
    outcome : Outcome

    Returns
    -------
    list of str
        One sentence or two each.
    """
    outcome_of("statements_of", outcome)
    return [*_score(outcome), *_beside_baselines(outcome), *_intervals(outcome), *_chances(outcome), *_domain(outcome)]


def _score(outcome: Outcome) -> Iterator[str]:
    test, key = outcome.metrics.get("test", {}), headline(outcome.mode)
    value, labels = test.get(key, math.nan), test.get("labels", 0)
    if math.isnan(value):
        yield "The test part has no labels on which the model could be scored."
        return
    score = SCORES[outcome.mode][key]
    molecules = counted(len(outcome.rows_of("test")), "test molecule")
    start = f"On {molecules}, which took no part in the training or in any choice,"
    if len(outcome.tasks) > 1:
        each = {t: outcome.metrics["per_task"].get(t, {}).get("test", {}).get(key, math.nan) for t in outcome.tasks}
        scored = {t: v for t, v in each.items() if not math.isnan(v)}
        order = sorted(scored, key=lambda t: scored[t])
        yield (
            f"{start} the model has a mean {score.label} of {score.text(value)} over {counted(len(scored), 'task')} and "
            f"{labels:,} labels: from {score.text(scored[order[0]])} ({order[0]}) to {score.text(scored[order[-1]])} "
            f"({order[-1]})."
        )
        return
    task = outcome.tasks[0]
    interval = outcome.metrics.get("per_task", {}).get(task, {}).get("test", {}).get("intervals", {}).get(key)
    range_ = f" (95% interval {score.text(interval[0])} to {score.text(interval[1])})" if interval else ""
    if outcome.mode == "regression":
        units = f" {outcome.units}" if outcome.units else ""
        r2 = test.get("r2", math.nan)
        explained = "" if math.isnan(r2) else f", and explains {percent(r2)} of its variance" if r2 > 0 else (
            f"; R2 is {r2:.3f}, so that the mean of the test labels would do better" if r2 < 0 else ""
        )  # fmt: skip
        yield f"{start} the model predicts {task} with an RMSE of {score.text(value)}{units}{range_}{explained}."
    else:
        yield (
            f"{start} the model ranks {task} with a ROC-AUC of {score.text(value)}{range_}: it gives a random positive the "
            f"higher probability in {percent(value)} of its pairs with a random negative."
        )


def _beside_baselines(outcome: Outcome) -> Iterator[str]:
    best, key = best_baseline(outcome), headline(outcome.mode)
    ours = outcome.metrics.get("test", {}).get(key, math.nan)
    if best is None or math.isnan(ours):
        return
    name, theirs = best
    score = SCORES[outcome.mode][key]
    start = f"The best simple model, {name}, has {score.label} {score.text(theirs)}"
    if score.text(ours) == score.text(theirs):
        yield f"{start}, and so has the model."
        return
    if outcome.mode == "regression" and theirs > 0:
        change = abs(theirs - ours) / theirs
        word = "smaller" if ours < theirs else "larger"
        yield f"{start}: the error of the model is {percent(change)} {word}."
    else:
        word = "more" if ours >= theirs else "less"
        yield f"{start}: the model has {score.text(abs(ours - theirs))} {word}."


def _intervals(outcome: Outcome) -> Iterator[str]:
    fared = [held for held in (intervals_held(outcome, t) for t in range(len(outcome.tasks))) if held.labels]
    if not fared:
        return
    labels, inside = sum(held.labels for held in fared), sum(held.inside for held in fared)
    width = (
        f"are {figure(fared[0].width)}{' ' + outcome.units if outcome.units else ''} wide (median)"
        if len(outcome.tasks) == 1
        else "come with each prediction"
    )
    yield (
        f"Its {percent(outcome.coverage)} intervals {width}, and {inside:,} of {labels:,} test labels lie inside "
        f"({percent(inside / labels)}; {percent(outcome.coverage)} were promised)."
    )


def _chances(outcome: Outcome) -> Iterator[str]:
    """How good probabilities are: Brier's score beside that of the share of positives."""
    if outcome.mode != "classification":
        return
    errors, constant = [], []
    for t in range(len(outcome.tasks)):
        rows = outcome.known(t, "test")
        if rows.any():
            y = outcome.measured[rows, t]
            errors.append(np.mean((outcome.predicted[rows, t] - y) ** 2))
            constant.append(y.mean() * (1 - y.mean()))
    if errors:
        yield (
            f"The mean squared error of its probabilities (Brier) is {np.mean(errors):.3f}; always answering the "
            f"share of positives would have {np.mean(constant):.3f}."
        )


def _domain(outcome: Outcome) -> Iterator[str]:
    test = outcome.rows_of("test")
    if not len(test):
        return
    outside = test[~outcome.in_domain[test]]
    text = (
        f"{len(outside):,} of {counted(len(test), 'test molecule')} ({percent(len(outside) / len(test))}) lie outside its "
        f"domain: their similarity to the nearest training molecule is below {figure(outcome.domain_threshold)}."
    )
    if outcome.mode == "regression" and len(outcome.tasks) == 1:
        known = outcome.known(0, "test")
        inside, beyond = known & outcome.in_domain, known & ~outcome.in_domain
        if min(inside.sum(), beyond.sum()) >= _COMPARED:
            errors = (outcome.predicted[:, 0] - outcome.measured[:, 0]) ** 2
            text += (
                f" RMSE is {figure(float(np.sqrt(errors[beyond].mean())))} for them, and "
                f"{figure(float(np.sqrt(errors[inside].mean())))} inside the domain."
            )
    yield text


def title_of(outcome: Outcome) -> str:
    """Return the title of an outcome: its tasks, and its source without the folders of a path."""
    source = os.path.basename(outcome.source) or outcome.source
    return f"{joined(outcome.tasks, 3)} from {source}" if source else joined(outcome.tasks, 3)


def comparison_of(outcome: Outcome) -> tuple[list[str], list[list[str]]]:
    """Return the scores of the model, its members and the baselines, out of fold and on the test part, as a table.

    Parameters
    ----------
    outcome : Outcome

    Returns
    -------
    columns : list of str
    rows : list of list of str
    """
    outcome = outcome_of("comparison_of", outcome)
    keys = ["rmse", "r2"] if outcome.mode == "regression" else ["roc_auc", "average_precision"]
    labels = [SCORES[outcome.mode][key].label for key in keys]
    found = outcome.metrics
    entries = [("the model", found)]
    entries += [
        (f"  {name}{'' if entry['kept'] else ' (left out)'}", entry) for name, entry in found["members"].items()
    ]
    entries += [(f"  baseline: {name}", entry) for name, entry in found["baselines"].items()]
    parts = ("validation", "test")
    rows = [[name, *(f"{entry[part][key]:.3f}" for part in parts for key in keys)] for name, entry in entries]
    return ["", *(f"{label} {part}" for part in parts for label in labels)], rows
