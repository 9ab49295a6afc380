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
import itertools
import math
import time
from pathlib import Path
from typing import Any

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
        tasks, (data, *_), _ = getattr(ct.molnet, f"load_{loader}")(
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


def predict_graph_conv(data: dict[str, ct.data.GraphDataset], mode: str, tasks: int, seed: int) -> np.ndarray:
    scaler = ct.trans.NormalizationTransformer(transform_y=True, dataset=data["train"])
    transformers = [scaler] if mode == "regression" else []
    train, val = (data[part].transform(scaler) if transformers else data[part] for part in ("train", "val"))
    model = ct.models.GraphConvModel(tasks, mode=mode, seed=seed)
    best = ct.train.EarlyStopping(patience=EPOCHS)
    model.fit(train, nb_epoch=EPOCHS, valid=val, callbacks=best, progress=False)
    return model.predict(data["test"], transformers)


def torch_graph_conv(tasks: int, classes: bool) -> Any:
    """The net of `GraphConvModel` in PyTorch: the same layers and start values."""
    import torch
    from torch import nn

    most, widths = 10, (75, 64, 64, 128)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()

            def glorot(*shape: int) -> nn.Parameter:
                limit = math.sqrt(6 / (shape[-2] + shape[-1]))
                return nn.Parameter(torch.empty(shape).uniform_(-limit, limit))

            sizes = list(itertools.pairwise(widths[:3]))
            self.own = nn.ParameterList([glorot(most + 1, *size) for size in sizes])
            self.others = nn.ParameterList([glorot(most + 1, *size) for size in sizes])
            self.bias = nn.ParameterList([nn.Parameter(torch.zeros(most + 1, size[1])) for size in sizes])
            self.norms = nn.ModuleList([nn.BatchNorm1d(n, eps=1e-3, momentum=0.01) for n in widths[1:]])
            self.dense = nn.Linear(widths[2], widths[3])
            self.output = nn.Linear(2 * widths[3], tasks * (2 if classes else 1))
            for layer in (self.dense, self.output):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

        def forward(self, x: torch.Tensor, source: torch.Tensor, target: torch.Tensor, owner: torch.Tensor, count: int):
            degree = torch.bincount(target, minlength=len(x)).clamp(max=most)
            groups = [(d, torch.nonzero(degree == d)[:, 0]) for d in range(most + 1)]
            for own, others, bias, norm in zip(self.own, self.others, self.bias, self.norms, strict=False):
                sums = torch.zeros_like(x).index_add(0, target, x[source])
                made = torch.zeros(len(x), own.shape[2])
                for d, rows in groups:
                    made = made.index_add(0, rows, x[rows] @ own[d] + sums[rows] @ others[d] + bias[d])
                x = norm(torch.relu(made))
                x = x.index_reduce(0, target, x[source], "amax")
            x = self.norms[-1](torch.relu(self.dense(x)))
            sums = torch.zeros(count, x.shape[1]).index_add(0, owner, x)
            largest = torch.full_like(sums, -math.inf).index_reduce(0, owner, x, "amax")
            found = self.output(torch.tanh(torch.cat([sums, largest], dim=1)))
            return found.reshape(count, tasks, 2) if classes else found

    return Net()


def torch_batch(part: ct.data.GraphDataset, rows: np.ndarray) -> tuple[Any, ...]:
    """What the net takes for some rows."""
    import torch

    graphs = part.X[rows]
    owner = np.repeat(np.arange(len(rows)), graphs.atom_counts)
    ends = (torch.from_numpy(ends.astype(np.int64)) for ends in (graphs.source, graphs.target, owner))
    return torch.from_numpy(graphs.atom_rows(slice(None))), *ends, len(rows)


def predict_torch_graph_conv(data: dict[str, ct.data.GraphDataset], mode: str, tasks: int, seed: int) -> np.ndarray:
    """The same loss, optimizer and schedule as those of `predict_graph_conv`."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    classes, w = mode == "classification", data["train"].w
    mean, deviation = np.zeros(tasks), np.ones(tasks)
    if not classes:
        mean = (data["train"].y * w).sum(axis=0) / w.sum(axis=0)
        deviation = np.sqrt(((data["train"].y - mean) ** 2 * w).sum(axis=0) / w.sum(axis=0))

    def loss(net: Any, part: ct.data.GraphDataset, rows: np.ndarray) -> torch.Tensor:
        found, y = net(*torch_batch(part, rows)), np.nan_to_num((part.y[rows] - mean) / deviation)
        if classes:
            each = nn.functional.cross_entropy(
                found.reshape(-1, 2), torch.from_numpy(y.astype(int).ravel()), reduction="none"
            )
        else:
            each = ((found - torch.from_numpy(y.astype(np.float32))) ** 2).ravel()
        return (each * torch.from_numpy(part.w[rows].astype(np.float32).ravel())).mean()

    net, rng, least, kept = torch_graph_conv(tasks, classes), np.random.default_rng(seed), math.inf, None
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(EPOCHS):
        net.train()
        order = rng.permutation(len(data["train"]))
        for start in range(0, len(order), 100):
            optimizer.zero_grad()
            loss(net, data["train"], order[start : start + 100]).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            value = float(loss(net, data["val"], np.arange(len(data["val"]))))
        if value < least:
            least, kept = value, {name: values.clone() for name, values in net.state_dict().items()}
    net.load_state_dict(kept)
    net.eval()
    with torch.no_grad():
        found = net(*torch_batch(data["test"], np.arange(len(data["test"]))))
    return torch.softmax(found, dim=2).numpy() if classes else found.numpy() * deviation + mean


MODELS = {
    "dmpnn": ("dmpnn", predict_dmpnn),
    "graph-conv": ("convmol", predict_graph_conv),
    "torch-graph-conv": ("convmol", predict_torch_graph_conv),
}


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
