"""Tests of datasets in memory and on disk: shapes, missing labels, batches, and altered files."""

from __future__ import annotations

import numpy as np
import pytest

from catalase.data import CSVLoader, DiskDataset, DiskWriter, NumpyDataset


def make(n=10, tasks=2):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (n, tasks)).astype(np.float32)
    if n > 3:
        y[3, 0] = np.nan
    return NumpyDataset(rng.random((n, 4)).astype(np.float32), y, ids=np.array([f"m{i}" for i in range(n)]))


def test_arrays_are_taken_without_a_copy():
    X, y, w = np.ones((3, 2), np.float32), np.zeros((3, 1)), np.ones((3, 1))
    data = NumpyDataset(X, y, w)
    assert data.X is X and data.y is y and data.w is w and data.ids.tolist() == [0, 1, 2]
    assert data.get_shape() == ((3, 2), (3, 1), (3, 1), (3,)) and data.get_task_names() == [0]


def test_missing_labels_get_weight_zero():
    data = make()
    assert data.w[3, 0] == 0 and data.w.sum() == 19 and np.isnan(data.y[3, 0])
    w = np.full((10,), 2.0)
    weighted = NumpyDataset(data.X, data.y, w)
    assert weighted.w[3].tolist() == [0, 2] and np.all(w == 2), "the caller's array is not changed"
    assert NumpyDataset(data.X).y.shape == (10, 0)


@pytest.mark.parametrize(
    "arguments, kind, words",
    [
        ((np.ones((3, 2)), np.ones(2)), ValueError, "X has 3 rows but y has shape"),
        ((np.ones((3, 2)), np.ones(3), np.ones((3, 2))), ValueError, "w must have the shape of y"),
        ((np.ones((3, 2)), np.ones(3), np.array([1, -1, 1.0])), ValueError, "0 or more"),
        ((np.ones((3, 2)), np.ones(3), np.array([1, np.nan, 1.0])), ValueError, "not NaN"),
        ((np.array([[1], [1, 2]], object),), TypeError, "Python objects"),
        ((np.array(["a", "b"]),), TypeError, "numbers"),
        ((np.float32(3),), ValueError, "must have rows"),
        ((np.ones((3, 2)), np.ones((3, 2)), None, None, ["a"]), ValueError, "1 task names for 2 columns"),
    ],
)
def test_bad_input(arguments, kind, words):
    with pytest.raises(kind, match=words):
        NumpyDataset(*arguments)


def test_batches():
    data = make(10)
    sizes = [len(X) for X, *_ in data.iterbatches(4)]
    assert sizes == [4, 4, 2] and [len(X) for X, *_ in data.iterbatches(100)] == [10]
    assert np.array_equal(np.concatenate([ids for *_, ids in data.iterbatches(3, deterministic=True)]), data.ids)
    orders = [np.concatenate([ids for *_, ids in data.iterbatches(3, seed=s)]).tolist() for s in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2] and sorted(orders[0]) == sorted(data.ids)
    *_, (X, _, w, _) = data.iterbatches(4, deterministic=True, pad_batches=True)
    assert len(X) == 4 and not w[2:].any() and w[:2].all()
    assert sum(1 for _ in data.iterbatches(5, epochs=3)) == 6
    with pytest.raises(ValueError, match="batch_size must be 1 or more"):
        next(data.iterbatches(0))
    assert list(make(0).iterbatches(5)) == [] and len(list(data.itersamples())) == 10


def test_select():
    part = make().select([3, 1])
    assert part.ids.tolist() == ["m3", "m1"] and part.w[0, 0] == 0 and len(make().select([])) == 0


def test_disk_dataset_round_trip(tmp_path):
    data = make(300)
    disk = DiskDataset.create(tmp_path / "d", [data.select(range(200)), data.select(range(200, 300))], extra={"k": 1})
    again = DiskDataset(tmp_path / "d")
    for name in ("X", "y", "w", "ids"):
        assert np.array_equal(getattr(again, name), getattr(data, name), equal_nan=name == "y"), name
    assert len(disk) == 300 and again.extra == {"k": 1} and again.select([0]).ids[0] == "m0"
    again._columns.clear()
    DiskDataset.create(tmp_path / "d", [data.select(range(5))])
    assert len(DiskDataset(tmp_path / "d")) == 5
    assert np.array_equal(again.X, data.X) and len(disk) == 300  # who has it open reads on
    del disk, again
    DiskDataset.create(tmp_path / "d", [data.select(range(4))])
    assert len(list((tmp_path / "d").glob("*.npy"))) == 4 and len(list((tmp_path / "d").iterdir())) == 5


def test_weights_on_disk_are_read_only_or_a_change_is_seen_by_all(tmp_path):
    data = make(300)
    one = DiskDataset.create(tmp_path / "one", [data])
    with pytest.raises(ValueError, match="read-only"):
        one.w[0] = 0
    several = DiskDataset.create(tmp_path / "several", [data.select(range(200)), data.select(range(200, 300))])
    several.w[:2] = 7
    weights = next(iter(several.iterbatches(4, deterministic=True)))[2]
    assert (several.w[:2] == 7).all() and (weights[:2] == 7).all() and not (weights[2:] == 7).any()


def test_a_shard_or_manifest_that_was_altered_is_seen(tmp_path):
    DiskDataset.create(tmp_path / "d", [make(50)])
    shard = next((tmp_path / "d").glob("X-*.npy"))
    good = shard.read_bytes()
    for bad in (good[:-1], good[:200] + bytes([good[200] ^ 1]) + good[201:], b""):
        shard.write_bytes(bad)
        with pytest.raises(ValueError, match="altered or cut short"):
            _ = DiskDataset(tmp_path / "d").X
    shard.unlink()
    with pytest.raises(ValueError, match="is missing"):
        _ = DiskDataset(tmp_path / "d").X
    manifest = tmp_path / "d" / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace("X-00000", "../../X-00000"))
    with pytest.raises(ValueError, match=r"manifest\.json"):
        DiskDataset(tmp_path / "d")
    with pytest.raises(FileNotFoundError, match=r"no manifest\.json"):
        DiskDataset(tmp_path / "elsewhere")


def test_objects_are_never_written(tmp_path):
    data = make(3)
    data.ids = np.array([object()] * 3, dtype=object)
    with pytest.raises(TypeError, match="Python objects"):
        DiskDataset.create(tmp_path / "d", [data])


@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_a_damaged_shard_is_replaced_when_the_dataset_is_made_again(tmp_path, damage):
    data = make()
    DiskDataset.create(tmp_path, [data])
    shard = next(tmp_path.glob("X-*"))
    content = shard.read_bytes()
    if damage == "gone":
        shard.unlink()
    else:
        shard.write_bytes(content[:-8] if damage == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match="make the dataset again"):
        DiskDataset(tmp_path).verify()
    assert np.array_equal(DiskDataset.create(tmp_path, [data]).X, data.X)


def test_shards_of_unequal_form_are_refused(tmp_path):
    one, two = NumpyDataset(np.ones((2, 3), np.float32)), NumpyDataset(np.ones((2, 4), np.float32))
    with pytest.raises(ValueError, match=r"X of shard 1 has rows of shape \(4,\)"):
        DiskDataset.create(tmp_path, [one, two])
    assert not (tmp_path / "manifest.json").exists()


def test_selected_rows_are_copies():
    X = np.arange(12.0).reshape(6, 2)
    whole = NumpyDataset(X, np.arange(6.0))
    for rows in ([2, 3, 4], [5], [4, 3], [0, 2], [1, 1], [-1]):
        part = whole.select(rows)
        assert np.array_equal(part.X, X[rows]) and part.ids.tolist() == whole.ids[rows].tolist()
        assert not any(np.shares_memory(getattr(part, name), getattr(whole, name)) for name in ("X", "y", "w"))
    assert len(whole.select([])) == 0
    for beyond in ([5, 6], [6], range(4, 9)):
        with pytest.raises(IndexError):
            whole.select(beyond)


@pytest.mark.parametrize("wrong", ["ab", b"ab", {"a": 1}, 3, [None, "a"], [["a"], "b"]])
def test_tasks_that_are_no_list_of_names_are_refused_by_whoever_takes_them(wrong, tmp_path):
    data = make(tasks=2)
    for function, use in (
        ("NumpyDataset", lambda: NumpyDataset(data.X, data.y, tasks=wrong)),
        ("CSVLoader", lambda: CSVLoader(wrong, None)),
        ("DiskDataset.create", lambda: DiskDataset.create(tmp_path / "d", [data], tasks=wrong)),
        ("DiskWriter", lambda: DiskWriter(tmp_path / "d", tasks=wrong)),
    ):
        with pytest.raises(TypeError, match=f"{function}: tasks must be a list of (column )?names, got "):
            use()


def test_names_of_tasks_may_come_from_numpy_and_be_numbers():
    data = make(tasks=2)
    for given, names in ((np.array(["a", "b"]), ["a", "b"]), (np.arange(2), [0, 1]), (("a", np.str_("b")), ["a", "b"])):
        found = NumpyDataset(data.X, data.y, tasks=given).tasks
        assert found == names and [type(name) for name in found] == [type(name) for name in names]
