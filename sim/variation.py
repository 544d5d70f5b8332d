"""What of a take or an episode can be asked for by name, besides its sensors.

Only names: no arrays, no drawing, so that the command line lists them at no cost. The first name of
each is the default; a scene or a sleeve that is not asked for is drawn from the seed.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import BadInputError


@dataclass(frozen=True)
class Choices:
    """The object sets and variants of one task."""

    objects: tuple[str, ...]
    variants: tuple[str, ...]


TASK_CHOICES: dict[str, Choices] = {
    "blocks_to_tray": Choices(("blocks", "tins"), ("three", "one")),
    "bus_table": Choices(("dinnerware", "kitchen_tools"), ("all", "dishes", "rubbish")),
    "dresser": Choices(("jewelry", "trinkets"), ("both", "jewelry_box", "organizer")),
    "free_play": Choices(("any", "parcel", "remote_control", "wooden_bar"), ("all",)),
    "sort_eggs": Choices(("eggs",), ("sort_and_close", "sort", "pack")),
    "spice_rack": Choices(("spices", "herbs"), ("three", "one")),
    "there_and_back": Choices(("blocks", "tins"), ("both",)),
}
SCENES = ("study", "kitchen", "bedroom", "workshop")
MANNERS = ("natural", "steady", "clumsy")
SLEEVES = ("long", "short", "none")
GLOVES = ("none", "nitrile", "work")


def _known(what: str, name: str | None, names: tuple[str, ...]) -> None:
    if name is not None and name not in names:
        raise BadInputError(f"no {what} {name!r}; there are: {', '.join(names)}")


@dataclass(frozen=True)
class Variation:
    """Names; None leaves a choice to the seed (scene, sleeve) or to the task (objects, variant)."""

    objects: str | None = None
    task_variant: str | None = None
    scene: str | None = None
    manner: str = MANNERS[0]
    sleeve: str | None = None
    gloves: str = GLOVES[0]

    def __post_init__(self) -> None:
        among = {"scene": SCENES, "manner": MANNERS, "sleeve": SLEEVES, "gloves": GLOVES}
        for what, names in among.items():
            _known(what, getattr(self, what), names)


AS_IT_COMES = Variation()


def chosen(task: str, variation: Variation) -> tuple[str, str]:
    """(objects, variant) of a task; BadInputError lists the names there are."""
    if task not in TASK_CHOICES:
        raise BadInputError(f"no task {task!r}; there are: {', '.join(TASK_CHOICES)}")
    choices = TASK_CHOICES[task]
    _known(f"objects of {task}", variation.objects, choices.objects)
    _known(f"variant of {task}", variation.task_variant, choices.variants)
    return variation.objects or choices.objects[0], variation.task_variant or choices.variants[0]
