"""Killed at any point and started again, the outputs are identical; then a run does nothing."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from pipeline.look import status
from pipeline.run import run_sessions

ROOT = Path(__file__).resolve().parents[2]

# Each attempt is a forked child that dies by SIGKILL at its k-th change of the disk.
EVERY_WRITE = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {toys!r})
import toy_stages
from core.session.storage import SessionFolder
from pipeline.run import run_sessions

url, left = {url!r}, 0

def dying(call):
    def change(*args, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **options)
    return change

for name in ("replace", "unlink", "remove", "mkdir", "fsync"):
    setattr(os, name, dying(getattr(os, name)))

kills = 0
for k in range(1, 200):
    os.system(f"rm -rf {{url}} && cp -r {{url}}-raw {{url}}")
    child = os.fork()
    if child == 0:
        left = k
        run_sessions([url], stages=toy_stages.STAGES, jobs=0)
        os._exit(0)
    ended = os.waitpid(child, 0)[1]
    results = run_sessions([url], stages=toy_stages.STAGES, jobs=0)
    assert results[0].finished, (k, results)
    folder = SessionFolder(url)
    outputs = [p for p in folder.ls() if "/_done" not in p]
    print(k, [(p, folder.sha256(p)) for p in outputs])
    assert not list(Path(url).rglob("*.part")), k
    again = run_sessions([url], stages=toy_stages.STAGES, jobs=0)
    assert {{s.state for s in again[0].stages}} == {{"current"}}, k
    if ended == 0:
        break
    kills += 1
print("kills", kills)
"""


def test_killed_at_every_single_write(make_session, tmp_path):
    folder = make_session("anna-0001")
    os.rename(folder.url, f"{folder.url}-raw")
    code = EVERY_WRITE.format(toys=str(Path(__file__).parent), url=folder.url)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    *runs, last = done.stdout.splitlines()
    assert int(last.split()[1]) > 20
    assert len({run.partition(" ")[2] for run in runs}) == 1


DRIVER = """
import sys
sys.path.insert(0, {toys!r})
import toy_stages
from pipeline.run import run_sessions

if __name__ == "__main__":
    config = toy_stages.ToyConfig(slow_s=0.02)
    configs = {{stage.name: config for stage in toy_stages.STAGES}}
    print("go", flush=True)
    run_sessions({urls!r}, stages=toy_stages.STAGES, configs=configs, jobs=2)
"""


def outputs(folder):
    return {path: folder.sha256(path) for path in folder.ls() if "/_" not in path}


def test_killed_at_random_moments(make_session, tmp_path, own_places):
    """The driver of a pool is killed, workers die with it, and the next run finishes the work."""
    import toy_stages

    config = toy_stages.ToyConfig(slow_s=0.02)
    configs = {stage.name: config for stage in toy_stages.STAGES}
    numbers = " ".join(str(i) for i in range(20))
    whole = make_session("whole-0001", numbers)
    run_sessions([whole], stages=toy_stages.STAGES, configs=configs, jobs=0)
    folders = [make_session(f"anna-000{i}", numbers) for i in range(3)]
    script = tmp_path / "driver.py"
    toys = str(Path(__file__).parent)
    script.write_text(textwrap.dedent(DRIVER.format(toys=toys, urls=[f.url for f in folders])))
    moments = random.Random(0)
    for _ in range(5):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        driver = subprocess.Popen(
            [sys.executable, str(script)], stdout=subprocess.PIPE, env=environment, cwd=ROOT
        )
        assert driver.stdout.readline() == b"go\n"
        time.sleep(moments.uniform(0.2, 1.6))
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        driver.stdout.close()
    results = run_sessions(folders, stages=toy_stages.STAGES, configs=configs, jobs=2)
    assert all(result.finished for result in results)
    for folder in folders:
        mine, expected = outputs(folder), outputs(whole)
        del mine["session.json"], expected["session.json"]
        assert mine == expected
        assert not list(Path(folder.url).rglob("*.part"))
    seen = status(folders, stages=toy_stages.STAGES, configs=configs)
    assert {stage.state for result in seen for stage in result.stages} == {"current"}


def assert_group_ends(group, patience_s=10.0):
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a worker is still there")


def test_ctrl_c_stops_the_workers(make_session, tmp_path):
    folder = make_session("anna-0001", "1 " * 2000)
    script = tmp_path / "driver.py"
    toys = str(Path(__file__).parent)
    script.write_text(textwrap.dedent(DRIVER.format(toys=toys, urls=[folder.url])))
    driver = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's & ignores it
    )
    assert driver.stdout.readline() == b"go\n"
    time.sleep(1.5)
    os.killpg(driver.pid, signal.SIGINT)
    _, trouble = driver.communicate(timeout=60)
    assert driver.returncode != 0
    assert b"KeyboardInterrupt" in trouble
    assert_group_ends(driver.pid)
