"""What may be configured, and what is said where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from trueup.errors import InvalidSettings
from trueup.settings import Settings, read


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No trueup.toml of this folder, and no variable of this shell, gets in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRUEUP_CONFIG", raising=False)


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "trueup.toml"
    file.write_text(text)
    return file


def test_nothing_has_to_be_configured() -> None:
    settings = read()
    assert settings.monitor.of("any-model").reference_labels == 10_000
    assert settings.alerter.of("any-model").mode("retrain") == "auto"
    assert settings.channels.names == ()


def test_the_environment_comes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, '[kafka]\nbootstrap = "file:1"\npartitions = 8\n')
    monkeypatch.setenv("TRUEUP_KAFKA__BOOTSTRAP", "environment:2")
    settings = read()
    assert (settings.kafka.bootstrap, settings.kafka.partitions) == ("environment:2", 8)


def test_a_model_is_configured_by_name(tmp_path: Path) -> None:
    file = write(tmp_path, '[monitor.models."price/eu"]\ntask = "regression"\ntolerance = 0.1\n')
    settings = read(file)
    assert settings.monitor.of("price/eu").tolerance == 0.1
    assert settings.monitor.of("other").tolerance is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("[kafka]\npartitions = 0\n", "kafka.partitions", id="out of range"),
        pytest.param("[kafka]\nbootstrapp = 'x'\n", "kafka.bootstrapp", id="unknown name"),
        pytest.param("[monitorr]\n", "monitorr", id="unknown section"),
        pytest.param("[monitor.models.m]\ntask = 'guessing'\n", "monitor.models.m.task", id="not in the set"),
        pytest.param("[alerter.policy]\nretrain = 'yes'\n", "alerter.policy.retrain", id="unknown mode"),
        pytest.param("[channels.webhook]\nurl = 'ftp://x'\nsecret = ''\n", "channels.webhook.url", id="no such scheme"),
        pytest.param("kafka = \n", "is not TOML", id="no TOML"),
    ],
)
def test_what_is_wrong_is_one_sentence_that_names_it(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        read(write(tmp_path, text))
    sentence = str(caught.value)
    assert said in sentence
    assert "\n" not in sentence


def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUEUP_KAFKKA__BOOTSTRAP", "x:1")
    with pytest.raises(InvalidSettings, match="TRUEUP_KAFKKA__BOOTSTRAP"):
        read()


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="no settings file"):
        read(tmp_path / "missing.toml")


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUEUP_REDIS__URL", "redis://app:s3cret@redis:6379/0")
    settings = read()
    assert settings.redis.url == "redis://app:s3cret@redis:6379/0"
    assert settings.redis.shown == "redis://app:***@redis:6379/0"
    assert "s3cret" not in settings.model_dump_json()


def test_a_password_in_a_wrong_address_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUEUP_REDIS__URL", "http://app:s3cret@redis:6379/0")
    with pytest.raises(InvalidSettings) as caught:
        read()
    assert "s3cret" not in str(caught.value)


def test_the_fingerprint_changes_with_what_decides_the_output(tmp_path: Path) -> None:
    before = read().fingerprint()
    assert read(write(tmp_path, "[metrics]\nport = 9000\n")).fingerprint() == before
    assert read(write(tmp_path, "[monitor]\nfalse_pages_per_month = 2\n")).fingerprint() != before


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().kafka = None  # type: ignore[assignment, misc]
