"""The mesh as another service sees it: channels, generations and usage. It knows nothing of stories."""

import asyncio
import logging
import random
import time
from dataclasses import dataclass

import grpc
from atelier.analytics.v1 import analytics_service_pb2 as analytics
from atelier.analytics.v1 import analytics_service_pb2_grpc as analytics_grpc
from atelier.generation.v1 import generation_pb2 as generation

from service_token import ServiceTokens

log = logging.getLogger("bedtime.mesh")


def channel(url: str) -> grpc.aio.Channel:
    """A channel to `http://HOST:PORT` or `https://HOST[:PORT]`; it connects on the first call and whenever it must."""
    scheme, _, host = url.rstrip("/").partition("://")
    if scheme == "https":
        return grpc.aio.secure_channel(host, grpc.ssl_channel_credentials())
    return grpc.aio.insecure_channel(host)


@dataclass
class Made:
    """What a generation has told so far."""

    id: str = ""
    text: str = ""
    artifact: generation.Artifact | None = None

    def hear(self, event: generation.GenerationEvent) -> bool:
        """Takes the next event; true when it was the last one of a generation that ended well."""
        self.id = event.generation_id
        match event.WhichOneof("event"):
            case "snapshot":  # replaces everything before it
                self.text = event.snapshot.text
                self.artifact = event.snapshot.artifacts[-1] if event.snapshot.artifacts else None
            case "text_delta":
                self.text += event.text_delta.text
            case "artifact":
                self.artifact = event.artifact
            case "failed":
                raise GenerationEnded(event.failed.reason, event.failed.message, event.failed.retryable)
            case "cancelled":
                raise GenerationEnded("CANCELLED", "it was cancelled", retryable=True)
            case "completed":
                return True
        return False


class GenerationEnded(Exception):
    """A generation came to its end without a result."""

    def __init__(self, reason: str, message: str, retryable: bool):
        super().__init__(message)
        self.reason, self.retryable = reason, retryable


async def generate(method, request, authorization: grpc.aio.Metadata, until: float) -> Made:
    """Starts a generation and follows it to its end, which is before `until` (of time.monotonic) or DEADLINE_EXCEEDED.

    When the connection is lost it starts it again: with a `request_id` that joins what was begun and replays it, so
    nothing is made, or paid, twice. Without one that would not be safe, and nothing else is tried again.
    """
    assert request.request_id
    for pause in (0.2, 1.0, 3.0, None):
        made = Made()
        try:
            async for answer in method(request, metadata=authorization, timeout=max(until - time.monotonic(), 0)):
                if made.hear(answer.event):
                    return made
            raise GenerationEnded("CUT_SHORT", "its stream ended before it did", retryable=True)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE or pause is None:
                raise
            log.info("%s is unavailable, once more: %s", request.DESCRIPTOR.full_name, error.details())
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))


class Recorder:
    """Takes usage events to analytics, in the service's own name, and tries until they are acknowledged.

    An event that was recorded although its acknowledgement was lost is counted once, because it goes out again under
    the same id. The queue is in memory: a service that may lose none in a crash keeps them in its database instead.
    """

    AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)

    def __init__(self, url: str, tokens: ServiceTokens):
        self._channel = channel(url)
        self._stub = analytics_grpc.AnalyticsServiceStub(self._channel)
        self._tokens = tokens
        self._queue: asyncio.Queue[analytics.UsageEvent] = asyncio.Queue(maxsize=1000)
        self._task = asyncio.create_task(self._run())

    def record(self, event: analytics.UsageEvent) -> None:
        """Returns at once; the event is lost, and that is logged, when a thousand others wait."""
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            log.error("usage event %s is lost: too many wait", event.id)

    async def close(self, seconds: float) -> None:
        """Lets what waits go out for a while, then ends."""
        try:
            await asyncio.wait_for(self._queue.join(), seconds)
        except TimeoutError:
            log.error("%d usage events are lost: analytics did not take them", self._queue.qsize() + 1)
        self._task.cancel()
        await self._channel.close()

    async def _run(self) -> None:
        while True:
            event = await self._queue.get()
            await self._deliver(event)
            self._queue.task_done()

    async def _deliver(self, event: analytics.UsageEvent) -> None:
        pause = 0.2
        while True:
            bearer = ("authorization", f"Bearer {self._tokens.token('analytics')}")
            try:
                request = analytics.RecordEventsRequest(events=[event])
                answer = await self._stub.RecordEvents(request, metadata=grpc.aio.Metadata(bearer), timeout=5)
                log.info("usage event %s: %s", event.id, "recorded" if answer.recorded else "known already")
                return
            except grpc.aio.AioRpcError as error:
                if error.code() not in self.AGAIN:
                    log.error("usage event %s was refused: %s, %s", event.id, error.code().name, error.details())
                    return
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, 10)
