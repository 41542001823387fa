"""What a person may do: a reader reads, a reviewer also looks over others, an admin also keeps the accounts."""

from __future__ import annotations

from typing import Literal, get_args

Role = Literal["reader", "reviewer", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may all that those before it may."""


def covers(role: Role, least: Role) -> bool:
    """Whether whoever has `role` may do what asks for `least`."""
    return ROLES.index(role) >= ROLES.index(least)
