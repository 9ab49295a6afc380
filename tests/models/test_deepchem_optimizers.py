"""DeepChem's optimizers and schedules, by its names and arguments, in a model's argument optimizer."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import catalase as ct
from catalase import optim
from catalase.models import optimizers
from tests.nonsense import Target, call, report

OURS = {
    "Adam": (call(learning_rate=0.02, beta1=0.8, beta2=0.99, epsilon=1e-6), optim.Adam(lr=0.02, beta1=0.8, beta2=0.99, eps=1e-6)),
    "AdaGrad": (call(learning_rate=0.02, initial_accumulator_value=0.2, epsilon=1e-6), optim.AdaGrad(lr=0.02, eps=1e-6, initial_accumulator=0.2)),
    "AdamW": (call(learning_rate=0.02, weight_decay=0.1, beta1=0.8, beta2=0.99, epsilon=1e-6, amsgrad=True), optim.AdamW(lr=0.02, weight_decay=0.1, beta1=0.8, beta2=0.99, eps=1e-6, amsgrad=True)),
    "RMSProp": (call(learning_rate=0.02, momentum=0.5, decay=0.8, epsilon=1e-6), optim.RMSProp(lr=0.02, alpha=0.8, eps=1e-6, momentum=0.5)),
    "GradientDescent": (call(learning_rate=0.02), optim.SGD(lr=0.02)),
    "Lamb": (call(learning_rate=0.02, beta1=0.8, beta2=0.99, epsilon=1e-6, weight_decay=0.1), optim.Lamb(lr=0.02, beta1=0.8, beta2=0.99, eps=1e-6, weight_decay=0.1)),
    "ExponentialDecay": (call(0.1, 0.5, 10, staircase=False), optim.ExponentialDecay(0.1, 0.5, 10, staircase=False)),
    "PolynomialDecay": (call(0.1, 0.01, 10, power=2.0), optim.PolynomialDecay(0.1, 0.01, 10, 2.0)),
    "LinearCosineDecay": (call(0.1, 10, alpha=0.1, beta=0.01, num_periods=1.0), optim.LinearCosineDecay(0.1, 10, 0.1, 0.01, 1.0)),
    "PiecewiseConstantSchedule": (call(0.1, {20: 0.5, 10: 0.1}), optim.PiecewiseConstant([10, 20], [0.1, 0.1 * 0.1, 0.1 * 0.1 * 0.5])),
}  # fmt: skip
KINDS = {"learning_rate": "rate or schedule", "boundaries_and_scales": "anything"}


@pytest.mark.parametrize("name", OURS)
def test_each_is_ours_with_the_same_settings(name):
    (args, options), ours = OURS[name]
    assert getattr(optimizers, name)(*args, **options).to_config() == ours.to_config()


@pytest.mark.parametrize("name", OURS)
def test_nonsense_is_answered_by_a_sentence(name):
    wrong = Target(getattr(optimizers, name), lambda: OURS[name][0], KINDS).failures()
    assert not wrong, report(wrong)


def test_a_model_trains_with_one_and_is_saved_with_it(tmp_path):
    X = np.random.default_rng(0).random((40, 4), np.float32)
    data = ct.data.NumpyDataset(X, X[:, :1])
    rate = optimizers.ExponentialDecay(0.05, 0.9, 5)
    model = ct.models.MultitaskRegressor(1, 4, layer_sizes=[8], optimizer=optimizers.Adam(learning_rate=rate), seed=0)
    ours = ct.models.MultitaskRegressor(
        1, 4, layer_sizes=[8], learning_rate=optim.ExponentialDecay(0.05, 0.9, 5), seed=0
    )
    for one in (model, ours):
        one.fit(data, nb_epoch=3)
    assert np.array_equal(model.predict(X), ours.predict(X))
    model.save(tmp_path / "m")
    assert ct.models.load(tmp_path / "m").optimizer.lr(7) == rate(7)


def test_everything_is_in_the_table():
    assert set(optimizers.__all__) == set(OURS)
    assert all(inspect.getdoc(getattr(optimizers, name)) for name in OURS)
