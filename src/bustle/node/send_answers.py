"""The second stage of a job: the result objects of a study go to every archive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bustle.core.errors import InputError
from bustle.inference.prediction_files import OBJECTS
from bustle.jobs.stage import JobInHand, PlainValues, PostponedError
from bustle.node.association import association
from bustle.node.read_study import READ
from bustle.node.settings import MB, Archive, DicomArchive, NodeSettings, WebArchive
from bustle.node.web import web_client

if TYPE_CHECKING:
    from pydicom import Dataset

SEND = "send"

_LONGEST_REPLY = 16 * MB
_THERE_ALREADY = 0x0111
"""Some archives say so of an instance that they have; the identifiers of answers repeat themselves."""


class AnswerSender:
    """Sends what is in folders of `out`. Sending twice is as sending once: archives keep one object of a UID."""

    def __init__(self, settings: NodeSettings, out: Path):
        self._settings = settings
        self._out = out

    def send(self, job: JobInHand) -> PlainValues:
        """Returns how many objects went to each archive.

        Raises `PostponedError` where an archive does not take them all; the others have them then.
        """
        made = job.results[READ]["objects"]
        if made == 0:
            return {"objects": 0, "archives": 0}
        files = sorted((self._out / job.id / OBJECTS).glob("*.dcm"))
        if len(files) < made:
            raise InputError("its answers are deleted", remedy="send the study again under another identifier")
        trouble = []
        for archive in self._settings.answers:
            try:
                _send(files, archive, self._settings)
            except PostponedError as error:
                trouble.append(str(error))
        if trouble:
            raise PostponedError("; ".join(trouble))
        return {"objects": made, "archives": len(self._settings.answers)}


def _send(files: Sequence[Path], archive: Archive, settings: NodeSettings) -> None:
    from pydicom import dcmread

    objects = [dcmread(path) for path in files]
    if isinstance(archive, WebArchive):
        _store_over_the_web(objects, archive)
    else:
        _store(objects, archive, settings)


def _store(objects: Sequence[Dataset], archive: DicomArchive, settings: NodeSettings) -> None:
    kinds = sorted({(each.SOPClassUID, each.file_meta.TransferSyntaxUID) for each in objects})
    with association(archive, settings, contexts=kinds) as line:
        for each in objects:
            try:
                status = line.send_c_store(each).get("Status")
            except (RuntimeError, ValueError):  # the association has ended, or its kind of object was not accepted
                raise PostponedError(f"{archive.ae} does not take {each.SOPClassUID.name}") from None
            if status is None:
                raise PostponedError(f"{archive.ae} ended the association")
            if status not in (0, _THERE_ALREADY) and status >> 12 != 0xB:  # Bxxx are warnings: it is kept
                raise PostponedError(f"{archive.ae} answers 0x{status:04X} to {each.SOPClassUID.name}")


def _store_over_the_web(objects: Sequence[Dataset], archive: WebArchive) -> None:
    with web_client(archive, most=_LONGEST_REPLY) as client:
        answer = client.store_instances(objects)
    failed = answer.get("FailedSOPSequence") or ()
    if failed:
        raise PostponedError(f"{archive.url} does not take {len(failed)} of {len(objects)} objects")
