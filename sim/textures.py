"""Procedural pictures for the scene: wood, paper, posters, cloth and the hands' palette.

All are uint8 RGB made from a seeded generator: rich in corners, so that a camera can be tracked.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Image = NDArray[np.uint8]
WORDS = ("MILK", "tea", "No. 7", "OPEN", "salt", "3 kg", "north", "A4", "plan", "x = 2y", "FIG. 4")


DESK_TONES = ((196, 194, 188), (146, 147, 148), (188, 178, 158), (74, 58, 48), (92, 108, 126))


def noise(rng: np.random.Generator, size: int, *, octaves: int = 6, first: int = 4) -> Array:
    """Fractal noise (size, size) in about -1…1."""
    total = np.zeros((size, size))
    for octave in range(octaves):
        cells = min(first * 2**octave, size)
        coarse = rng.standard_normal((cells, cells)).astype(np.float32)
        total += cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC) * 0.6**octave
    return total / 2.0


def _to_image(values: Array) -> Image:
    return np.clip(values, 0, 255).astype(np.uint8)


def wood(rng: np.random.Generator, size: int = 1024) -> Image:
    """A worn plank table: grain, plank edges, knots, scratches and stains."""
    tone = np.array(DESK_TONES[int(rng.integers(len(DESK_TONES)))]) * rng.uniform(0.9, 1.1)
    rows = np.arange(size)[:, None] / size
    warp = 0.03 * noise(rng, size, octaves=4)
    grain = np.sin((rows + warp) * rng.uniform(240, 330)) * 0.5 + noise(rng, size, octaves=8)
    picture = tone + (grain * 16)[..., None]
    for edge in np.linspace(0, size, 7)[1:-1].astype(int):
        picture[edge - 2 : edge + 2] *= 0.5
    picture = np.ascontiguousarray(picture)
    for _ in range(260):
        centre = tuple(int(v) for v in rng.integers(0, size, 2))
        shade = tone * rng.uniform(0.35, 1.35)
        axes = (int(rng.integers(2, 9)), int(rng.integers(2, 6)))
        cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, shade.tolist(), -1)
    for _ in range(120):
        a = rng.integers(0, size, 2)
        b = a + rng.integers(-50, 50, 2)
        colour = (tone * rng.uniform(0.5, 1.5)).tolist()
        cv2.line(picture, a.tolist(), b.tolist(), colour, 1, cv2.LINE_AA)
    return _to_image(picture)


def printed(rng: np.random.Generator, size: int = 512) -> Image:
    """A printed sheet: headline, text lines, blocks of colour."""
    page = np.full((size, size, 3), 232.0) + rng.uniform(-18, 12, 3)
    line_height = size // 26
    for row in range(1, 25):
        y = row * line_height
        if rng.random() < 0.25:
            continue
        x = int(0.06 * size)
        while x < 0.9 * size:
            width = int(rng.integers(size // 60, size // 9))
            cv2.rectangle(
                page, (x, y), (min(x + width, size - 20), y + line_height // 2), (40,) * 3, -1
            )
            x += width + size // 50
    for _ in range(5):
        a = rng.integers(0, int(0.7 * size), 2)
        b = a + rng.integers(size // 10, size // 3, 2)
        cv2.rectangle(page, a.tolist(), b.tolist(), rng.uniform(20, 230, 3).tolist(), -1)
        word = WORDS[int(rng.integers(len(WORDS)))]
        cv2.putText(
            page, word, (int(a[0]), int(b[1])), cv2.FONT_HERSHEY_DUPLEX, size / 400, (15,) * 3, 2
        )
    return _to_image(page + 6 * noise(rng, size, octaves=7)[..., None])


def poster(rng: np.random.Generator, size: int = 512) -> Image:
    """A busy picture of overlapping shapes and words."""
    picture = np.ones((size, size, 3)) * rng.uniform(60, 210, 3)
    for _ in range(70):
        centre = tuple(int(v) for v in rng.integers(0, size, 2))
        colour = rng.uniform(10, 245, 3).tolist()
        extent = int(rng.integers(size // 50, size // 7))
        if rng.random() < 0.5:
            cv2.circle(picture, centre, extent, colour, -1, cv2.LINE_AA)
        else:
            corner = (centre[0] + extent, centre[1] + int(extent * rng.uniform(0.3, 1.5)))
            cv2.rectangle(picture, centre, corner, colour, -1)
    for _ in range(9):
        at = (int(rng.integers(0, size // 2)), int(rng.integers(30, size)))
        word = WORDS[int(rng.integers(len(WORDS)))]
        cv2.putText(picture, word, at, cv2.FONT_HERSHEY_TRIPLEX, size / 300, (245,) * 3, 2)
    return _to_image(picture + 10 * noise(rng, size, octaves=7)[..., None])


def wall(rng: np.random.Generator, size: int = 1024) -> Image:
    """A painted wall with pictures hung on it."""
    picture = np.ones((size, size, 3)) * rng.uniform(150, 205, 3)
    picture += 10 * noise(rng, size, octaves=8)[..., None]
    for _ in range(9):
        w = int(rng.integers(size // 9, size // 4))
        x, y = (int(v) for v in rng.integers(0, size - w, 2))
        picture[y : y + w, x : x + w] = 45
        inner = cv2.resize(poster(rng), (w - 12, w - 12), interpolation=cv2.INTER_AREA)
        picture[y + 6 : y + w - 6, x + 6 : x + w - 6] = inner
    return _to_image(picture)


def plain(rng: np.random.Generator, colour: tuple[float, float, float], size: int = 128) -> Image:
    """A surface of one colour with a little grain."""
    picture = np.ones((size, size, 3)) * 255 * np.array(colour)
    return _to_image(picture * (1 + 0.07 * noise(rng, size, octaves=6)[..., None]))


SKIN_TONES = ((233, 188, 160), (219, 168, 138), (196, 144, 112), (176, 124, 92), (146, 101, 76))


def skin_palette(rng: np.random.Generator, tone: int, size: int = 64) -> Image:
    """Rows: back of the hand, palm, nail, sleeve (`hand_mesh.ROW_*`); columns: dark to light."""
    base = np.array(SKIN_TONES[tone % len(SKIN_TONES)], np.float64)
    palm = base * 0.55 + np.array([236, 178, 158]) * 0.45
    nail = base * 0.30 + np.array([252, 214, 206]) * 0.70
    sleeve = rng.uniform(30, 190, 3)
    light = np.linspace(0.0, 1.0, size)[None, :, None]
    rows = (np.arange(size) / size)[:, None, None]
    skin = base + np.clip((rows - 0.10) / 0.25, 0, 1) * (palm - base)
    skin = np.where(rows > 0.5, nail, skin)
    reddish = np.array([1.0, 0.93, 0.90])
    shade = 0.55 + 0.8 * light
    tint = reddish + (1 - reddish) * (1 - np.abs(light - 0.5) * 2)
    picture = skin * shade * tint
    cloth = sleeve * (0.45 + 1.0 * light)
    return _to_image(np.where(rows > 0.76, cloth, picture))


def png(image: Image) -> bytes:
    """The picture as PNG bytes, as MuJoCo reads it."""
    ok, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert ok
    return bytes(data)
