"""Tests of augmented datasets: the keys of their random numbers, masks, weights, and training on them."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase.data import Augment, AugmentedDataset, NumpyDataset


def images(rng, n=13, masks=False):
    X = rng.integers(0, 256, (n, 8, 8, 1), np.uint8)
    return NumpyDataset(X, (X[..., 0] > 99).astype(np.uint8) if masks else np.arange(n))


def by_id(dataset, **walk):
    return {int(i): x for X, _, _, ids in dataset.iterbatches(**walk) for x, i in zip(X, ids, strict=True)}


def test_an_image_is_the_same_whatever_the_batches(rng):
    train = AugmentedDataset(images(rng), Augment(flip_horizontal=0.5, rotation=20, noise=0.1, seed=4))
    one, two = by_id(train, batch_size=4, seed=7), by_id(train, batch_size=13, seed=7, pad_batches=True)
    assert one.keys() == two.keys() and all(np.array_equal(one[i], two[i]) for i in one)
    other = by_id(train, batch_size=4, seed=8)
    assert not any(np.array_equal(one[i], other[i]) for i in one)
    first, second = (dict(list(by_id(train, batch_size=5, seed=7, epochs=e).items())) for e in (1, 2))
    assert not any(np.array_equal(first[i], second[i]) for i in first), "each epoch is augmented anew"
    assert not np.array_equal(by_id(train)[0], by_id(train)[0]), "no seed, fresh entropy"


def test_evaluation_sees_the_images_themselves(rng):
    data = images(rng)
    train = AugmentedDataset(data, Augment(rotation=20, crop=(6, 6)))
    (X, y, _, ids), *_ = train.iterbatches(5, deterministic=True)
    assert np.array_equal(X, train.X[:5]) and np.abs(X - data.X[:5, 1:7, 1:7] / 255).max() < 1e-7
    assert y.tolist() == ids.tolist() == [0, 1, 2, 3, 4] and len(train) == 13 and train.y is data.y
    assert train.get_shape()[0] == (13, 6, 6, 1) and np.array_equal(train.select([2]).X[0], train.X[2])


def test_masks_and_their_weights_move_with_the_images(rng):
    data = images(rng, masks=True)
    train = AugmentedDataset(data, Augment(flip_vertical=0.5, rotate90=True, shift=3), masks=True)
    for X, y, w, _ in train.iterbatches(4, seed=1):
        assert y.dtype == np.uint8 and np.array_equal(y, np.round(X[..., 0] * 255) > 99)
        assert w.shape == y.shape and set(np.unique(w)) <= {0, 1} and not X[w == 0].any()
    assert train.y.shape == train.w.shape == (13, 8, 8)
    cut = AugmentedDataset(data, Augment(crop=(5, 4)), masks=True)
    (X, y, w, _), *_ = cut.iterbatches(13, deterministic=True)
    assert all(np.array_equal(a, b) for a, b in ((cut.X, X), (cut.y, y), (cut.w, w))) and y.shape == (13, 5, 4)
    a_row = NumpyDataset(data.X, data.y, np.arange(13.0))
    (X, y, w, ids), *_ = AugmentedDataset(a_row, Augment(shift=1), masks=True).iterbatches(13)
    assert np.array_equal(w, ids)


def test_settings_are_refused_at_once():
    with pytest.raises(ValueError, match="flip_horizontal must be"):
        Augment(flip_horizontal=3)
    with pytest.raises(TypeError, match="must be an Augment, got dict"):
        AugmentedDataset(NumpyDataset(np.zeros((1, 2, 2))), {})
    assert repr(Augment(shift=2, crop=(3, 3), seed=5)) == "Augment(shift=2, crop=(3, 3), seed=5)"


def test_training_on_it_gives_the_same_bits_for_any_number_of_threads(rng):
    data = images(rng, 40)
    flat = NumpyDataset(data.X, (data.X.mean((1, 2, 3)) > 127).astype(np.float32)[:, None])
    weights = []
    for threads in (1, 2):
        before = ct.get_num_threads()
        ct.set_num_threads(threads)
        net = ct.nn.Sequential(ct.nn.Linear(64, 1))
        net.load_state_dict({k: np.zeros_like(v) for k, v in net.state_dict().items()})
        history = ct.train.fit(
            net, AugmentedDataset(flat, Augment(flip_horizontal=0.5, noise=0.05)), ct.nn.losses.L2Loss(),
            optimizer=ct.optim.SGD(net, lr=0.01), nb_epoch=3, batch_size=16, seed=1,
            forward=lambda module, X: module(ct.Tensor(X.reshape(len(X), -1))),
        )  # fmt: skip
        weights.append(np.concatenate([v.ravel() for v in net.state_dict().values()]))
        ct.set_num_threads(before)
    assert len(history) == 3 and np.array_equal(*weights) and weights[0].any()


def test_the_same_images_come_from_disk_in_windows(rng, tmp_path):
    data = images(rng, 60)
    ct.data.DiskDataset.create(tmp_path, [data.select(range(a, a + 20)) for a in (0, 20, 40)])
    augment = Augment(rotation=30, noise=0.1)
    memory = by_id(AugmentedDataset(data, augment), batch_size=7, seed=3)
    disk = AugmentedDataset(ct.data.DiskDataset(tmp_path, window_bytes=1000), augment)
    streamed = by_id(disk, batch_size=7, seed=3)
    assert disk.X.shape == (60, 8, 8, 1) and np.array_equal(disk.X[7:9], AugmentedDataset(data, augment).X[7:9])
    assert not isinstance(disk.X, np.ndarray), "and nothing is read before it is needed"
    assert streamed.keys() == memory.keys() and all(np.array_equal(streamed[i], memory[i]) for i in memory)
