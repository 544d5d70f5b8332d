"""How smoothly somebody works: what happens on the way in some of the moves.

Every share is drawn from the take's seed by a generator of its own, so a steady take and a clumsy
one of the same seed do the same things to the same objects.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from core.errors import BadInputError


@dataclass(frozen=True)
class Manner:
    """Shares of the moves, 0…1.

    hesitate: a reach stops short, waits, and goes on.  miss: fingers close above the thing and take
    it at the second try.  adjust: a thing is put down askew and set right.  misplace: a thing is
    left beside its goal, and the episode has failed.  away: a hand with nothing to do leaves the
    view.  glances_per_min: looks up from the work.
    """

    hesitate: float = 0.12
    miss: float = 0.06
    adjust: float = 0.08
    misplace: float = 0.0
    away: float = 0.10
    glances_per_min: float = 2.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value < 0 or (value > 1 and field.name != "glances_per_min"):
                raise BadInputError(f"manner: {field.name} is {value}; give a share, 0 to 1")


MANNERS: dict[str, Manner] = {
    "natural": Manner(),
    "steady": Manner(hesitate=0, miss=0, adjust=0, away=0, glances_per_min=0),
    "clumsy": Manner(
        hesitate=0.35, miss=0.25, adjust=0.25, misplace=0.08, away=0.2, glances_per_min=4.0
    ),
}
STEADY = MANNERS["steady"]


def find_manner(name: str) -> Manner:
    """A manner by name; BadInputError lists the names there are."""
    if name not in MANNERS:
        raise BadInputError(f"no manner {name!r}; there are: {', '.join(MANNERS)}")
    return MANNERS[name]
