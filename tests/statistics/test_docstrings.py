import doctest
from types import ModuleType

import pytest

from trueup.statistics import bets, calibration, comparison, intervals, paired_outcomes, variance_inflation


@pytest.mark.parametrize(
    "module",
    [bets, calibration, comparison, intervals, paired_outcomes, variance_inflation],
    ids=lambda module: module.__name__,
)
def test_the_examples_in_the_docstrings_are_exact(module: ModuleType) -> None:
    outcome = doctest.testmod(module)

    assert outcome.attempted > 0
    assert outcome.failed == 0
