"""The closed registry of the classes that a saved config may name, and of the values that their fields may hold.

The module of a class lists it here with the `register` decorator, together with a schema of its fields (`declared` in
settings.py does so for a class whose constructor checks its arguments by the same fields). `build` turns a config
``{"class": name, field: value, ...}`` back into an object. A config can therefore never reach code that was not listed
on purpose: there is no import by string, no attribute lookup, no ``eval``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from .numbers import flag, number, plain, shown, span, whole_number

T = TypeVar("T")

_LARGEST = sys.float_info.max


class Field:
    """The schema of one setting of a class, for arguments (`take`) and for configs that are read (`check`) or written (`give`).

    Parameters
    ----------
    optional : bool
        Whether the field may be missing in the config; the constructor's default then applies.
    none : bool
        Whether ``None`` is allowed.
    """

    expected = "a value"
    argument = ""  # the allowed arguments, if there are more than allowed values in a config
    writes_none = True  # whether None is written to a config, or the field left out

    def __init__(self, *, optional: bool = False, none: bool = False) -> None:
        self.optional = optional
        self.none = none

    def check(self, value: Any, where: str) -> Any:
        """Return the value to use, or raise a ValueError that names `where`, the expected and the given value."""
        if value is None and self.none:
            return None
        if not self.accepts(value):
            needed = ("None or " if self.none else "") + self.expected
            raise ValueError(f"{where} must be {needed}, got {value!r:.200} ({type(value).__name__})")
        return value

    def accepts(self, value: Any) -> bool:
        """Return whether `value` has the type and the range of this field."""
        return True

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        """Return the argument `key` of the constructor of `owner` in the form that the object keeps.

        `of` is the object under construction, which has the settings that are declared before this one.
        """
        return self.check(plain(value), f"{owner}: {key}")

    def give(self, value: Any) -> Any:
        """Return a kept value in the form that a config holds."""
        return value


class Bool(Field):
    """True or False; 0 and 1 are refused."""

    expected = "True or False"

    def accepts(self, value: Any) -> bool:
        return type(value) is bool

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        return flag(owner, key, value)


class Int(Field):
    """An integer in ``[low, high]``; a bool is not one."""

    def __init__(self, low: int | None = None, high: int | None = None, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.low, self.high = low, high
        self.expected = "a whole number" + _range(low, high)

    def accepts(self, value: Any) -> bool:
        return type(value) is int and _inside(value, self.low, self.high)


class Float(Field):
    """A finite number in ``[low, high]``; an int stays an int, a bool is refused."""

    def __init__(self, low: float | None = None, high: float | None = None, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.low, self.high = low, high
        self.expected = "a finite number" + _range(low, high)

    def accepts(self, value: Any) -> bool:
        if type(value) not in (int, float):
            return False
        # isfinite would overflow on an int beyond the range of float.
        return -_LARGEST <= value <= _LARGEST and _inside(value, self.low, self.high)

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        value = super().take(value, owner, key, of)
        return None if value is None else float(value)


class Number(Field):
    """A finite number within bounds, which `numbers.number` checks; an argument of another kind is a TypeError."""

    def __init__(self, *, none: bool = False, optional: bool = False, **bounds: float) -> None:
        super().__init__(none=none, optional=optional)
        self.bounds = bounds
        self.expected = " ".join(("a finite number", span(*map(bounds.get, ("at_least", "above", "at_most", "below")))))

    def accepts(self, value: Any) -> bool:
        try:
            number("config", "value", value, **self.bounds)
        except (TypeError, ValueError):
            return False
        return type(value) in (int, float)

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        return None if value is None and self.none else number(owner, key, value, **self.bounds)


class Whole(Int):
    """A whole number in ``[low, high]``, which `numbers.whole_number` checks; an argument of another kind is a TypeError."""

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        return None if value is None and self.none else whole_number(owner, key, value, self.low, self.high)


class Str(Field):
    """A string, one of `choices` where they are given."""

    def __init__(self, choices: Sequence[str] | None = None, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.choices = choices
        self.expected = "a string" if choices is None else _either(choices)

    def accepts(self, value: Any) -> bool:
        return type(value) is str and (self.choices is None or value in self.choices)


class List(Field):
    """A list, each item of which is checked by `item`, of at least `min_length` and at most `max_length` items."""

    def __init__(self, item: Field, min_length: int = 0, max_length: int = 10_000_000, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.item, self.min_length, self.max_length = item, min_length, max_length
        self.expected = f"a list of {min_length:,} to {max_length:,} items"

    def accepts(self, value: Any) -> bool:
        return type(value) is list and self.min_length <= len(value) <= self.max_length

    def check(self, value: Any, where: str) -> Any:
        value = super().check(value, where)
        if value is None:
            return None
        return [self.item.check(item, f"{where}[{index}]") for index, item in enumerate(value)]

    def give(self, value: Any) -> Any:
        return None if value is None else [self.item.give(item) for item in value]


class AnyOf(Field):
    """A value that one of several fields accepts, such as a number or a list of numbers; the first that fits checks it."""

    def __init__(self, *fields: Field, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.fields = fields
        self.expected = ", or ".join(field.expected for field in fields)

    def accepts(self, value: Any) -> bool:
        return any(field.accepts(value) for field in self.fields)

    def check(self, value: Any, where: str) -> Any:
        if super().check(value, where) is None:
            return None
        return next(field for field in self.fields if field.accepts(value)).check(value, where)


class Object(Field):
    """A nested config of a registered class that is a `kind` (a class; subclasses are accepted); it is built."""

    hint = ""  # the hint of `check`

    def __init__(self, kind: type, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.kind = kind
        self.expected = f"the config of a {kind.__name__}"

    def accepts(self, value: Any) -> bool:
        return type(value) is dict

    def check(self, value: Any, where: str) -> Any:
        value = super().check(value, where)
        return None if value is None else build(value, self.kind, self.hint)

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        if not isinstance(value, self.kind) and not (value is None and self.none):
            raise TypeError(f"{owner}: {key} must be a {self.kind.__name__}, got {shown(value)}")
        return value

    def give(self, value: Any) -> Any:
        return None if value is None else value.to_config()


class Plain(Field):
    """A JSON value of up to `depth` levels: None, a bool, a finite number, a text, a list, or a dict with names as keys."""

    expected = "a number, a text, True, False, None, or a list or a dict of these"

    def __init__(self, depth: int = 10, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.depth = depth

    def accepts(self, value: Any) -> bool:
        return _is_plain(value, self.depth)


def _is_plain(value: Any, depth: int) -> bool:
    if type(value) is list:
        return depth > 0 and all(_is_plain(item, depth - 1) for item in value)
    if type(value) is dict:
        return depth > 0 and all(type(key) is str and _is_plain(item, depth - 1) for key, item in value.items())
    return value is None or type(value) in (bool, str, int) or (type(value) is float and -_LARGEST <= value <= _LARGEST)


def _inside(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _either(choices: Sequence[str]) -> str:
    *first, last = map(repr, choices)
    return f"{', '.join(first)} or {last}" if first else last


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low:,} to {high:,}"
    return f", {low:,} or more" if low is not None else f", {high:,} or less" if high is not None else ""


class _Entry:
    def __init__(self, cls: type, fields: dict[str, Field]) -> None:
        self.cls = cls
        self.fields = fields


_REGISTRY: dict[str, _Entry] = {}


def register(name: str, **fields: Field) -> Callable[[type[T]], type[T]]:
    """List a class under `name`, with the fields of its config.

    The decorated class is built by ``cls.from_config(fields)`` where it defines that, else by ``cls(**fields)``.

    Raises
    ------
    ValueError
        If `name` is taken.

    Examples
    --------
    >>> @register("ExampleRegistryPoint", x=Float(low=0), label=Str(optional=True))
    ... class Point:
    ...     def __init__(self, x, label="none"):
    ...         self.x, self.label = x, label
    >>> build({"class": "ExampleRegistryPoint", "x": 1.5}).x
    1.5
    """

    def decorate(cls: type[T]) -> type[T]:
        if name in _REGISTRY and not _is_redefined(_REGISTRY[name].cls, cls):
            raise ValueError(f"register: the name {name!r} is taken by {_REGISTRY[name].cls!r}")
        _REGISTRY[name] = _Entry(cls, fields)
        return cls

    return decorate


def _is_redefined(known: type, cls: type) -> bool:
    """Return whether a class was defined again, for example by a cell of a notebook that ran twice."""
    home = known.__module__, known.__qualname__
    return home == (cls.__module__, cls.__qualname__) and not known.__module__.startswith(
        f"{__package__.split('.')[0]}."
    )


def is_registered(cls: type) -> bool:
    """Return whether a config may name a class by the class's name."""
    entry = _REGISTRY.get(cls.__name__)
    return entry is not None and entry.cls is cls


def named(name: str) -> type:
    """Return the class that is registered under a name."""
    return _REGISTRY[name].cls


def names(kind: type = object) -> list[str]:
    """Return the registered names of the classes that are a `kind`, sorted."""
    return sorted(name for name, entry in _REGISTRY.items() if issubclass(entry.cls, kind))


def check(config: Any, kind: type = object, hint: str = "") -> tuple[type, dict[str, Any]]:
    """Check a config against the registry without building it.

    Parameters
    ----------
    config : dict
        ``{"class": name, field: value, ...}``.
    kind : type
        Only classes that are a `kind` are accepted.
    hint : str
        A further possible reason for an unknown class, for the message.

    Returns
    -------
    cls : type
    fields : dict
        The checked values; nested `Object` configs are built.

    Raises
    ------
    ValueError
        For an unknown class or field, a missing field, and a wrong type or range. The message lists the known names.
    """
    if type(config) is not dict or type(config.get("class")) is not str:
        raise ValueError(f"config: needed a dict with the name of a class under 'class', got {config!r:.200}")
    name = config["class"]
    entry = _REGISTRY.get(name)
    if entry is None or not issubclass(entry.cls, kind):
        known = ", ".join(names(kind)) or "none"
        raise ValueError(
            f"config: unknown class {name!r:.100}; known here: {known}. The file may come from a newer Catalase{hint}"
        )
    given = {key: value for key, value in config.items() if key != "class"}
    unknown = [key for key in given if key not in entry.fields]
    if unknown:
        raise ValueError(
            f"config: {name} has no field {unknown[0]!r}; its fields are {', '.join(entry.fields) or 'none'}"
        )
    missing = [key for key, field in entry.fields.items() if key not in given and not field.optional]
    if missing:
        raise ValueError(f"config: {name} lacks the field {missing[0]!r}; its fields are {', '.join(entry.fields)}")
    return entry.cls, {key: entry.fields[key].check(value, f"config: {name}.{key}") for key, value in given.items()}


def build(config: Any, kind: type = object, hint: str = "") -> Any:
    """Build the object that a config describes; `check` lists the errors."""
    try:
        cls, fields = check(config, kind, hint)
        make = getattr(cls, "from_config", None)
        return make(fields) if make is not None else cls(**fields)
    except RecursionError:
        raise ValueError(f"config: its classes are nested too deeply{hint}") from None
