"""``catalase train`` trains a model on a table of molecules."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from .common.auto_training import AutoTraining
    from .common.net_training import NetTraining

_MOST_CHECKED = 10_000  # rows that are searched for salts and duplicates unasked; RDKit takes 1.6 ms each
_OF_NETS = (
    "features",
    "radius",
    "size",
    "epochs",
    "patience",
    "layer",
    "dropout",
    "learning_rate",
    "weight_decay",
    "batch_size",
)
_NOT_OF_NETS = ("time_budget", "folds", "coverage", "scramble")


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
    parser.add_argument(
        "--splitter",
        choices=["scaffold", "random", "index"],
        default="scaffold",
        help="what holds test molecules out: whole scaffolds, as molecules of a new series are; chance; or their place in the "
        "table, the last ones (default: %(default)s)",
    )
    parser.add_argument("--out", type=output_path, required=True, help="folder for the model")
    parser.add_argument("--force", action="store_true", help="replace a model that is there")
    parser.add_argument(
        "--seed", type=whole_number(0, 2**63 - 1), default=0, help="same seed, same model (default: %(default)s)"
    )
    parser.add_argument(
        "--model",
        choices=["auto", "gp", "forest", "knn", "ridge", "dense", "graph", "sequence"],
        help="auto: several kinds, measured on molecules that they have not seen, which answer together; gp, forest, knn, "
        "ridge: one of these; dense, graph, sequence: one net with the settings below, a dense one on --features, a D-MPNN "
        "on molecular graphs, with --features beside them, or a GRU that reads canonical SMILES (default: auto; "
        "dense where a setting of a net is given)",
    )
    parser.add_argument(
        "--time-budget",
        type=number(lambda v: v > 0, "above 0"),
        help="seconds that --model auto may take (default: 60)",
    )
    parser.add_argument(
        "--folds",
        type=whole_number(2, 100),
        help="of the cross-validation within the training part (default: 5)",
    )
    parser.add_argument(
        "--coverage",
        type=number(lambda v: 0 < v < 1, "above 0 and below 1"),
        help="share of the measurements that are to lie within the intervals (default: 0.9)",
    )
    parser.add_argument(
        "--scramble",
        metavar="TIMES",
        type=whole_number(1, 1000),
        help="also train on shuffled labels, so often, to see whether the score could be luck",
    )
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
    net = parser.add_argument_group("settings of a net, for --model dense, graph and sequence")
    add_feature_options(net, default="ecfp, or none beside a graph; not for --model sequence", asked=True)
    net.add_argument("--epochs", type=whole_number(1), help="at most; early stopping (default: 100)")
    net.add_argument("--patience", type=whole_number(1), help="epochs without improvement (default: 10)")
    net.add_argument(
        "--layer",
        action="append",
        type=whole_number(1),
        help="width of a hidden layer of the dense net; repeat for several (default: 1000)",
    )
    net.add_argument(
        "--dropout",
        type=number(lambda v: 0 <= v < 1, "0 or more and below 1"),
        help="share of the units that each training step leaves out (default: 0.5; 0 for --model graph, 0.3 for sequence)",
    )
    net.add_argument(
        "--learning-rate",
        type=number(lambda v: v > 0, "above 0"),
        help="of the optimizer; for --model graph the highest of its course (default: 0.001; 0.002 for --model sequence)",
    )
    net.add_argument(
        "--weight-decay",
        type=number(lambda v: v >= 0, "0 or more"),
        help="L2 penalty on the weights of the dense net (default: 0)",
    )
    net.add_argument(
        "--batch-size",
        type=whole_number(1),
        help="rows of a training step (default: 100; 64 for --model graph and sequence)",
    )
    add_table_options(parser)
    add_label_options(parser, transforms=True)


def run(options: argparse.Namespace) -> int:
    """Read the table, split it, train, save the model, and score it on the part held out."""
    from .._internal.console import Console
    from .._internal.storage.outputs import Output, check_outputs
    from .common import tables

    console = Console()
    out = Path(options.out)
    _check_tasks(options.task, options.smiles)
    if options.duplicates is not None and options.standardize is False:
        raise ValueError("--duplicates merges standard forms, which --no-standardize leaves out; give one of them")
    standardize = True if options.duplicates is not None else options.standardize
    training = _training(options)
    unreadable = tables.UnreadableRows.of(options, f"{out}.errors.csv")
    _check_folder(out)
    # Where the parent folder of a new model does not exist yet, there can be no error file in it to check.
    new = options.errors_file is None and not out.absolute().parent.exists()
    outputs = [Output("--out", out, folder=True), *training.outputs(out), *([] if new else [unreadable.output])]
    check_outputs("train", {"the table": options.table}, outputs, force=options.force)
    table = tables.labelled_table(options, "train", options.task)
    for line in table.summary:
        console.print(line)
    unreadable.check_share(table.report, table.lost)
    table = training.read(table)
    unreadable.check_share(table.report, table.lost)
    readable = len(table)
    same = _same_molecules(console, table, standardize)
    notes = []
    if standardize:
        merged, notes = same.merged(options.duplicates or "mean")
        table, same = training.read(merged), None
        notes.append(f"trained on {len(table):,} molecules of {readable:,} rows; standardize those to predict, too")
    elif same is None and standardize is None:
        notes = [
            f"salts and duplicates were not looked for in more than {_MOST_CHECKED:,} rows; --standardize does both"
        ]
    unreadable.check_share(table.report, table.lost)
    failed = unreadable.tell(console, table.report, table.lost)
    classification = table.mode == "classification" if options.classification is None else options.classification
    if classification and options.classification is None:
        console.print("all labels are 0 and 1, so classes are learned; --no-classification learns numbers")
    if classification:
        tables.check_classes(table.y[table.y == table.y], table.tasks)
    for note in notes:
        console.print(note)
    training.train(console, table, classification, same, out)
    return exit_code(failed, options)


def _training(options: argparse.Namespace) -> AutoTraining | NetTraining:
    """Return what trains the model that the options ask for."""
    from .common.auto_training import AutoTraining
    from .common.net_training import NetTraining

    given = [option for option in _OF_NETS if getattr(options, option) is not None]
    kind = options.model or ("dense" if given else "auto")
    if kind in ("dense", "graph", "sequence"):
        other = next((option for option in _NOT_OF_NETS if getattr(options, option) is not None), None)
        if other is not None:
            raise ValueError(f"--{other.replace('_', '-')} is not for a single net; leave it out, or give --model auto")
        return NetTraining(options)
    if given:
        raise ValueError(f"--{given[0].replace('_', '-')} is a setting of a net; leave it out, or give --model dense")
    return AutoTraining(options, kind)


def _same_molecules(console: Any, table: Any, wanted: bool | None) -> Any:
    """Return which rows are of the same molecule; None where that is not to be looked for."""
    from ..data.same_molecules import SameMolecules

    if wanted is False or (wanted is None and len(table) > _MOST_CHECKED):
        return None
    with console.progress("looking for salts and duplicates", len(table)) as advance:
        return SameMolecules(table, advance)


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
