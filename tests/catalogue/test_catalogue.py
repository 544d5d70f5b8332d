"""The catalogue: one history that gives exactly the models' tables, and what is recorded comes
back.
"""

from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from core.catalogue.open import MIGRATIONS, alembic_config, engine_for, open_catalogue, upgrade
from core.catalogue.sessions import record_session, record_stage, stage_states
from core.catalogue.tables import (
    AuditRow,
    Base,
    DatasetRow,
    Person,
    Review,
    SegmentRow,
    SessionRow,
    StreamRow,
    Upload,
    UtcTime,
)
from core.errors import BadInputError, StorageError
from core.session.info import Operator, SessionInfo, StreamInfo


@pytest.fixture
def catalogue(tmp_path):
    maker = open_catalogue(f"sqlite:///{tmp_path}/catalogue.sqlite")
    yield maker
    maker.kw["bind"].dispose()


def info(**changes):
    known = {
        "id": "anna-0001",
        "operator": Operator("anna"),
        "task": "sort eggs",
        "scene": "kitchen",
        "device": "gopro",
        "consent": "research",
        "streams": (StreamInfo("head", "raw/head.mp4", "ab" * 32, "video"),),
    }
    return SessionInfo(**{**known, **changes})


def test_the_history_gives_the_models_tables(tmp_path):
    engine = engine_for(f"sqlite:///{tmp_path}/catalogue.sqlite")
    with engine.begin() as connection:
        upgrade(connection)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        names = set(inspect(connection).get_table_names())
        assert names == set(Base.metadata.tables) | {"alembic_version"}
        checks = inspect(connection).get_check_constraints("stage_states")
        assert [check["name"] for check in checks] == ["ck_stage_states_state"]
        assert len(ScriptDirectory.from_config(alembic_config(connection)).get_heads()) == 1
    engine.dispose()


def test_the_history_names_plain_sql_types_only():
    for script in (MIGRATIONS / "versions").glob("*.py"):
        assert "core." not in script.read_text(encoding="utf-8"), script


def test_the_history_goes_back(tmp_path):
    from alembic import command

    engine = engine_for(f"sqlite:///{tmp_path}/catalogue.sqlite")
    with engine.begin() as connection:
        upgrade(connection)
        command.downgrade(alembic_config(connection), "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    engine.dispose()


def test_opening_twice_keeps_what_is_there(catalogue, tmp_path):
    with catalogue.begin() as database:
        record_session(database, info(), url="/data/anna-0001")
    again = open_catalogue(f"sqlite:///{tmp_path}/catalogue.sqlite")
    with again() as database:
        row = database.get(SessionRow, "anna-0001")
        assert (row.operator, row.task, row.withdrawn) == ("anna", "sort eggs", False)
        assert row.created.tzinfo is UTC
    again.kw["bind"].dispose()


def test_recording_a_session_again_updates_it(catalogue):
    for task in ("sort eggs", "fold towels"):
        with catalogue.begin() as database:
            record_session(database, info(task=task), url="/data/anna-0001")
    with catalogue() as database:
        assert database.get(SessionRow, "anna-0001").task == "fold towels"
        assert [s.path for s in database.query(StreamRow)] == ["raw/head.mp4"]
        assert database.query(SessionRow).count() == 1


def test_stage_states(catalogue):
    with catalogue.begin() as database:
        record_session(database, info(), url="u")
        record_stage(database, session_id="anna-0001", stage="slam", state="failed", message="dark")
    with catalogue.begin() as database:
        record_stage(
            database, session_id="anna-0001", stage="slam", state="done", seconds=2.5,
            warnings=["short"],
        )  # fmt: skip
    with catalogue() as database:
        found = stage_states(database, "anna-0001")
        assert list(found) == ["slam"]
        slam = found["slam"]
        assert (slam.state, slam.seconds, slam.warnings) == ("done", 2.5, ["short"])
        assert slam.message == ""
        with pytest.raises(BadInputError, match="session 'bea-00002' is not in the catalogue"):
            record_stage(database, session_id="bea-00002", stage="slam", state="done")


def test_the_database_refuses_what_cannot_be(catalogue):
    with catalogue() as database:
        record_session(database, info(), url="u")
        record_stage(database, session_id="anna-0001", stage="slam", state="asleep")
        with pytest.raises(IntegrityError, match="ck_stage_states_state"):
            database.flush()
    with catalogue() as database:
        database.add(
            StreamRow(session_id="nobody-01", name="a", path="b", sha256="c", kind="video")
        )
        with pytest.raises(IntegrityError, match="FOREIGN KEY"):
            database.flush()


def test_every_table_round_trips(catalogue):
    with catalogue.begin() as database:
        record_session(database, info(), url="u")
        anna = Person(name="anna", role="annotator")
        segment = SegmentRow(
            segment_id="s1", session_id="anna-0001", track="left", start_ns=2**40, end_ns=2**41,
            text="pick", author="anna", author_kind="human", state="reviewed", success=None,
        )  # fmt: skip
        database.add_all([anna, segment])
        database.flush()
        database.add_all([
            Review(segment_row=segment.id, reviewer=anna.id, verdict="accepted"),
            Upload(id="up-00001", person=anna.id, name="head.mp4", size=2**33, state="receiving"),
            DatasetRow(name="eggs", url="datasets/eggs", sessions=["anna-0001"], config={"fps":
            30}), AuditRow(person=anna.id, action="login", subject="anna", details={"from":
            "here"}),
        ])  # fmt: skip
    with catalogue() as database:
        assert database.query(SegmentRow).one().start_ns == 2**40
        assert database.query(Review).one().verdict == "accepted"
        assert database.query(Upload).one().size == 2**33
        assert database.query(DatasetRow).one().config == {"fps": 30}
        assert database.query(AuditRow).one().details == {"from": "here"}
        database.delete(database.get(SessionRow, "anna-0001"))
        database.commit()
        assert database.query(SegmentRow).count() == database.query(Review).count() == 0


def test_times_without_a_zone_are_refused():
    with pytest.raises(ValueError, match="without a zone"):
        UtcTime().process_bind_param(datetime(2026, 1, 1), None)  # noqa: DTZ001


@pytest.mark.parametrize("url", ["nonsense", "nosuch://x/y", "sqlite+nodriver:///x"])
def test_unusable_addresses_are_refused_in_one_line(url):
    with pytest.raises(BadInputError, match=f"{url[:6]}.*not a usable catalogue address") as caught:
        open_catalogue(url)
    assert "\n" not in str(caught.value)


def test_unopenable_catalogues_are_refused_in_one_line(tmp_path):
    with pytest.raises(StorageError, match="cannot open the catalogue"):
        open_catalogue(f"sqlite:///{tmp_path}/no/such/folder/c.sqlite")
    (tmp_path / "notes.txt").write_text("not a database" * 100, encoding="utf-8")
    with pytest.raises(StorageError, match="cannot open the catalogue"):
        open_catalogue(f"sqlite:///{tmp_path}/notes.txt")


def test_a_catalogue_of_a_later_version_is_refused(catalogue, tmp_path):
    with catalogue.begin() as database:
        database.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match="made by another version of handoff"):
        open_catalogue(f"sqlite:///{tmp_path}/catalogue.sqlite")


def test_passwords_are_not_shown():
    with pytest.raises(BadInputError) as caught:
        open_catalogue("nosuch://anna:secret@host/db")
    assert "secret" not in str(caught.value)


def test_the_next_migration_is_numbered_and_empty_when_nothing_changed(tmp_path, monkeypatch):
    import shutil

    import core.catalogue.open as opening
    from core.catalogue.revise import revise

    history = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, history)
    monkeypatch.setattr(opening, "MIGRATIONS", history)
    last = max(path.name[:4] for path in (history / "versions").glob("*.py"))
    revise("nothing at all")
    written = next((history / "versions").glob(f"{int(last) + 1:04d}_nothing_at_all.py"))
    text = written.read_text(encoding="utf-8")
    assert f'down_revision = "{last}"' in text.replace("'", '"')
    assert "op." not in text.partition("def upgrade")[2]
