"""A worker of several processes: what each is told, and which end is the end of all."""

from __future__ import annotations

from pathlib import Path

import pytest

from trueup.errors import InvalidSettings
from trueup.processes import environments, not_to_be_mended
from trueup.settings import Settings
from trueup.worker_process import WorkerProcess


def with_port(port: int) -> Settings:
    return Settings.model_validate({"metrics": {"port": port}})


def test_each_process_serves_its_metrics_at_a_port_of_its_own_and_is_one_process() -> None:
    told = environments(with_port(9_100), None, 3)
    assert [one["TRUEUP_METRICS__PORT"] for one in told] == ["9100", "9101", "9102"]
    assert {one["TRUEUP_ENGINE__PROCESSES"] for one in told} == {"1"}


def test_metrics_that_are_switched_off_are_switched_off_in_each() -> None:
    assert [one["TRUEUP_METRICS__PORT"] for one in environments(with_port(0), None, 2)] == ["0", "0"]


def test_a_settings_file_is_named_to_each_process(tmp_path: Path) -> None:
    file = tmp_path / "trueup.toml"
    assert [one["TRUEUP_CONFIG"] for one in environments(with_port(0), file, 2)] == [str(file)] * 2
    assert "TRUEUP_CONFIG" not in environments(with_port(0), None, 2)[0]


def test_ports_beyond_the_last_one_are_refused() -> None:
    assert environments(with_port(65_534), None, 2)[1]["TRUEUP_METRICS__PORT"] == "65535"
    with pytest.raises(InvalidSettings, match=r"metrics\.port is 65534, each of 3 processes"):
        environments(with_port(65_534), None, 3)


class Ended(WorkerProcess):
    """A process that ended with this code and these last lines."""

    def __init__(self, code: int | None, tail: str) -> None:
        super().__init__("monitor", {}, Path())
        self._code, self._lines = code, tail

    @property
    def exit_code(self) -> int | None:
        return self._code

    @property
    def tail(self) -> str:
        return self._lines


@pytest.mark.parametrize(
    ("code", "tail", "sentence"),
    [
        pytest.param(2, "a\ntrueup monitor ends: no topic\n", "[1] no topic", id="a worker that a person has to mend"),
        pytest.param(2, "trueup: setting kafka is wrong", "[1] setting kafka is wrong", id="settings that are wrong"),
        pytest.param(2, "", "[1] ended without a word", id="without a word"),
        pytest.param(1, "trueup monitor ends: Redis is away", None, id="a later start may do better"),
        pytest.param(-9, "", None, id="killed"),
        pytest.param(0, "", None, id="asked to stop by somebody else"),
        pytest.param(None, "", None, id="it runs"),
    ],
)
def test_all_end_where_no_restart_mends_one(code: int | None, tail: str, sentence: str | None) -> None:
    processes = {0: Ended(None, ""), 1: Ended(code, tail)}
    try:
        how = not_to_be_mended(processes)
    finally:
        for process in processes.values():
            process.close()
    assert (how and how.sentence) == sentence
    assert how is None or how.code == 2
