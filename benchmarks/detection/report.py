"""The tables, and the figures by name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.detection.contenders import DEFAULT, LEARNED, OURS, RIVERS
from benchmarks.detection.delays import rises
from benchmarks.detection.false_alarms import CALMS, DEPENDENCES, MONITORS, FalseAlarms
from benchmarks.detection.figures import COMMON, FLEETS, Figures
from benchmarks.detection.generators import CENTRE, END
from benchmarks.detection.peeking import ALPHA, BETTER, EQUAL
from benchmarks.detection.plan import BASES, BUDGET, GRADUAL_EVENTS, Plan
from benchmarks.detection.streams import SHAPES, Rise

OURS_NAMES = tuple(one.name for one in OURS)
NAMES = (*OURS_NAMES, *(one.name for one in RIVERS))


_HEAD = """\
# Detection

Written by `make bench BENCH=detection`; [benchmarks.md](../docs/benchmarks.md) says what is asked. River's detectors
have its defaults. Ours (`e-detector`) has a budget of one false alarm in a million events; it is told the error rate
(*stated*), or learns it from 10,000 labels, and by default does not page for a rise of a point."""
_ON_FALSE_ALARMS = """\
± is one standard error; where there was no alarm, the rate is below the figure, with 95 % confidence. In bursts, the
errors of a storm lie above what was stated, and one who was told so says it: the budget is for errors that, given all
before them, come at the stated rate. One who learned has met storms."""
_ON_DELAYS = """\
Median / 90th percentile, and the median in those that a CUSUM needs which is told both rates and costs as many false
alarms as the detector did above (no fewer than a quarter in a million: its own calibration ends there)."""
_ON_STREAMS = f"""\
Found of all / median delay / false alarms in 10,000 events before. The drift begins at a known place; found is an alarm
within {END - CENTRE:,} events. KSWIN has one stream of each kind, and a shorter one."""


def written(figures: Figures, plan: Plan) -> str:
    """The whole file."""
    parts = [
        _HEAD,
        "## False alarms in a million events, by the error rate",
        _ON_FALSE_ALARMS,
        _table(("", *(calm.name for calm in CALMS), "events each"), [_quiet(figures, name) for name in NAMES]),
        f"{MONITORS} monitors that share a budget of one false page in a million events of all of them:",
        _table(("", *DEPENDENCES), [_fleet(figures, one.name) for one in FLEETS]),
        "## Events until a rise is found",
        _ON_DELAYS,
    ]
    for shape in SHAPES:
        over = f" over {GRADUAL_EVENTS:,} events" if shape == "gradual" else ""
        parts += [f"From {COMMON.rate:g}, {shape}{over}:", _delays(figures, COMMON.rate, shape, NAMES)]
    for base in BASES:
        if base != COMMON.rate:
            parts += [f"From {base:g}, abrupt:", _delays(figures, base, "abrupt", OURS_NAMES)]
    parts += [
        "## Two models, looked at after each event",
        _peeked(figures, plan),
        "## River's streams, with a model that learns on them",
        _ON_STREAMS,
        _scenes(figures),
    ]
    return "\n\n".join(parts) + "\n"


def summary(figures: Figures) -> dict[str, Any]:
    """The figures by name."""
    wanted = Rise(0.1, 0.05, "abrupt")
    ours = [found for (name, calm), found in figures.quiet.items() if name in OURS_NAMES and calm.burst == 1]
    stormy = [figures.quiet[name, calm] for name in (LEARNED.name, DEFAULT.name) for calm in CALMS if calm.burst > 1]
    return {
        "benchmark": "detection",
        "within_budget": all(found.per_million <= 1.0 for found in (*ours, *figures.fleets.values())),
        "within_budget_in_bursts": all(found.per_million <= 1.0 for found in stormy),
        "false_alarms_per_million": {
            f"{name} at {calm.name}": found.per_million for (name, calm), found in figures.quiet.items()
        },
        "fleet_per_million": {f"{name}, {how}": one.per_million for (name, how), one in figures.fleets.items()},
        "ratio_learned": _known(figures.ratio(LEARNED.name, wanted)),
        "ratio_learned_at_budget": _known(figures.ratio_at(LEARNED.name, wanted, BUDGET)),
        "ratios": {name: _known(figures.ratio(name, wanted)) for name in NAMES},
        "medians": {name: _known(figures.delays[name, wanted].median) for name in NAMES},
        "z_test_wrong": figures.peeking.z_test_wrong,
        "comparison_wrong": figures.peeking.ours_wrong,
        "found_on_rivers_streams": {
            name: sum(found.found for scene in figures.scenes for found in scene.found if found.detector == name)
            for name in (found.detector for found in figures.scenes[0].found)
        },
    }


def _known(figure: float) -> float | None:
    """None where it is infinite, which JSON does not know, or where nothing was found."""
    return figure if math.isfinite(figure) else None


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(head), ["---", *["---:"] * (len(head) - 1)], *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _quiet(figures: Figures, name: str) -> list[str]:
    found = [figures.quiet[name, calm] for calm in CALMS]
    return [name, *map(_counted, found), f"{found[0].events:,}"]


def _fleet(figures: Figures, name: str) -> list[str]:
    return [name, *(_counted(figures.fleets[name, how]) for how in DEPENDENCES)]


def _counted(found: FalseAlarms) -> str:
    if not found.alarms:
        return f"< {found.at_most_per_million:.2g}"
    digits = 2 if found.per_million < 10.0 else 0
    return f"{found.per_million:,.{digits}f} ± {found.standard_error * 1e6:,.{digits}f}"


def _delays(figures: Figures, base: float, shape: str, names: Sequence[str]) -> str:
    asked = [rise for rise in rises(base) if rise.shape == shape]
    rows = [[name, *(_delay(figures, name, rise) for rise in asked)] for name in names]
    return _table(("", *(f"+{rise.by:g}" for rise in asked)), rows)


def _delay(figures: Figures, name: str, rise: Rise) -> str:
    found = figures.delays[name, rise]
    if math.isinf(found.median):
        return "missed"
    return f"{_events(found.median)} / {_events(found.p90)}, {figures.ratio(name, rise):.2f}"


def _events(n: float) -> str:
    return "missed" if math.isinf(n) else f"{n:,.0f}"


def _peeked(figures: Figures, plan: Plan) -> str:
    found = figures.peeking
    rows = [
        ["z-test", f"{found.z_test_wrong:.1%}", ""],
        [
            "ours",
            f"{found.ours_wrong:.1%}",
            f"{found.ours_right:.0%}, after a median of {_events(found.ours_median)} events",
        ],
    ]
    head = (
        f"α = {ALPHA:.0%}, {found.pairs:,} pairs, {plan.pair_events:,} events",
        f"wrong, both at {EQUAL:g}",
        f"right, {BETTER:g} against {EQUAL:g}",
    )
    return _table(head, rows)


def _scenes(figures: Figures) -> str:
    rows = []
    for scene in figures.scenes:
        what = f"{scene.stream}, {scene.width}, {scene.model}: {scene.error_before:.3f} → {scene.error_after:.3f}"
        rows.append(
            [
                what,
                *(
                    f"{one.found}/{one.runs} / {_events(one.delay) if one.found else '-'} / "
                    f"{one.false_alarms / one.calm_events * 10_000:.1f}"
                    for one in scene.found
                ),
            ]
        )
    return _table(("", *(one.detector for one in figures.scenes[0].found)), rows)
