"""Settings that a class declares once, in fields that check its constructor's arguments and write and read its config.

A class lists its settings in ``settings``, with a field of registry.py for each. Its constructor keeps an explicit signature
and calls ``self._set(locals())``, which checks each argument by the field of its name and keeps it as an attribute. The
decorator `declared` lists the class in the registry, under its name, with the settings that its constructor takes.
``print(cls.settings)`` shows the allowed values of each.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from . import registry
from .registry import Field

T = TypeVar("T")


class Settings(dict[str, Field]):
    """Fields by the names of the arguments, which print as a table of their allowed values and defaults."""

    defaults: Mapping[str, Any] = {}

    def __or__(self, other: Mapping[str, Field]) -> Settings:  # type: ignore[override]
        return Settings({**self, **other})

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{key:{width}}  {self._line(key)}" for key in self)

    def _line(self, key: str) -> str:
        needed = ("None or " if self[key].none else "") + (self[key].argument or self[key].expected)
        return f"{needed} (default: {self.defaults[key]!r})" if key in self.defaults else needed


class Declared:
    """The base of classes that declare their settings."""

    settings: ClassVar[Settings] = Settings()

    def _set(self, arguments: Mapping[str, Any]) -> None:
        """Check the arguments of a constructor that are settings, and keep them as attributes."""
        for key, field in self.settings.items():
            if key in arguments:
                setattr(self, key, field.take(arguments[key], type(self).__name__, key, self))

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values, with the class's name under "class"."""
        return config_of(self)


def declared(cls: type[T], unknown: Callable[..., Field] | None = None) -> type[T]:
    """List a class in the registry, under its name, with the settings that its constructor takes.

    Arguments without a field in ``cls.settings`` are left out, unless `unknown` is given and makes a field for them.
    """
    constructor = cls.__init__ is not object.__init__  # whose signature Python would read from its docstring, in 4 ms
    parameters = list(inspect.signature(cls).parameters.values()) if constructor else []
    known: Mapping[str, Field] = getattr(cls, "settings", {})
    found = Settings(known if any(p.kind is p.VAR_KEYWORD for p in parameters) else {})
    for parameter in parameters:
        named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if named and parameter.name in known:
            found[parameter.name] = known[parameter.name]
        elif named and unknown is not None:
            found[parameter.name] = unknown(optional=parameter.default is not parameter.empty)
    found.defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    cls = registry.register(cls.__name__, **found)(cls)
    cls.settings = found  # type: ignore[attr-defined]
    return cls


def config_of(made: Any) -> dict[str, Any]:
    """Return the config of an object from the attributes with the names of its settings.

    Raises
    ------
    TypeError
        If an argument of its constructor is not kept as an attribute.
    """
    config: dict[str, Any] = {"class": type(made).__name__}
    for key, field in type(made).settings.items():
        if not hasattr(made, key):
            raise TypeError(
                f"{type(made).__name__}: cannot be saved, since it keeps no attribute {key!r}, which its constructor takes; "
                f"set self.{key} = {key} there"
            )
        value = getattr(made, key)
        if field.writes(value):
            config[key] = field.give(value)
    return config


def check_registered(where: str, cls: type) -> None:
    """Refuse a class that is not in the registry, because no config that is loaded could name it."""
    if not registry.is_registered(cls):
        raise TypeError(
            f"{where}: a saved config cannot name {cls.__name__}; call catalase.models.register({cls.__name__}) before saving "
            "and before loading"
        )
