"""Drawing: strict options, the recipe's order and ranges, and a pure function of seed, epoch and case."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from bustle.core.config import Component
from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe, recipe_ids
from bustle.data.transforms.augmentation import Augmentation
from bustle.data.transforms.drawn_transform import IDENTITY, composed

SIZE = (256, 256)


def augmentation(*components, size=SIZE):
    parsed = [Component(c["name"], {k: v for k, v in c.items() if k != "name"}) for c in components]
    return Augmentation.from_components(parsed, size=size)


EVERYTHING = augmentation(
    {"name": "color_jitter", "brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.1},
    {"name": "rotate", "degrees": [10, 30], "sign": "both", "probability": 0.5},
    {"name": "right_angle_rotate"},
    {"name": "flip", "horizontal": 0.5, "vertical": 0.5},
    {"name": "scale", "factor": [0.8, 1.2]},
    {"name": "translate", "fraction": 0.1},
    {"name": "crop"},
    {"name": "gaussian_blur", "probability": 0.5, "kernel": 5, "sigma": [0.1, 1.5]},
    {"name": "median_blur", "probability": 0.5, "kernel": 5},
    {"name": "gamma", "exponent": [0.7, 1.4]},
)


def draws(drawer, count=2000):
    return [drawer.draw(f"case/{number}", seed=0, epoch=0) for number in range(count)]


def angles(drawer, count=2000):
    return np.array(
        [np.degrees(np.arctan2(d.source_from_target[3], d.source_from_target[0])) for d in draws(drawer, count)]
    )


def test_equal_arguments_draw_equal_transforms_in_any_order():
    first = [EVERYTHING.draw(f"c/{i}", seed=3, epoch=e) for e in range(3) for i in range(20)]
    again = {(e, i): EVERYTHING.draw(f"c/{i}", seed=3, epoch=e) for i in reversed(range(20)) for e in (2, 0, 1)}
    assert first == [again[e, i] for e in range(3) for i in range(20)]
    assert len({d.source_from_target for d in first}) == 60


@pytest.mark.parametrize(("seed", "epoch", "case_id"), [(1, 0, "a/b"), (0, 1, "a/b"), (0, 0, "a/c")])
def test_seed_epoch_and_case_each_change_the_draw(seed, epoch, case_id):
    assert EVERYTHING.draw(case_id, seed=seed, epoch=epoch) != EVERYTHING.draw("a/b", seed=0, epoch=0)


def test_another_process_draws_the_same():
    program = (
        "from bustle.core.config import Component; from bustle.data.transforms.augmentation import Augmentation;"
        "a = Augmentation.from_components([Component('rotate', {'degrees': 5})], size=(256, 256));"
        "print(repr(a.draw('busi/benign (1)', seed=7, epoch=3).source_from_target));"
        "import sys; assert 'torch' not in sys.modules"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    here = augmentation({"name": "rotate", "degrees": 5}).draw("busi/benign (1)", seed=7, epoch=3)
    assert printed.strip() == repr(here.source_from_target)


def test_the_draw_is_pinned():
    """A resumed run must draw as the older version did: changing the drawing needs a reason."""
    drawn = augmentation({"name": "translate", "fraction": 1.0}).draw("busi/benign (1)", seed=7, epoch=3)
    assert drawn.source_from_target == pytest.approx((1, 0, -92.29047378042344, 0, 1, 122.61823430949846))


def test_rotation_ranges_of_the_papers():
    rmtl = angles(augmentation({"name": "rotate", "degrees": [-5, 5]}))
    assert np.array_equal(rmtl, angles(augmentation({"name": "rotate", "degrees": 5})))
    assert -5 <= rmtl.min() < -4.9
    assert 4.9 < rmtl.max() <= 5
    assert abs(rmtl.mean()) < 0.3
    acsnet = angles(augmentation({"name": "rotate", "degrees": [10, 30], "sign": "both", "probability": 0.5}))
    turned = acsnet[acsnet != 0]
    assert abs(len(turned) / 2000 - 0.5) < 0.05
    assert np.abs(turned).min() >= 10 - 1e-9
    assert np.abs(turned).max() <= 30 + 1e-9
    assert abs((turned > 0).mean() - 0.5) < 0.07


def test_flips_are_equally_none_horizontal_vertical_both():
    drawn = draws(augmentation({"name": "flip", "horizontal": 0.5, "vertical": 0.5}))
    kinds, counts = np.unique(
        [(d.source_from_target[0], d.source_from_target[4]) for d in drawn], axis=0, return_counts=True
    )
    assert len(kinds) == 4
    assert counts.min() > 430
    only = draws(augmentation({"name": "flip", "horizontal": 1.0}), 5)
    assert {d.source_from_target for d in only} == {(-1.0, 0.0, 255.0, 0.0, 1.0, 0.0)}


def test_right_angles_are_exact_and_equally_likely():
    drawn = draws(augmentation({"name": "right_angle_rotate", "angles": [90, 180, 270]}))
    kinds, counts = np.unique([d.source_from_target for d in drawn], axis=0, return_counts=True)
    assert len(kinds) == 3
    assert counts.min() > 580
    assert all(d.keeps_pixels_whole for d in drawn)


def test_scale_enlarges_about_the_centre():
    for drawn in draws(augmentation({"name": "scale", "factor": [2, 2]}), 3):
        a, _, c, _, e, f = drawn.source_from_target
        assert (a, e) == (0.5, 0.5)
        assert a * 127.5 + c == e * 127.5 + f == 127.5


def test_crop_windows_lie_inside_and_have_the_asked_area():
    for drawn in draws(augmentation({"name": "crop", "area": [0.5, 0.8]}), 300):
        a, _, c, _, e, f = drawn.source_from_target
        assert 0.5 - 1e-9 <= a * e <= 0.8 + 1e-9
        for step, start in ((a, c), (e, f)):
            left, right = step * -0.5 + start + 0.5, step * 255.5 + start + 0.5
            assert -1e-6 <= left < right <= 256 + 1e-6


def test_a_crop_that_cannot_fit_takes_the_whole():
    drawn = augmentation({"name": "crop", "area": [1, 1], "aspect": [3, 3]}).draw("a", seed=0, epoch=0)
    assert drawn.source_from_target == pytest.approx(IDENTITY)


def test_geometric_components_compose_in_the_recipes_order():
    turn = {"name": "rotate", "degrees": [30, 30]}
    shift = {"name": "translate", "fraction": 0.2}
    flip = {"name": "flip", "horizontal": 1.0}
    a = augmentation(turn).draw("x", seed=0, epoch=0).source_from_target
    both = augmentation(turn, flip).draw("x", seed=0, epoch=0).source_from_target
    assert both == pytest.approx(composed(a, (-1, 0, 255, 0, 1, 0)))
    assert augmentation(flip, turn).draw("x", seed=0, epoch=0).source_from_target != pytest.approx(both)
    assert augmentation(shift).draw("x", seed=0, epoch=0).moves


def test_intensity_steps_keep_their_side_of_the_warp_and_their_order():
    drawn = augmentation(
        {"name": "gamma", "exponent": [2, 2]},
        {"name": "flip", "horizontal": 1.0},
        {"name": "median_blur", "kernel": 3},
        {"name": "rotate", "degrees": 5},
        {"name": "gaussian_blur", "kernel": 3, "sigma": [1, 1]},
    ).draw("x", seed=0, epoch=0)
    assert [step.name for step in drawn.before] == ["gamma"]
    assert [step.name for step in drawn.after] == ["median_blur", "gaussian_blur"]
    slots = [step.slot for step in (*drawn.before, *drawn.after)]
    assert slots == sorted(set(slots))


def test_jitter_ranges_and_random_order():
    drawn = draws(augmentation({"name": "color_jitter", "brightness": 0.12, "contrast": 1.5, "hue": 0.08}), 500)
    first = {d.before[0].name for d in drawn}
    assert first == {"brightness", "contrast", "hue"}
    values = {name: [s.values[0] for d in drawn for s in d.before if s.name == name] for name in first}
    for name, (low, high) in {"brightness": (0.88, 1.12), "contrast": (0, 2.5), "hue": (-0.08, 0.08)}.items():
        assert low <= min(values[name]) < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < max(values[name]) <= high


@pytest.mark.parametrize(
    ("component", "message"),
    [
        ({"name": "rotat"}, "did you mean rotate"),
        ({"name": "rotate", "degree": 5}, "did you mean degrees"),
        ({"name": "rotate"}, "lacks degrees"),
        ({"name": "rotate", "degrees": [5, -5]}, "lowest, highest"),
        ({"name": "rotate", "degrees": 5, "sign": "either"}, "given, both"),
        ({"name": "rotate", "degrees": 5, "probability": 2}, "between 0 and 1"),
        ({"name": "right_angle_rotate", "angles": [45]}, "multiples of 90"),
        ({"name": "flip", "horizontal": -0.1}, "between 0 and 1"),
        ({"name": "scale", "factor": [0, 1]}, "positive"),
        ({"name": "translate", "fraction": 3}, "between 0 and 1"),
        ({"name": "crop", "area": [0.5, 1.5]}, "between 0 and 1"),
        ({"name": "gaussian_blur", "kernel": 4, "sigma": [1, 2]}, "odd"),
        ({"name": "median_blur", "kernel": 1}, "odd"),
        ({"name": "color_jitter", "hue": 0.7}, "hue within"),
        ({"name": "gamma", "exponent": [-1, 1]}, "positive"),
    ],
)
def test_wrong_options_are_named(component, message):
    with pytest.raises(InputError, match=message) as caught:
        augmentation(component)
    assert component["name"] in str(caught.value)


def test_volumes_are_refused():
    with pytest.raises(InputError, match="height, width"):
        augmentation(size=(32, 32, 32))


def test_every_shipped_recipe_draws():
    for name in recipe_ids(ablations=True):
        recipe = load_recipe(name)
        if len(recipe.data.size) == 2:
            Augmentation.from_components(recipe.augmentation, size=recipe.data.size).draw("a/b", seed=0, epoch=0)
