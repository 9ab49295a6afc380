"""Tests that the scale of pixels belongs to the model: the same pixels give the same predictions in every dtype."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase.models import CNN, Ensemble, ResNetClassifier, UNet, load

TYPES = [np.uint8, np.int16, np.uint16, np.int32, np.int64, np.uint64, np.float16, np.float32, np.float64]


def pixels(rows=20, size=(6, 7)):
    return np.random.default_rng(0).integers(0, 256, (rows, *size, 1), np.uint8)


def cnn(**options):
    return CNN(1, 1, 2, **{"layer_filters": [3], "kernel_size": 3, "mode": "regression", "seed": 0, **options})


def data(X):
    return ct.data.NumpyDataset(X, np.linspace(0, 1, len(X)))


def fitted(X, **options):
    model = cnn(**options)
    model.fit(data(X), nb_epoch=2)
    return model


class Stream:
    """Rows that come batch by batch, and say nothing of their type beforehand."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return len(self.dataset)

    def iterbatches(self, *arguments, **options):
        return self.dataset.iterbatches(*arguments, **options)


MAKES = {
    "cnn": cnn,
    "resnet": lambda: ResNetClassifier(1, 1, layer_filters=[4], blocks=1, seed=0),
    "unet": lambda: UNet(layer_filters=[4, 4], seed=0),
    "ensemble": lambda: Ensemble([cnn(seed=1), cnn(seed=2)]),
}


@pytest.mark.parametrize("name", MAKES)
def test_the_same_pixels_give_the_same_bits_in_every_number_type(name, tmp_path):
    X = pixels()
    bright = X.mean(axis=(1, 2, 3)) > 127
    model = MAKES[name]()
    model.fit(ct.data.NumpyDataset(X, X > 127 if name == "unet" else bright * 1.0), nb_epoch=2)
    right = model.predict(X)
    model.save(tmp_path / "m")
    for one in (model, load(tmp_path / "m")):
        for kind in TYPES:
            assert np.array_equal(one.predict(X.astype(kind)), right), kind
            assert np.array_equal(one.predict_on_batch(X[:3].astype(kind)), right[:3]), kind
            assert np.array_equal(one.predict(X[..., 0].astype(kind)), right), kind
            assert np.array_equal(one.predict(ct.data.NumpyDataset(X.astype(kind))), right), kind


@pytest.mark.parametrize("kind", TYPES)
def test_training_on_any_type_is_remembered(kind, tmp_path):
    """What is not uint8 is taken as it is, then and later."""
    X = pixels()
    model = fitted(X.astype(kind))
    assert model.pixel_scale == (1 / 255 if kind == np.uint8 else 1)
    right = model.predict(X.astype(kind))
    model.save(tmp_path / "m")
    for other in TYPES:
        assert np.array_equal(load(tmp_path / "m").predict(X.astype(other)), right), other


def test_streams_and_memory_train_the_same_net():
    X = pixels()
    expected = fitted(X).module.state_dict()
    for kind in TYPES[1:]:  # later fits, of another type
        for wrap in (lambda d: d, Stream):
            model = cnn()
            model.fit(data(X[:1]), nb_epoch=0)  # decides the scale
            model.fit(wrap(data(X.astype(kind))), nb_epoch=1)
            reference = cnn()
            reference.fit(data(X[:1]), nb_epoch=0)
            reference.fit(data(X), nb_epoch=1)
            for key, value in reference.module.state_dict().items():
                assert np.array_equal(model.module.state_dict()[key], value), (kind, key)
    streamed = cnn()
    streamed.fit(Stream(data(X)), nb_epoch=2)
    assert streamed.pixel_scale == 1 / 255
    assert all(np.array_equal(streamed.module.state_dict()[key], value) for key, value in expected.items())


def test_a_validation_part_of_another_type_has_the_same_loss():
    X = pixels()
    losses = []
    for valid in (data(X), data(X.astype(np.int64)), Stream(data(X.astype(np.float32)))):
        losses.append(cnn().fit(data(X), nb_epoch=2, valid=valid)["valid_loss"])
    assert losses[0] == losses[1] == losses[2]


def test_an_augmented_dataset_of_uint8_is_on_their_scale():
    X = pixels()
    augmented = ct.data.AugmentedDataset(data(X), ct.data.Augment(rotation=5))
    plain = fitted(X)
    assert np.allclose(plain.predict(augmented), plain.predict(X), atol=1e-5)  # a walk in order augments nothing
    assert np.allclose(plain.predict(augmented.select(np.arange(5))), plain.predict(X[:5]), atol=1e-5)
    turned = cnn()
    turned.fit(augmented, nb_epoch=1, valid=data(X.astype(np.int32)))
    assert turned.pixel_scale == 1 / 255
    for kind in TYPES:
        assert np.array_equal(turned.predict(X.astype(kind)), turned.predict(X))
    raw = fitted(X.astype(np.float32))  # whose pixels go to 255 without a scale
    assert np.allclose(raw.predict(augmented), raw.predict(X), rtol=1e-4)


def test_fractions_are_refused_by_a_model_of_levels_whatever_the_batches():
    X = pixels()
    model = fitted(X, batch_size=4)
    fractions = (X / 255).astype(np.float32)
    for given in (fractions, fractions[:1], data(fractions), Stream(data(fractions))):
        with pytest.raises(
            ValueError, match="fractions, none beyond 1, but the model was trained on pixels from 0 to 255"
        ):
            model.predict(given)
    before = model.module.state_dict()
    with pytest.raises(ValueError, match=r"CNN\.fit: X holds fractions"):
        model.fit(data(fractions), nb_epoch=1)
    assert all(np.array_equal(value, model.module.state_dict()[key]) for key, value in before.items())
    dark = X.astype(np.float32)
    dark[:8] = 0.25  # two batches of fractions: they are levels, as the others show
    assert model.predict(dark).shape == (20, 1)
    black = np.zeros_like(fractions)
    assert np.array_equal(model.predict(black), model.predict(black.astype(np.uint8)))
    with pytest.raises(ValueError, match="X holds 63993, but the model was trained on pixels from 0 to 255"):
        model.predict(X.astype(np.uint16) * 257)


def test_a_model_of_fractions_divides_uint8_and_refuses_other_levels(tmp_path):
    X = pixels()
    fractions = X.astype(np.float32) / np.float32(255)
    for wrap in (lambda d: d, Stream):
        model = cnn()
        model.fit(wrap(data(fractions)), nb_epoch=2)
        model.save(tmp_path / "m")
        for one in (model, load(tmp_path / "m")):
            assert one.pixel_scale == 1 and np.array_equal(one.predict(X), one.predict(fractions))
            assert np.array_equal(one.predict(fractions.astype(np.float64)), one.predict(fractions))
            for kind in (np.int64, np.uint16, np.float32):
                with pytest.raises(
                    ValueError, match=r"whole numbers up to 25\d, but the model was trained on pixels from 0"
                ):
                    one.predict(X.astype(kind))
            masks = (X > 127).astype(np.float32)
            assert np.array_equal(one.predict(masks.astype(np.int64)), one.predict(masks))


def test_before_a_fit_and_in_folders_of_earlier_versions_uint8_is_divided(tmp_path):
    from catalase._internal import storage

    X = pixels()
    model = cnn()
    fractions = X.astype(np.float32) / np.float32(255)
    assert np.array_equal(model.predict(X), model.predict(fractions)) and model.pixel_scale is None
    model.fit(data(X), nb_epoch=1)
    model.save(tmp_path / "m")
    config, arrays = storage.load_folder(tmp_path / "m")
    config = {name: config[name] for name in ("kind", "model", "transformers", "featurizer")}
    storage.save_folder(tmp_path / "m", config, arrays)
    old = load(tmp_path / "m")
    assert old.pixel_scale is None
    assert np.array_equal(old.predict(X), model.predict(X)) and np.array_equal(old.predict(fractions), model.predict(X))


def test_a_scale_of_the_users_own():
    X = pixels().astype(np.uint16) * 257
    model = cnn()
    model.pixel_scale = 1 / 65535
    model.fit(data(X), nb_epoch=1)
    same = cnn()
    same.fit(data(X / np.float32(65535)), nb_epoch=1)
    assert model.pixel_scale == 1 / 65535
    assert np.allclose(model.predict(X), same.predict(X / np.float32(65535)), atol=1e-3)


def test_sequences_are_no_pixels():
    X = np.random.default_rng(0).integers(0, 2, (10, 12, 4), np.uint8)
    model = CNN(1, 4, 1, [3], kernel_size=3, mode="regression", seed=0)
    model.fit(ct.data.NumpyDataset(X, X[:, 0, 0] * 1.0), nb_epoch=1)
    assert model.pixel_scale is None
    for kind in TYPES:
        assert np.array_equal(model.predict(X.astype(kind)), model.predict(X.astype(np.float32)))


def test_masks_are_not_scaled():
    X = pixels(8)
    losses = []
    for kind in (np.uint8, np.float32, bool):
        model = UNet(layer_filters=[4, 4], seed=0)
        losses.append(model.fit(ct.data.NumpyDataset(X, (X > 127).astype(kind)), nb_epoch=2)["loss"])
    assert losses[0] == losses[1] == losses[2]


def test_the_scale_of_a_feature_is_for_every_number_type():
    from catalase.models.tensorgraph import layers

    X = pixels()
    x, y = layers.Feature(shape=(None, 42), scale=1 / 255), layers.Label(shape=(None, 1))
    guess = layers.Dense(1, in_layers=x)
    model = ct.models.TensorGraph(batch_size=10, seed=0)
    model.set_loss(layers.ReduceMean(layers.L2Loss([guess, y])))
    model.add_output(guess)
    flat = X.reshape(20, 42)
    model.fit(ct.data.NumpyDataset(flat, flat.mean(axis=1, keepdims=True) / 255), nb_epoch=1)
    for kind in TYPES:
        assert np.array_equal(model.predict(flat.astype(kind)), model.predict(flat))


def test_dead_units_are_looked_for_on_the_net_s_scale():
    X = pixels()
    model = fitted(X)
    assert ct.nn.dead_relu(model, X) == ct.nn.dead_relu(model, X.astype(np.int64))
