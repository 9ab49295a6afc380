"""The book's Tox21 listing (chapter 3) as whole processes: import, load and featurize, fit 10 epochs, evaluate.

Both libraries featurize in each run and execute the same lines. The file is taken from ``CATALASE_DATA_DIR`` or Catalase's
cache, or else downloaded; DeepChem gets a copy of it, so that no download is within the timing.
"""

from __future__ import annotations

import sys
from typing import Any

FAMILY = "book-tox21"
ROUNDS = 3

_SCRIPT = """
import json, sys, time
marks = [time.perf_counter()]
import numpy as np
import MODULE as dc
marks.append(time.perf_counter())
folder, epochs = sys.argv[1], int(sys.argv[2])
tasks, datasets, transformers = dc.molnet.load_tox21(
    featurizer="ECFP", splitter="index", reload=False, data_dir=folder, save_dir=folder
)
train, valid, test = datasets
marks.append(time.perf_counter())
model = dc.models.MultitaskClassifier(n_tasks=len(tasks), n_features=1024, layer_sizes=[1000])
model.fit(train, nb_epoch=epochs)
marks.append(time.perf_counter())
metric = dc.metrics.Metric(dc.metrics.roc_auc_score, np.mean)
scores = [model.evaluate(part, [metric], transformers) for part in (train, valid, test)]
marks.append(time.perf_counter())
names = ["import", "load and featurize", "fit", "evaluate"]
seconds = {name: b - a for name, a, b in zip(names, marks, marks[1:])}
auc = [float(next(iter(s.values()))) for s in scores]
print(json.dumps({"seconds": seconds, "auc": auc, "rows": sum(len(part) for part in datasets)}))
"""


def _command(module: str) -> Any:
    def command(folder: str, quick: bool) -> list[str]:
        _place_table(folder)
        return [sys.executable, "-c", _SCRIPT.replace("MODULE", module), folder, "1" if quick else "10"]

    return command


def _place_table(folder: str) -> None:
    """Put the table where both libraries look for it."""
    import gzip
    from pathlib import Path

    from ...molnet.tables import TOX21, find_table, read_table

    target = Path(folder) / TOX21.file
    if target.exists():
        return
    if find_table(TOX21) is None:
        read_table(TOX21)  # downloads it into the cache
    source = find_table(TOX21)
    assert source is not None
    data = source.read_bytes()
    target.write_bytes(data if data[:2] == b"\x1f\x8b" else gzip.compress(data))


def differs(ours: dict[str, Any], theirs: dict[str, Any]) -> str | None:
    """Return a sentence if DeepChem's training score is far below ours; starts are random, and it counts missing labels."""
    if theirs["auc"][0] < ours["auc"][0] - 0.05:
        return f"its training ROC-AUC is {theirs['auc'][0]:.3f}, ours {ours['auc'][0]:.3f}"
    return None


COMMANDS = {"catalase": _command("catalase"), "deepchem": _command("deepchem")}
