"""Camera models against OpenCV, against Aria's published formula, and against their own
inverses.
"""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInputError
from core.geometry import radial
from core.geometry.cameras import (
    Fisheye624,
    KannalaBrandt,
    PinholeRadtan,
    camera_from_dict,
    pinhole,
    pinhole_from_fov,
    turn_rotation,
    undistort_maps,
)
from core.geometry.rotations import matrix_from_rotvec

EUROC = PinholeRadtan(
    params=(
        458.654,
        457.296,
        367.215,
        248.375,
        -0.28340811,
        0.07395907,
        0.00019359,
        1.76187114e-05,
    ),
    size_wh=(752, 480),
)
SIX = PinholeRadtan(
    params=(500, 510, 320, 240, 0.12, -0.2, 0.001, -0.002, 0.05), size_wh=(640, 480)
)
KB = KannalaBrandt(
    params=(285.0, 286.0, 424.5, 400.1, -0.012, 0.05, -0.048, 0.009), size_wh=(848, 800)
)
ARIA = Fisheye624(  # an Aria RGB camera's order of magnitude
    params=(
        *(610.9, 709.3, 707.2),
        *(0.3899, -0.4215, -0.0869, 0.5204, -0.3737, 0.0796),
        *(5.6e-4, -1.5e-3, -2.2e-3, 3.3e-4, -4.7e-4, -9.9e-5),
    ),
    size_wh=(1408, 1408),
)
CAMERAS = [EUROC, SIX, KB, ARIA, pinhole(700, (1920, 1080))]
by_model = pytest.mark.parametrize("camera", CAMERAS, ids=lambda c: f"{c.model}-{c.size_wh[0]}")


def picture_pixels(camera, step=7):
    v, u = np.mgrid[0 : camera.size_wh[1] : step, 0 : camera.size_wh[0] : step]
    return np.stack([u, v], axis=-1).astype(float)


def cone(half_angle_deg, n=4000):
    rng = np.random.default_rng(4)
    angle = np.radians(rng.uniform(0, half_angle_deg, n))
    turn = rng.uniform(-np.pi, np.pi, n)
    rays = np.stack([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)], -1)
    return rays * rng.uniform(0.1, 5, n)[:, None]


@pytest.mark.parametrize("camera", [EUROC, SIX], ids=["euroc", "k3"])
def test_radtan_is_opencv(camera):
    points = cone(30)
    expected, _ = cv2.projectPoints(
        points, np.zeros(3), np.zeros(3), camera.matrix, camera.distortion
    )
    uv, valid = camera.project(points)
    assert valid.all()
    np.testing.assert_allclose(uv, expected[:, 0], atol=1e-9)


def test_kannala_brandt_is_opencv():
    points = cone(85)
    fx, fy, cx, cy, *k = KB.params
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    expected, _ = cv2.fisheye.projectPoints(
        points[:, None], np.zeros(3), np.zeros(3), matrix, np.array(k)
    )
    uv, valid = KB.project(points)
    assert valid.all()
    np.testing.assert_allclose(uv, expected[:, 0], atol=1e-9)


def aria_formula(params, point):
    """projectaria-tools' FISHEYE624, one point, written out from its documentation."""
    f, cu, cv, *k = params[:9]
    p0, p1, s0, s1, s2, s3 = params[9:]
    a, b = point[0] / point[2], point[1] / point[2]
    r = np.hypot(a, b)
    theta = np.arctan(r)
    theta_d = theta * (1 + sum(ki * theta ** (2 * i + 2) for i, ki in enumerate(k)))
    u, v = theta_d * a / r, theta_d * b / r
    rd2 = u * u + v * v
    x = u + 2 * u * v * p1 + p0 * (rd2 + 2 * u * u) + s0 * rd2 + s1 * rd2**2
    y = v + 2 * u * v * p0 + p1 * (rd2 + 2 * v * v) + s2 * rd2 + s3 * rd2**2
    return f * x + cu, f * y + cv


def test_fisheye624_is_arias_formula():
    points = cone(60, n=200)
    uv, valid = ARIA.project(points)
    assert valid.all()
    expected = np.array([aria_formula(ARIA.params, p) for p in points])
    np.testing.assert_allclose(uv, expected, atol=1e-9)


def test_fisheye624_gives_projectaria_tools_numbers():
    """Printed by projectaria-tools 2.3.0 (project_no_checks) for these params and points."""
    uv, _ = ARIA.project([[0.1, -0.2, 1.0], [-0.9, 0.4, 0.8], [1.2, 1.1, 0.9]])
    theirs = [
        [770.469519886, 584.701010711],
        [159.509742144, 949.977014271],
        [1236.61118009, 1189.70784811],
    ]
    np.testing.assert_allclose(uv, theirs, atol=1e-7)


@by_model
def test_every_pixel_comes_back(camera):
    pixels = picture_pixels(camera)
    rays, valid = camera.unproject(pixels)
    assert valid.mean() > 0.85  # the corners of a round picture have no ray
    np.testing.assert_allclose(np.linalg.norm(rays[valid], axis=-1), 1, atol=1e-12)
    back, seen = camera.project(rays[valid] * 3.7)
    assert seen.all()
    assert np.abs(back - pixels[valid]).max() < 1e-6


@by_model
def test_the_axis_is_the_principal_point(camera):
    uv, valid = camera.project([0.0, 0.0, 2.0])
    assert valid
    at = slice(1, 3) if camera.model == "fisheye624" else slice(2, 4)
    np.testing.assert_allclose(uv, camera.params[at], atol=1e-12)
    ray, _ = camera.unproject(uv)
    np.testing.assert_allclose(ray, [0, 0, 1], atol=1e-12)


@by_model
def test_points_behind_and_nowhere_are_masked(camera):
    uv, valid = camera.project([[0, 0, -1.0], [0, 0, 0], [np.nan, 0, 1]])
    assert not valid.any()
    assert np.isnan(uv).all()
    rays, valid = camera.unproject([[np.nan, 3.0], [1e9, 0.0]])
    assert not valid[0]
    assert np.isnan(rays[0]).all()


def test_points_beyond_the_lens_polynomial_do_not_fold_back():
    """k1 = -0.3 alone turns back at r = 1 / sqrt(0.9): beyond, a pixel has no ray."""
    barrel = PinholeRadtan(params=(400, 400, 320, 240, -0.3, 0, 0, 0), size_wh=(640, 480))
    limit = 1 / np.sqrt(0.9)
    assert barrel.project([limit * 0.999, 0, 1.0])[1]
    assert not barrel.project([limit * 1.001, 0, 1.0])[1]
    edge_px = 320 + 400 * limit * (1 - 0.3 * limit**2)
    assert barrel.unproject([edge_px - 0.01, 240.0])[1]
    assert not barrel.unproject([edge_px + 0.01, 240.0])[1]


def test_a_fisheye_sees_behind_itself():
    wide = KannalaBrandt(params=(200, 200, 400, 400, 0, 0, 0, 0), size_wh=(800, 800))
    uv, valid = wide.project([1.0, 0.0, -0.2])
    assert valid
    assert uv[0] == pytest.approx(400 + 200 * np.arctan2(1, -0.2))
    ray, valid = wide.unproject(uv)
    assert valid
    np.testing.assert_allclose(ray, np.array([1, 0, -0.2]) / np.sqrt(1.04), atol=1e-12)


@given(
    st.lists(st.floats(-0.3, 0.3), min_size=0, max_size=6),
    st.lists(st.floats(0, 1), min_size=1, max_size=20),
)
def test_radial_inverse_is_exact_below_its_limit(coefficients, parts):
    limit = radial.rising_limit(coefficients, cap=2.5)
    r = np.array(parts) * limit * 0.999
    values, slope = radial.evaluate(r, coefficients)
    assert (slope > 0).all()
    back = radial.evaluate(radial.invert(values, coefficients, limit=limit), coefficients)[0]
    np.testing.assert_allclose(back, values, atol=1e-13)
    top = radial.evaluate(np.array(limit), coefficients)[0]
    assert np.isnan(
        radial.invert(np.array([top * 1.001 + 1e-9, -1.0]), coefficients, limit=limit)
    ).all()


@by_model
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_turned_camera_sees_the_turned_picture(camera, degrees):
    points = cone(25, n=100)
    uv, _ = camera.project(points)
    turned = camera.rotated(degrees)
    seen, valid = turned.project(points @ turn_rotation(degrees).T)
    assert valid.all()
    width, height = camera.size_wh
    u, v = uv.T
    expected = {
        0: (u, v),
        90: (height - 1 - v, u),
        180: (width - 1 - u, height - 1 - v),
        270: (v, width - 1 - u),
    }
    np.testing.assert_allclose(seen, np.stack(expected[degrees], -1), atol=1e-9)
    assert turned.size_wh == ((width, height) if degrees % 180 == 0 else (height, width))


def test_turning_is_what_numpy_does_to_the_picture():
    """rot90 with k = -1 is clockwise: the pixel (u, v) = (2, 0) of a 4 by 3 picture lands at (2,
    2).
    """
    picture = np.zeros((3, 4), dtype=int)
    picture[0, 2] = 1
    row, column = np.argwhere(np.rot90(picture, -1))[0]
    camera = pinhole(10, (4, 3))
    ray, _ = camera.unproject([2.0, 0.0])
    uv, _ = camera.rotated(90).project(turn_rotation(90) @ ray)
    np.testing.assert_allclose(uv, [column, row], atol=1e-12)


@by_model
def test_scaling_keeps_rays_and_pixel_edges(camera):
    half = camera.scaled((camera.size_wh[0] // 2, camera.size_wh[1] // 2))
    points = cone(25, n=50)
    big, small = camera.project(points)[0], half.project(points)[0]
    np.testing.assert_allclose((small + 0.5) * 2, big + 0.5, atol=1e-9)
    assert half.focal_px == pytest.approx(camera.focal_px / 2)


def test_undistort_maps_are_opencvs():
    target = pinhole(400, (320, 240))
    ours = undistort_maps(EUROC, target)
    theirs = cv2.initUndistortRectifyMap(
        EUROC.matrix, EUROC.distortion, np.eye(3), target.matrix, (320, 240), cv2.CV_32FC1
    )
    np.testing.assert_allclose(np.stack(ours), np.stack(theirs), atol=1e-3)


def test_undistort_maps_leave_the_unseen_outside():
    narrow = PinholeRadtan(params=(400, 400, 320, 240, -0.3, 0, 0, 0), size_wh=(640, 480))
    map_x, _ = undistort_maps(narrow, pinhole_from_fov(120, (64, 48)))
    assert map_x[24, 0] == -2
    assert map_x[24, 32] > 0


def test_field_of_view_is_edge_to_edge():
    camera = pinhole_from_fov(90, (640, 480))
    assert camera.focal_px == pytest.approx(320)
    ray, _ = camera.unproject([-0.5, 239.5])
    np.testing.assert_allclose(ray, np.array([-1, 0, 1]) / np.sqrt(2), atol=1e-12)
    assert camera.in_image([[-0.5, 0], [-0.6, 0], [639.5, 479.5], [0, 480]]).tolist() == [
        *(True, False, True, False)
    ]


@by_model
def test_cameras_round_trip_through_their_dictionary(camera):
    assert camera_from_dict(camera.to_dict()) == camera


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": "pinhole_radtan", "params": [1]}, "size_wh missing"),
        ({"model": "ds", "params": [1], "size_wh": [4, 4]}, "'ds': expected one of pinhole_radtan"),
        ({"model": "kannala_brandt", "params": [1, 2], "size_wh": [4, 4]}, "2 params; expected 8"),
        ({"model": "kannala_brandt", "params": [0] * 8, "size_wh": [4, 4]}, "focal length 0 px"),
        ({"model": "pinhole_radtan", "params": [9] * 8, "size_wh": [0, 4]}, r"size_wh \(0, 4\)"),
        ({"model": "pinhole_radtan", "params": ["a"], "size_wh": [4, 4]}, "list of numbers"),
        ({"model": "pinhole_radtan", "params": [np.nan] * 8, "size_wh": [4, 4]}, "not all finite"),
    ],
)
def test_bad_cameras_are_refused_by_name(fields, message):
    with pytest.raises(BadInputError, match=message):
        camera_from_dict(fields)


def test_an_aria_picture_cannot_be_squeezed():
    with pytest.raises(BadInputError, match="aspect"):
        ARIA.scaled((704, 1408))


@pytest.mark.parametrize("degrees", [45, -90])
def test_only_quarter_turns(degrees):
    with pytest.raises(BadInputError, match="0, 90, 180 or 270"):
        KB.rotated(degrees)


def test_turns_are_rotations_about_the_view_axis():
    np.testing.assert_array_equal(turn_rotation(90) @ [1, 2, 3], [-2, 1, 3])
    quarter = matrix_from_rotvec([0, 0, -np.pi / 2])
    np.testing.assert_allclose(turn_rotation(270), quarter, atol=1e-12)


@by_model
def test_a_longer_lens_spreads_the_same_rays(camera):
    centre, _ = camera.project([0.0, 0.0, 1.0])
    pixels = picture_pixels(camera, step=97)
    rays, seen = camera.unproject(pixels)
    there, _ = camera.refocused(1.1).project(rays)
    np.testing.assert_allclose(there[seen], (centre + 1.1 * (pixels - centre))[seen], atol=1e-4)
