"""Opening a catalogue by URL: SQLite by default, PostgreSQL by URL. Opening upgrades its tables."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import Session, sessionmaker

from core.errors import BadInputError, StorageError

MIGRATIONS = Path(__file__).parent / "migrations"


def open_catalogue(url: str) -> sessionmaker[Session]:
    """Make or upgrade the catalogue at a URL; gives a maker of database sessions.

    url: ``sqlite:///catalogue.sqlite`` or ``postgresql+psycopg://…``. One line of error otherwise.
    """
    engine = engine_for(url)
    try:
        with engine.begin() as connection:
            upgrade(connection)
    except DBAPIError as error:
        engine.dispose()
        reason = str(error.orig).splitlines()[0]
        raise StorageError(f"{shown(url)}: cannot open the catalogue ({reason})") from error
    except CommandError as error:
        engine.dispose()
        raise StorageError(
            f"{shown(url)}: this catalogue was made by another version of handoff ({error}); "
            "install that version or a newer one"
        ) from error
    return sessionmaker(engine)


def engine_for(url: str) -> Engine:
    """An engine; on SQLite with foreign keys on, a write-ahead log and patience with other
    writers.
    """
    try:
        engine = create_engine(url)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise BadInputError(
            f"{shown(url)}: not a usable catalogue address ({reason}); "
            "use sqlite:///path/to/catalogue.sqlite or postgresql+psycopg://…"
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.close()


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the tables to a revision of our one history."""
    command.upgrade(alembic_config(connection), revision)


def alembic_config(connection: Connection) -> Config:
    """Alembic's settings, without a file: where the history lies, and the open connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def shown(url: str) -> str:
    """The address without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url
