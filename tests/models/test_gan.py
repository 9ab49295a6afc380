"""Tests that adversaries find the modes of a mixture, that the penalty's gradient is exact, and of classes on request."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase.models import GAN, WGAN
from tests.reference.gradients import directional

RNG = np.random.default_rng(0)
CENTERS = 2 * np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], axis=1)
KIND = RNG.integers(0, 8, 2000)
X = (CENTERS[KIND] + 0.1 * RNG.standard_normal((2000, 2))).astype(np.float32)


def test_all_modes_of_a_mixture_are_found():
    model = GAN(2, 8, [64, 64], seed=0)
    model.fit(ct.data.NumpyDataset(X), nb_epoch=60)
    rows = model.sample(1000, seed=0)
    distance = np.linalg.norm(rows[:, None] - CENTERS, axis=2)
    found = np.bincount(distance.argmin(axis=1)[distance.min(axis=1) < 0.4], minlength=8)
    assert np.all(found > 10) and found.sum() > 400
    assert np.array_equal(model.sample(10, seed=0), rows[:10]) and model.predict(X[:5]).shape == (5, 1)


def test_rows_of_a_class_are_made_on_request():
    half = (KIND >= 4).astype(float)
    model = GAN(2, 4, [32], n_classes=2, learning_rate=0.003, seed=0)
    model.fit(ct.data.NumpyDataset(X, half), nb_epoch=40)
    upper, lower = (model.sample(300, kind, seed=1) for kind in (0, 1))
    assert upper[:, 1].mean() > 0.5 and lower[:, 1].mean() < -0.5  # the first four centers are the upper ones
    assert np.array_equal(model.sample(3, [0, 1, 0], seed=1)[1], lower[1])
    for classes in (None, 2, [0, 1], 0.5):
        with pytest.raises(ValueError, match="sample: classes must be"):
            model.sample(3, classes)


@pytest.mark.parametrize("classes", [0, 2])
def test_the_slope_of_the_critic_and_its_gradient_are_exact(classes):
    net = WGAN(3, 2, [5, 4], n_classes=classes, seed=1).module
    for parameter in net.parameters():
        parameter.data = parameter.data.astype(np.float64)
    x = RNG.standard_normal((6, 3 + classes))
    slope = net._slope(ct.Tensor(x))
    for column, e in enumerate(np.eye(3 + classes)[:3] * 1e-6):
        ends = [net.discriminator(ct.Tensor(x + sign * e)).numpy()[:, 0] for sign in (1, -1)]
        partial = (ends[0] - ends[1]) / 2e-6
        total = partial**2 if column == 0 else total + partial**2  # noqa: F821
    assert np.allclose(slope.numpy(), np.sqrt(total), rtol=1e-6)
    weights = [layer.w for layer in net.discriminator.layers]
    ((slope - 1.0) * (slope - 1.0)).mean().backward()

    def value(*arrays):
        for weight, array in zip(weights, arrays, strict=True):
            weight.data = array
        excess = net._slope(ct.Tensor(x)) - 1.0
        return (excess * excess).mean().item()

    kept, claims = [w.data.copy() for w in weights], [np.asarray(w.grad) for w in weights]
    measured, claimed = directional(value, kept, claims, np.random.default_rng(2))
    assert np.isclose(measured, claimed, rtol=1e-5)


def test_each_player_is_blind_to_the_other():
    model = GAN(2, 3, [4], seed=0)
    real, made, judged = model.module(ct.Tensor(X[:10]))
    (real.sum() + made.sum()).backward()
    assert all(p.grad is None for p in model.module.generator_net.parameters())
    before = [np.array(p.grad) for p in model.module.discriminator.parameters()]
    judged.sum().backward()
    assert all(p.grad is not None for p in model.module.generator_net.parameters())
    assert all(np.array_equal(a, p.grad) for a, p in zip(before, model.module.discriminator.parameters(), strict=True))


@pytest.mark.parametrize("kind", [GAN, WGAN])
def test_same_seed_same_bits_with_validation_and_after_loading(kind, tmp_path):
    one, other = (kind(2, 3, [8], seed=0) for _ in range(2))
    data = ct.data.NumpyDataset(X[:200])
    one.fit(data, nb_epoch=3)
    other.fit(data, nb_epoch=3, valid=data)
    one.save(tmp_path / "m")
    again = ct.models.load(tmp_path / "m")
    for model in (other, again):
        assert np.array_equal(model.sample(5, seed=1), one.sample(5, seed=1))
        assert np.array_equal(model.predict(X[:5]), one.predict(X[:5]))
