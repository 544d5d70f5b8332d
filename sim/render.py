"""Pictures of a scene through real camera models, drawn by MuJoCo in software or on a GPU.

MuJoCo draws an ideal pinhole; lens distortion is a look-up into that picture. One renderer per
process. Without a display `MUJOCO_GL` is set to osmesa (Debian: libosmesa6) unless it is set.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import HandoffError, MissingExtraError

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
        self._scene = scene
        self._flags = {
            mujoco.mjtRndFlag.mjRND_SHADOW: shadows,
            mujoco.mjtRndFlag.mjRND_REFLECTION: False,
            mujoco.mjtRndFlag.mjRND_SKYBOX: False,
            mujoco.mjtRndFlag.mjRND_HAZE: False,
        }

    def draw(self, camera: str) -> Image:
        """The ideal pinhole picture (H, W, 3) uint8 RGB of one camera of the model."""
        self._renderer.update_scene(self._scene.data, camera)
        for flag, value in self._flags.items():
            self._renderer.scene.flags[flag] = value
        return np.asarray(self._renderer.render())

    def segment(self, camera: str) -> NDArray[np.int32]:
        """(H, W, 2): object id and type (`mujoco.mjtObj`) under each pixel, -1 where nothing is."""
        self._renderer.enable_segmentation_rendering()
        self._renderer.update_scene(self._scene.data, camera)
        picture = np.asarray(self._renderer.render())
        self._renderer.disable_segmentation_rendering()
        return picture

    def close(self) -> None:
        """Free the drawing context."""
        self._renderer.close()

    def __enter__(self) -> Renderer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
