"""What people read over the maps of a network."""

from __future__ import annotations

import pytest

from bustle.core.explanation import channel_title


@pytest.mark.parametrize(
    ("channel", "title"),
    [
        ("regional_attention_tumour", "regional attention, tumour"),
        ("spatial_attention", "spatial attention (CBAM)"),
        ("gate_stage_5_max", "gate unit, encoder stage 5, max"),
        ("deformable_attention_stage_6_mean", "deformable spatial attention, decoder stage 6, mean"),
        ("coarse_gland", "coarse_gland"),
    ],
)
def test_an_attention_has_the_fields_term_and_a_probability_the_name_of_its_channel(channel: str, title: str):
    assert channel_title(channel) == title
