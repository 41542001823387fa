"""Opening, auditing and splitting data sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, Union

from bustle.core.extras import naming_the_extra
from bustle.core.paths import given_path
from bustle.library.guest import as_a_guest

if TYPE_CHECKING:
    from bustle.core.recipe import Track
    from bustle.core.types import Collection
    from bustle.data.audit.audit import Audit
    from bustle.data.splits.splits import Splits

Data: TypeAlias = Union["Collection", str, Sequence[str]]
"""What `open_data` returned, or one or several of the specs that it takes."""


@naming_the_extra()
@as_a_guest()
def open_data(*specs: str) -> Collection:
    """Read the cases of one or several data sets, without decoding a pixel.

    Args:
        specs: `READER:PATH[?key=value&...]` each, as the commands take them: `"busi:data/BUSI"`,
            `"folder:mine?name=mine"`, `"phantom:?cases=20&seed=0"`.

    Returns:
        A collection. `cases` has one `Case` per image or volume, with `case_id`, `label`, `patient_id`, `has_mask`
        and `load()`, which decodes it into `image` uint8 `C H W` or `C D H W` and `lesion_mask` uint8 `H W` or
        `D H W` (0 background, 1..n lesions) or None. `findings` says what looked doubtful.

    Raises:
        InputError: for an unknown reader or option, a path that does not exist, another layout than the reader's,
            and a case id that occurs twice.
    """
    from bustle.data.sources import open_sources

    return open_sources(specs)


def opened(data: Data) -> Collection:
    """The cases of what a person gave as `data`."""
    from bustle.core.types import Collection

    if isinstance(data, Collection):
        return data
    return open_data(data) if isinstance(data, str) else open_data(*data)


@naming_the_extra()
@as_a_guest()
def audit(data: Data, *, out: str | Path | None = None) -> Audit:
    """Look at every case: what is there, what is broken, what occurs twice.

    Args:
        data: what `open_data` returned, or its specs.
        out: a folder for `audit.json` and `audit.html`, which shows the pictures of every finding.

    Returns:
        The audit, with `findings` (kind, case ids, message), `duplicate_groups` and `conflicting` (groups of case
        ids), `group_of` (leak group by case id) and `facts` (sizes, lesions and marks of every readable case).

    Raises:
        InputError: for wrong specs, and for a folder that cannot be written to. A broken file is a finding.
    """
    if out is None:
        from bustle.data.audit.audit import audit as audited

        return audited(opened(data))
    from bustle.experiments.audit import audit_into

    return audit_into(given_path(out), collection=opened(data))


@naming_the_extra()
@as_a_guest()
def split(
    data: Data,
    *,
    folds: int | None = None,
    holdout: float | None = None,
    track: Track = "strict",
    protocol: str | None = None,
    seed: int | None = None,
    classes: str | Sequence[str] | None = None,
    multi_mask: Literal["union", "drop"] = "union",
    out: str | Path | None = None,
) -> Splits:
    """Divide cases into folds so that no patient and no copied frame is in two parts.

    Args:
        data: what `open_data` returned, or its specs.
        folds: the number of folds; the protocol's by default.
        holdout: instead of folds, the fraction (0..1) of the cases that the one fold tests on.
        track: `"strict"`, or `"published"` for a paper's own protocol.
        protocol: the published track's protocol, such as `"lanet"`; `"rmtl"` by default.
        seed: of the drawing; the protocol's by default.
        classes: cases of other classes are left out; unlabelled ones stay.
        multi_mask: `"drop"` leaves out cases with several mask files.
        out: a file to write, such as `"splits.json"`.

    Returns:
        The splits, with `folds`, each of which has the case ids of `train`, `val` and `test`; `excluded` (case id,
        reason) and `groups` (by case id, the unit that is never divided).

    Raises:
        InputError: for settings that contradict each other, for too few groups, and for an `out` that is anything but
            an earlier split.
    """
    from bustle.experiments.split import draw_split

    return draw_split(
        lambda: opened(data),
        out=None if out is None else given_path(out),
        track=track,
        protocol=protocol,
        folds=folds,
        holdout=holdout,
        seed=seed,
        classes=None if classes is None else (classes,) if isinstance(classes, str) else tuple(classes),
        multi_mask=multi_mask,
    ).splits
