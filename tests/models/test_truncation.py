"""Tests of truncated back-propagation through time: carried states, cut gradients, and a bounded tape."""

from __future__ import annotations

import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase.autograd.tape import Node, Operation
from catalase.data import CharTokenizer, SequenceBatch, SequenceDataset
from catalase.models import LanguageModel, SequenceClassifier, SequenceRegressor
from catalase.models.truncation import parts
from catalase.train.fit import epoch_seed

SMALL = {"hidden_size": 7, "embedding_size": 4, "learning_rate": 0.02, "batch_size": 5, "seed": 3}
LETTERS = CharTokenizer(["a", "b", "c"])


def texts(rows=17, longest=23, seed=0):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("abc"), size=n)) for n in rng.integers(1, longest, rows)]


def per_step(**options):
    return SequenceClassifier(1, LETTERS, **{**SMALL, "per_step": True, **options})


def pooled(**options):
    return SequenceRegressor(1, LETTERS, **{**SMALL, **options})


def language(**options):
    return LanguageModel(LETTERS, **{**SMALL, **options})


def data(make, **options):
    rows = texts(**options)
    y = [[text[: i + 1].count("a") % 2 for i in range(len(text))] for text in rows]
    if make is per_step:
        return SequenceDataset.from_texts(rows, LETTERS, y, per_step=True)
    return SequenceDataset.from_texts(rows, LETTERS, [float(np.mean(labels)) for labels in y])


def weights(model):
    return [np.array(p.data) for p in model.module.parameters()]


def equal(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize(
    ("make", "options"),
    [(per_step, {}), (language, {}), (pooled, {}), (pooled, {"pool": "mean"}), (pooled, {"pool": "max"})],
)
def test_no_shorter_than_the_sequences_it_changes_no_bit(cell, make, options):
    rows = data(make)
    longest = rows.lengths.max() + (make is language)  # its start
    results = []
    for truncation in (None, int(longest), int(longest) - 1):
        model = make(cell=cell, num_layers=2, dropout=0.2, truncation=truncation, **options)
        history = model.fit(rows, nb_epoch=2, valid=rows)
        results.append([history["loss"], history["valid_loss"], *weights(model)])
    assert equal(results[0], results[1])
    assert not equal(results[0], results[2])


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_parts_are_those_made_by_hand(cell):
    """One sequence, a step of the optimizer for every part, the state carried and cut off: the same bits."""
    x = np.random.default_rng(0).standard_normal((11, 2)).astype(np.float32)
    y = np.cumsum(x, axis=0)
    options = {**SMALL, "cell": cell, "num_layers": 2, "per_step": True, "truncation": 4}
    model, hand = (SequenceRegressor(2, n_features=2, **options) for _ in range(2))
    model.fit(SequenceDataset([x], [y], per_step=True), nb_epoch=3)
    net, optimizer = hand.module, hand.make_optimizer()
    for _ in range(3):
        state = None
        for start in range(0, 11, 4):
            steps, state = net.recurrent(ct.Tensor(x[None, start : start + 4]), ct.nn.detach_state(state))
            optimizer.zero_grad()
            output = net.head(steps.reshape(steps.shape[1:]))
            hand.loss(output, y[start : start + 4], np.ones((output.shape[0], 2), np.float32)).backward()
            optimizer.step()
    assert equal(weights(model), weights(hand))


@pytest.mark.parametrize("make", [per_step, language, pooled])
def test_truncation_changes_no_output(make):
    """With a learning rate of 0 the losses of the parts add up to that of the whole: the state was carried."""
    rows = data(make)
    losses = []
    for truncation in (None, 5, 1):
        model = make(learning_rate=0.0, num_layers=2, cell="lstm", truncation=truncation)
        losses.append(model.fit(rows, nb_epoch=1)["loss"][0])
    assert losses[1:] == pytest.approx([losses[0]] * 2, rel=1e-5)


@pytest.mark.parametrize("pool", ["last", "mean", "max"])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_gradients_of_a_pooled_sequence_reach_back_so_far(pool, cell):
    """Each letter's own row of the embedding tells which steps a gradient reached; the outputs stay."""
    rows = SequenceDataset.from_texts(["aaabbcc", "b", "acb", "aaaaaaaabbbb"], LETTERS, [1.0, 2.0, 3.0, 4.0])
    options = {"pool": pool, "cell": cell, "num_layers": 2}

    def run(part, truncation):
        model = pooled(truncation=truncation, **options)
        model.module.train()
        X, y, w, _ = next(part.iterbatches(4, deterministic=True))
        output = model._forward(model.module, X)
        model.loss(output, y, w).backward()
        return output.numpy(), np.abs(model.module.embedding.w.grad[4:]).sum(axis=1) > 0

    whole = run(rows, None)[0]
    for truncation in (1, 4, 5):
        assert np.allclose(run(rows, truncation)[0], whole, rtol=1e-5, atol=1e-6)
    last = rows.select([3])
    assert run(last, None)[1].tolist() == [True, True, False]
    assert run(last, 4)[1].tolist() == [False, True, False], "a stands before the last four steps"
    assert run(last, 5)[1].tolist() == [True, True, False]


def test_the_last_steps_are_those_made_by_hand():
    x = np.random.default_rng(0).standard_normal((1, 11, 2)).astype(np.float32)
    model, hand = (
        SequenceRegressor(1, n_features=2, **{**SMALL, "pool": "mean", "truncation": 4, "cell": "lstm"})
        for _ in range(2)
    )
    model.fit(SequenceDataset(list(x), [1.0]), nb_epoch=3)
    net, optimizer = hand.module, hand.make_optimizer()
    for _ in range(3):
        with ct.no_grad():
            first, state = net.recurrent(x[:, :4])
            second, state = net.recurrent(x[:, 4:7], state)
        last, _ = net.recurrent(x[:, 7:], state)
        before = first.data.sum(axis=1) + second.data.sum(axis=1)
        optimizer.zero_grad()
        output = net.head((last.sum(axis=1) + before) * np.array([[1 / 11]], np.float32))
        hand.loss(output, np.ones(1), np.ones(1)).backward()
        optimizer.step()
    assert equal(weights(model), weights(hand))


def held(*roots):
    """Bytes of all arrays that a tape keeps alive: those of its nodes, and those that its functions hold on to."""
    arrays, seen, stack = {}, set(), list(roots)
    while stack:
        item = stack.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Node):
            stack += [item.data, item._operation]
        elif isinstance(item, Operation):
            stack += [*item.inputs, vars(item)]
        elif isinstance(item, types.FunctionType):
            stack += [cell.cell_contents for cell in item.__closure__ or ()]
        elif isinstance(item, types.MethodType):
            stack += [item.__self__]
        elif isinstance(item, (tuple, list)):
            stack += list(item)
        elif isinstance(item, dict):
            stack += list(item.values())
        elif isinstance(item, np.ndarray):
            while isinstance(item.base, np.ndarray):
                item = item.base
            arrays[id(item)] = item.nbytes
    return sum(arrays.values())


@pytest.mark.parametrize(
    ("make", "options"),
    [(per_step, {}), (language, {}), (pooled, {}), (pooled, {"pool": "mean"}), (pooled, {"pool": "max"})],
)
def test_what_the_tape_holds_is_bounded_by_the_truncation(make, options):
    def largest(length, truncation):
        """The most that any loss of a fit could be differentiated by."""
        found, model = [], make(cell="lstm", num_layers=2, dropout=0.2, truncation=truncation, **options)
        plain = model.loss

        def loss(output, y, w):
            value = plain(output, y, w)
            found.append(held(value))
            return value

        model.loss = loss
        rows = ["abc" * (length // 3)] * 2
        y = [[0, 1] * (length // 2)] * 2 if make is per_step else [0.5, 0.5]
        model.fit(SequenceDataset.from_texts(rows, LETTERS, y, per_step=make is per_step), nb_epoch=1)
        return max(found)

    assert largest(600, 12) == largest(60, 12) < largest(60, None) < largest(600, None) / 5
    assert largest(60, 24) > largest(60, 12)


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=6),
    truncation=st.none() | st.integers(1, 14),
    features=st.booleans(),
    tasks=st.booleans(),
)
def test_parts_hold_every_step_once_with_its_label(lengths, truncation, features, tasks):
    lengths = np.array(lengths)
    mask = np.arange(lengths.max()) < lengths[:, None]
    numbers = np.zeros(mask.shape, np.int64)
    numbers[mask] = np.arange(1, mask.sum() + 1)
    y = numbers[mask][:, None] * np.ones(2) if tasks else numbers[mask]
    values = (numbers[:, :, None] * np.ones(3)).astype(np.float32) if features else numbers
    seen = []
    for steps, labels, w in parts(SequenceBatch(values, lengths), y, -y, truncation):
        assert len(steps) == len(labels) == steps.mask.sum() > 0
        assert truncation is None or steps.values.shape[1] <= truncation
        there = steps.values[steps.mask].reshape(len(steps), -1)[:, 0]
        assert np.array_equal(there, labels.reshape(len(steps), -1)[:, 0])
        assert np.array_equal(w, -labels)
        seen += there.tolist()
    assert sorted(seen) == list(range(1, mask.sum() + 1))


@pytest.mark.parametrize("make", [per_step, language, pooled])
def test_an_optimizer_step_a_part(make):
    class Count(ct.train.Callback):
        steps = 0

        def on_batch_end(self, state):
            self.steps += 1

    rows, count = data(make), Count()
    model = make(truncation=4, batch_size=3)
    model.fit(rows, nb_epoch=1, callbacks=[count])
    batches = [X.lengths.max() + (make is language) for X, *_ in rows.iterbatches(3, seed=epoch_seed(3, 0))]
    assert count.steps == (len(batches) if make is pooled else sum(-(-n // 4) for n in batches))


@pytest.mark.parametrize("make", [per_step, language, pooled])
def test_same_bits_for_any_threads_resumed_and_loaded(make, tmp_path):
    rows, before, results = data(make), ct.get_num_threads(), []
    options = {"truncation": 3, "num_layers": 2, "dropout": 0.3, "cell": "lstm"}
    try:
        for threads in (1, 2):
            ct.set_num_threads(threads)
            model = make(**options)
            model.fit(rows, nb_epoch=3)
            results.append(weights(model))
    finally:
        ct.set_num_threads(before)
    assert equal(*results)
    first = make(**options)
    first.fit(rows, nb_epoch=2, callbacks=[ct.train.Checkpoint(tmp_path / "run")])
    resumed = make(**options)
    resumed.fit(rows, nb_epoch=3, callbacks=[ct.train.Checkpoint(tmp_path / "run")], resume=tmp_path / "run")
    assert equal(weights(resumed), results[0])
    model.save(tmp_path / "model")
    assert ct.models.load(tmp_path / "model").truncation == 3


def test_a_language_is_learned_in_parts():
    """What follows a letter stands right before it: two steps are enough."""
    words = SequenceDataset.from_texts(["abab" * 10] * 15, LETTERS)
    model = language(truncation=2, batch_size=5)
    model.fit(words, nb_epoch=10)
    assert model.evaluate(words)["perplexity"] < 1.3


def test_what_does_not_fit_is_said():
    for bad in (0, -1, 2.5, True, "4"):
        for make in (per_step, language, pooled):
            with pytest.raises(ValueError, match="truncation must be None or a whole number of steps, 1 or more"):
                make(truncation=bad)
    for make in (per_step, pooled):
        with pytest.raises(ValueError, match=r"truncation carries the state .* bidirectional=True"):
            make(truncation=4, bidirectional=True)
