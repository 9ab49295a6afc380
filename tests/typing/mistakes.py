"""Wrong uses of the library: both type checkers must report each line that is marked, and no other."""

import numpy as np
from numpy.typing import NDArray

import catalase as ct

SMILES = ["CCO", "CCN"]

# Names that do not exist.
ct.model  # wrong
ct.models.MultitaskRegresor  # wrong
ct.nn.Liner  # wrong
ct.nn.functional.rellu  # wrong
ct.nn.losses.L2  # wrong
ct.ops.ecpf  # wrong
ct.feat.CircularFingerprints  # wrong
ct.data.NumpyDatasets  # wrong
ct.splits.RandomSpliter  # wrong
ct.trans.Normalization  # wrong
ct.metrics.r2  # wrong
ct.optim.Adams  # wrong
ct.train.EarlyStoping  # wrong
ct.chem.standardise  # wrong
ct.explain.atom  # wrong
ct.plot.rocs  # wrong
ct.screening.Hit  # wrong
ct.interop.pytorch  # wrong
ct.molnet.load_esoll  # wrong
ct.hyper.searches  # wrong

# Outputs that are not what was asked for.
dense: NDArray[np.float32] = ct.ops.ecfp(SMILES)  # wrong
counts: NDArray[np.uint32] = ct.ops.ecfp(SMILES, output="dense")  # wrong
both: tuple[NDArray[np.uint8], NDArray[np.int64]] = ct.ops.ecfp(SMILES, errors="mask")  # wrong
ct.ops.ecfp(SMILES, output="sparse")  # wrong
ct.ops.ecfp(SMILES, errors="ignore")  # wrong
ct.ops.ecfp(SMILES, radious=3)  # wrong
graphs: ct.ops.MolGraphs = ct.ops.mol_graphs(SMILES, return_report=True)  # wrong
bits: NDArray[np.float32] = ct.feat.MACCSKeysFingerprint().featurize(SMILES, output="packed")  # wrong
ct.feat.CircularFingerprint().featurize(SMILES, errors="skip")  # wrong

# Datasets, models, nets.
data = ct.data.NumpyDataset(np.ones((4, 2)), np.ones(4))
train, test = ct.splits.IndexSplitter().train_test_split(data)
graph_part: ct.data.GraphDataset = train  # wrong
ct.splits.IndexSplitter().k_fold_split(SMILES, 2)  # wrong
model = ct.models.MultitaskRegressor(1, 2)
model.fit(SMILES)  # wrong
model.fit(data, epochs=3)  # wrong
history: float = model.fit(data)  # wrong
model.predict(data).columns  # wrong
ct.models.load("model").predict_interval(SMILES)  # wrong
ct.models.load(3)  # wrong
ct.nn.Linear(2, "3")  # wrong
size: int = ct.nn.Linear(2, 3)(ct.Tensor(np.ones((1, 2))))  # wrong
