"""The empty registries that the tests begin with."""

import sqlalchemy as sa
from empty_registries import create_empty

from registry import Registry


def _tables_and_id(path):
    with (
        Registry(f"sqlite:///{path}", str(path.parent / "blobs")) as registry,
        registry._database.read() as connection,
    ):
        rows = connection.execute(sa.text("SELECT type, name, tbl_name, sql FROM sqlite_master"))
        return sorted(map(tuple, rows), key=repr), registry._database.registry_id


def test_a_registry_from_the_template_is_that_which_opening_creates(tmp_path):
    created, registry_id = _tables_and_id(tmp_path / "created.db")
    create_empty(tmp_path / "copied.db")
    copied, other_id = _tables_and_id(tmp_path / "copied.db")
    assert created
    assert copied == created
    assert other_id != registry_id
