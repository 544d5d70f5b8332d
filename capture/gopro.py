"""What an action camera's file says of itself: model, lens, readout, and whether it stabilised."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from capture.gpmf import Packet, Stream, read_settings, text_of
from core.session.documents import located

_LENS_KEYS = ("POLY", "ZMPL", "ZFOV", "MAPX", "MAPY", "ARUW", "ARWA")


@dataclass(frozen=True)
class GoProFacts:
    """model: such as "HERO7 Black", "" unknown.   lens: letter of the lens mode, "" unknown.

    stabilised: name of the electronic stabilisation that was on, "" for none, None unknown.
    readout_ms: first row to last; None unknown.   held: "U" upright, "D" upside down, "" unknown.
    angle_by_radius: radians off the axis by powers of the radius over half the picture's diagonal,
    from 0 on; empty where the file does not say.
    """

    model: str = ""
    lens: str = ""
    stabilised: str | None = None
    readout_ms: float | None = None
    held: str = ""
    angle_by_radius: tuple[float, ...] = ()


def read_facts(path: Path, packets: list[Packet] | None = None) -> GoProFacts:
    """What the settings say, and of older cameras the packets; BadInputError where cut off."""
    with located(f"{path}"):
        settings = read_settings(path)
        readout = _readout_ms(settings, packets or [])
        angle_by_radius = _angle_by_radius(settings)
    stabilised = None
    if "EISE" in settings:
        on = text_of(settings, "EISE") == "Y"
        stabilised = (text_of(settings, "EISA") or "EIS") if on else ""
    return GoProFacts(
        model=text_of(settings, "MINF"),
        lens=text_of(settings, "VFOV"),
        stabilised=stabilised,
        readout_ms=readout,
        held=text_of(settings, "OREN"),
        angle_by_radius=angle_by_radius,
    )


def _readout_ms(settings: Stream, packets: list[Packet]) -> float | None:
    streams = [settings, *(s for p in packets if (s := p.stream("SROT")))]
    values = [s["SROT"].numbers().ravel() for s in streams if "SROT" in s and s["SROT"].data]
    if not values:
        return None
    middle = float(np.median(np.concatenate(values)))
    return middle if 0 < middle < 100 else None


def _angle_by_radius(settings: Stream) -> tuple[float, ...]:
    """The lens of newer cameras: POLY gives the angle, ZMPL scales the radius that it takes.

    Modes that stretch the picture after the lens (MAPX, unequal ARUW and ARWA) are left alone, and
    so is a polynomial whose corner is not where ZFOV, the angle over the diagonal, says.
    """
    found = {k: settings[k].numbers().ravel() for k in _LENS_KEYS if k in settings}
    values = {k: v for k, v in found.items() if len(v)}
    if "POLY" not in values or "ZMPL" not in values:
        return ()
    powers = values["POLY"] * values["ZMPL"][0] ** np.arange(len(values["POLY"]))
    stretched = len(values.get("MAPX", ())) > 1 or len(values.get("MAPY", ())) > 1
    if "ARUW" in values and "ARWA" in values:
        stretched |= abs(values["ARUW"][0] - values["ARWA"][0]) > 0.01
    angle = np.polynomial.polynomial.polyval(np.linspace(0, 1, 50), powers)
    stated = np.deg2rad(values["ZFOV"][0] / 2) if "ZFOV" in values else angle[-1]
    usable = np.all(np.diff(angle) > 0) and abs(angle[0]) < 0.01 and 0.1 < angle[-1] < 2.0
    if stretched or not usable or abs(angle[-1] - stated) > 0.1 * angle[-1]:
        return ()
    return tuple(powers.tolist())
