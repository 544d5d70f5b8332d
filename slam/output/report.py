"""The figures of slam/report.json. No clock times in it: the same input gives the same bytes."""

from collections import Counter
from typing import Any

import numpy as np

from core.geometry.arrays import Floats, Ints
from slam.imu.imu_clock import ImuClock
from slam.map.mapping import SceneMap
from slam.map.self_calibration import Calibrated
from slam.output.world import up_from_accelerometer
from slam.path import CameraPath
from slam.result import Estimate
from slam.wrist.ticks import WristPath

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
        "maps": [_map_figures(m) | _gravity_residual(m, path, timestamps_ns) for m in result.maps],
        "maps_without_parallax": result.still,
    } | _calibration(result)


def wrist_figures(wrists: dict[str, WristPath]) -> dict[str, Any]:
    """How often each wrist camera was placed, on how many points, and how surely; empty without."""
    figures = {}
    for stream, found in wrists.items():
        sigma_m = np.linalg.norm(found.sigma_m[found.valid], axis=1)
        figures[stream] = {
            "located_share": _round(found.valid.mean()) if len(found.valid) else 0.0,
            "points": _quantile(found.points[found.valid].astype(float), 0.5),
            "sigma_m": _quantile(sigma_m, 0.5),
        }
    return {"wrist_cameras": figures} if figures else {}


def _calibration(result: Estimate) -> dict[str, Any]:
    """What the recording says of its calibration; parts that were not asked for, or not told, are
    left out."""
    figures: dict[str, Any] = {}
    if result.readout is not None:
        figures["readout_ms"] = _round(1e3 * result.readout.seconds)
        figures["readout_sigma_ms"] = _round(1e3 * result.readout.sigma_s)
        figures["readout_used"] = result.readout.used
    found = result.calibrated or Calibrated()
    if found.focal is not None:
        figures["focal_off_percent"] = _round(100 * np.expm1(found.focal.off[0]))
        figures["focal_sigma_percent"] = _round(100 * found.focal.sigma[0])
        figures["focal_used"] = found.focal.used
    if found.place is not None:
        figures["camera_in_imu_off_mm"] = _vector(1e3 * found.place.off)
        figures["camera_in_imu_sigma_mm"] = _vector(1e3 * found.place.sigma)
        figures["camera_in_imu_used"] = found.place.used
    if found.turn is not None:
        figures["camera_in_imu_turn_deg"] = _vector(np.rad2deg(found.turn.off))
        figures["camera_in_imu_turn_sigma_deg"] = _vector(np.rad2deg(found.turn.sigma))
        figures["camera_in_imu_turn_used"] = found.turn.used
    return {"calibration": figures} if figures else {}


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
        "regained": scene_map.regained,
        "scale_sigma": None if scene_map.scale_sigma is None else _round(scene_map.scale_sigma),
        "no_scale_because": scene_map.rejected,
        "drift_share": None,
        "drift_deg": None,
        "drift_source": None,
        "end_sigma_m": None,
    } | _drift(scene_map)
    if scene_map.metric:
        variance = np.diagonal(scene_map.covariance[-1])[3:]
        figures["end_sigma_m"] = [_round(s) for s in np.sqrt(variance)]
    if scene_map.clock is not None:
        figures |= _clock(scene_map.clock)
    if scene_map.inertial is not None and scene_map.imu is not None:
        figures["gyro_bias_rad_s"] = _vector(scene_map.inertial.gyro_bias.mean(axis=0))
        figures["accel_bias_m_s2"] = _vector(scene_map.inertial.accel_bias.mean(axis=0))
        figures["gyro_noise_rad_s_sqrthz"] = _round(scene_map.imu.gyro_noise)
        figures["accel_noise_m_s2_sqrthz"] = _round(scene_map.imu.accel_noise)
        figures["tilt_sigma_deg"] = _round(_tilt_sigma_deg(scene_map))
    return figures


def _clock(clock: ImuClock) -> dict[str, Any]:
    """What was found between the clocks of IMU and camera."""
    return {
        "imu_offset_ms": _round(1e3 * clock.offset_s),
        "imu_offset_sigma_ms": _round(1e3 * clock.sigma_s),
    }


def _gravity_residual(
    scene_map: SceneMap, path: CameraPath, timestamps_ns: Ints
) -> dict[str, float]:
    """Angle between the map's z and the mean specific force, bias and acceleration taken out."""
    states, imu = scene_map.inertial, scene_map.imu
    if states is None or imu is None:
        return {}
    calm = imu.without_bias(np.zeros(3), states.accel_bias.mean(axis=0))
    mine = path.tracked & (path.map_id == scene_map.map_id)
    up = up_from_accelerometer(
        timestamps_ns, path.rotation, calm, tracked=mine, position=path.position
    )
    if up is None:
        return {}
    return {"gravity_residual_deg": _round(np.rad2deg(np.arccos(np.clip(up[2], -1, 1))))}


def _drift(scene_map: SceneMap) -> dict[str, Any]:
    """How far the path drifts, as a share of its length: measured where a place was met again
    before the loop was closed; without loops what the covariance of the last keyframe says."""
    if scene_map.drifts:
        off, turn, between = np.array([(d.off, d.turn_rad, d.between) for d in scene_map.drifts]).T
        return {
            "drift_share": _round(off.sum() / max(between.sum(), 1e-9)),
            "drift_deg": _round(np.rad2deg(np.median(turn))),
            "drift_source": "loops",
        }
    scene, posed = scene_map.scene, scene_map.posed
    way = np.linalg.norm(np.diff(scene.position[posed], axis=0), axis=1).sum()
    variance = np.trace(scene_map.covariance[-1][3:, 3:])
    if not scene_map.metric or way <= 0 or variance <= 0:
        return {}
    turn = np.sqrt(np.trace(scene_map.covariance[-1][:3, :3]))
    return {
        "drift_share": _round(np.sqrt(variance) / way),
        "drift_deg": _round(np.rad2deg(turn)),
        "drift_source": "covariance",
    }


def _tilt_sigma_deg(scene_map: SceneMap) -> float:
    return float(np.rad2deg(np.sqrt(np.trace(scene_map.covariance[0][:2, :2]))))


def _quantile(values: Floats, share: float) -> float | None:
    return _round(np.quantile(values, share)) if len(values) else None


def _vector(values: Floats) -> list[float]:
    return [_round(v) for v in values]


def _round(value: Any) -> float:
    """Six significant digits: sums in another order do not change the file."""
    return float(f"{float(value):.6g}")
