"""A user's MANO regressor: results files, and a small random network in place of a large one."""

import numpy as np
import pytest

from core.errors import BadInputError, MissingExtraError
from core.session.stage import NO_PROGRESS
from core.session.tables import Hands
from hands.config import HandsConfig
from hands.sources.mano_network import cut, in_picture, load_network, square_of
from hands.sources.mano_results import joints_of_vertices, read_results
from hands.stage import HANDS

PLACES = {"left": [-0.1, 0.05, 0.5], "right": [0.1, 0.05, 0.5]}


@pytest.fixture
def two_hands(tmp_path, make_session, blank, camera, hand, length_mm):
    """A session without detections and the arrays of a perfect results file."""
    folder = make_session(
        tmp_path / "test-session",
        blank(20, camera.size_wh),
        camera=camera,
        hand_length_mm=length_mm,
    )
    known = {side: hand(side, position=np.tile(p, (20, 1))) for side, p in PLACES.items()}
    arrays = {
        "frame": np.tile(np.arange(20), 2),
        "right": np.repeat([0, 1], 20),
        "joints": np.concatenate([k.joints for k in known.values()]),
        "joints_px": np.concatenate([camera.project(k.joints)[0] for k in known.values()]),
    }
    return folder, arrays, known


def write_results(folder, arrays):
    np.savez(folder.local_path("raw") / "mano.npz", **arrays)
    return HandsConfig(source="mano", source_path="raw/mano.npz")


def test_results_become_the_hands_they_describe(two_hands):
    folder, arrays, known = two_hands
    config = write_results(folder, arrays)
    assert "raw/mano.npz" in HANDS.inputs(folder, config)
    HANDS.run(folder, config, NO_PROGRESS)
    hands = Hands.read(folder)
    assert set(hands.source) == {"mano"}
    assert set(hands.state) == {"measured"}
    for k, side in enumerate(PLACES):
        wrist = hands.landmarks_in_head[k::2, :3]
        np.testing.assert_allclose(wrist, np.tile(PLACES[side], (20, 1)), atol=0.008)
        tip = hands.landmarks_in_head[k::2, 12:15]
        np.testing.assert_allclose(tip, known[side].joints[:, 4], atol=0.01)


def test_wrong_results_are_named(two_hands, tmp_path):
    folder, arrays, _ = two_hands
    cases = (
        ({**arrays, "frame": arrays["frame"] + 5}, "names picture 20"),
        ({k: v for k, v in arrays.items() if k != "joints_px"}, "no 'joints_px'"),
        ({**arrays, "joints": arrays["joints"][:, :20]}, r"expected \(40, 21, 3\)"),
        ({**arrays, "joints": arrays["joints"] * np.nan}, "not finite"),
        ({**arrays, "frame": np.array([{}] * 40, dtype=object)}, "plain numbers only"),
        ({k: v for k, v in arrays.items() if k != "joints"}, "no 'vertices'"),
    )
    for given, message in cases:
        config = write_results(folder, given)
        with pytest.raises(BadInputError, match=message):
            HANDS.run(folder, config, NO_PROGRESS)
    for name in ("hamer.ckpt", "wilor.pkl"):
        with pytest.raises(BadInputError, match="pickles"):
            HANDS.inputs(folder, HandsConfig(source="mano", source_path=name))
    with pytest.raises(BadInputError, match="no such file"):
        HANDS.outside(folder, HandsConfig(source="mano", source_path=str(tmp_path / "no.pt2")))


def test_joints_of_a_mesh_are_regressed_and_picked(tmp_path):
    rng = np.random.default_rng(3)
    vertices = rng.normal(0.0, 0.05, (2, 778, 3))
    regressor = np.zeros((16, 778))
    regressor[np.arange(16), np.arange(16) * 7] = 1.0  # MANO's joint k is vertex 7 k
    joints = joints_of_vertices(vertices, regressor)
    np.testing.assert_array_equal(joints[:, 0], vertices[:, 0])
    np.testing.assert_array_equal(joints[:, 1:4], vertices[:, [91, 98, 105]])  # 13 … 15: thumb
    np.testing.assert_array_equal(joints[:, 17:20], vertices[:, [49, 56, 63]])  # 7 … 9: little
    np.testing.assert_array_equal(joints[:, 8], vertices[:, 320])
    path = tmp_path / "mano.npz"
    np.savez(
        path, frame=[0, 1], right=[1, 1], joints_px=np.zeros((2, 21, 2)), vertices=vertices,
        J_regressor=regressor,
    )  # fmt: skip
    found = read_results(path)
    np.testing.assert_allclose(found.joints, joints - joints.mean(axis=1, keepdims=True))
    assert (found.left < 0.1).all()


def test_a_crop_and_its_way_back_agree_on_both_sides():
    """What lies at a pixel of the crop is where the weak-perspective camera puts it."""
    image = np.zeros((200, 300, 3), dtype=np.uint8)
    image[98:103, 178:183] = 255
    centre, side = square_of(np.array([[130.0, 80.0], [170.0, 110.0]]))
    assert (centre.tolist(), side) == ([150.0, 95.0], 80.0)
    for left in (False, True):
        crop = cut(image, centre, side=side, left=left)
        bright = np.argwhere(crop[0] > 0)
        y, x = bright.mean(axis=0)
        share = (np.array([x, y]) - 127.5) / 256
        camera = np.array([1.0, 0.0, 0.0])
        joints = np.zeros((21, 3))
        joints[:, :2] = share * 256 / 5000 * (2 * 5000 / 256)  # unprojected at its depth
        px, _ = in_picture(joints, camera, centre=centre, side=side, left=left)
        np.testing.assert_allclose(px[0], [180.0, 100.0], atol=0.5)


@pytest.fixture
def network(tmp_path):
    """A small random regressor, exported as a user would."""
    torch = pytest.importorskip("torch")

    class Small(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.see = torch.nn.Conv2d(3, 4, 32, 32)
            self.tell = torch.nn.Linear(4, 66)

        def forward(self, crop):
            told = self.tell(self.see(crop).mean((2, 3)))
            camera = torch.cat([told[:, 63:64] ** 2 + 0.8, 0.01 * told[:, 64:]], dim=1)
            return 0.05 * told[:, :63].reshape(-1, 21, 3), camera

    torch.manual_seed(0)
    path = tmp_path / "small.pt2"
    torch.export.save(torch.export.export(Small().eval(), (torch.zeros(1, 3, 256, 256),)), path)
    return path


def test_a_network_is_run_on_the_hands_that_were_found(
    two_hands, network, camera, merge, write_detections
):
    folder, _, known = two_hands
    write_detections(folder, merge(*(k.seen_by(camera) for k in known.values())))
    config = HandsConfig(source="mano", source_path=str(network), contact_sheet=False)
    assert set(HANDS.outside(folder, config)) == {"MANO network"}
    assert str(network) not in HANDS.inputs(folder, config)
    HANDS.run(folder, config, NO_PROGRESS)
    assert set(Hands.read(folder).source) == {"mano"}
    model = load_network(network)
    image = np.random.default_rng(0).integers(0, 255, (256, 256, 3), dtype=np.uint8)
    centre = np.array([127.5, 127.5])
    right, points = model.hand(image, centre, side=256.0, left=False)
    left, mirrored = model.hand(image[:, ::-1].copy(), centre, side=256.0, left=True)
    np.testing.assert_allclose(left, right * [-1, 1] + [255, 0], atol=1e-3)
    np.testing.assert_allclose(mirrored, points * [-1, 1, 1], atol=1e-6)


def test_what_is_no_network_is_refused(tmp_path, network, monkeypatch):
    torch = pytest.importorskip("torch")
    other = tmp_path / "other.pt2"
    other.write_bytes(b"weights")
    with pytest.raises(BadInputError, match="not a network"):
        load_network(other)
    plain = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 256 * 256, 2)).eval()
    torch.export.save(torch.export.export(plain, (torch.zeros(1, 3, 256, 256),)), other)
    with pytest.raises(BadInputError, match="is needed"):
        load_network(other).hand(
            np.zeros((64, 64, 3), dtype=np.uint8), np.zeros(2), side=64.0, left=False
        )
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"handoff-ego\[train\]"):
        load_network(network)
