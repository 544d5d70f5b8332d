"""Types for argparse: words that must be numbers, refused with what they should have been."""

import argparse


def numbers(text: str) -> tuple[float, ...]:
    """``fx,fy,cx,cy``: numbers separated by commas."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: numbers separated by commas") from error


def size_wh(text: str) -> tuple[int, int]:
    """``640x480``: width and height in pixels."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r}: write WIDTHxHEIGHT, as in 640x480")
    return int(parts[0]), int(parts[1])


def from_zero(text: str) -> int:
    """A whole number from 0."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 0 is needed")
    return int(text)


def above_zero(text: str) -> float:
    """A number above 0, such as a time."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: a number above 0 is needed")
    return value


def hand_length_mm(text: str) -> float:
    """Millimetres from the wrist crease to the tip of the middle finger."""
    from core.session.info import cure_of_hand_length  # loads numpy

    value = above_zero(text)
    if cure := cure_of_hand_length(value):
        raise argparse.ArgumentTypeError(f"{text!r}: {cure}")
    return value


def at_least_one(text: str) -> int:
    """A whole number from 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 1 is needed")
    return int(text)


def whole_numbers(text: str) -> tuple[int, ...]:
    """``1-20`` or ``3,5,9``: whole numbers from 0, ranges with both ends."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdigit() or not (last or first).isdigit() or int(last or first) < int(first):
            raise argparse.ArgumentTypeError(f"{text!r}: write numbers as 1-20 or 3,5,9")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def named_value(text: str) -> tuple[str, float]:
    """``drop=0.05``: a name and its number."""
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: write NAME=NUMBER, as in drop=0.05") from error
