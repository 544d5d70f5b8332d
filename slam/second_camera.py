"""A second camera on the head beside the one that is followed: distances at every keyframe, and the
view where the first camera sees next to nothing, with a hand or a sleeve before its lens.

It is followed only there and a second before and after, while both see: from then on its corners
are in the map, as rays that begin beside the first camera. A first camera that sees costs nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.geometry.arrays import Bools, Ints
from core.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from core.geometry.se3 import SE3
from core.session.calibration import StreamCalibration
from core.session.frames import open_frames
from slam.imu.rolling_shutter import unrolled
from slam.lengths.pair_turn import PICTURES, bent, straightened
from slam.lengths.stereo import StereoPair, stereo_doubts, told_by_stereo
from slam.sight.ahead import ahead
from slam.sight.follow import Follower
from slam.sight.followed import Followed
from slam.sight.keyframes import choose_keyframes
from slam.sight.pictures import grey_of, tick_of_frame, tracked_camera
from slam.sight.rolling import Shutter
from slam.sight.tracks import Tracks

if TYPE_CHECKING:
    from slam.recording import Recording

TOGETHER_NS = 2_000_000  # pictures of two cameras further apart in time are not compared
FEW = 2  # times as many corners as a pose needs: with fewer a camera sees next to nothing
NEAR_NS = 40_000_000  # where it stands in; the gyro turns what it saw to the tick's time
BOTH_SEE_NS = 1_000_000_000  # for so long before and after both are followed


@dataclass(frozen=True, eq=False)
class SecondCamera:
    """Stream ``name`` beside the one that ``recording`` follows. known: its calibration."""

    recording: "Recording"
    name: str
    known: StreamCalibration

    def tells(self, tracks: Followed) -> Followed:
        """The first camera's corners with what this one adds; warnings go to the recording."""
        recording = self.recording
        blind = tracks.spool.counts < FEW * recording.config.min_landmarks
        if blind.any():
            recording.warnings.append(self._instead(blind))
        if blind.all():
            return tracks
        camera = tracked_camera(self.known.camera, recording.config)
        place = self.known.head_from_camera or SE3.identity()
        recording.progress.note("comparing the two cameras")
        keyframes = choose_keyframes(tracks, recording.config)
        given = StereoPair(recording.camera, camera, recording.head_from_camera.inverse() @ place)
        pair = self._straightened(given, tracks, keyframes[~blind[keyframes]])
        if blind.any():
            tracks = tracks.beside(self._followed(pair, around(blind, tracks.timestamps_ns)))
            keyframes = choose_keyframes(tracks, recording.config)
        pictures = self._pairs(keyframes, size_wh=pair.second_size_wh)
        told = told_by_stereo(tracks, pictures, pair)
        recording.warnings.extend(stereo_doubts(told, self._both))
        return tracks.ranged(told)

    @property
    def _both(self) -> str:
        return f"{self.name} beside {self.recording.config.stream}"

    def _instead(self, blind: Bools) -> str:
        stream = self.recording.config.stream
        instead = (
            f"try slam.stream={self.name}" if blind.all() else f"{self.name} is followed there"
        )
        return (
            f"{stream}: hardly anything to see in {blind.sum()} of {len(blind)} frames (covered, "
            f"dark?); {instead}"
        )

    def _straightened(self, pair: StereoPair, tracks: Followed, keyframes: Ints) -> StereoPair:
        """The pair as the pictures of a few keyframes say, with a warning where it was bent."""
        if not len(keyframes):
            return pair
        few = np.unique(keyframes[np.linspace(0, len(keyframes) - 1, PICTURES).astype(int)])
        pictures = self._pairs(few, size_wh=pair.second_size_wh)
        found = straightened(
            pair,
            [(grey, beside, tracks.of_frames([tick]).uv_px) for tick, grey, beside in pictures],
        )
        self.recording.warnings.extend(bent(pair, found, self._both))
        return found

    def _followed(self, pair: StereoPair, wanted: Bools) -> Followed:
        """What this camera sees at the ``wanted`` ticks, in the first one's axes."""
        recording, place = self.recording, pair.place
        camera = tracked_camera(self.known.camera, recording.config)
        follower = Follower(camera, replace(recording.config, loop_closure=False))
        masks = recording.masks_in(self.name, self.known.camera.size_wh, camera.size_wh)
        turns, times_ns = recording.turns(), recording.ticks.timestamp_ns
        back = np.tile(np.eye(3), (len(turns), 1, 1))  # from the picture's time to the tick's
        recording.progress.note(f"following {self.name}")
        for tick, grey, late_ns in ahead(self._pictures(wanted, size_wh=camera.size_wh)):
            if grey is None:
                follower.skip()
                continue
            turn = turns[tick]
            if turn is not None:
                share = late_ns / (times_ns[tick] - times_ns[tick - 1])
                back[tick] = matrix_from_rotvec(-share * rotvec_from_matrix(turn))
            follower.add(
                grey,
                free=None if masks is None else masks.free(int(recording.ticks.tick[tick])),
                turn=None if turn is None else place.rotation.T @ turn @ place.rotation,
            )

        def beside(some: Tracks) -> Tracks:
            eyes = np.tile(place.translation, (len(some.frame), 1))
            axes = back[np.searchsorted(times_ns, some.timestamps_ns)] @ place.rotation
            return replace(
                some, rays=np.einsum("nij,nj->ni", axes[some.frame], some.rays), eyes=eyes
            )

        seen = follower.tracks(times_ns).changed(beside)
        shutter = Shutter(self.known.readout_ns * 1e-9, camera.size_wh, self.known.rotate_deg)
        return unrolled(seen, shutter, recording.imu)

    def _pictures(
        self, wanted: Bools, *, size_wh: tuple[int, int]
    ) -> Iterator[tuple[int, Any, int]]:
        """Row of every tick, this camera's nearest grey image, None where there is none or it is
        not wanted, and how much later that was taken."""
        with open_frames(self.recording.folder, self.name, redact=False) as frames:
            for tick, time_ns in enumerate(self.recording.ticks.timestamp_ns.tolist()):
                late_ns = int(frames.timestamps_ns[frames.row_near(time_ns)]) - time_ns
                near = wanted[tick] and abs(late_ns) <= NEAR_NS
                yield tick, grey_of(frames.near(time_ns), size_wh) if near else None, late_ns

    def _pairs(self, ticks: Ints, *, size_wh: tuple[int, int]) -> Iterator[tuple[int, Any, Any]]:
        """Row of the tick, its grey image and this camera's of the same time; ticks without one are
        left out."""
        recording = self.recording
        stream, times_ns = recording.config.stream, recording.ticks.timestamp_ns
        of_frame = tick_of_frame(recording.folder, recording.ticks, stream)
        frame_of = {tick: frame for frame, tick in of_frame.items()}
        with (
            open_frames(recording.folder, stream, redact=False) as here,
            open_frames(recording.folder, self.name, redact=False) as there,
        ):
            for tick in ticks.tolist():
                time_ns = int(times_ns[tick])
                other = there.row_near(time_ns)
                if abs(int(there.timestamps_ns[other]) - time_ns) <= TOGETHER_NS:
                    picture, beside = here.read(frame_of[tick]), there.near(time_ns)
                    yield (
                        tick,
                        grey_of(picture, recording.camera.size_wh),
                        grey_of(beside, size_wh),
                    )


def around(frames: Bools, times_ns: Ints) -> Bools:
    """``(F,)`` these frames and those at most `BOTH_SEE_NS` away from one of them."""
    at = times_ns[frames]
    after = np.clip(np.searchsorted(at, times_ns), 0, len(at) - 1)
    before = np.maximum(after - 1, 0)
    off = np.minimum(np.abs(at[after] - times_ns), np.abs(at[before] - times_ns))
    return np.asarray(off <= BOTH_SEE_NS)
