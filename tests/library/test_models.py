"""`bustle.load_model` and `bustle.predict`, on a package whose answer is known by hand."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.inference.hand_made_package import scene, write_package
from tests.io.dicom.made_files import data_set, region, written
from tests.made_model import MADE_MODEL

import bustle
from bustle.cli.main import main
from bustle.core.data_section import PatchData
from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning
from bustle.inference.backend import NetworkOutput
from bustle.inference.predictor import Predictor
from bustle.io.raster import write_png


def scan() -> np.ndarray:
    """Grey `H W` with one bright square, which the package takes for a lesion."""
    image = np.full((80, 90), 20, np.uint8)
    image[20:60, 20:60] = 235
    return image


@pytest.fixture(scope="module")
def explaining(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package(tmp_path_factory.mktemp("explaining") / "hand.bustle", with_class_maps=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_png(tmp_path / "scan.png", scan())
    return tmp_path / "scan.png"


def test_a_file_is_predicted_as_the_command_does(file: Path, package: Path, tmp_path: Path):
    out = tmp_path / "a"
    assert main(["predict", str(file), "--model", str(package), "--spacing", "0.1", "--out", str(out)]) == 0
    prediction = bustle.predict(file, model=package, spacing=0.1)
    folder = prediction.save(tmp_path / "b")
    assert folder == tmp_path / "b" / "scan"
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in (out / "scan").iterdir())
    for name in names:
        assert (folder / name).read_bytes() == (out / "scan" / name).read_bytes(), name


def test_what_a_prediction_tells(file: Path, package: Path):
    model = bustle.load_model(package)
    prediction = bustle.predict(file, model=model, spacing=0.1)
    assert prediction.mask is not None
    assert prediction.mask.shape == (80, 90)
    assert prediction.probability is not None
    assert prediction.class_probabilities is not None
    assert sum(prediction.class_probabilities.values()) == pytest.approx(1)
    assert prediction.decision in model.data.classes
    (lesion,) = prediction.lesions
    assert prediction.candidates == ()
    assert lesion.unit == "mm"
    assert lesion.area == pytest.approx(16, rel=0.05)


@pytest.mark.parametrize(
    "array",
    [
        scan(),
        np.stack([scan()] * 3, axis=2),
        scan().astype(np.uint16),
        scan().astype(float),
        scan().tolist(),
        scan()[..., None],
        np.dstack([scan()] * 3 + [np.full_like(scan(), 255)]),
        scan().astype(np.uint16) * 257,
        scan()[:, ::-1][:, ::-1],
    ],
    ids=["grey", "RGB", "16 bit", "whole floats", "list", "H W 1", "RGBA", "65535 = white", "a view"],
)
def test_an_array_is_predicted_as_its_file(array: object, file: Path, package: Path):
    of_file, of_array = (bustle.predict(image, model=package, name="x") for image in (file, array))
    assert np.array_equal(of_file.mask, of_array.mask)
    assert of_file.class_probabilities == of_array.class_probabilities
    assert of_file.picture.digest() == of_array.picture.digest()


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((4, 80, 90), np.uint8), "the array has the shape 4 x 80 x 90; give an image H W or H W 3"),
        (np.zeros(80, np.uint8), "the array has the shape 80; "),
        (np.zeros((5, 5), np.uint8), "is only 5 x 5 pixels"),
        (np.full((80, 90), 0.5), "holds neither 8-bit nor 16-bit values"),
        (scan() / 255, "fractions of 1; give (255 * array).round().astype('uint8')"),
        (scan() > 100, "values of the type bool"),
        ((scan() > 100).astype(float), "fractions of 1"),
        (scan() + 0.25, "holds neither 8-bit nor 16-bit values"),
        (np.where(scan() > 100, np.nan, 7.0), "holds neither 8-bit nor 16-bit values"),
        (np.full((80, 90), -1), "holds neither 8-bit nor 16-bit values"),
        (np.full((80, 90), 1 << 16), "holds neither 8-bit nor 16-bit values"),
        (np.zeros((80, 90, 2), np.uint8), "the array has the shape 80 x 90 x 2; give an image H W or H W 3"),
        (np.zeros((0, 90), np.uint8), "the array has the shape 0 x 90"),
        ([], "the array has the shape 0"),
        ([[1, 2], [3]], "is no array"),
        (scan().astype(complex), "values of the type complex128"),
        (scan().astype(str), "values of the type <U3"),
        (None, "values of the type object"),
    ],
)
def test_an_array_that_is_no_image(array: object, said: str, package: Path):
    for kind in (InputError, ValueError):
        with pytest.raises(kind, match=re.escape(said)):
            bustle.predict(array, model=package)  # type: ignore[arg-type]


def test_an_error_names_its_file(package: Path, tmp_path: Path):
    (tmp_path / "scan.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "scan.png"))):
        bustle.predict(tmp_path / "scan.png", model=package)


def test_a_prediction_shows_itself_in_a_notebook(file: Path, package: Path):
    prediction = bustle.predict(file, model=package)
    overlay = prediction.overlay()
    assert overlay.shape == (80, 90, 3)
    assert (overlay[..., 0] != overlay[..., 2]).any()  # the yellow outline
    html = prediction._repr_html_()
    shown = base64.b64decode(html.partition("base64,")[2].partition('"')[0])
    decoded = cv2.imdecode(np.frombuffer(shown, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(decoded[..., ::-1], overlay)
    assert re.fullmatch(r"<scan, (benign|malignant) 0\.\d\d, 1 lesion; few pixels>", repr(prediction))
    assert repr(prediction)[1:-1] in html


def test_an_explanation_is_offered_and_shown_beside_the_outline(file: Path, explaining: Path, tmp_path: Path):
    plain = bustle.predict(file, model=explaining)
    assert plain.explanations == {}
    prediction = bustle.predict(file, model=explaining, explain=True)
    assert [*prediction.explanations] == ["cam"]
    assert prediction.explanations["cam"].values.shape == scan().shape
    assert prediction.explanations["cam"].class_name == prediction.decision
    assert prediction.heat_map("cam").shape == (*scan().shape, 3)
    assert prediction._repr_html_().count("<img") == plain._repr_html_().count("<img") + 1
    folder = prediction.save(tmp_path / "out")
    assert (folder / "explanation_cam.png").is_file()
    assert (folder / "explanation_cam_map.png").is_file()
    prediction.save(tmp_path / "out")  # into what an earlier call left
    both = bustle.predict(file, model=explaining, explain=["uncertainty", "cam"])
    assert [*both.explanations] == ["uncertainty", "cam"]


def test_a_name_cannot_break_the_page(package: Path):
    html = bustle.predict(scan(), model=package, name="<b>&")._repr_html_()
    assert "&lt;b&gt;&amp;" in html
    assert "<b>" not in html


def test_the_name_of_an_array(package: Path, tmp_path: Path):
    bustle.predict(scan(), model=package).save(tmp_path)
    assert json.loads((tmp_path / "image" / "prediction.json").read_text())["case_id"] == "image"


class BrightIsLesion:
    """A network for volumes that takes bright voxels for a lesion."""

    runtime = "by hand"
    mask_meaning = MaskMeaning(("lesion",), "sigmoid", (0,))

    def run(self, images: np.ndarray) -> NetworkOutput:
        return NetworkOutput((images > 0).astype(np.float32), np.tile(np.float32([0.2, 0.8]), (len(images), 1)))


def test_a_volume_as_an_array(tmp_path: Path):
    data = PatchData(size=(32, 32, 32), spacing_mm=0.5, channels=1, mean=(0.5,), std=(0.5,))
    model = Predictor(BrightIsLesion(), path=tmp_path, protocol="strict", data=data, provenance=MADE_MODEL)
    volume = np.full((40, 50, 60), 20, np.uint8)
    volume[10:20, 10:20, 30:45] = 235
    prediction = bustle.predict(volume, model=model, spacing=0.5)
    assert np.array_equal(prediction.mask, volume > 128)
    assert prediction.decision == "malignant"
    assert [candidate.voxels for candidate in prediction.candidates] == [1500]
    assert prediction.lesions == ()
    assert repr(prediction) == "<image, malignant 0.80, 1 lesion>"
    assert prediction.overlay().shape[2] == 3
    told = bustle.predict(volume, model=model, spacing=(0.5, 0.5, 0.5), centre=(15, 15, 37))
    assert np.array_equal(told.mask, prediction.mask)
    with pytest.raises(InputError, match="has no voxel spacing"):
        bustle.predict(volume, model=model)
    with pytest.raises(InputError, match=r"the array has the shape 40 x 50; give a volume D H W"):
        bustle.predict(volume[:, :, 0], model=model)


def test_a_dicom_file_of_one_picture_is_predicted_with_its_spacing_and_a_clip_is_refused(
    package: Path, tmp_path: Path
):
    one = data_set(scan(), SOPInstanceUID="1.5", regions=[region((0, 0, 79, 89), (0.02, 0.01))])
    prediction = bustle.predict(written(tmp_path, one, "DOE.dcm"), model=package)
    made = prediction.prediction
    assert (made.case_id, made.geometry.spacing) == ("1.5#1", pytest.approx((0.2, 0.1)))
    named = bustle.predict(tmp_path / "DOE.dcm", model=package, name="mine", spacing=0.1).prediction
    assert (named.case_id, named.geometry.spacing) == ("mine", (0.1, 0.1))
    clip = written(tmp_path, data_set(np.stack([scan(), scan()]), frames=2, SOPInstanceUID="1.6"), "clip.dcm")
    with pytest.raises(InputError, match="holds 2 pictures; predict it with `bustle predict`, which takes clips"):
        bustle.predict(clip, model=package)


def test_a_centre_is_refused_where_a_picture_needs_none(tmp_path: Path):
    model = write_package(tmp_path / "hand.bustle")
    with pytest.raises(InputError, match="centre is for volumes, this model takes images"):
        bustle.predict(scene(96, 120)[0], model=model, centre=(1, 2, 3))
