"""Tests of the featurizers of descriptors: DeepChem's arguments, and their way through loaders, models and the command."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy import stats

import catalase as ct
from catalase.commands import main
from catalase.feat import DESCRIPTOR_NAMES, Descriptors, RDKitDescriptors

SMILES = ["CCO", "CCN", "c1ccccc1O", "CC(=O)O", "CCCCCC", "C=CC#N", "OCCO", "NCC(=O)O", "CC(C)CO", "c1ccncc1"]


def test_the_arguments_of_deepchem_choose_the_columns():
    assert RDKitDescriptors().columns == tuple(sorted(DESCRIPTOR_NAMES))
    assert len(RDKitDescriptors(use_fragment=False).columns) == 132
    assert len(RDKitDescriptors(use_fragment=False, use_bcut2d=False).columns) == 124
    mean, whole = (RDKitDescriptors(["Ipc", "MolWt"], ipc_avg=average)(SMILES) for average in (True, False))
    assert np.array_equal(mean[:, 0], ct.ops.descriptors(SMILES, names=["AvgIpc"])[:, 0])
    assert np.array_equal(whole, ct.ops.descriptors(SMILES, names=["Ipc", "MolWt"]))
    assert np.array_equal(RDKitDescriptors(["fr_Al_OH"], labels_only=True)(["OCCO", "C"]), [[1.0], [0.0]])


TABLE = """
from math import inf
class DescriptorsNormalizationParameters:
    desc_norm_params: dict
    desc_norm_params = {
        'MolWt': ('norm', (300.0, 100.0), 0.0, inf, 300.0, 100.0),
        'fr_amide': ('gamma', (1.5, -0.1, 2.0), 0.0, 5.0, 1.0, 1.0),
        'Ipc': ('cauchy', (1.0, 2.0), -inf, inf, 1.0, 1.0),
    }
"""


def test_normalized_features_are_shares_by_the_table_of_an_installed_deepchem(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        ValueError, match=r"^RDKitDescriptors: is_normalized=True needs DeepChem's distributions.*pip install"
    ):
        RDKitDescriptors(is_normalized=True)
    monkeypatch.undo()
    (tmp_path / "deepchem" / "utils").mkdir(parents=True)
    (tmp_path / "deepchem" / "__init__.py").write_text("raise RuntimeError('it must not be imported')")
    (tmp_path / "deepchem" / "utils" / "rdkit_utils.py").write_text(TABLE)
    monkeypatch.syspath_prepend(str(tmp_path))
    featurizer = RDKitDescriptors(is_normalized=True)
    assert featurizer.columns == ("Ipc", "MolWt", "fr_amide")
    assert RDKitDescriptors(is_normalized=True, use_fragment=False).columns == ("Ipc", "MolWt")
    values = ct.ops.descriptors(SMILES, names=["AvgIpc", "MolWt", "fr_amide"])
    right = [
        stats.cauchy.cdf(values[:, 0], loc=1, scale=2),
        stats.norm.cdf(values[:, 1], loc=300, scale=100),
        stats.gamma.cdf(np.clip(values[:, 2], 0, 5), 1.5, loc=-0.1, scale=2),
    ]
    assert np.allclose(featurizer(SMILES), np.transpose(right), rtol=1e-12)
    assert RDKitDescriptors(**featurizer.to_config()).columns == featurizer.columns
    masked = featurizer.featurize(["CCO", "C1CC"], errors="mask")
    assert masked[0].all() and not masked[1].any()
    (tmp_path / "deepchem" / "utils" / "rdkit_utils.py").write_text("x = 1")
    with pytest.raises(ValueError, match="this DeepChem has no table"):
        RDKitDescriptors(is_normalized=True)


def test_errors_are_those_of_the_function_and_the_report_is_kept():
    featurizer = Descriptors(["MolWt", "MaxPartialCharge"])
    X, kept = featurizer.featurize(["CCO", "C1CC", "C[Fe]C"], errors="drop")
    assert kept.tolist() == [0, 2] and X.dtype == np.float64 and np.isnan(X[1, 1])
    assert [f.position for f in featurizer.report.failures] == [1] and "NaN" in featurizer.report.notes[0]


def test_a_model_trained_on_descriptors_predicts_from_smiles(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("smiles,y\n" + "".join(f"{s},{len(s)}\n" for s in SMILES))
    featurizer = Descriptors(["MolWt", "TPSA", "MolLogP", "NumHDonors"])
    data = ct.data.CSVLoader(["y"], featurizer).create_dataset(table)
    scaler = ct.trans.NormalizationTransformer(transform_X=True, dataset=data)
    model = ct.models.MultitaskRegressor(1, 4, layer_sizes=[8], seed=0)
    model.fit(scaler.transform(data), nb_epoch=2)
    right = model.predict(SMILES)
    assert np.array_equal(right, model.predict(scaler.transform(data)))
    model.save(tmp_path / "m")
    assert np.array_equal(ct.models.load(tmp_path / "m").predict(SMILES), right)
    assert main(["predict", str(tmp_path / "m"), str(table), "--out", str(tmp_path / "out.csv")]) == 0
    with open(tmp_path / "out.csv") as file:
        predicted = [float(row[-1]) for row in list(csv.reader(file))[1:]]
    assert np.allclose(predicted, right[:, 0], rtol=1e-4)
