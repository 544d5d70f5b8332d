"""The catalogue's SQL tables. Files hold what stages made; the catalogue holds who, what and how
far.

Times are UTC. Every change of a table here needs a migration (core/catalogue/migrations); a test
compares.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import DateTime, TypeDecorator

STAGE_STATES = ("done", "stale", "waiting", "failed", "blocked")


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no zone, so it is put back when read; naive times are
    refused.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value}: a time without a zone; use datetime.now(UTC)")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Constraints get names from a rule, so that migrations can speak of them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Person(Base):
    """Somebody with an account. name: a pseudonym.   role: collector, annotator, engineer, admin
    …
    """

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    role: Mapped[str] = mapped_column(String(32))
    active: Mapped[bool] = mapped_column(default=True)
    created: Mapped[datetime] = mapped_column(UtcTime, default=now)


class SessionRow(Base):
    """One recording session. url: its folder.   withdrawn: consent was taken back."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    operator: Mapped[str] = mapped_column(String(100))
    task: Mapped[str] = mapped_column(Text)
    scene: Mapped[str] = mapped_column(Text)
    device: Mapped[str] = mapped_column(Text)
    consent: Mapped[str] = mapped_column(Text)
    withdrawn: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime] = mapped_column(UtcTime, default=now)
    updated: Mapped[datetime] = mapped_column(UtcTime, default=now)


class StreamRow(Base):
    """One raw file of a session."""

    __tablename__ = "streams"

    session_id: Mapped[str] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    path: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(32))


class StageState(Base):
    """How far a stage of a session is, as the last run found it."""

    __tablename__ = "stage_states"
    __table_args__ = (CheckConstraint(f"state IN {STAGE_STATES}", name="state"),)

    session_id: Mapped[str] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True
    )
    stage: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    seconds: Mapped[float] = mapped_column(default=0.0)
    warnings: Mapped[list[str]] = mapped_column(JSON, default=list)
    message: Mapped[str] = mapped_column(Text, default="")
    updated: Mapped[datetime] = mapped_column(UtcTime, default=now)


class SegmentRow(Base):
    """One label: a half-open stretch [start_ns, end_ns) of a track, in one of its revisions."""

    __tablename__ = "segments"
    __table_args__ = (
        UniqueConstraint("segment_id", "revision"),
        CheckConstraint("end_ns > start_ns", name="order"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    segment_id: Mapped[str] = mapped_column(String(64))
    revision: Mapped[int] = mapped_column(default=0)
    session_id: Mapped[str] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), index=True
    )
    track: Mapped[str] = mapped_column(String(16))
    start_ns: Mapped[int] = mapped_column(BigInteger)
    end_ns: Mapped[int] = mapped_column(BigInteger)
    text: Mapped[str] = mapped_column(Text)
    verb: Mapped[str] = mapped_column(Text, default="")
    object: Mapped[str] = mapped_column(Text, default="")
    author: Mapped[str] = mapped_column(String(100))
    author_kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    confidence: Mapped[float | None]
    task: Mapped[str | None] = mapped_column(Text)
    success: Mapped[bool | None]
    created: Mapped[datetime] = mapped_column(UtcTime, default=now)


class Review(Base):
    """One person's verdict on one revision of a segment."""

    __tablename__ = "reviews"

    id: Mapped[int] = mapped_column(primary_key=True)
    segment_row: Mapped[int] = mapped_column(
        ForeignKey("segments.id", ondelete="CASCADE"), index=True
    )
    reviewer: Mapped[int] = mapped_column(ForeignKey("people.id"))
    verdict: Mapped[str] = mapped_column(String(16))
    comment: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[datetime] = mapped_column(UtcTime, default=now)


class Upload(Base):
    """One file on its way in. received: bytes that have arrived.   session_id: once it belongs to
    one.
    """

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    person: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    session_id: Mapped[str | None] = mapped_column(ForeignKey("sessions.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    created: Mapped[datetime] = mapped_column(UtcTime, default=now)
    updated: Mapped[datetime] = mapped_column(UtcTime, default=now)


class DatasetRow(Base):
    """One exported dataset. sessions: ids of all sessions in it.   blocked: one of them was
    withdrawn.
    """

    __tablename__ = "datasets"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    url: Mapped[str] = mapped_column(Text, unique=True)
    sessions: Mapped[list[str]] = mapped_column(JSON, default=list)
    config: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    blocked: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime] = mapped_column(UtcTime, default=now)


class AuditRow(Base):
    """Who did what to what. Rows are only ever added."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    time: Mapped[datetime] = mapped_column(UtcTime, default=now, index=True)
    person: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(Text)
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
