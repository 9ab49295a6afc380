"""Tests of transformers: masked statistics, exact undoing, and JSON that restores the same transformer to the bit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from catalase import trans


class Rows:
    """As much of a dataset as transformers are fitted on."""

    def __init__(self, y: Any, w: Any = None, X: Any = None) -> None:
        self.y = None if y is None else np.asarray(y)
        size = len(X) if self.y is None else len(self.y)
        self.w = w if w is None else np.asarray(w)
        self.X = np.zeros((size, 2), np.float32) if X is None else np.asarray(X)

    def __len__(self) -> int:
        return len(self.X)


def again(transformer: trans.Transformer) -> Any:
    return trans.Transformer.build(json.loads(json.dumps(transformer.to_config())))


def test_balancing_makes_classes_equal(rng: np.random.Generator) -> None:
    y = (rng.random((200, 3)) < [0.05, 0.3, 0.7]).astype(np.float64)
    w = (rng.random((200, 3)) < 0.8).astype(np.float32)
    y[w == 0] = np.where(rng.random(np.count_nonzero(w == 0)) < 0.5, np.nan, 0)
    transformer = trans.BalancingTransformer(dataset=Rows(y, w))
    X, y_after, weights = transformer.transform_array(Rows(y, w).X, y, w)
    assert weights.dtype == np.float32
    assert y_after is y
    assert (weights[w == 0] == 0).all()
    assert (weights[w != 0] > 0).all()
    for task in range(3):
        assert weights[y[:, task] == 1, task].sum() == pytest.approx(weights[y[:, task] == 0, task].sum())
    # DeepChem 2.8: measured labels of the task / those of the class
    measured = w[:, 0] != 0
    positives = np.count_nonzero(y[measured, 0] == 1)
    assert transformer.class_weights[0, 1] == np.count_nonzero(measured) / positives
    assert np.array_equal(again(transformer).transform_array(X, y, w)[2], weights)


def test_balancing_several_classes_in_one_dimension() -> None:
    y = np.array([0, 1, 1, 2, 2, 2])
    transformer = trans.BalancingTransformer(Rows(y))
    weights = transformer.transform_array(np.zeros((6, 1)), y, np.ones(6))[2]
    assert weights is not None
    assert weights.tolist() == [6, 3, 3, 2, 2, 2]


def test_balancing_where_a_task_lacks_a_class() -> None:
    """The class counts with weight 1 where it is met later; weight 0 would pass for missing."""
    fitted = trans.BalancingTransformer(Rows([[0, 0], [0, 1]]))
    weights = fitted.transform_array(np.zeros((1, 1)), np.array([[1, 1]]), np.ones((1, 2)))[2]
    assert weights is not None
    assert weights.tolist() == [[1.0, 2.0]]


def test_balancing_weights_by_row_cover_all_tasks() -> None:
    y = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    w = np.array([1.0, 1.0, 0.0])
    weights = trans.BalancingTransformer(Rows(y, w)).transform_array(np.zeros((3, 1)), y, w)[2]
    assert weights is not None
    assert weights.tolist() == [[2, 2], [2, 2], [0, 0]]


def test_balancing_refuses() -> None:
    fitted = trans.BalancingTransformer(Rows([0, 1]))
    with pytest.raises(ValueError, match=r"labels \[2\.0\] did not occur"):
        fitted.transform_array(np.zeros((1, 1)), np.array([2]), np.ones(1))
    with pytest.raises(ValueError, match="fitted on 1 tasks, the dataset has 2"):
        fitted.transform_array(np.zeros((1, 1)), np.zeros((1, 2)), np.ones((1, 2)))
    with pytest.raises(ValueError, match="NormalizationTransformer"):
        trans.BalancingTransformer(Rows(np.arange(2000.0)))
    with pytest.raises(ValueError, match="found 0 different"):
        trans.BalancingTransformer(Rows([0.0, 1.0], w=[0, 0]))
    for dataset in (None, Rows(None, X=np.zeros((3, 1))), Rows(np.zeros((0,)))):
        with pytest.raises(ValueError, match="needs a dataset with labels"):
            trans.BalancingTransformer(dataset)
    with pytest.raises(ValueError, match="weights only"):
        trans.BalancingTransformer(Rows([0, 1]), transform_w=False)


def test_normalization_masks_missing(rng: np.random.Generator) -> None:
    y = rng.normal(5, 3, (100, 2))
    w = (rng.random((100, 2)) < 0.7).astype(float) * 2.5
    y[0] = np.nan
    w[1] = 0
    y[1] = 1e30
    transformer = trans.NormalizationTransformer(transform_y=True, dataset=Rows(y, w))
    for task in range(2):
        values = y[(w[:, task] != 0) & ~np.isnan(y[:, task]), task]
        assert transformer.means[task] == pytest.approx(values.mean())
        assert transformer.stds[task] == pytest.approx(values.std())
    X, after, weights = transformer.transform_array(np.zeros((100, 1)), y, w)
    assert weights is w
    assert np.isnan(after[0]).all()
    back = trans.undo_transforms(after, [transformer])
    np.testing.assert_allclose(back, y, rtol=1e-14)
    assert np.array_equal(again(transformer).transform_array(X, y, w)[1], after, equal_nan=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("shape", [(5,), (5, 1)])
def test_normalization_shapes_and_dtypes(dtype: type, shape: tuple[int, ...]) -> None:
    y = np.arange(5, dtype=dtype).reshape(shape)
    transformer = trans.NormalizationTransformer(dataset=Rows(y))
    after = transformer.transform_array(np.zeros((5, 1)), y, None)[1]
    assert after is not None
    assert after.shape == shape
    assert after.dtype == (np.float64 if dtype is np.int64 else dtype)
    assert transformer.untransform(after).shape == shape
    np.testing.assert_allclose(transformer.untransform(after), y, atol=1e-6)
    assert transformer.untransform(np.zeros((7, 1, 1))).shape == (7, 1, 1)
    assert transformer.untransform_spread([1.0]) == pytest.approx(np.sqrt(2))


def test_normalization_of_constant_and_unmeasured_columns() -> None:
    y = np.full((7, 3), 0.1)
    y[:, 1] = np.nan
    y[:, 2] = np.arange(7)
    transformer = trans.NormalizationTransformer(dataset=Rows(y))
    assert transformer.stds[:2].tolist() == [1, 1]
    assert transformer.means[1] == 0
    assert transformer.stds[2] == 2
    after = transformer.transform_array(np.zeros((7, 1)), y, None)[1]
    assert after is not None
    np.testing.assert_allclose(after[:, 0], 0, atol=1e-16)


def test_normalization_of_features(rng: np.random.Generator) -> None:
    X = rng.normal(3, 2, (50, 4)).astype(np.float32)
    transformer = trans.NormalizationTransformer(transform_X=True, dataset=Rows(np.zeros(50), X=X))
    after, y, _ = transformer.transform_array(X, None, None)
    assert y is None
    assert after.dtype == np.float32
    np.testing.assert_allclose(after.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(after.std(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(transformer.untransform(after), X, atol=1e-5)
    assert trans.undo_transforms(np.ones(3), [transformer]).tolist() == [1, 1, 1]


def test_normalization_refuses() -> None:
    with pytest.raises(ValueError, match="one of transform_X and transform_y"):
        trans.NormalizationTransformer(transform_X=True, transform_y=True, dataset=Rows([1.0]))
    with pytest.raises(ValueError, match="needs a dataset with rows"):
        trans.NormalizationTransformer()
    with pytest.raises(ValueError, match="no labels"):
        trans.NormalizationTransformer(dataset=Rows(None, X=np.zeros((2, 1))))
    with pytest.raises(ValueError, match="infinite or NaN"):
        trans.NormalizationTransformer(dataset=Rows([1.0, np.inf]))
    with pytest.raises(ValueError, match="infinite or NaN"):
        trans.NormalizationTransformer(transform_X=True, dataset=Rows([1.0], X=np.array([[np.nan]])))
    with pytest.raises(TypeError, match="packed bits"):
        trans.NormalizationTransformer(transform_X=True, dataset=Rows([1.0], X=np.zeros((1, 8), np.uint8)))
    fitted = trans.NormalizationTransformer(dataset=Rows([[1.0, 2.0], [3.0, 5.0]]))
    with pytest.raises(ValueError, match=r"fitted on 2 columns, got an array of shape \(4, 3\)"):
        fitted.untransform(np.zeros((4, 3)))


def test_undo_goes_backwards_and_passes_over_weights() -> None:
    rows = Rows([0.0, 1.0, 3.0])
    first = trans.NormalizationTransformer(dataset=rows)
    balancing = trans.BalancingTransformer(Rows([0, 1]))
    after = first.transform_array(rows.X, rows.y, None)[1]
    second = trans.NormalizationTransformer(dataset=Rows(after * 7 + 2))
    twice = second.transform_array(rows.X, after * 7 + 2, None)[1]
    undone = trans.undo_transforms(twice, [second, balancing])
    np.testing.assert_allclose(undone, after * 7 + 2)
    y = np.ones(2)
    assert trans.undo_transforms(y, []) is y


@pytest.mark.parametrize(
    "change",
    [
        {"class": "builtins.eval"},
        {"means": [1.0, 2.0]},
        {"stds": [0.0]},
        {"stds": [-1.0]},
        {"stds": [float("nan")]},
        {"means": []},
        {"transform_X": 1},
        {"more": 1},
    ],
)
def test_tampered_config_is_refused(change: dict[str, Any]) -> None:
    config = trans.NormalizationTransformer(dataset=Rows([1.0, 2.0])).to_config()
    with pytest.raises(ValueError, match="config: "):
        trans.Transformer.build({**config, **change})


@pytest.mark.parametrize("change", [{"classes": [1.0, 0.0]}, {"classes": [0.0]}, {"class_weights": [[1.0]]}])
def test_tampered_balancing_config_is_refused(change: dict[str, Any]) -> None:
    config = trans.BalancingTransformer(Rows([0, 1])).to_config()
    with pytest.raises(ValueError, match="config: "):
        trans.Transformer.build({**config, **change})


def test_transform_of_a_dataset() -> None:
    data = pytest.importorskip("catalase.data")
    X = np.zeros((4, 2), np.float32)
    dataset = data.NumpyDataset(X, np.array([[1.0], [2.0], [3.0], [np.nan]]), ids=list("abcd"), tasks=["t"])
    transformer = trans.NormalizationTransformer(dataset=dataset)
    after = transformer.transform(dataset)
    assert after.X is dataset.X
    assert list(after.ids) == list("abcd")
    assert list(after.get_task_names()) == ["t"]
    assert after.w.tolist() == [[1], [1], [1], [0]]
    np.testing.assert_allclose(after.y[:3, 0], [-1.224744871391589, 0, 1.224744871391589])
    assert dataset.y[0, 0] == 1
