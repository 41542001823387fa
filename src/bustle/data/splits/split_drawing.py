"""Drawing the parts of every fold from a table of cases, groups and strata."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from bustle.core.errors import InputError
from bustle.core.recipe import Protocol
from bustle.core.types import Case
from bustle.data.splits.group_balance import balanced_parts


class CaseTable:
    """Cases, their groups and strata as arrays for the assignment."""

    def __init__(self, cases: Sequence[Case], group_of: dict[str, str], protocol: Protocol):
        self.cases = cases
        self.group_of = group_of
        self.group_names = list(dict.fromkeys(group_of.values()))
        index = {name: number for number, name in enumerate(self.group_names)}
        self.group_index = np.array([index[group_of[case.case_id]] for case in cases])
        strata = [
            (
                case.source if protocol.per_source else "",
                (case.label or "unlabelled") if protocol.stratify else "",
            )
            for case in cases
        ]
        self.strata = sorted(set(strata))
        stratum_index = {stratum: number for number, stratum in enumerate(self.strata)}
        self.stratum = np.array([stratum_index[stratum] for stratum in strata])
        self.metric = _metric(self.strata)

    def counts(self, rows: np.ndarray) -> np.ndarray:
        """Cases of each stratum in each group, `G S`, of the cases in `rows` only."""
        counts = np.zeros((len(self.group_names), len(self.strata)), np.int64)
        np.add.at(counts, (self.group_index[rows], self.stratum[rows]), 1)
        return counts


def _metric(strata: Sequence[tuple[str, str]]) -> np.ndarray:
    """How deviations weigh: each stratum by itself, then classes over all sources, then the size of a part.

    The lesser weights decide where the odd case of each stratum goes, so that the oddities do not add up.
    """
    classes = np.array([label for _, label in strata])
    return np.eye(len(strata)) + 0.05 * (classes[:, None] == classes[None, :]) + 0.01


class Drawing:
    """Everything that is drawn at random, each with a generator of its own, so that parts stay reproducible."""

    def __init__(self, protocol: Protocol, *, seed: int):
        self.protocol = protocol
        self.seed = seed

    def folds(self, table: CaseTable, count: int) -> list[np.ndarray]:
        """Rows of the test part of every fold."""
        rows = self._testable(table)
        groups = len(np.unique(table.group_index[rows]))
        if groups < count:
            raise InputError(f"{groups} groups cannot fill {count} folds", remedy="use fewer folds or more data")
        if self.protocol.group_by == "case" and not self.protocol.stratify:
            return self._unstratified(table, rows, count)
        totals = np.bincount(table.stratum[rows], minlength=len(table.strata))
        part = self._assign(table, rows, np.tile(totals / count, (count, 1)), purpose=0)
        return [np.flatnonzero(part[table.group_index] == number) for number in range(count)]

    def _testable(self, table: CaseTable) -> np.ndarray:
        """The rows that may be tested. Raises `InputError` where the protocol tests located cases and none is."""
        rows = np.arange(len(table.cases))
        if not self.protocol.test_located:
            return rows
        unlocated = np.array([not (case.has_mask or case.has_box) for case in table.cases])
        found = rows[~np.isin(table.group_index, table.group_index[unlocated])]
        if len(found) == 0:
            raise InputError(
                "no case shows where its lesion is, and the protocol tests only such",
                remedy="give data with masks or boxes, or take another protocol",
            )
        return found

    def _unstratified(self, table: CaseTable, tested: np.ndarray, count: int) -> list[np.ndarray]:
        """Shuffled folds of each source by itself, those of scikit-learn's KFold in the released code."""
        tests: list[list[int]] = [[] for _ in range(count)]
        for stratum in range(len(table.strata)):
            rows = tested[table.stratum[tested] == stratum]
            if len(rows) < count:
                raise InputError(
                    f"{len(rows)} cases of {table.strata[stratum][0]} cannot fill {count} folds",
                    remedy="use fewer folds or more data",
                )
            np.random.RandomState(self.seed).shuffle(rows)
            for number, test in enumerate(np.array_split(rows, count)):
                tests[number] += test.tolist()
        return [np.array(sorted(rows)) for rows in tests]

    def holdout(self, table: CaseTable, fraction: float) -> np.ndarray:
        tested = self._testable(table)
        totals = np.bincount(table.stratum[tested], minlength=len(table.strata)).astype(float)
        test = fraction * totals
        if self.protocol.equal_test:
            by_source = Counter[str]()
            for (source, _), total in zip(table.strata, totals, strict=True):
                by_source[source] += int(total)
            per_source = Counter(source for source, _ in table.strata)
            equal = [round(fraction * by_source[source] / per_source[source]) for source, _ in table.strata]
            test = np.minimum(np.array(equal, float), totals)
        part = self._assign(table, tested, np.stack([test, totals - test]), purpose=0)
        rows = np.flatnonzero(part[table.group_index] == 0)
        if len(rows) in (0, len(table.cases)):
            raise InputError(
                f"a holdout of {fraction} leaves a part empty", remedy="use another fraction or more data"
            )
        return rows

    def around_official(self, table: CaseTable, official: Mapping[str, int]) -> list[np.ndarray]:
        """The publishers' test parts, and the other cases balanced around them."""
        count = len(set(official.values()))
        if count < 2:
            raise InputError("there is only one official fold", remedy="read more of the data set")
        given = np.array([official.get(case.case_id, -1) for case in table.cases])
        fixed = np.full(len(table.group_names), -1)
        for group, fold in zip(table.group_index[::-1], given[::-1], strict=True):
            if fold >= 0:
                fixed[group] = fold
        totals = np.bincount(table.stratum, minlength=len(table.strata))
        targets = np.tile(totals / count, (count, 1))
        part = self._assign(table, np.arange(len(table.cases)), targets, purpose=0, fixed=fixed)
        fold = np.where(given >= 0, given, part[table.group_index])
        return [np.flatnonzero(fold == number) for number in range(count)]

    def fold(
        self, table: CaseTable, tests: Sequence[np.ndarray], number: int, leaks: list[tuple[str, str]]
    ) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Case ids of the training, validation and test part.

        Cases whose group the official folds put into the test part too are left out, and added to `leaks`.
        """
        test = tests[number]
        rest = np.setdiff1d(np.arange(len(table.cases)), test)
        leaking = np.isin(table.group_index[rest], table.group_index[test])
        for row in rest[leaking]:
            reason = f"left out of training in fold {number}: official folds put a part of its group into the test"
            leaks.append((table.cases[row].case_id, reason))
        rest = rest[~leaking]
        validation = self.protocol.validation
        if validation == "test":
            val = test
        elif validation == "none":
            val = rest[:0]
        elif validation == "fold" and len(tests) > 1 and self.protocol.holdout is None:
            val = np.intersect1d(rest, tests[(number + 1) % len(tests)])
        else:
            val = self._inner_validation(table, rest, number)
        train = rest if validation == "test" else np.setdiff1d(rest, val)
        if len(train) == 0:
            raise InputError("no case is left for training", remedy="use fewer folds or more data")

        def names(rows: np.ndarray) -> tuple[str, ...]:
            return tuple(table.cases[row].case_id for row in rows)

        return names(train), names(val), names(test)

    def _inner_validation(self, table: CaseTable, rest: np.ndarray, number: int) -> np.ndarray:
        totals = np.bincount(table.stratum[rest], minlength=len(table.strata))
        fraction = self.protocol.validation_fraction
        targets = np.stack([fraction * totals, (1 - fraction) * totals])
        part = self._assign(table, rest, targets, purpose=1 + number)
        return rest[part[table.group_index[rest]] == 0]

    def _assign(
        self,
        table: CaseTable,
        rows: np.ndarray,
        targets: np.ndarray,
        *,
        purpose: int,
        fixed: np.ndarray | None = None,
    ) -> np.ndarray:
        """The part of every group, -1 for groups without a case in `rows`."""
        counts = table.counts(rows)
        present = np.flatnonzero(counts.any(axis=1))
        part = np.full(len(counts), -1)
        part[present] = balanced_parts(
            counts[present],
            targets,
            metric=table.metric,
            random=np.random.default_rng([self.seed, purpose]),
            fixed=np.full(len(present), -1) if fixed is None else fixed[present],
        )
        return part
