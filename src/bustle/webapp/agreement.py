"""How far readers and model agree on the signed cases of a page: biopsy or not, outlines and diameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from bustle.reading.redrawn_outline import PredictedImage, mask_of_outlines
from bustle.webapp.agreement_messages import (
    Agreement,
    DiameterAgreement,
    DiameterPair,
    Figure,
    PairAgreement,
    Rater,
    Unit,
)
from bustle.webapp.case_detail import predicted_image
from bustle.webapp.data_folder import DataFolder
from bustle.webapp.readings import as_outlines
from bustle.webapp.tables import Case, Reading, SecondReading

RESAMPLES, SEED = 2000, 0
PAIRS: tuple[tuple[Rater, Rater], ...] = (("reader", "model"), ("second", "model"), ("reader", "second"))
BIOPSY = {"1": False, "2": False, "3": False, "4": True, "4A": True, "4B": True, "4C": True, "5": True}
"""What a category advises (ACR BI-RADS Atlas, 5th edition); 0 and 6 advise neither."""

UNITS: tuple[Unit, ...] = ("mm", "px")
DECISIONS = {"malignant": True, "benign": False, "no lesion": False}
"""What a decision of the model advises; an open one says nothing."""


@dataclass(frozen=True)
class Opinion:
    """What one rater says of a case. `biopsy` is None where nothing is said of it, `diameter` without a lesion."""

    biopsy: bool | None
    diameter: float | None


@dataclass(frozen=True)
class RatedCase:
    """A signed case. Cases of one `group`, a dropped file, may be of one patient. Diameters are in `unit`.

    `dice` is that of two raters' outlines: 0 where one alone has drawn, None where neither has.
    """

    id: str
    group: str
    unit: Unit
    opinions: dict[Rater, Opinion]
    dice: dict[tuple[Rater, Rater], float | None]


class RatedCases:
    """What raters say of cases, measured once: what is signed is not changed."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], RatedCase] = {}

    def of(self, case: Case, data: DataFolder) -> RatedCase:
        key = case.id, case.version, len(case.second_readings)
        if key not in self._known:
            self._known[key] = _rated(case, data)
        return self._known[key]


def agreement_of(session: Session, data: DataFolder, known: RatedCases) -> Agreement:
    """Of all cases whose reading is signed; a second reading counts where there is one, the first of several."""
    cases = session.scalars(select(Case).where(Case.kind == "image").order_by(Case.made, Case.id))
    signed = [case for case in cases if case.reading is not None and case.reading.signed is not None]
    rated = [known.of(case, data) for case in signed]
    pairs = [_pair([case for case in rated if pair in case.dice], pair) for pair in PAIRS]
    return Agreement(signed=len(rated), pairs=[pair for pair in pairs if pair.cases])


def _rated(case: Case, data: DataFolder) -> RatedCase:
    image = predicted_image(case, data)
    record = image.record()
    sizes = [lesion.long_axis for lesion in record.drawn.lesions or ()]
    decision = record.decision if record.answer is None else record.answer.decision
    model = Opinion(DECISIONS.get(decision or ""), max(sizes, default=None))
    masks: dict[Rater, NDArray[np.bool_]] = {"model": image.mask()}
    opinions: dict[Rater, Opinion] = {"model": model}
    reading = case.reading
    assert reading is not None
    opinions["reader"], masks["reader"] = _opinion(reading, image, model, masks["model"])
    if case.second_readings:
        opinions["second"], masks["second"] = _opinion(case.second_readings[0], image, model, masks["model"])
    drawn = [pair for pair in PAIRS if pair[0] in masks and pair[1] in masks]
    dice: dict[tuple[Rater, Rater], float | None] = {pair: _dice(masks[pair[0]], masks[pair[1]]) for pair in drawn}
    unit: Unit = "px" if record.geometry.spacing is None else "mm"
    return RatedCase(id=case.id, group=case.file_id, unit=unit, opinions=opinions, dice=dice)


def _opinion(
    reading: Reading | SecondReading, image: PredictedImage, model: Opinion, drawn: NDArray[np.bool_]
) -> tuple[Opinion, NDArray[np.bool_]]:
    biopsy = BIOPSY.get(reading.birads or "")
    if reading.verdict == "rejected":
        return Opinion(biopsy, None), np.zeros_like(drawn)
    if reading.outlines is None:
        return Opinion(biopsy, model.diameter), drawn
    height, width = drawn.shape
    mask = mask_of_outlines(as_outlines(reading.outlines), size=(height, width))
    return Opinion(biopsy, max((one.long_axis for one in image.lesions(mask)), default=None)), mask


def _dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float | None:
    drawn = int(first.sum()) + int(second.sum())
    return None if drawn == 0 else 2 * int((first & second).sum()) / drawn


def _pair(cases: Sequence[RatedCase], pair: tuple[Rater, Rater]) -> PairAgreement:
    from bustle.evaluation.agreement import cohens_kappa
    from bustle.evaluation.statistics import weighted_means

    first, second = pair
    advised = [(one.group, one.opinions[first].biopsy, one.opinions[second].biopsy) for one in cases]
    known = [(group, int(a), int(b)) for group, a, b in advised if a is not None and b is not None]
    ones, others = (np.array([row[place] for row in known], np.int64) for place in (1, 2))
    drawn = [(one.group, value) for one in cases if (value := one.dice[pair]) is not None]
    values = np.array([[value] for _, value in drawn], np.float64)
    return PairAgreement(
        first=first,
        second=second,
        cases=len(cases),
        kappa=_figure([row[0] for row in known], lambda weights: cohens_kappa(ones, others, weights=weights)),
        advised=[[sum((a, b) == (x, y) for _, a, b in known) for y in (1, 0)] for x in (1, 0)],
        dice=_figure([row[0] for row in drawn], lambda weights: weighted_means(values, weights=weights)[:, 0]),
        same_outline=sum(value == 1 for _, value in drawn),
        diameters=[found for unit in UNITS if (found := _diameters(cases, pair, unit)) is not None],
    )


def _figure(groups: Sequence[str], statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Figure:
    """A statistic of the cases of these groups, with the interval that resampling whole groups gives."""
    from bustle.evaluation.statistics import GroupResamples, group_interval

    if not groups:
        return Figure(value=None, interval=None, n=0)
    value = float(statistic(np.ones((1, len(groups))))[0])
    resamples = GroupResamples.draw(groups, resamples=RESAMPLES, seed=SEED)
    interval = group_interval(statistic(resamples.weights), groups=resamples.groups)
    return Figure(value=None if np.isnan(value) else value, interval=interval, n=len(groups))


def _diameters(cases: Sequence[RatedCase], pair: tuple[Rater, Rater], unit: Unit) -> DiameterAgreement | None:
    """Of the largest lesion's long axis, where both have drawn one; None for fewer than two cases."""
    from bustle.evaluation.agreement import bland_altman

    points = []
    for case in cases:
        one, other = (case.opinions[rater].diameter for rater in pair)
        if case.unit == unit and one is not None and other is not None:
            points.append(DiameterPair(case=case.id, mean=(one + other) / 2, difference=one - other))
    if len(points) < 2:
        return None
    found = bland_altman(np.array([point.difference for point in points]))
    return DiameterAgreement(
        unit=unit,
        bias=found.bias,
        bias_interval=found.bias_interval,
        limits=found.limits,
        lower_interval=found.lower_interval,
        upper_interval=found.upper_interval,
        points=points,
    )
