"""Tests of blocks of inference: a net's results in them, and that they do not affect its training."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import catalase as ct
from catalase import nn


def test_inference_changes_no_module_and_nests():
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm(3), nn.Dropout(0.5))
    x = ct.Tensor(np.ones((4, 3), np.float32), requires_grad=True)
    before = net.layers[1].running_mean.numpy().copy()
    with nn.inference():
        with nn.inference():
            assert not net.training
        assert not net.training and not any(m.training for m in net.modules())
        first = net(x)
        assert np.array_equal(first.numpy(), net(x).numpy())
    assert all(m.training for m in net.modules()) and net.layers[2].step == 0
    assert np.array_equal(net.layers[1].running_mean.numpy(), before)


def test_inference_belongs_to_its_thread_and_ends_with_its_block():
    net, seen = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5)), []
    with pytest.raises(ZeroDivisionError), nn.inference():
        thread = threading.Thread(target=lambda: seen.append(net.training))
        thread.start()
        thread.join()
        raise ZeroDivisionError
    assert seen == [True] and all(m.training for m in net.modules())


def test_the_mode_that_is_set_in_a_block_holds_after_it():
    net = nn.Dropout(0.5).eval()
    with nn.inference():
        pass
    assert not net.training
    with nn.inference():
        net.train()
        assert not net.training
    assert net.training


def test_a_pass_that_is_refused_in_inference_leaves_the_dropout_of_training_alone():
    net = nn.Sequential(nn.Linear(3, 3, "relu"), nn.Dropout(0.5), nn.Linear(3, 1))
    net(ct.Tensor(np.ones((2, 3), np.float32)))
    with nn.inference(), pytest.raises(ValueError, match="columns"):
        net(ct.Tensor(np.ones((2, 4), np.float32)))
    assert net.layers[1].step == 1
