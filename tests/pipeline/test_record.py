"""A run tells the catalogue how every stage stands, session by session."""

import pytest

from core.catalogue.open import open_catalogue
from core.catalogue.sessions import stage_states
from core.catalogue.tables import SessionRow
from pipeline.run import run_sessions


@pytest.mark.parametrize("jobs", [0, 2])
def test_states_reach_the_catalogue(make_session, tmp_path, own_places, jobs):
    import toy_stages

    url = f"sqlite:///{tmp_path}/catalogue.sqlite"
    folders = [make_session("anna-0001"), make_session("bea-00002", "4 5"), tmp_path / "nothing"]
    configs = {"square": toy_stages.ToyConfig(trouble="bea: input")}
    told = {"stages": toy_stages.STAGES, "configs": configs, "catalogue_url": url}
    run_sessions(folders, jobs=jobs, **told)
    maker = open_catalogue(url)
    with maker() as database:
        assert database.query(SessionRow).count() == 2
        anna = stage_states(database, "anna-0001")
        assert {name: row.state for name, row in anna.items()} == {
            "double": "done", "square": "done", "total": "done",
        }  # fmt: skip
        bea = stage_states(database, "bea-00002")
        assert (bea["double"].warnings, bea["total"].state) == (["few numbers"], "blocked")
        assert bea["square"].state == "failed"
        assert "is no number; use digits" in bea["square"].message
    run_sessions(folders[:2], jobs=0, stages=toy_stages.STAGES, catalogue_url=url)
    with maker() as database:
        assert {row.state for row in stage_states(database, "bea-00002").values()} == {"done"}
    maker.kw["bind"].dispose()
