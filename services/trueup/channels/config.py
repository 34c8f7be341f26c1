"""Which channels there are, each with its own configuration. Without any, alerts are in their topic alone."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from trueup.channels.webhook import WebhookConfig


class ChannelsConfig(BaseModel):
    """One entry for each channel; None: not used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    webhook: WebhookConfig | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The channels that are in use."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) is not None)
