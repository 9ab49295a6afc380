"""How good are the graph nets beside their peers, on the same rows?

    python graph_quality.py tables FOLDER
    python graph_quality.py train FOLDER [--model dmpnn|graph-conv|torch-graph-conv] [--tables esol.random ...]
    python graph_quality.py compare FOLDER MODEL PEER

``tables`` writes the rows of six MoleculeNet tables (from ``CATALASE_DATA_DIR`` or the user's cache) that RDKit reads, as
``NAME.scaffold.csv`` and ``NAME.random.csv`` with the columns smiles, the tasks, and split (80% train, 10% val, 10% test).
``train`` learns each of them with seeds 0 to 4, 50 epochs, and the weights of the best validation epoch, and writes the
predictions of the test rows to ``FOLDER/MODEL/NAME.KIND.SEED.csv``. "torch-graph-conv" is the net of `GraphConvModel`, written
in PyTorch. chemprop writes files of the same form:

    chemprop train -i esol.random.csv -s smiles --splits-column split -t regression --pytorch-seed 0

``compare`` prints RMSE, or ROC-AUC (mean over the tasks), of what two folders both have: means over seeds, and their
difference in pooled standard errors, positive where the first is worse.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from pathlib import Path

import numpy as np

import catalase as ct

LOADERS = {
    "esol": "delaney", "freesolv": "sampl", "lipo": "lipo",
    "bbbp": "bbbp", "bace": "bace_classification", "tox21": "tox21",
}  # fmt: skip
REGRESSIONS = ("esol", "freesolv", "lipo")
TABLES = [f"{name}.{kind}" for name in LOADERS for kind in ("scaffold", "random")]
EPOCHS = 50


def write_tables(folder: Path) -> None:
    """Write the rows of each table with their parts."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, loader in LOADERS.items():
        tasks, (data,), _ = getattr(ct.molnet, f"load_{loader}")(
            featurizer="DMPNN", splitter=None, transformers=[], errors="drop"
        )
        splitters = {"scaffold": ct.splits.ScaffoldSplitter(), "random": ct.splits.RandomSplitter()}
        for kind, splitter in splitters.items():
            parts = np.empty(len(data), object)
            for part, rows in zip(("train", "val", "test"), splitter.split(data, seed=0), strict=True):
                parts[rows] = part
            with open(folder / f"{name}.{kind}.csv", "w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(["smiles", *tasks, "split"])
                for smiles, y, w, part in zip(data.ids, data.y, data.w, parts, strict=True):
                    writer.writerow(
                        [smiles, *("" if not there else value for value, there in zip(y, w, strict=True)), part]
                    )


def read(path: Path) -> tuple[list[str], list[str], np.ndarray, np.ndarray]:
    """SMILES, tasks, labels (NaN where there is none), and part of each row; predictions have no part."""
    with open(path, newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    tasks = [name for name in names[1:] if name != "split"]
    y = np.array([[float(value) if value else math.nan for value in row[1 : len(tasks) + 1]] for row in rows])
    return [row[0] for row in rows], tasks, y, np.array([row[-1] for row in rows])


def datasets(path: Path, features: str) -> tuple[list[str], dict[str, ct.data.GraphDataset]]:
    """The tasks and the parts of a table, as graphs."""
    smiles, tasks, y, parts = read(path)
    featurizer = ct.feat.MolGraphFeaturizer(features)
    whole = ct.data.GraphDataset(featurizer.featurize(smiles), y, ids=smiles, tasks=tasks, featurizer=featurizer)
    return tasks, {part: whole.select(np.flatnonzero(parts == part)) for part in ("train", "val", "test")}


def predict_dmpnn(data: dict[str, ct.data.GraphDataset], mode: str, tasks: int, seed: int) -> np.ndarray:
    model = ct.models.DMPNNModel(tasks, mode=mode, seed=seed)
    best = ct.train.EarlyStopping(patience=EPOCHS)
    model.fit(data["train"], nb_epoch=EPOCHS, valid=data["val"], callbacks=best, progress=False)
    return model.predict(data["test"])


MODELS = {"dmpnn": ("dmpnn", predict_dmpnn)}


def train(folder: Path, name: str, tables: list[str], seeds: list[int]) -> None:
    """Write the predictions that are not there yet."""
    features, predict = MODELS[name]
    (folder / name).mkdir(exist_ok=True)
    for seed in seeds:
        for table in tables:
            out = folder / name / f"{table}.{seed}.csv"
            if out.exists():
                continue
            start = time.perf_counter()
            tasks, data = datasets(folder / f"{table}.csv", features)
            mode = "regression" if table.split(".")[0] in REGRESSIONS else "classification"
            found = predict(data, mode, len(tasks), seed)
            found = found if mode == "regression" else found[:, :, 1]
            with open(out, "w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(["smiles", *tasks])
                writer.writerows([smiles, *row] for smiles, row in zip(data["test"].ids, found.tolist(), strict=True))
            print(f"{out}: {score(folder, out):.4f} in {time.perf_counter() - start:.0f} s", flush=True)


def score(folder: Path, path: Path) -> float:
    """RMSE or ROC-AUC of a file of predictions, the mean over the tasks."""
    table = path.name.rsplit(".", 2)[0]
    smiles, tasks, y, parts = read(folder / f"{table}.csv")
    y, smiles = y[parts == "test"], [s for s, part in zip(smiles, parts, strict=True) if part == "test"]
    ids, columns, found, _ = read(path)
    if ids != smiles or columns != tasks:
        raise ValueError(f"{path} is not of the test rows of {table}.csv")
    there = ~np.isnan(y)
    regression = table.split(".")[0] in REGRESSIONS
    metric = ct.metrics.rms_score if regression else ct.metrics.roc_auc_score
    return float(np.mean([metric(y[there[:, t], t], found[there[:, t], t]) for t in range(len(tasks))]))


def compare(folder: Path, model: str, peer: str) -> None:
    """Print the scores of the files that both folders have."""
    differences = []
    print(f"{'table':20} {model:>18} {peer:>18}  seeds  difference / pooled standard error")
    for table in TABLES:
        files = [{path.name for path in (folder / name).glob(f"{table}.*.csv")} for name in (model, peer)]
        both = sorted(files[0] & files[1])
        if len(both) < 2:
            continue
        ours, theirs = (np.array([score(folder, folder / name / file) for file in both]) for name in (model, peer))
        error = math.sqrt((ours.var(ddof=1) + theirs.var(ddof=1)) / len(both))
        worse = ours.mean() - theirs.mean() if table.split(".")[0] in REGRESSIONS else theirs.mean() - ours.mean()
        differences.append(worse / error)
        cells = [f"{values.mean():.4f} +- {values.std(ddof=1):.4f}" for values in (ours, theirs)]
        print(f"{table:20} {cells[0]:>18} {cells[1]:>18}  {len(both):5}  {worse / error:+.2f}")
    if differences:
        print(f"mean {np.mean(differences):+.2f}, worst {max(differences):+.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("tables", "train", "compare"):
        commands.add_parser(name).add_argument("folder", type=Path)
    training, comparison = commands.choices["train"], commands.choices["compare"]
    training.add_argument("--model", choices=list(MODELS), default="dmpnn")
    training.add_argument("--tables", nargs="+", default=TABLES, metavar="NAME.KIND")
    training.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    comparison.add_argument("model")
    comparison.add_argument("peer")
    options = parser.parse_args()
    if options.command == "tables":
        write_tables(options.folder)
    elif options.command == "train":
        train(options.folder, options.model, options.tables, options.seeds)
    else:
        compare(options.folder, options.model, options.peer)


if __name__ == "__main__":
    main()
