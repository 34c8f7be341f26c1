"""Whether numbers that leapt are the old ones in another unit: y = scale * x + offset."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Final, NamedTuple

from trueup.monitor.features.drift import kolmogorov_smirnov
from trueup.monitor.features.histogram import Histogram


class Conversion(NamedTuple):
    """The new number is `scale * old + offset`. `name` is empty where it is of no known kind."""

    scale: float
    offset: float
    name: str = ""

    def __str__(self) -> str:
        offset = f" {'+' if self.offset >= 0 else '-'} {abs(self.offset):.4g}" if self.offset else ""
        factor = f"{self.scale:.4g} * " if self.scale != 1 else ""
        return f"{self.name + ': ' if self.name else ''}new = {factor}old{offset}"


def _both(scale: float, offset: float, one: str, other: str) -> list[Conversion]:
    to, back = f"{one} to {other}", f"{other} to {one}"
    return [Conversion(scale, offset, to), Conversion(1 / scale, -offset / scale, back)]


#: The units that are mixed up in practice, the first `_COMMON` far more often than the others.
CONVERSIONS: Final[Sequence[Conversion]] = (
    *_both(5 / 9, -160 / 9, "Fahrenheit", "Celsius"),
    *_both(100.0, 0.0, "a whole", "its hundredths"),
    *_both(1_000.0, 0.0, "a whole", "its thousandths"),
    *_both(1.0, 273.15, "Celsius", "Kelvin"),
    *_both(5 / 9, 459.67 * 5 / 9, "Fahrenheit", "Kelvin"),
    *_both(1.609344, 0.0, "miles", "kilometres"),
    *_both(0.3048, 0.0, "feet", "metres"),
    *_both(25.4, 0.0, "inches", "millimetres"),
    *_both(0.45359237, 0.0, "pounds", "kilograms"),
    *_both(1.852, 0.0, "knots", "km/h"),
    *_both(3.6, 0.0, "m/s", "km/h"),
    *_both(0.029529983, 0.0, "hectopascals", "inches of mercury"),
    *_both(60.0, 0.0, "minutes", "seconds"),
    *_both(3_600.0, 0.0, "hours", "seconds"),
    *_both(24.0, 0.0, "days", "hours"),
    *_both(10.0, 0.0, "a whole", "its tenths"),
    *_both(1e6, 0.0, "a whole", "its millionths"),
)
_SAME = Conversion(1.0, 0.0)
#: At which shares two distributions are held side by side.
_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
#: Of taking the right unit for a wrong one.
_CHANCE = 0.01
#: How much better a rare conversion has to fit.
_COMMON, _RARE = 6, 0.3
#: What is left, in shifts of a day and steps of an hour as far as any before, may be so much.
_PLAUSIBLE = 1.5
#: A conversion of no known kind has to fit so closely, and to change the scale at least so much, or lead so far away.
_CLOSE, _SCALE_CHANGED, _FAR = 0.1, log(1.1), 3.0


def distance(before: Histogram, after: Histogram, conversion: Conversion = _SAME) -> float:
    """How far `after`, taken back into the old unit, is from `before`: 0 where they are the same.

    The mean distance of nine quantiles, in widths of the middle 80 % of `before` (the first Wasserstein distance,
    roughly); without any width, 0.
    """
    old, new = before.quantiles(_SHARES), after.quantiles(_SHARES)
    width = old[-1] - old[0]
    if width <= 0:
        return 0.0
    scale, offset, _ = conversion
    apart = sum([abs((y - offset) / scale - x) for x, y in zip(old, new, strict=True)])
    return apart / len(_SHARES) / width


def middle_of(numbers: Histogram) -> float:
    """The median, among the quantiles that `distance` asks for too."""
    return numbers.quantiles(_SHARES)[len(_SHARES) // 2]


class Leap(NamedTuple):
    """The middle of the numbers shortly before and after, and the longest step that is usual in less time."""

    before: float
    after: float
    usual: float


class Usual(NamedTuple):
    """What a leap is judged by.

    `furthest`: how far (`distance`) a day lay from those before it, at most, without any fault. `steady`: whether any
    short stretch is distributed as the whole: only then can a change of no known kind be told from a change of the
    values themselves.
    """

    leap: Leap
    furthest: float
    steady: bool


def explain(before: Histogram, after: Histogram, usual: Usual) -> Conversion | None:
    """The change of units that turned `before` into `after`, None where there is none to see.

    Of those that bring `after` back to where it may well have been, the one that needs the least of a shift, and of a
    step from the last hour to the next.
    """
    raw, limit = distance(before, after), max(0.15, 1.25 * usual.furthest)
    if raw <= limit:
        return None
    shifts = {
        one: distance(before, after, one) / limit + _step(usual.leap, one) + (_RARE if place >= _COMMON else 0.0)
        for place, one in enumerate(CONVERSIONS)
    }
    best = min(shifts, key=lambda one: shifts[one])
    apart = distance(before, after, best)
    if shifts[best] <= _PLAUSIBLE and 2 * apart <= raw and not (usual.steady and _another(before, after, best)):
        return best
    return _fitted(before, after) if usual.steady and raw >= 1.0 else None


def _step(leap: Leap, conversion: Conversion) -> float:
    """The step that is left of the leap, in usual ones; there are up to two from the one middle to the other."""
    left = abs((leap.after - conversion.offset) / conversion.scale - leap.before)
    return left / (2 * leap.usual) if leap.usual > 0 else 0.0


def _another(before: Histogram, after: Histogram, conversion: Conversion) -> bool:
    """Whether `after`, taken back, is distributed otherwise: another unit does not change that where any stretch is
    like the whole."""
    scale, offset, _ = conversion
    held = kolmogorov_smirnov(before, after.mapped(1 / scale, -offset / scale))
    return held is not None and held.chance(1.0) < _CHANCE


def _fitted(before: Histogram, after: Histogram) -> Conversion | None:
    old, new = before.quantiles(_SHARES), after.quantiles(_SHARES)
    if new[-1] <= new[0] or old[-1] <= old[0]:
        return None
    scale = (new[-1] - new[0]) / (old[-1] - old[0])
    fitted = Conversion(scale, new[4] - scale * old[4])
    close = distance(before, after, fitted) <= _CLOSE and not _another(before, after, fitted)
    changed = abs(log(scale)) >= _SCALE_CHANGED or distance(before, after) >= _FAR
    return fitted if close and changed else None
