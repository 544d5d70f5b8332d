"""Options of `handoff sim` that say what is to be seen: scene, things, who does it and how."""

import argparse
from typing import Any

from sim.variation import GLOVES, MANNERS, SCENES, SLEEVES, TASK_CHOICES, Variation


def add_scene_options(parser: argparse.ArgumentParser, *, hands: bool) -> None:
    """--task, --scene, --objects, --task-variant; with hands also --manner, --sleeve, --gloves."""
    group = parser.add_argument_group("scene and task")
    tasks = ", ".join(name for name in TASK_CHOICES if hands or name != "free_play")
    group.add_argument("--task", metavar="NAME", help=f"{tasks} (blocks_to_tray)")
    group.add_argument("--scene", metavar="NAME", help=f"{', '.join(SCENES)} (drawn by the seed)")
    group.add_argument("--objects", metavar="NAME", help=_per_task("objects"))
    group.add_argument("--task-variant", metavar="NAME", help=_per_task("variants"))
    if hands:
        group.add_argument("--manner", metavar="NAME", help=_first_is_default(MANNERS))
        group.add_argument("--sleeve", metavar="NAME", help=f"{', '.join(SLEEVES)} (drawn)")
        group.add_argument("--gloves", metavar="NAME", help=_first_is_default(GLOVES))


def scene_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """``task`` and ``variation`` as the recorders know them."""
    names = ("objects", "task_variant", "scene", "manner", "sleeve", "gloves")
    given = {name: getattr(arguments, name, None) for name in names}
    asked: dict[str, Any] = {
        "variation": Variation(**{name: v for name, v in given.items() if v is not None})
    }
    if arguments.task is not None:
        asked["task"] = arguments.task
    return asked


def _per_task(what: str) -> str:
    """``bus_table: dinnerware, …; …`` of the tasks that leave a choice, the default first."""
    lists = {task: getattr(choices, what) for task, choices in TASK_CHOICES.items()}
    return "; ".join(f"{task}: {', '.join(n)}" for task, n in lists.items() if len(n) > 1)


def _first_is_default(names: tuple[str, ...]) -> str:
    return f"{', '.join(names)} ({names[0]})"
