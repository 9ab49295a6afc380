"""Tests that batches of a SequenceDataset hold its sequences, that buckets hold like lengths, and that errors name rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalase.data import DNATokenizer, NumpyDataset, SequenceDataset
from catalase.splits import RandomSplitter
from catalase.trans import BalancingTransformer, NormalizationTransformer


def ragged(rows=257, features=None, longest=40, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, rows)
    if features:
        return [rng.standard_normal((n, features)).astype(np.float32) for n in lengths]
    return [rng.integers(1, 30, n) for n in lengths]


def unpadded(X):
    return [values[:n] for values, n in zip(X.values, X.lengths, strict=True)]


@pytest.mark.parametrize("features", [None, 3])
@settings(max_examples=40, deadline=None)
@given(batch_size=st.integers(1, 300), bucket=st.integers(1, 9), seed=st.integers(0, 99), deterministic=st.booleans())
def test_every_sequence_comes_once_as_it_is(features, batch_size, bucket, seed, deterministic):
    sequences = ragged(features=features)
    data = SequenceDataset(sequences, y=np.arange(257.0), bucket_batches=bucket)
    seen = []
    for X, y, _, ids in data.iterbatches(batch_size, deterministic=deterministic, seed=seed):
        assert X.values.shape[:2] == (len(y), max(X.lengths)) == X.mask.shape
        assert not X.values[~X.mask].any()
        assert X.values.dtype == (np.float32 if features else np.int32)
        for values, row, label in zip(unpadded(X), ids, y, strict=True):
            assert np.array_equal(values, sequences[row])
            assert label == row
        seen += ids.tolist()
    assert (seen if deterministic else sorted(seen)) == list(range(257))


def test_buckets_hold_alike_lengths_and_follow_the_seed():
    data = SequenceDataset(ragged(2000, longest=200))

    def walk(seed):
        return [(X.lengths, ids) for X, *_, ids in data.iterbatches(20, seed=seed)]

    first, again, other = walk(1), walk(1), walk(2)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(first, other, strict=True))
    assert np.mean([np.ptp(lengths) for lengths, _ in first]) < 10
    means = [lengths.mean() for lengths, _ in first]
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.5, "batches come in random order, not by length"
    data.bucket_batches = 1
    assert np.mean([np.ptp(lengths) for lengths, _ in walk(1)]) > 100


def test_epochs_differ_and_batches_are_filled_up():
    data = SequenceDataset(ragged(10), y=np.arange(10.0))
    batches = list(data.iterbatches(4, epochs=2, pad_batches=True, seed=0))
    assert [len(X) for X, *_ in batches] == [4] * 6
    assert sum((w == 0).sum() for *_, w, _ in batches) == 4
    assert [ids.tolist() for *_, ids in batches[:3]] != [ids.tolist() for *_, ids in batches[3:]]


def test_select_split_and_samples():
    sequences = ragged(50)
    data = SequenceDataset(sequences, y=np.arange(50.0), tasks=["t"])
    part = data.select([7, 3, 3])
    assert [s.tolist() for s in part.X] == [sequences[i].tolist() for i in (7, 3, 3)]
    assert (part.ids.tolist(), part.y.tolist(), part.tasks) == ([7, 3, 3], [7, 3, 3], ["t"])
    assert len(data.select([])) == 0
    with pytest.raises(IndexError):
        data.select([50])
    train, test = RandomSplitter().train_test_split(data, 0.8, seed=0)
    assert sorted([*train.ids, *test.ids]) == list(range(50))
    assert all(np.array_equal(x, sequences[i]) for x, _, _, i in test.itersamples())
    assert data.get_shape()[0] == (50, max(map(len, sequences)))
    assert data.X[-1].tolist() == sequences[-1].tolist()
    assert [len(s) for s in data.X[10:12]] == [len(s) for s in sequences[10:12]]


def test_labels_are_those_of_numpy_datasets():
    y = np.array([[0.0, np.nan], [1.0, 1.0], [1.0, 0.0]])
    data, plain = SequenceDataset([[1], [2, 3], [4]], y), NumpyDataset(np.zeros((3, 1)), y)
    assert np.array_equal(data.w, plain.w)
    balanced = BalancingTransformer(data).transform(plain).w
    assert np.array_equal(data.transform(BalancingTransformer(data)).w, balanced)
    with pytest.raises(TypeError, match="changes X"):
        data.transform(NormalizationTransformer(transform_X=True, dataset=plain))
    with pytest.raises(ValueError, match="3 rows but y"):
        SequenceDataset([[1], [2], [3]], [1.0])


def test_texts():
    data = SequenceDataset.from_texts(["ACG", "TN"], DNATokenizer())
    assert [s.tolist() for s in data.X] == [[4, 5, 6], [7, 3]]
    assert data.ids.tolist() == ["ACG", "TN"]
    with pytest.raises(ValueError, match=r"row 1: .*position 1"):
        SequenceDataset.from_texts(["ACG", "TN"], DNATokenizer("error"))


def test_empty_sequences_are_refused_or_kept():
    with pytest.raises(ValueError, match=r"row 1 is empty \(2 in all\)"):
        SequenceDataset([[1], [], [2], []])
    kept = SequenceDataset([[1], [], [2, 3]], empty="keep")
    assert kept.lengths.tolist() == [1, 0, 2]
    X, *_ = next(kept.iterbatches(3, deterministic=True))
    assert X.values.tolist() == [[1, 0], [0, 0], [2, 3]]
    assert kept.select([1]).lengths.tolist() == [0]
    assert kept.X.padded(np.array([1])).values.shape == (1, 0)


@pytest.mark.parametrize("features", [None, 2])
def test_no_rows(features):
    data = SequenceDataset(ragged(3, features)).select([])
    assert len(data) == 0
    assert list(data.iterbatches(5)) == []
    assert len(SequenceDataset([])) == 0


def test_nan_is_kept_for_the_models_to_refuse():
    data = SequenceDataset([[[1.0], [np.nan]]])
    assert np.isnan(data.X[0][1, 0])


@pytest.mark.parametrize(
    ("sequences", "error", "words"),
    [
        ("ACGT", TypeError, "list of sequences, got str"),
        (["ACGT"], TypeError, "row 0 must hold numbers.*from_texts"),
        (7, TypeError, "list of sequences, got int"),
        ([[1, 2], [0.5, 1.5]], TypeError, "row 1 .*whole"),
        ([[1], [-1]], ValueError, "row 1, step 0"),
        ([[1], [2**31]], ValueError, "row 1, step 0"),
        ([np.ones((2, 3)), np.ones((2, 4))], ValueError, r"same features; row 1 has shape \(2, 4\), row 0 \(2, 3\)"),
        ([[], *[np.ones((2, 3))] * 3, np.ones((0, 4))], ValueError, r"row 4 has shape \(0, 4\), row 1 \(2, 3\)"),
        ([np.ones((2, 3)), [1, 2]], ValueError, r"row 1 has shape \(2,\), row 0 \(2, 3\)"),
        ([[1, 2], np.ones((2, 3))], ValueError, r"row 1 has shape \(2, 3\), row 0 \(2,\)"),
        ([np.ones((2, 3, 4))], ValueError, "row 0 has shape"),
        ([np.ones((2, 0))], ValueError, "row 0 has shape"),
        ([[None]], TypeError, "row 0 must hold numbers"),
    ],
)
def test_what_is_no_sequence_is_refused(sequences, error, words):
    with pytest.raises(error, match=words):
        SequenceDataset(sequences)


def test_bad_settings():
    with pytest.raises(ValueError, match="empty must be"):
        SequenceDataset([[1]], empty="drop")
    with pytest.raises(ValueError, match="bucket_batches"):
        SequenceDataset([[1]], bucket_batches=0)
    with pytest.raises(ValueError, match="batch_size"):
        next(SequenceDataset([[1]]).iterbatches(0))


def marked(rows=31, tasks=None, **options):
    """A label a step (or a vector of them): its place in the sequence, a third of them missing."""
    sequences, rng = ragged(rows), np.random.default_rng(1)
    shape = () if tasks is None else (tasks,)
    y = [np.arange(float(len(s))).reshape(-1, *[1] * len(shape)) + np.zeros((len(s), *shape)) for s in sequences]
    for labels in y:
        labels[rng.random(labels.shape) < 1 / 3] = np.nan
    return sequences, y, SequenceDataset(sequences, y, per_step=True, **options)


@pytest.mark.parametrize("tasks", [None, 1, 3])
def test_labels_of_steps_stay_with_their_steps(tasks):
    sequences, y, data = marked(tasks=tasks)
    assert data.tasks == list(range(tasks or 1))
    scaled = data.transform(NormalizationTransformer(dataset=data))
    for walk in (data, data.select(np.arange(31)[::-1]), scaled):
        for X, labels, w, ids in walk.iterbatches(4, pad_batches=True, seed=2):
            assert X.lengths.tolist() == labels.lengths.tolist() == w.lengths.tolist()
            for row, values, weights in zip(ids, labels, w, strict=True):
                assert np.array_equal(np.isnan(values), np.isnan(y[row]))
                assert not weights[np.isnan(values)].any()
                assert walk is scaled or np.array_equal(values, y[row], equal_nan=True)
    assert [w.shape for w in data.w] == [labels.shape for labels in y]
    filled = list(data.iterbatches(20, deterministic=True, pad_batches=True))[-1]
    assert [w.any() for w in filled[2]] == [labels[np.isfinite(labels)].size > 0 for labels in y[20:]] + [False] * 9
    again = SequenceDataset(data.X, data.y, data.w, per_step=True)
    assert np.array_equal(again.y.values, data.y.values, equal_nan=True)
    assert np.array_equal(again.w.values, data.w.values)
    x, labels, *_ = list(data.itersamples())[5]
    assert np.array_equal(x, sequences[5]) and np.array_equal(labels, y[5], equal_nan=True)


def test_weights_of_steps_and_of_sequences():
    X, y = [[1, 2], [3]], [[0, 1], [1]]
    for w in ([2.0, 0.0], np.array([[2.0], [0.0]]), [[2.0, 2.0], [0.0]], [[[2.0], [2.0]], [[0.0]]]):
        assert SequenceDataset(X, y, w, per_step=True).w.values.ravel().tolist() == [2, 2, 0]
    two = SequenceDataset(X, [[[0, 1.0], [1, np.nan]], [[1, 1.0]]], [[1.0, 2.0], [3.0]], per_step=True)
    assert two.w.values.tolist() == [[1, 1], [2, 0], [3, 3]]
    assert SequenceDataset(X, per_step=True).y.values.shape == (3, 0)
    kept = SequenceDataset([[], [5]], [[], [1]], per_step=True, empty="keep")
    assert (kept.y.lengths.tolist(), kept.y.dtype) == ([0, 1], np.int64)
    assert len(SequenceDataset([], [], per_step=True)) == 0


def test_transformers_are_fitted_on_all_steps():
    data = SequenceDataset([[1, 2, 3], [4]], [[0, 0, 1], [0]], per_step=True)
    assert data.transform(BalancingTransformer(data)).w.values.tolist() == pytest.approx([4 / 3, 4 / 3, 4, 4 / 3])


@pytest.mark.parametrize(
    ("columns", "error", "words"),
    [
        ({"y": [[1, 2], [1, 2]]}, ValueError, "y at row 1 is for 2 steps, but the sequence has 1"),
        ({"y": np.ones((2, 2))}, ValueError, "y at row 1 is for 2 steps, but the sequence has 1"),
        ({"y": [[1, 2]]}, ValueError, "X has 2 rows but y has 1"),
        ({"y": [1, 2]}, ValueError, "row 0 is one number; leave per_step out"),
        ({"y": [[1, "b"], [1]]}, TypeError, "y at row 0 must be an array of numbers"),
        ({"y": [["a", "b"], ["a"]]}, TypeError, "y at row 0 must be an array of numbers, got <U1"),
        (
            {"y": [[[1], [1, 2]], [[1]]]},
            TypeError,
            "y at row 0 must be an array of numbers, got rows of different lengths",
        ),
        ({"y": [[[1], [1]], [1]]}, ValueError, r"row 1 has shape \(1,\), row 0 \(2, 1\)"),
        ({"y": [np.ones((2, 1, 1)), [1]]}, ValueError, r"row 0 has shape \(2, 1, 1\)"),
        ({"y": "ab"}, TypeError, "y must be a list with an array a sequence, got str"),
        ({"y": 5}, TypeError, "y must be a list with an array a sequence, got int"),
        ({"y": [[1, 2], [1]], "w": [[1, 2], [1, 3]]}, ValueError, "w at row 1 is for 2 steps"),
        ({"y": [[1, 2], [1]], "w": [1.0, 1.0, 1.0]}, ValueError, "X has 2 rows but w has 3"),
        (
            {"y": [[1, 2], [1]], "w": [[1, 2], [-1]]},
            ValueError,
            "0 or more, and not NaN or infinite; see row 1, step 0",
        ),
        ({"y": [[1, 2], [1]], "w": [1, np.nan]}, ValueError, "not NaN or infinite; see row 1, step 0"),
        ({"y": [[1, 2], [1]], "w": [np.ones((2, 2)), np.ones((1, 2))]}, ValueError, "w must have a weight a step"),
        ({"y": [[1, 2], [1]], "tasks": ["a", "b"]}, ValueError, "2 task names for 1"),
        ({"y": [[1, 2], [1]], "ids": [1]}, ValueError, "2 rows but ids"),
        ({"y": [[1, 2], [1]], "per_step": 1}, TypeError, "per_step must be True or False"),
    ],
)
def test_labels_that_do_not_fit_their_steps_are_refused(columns, error, words):
    with pytest.raises(error, match=words):
        SequenceDataset([[1, 2], [3]], **{"per_step": True, **columns})


def test_a_ragged_array_is_no_array():
    with pytest.raises(TypeError, match="different lengths"):
        np.asarray(SequenceDataset([[1, 2], [3]]).X)
    assert np.asarray(SequenceDataset([[1, 2], [3, 4]]).X).tolist() == [[1, 2], [3, 4]]
    assert np.asarray(SequenceDataset([[1, 2]]).X, np.float64).dtype == np.float64
