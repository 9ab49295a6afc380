"""The D-MPNN with chemprop's defaults beside chemprop: training steps with their batching, and prediction from SMILES.

Both start from the same weights, which chemprop reads from the checkpoint that `interop.chemprop` writes, and see the same
batches in the same order. A call trains on all molecules once; featurizing is done before, and its results are kept, as both
libraries do in training. chemprop's steps are its own data loader, net and PyTorch's Adam, without Lightning around them.
"""

from __future__ import annotations

import csv
import importlib
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Case, Prepared
from ..graph_step import number
from .fingerprint import smiles_of, zinc_file

FAMILY = "dmpnn"
_TABLES = {"Lipophilicity": "Lipophilicity.csv", "ESOL": "delaney-processed.csv"}
_CHECKED_STEPS = 3


def cases(quick: bool) -> list[Case]:
    size = {"hidden": 8} if quick else {"hidden": 300}
    out = []
    small = () if quick or _path("ESOL") is None else (64,)  # molecules of no table are measured once
    for table, batches in {"Lipophilicity": (4,) if quick else (16, 64, 256), "ESOL": small}.items():
        for batch in batches:
            n = 12 if quick else 768
            name = f"training, {n} molecules{f' of {table}' if _path(table) else ''}, batches of {batch}"
            options = {"what": "train", "table": table, "n": n, "batch": batch, **size}
            out.append(Case(name, n / batch, "steps/s", options, tolerance=2e-3))
    n = 12 if quick else 1000
    name = f"prediction from SMILES, {n:,}{' of ZINC' if zinc_file() else ''}"
    out.append(Case(name, float(n), "molecules/s", {"what": "predict", "n": n, "batch": 64, **size}, tolerance=1e-4))
    return out


def _path(table: str) -> Path | None:
    path = Path(os.environ.get("CATALASE_DATA_DIR", "")) / _TABLES[table]
    return path if "CATALASE_DATA_DIR" in os.environ and path.is_file() else None


def _molecules(case: Case) -> list[str]:
    path = None if case.options["what"] == "predict" else _path(case.options["table"])
    if path is None:
        return smiles_of(case)
    with open(path, newline="", encoding="utf-8") as file:
        return [row["smiles"].strip() for row in csv.DictReader(file)][: case.options["n"]]


def _labels(case: Case) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((case.options["n"], 1)).astype(np.float32)


def _model(case: Case) -> Any:
    from ... import models

    hidden = case.options["hidden"]
    return models.DMPNNModel(1, message_hidden_dim=hidden, ffn_hidden_dim=hidden, seed=0)


def catalase(case: Case) -> Prepared:
    from ... import nn, ops, optim
    from ...data.batch import Batch
    from ...data.graph_batch import GraphBatch
    from ...train.fit import usual_forward

    smiles = _molecules(case)
    if case.options["what"] == "predict":
        model = _model(case)
        return Prepared(lambda: model.predict(smiles), lambda: [model.predict(smiles)])
    graphs, labels, size = ops.mol_graphs(smiles), _labels(case), case.options["batch"]

    def trained(net: Any, optimizer: Any, stop: int) -> list[float]:
        loss, losses = nn.losses.L2Loss(), []
        for start in range(0, min(stop * size, len(labels)), size):
            rows = np.arange(start, min(start + size, len(labels)))
            optimizer.zero_grad()
            value = loss(usual_forward(net, Batch(GraphBatch(graphs, rows)).X), labels[rows])
            value.backward()
            optimizer.step()
            losses.append(number(value))
        return losses

    def start() -> tuple[Any, Any]:
        net = _model(case).module
        return net, optim.Adam(net, lr=1e-4)

    net, optimizer = start()
    return Prepared(lambda: trained(net, optimizer, len(labels)), lambda: [np.array(trained(*start(), _CHECKED_STEPS))])


def chemprop(case: Case) -> Prepared:
    import torch

    from ...interop import chemprop as bridge

    data: Any = importlib.import_module("chemprop.data")
    nets: Any = importlib.import_module("chemprop.models")
    smiles, labels, size = _molecules(case), _labels(case), case.options["batch"]

    def made() -> Any:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "start.pt"
            bridge.save(_model(case), path)
            return nets.MPNN.load_from_file(path, map_location="cpu")

    def loader(targets: NDArray[np.float32] | None) -> Any:
        points = [
            data.MoleculeDatapoint.from_smi(text, None if targets is None else targets[i])
            for i, text in enumerate(smiles)
        ]
        dataset = data.MoleculeDataset(points)
        dataset.cache = targets is not None  # graphs are kept where rows are walked through again
        return data.build_dataloader(dataset, batch_size=size, shuffle=False, num_workers=0)

    if case.options["what"] == "predict":
        net = made().eval()

        def predicted() -> Any:
            with torch.inference_mode():
                return torch.cat([net(batch.bmg, batch.V_d, batch.X_d) for batch in loader(None)])

        return Prepared(predicted, lambda: [predicted().numpy()])
    rows = loader(labels)

    def trained(net: Any, optimizer: Any, stop: int) -> list[float]:
        losses = []
        for step, batch in enumerate(rows):
            if step == stop:
                break
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(net(batch.bmg, batch.V_d, batch.X_d), batch.Y)
            loss.backward()
            optimizer.step()
            losses.append(float(loss.item()))
        return losses

    def start() -> tuple[Any, Any]:
        net = made().train()
        return net, torch.optim.Adam(net.parameters(), lr=1e-4)

    net, optimizer = start()
    return Prepared(lambda: trained(net, optimizer, len(labels)), lambda: [np.array(trained(*start(), _CHECKED_STEPS))])


LIBRARIES = {"catalase": catalase, "chemprop": chemprop}
