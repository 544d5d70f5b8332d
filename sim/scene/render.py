"""Pictures of a scene through real camera models, drawn by MuJoCo in software or on a GPU.

MuJoCo draws ideal pinholes; a lens is a look-up into one or several of them. One renderer per
process. Without a display `MUJOCO_GL` is set to osmesa (Debian: libosmesa6) unless it is set.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import HandoffError, MissingExtraError
from sim.scene.views import View

Image = NDArray[np.uint8]


def load_mujoco() -> Any:
    """The mujoco module, with a way to draw chosen before it is imported."""
    if "MUJOCO_GL" not in os.environ and not os.environ.get("DISPLAY") and sys.platform == "linux":
        os.environ["MUJOCO_GL"] = "osmesa"
    os.environ.setdefault("LP_NUM_THREADS", "1")  # Mesa's own threads mostly wait for each other
    try:
        import mujoco
    except ImportError as error:
        raise MissingExtraError("sim needs mujoco: pip install 'handoff-ego[sim]'") from error
    except Exception as error:
        raise HandoffError(_no_gl(error)) from error
    return mujoco


def _no_gl(error: Exception) -> str:
    return (
        f"no OpenGL to draw with ({type(error).__name__}): apt-get install libosmesa6, "
        "or set MUJOCO_GL=egl on a machine with a GPU"
    )


class Renderer:
    """Draws one scene model at one size. Use as a context manager."""

    def __init__(self, scene: Any, size_wh: tuple[int, int], *, shadows: bool = False) -> None:
        mujoco = load_mujoco()
        try:
            self._renderer = mujoco.Renderer(scene.model, size_wh[1], size_wh[0], max_geom=600)
        except Exception as error:
            raise HandoffError(_no_gl(error)) from error
        self._scene, self._mujoco = scene, mujoco
        self._flags = {
            mujoco.mjtRndFlag.mjRND_SHADOW: shadows,
            mujoco.mjtRndFlag.mjRND_REFLECTION: False,
            mujoco.mjtRndFlag.mjRND_SKYBOX: False,
            mujoco.mjtRndFlag.mjRND_HAZE: False,
        }

    def draw(self, camera: str) -> Image:
        """The ideal pinhole picture (H, W, 3) uint8 RGB of one camera of the model."""
        self._update(camera)
        return np.asarray(self._renderer.render())

    def draw_views(self, camera: str, views: Sequence[View]) -> Image:
        """The atlas (H, W, 3) uint8 RGB of pinhole pictures from where one camera stands."""
        self._update(camera)
        context, mujoco = self._renderer._mjr_context, self._mujoco
        height, width = self._renderer.height, self._renderer.width
        eyes = self._renderer.scene.camera
        forward, up = np.array(eyes[0].forward), np.array(eyes[0].up)
        axes = np.stack([np.cross(forward, up), -up, forward], 1)  # world_from_camera
        for view in views:
            _aim(eyes, view, axes @ view.camera_from_view)
            (x, y), (w, h) = view.corner_px, view.size_wh
            where = mujoco.MjrRect(x, height - y - h, w, h)
            mujoco.mjr_render(where, self._renderer.scene, context)
        picture = np.empty((height, width, 3), np.uint8)
        mujoco.mjr_readPixels(picture, None, mujoco.MjrRect(0, 0, width, height), context)
        return np.asarray(cv2.flip(picture, 0), np.uint8)

    def depth(self, camera: str) -> NDArray[np.float32]:
        """(H, W) metres along the axis of one camera of the model."""
        self._renderer.enable_depth_rendering()
        self._renderer.update_scene(self._scene.data, camera)
        picture = np.asarray(self._renderer.render(), np.float32)
        self._renderer.disable_depth_rendering()
        return picture

    def segment(self, camera: str) -> NDArray[np.int32]:
        """(H, W, 2): object id and type (`mujoco.mjtObj`) under each pixel, -1 where nothing is."""
        self._renderer.enable_segmentation_rendering()
        self._renderer.update_scene(self._scene.data, camera)
        picture = np.asarray(self._renderer.render())
        self._renderer.disable_segmentation_rendering()
        return picture

    def _update(self, camera: str) -> None:
        self._renderer.update_scene(self._scene.data, camera)
        for flag, value in self._flags.items():
            self._renderer.scene.flags[flag] = value

    def close(self) -> None:
        """Free the drawing context."""
        self._renderer.close()

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _aim(eyes: Any, view: View, world_from_view: NDArray[np.float64]) -> None:
    """Point MuJoCo's cameras along a view: its axes in the world, its frustum's four sides."""
    (width, height), (cx, cy) = view.size_wh, view.centre_px
    for eye in eyes:
        scale = eye.frustum_near / view.focal_px
        eye.forward, eye.up = world_from_view[:, 2], -world_from_view[:, 1]
        eye.frustum_center = scale * (0.5 * (width - 1) - cx)
        eye.frustum_width = scale * 0.5 * width
        eye.frustum_top = scale * (cy + 0.5)
        eye.frustum_bottom = -scale * (height - 0.5 - cy)
