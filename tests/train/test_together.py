"""Fits side by side: the bits of fits in turn, and how they end when one fails."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import catalase as ct
from catalase.train.together import fit_together


@pytest.fixture
def two_threads():
    before = ct.get_num_threads()
    ct.set_num_threads(2)
    yield
    ct.set_num_threads(before)


def rows(rng):
    return ct.data.NumpyDataset(rng.random((60, 8), dtype=np.float32), rng.random((60, 1)))


def net(seed):
    return ct.models.MultitaskRegressor(1, 8, layer_sizes=[16], dropouts=0.2, batch_size=7, seed=seed)


def test_an_ensemble_has_the_bits_of_members_fitted_in_turn(two_threads, rng):
    data = rows(rng)
    ensemble = ct.models.Ensemble([net(seed) for seed in range(5)])
    history = ensemble.fit(data, 4, valid=data, progress=False)
    in_turn = [net(seed) for seed in range(5)]
    for member in in_turn:
        member.fit(data, 4, valid=data, progress=False)
    assert history["loss"] == in_turn[-1].history["loss"]
    for member, alone, found in zip(ensemble.members, in_turn, ensemble.histories, strict=True):
        assert found["loss"] == alone.history["loss"] and found["valid_loss"] == alone.history["valid_loss"]
        assert np.array_equal(member.predict(data), alone.predict(data))


def test_members_that_are_one_object_or_have_callbacks_are_fitted_in_turn(two_threads, rng):
    data, ended = rows(rng), []

    class Ended(ct.train.Callback):
        def on_train_end(self, state):
            ended.append(threading.current_thread() is threading.main_thread())

    ct.models.Ensemble([net(0), net(1)]).fit(data, 1, callbacks=Ended(), progress=False)
    assert ended == [True, True]
    alike = net(0)
    ct.models.Ensemble([alike, alike]).fit(data, 2, progress=False)
    twice = net(0)
    twice.fit(data, 2, progress=False)
    twice.fit(data, 2, progress=False)
    assert np.array_equal(alike.predict(data), twice.predict(data))


def test_where_one_fit_fails_the_others_end_and_its_error_is_raised(two_threads, rng):
    data, batches = rows(rng), []

    class Count(ct.train.Callback):
        def on_batch_end(self, state):
            batches.append(state.epoch)

    def long(stop):
        net(0).fit(data, 100_000, callbacks=[Count(), stop], progress=False)

    def failing(stop):
        while not batches:
            pass
        raise ValueError("this one fails")

    with pytest.raises(ValueError, match="this one fails"):
        fit_together([long, failing, long])
    assert max(batches) < 99_999


def test_results_come_in_order_with_any_number_of_threads(rng):
    before = ct.get_num_threads()
    try:
        for threads in (1, 2, 3):
            ct.set_num_threads(threads)
            assert fit_together([lambda stop, i=i: i for i in range(7)]) == list(range(7))
            assert fit_together([]) == []
    finally:
        ct.set_num_threads(before)
