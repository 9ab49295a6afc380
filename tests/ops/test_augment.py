"""Tests of augmentation against a float64 reference that does one step after the other; keys, threads, masks, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase.ops import augment_images
from tests.agreement import same_as_cpu
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


def same(backend, x, masks=(), **options):
    """The images, when they and every mask are the CPU's to the bit."""
    on, alone = tuple(map(backend.array, masks)), len(masks) == 1  # a mask alone is given and returned as it is
    expected, cpu = augment_images(x, masks=masks, **options)
    y, moved = augment_images(backend.array(x), masks=on[0] if alone else on, **options)
    y, moved = backend.get(y), (moved,) if alone else moved
    assert same_as_cpu(y, expected) and isinstance(moved, tuple)
    for a, b in zip(moved, cpu, strict=True):
        assert a.dtype == b.dtype and np.array_equal(backend.get(a), b, equal_nan=b.dtype.kind == "f")
    return y, list(map(backend.get, moved))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    GEOMETRY, VALUES, st.tuples(st.integers(0, 5), st.integers(1, 9), st.integers(1, 9), st.integers(0, 5)), st.booleans(),
    st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.sampled_from([np.uint8, np.bool_, np.int16, np.float32, np.int64]),
    st.data(),
)  # fmt: skip
def test_against_the_reference_and_the_cpu(backend, geometry, values, size, as_bytes, seed, step, dtype, data):
    if data.draw(st.booleans()):
        geometry["crop"] = (data.draw(st.integers(1, size[1])), data.draw(st.integers(1, size[2])))
    rng = np.random.default_rng(seed % 1000)
    x = rng.integers(0, 256, size, np.uint8) if as_bytes else rng.random(size, np.float32)
    masks = rng.integers(0, 2 if dtype is np.bool_ else 100, (*size[:3], 2)).astype(dtype)
    numbers = rng.integers(0, 2**32, size[0])
    numbers[:1] = 2**32 - 1
    y, (moved,) = same(backend, x, (masks,), seed=seed, step=step, numbers=numbers, fill=0.25, **geometry, **values)
    assert y.dtype == np.float32 and moved.dtype == dtype
    for i, number in enumerate(map(int, numbers[:2])):
        u = reference.numbers(seed, number, step)
        source = x[i] / 255 if as_bytes else x[i].astype(float)
        expected = reference.values(
            reference.geometry(source, u, fill=0.25, **geometry), u, seed, number, step, **values
        )
        # Blending: some 8 roundings of values below 1; the noise: 1e-6 of its deviation.
        assert y[i].shape == expected.shape and np.abs(y[i] - expected).max(initial=0) < 4e-6
        nearest = reference.geometry(masks[i], u, nearest=True, **geometry)
        sure = ~np.isnan(nearest)
        assert np.array_equal(moved[i][sure], nearest[sure])
    backend.get(ct.ops.relu(backend.array(np.ones(1, np.float32))))  # what is empty launches nothing


EVERYTHING = {
    "flip_horizontal": 0.5, "rotate90": True, "rotation": 30, "shift": 2, "crop": (17, 16), "brightness": 0.2,
    "contrast": 0.4, "noise": 0.1, "limits": (0, 1), "border": "reflect",
}  # fmt: skip


@pytest.mark.on_a_device
@pytest.mark.parametrize("shape", [(2, 17, 31, 3), (3, 16, 16, 1), (1, 64, 33, 4), (2, 8, 8, 7)], ids=str)
def test_everything_at_once(backend, rng, shape):
    options = {**EVERYTHING, "flip_vertical": 0.5, "rotation": 180.0, "shift": (2.0, 3.0), "brightness": 0.3}
    options = {**options, "contrast": 0.5, "limits": (0.1, 0.8), "crop": (5, 7)}
    same(backend, rng.integers(0, 256, shape, np.uint8), seed=2**63, **options)
    del options["crop"]
    same(backend, rng.random(shape, np.float32), seed=7, step=2, **options)


@pytest.mark.on_the_cpu
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


@pytest.mark.on_the_cpu
def test_noise_is_normal(backend):
    y = augment_images(np.zeros((40, 50, 50), np.float32), seed=9, noise=2.0).astype(float) / 2
    n = y.size
    assert abs(y.mean()) < 5 / np.sqrt(n) and abs(y.var() - 1) < 5 * np.sqrt(2 / n)
    assert abs((y**3).mean()) < 5 * np.sqrt(15 / n) and abs((y**4).mean() - 3) < 5 * np.sqrt(96 / n)
    assert 4 < np.abs(y).max() < 6.1 and abs((y[:, :, 1:] * y[:, :, :-1]).mean()) < 5 / np.sqrt(n)


def test_without_randomness_only_the_crop_from_the_middle(backend, rng):
    x = rng.random((2, 7, 8, 2), np.float32)
    y, (masks,) = same(backend, x, (x,), seed=1, random=False, **{**EVERYTHING, "crop": (4, 5)})
    assert np.array_equal(y, x[:, 1:5, 1:6]) and np.array_equal(masks, y)
    assert np.array_equal(backend.run(augment_images, x, seed=1), x)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "float32", "int64", "float64"])
def test_masks_of_every_item_size(dtype, rng):
    x, masks = rng.random((3, 9, 9), np.float32), rng.integers(0, 2, (3, 9, 9, 2)).astype(dtype)
    _, (moved, again) = augment_images(x, seed=5, masks=(masks, masks[..., 0]), rotation=90, shift=3)
    assert moved.dtype == dtype and moved.shape == masks.shape and np.array_equal(moved[..., 0], again)


def test_layouts_and_nan(backend, rng):
    x = rng.random((3, 6, 7, 4), np.float32)
    x[1, 2, 3] = np.nan
    on, options = backend.array(x), {**EVERYTHING, "flip_vertical": 0.5, "rotation": 180, "crop": (5, 3), "seed": 5}
    for view in (
        lambda a: a[:, ::-1, 1:, ::2],
        lambda a: a.transpose(0, 2, 1, 3),
        lambda a: a[..., 1],
        lambda a: a[::2],
    ):
        assert same_as_cpu(backend.get(augment_images(view(on), **options)), augment_images(view(x).copy(), **options))
    same(backend, x, (rng.integers(0, 9, (3, 6, 7)), x), **options)
    assert np.array_equal(backend.get(on), x, equal_nan=True), "the input is as it was"


def test_misaligned_and_read_only_input(rng):
    x = rng.random((4, 12, 10, 3), np.float32)
    whole = augment_images(x, seed=1, rotation=20)
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


@pytest.mark.at_one_level
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
def test_bad_arguments(backend, x, options, kind, words):
    good = backend.array(np.ones((3, 4, 4), np.float32))
    options = {name: backend.array(v) if isinstance(v, np.ndarray) else v for name, v in options.items()}
    with pytest.raises(kind, match=words):
        augment_images(
            good if x is None else backend.array(x) if isinstance(x, np.ndarray) else x, **{"seed": 0, **options}
        )
    assert np.all(backend.get(augment_images(good, seed=0)) == 1)


@pytest.mark.on_a_device
def test_mixtures_are_refused(backend):
    x = backend.array(np.ones((2, 4, 4, 3), np.float32))
    with pytest.raises(TypeError, match=r"augment_images: all arrays must be on one device, got x .* masks numpy"):
        augment_images(x, seed=0, masks=np.ones((2, 4, 4), np.uint8))
    with pytest.raises(TypeError, match="all arrays must be on one device"):
        augment_images(np.ones((2, 4, 4), np.float32), seed=0, masks=x)
    augment_images(x, seed=0)
