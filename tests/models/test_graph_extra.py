"""Extra features of molecules beside their graphs, and predictions of graph nets with standard deviations."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase._internal import storage
from catalase.feat import Descriptors, MolGraphFeaturizer
from catalase.models.graphs import ExtraFeatures
from tests.agreement import same_with_threads
from tests.models.test_graph_models import CHAINS, LENGTHS, MODELS, graph_conv

NAMES = ["MolWt", "TPSA", "NumHDonors"]


@pytest.fixture(params=MODELS.values(), ids=MODELS)
def make(request):
    return request.param


def featurizer_for(make, names=NAMES):
    return MolGraphFeaturizer(make().features, extra=Descriptors(names))


def dataset(make, y, names=NAMES):
    featurizer = featurizer_for(make, names)
    return ct.data.GraphDataset(featurizer(CHAINS), y, ids=CHAINS, featurizer=featurizer)


def fitted(make, y=LENGTHS[:, None], nb_epoch=2, **options):
    model = make(**{"mode": "regression", "n_extra_features": len(NAMES)} | options)
    model.fit(dataset(make, y), nb_epoch=nb_epoch)
    return model


def test_labels_that_only_the_extra_features_explain_are_learned(make, rng):
    numbers = rng.standard_normal((len(CHAINS), 1)) * 1e3 + 5e3
    graphs = ct.ops.mol_graphs(CHAINS, make().features)
    y = (numbers - numbers.mean()) / numbers.std()
    options = {
        "dmpnn": {},
        "graph conv": {"batch_normalize": False, "learning_rate": 0.01},
        "gin": {"batch_norm": False, "learning_rate": 0.01},
        "attentive fp": {"learning_rate": 0.01},
    }
    name = next(name for name, one in MODELS.items() if one is make)
    model = make(mode="regression", n_extra_features=1, batch_size=8, **options[name])
    data = ct.data.GraphDataset(graphs.with_extra(numbers), y)
    model.fit(data, nb_epoch=60)
    assert ct.metrics.r2_score(y, model.predict(data)) > 0.9


def test_columns_are_scaled_as_those_of_a_gaussian_process_are(rng):
    extra = rng.standard_normal((50, 5)).astype(np.float32) * [1, 100, 1e-3, 1, 1] + [0, 7, 1, 3, 0]
    extra[:, 3], extra[4, 0], extra[5, 0], extra[6, 4] = 3, np.nan, -np.inf, 3e38
    X = np.float32(extra)
    layer = ExtraFeatures(5)
    layer.learn(X)
    graphs = ct.ops.mol_graphs(["C"] * 50).with_extra(X)
    found = layer(ct.Tensor(np.zeros((50, 2), np.float32)), ct.data.GraphBatch(graphs)).numpy()
    gp = ct.models.TanimotoGP(1, 5, 0)
    gp.fit(ct.data.NumpyDataset(X.astype(float), rng.standard_normal((50, 1))))
    state = gp.state_dict()
    assert state["columns"].tolist() == [0, 1, 2, 4] and not found[:, [0, 1, 5]].any()
    assert np.allclose(found[:, 2 + state["columns"]], state["descriptors"], atol=1e-4)
    assert np.abs(found).max() == 6 and np.isfinite(found).all()


@pytest.mark.parametrize("options", [{}, {"mode": "classification", "n_tasks": 2, "dropout": 0.2}])
def test_a_saved_model_keeps_the_scale_and_the_featurizer(make, tmp_path, rng, options):
    y = rng.integers(0, 2, (len(CHAINS), options.get("n_tasks", 1))).astype(float)
    model = fitted(make, y, **options)
    predicted = model.predict(dataset(make, y))
    assert np.array_equal(model.predict(CHAINS), predicted)
    model.save(tmp_path / "m")
    again = ct.models.load(tmp_path / "m")
    assert again.n_extra_features == 3 and again.featurizer == featurizer_for(make)
    assert np.array_equal(again.predict(CHAINS), predicted)


def test_the_config_and_the_arrays_of_a_model_without_extra_features_are_those_of_earlier_versions(make, tmp_path):
    model = make(mode="regression")
    model.save(tmp_path / "m")
    config, _ = storage.load_folder(tmp_path / "m")
    assert not {"n_extra_features", "uncertainty"} & set(config["model"])
    assert not any("extra" in name for name in model.state_dict())


def test_a_molecule_alone_has_the_bits_it_has_in_a_batch(make):
    model = fitted(make)
    whole = model.predict(CHAINS)
    assert np.array_equal(np.concatenate([model.predict([text]) for text in CHAINS]), whole)
    same_with_threads(lambda: (fitted(make).predict(CHAINS),))


def test_shards_give_the_scale_and_the_predictions_of_the_whole(make, tmp_path):
    data = dataset(make, LENGTHS[:, None])
    shards = data.save(tmp_path / "shards", 7)
    models = [make(mode="regression", n_extra_features=3) for _ in range(2)]
    for model, part in zip(models, (data, shards), strict=True):
        model.fit(part, nb_epoch=1)
        assert np.array_equal(model.predict(part), model.predict(CHAINS))
    for name in ("mean", "deviation"):
        assert np.array_equal(*(getattr(model.module.extra, name).numpy() for model in models))


def test_only_the_first_fit_learns_the_scale(make):
    model = fitted(make)
    before = model.module.extra.mean.numpy().copy()
    model.fit(dataset(make, LENGTHS[:, None]).select(np.arange(5)), nb_epoch=1)
    assert np.array_equal(model.module.extra.mean.numpy(), before)


def test_ensembles_and_validation_take_extra_features(make):
    models = [make(mode="regression", seed=seed, n_extra_features=3) for seed in (0, 1)]
    ensemble = ct.models.Ensemble(models)
    data = dataset(make, LENGTHS[:, None])
    ensemble.fit(data, nb_epoch=2, valid=data, callbacks=[ct.train.EarlyStopping(patience=1)])
    assert np.allclose(ensemble.predict(CHAINS), np.mean([m.predict(CHAINS) for m in models], axis=0), atol=1e-5)
    with pytest.raises(ValueError, match="take the same number of features"):
        ct.models.Ensemble([make(mode="regression"), models[0]])


def test_what_does_not_fit_is_refused(make):
    model = make(mode="regression", n_extra_features=3)
    plain = ct.ops.mol_graphs(CHAINS, model.features)
    with pytest.raises(
        ValueError, match=r"takes 3 extra features of a molecule \(n_extra_features\), got graphs with 0"
    ):
        model.fit(ct.data.GraphDataset(plain, LENGTHS[:, None]))
    with pytest.raises(TypeError, match="X must be graphs with 3 extra features of a molecule, got a list of str"):
        model.predict(CHAINS)
    model.fit(ct.data.GraphDataset(plain.with_extra(np.ones((len(CHAINS), 3))), LENGTHS[:, None]), nb_epoch=1)
    with pytest.raises(TypeError, match="X must be graphs with 3 extra features of a molecule, got a list of str"):
        model.predict(CHAINS)
    with pytest.raises(ValueError, match=r"takes 0 extra features of a molecule .* got graphs with 3"):
        make(mode="regression").fit(dataset(make, LENGTHS[:, None]))
    with pytest.raises(ValueError, match=r"takes 3 extra features of a molecule .* got graphs with 1"):
        model.predict(dataset(make, LENGTHS[:, None], ["MolWt"]).X)
    other = fitted(make)
    for names in (["MolWt", "TPSA", "MolLogP"], ["MolWt"]):
        with pytest.raises(ValueError, match="the model is trained on the features of MolGraphFeaturizer"):
            other.predict(dataset(make, LENGTHS[:, None], names))
    with pytest.raises(ValueError, match="n_extra_features must be a whole number from 0"):
        make(n_extra_features=-1)


def test_unreadable_molecules_keep_their_places(make):
    model = fitted(make)
    found = model.predict(["CCO", "C1CC", "", "CC"], errors="mask")
    assert np.isnan(found[[1, 2]]).all() and np.array_equal(found[[0, 3]], model.predict(["CCO", "CC"]))
    with pytest.raises(ValueError, match="row 1, 'C1CC'"):
        model.predict(["CCO", "C1CC"])


# Predictions with standard deviations.
def uncertain(**options):
    return graph_conv(**{"dropout": 0.1, "uncertainty": True, "learning_rate": 3e-3, "batch_size": 8} | options)


def plain_dataset(y):
    return ct.data.GraphDataset(ct.ops.mol_graphs(CHAINS, "convmol"), y, ids=CHAINS)


def test_a_graph_net_predicts_the_noise_of_its_labels(rng, tmp_path):
    texts = ["CCO", "CCCCCCc1ccccc1"] * 150
    noise = np.tile([0.05, 1.0], 150)[:, None]
    data = ct.data.GraphDataset(ct.ops.mol_graphs(texts, "convmol"), noise * rng.standard_normal((300, 1)))
    model = uncertain(batch_size=50, learning_rate=0.01)
    model.fit(data, nb_epoch=60)
    mean, std = model.predict_uncertainty(texts[:2])
    assert mean.shape == std.shape == (2, 1) and std.dtype == np.float32
    assert 0.6 < std[1, 0] < 1.6 and std[0, 0] < 0.4 * std[1, 0]
    model.save(tmp_path / "m")
    again = ct.models.load(tmp_path / "m")
    assert again.uncertainty and all(map(np.array_equal, again.predict_uncertainty(texts[:2]), (mean, std)))


def test_all_molecules_go_through_the_same_thinned_graph_nets():
    model = uncertain(n_tasks=2, dropout=[0.2, 0.3, 0.4])
    model.fit(plain_dataset(np.stack([LENGTHS, -LENGTHS], axis=1)), nb_epoch=2)
    mean, std = model.predict_uncertainty(CHAINS, masks=5)
    for rows in ([3], [9, 4]):
        part = model.predict_uncertainty([CHAINS[i] for i in rows], masks=5)
        assert np.array_equal(part[0], mean[rows]) and np.array_equal(part[1], std[rows])
    one, few = model.predict_uncertainty(CHAINS, masks=1), model.predict_uncertainty(CHAINS, masks=2)
    assert not np.array_equal(one[0], few[0]) and model.predict(CHAINS).shape == (len(CHAINS), 2)
    same_with_threads(lambda: model.predict_uncertainty(CHAINS, 3))


def test_deviations_of_a_graph_net_come_in_the_units_of_the_measurement():
    data = plain_dataset(500 + 40 * LENGTHS[:, None])
    normal = ct.trans.NormalizationTransformer(transform_y=True, dataset=data)
    model = uncertain()
    model.transformers = [normal]
    model.fit(normal.transform(data), nb_epoch=3)
    (mean, std), (raw_mean, raw_std) = model.predict_uncertainty(data), model.predict_uncertainty(data, raw=True)
    assert np.allclose(mean, normal.untransform(raw_mean), rtol=1e-5)
    assert np.allclose(std, normal.untransform_spread(raw_std), rtol=1e-5)


def test_extra_features_go_into_the_thinned_nets():
    model = uncertain(n_extra_features=3)
    model.fit(dataset(graph_conv, LENGTHS[:, None]), nb_epoch=2)
    found = model.predict_uncertainty(CHAINS, masks=3)
    assert all(map(np.array_equal, found, model.predict_uncertainty(dataset(graph_conv, LENGTHS[:, None]), 3)))


def test_where_there_is_no_deviation_one_sentence_says_so():
    for options in ({"dropout": 0.0}, {"dropout": [0.1, 0.0, 0.1]}, {"mode": "classification"}):
        with pytest.raises(
            ValueError, match='uncertainty=True needs mode="regression" and dropout above 0 after every layer'
        ):
            uncertain(**options)
    with pytest.raises(ValueError, match=r"GraphConvModel.predict_uncertainty: the model has no variance output"):
        graph_conv().predict_uncertainty(CHAINS)
