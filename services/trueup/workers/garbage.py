"""Python's collector of garbage, told what a worker is like: much that stays for ever, and tens of thousands of small
objects a second that nobody keeps and that hold no circles."""

from __future__ import annotations

import gc

#: New objects before the youngest are looked through; Python's own 700 are a fraction of one chunk.
YOUNG = 10_000


def calm_collector() -> None:
    """Leave what is there now (modules, schemas, settings) out of every later collection, and look less often.

    Call it when all is imported and built. A fifth of the cost of an event was the collector's before.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG)
