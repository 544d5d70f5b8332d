"""EuRoC and 7-Scenes recordings in memory, and what can be done to them that stays true physics.

A variation changes pictures, inertial samples, calibration and truth together, so that it is again
a recording that a camera could have made. Each gives a new take.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from benchmarks.euroc import IMU_HEADER, body_from_head, camera_numbers
from core.geometry.arrays import Floats, Ints
from core.geometry.cameras import Camera, pinhole
from core.geometry.rotations import matrix_from_quat_wxyz, quat_wxyz_from_matrix

IMU_AHEAD_NS = 100_000_000  # of inertial samples kept before the first and after the last picture
MIRROR = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class EurocTake:
    """pictures ``(F,H,W)`` uint8, times_ns ``(F,)``.   imu_ns ``(M,)``, gyro, accel ``(M,3)``.

    truth_ns ``(G,)``, truth ``(G,7)``: world_from_body, xyz and quaternion wxyz; the body is the
    IMU.   intrinsics: fx fy cx cy, distortion: k1 k2 p1 p2.   body_from_camera ``(4,4)``.
    imu_yaml: the sensor's file.
    """

    pictures: Any
    times_ns: Ints
    imu_ns: Ints
    gyro: Floats
    accel: Floats
    truth_ns: Ints
    truth: Floats
    intrinsics: Floats
    distortion: Floats
    body_from_camera: Floats
    imu_yaml: str

    def between(self, start_s: float, end_s: float | None) -> "EurocTake":
        """Cut, IMU included. Negative: from the end."""
        length_s = (self.times_ns[-1] - self.times_ns[0]) * 1e-9
        start_s = start_s + length_s if start_s < 0 else start_s
        seconds = (self.times_ns - self.times_ns[0]) * 1e-9
        keep = (seconds >= start_s) & (seconds <= (length_s if end_s is None else end_s) + 1e-6)
        times = self.times_ns[keep]
        near = (self.imu_ns >= times[0] - IMU_AHEAD_NS) & (self.imu_ns <= times[-1] + IMU_AHEAD_NS)
        return replace(
            self,
            pictures=self.pictures[keep],
            times_ns=times,
            imu_ns=self.imu_ns[near],
            gyro=self.gyro[near],
            accel=self.accel[near],
        )

    def backward(self) -> "EurocTake":
        """Time reversed: turns and speeds change sign, accelerations do not."""
        total = self.times_ns[0] + self.times_ns[-1]
        return replace(
            self,
            pictures=self.pictures[::-1],
            times_ns=total - self.times_ns[::-1],
            imu_ns=total - self.imu_ns[::-1],
            gyro=-self.gyro[::-1],
            accel=self.accel[::-1],
            truth_ns=total - self.truth_ns[::-1],
            truth=self.truth[::-1],
        )

    def mirrored(self) -> "EurocTake":
        """The world in a mirror: x of world, body and camera change sign, turns about y and z."""
        fx, fy, cx, cy = self.intrinsics
        rotation = MIRROR @ matrix_from_quat_wxyz(self.truth[:, 3:]) @ MIRROR
        placed = self.body_from_camera.copy()
        placed[:3, :3] = MIRROR @ placed[:3, :3] @ MIRROR
        placed[:3, 3] = MIRROR @ placed[:3, 3]
        return replace(
            self,
            pictures=self.pictures[:, :, ::-1],
            gyro=-self.gyro @ MIRROR,
            accel=self.accel @ MIRROR,
            truth=np.concatenate(
                [self.truth[:, :3] @ MIRROR, quat_wxyz_from_matrix(rotation)], axis=1
            ),
            intrinsics=np.array([fx, fy, self.pictures.shape[2] - 1 - cx, cy]),
            distortion=self.distortion * [1, 1, 1, -1],
            body_from_camera=placed,
        )

    def upside_down(self) -> "EurocTake":
        """The camera mounted turned by half a turn about its axis."""
        fx, fy, cx, cy = self.intrinsics
        height, width = self.pictures.shape[1:]
        return replace(
            self,
            pictures=self.pictures[:, ::-1, ::-1],
            intrinsics=np.array([fx, fy, width - 1 - cx, height - 1 - cy]),
            distortion=self.distortion * [1, 1, -1, -1],
            body_from_camera=self.body_from_camera @ np.diag([-1.0, -1, 1, 1]),
        )

    def every(self, step: int) -> "EurocTake":
        """Fewer pictures a second."""
        return replace(self, pictures=self.pictures[::step], times_ns=self.times_ns[::step])

    def half_size(self) -> "EurocTake":
        """Pictures of half the width and height."""
        small = np.stack([_halved(p) for p in self.pictures])
        return replace(self, pictures=small, intrinsics=_halved_intrinsics(self.intrinsics))

    def relit(self, gain_and_gamma: Callable[[float], tuple[float, float]]) -> "EurocTake":
        """Other light; the function's argument runs from 0 to 1 through the take."""
        parts = np.linspace(0, 1, len(self.pictures))
        return self._each(lambda row, p: _lit(p, *gain_and_gamma(float(parts[row]))))

    def noisy(self, sigma: float, seed: int = 1) -> "EurocTake":
        """White noise of so many grey levels."""
        return self._each(lambda row, p: _noisy(p, sigma, np.random.default_rng([seed, row])))

    def black(self, start_s: float, end_s: float) -> "EurocTake":
        """Nothing to see between two times: a covered lens."""
        seconds = (self.times_ns - self.times_ns[0]) * 1e-9
        hidden = (seconds >= start_s) & (seconds < end_s)
        return self._each(lambda row, p: np.full_like(p, 16) if hidden[row] else p)

    def without(self, start_s: float, end_s: float) -> "EurocTake":
        """Pictures of this time lost."""
        seconds = (self.times_ns - self.times_ns[0]) * 1e-9
        keep = (seconds < start_s) | (seconds >= end_s)
        return replace(self, pictures=self.pictures[keep], times_ns=self.times_ns[keep])

    def noisy_imu(self, *, gyro: float, accel: float, seed: int = 1) -> "EurocTake":
        """White noise of every sample added: rad/s, m/s². The calibration does not know of it."""
        random = np.random.default_rng(seed)
        return replace(
            self,
            gyro=self.gyro + gyro * random.standard_normal(self.gyro.shape),
            accel=self.accel + accel * random.standard_normal(self.accel.shape),
        )

    def biased(self, *, gyro: Sequence[float], accel: Sequence[float]) -> "EurocTake":
        """Constants added to every sample."""
        return replace(self, gyro=self.gyro + np.array(gyro), accel=self.accel + np.array(accel))

    def imu_every(self, step: int) -> "EurocTake":
        """Fewer inertial samples, each the mean of those that it stands for."""
        n = len(self.imu_ns) // step * step
        gyro, accel = (s[:n].reshape(-1, step, 3).mean(axis=1) for s in (self.gyro, self.accel))
        first = self.imu_ns[:n].reshape(-1, step)
        times = first[:, 0] + (first[:, -1] - first[:, 0]) // 2
        return replace(self, imu_ns=times, gyro=gyro, accel=accel)

    def imu_late(self, late_ns: int) -> "EurocTake":
        """Inertial stamps behind the pictures'."""
        return replace(self, imu_ns=self.imu_ns + late_ns)

    def _each(self, change: Callable[[int, Any], Any]) -> "EurocTake":
        return replace(self, pictures=np.stack([change(k, p) for k, p in enumerate(self.pictures)]))


@dataclass(frozen=True, eq=False)
class RoomTake:
    """Colour pictures of a moving camera as grey files. truth ``(F,4,4)`` world_from_camera, NaN
    where it is not known.   change: what is done to every picture.
    """

    files: list[Path]
    truth: Floats
    camera: Camera
    change: Callable[[int, Any], Any] = lambda _, picture: picture

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: slice) -> "RoomTake":
        return replace(self, files=self.files[rows], truth=self.truth[rows])

    def pictures(self) -> Iterator[Any]:
        """Grey images in order."""
        for row, file in enumerate(self.files):
            yield self.change(row, cv2.imread(str(file), cv2.IMREAD_GRAYSCALE))

    def half_size(self) -> "RoomTake":
        """Pictures of half the width and height."""
        width, height = self.camera.size_wh
        small = self.camera.scaled((width // 2, height // 2))
        return replace(self, camera=small, change=lambda _, picture: _halved(picture))

    def mirrored(self) -> "RoomTake":
        """Left and right exchanged."""
        fx, _, cx, cy = self.camera.params[:4]
        width = self.camera.size_wh[0]
        camera = pinhole(float(fx), self.camera.size_wh, centre_px=(width - 1 - cx, cy))
        mirror = np.diag([-1.0, 1, 1, 1])
        return replace(
            self,
            camera=camera,
            truth=mirror @ self.truth @ mirror,
            change=lambda _, picture: np.ascontiguousarray(picture[:, ::-1]),
        )

    def noisy(self, sigma: float) -> "RoomTake":
        """White noise of so many grey levels."""
        return replace(
            self, change=lambda row, p: _noisy(p, sigma, np.random.default_rng([1, row]))
        )


def read_euroc(folder: Path) -> EurocTake:
    """A folder laid out as benchmarks/euroc.py says."""
    with av.open(str(folder / "cam0.mp4")) as video:
        pictures = np.stack([f.to_ndarray(format="gray") for f in video.decode(video=0)])
    times = np.loadtxt(folder / "cam0_timestamps.csv", delimiter=",", skiprows=1, dtype=np.int64)
    imu = np.loadtxt(folder / "imu0.csv", delimiter=",", comments="#")
    imu_ns = np.loadtxt(folder / "imu0.csv", delimiter=",", comments="#", dtype=np.int64, usecols=0)
    truth = np.loadtxt(folder / "groundtruth.csv", delimiter=",", comments="#", usecols=range(1, 8))
    truth_ns = np.loadtxt(
        folder / "groundtruth.csv", delimiter=",", comments="#", dtype=np.int64, usecols=0
    )
    intrinsics, distortion = camera_numbers(folder)
    placed = body_from_head(folder).matrix()
    yaml = (folder / "imu0_sensor.yaml").read_text(encoding="utf-8")
    return EurocTake(
        pictures, times[:, 1], imu_ns, imu[:, 1:4], imu[:, 4:7], truth_ns, truth,
        intrinsics, distortion, placed, yaml,
    )  # fmt: skip


def write_euroc(take: EurocTake, folder: Path) -> Path:
    """The take laid out as benchmarks/euroc.py says; the video is stored without loss."""
    folder.mkdir(parents=True)
    _, height, width = take.pictures.shape
    with av.open(str(folder / "cam0.mp4"), "w") as video:
        stream = video.add_stream("libx264", rate=Fraction(20))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "ultrafast", "qp": "0"}
        for picture in take.pictures:
            frame = av.VideoFrame.from_ndarray(np.repeat(picture[..., None], 3, 2), format="rgb24")
            video.mux(stream.encode(frame))
        video.mux(stream.encode(None))
    _write_csv(folder / "cam0_timestamps.csv", "frame,timestamp_ns", enumerate(take.times_ns))
    samples = np.concatenate([take.gyro, take.accel], axis=1).tolist()
    _write_csv(
        folder / "imu0.csv",
        IMU_HEADER,
        ([t, *s] for t, s in zip(take.imu_ns, samples, strict=True)),
    )
    poses = zip(take.truth_ns, take.truth.tolist(), strict=True)
    _write_csv(folder / "groundtruth.csv", "#timestamp_ns,pose", ([t, *p] for t, p in poses))
    (folder / "cam0_sensor.yaml").write_text(
        f"data: {take.body_from_camera.ravel().tolist()}\nresolution: {[width, height]}\n"
        f"intrinsics: {take.intrinsics.tolist()}\n"
        f"distortion_coefficients: {take.distortion.tolist()}\n",
        encoding="utf-8",
    )
    (folder / "imu0_sensor.yaml").write_text(take.imu_yaml, encoding="utf-8")
    return folder


def read_room(folder: Path) -> RoomTake:
    """A folder of ``*.color.jpg``, ``*.pose.txt`` and camera-intrinsics.txt, as 7-Scenes'."""
    files = sorted(folder.glob("*.color.jpg"))
    truth = np.stack([np.loadtxt(str(f).replace("color.jpg", "pose.txt")) for f in files])
    matrix = np.loadtxt(folder / "camera-intrinsics.txt")
    height, width = cv2.imread(str(files[0])).shape[:2]
    centre = (float(matrix[0, 2]), float(matrix[1, 2]))
    return RoomTake(files, truth, pinhole(float(matrix[0, 0]), (width, height), centre_px=centre))


def _write_csv(path: Path, header: str, rows: Any) -> None:
    lines = [",".join(str(value) for value in row) for row in rows]
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


def _halved(picture: Any) -> Any:
    height, width = picture.shape
    return cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)


def _halved_intrinsics(intrinsics: Floats) -> Floats:
    """The centre of the first pixel moves by a quarter of a new one."""
    return np.asarray(intrinsics / 2 - [0, 0, 0.25, 0.25])


def _lit(picture: Any, gain: float, gamma: float) -> Any:
    table = 255 * np.clip(gain * (np.arange(256) / 255) ** gamma, 0, 1)
    return np.rint(table).astype(np.uint8)[picture]


def _noisy(picture: Any, sigma: float, random: np.random.Generator) -> Any:
    noise = sigma * random.standard_normal(picture.shape, dtype=np.float32)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)
