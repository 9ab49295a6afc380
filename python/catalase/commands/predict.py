"""``catalase predict`` predicts every row of a table of any length, in bounded memory."""

from __future__ import annotations

import argparse
import functools
from typing import Any

from .common.command import Commands, command, exit_code
from .common.options import add_table_options, input_path, name, number, output_path


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    text = "Predict for every row of a table, in bounded memory."
    parser = command(commands, "predict", text, run, interrupted="nothing was written")
    parser.add_argument("model", type=input_path, help="folder of a saved model that names its featurizer")
    parser.add_argument("table", type=input_path, help="as for train, with the SMILES column the model was trained on")
    parser.add_argument(
        "-o",
        "--out",
        type=output_path,
        required=True,
        help="CSV to write: the table's columns and one for each task; - for standard output",
    )
    parser.add_argument(
        "--smiles",
        type=name,
        help="column of SMILES (default: the one of training, smiles, SMILES, mol, structure ...)",
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument(
        "--coverage",
        type=number(lambda v: 0 < v < 1, "above 0 and below 1"),
        help="share of the measurements that are to lie within the intervals (default: that of the training)",
    )
    add_table_options(parser)


def run(options: argparse.Namespace) -> int:
    """Copy the table chunk by chunk, with the predictions in new columns."""
    from .. import models
    from .._internal.storage.outputs import Output, check_outputs
    from .common import tables

    unreadable = tables.UnreadableRows.of(options, tables.error_file_beside(options.out))
    inputs = {"the table": options.table, "the model": options.model}
    check_outputs("predict", inputs, [Output("-o", options.out), unreadable.output], force=options.force)
    model = tables.load_model(options.model)
    predicted = _prediction_names(model)
    added = [f"predicted {what}" for what in predicted]
    cells_of = functools.partial(_predict, model, len(predicted))
    if isinstance(model, models.AutoModel):
        added += [f"{what} {task}" for what in ("std", "low", "high") for task in predicted]
        added += ["nearest_similarity", "in_domain"]
        cells_of = functools.partial(_predict_all, model, options.coverage)
    elif options.coverage is not None:
        raise ValueError(
            f"--coverage is for models with intervals, which {options.model} has not; train one without --model"
        )
    _, failed = tables.copy_with_columns(
        "predict", "predicting", unreadable, options, model.smiles_column, added, cells_of
    )
    return exit_code(failed, options)


def _predict(model: Any, width: int, smiles: list[str], unread: list[Any]) -> tuple[list[list[str]], list[Any]]:
    """Return the cells to add to each row, empty where the row cannot be read, and the failures."""
    predictions, kept, failed = model._answers("predict", smiles, model.predict, unread=unread)
    cells = [[""] * width for _ in smiles]
    for i, values in zip(kept.tolist(), predictions, strict=True):
        if values.ndim == 2:  # class probabilities; of two classes that of the second
            values = values[:, 1] if values.shape[1] == 2 else values.reshape(-1)
        cells[i] = [str(value) for value in values]  # reads back as the same bits
    return cells, failed


def _predict_all(
    model: Any, coverage: float | None, smiles: list[str], unread: list[Any]
) -> tuple[list[list[str]], list[Any]]:
    """Return all that an `AutoModel` says of each row as cells, empty where the row cannot be read, and the failures."""
    answer = functools.partial(model.columns_of, coverage=model.coverage if coverage is None else coverage)
    columns, kept, failed = model._answers("predict", smiles, answer, unread=unread)
    cells = [[""] * (4 * model.n_tasks + 2) for _ in smiles]
    for i, values in zip(kept.tolist(), columns.tolist(), strict=True):
        cells[i] = [*(str(value) for value in values[:-1]), "yes" if values[-1] else "no"]
    return cells, failed


def _prediction_names(model: Any) -> list[str]:
    """Return the names of the predicted columns: each task, or each class of each task where there are more than two."""
    example = model._answers("predict", ["C"], model.predict).predictions
    if example.ndim not in (2, 3):
        raise ValueError(f"the model gives predictions of shape {example.shape}, which are no columns of a table")
    tasks = model.tasks or [f"task {number}" for number in range(example.shape[1])]
    if len(tasks) != example.shape[1]:
        raise ValueError(f"the model gives {example.shape[1]} tasks but names {len(tasks)}: {', '.join(tasks)}")
    if example.ndim == 2 or example.shape[2] == 2:
        return list(tasks)
    return [f"{task} class {number}" for task in tasks for number in range(example.shape[2])]
