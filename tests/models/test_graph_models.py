"""DMPNNModel, GraphConvModel, GINModel and AttentiveFPModel: training, units, missing labels, saving, bits, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase._internal import storage
from tests.agreement import same_with_threads
from tests.reference import graph_nets as reference

CHAINS = [a + "C" * n + b for n in range(1, 9) for a, b in (("", "O"), ("N", ""), ("", "c1ccccc1"), ("OC(=O)", "F"))]
LENGTHS = np.array([float(s.count("C") + s.count("c")) for s in CHAINS])


def dmpnn(**options):
    return ct.models.DMPNNModel(**{"message_hidden_dim": 24, "ffn_hidden_dim": 24, "seed": 0, "max_lr": 3e-3} | options)


def graph_conv(**options):
    chosen = {"n_tasks": 1, "graph_conv_layers": [16, 16], "dense_layer_size": 16, "mode": "regression", "seed": 0}
    return ct.models.GraphConvModel(**chosen | options)


def gin(**options):
    return ct.models.GINModel(**{"n_tasks": 1, "emb_dim": 16, "graph_pooling": "sum", "seed": 0} | options)


def attentive_fp(**options):
    return ct.models.AttentiveFPModel(**{"n_tasks": 1, "graph_feat_size": 16, "seed": 0} | options)


MODELS = {"dmpnn": dmpnn, "graph conv": graph_conv, "gin": gin, "attentive fp": attentive_fp}


def features_of(make):
    return make().features


def dataset(make, y, w=None):
    return ct.data.GraphDataset(ct.ops.mol_graphs(CHAINS, features=features_of(make)), y, w, ids=CHAINS)


@pytest.fixture(params=MODELS.values(), ids=MODELS)
def make(request):
    return request.param


def test_a_regression_is_learned_in_the_units_of_its_labels():
    model = dmpnn(batch_size=4, max_lr=5e-3)
    history = model.fit(dataset(dmpnn, 1000 + 100 * LENGTHS[:, None]), nb_epoch=60)
    predicted = model.predict(CHAINS)
    assert predicted.shape == (len(CHAINS), 1) and history["loss"][-1] < 0.05
    assert np.abs(predicted[:, 0] - (1000 + 100 * LENGTHS)).max() < 150
    assert (
        model.evaluate(dataset(dmpnn, 1000 + 100 * LENGTHS[:, None]), ct.metrics.Metric(ct.metrics.r2_score))[
            "r2_score"
        ]
        > 0.9
    )


@pytest.mark.parametrize("make", [graph_conv, gin, attentive_fp])
def test_nets_without_units_learn_standardized_labels(make):
    y = ((LENGTHS - LENGTHS.mean()) / LENGTHS.std())[:, None]
    model = make(batch_size=8, learning_rate=3e-3)
    model.fit(dataset(make, y), nb_epoch=200)
    assert ct.metrics.r2_score(y, model.predict(CHAINS)) > 0.8


@pytest.mark.parametrize(("options", "shape"), [
    ({"n_tasks": 2, "mode": "classification"}, (2, 2)), ({"mode": "classification", "n_classes": 3}, (1, 3)),
    ({"n_tasks": 3, "mode": "regression"}, (3,)),
])  # fmt: skip
def test_shapes_and_probabilities(make, rng, options, shape):
    model = make(**options)
    y = rng.integers(0, options.get("n_classes", 2), (len(CHAINS), options.get("n_tasks", 1))).astype(float)
    model.fit(dataset(make, y), nb_epoch=1)
    found = model.predict(CHAINS[:5])
    assert found.shape == (5, *shape)
    if options["mode"] == "classification":
        assert np.allclose(found.sum(axis=-1), 1, atol=1e-6) and (found >= 0).all()


def test_missing_labels_change_nothing(make, rng):
    y, w = rng.standard_normal((len(CHAINS), 2)), (rng.random((len(CHAINS), 2)) < 0.6).astype(float)
    predictions = []
    for missing in (np.nan, 1e6):
        model = make(n_tasks=2, mode="regression")
        model.fit(dataset(make, np.where(w == 0, missing, y), w), nb_epoch=2)
        predictions.append(model.predict(CHAINS))
    assert np.array_equal(*predictions) and np.isfinite(predictions[0]).all()


@pytest.mark.parametrize("options", [{}, {"mode": "classification", "n_tasks": 2, "dropout": 0.2}])
def test_a_saved_model_predicts_and_trains_on_with_the_same_bits(make, tmp_path, rng, options):
    model = make(**{"mode": "regression"} | options)
    y = rng.integers(0, 2, (len(CHAINS), model.n_tasks)).astype(float)
    model.fit(dataset(make, y), nb_epoch=2)
    model.save(tmp_path / "m")
    again = ct.models.load(tmp_path / "m")
    assert type(again) is type(model) and again.to_config() == model.to_config()
    assert np.array_equal(again.predict(CHAINS), model.predict(CHAINS))
    assert again.featurizer == model.featurizer


def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads(make):
    def trained():
        model = make(dropout=0.1, mode="regression")
        model.fit(dataset(make, LENGTHS[:, None]), nb_epoch=2)
        return (model.predict(CHAINS),)

    same_with_threads(trained)


def test_a_molecule_alone_has_the_bits_it_has_in_a_batch(make):
    model = make(mode="regression")
    model.fit(dataset(make, LENGTHS[:, None]), nb_epoch=1)
    whole = model.predict(CHAINS)
    assert np.array_equal(np.concatenate([model.predict([s]) for s in CHAINS]), whole)
    assert np.array_equal(model.predict(dataset(make, LENGTHS[:, None])), whole)
    assert np.array_equal(model.predict(ct.ops.mol_graphs(CHAINS, features=model.features)), whole)


def test_early_stopping_and_checkpoints_work_as_for_every_model(make, tmp_path):
    y = LENGTHS[:, None]
    whole, parts = make(mode="regression"), make(mode="regression")
    whole.fit(dataset(make, y), nb_epoch=4)
    parts.fit(dataset(make, y), nb_epoch=4, callbacks=[ct.train.Checkpoint(tmp_path / "c")])
    assert np.array_equal(whole.predict(CHAINS), parts.predict(CHAINS))
    history = make(mode="regression").fit(
        dataset(make, y), nb_epoch=50, valid=dataset(make, -100 * y), callbacks=[ct.train.EarlyStopping(patience=2)]
    )
    assert 3 <= len(history) < 50


def test_the_learning_rate_goes_up_and_down():
    model = dmpnn(batch_size=len(CHAINS), warmup_epochs=2, init_lr=1e-4, max_lr=1e-3, final_lr=1e-5)
    model.fit(dataset(dmpnn, LENGTHS[:, None]), nb_epoch=12)
    rate = model.learning_rate
    assert (rate.initial, rate.peak, rate.final, rate.steps, rate.warmup) == (1e-4, 1e-3, 1e-5, 12, 2)


def test_unreadable_molecules_keep_their_places(make):
    model = make(mode="regression")
    model.fit(dataset(make, LENGTHS[:, None]), nb_epoch=1)
    with pytest.raises(ValueError, match="row 1"):
        model.predict(["CCO", "C1CC", "CC"])
    found = model.predict(["CCO", "C1CC", "CC"], errors="mask")
    assert np.isnan(found[1]).all() and np.array_equal(found[[0, 2]], model.predict(["CCO", "CC"]))


def test_a_graph_without_atoms_has_no_prediction(make):
    model = make(mode="regression", batch_size=2)
    texts = ["CCO", "", "C", "", "CC"]
    graphs = ct.ops.mol_graphs(texts, model.features)
    y, w = np.arange(5.0)[:, None], np.array([[1.0], [0.0], [1.0], [0.0], [1.0]])
    data = ct.data.GraphDataset(graphs, y, w)
    model.fit(data, nb_epoch=4, valid=data)
    found = model.predict(data)
    assert np.isnan(found[[1, 3]]).all() and np.array_equal(found[[0, 2, 4]], model.predict(["CCO", "C", "CC"]))
    assert np.isfinite(model.evaluate(data, ct.metrics.Metric(ct.metrics.rms_score))["rms_score"])
    assert np.isnan(model.predict(graphs[[1, 1]])).all()


@pytest.mark.parametrize("where", ["fit", r"fit \(valid\)"])
def test_a_graph_without_atoms_that_has_a_label_is_refused(make, where, tmp_path):
    model, good = make(mode="regression"), dataset(make, LENGTHS[:, None])
    graphs = ct.ops.mol_graphs(["CCO", "C", ""], model.features)
    bad = ct.data.GraphDataset(graphs, np.arange(3.0)[:, None])
    for wrong in (bad, bad.save(tmp_path / "shards", 2)):
        with pytest.raises(ValueError, match=where + ": row 2 of X is a graph without atoms, .* but has a label"):
            model.fit(wrong) if where == "fit" else model.fit(good, valid=wrong)


def test_a_saved_model_with_unknown_features_is_refused(tmp_path):
    dmpnn().save(tmp_path / "m")
    config, arrays = storage.load_folder(tmp_path / "m")
    config["model"]["features"] = "of the future"
    storage.save_folder(tmp_path / "m", config, arrays)
    with pytest.raises(ValueError, match=r"DMPNNModel.features must be 'dmpnn', .* or 'molgraph', got 'of the future'"):
        ct.models.load(tmp_path / "m")


def test_what_does_not_fit_is_refused(make):
    model = make(mode="regression")
    other = "convmol" if model.features != "convmol" else "dmpnn"
    with pytest.raises(ValueError, match=f"features '{model.features}', got '{other}'"):
        model.predict(ct.ops.mol_graphs(["CCO"], features=other))
    with pytest.raises(TypeError, match="X must be molecular graphs"):
        model.fit(ct.data.NumpyDataset(np.ones((4, 3)), np.ones((4, 1))))
    with pytest.raises(ValueError, match="y holds inf"):
        model.fit(dataset(make, np.full((len(CHAINS), 1), np.inf)))
    with pytest.raises(ValueError, match="class numbers from 0 to 1"):
        make(mode="classification").fit(dataset(make, np.full((len(CHAINS), 1), 7.0)))
    with pytest.raises(ValueError, match="mode must be"):
        make(mode="ranking")


JOINED = {"last": lambda seen: seen[-1], "sum": sum, "max": lambda seen: np.max(seen, axis=0), "concat": np.hstack}


@pytest.mark.parametrize("options", [
    {}, {"jump_knowledge": "sum", "use_edges": False}, {"jump_knowledge": "max", "graph_pooling": "mean", "train_eps": True},
    {"jump_knowledge": "concat", "graph_pooling": "attention", "batch_norm": False}, {"features": "convmol", "use_edges": False},
])  # fmt: skip
def test_gin_agrees_with_float64(options):
    model = gin(**options)
    model.fit(dataset(lambda: gin(**options), LENGTHS[:, None]), nb_epoch=2)
    weights = {name: value.astype(np.float64) for name, value in model.state_dict().items()}
    expected = []
    for molecule in reference.molecules(ct.ops.mol_graphs(CHAINS, features=model.features)):
        h = molecule[0] @ weights["atoms.w"] + weights["atoms.b"]
        seen = [h]
        for i in range(3):
            h = reference.gin_conv(h, molecule, reference.part(weights, f"layers.{i}."))
            if model.batch_norm:
                norm = reference.part(weights, f"norms.{i}.")
                h = (h - norm["running_mean"]) / np.sqrt(norm["running_var"] + 1e-5) * norm["gamma"] + norm["beta"]
            h = h if i == 2 else np.maximum(h, 0)
            seen.append(h)
        attention = reference.part(weights, "readout.")
        row = reference.readout(JOINED[model.jump_knowledge](seen), model.graph_pooling, **attention)
        expected.append(row @ weights["output.layers.0.w"] + weights["output.layers.0.b"])
    assert np.allclose(model.predict(CHAINS), expected, rtol=1e-4, atol=1e-4)


def test_gin_refuses_features_without_bonds():
    with pytest.raises(ValueError, match="GINModel: the features 'convmol' have no columns of bonds"):
        gin(features="convmol")


def test_an_ensemble_of_graph_nets(make):
    models = [make(mode="regression", seed=seed) for seed in (0, 1)]
    for model in models:
        model.fit(dataset(make, LENGTHS[:, None]), nb_epoch=1)
    ensemble = ct.models.Ensemble(models)
    assert np.allclose(ensemble.predict(CHAINS), np.mean([m.predict(CHAINS) for m in models], axis=0), atol=1e-5)


@pytest.mark.on_a_device
def test_a_net_on_a_device_gives_what_it_gives_on_the_cpu(make, backend):
    model = make(mode="regression", batch_size=16)
    model.fit(dataset(make, LENGTHS[:, None]), nb_epoch=1)
    batch = ct.data.GraphBatch(ct.ops.mol_graphs(CHAINS[:6], features=model.features))
    with ct.nn.inference(), ct.autograd.no_grad():
        expected = model.module(batch).numpy()
        found = model.module.to(backend.device)(batch)
    assert np.allclose(backend.get(found.data), expected, rtol=1e-3, atol=1e-4)


def test_a_last_batch_of_one_row_is_left_out_of_an_epoch(rng):
    class Steps(ct.train.Callback):
        def __init__(self):
            self.taken = []

        def on_batch_end(self, state):
            self.taken.append((state.epoch, state.batch))

    def steps(rows, **options):
        data = ct.data.GraphDataset(ct.ops.mol_graphs(CHAINS[:rows]), rng.random((rows, 1)))
        counted = Steps()
        dmpnn(**options).fit(data, nb_epoch=2, callbacks=counted)
        return counted.taken

    assert steps(9, batch_size=4) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert steps(10, batch_size=4) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert steps(1, batch_size=1) == steps(1, batch_size=4) == [(0, 0), (1, 0)]
    assert len(steps(3, batch_size=1)) == 6


def test_the_loss_of_dmpnn_is_the_mean_over_the_labels_that_are_there(rng):
    y = rng.standard_normal((len(CHAINS), 2))
    y[rng.random(y.shape) < 0.4] = np.nan
    data = ct.data.GraphDataset(ct.ops.mol_graphs(CHAINS), y)
    still = {"init_lr": 1e-30, "max_lr": 1e-30, "final_lr": 1e-30}
    model = dmpnn(n_tasks=2, batch_size=len(CHAINS), **still)
    history = model.fit(data, nb_epoch=1, valid=data)
    errors = (model.predict(data) - y) / model.module.label_scale.numpy()
    expected = np.nanmean(errors**2)
    assert history["loss"][0] == pytest.approx(expected, rel=1e-5)
    assert history["valid_loss"][0] == pytest.approx(expected, rel=1e-5)
