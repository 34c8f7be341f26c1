"""Deliveries: each on its own, tried again with growing waits, given up at last, never in the way of records."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from aiohttp import web

from trueup.channels.config import ChannelsConfig
from trueup.errors import Unavailable
from trueup.notifier.step import DELIVER
from trueup.step import Output
from trueup.workers.deliveries import GIVE_UP_SECONDS, DeliveringPublisher

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


Act = Callable[[DeliveringPublisher], Awaitable[None]]


class Records:
    """Takes the records, as Kafka does."""

    def __init__(self) -> None:
        self.got: list[Output] = []

    async def publish(self, outputs: Sequence[Output]) -> list[int]:
        self.got += outputs
        return list(range(len(outputs)))


class Scene:
    """A receiver that answers by the delivery's id, and a clock that stands until it is moved."""

    def __init__(self) -> None:
        self.answers: dict[str, int] = {}
        self.tried: list[str] = []
        self.now = 0.0
        self.records = Records()

    async def hook(self, request: web.Request) -> web.StreamResponse:
        self.tried.append(request.headers["webhook-id"])
        return web.Response(status=self.answers.get(request.headers["webhook-id"], 204))

    def run(self, act: Act) -> None:
        async def play() -> None:
            app = web.Application()
            app.router.add_post("/", self.hook)
            runner = web.AppRunner(app)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            webhook = {"url": f"http://127.0.0.1:{runner.addresses[0][1]}/", "secret": SECRET}
            channels = ChannelsConfig.model_validate({"webhook": webhook})
            publisher = DeliveringPublisher(self.records, channels, clock=lambda: self.now)
            await publisher.start()
            try:
                await act(publisher)
            finally:
                await publisher.stop()
                await runner.cleanup()

        asyncio.run(play())


def delivery(name: str) -> Output:
    return Output(DELIVER + "webhook", name.encode(), b"{}")


def test_one_that_fails_does_not_keep_the_others_and_is_not_sent_with_them_again() -> None:
    scene = Scene()
    scene.answers["bad"] = 503
    outbox = [Output("audit", b"m", b"{}"), delivery("good"), delivery("bad")]

    async def act(publisher: DeliveringPublisher) -> None:
        with pytest.raises(Unavailable, match="1 of 2"):
            await publisher.publish(outbox)
        assert sorted(scene.tried) == ["bad", "good"]
        with pytest.raises(Unavailable):
            await publisher.publish(outbox)
        assert len(scene.tried) == 2, "it is not time yet"
        assert scene.records.got == outbox[:1], "the records are with Kafka already"
        scene.now, scene.answers["bad"] = 2.0, 204
        await publisher.publish(outbox)
        assert sorted(scene.tried) == ["bad", "bad", "good"]
        assert publisher.counts.delivered == 2
        assert scene.records.got == outbox[:1]
        await publisher.publish(outbox[:1])
        assert scene.records.got == 2 * outbox[:1], "asked anew, it publishes anew"

    scene.run(act)


def test_one_that_no_receiver_ever_takes_is_given_up_and_counted() -> None:
    scene = Scene()
    scene.answers["bad"] = 500

    async def act(publisher: DeliveringPublisher) -> None:
        with pytest.raises(Unavailable):
            await publisher.publish([delivery("bad")])
        scene.now = GIVE_UP_SECONDS
        await publisher.publish([delivery("bad")])
        assert publisher.counts.given_up == 1

    scene.run(act)


def test_one_that_is_refused_for_good_is_given_up_at_once() -> None:
    scene = Scene()
    scene.answers["bad"] = 401

    async def act(publisher: DeliveringPublisher) -> None:
        await publisher.publish([delivery("bad"), delivery("good")])
        assert (publisher.counts.given_up, publisher.counts.delivered) == (1, 1)

    scene.run(act)


def test_a_channel_that_is_no_longer_configured_holds_up_nobody() -> None:
    scene = Scene()

    async def act(publisher: DeliveringPublisher) -> None:
        await publisher.publish([Output(DELIVER + "pager", b"d", b"{}")])
        assert publisher.counts.given_up == 1

    scene.run(act)
