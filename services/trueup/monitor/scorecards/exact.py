"""Sums that do not depend on the order of what is summed, and from which can be taken back exactly what was added.

A number is held as a whole multiple of 2^-40. That errs by less than 1e-12, and whole numbers add exactly.
"""

from __future__ import annotations

#: What stands for 1.
ONE = 1 << 40
_LARGEST, _WIDE_BYTES = 2**63, 32


def pack_sum(total: int) -> int | bytes:
    """A sum as what can be saved, whatever its size."""
    return total if -_LARGEST <= total < _LARGEST else total.to_bytes(_WIDE_BYTES, "big", signed=True)


def read_sum(saved: int | bytes) -> int:
    """The sum again."""
    return saved if isinstance(saved, int) else int.from_bytes(saved, "big", signed=True)
