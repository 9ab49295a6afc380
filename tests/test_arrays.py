"""Arrays on the way in: nothing that NumPy would drop without a word is dropped."""

import datetime
import decimal

import numpy as np
import pytest

import catalase as ct
from catalase import metrics, nn, ops, trans

X = np.ones((3, 2), np.float32)
MASKED = np.ma.masked_array([[1.0, -9999.0], [2.0, 3.0], [4.0, 5.0]], mask=[[0, 1], [0, 0], [0, 0]]).astype(np.float32)
COLUMN = np.ma.masked_array([1, -9999, 3], mask=[0, 1, 0])


@pytest.mark.parametrize(
    "y", [COLUMN, COLUMN.astype(float), list(COLUMN[:, None]), [1, None, 3], np.array([1, None, 3], object)]
)
def test_labels_that_are_missing_have_weight_0(y):
    data = ct.data.NumpyDataset(X, y)
    assert np.isnan(data.y.ravel()).tolist() == [False, True, False] and data.w.ravel().tolist() == [1, 0, 1]
    assert data.y.ravel()[[0, 2]].tolist() == [1, 3]


def test_pandas_missing_values():
    pd = pytest.importorskip("pandas")
    for y in (pd.Series([1, None, 3], dtype="Int64"), pd.DataFrame({"y": pd.array([1.5, pd.NA, 3], dtype="Float64")})):
        assert ct.data.NumpyDataset(X, y).w.ravel().tolist() == [1, 0, 1]
    with pytest.raises(TypeError, match=r"X must be an array of numbers.*a missing value at row 1"):
        ct.data.NumpyDataset(pd.Series([1, None, 3], dtype="Int64"))


def test_masked_arrays_without_masked_elements_are_arrays():
    plain = np.ma.masked_array(X, mask=False)
    data = ct.data.NumpyDataset(plain, np.ma.masked_array([1.0, 2.0, 3.0]))
    assert type(data.X) is type(data.y) is np.ndarray and data.w.tolist() == [1, 1, 1]
    assert type(ops.relu(plain)) is np.ndarray


REFUSED = {
    "X": lambda: ct.data.NumpyDataset(MASKED),
    "X as a list of rows": lambda: ct.data.NumpyDataset(list(MASKED)),
    "w": lambda: ct.data.NumpyDataset(X, [1, 2, 3], w=COLUMN),
    "ids": lambda: ct.data.NumpyDataset(X, ids=COLUMN),
    "Tensor": lambda: ct.Tensor(MASKED),
    "Tensor of a list": lambda: ct.Tensor(list(MASKED)),
    "relu": lambda: ops.relu(MASKED),
    "linear": lambda: ops.linear(MASKED, np.ones((2, 2), np.float32)),
    "linear's weights": lambda: ops.linear(X, MASKED[:2]),
    "matmul": lambda: ops.matmul(X[:2], MASKED[:2]),
    "labels": lambda: ops.softmax_cross_entropy(X, COLUMN),
    "tanimoto": lambda: ops.tanimoto(np.ma.masked_array([[1, 2]], [[0, 1]], np.uint8), np.ones((1, 2), np.uint8)),
    "index": lambda: ct.FingerprintIndex(np.ma.masked_array([[1, 2]], [[0, 1]], np.uint8)),
    "ids of embedding": lambda: ops.embedding(COLUMN % 2, X),
    "images": lambda: ops.augment_images(np.ma.masked_array(np.zeros((1, 2, 2, 1), np.float32), True), seed=0),
    "loss": lambda: nn.losses.L2Loss()(ct.Tensor(X), MASKED),
    "predict": lambda: ct.models.MultitaskRegressor(1, 2, seed=0).predict(MASKED),
    "rms_score": lambda: metrics.rms_score(COLUMN, [1, 2, 3]),
    "y_pred": lambda: metrics.Metric(metrics.rms_score).compute_metric([1, 2, 3], COLUMN),
    "sample_weight": lambda: metrics.rms_score([1, 2, 3], [1, 2, 3], sample_weight=COLUMN),
    "select": lambda: ct.data.NumpyDataset(X).select(COLUMN),
    "select of sequences": lambda: ct.data.SequenceDataset([[1], [2]]).select(COLUMN),
    "where": lambda: ct.autograd.where(MASKED > 1, ct.Tensor(X), 0.0),
    "backward": lambda: ct.Tensor(X, requires_grad=True).relu().backward(MASKED),
    "undo_transforms": lambda: trans.undo_transforms(COLUMN, []),
    "sequences": lambda: ct.data.SequenceDataset([COLUMN, [1]]),
    "weights of steps": lambda: ct.data.SequenceDataset([[1, 2, 3]], [[1, 2, 3]], [COLUMN], per_step=True),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_masked_elements_are_refused_in_a_sentence(name):
    with pytest.raises(ValueError, match=r"masked array with \d masked elements, the first at row"):
        REFUSED[name]()


def test_a_metric_leaves_masked_labels_out():
    y = np.ma.masked_array([1.0, -9999.0, 3.0], mask=[0, 1, 0])
    assert metrics.Metric(metrics.rms_score).compute_metric(y, [1.0, 5.0, 3.0]) == 0


def test_masked_labels_of_steps_are_missing():
    data = ct.data.SequenceDataset([[1, 2, 3]], [COLUMN], per_step=True)
    assert data.w.values.tolist() == [1, 0, 1]


def test_a_dataset_on_disk_takes_no_masked_array(tmp_path):
    class Rows(ct.data.NumpyDataset):
        pass

    rows = Rows(X)
    rows.X = MASKED
    with pytest.raises(ValueError, match="DiskDataset: X is a masked array"):
        ct.data.DiskDataset.create(tmp_path / "d", [rows])


@pytest.mark.parametrize(
    "values, words",
    [
        ([1 + 2j, 1, 1], "complex numbers"),
        (["1", "2", "3"], "numbers, got <U1"),
        (["1_5", "2", "3"], "numbers, got <U3"),
        (np.array(["2020-01-01"] * 3, "M8[D]"), "datetime64"),
        ([decimal.Decimal(1)] * 3, "a Decimal at row 0"),
        ([1.0, datetime.date(2020, 1, 1), 2.0], "a date at row 1"),
        ([[1, 2], [1], [2]], "rows of different lengths"),
    ],
)
def test_what_is_no_number_is_refused_wherever_arrays_come_in(values, words):
    calls = (
        lambda: ct.data.NumpyDataset(values),
        lambda: ct.data.NumpyDataset(X, values),
        lambda: ct.data.NumpyDataset(X, [1, 2, 3], values),
        lambda: ct.Tensor(values),
        lambda: metrics.rms_score(values, [1, 2, 3]),
        lambda: metrics.rms_score([1, 2, 3], values),
        lambda: metrics.rms_score([1, 2, 3], [1, 2, 3], sample_weight=values),
        lambda: metrics.Metric(metrics.rms_score).compute_metric(values, [1, 2, 3]),
        lambda: nn.losses.L2Loss()(ct.Tensor(X), values),
    )
    for call in calls:
        with pytest.raises(TypeError, match=words):
            call()


def test_sparse_matrices_are_refused_with_advice_that_fits():
    sparse = pytest.importorskip("scipy.sparse").csr_matrix(X)
    for call in (lambda: ct.data.NumpyDataset(sparse), lambda: ct.Tensor(sparse), lambda: ops.relu(sparse)):
        with pytest.raises(TypeError, match=r"sparse matrix of SciPy; give .*\.toarray\(\)"):
            call()


def test_labels_beyond_float32_are_refused_with_their_place():
    with pytest.raises(ValueError, match=r"y holds 1e\+39 at row 1, column 0, but float32 ends at 3.4e38"):
        ct.data.NumpyDataset(X, [[1.0], [1e39], [2.0]])
    assert ct.data.NumpyDataset(X, [1e-60, 3.4028235e38, np.nan]).w.tolist() == [1, 1, 0]


@pytest.mark.parametrize("weight", [np.inf, 1e39, np.nan, -1])
def test_weights_that_are_none_are_refused_by_name(weight):
    with pytest.raises(ValueError, match="weights w must be 0 or more, and not NaN or infinite"):
        ct.data.NumpyDataset(X, [1, 2, 3], [1, weight, 1])
    with pytest.raises(ValueError, match="weights w must be 0 or more, and not NaN or infinite"):
        ct.data.SequenceDataset([[1, 2, 3]], [[1, 2, 3]], [[1, weight, 1]], per_step=True)


def test_names_of_tasks_from_numpy_can_be_saved(tmp_path):
    data = ct.data.NumpyDataset(X, np.ones((3, 2)), tasks=np.array(["a", "b"]))
    assert [type(task) for task in data.tasks] == [str, str]
    made = ct.data.DiskDataset.create(tmp_path / "d", [data], tasks=np.array(["a", "b"]))
    assert made.tasks == ["a", "b"]
