"""What the decision rule that is fitted after a training is to keep."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RuleSection:
    """The shares that a fitted rule states, how far from home it answers, and what it usually draws.

    `lesion_coverage`: in how many lesions a lesion is among the possible answers, `normal_coverage`: in how many
    normals none, `class_coverage`: in how many lesions their class. `reach`: a picture is answered that lies up to
    so many times as far from the fitted ones as 99 % of these do; another hospital's lie farther away than those left
    out at home. `faintest_part`: parts of a mask are dropped in which the lesion map is on average below this share
    of that in the surest, unless another rule outlines the validation part better by more than chance.
    """

    lesion_coverage: float = 0.98
    normal_coverage: float = 0.9
    class_coverage: float = 0.9
    reach: float = 1.75
    faintest_part: float = 0.0

    def __post_init__(self) -> None:
        coverages = (self.lesion_coverage, self.normal_coverage, self.class_coverage)
        if not all(0 < coverage < 1 for coverage in coverages):
            raise ValueError("coverages must lie between 0 and 1")
        if not self.reach >= 1:
            raise ValueError("reach must be at least 1")
        if not 0 <= self.faintest_part <= 1:
            raise ValueError("faintest_part must be 0 to 1")
