"""The user's own tables, for the command line: train on one, score on one, predict for one of any length."""

from __future__ import annotations

import csv
import io
import tempfile
import zlib
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from . import _storage, data, feat, metrics, models, splits, train, trans
from ._console import Console
from ._report import Failure, Report
from .data.csv_loader import check_columns, open_text

_CHUNK = 4096  # rows predicted at a time
_SPLITTERS = {"scaffold": splits.ScaffoldSplitter, "random": splits.RandomSplitter, "index": splits.IndexSplitter}


def train_on_table(options: Namespace) -> int:
    """``catalase train``: read, split, train with early stopping, score on the held-out part, save.

    Returns
    -------
    int
        How many rows could not be read; they are listed in the error file.
    """
    console = Console()
    out = Path(options.out)
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]) and not options.force:
        raise ValueError(f"{out} exists and is not empty; choose another --out, or add --force to replace the model")
    _check_folder(out)
    featurizer = feat.CircularFingerprint(radius=options.radius, size=options.size)
    dataset = _load(options.table, options.task, options.smiles, featurizer)
    n_failed = _report(console, dataset.report, options.errors_file or f"{out}.errors.csv")
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
    history = model.fit(train_set, options.epochs, valid=valid_set, callbacks=[stopper])
    best = 0 if stopper.best_epoch is None else stopper.best_epoch + 1
    console.print(f"{len(history)} epochs; the weights of epoch {best} are kept (least loss on validation)")
    model.transformers, model.smiles_column = [transformer], options.smiles
    _print_scores(console, model, [("validation", parts[1]), ("test", parts[2])])
    model.save(out)
    console.print(f"model saved in {out}")
    return n_failed


def evaluate_on_table(options: Namespace) -> int:
    """``catalase evaluate``: the model's scores on a table. Returns how many rows could not be read."""
    console = Console()
    model = _load_model(options.model)
    if model.tasks is None:
        raise ValueError(
            f"the model in {options.model} does not name its tasks, so it is not known which columns hold the measured values; "
            "set model.tasks in Python and save it again"
        )
    dataset = _load(options.table, model.tasks, _smiles_column(model, options.smiles), model.featurizer)
    n_failed = _report(console, dataset.report, options.errors_file or f"{options.table}.errors.csv")
    _print_scores(console, model, [(Path(options.table).name, dataset)])
    return n_failed


def predict_table(options: Namespace) -> int:
    """``catalase predict``: one pass over the table, chunk by chunk. Returns how many rows could not be read."""
    console = Console()
    model = _load_model(options.model)
    smiles = _smiles_column(model, options.smiles)
    names = _prediction_names(model)
    out = Path(options.out)
    if out.exists() and not options.force:
        raise ValueError(f"{out} exists; choose another -o, or add --force to replace it")
    failures: list[Failure] = []
    counts = [0]
    # The table is opened before the output, so that its faults are not taken for faults of the output.
    with open_text(options.table) as file:
        chunks = _chunks(options.table, file)
        header = next(chunks)[0]
        added = _added_columns(options.table, header, smiles, names)
        column = header.index(smiles)

        def write(binary: IO[bytes]) -> None:
            text = io.TextIOWrapper(binary, encoding="utf-8", newline="", write_through=True)
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(header + added)
            with console.progress("predicting", None) as advance:
                for rows in chunks:
                    texts = [row[column] for row in rows]
                    values = _predict_rows(model, len(names), texts, counts[0], failures)
                    writer.writerows(row + cells for row, cells in zip(rows, values, strict=True))
                    counts[0] += len(rows)
                    advance(len(rows))
            text.flush()
            text.detach()

        _storage.write_file_atomic(out, write)
    report = Report(counts[0], counts[0] - len(failures), failures)
    console.print(f"{counts[0]:,} rows written to {out}")
    return _report(console, report, options.errors_file or f"{out}.errors.csv")


def _predict_rows(model: Any, columns: int, texts: list[str], start: int, failures: list[Failure]) -> list[list[str]]:
    """The cells to add to each row; empty ones where the molecule cannot be read."""
    predictions, kept, failed = model._answers("predict", texts, model.predict)
    failures += [Failure(start + f.position, f.text, f.reason) for f in failed]
    cells = [[""] * columns for _ in texts]
    for i, values in zip(kept.tolist(), predictions, strict=True):
        if values.ndim == 2:  # class probabilities: of two classes the second's
            values = values[:, 1] if values.shape[1] == 2 else values.reshape(-1)
        cells[i] = [str(value) for value in values]  # the digits that tell one float32 from its neighbours
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


def _chunks(name: str, file: IO[str]) -> Iterator[list[list[str]]]:
    """The header alone, then the rows of a CSV file in chunks, as lists of cells; blank lines are passed over."""
    reader = csv.reader(file)
    try:
        header = next((row for row in reader if row), [])
        yield [header]
        rows: list[list[str]] = []
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise ValueError(
                    f"line {reader.line_num} of {name} has not the {len(header)} fields of the header; "
                    "is a quote or a comma missing?"
                )
            rows.append(row)
            if len(rows) == _CHUNK:
                yield rows
                rows = []
        if rows:
            yield rows
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{name} is damaged near line {reader.line_num}: {error}") from None


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


def _load(table: str, tasks: Sequence[str], smiles: str, featurizer: Any) -> Any:
    import warnings

    loader = data.CSVLoader(tasks, featurizer, feature_field=smiles)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the report says it better
        dataset = loader.create_dataset(table, errors="drop")
    if len(dataset) == 0:
        failures = dataset.report.failures if dataset.report else []
        first, n = failures[0], len(failures)
        row = f"{first.text!r} in row {first.position + 1}: {first.reason}"
        raise ValueError(
            f"no row of {table} could be read, the first of {n:,} for this: {row}; is it the right column?"
        )
    return dataset


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


def _report(console: Console, report: Report | None, file: str) -> int:
    """Say what was read, and write the rows that were not into the error file."""
    if report is None or not report.failures:
        return 0
    rows = sorted({f.position for f in report.failures})

    def write(binary: IO[bytes]) -> None:
        text = io.TextIOWrapper(binary, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["row", "text", "reason"])
        writer.writerows([f.position + 1, f.text, f.reason] for f in report.failures)
        text.flush()
        text.detach()

    _storage.write_file_atomic(file, write)
    console.print(f"{len(rows):,} of {report.total:,} rows could not be read; they are listed in {file}")
    return len(rows)


def _print_scores(console: Console, model: Any, parts: list[tuple[str, Any]]) -> None:
    """A table of the usual scores for each part, whose labels are in the units of the table."""
    rows = []
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
        scores = [metrics.Metric(f, np.mean).compute_metric(part.y, prediction, part.w) for f in functions]
        rows.append([name, f"{len(part):,}", *[f"{score:.3f}" for score in scores]])
    console.table(["part", "rows", *names], rows)
