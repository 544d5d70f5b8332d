"""One hand of the wearer, from its chosen detections to poses over the whole session.

Stretches of sight are fitted frame by frame, then over time; frames that contradict their
neighbours are rejected; short gaps are carried by the motion prior and marked, longer ones stay
empty.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from hands.config import HandsConfig
from hands.model.by_frame import ByFrame
from hands.model.doubt import doubted, misses
from hands.model.evidence import Evidence
from hands.model.fit import fit_frames, robustified, terms_of
from hands.model.poses import HandPoses
from hands.model.proportions import HandShape
from hands.model.temporal import FEWEST_OVER_TIME, Calmness, evidence_equations, track_step
from hands.model.uncertainty import Sigmas, sigmas_of

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FIT_BATCH = 200
START_STEPS = (4, 1)  # of frames by themselves: before and after what misses counts less
STILL_STEPS = (5, 3, 3, 3, 3)
ROUNDS, AGAIN = 5, 2  # over time, weighing anew in each; and without outliers, from there
TOO_FAR, TOO_BRIEF = "too far to be the wearer's", "too brief"
NOT_A_HAND_OF_THE_WEARER = (TOO_FAR, TOO_BRIEF)


@dataclass(frozen=True, eq=False)
class HandTrack(ByFrame):
    """T ticks of one hand, as a right hand (see `hands.model.evidence`).

    poses: ``(T,)``, meaningless where state is missing.   state: ``(T,)`` measured, interpolated,
    missing.
    reason: ``(T,)`` None or why.   offset: ``(T,)`` median landmark miss of measured frames in
    palms, NaN elsewhere.   sigmas: NaN where state is missing.
    """

    poses: HandPoses
    state: NDArray[np.object_]
    reason: NDArray[np.object_]
    offset: Floats
    sigmas: Sigmas


def reconstruct(
    evidence: Evidence,
    shape: HandShape,
    *,
    times_s: Floats,
    config: HandsConfig,
    start: HandPoses | None = None,
) -> HandTrack:
    """Fit one side. ``evidence`` has a row for every tick; ``times_s`` ``(T,)`` rises. Memory
    grows by 20 kB a tick: long sessions are fitted in parts (`hands.wearer`).
    start: poses ``(T,)`` of an earlier fit.
    """
    count = len(evidence)
    reason = np.full(count, "not seen", dtype=object)
    seen = evidence.seen.copy()
    drop_brief(seen, reason, times_s=times_s, config=config)
    rows = np.flatnonzero(seen)
    steps = START_STEPS if count >= FEWEST_OVER_TIME else STILL_STEPS
    poses = start or _fit_apart(
        evidence, shape, rows=rows, config=config, into=_blank(count), steps=steps
    )
    far = np.linalg.norm(poses.position, axis=1) > config.farthest_m
    _reject(seen, reason, seen & far, why=TOO_FAR)
    poses, offset = _fit_over_time(
        evidence, shape, seen=seen, poses=poses, times_s=times_s, config=config, rounds=ROUNDS
    )
    outlier = seen & (offset > config.outlier_offset)
    if outlier.any():
        _reject(seen, reason, outlier, why="outlier")
        drop_brief(seen, reason, times_s=times_s, config=config)
        poses, offset = _fit_over_time(
            evidence, shape, seen=seen, poses=poses, times_s=times_s, config=config, rounds=AGAIN
        )
    return _track(
        evidence,
        shape,
        seen=seen,
        poses=poses,
        reason=reason,
        offset=offset,
        times_s=times_s,
        config=config,
        over_time=count >= FEWEST_OVER_TIME,
    )


def reconstruct_stills(evidence: Evidence, shape: HandShape, *, config: HandsConfig) -> HandTrack:
    """Fit N pictures that have nothing to do with each other."""
    rows = np.flatnonzero(evidence.seen)
    reason = np.where(evidence.seen, None, "not seen")
    poses = _fit_apart(
        evidence, shape, rows=rows, config=config, into=_blank(len(evidence)), steps=STILL_STEPS
    )
    offset = np.full(len(evidence), np.nan)
    return _track(
        evidence, shape, seen=evidence.seen, poses=poses, reason=reason, offset=offset,
        times_s=np.arange(len(evidence)) * 1e3, config=config, over_time=False,
    )  # fmt: skip


def stretches(seen: Bools, times_s: Floats, max_gap_s: float) -> list[slice]:
    """Runs of rows from a seen one to a seen one, with no unseen time longer than ``max_gap_s``
    inside.
    """
    rows = np.flatnonzero(seen)
    if not len(rows):
        return []
    apart = np.diff(times_s[rows]) > max_gap_s
    apart &= np.diff(rows) > 1  # neighbours belong together, however slow the camera
    cuts = np.flatnonzero(apart) + 1
    return [slice(int(part[0]), int(part[-1]) + 1) for part in np.split(rows, cuts)]


def drop_brief(
    seen: Bools, reason: NDArray[np.object_], *, times_s: Floats, config: HandsConfig
) -> None:
    """Reject sightings that are too brief to be a hand, in place. A lone picture is never too
    brief.
    """
    if len(seen) < 3:
        return
    for part in stretches(seen, times_s, config.max_gap_s):
        if times_s[part.stop - 1] - times_s[part.start] < config.min_stretch_s:
            mask = np.zeros_like(seen)
            mask[part] = seen[part]
            _reject(seen, reason, mask, why=TOO_BRIEF)


def _reject(seen: Bools, reason: NDArray[np.object_], rows: Bools, *, why: str) -> None:
    reason[rows] = why
    seen[rows] = False


def _blank(count: int) -> HandPoses:
    return HandPoses(np.tile(np.eye(3), (count, 1, 1)), np.zeros((count, 3)), np.zeros((count, 21)))


def _fit_apart(
    evidence: Evidence,
    shape: HandShape,
    *,
    rows: NDArray[np.intp],
    config: HandsConfig,
    into: HandPoses,
    steps: Sequence[int],
) -> HandPoses:
    rotation, position, angles = into.rotation.copy(), into.position.copy(), into.angles.copy()
    for start in range(0, len(rows), FIT_BATCH):
        part = rows[start : start + FIT_BATCH]
        terms = terms_of(evidence[part], shape, guess_sigma_m=config.guess_sigma_m)
        fitted, _ = fit_frames(terms, iterations=steps[0])
        for again in steps[1:]:
            robust = robustified(terms, fitted, evidence.sigma_rad[part])
            fitted, _ = fit_frames(robust, fitted, iterations=again)
        rotation[part], position[part], angles[part] = (
            fitted.rotation, fitted.position, fitted.angles,
        )  # fmt: skip
    return HandPoses(rotation, position, angles)


def _fit_over_time(
    evidence: Evidence,
    shape: HandShape,
    *,
    seen: Bools,
    poses: HandPoses,
    times_s: Floats,
    config: HandsConfig,
    rounds: int,
) -> tuple[HandPoses, Floats]:
    """Smooth every stretch; also the landmarks' misses ``(T,)`` in palms."""
    rotation, position, angles = poses.rotation.copy(), poses.position.copy(), poses.angles.copy()
    offset = np.full(len(seen), np.nan)
    for stretch in stretches(seen, times_s, config.max_gap_s):
        fitted, offset[stretch] = _fit_stretch(
            evidence[stretch],
            shape,
            seen=seen[stretch],
            poses=poses.rows(stretch),
            times_s=times_s[stretch],
            config=config,
            rounds=rounds,
        )
        rotation[stretch], position[stretch], angles[stretch] = (
            fitted.rotation, fitted.position, fitted.angles,
        )  # fmt: skip
    return HandPoses(rotation, position, angles), offset


def _fit_stretch(
    evidence: Evidence,
    shape: HandShape,
    *,
    seen: Bools,
    poses: HandPoses,
    times_s: Floats,
    config: HandsConfig,
    rounds: int,
) -> tuple[HandPoses, Floats]:
    calmness = Calmness(
        config.acceleration_m_s2,
        config.angular_acceleration_rad_s2,
        config.joint_acceleration_rad_s2,
    )
    rows = np.flatnonzero(seen)
    terms = terms_of(evidence[rows], shape, guess_sigma_m=config.guess_sigma_m)
    poses = bridged(poses, seen, times_s)
    for _ in range(rounds):
        robust = robustified(terms, poses.rows(rows), evidence.sigma_rad[rows])
        robust = doubted(robust, poses.rows(rows), twice=evidence.twice[rows])
        poses = track_step(robust, poses, seen=seen, times_s=times_s, calmness=calmness)
    offset = np.full(len(seen), np.nan)
    offset[rows] = misses(terms, poses.rows(rows))
    return poses, offset


def bridged(poses: HandPoses, seen: Bools, times_s: Floats) -> HandPoses:
    """Start values for unseen rows, between their seen neighbours."""
    rows = np.flatnonzero(seen)
    before = rows[np.clip(np.searchsorted(rows, np.arange(len(seen)), side="right") - 1, 0, None)]
    after = rows[np.clip(np.searchsorted(rows, np.arange(len(seen))), None, len(rows) - 1)]
    span = times_s[after] - times_s[before]
    part = np.where(span > 0, (times_s - times_s[before]) / np.where(span > 0, span, 1.0), 0.0)[
        :, None
    ]
    turn = rotvec_from_matrix(np.swapaxes(poses.rotation[before], 1, 2) @ poses.rotation[after])
    return HandPoses(
        poses.rotation[before] @ matrix_from_rotvec(part * turn),
        (1 - part) * poses.position[before] + part * poses.position[after],
        (1 - part) * poses.angles[before] + part * poses.angles[after],
    )


def _track(
    evidence: Evidence,
    shape: HandShape,
    *,
    seen: Bools,
    poses: HandPoses,
    reason: NDArray[np.object_],
    offset: Floats,
    times_s: Floats,
    config: HandsConfig,
    over_time: bool,
) -> HandTrack:
    state = np.full(len(seen), "missing", dtype=object)
    for stretch in stretches(seen, times_s, config.max_gap_s):
        state[stretch] = "interpolated"
    state[seen] = "measured"
    reason[seen] = None
    here = poses.rows(seen)
    terms = terms_of(evidence[seen], shape, guess_sigma_m=config.guess_sigma_m)
    robust = robustified(terms, here, evidence.sigma_rad[seen])
    terms = doubted(robust, here, twice=evidence.twice[seen])
    information, _ = evidence_equations(terms, here, np.ones(len(here.position), dtype=bool))
    sigmas = sigmas_of(
        poses,
        information,
        shape,
        seen=seen,
        there=state != "missing",
        times_s=times_s,
        twice=evidence.twice,
        over_time=over_time,
    )
    return HandTrack(poses, state, reason, offset, sigmas)
