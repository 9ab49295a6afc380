"""Tests of the contributions of atoms: they find a known cause, sum to what they promise, and refuse bad input."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import catalase as ct

TAILS = ["O", "N", "Cl", "Br", "F", "c1ccccc1", "C1CC1", "C(=O)O", "C#N", "S"]


def molecules(count, seed, cause=None):
    """Branched chains; None leaves bromine to chance, else all or none have it. Return SMILES and the number of bromines."""
    rng = np.random.default_rng(seed)
    smiles = []
    for _ in range(count):
        parts = [TAILS[k] for k in rng.integers(0, len(TAILS), 3)]
        if cause is not None:
            parts = [part for part in parts if part != "Br"] + ["Br"] * cause
        lengths = rng.integers(1, 5, len(parts))
        smiles.append("C" + "".join(f"C({'C' * n}{p})" for n, p in zip(lengths, parts, strict=True)) + "C")
    return smiles, np.array([text.count("Br") for text in smiles], float)


@pytest.fixture(scope="module")
def known():
    smiles, count = molecules(400, 0)
    held_out, _ = molecules(60, 1, cause=1)
    return smiles, count, held_out


def share_found(parts, smiles):
    """The share of molecules in which the mean contribution of the bromines is the highest of all kinds of atoms."""
    hits = 0
    for values, text in zip(parts, smiles, strict=True):
        symbols = np.array([atom.GetSymbol() for atom in ct.chem.read([text])[0].GetAtoms()])
        means = {symbol: values[symbols == symbol].mean() for symbol in set(symbols)}
        hits += max(means, key=means.get) == "Br"
    return hits / len(smiles)


def net(known, counts=False, classes=False):
    smiles, y, _ = known
    featurizer = ct.feat.CircularFingerprint(size=512, is_counts_based=counts)
    data = ct.data.NumpyDataset(featurizer(smiles), (y > 0) * 1.0 if classes else y, featurizer=featurizer)
    kind = ct.models.MultitaskClassifier if classes else ct.models.MultitaskRegressor
    model = kind(1, 512, layer_sizes=[64], dropouts=0.2, seed=0)
    model.fit(data, nb_epoch=40)
    return model


@pytest.mark.parametrize("counts, classes", [(False, False), (True, False), (False, True)])
def test_masking_and_gradients_of_a_net_on_fingerprints_find_the_cause(known, counts, classes):
    model = net(known, counts, classes)
    assert share_found(ct.explain.atoms(model, known[2], "masking"), known[2]) >= 0.95
    assert share_found(ct.explain.atoms(model, known[2], "gradient"), known[2]) >= 0.8


def test_masking_of_a_graph_net_finds_the_cause(known):
    smiles, y, held_out = known
    model = ct.models.DMPNNModel(1, message_hidden_dim=64, ffn_hidden_dim=64, seed=0)
    model.fit(ct.data.GraphDataset(ct.ops.mol_graphs(smiles), y), nb_epoch=30)
    assert share_found(ct.explain.atoms(model, held_out), held_out) >= 0.95


GRAPH_NETS = {
    "DMPNN": (
        "dmpnn",
        lambda **more: ct.models.DMPNNModel(1, message_hidden_dim=64, ffn_hidden_dim=64, seed=0, **more),
    ),
    "GraphConv": (
        "convmol",  # with batch normalization gradients find the cause less often: docs/explain.md
        lambda **more: ct.models.GraphConvModel(
            1, [32, 32], 32, **{"mode": "regression"} | more, batch_normalize=False, seed=0
        ),
    ),
    "GIN": ("molgraph", lambda **more: ct.models.GINModel(1, emb_dim=32, seed=0, **more)),
    "AttentiveFP": ("molgraph", lambda **more: ct.models.AttentiveFPModel(1, graph_feat_size=32, seed=0, **more)),
}


def graph_net(name, smiles, y, epochs, **more):
    """A graph net, after some epochs on numbers or classes."""
    features, make = GRAPH_NETS[name]
    model = make(batch_size=32, **more)
    model.fit(ct.data.GraphDataset(ct.ops.mol_graphs(smiles, features=features), y), nb_epoch=epochs)
    return model


@pytest.mark.parametrize("name", GRAPH_NETS)
def test_gradients_of_a_graph_net_find_the_cause(known, name):
    smiles, y, held_out = known
    model = graph_net(name, smiles, y, 60)
    assert share_found(ct.explain.atoms(model, held_out, "gradient"), held_out) >= 0.8


class Scaled(ct.data.GraphBatch):
    """Molecules in float64, of which each atom has a row of its own, and one atom's features are multiplied by a factor."""

    def __init__(self, graphs, atom, factor):
        super().__init__(graphs)
        self.atom, self.factor = atom, factor

    def scaled(self, rows, atoms):
        rows = rows.astype(np.float64)
        rows[atoms == self.atom, : self.graphs.atom_width] *= self.factor
        return rows

    def environments(self, depth, *, along="bonds", distinct=True):
        paths = super().environments(depth, along=along, distinct=False)
        paths.atom_features = self.scaled(paths.atom_features, paths.atom_kinds)
        if along == "bonds":
            paths.bond_features = self.scaled(paths.bond_features, self.graphs.source[paths.bond_kinds])
        else:
            paths.bond_features = paths.bond_features.astype(np.float64)
        return paths

    def atoms(self, max_degree=10):
        found = super().atoms(max_degree)
        return found._replace(features=self.scaled(found.features, found.atoms))


@pytest.mark.parametrize("mode", ["regression", "classification"])
@pytest.mark.parametrize("name", GRAPH_NETS)
def test_the_gradient_of_an_atom_is_the_slope_by_the_size_of_its_features_in_the_units_of_the_measurement(name, mode):
    smiles = ["CC(=O)NBr", "OCC(F)=CN", "C", "[Na+].[Cl-]"]  # no two atoms are equal, which would share a maximum
    labels = np.arange(4.0) % 2 if mode == "classification" else 30 + 10 * np.arange(4.0)
    scaler = ct.trans.NormalizationTransformer(transform_y=True, dataset=ct.data.NumpyDataset(np.ones((4, 1)), labels))
    y = labels if mode == "classification" else (labels - labels.mean()) / labels.std()
    model = graph_net(name, smiles, y, 2, mode=mode)
    graphs = ct.ops.mol_graphs(smiles, features=model.features)
    if mode == "regression":
        model.transformers = [scaler]

    net = copy.deepcopy(model.module)
    for _, array in (*net.named_parameters(), *net.named_buffers()):
        array.data = array.data.astype(np.float64)

    def score(atom, factor):
        with ct.nn.inference(), ct.no_grad():
            raw = net(Scaled(graphs, atom, factor))
        if mode == "regression":
            return ct.trans.undo_transforms(model._output(raw), [scaler]).sum()
        values = raw.numpy().reshape(4, -1)
        return (values[:, -1] - (values[:, 0] if values.shape[1] == 2 else 0)).sum()

    step = 1e-6
    slopes = [(score(k, 1 + step) - score(k, 1 - step)) / (2 * step) for k in range(len(graphs.atom_codes))]
    parts, base = ct.explain.atoms(model, smiles, "gradient", return_base=True)
    assert [len(values) for values in parts] == graphs.atom_counts.tolist()
    found = np.concatenate(parts)
    np.testing.assert_allclose(found, slopes, atol=2e-5 * np.abs(found).max(), rtol=1e-4)
    if mode == "regression":
        sums = np.array([values.sum() for values in parts])
        np.testing.assert_allclose(sums + base, model.predict(smiles)[:, 0], rtol=1e-6)


@pytest.mark.parametrize("name", GRAPH_NETS)
def test_gradients_of_atoms_do_not_depend_on_the_other_molecules_and_leave_the_model_as_it_is(known, name):
    smiles, y, held_out = known
    model = graph_net(name, smiles[:40], y[:40], 1)
    before = model.predict(held_out)
    together = ct.explain.atoms(model, held_out, "gradient")
    alone = [ct.explain.atoms(model, [text], "gradient")[0] for text in held_out[:5]]
    assert all(np.array_equal(a, b) for a, b in zip(together[:5], alone, strict=True))
    assert np.array_equal(before, model.predict(held_out))
    (pair,) = ct.explain.atoms(ct.models.Ensemble([model, model]), held_out[:1], "gradient")
    np.testing.assert_allclose(pair, together[0], rtol=1e-12)
    parts, base = ct.explain.atoms(model, ["", "CC", "C1CC"], "gradient", errors="mask", return_base=True)
    assert [None if values is None else len(values) for values in parts] == [0, 2, None]
    assert np.isnan(base).tolist() == [True, False, True]


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("kind", [ct.models.TanimotoGP, ct.models.RidgeRegression])
def test_exact_contributions_find_the_cause_and_sum_to_the_prediction_less_the_base(known, kind, counts):
    smiles, y, held_out = known
    featurizer = ct.feat.CircularFingerprint(size=512, is_counts_based=counts)
    data = ct.data.NumpyDataset(featurizer(smiles), y, featurizer=featurizer)
    scaler = ct.trans.NormalizationTransformer(transform_y=True, dataset=data)
    model = kind(1, 512)
    model.transformers = [scaler]
    model.fit(scaler.transform(data))
    parts, base = ct.explain.atoms(model, held_out, "exact", return_base=True)
    sums = np.array([values.sum() for values in parts])
    np.testing.assert_allclose(sums + base, model.predict(held_out)[:, 0], atol=1e-5, rtol=0)
    assert np.ptp(base) < 1e-9, "without descriptors all molecules have one base"
    assert share_found(parts, held_out) >= 0.95
    assert share_found(ct.explain.atoms(model, held_out), held_out) >= 0.95


def test_masking_of_a_forest_finds_the_cause(known):
    ensemble = pytest.importorskip("sklearn.ensemble")
    smiles, y, held_out = known
    featurizer = ct.feat.CircularFingerprint(size=512)
    model = ct.models.SklearnModel(ensemble.RandomForestRegressor(40, max_features=0.3, random_state=0))
    model.fit(ct.data.NumpyDataset(featurizer(smiles), y, featurizer=featurizer))
    assert share_found(ct.explain.atoms(model, held_out), held_out) >= 0.95


def test_masking_of_neighbours_ensembles_and_automodel_finds_the_cause(known):
    smiles, y, held_out = known
    featurizer = ct.feat.CircularFingerprint(size=512)
    data = ct.data.NumpyDataset(featurizer(smiles), y, featurizer=featurizer)
    classes = ct.data.NumpyDataset(data.X, (y > 0) * 1.0, featurizer=featurizer)
    regressions = [ct.models.TanimotoKNNRegressor(1, 512), ct.models.EuclideanKNNRegressor(1, 512)]
    classifications = [ct.models.TanimotoKNNClassifier(1, 512), ct.models.EuclideanKNNClassifier(1, 512)]
    for model in regressions:
        model.fit(data)
    for model in classifications:
        model.fit(classes)
    models = regressions + classifications
    models.append(ct.models.Ensemble([net(known) for _ in range(2)]))
    auto = ct.models.AutoModel(members=["net", "Gaussian process"], splitter="random", seed=0, folds=2)
    auto.fit(smiles[:120], y[:120], progress=False)
    models.append(auto)
    for model in models:
        parts = ct.explain.atoms(model, held_out)
        assert [len(values) for values in parts] == [m.GetNumAtoms() for m in ct.chem.read(held_out)]
        assert share_found(parts, held_out) >= 0.95


def test_the_class_and_the_task_are_chosen(known):
    model = net(known, classes=True)
    one, zero = (ct.explain.atoms(model, known[2][:3], label=label) for label in (1, 0))
    for a, b in zip(one, zero, strict=True):
        np.testing.assert_allclose(a, -b, atol=1e-5)


def test_contributions_are_equal_from_call_to_call_and_do_not_depend_on_the_other_molecules(known):
    model = net(known)
    together = ct.explain.atoms(model, known[2])
    alone = [ct.explain.atoms(model, [text])[0] for text in known[2][:5]]
    assert all(np.array_equal(a, b) for a, b in zip(together[:5], alone, strict=True))


def test_a_fingerprint_beside_descriptors_is_found_at_its_columns(known):
    smiles, y, held_out = known
    featurizer = ct.feat.Combined(ct.feat.Descriptors(["MolWt"]), ct.feat.CircularFingerprint(size=512))
    X = featurizer(smiles).astype(np.float32)
    model = ct.models.RidgeRegression(1, 513)
    model.fit(ct.data.NumpyDataset(X, y, featurizer=featurizer))
    parts, base = ct.explain.atoms(model, held_out, "exact", return_base=True)
    sums = np.array([values.sum() for values in parts])
    np.testing.assert_allclose(sums + base, model.predict(held_out)[:, 0], atol=1e-5)


def test_an_unreadable_molecule_is_refused_or_has_none_in_its_place(known):
    model = net(known)
    with pytest.raises(ValueError, match=r"atoms: molecule 1 of 2 \('C1CC'\) cannot be read.*in its place$"):
        ct.explain.atoms(model, ["CCO", "C1CC"])  # and not the advice to drop it, which is refused
    parts, base = ct.explain.atoms(model, ["CCO", "C1CC"], errors="mask", return_base=True)
    assert parts[1] is None and np.isnan(base[1]) and len(parts[0]) == 3
    assert model.featurizer.report.failures[0].position == 1
    assert ct.explain.atoms(model, []) == []
    assert len(ct.explain.atoms(model, [""])[0]) == 0


def test_bad_input_is_one_sentence(known):
    model = net(known)
    with pytest.raises(ValueError, match="task must be below 1"):
        ct.explain.atoms(model, ["CCO"], task=1)
    with pytest.raises(ValueError, match="label is for models with classes"):
        ct.explain.atoms(model, ["CCO"], label=0)
    with pytest.raises(TypeError, match='"exact" is for RidgeRegression and TanimotoGP'):
        ct.explain.atoms(model, ["CCO"], "exact")
    with pytest.raises(TypeError, match="model must have gradients, but TanimotoKNNRegressor is no net"):
        knn = ct.models.TanimotoKNNRegressor(1, 512)
        knn.featurizer = ct.feat.CircularFingerprint(size=512)
        ct.explain.atoms(knn, ["CCO"], "gradient")
    with pytest.raises(TypeError, match="atoms: method must be 'masking' or 'gradient' for GINModel, got 'exact'"):
        ct.explain.atoms(ct.models.GINModel(1, emb_dim=2), ["CCO"], "exact")
    with pytest.raises(TypeError, match="model must name its featurizer"):
        ct.explain.atoms(ct.models.MultitaskRegressor(1, 8), ["CCO"])
    model = ct.models.MultitaskRegressor(1, 167, layer_sizes=[4])
    model.featurizer = ct.feat.MACCSKeysFingerprint()
    with pytest.raises(ValueError, match="whose features come from no atoms"):
        ct.explain.atoms(model, ["CCO"])


@pytest.mark.parametrize("classes", [2, 3])
def test_exact_contributions_of_a_process_that_classifies_sum_to_its_log_odds(known, classes):
    smiles, y, held_out = known
    featurizer = ct.feat.CircularFingerprint(size=512)
    labels = np.minimum(y, classes - 1)
    model = ct.models.TanimotoGP(1, 512, mode="classification", n_classes=classes)
    model.fit(ct.data.NumpyDataset(featurizer(smiles), labels, featurizer=featurizer))
    found = []
    for label in range(classes):
        parts, base = ct.explain.atoms(model, held_out, "exact", label=label, return_base=True)
        assert np.ptp(base) < 1e-6
        found.append(1 / (1 + np.exp(-np.array([values.sum() for values in parts]) - base)))
    chances = np.stack(found, axis=1)
    expected = model.predict_uncertainty(featurizer(held_out))[0][:, 0]
    np.testing.assert_allclose(chances / chances.sum(axis=1, keepdims=True), expected, atol=1e-6)


@pytest.mark.parametrize("name", GRAPH_NETS)
def test_every_backend_gives_the_gradients_of_the_cpu(known, name, backend):
    smiles, y, _ = known
    model = graph_net(name, smiles[:10], y[:10], 1)
    weights = model.module.parameters()[0].numpy().copy()
    expected = np.concatenate(ct.explain.atoms(model, smiles[:5], "gradient"))
    found = np.concatenate(ct.explain.atoms(model.to(backend.device), smiles[:5], "gradient"))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    assert np.array_equal(backend.get(model.module.parameters()[0].data), weights)
