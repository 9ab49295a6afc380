"""One net with the settings of the options of ``catalase train``, and early stopping: ``--model dense|graph|sequence``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..._internal.console import Console
from . import tables
from .features import featurizer_of, fitted


class NetTraining:
    """A net with the settings of the command's options; `read` comes before `train`."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._featurizer = _featurizer(options)
        self._dataset: Any = None

    def read(self, table: Any) -> Any:
        """Featurize; return the table of the molecules whose features can be had."""
        self._dataset, table = table.dataset(self._featurizer)
        self._dataset, table = _finite(self._dataset, table)
        return table

    def outputs(self, out: Path) -> list[Any]:
        """The files beside the model."""
        from ...workflow import outputs

        return outputs(out)

    def train(self, console: Console, table: Any, classification: bool, same: Any, out: Path) -> None:
        """Split, train with early stopping, save the model and what explains it, and score it on the parts held out."""
        import time

        from ...workflow import caveats_of, write_folder
        from ...workflow.nets import net_outcome

        options, start = self._options, time.monotonic()
        split = _split(self._dataset, options.splitter, options.seed)
        parts = _fitted([self._dataset.select(part) for part in split])
        if same is not None:
            for note in same.notes_unmerged([table.rows[part] for part in split]):
                console.print(note)
        counts = ", ".join(f"{len(part):,}" for part in parts)
        console.print(f"split by {options.splitter}: {counts} rows to train, validate, test")
        _check_labels(parts)
        for task, known in zip(table.tasks, parts[0].w.any(axis=0).tolist(), strict=True):
            if not known:
                console.print(f"{task} has no label in the training part, so nothing is learned of it")
        if classification:
            _check_training_classes(parts[0], table.tasks, options.splitter)
        transformer = _transformer(parts[0], classification)
        model = _model(options, parts[0], classification)
        training, validation = (transformer.transform(part) for part in parts[:2])
        best, interrupted = _fit(model, training, validation, options.epochs or 100, options.patience or 10)
        model.transformers, model.smiles_column = [transformer], table.smiles_column
        model.save(out)  # before anything is printed or scored, so that no later error loses the training
        plan = {
            "split": options.splitter,
            **({"transform": options.transform} if options.transform else {}),
            "folds": "0 chose the epoch, 1 was learned from",
            "seed": options.seed,
            "epoch of the weights": best,
            "seconds": round(time.monotonic() - start, 2),
            "cut short": "Ctrl-C" if interrupted else False,
        }
        mode = "classification" if classification else "regression"
        try:
            outcome = net_outcome(table, mode, parts, split, model, plan)
            write_folder(out, outcome, force=options.force)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"the model is saved in {out}, without a report") from None
        if interrupted:
            raise KeyboardInterrupt(f"the weights of epoch {best}, the best so far, are saved in {out}")
        console.print(
            f"model saved in {out}, with the weights of epoch {best} (least loss on validation); report.html there shows it"
        )
        tables.print_scores(console, model, [("validation", parts[1]), ("test", parts[2])])
        for caveat in caveats_of(outcome):
            console.print(f"! {caveat}")


def _finite(dataset: Any, table: Any) -> tuple[Any, Any]:
    """Return the dataset and its table without the rows that have a feature that is NaN or infinite."""
    import numpy as np

    from ..._internal.report import Failure

    if not isinstance(dataset.X, np.ndarray):  # graphs and tokens have no numbers that could be NaN
        return dataset, table
    usable = np.isfinite(dataset.X)
    whole = usable.all(axis=1)
    if whole.all():
        return dataset, table
    failures = []
    names = dataset.featurizer.feature_names
    for i in np.flatnonzero(~whole).tolist():
        j = int(np.argmin(usable[i]))
        failures.append(Failure(int(table.rows[i]), table.smiles[i], f"its {names[j]} is {dataset.X[i, j]:g}"))
    kept = np.flatnonzero(whole)
    return dataset.select(kept), table.take(kept, failures)


def _fitted(parts: Sequence[Any]) -> list[Any]:
    """Return the parts with the features of a featurizer that is fitted to the training part."""
    from ...data.graph import dataset_in_memory

    given = parts[0].featurizer
    featurizer = fitted(given, parts[0].ids)
    if featurizer is given:
        return list(parts)
    return [dataset_in_memory(featurizer(p.ids), p.y, p.w, p.ids, tasks=p.tasks, featurizer=featurizer) for p in parts]


def _split(dataset: Any, name: str, seed: int) -> Sequence[Any]:
    """Return the rows for training, validation and test."""
    from ... import splits

    return splits.NAMED[name]().split(dataset, seed=seed)


def _transformer(training: Any, classification: bool) -> Any:
    """Return the transformer of the labels: it gives classes equal weight, or numbers mean 0 and variance 1."""
    from ... import trans

    if classification:
        return trans.BalancingTransformer(dataset=training)
    return trans.NormalizationTransformer(transform_y=True, dataset=training)


def _featurizer(options: argparse.Namespace) -> Any:
    """Return what makes the model's features; refuse options that belong to other models."""
    from ... import data, feat

    if options.model not in ("graph", "sequence"):
        return featurizer_of(options)
    others = dict.fromkeys(("layer", "weight_decay"), "dense")
    if options.model == "sequence":
        others |= dict.fromkeys(("features", "radius", "size"), "dense and graph")
    for option, kinds in others.items():
        if getattr(options, option) is not None:
            raise ValueError(
                f"--{option.replace('_', '-')} is for --model {kinds}; leave it out for a {options.model} net"
            )
    if options.model == "sequence":
        # Without tokens until it is fitted to the training part.
        return feat.SmilesTokens(data.SmilesTokenizer([], unknown="token"), canonical=True)
    return feat.MolGraphFeaturizer(extra=None if options.features is None else featurizer_of(options))


def _model(options: argparse.Namespace, training: Any, classification: bool) -> Any:
    """Return the model that the options describe, with random weights."""
    from ... import models

    rate = options.learning_rate or 1e-3
    if options.model == "graph":
        return models.DMPNNModel(
            training.y.shape[1],
            mode="classification" if classification else "regression",
            dropout=options.dropout or 0.0,
            max_lr=rate,
            init_lr=rate / 10,
            final_lr=rate / 10,
            batch_size=options.batch_size or 64,
            seed=options.seed,
            n_extra_features=training.X.extra.shape[1],
        )
    make: Any
    if options.model == "sequence":
        make = models.SequenceClassifier if classification else models.SequenceRegressor
        return make(
            training.y.shape[1],
            training.tokenizer,
            dropout=0.3 if options.dropout is None else options.dropout,
            bidirectional=True,
            pool="max",
            batch_size=options.batch_size or 64,
            learning_rate=options.learning_rate or 2e-3,
            seed=options.seed,
        )
    make = models.MultitaskClassifier if classification else models.MultitaskRegressor
    return make(
        training.y.shape[1],
        training.X.shape[1],
        layer_sizes=options.layer or [1000],
        dropouts=0.5 if options.dropout is None else options.dropout,
        weight_decay_penalty=options.weight_decay or 0.0,
        batch_size=options.batch_size or 100,
        learning_rate=rate,
        seed=options.seed,
    )


def _fit(model: Any, training: Any, validation: Any, epochs: int, patience: int) -> tuple[int, bool]:
    """Train with early stopping; return the epoch of the weights, counted from 1, and whether Ctrl-C ended the training.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C in the first epoch, when there are no weights to keep.
    """
    from ...train import EarlyStopping

    stopper = EarlyStopping(patience=patience)
    interrupted = False
    try:
        model.fit(training, epochs, valid=validation, callbacks=[stopper])
    except KeyboardInterrupt:
        if stopper.best_epoch is None:
            raise KeyboardInterrupt("before the first epoch had ended; nothing was saved") from None
        interrupted = True
    return 0 if stopper.best_epoch is None else stopper.best_epoch + 1, interrupted


def _check_labels(parts: Sequence[Any]) -> None:
    """Refuse a split that leaves a part without a label."""
    for what, part in zip(("training", "validation", "test"), parts, strict=True):
        if not part.w.any():
            raise ValueError(
                f"the {what} part has no measured label ({len(part)} rows); give more rows, or --splitter random"
            )


def _check_training_classes(part: Any, tasks: Sequence[str], splitter: str) -> None:
    """Refuse to train a classifier on labels of one class."""
    for t in range(len(tasks)):
        if len(set(part.y[part.w[:, t] != 0, t].tolist())) > 1:
            return
    others = [name for name in ("random", "scaffold") if name != splitter]
    raise ValueError(
        f"the training part has molecules of one class only in {', '.join(tasks)}, so there is nothing to learn; "
        f"if the table has molecules of both, split otherwise (--splitter {' or '.join(others)})"
    )
