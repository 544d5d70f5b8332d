"""The runner: skip what stands, rerun what changed and all after it, keep failures to
themselves.
"""

import errno
import json
import os
from dataclasses import replace

import pytest

from core.errors import BadInputError
from core.session.info import SessionInfo, StreamInfo
from core.session.stage import StageOutcome
from core.session.storage import SessionFolder
from pipeline.look import status
from pipeline.run import run_sessions
from pipeline.stages import after, before, in_order, selected
from pipeline.table import table


@pytest.fixture
def toys(own_places):
    import toy_stages

    return toy_stages


def states(result):
    return {stage.stage: stage.state for stage in result.stages}


def run_one(folder, toys, **options):
    options.setdefault("stages", toys.STAGES)
    options.setdefault("jobs", 0)
    return run_sessions([folder], **options)[0]


def digests(folder):
    return {
        path: folder.sha256(path)
        for path in folder.ls()
        if not path.rpartition("/")[2].startswith("_")
    }


ALL_DONE = {"double": "done", "square": "done", "total": "done"}
ALL_CURRENT = {"double": "current", "square": "current", "total": "current"}


def test_everything_runs_once_and_then_nothing(make_session, toys):
    folder = make_session("anna-0001")
    first = run_one(folder, toys)
    assert states(first) == ALL_DONE
    assert first.finished
    assert not first.failed
    assert folder.read_bytes("hands/total.txt") == b"56"
    before_ns = {path: os.stat(folder.local_path(path)).st_mtime_ns for path in folder.ls()}
    second = run_one(folder, toys)
    assert states(second) == ALL_CURRENT
    assert second.stage("double").counts == {"numbers": 3}
    assert {p: os.stat(folder.local_path(p)).st_mtime_ns for p in folder.ls()} == before_ns
    assert states(status([folder], stages=toys.STAGES)[0]) == ALL_CURRENT


@pytest.mark.parametrize("jobs", [0, 2])
def test_many_sessions(make_session, toys, jobs):
    folders = [make_session(f"anna-000{i}", f"{i} 1") for i in range(3)]
    results = run_sessions([*folders, folders[0]], stages=toys.STAGES, jobs=jobs)
    assert [r.session for r in results] == ["anna-0000", "anna-0001", "anna-0002"]
    assert all(states(r) == ALL_DONE for r in results)
    assert [f.read_bytes("hands/total.txt") for f in folders] == [b"4", b"8", b"20"]
    assert results[0].stage("double").warnings == ("few numbers",)


def test_a_remote_session(make_session, toys, tmp_path):
    folder = make_session("anna-0001", url=f"memory://{tmp_path.name}/anna-0001")
    assert states(run_one(folder, toys)) == ALL_DONE
    assert states(run_one(folder, toys)) == ALL_CURRENT


def test_a_changed_config_reruns_its_stage_and_those_after(make_session, toys):
    folder = make_session("anna-0001")
    run_one(folder, toys)
    changed = {"square": toys.ToyConfig(factor=3)}
    seen = status([folder], configs=changed, stages=toys.STAGES)[0]
    assert states(seen) == {"double": "current", "square": "stale", "total": "stale"}
    assert seen.stage("square").message == "config changed: factor"
    assert seen.stage("total").message == "after square"
    assert folder.exists("slam/extra.txt")
    again = run_one(folder, toys, configs=changed)
    assert states(again) == {"double": "current", "square": "done", "total": "done"}
    assert not folder.exists("slam/extra.txt")  # the run before made it, this one did not


def test_a_changed_file_outside_the_session_reruns(make_session, toys, monkeypatch):
    folder, stages = make_session("anna-0001"), (toys.Double(), toys.Weighted(), toys.Total())
    monkeypatch.setenv("TOY_WEIGHTS", "one network")
    assert states(run_one(folder, toys, stages=stages)) == ALL_DONE
    assert states(run_one(folder, toys, stages=stages)) == ALL_CURRENT
    monkeypatch.setenv("TOY_WEIGHTS", "another")
    assert status([folder], stages=stages)[0].stage("square").message == "input changed: weights"
    rerun = {"double": "current", "square": "done", "total": "done"}
    assert states(run_one(folder, toys, stages=stages)) == rerun


def test_a_changed_version_input_or_output_reruns(make_session, toys):
    folder = make_session("anna-0001")
    run_one(folder, toys)
    newer = (toys.Double(), toys.SecondVersion(), toys.Total())
    seen = status([folder], stages=newer)[0]
    assert seen.stage("square").message == "stage version 1 is now 2"
    after_version = {"double": "current", "square": "done", "total": "done"}
    assert states(run_one(folder, toys, stages=newer)) == after_version
    folder.write_bytes("raw/numbers.txt", b"5 5 5")
    seen = status([folder], stages=newer)[0]
    assert seen.stage("double").message == "input changed: raw/numbers.txt"
    assert states(run_one(folder, toys, stages=newer)) == ALL_DONE
    folder.write_bytes("capture/count.txt", b"tampered")
    seen = status([folder], stages=newer)[0]
    assert seen.stage("double").message == "output was changed: capture/count.txt"
    assert states(run_one(folder, toys, stages=newer)) == ALL_DONE
    folder.remove("hands/total.txt")
    assert states(run_one(folder, toys, stages=newer)) == {**ALL_CURRENT, "total": "done"}


def test_a_damaged_mark_is_made_again(make_session, toys):
    folder = make_session("anna-0001")
    run_one(folder, toys)
    folder.write_bytes("slam/_done.square.json", b'{"stage"')
    seen = status([folder], stages=toys.STAGES)[0]
    assert states(seen) == {"double": "current", "square": "stale", "total": "stale"}
    assert "not valid JSON" in seen.stage("square").message
    assert states(run_one(folder, toys)) == {"double": "current", "square": "done", "total": "done"}


def test_until_and_only(make_session, toys):
    folder = make_session("anna-0001")
    first = run_one(folder, toys, until="square")
    assert states(first) == {"double": "done", "square": "done"}
    assert states(run_one(folder, toys, only="total")) == {"total": "done"}
    folder.write_bytes("raw/numbers.txt", b"9")
    blocked = run_one(folder, toys, only=["total"])
    assert states(blocked) == {"total": "blocked"}
    assert "total blocked: needs square, which is not up to date: run it first" in table([blocked])
    with pytest.raises(BadInputError, match="no stage 'slum'; the stages are: double, square"):
        run_one(folder, toys, until="slum")
    with pytest.raises(BadInputError, match="a config names stage 'slum'"):
        run_one(folder, toys, configs={"slum": None})


def test_the_table_says_once_why_sessions_are_stale(make_session, toys):
    folder = make_session("anna-0001")
    run_one(folder, toys)
    folder.write_bytes("slam/squares.txt", b"changed by hand")
    shown = table(status([folder], stages=toys.STAGES))
    assert shown.count(" stale: ") == 1
    assert shown.count("stale") == 3


def test_a_rerun_of_an_early_stage_takes_back_the_later_marks(make_session, toys):
    folder = make_session("anna-0001")
    run_one(folder, toys)
    run_one(folder, toys, only="double", configs={"double": toys.ToyConfig(factor=2, slow_s=0.001)})
    assert not folder.exists("slam/_done.square.json")
    assert not folder.exists("hands/_done.total.json")


TROUBLES = {
    "input": "anna-0002/raw/numbers.txt: 'x' is no number; use digits",
    "bug": "ZeroDivisionError: a plain mistake",
    "pages": "RuntimeError: ill-posed. See the guide.",
    "exit": "SystemExit: 3",
    "killed": "the process was ended by SIGKILL; out of memory is the usual reason",
    "segfault": "the process was ended by SIGSEGV",
    "forked": "the process was ended by SIGKILL",
    "quit": "the process ended by itself with code 7",
}


@pytest.mark.parametrize("kind", TROUBLES)
def test_one_failing_session_never_stops_the_others(make_session, toys, kind):
    folders = [make_session(f"anna-000{i}") for i in (1, 2, 3)]
    configs = {"square": toys.ToyConfig(trouble=f"anna-0002: {kind}")}
    results = run_sessions(folders, stages=toys.STAGES, configs=configs, jobs=2)
    assert [r.failed for r in results] == [False, True, False]
    broken = results[1]
    assert states(broken) == {"double": "done", "square": "failed", "total": "blocked"}
    failed = broken.stage("square")
    assert failed.message.removeprefix(f"{folders[1].url}/raw/").startswith(
        TROUBLES[kind].removeprefix("anna-0002/raw/")
    )
    assert "\n" not in failed.message
    assert len(failed.message) < 300
    assert not folders[1].exists("slam/_done.square.json")
    seen = status([folders[1]], stages=toys.STAGES, configs=configs)[0]
    assert seen.stage("square").state == "failed"
    assert seen.stage("square").message == failed.message
    kept = "" if kind == "input" else folders[1].place("slam/_failed.square.txt")
    assert failed.details == seen.stage("square").details == kept
    if kind in {"bug", "segfault"}:
        text = folders[1].read_bytes("slam/_failed.square.txt").decode()
        assert "make_trouble" in text
        assert failed.traceback in text
    shown = table(results)
    assert "anna-0002: square FAILED: " in shown
    repaired = run_sessions(folders, stages=toys.STAGES, jobs=2)
    after_config = {"double": "current", "square": "done", "total": "done"}
    assert [states(result) for result in repaired] == [after_config] * 3
    assert not folders[1].exists("slam/_failed.square.txt")


@pytest.mark.parametrize(("kind", "jobs"), [("input", 0), ("killed", 1)])
def test_a_stage_goes_without_what_failed_and_takes_it_up_later(make_session, toys, kind, jobs):
    folder, stages = make_session("anna-0001"), (toys.Double(), toys.Square(), toys.Tolerant())
    run_one(folder, toys, stages=stages, only="double")
    waits = run_one(folder, toys, stages=stages, only="total")
    assert "needs square, which is not up to date" in waits.stage("total").message
    assert run_one(folder, toys, stages=stages).finished
    assert folder.read_bytes("hands/total.txt") == b"56"
    trouble = {"square": toys.ToyConfig(factor=3, trouble=f"anna-0001: {kind}")}
    lost = {"double": "current", "square": "failed", "total": "done"}
    assert states(run_one(folder, toys, stages=stages, configs=trouble, jobs=jobs)) == lost
    assert folder.read_bytes("hands/total.txt") == b"12"  # squares of the first run lie there still
    seen = status([folder], stages=stages, configs=trouble)[0]
    again = run_one(folder, toys, stages=stages, configs=trouble, jobs=jobs)
    assert states(seen) == states(again) == {**lost, "total": "current"}
    repaired = run_one(folder, toys, stages=stages)
    assert states(repaired) == {"double": "current", "square": "done", "total": "done"}
    assert folder.read_bytes("hands/total.txt") == b"56"


def test_what_a_stage_goes_without_may_itself_be_blocked(make_session, toys):
    """Labels wait for no path whose own hand masks failed."""

    class Last(toys.Tolerant):
        needs, uses = (), ("total",)
        name = "last"

        def run(self, folder, config, progress):
            folder.write_bytes("hands/last.txt", b"done")
            return StageOutcome(["hands/last.txt"])

    folder, stages = make_session("anna-0001"), (*toys.STAGES, Last())
    trouble = {"square": toys.ToyConfig(trouble="anna-0001: input")}
    lost = {"double": "done", "square": "failed", "total": "blocked", "last": "done"}
    assert states(run_one(folder, toys, stages=stages, configs=trouble)) == lost
    repaired = run_one(folder, toys, stages=stages)
    assert states(repaired) == {**lost, "double": "current", "square": "done", "total": "done"}


def test_a_missing_input_is_named(make_session, toys):
    folder = make_session("anna-0001")
    folder.remove("raw/numbers.txt")
    result = run_one(folder, toys)
    assert states(result) == {"double": "failed", "square": "blocked", "total": "blocked"}
    assert "raw/numbers.txt: cannot read: no such file; check the path" in result.stages[0].message
    assert "which did not finish" in result.stages[1].message
    seen = status([folder], stages=toys.STAGES)[0]
    assert states(seen)["double"] == "failed"


def test_a_raw_file_that_changed_since_ingest_is_refused(make_session, toys):
    folder = make_session("anna-0001")
    info = SessionInfo.read(folder)
    digest = folder.sha256("raw/numbers.txt")
    raw = StreamInfo("numbers", "raw/numbers.txt", digest, "other")
    replace(info, streams=(raw,)).write(folder)
    assert run_one(folder, toys).finished
    folder.write_bytes("raw/numbers.txt", b"7 7")
    result = run_one(folder, toys)
    assert states(result) == {"double": "failed", "square": "blocked", "total": "blocked"}
    assert "raw/numbers.txt: changed since ingest (sha256 " in result.stages[0].message
    assert "put the recorded file back or ingest it anew" in result.stages[0].message
    assert status([folder], stages=toys.STAGES)[0].stage("double").state == "failed"
    replace(info, streams=(replace(raw, kind="labels"),)).write(folder)
    assert run_one(folder, toys).finished


def test_a_worker_that_will_not_end_is_ended(make_session, toys, monkeypatch):
    monkeypatch.setattr("pipeline.pool.LAST_WORDS_S", 0.3)
    folder = make_session("anna-0001")
    configs = {"total": toys.ToyConfig(trouble="anna: linger")}
    result = run_one(folder, toys, configs=configs, jobs=1)
    assert states(result) == ALL_DONE


@pytest.mark.parametrize("jobs", [0, 1])
def test_a_folder_that_is_no_session(make_session, toys, tmp_path, jobs):
    good = make_session("anna-0001")
    results = run_sessions([tmp_path / "nothing", good], stages=toys.STAGES, jobs=jobs)
    assert results[0].failed
    assert "not a session folder" in results[0].stages[0].message
    assert results[1].finished
    assert not (tmp_path / "nothing").exists()
    assert status([tmp_path / "nothing"], stages=toys.STAGES)[0].stages[0].state == "failed"


def test_stages_keep_to_their_room_and_their_word(make_session, toys):
    folder = make_session("anna-0001")
    lazy = run_one(folder, toys, stages=(toys.Double(), toys.Forgetful(), toys.Total()))
    assert "names slam/never.txt, but did not write it" in lazy.stage("square").message
    bold = run_one(folder, toys, stages=(toys.Double(), toys.Trespasser(), toys.Total()))
    assert "outside its room slam/" in bold.stage("square").message


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.ENOSPC, "disk is full; free some"), (errno.EROFS, "is read-only; mount it")],
)
def test_a_full_or_read_only_disk(make_session, toys, tmp_path, monkeypatch, code, words):
    """The one session on the bad disk fails with one line; the other goes through."""
    bad, good = make_session("anna-0001"), make_session("anna-0002")
    whole = os.replace

    def broken(source, target):
        if "anna-0001" in str(target):
            raise OSError(code, os.strerror(code))
        return whole(source, target)

    monkeypatch.setattr(os, "replace", broken)
    results = run_sessions([bad, good], stages=toys.STAGES, jobs=0)
    assert states(results[0]) == {"double": "failed", "square": "blocked", "total": "blocked"}
    message = results[0].stages[0].message
    assert message.startswith(bad.place("capture/doubled.txt"))
    assert words in message
    assert states(results[1]) == ALL_DONE
    assert bad.ls() == ["raw/numbers.txt", "session.json"]
    monkeypatch.undo()
    monkeypatch.setenv("HANDOFF_CACHE", str(tmp_path / "cache"))
    assert run_one(bad, toys).finished


def test_a_traceback_is_kept_elsewhere(make_session, toys, monkeypatch, tmp_path):
    folder = make_session("anna-0001")

    def broken(source, target):
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(os, "replace", broken)
    configs = {"double": toys.ToyConfig(trouble="anna: bug")}
    failed = run_one(folder, toys, configs=configs).stages[0]
    assert failed.details == str(tmp_path / "cache/errors/anna-0001/_failed.double.txt")
    assert "make_trouble" in (tmp_path / "cache/errors/anna-0001/_failed.double.txt").read_text()
    assert "make_trouble" in failed.traceback


def test_a_finished_session_on_a_read_only_disk_needs_no_write(make_session, toys, monkeypatch):
    folder = make_session("anna-0001")
    run_one(folder, toys)

    def broken(*args, **options):
        raise OSError(errno.EROFS, "read-only")

    for name in ("replace", "unlink", "remove", "mkdir"):
        monkeypatch.setattr(os, name, broken)
    assert states(run_one(folder, toys)) == ALL_CURRENT


def test_two_runs_never_work_on_one_session(make_session, toys, monkeypatch):
    from pipeline import lock

    folder = make_session("anna-0001")
    with lock.locked(folder):
        monkeypatch.setattr("pipeline.session.locked", lambda f: lock.locked(f, patience_s=0.0))
        result = run_one(folder, toys)
    assert "another run is at work on this session; wait for it" in result.stages[0].message
    assert run_one(folder, toys).finished


def test_order_and_choice(toys):
    double, square, total = toys.STAGES
    assert in_order([total, square, double]) == toys.STAGES
    assert after(toys.STAGES, "double") == (square, total)
    assert before(toys.STAGES, "total") == (double, square)
    assert selected(toys.STAGES, until=None, only=None) == toys.STAGES
    with pytest.raises(ValueError, match="needs that never come"):
        in_order([total])
    with pytest.raises(ValueError, match="share a name"):
        in_order([double, double])


def test_the_table_and_its_json(make_session, toys):
    from pipeline.results import to_document

    folders = [make_session("anna-0001"), make_session("bea-00002", "4")]
    results = run_sessions(
        folders,
        stages=toys.STAGES,
        configs={"square": toys.ToyConfig(trouble="bea: input")},
        jobs=0,
    )
    long = replace(results[0], stages=(replace(results[0].stages[0], seconds=3725.0),))
    shown = table(results).splitlines()
    assert shown[0].split() == ["session", "double", "square", "total"]
    assert shown[1].startswith("anna-0001  done 0.0 s")
    assert shown[2].startswith("bea-00002  done 0.0 s (1 warning)  FAILED")
    assert "bea-00002: double warns: few numbers" in shown
    assert "1 h 2 min" in table([long])
    document = json.loads(json.dumps(to_document(results)))
    assert [entry["finished"] for entry in document] == [True, False]
    assert document[1]["stages"][1]["state"] == "failed"
    assert table([]) == "no sessions"


def test_bars_follow_the_work(make_session, toys):
    import io

    from rich.console import Console

    from pipeline.show import Bars, Quiet, show_for

    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    folders = [make_session("anna-0001"), make_session("anna-0002")]
    configs = {"double": toys.ToyConfig(slow_s=0.15)}
    shown = Bars(2, console)
    run_sessions(folders, stages=toys.STAGES, configs=configs, jobs=1, show=shown)
    text = console.file.getvalue()
    assert "anna-0002 double" in text
    assert "3 numbers" in text
    assert "1/2 sessions" in text
    assert type(show_for(2, quiet=True)) is Quiet


def test_folders_may_be_paths_or_urls(make_session, toys):
    folder = make_session("anna-0001")
    for given in (folder.url, folder.local_path("session.json").parent, SessionFolder(folder.url)):
        assert run_sessions([given], stages=toys.STAGES, jobs=0)[0].session == "anna-0001"
