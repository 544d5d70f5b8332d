"""Where a wrist camera is, in the head's map: windows of some seconds, one after the other.

In a window the camera is found from nothing where it is not known (`start`), followed both ways
(`tracking`), and kept where it can be followed long enough and stays by the hand that the head
camera sees. What is not seen clearly enough has no pose.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from core.geometry.arrays import Ints
from core.geometry.cameras import Camera
from core.geometry.se3 import SE3
from core.session.calibration import Calibration
from core.session.frames import FrameReader, open_frames
from slam.recording import Recording
from slam.result import Estimate
from slam.sight.hand_masks import HandMasks
from slam.sight.pictures import grey_of, tracked_camera
from slam.wrist.bridging import MEMORY, Bridge
from slam.wrist.hands_seen import HandSeen, HandTrack, hand_track
from slam.wrist.landmarks import Picture
from slam.wrist.sighting import Sighting
from slam.wrist.start import Starter
from slam.wrist.surroundings import Surroundings, keyframes_around, surroundings_of, windows
from slam.wrist.ticks import WristPath, at_ticks
from slam.wrist.tracking import LOOK_EVERY, Tracker

WINDOW_S = 8.0
MOST_HZ = 35.0  # of faster pictures only some are used
TRY_EVERY_S, TRY_AT_LEAST_S = 0.4, 10.0  # starts that fail are tried again ever later, by
TRY_LATER, TRY_LATER_AGAIN = 1.3, 1.05  # so much; where the camera has been seen before
LEAST_RUN = 8  # frames that the map was found in or just before; shorter runs do not count
LEAST_BY_HAND = 0.5  # share of a run's frames with the hand in view that are near it


def located(recording: Recording, result: Estimate, stream: str) -> WristPath:
    """Where a wrist camera was at every tick."""
    hands = hand_track(recording, result, stream.removesuffix("_wrist"))
    known = Calibration.read(recording.folder).stream(stream)
    camera = tracked_camera(known.camera, recording.config)
    with (
        open_frames(recording.folder, recording.config.stream, redact=False) as head,
        open_frames(recording.folder, stream, redact=False) as wrist,
    ):
        readout_s = known.readout_ns * 1e-9
        return _Finder(recording, result, hands, camera, head, wrist, readout_s).path()


def _used(times_ns: Ints) -> slice:
    """The pictures that are used."""
    often = len(times_ns) > 1
    step = np.ceil(1e9 / np.median(np.diff(times_ns)) / MOST_HZ) if often else 1
    return slice(0, len(times_ns), max(1, int(step)))


@dataclass
class _Tries:
    """When to look for a lost camera from nothing again: that costs a tenth to a fifth of a
    second."""

    next_ns: int = -(2**62)
    pause_s: float = TRY_EVERY_S
    later: float = TRY_LATER
    misses: int = 0
    last: SE3 | None = None  # where it was last

    def due(self, time_ns: int) -> bool:
        """Whether it is time."""
        return time_ns >= self.next_ns

    def failed(self, time_ns: int) -> None:
        """Wait, every time longer."""
        self.misses += 1
        self.next_ns = time_ns + int(self.pause_s * 1e9)
        self.pause_s = min(self.later * self.pause_s, TRY_AT_LEAST_S)

    def guess(self) -> tuple[int, SE3 | None]:
        """Which way of holding the camera to try, and where it was last: one that was seen before
        is every other time looked for held as it was then."""
        if self.last is None:
            return self.misses, None
        return 0, None if self.misses % 2 else self.last

    def found(self, time_ns: int, sighting: Sighting) -> None:
        """The camera is known here; wait a little once it is lost."""
        self.later, self.misses, self.last = TRY_LATER_AGAIN, 0, sighting.world_from_camera
        self.pause_s, self.next_ns = TRY_EVERY_S, time_ns + int(TRY_EVERY_S * 1e9 / 2)


@dataclass(eq=False)
class _Finder:
    """One wrist camera. wrist, head: readers of the pictures."""

    recording: Recording
    result: Estimate
    hands: HandTrack
    camera: Camera
    head: FrameReader
    wrist: FrameReader
    readout_s: float
    tries: _Tries = field(default_factory=_Tries)
    shown: dict[int, Picture] = field(default_factory=dict)  # the last window's, by tick

    def path(self) -> WristPath:
        """Where it was at every tick."""
        used, ticks_ns = _used(self.wrist.timestamps_ns), self.recording.ticks.timestamp_ns
        step, times_ns = used.step, self.wrist.timestamps_ns[used]
        maps = self._maps_at(times_ns)
        seen: dict[int, Sighting] = {}
        for first, last in windows(times_ns, maps, longest_s=WINDOW_S) if self.hands else ():
            around = self._around(int(maps[first]), (int(times_ns[first]), int(times_ns[last])))
            if around is None:
                continue
            ahead = min(first, MEMORY) if first in seen else 0
            start, stop = step * (first - ahead), step * last + 1
            pictures = [
                grey_of(frame, self.camera.size_wh)
                for frame in self.wrist.iterate(step=step, start=start, stop=stop)
            ]
            bridge = Bridge(pictures, self.camera, ahead=ahead)
            pictures = pictures[ahead:]
            bridge.told({row - first: s for row, s in seen.items() if row >= first - ahead})
            tracker = Tracker(
                self.camera,
                pictures,
                around.landmarks,
                bridge=bridge,
                times_ns=times_ns[first : last + 1],
                landmark_ns=around.landmark_ns,
            )
            starter = Starter(around.table, self.recording.camera, self.camera)
            window = _Window(
                tracker,
                bridge,
                starter,
                around,
                pictures,
                times_ns[first : last + 1],
                self.hands,
                self.tries,
            )
            before = seen.get(first)
            found = window.find(before)
            seen |= {first + row: sighting for row, sighting in found.items()}
        return at_ticks(
            seen,
            (times_ns, maps),
            ticks_ns,
            path=self.result.path,
            scale_sigma={m.map_id: m.scale_sigma or 0.0 for m in self.result.maps},
            readout_s=self.readout_s,
        )

    def _maps_at(self, times_ns: Ints) -> Ints:
        """``(N,)`` the metric map that the head is in at these times; -1 for none."""
        ticks_ns, path = self.recording.ticks.timestamp_ns, self.result.path
        metric = [m.map_id for m in self.result.maps if m.metric]
        after = np.clip(np.searchsorted(ticks_ns, times_ns), 1, max(len(ticks_ns) - 1, 1))
        near = np.where(
            times_ns - ticks_ns[after - 1] < ticks_ns[after % len(ticks_ns)] - times_ns,
            after - 1,
            after % len(ticks_ns),
        )
        known = path.tracked[near] & np.isin(path.map_id[near], metric)
        return np.where(known, path.map_id[near], -1)

    def _around(self, map_id: int, span_ns: tuple[int, int]) -> Surroundings | None:
        scene_map = next(m for m in self.result.maps if m.map_id == map_id)
        times_ns = self.recording.ticks.timestamp_ns
        chosen = keyframes_around(scene_map, times_ns, span_ns)
        self.shown = {
            tick: self.shown.get(tick) or self._picture(keyframe, tick) for keyframe, tick in chosen
        }
        shown = list(self.shown.values())
        return surroundings_of(scene_map, self.recording.camera, shown, times_ns=times_ns)

    def _picture(self, keyframe: int, tick: int) -> Picture:
        ticks, masks = self.recording.ticks, self.masks
        frame = self.head.near(int(ticks.timestamp_ns[tick]))
        free = None if masks is None else masks.free(int(ticks.tick[tick]))
        return Picture(keyframe, tick, grey_of(frame, self.recording.camera.size_wh), free)

    @cached_property
    def masks(self) -> HandMasks | None:
        """Where hands are in the head's pictures."""
        return self.recording.hand_masks()


@dataclass(eq=False)
class _Window:
    """Some seconds of one camera's pictures. hands: time and hand, as the head saw it."""

    tracker: Tracker
    bridge: Bridge
    starter: Starter
    around: Surroundings
    pictures: list[np.ndarray]
    times_ns: Ints
    hands: HandTrack
    tries: _Tries
    refused: set[int] = field(default_factory=set)  # rows of runs that did not count

    def find(self, before: Sighting | None) -> dict[int, Sighting]:
        """Sightings by row. before: of the first picture, where the window before ends in one."""
        seen: dict[int, Sighting] = {}
        if before is not None:
            self._follow(0, before, seen, least=0)
        for row, time_ns in enumerate(self.times_ns.tolist()):
            if row in seen:
                self.tries.found(time_ns, seen[row])
                continue
            hand = self.hands.at(time_ns)
            if hand is None or row in self.refused or not self.tries.due(time_ns):
                continue
            started = self._start(row, hand)
            if started is not None:
                self._follow(row, started, seen)
            if row not in seen:
                self.tries.failed(time_ns)
        return seen

    def _start(self, row: int, hand: HandSeen) -> Sighting | None:
        looks = self.around.looks_near(int(self.times_ns[row]))
        guess, before = self.tries.guess()
        proposals = self.starter.propose(
            self.pictures[row], hand, looks, guess=guess, before=before
        )
        for proposed in proposals:
            sighting = self.tracker.settle(row, proposed)
            if sighting is not None:
                return sighting
        return None

    def _follow(
        self, row: int, sighting: Sighting, seen: dict[int, Sighting], *, least: int = LEAST_RUN
    ) -> None:
        """Both ways from a frame; what is too short or leaves the hand counts for nothing."""
        run = {row: sighting}
        self.bridge.told(run)
        for step in (1, -1):
            run |= self.tracker.follow(row, sighting, step=step, seen=seen)
        in_map = sum(sighting.unseen < LOOK_EVERY for sighting in run.values())
        if in_map >= least and self._by_hand(run):
            seen |= run
        else:
            self.bridge.forget(run)
            self.refused |= set(run)

    def _by_hand(self, run: dict[int, Sighting]) -> bool:
        near = []
        for row, sighting in run.items():
            hand = self.hands.at(int(self.times_ns[row]))
            if hand is not None:
                near.append(hand.near(sighting.world_from_camera.translation[None])[0])
        return not near or float(np.mean(near)) >= LEAST_BY_HAND
