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


def test_encoder_weights_that_nobody_has_published_are_refused():
    without = [model_id for model_id in zoo.ids() if not zoo.get(model_id).takes_encoder_weights]
    assert {"unet", "cms_vnet"} <= set(without)
    for model_id in without:
        with pytest.raises(InputError, match=f"{model_id} has no published encoder weights; set model"):
            zoo.build(model_id, {}, in_channels=1, class_count=2, encoder_weights="imagenet")
