"""The other ends of a node's lines: a device that sends, an archive that takes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import pydicom
from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.presentation import StoragePresentationContexts, build_context

DEVICE = "DEVICE"
LONGEST_WAIT = 60.0


@dataclass
class Archive:
    """What it has taken, by SOP instance UID; `refusals` are statuses that it answers first."""

    refusals: list[int] = field(default_factory=list)
    taken: list[Dataset] = field(default_factory=list)
    port: int = 0

    def store(self, event: Any) -> int:
        if self.refusals:
            return self.refusals.pop(0)
        self.taken.append(pydicom.dcmread(BytesIO(event.encoded_dataset())))
        return 0

    def of_modality(self, modality: str) -> list[Dataset]:
        return [each for each in self.taken if each.Modality == modality]


@contextlib.contextmanager
def archive(**settings: Any) -> Iterator[Archive]:
    made = Archive(**settings)
    entity = AE("ARCHIVE")
    entity.supported_contexts = StoragePresentationContexts
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, made.store)])
    assert server is not None
    made.port = server.server_address[1]
    try:
        yield made
    finally:
        server.shutdown()


@dataclass
class AskedArchive:
    """What it has; it answers C-FIND and sends by C-MOVE to the one station that it knows, at `destination`.

    `refusal` is a status that it answers a C-FIND. `strict` is whether it matches the keys of a query.
    """

    has: list[Dataset]
    destination: int = 0
    refusal: int | None = None
    strict: bool = True
    queries: list[Dataset] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    port: int = 0

    def find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        wanted = event.identifier
        self.queries.append(wanted)
        if self.refusal is not None:
            yield self.refusal, None
            return
        told = set()
        for each in self.has:
            found = Dataset()
            for element in wanted:
                name = element.keyword
                setattr(found, name, wanted.get(name) if name == "QueryRetrieveLevel" else each.get(name, ""))
            found.ModalitiesInStudy = each.Modality
            if not self.strict or self._matches(wanted, each):
                key = str(found)
                if key not in told:
                    told.add(key)
                    yield 0xFF00, found

    def _matches(self, wanted: Dataset, each: Dataset) -> bool:
        first, _, last = str(wanted.get("StudyDate", "")).partition("-")
        return (
            wanted.get("PatientID", "") in ("", each.PatientID)
            and (not first or first <= each.StudyDate <= last)
            and wanted.get("StudyInstanceUID", "") in ("", each.StudyInstanceUID)
            and wanted.get("Modality", "") in ("", each.Modality)
        )

    def move(self, event: Any) -> Iterator[Any]:
        wanted = event.identifier
        sent = [each for each in self.has if each.SeriesInstanceUID == wanted.SeriesInstanceUID]
        sent = [each for each in sent if each.StudyInstanceUID == wanted.StudyInstanceUID]
        yield "127.0.0.1", self.destination
        yield len(sent)
        for each in sent:
            self.moved.append(each.SOPInstanceUID)
            yield 0xFF00, each


@contextlib.contextmanager
def asked_archive(has: Sequence[Dataset], **settings: Any) -> Iterator[AskedArchive]:
    made = AskedArchive(list(has), **settings)
    entity = AE("ARCHIVE")
    entity.requested_contexts = [build_context(each.SOPClassUID) for each in has][:1]
    for uid in ("1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2"):
        entity.add_supported_context(uid)
    handlers: list[Any] = [(evt.EVT_C_FIND, made.find), (evt.EVT_C_MOVE, made.move)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    made.port = server.server_address[1]
    try:
        yield made
    finally:
        server.shutdown()


def send(
    objects: Sequence[Dataset], *, port: int, title: str = DEVICE, to: str = "BUSTLE", **tls: Any
) -> list[int | None]:
    """The status of each; None where the association ended. Raises ConnectionError where there is none."""
    entity = AE(title)
    for uid, syntax in {(each.SOPClassUID, each.file_meta.TransferSyntaxUID) for each in objects}:
        entity.add_requested_context(uid, syntax)
    association = entity.associate("127.0.0.1", port, ae_title=to, **tls)
    if not association.is_established:
        raise ConnectionError("rejected" if association.is_rejected else "no association")
    statuses: list[int | None] = []
    try:
        for each in objects:
            if not association.is_established:
                statuses.append(None)
                continue
            statuses.append(association.send_c_store(each).get("Status"))
    finally:
        association.release()
    return statuses


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_WAIT
    while not true():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.02)
