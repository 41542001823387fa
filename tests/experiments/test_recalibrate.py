"""A package fitted to local cases: made-up outputs whose right rule is known, and a whole package by hand."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.experiments.test_fit_decision import cases
from tests.inference.hand_made_package import graph, write_package

from bustle.cli.main import main
from bustle.core.errors import InputError
from bustle.core.rule_section import RuleSection
from bustle.evaluation.figures import ShortFigure
from bustle.experiments.fit_decision import fit_rule, section_of
from bustle.experiments.local_rule import (
    FOLDS,
    LEAST_PATIENTS,
    answers_by,
    check_enough,
    fifths_of_patients,
    fit_local_rule,
    held_out_answers,
)
from bustle.export.local_fit import counted
from bustle.inference.decision import DecisionRule, Question
from bustle.inference.package import HeldOutFigure, Package
from bustle.inference.predictor import Predictor
from bustle.inference.shipped import named_model
from bustle.io.raster import write_png

ELSEWHERE = Question(
    intercept=3.0,
    weights=(1.0,),
    least_yes=0.5,
    least_no=0.5,
    coverage_yes=0.9,
    coverage_no=0.9,
    cases_yes=9,
    cases_no=9,
)
"""Far too sure of malignant."""


def brier(answers, known) -> float:
    said = np.array([answer.probabilities["malignant"] for answer in answers])
    return float(np.mean((said - [case.label == "malignant" for case in known]) ** 2))


def test_a_rule_from_elsewhere_is_mended_on_patients_that_it_was_not_fitted_on():
    known = cases(300)
    home = fit_rule(cases(1000, seed=7), section=RuleSection())
    assert home is not None
    elsewhere = dataclasses.replace(home, malignancy=ELSEWHERE)
    before, after = answers_by(elsewhere, known), held_out_answers(elsewhere, known).answers
    assert brier(after, known) < brier(before, known) - 0.02
    assert brier(after, known) == pytest.approx(brier(answers_by(home, known), known), abs=0.01)


def test_no_patient_is_fitted_on_and_checked_with_and_each_class_is_in_every_part():
    known = [dataclasses.replace(case, group=str(number // 2)) for number, case in enumerate(cases(200))]
    parts = fifths_of_patients(known)
    assert set(parts) == set(range(FOLDS))
    of_group: dict[str, set[int]] = {}
    for case, part in zip(known, parts, strict=True):
        of_group.setdefault(case.group, set()).add(int(part))
    assert all(len(own) == 1 for own in of_group.values())
    malignant = [int(part) for case, part in zip(known, parts, strict=True) if case.label == "malignant"]
    counts = np.bincount(malignant, minlength=FOLDS)
    assert counts.max() - counts.min() <= 4


def test_what_too_few_cases_cannot_tell_stays_as_it_was():
    home = fit_rule(cases(1000, seed=7), section=RuleSection())
    assert home is not None
    few = [case for case in cases(100) if case.has_lesion][:45]
    fitted = fit_local_rule(home, few)
    assert fitted.fitted == ("malignancy",)
    assert (fitted.rule.presence, fitted.rule.domain) == (home.presence, home.domain)
    assert fitted.rule.malignancy != home.malignancy
    assert set(fit_local_rule(home, cases(300)).fitted) == {"malignancy", "presence", "domain", "smallest_part"}
    alone = fit_local_rule(None, few).rule
    assert alone == DecisionRule(domain=None, presence=None, malignancy=fitted.rule.malignancy, smallest_part=0.0)


def test_a_rule_that_looks_at_descriptors_weighs_them_anew():
    shipped = Package(named_model(Path("reference"))).record.decision
    assert shipped is not None
    assert shipped.descriptors is not None
    rule = fit_local_rule(shipped, cases(300)).rule
    assert rule.descriptors == shipped.descriptors
    assert len(rule.malignancy.weights) == 2
    assert rule.malignancy != shipped.malignancy


def test_a_local_rule_keeps_what_the_one_before_states():
    section = RuleSection(lesion_coverage=0.9, normal_coverage=0.8, class_coverage=0.7, reach=4.0)
    home = fit_rule(cases(1000), section=section)
    assert section_of(home) == section
    assert section_of(fit_local_rule(home, cases(300)).rule) == section
    assert section_of(None) == RuleSection()


def test_only_what_every_fold_can_fit_is_fitted_so_that_the_answers_are_of_the_same_kind_of_rule():
    home = fit_rule(cases(1000, seed=7), section=RuleSection())
    assert home is not None
    known = [case for case in cases(200) if case.has_lesion][:55]
    known += [case for case in cases(200, seed=1) if not case.has_lesion][:25]
    assert set(fit_local_rule(home, known).fitted) == {"malignancy", "presence", "domain", "smallest_part"}
    held_out = held_out_answers(home, known)
    assert held_out.parts == ("domain",)  # four fifths of 55 lesions are fewer than 50
    record = fit_local_rule(home, known, parts=held_out.parts)
    assert record.fitted == ("malignancy", "domain")
    assert record.rule.presence == home.presence
    fifths = fifths_of_patients(known)
    for fifth in range(FOLDS):
        learnt = [case for case, of in zip(known, fifths, strict=True) if of != fifth]
        left_out = [case for case, of in zip(known, fifths, strict=True) if of == fifth]
        rule = fit_local_rule(home, learnt, parts=("domain",)).rule
        given = [answer for answer, of in zip(held_out.answers, fifths, strict=True) if of == fifth]
        assert given == answers_by(rule, left_out)


def test_too_few_patients_are_refused_however_many_images_they_have():
    known = [case for case in cases(400) if case.label in ("benign", "malignant")]
    check_enough(known)
    patients = LEAST_PATIENTS - 1
    few = [dataclasses.replace(case, group=f"{case.label} {number % patients}") for number, case in enumerate(known)]
    with pytest.raises(InputError, match="14 with benign lesions and 14 with malignant"):
        check_enough(few)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package `old.bustle`, `data` of 2 x 16 patients whose malignant lesions are bright, `new.bustle` of both."""
    folder = tmp_path_factory.mktemp("local")
    write_package(folder / "old.bustle")
    random = np.random.default_rng(0)
    lines = ["case_id,label,patient_id"]
    for name in ("images", "masks"):
        (folder / "data" / name).mkdir(parents=True)
    for number in range(32):
        malignant = number % 2 == 1
        image = random.integers(40, 90, (64, 64)).astype(np.uint8)
        image[20:40, 20:40] += np.uint8(60 + 60 * malignant + 10 * (number % 7))
        write_png(folder / "data/images" / f"c{number}.png", image)
        write_png(folder / "data/masks" / f"c{number}.png", np.where(image > 130, 255, 0).astype(np.uint8))
        lines.append(f"c{number},{'malignant' if malignant else 'benign'},p{number}")
    (folder / "data/labels.csv").write_text("\n".join(lines) + "\n")
    assert recalibrate(folder / "old.bustle", folder) == 0
    return folder


def recalibrate(package: Path, folder: Path, *, out: str = "new.bustle") -> int:
    return main(["recalibrate", str(package), "--data", f"folder:{folder / 'data'}", "--out", str(folder / out)])


def test_a_package_is_written_that_says_what_it_was_fitted_on(local: Path):
    record, old = Package(local / "new.bustle").record, Package(local / "old.bustle").record
    fit = record.local_fit
    assert fit is not None
    assert (fit.malignant, fit.benign, fit.normal, fit.patients, fit.rule_before) == (16, 16, 0, 32, None)
    assert fit.fitted == ("malignancy",)
    assert record.files == old.files
    assert len(record.seen_images) == 32
    assert record.seen_cases == old.seen_cases, "of local cases no digest of an id, which could be guessed"
    brier = next(each for each in fit.figures if each.metric == "brier")
    assert (brier.after.value or 1) < (brier.before.value or 0)
    assert Predictor.open(local / "new.bustle").rule == record.decision
    card = (local / "new.bustle" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "Fitted on 32 local cases of 32 patients (16 malignant, 16 benign, 0 normal)" in card


def test_cases_that_fitted_a_package_are_left_out_of_another_fit(local: Path, capsys: pytest.CaptureFixture[str]):
    assert recalibrate(local / "new.bustle", local, out="again.bustle") == 2
    told = capsys.readouterr().err.splitlines()
    assert any("32 of 32 cases, or copies of them, trained or chose this model" in line for line in told)
    assert "0 with benign lesions and 0 with malignant lesions are too few patients" in told[-1]


def test_wrong_input_is_refused_in_one_line(local: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    mask_alone = write_package(tmp_path / "mask.bustle", content=graph(with_classes=False), with_classes=False)
    for package, out, problem in (
        (local / "data", "other", "is no model package"),
        (local / "old.bustle", "new.bustle", "exists already"),
        (mask_alone, "other", "does not both outline"),
    ):
        assert recalibrate(package, local, out=out) == 2
        assert problem in capsys.readouterr().err.splitlines()[-1]
    assert not (local / "other").exists()


def test_a_damaged_file_is_named_before_anything_is_predicted(
    local: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    shutil.copytree(local / "data", tmp_path / "data")
    damaged = tmp_path / "data/images/c31.png"
    damaged.write_bytes(damaged.read_bytes()[:300])
    assert recalibrate(local / "old.bustle", tmp_path) == 2
    told = capsys.readouterr().err
    assert str(damaged) in told.splitlines()[-1]
    assert "--skip-damaged" not in told
    assert "fit the answers" not in told


def test_figures_of_rules_that_answer_different_cases_tell_both_numbers():
    fewer, all_of_them = (ShortFigure(value=0.5, ci95=None, n=n) for n in (57, 68))
    assert counted(HeldOutFigure(metric="auc", before=fewer, after=all_of_them)) == "57 / 68"
    assert counted(HeldOutFigure(metric="auc", before=all_of_them, after=all_of_them)) == "68"
