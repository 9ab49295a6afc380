"""Tests of what notebooks show: models, datasets, histories and hits as HTML, and a bar that moves."""

from __future__ import annotations

import base64
import re
import sys
import types
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import catalase as ct
from catalase.screening import Hits
from catalase.train.progress import progress_bar

SMILES = ["CCO", "c1ccccc1", "CN"]


def parsed(html):
    """The HTML as a tree: it is also XML once its images are closed."""
    return ET.fromstring(re.sub(r"(<img[^>]*)>", r"\1/>", html))


def drawings(html):
    return [base64.b64decode(part) for part in re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', html)]


def texts(html):
    return " ".join(parsed(html).itertext())


def trained():
    featurizer = ct.feat.CircularFingerprint(size=64)
    data = ct.data.NumpyDataset(
        featurizer.featurize(SMILES), [[1.0], [2.0], [3.0]], ids=SMILES, tasks=["a <b>"], featurizer=featurizer
    )
    model = ct.models.MultitaskRegressor(1, 64, layer_sizes=[4], seed=0)
    model.fit(data, nb_epoch=12, valid=data)
    return model, data


def test_a_model_shows_its_settings_its_featurizer_and_its_last_losses():
    model, _ = trained()
    shown = texts(model._repr_html_())
    assert "MultitaskRegressor" in shown and "CircularFingerprint(radius=2, size=64" in shown and "a <b>" in shown
    assert "valid_loss (last epoch)" in shown and f"{64 * 4 + 4 + 4 + 1}" in shown


@pytest.mark.parametrize("name", ["TanimotoGP", "RidgeRegression", "TanimotoKNNRegressor", "EuclideanKNNRegressor"])
def test_a_model_that_has_learned_nothing_shows_its_settings(name):
    assert "n_features" in texts(getattr(ct.models, name)(1, 8)._repr_html_())


def test_models_of_other_kinds_are_shown():
    for model in (
        ct.models.AutoModel(),
        ct.models.DMPNNModel(message_hidden_dim=4, ffn_hidden_dim=4),
        ct.models.tensorgraph.TensorGraph(),
    ):
        assert type(model).__name__ in texts(model._repr_html_())
    graph = ct.models.tensorgraph.TensorGraph()
    graph._repr_html_()
    assert not graph.built, "a graph may still grow after it was shown"


def test_a_dataset_of_molecules_shows_structures():
    _, data = trained()
    html = data._repr_html_()
    assert "3 rows" in texts(html) and "(3, 64)" in texts(html)
    assert len(drawings(html)) == 3 and all(b"<svg" in picture for picture in drawings(html))
    plain = ct.data.NumpyDataset(np.zeros((2, 2)), ids=["<script>", "b"])._repr_html_()
    assert "<script>" not in plain and "<script>" in texts(plain) and not drawings(plain)
    assert parsed(ct.data.NumpyDataset(np.zeros((0, 2)))._repr_html_()) is not None
    graphs = ct.data.GraphDataset(ct.ops.mol_graphs(SMILES), ids=SMILES, featurizer=ct.feat.MolGraphFeaturizer())
    assert len(drawings(graphs._repr_html_())) == 3


def test_a_history_shows_its_last_epochs():
    model, _ = trained()
    shown = texts(model.history._repr_html_())
    assert "12 epochs" in shown and "valid_loss" in shown
    assert len(parsed(model.history._repr_html_()).findall(".//table")[1].findall("tr")) == 11
    assert "0 epochs" in texts(ct.train.History(0)._repr_html_())


def test_hits_show_structures_and_names():
    hits = Hits([(1 / (i + 1), i, "C" * (i + 1), f"name {i}") for i in range(13)])
    hits.columns["series"] = ["x & y"] * 13
    html = hits._repr_html_()
    assert len(drawings(html)) == 12 and "13 hits, the first 12" in texts(html) and "x & y" in texts(html)
    broken = Hits([(0.5, 0, "C(C", "")])._repr_html_()
    assert "C(C" in texts(broken) and not drawings(broken)
    assert "0 hits" in texts(Hits([])._repr_html_())


@pytest.fixture
def notebook(monkeypatch):
    """IPython as it is in a notebook's kernel; returns what was displayed."""
    shown: list[str] = []

    class Handle:
        def update(self, html):
            shown.append(html)

    def display(html, display_id):
        shown.append(html)
        return Handle()

    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    module = types.ModuleType("IPython.display")
    module.HTML, module.display = str, display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return shown


def test_a_bar_is_shown_below_the_cell_of_a_notebook(notebook, capfd):
    with progress_bar("training", 3) as advance:
        for i in range(3):
            advance(1, f"loss {i} < 5")
    bar = parsed(notebook[-1])
    assert bar.find("progress").attrib == {"value": "3", "max": "3"} and "3/3 loss 2 < 5" in texts(notebook[-1])
    assert parsed(notebook[0]).find("progress").attrib["value"] == "0"
    assert capfd.readouterr() == ("", "")


def test_no_bar_is_shown_where_none_is_wanted_or_no_notebook_is_there(notebook, monkeypatch):
    with progress_bar("training", 1, False) as advance:
        advance(1, "")
    assert not notebook
    sys.modules["IPython"].get_ipython = lambda: types.SimpleNamespace()  # a terminal's shell
    with progress_bar("training", 1) as advance:
        advance(1, "")
    assert not notebook
