"""Tests of augmentation against a float64 reference that does one step after the other; keys, threads, masks, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase.ops import augment_images
from tests.reference import augment as reference

GEOMETRY = st.fixed_dictionaries(
    {},
    optional={
        "flip_horizontal": st.sampled_from([0.5, 1.0]),
        "flip_vertical": st.sampled_from([0.5, 1.0]),
        "rotate90": st.booleans(),
        "rotation": st.sampled_from([0.0, 10.0, 180.0]),
        "shift": st.sampled_from([(0.0, 0.0), (2.0, 1.5), (9.0, 0.0)]),
        "border": st.sampled_from(["constant", "edge", "reflect"]),
    },
)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "brightness": st.just(0.3),
        "contrast": st.just(0.5),
        "noise": st.just(0.1),
        "limits": st.just((0.1, 0.8)),
    },
)


@settings(max_examples=40, deadline=None)
@given(
    GEOMETRY,
    VALUES,
    st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 4)),
    st.booleans(),
    st.integers(0, 2**64 - 1),
    st.data(),
)
def test_against_the_reference(geometry, values, size, as_bytes, seed, data):
    height, width, _ = size
    if data.draw(st.booleans()):
        geometry["crop"] = (data.draw(st.integers(1, height)), data.draw(st.integers(1, width)))
    rng = np.random.default_rng(seed % 1000)
    x = rng.integers(0, 256, (2, *size), np.uint8) if as_bytes else rng.random((2, *size), np.float32)
    y = augment_images(x, seed=seed, step=3, numbers=[5, 2**32 - 1], fill=0.25, **geometry, **values)
    masks = rng.integers(0, 9, (2, height, width), np.int32)
    _, moved = augment_images(x, seed=seed, step=3, numbers=[5, 2**32 - 1], masks=masks, fill=0.25, **geometry)
    assert y.dtype == np.float32 and moved.dtype == np.int32
    for i, number in enumerate((5, 2**32 - 1)):
        u = reference.numbers(seed, number, 3)
        source = x[i] / 255 if as_bytes else x[i].astype(float)
        expected = reference.geometry(source, u, fill=0.25, **geometry)
        expected = reference.values(expected, u, seed, number, 3, **values)
        # Blending: some 8 roundings of values below 1; the noise: 1e-6 of its deviation.
        assert y[i].shape == expected.shape and np.abs(y[i] - expected).max() < 4e-6
        nearest = reference.geometry(masks[i][..., None], u, nearest=True, **geometry)[..., 0]
        sure = ~np.isnan(nearest)
        assert np.array_equal(moved[i][sure], nearest[sure])


EVERYTHING = {
    "flip_horizontal": 0.5, "rotate90": True, "rotation": 30, "shift": 2, "crop": (17, 16), "brightness": 0.2,
    "contrast": 0.4, "noise": 0.1, "limits": (0, 1), "border": "reflect",
}  # fmt: skip


def test_bits_depend_on_seed_step_and_number_alone(backend, rng):
    x = rng.random((9, 19, 19, 3), np.float32)
    before = ct.get_num_threads()
    ct.set_num_threads(1)
    whole = augment_images(x, seed=1, step=2, **EVERYTHING)
    ct.set_num_threads(2)
    order = rng.permutation(9)
    assert np.array_equal(augment_images(x[order], seed=1, step=2, numbers=order, **EVERYTHING), whole[order])
    assert np.array_equal(augment_images(x[4:5], seed=1, step=2, numbers=[4], **EVERYTHING)[0], whole[4])
    ct.set_num_threads(before)
    for other in ({"seed": 2, "step": 2}, {"seed": 1, "step": 3}):
        assert not np.array_equal(augment_images(x, **other, **EVERYTHING), whole)


def test_levels_agree(rng):
    x = rng.random((3, 19, 19, 3), np.float32)
    levels = ct._core.build_info()["cpu_levels"]
    before, found = ct._core.get_cpu_level(), {}
    for level in levels:
        ct._core.set_cpu_level(level)
        found[level] = [augment_images(x, seed=1, **{**EVERYTHING, "noise": noise}) for noise in (0, 0.1)]
    ct._core.set_cpu_level(before)
    for level in levels:
        assert np.array_equal(found[level][0], found["portable"][0])
        assert np.abs(found[level][1] - found["portable"][1]).max() < 1e-6
    if "avx512" in found:
        assert np.array_equal(found["avx512"][1], found["avx2"][1])


def test_without_rotation_pixels_are_copied(rng):
    x = rng.integers(0, 256, (64, 6, 6, 1), np.uint8)
    plain = (x / np.float32(255)).astype(np.float32)
    y = augment_images(x, seed=3, flip_horizontal=0.5, flip_vertical=0.5, rotate90=True)
    seen = set()
    for a, b in zip(plain[..., 0], y[..., 0], strict=True):
        a = (a.astype(np.float64) * 255).round()
        b = (b.astype(np.float64) * 255).round()
        turned = [np.rot90(a[:, ::step], k) for step in (1, -1) for k in range(4)]
        (which,) = [i for i, t in enumerate(turned) if np.array_equal(t, b)]
        seen.add(which)
    assert seen == set(range(8))


def test_noise_is_normal(backend):
    y = augment_images(np.zeros((40, 50, 50), np.float32), seed=9, noise=2.0).astype(float) / 2
    n = y.size
    assert abs(y.mean()) < 5 / np.sqrt(n) and abs(y.var() - 1) < 5 * np.sqrt(2 / n)
    assert abs((y**3).mean()) < 5 * np.sqrt(15 / n) and abs((y**4).mean() - 3) < 5 * np.sqrt(96 / n)
    assert 4 < np.abs(y).max() < 6.1 and abs((y[:, :, 1:] * y[:, :, :-1]).mean()) < 5 / np.sqrt(n)


def test_without_randomness_only_the_crop_from_the_middle(rng):
    x = rng.random((2, 7, 8, 2), np.float32)
    settings_ = {**EVERYTHING, "crop": (4, 5)}
    y, masks = augment_images(x, seed=1, masks=x, random=False, **settings_)
    assert np.array_equal(y, x[:, 1:5, 1:6]) and np.array_equal(masks, y)
    assert np.array_equal(augment_images(x, seed=1), x)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "float32", "int64", "float64"])
def test_masks_of_every_item_size(dtype, rng):
    x, masks = rng.random((3, 9, 9), np.float32), rng.integers(0, 2, (3, 9, 9, 2)).astype(dtype)
    _, (moved, again) = augment_images(x, seed=5, masks=(masks, masks[..., 0]), rotation=90, shift=3)
    assert moved.dtype == dtype and moved.shape == masks.shape and np.array_equal(moved[..., 0], again)


def test_odd_layouts(rng):
    x = rng.random((4, 12, 10, 3), np.float32)
    whole = augment_images(x, seed=1, rotation=20)
    for view in (x[::-1][::-1], np.asfortranarray(x), np.repeat(x, 2, axis=2)[:, :, ::2]):
        assert np.array_equal(augment_images(view, seed=1, rotation=20), whole)
    raw = np.zeros(x.nbytes + 1, np.uint8)
    misaligned = np.ndarray(x.shape, np.float32, raw, offset=1)
    misaligned[:] = x
    frozen = x.copy()
    frozen.flags.writeable = False
    for view in (misaligned, frozen):
        assert np.array_equal(augment_images(view, seed=1, rotation=20), whole)


def test_nothing_to_do():
    assert augment_images(np.zeros((0, 3, 4, 2), np.float32), seed=0).shape == (0, 3, 4, 2)
    assert augment_images(np.zeros((2, 3, 4, 0), np.uint8), seed=0).shape == (2, 3, 4, 0)
    nan = augment_images(np.full((1, 3, 3), np.nan, np.float32), seed=0, limits=(0, 1), rotation=3, border="edge")
    assert np.isnan(nan).all()


@pytest.mark.parametrize(
    "x, options, kind, words",
    [
        (np.zeros((1, 2, 2)), {}, TypeError, "float32 or uint8 array, got float64"),
        ([[1]], {}, TypeError, "got list"),
        (np.zeros((2, 2), np.uint8), {}, ValueError, r"a single image is x\[None\]"),
        (np.zeros((1, 0, 2), np.uint8), {}, ValueError, "with pixels"),
        (None, {"crop": (3, 5)}, ValueError, "from 1 x 1 to the images' 4 x 4, got 3 x 5"),
        (None, {"crop": (0, 1)}, ValueError, "got 0 x 1"),
        (None, {"flip_vertical": 1.5}, ValueError, "flip_vertical must be from 0 to 1"),
        (None, {"noise": -1}, ValueError, "noise must be 0 or more"),
        (None, {"noise": np.nan}, ValueError, "noise must be 0 or more"),
        (None, {"rotation": 200}, ValueError, "rotation must be from 0 to 180"),
        (None, {"shift": (-1, 0)}, ValueError, "shift must be from 0 to below"),
        (None, {"border": "wrap"}, ValueError, "'constant', 'edge' or 'reflect', got 'wrap'"),
        (None, {"limits": (1, 0)}, ValueError, r"limits must be \(smallest, largest\)"),
        (None, {"numbers": [1, 2]}, ValueError, "numbers must be 3 whole numbers"),
        (None, {"numbers": [-1, 2, 3]}, ValueError, "numbers must be from 0"),
        (None, {"seed": -1}, ValueError, "seed must be 0 or more"),
        (None, {"masks": np.zeros((3, 4, 5), np.uint8)}, ValueError, "masks must have the"),
        (None, {"masks": np.zeros((3, 4, 4), complex)}, TypeError, "masks must be an array of uint8"),
    ],
)
def test_bad_arguments(x, options, kind, words):
    with pytest.raises(kind, match=words):
        augment_images(np.zeros((3, 4, 4), np.float32) if x is None else x, **{"seed": 0, **options})
