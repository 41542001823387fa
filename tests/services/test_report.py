"""A report of 5,000 cases in Chromium: it opens, sorts, filters, shows a case and prints; it asks for nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.report.conftest import CLASSES, score_made_up_cases, summarise_made_up_cases
from tests.services.fresh_environment import FreshEnvironment

from bustle.core.recipe import load_protocol
from bustle.core.tracks import Tracks
from bustle.io.raster import write_png
from bustle.report.evaluation_page import ReportedTracks, write_evaluation_page
from bustle.report.gallery import ShownImage, gallery_choice

CASES = 5000
MOST_BYTES = 10_000_000


@pytest.fixture(scope="module")
def walked(walker: FreshEnvironment, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    out = tmp_path_factory.mktemp("report")
    written(out)
    script = Path(__file__).with_name("walk_the_report.py")
    return json.loads(walker.run("python", script, out / "report.html", out).splitlines()[-1]), out


def written(out: Path) -> None:
    few = score_made_up_cases()
    rows = [
        dataclasses.replace(few[number % len(few)], case_id=f"made/{number}", group_id=f"made/{number}")
        for number in range(CASES)
    ]
    metrics = summarise_made_up_cases(rows)
    noise = np.random.default_rng(0).integers(0, 90, (1, 300, 400)).astype(np.uint8)
    drawn = np.zeros((300, 400), bool)
    drawn[100:180, 120:260] = True
    chosen = gallery_choice(rows, classes=CLASSES)
    links = {row.case_id: f"predictions/{row.case_id}/overlay.png" for row in rows}
    for row in (row for section in chosen.values() for row in section):
        picture = out / links[row.case_id]
        picture.parent.mkdir(parents=True, exist_ok=True)
        write_png(picture, noise[0])
    reported = ReportedTracks(
        results=Tracks(metrics, None),
        protocols=Tracks(load_protocol("strict"), None),
        rows=rows,
        classes=CLASSES,
        pictures={
            name: [ShownImage(row, noise, drawn, np.roll(drawn, 9, 1)) for row in part]
            for name, part in chosen.items()
        },
        trained_on="On these.",
        overlays=links,
    )
    write_evaluation_page(out / "report.html", reported)


def test_a_report_of_many_cases_is_light_and_asks_for_nothing(walked: tuple[dict[str, Any], Path]):
    seen, out = walked
    assert (out / "report.html").stat().st_size < MOST_BYTES
    assert seen["asked_at_start"] == [(out / "report.html").as_uri()]
    assert seen["asked_for_a_picture"] == 1


def test_cases_are_filtered_and_sorted_with_the_keyboard(walked: tuple[dict[str, Any], Path]):
    seen, _ = walked
    assert seen["missed"] == sum(number % 24 == 0 for number in range(CASES))
    assert seen["found"] == sum(f"made/{number}".startswith("made/3") for number in range(CASES))
    assert seen["dice"] == sorted(seen["dice"])
    assert len(seen["dice"]) > CASES / 2
    assert seen["of_a_picture"] >= 1


def test_it_prints_every_case(walked: tuple[dict[str, Any], Path]):
    _, out = walked
    assert (out / "report.pdf").read_bytes().count(b"/Type /Page\n") > CASES / 100
