"""What every model's training takes: an optimizer, a schedule that is saved, and metrics after each epoch."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import models, optim
from catalase._internal import registry

from . import kinds

SCHEDULES = [
    optim.ExponentialDecay(0.1, 0.5, 4, staircase=False), optim.PolynomialDecay(0.1, 0.01, 20, 2.0),
    optim.CosineDecay(0.1, 0.01, 20, warmup=3), optim.WarmupExponentialDecay(0.01, 0.1, 0.001, 20, warmup=3), optim.LinearCosineDecay(0.1, 20, 0.1), optim.StepDecay(0.1, 0.5, [3, 6]),
    optim.OneCycle(0.01, 0.1, 0.0, 20, 6), optim.Warmup(0.1, 5), optim.Warmup(optim.CosineDecay(0.1, 0.0, 20), 5), optim.PiecewiseConstant([3, 6], [0.1, 0.05, 0.01]),
]  # fmt: skip
OPTIMIZERS = [
    optim.SGD(lr=0.05, clip_norm=1.0), optim.Momentum(lr=0.02, momentum=0.8, nesterov=True), optim.AdaGrad(initial_accumulator=0.1),
    optim.RMSProp(momentum=0.5), optim.Adam(beta1=0.8, l1=0.01), optim.AdamW(weight_decay=0.1),
    optim.Adam(amsgrad=True, lp=0.1, p=1.5, max_norm=1.0), optim.Lion(l1=0.001), optim.Lamb(weight_decay=0.1),
]  # fmt: skip
DATA = ct.data.NumpyDataset(kinds.X, kinds.Y)


def dense(**options):
    return models.MultitaskClassifier(2, 16, layer_sizes=[8], dropouts=0.0, batch_size=8, seed=0, **options)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda one: type(one).__name__)
def test_a_model_trains_with_its_optimizer_as_the_loop_does(optimizer):
    model, plain = dense(optimizer=optimizer), dense()
    model.fit(DATA, nb_epoch=2)
    ct.train.fit(
        plain.module, plain._training_rows(DATA), plain.loss, optimizer=optimizer.over(plain.module), nb_epoch=2, batch_size=8,
        seed=0, forward=plain._forward,
    )  # fmt: skip
    for name, array in plain.state_dict().items():
        assert np.array_equal(array, model.state_dict()[name]), name
    assert optimizer.steps == 0  # the one that was given stays as it is


@pytest.mark.parametrize(
    "optimizer",
    [*OPTIMIZERS, "SGD", "AdamW", None],
    ids=lambda one: one if isinstance(one, str) else type(one).__name__,
)
def test_the_optimizer_is_saved_with_its_settings(optimizer, tmp_path):
    model = dense(optimizer=optimizer)
    model.save(tmp_path / "m")
    again = models.load(tmp_path / "m")
    assert type(again.optimizer) is type(optimizer) and again.to_config() == model.to_config()
    model.fit(DATA, nb_epoch=1)
    again.fit(DATA, nb_epoch=1)
    assert np.array_equal(again.predict(kinds.X), model.predict(kinds.X))


def test_a_name_takes_the_learning_rate_and_penalties_are_added():
    named, given = dense(optimizer="SGD", learning_rate=0.03), dense(optimizer=optim.SGD(lr=0.03))
    for model in (named, given):
        model.fit(DATA, nb_epoch=1)
    assert np.array_equal(named.predict(kinds.X), given.predict(kinds.X))
    made = dense(optimizer=optim.SGD(l2=0.5), weight_decay_penalty=0.1).make_optimizer()
    assert made.l2 == 0.5 + 0.2 and made.l1 == 0
    tokenizer = ct.data.DNATokenizer()
    assert models.SequenceClassifier(1, tokenizer, optimizer="SGD").make_optimizer().clip_norm == 5.0
    assert models.SequenceClassifier(1, tokenizer, optimizer=optim.SGD(clip_norm=1)).make_optimizer().clip_norm == 1.0


def test_one_optimizer_serves_several_models():
    one = optim.Momentum(lr=0.05)
    ensemble = models.Ensemble([dense(optimizer=one) for _ in range(2)])
    ensemble.fit(DATA, nb_epoch=1)
    first, second = (member.predict(kinds.X) for member in ensemble.members)
    assert np.array_equal(first, second)
    ensemble.fit(DATA, nb_epoch=1)
    assert ensemble.members[0]._optimizer is not ensemble.members[1]._optimizer


def test_an_optimizer_without_a_module_takes_no_step():
    unbound = optim.Adam()
    for call in (unbound.step, unbound.zero_grad):
        with pytest.raises(RuntimeError, match=r"Adam: this optimizer has no module to train"):
            call()
    assert unbound.state_dict().keys() == {"steps"} and not hasattr(unbound, "nothing")


@pytest.mark.parametrize("make", kinds.NETS)
def test_every_model_takes_an_optimizer(make):
    model, data, _ = make()
    if not isinstance(model, models.Ensemble):
        kind, config = type(model), model.to_config()
        if kind is models.TensorGraph:
            model.optimizer = optim.SGD(lr=0.0)
        else:
            model = registry.build({**config, "optimizer": optim.SGD(lr=0.0).to_config()})
        start = model.state_dict()
        history = model.fit(data, nb_epoch=2)
        assert isinstance(model._optimizer, optim.SGD) and len(history) == 2
        names = [name for name, _ in model.module.named_parameters()]
        assert names and all(np.array_equal(start[name], model.state_dict()[name]) for name in names)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("place", ["learning_rate", "optimizer"])
def test_a_schedule_survives_saving(schedule, place, tmp_path):
    model = dense(**{place: schedule if place == "learning_rate" else optim.Adam(lr=schedule)})
    model.save(tmp_path / "m")
    again = models.load(tmp_path / "m")
    found = again.learning_rate if place == "learning_rate" else again.optimizer.lr
    assert type(found) is type(schedule) and [found(i) for i in range(30)] == [schedule(i) for i in range(30)]
    for one in (model, again):
        one.fit(DATA, nb_epoch=2)
    assert np.array_equal(again.predict(kinds.X), model.predict(kinds.X))


def test_in_the_place_of_another_function_the_rate_that_it_starts_with_is_saved(tmp_path):
    model = dense(learning_rate=lambda step: 0.25 / (step + 1))
    model.save(tmp_path / "m")
    assert models.load(tmp_path / "m").learning_rate == 0.25


def test_a_strangers_schedule_or_optimizer_is_checked():
    config = dense(learning_rate=SCHEDULES[0], optimizer=OPTIMIZERS[0]).to_config()
    for change, words in (
        ({"learning_rate": {"class": "SGD"}}, "unknown class 'SGD'"),
        ({"learning_rate": {**config["learning_rate"], "steps": 0}}, "steps must be a whole number from 1"),
        ({"learning_rate": {**config["learning_rate"], "rate": float("inf")}}, "rate must be a finite number"),
        ({"optimizer": {"class": "ExponentialDecay"}}, "unknown class 'ExponentialDecay'"),
        ({"optimizer": {**config["optimizer"], "lr": -1}}, "lr must be"),
        ({"optimizer": {**config["optimizer"], "module": 1}}, "has no field 'module'"),
        ({"optimizer": "eval"}, "optimizer must be one of AdaGrad"),
    ):
        with pytest.raises(ValueError, match=words):
            registry.build({**config, **change}, models.Model)


METRICS = {
    "MultitaskRegressor": "r2_score", "CNN": "mae_score", "UNet": "roc_auc_score", "SequenceRegressor": "rms_score", "LanguageModel": "accuracy_score",
    "DenoisingAutoencoder": "rms_score",
}  # fmt: skip


@pytest.mark.parametrize("make", kinds.NETS)
def test_metrics_are_in_the_history_under_their_names(make):
    model, data, _ = make()
    if isinstance(model, models.Ensemble):
        model = model.members[0]
    name = METRICS.get(type(model).__name__, "roc_auc_score")
    metric = ct.metrics.Metric(getattr(ct.metrics, name))
    own = ct.metrics.Metric(getattr(ct.metrics, name), name="mine")
    history = model.fit(data, nb_epoch=2, valid=data, metrics=[name, own], progress=False)
    assert len(history[name]) == 2 and history[name] == history["mine"]
    assert list(history.epochs[0]) == ["loss", "seconds", "valid_loss", name, "mine"]
    assert history[name][-1] == model.evaluate(data, metric, [])[name]


def test_metrics_change_no_bit_of_the_training_and_early_stopping_watches_them():
    alone, watched = dense(learning_rate=0.05), dense(learning_rate=0.05)
    alone.fit(DATA, nb_epoch=12, valid=DATA)
    watched.fit(DATA, nb_epoch=12, valid=DATA, metrics="roc_auc_score")
    assert np.array_equal(alone.predict(kinds.X), watched.predict(kinds.X))
    model = dense(learning_rate=0.05)
    stopper = ct.train.EarlyStopping(monitor="roc_auc_score", mode="max", patience=4)
    history = model.fit(DATA, nb_epoch=60, valid=DATA, metrics="roc_auc_score", callbacks=[stopper])
    assert (
        stopper.best == max(history["roc_auc_score"]) and history["roc_auc_score"][stopper.best_epoch] == stopper.best
    )
    score = model.evaluate(DATA, ct.metrics.Metric(ct.metrics.roc_auc_score))["roc_auc_score"]
    assert score == stopper.best and len(history) < 60


def test_metrics_compare_labels_and_predictions_as_they_are():
    plain = ct.data.NumpyDataset(kinds.X, kinds.X[:, :1] * 1000 + 5000)
    normal = ct.trans.NormalizationTransformer(transform_y=True, dataset=plain)
    scaled = normal.transform(plain)
    model = models.MultitaskRegressor(1, 16, layer_sizes=[8], seed=0)
    model.transformers = [normal]
    history = model.fit(scaled, nb_epoch=1, valid=scaled, metrics="mae_score")
    assert history["mae_score"][0] == pytest.approx(abs(scaled.y - model.predict(kinds.X, raw=True)).mean(), rel=1e-5)


def test_a_resumed_run_keeps_the_metrics(tmp_path):
    whole, first, second = (dense() for _ in range(3))
    expected = whole.fit(DATA, nb_epoch=4, valid=DATA, metrics="roc_auc_score")["roc_auc_score"]
    saver = ct.train.Checkpoint(tmp_path)
    first.fit(DATA, nb_epoch=2, valid=DATA, metrics="roc_auc_score", callbacks=[saver])
    history = second.fit(DATA, nb_epoch=4, valid=DATA, metrics="roc_auc_score", callbacks=[saver], resume=tmp_path)
    assert history["roc_auc_score"] == expected


@pytest.mark.parametrize(
    ("metrics", "valid", "error", "words"),
    [
        ("roc_auc_score", None, ValueError, "metrics are computed on valid; give a validation dataset"),
        ("roc_auc", DATA, ValueError, "metrics must be 'accuracy_score'"),
        (ct.metrics.roc_auc_score, DATA, TypeError, "metrics must be Metric objects"),
        (["roc_auc_score", "roc_auc_score"], DATA, ValueError, "two figures named 'roc_auc_score'"),
        (ct.metrics.Metric(ct.metrics.roc_auc_score, name="loss"), DATA, ValueError, "two figures named 'loss'"),
    ],
)
def test_metrics_that_cannot_be_computed_are_refused_before_the_work(metrics, valid, error, words):
    with pytest.raises(error, match=rf"MultitaskClassifier\.fit: .*{words}"):
        dense().fit(DATA, nb_epoch=1, valid=valid, metrics=metrics)
