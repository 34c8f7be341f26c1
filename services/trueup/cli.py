"""The `trueup` command."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from trueup.errors import InvalidSettings
from trueup.settings import Settings, read


@click.group()
@click.option("--config", type=click.Path(path_type=Path), help="The settings file (default: trueup.toml).")
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """Trueup: true accuracy, few and true alerts, triggers that pipelines consume."""
    try:
        context.obj = read(config)
    except InvalidSettings as error:
        click.echo(f"trueup: {error}", err=True)
        sys.exit(2)


@main.command()
@click.pass_obj
def monitor(settings: Settings) -> None:
    """Run a monitor worker: joins, measures, detects."""
    from trueup.workers.run import run

    run("monitor", settings)


@main.command()
@click.pass_obj
def alerter(settings: Settings) -> None:
    """Run an alerter worker: alerts and triggers."""
    from trueup.workers.run import run

    run("alerter", settings)


@main.command()
@click.pass_obj
def notifier(settings: Settings) -> None:
    """Run a notifier worker: delivers alerts to channels."""
    from trueup.workers.run import run

    run("notifier", settings)
