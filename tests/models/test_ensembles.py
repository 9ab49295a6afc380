"""Ensembles of every kind of model: the mean and the spread of the members' answers, their scores, and saved folders."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import models

from . import kinds

AUC, MAE, ACCURACY = (
    ct.metrics.Metric(function)
    for function in (ct.metrics.roc_auc_score, ct.metrics.mae_score, ct.metrics.accuracy_score)
)
SIGNALS = [np.random.default_rng(n).random((n, 1), np.float32) for n in (2, 5, 3, 4)]
STEPS = [[i % 2 for i in range(len(signal))] for signal in SIGNALS]


def cnn(seed):
    model = models.CNN(1, 3, 2, layer_filters=[4], mode="regression", batch_size=4, seed=seed)
    return model, ct.data.NumpyDataset(kinds.IMAGES, kinds.IMAGES.mean(axis=(1, 2, 3))[:, None]), kinds.IMAGES, MAE


def resnet(seed):
    model = models.ResNetClassifier(1, 3, layer_filters=[4], blocks=1, batch_size=4, seed=seed)
    return model, ct.data.NumpyDataset(kinds.IMAGES, np.arange(12.0)[:, None] % 2), kinds.IMAGES, AUC


def unet(seed):
    model = models.UNet(n_features=3, layer_filters=[4, 8], batch_size=4, seed=seed)
    return model, ct.data.NumpyDataset(kinds.IMAGES, (kinds.IMAGES[..., 0] > 0.5) * 1.0), kinds.IMAGES, AUC


def map_of_numbers(seed):
    model = models.UNet(n_features=3, layer_filters=[4, 8], mode="regression", batch_size=4, seed=seed)
    return model, ct.data.NumpyDataset(kinds.IMAGES, kinds.IMAGES[..., :1]), kinds.IMAGES, MAE


def classes(seed):
    model = models.SequenceClassifier(1, n_features=1, hidden_size=4, seed=seed)
    return model, ct.data.SequenceDataset(SIGNALS, y=[0, 1, 0, 1]), SIGNALS, AUC


def texts(seed):
    tokenizer = ct.data.DNATokenizer()
    model = models.SequenceRegressor(1, tokenizer, embedding_size=4, hidden_size=4, pool="mean", seed=seed)
    return model, ct.data.SequenceDataset.from_texts(kinds.TEXTS, tokenizer, np.arange(6.0)), kinds.TEXTS, MAE


def steps(seed):
    model = models.SequenceClassifier(1, n_features=1, hidden_size=4, seed=seed, per_step=True)
    return model, ct.data.SequenceDataset(SIGNALS, y=STEPS, per_step=True), SIGNALS, AUC


def language(seed):
    tokenizer = ct.data.CharTokenizer.fit(kinds.TEXTS)
    model = models.LanguageModel(tokenizer, hidden_size=4, embedding_size=4, seed=seed)
    return model, ct.data.SequenceDataset.from_texts(kinds.TEXTS, tokenizer), kinds.TEXTS, ACCURACY


def graph(seed):
    model, data, given = kinds.graph()
    model.seed = seed
    return model, data, given, AUC


def own(seed):
    model = models.NetModel(kinds.OwnNet(seed=seed), "SigmoidCrossEntropy", batch_size=8, seed=seed)
    return model, ct.data.NumpyDataset(kinds.X, kinds.Y), kinds.X, AUC


def dense(seed):
    model = models.MultitaskClassifier(2, 16, layer_sizes=[8], seed=seed)
    return model, ct.data.NumpyDataset(kinds.X, kinds.Y), kinds.X, AUC


KINDS = [dense, cnn, resnet, unet, map_of_numbers, classes, texts, steps, language, graph, own]


def arrays(answers):
    """One array; a list of them end to end."""
    return np.concatenate(answers) if isinstance(answers, list) else answers


@pytest.mark.parametrize("make", KINDS)
def test_an_ensemble_answers_with_the_mean_and_the_spread_of_its_members(make, tmp_path):
    members, (_, data, given, metric) = [make(seed)[0] for seed in range(3)], make(0)
    ensemble = models.Ensemble(members)
    history = ensemble.fit(data, nb_epoch=1)
    assert len(ensemble.histories) == 3 and history is members[2].history
    each = np.stack([arrays(member.predict(given)) for member in members])
    assert each.std(axis=0).max() > 0
    mean, spread = (arrays(part) for part in ensemble.predict_spread(given))
    assert np.allclose(mean, each.mean(axis=0), atol=1e-6) and np.allclose(spread, each.std(axis=0), atol=1e-6)
    for answers in (ensemble.predict(data), ensemble.predict(given), ensemble.predict_on_batch(given)):
        assert isinstance(answers, list) == isinstance(members[0].predict(given), list)
        assert np.allclose(arrays(answers), each.mean(axis=0), atol=1e-6)
    ensemble.save(tmp_path / "m")
    again = models.load(tmp_path / "m")
    assert np.array_equal(arrays(again.predict(given)), arrays(ensemble.predict(given)))
    assert again.to_config() == ensemble.to_config()
    assert "members.2." in ensemble.summary()
    alike = models.Ensemble([members[0], members[0]])
    assert alike.evaluate(data, metric) == pytest.approx(members[0].evaluate(data, metric))
    scores, tasks = ensemble.evaluate(data, [metric], per_task_metrics=True)
    assert scores[metric.name] >= 0 and len(tasks[metric.name]) >= 1


def test_the_score_of_masks_is_that_of_the_mean_of_the_probabilities():
    members, (_, data, given, _) = [unet(seed)[0] for seed in range(2)], unet(0)
    ensemble = models.Ensemble(members)
    ensemble.fit(data, nb_epoch=1)
    mean = np.mean([member.predict(given) for member in members], axis=0)
    expected = ct.metrics.roc_auc_score(data.y.reshape(-1), mean.reshape(-1))
    assert ensemble.evaluate(data, AUC)["roc_auc_score"] == pytest.approx(expected, rel=1e-6)


def test_language_models_are_scored_on_the_mean_of_the_probabilities_of_each_token():
    members, (_, data, *_) = [language(seed)[0] for seed in range(2)], language(0)
    ensemble = models.Ensemble(members)
    ensemble.fit(data, nb_epoch=1)
    seen = []
    metric = ct.metrics.Metric(lambda y, p: seen.append(p) or 0.5, name="seen", mode="classification")
    for member in members:
        member.evaluate(data, metric)
    ensemble.evaluate(data, metric)
    assert np.allclose(seen[2], (seen[0] + seen[1]) / 2, atol=1e-6)
    assert ensemble.predict(["ACG"]).shape == (1,)


def test_a_batch_of_sequences_goes_through_all_members():
    members, (_, data, *_) = [texts(seed)[0] for seed in range(2)], texts(0)
    batch = data.X.padded()
    mean = np.mean([member.predict_on_batch(batch) for member in members], axis=0)
    assert np.allclose(models.Ensemble(members).predict_on_batch(batch), mean, atol=1e-6)
    labels, (_, rows, *_) = [steps(seed)[0] for seed in range(2)], steps(0)
    found = models.Ensemble(labels).predict_on_batch(rows.X.padded())
    assert [part.shape for part in found] == [(len(signal), 1, 2) for signal in SIGNALS]


def test_labels_of_the_wrong_kind_are_refused_as_the_members_refuse_them():
    members, (_, data, *_) = [steps(seed)[0] for seed in range(2)], classes(0)
    with pytest.raises(ValueError, match=r"Ensemble\.evaluate: this model was made with per_step=True"):
        models.Ensemble(members).evaluate(data, AUC)


def test_graphs_are_built_where_an_ensemble_needs_their_nets():
    ensemble = models.Ensemble([graph(seed)[0] for seed in range(2)])
    assert "members.1.layers." in ensemble.summary() and len(ensemble.state_dict()) > 4


def test_a_graph_of_several_outputs_has_no_mean():
    members = [graph(seed)[0] for seed in range(2)]
    for member in members:
        member.add_output(next(iter(member.layers.values())))
    with pytest.raises(ValueError, match=r"Ensemble\.predict: the graph has 2 outputs and needs one"):
        models.Ensemble(members).predict(kinds.X)


def test_metrics_are_computed_for_each_member():
    members, (_, data, _, metric) = [cnn(seed)[0] for seed in range(2)], cnn(0)
    ensemble = models.Ensemble(members)
    ensemble.fit(data, nb_epoch=2, valid=data, metrics=[metric])
    for member in members:
        assert member.history["mae_score"][-1] == pytest.approx(member.evaluate(data, metric)["mae_score"])
