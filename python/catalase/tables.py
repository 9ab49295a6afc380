"""The user's own tables, for the command line: train on one, score on one, predict for one of any length."""

from __future__ import annotations

import csv
import io
import os
import sys
import tempfile
import warnings
from argparse import Namespace
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from . import _storage, data, feat, metrics, models, splits, train, trans
from ._console import Console, ReaderGone
from ._report import Failure, Report
from ._storage.outputs import ERRORS_BEGIN, Output, begins_with, check_outputs
from .data.csv_loader import check_columns
from .data.table_file import TableFile

_CHUNK = 4096  # rows predicted at a time
_SPLITTERS = {"scaffold": splits.ScaffoldSplitter, "random": splits.RandomSplitter, "index": splits.IndexSplitter}


def train_on_table(options: Namespace) -> int:
    """``catalase train``: read, split, train with early stopping, save, score on the held-out part.

    Returns
    -------
    int
        How many rows could not be read; they are listed in the error file.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C; its text says what was saved.
    """
    console = Console()
    out = Path(options.out)
    _check_tasks(options.task, options.smiles)
    errors = _errors_output(options, f"{out}.errors.csv")
    _check_folder(out)
    # Where the folder around a new model is made with it, there is no error file in it yet to look at.
    new = options.errors_file is None and not out.absolute().parent.exists()
    outputs = [Output("--out", out, folder=True), *([] if new else [errors])]
    check_outputs("train", {"the table": options.table}, outputs, force=options.force)
    featurizer = feat.CircularFingerprint(radius=options.radius, size=options.size)
    dataset = _load(options, errors, options.task, options.smiles, featurizer)
    n_failed = _report(console, dataset.report, errors)
    if options.classification:
        _check_classes(dataset, options.task)
    splitter = _SPLITTERS[options.splitter]()
    parts = splitter.train_valid_test_split(dataset, seed=options.seed)
    console.print(
        f"split by {options.splitter}: {', '.join(f'{len(p):,}' for p in parts)} rows to train, validate, test"
    )
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        if not np.count_nonzero(part.w):
            raise ValueError(
                f"the {name} part has no measured label ({len(part)} rows); give more rows, or --splitter random"
            )
    if options.classification:
        _check_training_classes(parts[0], options)
        transformer: Any = trans.BalancingTransformer(dataset=parts[0])
        make: Any = models.MultitaskClassifier
    else:
        transformer = trans.NormalizationTransformer(transform_y=True, dataset=parts[0])
        make = models.MultitaskRegressor
    train_set, valid_set = (transformer.transform(part) for part in parts[:2])
    model = make(
        len(options.task),
        options.size,
        layer_sizes=options.layer or [1000],
        dropouts=options.dropout,
        weight_decay_penalty=options.weight_decay,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        seed=options.seed,
    )
    stopper = train.EarlyStopping(patience=options.patience)
    interrupted = False
    try:
        model.fit(train_set, options.epochs, valid=valid_set, callbacks=[stopper])
    except KeyboardInterrupt:
        if stopper.best_epoch is None:
            raise KeyboardInterrupt("before the first epoch had ended; nothing was saved") from None
        interrupted = True
    best = 0 if stopper.best_epoch is None else stopper.best_epoch + 1
    model.transformers, model.smiles_column = [transformer], options.smiles
    model.save(out)  # before anything is printed or scored: whatever happens then, the training is not lost
    if interrupted:
        raise KeyboardInterrupt(f"the weights of epoch {best}, the best so far, are saved in {out}")
    console.print(f"model saved in {out}, with the weights of epoch {best} (least loss on validation)")
    _print_scores(console, model, [("validation", parts[1]), ("test", parts[2])])
    return n_failed


def evaluate_on_table(options: Namespace) -> int:
    """``catalase evaluate``: the model's scores on a table. Returns how many rows could not be read."""
    console = Console()
    errors = _errors_output(options, _beside(options.table))
    inputs = {"the table": options.table, "the model": options.model}
    excuse = "name a file for them by --errors-file"
    try:
        check_outputs("evaluate", inputs, [errors], force=options.force)
    except (OSError, ValueError) as error:
        if options.errors_file is not None:
            raise
        # The user did not ask for this file: the scores do not depend on it.
        errors, excuse = errors._replace(path=None), f"{error} by --errors-file"
    model = _load_model(options.model)
    if model.tasks is None:
        raise ValueError(
            f"the model in {options.model} does not name its tasks, so it is not known which columns hold the measured values; "
            "set model.tasks in Python and save it again"
        )
    dataset = _load(options, errors, model.tasks, _smiles_column(model, options.smiles), model.featurizer)
    _print_scores(console, model, [(Path(options.table).name, dataset)])
    return _report(console, dataset.report, errors, excuse)


def predict_table(options: Namespace) -> int:
    """``catalase predict``: one pass over the table, chunk by chunk. Returns how many rows could not be read."""
    out = options.out
    console = Console(sys.stderr if out in ("-", "/dev/stdout") else None)  # messages do not mix with the result
    errors = _errors_output(options, _beside(out))
    inputs = {"the table": options.table, "the model": options.model}
    check_outputs("predict", inputs, [Output("-o", out), errors], force=options.force)
    model = _load_model(options.model)
    smiles, names = _smiles_column(model, options.smiles), _prediction_names(model)
    failures: list[Failure] = []
    counts = [0]
    # The table is opened before the output, so that its faults are not taken for faults of the output.
    with TableFile(options.table, "predict") as table:
        added = _added_columns(options.table, table.header, smiles, names)
        column = table.header.index(smiles)

        def write(binary: IO[bytes]) -> None:
            with _csv_writer(binary) as writer, console.progress("predicting", None) as advance:
                writer.writerow(table.header + added)
                for rows, faults in table.chunks(_CHUNK):
                    texts = ["" if i in faults else row[column] for i, row in enumerate(rows)]
                    failures.extend(Failure(counts[0] + i, *fault) for i, fault in faults.items())
                    values = _predict_rows(model, len(names), texts, counts[0], failures, faults)
                    writer.writerows(row + cells for row, cells in zip(rows, values, strict=True))
                    counts[0] += len(rows)
                    advance(len(rows))
            _check_share(options, report(), errors)

        def report() -> Report:
            return Report(counts[0], counts[0] - len({f.position for f in failures}), failures)

        _write_result(out, write)
    console.print(f"{counts[0]:,} rows written to {'standard output' if out == '-' else out}")
    return _report(console, report(), errors)


def _write_result(out: str, write: Callable[[IO[bytes]], None]) -> None:
    """Write a result into a file, a pipe, or standard output (``-``)."""
    try:
        if out != "-":
            _storage.remove_leftovers(out)
            _storage.write_file_atomic(out, write)
            return
        binary = getattr(sys.stdout, "buffer", None)
        if binary is None:
            raise ValueError("standard output is closed, or takes no bytes; name a file by -o")
        write(binary)
        binary.flush()
    except BrokenPipeError:
        raise ReaderGone(out) from None


@contextmanager
def _csv_writer(binary: IO[bytes]) -> Iterator[Any]:
    """A writer of CSV into a binary stream, which stays open."""
    text = io.TextIOWrapper(binary, encoding="utf-8", errors="surrogateescape", newline="", write_through=True)
    try:
        yield csv.writer(text, lineterminator="\n")
        text.flush()
    finally:
        text.detach()


def _predict_rows(
    model: Any,
    columns: int,
    texts: list[str],
    start: int,
    failures: list[Failure],
    faults: Container[int] = (),
) -> list[list[str]]:
    """The cells to add to each row; empty ones where the molecule cannot be read.

    What is wrong with the rows in ``faults`` has been said already.
    """
    predictions, kept, failed = model._answers("predict", texts, model.predict)
    failures += [Failure(start + f.position, f.text, f.reason) for f in failed if f.position not in faults]
    cells = [[""] * columns for _ in texts]
    for i, values in zip(kept.tolist(), predictions, strict=True):
        if values.ndim == 2:  # class probabilities: of two classes the second's
            values = values[:, 1] if values.shape[1] == 2 else values.reshape(-1)
        cells[i] = [str(value) for value in values]  # reads back as the same bits
    return cells


def _prediction_names(model: Any) -> list[str]:
    """What is predicted: each task, or each class of each task where there are more than two."""
    example = model._answers("predict", ["C"], model.predict).predictions
    if example.ndim not in (2, 3):
        raise ValueError(f"the model gives predictions of shape {example.shape}, which are no columns of a table")
    tasks = model.tasks or [f"task {number}" for number in range(example.shape[1])]
    if len(tasks) != example.shape[1]:
        raise ValueError(f"the model gives {example.shape[1]} tasks but names {len(tasks)}: {', '.join(tasks)}")
    if example.ndim == 2 or example.shape[2] == 2:
        return list(tasks)
    return [f"{task} class {number}" for task in tasks for number in range(example.shape[2])]


def _smiles_column(model: Any, given: str | None) -> str:
    """The column that the command names, or that the model was trained on."""
    return given or model.smiles_column or "smiles"


def _added_columns(name: str, header: list[str], smiles: str, predicted: Sequence[str]) -> list[str]:
    """Names of the columns that hold the predictions; refuses a table that has one of them, or lacks its SMILES."""
    check_columns(name, header, [smiles])
    added = [f"predicted {what}" for what in predicted]
    clash = [column for column in added if column in header]
    if clash:
        raise ValueError(f"{name} has a column {', '.join(map(repr, clash))} already; rename or remove it")
    return added


def _check_folder(out: Path) -> None:
    """Find out before the training whether the model can be saved; nothing stays behind."""
    there = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    try:
        tempfile.TemporaryDirectory(dir=there).cleanup()
    except OSError as error:
        raise ValueError(f"the model could not be saved in {out} ({error.strerror}); choose another --out") from None


def _check_tasks(tasks: Sequence[str], smiles: str) -> None:
    twice = next((task for task in tasks if tasks.count(task) > 1), None)
    if twice is not None:
        raise ValueError(f"--task {twice} is given twice; name each column once")
    if smiles in tasks:
        raise ValueError(f"--task {smiles} is the column of SMILES; name the column to learn")


def _beside(path: str) -> str | None:
    """The error file of a table or an output: beside it, where it is a file."""
    if path == "-" or (os.path.exists(path) and not os.path.isfile(path)) or path.startswith("/dev/"):
        return None
    return f"{path}.errors.csv"


def _errors_output(options: Namespace, default: str | None) -> Output:
    return Output("--errors-file", options.errors_file or default, ERRORS_BEGIN)


def _load(options: Namespace, errors: Output, tasks: Sequence[str], smiles: str, featurizer: Any) -> Any:
    loader = data.CSVLoader(tasks, featurizer, feature_field=smiles)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the report says it better
        dataset = loader.create_dataset(options.table, errors="drop")
    if dataset.report is not None:
        _check_share(options, dataset.report, errors)
    return dataset


def _check_share(options: Namespace, report: Report, errors: Output) -> None:
    """Stop where too many rows of a table cannot be read, or all of them; they are listed in the error file all the same."""
    first = {f.position: f for f in reversed(report.failures)}
    if not first or (len(first) < report.total and len(first) <= options.max_unreadable * report.total):
        return
    reasons = {first[position].reason: first[position] for position in sorted(first, reverse=True)}
    shown = [f"row {f.position + 1}, {f.text[:40]!r}: {f.reason}" for f in list(reasons.values())[:-4:-1]]
    listed = ""
    if errors.path is not None:
        _write_errors(errors.path, report)
        listed = f"; all are listed in {errors.path}"
    if len(first) == report.total:
        count, advice = f"no row of {options.table} could be read", "is it the right column?"
    else:
        count = f"{len(first):,} of {report.total:,} rows of {options.table} could not be read"
        advice = f"at most a share of {options.max_unreadable:g} may be so (--max-unreadable)"
    raise ValueError(f"{count}; {'; '.join(shown)}{listed}; {advice}")


def _load_model(path: str) -> Any:
    model = models.load(path)
    if model.featurizer is None:
        raise ValueError(
            f"the model in {path} names no featurizer, so it is not known what it takes instead of SMILES; set "
            "model.featurizer to what made the features that it was trained on, such as "
            "catalase.feat.CircularFingerprint(...), and save it again"
        )
    return model


def _check_classes(dataset: Any, tasks: Sequence[str]) -> None:
    values = np.unique(dataset.y[dataset.w != 0])
    if not set(values.tolist()) <= {0.0, 1.0}:
        shown = ", ".join(f"{v:g}" for v in values[:6])
        raise ValueError(f"classification needs labels 0 and 1 in {', '.join(tasks)}, got {shown}")


def _check_training_classes(part: Any, options: Namespace) -> None:
    """Refuse to train a classifier on labels of one class."""
    for t in range(len(options.task)):
        if len(np.unique(part.y[part.w[:, t] != 0, t])) > 1:
            return
    others = [name for name in ("random", "scaffold") if name != options.splitter]
    raise ValueError(
        f"the training part has molecules of one class only in {', '.join(options.task)}, so there is nothing to learn; "
        f"if the table has molecules of both, split otherwise (--splitter {' or '.join(others)})"
    )


def _report(console: Console, report: Report | None, errors: Output, excuse: str = "") -> int:
    """Say what was read, and write the rows that were not into the error file; that of an earlier run goes."""
    failures = report.failures if report is not None else []
    if report is None or not failures:
        if errors.path is not None and begins_with(errors.path, ERRORS_BEGIN):
            os.unlink(os.path.realpath(errors.path))
        return 0
    count = len({f.position for f in failures})
    listed = f"they are listed in {errors.path}"
    if errors.path is None:
        first = min(failures, key=lambda failure: failure.position)
        listed = f"the first is row {first.position + 1}, {first.text[:40]!r}: {first.reason}"
        listed += f"; {excuse or 'name a file for them by --errors-file'}"
    else:
        try:
            _write_errors(errors.path, report)
        except OSError as error:  # everything else is done: it is not lost for this
            listed = f"they could not be listed: {error}"
    console.print(f"{count:,} of {report.total:,} rows could not be read; {listed}")
    return count


def _write_errors(path: str | os.PathLike[str], report: Report) -> None:
    def write(binary: IO[bytes]) -> None:
        with _csv_writer(binary) as writer:
            writer.writerow(["row", "text", "reason"])
            failures = sorted(report.failures, key=lambda failure: failure.position)
            writer.writerows([f.position + 1, f.text, f.reason] for f in failures)

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    _storage.write_file_atomic(path, write)


def _print_scores(console: Console, model: Any, parts: list[tuple[str, Any]]) -> None:
    """A table of the usual scores for each part, whose labels are in the units of the table."""
    rows, undefined = [], False
    names: list[str] = []
    for name, part in parts:
        prediction = model.predict(part)
        if prediction.ndim == 3 and prediction.shape[2] == 2:
            _check_classes(part, part.tasks)
            functions: list[Any] = [metrics.roc_auc_score, metrics.prc_auc_score, metrics.balanced_accuracy_score]
            names = ["ROC-AUC", "PRC-AUC", "balanced accuracy"]
        elif prediction.ndim == 3:
            functions, names = (
                [metrics.accuracy_score, metrics.balanced_accuracy_score],
                ["accuracy", "balanced accuracy"],
            )
        else:
            functions = [metrics.rms_score, metrics.mae_score, metrics.r2_score, metrics.spearman_score]
            names = ["RMSE", "MAE", "R2", "Spearman"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one sentence below says it for all scores
            scores = [metrics.Metric(f, np.mean).compute_metric(part.y, prediction, part.w) for f in functions]
        undefined |= bool(np.isnan(scores).any())
        rows.append([name, f"{len(part):,}", *[f"{score:.3f}" for score in scores]])
    console.table(["part", "rows", *names], rows)
    if undefined:
        needed = "molecules of both classes" if names[0] == "ROC-AUC" else "several different values"
        console.print(f"nan: this score cannot be computed; it needs {needed} in each task")
