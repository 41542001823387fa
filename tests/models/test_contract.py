"""What every network of the zoo must keep, with its tiny settings."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.rounding import assert_rounded, exact_outputs, float32_tolerance, sum_tolerance
from torch import Tensor, nn

from bustle.core.config import Component, to_mapping
from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, ModelSpec, MultiTaskOutput
from bustle.core.recipe import load_recipe, recipe_ids
from bustle.core.types import Batch
from bustle.data.phantom.cases import phantom_case
from bustle.inference.runtimes import import_onnxruntime
from bustle.losses.build import build_loss
from bustle.losses.setting import LossSetting
from bustle.models import zoo
from bustle.models.counting import count
from bustle.models.counts import network_key, shipped_counts
from bustle.models.spec_text import SpecText, read_spec_text

TINY_PARAMETERS = json.loads((Path(__file__).parent / "tiny_parameters.json").read_text(encoding="utf-8"))
"""Pinned: a change here is a change of the network, which old weights no longer fit."""

SIZES = {2: [(64, 64), (32, 32), (33, 61), (50, 97)], 3: [(32, 32, 32), (33, 35, 37)]}
USUAL = {2: (64, 64), 3: (32, 32, 32)}
"""By the number of axes."""


@dataclass(frozen=True)
class Subject:
    spec: ModelSpec
    model: nn.Module

    def image(self, batch: int, *size: int, channels: int = 3) -> Tensor:
        return torch.randn(batch, channels, *(size or USUAL[self.spec.dims]))


def build(spec: ModelSpec, *, in_channels: int = 3, class_count: int = 2, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return spec.build(spec.tiny, in_channels=in_channels, class_count=class_count)


@pytest.fixture(params=zoo.ids())
def subject(request: pytest.FixtureRequest) -> Subject:
    spec = zoo.get(request.param)
    return Subject(spec, build(spec).eval())


WITH_BACKBONE = {"chen_2018": {"backbone": "test_resnet"}, "wang_2018": {"backbone": "test_resnet"}}
"""Further settings of networks whose tiny ones have no encoder that anybody has published."""


def check_output(
    output: MultiTaskOutput, spec: ModelSpec, *, batch: int, size: tuple[int, ...], classes: int
) -> None:
    assert type(output) is MultiTaskOutput
    meaning = spec.mask_meaning(spec.tiny)
    assert (output.mask_logits is None) == (meaning is None)
    if meaning is not None:
        assert output.mask_logits is not None
        assert output.mask_logits.shape == (batch, len(meaning.channels), *size)
        assert set(meaning.lesion_channels) <= set(range(len(meaning.channels)))
    if output.class_logits is not None:
        assert output.class_logits.shape == (batch, classes)
    maps = spec.map_meanings(spec.tiny)
    assert set(output.aux_masks) == set(maps)
    for name, logits in output.aux_masks.items():
        assert logits.shape[:2] == (batch, len(maps[name].channels))
    tensors = [t for t in output[:2] if t is not None] + [*output.aux_masks.values(), *output.extras.values()]
    assert tensors
    for tensor in tensors:
        assert tensor.dtype == torch.float32
        assert torch.isfinite(tensor).all()


def test_the_spec_names_its_file(subject: Subject):
    assert subject.spec.id in zoo.ids()
    assert isinstance(subject.spec.tiny, subject.spec.config_type)
    assert subject.spec.citation


def test_the_spec_s_text_is_read_without_importing_it(subject: Subject):
    expected = SpecText(dims=subject.spec.dims, deviations=subject.spec.deviations)
    assert read_spec_text(subject.spec.id) == expected


@pytest.mark.parametrize("training", [False, True])
def test_outputs_are_logits_at_the_inputs_size(subject: Subject, training: bool):
    subject.model.train(training)
    for size in SIZES[subject.spec.dims]:
        with torch.no_grad():
            output = subject.model(subject.image(2, *size))
        check_output(output, subject.spec, batch=2, size=size, classes=2)


def test_channels_and_classes_are_honoured(subject: Subject):
    model = build(subject.spec, in_channels=1, class_count=4).eval()
    size = USUAL[subject.spec.dims]
    with torch.no_grad():
        output = model(subject.image(1, *size, channels=1))
    check_output(output, subject.spec, batch=1, size=size, classes=4)


def test_a_case_is_judged_alone(subject: Subject):
    images = subject.image(3)
    together, alone = exact_outputs(subject.model, images), exact_outputs(subject.model, images[1:2])
    for joint, single in zip(together, alone, strict=True):
        if joint is not None:
            torch.testing.assert_close(joint[1:2], single)


def test_every_parameter_receives_gradient_after_a_perturbation(subject: Subject):
    declared = subject.spec.without_gradient(subject.spec.tiny)
    reached: set[str] = set()
    # A threshold may leave a region empty under one perturbation, and a strong one saturates a softmax attention.
    for seed, strength in enumerate((0.3, 0.3, 0.3, 0.03)):
        model = build(subject.spec, seed=seed).eval()
        torch.manual_seed(seed)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(strength * torch.randn_like(parameter))
        output = model(subject.image(4))
        maps = [*output[:2], *output.aux_masks.values()]  # a loss may read any of them
        sum(t.square().sum() for t in maps if t is not None).backward()
        reached |= {n for n, p in model.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    expected = {n for n, _ in subject.model.named_parameters() if not n.startswith(declared or ("\0",))}
    assert expected - reached == set()


def test_encoder_weights_are_loaded_or_refused(subject: Subject, tmp_path: Path):
    spec = subject.spec
    assert spec.takes_encoder_weights == ("encoder_weights" in inspect.signature(spec.build).parameters)
    file = str(tmp_path / "encoder.safetensors")
    if not spec.takes_encoder_weights:
        with pytest.raises(InputError, match=f"{spec.id} has no published encoder weights; set model"):
            zoo.build(spec.id, to_mapping(spec.tiny), in_channels=3, class_count=2, encoder_weights=file)
        return
    config = to_mapping(replace(spec.tiny, **WITH_BACKBONE.get(spec.id, {})))
    random = zoo.build(spec.id, config, in_channels=3, class_count=2)
    published = {name: tensor + 0.25 for name, tensor in random.encoder.body.state_dict().items()}
    save_file(published, file)
    started = zoo.build(spec.id, config, in_channels=3, class_count=2, encoder_weights=file)
    for name, parameter in started.encoder.body.named_parameters():
        assert torch.equal(parameter, published[name]), name


def test_weights_survive_a_strict_round_trip(subject: Subject, tmp_path: Path):
    with torch.no_grad():
        for tensor in subject.model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand_like(tensor))
    save_file(subject.model.state_dict(), tmp_path / "weights.safetensors")
    other = build(subject.spec, seed=1).eval()
    other.load_state_dict(load_file(tmp_path / "weights.safetensors"), strict=True)
    image = subject.image(1)
    with torch.no_grad():
        for first, second in zip(subject.model(image)[:2], other(image)[:2], strict=True):
            assert first is second is None or torch.equal(first, second)


def test_the_seed_decides_the_initial_weights(subject: Subject):
    first, again, other = (build(subject.spec, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_the_parameter_count_is_pinned(subject: Subject):
    assert sum(p.numel() for p in subject.model.parameters()) == TINY_PARAMETERS[subject.spec.id]


def distinct_networks() -> list[str]:
    """One recipe per network, those of ablations left out: those that differ in losses or schedule share one."""
    by_network: dict[str, str] = {}
    for name in recipe_ids():
        by_network.setdefault(network_key(load_recipe(name)), name)
    return list(by_network.values())


@pytest.mark.parametrize("name", distinct_networks())
def test_every_recipe_s_network_is_as_described(name: str):
    """Builds and runs it at full size, without memory. `tests/services/test_ablations.py` does the ablations."""
    recipe = load_recipe(name)
    assert zoo.get(recipe.model.id).dims == len(recipe.data.size)
    remedy = "run scripts/generate_systems_table.py"
    assert count(recipe) == shipped_counts().get(name), remedy


@pytest.mark.full
@pytest.mark.parametrize("model_id", zoo.ids())
def test_every_network_exports_at_full_size(model_id: str, tmp_path: Path):
    """With `torch.export` and as ONNX, each with the numbers of the network itself."""
    recipe = load_recipe(model_id)
    if not zoo.get(model_id).exports:
        pytest.skip(f"{model_id} declares that it cannot be exported")
    torch.manual_seed(0)
    model = zoo.build(
        recipe.model.id, recipe.model.config, in_channels=recipe.data.channels, class_count=len(recipe.data.classes)
    ).eval()
    image = torch.randn(1, recipe.data.channels, *recipe.data.size)
    program = torch.export.export(model, (image,))
    with torch.no_grad():
        exported = program.module()(image)
    assert type(exported) is MultiTaskOutput
    exact, tolerance = exact_outputs(model, image), float32_tolerance(model, image)
    for first, second in zip(exported[:2], exact, strict=True):
        assert (first is None) == (second is None)
        if first is not None and second is not None:
            assert_rounded(first, second, tolerance=tolerance)
    torch.onnx.export(program, (), tmp_path / "model.onnx", external_data=False, verbose=False)
    session = import_onnxruntime().InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    (tmp_path / "model.onnx").unlink()  # some have half a gigabyte, and pytest keeps its folders
    wanted = [tensor for tensor in exact if tensor is not None]
    tolerance = max(tolerance, sum_tolerance(image[0, 0].numel()))  # its norms add up whole maps one by one
    for first, second in zip(found, wanted, strict=False):  # auxiliary outputs follow
        assert_rounded(first, second, tolerance=tolerance)


@pytest.mark.full
def test_every_network_learns_four_phantoms_by_heart(subject: Subject):
    meaning = subject.spec.mask_meaning(subject.spec.tiny)
    names = ["dice", "mask_cross_entropy"] if subject.spec.task != "cls" else []
    names += ["class_cross_entropy"] if subject.spec.task != "seg" else []
    recipe = replace(load_recipe("rmtl_net"), losses=tuple(Component(name) for name in names))
    batch = four_phantoms() if subject.spec.dims == 2 else four_volumes()
    loss = build_loss(recipe, setting=LossSetting(mask_meaning=meaning))
    optimizer = torch.optim.Adam(subject.model.parameters(), lr=3e-3)
    for _ in range(4):  # most need one round, networks with a coarse map more
        subject.model.train()
        for _ in range(120):
            optimizer.zero_grad()
            loss(subject.model(batch.image), batch).total.backward()
            optimizer.step()
        with torch.no_grad():
            output = subject.model.eval()(batch.image)
        if knows(output, batch, meaning):
            return
    pytest.fail("not learned in 480 steps")


def knows(output: MultiTaskOutput, batch: Batch, meaning: MaskMeaning | None) -> bool:
    """All classes right and Dice above 0.9, as far as the network gives them."""
    classes_known, dice = True, 1.0
    if output.class_logits is not None:
        classes_known = output.class_logits.argmax(dim=1).tolist() == batch.label.tolist()
    if output.mask_logits is not None and meaning is not None:
        found, truth = meaning.lesion_map(output.mask_logits) > 0.5, batch.lesion_mask > 0
        dice = float(2 * (found & truth).sum() / (found.sum() + truth.sum()))
    return classes_known and dice > 0.9


def four_phantoms() -> Batch:
    """Two benign and two malignant phantoms at 64 px, three channels."""
    wanted = ["benign", "malignant", "benign", "malignant"]
    samples = []
    for index in range(200):
        sample = phantom_case(index, seed=0, size=64)
        if len(samples) < 4 and sample.label == wanted[len(samples)]:
            samples.append(sample)
    images = torch.stack([torch.from_numpy(s.image[:1]).float() / 128 - 1 for s in samples])
    masks = torch.stack([torch.from_numpy(s.lesion_mask).long() for s in samples])
    return as_batch(images, masks)


def four_volumes() -> Batch:
    """Two dark balls, benign, and two dark cubes, malignant, in speckle of 32 voxels per side."""
    torch.manual_seed(0)
    axes = torch.meshgrid(*[torch.arange(32.0)] * 3, indexing="ij")
    masks = []
    for number, centre in enumerate([(12, 12, 12), (20, 14, 18), (15, 20, 12), (12, 16, 20)]):
        away = torch.stack([(axis - place).abs() for axis, place in zip(axes, centre, strict=True)])
        masks.append(away.square().sum(dim=0).sqrt() < 9 if number % 2 == 0 else away.amax(dim=0) < 7)
    lesion = torch.stack(masks).long()
    return as_batch((0.3 * torch.randn(4, 32, 32, 32) - lesion).unsqueeze(1), lesion)


def as_batch(images: Tensor, masks: Tensor) -> Batch:
    """Cases `B 1 *S` with masks `B *S` in three channels, every other one benign."""
    yes = torch.ones(4, dtype=torch.bool)
    return Batch(
        case_ids=list("abcd"),
        image=images.repeat(1, 3, *[1] * (images.ndim - 2)),
        lesion_mask=masks,
        gland_mask=torch.zeros(masks.shape),
        label=torch.tensor([0, 1, 0, 1]),
        has_mask=yes,
        has_gland=~yes,
        has_box=~yes,
        has_label=yes,
    )
