"""A full disk, at every page that is written."""

import shutil
from collections import Counter

import pytest
from registry_actions import ACTIONS, check_after, prepare
from registry_processes import Place
from small_disk import fill, small_disk

from registry import UnavailableError

_SIZE = "4m"

# Successes in a row after which more free pages make no difference.
_ENOUGH = 5


@pytest.fixture
def disk(tmp_path):
    """A small disk."""
    with small_disk(tmp_path / "disk", _SIZE) as directory:
        yield directory


def _try(action, place, filler, free, *, opened):
    """Do an action with a number of free pages; return its result or the message of its error."""
    registry = place.open() if opened else None
    try:
        fill(filler, free)
        with registry or place.open() as registry:
            return action.act(registry), None
    except UnavailableError as error:
        return None, str(error)
    finally:
        if registry is not None:
            registry.close()
        filler.unlink()


@pytest.mark.parametrize(
    ("name", "opened"),
    [(name, False) for name in ACTIONS]
    + [(name, True) for name in ACTIONS if ACTIONS[name].opened],
)
def test_on_a_full_disk_an_action_is_done_or_refused(
    name, opened, disk, tmp_path, torture, measured
):
    """When there is space again, the registry is intact and the action can be repeated."""
    original, directory = tmp_path / "original", disk / "registry"
    original.mkdir()
    prepare(name, Place(f"sqlite:///{original}/registry.db", str(original / "blobs")), original)
    place = Place(f"sqlite:///{directory}/registry.db", str(directory / "blobs"))
    errors, done, free = Counter(), 0, 0
    while done < (_ENOUGH if torture else 1):
        shutil.copytree(original, directory)
        acknowledged, error = _try(ACTIONS[name], place, disk / "filler", free, opened=opened)
        if error is None:
            done += 1
        else:
            assert "registry" in error
            errors[error.replace(str(disk), "DISK")] += 1
            done = 0
        check_after(name, place, directory, acknowledged)
        shutil.rmtree(directory)
        free += 1 if torture else 13
    measured(
        f"disk full, {name}, {'open' if opened else 'not open'} before: refused "
        f"{errors.total()} times, done with {free - _ENOUGH} pages free"
    )
    for error, count in errors.items():
        measured(f"    {count} × {error}")
