"""Studies through a whole node, and which share of that time is the model's.

A device sends studies of two phantom images to a node on this machine, with the reference model, which stores
Segmentations and reports in an archive in the same process. Timed from the first image to the last answer, without
the second that the last study waits to be complete. The peer is the model alone, on the same pixels: the ratio is the
share of time in inference.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid
from pynetdicom import AE, evt
from pynetdicom.presentation import StoragePresentationContexts

from benchmarks._row import Ratio, Row
from bustle.core.types import Geometry
from bustle.data.sources import open_sources
from bustle.inference.predictor import Item, Predictor
from bustle.inference.shipped import default_model
from bustle.node.node import Node, open_jobs
from bustle.node.settings import DicomArchive, Limits, NodeSettings

IMAGES = 2
QUIET = 1.0
"""Seconds."""


@dataclass(frozen=True)
class Size:
    studies: int
    repeats: int


FULL = Size(studies=20, repeats=3)
TINY = Size(studies=1, repeats=1)


def run(size: Size) -> list[Row]:
    cases = open_sources([f"phantom:?cases={size.studies * IMAGES}&seed=0"]).cases
    pictures = [case.load().image for case in cases]
    predictor = Predictor.open(default_model())
    _model_alone(predictor, pictures)
    _through_a_node(_studies(pictures[:IMAGES]))  # what is imported once is no part of it
    shares, rates = [], []
    for _ in range(size.repeats):
        whole = _through_a_node(_studies(pictures))
        shares.append(_model_alone(predictor, pictures) / whole)
        rates.append(60 * size.studies / whole)
    goal = f"{size.studies} studies of {IMAGES} images, {np.median(rates):.1f} studies a minute"
    return [Row(goal=goal, peer="the model alone (share of time in inference)", ratio=Ratio.over(shares))]


def _model_alone(predictor: Predictor, pictures: Sequence[NDArray[np.uint8]]) -> float:
    start = time.perf_counter()
    items = [Item(str(number), image, Geometry(image.shape[1:])) for number, image in enumerate(pictures)]
    for _ in predictor.predict_many(items):
        pass
    return time.perf_counter() - start


def _through_a_node(studies: Sequence[Sequence[Dataset]]) -> float:
    taken: list[str] = []

    def take(event: Any) -> int:
        taken.append(event.request.AffectedSOPInstanceUID)
        return 0

    archive = AE("ARCHIVE")
    archive.supported_contexts = StoragePresentationContexts
    server = archive.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, take)])
    assert server is not None
    try:
        with tempfile.TemporaryDirectory() as folder:
            settings = NodeSettings(
                data=Path(folder),
                port=0,
                senders=("DEVICE",),
                answers=(DicomArchive(ae="ARCHIVE", host="127.0.0.1", port=server.server_address[1]),),
                quiet_seconds=QUIET,
                limits=Limits(free=0),
            )
            with Node(settings) as node:
                assert node.port is not None, "it has senders"
                start = time.perf_counter()
                for study in studies:
                    _send(study, port=node.port)
                _wait(settings, len(studies))
                return time.perf_counter() - start - QUIET
    finally:
        server.shutdown()


def _wait(settings: NodeSettings, count: int) -> None:
    with open_jobs(settings) as jobs:
        while sum(job.state == "done" for job in jobs.list()) < count:
            assert not any(job.state == "failed" for job in jobs.list())
            time.sleep(0.1)


def _send(study: Sequence[Dataset], *, port: int) -> None:
    device = AE("DEVICE")
    device.add_requested_context(UltrasoundImageStorage, ExplicitVRLittleEndian)
    association = device.associate("127.0.0.1", port, ae_title="BUSTLE")
    for image in study:
        assert association.send_c_store(image).Status == 0
    association.release()


def _studies(pictures: Sequence[NDArray[np.uint8]]) -> list[list[Dataset]]:
    studies = []
    for first in range(0, len(pictures), IMAGES):
        study = generate_uid()
        studies.append([_image(picture, study) for picture in pictures[first : first + IMAGES]])
    return studies


def _image(picture: NDArray[np.uint8], study: str) -> Dataset:
    """A US image of a grey picture `1 H W`."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = UltrasoundImageStorage, generate_uid()
    made.StudyInstanceUID, made.SeriesInstanceUID, made.PatientID = study, generate_uid(), "made"
    made.Modality, made.Manufacturer = "US", "phantom"
    made.Rows, made.Columns = picture.shape[1:]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation = 7, 0
    made.PixelData = picture[0].tobytes() + b"\0" * (picture[0].size % 2)
    made["PixelData"].VR = "OB"
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    return made
