"""The two tracks of every result, strict and as published, as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from bustle.core.recipe import Protocol, Track, protocol_of

T = TypeVar("T")
Other = TypeVar("Other")


@dataclass(frozen=True)
class Tracks(Generic[T]):
    """The same thing of the main track and of its companion, None where the companion is not scored."""

    main: T
    companion: T | None

    def map(self, function: Callable[[T], Other]) -> Tracks[Other]:
        return Tracks(function(self.main), None if self.companion is None else function(self.companion))

    @property
    def each(self) -> tuple[T, ...]:
        """The main track's, and the companion's where there is one."""
        return (self.main,) if self.companion is None else (self.main, self.companion)


@dataclass(frozen=True)
class TrackRules:
    """A track and the protocol that it is scored by."""

    track: Track
    protocol: Protocol


def both_tracks(main: Track, *, published: str) -> Tracks[TrackRules]:
    """The rules of the track `main` and of the other one; `published` is the published track's protocol."""
    other: Track = "published" if main == "strict" else "strict"
    return Tracks(TrackRules(main, protocol_of(main, published)), TrackRules(other, protocol_of(other, published)))
