"""Odd polynomials r(1 + c1 r² + c2 r⁴ + …), the radial part of every lens model here.

A lens polynomial is a map only while it rises. ``rising_limit`` finds where that ends, so that
points beyond it can be refused instead of folding back into the picture; ``invert`` is Newton's
method kept inside a bracket, exact to rounding for every value below the limit.
"""

from collections.abc import Sequence

import numpy as np

from core.geometry.arrays import Floats

MAX_STEPS = 60  # bisection alone needs about 55 to reach rounding; Newton takes five


def evaluate(r: Floats, coefficients: Sequence[float]) -> tuple[Floats, Floats]:
    """The polynomial and its derivative at ``r`` of any shape."""
    square = r * r
    factor, slope = np.zeros_like(r), np.zeros_like(r)
    for k in range(len(coefficients), 0, -1):
        factor = (factor + coefficients[k - 1]) * square
        slope = (slope + (2 * k + 1) * coefficients[k - 1]) * square
    return r * (1 + factor), 1 + slope


def rising_limit(coefficients: Sequence[float], *, cap: float) -> float:
    """The largest r <= cap up to which the polynomial rises strictly."""
    slope = [(2 * k + 1) * c for k, c in enumerate(coefficients, start=1)]
    while slope and abs(slope[-1]) * cap ** (2 * len(slope)) < 1e-12:  # too small to bend anything
        slope.pop()
    if not slope:
        return cap
    roots = np.roots([*reversed(slope), 1.0])
    squares = roots.real[(np.abs(roots.imag) < 1e-9 * (1 + np.abs(roots))) & (roots.real > 0)]
    return float(min(cap, np.sqrt(squares.min()))) if squares.size else cap


def invert(values: Floats, coefficients: Sequence[float], *, limit: float) -> Floats:
    """r in [0, limit] with polynomial(r) = value, for values >= 0; NaN where no such r exists."""
    top = evaluate(np.array(limit), coefficients)[0]
    reachable = (values >= 0) & (values <= top)
    target = np.where(reachable, values, 0.0)
    low, high = np.zeros_like(target), np.full_like(target, limit)
    r = np.minimum(target, limit)
    for _ in range(MAX_STEPS):
        height, slope = evaluate(r, coefficients)
        error = height - target
        low, high = np.where(error < 0, r, low), np.where(error > 0, r, high)
        step = np.divide(error, slope, out=np.full_like(r, np.inf), where=slope > 0)
        better = r - step
        better = np.where((better < low) | (better > high), (low + high) / 2, better)
        better = np.where(error == 0, r, better)
        settled = np.abs(better - r) <= 1e-16 + 4e-16 * np.abs(r)
        r = better
        if settled.all():
            break
    return np.asarray(np.where(reachable, r, np.nan))
