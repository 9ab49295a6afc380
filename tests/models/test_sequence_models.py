"""Tests that the sequence models learn, are restored to the bit, and report errors."""

from __future__ import annotations

import json

import numpy as np
import pytest

import catalase as ct
from catalase._internal import registry
from catalase.data import CharTokenizer, DNATokenizer, SequenceDataset, SmilesTokenizer
from catalase.models import LanguageModel, SequenceClassifier, SequenceRegressor

SMALL = {"hidden_size": 12, "embedding_size": 6, "learning_rate": 0.02, "batch_size": 20, "seed": 3}
ROC_AUC = ct.metrics.Metric(ct.metrics.roc_auc_score)


def dna(rows=200, seed=0):
    """Half of the texts have GAATTC in them."""
    rng = np.random.default_rng(seed)
    texts = ["".join(rng.choice(list("ACGT"), size=rng.integers(6, 25))) for _ in range(rows)]
    y = np.arange(rows) % 2
    return [text[:3] + "GAATTC" + text[3:] if label else text for text, label in zip(texts, y, strict=True)], y


@pytest.fixture(scope="module")
def sites():
    texts, y = dna()
    return SequenceDataset.from_texts(texts, DNATokenizer(), y)


def classifier(**options):
    return SequenceClassifier(1, DNATokenizer(), **{**SMALL, **options})


def signals(rows=60, seed=0):
    rng = np.random.default_rng(seed)
    X = [rng.standard_normal((n, 2)).astype(np.float32) for n in rng.integers(1, 12, rows)]
    return SequenceDataset(X, y=[x[:, 0].mean() for x in X])


def regressor(**options):
    return SequenceRegressor(1, n_features=2, **{**SMALL, **options})


WORDS = ["abab", "ababab", "ab", "abababab"] * 15


def language(**options):
    return LanguageModel(CharTokenizer.fit(WORDS), **{**SMALL, **options})


def words():
    return SequenceDataset.from_texts(WORDS, CharTokenizer.fit(WORDS))


CASES = [
    (classifier, dna(40)[0], lambda: SequenceDataset.from_texts(dna(40)[0], DNATokenizer(), dna(40)[1])),
    (regressor, list(signals(40).X), lambda: signals(40)),
    (language, WORDS[:8], words),
]


def test_a_site_is_found(sites):
    model = classifier(hidden_size=24, pool="max", bidirectional=True)
    model.fit(sites, nb_epoch=25)
    texts, y = dna(seed=1)
    test = SequenceDataset.from_texts(texts, DNATokenizer(), y)
    assert model.evaluate(test, ROC_AUC)["roc_auc_score"] > 0.95


def test_a_mean_is_learned():
    model = regressor(pool="mean")
    history = model.fit(signals(200), nb_epoch=30, valid=signals(50, seed=1))
    assert history["valid_loss"][-1] < 0.1 * history["valid_loss"][0]


@pytest.mark.parametrize(("make", "inputs", "data"), CASES)
def test_same_seed_same_bits_for_any_threads(make, inputs, data):
    before, results = ct.get_num_threads(), []
    try:
        for threads in (1, 2):
            ct.set_num_threads(threads)
            model = make(num_layers=2, dropout=0.2)
            model.fit(data(), nb_epoch=2)
            results.append((model.history["loss"], model.predict(inputs)))
    finally:
        ct.set_num_threads(before)
    assert results[0][0] == results[1][0]
    assert np.array_equal(results[0][1], results[1][1])


@pytest.mark.parametrize(("make", "inputs", "data"), CASES)
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_saved_and_loaded_to_the_bit(make, inputs, data, cell, tmp_path):
    model = make(cell=cell, num_layers=2, dropout=0.1)
    model.fit(data(), nb_epoch=1)
    model.save(tmp_path)
    assert "pickle" not in (tmp_path / "config.json").read_text()
    again = ct.models.load(tmp_path)
    assert np.array_equal(model.predict(inputs), again.predict(inputs))
    assert again.to_config() == model.to_config()
    assert again.tokenizer == model.tokenizer
    if make is language:
        assert again.sample(4, seed=1) == model.sample(4, seed=1)


def test_configs_are_checked():
    config = json.loads(json.dumps(classifier().to_config()))
    for change in ({"cell": "os.system"}, {"tokenizer": {"class": "GRU"}}, {"pool": "sum"}, {"surprise": 1}):
        with pytest.raises(ValueError, match="config"):
            registry.build({**config, **change})


@pytest.mark.parametrize(("make", "inputs", "data"), CASES)
def test_a_row_has_the_same_bits_alone(make, inputs, data):
    model = make(**({} if make is language else {"bidirectional": True, "pool": "max"}))
    together = model.predict(inputs)
    assert np.array_equal(together, np.concatenate([model.predict([one]) for one in inputs]))


@pytest.mark.parametrize("pool", ["last", "mean", "max"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_is_never_read(pool, bidirectional):
    model = regressor(pool=pool, bidirectional=bidirectional, cell="lstm")
    batch = signals(20).X.padded()
    clean = model.predict_on_batch(batch)
    batch.values[~batch.mask] = 1e6
    assert np.array_equal(clean, model.predict_on_batch(batch))


def test_weights_silence_sequences():
    texts, y = ["ab", "ba", "bb"], [0.0, np.nan, 1.0]
    tokenizer = CharTokenizer.fit(texts)
    data = SequenceDataset.from_texts(texts, tokenizer, y)
    model = SequenceClassifier(1, tokenizer, **SMALL)
    assert np.isfinite(model.fit(data, nb_epoch=2)["loss"]).all()
    speech = LanguageModel(tokenizer, **SMALL)
    half = SequenceDataset.from_texts(texts, tokenizer, np.zeros(3), w=[1.0, 0.0, 1.0])
    assert speech.evaluate(half)["loss"] == pytest.approx(speech.evaluate(["ab", "bb"])["loss"], rel=1e-6)
    with pytest.raises(ValueError, match="no sequence that counts"):
        speech.evaluate(SequenceDataset.from_texts(texts, tokenizer, np.zeros(3), w=[0.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match="one weight a sequence"):
        speech.fit(SequenceDataset.from_texts(texts, tokenizer, np.zeros((3, 2))))


class _Dies(ct.train.Callback):
    order = 100  # after the checkpoint

    def __init__(self, at):
        self.at = at

    def on_epoch_end(self, state):
        if state.epoch == self.at:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("make", "inputs", "data"), CASES)
def test_a_killed_run_goes_on_to_the_same_bits(make, inputs, data, tmp_path):
    def run(folder, at=None, resume=None):
        model = make(num_layers=2, dropout=0.3)
        callbacks = [ct.train.EarlyStopping(), ct.train.Checkpoint(tmp_path / folder), _Dies(at)]
        model.fit(data(), nb_epoch=4, valid=data(), callbacks=callbacks, resume=resume)
        return model

    whole = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("killed", at=1)
    resumed = run("killed", resume=tmp_path / "killed")
    assert len(resumed.history) == 4
    assert np.array_equal(whole.predict(inputs), resumed.predict(inputs))


def test_early_stopping_keeps_the_best(sites):
    model = classifier(learning_rate=0.3)
    stop = ct.train.EarlyStopping(patience=1)
    history = model.fit(sites, nb_epoch=30, valid=sites, callbacks=[stop], progress=False)
    assert len(history) < 30
    assert stop.best == min(history["valid_loss"])


def test_sequences_of_no_steps():
    """They are the state before the first step: what zeros give at the dense output; in a batch beside others too."""
    for pool in ("last", "mean", "max"):
        model = classifier(pool=pool, bidirectional=True)
        alone = model.predict([""])
        assert np.array_equal(alone, ct.ops.softmax(model.module.head.b.numpy()[None, None]))
        assert np.array_equal(model.predict(["ACGT", "", "GG"])[1:2], alone)
        data = SequenceDataset.from_texts(["ACGT", "", "GG"], DNATokenizer(), [0, 1, 0], empty="keep")
        assert np.isfinite(model.fit(data, nb_epoch=2)["loss"]).all()
    assert np.isfinite(regressor().predict([np.zeros((0, 2)), np.ones((1, 2))])).all()
    assert np.isfinite(language().predict(["", "ab"])).all()


def test_no_rows():
    assert classifier().predict([]).shape == (0, 1, 2)
    assert regressor().predict(signals(3).select([])).shape == (0, 1)
    assert language().predict([]).shape == (0,)
    with pytest.raises(ValueError, match="dataset is empty"):
        classifier().fit(signals(3).select([]))


def test_nan_is_refused_with_row_and_step():
    X = [np.ones((3, 2)), np.ones((4, 2))]
    X[1][2, 1] = np.nan
    with pytest.raises(ValueError, match="nan at row 1, step 2, column 1"):
        regressor().fit(SequenceDataset(X, y=[0.0, 1.0]))
    with pytest.raises(ValueError, match="nan at row 1, step 2, column 1"):
        regressor().predict(X)


def test_unknown_tokens_are_refused_or_replaced():
    with pytest.raises(ValueError, match="unknown token 99 at row 1, step 2"):
        classifier().fit(SequenceDataset([[4, 5], [4, 5, 99]], y=[0, 1]))
    with pytest.raises(ValueError, match=r"row 0: .*unknown token 'Br'"):
        SequenceClassifier(1, SmilesTokenizer.fit(["CC"]), **SMALL).predict(["CBr"])
    assert classifier().predict(["ANN"]).shape == (1, 1, 2)  # DNATokenizer gives <unk>


def test_what_does_not_fit_is_said(sites):
    with pytest.raises(TypeError, match=r"needs a catalase\.data\.SequenceDataset, got NumpyDataset"):
        classifier().fit(ct.data.NumpyDataset(np.ones((2, 3)), np.ones(2)))
    with pytest.raises(ValueError, match="sequences must be"):
        regressor().predict([np.ones((3, 5))])
    with pytest.raises(ValueError, match="reads token numbers"):
        classifier().predict([np.ones((3, 2))])
    with pytest.raises(ValueError, match="cell must be 'rnn', 'gru', 'lstm' or 'transformer', got 'LSTM'"):
        classifier(cell="LSTM")
    with pytest.raises(TypeError, match="texts need a model with a tokenizer"):
        regressor().predict(["ACGT"])
    with pytest.raises(ValueError, match="class numbers"):
        classifier().fit(SequenceDataset([[4], [5]], y=[0, 7]))
    with pytest.raises(ValueError, match="give tokenizer"):
        SequenceClassifier(1)
    with pytest.raises(ValueError, match="give tokenizer"):
        SequenceClassifier(1, DNATokenizer(), n_features=4)
    with pytest.raises(TypeError, match="needs a tokenizer"):
        LanguageModel(None)
    bad = {"cell": "cnn", "hidden_size": 0, "dropout": 1.0, "clip_norm": 0.0, "seed": -1, "pool": "sum", "n_classes": 1}
    for key, value in bad.items():
        with pytest.raises(ValueError, match=key):
            SequenceClassifier(1, DNATokenizer(), **{key: value})


def test_the_summary_names_the_layers():
    assert "embedding" in classifier().summary() and "recurrent" in classifier().summary()


def test_lists_without_a_step_have_a_prediction():
    model = ct.models.SequenceRegressor(1, n_features=3, hidden_size=4, seed=0)
    assert model.predict([]).shape == (0, 1)
    assert np.array_equal(model.predict([[], []]), model.predict([np.zeros((0, 3)), np.ones((2, 3))])[[0, 0]])
