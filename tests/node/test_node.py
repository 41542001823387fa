"""A study comes in, its answers go out: all of a node on one machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from tests.io.dicom.made_ultrasound import STUDY, ultrasound
from tests.node.stations import DEVICE, Archive, archive, send, until

from bustle.core.errors import InputError
from bustle.jobs.job import Job
from bustle.node.node import Node, open_jobs
from bustle.node.settings import DicomArchive, Limits, NodeSettings
from bustle.node.status import node_status

BLANK = "2.25.777"
"""A study whose only image shows nothing."""


@dataclass(frozen=True)
class Hospital:
    settings: NodeSettings
    node: Node
    archive: Archive
    sent: list[Dataset]

    def jobs(self) -> dict[str, Job]:
        with open_jobs(self.settings) as jobs:
            return {job.submitted["study"]: job for job in jobs.list()}


@pytest.fixture(scope="module")
def hospital(package: Path, scan: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """A study was sent, one of whose three images shows nothing, and another of which none shows anything."""
    with archive() as taking:
        settings = NodeSettings(
            data=tmp_path_factory.mktemp("node"),
            port=0,
            senders=(DEVICE,),
            answers=(DicomArchive(ae="ARCHIVE", host="127.0.0.1", port=taking.port),),
            quiet_seconds=0.2,
            model=package,
            limits=Limits(free=0),
        )
        sent = [ultrasound(scan), ultrasound(scan[::-1].copy(), number=2)]
        dark = ultrasound(np.zeros((64, 64), np.uint8), number=4)
        blank = ultrasound(np.zeros((64, 64), np.uint8), number=3, changes={"StudyInstanceUID": BLANK})
        with Node(settings, poll=0.05) as node:
            assert send([*sent, dark, blank], port=node.port) == [0] * 4
            made = Hospital(settings, node, taking, [*sent, dark])
            until(lambda: [job.state for job in made.jobs().values()].count("failed") == 1)
            until(lambda: len(taking.taken) >= 3)
            until(lambda: made.jobs()[STUDY].state == "done")
            yield made


def test_the_answers_of_a_study_are_in_the_archive(hospital: Hospital):
    outlines, reports = hospital.archive.of_modality("SEG"), hospital.archive.of_modality("SR")
    assert (len(outlines), len(reports), len(hospital.archive.taken)) == (2, 1, 3)
    referenced = {
        each.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID for each in outlines
    }
    assert referenced == {image.SOPInstanceUID for image in hospital.sent[:2]}
    for each in hospital.archive.taken:
        assert (each.StudyInstanceUID, each.PatientID) == (STUDY, "PAT-0815")


def test_a_study_that_is_sent_again_is_not_answered_again(hospital: Hospital):
    before = len(hospital.archive.taken)
    assert send(hospital.sent, port=hospital.node.port) == [0] * 3
    until(lambda: not hospital.node.is_coming(STUDY))
    assert len(hospital.archive.taken) == before


def test_the_status_counts_states_answers_and_names_nobody(hospital: Hospital, capsys: pytest.CaptureFixture[str]):
    status = node_status(hospital.settings)
    assert (status.studies["answered"], status.studies["failed"], sum(status.studies.values())) == (1, 1, 2)
    (trouble,) = status.trouble
    assert trouble.failed
    assert "everything in it has the same grey" in trouble.reason
    (unread,) = status.unread
    assert unread.job.startswith(STUDY)
    assert "2.25.2026112904" in unread.reason
    (month,) = status.months
    assert (month.device, month.answers) == ("Made-up devices", 2)
    assert "PAT-0815" not in repr(status)


def test_what_the_node_keeps_about_jobs_names_nobody(hospital: Hospital):
    kept = (hospital.settings.data / "jobs.sqlite").read_bytes()
    assert STUDY.encode() in kept
    for name in ("Doe", "ller^", "PAT-0815", "19700101", "ACC-7"):
        assert name.encode() not in kept
    names = " ".join(str(path) for path in hospital.settings.data.rglob("*"))
    assert "PAT-0815" not in names
    assert oct(hospital.settings.data.stat().st_mode & 0o777) == "0o700"


def test_a_second_node_in_the_same_folder_is_refused(hospital: Hospital):
    with pytest.raises(InputError, match="another node uses this folder"):
        Node(hospital.settings).start()


def test_the_command_tells_the_same_and_tries_failed_studies_again(
    hospital: Hospital, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    from bustle.cli.main import main

    path = tmp_path / "node.yaml"
    path.write_text(
        f"data: {hospital.settings.data}\nsenders: [X]\nanswers: [{{to: dicom, ae: X, host: x, port: 1}}]\n"
    )
    assert main(["node", "status", str(path)]) == 0
    told = capsys.readouterr().out
    assert "1  answered" in told
    assert f"failed: {BLANK}-" in told
    assert "Made-up devices: 2 answers" in told
    assert main(["node", "status", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["studies"]["failed"] == 1
    assert main(["node", "retry", str(path), "absent"]) == 2
    assert "there is no job 'absent'" in capsys.readouterr().err
    assert main(["node", "retry", str(path)]) == 0
    assert "1 begin anew" in capsys.readouterr().out
    until(lambda: (hospital.jobs()[BLANK].state, hospital.jobs()[BLANK].attempt) == ("failed", 2))
