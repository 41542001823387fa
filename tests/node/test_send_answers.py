"""What an archive says to an answer, and what becomes of it."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.io.dicom.made_ultrasound import ultrasound
from tests.node.stations import archive

from bustle.core.errors import InputError
from bustle.inference.prediction_files import OBJECTS
from bustle.jobs.stage import JobInHand, PostponedError
from bustle.node.read_study import READ
from bustle.node.send_answers import AnswerSender
from bustle.node.settings import Archive, DicomArchive, NodeSettings, Tls, WebArchive

JOB = JobInHand(id="job", submitted={}, results={READ: {"objects": 2}})


@pytest.fixture
def out(tmp_path: Path, scan: np.ndarray) -> Path:
    """Any two objects stand for answers."""
    folder = tmp_path / JOB.id / OBJECTS
    folder.mkdir(parents=True)
    for number in (1, 2):
        ultrasound(scan, number=number).save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return tmp_path


def sender(out: Path, *answers: Archive, tls: Tls | None = None) -> AnswerSender:
    return AnswerSender(NodeSettings(data=out, senders=("X",), answers=answers, tls=tls), out)


def at(port: int, **changes: bool) -> DicomArchive:
    return DicomArchive(ae="ARCHIVE", host="127.0.0.1", port=port, **changes)


def test_all_go_to_every_archive(out: Path):
    with archive() as first, archive() as second:
        sent = sender(out, at(first.port), at(second.port)).send(JOB)
        assert sent == {"objects": 2, "archives": 2}
        assert [each.InstanceNumber for each in first.taken] == [1, 2]
        assert len(second.taken) == 2


@pytest.mark.parametrize("status", [0xB000, 0x0111], ids=["a warning", "is there already"])
def test_what_the_archive_keeps_is_sent(out: Path, status: int):
    with archive(refusals=[status]) as taking:
        assert sender(out, at(taking.port)).send(JOB)["objects"] == 2


def test_a_refusal_postpones_and_says_what_was_answered(out: Path):
    with (
        archive(refusals=[0xA700]) as taking,
        pytest.raises(PostponedError, match="ARCHIVE answers 0xA700"),
    ):
        sender(out, at(taking.port)).send(JOB)


def test_an_archive_that_is_away_postpones(out: Path):
    with archive() as gone:
        pass
    with pytest.raises(PostponedError, match="cannot be reached"):
        sender(out, at(gone.port)).send(JOB)
    with pytest.raises(PostponedError, match="cannot be reached"):
        sender(out, WebArchive(url=f"http://127.0.0.1:{gone.port}")).send(JOB)


def test_an_archive_that_is_away_does_not_keep_the_answers_from_the_others(out: Path):
    with archive() as gone:
        pass
    with archive() as taking:
        with pytest.raises(PostponedError, match="cannot be reached"):
            sender(out, at(gone.port), at(taking.port)).send(JOB)
        assert len(taking.taken) == 2


@pytest.mark.parametrize("left", [0, 1])
def test_answers_that_are_deleted_fail_for_good(out: Path, left: int):
    for file in sorted((out / JOB.id / OBJECTS).iterdir())[left:]:
        file.unlink()
    with pytest.raises(InputError, match="its answers are deleted"):
        sender(out, at(1)).send(JOB)


def test_a_study_of_which_nothing_is_to_be_sent_is_done(tmp_path: Path):
    nothing = JobInHand(id="job", submitted={}, results={READ: {"objects": 0}})
    assert sender(tmp_path, at(1)).send(nothing) == {"objects": 0, "archives": 0}


def test_certificates_that_cannot_be_read_just_now_postpone(out: Path):
    tls = Tls(certificate=out / "absent.crt", key=out / "absent.key")
    with pytest.raises(PostponedError, match="the certificates cannot be used"):
        sender(out, at(1, encrypted=True), tls=tls).send(JOB)


def certificate(folder: Path) -> Tls:
    """Of this machine, signed by itself."""
    made = Tls(certificate=folder / "node.crt", key=folder / "node.key", trusted=folder / "node.crt")
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-keyout", made.key, "-out", made.certificate)
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *subject]
    subprocess.run([*words, *files], check=True, capture_output=True)
    return made


def test_over_tls_both_show_who_they_are(out: Path, scan: np.ndarray):
    from tests.node.stations import send
    from tests.node.test_receiver import Listening

    from bustle.node.receiver import client_context

    tls = certificate(out)
    listening = Listening(out / "node", tls=tls, senders=("BUSTLE",))
    listening.receiver.start()
    try:
        encrypted = DicomArchive(ae="BUSTLE", host="127.0.0.1", port=listening.port, encrypted=True)
        sender(out, encrypted, tls=tls).send(JOB)
        (study,) = listening.incoming.studies()
        assert len(listening.incoming.instances(study)) == 2
        nobody = ssl.create_default_context(cafile=str(tls.trusted))
        for context in (None, nobody):
            tls_args = {} if context is None else {"tls_args": (context, "127.0.0.1")}
            with pytest.raises(ConnectionError):
                send([ultrasound(scan, number=3)], port=listening.port, title="BUSTLE", **tls_args)
        assert client_context(tls).verify_mode == ssl.CERT_REQUIRED
        assert len(listening.incoming.instances(study)) == 2
    finally:
        listening.receiver.stop()
