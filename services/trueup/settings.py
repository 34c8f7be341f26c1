"""All settings, read once: `TRUEUP_*` in the environment before `trueup.toml` before the defaults.

What a section means is written beside what it configures (`monitor.config`, `alerter.config`, `engine.loop`).
Environment names join with two underscores: `TRUEUP_KAFKA__BOOTSTRAP=kafka:9092`.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from trueup.alerter.config import AlerterConfig
from trueup.channels.config import ChannelsConfig
from trueup.connections.kafka_security import KafkaSecurity
from trueup.connections.redis_settings import RedisSettings
from trueup.engine import failpoints
from trueup.errors import InvalidSettings
from trueup.monitor.config import MonitorConfig
from trueup_schemas.topics import DEFAULT_PARTITIONS, DEFAULT_PREFIX
from trueup_schemas.values import Name

#: Names the file to read; without it, `trueup.toml` in the current folder where there is one.
CONFIG_VARIABLE = "TRUEUP_CONFIG"
DEFAULT_FILE = "trueup.toml"
#: Sections in which a wrong value may be a secret that was written to the wrong place.
_SECRET_PLACES = {"security", "redis", "channels"}


class KafkaSettings(BaseModel):
    """Where the events are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap: Name = "127.0.0.1:9092"
    topic_prefix: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]*$", max_length=100)] = DEFAULT_PREFIX
    #: Of every topic alike; cannot be changed later.
    partitions: Annotated[int, Field(ge=1, le=1_024)] = DEFAULT_PARTITIONS
    replication: Annotated[int, Field(ge=1, le=10)] = 1
    #: Consumer group of a worker: this and the worker's name.
    group_prefix: Name = "trueup"
    session_timeout_seconds: Annotated[float, Field(ge=6, le=300)] = 10.0
    heartbeat_seconds: Annotated[float, Field(gt=0, le=60)] = 2.0
    security: KafkaSecurity = KafkaSecurity()


class EngineSettings(BaseModel):
    """How the workers pace themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: "wall": time passes by itself. "stream": by the events, for replays and demos.
    clock: Literal["wall", "stream"] = "wall"
    tick_seconds: Annotated[float, Field(gt=0)] = 1.0
    save_interval_seconds: Annotated[float, Field(ge=0)] = 0.5
    #: A worker that gets nowhere for so long ends, and says why: what supervises it starts it again.
    stuck_seconds: Annotated[float, Field(gt=0)] = 120.0
    max_record_bytes: Annotated[int, Field(ge=1_024, le=3_000_000)] = 1_048_576
    #: A worker is so many processes, which share its partitions out: a core for each. Not more than partitions are.
    processes: Annotated[int, Field(ge=1, le=1_024)] = 1


class MetricsSettings(BaseModel):
    """Where Prometheus finds `/metrics`; port 0 switches it off.

    Of a worker of several processes, the first serves at `port`, each further one at the port after that.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Name = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 0


class Settings(BaseSettings):
    """Everything, frozen. Build it with `read`."""

    model_config = SettingsConfigDict(
        env_prefix="TRUEUP_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        nested_model_default_partial_update=True,
        hide_input_in_errors=True,
    )

    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    engine: EngineSettings = EngineSettings()
    metrics: MetricsSettings = MetricsSettings()
    monitor: MonitorConfig = MonitorConfig()
    alerter: AlerterConfig = AlerterConfig()
    channels: ChannelsConfig = ChannelsConfig()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the file named in `model_config`."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    def fingerprint(self) -> str:
        """A hash of what decides the output of the steps: it goes into the journal.

        Where Kafka, Redis and the receivers of alerts are, and how often is saved, decides none of it.
        """
        decides = {
            "monitor": self.monitor.model_dump(mode="json"),
            "alerter": self.alerter.model_dump(mode="json"),
            "kafka": self.kafka.model_dump(mode="json", include={"partitions", "topic_prefix"}),
            "engine": self.engine.model_dump(mode="json", include={"clock", "tick_seconds", "max_record_bytes"}),
            "channels": self.channels.names,
        }
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def config_file(file: Path | None = None) -> Path | None:
    """The settings file that `read(file)` reads, as an absolute path; None where there is none to read.

    Whoever starts a process in another folder names this file to it: neither `trueup.toml` nor a relative path in
    TRUEUP_CONFIG is the same file there.

    Raises:
        InvalidSettings: a file was named, and is missing.
    """
    named = file or (Path(os.environ[CONFIG_VARIABLE]) if CONFIG_VARIABLE in os.environ else None)
    path = (named or Path(DEFAULT_FILE)).absolute()
    if path.is_file():
        return path
    if named is not None:
        raise InvalidSettings(f"there is no settings file at {named}")
    return None


def read(file: Path | None = None, **overrides: Any) -> Settings:
    """The settings.

    Args:
        file: the TOML file; None: the one that TRUEUP_CONFIG names, else `trueup.toml` where there is one.
        overrides: whole sections by name, before everything else.

    Raises:
        InvalidSettings: a file that is missing or no TOML, an unknown name, a value out of range.
    """
    path = config_file(file)
    _refuse_unknown_variables()

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=path)

    try:
        return FromFile(**overrides)
    except ValidationError as error:
        raise InvalidSettings(_sentence(error, path)) from error
    except ValueError as error:
        raise InvalidSettings(f"{path} is not TOML: {error}") from error


def _refuse_unknown_variables() -> None:
    known = {f"TRUEUP_{name.upper()}" for name in Settings.model_fields}
    for variable in os.environ:
        if not variable.startswith("TRUEUP_") or variable in (CONFIG_VARIABLE, "TRUEUP_CACHE", failpoints.VARIABLE):
            continue
        # Without the two underscores it may be another's: Kubernetes sets TRUEUP_PORT for a service named trueup.
        if "__" in variable and variable.split("__")[0] not in known:
            raise InvalidSettings(f"the environment has {variable}, which is no setting; sections are {sorted(known)}")


def _sentence(error: ValidationError, path: Path | None) -> str:
    """The first thing that is wrong, as one sentence."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    given = f", not {first.get('input')!r}" if _may_be_shown(first) else ""
    return f"setting {where or '?'} in the environment or {path or DEFAULT_FILE}: {first['msg']}{given}{more}"


def _may_be_shown(problem: Any) -> bool:
    """Whether the input that is at fault may be repeated: neither in a place of secrets, nor under a name unknown."""
    if isinstance(problem.get("input"), dict | list) or problem["type"] == "extra_forbidden":
        return False
    return not _SECRET_PLACES & set(problem["loc"])
