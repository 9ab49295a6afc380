"""Tests that predictions in callbacks and in other threads do not change the weights that training gives."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import catalase as ct

from .kinds import NETS, dense


def looks(model, data, given):
    """Everything that only looks at a model, and a question that it refuses."""
    if isinstance(model, ct.models.LanguageModel):
        model.sample(2, max_length=3, seed=1)
        model.evaluate(data)
        return
    model.predict(given)
    with pytest.raises((TypeError, ValueError)):
        model.predict(np.ones((3, 5), np.float32))
    if not isinstance(model, ct.models.TensorGraph):
        model.evaluate(data, [])
    if isinstance(model, ct.models.Ensemble):
        model.predict_spread(data)
    model.summary()


class Visitor(ct.train.Callback):
    """Looks at every opportunity, and sees to it that no module of the net notices."""

    def __init__(self, *seen):
        self.seen = seen

    def on_batch_end(self, state):
        before = [(m.training, getattr(m, "step", None)) for m in state.module.modules()]
        assert before and all(training for training, _ in before)
        looks(*self.seen)
        assert before == [(m.training, getattr(m, "step", None)) for m in state.module.modules()]

    def on_epoch_end(self, state):
        looks(*self.seen)


def fitted(make, visited, nb_epoch=2):
    model, data, given = make()
    if isinstance(model, ct.models.TensorGraph):
        model.build()
    stop = threading.Event()

    def look():
        while not stop.is_set():
            looks(model, data, given)

    callbacks = [Visitor(model, data, given)] if visited == "in callbacks" else []
    with ThreadPoolExecutor(1) as pool:
        visitor = pool.submit(look) if visited == "by another thread" else None
        try:
            model.fit(data, nb_epoch=nb_epoch, valid=data, callbacks=callbacks)
        finally:
            stop.set()
        if visitor is not None:
            visitor.result()
    return model


@pytest.mark.parametrize("visited", ["in callbacks", "by another thread"])
@pytest.mark.parametrize("make", NETS)
def test_a_fit_that_is_watched_gives_the_weights_of_a_fit_alone(make, visited):
    epochs = 60 if (make, visited) == (dense, "by another thread") else 3
    alone, watched = fitted(make, "", epochs), fitted(make, visited, epochs)
    expected, found = alone.state_dict(), watched.state_dict()
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert np.array_equal(array, found[name]), name
    for kind in ("loss", "valid_loss"):
        assert watched.history.epochs[-1][kind] == alone.history.epochs[-1][kind]


def test_evaluating_and_summarizing_leave_the_mode_as_it_is():
    model, data, given = dense()
    for mode in (True, False):
        model.module.train(mode)
        model.predict(given)
        model.evaluate(data, ct.metrics.Metric(ct.metrics.roc_auc_score))
        model.summary()
        assert {m.training for m in model.module.modules()} == {mode}
