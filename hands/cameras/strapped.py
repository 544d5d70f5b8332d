"""Where a hand sits in the camera that it carries: estimated once per session, then known in every
frame in which the camera is located.

The strap holds: the wrist keeps its place in the picture's frame to millimetres, the palm turns in
it as a wrist bends. Frames tell that place well across the head's rays and badly along them;
as the arm moves, the rays cross.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import matrix_from_rotvec, nearest_rotation, rotvec_from_matrix
from hands.cameras.second_views import SecondView
from hands.cameras.several_views import camera_in_mirror
from hands.config import HandsConfig
from hands.model.evidence import NO_RAY, Evidence, landmark_mixing, normalised
from hands.model.fit import fit_frames, robustified, terms_of
from hands.model.kinematics import ANGLE_MEAN, POSITION, ROTATION
from hands.model.poses import HandPoses, chosen
from hands.model.proportions import HandShape
from hands.model.view_evidence import MountEvidence
from hands.reconstruct import HandTrack

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST_FRAMES = 20
ALIKE_RAD = 0.2  # hands seen from directions nearer than this err alike
HEAD_DISTANCE = 0.05  # error of the distance that the head alone gives, beside the sigma of size
LEAST_SIGMA_M, LEAST_SIGMA_RAD = 0.003, 0.035  # no strap is tighter
ASIDE_M = 0.06  # farther across the view from where the camera holds it, a hand is another
HEAD_RAD, IMPOSSIBLE = 0.2, 4.0  # error of the head's turn; sigmas at which a hand is misread
MOST_OVERRULED = 0.4  # of the frames
HARDLY = 3.0  # times the usual sigma of landmarks
CONFIRMED_S = 10.0  # so long after the head saw it there a camera is believed to be on the hand
ROUNDS = 10
DOF = 3.0  # of the tails of single frames
MEDIAN_SQUARE = 2.366  # of a vector with three normal parts


@dataclass(frozen=True, eq=False)
class Sightings:
    """One hand N times in the camera that it carries, as the head (and other views) have it.

    wrist: ``(N,3)``.   spread: ``(N,3,3)`` its covariance, but for the distance that the head alone
    gives.   along: ``(N,3)`` to it from the head.   twice: ``(N,)`` whether another view told the
    distance.   palm: ``(N,3,3)`` camera_from_palm.   turn_spread: ``(N,3,3)`` of its turn.
    """

    wrist: Floats
    spread: Floats
    along: Floats
    twice: Bools
    palm: Floats
    turn_spread: Floats

    def doubted(self, distance_sigma: float) -> Floats:
        """``(N,3,3)`` of the wrist, the head's distances off by so much of themselves."""
        square = np.where(self.twice, 0.0, distance_sigma**2)[:, None, None]
        return self.spread + square * self.along[:, :, None] * self.along[:, None, :]


def sightings(
    evidence: Evidence,
    track: HandTrack,
    shape: HandShape,
    *,
    view: SecondView,
    side: int,
    config: HandsConfig,
) -> Sightings | None:
    """None for too few. evidence: with what was read in other cameras.   track: of the head
    alone.
    """
    rotation, position, there = camera_in_mirror(view, side)
    rows = np.flatnonzero(there & evidence.read & (track.state == "measured"))
    if len(rows) < LEAST_FRAMES:
        return None
    rows = rows[np.linspace(0, len(rows) - 1, min(config.bone_frames // 2, len(rows))).astype(int)]
    poses, covariance = fitted_apart(evidence[rows], track.poses.rows(rows), shape, config=config)
    turned = rotation[rows]
    along = (turned @ poses.position[..., None])[..., 0]
    spread = turned @ covariance[:, POSITION, POSITION] @ np.swapaxes(turned, 1, 2)
    spread += (view.pose_sigma_m[rows] ** 2)[:, None, None] * np.eye(3)
    return Sightings(
        wrist=along + position[rows],
        spread=spread,
        along=along,
        twice=evidence.twice[rows],
        palm=turned @ poses.rotation,
        turn_spread=covariance[:, ROTATION, ROTATION],
    )


def strapped(
    seen: Sightings | None, shape: HandShape, *, view: SecondView, side: int
) -> MountEvidence | None:
    """Of the hand that carries the camera; None where too few frames tell."""
    if seen is None:
        return None
    rotation, position, there = camera_in_mirror(view, side)
    independent = ways_seen(seen.along)
    doubt = np.hypot(HEAD_DISTANCE, shape.length_sigma_m / shape.length_m)
    place, sigma_m = common_place(seen.wrist, seen.doubted(doubt), independent=independent)
    palm, sigma_rad = common_turn(seen.palm, seen.turn_spread, independent=independent)
    count = len(there)
    return MountEvidence(
        rotation=rotation,
        position=position,
        seen=there,
        pose_sigma_m=view.pose_sigma_m,
        pose_sigma_rad=view.pose_sigma_rad,
        palm=np.tile(palm, (count, 1, 1)),
        wrist=np.tile(place, (count, 1)),
        sigma_m=np.full(count, sigma_m),
        sigma_rad=np.tile(sigma_rad, (count, 1)),
    )


def fitted_apart(
    evidence: Evidence, poses: HandPoses, shape: HandShape, *, config: HandsConfig
) -> tuple[HandPoses, Floats]:
    """Frames with all that other cameras say, each by itself, and ``(N,27,27)`` covariances.
    poses: to start from.
    """
    terms = terms_of(evidence, shape, guess_sigma_m=config.guess_sigma_m)
    for _ in range(2):
        poses, information = fit_frames(
            robustified(terms, poses, evidence.sigma_rad), poses, iterations=3
        )
    return poses, np.linalg.inv(information)


def overruled(evidence: Evidence, poses: HandPoses, *, mount: MountEvidence) -> Bools | None:
    """Where ``(T,)`` the head's hand cannot be the one that carries the camera; None if that were
    so often that the camera is rather carried by something else.
    """
    held = held_poses(mount)
    rays = normalised(held.position)
    aside = held.position - poses.position
    aside = aside - np.sum(aside * rays, axis=1, keepdims=True) * rays
    turn = rotvec_from_matrix(np.swapaxes(held.rotation, 1, 2) @ poses.rotation)
    wrong = np.linalg.norm(aside, axis=1) > ASIDE_M
    wrong |= np.linalg.norm(turn / np.hypot(mount.sigma_rad, HEAD_RAD), axis=1) > IMPOSSIBLE
    both = evidence.read & mount.seen
    wrong &= both
    return wrong if wrong.sum() <= MOST_OVERRULED * both.sum() else None


def hardly_read(evidence: Evidence) -> Bools:
    """Where ``(T,)`` the head reads the hand so much worse than usually that the camera which the
    hand carries knows it better: hands cut by the picture's edge look turned.
    """
    sigma = np.median(evidence.sigma_rad, axis=1)
    usual = np.median(sigma[evidence.read]) if evidence.read.any() else np.inf
    return np.asarray(evidence.read & (sigma > HARDLY * usual))


def unseen_by_head(
    evidence: Evidence, *, mount: MountEvidence, wrong: Bools, times_s: Floats
) -> Bools:
    """Where ``(T,)`` the head sees no hand and the camera has it: it is located, and was on the
    hand when the head last saw both, or soon did. wrong: where the head is overruled.
    """
    both_s = times_s[evidence.read & mount.seen & ~wrong]
    if not len(both_s):
        return np.zeros_like(wrong)
    after = np.searchsorted(both_s, times_s).clip(1, max(len(both_s) - 1, 1))
    nearest = np.stack([both_s[after - 1], both_s[after.clip(max=len(both_s) - 1)]])
    confirmed = np.abs(nearest - times_s).min(axis=0) < CONFIRMED_S
    return mount.seen & ~evidence.seen & confirmed


def held_alone(
    evidence: Evidence, poses: HandPoses, shape: HandShape, *, mount: MountEvidence, rows: Bools
) -> tuple[Evidence, HandPoses]:
    """The same, but in some rows the hand is where the camera that it carries has it, fingers at
    rest, whatever the head says.
    """
    held = held_poses(mount)
    points = landmark_mixing() @ held.joints(shape)
    here = rows[:, None, None]
    return (
        replace(
            evidence,
            seen=evidence.seen | rows,
            rays=np.where(here, normalised(points), evidence.rays),
            sigma_rad=np.where(rows[:, None], NO_RAY, evidence.sigma_rad),
            guess=np.where(here, np.nan, evidence.guess),
            distance_sigma=np.where(rows, np.inf, evidence.distance_sigma),
        ),
        chosen(rows, held, poses),
    )


def held_poses(mount: MountEvidence) -> HandPoses:
    """Hands ``(T,)`` in the head as the camera carries them, fingers at rest."""
    back = np.swapaxes(mount.rotation, 1, 2)
    place = (back @ (mount.wrist - mount.position)[..., None])[..., 0]
    return HandPoses(back @ mount.palm, place, np.tile(ANGLE_MEAN, (len(mount), 1)))


def ways_seen(along: Floats) -> int:
    """From how many directions the head saw the hand; vectors ``(N,3)`` to it, in the camera that
    it carries. A hand that keeps still errs in one way, however long.
    """
    return len(np.unique(np.round(normalised(along) / ALIKE_RAD), axis=0))


def common_place(points: Floats, covariance: Floats, *, independent: float) -> tuple[Floats, float]:
    """The place ``(3,)`` that points ``(N,3)`` of known covariance ``(N,3,3)`` have in common, and
    how far they keep from it beside that, and it may be off itself, one sigma per axis. Some may be
    far off. independent: as many points as err each in its own way.
    """
    place, sigma = np.median(points, axis=0), 2 * LEAST_SIGMA_M
    for _ in range(ROUNDS):
        information = np.linalg.inv(covariance + sigma**2 * np.eye(3))
        square = np.einsum("ni,nij,nj->n", points - place, information, points - place)
        weight = ((DOF + 3) / (DOF + square))[:, None, None] * information
        place = np.linalg.solve(weight.sum(axis=0), np.einsum("nij,nj->i", weight, points))
        sigma = max(sigma * np.sqrt(np.median(square) / MEDIAN_SQUARE), LEAST_SIGMA_M)
    of_place = np.trace(np.linalg.inv(weight.mean(axis=0))) / 3 / independent
    return place, float(np.sqrt(sigma**2 + of_place))


def common_turn(
    rotations: Floats, covariance: Floats, *, independent: float
) -> tuple[Floats, Floats]:
    """The middle ``(3,3)`` of rotations ``(N,3,3)``, and their spread ``(3,)`` about its axes
    beside their own covariance ``(N,3,3)``, as `common_place`.
    """
    middle = nearest_rotation(np.median(rotations, axis=0))
    for _ in range(ROUNDS):
        apart = rotvec_from_matrix(middle.T @ rotations)
        square = np.sum(apart**2, axis=1)
        weight = 1.0 / (1.0 + square / max(float(np.median(square)), 1e-12))
        middle = middle @ matrix_from_rotvec(weight @ apart / weight.sum())
    own = np.median(np.einsum("nii->ni", covariance), axis=0)
    spread = (1.48 * np.median(np.abs(rotvec_from_matrix(middle.T @ rotations)), axis=0)) ** 2
    return middle, np.sqrt(np.maximum(spread - own, LEAST_SIGMA_RAD**2) + spread / independent)
