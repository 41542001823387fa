"""Earlier studies: which are asked for, that they come once, and what an archive may answer."""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydicom import DataElement, Dataset
from tests.io.dicom.made_ultrasound import SERIES, STUDY, ultrasound
from tests.node.stations import AskedArchive, asked_archive

from bustle.node import priors
from bustle.node.association import NoAssociationError
from bustle.node.incoming import Incoming, is_uid
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
    """What of a node asks for earlier studies, and where they come in."""

    def __init__(self, folder: Path, archive: AskedArchive):
        answers = (DicomArchive(ae="ARCHIVE", host="127.0.0.1", port=9),)
        priors = PriorSource(ae="ARCHIVE", host="127.0.0.1", port=archive.port, years=2, most=2)
        self.settings = NodeSettings(
            data=folder, port=0, senders=("ARCHIVE",), priors=priors, answers=answers, limits=LIMITS
        )
        self.incoming = Incoming(folder / "incoming", limits=LIMITS)
        self.archive = archive
        self.coming: set[str] = set()
        self.now = 0.0
        self.marks = folder / "priors"
        self.priors = PriorFetcher(
            self.settings, self.incoming, self.marks, is_coming=self.coming.__contains__, clock=lambda: self.now
        )

    def take(self, image: Dataset) -> None:
        content = BytesIO()
        image.save_as(content, enforce_file_format=True)
        self.incoming.keep(content.getvalue(), study=image.StudyInstanceUID, instance=image.SOPInstanceUID)

    def studies(self) -> list[str]:
        return [uid.removeprefix(f"{STUDY}.") for uid in self.incoming.studies()]


@contextlib.contextmanager
def asking(folder: Path, archive: AskedArchive) -> Iterator[Asking]:
    made = Asking(folder, archive)
    receiver = Receiver(made.settings, made.incoming, on_arrival=lambda _: None)
    receiver.start()
    archive.destination = receiver.port
    try:
        yield made
    finally:
        receiver.stop()


class Line:
    """In place of an association: the archive is called as it stands, and what it sends is taken as it stands.

    It refuses to find anything about the patients in `refused`, and to move the series in it.
    """

    def __init__(self, node: Direct, refused: set[str]):
        self._node, self._refused = node, refused

    def send_c_find(self, wanted: Dataset, model: str) -> Iterator[tuple[Dataset, Dataset | None]]:
        found = self._node.archive.find(SimpleNamespace(identifier=wanted))
        if wanted.get("PatientID") in self._refused:
            found = iter([(0xC000, None)])
        for status, each in found:
            yield status_of(status), each

    def send_c_move(self, wanted: Dataset, to: str, model: str) -> Iterator[tuple[Dataset, Dataset | None]]:
        if wanted.SeriesInstanceUID in self._refused:
            yield status_of(0xA702), None
            return
        if self._node.sends_nothing:
            if self._node.is_full:
                assert not self._node.incoming.has_room(1 << 62)
            yield status_of(0xB000), None
            return
        _, _, *sent = self._node.archive.move(SimpleNamespace(identifier=wanted))
        for _, image in sent:
            self._node.take(image)
        yield status_of(0x0000), None


def status_of(code: int) -> Dataset:
    made = Dataset()
    made.Status = code
    return made


class Direct(Asking):
    """The same without a network, and without an archive while it `is_away`."""

    def __init__(self, folder: Path, *has: Dataset):
        super().__init__(folder, AskedArchive(list(has)))
        self.refused: set[str] = set()
        self.is_away = False
        self.sends_nothing = self.is_full = False
        self.calls = 0

    @contextlib.contextmanager
    def association(self, *_: Any, **__: Any) -> Iterator[Line]:
        self.calls += 1
        if self.is_away:
            raise NoAssociationError("ARCHIVE is away")
        yield Line(self, self.refused)


@pytest.fixture
def direct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Direct]:
    def made(*has: Dataset) -> Direct:
        node = Direct(tmp_path, *has)
        monkeypatch.setattr(priors, "association", node.association)
        return node

    return made


def test_the_latest_earlier_studies_of_the_same_patient_come_once(tmp_path: Path, scan: np.ndarray, came: Dataset):
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


def test_an_archive_that_matches_loosely_gives_no_other_patients_images(
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
        node.now += 10
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


def test_an_earlier_study_that_came_in_part_is_completed(
    direct: Callable[..., Direct], scan: np.ndarray, came: Dataset
):
    first, second = study(scan, 2, "20250301"), study(scan, 3, "20250301", StudyInstanceUID=f"{STUDY}.2")
    node = direct(came, first, second)
    node.take(came)
    node.refused.add(second.SeriesInstanceUID)
    node.priors.fetch()
    assert node.incoming.instances(first.StudyInstanceUID) == (first.SOPInstanceUID,)
    node.refused.clear()
    node.now += 10
    node.priors.fetch()
    both = tuple(sorted([first.SOPInstanceUID, second.SOPInstanceUID]))
    assert node.incoming.instances(first.StudyInstanceUID) == both
    node.now += 10
    moved = len(node.archive.moved)
    node.priors.fetch()
    node.take(study(scan, 4, "20260103"))  # whose earlier studies are here already
    node.priors.fetch()
    assert len(node.archive.moved) == moved
    assert all(is_uid(mark.name) for mark in node.marks.iterdir())


@pytest.mark.parametrize("is_full", [True, False], ids=["this node had no room", "the archive has its reasons"])
def test_what_was_not_sent_is_asked_for_again_only_where_the_node_refused_it(
    is_full: bool, direct: Callable[..., Direct], scan: np.ndarray, came: Dataset
):
    earlier = study(scan, 2, "20250301")
    node = direct(came, earlier)
    node.take(came)
    node.sends_nothing, node.is_full = True, is_full
    node.priors.fetch()
    node.sends_nothing = False
    node.now += 10
    node.priors.fetch()
    assert node.incoming.instances(earlier.StudyInstanceUID) == ((earlier.SOPInstanceUID,) if is_full else ())


def test_one_study_that_goes_wrong_keeps_no_other_waiting_and_is_given_up_in_the_end(
    direct: Callable[..., Direct], scan: np.ndarray, caplog: pytest.LogCaptureFixture
):
    refused, other = study(scan, 1, "20260102", PatientID="PAT-1"), study(scan, 2, "20260102")
    node = direct(study(scan, 3, "20250301"))
    node.incoming.keep(b"no DICOM", study="1.2", instance="1")
    node.take(refused)
    node.take(other)
    node.refused.add("PAT-1")
    node.priors.fetch()
    assert list(node.incoming.studies()) == ["1.2", *(f"{STUDY}.{number}" for number in (1, 2, 3))]
    assert f"earlier studies of {STUDY}.1 are not fetched yet: ARCHIVE answers 0xC000 to C-FIND" in caplog.text
    assert "earlier studies of 1.2 are not fetched yet: InvalidDicomError" in caplog.text

    calls = []
    for node.now in range(10, 160, 10):
        before = node.calls
        node.priors.fetch()
        calls += [node.now] * (node.calls - before)
    assert calls == [10, 30, 70, 150]  # of the refused study alone; the damaged one is not worth a call

    for _ in range(30):
        node.now += 3600
        node.priors.fetch()
    assert node.calls == 2 + 29
    assert f"earlier studies of {STUDY}.1 are not fetched: ARCHIVE answers 0xC000 to C-FIND, 30 times" in caplog.text
    assert "earlier studies of 1.2 are not fetched: InvalidDicomError, 30 times" in caplog.text
    assert "PAT-" not in caplog.text


def test_an_archive_that_is_away_is_called_once_a_round_and_costs_no_study_a_try(
    direct: Callable[..., Direct], scan: np.ndarray, came: Dataset
):
    node = direct(study(scan, 3, "20250301"))
    node.is_away = True
    node.take(came)
    node.take(study(scan, 2, "20260102", PatientID="PAT-1"))
    for _ in range(40):
        node.priors.fetch()
    assert node.calls == 40
    node.is_away = False
    node.priors.fetch()
    assert node.studies() == ["1", "2", "3"]


@pytest.mark.parametrize("date", ["00010101", "09990101", "", "no date"])
def test_before_a_date_that_is_none_come_the_studies_up_to_today(
    direct: Callable[..., Direct], scan: np.ndarray, date: str
):
    """Also a date from which no years can be counted back."""
    node = direct(study(scan, 2, "20250301"))
    image = study(scan, 1, "20260102")
    image["StudyDate"] = DataElement("StudyDate", "LO", date)  # a date of any text
    node.take(image)
    days = [datetime.datetime.now().date()]
    node.priors.fetch()
    days += [datetime.datetime.now().date()]  # midnight may lie between
    length = datetime.timedelta(days=730)
    ranges = [f"{day - length:%Y%m%d}-{day:%Y%m%d}" for day in days]
    assert node.archive.queries[0].StudyDate in ranges


def test_marks_go_when_their_studies_are_long_gone(tmp_path: Path, came: Dataset):
    with asked_archive([came]) as archive, asking(tmp_path, archive) as node:
        node.take(came)
        for name in (came.StudyInstanceUID, "1.2.3", "1.2.4"):
            (node.marks / name).touch()
        for name in (came.StudyInstanceUID, "1.2.3"):
            os.utime(node.marks / name, (0, 0))
        node.priors.fetch()
        assert sorted(mark.name for mark in node.marks.iterdir()) == sorted([came.StudyInstanceUID, "1.2.4"])
