"""An HTTP POST of the alert, signed by the Standard Webhooks scheme (standardwebhooks.com).

The body is the alert as it stands in its topic. `webhook-id` is the same for every try of one revision of one alert,
so a receiver that sees it twice can tell. Redirects are not followed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from standardwebhooks.webhooks import Webhook

from trueup.errors import InvalidEvent, Unavailable


class WebhookConfig(BaseModel):
    """Where to post, and with which secret to sign."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, Field(pattern=r"^https?://", max_length=2_048)]
    #: `whsec_` and base64, as the receiver has it.
    secret: SecretStr
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0

    @field_validator("secret")
    @classmethod
    def _usable(cls, secret: SecretStr) -> SecretStr:
        try:
            Webhook(secret.get_secret_value())
        except Exception as error:
            raise ValueError("is not a secret of the Standard Webhooks scheme (whsec_ and base64)") from error
        return secret


async def deliver(session: aiohttp.ClientSession, config: WebhookConfig, *, delivery_id: str, body: bytes) -> None:
    """Post one delivery, once.

    Raises:
        Unavailable: no answer, 429, 408 or 5xx; try again later.
        InvalidEvent: the receiver will not have it, whatever is tried.
    """
    now = datetime.now(UTC)
    headers = {
        "content-type": "application/json",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(config.secret.get_secret_value()).sign(delivery_id, now, body.decode()),
    }
    timeout = aiohttp.ClientTimeout(total=config.timeout_seconds)
    try:
        async with session.post(
            config.url, data=body, headers=headers, timeout=timeout, allow_redirects=False
        ) as response:
            status = response.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unavailable(f"the webhook did not answer: {error!r}") from error
    if status < 300:
        return
    if status in (408, 429) or status >= 500:
        raise Unavailable(f"the webhook answered {status}")
    raise InvalidEvent(f"the webhook answered {status}: it will not take this delivery")
