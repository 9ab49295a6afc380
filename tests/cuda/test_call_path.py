"""How many files of the package one call on a device array walks through."""

from __future__ import annotations

import catalase as ct
from tests.ops.test_conv_plans import arrays, files


def test_a_convolution_on_a_device_walks_through_three_files(host_runtime):
    x, w, b = map(host_runtime.array, arrays())
    found = files(lambda: ct.ops.conv2d(x, w, b, activation="relu"))
    assert found == {"ops/conv.py", "backends/cuda/conv.py", "backends/cuda/launch.py"}  # and the backend that launches
