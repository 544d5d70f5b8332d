"""Telling the catalogue how each stage of each session stands after a run."""

from core.catalogue.open import open_catalogue
from core.catalogue.sessions import record_session, record_stage
from core.errors import HandoffError
from core.session.info import SessionInfo
from core.session.storage import SessionFolder
from pipeline.results import SessionResult


class Recorder:
    """Writes results to one catalogue. Opening it upgrades its tables."""

    def __init__(self, url: str) -> None:
        self._sessions = open_catalogue(url)

    def close(self) -> None:
        """Let go of the database."""
        self._sessions.kw["bind"].dispose()

    def record(self, result: SessionResult) -> None:
        """One session in one transaction. A folder that is no session is left out."""
        try:
            info = SessionInfo.read(SessionFolder(result.url))
        except HandoffError:  # the result says so already; there is no session to record
            return
        with self._sessions.begin() as database:
            record_session(database, info, url=result.url)
            for stage in result.stages:
                record_stage(
                    database,
                    session_id=info.id,
                    stage=stage.stage,
                    state="done" if stage.state == "current" else stage.state,
                    seconds=stage.seconds,
                    warnings=list(stage.warnings),
                    message=stage.message,
                )
