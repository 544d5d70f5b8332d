"""What cameras beside the head's did for the hands: part of ``hands/report.json``."""

from collections import Counter
from typing import Any

import numpy as np

from core.geometry.landmarks import SIDES
from hands.cameras.joined import Joined
from hands.cameras.look_again import OtherCameras
from hands.cameras.second_views import WRISTS, SecondView
from hands.model.evidence import landmark_mixing
from hands.wearer import Wearer


def cameras_report(wearer: Wearer, others: OtherCameras | None) -> dict[str, Any]:
    """By stream: where it was, hands looked for and used, why others were not, how the fitted hands
    lie on what was read; or why the camera was not used at all. Empty without other cameras.
    """
    if others is None:
        return {}
    unused: dict[str, Any] = {name: {"unused": why} for name, why in others.unused.items()}
    if wearer.joined is None:
        return unused
    used = {view.name: _of_view(view, wearer, wearer.joined) for view in others.views}
    asked = 1e3 * wearer.joined.asked_m
    asked_mm = np.quantile(asked, (0.1, 0.5, 0.9)).round(1).tolist() if len(asked) else None
    return {**used, **unused, "hand_length_mm_p10_p50_p90": asked_mm}


def _of_view(view: SecondView, wearer: Wearer, joint: Joined) -> dict[str, Any]:
    found = joint.checked[view.name]
    missed, side = _missed_px(view, wearer, joint), WRISTS.get(view.name)
    return {
        "kind": view.kind,
        "located_share": round(float(view.head_from_camera.finite.mean()), 4),
        "looked_for": _by_side(found.readings.looked),
        "used": _by_side(found.used),
        "rejected": dict(sorted(Counter(w for w in found.reason.ravel().tolist() if w).items())),
        "reprojection_px_median": round(float(np.median(missed)), 2) if len(missed) else None,
        **(_held(joint, SIDES.index(side)) if side else {}),
    }


def _held(joint: Joined, side: int) -> dict[str, int]:
    """Frames in which the hand is where its camera has it, against the head and without it."""
    return {
        "overruled": int(joint.overruled[:, side].sum()),
        "unseen_by_head": int(joint.unseen[:, side].sum()),
    }


def _by_side(mask: Any) -> dict[str, int]:
    return dict(zip(SIDES, mask.sum(axis=0).tolist(), strict=True))


def _missed_px(view: SecondView, wearer: Wearer, joint: Joined) -> Any:
    """Distances ``(K,)`` of fitted landmarks from those used, inside the picture."""
    found, missed = joint.checked[view.name], []
    for s, side in enumerate(SIDES):
        hand = wearer.hands[side]
        rows = np.flatnonzero(found.used[:, s] & (hand.state == "measured"))
        points = view.head_from_camera.inverse()[rows].apply(landmark_mixing() @ hand.joints[rows])
        read = found.readings.raw21_px[rows, s]
        apart = np.linalg.norm(view.camera.project(points)[0] - read, axis=-1)
        missed.append(apart[view.camera.in_image(read) & np.isfinite(apart)])
    return np.concatenate(missed)
