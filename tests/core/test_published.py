"""The published numbers."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import pytest

from bustle.core.errors import InputError
from bustle.core.published import load_published, published_for


def test_every_printed_number_is_there():
    rows = load_published()
    assert len(rows) == 1045
    assert Counter(row.paper for row in rows) == {
        "rmtl_net": 380,
        "la_net": 16,
        "acsnet": 203,
        "cms_vnet_iter": 175,
        "ctg_net": 271,
    }
    assert all(row.sd is None or row.sd >= 0 for row in rows)


def test_a_method_has_one_name_in_its_paper():
    """Whatever was printed: names that differ in capitals, marks or a remark only are one method."""
    names: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in load_published():
        for name in (row.method, row.printed_as):
            plain = re.sub(r"\([^)]*\)|[-_ ]", "", name).lower()
            names[row.paper, plain].add(row.method)
    assert {key: found for key, found in names.items() if len(found) > 1} == {}
    spelt = {(row.method, row.printed_as) for row in load_published() if row.method != row.printed_as}
    assert {("UNet++", "Unet++"), ("VGG-16", "VGG16"), ("CTG-Net", "CTG-Net (ours)")} <= spelt


def test_refinements_are_counted_alike_in_all_tables():
    """The plain VNet is N = 0 in Table 2 and in Table 3, with the same figures; refined twice is N = 2."""
    rows = published_for({"paper": "cms_vnet_iter"})
    counted = {(row.table, row.method, found[1]) for row in rows if (found := re.search(r"N=(\d)", row.variant))}
    assert {(table, n) for table, method, n in counted if method in ("VNet", "CVNet", "C_MSVNet")} == {
        ("Table 3", "0"),
        ("Table 4", "0"),
        ("Table 6", "0"),
    }
    plain = [
        {row.metric: row.mean for row in rows if (row.table, row.method, row.variant) == ("Table 2", *which)}
        for which in (("VNet_Iter", "task=seg;N=0"),)
    ]
    again = {row.metric: row.mean for row in rows if (row.table, row.method) == ("Table 3", "VNet")}
    assert plain == [again]


def test_dice_and_iou_belong_together_but_for_two_flagged_rows():
    """A mean IoU over images is at least D / (2 - D) of the mean Dice, by convexity."""
    pairs: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    notes: dict[tuple[str, ...], str] = {}
    for row in load_published():
        key = (row.paper, row.table, row.dataset, row.method, row.variant)
        kind = {"DSC": "dice", "Dice": "dice"}.get(row.metric) or (
            "iou" if row.metric in ("IoU", "Tumor IoU", "JI", "Jaccard") else None
        )
        if kind and row.task == "seg":
            pairs[key][kind] = row.mean / (100 if row.unit.startswith("percent") else 1)
            notes[key] = row.note
            rounding = 5e-5 if row.unit.startswith("percent") else 0.5 * 10 ** -decimals(row.mean)
            pairs[key]["rounding"] = max(rounding, pairs[key].get("rounding", 0))
    complete = {key: pair for key, pair in pairs.items() if {"dice", "iou"} <= pair.keys()}
    assert len(complete) > 60
    impossible = set()
    for key, pair in complete.items():
        dice = pair["dice"] - pair["rounding"]
        if pair["iou"] + pair["rounding"] < dice / (2 - dice):
            impossible.add(key)
    assert {(key[0], key[1], key[3]) for key in impossible} == {
        ("ctg_net", "Table 4", "Y-Net (2018)"),
        ("ctg_net", "Table 4", "SC-Net (2019)"),
    }
    assert all("impossible" in notes[key] for key in impossible)


def decimals(value: float) -> int:
    """How many digits a fraction was printed with, at least two."""
    return max(2, len(f"{value:g}".partition(".")[2]))


def test_rows_are_found_by_their_columns():
    rows = published_for({"paper": "rmtl_net", "method": "RMTL-Net", "table": "Table 2", "metric": "DSC"})
    assert [(row.dataset, row.unit) for row in rows] == [("UDIAT", "percent")]
    assert published_for({}) == ()
    assert published_for({"paper": "rmtl_net", "method": "nobody"}) == ()
    with pytest.raises(InputError, match="unknown column of the published numbers 'methods'; did you mean method"):
        published_for({"methods": "RMTL-Net"})
