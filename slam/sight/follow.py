"""Follows corners through a video by pyramidal Lucas-Kanade flow. Costs about 9 ms per VGA frame.

One corner per grid cell keeps them spread. Three checks drop a bad one: the way back, the mask, and
the epipolar plane with an anchor frame. Every corner is also matched again from its patch in the
anchor frame, so errors do not add up from frame to frame.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from core.geometry.arrays import Bools, Floats, Ints
from slam.config import SlamConfig
from slam.sight.followed import Followed, Spool
from slam.sight.places import Describer, Place
from slam.sight.rays import rays_of
from slam.sight.tracks import shared
from slam.sight.twoview import epipolar_inliers

BORDER_PX = 6
ANCHOR_SHARE = 0.6  # a new anchor once fewer than this share of its corners is left
ANCHOR_FRAMES = 12
# A corner's smaller eigenvalue of the gradient matrix must reach a share of the upper quartile over
# the image's cells, within bounds: a bare wall gives what it has, a rich scene only its good ones.
CONTRAST_SHARE, CONTRAST_BOUNDS = 0.05, (2e-5, 5e-4)
# A picture whose best corners are weak, and less than this above middling pixels, is noise alone.
PLAIN = 10.0

PREDICTED_LEVELS = 2  # of the way ahead, where the gyro says about where; none on the way back
LIGHT_JUMP = 15.0  # grey levels between two frames that only a lamp or the exposure can change


@dataclass(eq=False)
class _Anchor:
    """A frame whose patches later frames are matched against."""

    grey: Any
    track: Ints
    uv_px: Floats
    rays: Floats
    age: int = 0


class Follower:
    """Feeds on grey images in order; `tracks()` gives what was seen."""

    def __init__(self, camera: Any, config: SlamConfig) -> None:
        self._camera, self._config = camera, config
        width, height = camera.size_wh
        self._cell = max(int(np.sqrt(width * height / config.target_tracks)), 12)
        self._track: Ints = np.zeros(0, np.int64)
        self._uv: Floats = np.zeros((0, 2), np.float32)
        self._rays: Floats = np.zeros((0, 3))
        self._rad_per_px: Floats = np.zeros(0)
        self._next_id = 0
        self._grey: Any = None
        self._anchor: _Anchor | None = None
        self._describe = Describer()
        self.places: list[Place] = []  # anchors with descriptors, to recognise them by
        self._spool = Spool()

    def add(self, grey: Any, *, free: Any = None, turn: Floats | None = None) -> None:
        """One image ``(H,W)`` uint8. ``free`` (H,W): False where no corner may lie (hands).

        turn: ``(3,3)`` this_from_previous camera rotation, from the gyro.
        """

        if len(self._track):
            self._adapt_to_light(grey)
            self._step(grey, free, turn)
        if len(self._track) < 0.85 * self._config.target_tracks:
            self._detect(grey, free)
        self._rays, self._rad_per_px, valid = rays_of(self._camera, self._uv.astype(np.float64))
        self._keep(valid)
        self._check_anchor(grey)
        order = np.argsort(self._track)
        seen = self._track[order], self._uv[order], self._rays[order], self._rad_per_px[order]
        self._spool.append(seen)
        self._grey = grey

    def skip(self) -> None:
        """A frame without an image: what was followed ends here."""
        self._keep(np.zeros(len(self._track), bool))
        self._anchor = None
        self._spool.append((self._track, self._uv, np.zeros((0, 3)), np.zeros(0)))

    def tracks(self, timestamps_ns: Ints) -> Followed:
        """Everything seen, one timestamp per image given to `add`, or skipped."""
        assert len(timestamps_ns) == len(self._spool)
        return Followed(self._spool, timestamps_ns, self._spool.n_tracks)

    # --- one step -------------------------------------------------------------------------------

    def _adapt_to_light(self, grey: Any) -> None:
        """Where the light was switched, give the last picture and the anchor the new levels."""
        before, now = _levels(self._grey), _levels(grey)
        if np.abs(now - before).max() < LIGHT_JUMP:
            return
        table = np.interp(np.arange(256), before, now).astype(np.uint8)
        self._grey = table[self._grey]
        if self._anchor is not None:
            self._anchor.grey = table[self._anchor.grey]

    def _keep(self, keep: Bools) -> None:
        self._track, self._uv = self._track[keep], self._uv[keep]
        if len(self._rays) == len(keep):
            self._rays, self._rad_per_px = self._rays[keep], self._rad_per_px[keep]

    def _step(self, grey: Any, free: Any, turn: Floats | None) -> None:
        guess = self._predict(turn)
        ahead = back = self._config.flow_levels
        if turn is not None:
            ahead, back = min(ahead, PREDICTED_LEVELS), 0
        moved, found = self._flow((self._grey, grey), self._uv, guess=guess, levels=ahead)
        returned, found_back = self._flow((grey, self._grey), moved, guess=self._uv, levels=back)
        off = np.linalg.norm(returned - self._uv, axis=1)
        keep = found & found_back & (off < self._config.round_trip_px)
        keep &= self._inside(moved, free)
        self._uv = moved
        self._keep(keep)
        self._sharpen(grey)
        self._keep(self._apart())

    def _predict(self, turn: Floats | None) -> Floats:
        if turn is None or len(self._rays) != len(self._uv):
            return self._uv
        guess, valid = self._camera.project(self._rays @ turn.T)
        return np.where(valid[:, None], guess, self._uv).astype(np.float32)

    def _flow(
        self, pictures: tuple[Any, Any], uv: Floats, *, guess: Floats, levels: int
    ) -> tuple[Floats, Bools]:
        """Where pixels of the first picture lie in the second. Costs 0.8 ms for each level."""
        moved, status, _ = cv2.calcOpticalFlowPyrLK(
            *pictures,
            np.ascontiguousarray(uv, np.float32),
            np.array(guess, np.float32),
            winSize=(self._config.flow_window_px,) * 2,
            maxLevel=levels,
            criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.01),
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        )
        return moved.reshape(-1, 2), status.reshape(-1).astype(bool)

    def _sharpen(self, grey: Any) -> None:
        """Match again from the anchor's patch, starting at the frame-to-frame answer."""
        if self._anchor is None or not len(self._track):
            return
        order = np.argsort(self._track)
        here, there = shared(self._track[order], self._anchor.track)
        if not len(here):
            return
        rows = order[here]
        pictures, patches = (self._anchor.grey, grey), self._anchor.uv_px[there]
        moved, good = self._flow(pictures, patches, guess=self._uv[rows], levels=0)
        good &= np.linalg.norm(moved - self._uv[rows], axis=1) < 1.5
        self._uv[rows[good]] = moved[good]

    def _inside(self, uv: Floats, free: Any) -> Bools:
        width, height = self._camera.size_wh
        low, high = BORDER_PX, np.array([width, height]) - 1 - BORDER_PX
        inside = np.all((uv >= low) & (uv <= high), axis=1)
        if free is not None:
            column, row = np.clip(np.rint(uv).astype(int), 0, [width - 1, height - 1]).T
            inside &= free[row, column]
        return inside

    def _apart(self) -> Bools:
        """Of corners that ran into one another only the oldest stays."""
        cell = np.floor(self._uv / (self._cell * 0.3)).astype(np.int64)
        key = cell[:, 1] * 100_000 + cell[:, 0]
        keep = np.zeros(len(key), bool)
        keep[np.unique(key, return_index=True)[1]] = True  # ids rise with age: the first is oldest
        return keep

    def _detect(self, grey: Any, free: Any) -> None:
        """The best corner of every grid cell that holds none."""
        cell, (width, height) = self._cell, self._camera.size_wh
        strength = cv2.cornerMinEigenVal(grey, 5)
        strength[:BORDER_PX], strength[-BORDER_PX:] = 0, 0
        strength[:, :BORDER_PX], strength[:, -BORDER_PX:] = 0, 0
        if free is not None:
            strength *= free
        rows, columns = height // cell, width // cell
        blocks = strength[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell)
        blocks = blocks.transpose(0, 2, 1, 3).reshape(rows * columns, cell * cell)
        best = blocks.argmax(axis=1)
        contrast = blocks[np.arange(len(best)), best]
        noise = min(PLAIN * float(np.median(strength[::4, ::4])), CONTRAST_BOUNDS[1])
        if np.quantile(contrast, 0.95) < noise:
            return  # darkness, a bare wall
        strong = contrast > np.clip(CONTRAST_SHARE * np.quantile(contrast, 0.75), *CONTRAST_BOUNDS)
        index = np.arange(rows * columns)
        uv = np.stack(
            [index % columns * cell + best % cell, index // columns * cell + best // cell], axis=1
        ).astype(np.float32)
        taken = np.zeros(rows * columns, bool)
        if len(self._uv):
            at = np.floor(self._uv / cell).astype(int)
            inside = (at[:, 0] < columns) & (at[:, 1] < rows)
            taken[at[inside, 1] * columns + at[inside, 0]] = True
        uv = uv[strong & ~taken]
        if len(self._uv) and len(uv):
            distance = np.linalg.norm(uv[:, None] - self._uv[None], axis=2).min(axis=1)
            uv = uv[distance > cell * 0.4]
        ids = self._next_id + np.arange(len(uv))
        self._next_id += len(uv)
        self._track = np.concatenate([self._track, ids])
        self._uv = np.concatenate([self._uv, uv]).astype(np.float32)

    # --- anchors --------------------------------------------------------------------------------

    def _check_anchor(self, grey: Any) -> None:
        """Drop corners off the anchor's epipolar planes; take a new anchor when this one is old."""
        anchor = self._anchor
        if anchor is None:
            self._take_anchor(grey)
            return
        anchor.age += 1
        order = np.argsort(self._track)
        here, there = shared(self._track[order], anchor.track)
        worn = len(here) < ANCHOR_SHARE * len(anchor.track)
        if not worn and anchor.age < ANCHOR_FRAMES:
            return
        if len(here) >= 20:
            rad = self._config.epipolar_px * float(np.median(self._rad_per_px))
            good = epipolar_inliers(anchor.rays[there], self._rays[order[here]], max_rad=rad)
            keep = np.ones(len(self._track), bool)
            keep[order[here[~good]]] = False
            self._keep(keep)
        self._take_anchor(grey)

    def _take_anchor(self, grey: Any) -> None:
        order = np.argsort(self._track)
        if self._config.loop_closure:
            frame = len(self._spool)  # about to be written
            self.places.append(self._describe(frame, grey, track=self._track, uv_px=self._uv))
        self._anchor = _Anchor(
            grey, self._track[order], self._uv[order].copy(), self._rays[order].copy()
        )


def _levels(grey: Any) -> Floats:
    """Grey levels ``(9,)`` at rising shares of the picture's pixels, each above the last."""
    levels = np.quantile(grey[::8, ::8], np.linspace(0, 1, 9))
    return levels + np.arange(9) * 1e-3
