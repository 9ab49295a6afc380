"""Tests of noise while training: reproducible, unseen by validation, and what it does to inputs, weights and labels."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import models, nn, train
from catalase.nn.losses import (
    HingeLoss,
    L2Loss,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SparseCrossEntropyLoss,
    SquaredHingeLoss,
)
from catalase.train.noise import Draw

RNG = np.random.default_rng(0)
X = RNG.random((60, 8)).astype(np.float32)
TABLE = ct.data.NumpyDataset(X, (X[:, :1] > 0.5) * 1.0)
BITS = ct.data.NumpyDataset((X < 0.1).astype(np.float32), TABLE.y)
IMAGES = ct.data.NumpyDataset(RNG.random((30, 6, 6)).astype(np.float32), (RNG.random((30, 1)) > 0.5) * 1.0)
EVERYTHING = train.Noise(inputs=0.1, input_dropout=0.2, weights=0.05, label_smoothing=0.1, mixup=0.3)


def dense(**options):
    return models.MultitaskClassifier(1, 8, layer_sizes=[16], batch_size=16, seed=0, **options)


def cnn():
    return models.CNN(1, 1, 2, layer_filters=[4], kernel_size=3, batch_size=8, seed=0)


CASES = {"table": (dense, TABLE), "zeros and ones": (dense, BITS), "images": (cnn, IMAGES)}


def test_no_noise_and_a_noise_of_nothing_change_no_bit():
    plain, nothing = dense(), dense()
    plain.fit(TABLE, nb_epoch=3)
    nothing.fit(TABLE, nb_epoch=3, noise=train.Noise())
    assert np.array_equal(plain.predict(X), nothing.predict(X))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("setting", ["inputs", "input_dropout", "weights", "label_smoothing", "mixup"])
def test_each_setting_changes_the_training_and_the_same_seed_gives_the_same_bits(name, setting, threads):
    make, data = CASES[name]
    found = []
    for noise in (None, train.Noise(**{setting: 0.2}), train.Noise(**{setting: 0.2})):
        model = make()
        history = model.fit(data, nb_epoch=2, noise=noise)
        found.append(model.predict(data))
        assert np.isfinite(history["loss"]).all()
    assert not np.array_equal(found[0], found[1]) and np.array_equal(found[1], found[2])


class Summed(nn.Module):
    """A net over padded sequences of floats."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(3, 1, rng=0)

    def forward(self, batch):
        return self.dense(ct.Tensor(batch.values * batch.mask[..., None]).sum(1))


def test_sequences_of_floats_take_noise_on_their_values():
    rng = np.random.default_rng(1)
    sequences = [rng.standard_normal((n, 3)).astype(np.float32) for n in (3, 5, 4, 6, 3, 7)]
    data = ct.data.SequenceDataset(sequences, rng.random((6, 1)).astype(np.float32))
    rows = ct.data.batch.batches_of(data, lambda X: X)
    found = []
    for noise in (None, train.Noise(inputs=0.3, input_dropout=0.2), train.Noise(inputs=0.3, input_dropout=0.2)):
        net = Summed()
        train.fit(
            net, rows, L2Loss(), optimizer=ct.optim.SGD(net, lr=0.1), nb_epoch=2, batch_size=3, seed=0, noise=noise
        )
        found.append(net.dense.w.numpy().copy())
    assert not np.array_equal(found[0], found[1]) and np.array_equal(found[1], found[2])


def test_the_draws_have_the_moments_that_were_asked_for():
    x = np.ones((400, 500), np.float32)
    batch = ct.data.batch.Batch(x)
    noisy = Draw(train.Noise(inputs=0.5), 1, 2, 3).batch(batch).X - 1
    assert abs(noisy.mean()) < 0.005 and abs(noisy.std() - 0.5) < 0.005 and abs((noisy**3).mean()) < 0.01
    dropped = Draw(train.Noise(input_dropout=0.25), 1, 2, 3).batch(batch).X
    assert (
        set(np.unique(dropped)) == {np.float32(0), np.float32(1 / 0.75)} and abs((dropped == 0).mean() - 0.25) < 0.005
    )
    assert not np.array_equal(noisy, Draw(train.Noise(inputs=0.5), 1, 2, 4).batch(batch).X - 1)
    assert not np.array_equal(noisy, Draw(train.Noise(inputs=0.5), 1, 3, 3).batch(batch).X - 1)
    assert (x == 1).all(), "the caller's rows stay as they are"


def test_the_layer_and_the_noise_on_inputs_draw_apart():
    layer, zeros = nn.GaussianNoise(1.0), np.zeros((4, 3), np.float32)
    layer.set_key(7, 0)
    drawn = Draw(train.Noise(inputs=1.0), 7, 0, 0).batch(ct.data.batch.Batch(zeros)).X
    assert not np.array_equal(layer(ct.Tensor(zeros)).numpy(), drawn)


def test_labels_are_smoothed_as_written():
    output = ct.Tensor(np.zeros((3, 1, 4), np.float32))
    draw = Draw(train.Noise(label_smoothing=0.2), 0, 0, 0)
    y, w = draw.labels(SoftmaxCrossEntropy(), output, np.array([[0], [3], [1]]), None)
    assert w is None and np.allclose(y[:, 0], np.eye(4)[[0, 3, 1]] * 0.8 + 0.05)
    y, _ = draw.labels(SigmoidCrossEntropy(), ct.Tensor(np.zeros((2, 1), np.float32)), np.array([[0.0], [1.0]]), None)
    assert np.allclose(y, [[0.1], [0.9]])
    with pytest.raises(TypeError, match="label_smoothing is for"):
        draw.labels(L2Loss(), ct.Tensor(np.zeros((2, 1), np.float32)), np.zeros((2, 1)), None)


def test_mixup_mixes_rows_and_labels_in_one_share_and_leaves_missing_labels_out():
    y = np.arange(6, dtype=np.float32)[:, None]
    draw = Draw(train.Noise(mixup=1.0), 0, 0, 5)
    mixed = draw.batch(ct.data.batch.Batch(y + 10)).X
    output = ct.Tensor(np.zeros((6, 1), np.float32))
    labels, weights = draw.labels(L2Loss(), output, y, np.ones((6, 1), np.float32))
    assert np.allclose(mixed - 10, labels, atol=1e-5) and not np.allclose(labels, y) and np.allclose(weights, 1)
    missing = np.where(y == 2, np.nan, y)
    labels, weights = draw.labels(L2Loss(), output, missing, (y != 2).astype(np.float32))
    assert np.isfinite(labels).all() and weights.sum() == pytest.approx(5)


def test_a_missing_class_may_be_any_number():
    output, weights = ct.Tensor(np.zeros((3, 4), np.float32)), np.array([1.0, 1.0, 0.0], np.float32)
    for noise in (train.Noise(label_smoothing=0.2), train.Noise(mixup=1.0)):
        draw = Draw(noise, 0, 0, 0)
        draw.batch(ct.data.batch.Batch(np.ones((3, 2), np.float32)))
        y, w = draw.labels(SoftmaxCrossEntropy(), output, np.array([0, 3, 255]), weights)
        assert np.isfinite(SoftmaxCrossEntropy()(output, y, w).item())


@pytest.mark.parametrize("loss", [HingeLoss(), SquaredHingeLoss(), SparseCrossEntropyLoss()])
def test_losses_of_whole_classes_refuse_a_mixture(loss):
    draw = Draw(train.Noise(mixup=1.0), 0, 0, 0)
    draw.batch(ct.data.batch.Batch(np.ones((2, 2), np.float32)))
    with pytest.raises(TypeError, match=f"fit: {type(loss).__name__} takes whole classes"):
        draw.labels(loss, ct.Tensor(np.zeros((2, 2), np.float32)), np.array([0.0, 1.0]), None)


@pytest.mark.parametrize("kind", [models.Autoencoder, models.VAE])
def test_autoencoders_take_noise_on_their_inputs(kind):
    found = []
    for noise in (None, train.Noise(inputs=0.3, input_dropout=0.2)):
        model = kind(8, 2, layer_sizes=[8], seed=0)
        model.fit(TABLE, nb_epoch=2, noise=noise)
        found.append(model.predict(X))
    assert not np.array_equal(*found)


def test_weights_are_back_to_the_bit_after_a_step_that_changes_nothing():
    model = dense(learning_rate=0.0)
    before = model.state_dict()
    model.fit(TABLE, nb_epoch=2, noise=train.Noise(weights=0.5))
    assert all(np.array_equal(a, before[name]) for name, a in model.state_dict().items())


def test_validation_sees_no_noise():
    model = dense(learning_rate=0.0)
    history = model.fit(TABLE, nb_epoch=2, valid=TABLE, noise=EVERYTHING)
    assert history["valid_loss"][0] == history["valid_loss"][1] and history["loss"][0] != history["loss"][1]


def test_a_resumed_run_goes_on_with_the_same_noise(tmp_path):
    whole, first, second = dense(), dense(), dense()
    whole.fit(TABLE, nb_epoch=4, noise=EVERYTHING)
    saver = train.Checkpoint(tmp_path)
    first.fit(TABLE, nb_epoch=2, callbacks=[saver], noise=EVERYTHING)
    second.fit(TABLE, nb_epoch=4, callbacks=[saver], resume=tmp_path, noise=EVERYTHING)
    assert np.array_equal(whole.predict(X), second.predict(X))


def test_the_training_loop_takes_it_and_the_layer_for_hidden_values():
    found = []
    for hidden in (0.0, 0.3, 0.3):
        net = nn.Sequential(nn.Linear(8, 8, "relu", rng=0), nn.GaussianNoise(hidden), nn.Linear(8, 1, rng=1))
        optimizer = ct.optim.Adam(net, lr=0.01)
        train.fit(
            net, TABLE, SigmoidCrossEntropy(), optimizer=optimizer, nb_epoch=2, seed=0, noise=train.Noise(mixup=0.2)
        )
        found.append(net(ct.Tensor(X)).numpy())
    assert not np.array_equal(found[0], found[1]) and np.array_equal(found[1], found[2])


def test_tokens_and_other_kinds_are_refused_in_a_sentence():
    tokens = ct.data.SequenceDataset([np.array([1, 2, 3])] * 4, np.zeros((4, 1), np.float32))
    model = models.SequenceRegressor(1, ct.data.DNATokenizer(), seed=0)
    with pytest.raises(TypeError, match="fit: noise on X needs a table or images of floats"):
        model.fit(tokens, nb_epoch=1, noise=train.Noise(inputs=0.1))
    with pytest.raises(TypeError, match=r"fit: noise must be a catalase\.train\.Noise, got 0\.1"):
        dense().fit(TABLE, nb_epoch=1, noise=0.1)
