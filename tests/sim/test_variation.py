"""What can be asked for by name: every name works, is kept, and is refused when there is none."""

import numpy as np
import pytest

from core.errors import BadInputError
from sim.hand.grasp import HAND_SCALES, HumanHands
from sim.hand.mesh import build_hand_mesh
from sim.motion.manner import MANNERS as MANNER_TABLE
from sim.motion.plan import make_episode
from sim.robots.builds import BUILDS
from sim.robots.closed_loop import EpisodeSettings, lay_out
from sim.scene.model import ROOMS, SceneModel, random_look
from sim.scene.textures import GLOVE_TONES, skin_palette
from sim.tasks.clutter import PROPS
from sim.tasks.task import TASKS, make_task
from sim.truth.tables import SIDES
from sim.variation import GLOVES, MANNERS, SCENES, SLEEVES, TASK_CHOICES, Variation, chosen

OTHER_OBJECTS = [(n, o) for n, c in TASK_CHOICES.items() for o in c.objects[1:]]
OTHER_VARIANTS = [(n, v) for n, c in TASK_CHOICES.items() for v in c.variants[1:]]


def test_names_are_those_of_the_tables():
    assert set(TASK_CHOICES) == set(TASKS)
    assert set(SCENES) == set(ROOMS) == set(PROPS)
    assert set(MANNERS) == set(MANNER_TABLE)
    assert set(GLOVES) == {"none", *GLOVE_TONES}


@pytest.mark.parametrize(("name", "objects"), OTHER_OBJECTS)
@pytest.mark.parametrize("scale", HAND_SCALES)
def test_other_objects_are_other_things_and_can_be_taken(name, objects, scale):
    rng = np.random.default_rng(4)
    task = make_task(name, rng, variation=Variation(objects=objects))
    usual = {t.name for t in make_task(name, np.random.default_rng(4)).things if t.movable}
    if name != "free_play":
        assert {t.name for t in task.things if t.movable} != usual
    plan = make_episode(task, HumanHands(scale), rng=rng)
    for step in (s for side in SIDES for s in plan.steps[side] if s.kind == "grasp"):
        assert step.contact[0]
        assert step.contact[1:].any()


@pytest.mark.parametrize(("name", "variant"), OTHER_VARIANTS)
def test_variants_are_other_moves(name, variant):
    given = [
        make_task(name, np.random.default_rng(1), variation=Variation(task_variant=v))
        for v in (variant, None)
    ]
    texts = [[(m.arm, m.text) for m in task.moves] for task in given]
    assert texts[0] != texts[1]
    assert given[0].text != given[1].text


def test_packed_eggs_are_not_sorted():
    packed = make_task(
        "sort_eggs", np.random.default_rng(0), variation=Variation(task_variant="pack")
    )
    into_left = {m.thing.split("_")[0] for m in packed.moves if "left carton" in m.text}
    assert into_left == {"white", "brown"}
    assert sum("left carton" in m.text for m in packed.moves) == 6
    assert not any(colour in m.text for m in packed.moves for colour in ("white", "brown"))


def test_a_look_keeps_what_is_asked_for_and_draws_the_rest_alike():
    free = random_look(np.random.default_rng(3))
    asked = Variation(scene="kitchen", sleeve="none", gloves="nitrile")
    look = random_look(np.random.default_rng(3), asked)
    assert (look.scene, look.sleeve, look.gloves) == ("kitchen", "none", "nitrile")
    assert (look.seed, look.skin_tone, look.brightness) == (
        free.seed,
        free.skin_tone,
        free.brightness,
    )
    many = [random_look(np.random.default_rng(k)) for k in range(60)]
    assert {x.scene for x in many} == set(SCENES)
    assert {x.sleeve for x in many} == set(SLEEVES)


@pytest.mark.usefixtures("can_draw")
@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_can_be_built(scene):
    look = random_look(np.random.default_rng(1), Variation(scene=scene))
    task = make_task("dresser", np.random.default_rng(1), scene=scene)
    model = SceneModel(look, things=task.things).model
    assert model.ngeom > len(task.things)


def test_arms_are_bare_where_there_is_no_sleeve():
    meshes = {s: build_hand_mesh("left", voxel_m=0.004, sleeve=s) for s in SLEEVES}
    cloth = {s: (m.uv[:, 1] > 0.85) for s, m in meshes.items()}
    assert not cloth["none"].any()
    behind = {s: meshes[s].vertices[cloth[s], 0].max() for s in ("long", "short")}
    assert behind["short"] < behind["long"] - 0.1
    for mesh in meshes.values():
        assert mesh.vertices[:, 0].min() < -0.35  # the arm reaches out of the picture
        np.testing.assert_allclose(mesh.weights.sum(1), 1.0, atol=1e-9)
        assert mesh.faces.max() == len(mesh.vertices) - 1


def test_gloves_cover_the_hand_and_not_the_arm():
    bare = skin_palette(np.random.default_rng(0), 2)
    gloved = skin_palette(np.random.default_rng(0), 2, gloves="nitrile")
    rows = (np.array([0.10, 0.35, 0.60, 0.75, 0.92]) * len(bare)).astype(int)
    same = [np.array_equal(bare[r], gloved[r]) for r in rows]
    assert same == [False, False, False, True, True]


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Variation(scene="moon"), "kitchen"),
        (lambda: Variation(manner="drunk"), "clumsy"),
        (lambda: Variation(gloves="boxing"), "nitrile"),
        (lambda: chosen("sort_eggs", Variation(task_variant="fry")), "pack"),
        (lambda: chosen("bus_table", Variation(objects="lego")), "kitchen_tools"),
    ],
)
def test_unknown_names_list_the_choices(make, word):
    with pytest.raises(BadInputError, match=word):
        make()


@pytest.mark.usefixtures("can_draw")
def test_robots_take_the_same_names():
    asked = Variation(objects="kitchen_tools", task_variant="dishes", scene="workshop")
    settings = EpisodeSettings("bus_table", "alder", (4, 1), variation=asked)
    stage = lay_out(settings, BUILDS["alder"])
    assert stage.look.scene == "workshop"
    assert {m.thing for m in stage.task.moves} == {"measuring_cup", "whisk", "spatula", "ladle"}
    usual = lay_out(EpisodeSettings("bus_table", "alder", (4, 1)), BUILDS["alder"])
    assert len(usual.task.moves) == 9
