"""`handoff view`: look at a session in 3D."""

import argparse
import tempfile
from pathlib import Path

from app.page import Page, add_command

PAGE = Page(
    name="view",
    summary="look at a session in 3D: video, camera path, hands, labels",
    about="Makes a Rerun recording of what is finished in a session and shows it: the redacted "
    "head video, the camera's path, both hands with bones and palm frames, their speed, "
    "labels, map points and, for synthetic sessions, the truth in green. Needs the extra "
    "`view`.",
    examples=(
        "handoff view sessions/anna-0001",
        "handoff view sessions/anna-0001 --save anna.rrd",
        "handoff view sessions/anna-0001 --serve       (web viewer, this machine only)",
    ),
    writes=("FILE with --save (open it with: rerun FILE); otherwise a temporary file",),
    then=("handoff report sessions/anna-0001",),
)
WEB_PORT, GRPC_PORT = 9090, 9876


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=run)
    parser.add_argument("session", metavar="SESSION", help="session folder")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the .rrd file and stop")
    parser.add_argument("--serve", action="store_true", help="web viewer on 127.0.0.1 only")
    parser.add_argument("--port", type=int, default=WEB_PORT, help=f"of --serve ({WEB_PORT})")
    parser.add_argument("--grpc-port", type=int, default=GRPC_PORT, help=f"its data ({GRPC_PORT})")
    parser.add_argument(
        "--rate-hz", type=float, default=10.0, metavar="HZ", help="pictures per second (10)"
    )


def run(arguments: argparse.Namespace) -> int:
    from app.scene import Scene
    from app.sessions import Bar, session_at
    from app.view import open_viewer, serve, write_recording

    scene = Scene.read(session_at(arguments.session))
    with tempfile.TemporaryDirectory(prefix="handoff-view-") as scratch, Bar("view") as bar:
        path = arguments.save or Path(scratch) / f"{scene.info.id}.rrd"
        write_recording(scene, path, rate_hz=arguments.rate_hz, progress=bar)
        if arguments.serve:
            return serve(path, port=arguments.port, grpc_port=arguments.grpc_port)
        if arguments.save is None:
            return open_viewer(path)
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB); open it with: rerun {path}")
    return 0
