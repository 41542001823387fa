from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bustle.core.errors import InputError
from bustle.core.extras import EXTRAS, naming_the_extra

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("name", EXTRAS)
def test_an_extra_installs_the_packages_that_it_is_named_for(name: str):
    distributions_of = importlib.metadata.packages_distributions()
    # a package that is not installed here is taken to bear its module's name
    told = {canonicalize_name(distributions_of.get(module, [module])[0]) for module in EXTRAS[name].packages}
    installed = PROJECT["optional-dependencies"][name]
    assert told == {canonicalize_name(Requirement(text).name) for text in installed}


def test_a_missing_package_is_an_error_that_names_its_extra():
    said = r"need PyTorch, which is not installed; pip install 'bustle\[train\]'"
    with pytest.raises(InputError, match=said), naming_the_extra():
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")


@pytest.mark.parametrize("error", [ModuleNotFoundError("nothing", name="bustle.nothing"), ModuleNotFoundError("?")])
def test_any_other_missing_module_is_a_bug(error: ModuleNotFoundError):
    with pytest.raises(ModuleNotFoundError) as caught, naming_the_extra():
        raise error
    assert caught.value is error
