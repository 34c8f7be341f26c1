"""Curves as SVG, drawn by hand: nothing is fetched and no script runs where the page is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

WIDTH, HEIGHT = 920.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 48.0, 12.0, 14.0, 24.0
#: A gap in the labels longer than this is no line.
_GAP_SECONDS = 3 * 86_400.0
#: Labels of the axis of time, at most.
_MOST_MONTHS = 14


@dataclass(frozen=True, slots=True)
class Point:
    """A mean over the day that ended at `at`, with its interval."""

    at: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Mark:
    """Something at a moment; `kind` is its class in the style sheet."""

    at: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Frame:
    """From a moment and a rate to a place in the picture."""

    begin: float
    end: float
    top: float

    def x(self, at: float) -> float:
        """How far to the right."""
        span = max(self.end - self.begin, 1.0)
        return LEFT + (at - self.begin) / span * (WIDTH - LEFT - RIGHT)

    def y(self, rate: float) -> float:
        """How far down."""
        return TOP + (1.0 - rate / self.top) * (HEIGHT - TOP - BOTTOM)


def curve(points: Sequence[Point], marks: Sequence[Mark]) -> str:
    """The error over time with its interval, and marks; empty where there is nothing to draw."""
    if not points:
        return ""
    times = [point.at for point in points] + [mark.at for mark in marks]
    frame = Frame(min(times), max(times), max(0.05, 1.1 * max(point.mean for point in points)))
    parts = [*_axes(frame)]
    for piece in _pieces(points):
        parts += [_band(frame, piece), _line(frame, piece)]
    parts += [_mark(frame, mark) for mark in marks]
    body = "\n".join(parts)
    return f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="error over time">\n{body}\n</svg>'


def _pieces(points: Sequence[Point]) -> list[list[Point]]:
    pieces: list[list[Point]] = []
    for point in points:
        if pieces and point.at - pieces[-1][-1].at <= _GAP_SECONDS:
            pieces[-1].append(point)
        else:
            pieces.append([point])
    return pieces


def _places(frame: Frame, pairs: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{frame.x(at):.1f},{frame.y(min(rate, frame.top)):.1f}" for at, rate in pairs)


def _line(frame: Frame, piece: Sequence[Point]) -> str:
    return f'<polyline class="mean" points="{_places(frame, [(point.at, point.mean) for point in piece])}"/>'


def _band(frame: Frame, piece: Sequence[Point]) -> str:
    upper = [(point.at, point.high) for point in piece]
    lower = [(point.at, point.low) for point in reversed(piece)]
    return f'<polygon class="band" points="{_places(frame, [*upper, *lower])}"/>'


def _mark(frame: Frame, mark: Mark) -> str:
    x, bottom = frame.x(mark.at), HEIGHT - BOTTOM
    top = bottom - 8.0 if mark.kind == "informs" else TOP
    place = f'x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"'
    return f'<line class="{escape(mark.kind)}" {place}><title>{escape(mark.title)}</title></line>'


def _axes(frame: Frame) -> list[str]:
    bottom = HEIGHT - BOTTOM
    parts = [f'<line class="axis" x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{bottom:g}" y2="{bottom:g}"/>']
    for part in (0.0, 0.5, 1.0):
        y = frame.y(part * frame.top)
        parts.append(
            f'<text class="tick" x="{LEFT - 6:g}" y="{y + 4:.1f}" text-anchor="end">{part * frame.top:.0%}</text>'
        )
    for at, name in _months(frame):
        parts.append(f'<text class="tick" x="{frame.x(at):.1f}" y="{HEIGHT - 6:g}">{name}</text>')
    return parts


def _months(frame: Frame) -> list[tuple[float, str]]:
    """The beginnings of months in the frame, thinned out; in a short one, its first day."""
    found: list[tuple[float, str]] = []
    moment = datetime.fromtimestamp(frame.begin, UTC)
    year, month = moment.year, moment.month
    while (at := datetime(year, month, 1, tzinfo=UTC).timestamp()) <= frame.end:
        if at >= frame.begin:
            found.append((at, f"{year}-{month:02}"))
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    if not found:
        return [(frame.begin, f"{moment:%Y-%m-%d}")]
    return found[:: len(found) // _MOST_MONTHS + 1]
