"""A convolution is checked once for calls with the same types, shapes and options, and each other call is checked anew."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import catalase as ct
from catalase.ops import conv as conv_module

HOME = str(Path(ct.__file__).parent)


def arrays(dtype=np.float32):
    rng = np.random.default_rng(0)
    return tuple(rng.standard_normal(shape).astype(dtype) for shape in ((2, 6, 6, 2), (3, 3, 2, 4), (4,)))


def files(call):
    """The files of the package that a call walks through, when it comes for the third time."""
    found = set()

    def note(frame, event, argument):
        if event == "call" and frame.f_code.co_filename.startswith(HOME):
            found.add(frame.f_code.co_filename[len(HOME) + 1 :])

    call(), call()
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return found


@pytest.mark.parametrize(
    "options",
    [{}, {"stride": 2, "activation": "relu"}, {"stride": (2, 1), "padding": 1}, {"padding": [(1, 0), (0, 1)]}],
)
def test_the_next_call_has_the_bits_of_the_first(monkeypatch, options):
    monkeypatch.setattr(conv_module, "_plans", {})
    x, w, b = arrays()
    first, again = ct.ops.conv2d(x, w, b, **options), ct.ops.conv2d(x, w, b, **options)
    assert first.tobytes() == again.tobytes()
    assert len(conv_module._plans) == (0 if isinstance(options.get("padding"), list) else 1)
    gradients = [ct.ops.conv2d_backward(first, x, w, first, **options) for _ in range(2)]
    assert all(a.tobytes() == b.tobytes() for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize(
    "options",
    [{"stride": True}, {"dilation": 1.0}, {"groups": True}, {"stride": (True, 1)}],
)
def test_an_option_of_another_type_is_refused_though_it_is_equal_to_one_that_was_checked(options):
    x, w, b = arrays()
    for stride in (1, (1, 1)):
        ct.ops.conv2d(x, w, b, stride=stride), ct.ops.conv2d(x, w, b, stride=stride)
    with pytest.raises(TypeError, match="conv2d: " + next(iter(options))):
        ct.ops.conv2d(x, w, b, **options)


def test_arrays_of_another_type_dtype_or_shape_are_refused_after_a_call_that_was_right():
    x, w, b = arrays()
    ct.ops.conv2d(x, w, b), ct.ops.conv2d(x, w, b)
    with pytest.raises(TypeError, match="one dtype"):
        ct.ops.conv2d(x, w.astype(np.float64), b)
    with pytest.raises(TypeError, match="must be float32"):
        ct.ops.conv2d(x.astype(np.float16), w, b)
    with pytest.raises(ValueError, match="masked"):
        ct.ops.conv2d(np.ma.masked_array(x, x > 0), w, b)
    with pytest.raises(TypeError, match="must be a NumPy array"):
        ct.ops.conv2d(x.tolist(), w, b)
    with pytest.raises(ValueError, match="b must have shape"):
        ct.ops.conv2d(x, w, b[:3])
    with pytest.raises(TypeError, match="no option output_size"):
        ct.ops.conv2d_backward(x, x, w, x, output_size=3)


def test_no_more_plans_are_kept_than_their_bound(monkeypatch):
    monkeypatch.setattr(conv_module, "_MOST_PLANS", 3)
    monkeypatch.setattr(conv_module, "_plans", {})
    x, w, b = arrays()
    for rows in range(10):
        assert ct.ops.conv2d(np.repeat(x[:1], rows, 0), w, b).shape == (rows, 6, 6, 4)
        assert len(conv_module._plans) <= 3


def test_a_call_walks_through_three_files():
    x, w, b = arrays()
    assert files(lambda: ct.ops.conv2d(x, w, b, activation="relu")) == {
        "ops/conv.py",
        "backends/cpu.py",
        "backends/base.py",
    }
