"""Tests of the closed registry: the classes and values that a config may hold, and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from catalase._internal import registry as registry_module
from catalase._internal.registry import AnyOf, Bool, Float, Int, List, Object, Str, build, check, register


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch) -> type:
    monkeypatch.setattr(registry_module, "_REGISTRY", {})

    @register(
        "Layer",
        units=Int(1, 100),
        rate=Float(0, 1, optional=True),
        bias=Bool(optional=True),
        activation=Str(["relu", "tanh"], none=True, optional=True),
        sizes=List(Int(1), max_length=3, optional=True),
        dropouts=AnyOf(Float(0, 1), List(Float(0, 1)), optional=True),
    )
    class Layer:
        def __init__(self, **fields: Any) -> None:
            self.fields = fields

    @register("Stack", layers=List(Object(Layer)))
    class Stack:
        @classmethod
        def from_config(cls, fields: dict[str, Any]) -> Stack:
            made = cls()
            made.layers = fields["layers"]  # type: ignore[attr-defined]
            return made

    return Layer


def test_builds_nested(layer: type) -> None:
    stack = build(
        {"class": "Stack", "layers": [{"class": "Layer", "units": 3, "rate": 1}, {"class": "Layer", "units": 4}]}
    )
    assert [item.fields for item in stack.layers] == [{"units": 3, "rate": 1}, {"units": 4}]
    assert build({"class": "Layer", "units": 3, "dropouts": [0.1, 0.2]}).fields["dropouts"] == [0.1, 0.2]
    assert build({"class": "Layer", "units": 3, "dropouts": 0.5, "activation": None}).fields["dropouts"] == 0.5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("units", True),
        ("units", 1.0),
        ("units", 0),
        ("units", 101),
        ("units", "3"),
        ("units", None),
        ("rate", True),
        ("rate", float("nan")),
        ("rate", float("inf")),
        ("rate", 1.5),
        pytest.param("rate", 10**400, id="huge"),
        ("bias", 1),
        ("activation", "os.system"),
        ("activation", 3),
        ("sizes", [1, True]),
        ("sizes", [1, 2, 3, 4]),
        ("sizes", (1, 2)),
        ("sizes", [0]),
        ("dropouts", [0.5, 2.0]),
        ("dropouts", "0.5"),
    ],
)
def test_wrong_type_or_range_names_the_field(layer: type, field: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"Layer\.{field}.* must be "):
        build({"class": "Layer", "units": 3, field: value})


def test_unknown_class_lists_known(layer: type) -> None:
    with pytest.raises(ValueError, match=r"unknown class 'os\.system'; known here: Layer, Stack"):
        build({"class": "os.system"})
    with pytest.raises(ValueError, match=r"unknown class 'Stack'; known here: Layer"):
        build({"class": "Stack", "layers": []}, kind=layer)
    with pytest.raises(ValueError, match="unknown class 'Stack'"):
        build({"class": "Stack", "layers": [{"class": "Stack", "layers": []}]})


@pytest.mark.parametrize("config", [None, [], "Layer", {}, {"class": 3}, {"class": ["Layer"]}, {"units": 3}])
def test_not_a_config(layer: type, config: object) -> None:
    with pytest.raises(ValueError, match="name of a class under 'class'"):
        build(config)


def test_unknown_and_missing_fields(layer: type) -> None:
    with pytest.raises(ValueError, match="Layer has no field '__init__'; its fields are units, rate"):
        build({"class": "Layer", "units": 3, "__init__": 1})
    with pytest.raises(ValueError, match="Layer lacks the field 'units'"):
        build({"class": "Layer"})


def test_check_does_not_build(layer: type) -> None:
    assert check({"class": "Layer", "units": 3}) == (layer, {"units": 3})


def test_a_name_cannot_be_taken_twice(layer: type) -> None:
    with pytest.raises(ValueError, match="'Layer' is taken"):
        register("Layer")(int)
