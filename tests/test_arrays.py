"""Tests of the checks of arrays: masks, missing values, and values that are not numbers."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pytest

import catalase as ct
from catalase import metrics, models, nn, ops, trans
from catalase._internal.arrays import rows_of
from catalase.data import DiskDataset, NumpyDataset, SequenceDataset

MASKED = np.ma.masked_array(np.array([[1.0], [-9999.0], [3.0]]), mask=[[0], [1], [0]])
ROWS = np.ones((3, 2), np.float32)


def test_a_masked_label_is_missing_and_has_weight_zero():
    data = NumpyDataset(ROWS, MASKED, np.full((3, 1), 2.0))
    assert data.w.tolist() == [[2], [0], [2]] and np.isnan(data.y[1, 0]) and type(data.y) is np.ndarray
    whole = NumpyDataset(ROWS, np.ma.masked_array([1, -9999, 3], mask=[0, 1, 0]))
    assert whole.w.tolist() == [1, 0, 1] and whole.y[[0, 2]].tolist() == [1, 3]
    a_list = NumpyDataset(ROWS, [MASKED[0], MASKED[1], MASKED[2]])
    assert a_list.w.tolist() == [[1], [0], [1]]


def test_a_mask_that_hides_nothing_changes_nothing():
    data = NumpyDataset(np.ma.masked_array(ROWS), np.ma.masked_array([1, 2, 3]))
    assert data.y.tolist() == [1, 2, 3] and data.w.tolist() == [1, 1, 1] and np.array_equal(data.X, ROWS)


@pytest.mark.parametrize("missing", [[1.0, None, 3.0], np.array([1.0, None, 3.0], object)])
def test_none_among_labels_is_a_missing_label(missing):
    data = NumpyDataset(ROWS, missing)
    assert data.w.tolist() == [1, 0, 1] and data.y.dtype == np.float64


def test_missing_values_of_pandas_are_missing_labels():
    pandas = pytest.importorskip("pandas")
    for kind in ("Int64", "Float64", "object"):
        assert NumpyDataset(ROWS, pandas.Series([1, pandas.NA, 3], dtype=kind)).w.tolist() == [1, 0, 1]


def model():
    made = models.MultitaskRegressor(1, 2, layer_sizes=[2], seed=0)
    made.fit(NumpyDataset(ROWS, np.arange(3.0)), nb_epoch=1, progress=False)
    return made


HIDDEN = np.ma.masked_array(ROWS.copy(), mask=[[0, 0], [0, 1], [0, 0]])


def tensor():
    return ct.Tensor(ROWS.copy(), requires_grad=True)


def optimizer():
    return ct.optim.Adam(nn.Linear(2, 3))


INDEX = np.ma.masked_array([0, 1, 1], mask=[0, 1, 0])
BITS = np.ma.masked_array(np.ones((3, 8), np.uint8), mask=np.eye(3, 8, dtype=bool))


@pytest.mark.parametrize(
    "use",
    [
        lambda: NumpyDataset(HIDDEN),
        lambda: (
            NumpyDataset(ROWS, None, np.ma.masked_array(np.ones((3, 0)), mask=np.ones((3, 0)))) and NumpyDataset(HIDDEN)
        ),
        lambda: NumpyDataset(ROWS, np.ones(3), np.ma.masked_array([1.0, 2.0, 3.0], mask=[0, 1, 0])),
        lambda: NumpyDataset(ROWS, np.ones(3), None, np.ma.masked_array([1, 2, 3], mask=[0, 1, 0])),
        lambda: SequenceDataset([HIDDEN[0], HIDDEN[1]]),
        lambda: ops.relu(HIDDEN),
        lambda: ops.matmul(HIDDEN, np.ones((2, 2), np.float32)),
        lambda: ops.linear(ROWS, HIDDEN.T, None),
        lambda: ops.tanimoto(BITS, BITS),
        lambda: ops.embedding(np.ma.masked_array([1, 2], mask=[0, 1]), np.ones((3, 2), np.float32)),
        lambda: ct.Tensor(HIDDEN),
        lambda: ct.Tensor([HIDDEN[0], HIDDEN[1]]),
        lambda: model().predict(HIDDEN),
        lambda: metrics.rms_score(np.ones(3), MASKED[:, 0]),
        lambda: metrics.rms_score(MASKED[:, 0], np.ones(3)),
        lambda: trans.undo_transforms(HIDDEN, []),
        lambda: ct.FingerprintIndex(BITS),
        lambda: tensor() * np.ma.masked,
        lambda: tensor()[INDEX],
        lambda: tensor()[:, np.ma.masked_array([True, False], mask=[0, 1])],
        lambda: tensor().relu().backward(HIDDEN),
        lambda: tensor().backward([HIDDEN[0], HIDDEN[1], HIDDEN[2]]),
        lambda: ct.autograd.where(HIDDEN > 0, tensor(), 0.0),
        lambda: nn.functional.embedding(INDEX, tensor()),
        lambda: nn.functional.softmax_cross_entropy(tensor(), INDEX),
        lambda: nn.tf_nn.softmax_cross_entropy_with_logits(HIDDEN, tensor()),
        lambda: nn.GRU(2, 3)(np.ones((3, 4, 2), np.float32), lengths=INDEX + 1),
        lambda: nn.Linear(2, 3).load_state_dict({"w": HIDDEN.T, "b": ROWS[:, 0]}),
        lambda: optimizer().load_state_dict(optimizer().state_dict() | {"m/w": HIDDEN.T}),
    ],
)
def test_what_lies_behind_a_mask_is_refused_where_it_would_be_data(use):
    with pytest.raises(ValueError, match="masked"):
        use()


def test_masked_labels_do_not_reach_a_transformer_or_a_disk(tmp_path):
    assert trans.NormalizationTransformer(transform_y=True, dataset=NumpyDataset(ROWS, MASKED)).means.tolist() == [2]
    stored = DiskDataset.create(tmp_path, [NumpyDataset(ROWS, MASKED)])
    assert stored.w[:].tolist() == [[1], [0], [1]]


@pytest.mark.parametrize("values", [[1e39], [-1e39], [3.5e38], [1.0, 1e300]])
def test_a_label_beyond_float32_is_refused_by_its_place(values):
    with pytest.raises(ValueError, match=rf"y holds .* at row {len(values) - 1}.*float32 ends at 3.4e38"):
        NumpyDataset(np.ones((len(values), 1)), np.array(values))


def test_the_largest_float32_is_a_label():
    largest = float(np.finfo(np.float32).max)
    assert np.float32(NumpyDataset(np.ones((1, 1)), np.array([largest])).y[0]) == np.float32(largest)


@pytest.mark.parametrize("weight", [np.inf, 1e39, np.nan, -1])
def test_weights_that_are_not_finite_are_refused_by_name(weight):
    with pytest.raises(ValueError, match="weights w must be 0 or more, and not NaN or infinite"):
        NumpyDataset(np.ones((2, 1)), np.ones(2), np.array([1.0, weight]))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1 + 2j, "complex"),
        ("1.5", "<U3"),
        (Decimal("1.5"), "a Decimal at row 0"),
        (datetime.date(2020, 1, 1), "a date at row 0"),
        (np.datetime64("2020-01-01"), "datetime64"),
    ],
)
def test_what_is_no_real_number_is_refused(value, words):
    for use in (
        lambda: NumpyDataset(np.ones((1, 1)), [value]),
        lambda: NumpyDataset([value]),
        lambda: metrics.rms_score([value], [1.0]),
        lambda: metrics.rms_score([1.0], [value]),
        lambda: ct.Tensor([value]),
    ):
        with pytest.raises(TypeError, match=words):
            use()


def test_a_sparse_matrix_is_refused_with_what_to_do():
    sparse = pytest.importorskip("scipy.sparse")
    X = sparse.csr_matrix(ROWS)
    ridge = ct.models.RidgeRegression(1, ROWS.shape[1])
    uses = [
        ops.relu,
        ct.Tensor,
        lambda X: NumpyDataset(ROWS, X),
        ridge.predict,
        lambda X: ridge.fit(NumpyDataset(X, X[:, [0]].toarray())),
    ]
    for use in uses:
        with pytest.raises(TypeError, match=r"sparse matrix of SciPy; give \w+( \w+)?\.toarray\(\)"):
            use(X)


def test_chosen_rows_are_numbers_or_a_mask():
    assert rows_of("f", "rows", [0, -1], 4).tolist() == [0, 3]
    assert rows_of("f", "rows", [True, False, True], 3).tolist() == [0, 2]
    assert rows_of("f", "rows", [], 3).dtype == np.int64
    assert rows_of("f", "rows", np.array([2**40], np.uint64), 2**41).tolist() == [2**40]
    with pytest.raises(TypeError, match=r"f: rows must be the numbers of rows, or a mask of them, got \[0.5, 1.0\]"):
        rows_of("f", "rows", [0.5, 1.0], 3)
    with pytest.raises(ValueError, match="f: rows is a mask of 2 rows, but there are 3"):
        rows_of("f", "rows", [True, False], 3)
    with pytest.raises(IndexError, match="f: rows asks for row -4, but there are 3"):
        rows_of("f", "rows", [0, -4], 3)
