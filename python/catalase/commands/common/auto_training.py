"""``catalase train`` with `AutoModel`: members measured out of fold, and a folder that explains itself."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..._internal.console import Console

# The members of each choice of --model; None leaves them to the time budget.
MEMBERS: dict[str, list[str] | None] = {
    "auto": None,
    "gp": ["Gaussian process"],
    "forest": ["forest"],
    "knn": ["nearest neighbours"],
    "ridge": ["ridge"],
}


class AutoTraining:
    """An `AutoModel` with the settings of the command's options."""

    def __init__(self, options: argparse.Namespace, kind: str) -> None:
        self._options, self._kind = options, kind

    def read(self, table: Any) -> Any:
        """Return the table of the molecules that can be read."""
        from ...workflow import readable

        return readable(table)

    def outputs(self, out: Path) -> list[Any]:
        """The files beside the model."""
        from ...workflow import outputs

        return outputs(out)

    def train(self, console: Console, table: Any, classification: bool, same: Any, out: Path) -> None:
        """Train, measure, save the model and what explains it, and print what it is worth."""
        from ... import models
        from ...workflow import caveats_of, comparison_of, scrambled, statements_of, train_model, write_folder

        options = self._options
        if same is not None:
            for note in same.notes_unmerged([table.rows]):
                console.print(note)
        model = models.AutoModel(
            task="classification" if classification else "regression",
            time_budget=options.time_budget or 60.0,
            seed=options.seed,
            splitter="scaffold" if options.splitter == "scaffold" else "random",
            folds=options.folds or 5,
            members=MEMBERS[self._kind],
            coverage=options.coverage or 0.9,
        )
        outcome = train_model(table, model, splitter=options.splitter, transform=options.transform or "")
        model.save(out)  # before anything is printed, so that no later error loses the training
        write_folder(out, outcome, force=options.force)
        if model.report["ended"] == "Ctrl-C":
            raise KeyboardInterrupt(
                f"the members that were done, {', '.join(outcome.plan['members'])}, are saved in {out}"
            )
        console.print(f"model saved in {out}; report.html there shows it")
        for sentence in statements_of(outcome):
            console.print(sentence)
        console.table(*comparison_of(outcome))
        for caveat in caveats_of(outcome):
            console.print(f"! {caveat}")
        if options.scramble:
            for line in scrambled(table, model, outcome, options.scramble):
                console.print(line)
