"""Reasons to distrust a result, found in its figures: each is a sentence that says what was seen and what to do."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .outcome import Outcome, outcome_of
from .scores import SCORES, best_baseline, headline, intervals_held
from .words import counted, figure, joined, percent

FEW_LABELS = 30  # of the test part
FEW_OF_A_CLASS = 5
DECADES = 1e4  # largest over smallest positive label
_UNMOVED = 0.01  # share of its first value by which a loss must fall
_CHANCE = 0.005  # at each end: an interval that holds is called wrong in one of a hundred tests


def caveats_of(outcome: Outcome) -> list[str]:
    """Return the reasons to distrust an outcome, those that the training gave first.

    Parameters
    ----------
    outcome : Outcome

    Returns
    -------
    list of str
        ``outcome.warnings``, then sentences on: a training that was cut short (``plan["cut short"]``); a test part with
        fewer than 30 labels, with one class, or with fewer than 5 labels of one; labels that spread over four decades and
        were not transformed; a member whose loss has not fallen; a baseline with a better score than the model; intervals
        that held on the test part more rarely, or more often, than chance allows (two-sided binomial test, 1%).
    """
    found = [*outcome_of("caveats_of", outcome).warnings]
    for look in (_cut_short, _few_labels, _one_class, _decades, _losses, _baselines, _intervals):
        found += look(outcome)
    return found


def _cut_short(outcome: Outcome) -> Iterator[str]:
    reason = outcome.plan.get("cut short")
    if reason and _of_one_net(outcome):
        yield f"The training was cut short by {reason}: the weights are those of the best epoch until then."
    elif reason:
        by = f" by {reason}" if isinstance(reason, str) else ""
        yield (
            f"The training was cut short{by}: another run with the same seed may give another model. The model card lists what "
            "was left out; a larger time budget (--time-budget) leaves room for it."
        )


def _few_labels(outcome: Outcome) -> Iterator[str]:
    counts = {task: int(outcome.known(t, "test").sum()) for t, task in enumerate(outcome.tasks)}
    few = {task: count for task, count in counts.items() if count < FEW_LABELS}
    if few:
        names = joined([f"{task} ({counted(count, 'label')})" for task, count in few.items()])
        yield (
            f"The test part is small for {names}: with fewer than {FEW_LABELS} labels a score is mostly chance. Look at its "
            f"interval, and give more data{'' if _of_one_net(outcome) else ' or use cross-validation (--folds)'}."
        )


def _of_one_net(outcome: Outcome) -> bool:
    """Whether the model is one net, of the epoch with the least loss on validation."""
    return "epoch of the weights" in outcome.plan


def _one_class(outcome: Outcome) -> Iterator[str]:
    if outcome.mode != "classification":
        return
    single = [task for t, task in enumerate(outcome.tasks) if len(np.unique(_labels(outcome, t, "test"))) == 1]
    if single:
        yield (
            f"The test labels of {joined(single)} are of one class only, so ROC-AUC is undefined there. Split otherwise "
            "(--splitter random), or give molecules of both classes."
        )
    rare = {}
    for t, task in enumerate(outcome.tasks):
        counts = np.unique(_labels(outcome, t, "test"), return_counts=True)[1]
        if len(counts) == 2 and counts.min() < FEW_OF_A_CLASS:
            rare[task] = int(counts.min())
    if rare:
        names = joined([f"{task} ({counted(count, 'label')})" for task, count in rare.items()])
        yield (
            f"The rarer class has fewer than {FEW_OF_A_CLASS} test labels in {names}: ROC-AUC hangs on them alone, and so does "
            "its interval."
        )


def _labels(outcome: Outcome, task: int, part: str | None = None) -> NDArray[np.float64]:
    labels = outcome.measured[:, task] if part is None else outcome.measured[outcome.parts == part, task]
    return np.asarray(labels[~np.isnan(labels)])


def _decades(outcome: Outcome) -> Iterator[str]:
    if outcome.mode != "regression" or outcome.transform:
        return
    for t, task in enumerate(outcome.tasks):
        labels = _labels(outcome, t)
        positive = labels[labels > 0]
        # A label below 0 is no concentration: it may be a logarithm already.
        if len(positive) and labels.min() >= 0 and positive.max() > DECADES * positive.min():
            decades = math.log10(positive.max()) - math.log10(positive.min())
            yield (
                f"The labels of {task} go from {figure(positive.min())} to {figure(positive.max())}, over {decades:.0f} "
                "decades: the error is that of the few largest. Learn their logarithm (--transform log10, or pIC50 for "
                "concentrations)."
            )


def _losses(outcome: Outcome) -> Iterator[str]:
    still, broken = [], []
    for member, history in outcome.histories.items():
        losses = np.asarray(history.get("loss", ()), dtype=np.float64)
        if len(losses) and not np.isfinite(losses).all():
            broken.append(member)
        elif len(losses) > 1 and losses[0] - losses.min() <= _UNMOVED * abs(losses[0]):
            still.append(member)
    if still:
        yield (
            f"The loss of {joined(still)} has not moved from its start: nothing was learned there. Try another learning "
            "rate, more epochs or other features."
        )
    if broken:
        yield f"The loss of {joined(broken)} became infinite or NaN: the training diverged. Try a smaller learning rate."


def _baselines(outcome: Outcome) -> Iterator[str]:
    key = headline(outcome.mode)
    score, best = SCORES[outcome.mode][key], best_baseline(outcome)
    ours = outcome.metrics.get("test", {}).get(key, float("nan"))
    if best is None or math.isnan(ours) or not (best[1] < ours if score.lower_is_better else best[1] > ours):
        return
    if score.text(best[1]) == score.text(ours):
        return
    text = (
        f"The baseline {best[0]} predicts the test part better than the model ({score.label} {score.text(best[1])}, "
        f"the model's {score.text(ours)})"
    )
    if len(outcome.tasks) > 1:
        yield f"{text}; compare them task by task."
        return
    entry = outcome.metrics.get("per_task", {}).get(outcome.tasks[0], {}).get("test", {})
    interval = entry.get("intervals", {}).get(key)
    if interval and interval[0] <= best[1] <= interval[1]:
        yield f"{text}, though by less than the test part can tell."
    else:
        yield f"{text}: the simple model is the one to use."


def _intervals(outcome: Outcome) -> Iterator[str]:
    wrong: dict[str, list[str]] = {"rarely": [], "often": []}
    for t, task in enumerate(outcome.tasks):
        held = intervals_held(outcome, t)
        below, above = _binomial_tails(held.inside, held.labels, outcome.coverage)
        if min(below, above) < _CHANCE:
            text = f"{task} ({held.inside:,} of {held.labels:,}, {percent(held.share)})"
            wrong["rarely" if below < above else "often"].append(text)
    promised = percent(outcome.coverage)
    if wrong["rarely"]:
        yield (
            f"The {promised} intervals held too rarely on the test part: {joined(wrong['rarely'])}. Test molecules differ from "
            "the training molecules; take the intervals as too narrow for such molecules."
        )
    if wrong["often"]:
        yield (
            f"The {promised} intervals held more often than they promise: {joined(wrong['often'])}. They are wider than needed."
        )


def _binomial_tails(inside: int, labels: int, share: float) -> tuple[float, float]:
    """Return the chances of at most, and of at least, so many of some labels, each of which is inside with one chance."""
    if not labels:
        return 1.0, 1.0
    k = np.arange(labels + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, labels + 1)))])
    log_chance = log_factorial[labels] - log_factorial[k] - log_factorial[labels - k]
    chance = np.exp(log_chance + k * math.log(share) + (labels - k) * math.log1p(-share))
    return float(chance[: inside + 1].sum()), float(chance[inside:].sum())
