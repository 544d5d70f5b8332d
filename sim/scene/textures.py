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
STONE_TONES = ((58, 60, 62), (198, 194, 186), (120, 112, 104), (88, 102, 98))
LACQUER_TONES = ((214, 206, 192), (112, 66, 42), (62, 44, 36), (168, 150, 130))


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
    _hang_pictures(rng, picture, 9)
    return _to_image(picture)


def stone(rng: np.random.Generator, size: int = 1024) -> Image:
    """A polished stone counter: grains of several colours and a few veins."""
    tone = np.array(STONE_TONES[int(rng.integers(len(STONE_TONES)))]) * rng.uniform(0.9, 1.1)
    picture = tone + 14 * noise(rng, size, octaves=7)[..., None] * rng.uniform(0.7, 1.3, 3)
    picture = np.ascontiguousarray(picture)
    for _ in range(2600):
        centre = tuple(int(v) for v in rng.integers(0, size, 2))
        shade = tone * rng.uniform(0.35, 1.6) + rng.uniform(-14, 14, 3)
        axes = (int(rng.integers(1, 6)), int(rng.integers(1, 5)))
        cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, shade.tolist(), -1)
    for _ in range(9):
        points = np.cumsum(rng.normal(0, size / 26, (14, 2)), axis=0) + rng.uniform(0, size, 2)
        shade = (tone * rng.uniform(0.6, 1.5)).tolist()
        cv2.polylines(picture, [points.astype(np.int32)], isClosed=False, color=shade, thickness=2)
    return _to_image(picture)


def lacquer(rng: np.random.Generator, size: int = 1024) -> Image:
    """The varnished top of a chest of drawers: faint grain, rings, dust and scratches."""
    tone = np.array(LACQUER_TONES[int(rng.integers(len(LACQUER_TONES)))]) * rng.uniform(0.9, 1.1)
    rows = np.arange(size)[:, None] / size + 0.05 * noise(rng, size, octaves=3)
    grain = 0.6 * np.sin(rows * rng.uniform(90, 140)) + noise(rng, size, octaves=8)
    picture = np.ascontiguousarray(tone + (grain * 9)[..., None])
    for _ in range(14):
        centre = tuple(int(v) for v in rng.integers(0, size, 2))
        radius = int(rng.integers(size // 40, size // 18))
        cv2.circle(
            picture, centre, radius, (tone * rng.uniform(0.75, 1.2)).tolist(), 2, cv2.LINE_AA
        )
    for _ in range(420):
        centre = tuple(int(v) for v in rng.integers(0, size, 2))
        shade = (tone * rng.uniform(0.5, 1.5)).tolist()
        cv2.circle(picture, centre, int(rng.integers(1, 4)), shade, -1, cv2.LINE_AA)
    return _to_image(picture)


def plywood(rng: np.random.Generator, size: int = 1024) -> Image:
    """A workbench: pale board with burns, drill holes, pencil lines and paint."""
    tone = np.array((196, 168, 126)) * rng.uniform(0.75, 1.05)
    columns = np.arange(size)[None, :] / size + 0.04 * noise(rng, size, octaves=4)
    grain = np.sin(columns * rng.uniform(150, 220)) + noise(rng, size, octaves=8)
    picture = np.ascontiguousarray(tone + (grain * 12)[..., None])
    for _ in range(170):
        centre = tuple(int(v) for v in rng.integers(0, size, 2))
        cv2.circle(picture, centre, int(rng.integers(2, 6)), (38, 28, 20), -1, cv2.LINE_AA)
    for _ in range(70):
        a, b = rng.integers(0, size, 2), rng.integers(-160, 160, 2)
        cv2.line(picture, a.tolist(), (a + b).tolist(), (70, 66, 62), 1, cv2.LINE_AA)
    for _ in range(45):
        centre = tuple(int(v) for v in rng.integers(0, size, 2))
        axes = (int(rng.integers(4, 26)), int(rng.integers(3, 16)))
        blot = rng.uniform(30, 220, 3).tolist()
        cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, blot, -1)
    return _to_image(picture)


def _hang_pictures(rng: np.random.Generator, picture: Array, count: int) -> None:
    size = len(picture)
    for _ in range(count):
        w = int(rng.integers(size // 9, size // 4))
        x, y = (int(v) for v in rng.integers(0, size - w, 2))
        picture[y : y + w, x : x + w] = 45
        inner = cv2.resize(poster(rng), (w - 12, w - 12), interpolation=cv2.INTER_AREA)
        picture[y + 6 : y + w - 6, x + 6 : x + w - 6] = inner


def tiles(rng: np.random.Generator, size: int = 1024) -> Image:
    """A tiled kitchen wall: glazed tiles of slightly different tone, some with a motif."""
    base, across = rng.uniform(135, 225, 3), int(rng.integers(14, 22))
    motif = rng.uniform(20, 200, 3).tolist()
    step = size // across
    picture = np.full((size, size, 3), 105.0)
    for row in range(across + 1):
        for column in range(across + 1):
            x, y = column * step, row * step
            shade = base * rng.uniform(0.85, 1.08)
            picture[y + 2 : y + step - 1, x + 2 : x + step - 1] = shade
            if rng.random() < 0.22:
                centre = (x + step // 2, y + step // 2)
                angle = float(rng.choice([0, 45, 90]))
                cv2.ellipse(picture, centre, (step // 3, step // 7), angle, 0, 360, motif, -1)
    _hang_pictures(rng, picture, 3)
    return _to_image(picture + 5 * noise(rng, size, octaves=8)[..., None])


def wallpaper(rng: np.random.Generator, size: int = 1024) -> Image:
    """A papered bedroom wall: stripes with little flowers, and a few pictures."""
    base, stripe = rng.uniform(120, 215, 3), rng.uniform(90, 220, 3)
    width = int(rng.integers(30, 70))
    bands = (np.arange(size) // width % 2).astype(bool)
    picture = np.where(bands[None, :, None], base, 0.6 * base + 0.4 * stripe) * np.ones((
        size,
        1,
        1,
    ))
    picture = np.ascontiguousarray(picture)
    flower = rng.uniform(30, 200, 3).tolist()
    for _ in range(420):
        centre = rng.integers(0, size, 2)
        for angle in np.arange(5) * (2 * np.pi / 5):
            petal = centre + 5 * np.array([np.cos(angle), np.sin(angle)])
            cv2.circle(picture, petal.astype(int).tolist(), 3, flower, -1, cv2.LINE_AA)
    _hang_pictures(rng, picture, 5)
    return _to_image(picture + 6 * noise(rng, size, octaves=8)[..., None])


def pegboard(rng: np.random.Generator, size: int = 1024) -> Image:
    """A workshop wall: a board of holes with the outlines of tools."""
    picture = np.ones((size, size, 3)) * rng.uniform(110, 200, 3)
    step = int(rng.integers(22, 34))
    for y in range(step // 2, size, step):
        for x in range(step // 2, size, step):
            cv2.circle(picture, (x, y), 3, (28, 26, 24), -1, cv2.LINE_AA)
    for _ in range(26):
        x, y = (int(v) for v in rng.integers(0, size, 2))
        colour = rng.uniform(20, 220, 3).tolist()
        length, width = int(rng.integers(60, 190)), int(rng.integers(8, 26))
        cv2.rectangle(picture, (x, y), (x + width, y + length), colour, -1)
        if rng.random() < 0.6:
            head = (x + width // 2, y)
            cv2.ellipse(picture, head, (width * 2, width), 0.0, 0, 360, (70, 72, 76), -1)
    _hang_pictures(rng, picture, 2)
    return _to_image(picture + 7 * noise(rng, size, octaves=8)[..., None])


def plain(rng: np.random.Generator, colour: tuple[float, float, float], size: int = 128) -> Image:
    """A surface of one colour with a little grain."""
    picture = np.ones((size, size, 3)) * 255 * np.array(colour)
    return _to_image(picture * (1 + 0.07 * noise(rng, size, octaves=6)[..., None]))


SKIN_TONES = (
    (240, 200, 176),
    (233, 188, 160),
    (219, 168, 138),
    (196, 144, 112),
    (176, 124, 92),
    (146, 101, 76),
    (118, 80, 60),
)
GLOVE_TONES = {"nitrile": ((86, 132, 196), (92, 138, 200)), "work": ((206, 168, 70), (96, 98, 104))}


def skin_palette(
    rng: np.random.Generator, tone: int, size: int = 64, *, gloves: str = "none"
) -> Image:
    """Rows: back of the hand, palm, nail, sleeve (`hand.paint.ROW_*`), bare arm; columns: dark to
    light. Gloves colour back, palm and nails alike.
    """
    base = np.array(SKIN_TONES[tone % len(SKIN_TONES)], np.float64)
    palm = base * 0.55 + np.array([236, 178, 158]) * 0.45
    nail = base * 0.30 + np.array([252, 214, 206]) * 0.70
    arm = base
    if gloves in GLOVE_TONES:
        base, palm = (np.array(tone, np.float64) for tone in GLOVE_TONES[gloves])
        nail = base
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
    picture = np.where((rows > 0.68) & (rows <= 0.82), arm * shade * tint, picture)
    return _to_image(np.where(rows > 0.82, cloth, picture))


def png(image: Image) -> bytes:
    """The picture as PNG bytes, as MuJoCo reads it."""
    ok, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert ok
    return bytes(data)
