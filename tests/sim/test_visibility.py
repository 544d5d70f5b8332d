"""What the truth says hides a landmark is what the picture shows there."""

import numpy as np
import pytest

from sim.record import perform
from sim.rig import find_preset, find_rig
from sim.scene.choreography import Choreography
from sim.scene.model import CameraMount
from sim.scene.render import Renderer, load_mujoco
from sim.truth.tables import FLAT_M, SIDES
from sim.truth.visibility import OTHER_ARM, OTHER_HAND, OUTSIDE, OWN_ARM, SELF, occluders
from sim.variation import Variation

WH, FOV_Y = (640, 480), float(2 * np.arctan(240.0 / 320.0))


@pytest.mark.usefixtures("can_draw")
@pytest.mark.parametrize(("task", "sleeve"), [("free_play", "long"), ("sort_eggs", "none")])
def test_what_hides_a_landmark_is_drawn_there(task, sleeve):
    asked = Variation(manner="steady", sleeve=sleeve)
    rig, preset = find_rig("head"), find_preset("clean")
    show = perform(task, seconds=30.0, seed=3, rig=rig, preset=preset, variation=asked)
    steps = [s for side in SIDES for s in show.human.plan.steps[side]]
    crossings = [s.end_s for s in steps if s.kind == "gesture" and s.end_s < 29.0]
    at = np.sort([*np.linspace(1.0, 29.0, 150), *crossings])
    states = {side: show.human.hand(side, at) for side in SIDES}
    head = show.human.head.pose(at)
    things = [
        (t, show.human.thing(t.name, at) if t.movable else t.desk_from_thing())
        for t in show.task.things
        if t.half[2] > FLAT_M
    ]
    hidden_of = {
        side: occluders(
            show.rig.head.camera(), head, (states[side], states[other]),
            scale=show.human.scale, things=things, sleeve=show.human.sleeve,
        )
        for side, other in (SIDES, SIDES[::-1])
    }  # fmt: skip
    stage = Choreography(
        show.human, show.task, show.look, mounts=[CameraMount("head", FOV_Y)], image_wh=WH
    )
    mujoco, model = load_mujoco(), stage.scene.model
    skins = {model.skin(f"{s}_hand").id: s for s in SIDES}
    position, quat = stage.frames(at)
    right = {"seen": 0, "hand": 0, "thing": 0}
    total = dict.fromkeys(right, 0)
    with Renderer(stage.scene, WH) as renderer:
        for i in range(len(at)):
            stage.show(position[i], quat[i])
            picture = renderer.segment("head")
            for side, other in (SIDES, SIDES[::-1]):
                hidden = hidden_of[side][i]
                local = head[i].inverse().apply(states[side].landmarks_in_desk[i])
                uv = 320.0 * local[:, :2] / local[:, 2:] + [319.5, 239.5]
                for (u, v), name in zip(np.round(uv).astype(int), hidden, strict=True):
                    if name in {OUTSIDE, SELF} or not (0 <= u < WH[0] and 0 <= v < WH[1]):
                        continue
                    what, kind = picture[v, u]
                    skin = skins.get(int(what)) if kind == int(mujoco.mjtObj.mjOBJ_SKIN) else None
                    if name is None:
                        group, good = "seen", skin == side
                    elif name in {OTHER_HAND, OTHER_ARM}:
                        group, good = "hand", skin == other
                    elif name == OWN_ARM:
                        continue  # drawn with the hand's own skin
                    else:
                        body = int(model.geom_bodyid[what]) if skin is None else -1
                        group, good = "thing", body >= 0 and model.body(body).name == name
                    total[group] += 1
                    right[group] += bool(good)
    assert total["seen"] > 300
    assert right["seen"] / total["seen"] > 0.96
    assert total["thing"] > 6
    assert right["thing"] / total["thing"] > 0.6
    if task == "free_play":
        assert total["hand"] > 4
        assert right["hand"] / total["hand"] > 0.75
