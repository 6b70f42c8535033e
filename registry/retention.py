"""The rule of retention: which versions of a model are too many."""

from collections.abc import Collection, Iterable
from typing import NamedTuple


class Candidate(NamedTuple):
    """A version as the rule sees it."""

    number: int
    created_at: int
    """Microseconds since 1970."""


def excess_versions(
    versions: Iterable[Candidate], *, keep: int, before: int | None, in_use: Collection[int]
) -> list[int]:
    """Return the numbers of the versions to delete, in ascending order.

    Parameters
    ----------
    versions : iterable of Candidate
        All versions of a model.
    keep : int
        This many versions with the highest numbers stay; at least 1.
    before : int, optional
        Only versions created before this time, in microseconds since 1970, are deleted.
    in_use : collection of int
        Numbers that stay in any case: an alias points at them, or would after a rollback.
    """
    ascending = sorted(versions)
    return [
        version.number
        for version in ascending[: max(0, len(ascending) - keep)]
        if version.number not in in_use and (before is None or version.created_at < before)
    ]
