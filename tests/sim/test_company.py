"""Faces that a face detector finds, screens, and boxes where they are."""

import cv2
import numpy as np
import pytest

from core.errors import BadInputError
from core.geometry.rotations import quat_wxyz_from_matrix
from core.geometry.se3 import SE3
from core.session.storage import SessionFolder
from core.session.tables import Redactions
from sim.motion.head import look_at
from sim.record import perform, write_truth
from sim.rig import find_preset, find_rig
from sim.scene.company import EYES_M, invite
from sim.scene.model import CameraMount, SceneModel, random_look
from sim.scene.render import Renderer
from sim.sensors.lens import Lens


@pytest.mark.usefixtures("can_draw")
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_face_detector_finds_the_bystanders_in_their_boxes(seed):
    lens = Lens(find_rig("head").head.camera())
    company = invite(2, 1, seed=seed)
    scene = SceneModel(
        random_look(np.random.default_rng(seed)), things=(), cameras=[CameraMount("head", 1.0)],
        extra=company.body_xml(), pictures=company.pictures(), image_wh=lens.atlas_wh,
    )  # fmt: skip
    eye = EYES_M + np.array([0.15, 0.0, 0.0])
    rotation = look_at(eye[None], np.array([[0.9, 0.0, 0.2]]))
    scene.place("head_camera", eye, quat_wxyz_from_matrix(rotation[0]))
    scene.settle()
    with Renderer(scene, lens.atlas_wh) as renderer:
        picture = lens.expose(renderer.draw_views("head", lens.views), np.zeros(3))
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")
    found = cascade.detectMultiScale(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), 1.05, 3)
    middles = np.array([[x + w / 2, y + h / 2] for x, y, w, h in found])
    boxes = company.boxes(lens.camera, SE3(rotation, eye[None]))
    faces = [box for _, member, box in boxes if company.members[member].kind == "face"]
    assert len(faces) == 2
    for box in faces:
        assert ((middles > box[:2]) & (middles < box[2:])).all(1).any()
    kinds = [company.members[member].kind for _, member, _ in boxes]
    assert kinds.count("screen") == 1


def test_truth_has_the_boxes_in_the_redactions_own_table(tmp_path):
    show = perform(
        "blocks_to_tray", seconds=4.0, seed=1, rig=find_rig("fisheye-head"),
        preset=find_preset("clean"), company=invite(2, 1, seed=1),
    )  # fmt: skip
    write_truth(SessionFolder(str(tmp_path)), show)
    table = Redactions.read(SessionFolder(str(tmp_path)), "truth")
    assert set(table.kind) == {"face", "screen"}
    assert table.frame_index.max() < len(show.times["head"])
    sizes = table.box_xyxy_px[:, 2:] - table.box_xyxy_px[:, :2]
    assert sizes.min() >= 8
    assert (table.box_xyxy_px.max(0) <= [639, 479, 639, 479]).all()


def test_there_is_room_for_three():
    with pytest.raises(BadInputError, match="bystanders is 4"):
        invite(4, 0, seed=0)
