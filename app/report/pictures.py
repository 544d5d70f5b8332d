"""Plots and photos as data for one page: nothing is loaded from elsewhere when it is opened."""

import base64
import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

LEFT, RIGHT, HEAD, TRUTH = "#3b6fd4", "#e07b39", "#3a3f4b", "#2e9e6b"
SIDE_COLOR = {"left": LEFT, "right": RIGHT}
FAINT, INK = "#d9dde5", "#2b303b"
DPI = 150

_STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Inter", "Helvetica", "Arial", "Liberation Sans", "DejaVu Sans"],
    "font.size": 9,
    "axes.edgecolor": "#9aa3b2",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#eceff4",
    "grid.linewidth": 0.8,
    "xtick.color": "#5b6475",
    "ytick.color": "#5b6475",
    "text.color": INK,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
}


class Plot:
    """A matplotlib figure in the page's style. ``with Plot(w, h, rows) as plot: plot.axes[0]…``"""

    def __init__(self, width: float, height: float, **grid: Any) -> None:
        self._size, self._grid = (width, height), grid
        self.axes: list[Any] = []
        self.image = ""

    def __enter__(self) -> "Plot":
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot

        self._context = mpl.rc_context(_STYLE)
        self._context.__enter__()
        self._figure, axes = pyplot.subplots(
            figsize=self._size, layout="constrained", squeeze=False, **self._grid
        )
        self.axes = list(axes.ravel())
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        from matplotlib import pyplot

        if kind is None:
            buffer = io.BytesIO()
            self._figure.savefig(buffer, format="png", dpi=DPI)
            self.image = data_uri(buffer.getvalue(), "image/png")
        pyplot.close(self._figure)
        self._context.__exit__(kind, error, trace)


def data_uri(data: bytes, kind: str) -> str:
    """Bytes as an address that needs no file."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def photo(image_rgb: NDArray[np.uint8], *, width: int = 480, quality: int = 82) -> str:
    """An RGB image, shrunk to at most `width`, as a JPEG data address."""
    scale = min(1.0, width / image_rgb.shape[1])
    if scale < 1.0:
        image_rgb = np.asarray(
            cv2.resize(image_rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA),
            dtype=np.uint8,
        )
    bgr = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return data_uri(bytes(data), "image/jpeg")


def rgb(color: str) -> tuple[int, int, int]:
    """``#rrggbb`` as three numbers."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
