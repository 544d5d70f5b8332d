"""The command line: every page teaches, every error is one line, importing it is cheap."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import app.cli
from app.cli import BESIDE, WAY, build_parser, main
from core.errors import BadInputError

COMMANDS = [module.PAGE.name for module in (*WAY, *BESIDE)]
PAGES = [*([name] for name in COMMANDS), ["sim", "record"], ["sim", "robot"]]


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_every_help_page_has_an_example_that_starts_with_its_command(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--help"])
    assert stopped.value.code == 0
    page = capsys.readouterr().out
    assert f"example:\n  handoff {' '.join(words)}" in page
    assert "next:\n" in page
    assert max(len(line) for line in page.splitlines()) <= 100


def test_examples_are_command_lines_that_parse():
    parser = build_parser()
    for module in (*WAY, *BESIDE):
        for example in module.PAGE.examples:
            words = example.split("   ")[0].replace("'sort eggs'", "sorting").split()
            if words[0] == "handoff" and "--help" not in words:
                arguments = parser.parse_args(words[1:])
                assert callable(arguments.run), example


def test_handoff_alone_prints_the_map(capsys):
    assert main([]) == 0
    shown = capsys.readouterr().out
    places = [shown.index(f"handoff {name} ") for name in COMMANDS]
    assert places == sorted(places)
    assert "handoff doctor" in shown


def test_a_wrong_command_line_exits_with_2(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["run"])
    assert stopped.value.code == 2
    assert "SESSION" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["run", "nowhere"],
        ["status", "nowhere"],
        ["view", "nowhere"],
        ["report", "nowhere"],
        ["evaluate", "nowhere"],
        ["annotate", "nowhere"],
        ["export", "nowhere", "--name", "x"],
    ],
    ids=lambda words: words[0],
)
def test_a_missing_session_is_one_line_and_exit_1(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 1
    error = capsys.readouterr().err
    assert error.startswith("handoff: nowhere: ")
    assert "handoff ingest" in error
    assert error.count("\n") == 1


def test_errors_of_many_lines_become_one(capsys, monkeypatch):
    def fail(_):
        raise BadInputError("first\n  second")

    monkeypatch.setattr("app.commands.doctor.run", fail)
    assert main(["doctor"]) == 1
    assert capsys.readouterr().err == "handoff: first second\n"


def test_a_place_that_cannot_be_written_is_one_line(session, tmp_path, capsys):
    (tmp_path / "taken").write_text("a file", "utf-8")
    assert main(["view", session.url, "--save", str(tmp_path / "taken" / "x.rrd")]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"handoff: {tmp_path / 'taken'}")
    assert error.count("\n") == 1


def test_ctrl_c_is_a_short_word_and_130(capsys, monkeypatch):
    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("app.commands.doctor.run", stop)
    assert main(["doctor"]) == 130
    assert "goes on where it was" in capsys.readouterr().err


def test_a_closed_pipe_is_no_error():
    words = [sys.executable, "-m", "app.cli", "doctor"]
    root = Path(app.cli.__file__).parents[1]
    done = subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    done.stdout.close()
    error = done.stderr.read()
    done.stderr.close()
    assert done.wait() in {0, 1}
    assert b"Traceback" not in error
    assert b"BrokenPipe" not in error


def test_the_command_line_loads_no_heavy_package():
    heavy = {
        *("torch", "ai_edge_litert", "cv2", "gtsam", "mujoco", "rerun", "matplotlib", "pyarrow"),
        *("jinja2", "av", "numpy", "scipy"),
    }
    code = (
        "import sys; from app.cli import build_parser; build_parser(); "
        f"print(sorted(set(sys.modules) & {heavy!r}))"
    )
    root = Path(app.cli.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.strip() == "[]"


def test_doctor_says_cures_and_is_readable_by_scripts(capsys):
    code = main(["doctor", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert code == (0 if document["ok"] else 1)
    checks = {check["name"]: check for check in document["checks"]}
    assert checks["python"]["state"] == "ok"
    assert {"FFmpeg libraries", "hand model", "disk", "browser"} <= set(checks)
    assert all(check["cure"] for check in checks.values() if check["state"] != "ok")


@pytest.mark.parametrize(
    "words",
    [
        ["record"],
        ["record", "take", "--out", "take"],
        ["record", "take", "--seed", "-1"],
        ["robot", "robot", "--seed", "-1"],
        ["rollout", "--policy", "expert", "--out", "r", "--limit", "0"],
    ],
)
def test_sim_refuses_at_the_door(words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["sim", *words])
    assert stop.value.code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"handoff sim {words[0]}: error: ")


@pytest.mark.parametrize("words", [["export", "a"], ["slam", "evaluate", "a", "b"]], ids=" ".join)
def test_an_unknown_option_shows_what_its_command_knows(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--colour"])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    command = " ".join(word for word in words if len(word) > 1)
    assert f"usage: handoff {command} " in said
    assert f"handoff {command}: error: unrecognized arguments: --colour" in said
