"""The DICOMweb side that asks: images of the last days are fetched from servers that do not send them."""

from __future__ import annotations

import contextlib
import datetime
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

from bustle.core.errors import InputError
from bustle.io.dicom.image import RECEIVED_CLASSES
from bustle.io.dicom.own_results import is_result
from bustle.io.dicom.quiet_pydicom import quiet_pydicom
from bustle.jobs.stage import PostponedError
from bustle.node.incoming import DiskFullError, Incoming, is_uid
from bustle.node.settings import MB, Limits, WebSource
from bustle.node.web import TooLargeError, web_client

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient

log = logging.getLogger(__name__)

_STUDY, _SERIES, _INSTANCE, _CLASS = "0020000D", "0020000E", "00080018", "00080016"
_PAGE = 200
_AS_STORED = (("application/dicom", "*"),)


class Fetcher:
    """Asks one source; `on_arrival` hears of each study of which something new came, by its UID."""

    def __init__(self, source: WebSource, incoming: Incoming, *, limits: Limits, on_arrival: Callable[[str], None]):
        self._source = source
        self._incoming = incoming
        self._limits = limits
        self._on_arrival = on_arrival
        self._too_large: set[str] = set()

    def fetch(self) -> None:
        """Fetch what is not on the disk yet. What goes wrong is told in the log; the next time may go better."""
        try:
            with web_client(self._source, most=self._limits.instance * MB) as client, quiet_pydicom():
                for study in self._studies(client):
                    with _left_behind(study):
                        self._fetch_study(client, study)
        except PostponedError as error:
            log.warning("%s", error)
        except DiskFullError:
            log.error("the disk is full: nothing is fetched")
        except InputError as error:
            log.error("%s", error.in_results())

    def _studies(self, client: DICOMwebClient) -> Iterator[str]:
        today = datetime.datetime.now().date()
        first = today - datetime.timedelta(days=self._source.days)
        asked = {"ModalitiesInStudy": self._source.modality, "StudyDate": f"{first:%Y%m%d}-{today:%Y%m%d}"}
        for study in _all(partial(client.search_for_studies, search_filters=asked), _STUDY):
            if is_uid(study):
                yield study

    def _fetch_study(self, client: DICOMwebClient, study: str) -> None:
        there = self._too_large.union(self._incoming.instances(study))
        asked = {"Modality": self._source.modality}
        for series in _all(partial(client.search_for_series, study, search_filters=asked), _SERIES):
            for instance, found in _all(partial(client.search_for_instances, study, series), _INSTANCE).items():
                known = instance in there or not is_uid(instance)
                if not known and _value(found, _CLASS) in ("", *RECEIVED_CLASSES):
                    with _left_behind(instance):
                        self._fetch_instance(client, study=study, series=series, instance=instance)

    def _fetch_instance(self, client: DICOMwebClient, *, study: str, series: str, instance: str) -> None:
        try:
            image = client.retrieve_instance(study, series, instance, media_types=_AS_STORED)
        except TooLargeError:
            self._leave_out(instance, f"it is larger than {self._limits.instance} MB")
            return
        if (image.get("StudyInstanceUID"), image.get("SOPInstanceUID")) != (study, instance):
            log.warning("%s is another instance than it was announced as, and left out", instance)
            return
        if image.get("SOPClassUID") not in RECEIVED_CLASSES or is_result(image):
            return
        content = BytesIO()
        image.save_as(content, enforce_file_format=True)
        kept = self._incoming.keep(content.getvalue(), study=study, instance=instance)
        if kept == "study too large":
            self._leave_out(instance, f"its study is larger than {self._limits.study} MB")
        elif kept == "new":
            self._on_arrival(study)

    def _leave_out(self, instance: str, reason: str) -> None:
        """Not to be fetched again and again."""
        self._too_large.add(instance)
        log.warning("%s was not fetched: %s", instance, reason)


@contextlib.contextmanager
def _left_behind(what: str) -> Iterator[None]:
    """A study or an image that a server does not give, or gives damaged, must not keep the others there."""
    import requests

    try:
        yield
    except (DiskFullError, InputError, requests.ConnectionError, requests.Timeout):  # so would the others
        raise
    except Exception as error:  # a stranger's bytes can make a parser raise almost anything
        log.warning("%s was not fetched (%s)", what, type(error).__name__)


def _all(search: Callable[..., list[dict[str, Any]]], tag: str) -> dict[str, Mapping[str, Any]]:
    """All that a server finds, by the identifier `tag`, page by page.

    Servers cap pages as they like, and some give the same for ever: what brings nothing new is the last page.
    """
    seen: dict[str, Mapping[str, Any]] = {}
    while True:
        page = {_value(found, tag): found for found in search(limit=_PAGE, offset=len(seen))}
        if page.keys() <= seen.keys():
            return seen
        seen |= page


def _value(found: Mapping[str, Any], tag: str) -> str:
    """The first value of an element in DICOM JSON; empty where there is none."""
    values = found.get(tag, {}).get("Value") or [""]
    return str(values[0])
