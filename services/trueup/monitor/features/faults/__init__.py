"""What can be wrong with the values of one feature: one rule a file, pure, held against what is known of the feature.

Rules only look; how long it has to last, and that it ends, is the `column`'s. A change of units is found from a whole
stretch of windows: `units`.
"""

from collections.abc import Mapping

from trueup.monitor.features.faults.look import Rule
from trueup.monitor.features.faults.missing import Missing
from trueup.monitor.features.faults.out_of_range import OutOfRange
from trueup.monitor.features.faults.stuck import Stuck
from trueup.monitor.features.faults.type_changed import TypeChanged
from trueup.monitor.features.faults.unseen import Unseen

#: By the word that signals use; where several find fault, the first has it.
RULES: Mapping[str, Rule] = {
    "missing": Missing(),
    "type_changed": TypeChanged(),
    "stuck": Stuck(),
    "out_of_range": OutOfRange(),
    "unseen": Unseen(),
}
