"""Recording sessions and how their stages stand."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.catalogue.tables import SessionRow, StageState, StreamRow, now
from core.errors import BadInputError
from core.session.info import SessionInfo


def record_session(database: Session, info: SessionInfo, *, url: str) -> SessionRow:
    """Add a session, or bring what the catalogue says about it up to date."""
    row = database.get(SessionRow, info.id) or SessionRow(id=info.id)
    row.url = url
    row.operator = info.operator.name
    row.task, row.scene = info.task, info.scene
    row.device, row.consent = info.device, info.consent
    row.updated = now()
    database.add(row)
    database.flush()
    database.execute(delete(StreamRow).where(StreamRow.session_id == info.id))
    for s in info.streams:
        database.add(
            StreamRow(session_id=info.id, name=s.name, path=s.path, sha256=s.sha256, kind=s.kind)
        )
    return row


def record_stage(
    database: Session,
    *,
    session_id: str,
    stage: str,
    state: str,
    seconds: float = 0.0,
    warnings: Sequence[str] = (),
    message: str = "",
) -> StageState:
    """Say how a stage stands now (one of core.catalogue.tables.STAGE_STATES)."""
    if database.get(SessionRow, session_id) is None:
        raise BadInputError(f"session {session_id!r} is not in the catalogue; record it first")
    row = database.get(StageState, (session_id, stage))
    row = row or StageState(session_id=session_id, stage=stage)
    row.state, row.seconds, row.message = state, seconds, message
    row.warnings = list(warnings)
    row.updated = now()
    database.add(row)
    return row


def stage_states(database: Session, session_id: str) -> dict[str, StageState]:
    """Stage name -> how it stands."""
    rows = database.scalars(select(StageState).where(StageState.session_id == session_id))
    return {row.stage: row for row in rows}
