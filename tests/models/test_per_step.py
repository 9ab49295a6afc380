"""Tests of a label for each step: learning, missing labels, and predictions of each sequence's length."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase._internal import registry
from catalase.data import DNATokenizer, SequenceDataset
from catalase.models import LanguageModel, SequenceClassifier, SequenceRegressor

SMALL = {"hidden_size": 12, "embedding_size": 6, "learning_rate": 0.02, "batch_size": 20, "seed": 3}
SITE = "GAATTC"
ROC_AUC, MAE = ct.metrics.Metric(ct.metrics.roc_auc_score), ct.metrics.Metric(ct.metrics.mae_score)


def sites(rows=120, seed=0):
    """DNA of 12 to 40 bases with a site in it, and a label for each base: whether it belongs to the site."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for length in rng.integers(12, 41, rows):
        text, at = "".join(rng.choice(list("ACGT"), size=length)), rng.integers(0, length - len(SITE) + 1)
        texts.append(text[:at] + SITE + text[at + len(SITE) :])
        labels.append((np.arange(length) >= at) & (np.arange(length) < at + len(SITE)))
    return texts, labels


def marked(rows=120, seed=0, **columns):
    texts, labels = sites(rows, seed)
    return SequenceDataset.from_texts(texts, DNATokenizer(), labels, per_step=True, **columns)


def classifier(n_tasks=1, **options):
    return SequenceClassifier(n_tasks, DNATokenizer(), **{**SMALL, "per_step": True, **options})


def sums(rows=40, seed=0, tasks=2, missing=0.3, empty=True):
    """The sums of the features so far; labels are missing here and there, and some sequences have no step."""
    rng = np.random.default_rng(seed)
    X = [rng.standard_normal((n, tasks)).astype(np.float32) for n in rng.integers(0 if empty else 1, 9, rows)]
    y = [np.cumsum(x, axis=0) / 3 for x in X]
    for labels in y:
        labels[rng.random(labels.shape) < missing] = np.nan
    return SequenceDataset(X, y, per_step=True, empty="keep" if empty else "error")


def regressor(**options):
    return SequenceRegressor(2, n_features=2, **{**SMALL, "per_step": True, **options})


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


CASES = [(classifier, lambda: marked(40)), (regressor, sums)]


def test_the_places_of_a_site_are_found():
    model = classifier(hidden_size=24, bidirectional=True)
    model.fit(marked(200), nb_epoch=10)
    test = marked(seed=1)
    assert model.evaluate(test, ROC_AUC)["roc_auc_score"] > 0.98
    found = [p[:, 0, 1] for p in model.predict(test)]
    hits = [p.argmax() in np.flatnonzero(y) for p, y in zip(found, sites(seed=1)[1], strict=True)]
    assert np.mean(hits) > 0.9


def test_sums_are_learned_from_labels_with_gaps():
    history = regressor(hidden_size=24).fit(sums(300), nb_epoch=20, valid=sums(50, seed=1))
    assert history["valid_loss"][-1] < 0.1 * history["valid_loss"][0]


@pytest.mark.parametrize(("make", "data"), CASES)
@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2, "cell": "lstm"}])
def test_each_sequence_has_its_own_length_and_the_same_bits_alone(make, data, options):
    model, data = make(**options), data()
    whole = model.predict(data)
    assert [len(p) for p in whole] == data.lengths.tolist()
    assert {p.shape[1:] for p in whole} == {(1, 2) if make is classifier else (2,)}
    assert same(whole, [model.predict([x])[0] for x in data.X])
    batch = data.X.padded()
    if batch.values.dtype == np.float32:
        batch.values[~batch.mask] = 1e6
    else:
        batch.values[~batch.mask] = 5
    assert same(whole, model.predict_on_batch(batch)), "padding was read"


@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}, {"cell": "lstm"}, {"cell": "rnn"}])
def test_the_gradient_of_a_padded_batch_is_the_mean_over_its_steps(options):
    model, data = regressor(**options), sums(9)

    def gradients(part):
        model.module.train()
        model.module.zero_grad()
        X, y, w, _ = next(iter(model._training_rows(part).iterbatches(len(part), deterministic=True)))
        loss = model.loss(model._forward(model.module, X), y, w)
        loss.backward()
        return loss.item(), [np.array(p.grad, np.float64) for p in model.module.parameters()]

    rows = np.flatnonzero(data.lengths)
    shares = data.lengths[rows] / data.lengths.sum()
    together, batch = gradients(data)
    alone = [gradients(data.select([row])) for row in rows]
    assert len(rows) < len(data), "a sequence of no steps is among them"
    assert together == pytest.approx(sum(s * loss for s, (loss, _) in zip(shares, alone, strict=True)), rel=1e-5)
    for i, gradient in enumerate(batch):
        expected = sum(s * one[i] for s, (_, one) in zip(shares, alone, strict=True))
        assert np.allclose(gradient, expected, rtol=0, atol=2e-6 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("make", [classifier, regressor])
def test_a_label_of_weight_0_is_not_looked_at(make):
    """What stands in its place changes no bit of training, nor of a score."""
    results = []
    for value in (0.0, 1.0, np.nan):
        data = marked(30) if make is classifier else sums(30, missing=0)
        silent = np.random.default_rng(0).random(data.y.values.shape) < 0.4
        y, w = data.y.values.astype(float), np.where(silent, 0.0, 1.0)
        y[silent] = value
        ragged = ct.data.RaggedArray
        data = SequenceDataset(
            data.X, ragged(y, data.X.offsets), ragged(w, data.X.offsets), per_step=True, empty="keep"
        )
        model = make()
        history = model.fit(data, nb_epoch=2, valid=data)
        metric = ROC_AUC if make is classifier else MAE
        results.append((history["loss"], history["valid_loss"], model.evaluate(data, metric), model.predict(data)))
    for other in results[1:]:
        assert other[:3] == results[0][:3]
        assert same(other[3], results[0][3])


def test_scores_are_those_of_the_labelled_steps():
    data, model = sums(60), regressor()
    model.fit(data, nb_epoch=1)
    y, p = data.y.values, np.concatenate(model.predict(data))
    expected = [np.nanmean(abs(y[:, t] - p[:, t])) for t in range(2)]
    mean, tasks = model.evaluate(data, MAE, per_task_metrics=True)
    assert tasks["mae_score"] == pytest.approx(expected)
    assert mean["mae_score"] == pytest.approx(np.mean(expected))


def test_losses_are_means_over_steps():
    data = sums(30, missing=0)
    model = regressor(learning_rate=0.0, batch_size=7)
    history = model.fit(data, nb_epoch=1, valid=data)
    expected = np.mean((np.concatenate(model.predict(data)) - data.y.values) ** 2)
    assert history["loss"] == pytest.approx([expected], rel=1e-5)
    assert history["valid_loss"] == pytest.approx([expected], rel=1e-5)


def test_labels_come_as_numbers_vectors_and_classes():
    X, tokenizer = [[4, 5, 6], [7]], DNATokenizer()
    one_hot = [np.eye(3)[[0, 2, 1]], np.eye(3)[[2]]]
    for y, options in (
        ([[0, 2, 1], [2]], {"n_classes": 3}),
        (one_hot, {"n_classes": 3}),
        ([[[0, 1], [1, 1], [0, np.nan]], [[1, 0]]], {"n_tasks": 2}),
        ([[[True, False]] * 3, [[True, True]]], {"n_tasks": 2}),
    ):
        data = SequenceDataset(X, y, per_step=True)
        model = SequenceClassifier(**{"n_tasks": 1, "tokenizer": tokenizer, **SMALL, "per_step": True, **options})
        assert np.isfinite(model.fit(data, nb_epoch=2)["loss"]).all()
        assert [p.shape for p in model.predict(data)] == [
            (n, model.n_tasks, model.n_classes) for n in data.lengths.tolist()
        ]
        score = model.evaluate(data, ct.metrics.Metric(ct.metrics.accuracy_score))
        assert 0 <= score["accuracy_score"] <= 1


def test_transformed_labels_come_back():
    data = sums(30)
    scaler = ct.trans.NormalizationTransformer(dataset=data)
    model = regressor()
    model.fit(data.transform(scaler), nb_epoch=1)
    plain, undone = model.predict(data), model.predict(data, [scaler])
    assert all(np.allclose(b, a * scaler.stds + scaler.means, atol=1e-6) for a, b in zip(plain, undone, strict=True))
    with_them = model.evaluate(data.transform(scaler), MAE, [scaler])
    assert with_them["mae_score"] == pytest.approx(
        np.nanmean(abs(np.concatenate(undone) - data.y.values), axis=0).mean(), rel=1e-5
    )


def test_sequences_of_no_steps():
    model = regressor()
    model.fit(sums(20), nb_epoch=1)
    assert [p.shape for p in model.predict([np.zeros((0, 2)), np.ones((3, 2))])] == [(0, 2), (3, 2)]
    assert [p.shape for p in model.predict([[], []])] == [(0, 2)] * 2
    assert model.predict([]) == []
    assert model.predict_on_batch(sums(20).select([]).X.padded()) == []
    assert [p.shape for p in classifier().predict(["", "ACGTN"])] == [(0, 1, 2), (5, 1, 2)]
    none = SequenceDataset([np.zeros((0, 2)), np.zeros((0, 2))], [[], []], per_step=True, empty="keep")
    with pytest.raises(ValueError, match="no sequence has a step"):
        regressor().fit(none)


@pytest.mark.parametrize(("make", "data"), CASES)
def test_same_bits_for_any_threads_and_after_loading(make, data, tmp_path):
    before, results = ct.get_num_threads(), []
    try:
        for threads in (1, 2):
            ct.set_num_threads(threads)
            model = make(num_layers=2, dropout=0.2, bidirectional=True)
            model.fit(data(), nb_epoch=2)
            results.append(model.predict(data()))
    finally:
        ct.set_num_threads(before)
    assert same(*results)
    model.save(tmp_path)
    again = ct.models.load(tmp_path)
    assert again.per_step is True
    assert same(again.predict(data()), results[0])


def test_configs_from_before_there_were_steps_are_read():
    config = classifier(per_step=False).to_config()
    del config["per_step"], config["truncation"]
    model = registry.build(config)
    assert (model.per_step, model.truncation) == (False, None)


def test_what_does_not_fit_is_said():
    pooled = SequenceDataset([[4], [5, 6]], [0, 1])
    with pytest.raises(
        ValueError, match=r"per_step=True, but the dataset has no labels of steps; give the SequenceDat"
    ):
        classifier().fit(pooled)
    with pytest.raises(ValueError, match=r"per_step=False, but the dataset has a label a step; give the model"):
        classifier(per_step=False).fit(marked(5))
    with pytest.raises(ValueError, match=r"evaluate: this model was made with per_step=True"):
        classifier().evaluate(pooled, ROC_AUC)
    with pytest.raises(ValueError, match=r"fit \(valid\): this model"):
        classifier().fit(marked(5), valid=pooled)
    with pytest.raises(ValueError, match="one weight a sequence; this dataset has one a step"):
        LanguageModel(DNATokenizer(), **SMALL).fit(marked(5))
    with pytest.raises(ValueError, match="got 7 at row 1, step 2, task 0"):
        classifier().fit(SequenceDataset([[4], [5, 6, 7]], [[0], [1, 0, 7]], per_step=True))
    with pytest.raises(ValueError, match="y holds inf at row 1, step 0, task 1"):
        regressor().fit(SequenceDataset([np.ones((1, 2))] * 2, [[[1.0, 2.0]], [[1.0, np.inf]]], per_step=True))
    with pytest.raises(ValueError, match=r"one-hot .* at row 1, step 1"):
        soft = [[[0, 0, 1.0]], [[1.0, 0, 0], [0.5, 0.1, 0]]]
        classifier(n_classes=3).fit(SequenceDataset([[4], [5, 6]], soft, per_step=True))
    with pytest.raises(ValueError, match=r"y must have shape \(steps, 2\), got \(3,\)"):
        classifier(2).fit(SequenceDataset([[4], [5, 6]], [[0], [1, 0]], per_step=True))
    with pytest.raises(ValueError, match=r"every label is missing"):
        classifier().fit(SequenceDataset([[4], [5, 6]], [[0], [1, 0]], [0.0, 0.0], per_step=True))
    with pytest.raises(ValueError, match="no steps are pooled; leave pool='max' out"):
        classifier(pool="max")
    with pytest.raises(TypeError, match="per_step must be True or False, got 'yes'"):
        classifier(per_step="yes")
