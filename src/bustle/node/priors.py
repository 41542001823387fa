"""Earlier studies of the patients whose studies come: an archive finds them (C-FIND) and sends them here (C-MOVE)."""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bustle.io.dicom.quiet_pydicom import quiet_pydicom
from bustle.jobs.stage import Patience, PostponedError
from bustle.node.association import NoAssociationError, association
from bustle.node.incoming import Incoming, is_uid
from bustle.node.settings import NodeSettings, PriorSource

if TYPE_CHECKING:
    from pydicom import Dataset
    from pynetdicom.association import Association

log = logging.getLogger(__name__)

_FIND, _MOVE = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2"
"""Of the Study Root Query/Retrieve Information Model."""

# PS3.4, annex C.4: some of what was asked for was not sent, and is again where this node had no room for it.
_SUCCESS, _SOME_NOT_SENT, _PENDING = 0x0000, 0xB000, (0xFF00, 0xFF01)
_WILDCARDS = "*?\\"
_DAYS_OF_A_YEAR = 365.25
_EARLIEST = datetime.date(1000, 1, 1)
"""Earlier years are not written with four digits everywhere, as DICOM wants them."""

_PATIENCE = Patience()


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What tells a patient's earlier studies; never in a log."""

    patient: str
    birth_date: str
    first_date: datetime.date
    last_date: datetime.date


@dataclass(frozen=True, kw_only=True)
class _Wait:
    """Of a study whose earlier ones could not be fetched in so many `tries`: until when, by the clock."""

    tries: int
    until: float


class PriorFetcher:
    """Asks the `priors` of the settings, of which there are some, once about each study that is complete.

    What is sent comes in as any other study and is answered like it. A file in `folder` stands for every study about
    which nothing is left to ask, those that came as earlier ones among them: theirs are not asked for in turn.
    Another one stands for every earlier study of which not all has been sent yet.
    """

    def __init__(
        self,
        settings: NodeSettings,
        incoming: Incoming,
        folder: Path,
        *,
        is_coming: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
    ):
        assert settings.priors is not None
        self._settings = settings
        self._source: PriorSource = settings.priors
        self._incoming = incoming
        self._folder = folder
        self._is_coming = is_coming
        self._clock = clock
        self._waits: dict[str, _Wait] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def fetch(self) -> None:
        """Ask about what is new. An archive that is away is a line of the log; the next time it may be there.

        What goes wrong with one study is another line, and does not keep the others waiting. That study is asked
        about again, ever less often, and then no more.
        """
        studies = tuple(self._incoming.studies())
        self._forget(studies)
        try:
            for study in studies:
                if self._is_due(study):
                    self._try(study)
        except NoAssociationError as error:
            log.warning("earlier studies are not fetched yet: %s", error)

    def _is_due(self, study: str) -> bool:
        wait = self._waits.get(study)
        is_waiting = wait is not None and self._clock() < wait.until
        return not is_waiting and not self._mark(study).exists() and not self._is_coming(study)

    def _try(self, study: str) -> None:
        try:
            self._fetch_priors(study)
        except NoAssociationError:
            raise
        except PostponedError as error:
            self._postpone(study, str(error))
        except Exception as error:  # a stranger's bytes can make a parser raise almost anything
            self._postpone(study, type(error).__name__)

    def _postpone(self, study: str, reason: str) -> None:
        """The next start of the node counts the tries anew."""
        tries = self._waits[study].tries + 1 if study in self._waits else 1
        if _PATIENCE.ends_with(tries):
            log.error("earlier studies of %s are not fetched: %s, %d times", study, reason, tries)
            self._mark(study).touch()
        else:
            log.warning("earlier studies of %s are not fetched yet: %s", study, reason)
            self._waits[study] = _Wait(tries=tries, until=self._clock() + _PATIENCE.wait_after(tries))

    def _mark(self, study: str) -> Path:
        return self._folder / study

    def _mark_of_part(self, prior: str) -> Path:
        return self._folder / f"{prior}.part"

    def _forget(self, studies: tuple[str, ...]) -> None:
        """Marks and waits of what is no longer here, and will not come any more."""
        self._waits = {study: wait for study, wait in self._waits.items() if study in studies}
        before = time.time() - self._settings.keep_days * 86400
        for mark in self._folder.iterdir():
            if mark.name not in studies and mark.stat().st_mtime < before:
                mark.unlink(missing_ok=True)

    def _fetch_priors(self, study: str) -> None:
        with quiet_pydicom():
            asked = self._asked(study)
            if asked is not None:
                with association(self._source, self._settings, contexts=((_FIND, None), (_MOVE, None))) as line:
                    for prior in self._find_studies(line, asked, but=study):
                        if self._is_wanted(prior):
                            self._mark(prior).touch()
                            self._mark_of_part(prior).touch()
                            self._move(line, prior)
                            self._mark_of_part(prior).unlink()
        self._mark(study).touch()

    def _is_wanted(self, prior: str) -> bool:
        return prior not in self._incoming.studies() or self._mark_of_part(prior).exists()

    def _asked(self, study: str) -> _Asked | None:
        """None where the file does not say whose study it is, or in words that would match other patients', too."""
        from pydicom import dcmread

        instances = self._incoming.instances(study)
        if not instances:
            return None
        header = dcmread(
            self._incoming.file(study, instances[0]),
            stop_before_pixels=True,
            specific_tags=["PatientID", "PatientBirthDate", "StudyDate"],
        )
        patient = _text(header, "PatientID")
        if not patient or any(sign in patient for sign in _WILDCARDS):
            log.warning("%s does not say whose it is: no earlier studies are fetched", study)
            return None
        first, last = self._period(_date(_text(header, "StudyDate")))
        return _Asked(patient=patient, birth_date=_text(header, "PatientBirthDate"), first_date=first, last_date=last)

    def _period(self, last: datetime.date | None) -> tuple[datetime.date, datetime.date]:
        """The years up to a study's date; up to today where it has none, or one too early to count back from."""
        length = datetime.timedelta(days=self._source.years * _DAYS_OF_A_YEAR)
        if last is None or last - _EARLIEST < length:
            last = datetime.datetime.now().date()
        return last - length, last

    def _find_studies(self, line: Association, asked: _Asked, *, but: str) -> list[str]:
        """The latest first. What the archive gives is looked at: some match less strictly than they are asked to."""
        found = self._find(
            line,
            QueryRetrieveLevel="STUDY",
            PatientID=asked.patient,
            PatientBirthDate="",
            StudyDate=f"{asked.first_date:%Y%m%d}-{asked.last_date:%Y%m%d}",
            ModalitiesInStudy=self._source.modality,
            StudyInstanceUID="",
        )
        by_date = {}
        for each in found:
            date, born = _date(_text(each, "StudyDate")), _text(each, "PatientBirthDate")
            is_theirs = _text(each, "PatientID") == asked.patient and born in ("", asked.birth_date or born)
            if is_theirs and date is not None and asked.first_date <= date <= asked.last_date:
                by_date[_text(each, "StudyInstanceUID")] = date
        latest = sorted(by_date, key=lambda uid: (by_date[uid], uid), reverse=True)
        return [uid for uid in latest if is_uid(uid) and uid != but][: self._source.most]

    def _move(self, line: Association, study: str) -> None:
        """Series by series: reports and others' results in the study stay there."""
        from pydicom import Dataset

        found = self._find(
            line,
            QueryRetrieveLevel="SERIES",
            StudyInstanceUID=study,
            Modality=self._source.modality,
            SeriesInstanceUID="",
        )
        for series in sorted({_text(each, "SeriesInstanceUID") for each in found}):
            wanted = Dataset()
            wanted.QueryRetrieveLevel = "SERIES"
            wanted.StudyInstanceUID, wanted.SeriesInstanceUID = study, series
            turned_away = self._incoming.turned_away
            for status, _ in self._answers(line.send_c_move(wanted, self._settings.ae, _MOVE), "C-MOVE"):
                if status == _SOME_NOT_SENT and self._incoming.turned_away > turned_away:
                    raise PostponedError("the disk is full")
                if status == _SOME_NOT_SENT:
                    log.warning("%s did not send all of the earlier study %s", self._source.ae, study)

    def _find(self, line: Association, **keys: str) -> list[Dataset]:
        from pydicom import Dataset

        wanted = Dataset()
        for name, value in keys.items():
            setattr(wanted, name, value)
        return [found for _, found in self._answers(line.send_c_find(wanted, _FIND), "C-FIND") if found is not None]

    def _answers(
        self, answers: Iterator[tuple[Dataset, Dataset | None]], service: str
    ) -> Iterator[tuple[int, Dataset | None]]:
        try:
            for answer, found in answers:
                status = answer.get("Status")
                if status is None:
                    raise PostponedError(f"{self._source.ae} ended the association")
                if status not in (_SUCCESS, _SOME_NOT_SENT, *_PENDING):
                    raise PostponedError(f"{self._source.ae} answers 0x{status:04X} to {service}")
                yield status, found
        except (RuntimeError, ValueError):  # the association has ended, or the service was not accepted
            raise PostponedError(f"{self._source.ae} offers no {service}") from None


def _text(found: Dataset, name: str) -> str:
    return str(found.get(name) or "").strip()


def _date(text: str) -> datetime.date | None:
    try:
        return datetime.datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None
