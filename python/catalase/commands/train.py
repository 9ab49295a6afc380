"""``catalase train`` trains a model on a table of molecules."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .common.command import Commands, command, exit_code
from .common.features import add_feature_options
from .common.options import (
    DUPLICATES,
    SMILES_HELP,
    add_label_options,
    add_table_options,
    input_path,
    name,
    number,
    output_path,
    whole_number,
)

_MOST_CHECKED = 10_000  # rows that are searched for salts and duplicates unasked; RDKit takes 1.6 ms each


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    text = "Train a model on a table of molecules."
    parser = command(commands, "train", text, run, interrupted="nothing was saved")
    parser.add_argument(
        "table",
        type=input_path,
        help="a table of text with a header (its delimiter and encoding are found), .sdf or .smi, plain or compressed, "
        ".parquet or .xlsx; - reads standard input",
    )
    parser.add_argument("--smiles", type=name, help=SMILES_HELP)
    parser.add_argument(
        "--task",
        type=name,
        action="append",
        default=[],
        help="column to learn; repeat for several; left out, an error lists the columns that look like labels",
    )
    parser.add_argument(
        "--classification",
        action=argparse.BooleanOptionalAction,
        help="labels are classes 0 and 1, or numbers (default: classes, if all labels of all tasks are 0 and 1)",
    )
    parser.add_argument("--splitter", choices=["scaffold", "random", "index"], default="scaffold")
    parser.add_argument("--out", type=output_path, required=True, help="folder for the model")
    parser.add_argument("--force", action="store_true", help="replace a model that is there")
    parser.add_argument(
        "--epochs", type=whole_number(1), default=100, help="at most; early stopping (default: %(default)s)"
    )
    parser.add_argument(
        "--patience", type=whole_number(1), default=10, help="epochs without improvement (default: %(default)s)"
    )
    parser.add_argument("--seed", type=whole_number(0, 2**63 - 1), default=0)
    parser.add_argument(
        "--model",
        choices=["dense", "graph"],
        default="dense",
        help="a dense net on --features, or a D-MPNN on molecular graphs and --features (default: %(default)s)",
    )
    add_feature_options(parser, default="ecfp", shown="ecfp; none beside the graph for --model graph")
    parser.add_argument(
        "--standardize",
        action=argparse.BooleanOptionalAction,
        help="learn from standard forms without salts, one row a molecule (mean of its labels); by default salts and "
        f"duplicates are only reported, in tables of up to {_MOST_CHECKED:,} rows",
    )
    parser.add_argument(
        "--duplicates",
        choices=DUPLICATES,
        help="with --standardize, which it includes: the label of a molecule whose labels differ is their mean, the first, or "
        "none; or the command refuses (default: mean)",
    )
    parser.add_argument(
        "--layer",
        action="append",
        type=whole_number(1),
        help="width of a hidden layer of the dense net; repeat for several (default: 1000)",
    )
    parser.add_argument(
        "--dropout",
        type=number(lambda v: 0 <= v < 1, "0 or more and below 1"),
        help="(default: 0.5; 0 for --model graph)",
    )
    parser.add_argument(
        "--learning-rate",
        type=number(lambda v: v > 0, "above 0"),
        default=1e-3,
        help="for --model graph the highest of its course (default: %(default)s)",
    )
    parser.add_argument(
        "--weight-decay",
        type=number(lambda v: v >= 0, "0 or more"),
        help="L2 penalty on the weights of the dense net (default: 0)",
    )
    parser.add_argument("--batch-size", type=whole_number(1), help="(default: 100; 64 for --model graph)")
    add_table_options(parser)
    add_label_options(parser, transforms=True)


def run(options: argparse.Namespace) -> int:
    """Read and split the table, train with early stopping, save the model, and score it on the parts held out."""
    from .._internal.console import Console
    from .._internal.storage.outputs import Output, check_outputs
    from .common import tables

    console = Console()
    out = Path(options.out)
    _check_tasks(options.task, options.smiles)
    if options.duplicates is not None and options.standardize is False:
        raise ValueError("--duplicates merges standard forms, which --no-standardize leaves out; give one of them")
    standardize = True if options.duplicates is not None else options.standardize
    featurizer = _featurizer(options)
    unreadable = tables.UnreadableRows.of(options, f"{out}.errors.csv")
    _check_folder(out)
    # Where the parent folder of a new model does not exist yet, there can be no error file in it to check.
    new = options.errors_file is None and not out.absolute().parent.exists()
    outputs = [Output("--out", out, folder=True), *([] if new else [unreadable.output])]
    check_outputs("train", {"the table": options.table}, outputs, force=options.force)
    table = tables.labelled_table(options, "train", options.task)
    for line in table.summary:
        console.print(line)
    unreadable.check_share(table.report, table.lost)
    dataset, table = table.dataset(featurizer)
    unreadable.check_share(table.report, table.lost)
    readable, lost = len(table), table.lost
    same = _same_molecules(console, table, standardize)
    notes = []
    if standardize:
        merged, notes = same.merged(options.duplicates or "mean")
        dataset, table = merged.dataset(featurizer)
        notes.append(f"trained on {len(table):,} molecules of {readable:,} rows; standardize those to predict, too")
    dataset, table = _finite(dataset, table)
    unreadable.check_share(table.report, _lost(lost, table))
    failed = unreadable.tell(console, table.report, _lost(lost, table))
    classification = table.mode == "classification" if options.classification is None else options.classification
    if classification and options.classification is None:
        console.print("all labels are 0 and 1, so classes are learned; --no-classification learns numbers")
    if classification:
        tables.check_classes(dataset, table.tasks)
    split = _split(dataset, options.splitter, options.seed)
    parts = _scaled([dataset.select(part) for part in split])
    if same is not None and not standardize:
        notes = same.notes_unmerged([table.rows[part] for part in split])
    elif same is None and standardize is None:
        notes = [
            f"salts and duplicates were not looked for in more than {_MOST_CHECKED:,} rows; --standardize does both"
        ]
    for note in notes:
        console.print(note)
    console.print(
        f"split by {options.splitter}: {', '.join(f'{len(p):,}' for p in parts)} rows to train, validate, test"
    )
    _check_labels(parts)
    if classification:
        _check_training_classes(parts[0], table.tasks, options.splitter)
    transformer = _transformer(parts[0], classification)
    model = _model(options, parts[0], classification)
    training, validation = (transformer.transform(part) for part in parts[:2])
    best, interrupted = _fit(model, training, validation, options.epochs, options.patience)
    model.transformers, model.smiles_column = [transformer], table.smiles_column
    model.save(out)  # before anything is printed or scored, so that no later error loses the training
    if interrupted:
        raise KeyboardInterrupt(f"the weights of epoch {best}, the best so far, are saved in {out}")
    console.print(f"model saved in {out}, with the weights of epoch {best} (least loss on validation)")
    tables.print_scores(console, model, [("validation", parts[1]), ("test", parts[2])])
    return exit_code(failed, options)


def _same_molecules(console: Any, table: Any, wanted: bool | None) -> Any:
    """Return which rows are of the same molecule; None where that is not to be looked for."""
    from ..data.same_molecules import SameMolecules

    if wanted is False or (wanted is None and len(table) > _MOST_CHECKED):
        return None
    with console.progress("looking for salts and duplicates", len(table)) as advance:
        return SameMolecules(table, advance)


def _lost(lost: Any, table: Any) -> Any:
    """Return the rows that are lost: those that were before, and those with failures that are in the table no more."""
    import numpy as np

    failed = np.array([failure.position for failure in table.failures], np.int64)
    return np.union1d(lost, np.setdiff1d(failed, table.rows))


def _finite(dataset: Any, table: Any) -> tuple[Any, Any]:
    """Return the dataset and its table without the rows that have a feature that is NaN or infinite."""
    import numpy as np

    from .._internal.report import Failure

    if not isinstance(dataset.X, np.ndarray):  # graphs have no numbers that could be NaN
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


def _scaled(parts: Sequence[Any]) -> list[Any]:
    """Return the parts with descriptors of mean 0 and deviation 1 over the training part, and the featurizer of these."""
    from ..data import NumpyDataset
    from .common.features import scaled

    given = parts[0].featurizer
    featurizer = scaled(given, parts[0].ids)
    if featurizer is given:
        return list(parts)
    return [NumpyDataset(featurizer(p.ids), p.y, p.w, p.ids, tasks=p.tasks, featurizer=featurizer) for p in parts]


def _split(dataset: Any, name: str, seed: int) -> Sequence[Any]:
    """Return the rows for training, validation and test."""
    from .. import splits

    known = {"scaffold": splits.ScaffoldSplitter, "random": splits.RandomSplitter, "index": splits.IndexSplitter}
    return known[name]().split(dataset, seed=seed)


def _transformer(training: Any, classification: bool) -> Any:
    """Return the transformer of the labels: it gives classes equal weight, or numbers mean 0 and variance 1."""
    from .. import trans

    if classification:
        return trans.BalancingTransformer(dataset=training)
    return trans.NormalizationTransformer(transform_y=True, dataset=training)


def _featurizer(options: argparse.Namespace) -> Any:
    """Return what makes the model's features; refuse options that belong to the other model."""
    from .. import feat
    from .common.features import featurizer_of

    if options.model == "dense":
        return featurizer_of(options)
    for option, given in (("--layer", options.layer), ("--weight-decay", options.weight_decay)):
        if given is not None:
            raise ValueError(f"{option} is for --model dense; leave it out for a graph net")
    return feat.MolGraphFeaturizer(extra=None if options.features is None else featurizer_of(options))


def _model(options: argparse.Namespace, training: Any, classification: bool) -> Any:
    """Return the model that the options describe, with random weights."""
    from .. import models

    if options.model == "graph":
        return models.DMPNNModel(
            training.y.shape[1],
            mode="classification" if classification else "regression",
            dropout=options.dropout or 0.0,
            max_lr=options.learning_rate,
            init_lr=options.learning_rate / 10,
            final_lr=options.learning_rate / 10,
            batch_size=options.batch_size or 64,
            seed=options.seed,
            n_extra_features=training.X.extra.shape[1],
        )
    make: Any = models.MultitaskClassifier if classification else models.MultitaskRegressor
    return make(
        training.y.shape[1],
        training.X.shape[1],
        layer_sizes=options.layer or [1000],
        dropouts=0.5 if options.dropout is None else options.dropout,
        weight_decay_penalty=options.weight_decay or 0.0,
        batch_size=options.batch_size or 100,
        learning_rate=options.learning_rate,
        seed=options.seed,
    )


def _fit(model: Any, training: Any, validation: Any, epochs: int, patience: int) -> tuple[int, bool]:
    """Train with early stopping; return the epoch of the weights, counted from 1, and whether Ctrl-C ended the training.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C in the first epoch, when there are no weights to keep.
    """
    from ..train import EarlyStopping

    stopper = EarlyStopping(patience=patience)
    interrupted = False
    try:
        model.fit(training, epochs, valid=validation, callbacks=[stopper])
    except KeyboardInterrupt:
        if stopper.best_epoch is None:
            raise KeyboardInterrupt("before the first epoch had ended; nothing was saved") from None
        interrupted = True
    return 0 if stopper.best_epoch is None else stopper.best_epoch + 1, interrupted


def _check_tasks(tasks: Sequence[str], smiles: str | None) -> None:
    twice = next((task for task in tasks if tasks.count(task) > 1), None)
    if twice is not None:
        raise ValueError(f"--task {twice} is given twice; name each column once")
    if smiles in tasks:
        raise ValueError(f"--task {smiles} is the column of SMILES; name the column to learn")


def _check_folder(out: Path) -> None:
    """Find out before the training whether the model can be saved; leave nothing in the folder."""
    import tempfile

    there = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    try:
        tempfile.TemporaryDirectory(dir=there).cleanup()
    except OSError as error:
        raise ValueError(f"the model could not be saved in {out} ({error.strerror}); choose another --out") from None


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
