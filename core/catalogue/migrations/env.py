"""Run by Alembic for every upgrade and comparison, on a connection that is already open."""

from typing import Any, Literal

from alembic import context

from core.catalogue.tables import Base, UtcTime


def plain_types(kind: str, item: Any, autogen: Any) -> str | Literal[False]:
    """Migrations name plain SQL types only: our own classes may change, history may not."""
    if kind == "type" and isinstance(item, UtcTime):
        return "sa.DateTime(timezone=True)"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    compare_type=True,
    render_item=plain_types,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
