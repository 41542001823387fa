"""Model packages, with a graph made by hand."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from tests.inference.hand_made_package import ROUNDING, SIZE, graph, scene, write_package

from bustle.cli.main import main
from bustle.core.config import to_mapping
from bustle.core.data_section import ImageData
from bustle.core.errors import InputError
from bustle.core.model_provenance import NetworkWeights
from bustle.core.types import Geometry
from bustle.core.views import Views
from bustle.inference import package_backend
from bustle.inference.backend import Backend
from bustle.inference.onnx_backend import OnnxBackend
from bustle.inference.openvino_backend import OpenVinoBackend
from bustle.inference.package import FORMAT_VERSION, Package, is_package
from bustle.inference.predictor import Item, Predictor
from bustle.inference.runtimes import import_onnxruntime
from bustle.io.raster import write_png


@pytest.fixture
def make_package(tmp_path: Path) -> Callable[..., Path]:
    return lambda content=None, **options: write_package(tmp_path / "hand.bustle", content=content, **options)


def zipped(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    return path


def test_views_of_a_record(make_package: Callable[..., Path], tmp_path: Path):
    assert "views" not in json.loads((make_package() / "package.json").read_text()), (
        "a single one goes without saying"
    )
    for number, (views, problem) in enumerate(
        (({"scales": []}, "at least one scale"), ({"scales": [9]}, "between 0.25 and 4"), ({"turned": 1}, "turned"))
    ):
        with pytest.raises(InputError, match=problem):
            Package(write_package(tmp_path / f"{number}.bustle", changes={"views": views}))
    told = Package(write_package(tmp_path / "told.bustle", changes={"views": {"scales": [1.0, 1.4]}}))
    assert told.record.views == Views(scales=(1.0, 1.4))


@pytest.mark.parametrize("as_zip", [False, True])
def test_a_package_predicts_on_the_original_grid(make_package: Callable[..., Path], as_zip: bool):
    folder = make_package()
    path = zipped(folder) if as_zip else folder
    assert is_package(path)
    predictor = Predictor.open(path, device="cpu")
    assert (predictor.title, predictor.protocol) == ("By hand", "rmtl")
    image = scene(96, 120)
    prediction = predictor.predict(image, case_id="a", spacing=(0.1, 0.1))
    assert prediction.segmentation is not None
    assert (prediction.segmentation.mask == (image[0] > 128)).mean() > 0.97
    mean = float((image[0].mean() / 255 - 0.5) / 0.5)
    assert prediction.class_probabilities is not None
    assert prediction.class_probabilities["malignant"] == pytest.approx(1 / (1 + np.exp(-mean)), abs=0.01)
    assert prediction.provenance.package == hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    assert prediction.provenance.weights == (NetworkWeights(fold="fold-0", sha256="ab"),)
    assert (prediction.provenance.recipe, prediction.provenance.model) == ("hand", "by_hand")


def test_many_images_equal_one_by_one(make_package: Callable[..., Path]):
    predictor = Predictor.open(make_package(), device="cpu")
    items = [Item(f"site/{i}", image := scene(40 + 9 * i, 90 - 5 * i), Geometry(image.shape[1:])) for i in range(7)]
    for together, item in zip(predictor.predict_many(items, batch_size=3), items, strict=True):
        alone = predictor.predict(item.image, case_id=item.case_id)
        assert together.segmentation is not None
        assert alone.segmentation is not None
        assert np.array_equal(together.segmentation.mask, alone.segmentation.mask)
        assert together.class_probabilities == pytest.approx(alone.class_probabilities, abs=ROUNDING)


@pytest.mark.parametrize("backend", [OnnxBackend, OpenVinoBackend])
def test_an_output_that_is_absent(make_package: Callable[..., Path], backend: Callable[[Package], Backend]):
    output = backend(Package(make_package(graph(with_classes=False), with_classes=False))).run(
        np.zeros((3, 1, *SIZE), np.float32)
    )
    assert output.classes is None
    assert output.mask_channels is not None
    assert np.allclose(output.mask_channels, 0.5)


def test_an_output_that_is_not_a_number(make_package: Callable[..., Path]):
    with pytest.raises(InputError, match="output is not a number"):
        Predictor.open(make_package(graph(float("nan"))), device="cpu").predict(scene(64, 64), case_id="a")


def tiling(times: int) -> bytes:
    """A graph that repeats the image `times` x `times` and uses only the mean."""
    nodes = [
        helper.make_node("Tile", ["image", "times"], ["huge"]),
        helper.make_node("ReduceMean", ["huge"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["image", "mean"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["mask_probs"]),
    ]
    kind, shape = TensorProto.FLOAT, ["batch", 1, *SIZE]
    made = helper.make_graph(
        nodes,
        "tiles",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info("mask_probs", kind, shape)],
        [helper.make_tensor("times", TensorProto.INT64, [4], [1, 1, times, times])],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()


@pytest.mark.parametrize("library", ["OpenVINO", "ONNX Runtime"])
def test_a_network_that_needs_more_memory_than_there_is(
    make_package: Callable[..., Path], tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch, capfd
):
    """One line; tiled 5,000 x 5,000 an image of 64 x 64 has 400 GB."""
    if library == "ONNX Runtime":
        monkeypatch.setattr(package_backend, "is_installed", lambda: False)
    write_png(tmp_path / "a.png", scene(64, 64))
    package = make_package(tiling(5000), with_classes=False)
    words = ["predict", tmp_path / "a.png", "--model", package, "--out", tmp_path / "out"]
    assert main([*map(str, words), "--device", "cpu"]) == 2
    said = capfd.readouterr().err.splitlines()
    assert [line for line in said if "needs more memory than there is" in line]
    assert not [line for line in said if "internal error" in line or "ONNXRuntimeError" in line]


def test_a_zip_that_unpacks_to_far_more_is_left_packed(make_package: Callable[..., Path], tmp_path: Path):
    """Neither a record nor a model is unpacked to more than such files have."""
    folder = make_package()
    for name in ("package.json", "model.onnx"):
        path = tmp_path / "bomb.zip"
        with zipfile.ZipFile(
            path, "w", zipfile.ZIP_LZMA if name == "model.onnx" else zipfile.ZIP_DEFLATED
        ) as archive:
            for file in folder.iterdir():
                if file.name != name:
                    archive.write(file, file.name)
            archive.writestr(name, bytes(70_000_000))
        begun = time.process_time()
        with pytest.raises(InputError, match=rf"bomb\.zip: {name} (has 70 MB|unpacks 0\.\d MB to 0\.1 GB)"):
            Predictor.open(path, device="cpu")
        assert time.process_time() - begun < 1


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_a_zip_with_a_damaged_stream(make_package: Callable[..., Path], tmp_path: Path, place: float):
    folder = make_package()
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
        entry = archive.getinfo("package.json")
    content = bytearray(path.read_bytes())
    content[entry.header_offset + 42 + int(place * entry.compress_size)] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not a readable model package"):
        Package(path)


def test_a_model_that_onnx_runtime_does_not_know(make_package: Callable[..., Path]):
    with pytest.raises(InputError, match=r"hand\.bustle: model\.onnx does not load in ONNX Runtime") as caught:
        Predictor.open(make_package(b"no graph"))
    assert "\n" not in str(caught.value)


def test_the_library_that_runs_a_package_is_named(make_package: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    package = make_package()
    assert Predictor.open(package, device="cpu").provenance.runtime.startswith("OpenVINO 20")
    monkeypatch.setattr(package_backend, "is_installed", lambda: False)
    assert Predictor.open(package, device="cpu").provenance.runtime.startswith("ONNX Runtime 1")


def test_several_views_run_in_onnx_runtime(tmp_path: Path):
    package = write_package(tmp_path / "views.bustle", changes={"views": {"scales": [1.0, 1.4]}})
    assert Predictor.open(package, device="cpu").provenance.runtime.startswith("ONNX Runtime 1")


def test_a_model_that_only_onnx_runtime_loads(make_package: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    def refuses(*_: object, **__: object) -> None:
        raise RuntimeError("an operation that it does not know")

    monkeypatch.setattr(package_backend, "OpenVinoBackend", refuses)
    assert Predictor.open(make_package(), device="cpu").provenance.runtime.startswith("ONNX Runtime 1")


@pytest.mark.parametrize(("value", "threads"), [(None, 0), ("1", 1), ("", 0), ("2,1", 0)])
def test_omp_num_threads_is_heeded(
    make_package: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, value: str | None, threads: int
):
    asked = []

    def noted(kind: Callable[..., Backend]) -> Callable[..., Backend]:
        return lambda *arguments, **options: asked.append(options["threads"]) or kind(*arguments, **options)

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if value is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", value)
    monkeypatch.setattr(package_backend, "OpenVinoBackend", noted(OpenVinoBackend))
    monkeypatch.setattr(package_backend, "OnnxBackend", noted(OnnxBackend))
    openvino, _ = package_backend.cpu_backends(Package(make_package()))
    assert asked == [threads, threads]
    if threads and isinstance(openvino, OpenVinoBackend):
        assert openvino._compiled.get_property("INFERENCE_NUM_THREADS") == threads


def test_a_cuda_device_that_is_not_there(make_package: Callable[..., Path]):
    if "CUDAExecutionProvider" in import_onnxruntime().get_available_providers():
        pytest.skip("this onnxruntime is built for CUDA")
    with pytest.raises(InputError, match="finds no CUDA device; use --device cpu"):
        Predictor.open(make_package(), device="cuda")


def spoil(folder: Path, how: str) -> None:
    record = json.loads((folder / "package.json").read_text())
    match how:
        case "no model":
            (folder / "model.onnx").unlink()
        case "no weights":
            (folder / "weights.safetensors").unlink()
        case "cut model":
            (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:-1])
        case "not JSON":
            (folder / "package.json").write_text("{")
        case "a list":
            (folder / "package.json").write_text("[]")
        case "newer":
            (folder / "package.json").write_text(json.dumps(record | {"format_version": FORMAT_VERSION + 1}))
        case "lacks a key":
            del record["preprocessing"]
            (folder / "package.json").write_text(json.dumps(record))
        case "edited":
            (folder / "package.json").write_text(json.dumps(record | {"title": "Mine"}))
        case "not sealed":
            del record["sha256"]
            (folder / "package.json").write_text(json.dumps(record))
        case "nested":
            (folder / "package.json").write_text("[" * 100_000)
        case "a flipped bit of the weights":
            (folder / "weights.safetensors").write_bytes(b"wfights")


SPOILT = {
    "no model": r"lacks model\.onnx; copy or export it again",
    "no weights": r"lacks weights\.safetensors; copy or export it again",
    "cut model": r"model\.onnx is not the file that was exported; copy or export it again",
    "not JSON": r"package\.json is not JSON \(.*\); copy or export it again",
    "a list": "is a package of format None; this bustle reads formats 1 to 7; copy or export it again",
    "newer": "is a package of format 8; this bustle reads formats 1 to 7; install the bustle that made it",
    "lacks a key": r"package\.json is not the file that was exported; copy or export it again",
    "edited": r"package\.json is not the file that was exported; copy or export it again",
    "not sealed": r"package\.json is not the file that was exported; copy or export it again",
    "nested": r"package\.json is not JSON \(.*\); copy or export it again",
    "a flipped bit of the weights": r"weights\.safetensors is not the file that was exported",
}


@pytest.mark.parametrize("as_zip", [False, True])
@pytest.mark.parametrize("how", SPOILT)
def test_a_package_that_is_spoilt(make_package: Callable[..., Path], tmp_path: Path, capsys, how: str, as_zip: bool):
    folder = make_package()
    spoil(folder, how)
    path = zipped(folder) if as_zip else folder
    write_png(tmp_path / "a.png", scene(40, 40))
    out = tmp_path / "out"
    assert main(["predict", str(tmp_path / "a.png"), "--model", str(path), "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"bustle: error: {path}: ")
    with pytest.raises(InputError, match=SPOILT[how]):
        Predictor.open(path)
    assert not out.exists()


def output(channels: int = 1, size: int = 64, name: str = "mask_probs") -> dict[str, Any]:
    return {"name": name, "shape": ["batch", channels, size, size], "channels": ["lesion"] * channels}


PREPROCESSING = to_mapping(ImageData(size=SIZE, channels=1, mean=(0.5,), std=(0.5,)))
CLASSES = {"name": "class_probs", "shape": ["batch", 2], "channels": ["benign", "malignant"]}
CONTRADICTIONS = {
    "classes swapped": ({"outputs": [output(), CLASSES | {"channels": ["malignant", "benign"]}]}, "class_probs must"),
    "three classes of two": (
        {"preprocessing": PREPROCESSING | {"classes": ["benign", "malignant", "normal"]}},
        "class_probs must have the channels benign, malignant, normal",
    ),
    "lesion 7": (
        {"mask_meaning": {"channels": ["lesion"], "activation": "sigmoid", "lesion_channels": [7]}},
        "lesion_channels must be some of 0 to 0",
    ),
    "lesion -1": (
        {"mask_meaning": {"channels": ["lesion"], "activation": "sigmoid", "lesion_channels": [-1]}},
        "lesion_channels must be some of 0 to 0",
    ),
    "no lesion": (
        {"mask_meaning": {"channels": ["lesion"], "activation": "sigmoid", "lesion_channels": []}},
        "no channel of the mask is the lesion",
    ),
    "no mask": ({"mask_meaning": None}, "the outputs are mask_probs, class_probs, not class_probs"),
    "no outputs": ({"outputs": []}, "the outputs are none, not mask_probs"),
    "an output twice": ({"outputs": [output(), output()]}, "the outputs are mask_probs, not mask_probs"),
    "another size": ({"preprocessing": PREPROCESSING | {"size": [32, 32]}}, "the input must be image"),
    "a huge size": ({"preprocessing": PREPROCESSING | {"size": [60000, 60000]}}, "size must be 32 to 8192"),
    "another size of all": (
        {
            "preprocessing": PREPROCESSING | {"size": [32, 32]},
            "input": {"name": "image", "shape": ["batch", 1, 32, 32], "channels": []},
            "outputs": [output(size=32), CLASSES],
        },
        r"model\.onnx has other inputs than package\.json says",
    ),
    "class maps without classes": (
        {"outputs": [output(), CLASSES | {"name": "class_maps"}]},
        "the outputs are mask_probs, class_maps, not mask_probs",
    ),
    "class maps of other classes": (
        {"outputs": [output(), CLASSES, output(2, name="class_maps")]},
        "class_maps must have the channels benign, malignant",
    ),
    "an output that the graph lacks": (
        {
            "mask_meaning": {"channels": ["a", "b"], "activation": "softmax", "lesion_channels": [0]},
            "outputs": [output(2) | {"channels": ["a", "b"]}, CLASSES],
        },
        r"model\.onnx has other outputs than package\.json says",
    ),
    "three channels": (
        {"preprocessing": PREPROCESSING | {"channels": 3, "mean": [0] * 3, "std": [1] * 3}},
        "the input",
    ),
    "std": ({"preprocessing": PREPROCESSING | {"std": [1e-300]}}, "std must lie between"),
    "a file elsewhere": (
        {"files": {"model.onnx": "a", "weights.safetensors": "b", "../../etc/passwd": "c"}},
        "files must name",
    ),
    "figures that are none": ({"metrics": [{"segmentation": ["dice"]}]}, "holds damaged figures"),
    "answers that are none": ({"metrics": [{"answers": [""]}]}, "holds damaged figures"),
}


@pytest.mark.parametrize("runtime", ["OpenVINO", "ONNX Runtime"])
@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_record_that_contradicts_itself_or_the_graph(
    make_package: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, name: str, runtime: str
):
    monkeypatch.setattr(package_backend, "is_installed", lambda: runtime == "OpenVINO")
    changes, problem = CONTRADICTIONS[name]
    with pytest.raises(InputError, match=problem) as caught:
        Predictor.open(make_package(changes=changes), device="cpu")
    assert "hand.bustle: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_package(tmp_path: Path):
    (tmp_path / "notes.bustle").write_text("not a zip")
    with pytest.raises(InputError, match=r"notes\.bustle: is not a readable model package \(File is not"):
        Predictor.open(tmp_path / "notes.bustle")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(InputError, match=r"other\.zip: lacks package\.json"):
        Predictor.open(tmp_path / "other.zip")
    whole = (tmp_path / "other.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:-10])
    with pytest.raises(InputError, match="is not a readable model package"):
        Predictor.open(tmp_path / "cut.zip")


NEEDLESS = (
    *("torch", "timm", "lightning", "onnx", "onnxscript", "matplotlib", "sklearn"),
    *("scipy", "yaml", "openvino.tools.ovc"),
)


def test_predicting_images_imports_no_more_than_it_needs(make_package: Callable[..., Path], tmp_path: Path):
    write_png(tmp_path / "a.png", scene(50, 60))
    script = (
        "import sys\n"
        "from bustle.cli.main import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        f"loaded = set({NEEDLESS}) & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    words = ["predict", tmp_path / "a.png", "--model", make_package(), "--out", tmp_path / "out"]
    subprocess.run([sys.executable, "-c", script, *map(str, words)], check=True)
    told = json.loads((tmp_path / "out" / "a" / "prediction.json").read_text())
    assert told["lesions"][0]["descriptors"] is not None


def test_evaluation_of_a_package_calls_out_cases_that_it_has_seen(
    make_package: Callable[..., Path], tmp_path: Path, capsys
):
    for name in "ab":
        write_png(tmp_path / "data" / "images" / f"{name}.png", scene(50, 60))
        write_png(tmp_path / "data" / "masks" / f"{name}.png", scene(50, 60)[0] > 128)
    (tmp_path / "data" / "labels.csv").write_text("case_id,label\na,benign\nb,malignant\n")
    words = ["--model", make_package(), "--data", f"folder:{tmp_path / 'data'}?name=site", "--out", tmp_path / "out"]
    assert main(["evaluate", *map(str, words)]) == 0
    assert "LEAK: 1 of 2 cases were used to train or to choose this model (site/a)" in capsys.readouterr().out
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["title"] == "By hand"
    assert metrics["segmentation"]["dice"]["mean"] > 0.9
