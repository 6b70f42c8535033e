"""Reading the registered models."""

from collections import defaultdict

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import schema
from registry.frozen import FrozenDict
from registry.records import RegisteredModel
from registry.times import to_datetime


def read_models(connection: Connection, name: str | None = None) -> list[RegisteredModel]:
    """Return the models, or the one with a name, sorted by name."""
    models, versions, columns = schema.models.c, schema.versions.c, schema.aliases.c
    query = (
        sa.select(
            models.id,
            models.name,
            models.description,
            models.created_at,
            sa.func.count(versions.id),
            sa.func.max(versions.number),
        )
        .outerjoin(schema.versions, versions.model_id == models.id)
        .group_by(models.id)
    )
    if name is not None:
        query = query.where(models.name == name)
    aliases: dict[int, dict[str, int]] = defaultdict(dict)
    rows = sa.select(columns.model_id, columns.alias, columns.number).order_by(columns.alias)
    for model_id, alias, number in connection.execute(rows):
        aliases[model_id][alias] = number
    registered = [
        RegisteredModel(
            name=model_name,
            description=description,
            versions=count,
            latest=latest,
            aliases=FrozenDict(aliases[model_id]),
            created_at=to_datetime(created_at),
        )
        for model_id, model_name, description, created_at, count, latest in connection.execute(
            query
        )
    ]
    # Databases sort texts by different rules.
    return sorted(registered, key=lambda model: model.name)
