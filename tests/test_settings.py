"""What may be configured, and what is said where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from trueup.errors import InvalidSettings
from trueup.settings import Settings, config_file, read


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


@pytest.mark.parametrize("named_by", ["argument", "variable", "nothing"])
def test_the_file_that_is_read_is_named_so_that_another_folder_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named_by: str
) -> None:
    file = write(tmp_path, "[kafka]\npartitions = 8\n")
    if named_by == "variable":
        monkeypatch.setenv("TRUEUP_CONFIG", "trueup.toml")
    found = config_file(Path("trueup.toml") if named_by == "argument" else None)
    assert found == file
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert read(found).kafka.partitions == 8


def test_without_a_file_there_is_none_to_name() -> None:
    assert config_file() is None


def test_a_password_in_the_address_becomes_a_setting_that_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUEUP_REDIS__URL", "rediss://app:s3cret@redis:6379/0")
    settings = read()
    assert settings.redis.url == "rediss://redis:6379/0"
    assert settings.redis.username == "app"
    assert settings.redis.password is not None
    assert settings.redis.password.get_secret_value() == "s3cret"
    assert "s3cret" not in settings.model_dump_json()


def test_a_password_in_a_wrong_address_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUEUP_REDIS__URL", "http://app:s3cret@redis:6379/0")
    with pytest.raises(InvalidSettings) as caught:
        read()
    assert "s3cret" not in str(caught.value)


WEBHOOK = '[channels.webhook]\nurl = "https://hooks.example/"\nsecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"\n'


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[monitor]\nfalse_pages_per_month = 2\n", id="monitor"),
        pytest.param("[monitor.models.m]\ntolerance = 0.2\n", id="one model"),
        pytest.param("[alerter]\nleast_outcomes = 7\n", id="alerter"),
        pytest.param("[kafka]\npartitions = 8\n", id="partitions: a model may lie on another one"),
        pytest.param("[kafka]\ntopic_prefix = 'other.'\n", id="topic prefix: triggers and dead letters name topics"),
        pytest.param("[engine]\nclock = 'stream'\n", id="clock"),
        pytest.param("[engine]\ntick_seconds = 2.0\n", id="tick length"),
        pytest.param("[engine]\nmax_record_bytes = 2048\n", id="record limit: what is beyond is a dead letter"),
        pytest.param(WEBHOOK, id="channels: an alert is delivered to one more"),
    ],
)
def test_the_fingerprint_changes_with_what_decides_the_output(tmp_path: Path, text: str) -> None:
    before = read().fingerprint()
    assert read(write(tmp_path, text)).fingerprint() != before


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[metrics]\nport = 9000\n", id="metrics"),
        pytest.param("[kafka]\nbootstrap = 'kafka:9092'\ngroup_prefix = 'g'\n", id="where Kafka is"),
        pytest.param("[redis]\nurl = 'redis://redis:6379/0'\n", id="where Redis is"),
        pytest.param("[engine]\nsave_interval_seconds = 1.0\n", id="how often is saved"),
        pytest.param("[engine]\nprocesses = 2\n", id="how many processes there are"),
    ],
)
def test_the_fingerprint_does_not_change_with_anything_else(tmp_path: Path, text: str) -> None:
    before = read().fingerprint()
    assert read(write(tmp_path, text)).fingerprint() == before


def test_the_fingerprint_does_not_change_with_the_receiver_of_alerts(tmp_path: Path) -> None:
    before = read(write(tmp_path, WEBHOOK)).fingerprint()
    assert read(write(tmp_path, WEBHOOK.replace("hooks.example", "other.example"))).fingerprint() == before


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().kafka = None  # type: ignore[assignment, misc]


def test_topics_are_kept_until_the_latest_truth_was_trained_on(tmp_path: Path) -> None:
    text = "[monitor]\nlabel_horizon_days = 10\n[monitor.models.slow]\ntraining_days = 60\n"
    assert read(write(tmp_path, text)).monitor.kept_days == 71
