"""What can be wrong with the calls of a version: one rule a file, pure, held against the weeks before.

Rules only look; how long it has to last, and that it ends, is the `call_watch`'s.
"""

from collections.abc import Mapping

from trueup.monitor.call_faults.clock_ahead import ClockAhead
from trueup.monitor.call_faults.clock_behind import ClockBehind
from trueup.monitor.call_faults.duplicates import Duplicates
from trueup.monitor.call_faults.failing import Failing
from trueup.monitor.call_faults.look import Rule
from trueup.monitor.call_faults.slow import Slow

#: By the word that signals use.
RULES: Mapping[str, Rule] = {
    "duplicates": Duplicates(),
    "clock_ahead": ClockAhead(),
    "clock_behind": ClockBehind(),
    "slow": Slow(),
    "failing": Failing(),
}
