from __future__ import annotations

import numpy as np
import pytest
from tests.experiments.made_run import made_rows

from bustle.core.recipe import load_protocol
from bustle.evaluation.strata import with_size_strata
from bustle.evaluation.subgroups import known_kinds, subgroups
from bustle.evaluation.summary import Scoring

SCORING = Scoring(protocol=load_protocol("strict"), classes=("benign", "malignant"), resamples=200)


def test_a_subgroup_has_the_figures_of_its_own_cases_and_one_of_few_cases_has_none():
    rows = with_size_strata(made_rows(range(48)))
    device = {row.case_id: "old" if number < 40 else "new" for number, row in enumerate(rows[:46])}
    new, old = subgroups(rows, kinds={"device": device}, scoring=SCORING)
    assert (old.kind, old.name, old.n, old.n_malignant) == ("device", "old", 40, 20)
    assert old.dice.value == pytest.approx(np.mean([row.dice for row in rows[:40]]))
    assert old.dice.ci95 is not None
    assert old.auc.value is not None
    assert (new.name, new.n, new.dice.value, new.auc.value) == ("new", 6, None, None)


def test_source_and_size_are_known_of_every_case_with_a_lesion():
    rows = with_size_strata(made_rows(range(12)))
    found = subgroups(rows, kinds=known_kinds(rows), scoring=SCORING)
    assert [(group.kind, group.name, group.n) for group in found] == [
        ("source", "made", 12),
        *[("size of the lesion", name, 4) for name in ("large", "medium", "small")],
    ]
