"""Tests of models: shapes, seeds, missing labels, saved folders, and refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest

import catalase as ct
from catalase import models


@pytest.fixture
def data(rng):
    X = (rng.random((120, 40)) < 0.2).astype(np.float32)
    y = np.stack([X[:, 0] + X[:, 1] > 0, X[:, 2] > 0, X[:, 3] * X[:, 4] > 0], axis=1).astype(np.float32)
    y[rng.random(y.shape) < 0.3] = np.nan
    return ct.data.NumpyDataset(X, y)


def classifier(**options):
    return models.MultitaskClassifier(3, 40, **{"layer_sizes": [32], "seed": 1, "batch_size": 30, **options})


def regressor(**options):
    return models.MultitaskRegressor(3, 40, **{"layer_sizes": [32, 16], "seed": 1, "batch_size": 30, **options})


def test_the_classifier_learns(data):
    model = classifier(dropouts=0.1)
    metric = ct.metrics.Metric(ct.metrics.roc_auc_score, np.mean)
    history = model.fit(data, nb_epoch=60, valid=data)
    scores, tasks = model.evaluate(data, [metric], per_task_metrics=True)
    assert scores["mean-roc_auc_score"] > 0.97 and len(tasks["mean-roc_auc_score"]) == 3
    assert history["valid_loss"][-1] < history["valid_loss"][0]
    p = model.predict(data)
    assert p.shape == (120, 3, 2) and np.allclose(p.sum(axis=2), 1, atol=1e-6)


def test_the_regressor_learns_and_undoes_its_transformer(data):
    target = ct.data.NumpyDataset(data.X, 100 + 10 * data.X[:, :3].cumsum(axis=1))
    normal = ct.trans.NormalizationTransformer(transform_y=True, dataset=target)
    model = regressor(dropouts=0.0, learning_rate=0.01)
    model.fit(normal.transform(target), nb_epoch=100)
    score = model.evaluate(normal.transform(target), ct.metrics.Metric(ct.metrics.r2_score), [normal])
    assert score["r2_score"] > 0.9 and model.predict(target, [normal]).mean() > 90


@pytest.mark.parametrize("make", [classifier, regressor])
def test_same_seed_same_bits_for_any_thread_count(data, make):
    before, results = ct.get_num_threads(), []
    for threads in (1, 2):
        ct.set_num_threads(threads)
        model = make()
        model.fit(data, nb_epoch=3)
        results.append(model.predict(data))
    ct.set_num_threads(before)
    other = make(seed=2)
    other.fit(data, nb_epoch=3)
    assert np.array_equal(*results) and not np.array_equal(results[0], other.predict(data))


@pytest.mark.parametrize("make", [classifier, regressor])
def test_a_row_alone_gives_the_bits_it_has_in_a_batch(data, make):
    model = make()
    model.fit(data, nb_epoch=2)
    whole = model.predict(data)
    assert all(np.array_equal(model.predict(data.X[i : i + 1])[0], whole[i]) for i in (0, 50, 119))
    assert model.predict(data.X[:0]).shape == (0, *whole.shape[1:])


def test_a_missing_label_never_counts(data):
    results = []
    for filler in (np.nan, 0.0, 1.0):
        y = np.where(np.isnan(data.y), filler, data.y)
        model = classifier()
        model.fit(ct.data.NumpyDataset(data.X, y, data.w), nb_epoch=2)
        results.append(model.predict(data))
    assert np.array_equal(results[0], results[1]) and np.array_equal(results[0], results[2])


@pytest.mark.parametrize("make", [classifier, regressor, lambda: models.Ensemble([regressor(), regressor(seed=2)])])
def test_saved_and_loaded_predictions_are_equal_to_the_bit(data, make, tmp_path):
    model = make()
    model.fit(data, nb_epoch=2)
    classes = model.predict(data).ndim == 3
    model.transformers = [
        ct.trans.BalancingTransformer(data)
        if classes
        else ct.trans.NormalizationTransformer(transform_y=True, dataset=data)
    ]
    model.featurizer = {"radius": 2, "size": 1024}
    model.save(tmp_path / "m")
    again = models.load(tmp_path / "m")
    assert type(again) is type(model) and again.to_config() == model.to_config()
    assert np.array_equal(again.predict(data), model.predict(data))
    assert again.featurizer == model.featurizer == ct.feat.CircularFingerprint(radius=2, size=1024)
    assert [t.to_config() for t in again.transformers] == [t.to_config() for t in model.transformers]


def test_fitting_again_goes_on(data):
    model = classifier()
    first = model.fit(data, nb_epoch=3)["loss"]
    second = model.fit(data, nb_epoch=3)["loss"]
    assert second[0] < first[0] and model._optimizer.steps == 6 * 4


def test_penalties(data):
    for kind in ("l1", "l2"):
        plain, held = (
            classifier(dropouts=0.0),
            classifier(dropouts=0.0, weight_decay_penalty=0.01, weight_decay_penalty_type=kind),
        )
        plain.fit(data, nb_epoch=20)
        held.fit(data, nb_epoch=20)
        size = [np.abs(m.module.state_dict()["layers.0.w"]).sum() for m in (plain, held)]
        assert size[1] < 0.95 * size[0], kind  # the output layer, which no penalty touches, makes up for some of it


@pytest.mark.parametrize("kind", ["l1", "l2"])
def test_no_penalty_touches_the_output_layer(data, kind):
    changed = []
    for penalty in (0.0, 0.1):
        model = classifier(dropouts=0.0, weight_decay_penalty=penalty, weight_decay_penalty_type=kind)
        penalties = {kind: penalty if kind == "l1" else 2 * penalty}
        model.make_optimizer = lambda net=model.module, options=penalties: ct.optim.SGD(net, 0.1, **options)
        model.batch_size = len(data)
        start = model.module.state_dict()
        model.fit(data, nb_epoch=1)
        changed.append(model.module.state_dict())
    names = [name for name in start if name.endswith(".w")]
    assert np.array_equal(changed[0][names[-1]], changed[1][names[-1]])
    w = start[names[0]]
    plain = changed[0][names[0]]
    proximal = np.sign(plain) * np.maximum(np.abs(plain) - 0.1 * 0.1, 0)
    pulled = proximal if kind == "l1" else plain - 0.1 * 0.2 * w
    assert np.allclose(changed[1][names[0]], pulled, atol=1e-6)


def test_one_hot_labels_are_one_task(rng):
    X = rng.standard_normal((200, 6)).astype(np.float32)
    y = np.eye(3)[np.argmax(X[:, :3], axis=1)]
    model = models.MultitaskClassifier(1, 6, layer_sizes=[32], n_classes=3, dropouts=0.0, learning_rate=0.01, seed=0)
    for labels in (np.argmax(y, axis=1), np.argmax(y, axis=1)[:, None]):
        model.fit(ct.data.NumpyDataset(X, labels), nb_epoch=30)
    data = ct.data.NumpyDataset(X, y)
    model.fit(data, nb_epoch=1)
    assert model.evaluate(data, ct.metrics.Metric(ct.metrics.accuracy_score))["accuracy_score"] > 0.9


@pytest.mark.parametrize(
    "call, kind, words",
    [
        (lambda m, d: m.fit(d.X), TypeError, "needs a dataset such as catalase.data.NumpyDataset"),
        (lambda m, d: m.fit(d.select([])), ValueError, "dataset is empty"),
        (lambda m, d: m.predict(np.ones((2, 39))), ValueError, r"shape \(rows, 40\), got \(2, 39\)"),
        (lambda m, d: m.predict(np.full((2, 40), np.nan)), ValueError, "X holds nan at row 0, column 0"),
        (lambda m, d: m.predict(np.full((2, 40), "a")), TypeError, "X must be an array of numbers"),
        (lambda m, d: m.fit(ct.data.NumpyDataset(d.X, d.y[:, :2])), ValueError, r"y must have shape \(rows, 3\)"),
        (lambda m, d: m.fit(ct.data.NumpyDataset(d.X, np.full((120, 3), 2.0))), ValueError, "class numbers from 0 to 1, got 2.0"),
        (lambda m, d: classifier(layer_sizes=[0]), ValueError, "layer_sizes"),
        (lambda m, d: classifier(dropouts=[0.1, 0.2]), ValueError, "dropouts must be one number or 1"),
        (lambda m, d: classifier(activation_fns="rellu"), ValueError, "activation_fns must be one of relu"),
        (lambda m, d: classifier(seed=-1), ValueError, "seed must be"),
        (lambda m, d: models.Ensemble([]), ValueError, "at least one member"),
    ],
)  # fmt: skip
def test_bad_input(data, call, kind, words):
    with pytest.raises(kind, match=words):
        call(classifier(), data)


def test_a_folder_that_is_no_model(data, tmp_path):
    with pytest.raises(OSError, match="nothing"):
        models.load(tmp_path / "nothing")
    model = classifier()
    model.save(tmp_path / "m")
    config = tmp_path / "m" / "config.json"
    text = config.read_text()
    config.write_text(text.replace("MultitaskClassifier", "os.system"))
    with pytest.raises(ValueError, match=r"config\.json"):
        models.load(tmp_path / "m")
    config.write_text(text)
    assert models.load(tmp_path / "m").n_tasks == 3
    assert "MultitaskClassifier" in json.dumps(model.to_config())


def test_a_config_naming_an_unknown_class_or_setting(tmp_path):
    from catalase._internal import storage

    good = {"kind": "catalase model", "model": classifier().to_config(), "transformers": [], "featurizer": None}
    for change, words in [
        (
            {"class": "Popen"},
            "unknown class 'Popen'; known here: AttentiveFPModel, AutoModel, Autoencoder, CNN, DMPNNModel, DenoisingAutoencoder, Ensemble, EuclideanKNNClassifier, EuclideanKNNRegressor, GAN, GBDTModel, GINModel, GraphConvModel",
        ),
        ({"shell": True}, "no field 'shell'"),
        ({"n_tasks": "3"}, "n_tasks must be"),
        ({"n_tasks": True}, "n_tasks must be"),
        ({"n_features": 41}, "a larger net than the file of its weights holds"),
        ({"n_features": 39}, "do not fit its config"),
    ]:
        folder = tmp_path / next(iter(change))
        storage.save_folder(folder, {**good, "model": {**good["model"], **change}}, classifier().module.state_dict())
        with pytest.raises(ValueError, match=words):
            models.load(folder)


@pytest.mark.parametrize(
    "settings, error, words",
    [
        ({"layer_sizes": "12"}, ValueError, "layer_sizes must be a list"),
        ({"layer_sizes": [3.7]}, ValueError, r"layer_sizes\[0\] must be a whole number from 1"),
        ({"batch_size": 0}, ValueError, "batch_size must be a whole number, 1 or more"),
        ({"dropouts": float("nan")}, ValueError, "dropouts must be finite"),
        ({"dropouts": [0.5, 1.0]}, ValueError, "from 0 to below 1"),
        ({"bias_init_consts": None}, TypeError, "bias_init_consts must be a number"),
        ({"weight_init_stddevs": "a"}, TypeError, "weight_init_stddevs must be a number"),
    ],
)
def test_settings_are_not_guessed(settings, error, words):
    with pytest.raises(error, match=words):
        regressor(**settings)


def test_no_more_is_taken_than_a_saved_model_may_have():
    with pytest.raises(ValueError, match="n_tasks must be a whole number from 1 to 1,000,000"):
        models.MultitaskRegressor(1_000_001, 1)
    with pytest.raises(ValueError, match=r"layer_sizes must be a list of 0 to 1,000 items"):
        models.MultitaskRegressor(1, 1, layer_sizes=[1] * 1001)


def test_classes_and_one_hot_labels_are_checked():
    with pytest.raises(ValueError, match="n_classes must be a whole number"):
        classifier(n_classes=2.5)
    model = models.MultitaskClassifier(1, 4, layer_sizes=[3])
    X, y = np.ones((3, 4), np.float32), np.eye(2)[[0, 1, 1]]
    y[1] = 7
    with pytest.raises(ValueError, match=r"one-hot labels .* row 1"):
        model.fit(ct.data.NumpyDataset(X, y))
    model.fit(ct.data.NumpyDataset(X, y, np.array([1, 0, 1])), nb_epoch=1)  # a row without weight is not looked at


def test_features_too_large_for_float32_and_bare_functions_are_refused(data):
    model = regressor()
    for X in (np.full((2, 40), 1e300), np.full((2, 40), np.inf, np.float16)):
        with pytest.raises(ValueError, match="row 0, column 0"):
            model.predict(X)
    with pytest.raises(TypeError, match="metrics must be Metric objects"):
        model.evaluate(data, [ct.metrics.r2_score])


def test_packed_fingerprints_train_and_predict_as_floats(tmp_path):
    rng = np.random.default_rng(0)
    bits = rng.random((80, 512)) < 0.05
    packed, y = np.packbits(bits, axis=1, bitorder="little"), rng.integers(0, 2, (80, 2)).astype(np.float32)
    predictions = []
    for X in (packed, bits.astype(np.float32)):
        model = ct.models.MultitaskClassifier(2, 512, layer_sizes=[32], batch_size=20, seed=4)
        model.fit(ct.data.NumpyDataset(X, y), nb_epoch=3)
        predictions.append(model.predict(X))
        assert model.evaluate(ct.data.NumpyDataset(X, y), ct.metrics.Metric(ct.metrics.roc_auc_score))
    assert np.array_equal(*predictions)
    with pytest.raises(ValueError, match="512"):
        model.predict(packed[:, :10])


def test_a_dataset_that_is_mostly_zeros_is_compressed_once_with_the_same_bits(rng):
    X = (rng.random((300, 64)) < 0.05).astype(np.float32) * rng.standard_normal((300, 64)).astype(np.float32)
    y = rng.integers(0, 2, (300, 3)).astype(np.float32)
    y[rng.random(y.shape) < 0.2] = np.nan  # missing labels, which become weight 0

    class Walked(ct.data.NumpyDataset):
        """A kind of its own, which no model may replace."""

    nets = [models.MultitaskClassifier(3, 64, layer_sizes=[32], seed=1, batch_size=70) for _ in range(2)]
    histories = [
        net.fit(kind(X, y), nb_epoch=3) for net, kind in zip(nets, (ct.data.NumpyDataset, Walked), strict=True)
    ]
    batch, *_ = next(nets[0]._training_rows(ct.data.NumpyDataset(X, y)).iterbatches(70))
    assert isinstance(batch.X, ct.ops.SparseBatch) and len(batch) == 70
    assert histories[0]["loss"] == histories[1]["loss"]
    for name, array in nets[0].module.state_dict().items():
        assert np.array_equal(array, nets[1].module.state_dict()[name]), name


def test_numbers_in_the_other_byte_order_are_the_same_numbers(data):
    y = np.nan_to_num(data.y)
    own, other = classifier(), classifier()
    own.fit(ct.data.NumpyDataset(data.X, y), nb_epoch=2)
    other.fit(ct.data.NumpyDataset(data.X.astype(">f4"), y.astype(">f8")), nb_epoch=2)
    assert np.array_equal(other.predict(data.X.astype(">f4")), own.predict(data.X))


def test_a_constant_label_is_its_own_prediction(data):
    target = ct.data.NumpyDataset(data.X, np.full((120, 1), 7.3))
    normal = ct.trans.NormalizationTransformer(transform_y=True, dataset=target)
    model = models.MultitaskRegressor(1, 40, layer_sizes=[8], seed=0)
    model.fit(normal.transform(target), nb_epoch=30)
    found = model.predict(data.X, [normal])
    assert np.allclose(found, 7.3, atol=0.5)
    assert model.evaluate(target, ct.metrics.Metric(ct.metrics.r2_score), [normal]) == {"r2_score": 0}


def test_labels_that_are_all_missing_are_refused(rng):
    X = rng.standard_normal((5, 4)).astype(np.float32)
    model = models.MultitaskRegressor(1, 4, layer_sizes=[3])
    with pytest.raises(ValueError, match="every label is missing"):
        model.fit(ct.data.NumpyDataset(X, np.full((5, 1), np.nan)))
