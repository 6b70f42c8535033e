"""Tags and descriptions of versions after their registration, and descriptions of models.

The document of a version stays as it was registered. Every change is an event, and the columns
hold what the events lead to. The caller holds the lock of the model.
"""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import events, schema
from registry.documents import canonical_json, to_tags
from registry.errors import NotFoundError
from registry.records import ModelVersion
from registry.times import now

_versions = schema.versions.c


def add_tags(
    connection: Connection,
    model_id: int,
    version: ModelVersion,
    tags: Mapping[str, str],
    *,
    actor: str,
) -> None:
    """Set tags of a version; its other tags stay."""
    _set_tags(connection, model_id, version, {**version.tags, **to_tags(tags)}, actor=actor)


def remove_tags(
    connection: Connection,
    model_id: int,
    version: ModelVersion,
    names: Iterable[str],
    *,
    actor: str,
) -> None:
    """Remove tags of a version.

    Raises
    ------
    NotFoundError
        If it has no such tag.
    """
    tags = dict(version.tags)
    for name in names:
        if tags.pop(name, None) is None:
            text = f"{version.reference} has no tag {name!r}."
            raise NotFoundError(version.reference, text)
    _set_tags(connection, model_id, version, tags, actor=actor)


def describe_version(
    connection: Connection,
    model_id: int,
    version: ModelVersion,
    description: str | None,
    *,
    actor: str,
) -> None:
    """Set the description of a version, or remove it."""
    if description == version.description:
        return
    body = {"description": description, "from": version.description}
    number = version.number
    events.append(
        connection, model_id, events.DESCRIBED, body, at=now(), actor=actor, number=number
    )
    connection.execute(_update(model_id, number).values(description=description))


def describe_model(
    connection: Connection, model_id: int, description: str | None, *, actor: str
) -> None:
    """Set the description of a model, or remove it."""
    models = schema.models.c
    query = sa.select(models.description).where(models.id == model_id)
    current = connection.scalar(query)
    if description == current:
        return
    body = {"description": description, "from": current}
    events.append(connection, model_id, events.MODEL_DESCRIBED, body, at=now(), actor=actor)
    connection.execute(
        sa.update(schema.models).where(models.id == model_id).values(description=description)
    )


def _set_tags(
    connection: Connection,
    model_id: int,
    version: ModelVersion,
    tags: Mapping[str, str],
    *,
    actor: str,
) -> None:
    """Replace the tags of a version."""
    if tags == version.tags:
        return
    number = version.number
    body = {"tags": tags, "from": dict(version.tags)}
    events.append(connection, model_id, events.TAGGED, body, at=now(), actor=actor, number=number)
    connection.execute(_update(model_id, number).values(tags=canonical_json(tags)))
    version_id = connection.scalar(
        sa.select(_versions.id).where(_versions.model_id == model_id, _versions.number == number)
    )
    table = schema.version_tags
    connection.execute(sa.delete(table).where(table.c.version_id == version_id))
    if tags:
        rows = [
            {"version_id": version_id, "name": name, "value": value} for name, value in tags.items()
        ]
        connection.execute(sa.insert(table), rows)


def _update(model_id: int, number: int) -> sa.Update:
    return sa.update(schema.versions).where(
        _versions.model_id == model_id, _versions.number == number
    )
