"""Recipes and protocols: a paper as data.

A recipe names the network, its losses, schedule and augmentation; a protocol says how cases are split and how
results are scored. Both are YAML, loaded strictly into the frozen dataclasses below.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from bustle.core.config import LEFT_OUT_AT_DEFAULT, Component, apply_overrides, assignment, from_mapping, to_mapping
from bustle.core.data_section import ImageData, PatchData, check_views, upgraded_data
from bustle.core.errors import InputError, unknown_name
from bustle.core.files import check_regular, read_error, write_text
from bustle.core.paths import given_path
from bustle.core.rule_section import RuleSection
from bustle.core.views import Views

Track = Literal["strict", "published"]
CONFIGS = Path(str(resources.files("bustle"))) / "configs"


MOST_REFINEMENTS = 20
"""The authors tried up to 5; every one costs another pass."""


@dataclass(frozen=True, kw_only=True)
class ModelSection:
    """`config` is checked against the network's own Config when the network is built.

    `refinements`: how many more times the network is run on its input plus the lesion probability that it gave last;
    0 = one plain pass (C_MSVNet_Iter, Algorithm 1). `prob_weight` multiplies the probability before it is added.
    """

    id: str
    config: Mapping[str, Any] = field(default_factory=dict)
    encoder_weights: str | None = None
    """None = random; "imagenet" = timm's pretrained weights; else the path of a local safetensors file."""
    refinements: int = 0
    prob_weight: float = field(default=1.0, metadata=LEFT_OUT_AT_DEFAULT)

    def __post_init__(self) -> None:
        if not 0 < self.prob_weight <= 100:
            raise ValueError("prob_weight must lie above 0 and be at most 100")
        if not 0 <= self.refinements <= MOST_REFINEMENTS:
            raise ValueError(f"refinements must be 0 to {MOST_REFINEMENTS}")


Precision = Literal["auto", "fp32", "bf16", "fp16"]
Monitor = Literal["score", "dice", "auc", "accuracy", "clear", "loss"]


@dataclass(frozen=True, kw_only=True)
class TrainingSection:
    """The optimisation. Epochs and patience count passes over the training cases.

    `monitor` picks the best epoch where the protocol has a validation part: `score` is the mean of validation
    Dice and AUC, a mapping such as {dice: 0.7, accuracy: 0.3} a weighted mean; both of what is defined. `clear` is
    the part of the images or patches without a lesion in which none is drawn. The `loss` is the sum of the losses
    with the recipe's weights, and better the lower it is. `patience` None = no early stopping. `ema_decay` None = no
    weight averaging. `precision` auto = bf16 where the machine that begins the run is faster with it, else fp32;
    `channels_last` auto = false where it is faster without.
    `balance`: how evenly the classes of every source take part in an epoch, which keeps its number
    of cases: 0 = each case once, 1 = every class of every source equally often, however few its cases; a group of n
    cases gets a share that grows with n to the power 1 - balance.
    """

    step: Component = Component("joint")  # noqa: RUF009  (frozen)
    epochs: int = 100
    batch_size: int = 16
    precision: Precision = "fp32"
    channels_last: bool | Literal["auto"] = True
    clip_gradient_norm: float | None = None
    ema_decay: float | None = None
    monitor: Mapping[str, float] | Monitor = "score"  # in this order: a misspelt name is told the known ones
    patience: int | None = None
    balance: float = field(default=0.0, metadata=LEFT_OUT_AT_DEFAULT)
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.balance <= 1:
            raise ValueError("balance must be 0 to 1")
        if isinstance(self.monitor, Mapping):
            known = {"dice", "auc", "accuracy", "clear"}
            positive = all(0 < weight < math.inf for weight in self.monitor.values())
            if not self.monitor or set(self.monitor) - known or not positive:
                raise ValueError(f"monitor must give positive weights to some of {', '.join(sorted(known))}")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One of several trainings in sequence; each starts from the weights that the one before it kept.

    `takes`: the parts of the network (names of its modules) whose weights it takes over, None for all; the others
    start as those of the first stage do.

    `cases` that take part in it: `all`, or those that are `located` (have a mask, or a box where boxes count).
    `set` changes the recipe for this stage, as an ablation does; the model and data sections and the seed, which
    decides whose location is known, are the same in all stages.
    """

    name: str
    cases: Literal["all", "located"] = "all"
    takes: tuple[str, ...] | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    set: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One training setting, complete. See the fields' own types for their meaning.

    `augmentation` is applied in the given order; each loss's `weight` option multiplies it in the total, `as` gives
    it a name of its own. Without `stages` it is one training. `published_as` are the values of the columns `paper`
    and `method` in the published numbers, where there are any.
    """

    id: str
    title: str
    citation: str
    model: ModelSection
    data: ImageData | PatchData = ImageData()  # noqa: RUF009  (frozen)
    augmentation: tuple[Component, ...] = ()
    losses: tuple[Component, ...]
    weighting: Component = Component("fixed")  # noqa: RUF009
    optimizer: Component
    schedule: Component = Component("constant")  # noqa: RUF009
    training: TrainingSection = TrainingSection()
    stages: tuple[Stage, ...] = ()
    views: Views = field(default=Views(), metadata=LEFT_OUT_AT_DEFAULT)
    rule: RuleSection = field(default=RuleSection(), metadata=LEFT_OUT_AT_DEFAULT)
    protocol: str
    published_as: Mapping[str, str] = field(default_factory=dict)
    deviations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_views(self.views, self.data)


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How cases are split and how results are scored.

    Splitting. `group_by`: `case` splits images as if independent; `patient` keeps a patient together; `leak_group`
    keeps a patient, or where unknown a cluster of near-duplicate images, together. `stratify`: class proportion
    kept in every fold; `per_source`: each source is split by itself, so that fold i tests on every source.
    `validation`: `none`; `inner` = `validation_fraction` of the training part; `fold` = one of the training folds;
    `test` = the test fold itself (a leak that a published protocol has). `exclude_conflicts`: leave out duplicate
    groups whose members carry different classes. `holdout`: instead of folds, one test part of this fraction, and
    `folds` counts repetitions with other validation parts; `equal_test`: the test part has as many cases of every
    class. `test_located`: test parts are drawn from groups of which every case has a mask or a box, and the holdout
    is a fraction of those; the others always train. Folds of the publishers stay theirs; with `official_folds` the
    data must have them.

    Scoring. `located`: of a volume, the prediction of a model that was told where the lesion is, not of one that had
    to search it. `positive_class` of class metrics; `class_average`: `binary` for the positive class, `macro`, or
    `macro_recall_weighted_precision`. `resolution`: masks are compared at `native` size or on the `network` grid.
    `empty_masks`: `strict` = a lesion that is missed scores Dice 0 and the image diagonal as distance, a case
    without a lesion counts only in false positives; `lesions_only` leaves the latter out too, and a missed lesion
    scores Dice 0 without a distance; `undefined` = both empty Dice 1 and distance 0, one empty
    Dice 0 and distance undefined; `zero_distance` = as `undefined`, but the undefined distance scores 0.
    `hd95`: which of `hd95`, `hd95_pooled` is the headline. `spread`: what stands after the ±.
    """

    id: str
    title: str
    folds: int = 5
    holdout: float | None = None
    equal_test: bool = False
    test_located: bool = False
    group_by: Literal["case", "patient", "leak_group"]
    stratify: bool
    per_source: bool = False
    validation: Literal["none", "inner", "fold", "test"]
    validation_fraction: float = 0.15
    exclude_conflicts: bool = False
    official_folds: bool = False
    seed: int = 0
    located: bool = False
    positive_class: Literal["malignant", "benign"] = "malignant"
    class_average: Literal["binary", "macro", "macro_recall_weighted_precision"] = "binary"
    resolution: Literal["native", "network"]
    empty_masks: Literal["strict", "lesions_only", "undefined", "zero_distance"]
    hd95: Literal["hd95", "hd95_pooled"] = "hd95"
    spread: Literal["fold_sd", "fold_sd_population", "case_sd", "t95", "none"]
    caveats: tuple[str, ...] = ()


def recipe_ids(*, ablations: bool = False) -> list[str]:
    """The shipped recipes; with `ablations` also `<paper>/<variant>`."""
    return [*_shipped_recipes(), *(_shipped_ablations() if ablations else ())]


@cache
def _shipped_recipes() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in (CONFIGS / "recipes").glob("*.yaml")))


@cache
def _shipped_ablations() -> tuple[str, ...]:
    return tuple(sorted(f"{path.parent.name}/{path.stem}" for path in (CONFIGS / "ablations").glob("*/*.yaml")))


def load_recipe(name: str, *, overrides: Sequence[str] = ()) -> Recipe:
    """Load a shipped recipe, an ablation `<recipe>/<variant>`, or a YAML file, with `--set` overrides applied.

    An ablation file holds only what differs: `{base: <recipe id>, title: …, set: {key.path: value, …}}`. A shipped
    recipe or ablation may be followed by `@<setting>`, in which a paper trained all its methods on one data set.
    """
    mapping = apply_overrides(_recipe_mapping(name), overrides)
    try:
        return from_mapping(Recipe, mapping, where="recipe")
    except InputError as error:
        if error.path is None and _is_file_name(name):
            error.path = given_path(name)
        raise


def _is_file_name(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))


def _recipe_mapping(name: str) -> dict[str, Any]:
    if _is_file_name(name):
        return _upgraded(read_yaml(given_path(name)))
    if "@" in name:
        return _in_setting(*name.split("@", maxsplit=1))
    if name not in recipe_ids(ablations=True):
        raise unknown_name("recipe", name, recipe_ids(ablations=True))
    if "/" not in name:
        return read_yaml(CONFIGS / "recipes" / f"{name}.yaml")
    path = CONFIGS / "ablations" / f"{name}.yaml"
    variant = from_mapping(_Ablation, read_yaml(path), where=f"ablation {name}")
    mapping = _recipe_mapping(variant.base)
    mapping |= {"id": name, "title": variant.title, "published_as": dict(variant.published_as)}
    return _with_changes(mapping, variant.set)


def _in_setting(name: str, setting_id: str) -> dict[str, Any]:
    if setting_id not in setting_ids():
        raise unknown_name("setting", setting_id, setting_ids())
    path = CONFIGS / "settings" / f"{setting_id}.yaml"
    setting = from_mapping(_Setting, read_yaml(path), where=f"setting {setting_id}")
    mapping = _with_changes(_recipe_mapping(name), setting.set)
    own = mapping.get("published_as", {})
    in_the_paper = own.get("paper") == setting.published_as["paper"]
    return mapping | {
        "id": f"{name}@{setting_id}",
        "title": f"{mapping['title']}, {setting.title}",
        "published_as": {**own, **setting.published_as} if in_the_paper else {},
        "deviations": [*mapping.get("deviations", []), *setting.deviations],
    }


def _with_changes(mapping: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        mapping = apply_overrides(mapping, [assignment(key, value)])
    return mapping


def _upgraded(mapping: dict[str, Any]) -> dict[str, Any]:
    """A recipe as an older run wrote it, as it is written now."""
    data = mapping.get("data")
    return mapping | {"data": upgraded_data(data)} if isinstance(data, Mapping) else mapping


@dataclass(frozen=True, kw_only=True)
class _Ablation:
    base: str
    title: str
    set: Mapping[str, Any]
    published_as: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """What a paper does with every method on one data set.

    `published_as` goes on top of that of a recipe of the same paper; other recipes have no published number there.
    """

    title: str
    set: Mapping[str, Any]
    published_as: Mapping[str, str]
    deviations: tuple[str, ...] = ()


def save_recipe(recipe: Recipe, path: Path) -> None:
    """Write the resolved recipe; `load_recipe(str(path))` gives it back equal."""
    import yaml

    write_text(path, yaml.safe_dump(to_mapping(recipe), sort_keys=False, allow_unicode=True, width=110))


def setting_ids() -> list[str]:
    """What may stand behind the `@` of a recipe's name."""
    return sorted(path.stem for path in (CONFIGS / "settings").glob("*.yaml"))


def protocol_ids() -> list[str]:
    return sorted(path.stem for path in (CONFIGS / "protocols").glob("*.yaml"))


def load_protocol(name: str) -> Protocol:
    """The protocol `strict`, or one of the papers'."""
    if name not in protocol_ids():
        raise unknown_name("protocol", name, protocol_ids())
    return from_mapping(Protocol, read_yaml(CONFIGS / "protocols" / f"{name}.yaml"), where=f"protocol {name}")


def protocol_of(track: Track, recipe_protocol: str) -> Protocol:
    """The protocol that a track uses: `strict` has its own, `published` takes the recipe's."""
    return load_protocol("strict" if track == "strict" else recipe_protocol)


def read_yaml(path: Path) -> dict[str, Any]:
    import yaml  # takes long, and packages need it not

    from bustle.core.yaml_text import load_yaml

    try:
        check_regular(path)
        value = load_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise read_error(path, error) from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"is not readable YAML ({error})", remedy="mend the file", path=path) from None
    if not isinstance(value, dict):
        raise InputError("holds no mapping", remedy="write 'key: value' lines", path=path)
    return value
