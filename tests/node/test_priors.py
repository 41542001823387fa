"""Earlier studies: which are asked for, that they come once, and what an archive may answer."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from tests.io.dicom.made_ultrasound import SERIES, STUDY, ultrasound
from tests.node.stations import AskedArchive, asked_archive

from bustle.node.incoming import Incoming
from bustle.node.priors import PriorFetcher
from bustle.node.receiver import Receiver
from bustle.node.settings import DicomArchive, Limits, NodeSettings, PriorSource

LIMITS = Limits(free=0)


def study(scan: np.ndarray, number: int, date: str, **changes: Any) -> Dataset:
    """An image that is a study of its own."""
    uids = {"StudyInstanceUID": f"{STUDY}.{number}", "SeriesInstanceUID": f"{SERIES}.{number}"}
    return ultrasound(scan, number=number, changes={**uids, "StudyDate": date, **changes})


@pytest.fixture
def came(scan: np.ndarray) -> Dataset:
    return study(scan, 1, "20260102")


class Asking:
    """A node's receiver and what asks for earlier studies, with nobody between them."""

    def __init__(self, folder: Path, archive: AskedArchive):
        answers = (DicomArchive(ae="ARCHIVE", host="127.0.0.1", port=9),)
        priors = PriorSource(ae="ARCHIVE", host="127.0.0.1", port=archive.port, years=2, most=2)
        settings = NodeSettings(
            data=folder, port=0, senders=("ARCHIVE",), priors=priors, answers=answers, limits=LIMITS
        )
        self.incoming = Incoming(folder / "incoming", limits=LIMITS)
        self.receiver = Receiver(settings, self.incoming, on_arrival=lambda _: None)
        self.receiver.start()
        archive.destination = self.receiver.port
        self.coming: set[str] = set()
        self.marks = folder / "priors"
        self.priors = PriorFetcher(settings, self.incoming, self.marks, is_coming=self.coming.__contains__)

    def take(self, image: Dataset) -> None:
        content = BytesIO()
        image.save_as(content, enforce_file_format=True)
        self.incoming.keep(content.getvalue(), study=image.StudyInstanceUID, instance=image.SOPInstanceUID)

    def studies(self) -> list[str]:
        return [uid.removeprefix(f"{STUDY}.") for uid in self.incoming.studies()]


@contextlib.contextmanager
def asking(folder: Path, archive: AskedArchive) -> Iterator[Asking]:
    made = Asking(folder, archive)
    try:
        yield made
    finally:
        made.receiver.stop()


def test_the_latest_earlier_studies_of_the_same_woman_come_once(tmp_path: Path, scan: np.ndarray, came: Dataset):
    others = [
        study(scan, 2, "20250301"),
        study(scan, 3, "20250601"),
        study(scan, 4, "20251201"),
        study(scan, 5, "20230101"),
        study(scan, 6, "20260105"),
        study(scan, 7, "20251231", PatientID="PAT-08151"),
        study(scan, 8, "20251230", PatientBirthDate="19710101"),
    ]
    with asked_archive([came, *others]) as archive, asking(tmp_path, archive) as node:
        node.take(came)
        node.priors.fetch()
        assert node.studies() == ["1", "3", "4"]
        (asked, *of_series) = archive.queries
        assert (asked.PatientID, asked.StudyDate) == ("PAT-0815", "20240103-20260102")
        assert [each.QueryRetrieveLevel for each in of_series] == ["SERIES"] * 2
        node.priors.fetch()
        assert (len(archive.queries), len(archive.moved)) == (3, 2)


def test_an_archive_that_matches_loosely_gives_no_other_womans_images(
    tmp_path: Path, scan: np.ndarray, came: Dataset
):
    others = [
        study(scan, 2, "20250301", PatientID="PAT-08151"),
        study(scan, 3, "20250601", PatientBirthDate="19710101"),
        study(scan, 4, "20230101"),
        study(scan, 5, "20270101"),
    ]
    with asked_archive([came, *others], strict=False) as archive, asking(tmp_path, archive) as node:
        node.take(came)
        node.priors.fetch()
        assert (node.studies(), archive.moved) == (["1"], [])


@pytest.mark.parametrize("patient", ["", "PAT*", "PAT?", None])
def test_a_number_that_would_match_others_is_not_asked_for(
    tmp_path: Path, scan: np.ndarray, patient: str | None, caplog: pytest.LogCaptureFixture
):
    image = study(scan, 1, "20260102", PatientID=patient)
    with asked_archive([study(scan, 2, "20250301")]) as archive, asking(tmp_path, archive) as node:
        node.take(image)
        node.priors.fetch()
        assert archive.queries == []
    assert "does not say whose it is" in caplog.text
    assert "PAT" not in caplog.text


def test_a_study_that_is_still_coming_waits(tmp_path: Path, scan: np.ndarray, came: Dataset):
    with asked_archive([study(scan, 2, "20250301")]) as archive, asking(tmp_path, archive) as node:
        node.take(came)
        node.coming.add(came.StudyInstanceUID)
        node.priors.fetch()
        assert archive.queries == []
        node.coming.clear()
        node.priors.fetch()
        assert node.studies() == ["1", "2"]


def test_an_archive_that_refuses_is_asked_again_and_names_nobody_in_the_log(
    tmp_path: Path, scan: np.ndarray, came: Dataset, caplog: pytest.LogCaptureFixture
):
    with asked_archive([study(scan, 2, "20250301")], refusal=0xA700) as archive, asking(tmp_path, archive) as node:
        node.take(came)
        node.priors.fetch()
        assert node.studies() == ["1"]
        assert "ARCHIVE answers 0xA700 to C-FIND" in caplog.text
        archive.refusal = None
        node.priors.fetch()
        assert node.studies() == ["1", "2"]
    assert "PAT-0815" not in caplog.text
    assert "19700101" not in caplog.text


def test_an_archive_that_is_away_is_a_line_of_the_log(
    tmp_path: Path, came: Dataset, caplog: pytest.LogCaptureFixture
):
    with asked_archive([came]) as archive:
        pass
    with asking(tmp_path, archive) as node:
        node.take(came)
        node.priors.fetch()
    assert "earlier studies are not fetched yet: ARCHIVE at 127.0.0.1" in caplog.text


def test_marks_go_when_their_studies_are_long_gone(tmp_path: Path, came: Dataset):
    with asked_archive([came]) as archive, asking(tmp_path, archive) as node:
        node.take(came)
        for name in (came.StudyInstanceUID, "1.2.3", "1.2.4"):
            (node.marks / name).touch()
        for name in (came.StudyInstanceUID, "1.2.3"):
            os.utime(node.marks / name, (0, 0))
        node.priors.fetch()
        assert sorted(mark.name for mark in node.marks.iterdir()) == sorted([came.StudyInstanceUID, "1.2.4"])
