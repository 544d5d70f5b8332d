"""`handoff slam`: a trajectory against ground truth of the user's own; the scene as a mesh."""

import argparse
import json
import math
from typing import TYPE_CHECKING

from app.page import Page, add_command, add_json

if TYPE_CHECKING:
    from app.evaluate.path_errors import PathErrors

PAGE = Page(
    name="slam",
    summary="measure trajectories against your own ground truth; mesh the scene",
    about="Holds the head trajectory of a session, or any trajectory file, against a ground truth "
    "from motion capture or another system.",
    examples=(
        "handoff slam evaluate groundtruth.txt sessions/desk-0001",
        "handoff slam evaluate --help",
    ),
    writes=("nothing, or the picture asked for",),
    then=("handoff slam evaluate --help",),
)
EVALUATE = Page(
    name="evaluate",
    summary="errors of trajectories against a TUM or EuRoC ground truth",
    about="TRUTH is a TUM file (timestamp tx ty tz qx qy qz qw, seconds) or EuRoC ground-truth csv "
    "(nanoseconds, position, quaternion wxyz); its content tells which. ESTIMATE is a session "
    "folder or another such file.\n\n"
    "Every estimated pose gets the truth at its time. Alignment: `yaw` (turn about the vertical, "
    "and position) is the default for sessions that know gravity and scale; sessions without scale "
    "get `sim3`, all others and files `se3`. Maps that were not joined are aligned one by one. "
    "Rows of the truth for whose time the estimate has no pose count as untracked; of a session, "
    "rows before its first and after its last frame do not count.\n\n"
    "RPE is the error of the motion over one second, from all pairs. Gravity tilt is the angle "
    "between the z axes of both worlds: it means nothing for an estimate whose world is not "
    "level. Where the truth follows another body than the camera, as EuRoC's follows the inertial "
    "sensor, give the camera's pose in that body with --truth-from-camera.",
    examples=(
        "handoff slam evaluate groundtruth.txt sessions/desk-0001",
        "handoff slam evaluate truth.txt ours.txt theirs.txt --align sim3 --plot errors.png",
        "handoff slam evaluate groundtruth.csv sessions/mh05 --truth-from-camera cam0/sensor.yaml",
    ),
    writes=("nothing, or the picture asked for with --plot",),
    then=("handoff report sessions/desk-0001   (what the system itself says of the take)",),
)
MESH = Page(
    name="mesh",
    summary="the scene's surface from depth pictures, as PLY",
    about="Fuses the depth pictures of a session along its trajectory into a triangle mesh, in the "
    "world frame of the longest map. To look at, in MeshLab, Blender or CloudCompare. The session "
    "needs a depth stream (docs/rig-folder.md) and a finished slam stage.",
    examples=(
        "handoff slam mesh sessions/desk-0001 --out desk.ply",
        "handoff slam mesh sessions/desk-0001 --out coarse.ply --voxel-mm 40",
    ),
    writes=("the file named with --out",),
    then=("handoff view sessions/desk-0001   (the path and the pictures)",),
)
ROWS = (
    ("ATE RMSE", "ate_rmse_m", "mm"),
    ("ATE mean", "ate_mean_m", "mm"),
    ("ATE median", "ate_median_m", "mm"),
    ("ATE max", "ate_max_m", "mm"),
    ("rotation, median", "rotation_median_deg", "deg"),
    ("RPE over 1 s", "rpe_1s_rmse_m", "mm"),
    ("RPE over 1 s, turn", "rpe_1s_rmse_deg", "deg"),
    ("scale, truth / estimate", "scale", "ratio"),
    ("gravity tilt", "gravity_tilt_deg", "deg"),
    ("tracked", "tracked_share", "share"),
    ("untracked truth rows", "untracked_rows", "count"),
    ("associated frames", "associated", "count"),
    ("poses in the estimate", "estimate_poses", "count"),
    ("maps", "maps", "count"),
    ("path", "path_m", "m"),
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=lambda _: _which(parser))
    kinds = parser.add_subparsers(title="what to do", metavar="WHAT")
    command = add_command(kinds, EVALUATE, run=run)
    command.add_argument("truth", metavar="TRUTH", help="TUM or EuRoC ground-truth file")
    command.add_argument("estimates", metavar="ESTIMATE", nargs="+", help="session folder or file")
    command.add_argument("--truth-format", choices=("tum", "euroc"), help="instead of looking")
    command.add_argument(
        "--align", choices=("yaw", "se3", "sim3", "none"), help="instead of the default above"
    )
    command.add_argument(
        "--associate",
        choices=("interpolate", "nearest"),
        default="interpolate",
        help="the truth between two rows (default), or its nearest row",
    )
    command.add_argument(
        "--max-gap-ms",
        type=float,
        metavar="MS",
        help="rows to interpolate between lie no further apart (100); the nearest no further (10)",
    )
    command.add_argument(
        "--truth-from-camera",
        metavar="POSE",
        help="camera in the truth's body: x,y,z,qw,qx,qy,qz or a EuRoC sensor.yaml",
    )
    command.add_argument("--plot", metavar="FILE.png", help="draw paths and errors")
    add_json(command)
    mesh = add_command(kinds, MESH, run=run_mesh)
    mesh.add_argument("session", metavar="SESSION", help="session folder with depth")
    mesh.add_argument("--out", required=True, metavar="FILE.ply", help="where the mesh goes")
    mesh.add_argument("--voxel-mm", type=float, default=15.0, help="detail (15)")
    mesh.add_argument("--max-m", type=float, default=4.0, help="readings beyond are left out (4)")
    add_json(mesh)


def _which(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 2


def run(arguments: argparse.Namespace) -> int:
    """Measure every estimate, print one table."""
    from app.evaluate.path_errors import path_errors
    from app.evaluate.path_plot import plot_paths
    from app.evaluate.path_sources import estimate_of, truth_of
    from core.session.documents import located
    from slam.output.trajectory_files import read_extrinsics

    body = arguments.truth_from_camera
    truth = truth_of(
        arguments.truth,
        layout=arguments.truth_format,
        truth_from_camera=None if body is None else read_extrinsics(body),
    )
    found = {}
    for address in arguments.estimates:
        estimate = estimate_of(address)
        with located(address):
            found[address] = path_errors(
                estimate.poses,
                truth,
                align=arguments.align or estimate.default_alignment,
                associate=arguments.associate,
                max_gap_ms=arguments.max_gap_ms,
            )
    if arguments.plot:
        plot_paths(found, arguments.plot)
    if arguments.json:
        print(json.dumps(_document(arguments, found), indent=2))
    else:
        print(_table(found))
    return 0


def run_mesh(arguments: argparse.Namespace) -> int:
    """Fuse, write, say how large it became."""
    from pathlib import Path

    from core.errors import BadInputError
    from core.session.storage import SessionFolder, storage_errors
    from slam.output.mesh import mesh_ply
    from slam.output.session_mesh import mesh_of

    if not 2 <= arguments.voxel_mm <= 200:
        raise BadInputError(f"--voxel-mm {arguments.voxel_mm:g}: give 2 to 200")
    mesh = mesh_of(
        SessionFolder(arguments.session),
        voxel_m=arguments.voxel_mm / 1e3,
        max_m=arguments.max_m,
    )
    with storage_errors("write", arguments.out):
        Path(arguments.out).write_bytes(mesh_ply(mesh))
    figures = {"mesh": arguments.out, "vertices": len(mesh.vertices), "faces": len(mesh.faces)}
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        print(f"{arguments.out}: {len(mesh.faces)} triangles")
    return 0


def _document(arguments: argparse.Namespace, found: dict[str, "PathErrors"]) -> dict[str, object]:
    estimates = [
        {
            "estimate": name,
            "align": errors.align,
            "same_body": errors.same_body,
            **{k: None if math.isnan(v) else v for k, v in errors.figures().items()},
        }
        for name, errors in found.items()
    ]
    return {"truth": arguments.truth, "associate": arguments.associate, "estimates": estimates}


def _table(found: dict[str, "PathErrors"]) -> str:
    figures = [errors.figures() for errors in found.values()]
    names = [name.rstrip("/").rsplit("/", maxsplit=1)[-1] for name in found]
    rows = [["", *names], ["alignment", *(errors.align for errors in found.values())]]
    rows += [[title, *(_shown(f[key], unit) for f in figures)] for title, key, unit in ROWS]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = [
        "  ".join(word.rjust(w) if k else word.ljust(w) for k, (word, w) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    ]
    return "\n".join(line.rstrip() for line in [*lines, *_remarks(found)])


def _shown(value: float, unit: str) -> str:
    if math.isnan(value):
        return "none"
    return {
        "mm": f"{1e3 * value:.2f} mm",
        "m": f"{value:.2f} m",
        "deg": f"{value:.2f}°",
        "ratio": f"{value:.4f}",
        "share": f"{100 * value:.1f} %",
        "count": f"{value:.0f}",
    }[unit]


def _remarks(found: dict[str, "PathErrors"]) -> list[str]:
    """What a reader must know to read the figures right."""
    remarks = []
    for name, errors in found.items():
        if errors.covered < errors.truth_rows:
            remarks.append(
                f"{name}: {errors.truth_rows - errors.covered} of {errors.truth_rows} truth rows "
                f"have no estimate (outside it, or in a gap over {errors.cover_gap_ms:.0f} ms): "
                "untracked"
            )
        if not errors.same_body:
            remarks.append(
                f"{name}: its body is turned by {errors.body_turn_deg:.0f}° against the truth's: "
                "rotations and RPE are left out; give the camera's pose with --truth-from-camera, "
                "and see that the quaternions' order is the layout's"
            )
    return ["", *remarks] if remarks else []
