"""Tests that CNN, ResNetClassifier and UNet learn, are restored to the bit, and report errors."""

from __future__ import annotations

import json

import numpy as np
import pytest

import catalase as ct
from catalase._internal import registry
from catalase.models import CNN, ResNetClassifier, UNet

ACCURACY = ct.metrics.Metric(ct.metrics.accuracy_score)


@pytest.fixture(scope="module")
def digits():
    """uint8 images (N, 8, 8)."""
    bundled = pytest.importorskip("sklearn.datasets").load_digits()
    order = np.random.default_rng(0).permutation(len(bundled.target))
    X, y = np.round(bundled.images * (255 / 16)).astype(np.uint8)[order], bundled.target.astype(float)[order]
    return ct.data.NumpyDataset(X[:1400], y[:1400]), ct.data.NumpyDataset(X[1400:], y[1400:])


def digits_cnn(**options):
    settings = {
        "layer_filters": [16, 32], "kernel_size": 3, "dropouts": 0.1, "n_classes": 10, "weight_init_stddevs": 0.1,
        "bias_init_consts": 0.0, "padding": "same", "dense_layer_size": 64, "batch_size": 50, "learning_rate": 0.005,
        "seed": 1,
    }  # fmt: skip
    return CNN(1, 1, 2, **{**settings, **options})


def digits_resnet(**options):
    settings = {"layer_filters": [8, 16], "blocks": 1, "n_classes": 10, "learning_rate": 0.005, "seed": 1}
    return ResNetClassifier(1, 1, **{**settings, **options})


def masks(rng, rows=60, size=(20, 23)):
    """Noisy images with bright squares, and where the squares are."""
    mask = np.zeros((rows, *size), np.float32)
    for one in mask:
        for _ in range(3):
            r, c = rng.integers(2, size[0] - 3), rng.integers(2, size[1] - 3)
            one[r - 2 : r + 3, c - 2 : c + 3] = 1
    return (0.6 * rng.random(mask.shape, np.float32) + 0.4 * mask).astype(np.float32), mask


def squares_unet(**options):
    return UNet(**{"layer_filters": [6, 12], "seed": 0, "learning_rate": 0.005, **options})


@pytest.mark.parametrize("make", [digits_cnn, digits_resnet])
def test_the_digits_are_learned_from_uint8_images(digits, make):
    train, test = digits
    model = make()
    history = model.fit(train, nb_epoch=8, valid=test)
    assert model.evaluate(test, ACCURACY)["accuracy_score"] > 0.95
    assert history["valid_loss"][-1] < history["valid_loss"][0]
    p = model.predict(test)
    assert p.shape == (397, 1, 10) and np.array_equal(p[5], model.predict(test.X[5:6])[0])
    assert np.array_equal(p, model.predict(test.X[..., None])) and model.predict(test.X[:0]).shape == (0, 1, 10)
    assert np.array_equal(p, model.predict(test.X.astype(np.float32)))
    assert "Conv2D" in model.summary() and "(N, 8, 8," in model.summary() and "(N, 16, 12," in make().summary((16, 12))


def test_masks_are_learned(rng):
    X, y = masks(rng)
    model = squares_unet()
    history = model.fit(ct.data.NumpyDataset(X[:50], y[:50]), nb_epoch=8)
    test = ct.data.NumpyDataset(X[50:], y[50:])
    scores, tasks = model.evaluate(test, [ACCURACY, ct.metrics.Metric(ct.metrics.roc_auc_score)], per_task_metrics=True)
    assert scores["roc_auc_score"] > 0.97 and len(tasks["roc_auc_score"]) == 1
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    p = model.predict(test)
    assert p.shape == (10, 20, 23, 1) and p.min() >= 0 and p.max() <= 1
    assert np.array_equal(p[3], model.predict(test.X[3:4])[0])


def test_densities_are_learned_and_missing_pixels_have_no_say(rng):
    X, y = masks(rng, 24)
    maps = np.stack([y, 2 * y], axis=-1)
    results = []
    for filler in (np.nan, 0.0):
        w = np.ones(maps.shape)
        w[:, :5] = 0
        labels = maps.copy()
        labels[:, :5] = filler
        model = squares_unet(n_tasks=2, mode="regression", batch_norm=False, dropout=0.1)
        model.fit(ct.data.NumpyDataset(X, labels, w), nb_epoch=4)
        results.append(model.predict(X))
    assert np.array_equal(*results)
    scores = model.evaluate(ct.data.NumpyDataset(X, maps), ct.metrics.Metric(ct.metrics.pearson_r2_score))
    assert scores["pearson_r2_score"] > 0.3


@pytest.mark.parametrize(
    ("make", "shape", "y"),
    [
        (lambda: CNN(2, 4, 1, [5], 4, mode="regression", seed=0), (10, 12, 4), (10, 2)),
        (lambda: CNN(2, 1, 3, [3, 3], [2, (1, 2, 2)], strides=[1, 2], seed=0), (10, 6, 6, 6), (10, 2)),
        (lambda: CNN(1, 3, 2, [4, 4, 4], 3, padding="SAME", residual=True, batch_norm=True, seed=0), (8, 7, 9, 3), (8,)),
        (lambda: CNN(1, 2, 2, [4, 4], (3, 1), residual=True, padding="same", activation_fns=["tanh", "identity"],
                     pool_type="average", weight_decay_penalty=0.01, seed=0), (8, 7, 9, 2), (8, 1)),
        (lambda: CNN(1, 1, 1, [4], 3, batch_norm=True, activation_fns="tanh", weight_decay_penalty=0.01,
                     weight_decay_penalty_type="l1", seed=0), (8, 9), (8,)),
        (lambda: ResNetClassifier(2, 3, layer_filters=[4, 8], blocks=2, stem_size=5, stem_stride=2, dropout=0.2,
                                  seed=0), (6, 16, 13, 3), (6, 2)),
        (lambda: ResNetClassifier(1, 1, 1, layer_filters=[4], blocks=1, seed=0), (6, 16), (6,)),
        (lambda: UNet(2, 3, layer_filters=[2, 3, 4], kernel_size=(3, 1), dropout=0.2, seed=0), (3, 9, 10, 3), (3, 9, 10, 2)),
        (lambda: UNet(dims=1, layer_filters=[2, 3], seed=0), (3, 9), (3, 9)),
        (lambda: UNet(dims=3, layer_filters=[2, 3], seed=0), (3, 5, 4, 3), (3, 5, 4, 3, 1)),
        (lambda: UNet(layer_filters=[2], mode="regression", seed=0), (3, 5, 4), (3, 5, 4)),
    ],
)  # fmt: skip
def test_every_form_trains_the_same_on_any_threads_and_is_saved(rng, tmp_path, make, shape, y):
    data = ct.data.NumpyDataset(rng.random(shape, np.float32), rng.integers(0, 2, y).astype(np.float32))
    before, results = ct.get_num_threads(), []
    for threads in (1, 2):
        ct.set_num_threads(threads)
        model = make()
        model.fit(data, nb_epoch=2, valid=data)
        results.append(model.predict(data))
    ct.set_num_threads(before)
    assert np.array_equal(*results) and np.isfinite(results[0]).all()
    model.save(tmp_path / "m")
    again = ct.models.load(tmp_path / "m")
    assert type(again) is type(model) and again.to_config() == model.to_config()
    assert np.array_equal(again.predict(data), results[0])
    again.fit(data, nb_epoch=1)
    assert json.dumps(model.to_config()) and model.summary().startswith("Layer")


def test_batches_of_a_dataset_on_disk_are_checked_as_they_come(rng, tmp_path):
    class Stream:
        """Rows that are not in memory."""

        def __init__(self, bad):
            self.bad = bad

        def __len__(self):
            return 20

        def iterbatches(self, size, deterministic=False, seed=None):
            for start in range(0, 20, size):
                X = np.full((size, 6, 6), np.nan if self.bad and start else 0.5, np.float32)
                yield X, np.zeros((size, 1)), np.ones((size, 1)), np.arange(size)

    model = CNN(1, 1, 2, [2], 3, batch_size=10, seed=0)
    model.fit(Stream(False), nb_epoch=1, valid=Stream(False))
    assert model.predict(Stream(False)).shape == (20, 1, 2)
    with pytest.raises(ValueError, match=r"CNN\.fit: X is not finite at row 0"):
        model.fit(Stream(True), nb_epoch=1)


def test_one_hot_labels_are_one_task(digits):
    few = digits[0].select(range(200))
    hot = ct.data.NumpyDataset(few.X, np.eye(10)[few.y.astype(int)])
    results = []
    for data in (few, hot):
        model = digits_cnn()
        model.fit(data, nb_epoch=1)
        results.append(model.predict(few))
    assert np.array_equal(*results)


IMAGES = np.zeros((4, 6, 6), np.float32)
SEQUENCES = ct.data.SequenceDataset([np.zeros((7, 4), np.float32), np.zeros((9, 4), np.float32)], np.array([1.0, 0.0]))


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: CNN(1, 1, 4), ValueError, "CNN: dims"),
        (lambda: CNN(0, 1, 2), ValueError, "n_tasks"),
        (lambda: CNN(1, 1, 2, []), ValueError, "layer_filters is empty"),
        (lambda: CNN(1, 1, 2, [0]), ValueError, "layer_filters"),
        (lambda: CNN(1, 1, 2, [4], kernel_size=[3, 3]), ValueError, "kernel_size.*list of 1"),
        (lambda: CNN(1, 1, 2, [4], kernel_size=(3, 3, 3)), ValueError, "kernel_size.*or 2 of them"),
        (lambda: CNN(1, 1, 2, [4], strides=0), ValueError, "strides"),
        (lambda: CNN(1, 1, 2, residual=True), ValueError, "padding='same'"),
        (lambda: CNN(1, 1, 2, padding="full"), ValueError, "padding"),
        (lambda: CNN(1, 1, 2, pool_type="min"), ValueError, "pool_type"),
        (lambda: CNN(1, 1, 2, mode="ranking"), ValueError, "mode"),
        (lambda: CNN(1, 1, 2, n_classes=1), ValueError, "n_classes"),
        (lambda: CNN(1, 1, 2, dropouts=1.0), ValueError, "dropouts"),
        (lambda: CNN(1, 1, 2, activation_fns="swish"), ValueError, "activation_fns"),
        (lambda: CNN(1, 1, 2, dense_layer_size=0), ValueError, "dense_layer_size"),
        (lambda: CNN(1, 1, 2, weight_decay_penalty=-1), ValueError, "weight_decay_penalty"),
        (lambda: CNN(1, 1, 2, seed=-1), ValueError, "seed"),
        (lambda: CNN(1, 3, 2).predict(IMAGES), ValueError, r"height, width, 3\), got \(4, 6, 6\)"),
        (lambda: CNN(1, 1, 1).predict(IMAGES), ValueError, r"length, 1\) \(the last axis may be left out\)"),
        (lambda: CNN(1, 1, 2, [4], 7).predict(IMAGES), ValueError, "kernel"),
        (lambda: CNN(1, 1, 2).predict(IMAGES.astype(str)), TypeError, "numbers"),
        (lambda: CNN(1, 1, 2).predict(IMAGES + np.inf), ValueError, "not finite at row 0"),
        (lambda: CNN(1, 1, 2).fit(IMAGES), TypeError, "needs a dataset"),
        (lambda: CNN(1, 4, 1).fit(SEQUENCES), TypeError, "CNN.fit: .*got a SequenceBatch; cut or pad .* to one length"),
        (lambda: CNN(1, 4, 1).predict(SEQUENCES), TypeError, "CNN.predict: .*cut or pad sequences to one length"),
        (lambda: CNN(1, 4, 1).predict(list(SEQUENCES.X)), ValueError, "rows of X are of different lengths"),
        (lambda: CNN(1, 1, 2).fit(ct.data.NumpyDataset(IMAGES, np.full(4, 2.0))), ValueError, "from 0 to 1"),
        (lambda: CNN(1, 1, 2).fit(ct.data.NumpyDataset(IMAGES[:0], np.zeros(0))), ValueError, "empty"),
        (lambda: ResNetClassifier(1, 1, blocks=0), ValueError, "blocks"),
        (lambda: ResNetClassifier(1, 1, dropout=1), ValueError, "dropout"),
        (lambda: ResNetClassifier(1, 1, stem_size=(1, 2, 3)), ValueError, "stem_size"),
        (lambda: UNet(mode="classification"), ValueError, "'segmentation' or 'regression'"),
        (lambda: UNet().fit(ct.data.NumpyDataset(IMAGES, np.zeros(4))), ValueError, "y must be maps"),
        (lambda: UNet().fit(ct.data.NumpyDataset(IMAGES, IMAGES + 2)), ValueError, "masks from 0 to 1.*row 0"),
        (lambda: UNet(layer_filters=[2]).fit(ct.data.NumpyDataset(IMAGES, IMAGES[:, :5])), ValueError, "does not fit"),
    ],
)
def test_what_is_wrong_is_said(make, error, said):
    with pytest.raises(error, match=said):
        make()


@pytest.mark.parametrize(
    "model", [CNN(1, 1, 2, [2]), ResNetClassifier(1, 1, layer_filters=[2]), UNet(layer_filters=[2])]
)
def test_unknown_settings_of_a_config_are_refused(model):
    config = model.to_config()
    assert type(registry.build(config, ct.models.Model)) is type(model)
    with pytest.raises(ValueError, match="no field 'surprise'"):
        registry.build({**config, "surprise": 1}, ct.models.Model)
    with pytest.raises(ValueError, match="dims"):
        registry.build({**config, "dims": 4}, ct.models.Model)


def test_a_list_of_images_is_rows_and_not_columns(rng):
    images = [rng.standard_normal((9, 6)).astype(np.float32) for _ in range(3)]
    model = CNN(1, 1, 2, [2], 3, batch_size=2, seed=0)
    assert np.array_equal(model.predict(images), model.predict(np.array(images))) and len(model.predict(images)) == 3
    assert model.predict(images[:1]).shape == (1, 1, 2)


def test_a_batch_of_missing_labels_is_no_fault_and_a_dataset_of_them_is(rng):
    X, y = rng.standard_normal((5, 6, 6)).astype(np.float32), np.array([0, 1, 0, 1, np.nan])
    model = CNN(1, 1, 2, [2], 3, batch_size=4, seed=0)
    data = ct.data.NumpyDataset(X, y)
    model.fit(data, nb_epoch=1, valid=data)
    with pytest.raises(ValueError, match="every label is missing"):
        model.fit(ct.data.NumpyDataset(X, np.full(5, np.nan)), nb_epoch=1)
