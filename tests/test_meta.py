"""The product is complete: every network, setting and published number is tested, documented and loads."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from tests.scripts import script

from bustle.core.errors import InputError
from bustle.core.published import published_for
from bustle.core.recipe import CONFIGS, load_protocol, load_recipe, protocol_ids, recipe_ids, setting_ids
from bustle.data.sources import reader_ids
from bustle.experiments.external_protocol import external_ids
from bustle.experiments.reproduction.catalogue import CATALOGUE
from bustle.losses.build import LOSSES, build_loss
from bustle.models import zoo
from bustle.models.counts import shipped_counts
from bustle.training.loss_setting import loss_setting

ROOT = Path(__file__).resolve().parents[1]
ALL = recipe_ids(ablations=True)


@cache
def recipes_by_network() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in recipe_ids():
        found.setdefault(load_recipe(name).model.id, []).append(name)
    return found


@pytest.mark.parametrize("model_id", zoo.ids())
def test_every_network_has_a_test_a_recipe_and_a_row_in_the_documentation(model_id: str):
    sources = [ROOT / "src" / "bustle" / "models" / folder / f"{model_id}.py" for folder in zoo.FOLDERS]
    (folder,) = (source.parent.name for source in sources if source.is_file())
    assert (ROOT / "tests" / "models" / folder / f"test_{model_id}.py").is_file()
    own = recipes_by_network()[model_id]
    assert model_id in own, "the recipe of a network carries its id"
    page = (ROOT / "docs" / "reference" / "systems.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in page for name in own)


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_every_loss_has_its_file_and_its_test(loss: str):
    assert (ROOT / "src" / "bustle" / "losses" / f"{loss}.py").is_file()
    assert (ROOT / "tests" / "losses" / f"test_{loss}.py").is_file()


def test_every_yaml_file_is_of_a_known_kind():
    known = {CONFIGS / "recipes" / f"{name}.yaml" for name in recipe_ids()}
    known |= {CONFIGS / "ablations" / f"{name}.yaml" for name in ALL if "/" in name}
    known |= {CONFIGS / "settings" / f"{name}.yaml" for name in setting_ids()}
    known |= {CONFIGS / "protocols" / f"{name}.yaml" for name in protocol_ids()}
    known |= {CONFIGS / "external" / f"{name}.yaml" for name in external_ids()}
    known |= {CATALOGUE, CONFIGS / "smoke.yaml"}
    assert set(CONFIGS.rglob("*.y*ml")) == known


@pytest.mark.parametrize("name", ALL)
def test_every_recipe_is_complete(name: str):
    """Its network builds in the shared contract; here the rest: meaning of the mask, losses, protocol, numbers."""
    from bustle.training.batch_sources import check_data

    recipe = load_recipe(name)
    assert build_loss(recipe, setting=loss_setting(zoo.resolve(recipe))).losses
    check_data(recipe)
    assert load_protocol(recipe.protocol).id == recipe.protocol
    assert not recipe.published_as or published_for(recipe.published_as), "published_as names no printed number"
    assert recipe.deviations, "say where the recipe departs from its source, or what it had to decide"


@pytest.mark.parametrize("setting", setting_ids())
def test_a_setting_is_that_of_every_method_which_its_paper_prints(setting: str):
    inside_setting = (load_recipe(f"{name}@{setting}").published_as for name in ALL)
    paper, dataset = next(published["paper"] for published in inside_setting if published), ""
    compared = [name for name in ALL if load_recipe(name).published_as.get("paper") == paper and "parity" not in name]
    printed = set()
    for name in compared:
        alone, inside = load_recipe(name), load_recipe(f"{name}@{setting}")
        assert inside.model == alone.model
        dataset = inside.published_as["dataset"]
        printed |= {row.method for row in published_for(inside.published_as)}
        assert inside.id == f"{name}@{setting}"
        assert len(inside.deviations) > len(alone.deviations)
    assert printed == {row.method for row in published_for({"paper": paper, "dataset": dataset})}


def test_a_setting_says_nothing_printed_of_a_method_of_other_papers():
    assert load_recipe("unext@acsnet-udiat").published_as == {}
    assert load_recipe("unext@acsnet-udiat").training.batch_size == 4
    with pytest.raises(InputError, match="unknown setting 'acsnet-udia'; did you mean acsnet-udiat"):
        load_recipe("unext@acsnet-udia")


def test_one_recipe_or_one_variant_can_be_counted_alone():
    chosen = script("generate_systems_table").chosen
    assert chosen([]) == ALL
    assert chosen(["unext"]) == ["unext"]
    assert chosen(["rmtl_net/parity"]) == ["rmtl_net/parity"]
    assert chosen(["rmtl_net"]) == [name for name in ALL if name == "rmtl_net" or name.startswith("rmtl_net/")]
    with pytest.raises(InputError, match="unknown recipe 'unexd'; did you mean unext"):
        chosen(["unexd"])


def test_a_pin_that_no_longer_holds_is_replaced_only_on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    generator = script("generate_systems_table")
    pins = tmp_path / "pins.json"
    pins.write_text('{"unext": 1, "unet": 2}', encoding="utf-8")
    monkeypatch.setattr(generator, "PINS", pins)
    with pytest.raises(SystemExit, match="7,041 parameters in its tiny form, pinned are 1"):
        generator.write_pins(["unext"], repin=False, each=map)
    assert json.loads(pins.read_text(encoding="utf-8")) == {"unext": 1, "unet": 2}
    generator.write_pins(["unext"], repin=True, each=map)
    assert pins.read_text(encoding="utf-8") == '{\n "unet": 2,\n "unext": 7041\n}\n'


def test_every_recipe_is_counted_and_nothing_else():
    remedy = "run scripts/generate_systems_table.py --only the new recipe"
    assert list(shipped_counts()) == ALL, remedy


@pytest.mark.parametrize("name", protocol_ids())
def test_every_protocol_loads(name: str):
    assert load_protocol(name).id == name


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("generate_systems_table", "systems.md"),
        ("generate_reader_docs", "readers.md"),
        ("generate_descriptors_page", "descriptors.md"),
        ("generate_losses_page", "losses.md"),
        ("generate_ladder_page", "reference-ladder.md"),
        ("generate_reference_page", "reference-model.md"),
        ("generate_results_page", "results.md"),
        ("generate_capacity_page", "capacity.md"),
    ],
)
def test_generated_pages_are_current(name: str, page: str):
    written = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")
    assert written == script(name).render(), f"run scripts/{name}.py"


@pytest.mark.parametrize("page", ["leakage", "generalisation"])
def test_pages_of_studies_are_current(page: str):
    written = (ROOT / "docs" / "reference" / f"{page}.md").read_text(encoding="utf-8")
    assert written == script("generate_study_pages").render(page), "run scripts/generate_study_pages.py"


@pytest.mark.parametrize("reader", reader_ids())
def test_every_reader_has_a_section_in_the_documentation(reader: str):
    assert f"## `{reader}`: " in (ROOT / "docs" / "reference" / "readers.md").read_text(encoding="utf-8")


def test_the_map_of_the_rooms_is_drawn_from_the_code():
    drawn = script("generate_map")
    assert drawn.MAP.read_text(encoding="utf-8") == drawn.render(), "run scripts/generate_map.py"
