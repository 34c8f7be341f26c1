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


@main.command()
@click.argument("source")
@click.option("--changes", help="When models are known to have got worse: 2013-03-01,MODEL@2013-04-02.")
@click.option("--inject", help="Plant a fall: 'accuracy -0.02 [of MODEL] from 2013-06-01 [to 2013-07-01]'.")
@click.option("--html", type=click.Path(path_type=Path), default=Path("backtest.html"), help="The page to write.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all of it there as one JSON object.")
@click.option("--column", "columns", multiple=True, help="FIELD=COLUMN, where a table names a field otherwise.")
@click.option("--segment", "segments", multiple=True, help="A column that is a segment.")
@click.option("--model", "model_id", help="The model of all rows, where no column says it.")
@click.option("--version", "model_version", default="v1", help="Its version, where no column says it.")
@click.option("--delay-hours", type=click.FloatRange(0), default=0.0, help="When truths are known, likewise.")
@click.option("--tick-hours", type=click.FloatRange(0, min_open=True), default=1.0, help="How finely time passes.")
@click.option("--by-time", is_flag=True, help="Topics by the time of their records, not by the journal.")
@click.pass_obj
def backtest(config: Path | None, /, html: Path, json_file: Path | None, tick_hours: float, **asked: Any) -> None:
    """Say what would have fired over a history: a .parquet, .csv or .jsonl file, or the word `topics`."""
    from rich.console import Console

    from trueup.backtest import page, run, terminal
    from trueup.workers.garbage import calm_collector

    settings = _settings(config)
    calm_collector()
    report = run.backtest(run.Asked(**asked, tick_seconds=tick_hours * 3_600), settings)
    _write(html, page.html(report))
    if json_file is not None:
        _write(json_file, json.dumps(report, indent=2) + "\n")
    Console().print(terminal.shown(report))
    click.echo(f"written to {html}")


@main.command()
@click.option("--model", "model_id", help="Ask the running installation what it knows of this model.")
@click.option("--fall", type=float, default=0.02, show_default=True, help="By how much accuracy falls.")
@click.option("--labels-per-day", type=float, help="How many truths come a day.")
@click.option("--base-rate", type=float, help="The error rate before the fall.")
@click.option("--delay-hours", type=float, help="From a prediction to its truth.")
@click.option("--false-pages-per-month", type=float, help="The share of this model.")
@click.option("--inflation", type=float, help="How bursty errors are; 1: independent.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def power(config: Path | None, /, model_id: str | None, fall: float, as_json: bool, **said: float | None) -> None:
    """Say how long a fall takes to be found: by simulation, with this traffic, delay and budget."""
    from trueup.backtest.power import Question
    from trueup.backtest.power import power as simulate

    settings = _settings(config)
    known = {} if model_id is None else _known_of(settings, model_id)
    known |= {name: value for name, value in said.items() if value is not None}
    known.setdefault("false_pages_per_month", settings.monitor.false_pages_per_month)
    missing = [name for name in ("labels_per_day", "base_rate") if name not in known]
    if missing:
        raise InvalidSettings(f"say --{missing[0].replace('_', '-')}, or --model for one that is known")
    found = simulate(Question(fall=fall, model=settings.monitor.of(model_id or ""), **known))
    click.echo(json.dumps(found) if as_json else "\n".join(_power_lines(found)))


def _known_of(settings: Any, model_id: str) -> dict[str, float]:
    from trueup.backtest.power import known_of
    from trueup.console.progress import Progress
    from trueup.console.status import read_status

    with Progress(settings) as progress:
        models = {model["model_id"]: model for model in read_status(progress)["models"]}
    if model_id not in models:
        raise InvalidSettings(f"there is no model {model_id}; known are {', '.join(sorted(models)) or 'none'}")
    return known_of(models[model_id])


def _power_lines(found: dict[str, Any]) -> Iterator[str]:
    yield (
        f"error rate {found['base_rate']:.1%} + {found['fall']:.1%}, {found['labels_per_day']:,.0f} labels a day that "
        f"come after {found['delay_hours']:,.0f} h, {found['false_pages_per_month']:g} false pages a month, "
        f"variance inflation {found['inflation']:.1f}"
    )
    for name in ("median", "p90"):
        delay = found[name]
        yield f"{name:7}" + (
            "not found within a year, or 200,000 labels"
            if delay is None
            else f"{delay['labels']:,.0f} labels, {delay['hours']:,.0f} h ({delay['days']:,.1f} days)"
        )
    yield f"found in {found['found']:.0%} of {found['runs']} simulated falls"


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidSettings(f"{file} cannot be written: {error}") from error


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
