"""What a prediction says about its model: bustle's own is read strictly, another tool's is kept as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.made_model import MADE_MODEL

from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.model_provenance import ForeignProvenance, NetworkWeights, PredictionProvenance


@dataclass(frozen=True)
class Holder:
    provenance: PredictionProvenance


def read(content: Any) -> PredictionProvenance:
    return from_mapping(Holder, {"provenance": content}, where="record").provenance


OF_FIRST_RUNS = {
    "model": "rmtl_net",
    "recipe": "rmtl_net_cpu",
    "title": "RMTL-Net",
    "weights": [{"fold": "fold-0", "sha256": "56f8"}],
    "bustle": "0.1.0",
}


def test_what_a_run_and_a_package_say_comes_back_in_the_order_that_it_always_had():
    whole = replace(MADE_MODEL, unfinished=("fold-0",))
    assert read(to_mapping(whole)) == whole
    assert list(to_mapping(whole)) == ["model", "recipe", "weights", "unfinished", "title", "runtime", "bustle"]
    packaged = replace(MADE_MODEL, package="cd", bustle=None)
    assert read(to_mapping(packaged)) == packaged
    assert list(to_mapping(packaged)) == ["model", "recipe", "weights", "package", "title", "runtime", "bustle"]


def test_the_first_runs_did_not_record_what_ran_them():
    first = read(OF_FIRST_RUNS)
    assert to_mapping(first) == OF_FIRST_RUNS
    assert first.runtime is None
    assert first.weights == (NetworkWeights(fold="fold-0", sha256="56f8"),)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weights": "best.pt"}, r"provenance\.weights is 'best\.pt'; it must be a list"),
        ({"weights": [{"fold": "fold-0"}]}, r"weights\.0 lacks sha256"),
        ({"runtme": "PyTorch"}, r"unknown key 'runtme' in record\.provenance; did you mean runtime"),
        ({"unfinished": [1]}, r"unfinished\.0 is 1; it must be text"),
    ],
)
def test_bustle_s_own_is_read_strictly(change: dict[str, Any], said: str):
    with pytest.raises(InputError, match=said):
        read(to_mapping(MADE_MODEL) | change)


@pytest.mark.parametrize("content", [{}, {"tool": "other", "weights": ["a.pt"], "entries": {"epochs": 9}}])
def test_another_tool_s_is_kept_as_it_is(content: dict[str, Any]):
    found = read(content)
    assert found == ForeignProvenance(content)
    assert to_mapping(found) == content


def test_another_tool_s_must_be_what_json_can_hold():
    with pytest.raises(InputError, match=r"record\.provenance: rates\.0 nan must be a finite number"):
        read({"rates": [float("nan")]})


def test_another_library_gives_the_same_answers():
    assert MADE_MODEL.same_answers_as(replace(MADE_MODEL, runtime="another"))
    assert not MADE_MODEL.same_answers_as(replace(MADE_MODEL, bustle="1"))
    assert not MADE_MODEL.same_answers_as(replace(MADE_MODEL, unfinished=("fold-0",)))
    assert not MADE_MODEL.same_answers_as(ForeignProvenance(to_mapping(MADE_MODEL)))
    assert not MADE_MODEL.same_answers_as(None)


def test_the_same_files_may_have_been_opened_by_another_version():
    assert MADE_MODEL.same_files_as(replace(MADE_MODEL, bustle="1", runtime=None, title="Renamed"))
    assert not MADE_MODEL.same_files_as(replace(MADE_MODEL, package="cd"))
    assert not MADE_MODEL.same_files_as(replace(MADE_MODEL, weights=()))
