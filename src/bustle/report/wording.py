"""Numbers as a person reads them: the number of digits follows the unit, and nothing undefined looks like zero."""

from __future__ import annotations

from collections.abc import Iterable

from bustle.evaluation.figures import ShortFigure
from bustle.evaluation.results import FoldEstimate
from bustle.evaluation.statistics import FEWEST_GROUPS

NOTHING = "–"
SPREADS = {
    "fold_sd": "SD over folds (ddof 1)",
    "fold_sd_population": "SD over folds (ddof 0)",
    "case_sd": "SD over all cases",
    "t95": "half width of the 95 % t interval over folds",
    "none": "no spread",
}
TESTS = {
    "paired_t": "paired t",
    "delong": "DeLong",
    "bootstrap": "bootstrap",
    "pooled_t": "pooled t, one-sided",
}


def number(value: float | None, unit: str) -> str:
    """A value without its unit: three decimals for fractions, for others fewer the larger they are."""
    if value is None:
        return NOTHING
    if unit in ("fraction", "ratio", "correlation"):
        return f"{value:.3f}"
    digits = 2 if abs(value) < 100 else 1 if abs(value) < 1000 else 0
    return f"{value:,.{digits}f}"


def interval(bounds: tuple[float, float] | list[float] | None, unit: str) -> str:
    return NOTHING if bounds is None else f"{number(bounds[0], unit)} to {number(bounds[1], unit)}"


def short_figure(figure: ShortFigure) -> str:
    """A fraction with its interval in brackets: `0.812 [0.780, 0.841]`."""
    if figure.value is None:
        return NOTHING
    bounds = "" if figure.ci95 is None else f" [{figure.ci95[0]:.3f}, {figure.ci95[1]:.3f}]"
    return f"{figure.value:.3f}{bounds}"


def resampled_groups(count: int) -> str:
    """What the intervals rest on, or why there are none."""
    if count >= FEWEST_GROUPS:
        return f"{count} groups resampled"
    return f"none but of shares: {count} group{'s' * (count != 1)}, at least {FEWEST_GROUPS} are needed"


def with_unit(value: float | None, unit: str) -> str:
    """`12.40 mm`; fractions carry no unit."""
    text = number(value, unit)
    return f"{text} {unit}" if value is not None and unit not in ("fraction", "ratio", "correlation") else text


def diameters(lengths: Iterable[float], unit: str) -> str:
    """`12.4 x 9.70 mm`."""
    return f"{' x '.join(number(length, unit) for length in lengths)} {unit}"


def mean_and_spread(entry: FoldEstimate) -> str:
    """`0.812 ± 0.021` of folds."""
    return mean_and_sd(entry.mean, entry.sd, entry.unit)


def mean_and_sd(mean: float | None, sd: float | None, unit: str) -> str:
    text = number(mean, unit)
    return text if mean is None or sd is None else f"{text} ± {number(sd, unit)}"


def signed_number(value: float | None, unit: str) -> str:
    """A difference: as `number`, a rise with its sign."""
    return ("+" if value is not None and value > 0 else "") + number(value, unit)


def p_value(value: float | None) -> str:
    if value is None:
        return NOTHING
    return "<0.001" if value < 0.001 else f"{value:.3f}"
