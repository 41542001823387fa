"""What a node accepts, what it refuses and how, and that nothing half written lies about."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode
from tests.io.dicom.made_ultrasound import STUDY, ultrasound
from tests.node.stations import DEVICE, send

from bustle.core.errors import InputError
from bustle.core.temporaries import temporary_affixes
from bustle.io.dicom.quiet_pydicom import quiet_pydicom
from bustle.node import incoming as incoming_module
from bustle.node.incoming import Incoming
from bustle.node.receiver import (
    CANNOT_BE_READ,
    CLASS_NOT_SUPPORTED,
    OTHER_CLASS,
    OTHER_CONTENT,
    OUT_OF_RESOURCES,
    STUDY_TOO_LARGE,
    SUCCESS,
    Receiver,
)
from bustle.node.settings import DicomArchive, Limits, NodeSettings

INSTANCE = "2.25.2026112901"
ANY = DicomArchive(ae="ARCHIVE", host="127.0.0.1", port=104)


def settings(data: Path, **changes: object) -> NodeSettings:
    usual = {"port": 0, "senders": (DEVICE,), "answers": (ANY,), "limits": Limits(instance=1, free=0)}
    return NodeSettings(**{"data": data, **usual, **changes})


class Listening:
    def __init__(self, data: Path, **changes: object):
        self.settings = settings(data, **changes)
        self.incoming = Incoming(data / "incoming", limits=self.settings.limits)
        self.came: list[str] = []
        self.receiver = Receiver(self.settings, self.incoming, on_arrival=self.came.append)

    @property
    def port(self) -> int:
        return self.receiver.port


@pytest.fixture(scope="module")
def always_listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    """Stopping takes half a second."""
    made = Listening(tmp_path_factory.mktemp("node"))
    made.receiver.start()
    yield made
    made.receiver.stop()


@pytest.fixture
def listening(always_listening: Listening) -> Iterator[Listening]:
    yield always_listening
    for study in always_listening.incoming.studies():
        incoming = always_listening.incoming
        incoming.remove(study, incoming.instances(study))
    always_listening.came.clear()


@pytest.fixture
def image(scan: np.ndarray) -> Dataset:
    return ultrasound(scan)


def test_an_instance_is_on_the_disk_before_its_sender_hears_of_success(listening: Listening, image: Dataset):
    assert send([image], port=listening.port) == [SUCCESS]
    path = listening.incoming.file(STUDY, INSTANCE)
    kept = pydicom.dcmread(path)
    assert [(each.tag, each.value or "") for each in kept] == [(each.tag, each.value or "") for each in image]
    assert [path.name for path in path.parent.iterdir()] == [path.name]
    assert listening.came == [STUDY]


def test_the_same_instance_again_is_a_success_and_changes_nothing(listening: Listening, image: Dataset):
    assert send([image, image], port=listening.port) == [SUCCESS, SUCCESS]
    assert listening.came == [STUDY]
    assert listening.incoming.instances(STUDY) == (INSTANCE,)


def test_another_content_of_the_same_identifier_is_refused_and_the_first_stays(
    listening: Listening, image: Dataset, scan: np.ndarray
):
    other = ultrasound(255 - scan)
    assert send([image, other], port=listening.port) == [SUCCESS, OTHER_CONTENT]
    assert pydicom.dcmread(listening.incoming.file(STUDY, INSTANCE)).PixelData == image.PixelData


@pytest.mark.parametrize("titles", [{"title": "STRANGER"}, {"to": "SOMEBODY"}])
def test_unknown_stations_are_refused(listening: Listening, image: Dataset, titles: dict[str, str]):
    with pytest.raises(ConnectionError, match="rejected"):
        send([image], port=listening.port, **titles)
    assert list(listening.incoming.studies()) == []


def test_a_known_station_gets_an_echo(listening: Listening):
    entity = AE(DEVICE)
    entity.add_requested_context("1.2.840.10008.1.1")
    association = entity.associate("127.0.0.1", listening.port, ae_title="BUSTLE")
    assert association.send_c_echo().Status == SUCCESS
    association.release()


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"StudyInstanceUID": None}, CANNOT_BE_READ),
        ({"StudyInstanceUID": "1.2..3"}, CANNOT_BE_READ),
        ({"ManufacturerModelName": "bustle", "ContentQualification": "RESEARCH"}, SUCCESS),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33"}, CLASS_NOT_SUPPORTED),
    ],
    ids=["no study", "no identifier", "an answer of bustle", "another's report"],
)
def test_what_cannot_be_kept_leaves_nothing(
    listening: Listening, scan: np.ndarray, changes: dict[str, str | None], status: int
):
    assert send([ultrasound(scan, changes=changes)], port=listening.port) == [status]
    assert list(listening.incoming.studies()) == []
    assert listening.came == []


def test_what_is_announced_as_another_instance_is_refused(listening: Listening, image: Dataset):
    entity = AE(DEVICE)
    entity.add_requested_context(image.SOPClassUID, image.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", listening.port, ae_title="BUSTLE")
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = image.SOPClassUID, "1.2.3"
    content = encode(image, False, True)
    assert content is not None
    request.DataSet = BytesIO(content)
    context = association.accepted_contexts[0].context_id
    association._reactor_checkpoint.clear()  # as `send_c_store` does: the answer is for us
    association.dimse.send_msg(request, context)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    association.release()
    assert answer.Status == OTHER_CLASS


def test_a_full_disk_accepts_nothing_and_says_so(
    listening: Listening, image: Dataset, monkeypatch: pytest.MonkeyPatch
):
    def full(path: Path, content: bytes) -> None:
        raise InputError("no space left on the disk", remedy="free some", path=path) from OSError(28, "full")

    monkeypatch.setattr(incoming_module, "write_bytes", full)
    assert send([image], port=listening.port) == [OUT_OF_RESOURCES]
    monkeypatch.undo()
    assert send([image], port=listening.port) == [SUCCESS]


def test_a_study_may_be_no_larger_than_allowed(tmp_path: Path):
    listening = Listening(tmp_path, limits=Limits(instance=1, study=1, free=0))
    listening.receiver.start()
    large = np.zeros((600, 1000), np.uint8)
    try:
        sent = [ultrasound(large, number=number) for number in (1, 2)]
        assert send(sent, port=listening.port) == [SUCCESS, STUDY_TOO_LARGE]
    finally:
        listening.receiver.stop()
    assert listening.incoming.instances(STUDY) == (INSTANCE,)


def test_what_must_stay_free_on_the_disk_stays_free(tmp_path: Path, image: Dataset):
    listening = Listening(tmp_path, limits=Limits(free=10**9))
    listening.receiver.start()
    try:
        assert send([image], port=listening.port) == [OUT_OF_RESOURCES]
    finally:
        listening.receiver.stop()
    assert list(listening.incoming.studies()) == []


def test_what_is_larger_than_allowed_ends_the_association_before_it_is_in_memory(listening: Listening):
    large = ultrasound(np.zeros((1500, 1000), np.uint8))
    small = ultrasound(np.ones((64, 64), np.uint8), number=2)
    assert send([large], port=listening.port) == [None]
    assert send([small] * 3, port=listening.port) == [SUCCESS] * 3
    assert listening.incoming.instances(STUDY) == ("2.25.2026112902",)


def test_no_line_of_the_log_names_a_patient(
    listening: Listening, scan: np.ndarray, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    changes = {"PatientBirthDate": "Doe^Jane", "AccessionNumber": "Doe^Jane too long for this", "StudyDate": "Jane"}
    with caplog.at_level(logging.DEBUG), quiet_pydicom():  # the sender is in this process, too
        image = ultrasound(scan, changes=changes)
    send([image, ultrasound(255 - scan)], port=listening.port)
    told = capfd.readouterr()
    for text in (caplog.text, told.out, told.err):
        assert "Jane" not in text
    assert "another one of the same identifier" in caplog.text


def test_files_that_a_killed_receiver_left_half_written_are_swept(tmp_path: Path):
    prefix, suffix = temporary_affixes(f"{INSTANCE}.dcm")
    left = tmp_path / STUDY / f"{prefix}abcdefgh{suffix}"
    left.parent.mkdir()
    left.write_bytes(b"half")
    assert Incoming(tmp_path, limits=Limits(free=0)).instances(STUDY) == ()
    assert not left.exists()


def test_a_port_that_is_taken_is_one_line(listening: Listening, tmp_path: Path):
    other = Listening(tmp_path / "other", port=listening.port)
    with pytest.raises(InputError, match="BUSTLE cannot listen at"):
        other.receiver.start()
