"""Session folders hold folders named like our packages; Python must still find the packages."""

import subprocess
import sys

from core.session.layout import STAGES


def test_importing_from_inside_a_session_folder(tmp_path):
    rooms = ("annotate", "capture", "hands", "slam")
    for room in rooms:
        (tmp_path / room).mkdir()
    code = (
        f"import {', '.join(rooms)}, pipeline.stages as s; print([x.name for x in s.all_stages()])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(list(STAGES))
