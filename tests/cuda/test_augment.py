"""Tests that augmentation is close to float64, and that a device returns the CPU's pixels and labels to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalase as ct
from tests.cuda.agreement import same_as_cpu
from tests.ops.test_augment import GEOMETRY, VALUES
from tests.reference import augment as reference

_EVERYTHING = {
    "flip_horizontal": 0.5, "flip_vertical": 0.5, "rotate90": True, "rotation": 180.0, "shift": (2.0, 3.0), "brightness": 0.3,
    "contrast": 0.5, "noise": 0.1, "limits": (0.1, 0.8), "border": "reflect",
}  # fmt: skip


def _same(backend, x, masks=None, **options):
    labels = None if masks is None else backend.array(masks)
    found = ct.ops.augment_images(backend.array(x), masks=labels, **options)
    expected = ct.ops.augment_images(x, masks=masks, **options)
    if masks is None:
        found, expected = (found,), (expected,)
    assert same_as_cpu(backend.get(found[0]), expected[0])
    for a, b in zip(found[1:], expected[1:], strict=True):
        assert a.dtype == b.dtype and np.array_equal(backend.get(a), b)
    return backend.get(found[0])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    GEOMETRY, VALUES, st.tuples(st.integers(0, 5), st.integers(1, 9), st.integers(1, 9), st.integers(0, 5)), st.booleans(),
    st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.data(),
)  # fmt: skip
def test_agrees_with_float64_and_with_the_cpu(backend, geometry, values, size, as_bytes, seed, step, data):
    rng = np.random.default_rng(seed % 1000)
    if data.draw(st.booleans()):
        geometry["crop"] = (data.draw(st.integers(1, size[1])), data.draw(st.integers(1, size[2])))
    x = rng.integers(0, 256, size, np.uint8) if as_bytes else rng.random(size, np.float32)
    numbers = rng.integers(0, 2**32, size[0])
    dtype = data.draw(st.sampled_from([np.uint8, np.bool_, np.int16, np.float32, np.int64]))
    masks = rng.integers(0, 200, (*size[:3], 2)).astype(dtype)
    y = _same(backend, x, masks, seed=seed, step=step, numbers=numbers, fill=0.25, **geometry, **values)
    if x.size:  # the first image; as many roundings as in tests/ops
        key = seed, int(numbers[0]), step
        u, source = reference.numbers(*key), x[0] / 255 if as_bytes else x[0].astype(np.float64)
        exact = reference.values(reference.geometry(source, u, fill=0.25, **geometry), u, *key, **values)
        assert y[0].shape == exact.shape and np.abs(y[0] - exact).max() < 4e-6
    backend.get(ct.ops.relu(backend.array(np.ones(1, np.float32))))  # what is empty launches nothing


@pytest.mark.parametrize("shape", [(2, 17, 31, 3), (3, 16, 16, 1), (1, 64, 33, 4), (2, 8, 8, 7)], ids=str)
def test_everything_at_once(backend, rng, shape):
    _same(backend, rng.random(shape, np.float32), seed=7, step=2, **_EVERYTHING)
    _same(backend, rng.integers(0, 256, shape, np.uint8), seed=2**63, crop=(5, 7), **_EVERYTHING)


def test_layouts_single_channels_and_nan(backend, rng):
    x = rng.random((3, 6, 7, 4), np.float32)
    x[1, 2, 3] = np.nan
    on = backend.array(x)
    options = {**_EVERYTHING, "seed": 5}
    for view in (
        lambda a: a[:, ::-1, 1:, ::2],
        lambda a: a.transpose(0, 2, 1, 3),
        lambda a: a[..., 1],
        lambda a: a[::2],
    ):
        assert same_as_cpu(
            backend.get(ct.ops.augment_images(view(on), **options)), ct.ops.augment_images(view(x), **options)
        )
    masks = rng.integers(0, 9, (3, 6, 7))
    y, moved = ct.ops.augment_images(on, masks=(backend.array(masks), backend.array(x)), **options)
    expected, cpu = ct.ops.augment_images(x, masks=(masks, x), **options)
    assert same_as_cpu(backend.get(y), expected) and isinstance(moved, tuple)
    for a, b in zip(moved, cpu, strict=True):
        assert a.shape == b.shape and np.array_equal(backend.get(a), b, equal_nan=b.dtype.kind == "f")
    assert same_as_cpu(
        backend.get(ct.ops.augment_images(on, seed=1, random=False, crop=(3, 3))),
        ct.ops.augment_images(x, seed=1, random=False, crop=(3, 3)),
    )
    assert np.array_equal(backend.get(on), x, equal_nan=True)


def test_errors(backend):
    x = backend.array(np.ones((2, 4, 4, 3), np.float32))
    for given_, error, message in (
        (backend.array(np.ones((2, 4, 4))), TypeError, "x must be a float32 or uint8 array, got float64"),
        (backend.array(np.ones((4, 4), np.float32)), ValueError, "a single image is"),
    ):
        with pytest.raises(error, match=message):
            ct.ops.augment_images(given_, seed=0)
    with pytest.raises(ValueError, match=r"masks must have the \(N, H, W\)"):
        ct.ops.augment_images(x, seed=0, masks=x[:, :3])
    assert np.all(backend.get(ct.ops.augment_images(x, seed=0)) == 1)


@pytest.mark.on_a_device
def test_mixtures_are_refused(backend):
    x = backend.array(np.ones((2, 4, 4, 3), np.float32))
    with pytest.raises(TypeError, match=r"augment_images: all arrays must be on one device, got x .* masks numpy"):
        ct.ops.augment_images(x, seed=0, masks=np.ones((2, 4, 4), np.uint8))
    with pytest.raises(TypeError, match="all arrays must be on one device"):
        ct.ops.augment_images(np.ones((2, 4, 4), np.float32), seed=0, masks=x)
    ct.ops.augment_images(x, seed=0)
