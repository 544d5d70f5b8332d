"""Every data set's reader on a tiny folder of its layout, whose answer is known by name."""

import json
import tarfile
from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from core.errors import BadInputError, HandoffError
from core.geometry.cameras import Fisheye624, PinholeRadtan
from core.geometry.landmarks import RAW21_ARIA, RAW21_MEDIAPIPE
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from hands.truth_layouts.fpha import COLOUR_FROM_WORLD, OFFSET_MM
from hands.truth_layouts.hot3d_poses import upright_turn
from hands.truth_layouts.layouts import LAYOUTS, open_layout
from hands.truth_layouts.umetrack import UmeTrackHand

FINGERS = ("thumb", "index", "middle", "ring", "pinky")
# a hand half a metre ahead whose 21 points are all different; in MediaPipe's order
JOINTS = np.array([
    [0.004 * k - 0.04, 0.03 - 0.003 * ((k * 7) % 13), 0.5 + 0.002 * k] for k in range(21)
])
BY_NAME = dict(zip(RAW21_MEDIAPIPE, JOINTS, strict=True))
MM = 1e3


def picture(path, size_wh=(64, 48), shade=90):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((size_wh[1], size_wh[0], 3), shade, dtype=np.uint8))


def dump(path, document):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")


# --- FreiHAND -----------------------------------------------------------------------------------

K = [[500.0, 0.0, 110.0], [0.0, 510.0, 112.0], [0.0, 0.0, 1.0]]


def freihand(folder, split="training", pictures=(0, 1, 3)):
    """Two rows; picture 3 is the second version of row 1."""
    dump(folder / f"{split}_xyz.json", [(JOINTS + 0.01 * row).tolist() for row in range(2)])
    dump(folder / f"{split}_K.json", [K, K])
    for number in pictures:
        picture(folder / split / "rgb" / f"{number:08d}.jpg", (224, 224))
    return folder


def test_freihand(tmp_path):
    layout = open_layout(freihand(tmp_path))
    assert (layout.name, len(layout)) == ("freihand", 3)
    last = layout[-1]
    (hand,) = last.hands
    assert (last.name, hand.side, last.complete) == ("00000003.jpg", "right", True)
    np.testing.assert_allclose(hand.joints_in_camera, JOINTS + 0.01)
    expected = (hand.joints_in_camera @ np.array(K).T)[:, :2] / hand.joints_in_camera[:, 2:]
    np.testing.assert_allclose(hand.px, expected)
    assert last.load().shape == (224, 224, 3)


def test_freihand_evaluation_comes_first_and_splits_can_be_named(tmp_path):
    freihand(freihand(tmp_path), "evaluation", (0,))
    assert len(open_layout(tmp_path)) == 1
    assert len(open_layout(tmp_path, split="training")) == 3


def test_freihand_with_files_that_do_not_fit_is_refused(tmp_path):
    dump(freihand(tmp_path) / "training_K.json", [K])
    with pytest.raises(BadInputError, match=r"2 rows, but training_K\.json has 1"):
        open_layout(tmp_path)


# --- InterHand2.6M ------------------------------------------------------------------------------

INTERHAND_NAMES = [
    {"1": "cmc", "2": "mcp", "3": "ip", "4": "tip"}[k] if finger == "thumb" else
    {"1": "mcp", "2": "pip", "3": "dip", "4": "tip"}[k]
    for finger in FINGERS
    for k in "4321"
]  # fmt: skip
INTERHAND_ORDER = [
    *(f"{f}_{j}" for f, j in zip(np.repeat(FINGERS, 4), INTERHAND_NAMES, strict=True)),
    "wrist",
]
CAMROT = matrix_from_rotvec([0.1, -0.7, 0.3])
BESIDE = np.array([-0.2, 0.0, 0.0])
CAMPOS = np.array([120.0, -300.0, 900.0])


def interhand(folder, *, valid=None, names=None):
    """One picture: the right hand as JOINTS, the left beside it by 20 cm."""
    right = np.array([BY_NAME[name] for name in INTERHAND_ORDER])
    in_camera = np.concatenate([right, right + BESIDE])
    world = MM * in_camera @ CAMROT + CAMPOS
    root = folder / "annotations" / "all"
    image = {
        "id": 7, "file_name": "Capture0/a/cam400/image1.jpg", "width": 64, "height": 48,
        "capture": 0, "camera": "400", "frame_idx": 5, "seq_name": "a", "subject": 0,
    }  # fmt: skip
    valid = np.ones(42) if valid is None else valid
    annotation = {
        "id": 1, "image_id": 7, "joint_valid": valid.tolist(), "hand_type": "interacting",
        "bbox": [0, 0, 9, 9],
    }  # fmt: skip
    dump(root / "InterHand2.6M_test_data.json", {"images": [image], "annotations": [annotation]})
    camera = {"campos": CAMPOS.tolist(), "camrot": CAMROT.tolist(), "focal": [80.0, 81.0],
              "princpt": [30.0, 20.0]}  # fmt: skip
    cameras = {"0": {key: {"400": value} for key, value in camera.items()}}
    dump(root / "InterHand2.6M_test_camera.json", cameras)
    dump(root / "InterHand2.6M_test_joint_3d.json", {"0": {"5": {"world_coord": world.tolist()}}})
    if names:
        lines = [f"{name} {k} 0" for k, name in enumerate(names)]
        (folder / "annotations" / "skeleton.txt").write_text("\n".join(lines), encoding="utf-8")
    picture(folder / "images" / "test" / image["file_name"])
    return folder


def test_interhand(tmp_path):
    layout = open_layout(interhand(tmp_path))
    assert (layout.name, len(layout)) == ("interhand", 1)
    right, left = layout[0].hands
    assert (right.side, left.side) == ("right", "left")
    np.testing.assert_allclose(right.joints_in_camera, JOINTS, atol=1e-12)
    np.testing.assert_allclose(left.joints_in_camera, JOINTS + BESIDE, atol=1e-12)
    wrist_px = JOINTS[0, :2] / JOINTS[0, 2] * [80, 81] + [30, 20]
    np.testing.assert_allclose(right.px[0], wrist_px)
    assert layout[0].load().shape == (48, 64, 3)


def test_interhand_joints_nobody_vouches_for_are_unknown(tmp_path):
    valid = np.ones(42)
    valid[0] = 0  # the tip of the right thumb
    valid[41] = 0  # the left wrist: its hand is left out
    (right,) = open_layout(interhand(tmp_path, valid=valid))[0].hands
    unknown = [RAW21_MEDIAPIPE[k] for k in np.flatnonzero(np.isnan(right.px[:, 0]))]
    assert unknown == ["thumb_tip"]


def test_interhand_in_another_order_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="another joint order"):
        open_layout(interhand(tmp_path, names=[f"r_{k}" for k in range(42)]))


# --- FPHA ---------------------------------------------------------------------------------------

FPHA_ORDER = [
    "wrist", "thumb_cmc", "index_mcp", "middle_mcp", "ring_mcp", "pinky_mcp",
    "thumb_mcp", "thumb_ip", "thumb_tip", "index_pip", "index_dip", "index_tip",
    "middle_pip", "middle_dip", "middle_tip", "ring_pip", "ring_dip", "ring_tip",
    "pinky_pip", "pinky_dip", "pinky_tip",
]  # fmt: skip


def fpha(folder):
    in_camera = MM * np.array([BY_NAME[name] for name in FPHA_ORDER])
    world = np.linalg.solve(COLOUR_FROM_WORLD, (in_camera - OFFSET_MM).T).T
    sequence = "Subject_1/put_salt/2"
    skeleton = folder / "Hand_pose_annotation_v1" / sequence / "skeleton.txt"
    skeleton.parent.mkdir(parents=True)
    rows = [" ".join(map(str, [t, *(world + t).ravel()])) for t in (0, 3)]
    skeleton.write_text("\n".join(rows) + "\n", encoding="utf-8")
    picture(folder / "Video_files" / sequence / "color" / "color_0003.jpeg")
    return folder


def test_fpha(tmp_path):
    layout = open_layout(fpha(tmp_path))
    assert (layout.name, len(layout)) == ("fpha", 2)
    (hand,) = layout[0].hands
    assert (hand.side, layout[0].complete) == ("right", False)
    np.testing.assert_allclose(hand.joints_in_camera, JOINTS, atol=1e-9)
    assert layout[1].name == "Subject_1/put_salt/2/color_0003.jpeg"
    assert layout[1].load().shape == (48, 64, 3)
    with pytest.raises(HandoffError, match=r"color_0000\.jpeg: cannot read: no such file"):
        layout[0].load()


def test_fpha_with_a_short_line_is_refused(tmp_path):
    path = fpha(tmp_path) / "Hand_pose_annotation_v1/Subject_1/put_salt/2/skeleton.txt"
    path.write_text("0 1 2 3\n", encoding="utf-8")
    with pytest.raises(BadInputError, match="line 1: 4 numbers, expected 64"):
        open_layout(tmp_path)


# --- hand-graph ---------------------------------------------------------------------------------


def handgraph(folder):
    np.savez(
        folder / "truth.npz",
        landmarks_in_camera_cm=100 * JOINTS[None],
        fx_fy_u0_v0_px=np.array([[900.0, 910.0, 640.0, 360.0]]),
        crop_box_xywh_px=np.array([[500, 300, 512, 256]]),
    )
    picture(folder / "images" / "00000.jpg", (256, 256))
    return folder


def test_handgraph_crops_have_a_camera_of_their_own(tmp_path):
    layout = open_layout(handgraph(tmp_path))
    (hand,) = layout[0].hands
    assert (layout.name, hand.side) == ("handgraph", "left")
    np.testing.assert_allclose(hand.joints_in_camera, JOINTS)
    whole, _ = PinholeRadtan(params=(900, 910, 640, 360, 0, 0, 0, 0), size_wh=(1280, 720)).project(
        JOINTS
    )
    in_crop = (whole - [500, 300] + 0.5) * [0.5, 1.0] - 0.5
    np.testing.assert_allclose(hand.px, in_crop)


def test_handgraph_without_an_array_is_refused(tmp_path):
    np.savez(handgraph(tmp_path) / "truth.npz", landmarks_in_camera_cm=JOINTS[None])
    with pytest.raises(BadInputError, match="fx_fy_u0_v0_px, crop_box_xywh_px missing"):
        open_layout(tmp_path)


# --- HOT3D --------------------------------------------------------------------------------------

PARAMS = [300.0, 300.0, 320.0, 240.0, 0.01, -0.02, 0, 0, 0, 0, 1e-4, -1e-4, 0, 0, 0, 0]


def umetrack():
    """A flat left hand, millimetres: fingers along x, hinges of the index one after the other."""
    rest = {"wrist": [0.0, 0.0, 0.0], "aria_palm": [80.0, -15.0, 4.0]}
    for number, finger in enumerate(FINGERS):
        joints = ("mcp", "ip", "tip") if finger == "thumb" else ("mcp", "pip", "dip", "tip")
        for k, joint in enumerate(joints):
            rest[f"{finger}_{joint}"] = [80.0 + 20 * k, -2.0, 40.0 - 15 * number]
    # frames: 0 root, 1 wrist, then three per finger
    frame = {"wrist": 1, "aria_palm": 1, "thumb_mcp": 2, "thumb_ip": 3, "thumb_tip": 4}
    for number, finger in enumerate(FINGERS[1:], start=1):
        frame |= {f"{finger}_mcp": 1} | {
            f"{finger}_{joint}": 2 + 3 * number + k for k, joint in enumerate(("pip", "dip", "tip"))
        }
    centres, axes = [], []
    for finger in FINGERS:
        joints = ("mcp", "mcp", "ip", "tip") if finger == "thumb" else ("mcp", "mcp", "pip", "dip")
        centres += [rest[f"{finger}_{joint}"] for joint in joints]
        axes += [[0.0, 1.0, 0.0], *[[0.0, 0.0, -1.0]] * 3]
    return {
        "joint_rotation_axes": [*axes, [0, 1, 0], [0, 0, 1]],
        "joint_rest_positions": [*centres, [0, 0, 0], [0, 0, 0]],
        "landmark_rest_positions": [rest[name] for name in RAW21_ARIA],
        "landmark_rest_bone_indices": [[frame[name]] * 3 for name in RAW21_ARIA],
        "landmark_rest_bone_weights": [[1.0, 0.0, 0.0]] * 21,
    }


def bent_index():
    angles = np.zeros(22)
    angles[6] = np.pi / 2  # the index's third hinge, at its PIP
    return angles


def test_umetrack_bends_where_its_hinge_is():
    hand = UmeTrackHand.from_json(umetrack(), "test")
    straight = dict(zip(RAW21_ARIA, hand.landmarks_in_wrist(np.zeros(20)), strict=True))
    bent = dict(zip(RAW21_ARIA, hand.landmarks_in_wrist(bent_index()), strict=True))
    np.testing.assert_allclose(straight["index_tip"], [0.14, -0.002, 0.025], atol=1e-12)
    np.testing.assert_allclose(bent["index_pip"], straight["index_pip"], atol=1e-12)
    # a quarter turn about -z at the PIP lays the 40 mm beyond it along -y, towards the palm
    np.testing.assert_allclose(bent["index_dip"], [0.10, -0.022, 0.025], atol=1e-12)
    np.testing.assert_allclose(bent["index_tip"], [0.10, -0.042, 0.025], atol=1e-12)
    np.testing.assert_allclose(bent["middle_tip"], straight["middle_tip"])
    mirrored = hand.landmarks_in_world(bent_index(), SE3.identity(), "right")
    np.testing.assert_allclose(mirrored, hand.landmarks_in_wrist(bent_index()) * [-1, 1, 1])


WORLD_FROM_CAMERA = SE3(matrix_from_rotvec([-np.pi / 2, 0, 0]), np.array([0.1, 0.2, 1.5]))
CAMERA_FROM_WRIST = SE3(matrix_from_rotvec([0.3, 0.2, -1.0]), np.array([0.0, 0.05, 0.4]))


def spelled(pose):
    seven = pose.to_pose7().tolist()
    return {"translation_xyz": seven[:3], "quaternion_wxyz": seven[3:]}


def hot3d(folder, *, stream="214-1", roll=0):
    """One frame of a camera that looks along the world's y, its sensor turned by ``roll``."""
    sensor = SE3(matrix_from_rotvec([0, 0, np.radians(roll)]), np.zeros(3))
    world_from_camera = WORLD_FROM_CAMERA @ sensor
    wrist = spelled(WORLD_FROM_CAMERA @ CAMERA_FROM_WRIST)
    calibration = {
        "projection_model_type": "CameraModelType.FISHEYE624", "projection_params": PARAMS,
        "image_width": 640, "image_height": 480,
    }  # fmt: skip
    pose = {"joint_angles": bent_index().tolist(), "T_world_from_wrist": wrist}
    hands = {
        "left": {"umetrack_pose": pose, "visibilities_modeled": {stream: 0.9}},
        "right": {"umetrack_pose": pose, "visibilities_modeled": {stream: 0.05}},
    }
    folder.mkdir(parents=True, exist_ok=True)
    dump(folder / "000007.cameras.json", {
        stream: {"calibration": calibration, "T_world_from_camera": spelled(world_from_camera)}
    })  # fmt: skip
    dump(folder / "000007.hands.json", hands)
    dump(folder / "__hand_shapes.json__", {"mano": [0.0] * 10, "umetrack": umetrack()})
    picture(folder / f"000007.image_{stream}.jpg", (640, 480))
    return folder


def true_hot3d():
    points = UmeTrackHand.from_json(umetrack(), "test").landmarks_in_wrist(bent_index())
    named = dict(zip(RAW21_ARIA, CAMERA_FROM_WRIST.apply(points), strict=True))
    return np.array([named.get(name, [np.nan] * 3) for name in RAW21_MEDIAPIPE])


def test_hot3d_folder(tmp_path):
    layout = open_layout(hot3d(tmp_path / "clip-000001").parent)
    assert (layout.name, len(layout)) == ("hot3d", 1)
    (hand,) = layout[0].hands  # the right one is hidden
    assert hand.side == "left"
    np.testing.assert_allclose(hand.joints_in_camera, true_hot3d(), atol=1e-9)
    camera = Fisheye624(params=(300.0, *PARAMS[2:]), size_wh=(640, 480))
    np.testing.assert_allclose(hand.px[5], camera.project(true_hot3d()[5])[0])
    assert np.isnan(hand.px[1]).all()  # no thumb CMC in this set


def test_hot3d_archive_reads_like_the_folder(tmp_path):
    files = hot3d(tmp_path / "files")
    (tmp_path / "tars").mkdir()
    with tarfile.open(tmp_path / "tars" / "clip-000001.tar", "w") as archive:
        for path in files.iterdir():
            archive.add(path, arcname=path.name)
    (one,), (other,) = (open_layout(tmp_path / name)[0].hands for name in ("files", "tars"))
    np.testing.assert_allclose(one.px, other.px)
    assert open_layout(tmp_path / "tars")[0].load().shape == (480, 640, 3)


@pytest.mark.parametrize("roll", [90, 180, 270])
def test_hot3d_pictures_are_turned_upright(tmp_path, roll):
    """However the sensor lies, the upright camera is the same: its hand is where it was."""
    turned = open_layout(hot3d(tmp_path / "clip", roll=roll))[0]
    np.testing.assert_allclose(turned.hands[0].joints_in_camera, true_hot3d(), atol=1e-9)
    assert turned.load().shape == ((640, 480, 3) if roll in {90, 270} else (480, 640, 3))
    assert turned.camera.size_wh == turned.load().shape[1::-1]


def test_up_is_brought_up():
    ways = ([0, -1, 0], [-1, 0, 0], [0, 1, 0], [1, 0, 0])
    assert [upright_turn(np.array(up)) for up in ways] == [0, 90, 180, 270]


def test_hot3d_with_another_camera_model_is_refused(tmp_path):
    hot3d(tmp_path / "clip")
    path = tmp_path / "clip" / "000007.cameras.json"
    path.write_text(path.read_text(encoding="utf-8").replace("FISHEYE624", "LINEAR"), "utf-8")
    with pytest.raises(BadInputError, match="HOT3D's is FISHEYE624"):
        open_layout(tmp_path)[0]


def test_hot3d_with_a_field_missing_is_refused(tmp_path):
    dump(hot3d(tmp_path / "clip") / "000007.hands.json", {"left": {"umetrack_pose": {}}})
    with pytest.raises(BadInputError, match="clip/000007: not HOT3D-Clips' fields"):
        open_layout(tmp_path)[0]


def hot3d_recording(folder, stamps, *, stream="1201-1", world_from_device=None):
    """A full recording's files but the VRS: a still device, the hand of `hot3d`."""
    device = world_from_device or SE3.identity()
    x, y, z, *quat = device.to_pose7().tolist()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "headset_trajectory.csv").write_text(
        "object_uid,timestamp[ns],t_wo_x[m],t_wo_y[m],t_wo_z[m],q_wo_w,q_wo_x,q_wo_y,q_wo_z\n"
        + "".join(f"1,{t},{x},{y},{z},{','.join(map(str, quat))}\n" for t in stamps),
        encoding="utf-8",
    )
    (folder / "box2d_hands.csv").write_text(
        "stream_id,hand_index,timestamp[ns],x_min[pixel],x_max[pixel],y_min[pixel],y_max[pixel],"
        "visibility_ratio[%]\n"
        + "".join(f"{stream},0,{t},1,2,3,4,0.9\n{stream},1,{t},,,,,0.0\n" for t in stamps),
        encoding="utf-8",
    )
    seven = (device @ CAMERA_FROM_WRIST).to_pose7().tolist()  # the device's axes as a camera's
    pose = {
        "wrist_xform": {"t_xyz": seven[:3], "q_wxyz": seven[3:]},
        "joint_angles": bent_index().tolist(),
        "hand_confidence": 1.0,
    }
    lines = [json.dumps({"timestamp_ns": t, "hand_poses": {"0": pose, "1": pose}}) for t in stamps]
    (folder / "umetrack_hand_pose_trajectory.jsonl").write_text("\n".join(lines), encoding="utf-8")
    dump(folder / "umetrack_hand_user_profile.json", {"hand_model": umetrack()})
    dump(folder / "metadata.json", {"headset": "Aria"})
    return folder


def test_a_full_hot3d_recording(tmp_path, recordings, missing):
    """Files written here over a real VRS file with time codes; the joints by Aria's own maths."""
    if find_spec("projectaria_tools") is None:
        missing("projectaria-tools is not here: pip install --no-deps projectaria-tools==2.3.0")
    from projectaria_tools.core.sensor_data import TimeDomain

    from hands.cameras.vrs import open_vrs

    vrs = recordings / "aria_gen1_timecode" / "sequence.vrs"
    provider = open_vrs(vrs)
    stream = provider.get_stream_id_from_label("camera-slam-left")
    stamps = list(provider.get_timestamps_ns(stream, TimeDomain.TIME_CODE))
    world_from_device = SE3(matrix_from_rotvec([0.2, -0.4, 0.1]), np.array([1.0, 2.0, 1.5]))
    folder = hot3d_recording(
        tmp_path / "P0003_c701bd11", stamps, world_from_device=world_from_device
    )
    (folder / "recording.vrs").symlink_to(vrs.resolve())
    layout = open_layout(tmp_path)
    assert (layout.name, len(layout)) == ("hot3d", len(stamps))
    assert len(open_layout(folder)) == len(stamps)
    found = layout[1]
    (hand,) = found.hands  # the right one is not in the picture
    assert hand.side == "left"
    points = UmeTrackHand.from_json(umetrack(), "test").landmarks_in_wrist(bent_index())
    in_device = CAMERA_FROM_WRIST.apply(points)
    calibration = provider.get_device_calibration().get_camera_calib("camera-slam-left")
    camera_from_device = calibration.get_transform_device_camera().inverse().to_matrix()
    in_camera = in_device @ camera_from_device[:3, :3].T + camera_from_device[:3, 3]
    tip = in_camera[RAW21_ARIA.index("index_tip")]
    ours = hand.joints_in_camera[RAW21_MEDIAPIPE.index("index_tip")]
    np.testing.assert_allclose(np.linalg.norm(ours), np.linalg.norm(tip), atol=1e-9)
    width, height = calibration.get_image_size()
    turned = found.camera.size_wh != (width, height)
    assert found.load().shape == (*((width, height) if turned else (height, width)), 3)
    pixel = calibration.project_no_checks(tip)
    px = hand.px[RAW21_MEDIAPIPE.index("index_tip")]
    middle = (np.array([width, height]) - 1) / 2
    back = (np.array(found.camera.size_wh) - 1) / 2
    np.testing.assert_allclose(np.linalg.norm(px - back), np.linalg.norm(pixel - middle), atol=1e-3)


def test_a_full_hot3d_recording_that_cannot_be_read_is_named(tmp_path):
    folder = hot3d_recording(tmp_path / "P0003_c701bd11", [1000, 2000])
    with pytest.raises(BadInputError, match=r"no recording\.vrs"):
        open_layout(tmp_path)
    (folder / "recording.vrs").write_bytes(b"nothing")
    assert len(open_layout(tmp_path)) == 2  # pictures are opened when they are asked for
    (folder / "umetrack_hand_pose_trajectory.jsonl").write_text("{}", encoding="utf-8")
    with pytest.raises(BadInputError, match="line 1"):
        open_layout(tmp_path)
    dump(folder / "metadata.json", {"headset": "Quest3"})
    with pytest.raises(BadInputError, match="recorded with Quest3"):
        open_layout(tmp_path)


# --- marked pixels ------------------------------------------------------------------------------


def keypoints(folder):
    marks = np.column_stack([np.arange(21), 2 * np.arange(21), np.ones(21)])
    marks[4, 2] = 0
    annotation = {"image_id": 3, "keypoints": marks.ravel().tolist()}
    image = {"id": 3, "file_name": "a.jpg", "width": 64, "height": 48}
    dump(folder / "marks.json", {"images": [image], "annotations": [annotation] * 2})
    picture(folder / "a.jpg")
    return folder


def test_keypoints(tmp_path):
    (picture_,) = open_layout(keypoints(tmp_path))
    (hand,) = picture_.hands  # written twice, counted once
    assert (picture_.camera, hand.side) == (None, None)
    np.testing.assert_allclose(hand.px[5], [5, 10])
    assert np.isnan(hand.px[4]).all()
    assert np.isnan(hand.joints_in_camera).all()


# --- which ---------------------------------------------------------------------------------------

MAKERS = (freihand, interhand, fpha, handgraph, hot3d, keypoints)


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_each_layout_is_recognised_and_no_other(tmp_path, make):
    folder = tmp_path / "set"
    folder.mkdir()
    make(folder)
    recognised = [name for name, kind in LAYOUTS.items() if kind.recognises(folder)]
    assert recognised == [make.__name__]
    with pytest.raises(HandoffError):  # another reader says what it misses
        open_layout(folder, layout="fpha" if make is freihand else "freihand")


def all_pictures(folder, layout):
    return [one.load() for one in open_layout(folder, layout=layout)]


@pytest.mark.parametrize(
    ("make", "file", "content", "why"),
    [
        (freihand, "training_K.json", "null", r"training_xyz\.json: not FreiHAND's lists"),
        (freihand, "training/rgb/first.jpg", "", r"first\.jpg: not a picture of FreiHAND's lists"),
        (interhand, "annotations/all/InterHand2.6M_test_data.json", "{}", "'images' is missing"),
        (interhand, "annotations/all/InterHand2.6M_test_camera.json", "[]", "annotation 0: not"),
        (interhand, "annotations/all/InterHand2.6M_test_joint_3d.json", '{"0": {}}', "'5' is miss"),
        (fpha, "Hand_pose_annotation_v1/Subject_1/put_salt/2/skeleton.txt", "nan 1", "line 1: not"),
        (handgraph, "truth.npz", "", r"truth\.npz: not an array file"),
        (keypoints, "marks.json", '{"images": [{"id": 1}]}', "'file_name' is missing"),
        (hot3d, "000007.image_214-1.jpg", "", r"image_214-1\.jpg: no picture"),
    ],
)
def test_files_of_something_else_are_one_line(tmp_path, make, file, content, why):
    folder = make(tmp_path)
    (folder / file).write_text(content, encoding="utf-8")
    with pytest.raises(BadInputError, match=why) as caught:
        all_pictures(folder, make.__name__)
    assert "\n" not in str(caught.value)


def test_a_folder_too_high_or_too_low_is_told_the_right_one(tmp_path):
    right = freihand(tmp_path / "FreiHAND")
    for wrong in (tmp_path, right / "training", right / "training" / "rgb"):
        with pytest.raises(BadInputError, match="FreiHAND is freihand, give that folder"):
            open_layout(wrong)


def test_an_unknown_folder_is_told_what_is_known(tmp_path):
    with pytest.raises(BadInputError, match="layout is known") as refused:
        open_layout(tmp_path)
    assert all(kind.about in str(refused.value) for kind in LAYOUTS.values())
    with pytest.raises(BadInputError, match="no such folder"):
        open_layout(tmp_path / "nowhere")


def test_the_real_sets(recordings):
    handgraph = open_layout(recordings / "hands3d_handgraph")
    assert (handgraph.name, len(handgraph)) == ("handgraph", 200)
    hands = [picture.hands[0] for picture in handgraph[:200:10]]
    assert all((hand.px > 0).all() and (hand.px < 256).all() for hand in hands)
    length = [np.linalg.norm(h.joints_in_camera[9] - h.joints_in_camera[0]) for h in hands]
    assert 0.07 < np.median(length) < 0.12  # wrist to middle MCP of an adult
    freihand = open_layout(recordings / "hands3d_freihand")
    assert (freihand.name, len(freihand)) == ("keypoints", 8)
    assert all(len(picture.hands) == 1 for picture in freihand)
