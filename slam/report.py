"""The figures of slam/report.json. No clock times in it: the same input gives the same bytes."""

from collections import Counter
from typing import Any

import numpy as np

from core.geometry.arrays import Floats, Ints
from slam.estimate import Estimate
from slam.mapping import SceneMap

STEP_S = 0.2  # path length is summed over steps this long, so that jitter does not count


def make_report(result: Estimate, timestamps_ns: Ints) -> dict[str, Any]:
    """A JSON-able dictionary; lengths in metres, or in the map's unit where scale is unknown."""
    path = result.path
    length, speeds = travelled(result, timestamps_ns)
    known = path.error_px[np.isfinite(path.error_px)]
    reasons = Counter(reason for reason in path.reason if reason is not None)
    return {
        "scale_source": result.scale_source,
        "gravity_source": result.gravity_source,
        "length_unit": "m" if result.scale_source != "unknown" else result.unit,
        "frames": path.n_frames,
        "tracked_frames": int(path.tracked.sum()),
        "tracked_share": _round(path.tracked.mean()) if path.n_frames else 0.0,
        "lost_by_reason": dict(sorted(reasons.items())),
        "path_length": _round(length),
        "speed_median": _quantile(speeds, 0.5),
        "speed_max": _quantile(speeds, 1.0),
        "reprojection_error_px": _quantile(known, 0.5),
        "keyframes": len(result.keyframes),
        "points": int(sum(m.scene.known.sum() for m in result.maps)),
        "maps": [_map_figures(m) for m in result.maps],
        "maps_without_parallax": result.still,
    }


def travelled(result: Estimate, timestamps_ns: Ints) -> tuple[float, Floats]:
    """Path length and the speeds of its steps, never across the border of two maps."""
    path, total = result.path, 0.0
    speeds: list[Floats] = []
    for map_id in np.unique(path.map_id[path.tracked]):
        rows = np.flatnonzero(path.tracked & (path.map_id == map_id))
        seconds = (timestamps_ns[rows] - timestamps_ns[rows[0]]) * 1e-9
        _, first = np.unique(np.floor(seconds / STEP_S), return_index=True)
        picked = rows[np.unique(np.append(first, len(rows) - 1))]
        step = np.linalg.norm(np.diff(path.position[picked], axis=0), axis=1)
        took = np.diff(timestamps_ns[picked]) * 1e-9
        total += float(step.sum())
        speeds.append(step[took > STEP_S / 2] / took[took > STEP_S / 2])
    return total, np.concatenate(speeds) if speeds else np.zeros(0)


def _map_figures(scene_map: SceneMap) -> dict[str, Any]:
    scene, posed = scene_map.scene, scene_map.posed
    figures: dict[str, Any] = {
        "map_id": scene_map.map_id,
        "keyframes": len(posed),
        "points": int(scene.known.sum()),
        "observations": len(scene.observations()),
        "loops": scene_map.loops,
        "joined": scene_map.joins,
        "scale_sigma": None if scene_map.scale_sigma is None else _round(scene_map.scale_sigma),
        "no_scale_because": scene_map.rejected,
        "end_sigma_m": None,
    }
    if scene_map.metric:
        variance = np.diagonal(scene_map.covariance[-1])[3:]
        figures["end_sigma_m"] = [_round(s) for s in np.sqrt(variance)]
    if scene_map.inertial is not None and scene_map.imu is not None:
        figures["gyro_bias_rad_s"] = _vector(scene_map.inertial.gyro_bias.mean(axis=0))
        figures["accel_bias_m_s2"] = _vector(scene_map.inertial.accel_bias.mean(axis=0))
        figures["gyro_noise_rad_s_sqrthz"] = _round(scene_map.imu.gyro_noise)
        figures["accel_noise_m_s2_sqrthz"] = _round(scene_map.imu.accel_noise)
        figures["tilt_sigma_deg"] = _round(_tilt_sigma_deg(scene_map))
    return figures


def _tilt_sigma_deg(scene_map: SceneMap) -> float:
    return float(np.rad2deg(np.sqrt(np.trace(scene_map.covariance[0][:2, :2]))))


def _quantile(values: Floats, share: float) -> float | None:
    return _round(np.quantile(values, share)) if len(values) else None


def _vector(values: Floats) -> list[float]:
    return [_round(v) for v in values]


def _round(value: Any) -> float:
    """Six significant digits: sums in another order do not change the file."""
    return float(f"{float(value):.6g}")
