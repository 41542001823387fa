from __future__ import annotations

import pytest

from bustle.core.errors import InputError
from bustle.models import zoo


def test_the_folders_are_the_registry():
    assert "rmtl_net" in zoo.ids()
    assert all(zoo.get(model_id).id == model_id for model_id in zoo.ids())


def test_unknown_names_are_told_with_the_nearest():
    with pytest.raises(InputError, match="unknown model 'rmtlnet'; did you mean rmtl_net"):
        zoo.get("rmtlnet")
    with pytest.raises(InputError, match=r"unknown key 'backbon' in model\.config; did you mean backbone"):
        zoo.build("rmtl_net", {"backbon": "resnet18"}, in_channels=3, class_count=2)
