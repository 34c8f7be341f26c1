"""The `trueup` command: thin, each command calls what does the work."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from trueup.errors import InvalidSettings, TrueupError

#: How often a live page is drawn anew.
REDRAW_SECONDS = 1.0
TAILED = ("alerts", "triggers", "signals", "dead-letters", "audit", "journal")


@contextlib.contextmanager
def _sentences() -> Iterator[None]:
    """Errors that a person can mend end in one sentence: 2 for settings, 1 for the rest."""
    try:
        yield
    except InvalidSettings as error:
        click.echo(f"trueup: {error}", err=True)
        sys.exit(2)
    except TrueupError as error:
        click.echo(f"trueup: {error}", err=True)
        sys.exit(1)


class _Command(click.Command):
    """A command whose errors are sentences."""

    def invoke(self, context: click.Context) -> Any:
        with _sentences():
            return super().invoke(context)


class _Group(click.Group):
    command_class = _Command


_Group.group_class = _Group


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", type=click.Path(path_type=Path), help="The settings file (default: trueup.toml).")
@click.version_option(package_name="trueup")
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """Trueup: true accuracy, few and true alerts, triggers that pipelines consume."""
    context.obj = config


def _settings(config: Path | None) -> Any:
    from trueup.settings import read

    return read(config)


def _process_count(asked: int, partitions: int) -> int:
    """Not more processes than partitions, for one more would have nothing to take; said where it is fewer."""
    if asked > partitions:
        told = f"{asked} processes were asked for; as many are run as there are partitions: {partitions}"
        click.echo(f"trueup: {told}", err=True)
    return min(asked, partitions)


def _run_worker(worker: Any, config: Path | None, processes: int | None) -> None:
    settings = _settings(config)
    count = _process_count(processes or settings.engine.processes, settings.kafka.partitions)
    if count > 1:
        from trueup.processes import run as run_several

        run_several(worker, settings, config=config, processes=count)
    from trueup.workers.run import run

    run(worker, settings)


_processes = click.option(
    "--processes", type=click.IntRange(min=1), help="A core for each; default: engine.processes, 1."
)


@main.command()
@_processes
@click.pass_obj
def monitor(config: Path | None, processes: int | None) -> None:
    """Run a monitor worker: joins, measures, detects."""
    _run_worker("monitor", config, processes)


@main.command()
@_processes
@click.pass_obj
def alerter(config: Path | None, processes: int | None) -> None:
    """Run an alerter worker: decides on alerts and triggers."""
    _run_worker("alerter", config, processes)


@main.command()
@_processes
@click.pass_obj
def notifier(config: Path | None, processes: int | None) -> None:
    """Run a notifier worker: delivers alerts to channels."""
    _run_worker("notifier", config, processes)


@main.command()
@click.option("--folder", type=click.Path(path_type=Path), default=Path(".trueup/data"), help="Data and logs.")
@click.pass_obj
def up(config: Path | None, folder: Path) -> None:
    """Run everything on this machine: Kafka, Redis and all workers, until Ctrl-C."""
    from trueup.up import Together

    with Together(folder, config=config, say=click.echo) as running:
        click.echo(f"Kafka  {running.settings.kafka.bootstrap}")
        click.echo(f"Redis  {running.settings.redis.url}")
        click.echo(f"logs   {folder}")
        click.echo("")
        click.echo("In another terminal:")
        names = " ".join(f"{name}={shlex.quote(value)}" for name, value in running.environment.items())
        click.echo(f"  {names} {Path(sys.executable).with_name('trueup')} status")
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                running.supervise()
                time.sleep(REDRAW_SECONDS)


@main.command()
@click.option("--exit", "exit_when_over", is_flag=True, help="Stop when the year is over.")
@click.option("--report", type=click.Path(path_type=Path), help="Write a JSON report there when the year is over.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path(".trueup/demo"), help="Data and logs.")
def demo(exit_when_over: bool, report: Path | None, folder: Path) -> None:
    """Watch a year of flights: a real model goes stale, is found out, and is retrained."""
    try:
        from flights.demo import run
    except ImportError as error:
        click.echo(f"trueup: the demo lies in the repository, with `make demo` ({error})", err=True)
        sys.exit(2)
    sys.exit(run(folder, report=report, exit_when_over=exit_when_over))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--watch", is_flag=True, help="Draw it anew every second.")
@click.pass_obj
def status(config: Path | None, as_json: bool, watch: bool) -> None:
    """Show models, alerts, triggers, dead letters and lag."""
    from rich.console import Console
    from rich.live import Live

    from trueup.console.progress import Progress
    from trueup.console.status import read_status
    from trueup.console.terminal import NARROW, plain_lines, status_page

    screen = Console()
    with Progress(_settings(config)) as progress:
        if as_json:
            click.echo(json.dumps(read_status(progress)))
        elif not screen.is_terminal:
            click.echo("\n".join(plain_lines(read_status(progress))))
        elif not watch:
            screen.print(status_page(read_status(progress), narrow=screen.width < NARROW))
        else:
            with Live(console=screen, screen=True) as live, contextlib.suppress(KeyboardInterrupt):
                while True:
                    live.update(status_page(read_status(progress), narrow=screen.width < NARROW), refresh=True)
                    time.sleep(REDRAW_SECONDS)


@main.command()
@click.argument("topic", type=click.Choice(TAILED))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--from-start", is_flag=True, help="From the oldest record, not from now on.")
@click.option("--no-follow", is_flag=True, help="Stop at the present end.")
@click.pass_obj
def tail(config: Path | None, topic: str, as_json: bool, from_start: bool, no_follow: bool) -> None:
    """Follow a topic."""
    from trueup.console.tail import follow, one_line

    with contextlib.suppress(KeyboardInterrupt):
        for record in follow(_settings(config), topic, from_start=from_start, forever=not no_follow):
            click.echo(json.dumps(record) if as_json else one_line(topic, record))


@main.command("check-config")
@click.pass_obj
def check_config(config: Path | None) -> None:
    """Read the settings, and print what they come to."""
    click.echo(_settings(config).model_dump_json(indent=2))


@main.group()
def topics() -> None:
    """Create the topics, or check them."""


def _on_topics(config: Path | None, act: Callable[[Any, Any, Any, Any], None]) -> None:
    from trueup.connections.kafka_login import refuse_bad_login
    from trueup.connections.kafka_python import kafka_python_arguments
    from trueup.engine import topic_setup
    from trueup.workers.setups import topic_specs

    settings = _settings(config)
    refuse_bad_login(settings.kafka.bootstrap, settings.kafka.security)
    act(topic_setup, settings.kafka, topic_specs(settings), kafka_python_arguments(settings.kafka.security))


@topics.command()
@click.pass_obj
def create(config: Path | None) -> None:
    """Make what is missing, and set what can be set; never delete anything."""

    def act(topic_setup: Any, kafka: Any, specs: Any, security: Any) -> None:
        made = topic_setup.create(kafka.bootstrap, specs, replication=kafka.replication, security=security)
        for name in made.created:
            click.echo(f"created {name}")
        for name in made.changed:
            click.echo(f"changed {name}")

    _on_topics(config, act)


@topics.command()
@click.pass_obj
def check(config: Path | None) -> None:
    """Say what is not as it has to be; exit 1 where there is anything."""

    def act(topic_setup: Any, kafka: Any, specs: Any, security: Any) -> None:
        differences = topic_setup.check(kafka.bootstrap, specs, security=security)
        for difference in differences:
            click.echo(difference.sentence)
        sys.exit(1 if differences else 0)

    _on_topics(config, act)
