"""TUM and EuRoC files of known content, and the real ones."""

import numpy as np
import pytest

from core.errors import BadInputError, StorageError
from slam.output.trajectory_files import nanoseconds, read_extrinsics, read_trajectory_file

TUM = "# timestamp tx ty tz qx qy qz qw\n12.25 1 2 3 0 0 0.6 0.8\n12.5 1 2 4 0 0 0 1\n"
EUROC = (
    "#timestamp, p_RS_R_x [m], …\n"
    "1403638519492829440,1,2,3,0.8,0,0,0.6,9,9\n"
    "1403638519497829376,1,2,4,1,0,0,0,9,9\n"
)


@pytest.fixture
def file(tmp_path):
    """Writes a file, gives its path."""

    def write(text):
        path = tmp_path / "truth.txt"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_tum_and_euroc_with_the_same_poses_read_the_same(file):
    tum = read_trajectory_file(file(TUM))
    assert (tum.layout, tum.timestamps_ns.tolist()) == ("tum", [12_250_000_000, 12_500_000_000])
    euroc = read_trajectory_file(file(EUROC))
    assert (euroc.layout, euroc.timestamps_ns[0]) == ("euroc", 1403638519492829440)
    expected = [[1, 2, 3, 0.8, 0, 0, 0.6], [1, 2, 4, 1, 0, 0, 0]]
    np.testing.assert_allclose(tum.world_from_body.to_pose7(), expected, atol=1e-12)
    np.testing.assert_allclose(euroc.world_from_body.to_pose7(), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("word", "seconds", "expected"),
    [
        ("1311868164.363181", True, 1311868164363181000),
        ("12", True, 12_000_000_000),
        ("1.5e0", True, 1_500_000_000),
        ("1403638519492829440.000000", True, 1403638519492829440),
        ("1403638519492829440", False, 1403638519492829440),
    ],
)
def test_times_keep_every_digit(word, seconds, expected):
    assert nanoseconds(word, seconds=seconds) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no poses"),
        ("1 2 3\n", "3 columns"),
        ("1,2,3,4\n", "Leica"),
        ("1 0 0 0 0 0 0 one\n", "not all numbers"),
        ("1 0 0 0 0 0 0 0.5\n", "line 1: quaternion of length 0.5"),
        ("2 0 0 0 0 0 0 1\n1 0 0 0 0 0 0 1\n", "line 2: time runs backwards by 1 s"),
        ("1 0 0 0 0 0 0 1\n2 0 0 0 0 0 0 1 7\n", "line 2: 9 columns"),
        ("1 0 0 nan 0 0 0 1\n", "line 1: .* is not all finite"),
        ("t x y z qx qy qz qw\n1 0 0 0 0 0 0 1\n", "line 1: .* header begins with #"),
        ("1305031102160.4 0 0 0 0 0 0 1\n", "line 1: time 1305031102160.4: tum has seconds"),
        ("1305031102.16,0,0,0,0,0,0,1\n", "time 1305031102.16: euroc has whole nanoseconds"),
    ],
)
def test_what_cannot_be_a_trajectory_is_refused_with_its_line(file, text, says):
    with pytest.raises(BadInputError, match=says):
        read_trajectory_file(file(text))


def test_rows_of_one_time_count_once(file):
    assert len(read_trajectory_file(file("1 0 0 0 0 0 0 1\n" * 2))) == 1


def test_a_forced_layout_is_obeyed(file):
    with pytest.raises(BadInputError, match="euroc has 8"):
        read_trajectory_file(file(TUM), layout="euroc")


def test_no_file():
    with pytest.raises(StorageError, match="cannot read"):
        read_trajectory_file("nowhere.txt")


def test_extrinsics_from_numbers_and_from_a_sensor_file(file):
    given = read_extrinsics("0.1,0,0,1,0,0,0")
    np.testing.assert_allclose(given.translation, [0.1, 0, 0])
    sensor = "T_BS:\n  cols: 4\n  data: [1.0, 0, 0, 0.1,\n 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]\n"
    np.testing.assert_allclose(read_extrinsics(file(sensor)).matrix(), given.matrix())
    with pytest.raises(BadInputError, match="no T_BS"):
        read_extrinsics(file("nothing"))


def test_the_real_files(recordings):
    euroc = recordings / "euroc_mh05_partA"
    truth = read_trajectory_file(str(euroc / "groundtruth.csv"))
    assert truth.layout == "euroc"
    assert np.median(np.diff(truth.timestamps_ns)) == pytest.approx(5e6, rel=1e-3)
    camera = read_extrinsics(str(euroc / "cam0_sensor.yaml"))
    np.testing.assert_allclose(camera.translation, [-0.0216, -0.0647, 0.0098], atol=1e-4)
    desk = read_trajectory_file(str(recordings / "traj_eval" / "fr2_desk_groundtruth.txt"))
    assert (desk.layout, desk.timestamps_ns[0]) == ("tum", 1311868163869700000)
