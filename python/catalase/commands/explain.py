"""``catalase explain`` says what each atom contributes to a prediction, for every row of a table."""

from __future__ import annotations

import argparse
from typing import Any

from .common.command import Commands, command, exit_code
from .common.options import add_table_options, input_path, name, output_path

_DRAWN = 100  # molecules of the picture


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    text = "Say what each atom contributes to a prediction, for every row of a table."
    parser = command(commands, "explain", text, run, interrupted="nothing was written")
    parser.add_argument("model", type=input_path, help="folder of a saved model that names its featurizer")
    parser.add_argument("table", type=input_path, help="as for predict")
    parser.add_argument(
        "-o",
        "--out",
        type=output_path,
        required=True,
        help="CSV to write: the table's columns, a value for each atom in the order of the SMILES, and the base, which with "
        "their sum is the prediction; - for standard output",
    )
    parser.add_argument("--png", type=output_path, help=f"draw the first {_DRAWN} molecules, their atoms coloured")
    parser.add_argument("--task", type=name, help="name of a task of the model, or its number (default: the first)")
    parser.add_argument(
        "--method",
        choices=["masking", "gradient", "exact"],
        help="masking: what the prediction loses without the atom (default); gradient: for nets; exact: for Gaussian "
        "processes and ridge regression",
    )
    parser.add_argument(
        "--smiles",
        type=name,
        help="column of SMILES (default: the one of training, smiles, SMILES, mol, structure ...)",
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    add_table_options(parser)


def run(options: argparse.Namespace) -> int:
    """Copy the table chunk by chunk, with the contributions in new columns, and draw the first molecules."""
    from .. import chem, explain
    from .._internal.storage.outputs import Output, check_outputs
    from .common import tables

    unreadable = tables.UnreadableRows.of(options, tables.error_file_beside(options.out))
    inputs = {"the table": options.table, "the model": options.model}
    outputs = [Output("-o", options.out), unreadable.output, Output("--png", options.png)]
    check_outputs("explain", inputs, outputs, force=options.force)
    model = tables.load_model(options.model)
    task, called = _task(model, options.task)
    explain.atoms(
        model, ["C"], options.method, task
    )  # a model that cannot be explained is refused before the table is read
    drawn: list[tuple[str, Any]] = []

    def cells_of(smiles: list[str], unread: list[Any]) -> tuple[list[list[str]], list[Any]]:
        cells = [["", ""] for _ in smiles]
        unread_places = {failure.position for failure in unread}
        places = [i for i in range(len(smiles)) if i not in unread_places]
        parts, base = explain.atoms(
            model, [smiles[i] for i in places], options.method, task, errors="mask", return_base=True
        )
        failures = [failure._replace(position=places[failure.position]) for failure in model.featurizer.report.failures]
        for i, values, rest in zip(places, parts, base.tolist(), strict=True):
            if values is not None:
                cells[i] = [" ".join(map(str, values.tolist())), str(rest)]
                if options.png and len(drawn) < _DRAWN:
                    drawn.append((smiles[i], values))
        return cells, sorted([*unread, *failures])

    added = [f"contributions {called}", f"base {called}"]
    console, failed = tables.copy_with_columns(
        "explain", "explaining", unreadable, options, model.smiles_column, added, cells_of
    )
    if drawn:
        chem.draw([text for text, _ in drawn], options.png, contributions=[values for _, values in drawn])
        console.print(f"{len(drawn):,} molecules drawn in {options.png}")
    return exit_code(failed, options)


def _task(model: Any, asked: str | None) -> tuple[int, str]:
    """Return the number of the task that the user asked for, and what it is called."""
    tasks = list(model.tasks or [])
    if asked is None:
        return 0, tasks[0] if tasks else "task 0"
    if asked in tasks:
        return tasks.index(asked), asked
    if not asked.isdecimal() or (tasks and int(asked) >= len(tasks)):
        known = f"has the tasks {', '.join(tasks)}" if tasks else "names no tasks, so --task must be a number from 0"
        raise ValueError(f"there is no task {asked!r}: the model {known}")
    return int(asked), tasks[int(asked)] if tasks else f"task {int(asked)}"
