"""``catalase evaluate`` scores a model on a table with measured values."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common.command import Commands, command, exit_code
from .common.options import add_label_options, add_table_options, input_path, name


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    text = "Score a model on a table with measured values."
    parser = command(commands, "evaluate", text, run, prints=lambda options: True)
    parser.add_argument(
        "model", type=input_path, help="folder of a saved model that names its featurizer and its tasks"
    )
    parser.add_argument("table", type=input_path, help="as for train, with the columns the model was trained on")
    parser.add_argument(
        "--smiles",
        type=name,
        help="column of SMILES (default: the one of training, smiles, SMILES, mol, structure ...)",
    )
    parser.add_argument("--force", action="store_true", help="replace an error file that is there")
    add_table_options(parser)
    add_label_options(parser)


def run(options: argparse.Namespace) -> int:
    """Print the model's scores on the table."""
    from dataclasses import replace

    from .. import models
    from .._internal.console import Console
    from .._internal.storage.outputs import check_outputs
    from .common import tables

    console = Console()
    unreadable = tables.UnreadableRows.of(options, tables.error_file_beside(options.table))
    inputs = {"the table": options.table, "the model": options.model}
    try:
        check_outputs("evaluate", inputs, [unreadable.output], force=options.force)
    except (OSError, ValueError) as error:
        if options.errors_file is not None:
            raise
        # The user did not ask for this file, and the scores do not depend on it.
        unreadable = replace(unreadable, error_file=None, advice=f"{error} by --errors-file")
    model = tables.load_model(options.model)
    if model.tasks is None:
        raise ValueError(
            f"the model in {options.model} does not name its tasks, so it is not known which columns hold the measured values; "
            "set model.tasks in Python and save it again"
        )
    table = tables.labelled_table(options, "evaluate", model.tasks, model.smiles_column)
    for line in table.summary:
        console.print(line)
    unreadable.check_share(table.report, table.lost)
    known = 0
    if isinstance(model, models.AutoModel):
        from ..workflow import readable

        table = readable(table)
        dataset = table.molecules()
        known = int((model.nearest_similarity(dataset) == 1).sum()) if len(dataset) else 0
    else:
        dataset, table = table.dataset(model.featurizer)
    unreadable.check_share(table.report, table.lost)
    tables.print_scores(console, model, [(Path(options.table).name, dataset)])
    if known:
        console.print(
            f"{known:,} of {len(dataset):,} molecules have the fingerprint of a training molecule, which makes the scores "
            "better than they are for new molecules"
        )
    return exit_code(unreadable.tell(console, table.report, table.lost), options)
