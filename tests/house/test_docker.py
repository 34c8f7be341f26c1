"""The Dockerfile and docker-compose.yml, held against the code, since no Docker engine is needed for these tests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from trueup.cli import main
from trueup.embedded.redis_server import redis_command
from trueup.settings import CONFIG_VARIABLE, Settings, read

WORKERS = ("monitor", "alerter", "notifier")
OURS = ("topics", *WORKERS)
#: Runs once and ends; everything else is to go on.
ONE_SHOT = "topics"
GIVEN = {"WEBHOOK_URL": "https://hooks.example/", "WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}


@pytest.fixture(scope="module")
def compose(root: Path) -> dict[str, Any]:
    """docker-compose.yml, with the variables that a person gives put in."""
    text = re.sub(r"\$\{(\w+):-\}", lambda found: GIVEN[found[1]], (root / "docker-compose.yml").read_text())
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


@pytest.fixture(scope="module")
def services(compose: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


@pytest.fixture(scope="module")
def instructions(root: Path) -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, argument), lines joined where they go on."""
    text = (root / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, argument.strip()) for word, _, argument in (line.partition(" ") for line in lines)]


def settings_of(service: Mapping[str, Any], root: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings as a container of this service would read them."""
    files = {inside: root / outside for outside, inside in mounts(service)}
    for name, value in service["environment"].items():
        monkeypatch.setenv(name, str(files[value]) if name == CONFIG_VARIABLE else value)
    return read()


def mounts(service: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(outside, inside) of every volume of a service."""
    pairs = [volume.split(":")[:2] for volume in service.get("volumes", [])]
    return [(outside, inside) for outside, inside in pairs]


def command(words: list[str]) -> click.Command | None:
    """The command of `trueup` that takes these words, or None."""
    found: click.Command = main
    for word in words:
        if not isinstance(found, click.Group) or word not in found.commands:
            return None
        found = found.commands[word]
    return found


# -- docker-compose.yml ------------------------------------------------------------------------------------------------


def test_all_services_are_there(services: Mapping[str, Any]) -> None:
    assert set(services) == {"kafka", "redis", "prometheus", *OURS}


@pytest.mark.parametrize("name", OURS)
def test_every_name_in_the_environment_of_a_service_is_a_setting(
    name: str, services: Mapping[str, Any], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(services[name], root, monkeypatch)
    assert settings.kafka.bootstrap != Settings.model_fields["kafka"].default.bootstrap
    assert settings.redis.url != Settings.model_fields["redis"].default.url


@pytest.mark.parametrize("name", OURS)
def test_the_command_of_a_service_is_one_of_trueup(name: str, services: Mapping[str, Any]) -> None:
    found = command(services[name]["command"])
    assert found is not None
    assert not isinstance(found, click.Group)


def test_all_services_are_told_the_same_but_for_the_channel(services: Mapping[str, Any]) -> None:
    told = [
        {key: value for key, value in services[name]["environment"].items() if not key.startswith("TRUEUP_CHANNELS__")}
        for name in OURS
    ]
    assert all(one == told[0] for one in told)


def test_the_notifier_has_a_channel_and_runs_only_where_it_is_asked_for(
    services: Mapping[str, Any], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings_of(services["notifier"], root, monkeypatch).channels.names == ("webhook",)
    assert [name for name, service in services.items() if "profiles" in service] == ["notifier"]


def test_workers_find_kafka_where_it_listens_for_containers(
    services: Mapping[str, Any], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka = services["kafka"]["environment"]
    advertised = dict(listener.split("://") for listener in kafka["KAFKA_ADVERTISED_LISTENERS"].split(","))
    listening = dict(listener.split("://") for listener in kafka["KAFKA_LISTENERS"].split(","))
    inside = advertised[kafka["KAFKA_INTER_BROKER_LISTENER_NAME"]]
    assert settings_of(services["monitor"], root, monkeypatch).kafka.bootstrap == inside
    assert inside in services["kafka"]["healthcheck"]["test"]
    protocols = dict(pair.split(":") for pair in kafka["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    assert set(protocols) == set(listening) == {*advertised, kafka["KAFKA_CONTROLLER_LISTENER_NAMES"]}
    for name, address in advertised.items():
        assert address.rpartition(":")[2] == listening[name].rpartition(":")[2]


def test_this_machine_finds_kafka_where_it_says_it_is(services: Mapping[str, Any]) -> None:
    advertised = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")
    host, outside, inside = services["kafka"]["ports"][0].split(":")
    assert f"HOST://{host}:{outside}" in advertised
    assert outside == inside


def test_workers_find_redis_by_the_name_of_its_service(
    services: Mapping[str, Any], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = settings_of(services["monitor"], root, monkeypatch).redis.url
    assert re.fullmatch(r"redis://(\w+):6379/0", url)
    assert url.split("/")[2].split(":")[0] in services


def test_redis_keeps_its_data_as_the_embedded_one_does(services: Mapping[str, Any]) -> None:
    words = redis_command(Path("redis-server"), port=0)[1:]
    embedded = dict(zip(words[::2], words[1::2], strict=True))
    options = services["redis"]["command"][1:]
    given = dict(zip(options[::2], options[1::2], strict=True))
    assert given == {name: embedded[name] for name in given}
    assert {"--appendonly", "--appendfsync", "--maxmemory-policy"} <= set(given)
    assert ("redis-data", "/data") in mounts(services["redis"])


def test_prometheus_scrapes_every_worker_on_the_port_that_it_serves(
    services: Mapping[str, Any], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = yaml.safe_load((root / "deploy/prometheus.yml").read_text())["scrape_configs"]
    targets = {target for job in jobs for group in job.get("static_configs", []) for target in group["targets"]}
    for job in jobs:
        for group in job.get("dns_sd_configs", []):
            targets |= {f"{name}:{group['port']}" for name in group["names"]}
    served = set()
    for name in WORKERS:
        settings = settings_of(services[name], root, monkeypatch)
        assert settings.metrics.host == "0.0.0.0"
        served |= {f"{name}:{settings.metrics.port + number}" for number in range(settings.engine.processes)}
    assert targets == served
    assert ("./deploy/prometheus.yml", "/etc/prometheus/prometheus.yml") in mounts(services["prometheus"])
    assert ("./deploy/rules.yml", "/etc/prometheus/rules.yml") in mounts(services["prometheus"])


def test_every_service_that_goes_on_has_a_health_check_and_is_started_again(services: Mapping[str, Any]) -> None:
    for name, service in services.items():
        if name == ONE_SHOT:
            assert service["restart"] == "no"
            assert service["healthcheck"] == {"disable": True}
        else:
            assert service["restart"] == "unless-stopped"
            assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
            assert len(service["healthcheck"]["test"]) > 1


@pytest.mark.parametrize("name", WORKERS)
def test_the_health_check_of_a_worker_is_python_that_asks_for_its_metrics(
    name: str, services: Mapping[str, Any], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, python, option, program = services[name]["healthcheck"]["test"]
    assert (kind, python, option) == ("CMD", "python", "-c")
    compile(program, name, "exec")
    port = settings_of(services[name], root, monkeypatch).metrics.port
    assert f"http://127.0.0.1:{port}/metrics" in program


def test_a_service_waits_for_what_can_be_waited_for(services: Mapping[str, Any]) -> None:
    for service in services.values():
        for other, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if other == ONE_SHOT else "service_healthy"
            assert how == {"condition": expected}
    for name in WORKERS:
        assert set(services[name]["depends_on"]) == {"redis", "topics"}
    assert set(services["topics"]["depends_on"]) == {"kafka"}


def test_volumes_are_declared_and_files_that_are_mounted_exist(
    compose: Mapping[str, Any], services: Mapping[str, Any], root: Path
) -> None:
    outside = {source for service in services.values() for source, _ in mounts(service)}
    assert {source for source in outside if not source.startswith("./")} == set(compose["volumes"])
    for source in outside - set(compose["volumes"]):
        assert (root / source).is_file()


def test_nothing_is_open_to_other_machines(services: Mapping[str, Any]) -> None:
    """Kafka, Redis and the metrics ask for no password."""
    for service in services.values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_images_have_plain_names_and_a_version(services: Mapping[str, Any], pyproject: Mapping[str, Any]) -> None:
    for service in services.values():
        assert re.fullmatch(r"([a-z]+/)?[a-z]+:v?\d[\w.-]*", service["image"])
    versions = {services[name]["image"] for name in OURS}
    assert versions == {f"trueup:{pyproject['project']['version']}"}
    assert all(services[name]["build"] == "." for name in OURS)


# -- Dockerfile --------------------------------------------------------------------------------------------------------


def arguments(instructions: list[tuple[str, str]], word: str) -> list[str]:
    return [argument for name, argument in instructions if name == word]


def copied(instructions: list[tuple[str, str]]) -> set[str]:
    """What comes from the repository into the image."""
    lines = [line for line in arguments(instructions, "COPY") if not line.startswith("--from=")]
    return {source for line in lines for source in line.split()[:-1]}


def test_the_image_does_not_run_as_root(instructions: list[tuple[str, str]]) -> None:
    last_stage = max(at for at, (word, _) in enumerate(instructions) if word == "FROM")
    [user] = arguments(instructions[last_stage:], "USER")
    assert user == "trueup"
    assert any(f" {user}" in line and "useradd" in line for line in arguments(instructions[last_stage:], "RUN"))


def test_the_image_runs_the_script_that_the_package_installs(
    instructions: list[tuple[str, str]], pyproject: Mapping[str, Any]
) -> None:
    [entrypoint] = arguments(instructions, "ENTRYPOINT")
    [script] = json.loads(entrypoint)
    assert script in pyproject["project"]["scripts"]


def test_the_image_installs_the_services_at_the_versions_of_the_lock(
    instructions: list[tuple[str, str]], pyproject: Mapping[str, Any]
) -> None:
    [install] = [line for line in arguments(instructions, "RUN") if "pip install" in line]
    assert "--constraint requirements.lock" in install
    [extra] = re.findall(r"'\.\[(\w+)\]'", install)
    assert extra == "server"
    assert extra in pyproject["project"]["optional-dependencies"]


def test_the_image_is_made_of_all_that_the_package_is_made_of(
    instructions: list[tuple[str, str]], pyproject: Mapping[str, Any], root: Path
) -> None:
    project = pyproject["project"]
    packages = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    needed = {"pyproject.toml", "requirements.lock", project["readme"], *project["license-files"], *packages}
    assert copied(instructions) == needed
    assert all((root / source).exists() for source in needed)


def test_docker_is_sent_what_the_image_is_made_of_and_nothing_else(
    instructions: list[tuple[str, str]], root: Path
) -> None:
    lines = [line for line in (root / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == copied(instructions)
    assert any(fnmatch("services/trueup/__pycache__", line) for line in lines[1:])


def test_the_image_has_a_python_that_the_package_takes(
    instructions: list[tuple[str, str]], pyproject: Mapping[str, Any]
) -> None:
    bases = {argument.split(" AS ")[0] for argument in arguments(instructions, "FROM")}
    assert bases == {"python:3.12-slim"}
    assert "Programming Language :: Python :: 3.12" in pyproject["project"]["classifiers"]
