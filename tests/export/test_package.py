from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file, save_file

from bustle.core.errors import InputError
from bustle.core.files import sha256_of_file
from bustle.core.recipe import Recipe
from bustle.export import package, parity
from bustle.export.embedded_cases import Kind, embed_cases
from bustle.export.model_card import model_card
from bustle.export.package import KnownOfRun, write_package
from bustle.export.parity import TOLERANCE
from bustle.inference.backend import Backend
from bustle.inference.onnx_backend import OnnxBackend
from bustle.inference.openvino_backend import OpenVinoBackend
from bustle.inference.package import Package, TensorRecord
from bustle.inference.package_backend import cpu_backends
from bustle.inference.torch_backend import TorchBackend
from bustle.models import zoo
from bustle.models.weights import load_model_weights

TRAINING_IMAGES = np.random.default_rng(7).normal(size=(12, 3, 64, 64)).astype(np.float32)

Exported = tuple[Path, Recipe, Sequence[Path]]


@pytest.fixture(scope="module")
def joint(make_weights: Callable, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Two folds of a network with three mask channels and classes, as a folder."""
    recipe, weights = make_weights("rmtl_net", folds=2)
    out = tmp_path_factory.mktemp("joint") / "m.bustle"
    write_package(out, recipe=recipe, weights=weights, known=KnownOfRun())
    return out, recipe, weights


@pytest.fixture(scope="module")
def masks_only(make_weights: Callable, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """One fold of a network with one lesion channel, as a zip."""
    recipe, weights = make_weights("unext")
    out = tmp_path_factory.mktemp("masks") / "m.zip"
    write_package(out, recipe=recipe, weights=weights, known=KnownOfRun())
    return out, recipe, weights


def test_the_files_of_a_package(joint: Exported):
    out, recipe, weights = joint
    assert {path.name for path in out.iterdir()} == {
        "MODEL_CARD.md",
        "model.onnx",
        "package.json",
        "weights.safetensors",
    }
    assert [path.name for path in out.parent.iterdir()] == ["m.bustle"]
    record = Package(out).record
    assert record.files == {name: sha256_of_file(out / name) for name in ("model.onnx", "weights.safetensors")}
    assert [(entry.fold, entry.sha256) for entry in record.weights] == [
        (f"fold-{number}", sha256_of_file(path)) for number, path in enumerate(weights)
    ]
    assert (record.recipe, record.network, record.protocol) == ("rmtl_net_tiny", "rmtl_net", "rmtl")
    assert record.preprocessing == recipe.data
    assert record.deviations == (*zoo.get("rmtl_net").deviations, "It is tiny.")
    assert record.input.shape == ("batch", 3, 64, 64)
    assert [(output.name, output.shape[1:], output.channels) for output in record.outputs] == [
        ("mask_probs", (3, 64, 64), ("tumour", "peritumoral", "background")),
        ("class_probs", (2,), ("benign", "malignant")),
        ("class_maps", (2, 2, 2), ("benign", "malignant")),
    ]


def test_the_weights_of_several_folds_bear_their_names(joint: Exported):
    out, _, weights = joint
    packaged = load_file(out / "weights.safetensors")
    for path in weights:
        for name, tensor in load_file(path).items():
            assert np.array_equal(packaged.pop(f"{path.parent.name}.{name}"), tensor)
    assert not packaged


def test_the_graph_names_no_folder_of_this_machine(joint: Exported):
    content = (joint[0] / "model.onnx").read_bytes()
    for trace in (b"site-packages", b"stack_trace", b".py", str(Path(package.__file__).parents[1]).encode()):
        assert trace not in content


def test_a_zip_of_one_fold(masks_only: Exported):
    out, _, _ = masks_only
    with zipfile.ZipFile(out) as archive:
        assert sorted(archive.namelist()) == ["MODEL_CARD.md", "model.onnx", "package.json"]
    assert [output.name for output in Package(out).record.outputs] == ["mask_probs"]
    assert Package(out).record.parity.largest_class_difference is None


def test_the_graph_of_one_network_holds_its_weights_by_name(masks_only: Exported, tmp_path: Path):
    out, recipe, weights = masks_only
    with zipfile.ZipFile(out) as archive:
        archive.extract("model.onnx", tmp_path)
    assert_holds(tmp_path / "model.onnx", recipe, load_file(weights[0]))


@pytest.fixture(scope="module")
def halved(make_weights: Callable, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """One fold of a network whose class logits are sums over cells, in half precision, with its training cases."""
    recipe, weights = make_weights("lesion_pooled_unet")
    out = tmp_path_factory.mktemp("halved") / "m.bustle"
    features = TorchBackend(recipe, weights=weights, device="cpu").class_features(TRAINING_IMAGES)
    embedded = embed_cases(features, [Kind("site", "benign")] * len(features))
    write_package(out, recipe=recipe, weights=weights, half=True, known=KnownOfRun(embedded=embedded))
    return out, recipe, weights


@pytest.mark.parametrize("backend", [OnnxBackend, OpenVinoBackend])
def test_class_maps_come_only_where_they_are_asked_for_and_explain_the_probabilities(
    halved: Exported, backend: Callable[..., Backend]
):
    out, _, _ = halved
    package = Package(out)
    assert package.record.outputs[2] == TensorRecord(
        name="class_maps", shape=("batch", 2, 4, 4), channels=("benign", "malignant")
    )
    opened = backend(package, threads=1)
    assert opened.gives_class_maps
    images = np.random.default_rng(0).normal(size=(3, 3, 64, 64)).astype(np.float32)
    classes = opened.run(images).classes
    maps = opened.class_maps(images)
    assert maps.shape == (3, 2, 4, 4)
    (bias,) = (load_file(weights)["class_head.of_image.bias"] for weights in halved[2])
    logits = maps.sum(axis=(2, 3), dtype=np.float64) + bias
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.abs(shares - classes).max() < TOLERANCE
    assert package.record.parity is not None
    assert package.record.parity.largest_class_map_difference < TOLERANCE
    assert "on request a map of what speaks for a class" in (out / "MODEL_CARD.md").read_text()


@pytest.mark.parametrize("backend", [OnnxBackend, OpenVinoBackend])
def test_images_are_compared_with_the_training_cases(halved: Exported, backend: Callable[..., Backend]):
    package = Package(halved[0])
    cases = package.record.training_cases
    assert cases is not None
    assert package.record.outputs[3] == TensorRecord(name="embedding", shape=("batch", cases.width))
    embeddings = backend(package, threads=1).run(TRAINING_IMAGES).embeddings
    assert embeddings is not None
    nearest = [cases.nearest(embedding, count=2) for embedding in embeddings]
    # The cases were embedded before their network's weights were rounded: a few numbers differ by 1.
    assert all(own.distance < 0.25 * other.distance for own, other in nearest)


def test_a_graph_that_reads_other_features_is_refused(halved: Exported, tmp_path: Path):
    out, recipe, weights = halved
    record = Package(out).record
    assert record.parity is not None
    assert record.parity.largest_embedding_difference < TOLERANCE
    features = TorchBackend(recipe, weights=weights, device="cpu").class_features(TRAINING_IMAGES)
    right = embed_cases(features, [Kind("site", "benign")] * len(features))
    wrong = right._replace(projection=right.projection._replace(matrix=right.projection.matrix[::-1]))
    rounded = tmp_path / "rounded.safetensors"
    save_file({name: in_half(one) for name, one in load_file(weights[0]).items()}, rounded)
    networks = TorchBackend(recipe, weights=[rounded], device="cpu")
    exported = cpu_backends(Package(out))
    parity.compare(networks, exported, section=recipe.data, embed=right.embedder(networks))
    with pytest.raises(InputError, match="a class map or an embedding"):
        parity.compare(networks, exported, section=recipe.data, embed=wrong.embedder(networks))


def test_a_network_that_offers_no_class_maps(masks_only: Exported):
    package = Package(masks_only[0])
    assert not any(opened.gives_class_maps for opened in cpu_backends(package))
    assert package.record.parity is not None
    assert package.record.parity.largest_class_map_difference is None


def test_half_precision_rounds_the_large_weights_and_says_so(halved: Exported):
    out, recipe, weights = halved
    record = Package(out).record
    assert record.half
    assert record.parity is not None  # against the network with rounded weights
    assert "rounded to half precision" in (out / "MODEL_CARD.md").read_text()
    own = load_file(weights[0])
    assert_holds(out / "model.onnx", recipe, {name: in_half(one) for name, one in own.items()})
    assert sum(parameter_bytes(out / "model.onnx").values()) < 0.6 * sum(one.nbytes for one in own.values())


def in_half(one: np.ndarray) -> np.ndarray:
    return one.astype(np.float16).astype(np.float32) if one.ndim >= 2 else one


def assert_holds(graph: Path, recipe: Recipe, wanted: dict[str, np.ndarray]) -> None:
    """A network that starts from the graph has these weights; batch counters are none of them."""
    network = zoo.resolve(recipe).build()
    load_model_weights(network, graph)
    found = network.state_dict()
    for name, tensor in wanted.items():
        if not name.endswith("num_batches_tracked"):
            assert np.array_equal(found[name].numpy(), tensor), name


def parameter_bytes(path: Path) -> dict[str, int]:
    return {tensor.name: len(tensor.raw_data) for tensor in onnx.load(path).graph.initializer}


@pytest.mark.parametrize("exported", ["joint", "masks_only"])
@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize("backend", [OnnxBackend, OpenVinoBackend])
def test_the_graph_gives_the_networks_mean_for_any_batch(
    exported: str, batch: int, backend: Callable[..., Backend], request: pytest.FixtureRequest
):
    out, recipe, weights = request.getfixturevalue(exported)
    images = np.random.default_rng(batch).normal(size=(batch, 3, 64, 64)).astype(np.float32)
    found = backend(Package(out), threads=1).run(images)
    wanted = TorchBackend(recipe, weights=weights, device="cpu").run(images)
    for one, other in zip(found, wanted, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.shape == other.shape
            assert np.abs(one - other).max() < 1e-4


def test_the_card_without_a_known_training(joint: Exported):
    card = (joint[0] / "MODEL_CARD.md").read_text()
    assert "not a medical device" in card
    assert "the mean probabilities of 2 networks (fold-0, fold-1)" in card
    assert "Nothing is recorded about it." in card
    assert "None are recorded: score the package" in card
    assert "- It is tiny." in card
    assert phantom_count(card) == 7


def phantom_count(card: str) -> int:
    return int(card.split(" generated images")[0].rsplit(" ", 1)[1])


def test_what_exists_is_left_alone(masks_only: Exported, tmp_path: Path):
    _, recipe, weights = masks_only
    (tmp_path / "mine").mkdir()
    for out in (tmp_path / "mine", weights[0]):
        before = sha256_of_file(weights[0])
        with pytest.raises(InputError, match="exists already; choose another --out, or remove it"):
            write_package(out, recipe=recipe, weights=weights, known=KnownOfRun())
        assert sha256_of_file(weights[0]) == before


@pytest.mark.parametrize("name", ["m.bustle", "m.zip"])
def test_a_graph_that_answers_differently_leaves_nothing_behind(
    masks_only: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    out, recipe, weights = masks_only
    exported = Package(out)

    def copy(path: Path, *_: object, **__: object) -> tuple:
        content = exported.checked("model.onnx")
        assert isinstance(content, bytes)
        path.write_bytes(content)
        return exported.record.input, exported.record.outputs

    monkeypatch.setattr(package, "write_onnx", copy)  # exporting again takes seconds
    monkeypatch.setattr(parity, "TOLERANCE", -1.0)
    with pytest.raises(InputError, match="differs from its networks"):
        write_package(tmp_path / name, recipe=recipe, weights=weights, known=KnownOfRun())
    assert not list(tmp_path.iterdir())


def test_networks_too_large_for_one_file(masks_only: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _, recipe, weights = masks_only
    monkeypatch.setattr(package, "LARGEST_GRAPH", 1000)
    with pytest.raises(InputError, match=r"do not fit in one ONNX file \(2 GiB\); export one fold, such as .*fold-0"):
        write_package(tmp_path / "m.bustle", recipe=recipe, weights=weights, known=KnownOfRun())


def test_a_place_that_cannot_be_written_to(masks_only: Exported, tmp_path: Path):
    _, recipe, weights = masks_only
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="a file is in the way"):
        write_package(tmp_path / "file" / "m.bustle", recipe=recipe, weights=weights, known=KnownOfRun())


def test_no_text_of_a_recipe_is_markup_in_the_card(joint: Exported):
    record = replace(
        Package(joint[0]).record,
        title="<script>alert(1)</script>",
        deviations=("a < b & <img src=x onerror=alert(1)>",),
        licence="<b>free</b>",
    )
    card = model_card(record, name="m.bustle")
    assert "<" not in card
    assert "# &lt;script&gt;alert(1)&lt;/script&gt;" in card
    assert "- a &lt; b &amp; &lt;img" in card
