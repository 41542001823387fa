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
from pynetdicom.presentation import StoragePresentationContexts

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
