"""A contender that counted wrong has no figure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.errors import BenchmarkFailed
from benchmarks.table import json_line, table
from benchmarks.throughput.contender import Result
from benchmarks.throughput.counts import refuse_wrong_counts

RIGHT = Result(seconds=1.0, cpu_seconds=1.0, joined=200, correct=180)


def test_right_counts_are_taken() -> None:
    refuse_wrong_counts("loop", RIGHT, joined=200, correct=180)


@pytest.mark.parametrize("wrong", [{"joined": 199}, {"joined": 201}, {"correct": 179}], ids=str)
def test_any_wrong_count_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(BenchmarkFailed, match=f"loop counted .* {next(iter(wrong))}"):
        refuse_wrong_counts("loop", replace(RIGHT, **wrong), joined=200, correct=180)


def test_a_table_has_its_columns_under_each_other() -> None:
    assert table(("a", "long"), [("name", "1"), ("n", "22")]) == "a     long\nname     1\nn       22"


def test_the_json_line_is_one_line_with_three_digits() -> None:
    assert json_line({"a": 1 / 3, "b": [{"c": 2.0}]}) == '{"a": 0.333, "b": [{"c": 2.0}]}'
