"""YAML from strangers to plain values: no name twice, and no aliases that grow to more than anybody wrote."""

from __future__ import annotations

from typing import Any

import yaml

MOST_VALUES = 20_000
"""In one text, aliases written out: the longest recipe has a few hundred."""

DEEPEST = 50

_SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same in C where PyYAML was built with it: a fifth of the time."""


def load_yaml(text: str) -> Any:
    """The value of one YAML document. Raises `yaml.YAMLError`, also for what is twice, too much or too deep."""
    _check_depth(text)
    loader = _SAFE_LOADER(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _size(node, depth=0, known={})
        return loader.construct_document(node)
    except (ValueError, RecursionError) as error:  # ValueError: a date or a number that does not exist
        raise yaml.YAMLError(str(error)) from None
    finally:
        loader.dispose()


def _check_depth(text: str) -> None:
    """Before anything is composed, which C does by recursion, and crashes."""
    depth = 0
    for event in yaml.parse(text, Loader=_SAFE_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise yaml.YAMLError(f"it is nested more than {DEEPEST} deep, line {event.start_mark.line + 1}")


def _size(node: yaml.Node, *, depth: int, known: dict[int, int]) -> int:
    """How many values the node has with every alias in it written out; `known` are those of nodes seen before."""
    if depth > DEEPEST:  # an alias within what it stands for
        raise yaml.YAMLError(f"it is nested more than {DEEPEST} deep{_line(node)}")
    if id(node) in known:
        return known[id(node)]
    size = 1
    if isinstance(node, yaml.MappingNode):
        _check_names(node)
        size += sum(_size(each, depth=depth + 1, known=known) for pair in node.value for each in pair)
    elif isinstance(node, yaml.SequenceNode):
        size += sum(_size(each, depth=depth + 1, known=known) for each in node.value)
    if size > MOST_VALUES:
        raise yaml.YAMLError(f"it holds more than {MOST_VALUES} values{_line(node)}")
    known[id(node)] = size
    return size


def _check_names(node: yaml.MappingNode) -> None:
    names = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in names:
                raise yaml.YAMLError(f"'{key.value[:80]}' stands there twice{_line(key)}")
            names.add(key.value)


def _line(node: yaml.Node) -> str:
    return "" if node.start_mark is None else f", line {node.start_mark.line + 1}"
