"""Strict loading of typed settings: YAML mapping to frozen dataclasses, with errors that name the key.

Unknown keys list the nearest known ones; values of the wrong type say what was expected. A `Component` is a
setting that names an implementation and carries its options, e.g. `{name: rotate, degrees: 5}`.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from bustle.core.errors import InputError, unknown_name

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Component:
    """An implementation chosen by name, with its options as plain values."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


INLINE: Mapping[str, Any] = MappingProxyType({"inline": True})
"""Metadata of a field, a mapping or a dataclass, whose entries are written beside the dataclass's own keys."""

LEFT_OUT_AT_DEFAULT: Mapping[str, Any] = MappingProxyType({"left out at default": True})
"""Metadata of a field with a default, which is not written where it has it."""

_EXPONENTIAL = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
"""Numbers such as 1e-4, which YAML 1.1 reads as text."""


def from_mapping(settings_type: type[Settings], mapping: Mapping[str, Any], *, where: str) -> Settings:
    """Build the dataclass `settings_type` from plain values; `where` names the place for errors."""
    return _convert(settings_type, mapping, where)


def from_component(component: Component, known: Mapping[str, type[Settings]], *, kind: str, where: str) -> Settings:
    """The options of the implementation that `component` names, as its own type of the `known` ones.

    Raises `InputError` for a name that is not known, calling it a `kind`, and for options that do not fit.
    """
    if component.name not in known:
        raise unknown_name(kind, component.name, known)
    return from_mapping(known[component.name], component.options, where=where)


def to_mapping(settings: Any) -> Any:
    """The inverse of `from_mapping`: plain dicts, lists and scalars, ready for YAML or JSON."""
    if isinstance(settings, Component):
        return {"name": settings.name, **to_mapping(settings.options)}
    if dataclasses.is_dataclass(settings):
        return _fields_to_mapping(settings)
    if isinstance(settings, Mapping):
        return {key: to_mapping(value) for key, value in settings.items()}
    if isinstance(settings, list | tuple):
        return [to_mapping(value) for value in settings]
    return settings


def _fields_to_mapping(settings: Any) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for f in dataclasses.fields(settings):
        value = getattr(settings, f.name)
        if f.metadata == INLINE:
            mapping |= to_mapping(value)
        elif f.metadata != LEFT_OUT_AT_DEFAULT or value != f.default:
            mapping[f.name] = to_mapping(value)
    return mapping


def _convert(expected: Any, value: Any, where: str) -> Any:
    if expected is Any:
        return value
    if expected is Component:
        return _component(value, where)
    if dataclasses.is_dataclass(expected):
        return _dataclass(expected, value, where)
    origin = typing.get_origin(expected)
    arguments = typing.get_args(expected)
    if origin is Literal:
        if not any(type(value) is type(argument) and value == argument for argument in arguments):
            raise _wrong(where, value, "one of " + ", ".join(map(str, arguments)))
        return value
    if origin in (typing.Union, types.UnionType):
        return _union(arguments, value, where)
    if origin is tuple:
        return _tuple(arguments, value, where)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _wrong(where, value, "a mapping")
        return {str(key): _convert(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    return _scalar(expected, value, where)


@cache  # resolving the annotations takes most of the time of a mapping
def _hints(expected: type) -> dict[str, Any]:
    return typing.get_type_hints(expected)


def _dataclass(expected: Any, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise _wrong(where, value, "a mapping")
    hints = _hints(expected)
    fields = _fields(expected)
    collecting = _collecting(expected)
    if collecting is not None:
        own = {key: item for key, item in value.items() if key in fields and key != collecting}
        value = {**own, collecting: {key: item for key, item in value.items() if key not in own}}
    for key in value:
        if key not in fields:
            raise _inside(unknown_name("key", str(key), fields), where)
    missing = [name for name in _needed(expected) if name not in value]
    if missing:
        raise InputError(f"{where} lacks {', '.join(missing)}", remedy="add it")
    places = {key: where if key == collecting else f"{where}.{key}" for key in value}
    converted = {key: _convert(hints[key], item, places[key]) for key, item in value.items()}
    try:
        return expected(**converted)
    except ValueError as error:  # a dataclass may check its own values
        raise InputError(f"{where}: {error}", remedy="change the value") from None


@cache
def _fields(expected: Any) -> dict[str, dataclasses.Field[Any]]:
    return {f.name: f for f in dataclasses.fields(expected)}


@cache
def _collecting(expected: Any) -> str | None:
    """The field whose entries are written beside the others."""
    return next((name for name, f in _fields(expected).items() if f.metadata == INLINE), None)


@cache
def _needed(expected: Any) -> Mapping[str, None]:
    """The keys without a default, in the order of the fields."""
    return {
        name: None
        for name, f in _fields(expected).items()
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }


def _component(value: Any, where: str) -> Component:
    if isinstance(value, str):
        return Component(value)
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise _wrong(where, value, "a name, or a mapping with a name")
    return Component(value["name"], {str(key): item for key, item in value.items() if key != "name"})


def _union(arguments: Sequence[Any], value: Any, where: str) -> Any:
    if value is None and type(None) in arguments:
        return None
    tagged = [argument for argument in arguments if dataclasses.is_dataclass(argument) and argument is not Component]
    if len(tagged) > 1 and isinstance(value, Mapping):
        return _dataclass(_chosen(tagged, value, where), value, where)
    failures: list[InputError] = []
    for argument in arguments:
        if argument is type(None):
            continue
        try:
            return _convert(argument, value, where)
        except InputError as error:
            failures.append(error)
    inside = [error for error in failures if error.problem.startswith(f"{where}.")]
    raise (inside or failures)[-1]


def _chosen(members: Sequence[Any], value: Mapping[str, Any], where: str) -> Any:
    """The one of several dataclasses that the value's tag names: a field that is a Literal of other values in each.

    Where the value leaves the tag out, the first whose own has a default. Of dataclasses without a tag the first
    whose needed keys the value has.
    """
    hints = [_hints(member) for member in members]
    tag = next(
        (name for name in hints[0] if all(typing.get_origin(hint.get(name)) is Literal for hint in hints)), None
    )
    if tag is None:
        return next((member for member in members if _needed(member).keys() <= value.keys()), members[-1])
    names = [typing.get_args(hint[tag]) for hint in hints]
    if tag not in value:
        of_defaults = [member for member in members if hasattr(member, tag)]  # where a dataclass keeps them
        if not of_defaults:
            raise InputError(f"{where} lacks {tag}", remedy="add it")
        return of_defaults[0]
    for member, own in zip(members, names, strict=True):
        if any(type(value[tag]) is type(name) and value[tag] == name for name in own):
            return member
    raise _wrong(f"{where}.{tag}", value[tag], "one of " + ", ".join(str(name) for own in names for name in own))


def _tuple(arguments: Sequence[Any], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong(where, value, "a list")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_convert(arguments[0], item, f"{where}.{i}") for i, item in enumerate(value))
    if len(value) != len(arguments):
        raise _wrong(where, value, f"a list of {len(arguments)} values")
    pairs = enumerate(zip(arguments, value, strict=True))
    return tuple(_convert(kind, item, f"{where}.{position}") for position, (kind, item) in pairs)


def _scalar(expected: Any, value: Any, where: str) -> Any:
    if expected is Path and isinstance(value, str):
        return Path(value)
    if expected is float and _is_numeric(value):
        return _finite(value, where)
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        raise _wrong(where, value, names.get(expected, expected.__name__))
    return value


def with_exponential_numbers(value: Any) -> Any:
    """A plain value in which texts such as 1e-4 are the numbers that they mean, also within lists and mappings."""
    if isinstance(value, list):
        return [with_exponential_numbers(each) for each in value]
    if isinstance(value, dict):
        return {key: with_exponential_numbers(each) for key, each in value.items()}
    return float(value) if isinstance(value, str) and _is_numeric(value) else value


def _is_numeric(value: Any) -> bool:
    if isinstance(value, str):
        return _EXPONENTIAL.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _finite(value: float | str, where: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        raise _wrong(where, value, "a number") from None
    if not math.isfinite(number):
        raise _wrong(where, value, "a finite number")
    return number


def _wrong(where: str, value: Any, expected: str) -> InputError:
    shown = repr(value)
    shown = shown if len(shown) <= 80 else f"{shown[:76]} …"
    return InputError(f"{where} is {shown}", remedy=f"it must be {expected}")


def _inside(error: InputError, where: str) -> InputError:
    return InputError(f"{error.problem} in {where}", remedy=error.remedy)


def apply_overrides(mapping: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Apply `key.path=value` assignments (values as YAML; list items by position) to a copy of `mapping`.

    A path may name keys that the mapping leaves to their defaults: whether they are known is decided when the
    mapping is converted. Raises `InputError` for a malformed assignment or a path through a plain value.
    """
    import copy

    import yaml

    from bustle.core.yaml_text import load_yaml

    result = copy.deepcopy(mapping)
    for assignment in assignments:
        path, sign, text = assignment.partition("=")
        if not sign or not path:
            raise InputError(f"'{assignment}' is not an assignment", remedy="write --set key.path=value")
        try:
            value = load_yaml(text)
        except yaml.YAMLError:
            raise InputError(f"the value of {path} is not YAML", remedy="quote it") from None
        _assign(result, path.split("."), value, assignment)
    return result


def assignment(path: str, value: Any) -> str:
    """The `key.path=value` that `apply_overrides` takes, of a plain value."""
    import yaml

    return f"{path}={yaml.safe_dump(value, default_flow_style=True)}"


def _assign(target: Any, keys: list[str], value: Any, assignment: str) -> None:
    for position, key in enumerate(keys):
        if isinstance(target, dict) and position and keys[position - 1] == "set":
            target[".".join(keys[position:])] = value  # a stage's own changes are themselves named by paths
            return
        last = position == len(keys) - 1
        if isinstance(target, list):
            if not key.isdigit() or int(key) >= len(target):
                raise InputError(f"'{assignment}': no item '{key}' in a list of {len(target)}", remedy="count from 0")
            index: Any = int(key)
        elif isinstance(target, dict):
            if not last:
                target.setdefault(key, {})
            index = key
        else:
            raise InputError(f"'{assignment}': '{keys[position - 1]}' has no keys below it", remedy="shorten it")
        if last:
            target[index] = value
        else:
            target = target[index]
