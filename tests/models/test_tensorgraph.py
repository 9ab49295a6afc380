"""Tests that DeepChem's listings run on TensorGraph, that saved graphs are restored to the bit, and that errors name layers."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase.models import TensorGraph
from catalase.models.tensorgraph import layers
from catalase.nn.parameter import Parameter
from tests.models.graphs import digits_graph, line_graph

ACCURACY = ct.metrics.Metric(ct.metrics.accuracy_score)


@pytest.fixture(scope="module")
def digits():
    bundled = pytest.importorskip("sklearn.datasets").load_digits()
    order = np.random.default_rng(0).permutation(len(bundled.target))
    X, y = (bundled.data / 16).astype(np.float32)[order], np.eye(10, dtype=np.float32)[bundled.target][order]
    return ct.data.NumpyDataset(X[:1400], y[:1400]), ct.data.NumpyDataset(X[1400:], y[1400:])


def line_data(rng, rows=60):
    X = rng.standard_normal((rows, 3)).astype(np.float32)
    return ct.data.NumpyDataset(X, X @ np.array([[1.0], [2.0], [-1.0]], np.float32))


def test_a_graph_learns_the_digits(digits):
    train, test = digits
    model = digits_graph()
    assert isinstance(model, ct.models.Model)
    history = model.fit(train, nb_epoch=10, valid=test)
    assert model.evaluate(test, [ACCURACY])["accuracy_score"] > 0.95
    assert history["valid_loss"][-1] < 0.5 * history["valid_loss"][0]
    p = model.predict(test)
    assert p.shape == (397, 10) and np.allclose(p.sum(axis=1), 1, atol=1e-5)
    assert np.array_equal(p[7], model.predict_on_batch(test.X[7:8])[0])
    assert np.array_equal(p, model.predict(test.X)) and model.predict(test.X[:0]).shape == (0, 10)


def test_same_seed_same_bits_for_any_thread_count(digits):
    few = digits[0].select(range(200))
    before, results = ct.get_num_threads(), []
    for threads, seed in ((1, 1), (2, 1), (2, 2)):
        ct.set_num_threads(threads)
        model = digits_graph(seed=None, random_seed=seed)
        model.fit(few, nb_epoch=2)
        results.append(model.predict(few))
    ct.set_num_threads(before)
    assert np.array_equal(results[0], results[1]) and not np.array_equal(results[0], results[2])


def test_saved_and_loaded_predictions_are_equal_to_the_bit(digits, tmp_path):
    few = digits[0].select(range(200))
    model = digits_graph(model_dir=tmp_path / "m")
    model.fit(few, nb_epoch=2)
    assert not (tmp_path / "m" / "config.json").read_text().count("import")
    again = ct.models.load(tmp_path / "m")
    assert type(again) is TensorGraph and again.to_config() == model.to_config()
    assert np.array_equal(again.predict(few), model.predict(few))
    fresh = digits_graph(model_dir=tmp_path / "m", seed=5)
    assert not np.array_equal(fresh.predict(few), model.predict(few))
    fresh.restore()
    assert np.array_equal(fresh.predict(few), model.predict(few))
    other = digits_graph(model_dir=tmp_path / "m", seed=6)
    other.fit(few, nb_epoch=0, restore=True)
    assert np.array_equal(other.predict(few), model.predict(few))
    again.fit(few, nb_epoch=1)  # a loaded model can be trained on


def test_model_dir_is_written_now_and_then(rng, tmp_path):
    class Look(ct.train.Callback):
        order = 1
        seen: tuple = ()

        def on_batch_end(self, state):
            self.seen = (*self.seen, (tmp_path / "m" / "config.json").exists())

    look = Look()
    line_graph(model_dir=tmp_path / "m").fit(line_data(rng), nb_epoch=1, callbacks=[look], checkpoint_interval=4)
    assert look.seen == (False, False, False, True, True, True)
    model = line_graph()
    model.fit(line_data(rng), nb_epoch=1)
    with pytest.raises(ValueError, match="model_dir"):
        model.restore()
    with pytest.raises(ValueError, match="model_dir"):
        model.save()


def test_summary_names_the_layers():
    text = digits_graph().summary()
    assert "Conv2D_3 Conv2D" in text and "(N, 8, 8, 8)" in text and "used at 64 positions" in text
    assert "Concat" not in text and text.splitlines()[-1].split()[-1] == "3,850"


def every_layer():
    """One graph with every layer class."""
    x = layers.Feature(shape=(None, 6, 6, 2), scale=0.5)
    other, label, w = layers.Feature(shape=(None, 4)), layers.Label(shape=(None, 3)), layers.Weights(shape=(None, 1))
    grid = layers.Conv2D(4, 3, in_layers=x, weights_initializer="he_normal")
    grid = layers.Conv2DTranspose(
        4, 3, stride=2, in_layers=layers.AvgPool2D(in_layers=layers.MaxPool2D(in_layers=grid))
    )
    solid = layers.Reshape((None, 6, 6, 2, 1), in_layers=x)
    solid = layers.Conv3D(2, (3, 3, 1), stride=(2, 2, 1), in_layers=solid, biases_initializer=None)
    solid = layers.Conv3DTranspose(2, 3, in_layers=solid, activation_fn=None)
    solid = layers.AvgPool3D([1, 2, 2, 1, 1], 1, "VALID", in_layers=layers.MaxPool3D(1, 1, in_layers=solid))
    line = layers.Reshape((-1, 18, 4), in_layers=x)
    line = layers.Conv1D(5, 3, 1, "same", 2, "tanh", in_layers=line)
    line = layers.AvgPool1D(2, 2, in_layers=layers.MaxPool1D(in_layers=line))
    line = layers.LSTM(3, 4, in_layers=layers.GRU(n_hidden=4, batch_size=4, in_layers=line))
    parts = [layers.Flatten(layers.BatchNorm(part)) for part in (grid, solid, line)]
    joined = layers.Concat([*parts, layers.ReLU(other), layers.Tanh(other)])
    hidden = layers.Dense(3, in_layers=layers.Dropout(0.1, in_layers=joined))
    both = layers.Add([hidden, layers.Multiply([hidden, layers.Sigmoid(hidden)])], weights=[1.0, -0.5])
    losses = [
        layers.ReduceMean(layers.SoftMaxCrossEntropy([label, both])),
        layers.ReduceSum(layers.ReduceMean(layers.SigmoidCrossEntropy([label, both]), axis=0)),
        layers.ReduceMean(layers.L2Loss([both, label])),
        layers.WeightedError([layers.L1Loss([both, label]), w]),
    ]
    model = TensorGraph(seed=0, batch_size=4, learning_rate=0.01)
    model.add_output(layers.SoftMax(both))
    model.add_output(hidden)
    model.set_loss(layers.WeightDecay(0.01, "l2", in_layers=layers.ReduceSum(losses)))
    return model


def test_every_layer_trains_and_is_saved(rng, tmp_path):
    model = every_layer()
    kinds = {name for name in layers.__all__ if name != "Layer"}
    assert kinds == {type(layer).__name__ for layer in model.layers.values()}
    X = [rng.random((8, 6, 6, 2)), rng.random((8, 4))]
    y = np.eye(3)[rng.integers(0, 3, 8)]
    history = model.fit_generator((X, y, np.ones(8)) for _ in range(60))
    losses = [model.fit_generator([(X, y, np.ones(8))])["loss"][0] for _ in range(2)]
    assert losses[-1] < history["loss"][0] and len(model.predict(X)) == 2
    model.save(tmp_path / "m")
    again = ct.models.load(tmp_path / "m")
    assert again.to_config() == model.to_config()
    assert all(np.array_equal(a, b) for a, b in zip(again.predict(X), model.predict(X), strict=True))
    assert "Conv3D" in again.summary() and "(N, 3)" in again.summary()


@pytest.mark.parametrize("kind", [layers.GRU, layers.LSTM])
def test_a_recurrent_layer_gives_the_sequence_of_its_cell_and_learns(kind, rng, tmp_path):
    """The sum so far of what was read, at every step."""
    X = rng.random((120, 9, 1)).astype(np.float32) - np.float32(0.5)
    data = ct.data.NumpyDataset(X, X.cumsum(axis=1))
    feature, label = layers.Feature(shape=(None, 9, 1)), layers.Label(shape=(None, 9, 1))
    states = kind(12, 20, in_layers=feature, name="states")
    guess = layers.Dense(1, in_layers=states)
    model = TensorGraph(batch_size=20, seed=1, learning_rate=0.02)
    model.set_loss(layers.ReduceMean(layers.L2Loss([guess, label])))
    model.add_output(guess)
    model.add_output(states)
    model.build()
    start = model.module.layers["states"].state_dict()["b"].reshape(-1, 36 if kind is layers.GRU else 48)
    assert np.array_equal(start[0], [1] * 24 + [0] * 12 if kind is layers.GRU else [0] * 12 + [1] * 12 + [0] * 24)
    losses = model.fit(data, nb_epoch=15)["loss"]
    assert losses[-1] < 0.1 * losses[0]
    outputs = model.predict(X[:7])  # fewer rows than batch_size
    assert outputs[0].shape == (7, 9, 1) and outputs[1].shape == (7, 9, 12)
    cell = getattr(ct.nn, kind.__name__)(1, 12)
    cell.load_state_dict(model.module.layers["states"].state_dict())
    assert np.array_equal(cell(X[:7])[0].data, outputs[1])
    model.save(tmp_path / "m")
    again = ct.models.load(tmp_path / "m")
    assert again.to_config() == model.to_config() and again.layers["states"].batch_size == 20
    assert all(np.array_equal(a, b) for a, b in zip(again.predict(X), model.predict(X), strict=True))


def test_two_inputs_by_a_generator_and_by_a_dataset_of_lists(rng):
    """The transcription factor net: sequences, and how accessible the DNA is."""
    rows = 120
    X = np.eye(4, dtype=np.float32)[rng.integers(0, 4, (rows, 20))]
    open_ = rng.random((rows, 1)).astype(np.float32)
    y = (open_ > 0.5).astype(np.float32)
    w = np.ones_like(y)

    def graph():
        sequence, access = layers.Feature(shape=(None, 20, 4)), layers.Feature(shape=(None, 1))
        label, weights = layers.Label(shape=(None, 1)), layers.Weights(shape=(None, 1))
        conv = layers.Conv1D(filters=5, kernel_size=4, activation="relu", padding="same", in_layers=sequence)
        joined = layers.Concat([layers.Flatten(conv), access])
        logits = layers.Dense(1, in_layers=layers.Dense(16, activation_fn="relu", in_layers=joined))
        model = TensorGraph(batch_size=40, seed=2, learning_rate=0.01)
        model.add_output(layers.Sigmoid(logits))
        model.set_loss(layers.WeightedError([layers.SigmoidCrossEntropy([label, logits]), weights]))
        return model, (sequence, access, label, weights)

    class Lists:
        """A dataset whose X is a list."""

        def __len__(self):
            return rows

        def iterbatches(self, size, deterministic=False, seed=None):
            for start in range(0, rows, size):
                part = slice(start, start + size)
                yield [X[part], open_[part]], y[part], w[part], np.arange(rows)[part]

    model, keys = graph()
    feed = dict(zip(keys, (X, open_, y, w), strict=True))
    model.fit_generator(feed for _ in range(60))
    roc = ct.metrics.Metric(ct.metrics.roc_auc_score)
    assert model.evaluate_generator([feed], [roc])["roc_auc_score"] > 0.95
    one = model.predict_on_generator([dict(list(feed.items())[:2])])
    assert np.array_equal(one, model.predict([X, open_])) and one.shape == (rows, 1)
    by_dataset, by_tuples = graph()[0], graph()[0]
    history = by_dataset.fit(Lists(), nb_epoch=2)
    tuples = [([X[i : i + 40], open_[i : i + 40]], y[i : i + 40], w[i : i + 40]) for i in (0, 40, 80)]
    by_tuples.fit_generator(tuples)
    by_tuples.fit_generator(tuples)
    assert len(history) == 2 and np.array_equal(by_dataset.predict(Lists()), by_tuples.predict([X, open_]))


def test_missing_labels_have_no_say_where_there_are_weights(rng):
    X = rng.standard_normal((30, 3)).astype(np.float32)
    y = (X[:, :2] > 0).astype(np.float32)
    y[::3, 1] = np.nan
    results = []
    for labels in (y, np.where(np.isnan(y), 0, y)):
        x, label = layers.Feature(shape=(None, 3)), layers.Label(shape=(None, 2))
        logits = layers.Dense(2, in_layers=x)
        model = TensorGraph(seed=0, batch_size=10)
        model.add_output(layers.Sigmoid(logits))
        loss = layers.SigmoidCrossEntropy([label, logits])
        model.set_loss(layers.WeightedError([loss, layers.Weights(shape=(None, 2))]))
        model.fit(ct.data.NumpyDataset(X, labels, ~np.isnan(y) * 1.0), nb_epoch=2)
        results.append(model.predict(X))
    assert np.array_equal(*results)
    with pytest.raises(ValueError, match=r"y was fed NaN.*Weights"):
        line_graph().fit(ct.data.NumpyDataset(X, y[:, 1]), nb_epoch=1)


def test_the_gradient_of_a_dense_layer_stays_with_the_optimizer(digits, monkeypatch):
    seen = []
    original = Parameter._accumulate

    def watch(self, grad):
        seen.append((self.name, type(grad).__name__))
        return original(self, grad)

    monkeypatch.setattr(Parameter, "_accumulate", watch)
    digits_graph().fit(digits[0].select(range(50)), nb_epoch=1)
    assert any("Dense" in name and name.endswith(".w") and kind == "DeferredMatmul" for name, kind in seen)


def test_weight_decay_shrinks_and_integer_and_uint8_inputs_are_taken(rng):
    data = line_data(rng)
    whole = ct.data.NumpyDataset((data.X * 10).astype(np.int64), data.y)
    sizes = []
    for penalty in (0.0, 2.0):
        model = line_graph()
        model = TensorGraph(batch_size=10, seed=0, learning_rate=0.05)
        x, y = layers.Feature(shape=(None, 3), scale=0.1), layers.Label(shape=(None, 1))
        guess = layers.Dense(1, in_layers=x)
        loss = layers.ReduceMean(layers.L2Loss([guess, y]))
        model.set_loss(layers.WeightDecay(penalty, "l1", in_layers=loss))
        model.add_output(guess)
        model.fit(whole, nb_epoch=30)
        sizes.append(np.abs(next(iter(model.module.state_dict().values()))).sum())
    assert sizes[1] < 0.7 * sizes[0]
    feature = layers.Feature(shape=(None, 2), scale=1 / 255)
    assert feature.take("x", np.array([[0, 255]], np.uint8)).tolist() == [[0, 1]]
    assert layers.Feature(shape=(None, 2)).take("x", np.array([[0, 255]], np.uint8)).tolist() == [[0, 255]]


def test_other_optimizers_and_other_outputs(rng):
    data = line_data(rng)
    model = line_graph()
    model.set_optimizer(lambda module: ct.optim.SGD(module, lr=0.1))
    model.fit(data, nb_epoch=20, deterministic=True)
    assert type(model._optimizer) is ct.optim.SGD
    assert model.evaluate(data, ct.metrics.Metric(ct.metrics.r2_score))["r2_score"] > 0.99
    guess = model.layers["guess"]
    assert np.array_equal(model.predict(data, outputs=guess), model.predict(data))
    assert [p.shape for p in model.predict(data, outputs=[guess, model.layers["x"]])] == [(60, 1), (60, 3)]


def test_a_graph_is_built_before_its_optimizer_is_made():
    optimizer = line_graph().make_optimizer()
    assert set(optimizer.buffer.parameters) == {"layers.guess.w", "layers.guess.b"}


def test_the_books_graph_on_a_few_images_of_mnist(data_dir):
    if not (data_dir / "mnist").is_dir():
        pytest.skip("no mnist in CATALASE_DATA_DIR")
    mnist = ct.data.mnist.read_data_sets(data_dir / "mnist", one_hot=True)
    few = ct.data.NumpyDataset(mnist.train.images[:60], mnist.train.labels[:60])
    model = TensorGraph(batch_size=30, seed=0)
    feature, label = layers.Feature(shape=(None, 784)), layers.Label(shape=(None, 10))
    image = layers.Reshape(shape=(None, 28, 28), in_layers=feature)
    conv = layers.Conv2D(num_outputs=32, activation_fn="relu", in_layers=image)
    conv = layers.Conv2D(num_outputs=64, activation_fn="relu", in_layers=conv)
    hidden = layers.Dense(out_channels=1024, activation_fn="relu", in_layers=layers.Flatten(in_layers=conv))
    logits = layers.Dense(out_channels=10, activation_fn=None, in_layers=hidden)
    model.set_loss(layers.ReduceMean(in_layers=layers.SoftMaxCrossEntropy(in_layers=[label, logits])))
    model.add_output(layers.SoftMax(in_layers=logits))
    history = model.fit(few, nb_epoch=4)
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert "(N, 50176)" in model.summary()
    assert sum(p.size for p in model.module.parameters()) == 832 + 51_264 + 50_176 * 1024 + 1024 + 10_250
