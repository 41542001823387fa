"""`reproduction.json`: how a reproduction was last gone on with, and the data that each of its runs is on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json, write_json
from bustle.core.paths import word_in_results
from bustle.core.recipe import load_recipe
from bustle.core.run_provenance import Fingerprint
from bustle.core.types import Collection
from bustle.experiments.own_outputs import REPRODUCTION_SETTINGS
from bustle.experiments.reproduction.runs import RowRun, Settings
from bustle.experiments.run_folder import data_fingerprints


@dataclass(frozen=True, kw_only=True)
class Begun:
    """`data` has, by the folder of each run, the sources that it trains on, also where it is not begun yet."""

    settings: Settings
    data: Mapping[str, Mapping[str, Fingerprint]]


def begun_runs(
    runs: Sequence[RowRun], *, out: Path, settings: Settings, collections: Mapping[tuple[str, ...], Collection]
) -> Begun:
    """With the runs of earlier commands.

    Raises `InputError` where a run that is there is of another recipe or of other data.
    """
    path = out / REPRODUCTION_SETTINGS
    there = from_mapping(Begun, read_json(path), where=path.name).data if path.exists() else {}
    fingerprints = {specs: data_fingerprints(collection.cases) for specs, collection in collections.items()}
    here = {run.folder.as_posix(): fingerprints[run.specs] for run in runs}
    for run in runs:
        layout, folder = run.layout(out), run.folder.as_posix()
        if not layout.recipe.exists():
            continue
        if load_recipe(str(layout.recipe)) != settings.seeded_recipe(run):
            remedy = "give the same --smoke and --set as before, or choose another --out"
            raise InputError("is a run of another form of the recipe", remedy=remedy, path=layout.path)
        if there.get(folder, here[folder]) != here[folder]:
            remedy = "give the same data as before, or choose another --out"
            raise InputError("is a run on other data", remedy=remedy, path=layout.path)
    told = replace(settings, overrides=tuple(word_in_results(word) for word in settings.overrides))
    return Begun(settings=told, data={**there, **here})


def write_begun(out: Path, begun: Begun) -> None:
    write_json(out / REPRODUCTION_SETTINGS, to_mapping(begun))
