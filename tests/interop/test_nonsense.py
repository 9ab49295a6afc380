"""Nonsense in every argument of the functions of `interop.onnx`."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.nonsense import Target, call, ones, report

onnx = pytest.importorskip("onnx")
backend = ct.interop.onnx.backend
NODE = onnx.helper.make_node("Relu", ["x"], ["y"])
INFO = [onnx.helper.make_tensor_value_info(name, 1, None) for name in "xy"]
MODEL = onnx.helper.make_model(onnx.helper.make_graph([NODE], "g", INFO[:1], INFO[1:]))
KINDS = {"model": "path", "node": "ours", "inputs": "anything", "device": "device", "outputs_info": "anything"}
FUNCTIONS = {
    "prepare": lambda: call(MODEL, "CPU"),
    "run_node": lambda: call(NODE, [ones(2, 3)], "CPU", None),
    "run_model": lambda: call(MODEL, [ones(2, 3)], "CPU"),
    "is_compatible": lambda: call(MODEL, "CPU"),
    "supports_device": lambda: call("CPU"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_the_backend(name):
    also = {"model": ["prepare"], "device": ["prepare"], "inputs": ["run", "takes"]}
    kinds = KINDS | ({"device": "anything"} if name == "supports_device" else {})
    names = (name, "prepare", "run")
    skip = ("inputs",) if name in ("run_node", "run_model") else ()
    wrong = Target(getattr(backend, name), FUNCTIONS[name], kinds, names, also, skip).failures()
    assert not wrong, report(wrong)


@pytest.mark.parametrize(
    "inputs", [None, 3, "x", object(), 0.5, [object()], {"x": ones}, {"z": 1}, [ones(2), ones(2)], []]
)
def test_inputs_that_a_model_does_not_take(inputs):
    with pytest.raises((TypeError, ValueError), match="run: "):
        backend.run_model(MODEL, inputs)


@pytest.mark.parametrize("value", [None, 3, "x", int, np.float32, ct.nn.Linear(2, 2)])
def test_an_exporter_is_of_layers(value):
    with pytest.raises(TypeError, match=r"exporter: layers must be subclasses of catalase\.nn\.Module"):
        ct.interop.onnx.exporter(value)


def test_an_exporter_is_a_function_of_a_class_that_defines_forward():
    with pytest.raises(ValueError, match="exporter: ReLU defines no forward"):
        ct.interop.onnx.exporter(ct.nn.ReLU)
    with pytest.raises(TypeError, match="exporter: needs a function, got 3"):
        ct.interop.onnx.exporter(ct.nn.Linear)(3)
