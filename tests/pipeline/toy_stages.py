"""Three small stages for the runner's tests: double -> square -> total. Importable by spawned
workers.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass

from core.errors import BadInputError
from core.session.marks import finished
from core.session.stage import StageOutcome


@dataclass(frozen=True)
class ToyConfig:
    """trouble: what goes wrong, in the session whose name it starts with: "anna: bug"."""

    factor: int = 2
    trouble: str = ""
    slow_s: float = 0.0


def make_trouble(folder, config):
    name, _, kind = config.trouble.partition(": ")
    if not kind or not folder.name.startswith(name):
        return
    if kind == "input":
        raise BadInputError(f"{folder.place('raw/numbers.txt')}: 'x' is no number; use digits")
    if kind == "bug":
        raise ZeroDivisionError("a plain\nmistake")
    if kind == "pages":
        raise RuntimeError("ill-posed. " + "See the guide. " * 100)
    if kind == "exit":
        sys.exit(3)
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "segfault":
        ctypes.string_at(0)
    if kind == "linger":  # a thread that keeps the process from ending
        threading.Thread(target=time.sleep, args=(60,)).start()
    if kind == "forked":  # a child of the stage that outlives it, and holds its pipes open
        if os.fork() == 0:
            time.sleep(4)
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "quit":
        os._exit(7)


def numbers(folder, path):
    return [int(line) for line in folder.read_bytes(path).split()]


def write(folder, path, values):
    folder.write_bytes(path, "\n".join(str(v) for v in values).encode())


class Double:
    name = "double"
    room = "capture"
    version = 1
    needs = ()
    config_type = ToyConfig

    def inputs(self, folder, config):
        return ["raw/numbers.txt"]

    def run(self, folder, config, progress):
        values = numbers(folder, "raw/numbers.txt")
        progress.total(len(values), "number")
        doubled = []
        for value in values:
            doubled.append(value * config.factor)
            time.sleep(config.slow_s)
            progress.advance()
        make_trouble(folder, config)
        write(folder, "capture/doubled.txt", doubled)
        write(folder, "capture/count.txt", [len(doubled)])
        few = ["few numbers"] if len(values) < 3 else []
        outputs = ["capture/doubled.txt", "capture/count.txt"]
        return StageOutcome(outputs, {"numbers": len(values)}, few)


class Square:
    name = "square"
    room = "slam"
    version = 1
    needs = ("double",)
    config_type = ToyConfig

    def inputs(self, folder, config):
        return []

    def run(self, folder, config, progress):
        make_trouble(folder, config)
        squares = [v**2 for v in numbers(folder, "capture/doubled.txt")]
        time.sleep(config.slow_s)
        write(folder, "slam/squares.txt", squares)
        outputs = ["slam/squares.txt"]
        if config.factor == 2:
            write(folder, "slam/extra.txt", [1])
            outputs.append("slam/extra.txt")
        return StageOutcome(outputs)


class Total:
    name = "total"
    room = "hands"
    version = 1
    needs = ("square",)
    config_type = ToyConfig

    def inputs(self, folder, config):
        return ["session.json"]

    def run(self, folder, config, progress):
        make_trouble(folder, config)
        time.sleep(config.slow_s)
        write(folder, "hands/total.txt", [sum(numbers(folder, "slam/squares.txt"))])
        return StageOutcome(["hands/total.txt"], {"kept": 1})


class Tolerant(Total):
    """Adds the squares where they are there, else the doubled numbers."""

    needs = ("double",)
    uses = ("square",)

    def run(self, folder, config, progress):
        squared = finished(folder, "slam/squares.txt")
        path = "slam/squares.txt" if squared else "capture/doubled.txt"
        write(folder, "hands/total.txt", [sum(numbers(folder, path))])
        return StageOutcome(["hands/total.txt"], {"squared": squared})


class SecondVersion(Square):
    version = 2


class Forgetful(Square):
    def run(self, folder, config, progress):
        return StageOutcome(["slam/never.txt"])


class Trespasser(Square):
    def run(self, folder, config, progress):
        write(folder, "raw/numbers.txt", [0])
        return StageOutcome(["raw/numbers.txt"])


class Weighted(Square):
    """Also depends on a file that no session holds."""

    def outside(self, folder, config):
        return {"weights": os.environ["TOY_WEIGHTS"]}


STAGES = (Double(), Square(), Total())
