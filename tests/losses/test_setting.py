from __future__ import annotations

import pytest

from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning
from bustle.losses.setting import LossSetting

ONE = MaskMeaning(("lesion",), "sigmoid", (0,))
TWO = MaskMeaning(("background", "lesion"), "softmax", (1,))


def test_the_mask_and_the_other_maps_have_their_own_meaning():
    setting = LossSetting(mask_meaning=ONE, map_meanings={"coarse": TWO})
    assert setting.meaning_of("mask", loss="dice") is ONE
    assert setting.meaning_of("coarse", loss="dice") is TWO


def test_a_map_that_is_not_there_is_told_with_those_that_are():
    setting = LossSetting(map_meanings={"coarse": TWO})
    with pytest.raises(InputError, match="unknown map of loss dice 'coarce'; did you mean coarse"):
        setting.meaning_of("coarce", loss="dice")
    with pytest.raises(InputError, match="the loss dice needs a network with a mask; leave the loss out"):
        setting.meaning_of("mask", loss="dice")


def test_a_map_without_a_lesion_has_no_loss_of_the_lesion():
    setting = LossSetting(map_meanings={"gland": MaskMeaning(("gland",), "sigmoid", ())})
    with pytest.raises(InputError, match="the map 'gland' of loss dice shows no lesion; name another map"):
        setting.lesion_meaning_of("gland", loss="dice")
