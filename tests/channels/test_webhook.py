"""The signed webhook against a real HTTP server that behaves in every way a receiver can."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from pydantic import ValidationError
from standardwebhooks.webhooks import Webhook

from trueup.channels.webhook import WebhookConfig, deliver
from trueup.errors import InvalidEvent, Unavailable

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"alert_id":"a-1","summary":"error rate 48 % \xe2\x80\x94 was 22 %"}'
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def post(handler: Handler, *, timeout: float = 5.0) -> None:
    """Deliver `BODY` once to a server that answers with `handler`."""

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/hook", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        config = WebhookConfig.model_validate(
            {"url": f"http://127.0.0.1:{port}/hook", "secret": SECRET, "timeout_seconds": timeout}
        )
        try:
            async with aiohttp.ClientSession() as session:
                await deliver(session, config, delivery_id="d-1", body=BODY)
        finally:
            await runner.cleanup()

    asyncio.run(run())


def test_the_receiver_can_verify_what_it_gets() -> None:
    got: list[tuple[bytes, dict[str, str]]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        got.append((await request.read(), {name.lower(): value for name, value in request.headers.items()}))
        return web.Response(status=204)

    post(handler)
    (body, headers) = got[0]
    assert body == BODY
    assert headers["webhook-id"] == "d-1"
    assert headers["content-type"] == "application/json"
    assert Webhook(SECRET).verify(body, headers) == json.loads(BODY)


@pytest.mark.parametrize("status", [408, 429, 500, 503], ids=str)
def test_a_receiver_that_cannot_now_is_tried_again(status: int) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    with pytest.raises(Unavailable, match=str(status)):
        post(handler)


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 410, 422], ids=str)
def test_a_receiver_that_will_not_is_left_alone_and_no_redirect_is_followed(status: int) -> None:
    calls: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        calls.append(request.path)
        return web.Response(status=status, headers={"location": "/hook"})

    with pytest.raises(InvalidEvent, match=str(status)):
        post(handler)
    assert calls == ["/hook"]


def test_a_receiver_that_hangs_is_tried_again() -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError("never")

    with pytest.raises(Unavailable):
        post(handler, timeout=0.2)


def test_a_receiver_that_is_not_there_is_tried_again() -> None:
    async def run() -> None:
        config = WebhookConfig.model_validate({"url": "http://127.0.0.1:9/", "secret": SECRET})
        async with aiohttp.ClientSession() as session:
            await deliver(session, config, delivery_id="d-1", body=BODY)

    with pytest.raises(Unavailable):
        asyncio.run(run())


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_%%%"], ids=["empty", "prefix only", "no base64"])
def test_a_secret_that_cannot_sign_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(ValidationError) as caught:
        WebhookConfig.model_validate({"url": "https://example.org/hook", "secret": secret})
    assert "Standard Webhooks" in str(caught.value)


def test_the_secret_is_never_printed() -> None:
    config = WebhookConfig.model_validate({"url": "https://example.org/hook", "secret": SECRET})
    assert SECRET not in repr(config)
    assert SECRET not in config.model_dump_json()
