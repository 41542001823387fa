from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from bustle.core.config import Component, apply_overrides, from_component, from_mapping, to_mapping
from bustle.core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.1
    edges: tuple[int, int] = (1, 2)

    def __post_init__(self) -> None:
        if self.rate < 0:
            raise ValueError("rate must not be negative")


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    inner: Inner = Inner()
    parts: tuple[Component, ...] = ()
    limit: int | None = None
    amount: float | Literal["all"] = "all"
    width: Literal[1, 3] = 1
    sides: Mapping[str, float] = field(default_factory=dict)
    on: bool = False
    where: Path | None = None
    free: Any = None


def load(**values: Any) -> Outer:
    return from_mapping(Outer, {"name": "x"} | values, where="setting")


def test_full_conversion_and_its_inverse():
    mapping = {
        "name": "x",
        "inner": {"rate": 2, "edges": [3, 4]},
        "parts": ["flip", {"name": "rotate", "degrees": [-5, 5]}],
        "limit": 3,
        "amount": 0.5,
        "width": 3,
        "sides": {"left": 1},
        "on": True,
        "where": "a/b",
        "free": {"any": ["thing"]},
    }
    value = from_mapping(Outer, mapping, where="setting")
    assert value.inner == Inner(rate=2.0, edges=(3, 4))
    assert isinstance(value.inner.rate, float)
    assert value.parts == (Component("flip"), Component("rotate", {"degrees": [-5, 5]}))
    assert value.where == Path("a/b")
    back = to_mapping(value)
    back["where"] = str(back["where"])
    assert from_mapping(Outer, yaml.safe_load(yaml.safe_dump(back)), where="setting") == value


def test_unknown_key_names_its_place_and_the_nearest_key():
    with pytest.raises(InputError, match=r"unknown key 'rat' in setting\.inner; did you mean rate\?") as caught:
        load(inner={"rat": 1})
    assert "edges" in caught.value.remedy


def test_missing_key():
    with pytest.raises(InputError, match="setting lacks name"):
        from_mapping(Outer, {}, where="setting")


@pytest.mark.parametrize("text", ["1e-4", "1.0E-4", "1.0e-04"])
def test_a_float_in_exponent_form_is_a_number_though_yaml_reads_text(text: str):
    assert load(inner=yaml.safe_load(f"rate: {text}")).inner.rate == 1e-4


def test_unions():
    assert load(limit=None).limit is None
    assert load(limit=4).limit == 4
    assert load(amount="all").amount == "all"
    assert load(amount=1).amount == 1.0
    with pytest.raises(InputError, match=r"setting\.limit is 'four'; it must be a whole number"):
        load(limit="four")
    with pytest.raises(InputError, match=r"setting\.amount is 'some'; it must be one of all"):
        load(amount="some")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"inner": {"edges": [1, 2, 3]}}, r"inner\.edges is \[1, 2, 3\]; it must be a list of 2 values"),
        ({"inner": {"edges": 1}}, r"inner\.edges is 1; it must be a list"),
        ({"inner": {"edges": [1, "b"]}}, r"inner\.edges\.1 is 'b'; it must be a whole number"),
        ({"inner": {"rate": "fast"}}, r"inner\.rate is 'fast'; it must be a number"),
        ({"inner": {"rate": True}}, r"inner\.rate is True; it must be a number"),
        ({"inner": {"rate": -1}}, r"setting\.inner: rate must not be negative"),
        ({"inner": None}, r"inner is None; it must be a mapping"),
        ({"width": 2}, r"width is 2; it must be one of 1, 3"),
        ({"width": True}, r"width is True; it must be one of 1, 3"),
        ({"width": 3.0}, r"width is 3\.0; it must be one of 1, 3"),
        ({"limit": True}, r"limit is True; it must be a whole number"),
        ({"limit": 2.5}, r"limit is 2\.5; it must be a whole number"),
        ({"name": 3}, r"name is 3; it must be text"),
        ({"on": "yes"}, r"on is 'yes'; it must be true or false"),
        ({"on": 1}, r"on is 1; it must be true or false"),
        ({"sides": {"left": "l"}}, r"sides\.left is 'l'; it must be a number"),
        ({"sides": [1]}, r"sides is \[1\]; it must be a mapping"),
        ({"parts": [{"degrees": 3}]}, r"parts\.0 is .*; it must be a name, or a mapping with a name"),
        ({"parts": "flip"}, r"parts is 'flip'; it must be a list"),
    ],
)
def test_wrong_values_say_where_and_what_was_expected(values: dict[str, Any], said: str):
    with pytest.raises(InputError, match=said) as caught:
        load(**values)
    assert "\n" not in str(caught.value)


def test_a_component_s_options_are_those_of_what_it_names():
    known = {"inner": Inner, "outer": Outer}
    assert from_component(Component("inner", {"rate": 2}), known, kind="part", where="parts.0") == Inner(rate=2.0)
    with pytest.raises(InputError, match="unknown part 'iner'; did you mean inner"):
        from_component(Component("iner"), known, kind="part", where="parts.0")
    with pytest.raises(InputError, match=r"unknown key 'rat' in parts\.0; did you mean rate"):
        from_component(Component("inner", {"rat": 2}), known, kind="part", where="parts.0")


BASE = {"model": {"id": "m"}, "losses": [{"name": "dice", "weight": 1}], "epochs": 3}


def test_overrides_reach_into_mappings_and_lists_and_leave_the_original_alone():
    changed = apply_overrides(BASE, ["model.id=n", "losses.0.weight=0.5", "epochs=1e1", "size=[64, 64]", "seed="])
    assert changed == {
        "model": {"id": "n"},
        "losses": [{"name": "dice", "weight": 0.5}],
        "epochs": "1e1",
        "size": [64, 64],
        "seed": None,
    }
    assert BASE["model"] == {"id": "m"}
    assert BASE["losses"] == [{"name": "dice", "weight": 1}]


def test_an_override_may_name_a_section_that_is_left_to_its_defaults():
    assert apply_overrides({}, ["training.epochs=2", "training.seed=1"]) == {"training": {"epochs": 2, "seed": 1}}


def test_an_override_of_a_value_with_an_equals_sign():
    assert apply_overrides({}, ["title=a=b"]) == {"title": "a=b"}


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("epochs", "is not an assignment"),
        ("=3", "is not an assignment"),
        ("epochs=[1", "is not YAML"),
        ("losses.2.weight=1", "no item '2' in a list of 1"),
        ("losses.dice.weight=1", "no item 'dice'"),
        ("epochs.more=1", "'epochs' has no keys below it"),
    ],
)
def test_malformed_overrides(assignment: str, said: str):
    with pytest.raises(InputError, match=said):
        apply_overrides(BASE, [assignment])


def test_a_path_into_a_stage_s_changes_ends_there():
    stages = {"stages": [{"name": "a", "set": {"training.epochs": 3}}]}
    changed = apply_overrides(stages, ["stages.0.set.training.epochs=5", "stages.0.set.losses.0.weight=2"])
    assert changed["stages"][0]["set"] == {"training.epochs": 5, "losses.0.weight": 2}


@dataclass(frozen=True, kw_only=True)
class Disc:
    radius: float
    shape: Literal["disc", "ring"] = "disc"


@dataclass(frozen=True, kw_only=True)
class Square:
    edge: int = 1
    shape: Literal["square"]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    drawn: Disc | Square
    beside: Disc | Square | None = None


def drawing(**drawn: Any) -> Disc | Square:
    return from_mapping(Drawing, {"drawn": drawn}, where="drawing").drawn


def test_a_tag_chooses_among_dataclasses():
    assert drawing(shape="ring", radius=2) == Disc(radius=2.0, shape="ring")
    assert drawing(shape="square", edge=3) == Square(edge=3, shape="square")
    assert drawing(radius=1) == Disc(radius=1.0), "the one whose tag has a default"
    both = from_mapping(Drawing, {"drawn": {"radius": 1}, "beside": {"shape": "square"}}, where="drawing")
    assert both.beside == Square(shape="square")
    assert from_mapping(Drawing, to_mapping(both), where="drawing") == both


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"shape": "squar"}, r"drawing\.drawn\.shape is 'squar'; it must be one of disc, ring, square"),
        ({"shape": "square", "edg": 3}, r"unknown key 'edg' in drawing\.drawn; did you mean edge\?"),
        ({"shape": "square", "radius": 3}, r"unknown key 'radius' in drawing\.drawn"),
        ({"shape": "square", "edge": "long"}, r"drawing\.drawn\.edge is 'long'; it must be a whole number"),
        ({"shape": "ring"}, r"drawing\.drawn lacks radius"),
        ({}, r"drawing\.drawn lacks radius"),
    ],
)
def test_errors_are_about_the_dataclass_that_the_tag_names(values: dict[str, Any], said: str):
    with pytest.raises(InputError, match=said):
        drawing(**values)


def test_a_union_of_dataclasses_takes_only_mappings():
    with pytest.raises(InputError, match=r"drawing\.drawn is 'disc'; it must be a mapping"):
        from_mapping(Drawing, {"drawn": "disc"}, where="drawing")


@dataclass(frozen=True, kw_only=True)
class Line:
    shape: Literal["line"]


@dataclass(frozen=True, kw_only=True)
class Untold:
    drawn: Square | Line


def test_a_tag_without_any_default_must_be_given():
    with pytest.raises(InputError, match=r"untold\.drawn lacks shape"):
        from_mapping(Untold, {"drawn": {}}, where="untold")
