from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.io.dicom.made_files import data_set, region, scan, written

from bustle.core.errors import InputError
from bustle.core.types import Collection
from bustle.data.sources import open_sources

CLIP = np.stack([scan(seed=seed) for seed in range(3)])


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A picture, a clip and one of another patient's, in folders, with and without endings."""
    folder = tmp_path / "study"
    still = data_set(scan(), SOPInstanceUID="1.1", regions=[region((10, 20, 49, 69))], Laterality="R")
    written(folder, still, "DOE^JANE.dcm")
    written(folder, data_set(CLIP, frames=3, SOPInstanceUID="1.2"), "DICOM/00/I1")
    written(folder, data_set(scan(seed=5), SOPInstanceUID="1.3", PatientID="4712"), "DICOM/01/I1")
    (folder / "readme.txt").write_text("no DICOM")
    return folder


def read(path: Path, options: str = "") -> Collection:
    return open_sources([f"dicom:{path}{options}"])


def test_every_frame_is_a_case(study: Path):
    cases = {case.case_id: case for case in read(study).cases}
    assert sorted(cases) == ["dicom/1.1#1", "dicom/1.2#1", "dicom/1.2#2", "dicom/1.2#3", "dicom/1.3#1"]
    still, frame, other = cases["dicom/1.1#1"], cases["dicom/1.2#2"], cases["dicom/1.3#1"]
    assert still.spacing == pytest.approx((0.1, 0.1))
    assert (still.metadata["laterality"], still.metadata["study"]) == ("right", "1.2.3")
    assert (still.video, frame.video, frame.frame) == (None, "1.2", 2)
    assert still.patient_id == frame.patient_id != other.patient_id


def test_cases_are_loaded_in_other_processes_too(study: Path):
    case = pickle.loads(pickle.dumps(read(study).cases[1]))
    sample = case.load()
    assert sample.case_id == case.case_id
    np.testing.assert_array_equal(sample.image[0], CLIP[int(case.case_id[-1]) - 1])


def test_nothing_of_the_patient_is_in_what_is_read(study: Path):
    collection = read(study)
    told = repr(collection) + "".join(repr(case.load().provenance) + repr(case.metadata) for case in collection.cases)
    without_paths = told.replace(str(study / "DOE^JANE.dcm"), "")
    for planted in ("Planted", "4711", "4712", "DOE"):
        assert planted not in without_paths


def test_a_zip_archive_a_single_file_an_index_and_the_path_alone(study: Path):
    whole = [case.case_id for case in read(study).cases]
    archive = shutil.make_archive(str(study), "zip", study)
    assert [case.case_id for case in read(Path(archive)).cases] == whole
    assert [case.case_id for case in open_sources([str(study)]).cases] == whole
    assert [case.case_id for case in read(study / "DICOM/01/I1").cases] == ["dicom/1.3#1"]
    shutil.copy(study / "DICOM/01/I1", study / "DICOMDIR")
    assert [case.case_id for case in read(study / "DICOMDIR").cases] == whole


def test_some_frames_only(study: Path):
    assert [case.case_id for case in read(study / "DICOM/00", "?every=2").cases] == ["dicom/1.2#1", "dicom/1.2#3"]


def test_what_cannot_be_read_is_a_finding_and_the_rest_is_read(study: Path):
    written(study, data_set(scan(), SOPInstanceUID="1.4", SOPClassUID="1.2.840.10008.5.1.4.1.1.2"), "ct.dcm")
    written(study, data_set(scan(seed=9), SOPInstanceUID="1.1"), "same.dcm")
    shutil.copy(study / "DICOM/01/I1", study / "copy.dcm")
    collection = read(study)
    assert len(collection.cases) == 5
    said = [finding.message for finding in collection.findings if finding.kind == "unread-dicom"]
    assert len(said) == 2
    assert "file 5 of 6 in the order of their paths is of the kind CT Image; leave it out" in said[0]
    assert "file 6 of 6 in the order of their paths has the SOPInstanceUID of another file" in said[1]
    assert "DOE" not in " ".join(said)


def test_a_folder_without_ultrasound_is_refused_with_the_first_reason(tmp_path: Path):
    with pytest.raises(InputError, match="holds no DICOM files"):
        read(tmp_path)
    written(tmp_path, data_set(scan(), SOPClassUID="1.2.840.10008.5.1.4.1.1.2"))
    with pytest.raises(InputError, match="is of the kind CT Image"):
        read(tmp_path)
