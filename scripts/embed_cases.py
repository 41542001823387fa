"""Gives a package that was exported without its training cases their embeddings (`bustle export --with-cases`).

Usage: `.venv/bin/python scripts/embed_cases.py PACKAGE --data SPEC... --out NEW`. The package holds one network,
whose weights are in its graph, and the data are those of its training: the images that the package says it has seen
are sought in them. The graph is made anew from the weights, and must answer as the old one does, bit for bit, and as
the network does in PyTorch.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from pathlib import Path

import numpy as np

from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.files import sha256_of_file, write_json, write_text
from bustle.core.recipe import Recipe, load_recipe
from bustle.data.prepared.intensities import normalise
from bustle.data.sources import open_sources
from bustle.experiments.embedded_cases import embedded_cases
from bustle.export.model_card import model_card
from bustle.export.onnx_graph import write_onnx
from bustle.export.package_folder import new_package
from bustle.export.parity import compare
from bustle.inference.onnx_backend import OnnxBackend
from bustle.inference.package import CARD, CLASS_PROBS, FORMAT_VERSION, MODEL, RECORD, Package, PackageRecord, sealed
from bustle.inference.package_backend import cpu_backends
from bustle.inference.torch_backend import TorchBackend, load_network
from bustle.models import zoo
from bustle.models.refinement import refined
from bustle.models.weight_file import write_weights
from bustle.models.weights import load_model_weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("--data", nargs="+", required=True, metavar="SPEC")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    old = Package(arguments.package)
    with tempfile.TemporaryDirectory() as folder:
        write_embedded(old, arguments.out, data=arguments.data, weights=Path(folder) / "weights.safetensors")
    kept = Package(arguments.out).record.training_cases
    print(f"{0 if kept is None else kept.count} training cases are kept, written to {arguments.out}")


def write_embedded(old: Package, out: Path, *, data: list[str], weights: Path) -> None:
    record = old.record
    recipe = recipe_of(record)
    resolved = zoo.resolve(recipe)
    network = resolved.build()
    load_model_weights(network, old.path / MODEL)
    write_weights(weights, network.state_dict())
    backend = TorchBackend(recipe, weights=[weights], device="cpu")
    embedded = embedded_cases(backend, recipe, open_sources(data).cases, seen=record.seen_images)
    with new_package(out) as folder:
        _, outputs = write_onnx(
            folder / MODEL,
            [refined(load_network(resolved, weights), resolved)],
            views=record.views,
            meaning=record.mask_meaning,
            classes=recipe.data.classes if CLASS_PROBS in [output.name for output in record.outputs] else None,
            channels=recipe.data.channels,
            size=recipe.data.size,
            half=record.half,
            projection=embedded.projection,
        )
        made = dataclasses.replace(
            record,
            format_version=FORMAT_VERSION,
            outputs=outputs,
            training_cases=embedded.cases,
            files={MODEL: sha256_of_file(folder / MODEL)},
        )
        write_json(folder / RECORD, sealed(to_mapping(made)))
        embed = embedded.embedder(backend)
        parity = compare(backend, cpu_backends(Package(folder)), section=recipe.data, embed=embed)
        made = dataclasses.replace(made, parity=parity)
        write_json(folder / RECORD, sealed(to_mapping(made)))
        write_text(folder / CARD, model_card(made, name=old.path.name))
        check_same_answers(old, Package(folder))


def recipe_of(record: PackageRecord) -> Recipe:
    """The shipped recipe that the package names, with the package's own data section and views."""
    recipe = load_recipe(record.recipe)
    return dataclasses.replace(recipe, data=record.preprocessing, views=record.views)


def check_same_answers(old: Package, new: Package) -> None:
    """Raises `InputError` unless both graphs give the same bits for random images."""
    section = old.record.preprocessing
    noise = np.random.default_rng(0).integers(0, 256, (4, section.channels, *section.size), np.uint8)
    images = np.stack([normalise(image, section=section) for image in noise])
    before, after = (OnnxBackend(package, device="cpu").run(images) for package in (old, new))
    for name in ("mask_channels", "classes"):
        if not np.array_equal(getattr(before, name), getattr(after, name)):
            raise InputError(
                f"{name} of the new graph differ", remedy="use the versions of the package", path=old.path
            )


if __name__ == "__main__":
    main()
