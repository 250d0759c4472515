"""A service beside the mesh: tells a story with a picture and a reading, in the name of the account that asks.

It calls the mesh both ways: with its caller's access token, passed on unchanged, for what it does in that account's
name, and with a service token of its own for what it does as itself. README.md says how to run it.
"""

import asyncio
import logging
import os
import re
import signal
import time

import grpc
from atelier.analytics.v1 import analytics_service_pb2 as analytics
from atelier.llm_chat.v1 import llm_chat_service_pb2 as chat
from atelier.llm_chat.v1 import llm_chat_service_pb2_grpc as chat_grpc
from atelier.text_image.v1 import text_image_service_pb2 as image
from atelier.text_image.v1 import text_image_service_pb2_grpc as image_grpc
from atelier.tts.v1 import tts_service_pb2 as tts
from atelier.tts.v1 import tts_service_pb2_grpc as tts_grpc
from atelier.users.v1 import users_service_pb2 as users
from atelier.users.v1 import users_service_pb2_grpc as users_grpc
from bedtime.v1 import bedtime_service_pb2 as wire
from bedtime.v1 import bedtime_service_pb2_grpc as wire_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health

from mesh import GenerationEnded, Made, Recorder, channel, generate
from service_token import ServiceTokens, mesh_secret

NAME = "bedtime.v1.BedtimeService"
# The longest that a story may take, whatever deadline its caller sets.
LONGEST_SECONDS = 120
# What TTS reads at once.
READING_CHARACTERS = 5000
DRAIN_SECONDS = 10

log = logging.getLogger("bedtime")


class Bedtime(wire_grpc.BedtimeServiceServicer):
    """Answers the calls of BedtimeService."""

    def __init__(self, edge: grpc.aio.Channel, recorder: Recorder):
        self._users = users_grpc.UsersServiceStub(edge)
        self._chat = chat_grpc.LlmChatServiceStub(edge)
        self._image = image_grpc.TextImageServiceStub(edge)
        self._tts = tts_grpc.TtsServiceStub(edge)
        self._recorder = recorder

    async def TellStory(self, request, context):  # noqa: N802, the contract's name
        if not 1 <= len(request.theme) <= 200 or not request.theme.strip():
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "theme: must have 1 to 200 characters")
        if not re.fullmatch(r"[A-Za-z0-9._:-]{1,48}", request.request_id):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "request_id: must be 1 to 48 of A-Z a-z 0-9 - _ . :")
        try:
            return await self._tell(request, context)
        except grpc.aio.AioRpcError as error:
            # The mesh's own words, and its details, which are what a program reads.
            kept = [(key, value) for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin"]
            await context.abort(error.code(), error.details(), tuple(kept))
        except GenerationEnded as error:
            code = grpc.StatusCode.ABORTED if error.retryable else grpc.StatusCode.INTERNAL
            await context.abort(code, f"{error.reason}: {error}")

    async def _tell(self, request, context) -> wire.TellStoryResponse:
        """The three generations, one deadline for all of them; a caller that goes away ends the calls with it."""
        begun = time.monotonic()
        until = begun + min(context.time_remaining() or LONGEST_SECONDS, LONGEST_SECONDS)
        sent = [value for key, value in context.invocation_metadata() if key == "authorization"]
        caller = grpc.aio.Metadata(*(("authorization", value) for value in sent))
        me = await self._users.GetMe(users.GetMeRequest(), metadata=caller, timeout=until - begun)

        ask = chat.InputMessage(role=chat.ROLE_USER, text=f"Write me a bedtime story about {request.theme}.")
        story = await generate(
            self._chat.Complete,
            chat.CompleteRequest(messages=[ask], request_id=f"{request.request_id}:story"),
            caller,
            until,
        )
        picture_of = image.GenerateImageRequest(
            prompt=f"{request.theme}, as in a picture book", request_id=f"{request.request_id}:picture"
        )
        reading_of = tts.SynthesizeRequest(
            text=story.text[:READING_CHARACTERS], speed=0.9, request_id=f"{request.request_id}:reading"
        )
        try:
            async with asyncio.TaskGroup() as both:
                picture = both.create_task(generate(self._image.GenerateImage, picture_of, caller, until))
                reading = both.create_task(generate(self._tts.Synthesize, reading_of, caller, until))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

        # The story's id names the event, so that a story asked for twice is one. What the three generations used was
        # counted by the services that made them.
        event = analytics.UsageEvent(
            id=story.id,
            source="bedtime",
            user_id=me.user.id,
            provider="bedtime",
            model="story",
            outcome=analytics.OUTCOME_COMPLETED,
        )
        event.time.GetCurrentTime()
        event.duration.FromMilliseconds(round((time.monotonic() - begun) * 1000))
        self._recorder.record(event)
        return wire.TellStoryResponse(
            text=story.text, picture=file_of(picture.result()), reading=file_of(reading.result())
        )


def file_of(made: Made) -> wire.File:
    kept = made.artifact
    return wire.File(url=kept.url, content_type=kept.content_type, sha256=kept.sha256, expire_time=kept.expire_time)


async def main() -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)

    edge = channel(os.environ.get("ATELIER_PUBLIC_URL") or "http://localhost:8080")
    tokens = ServiceTokens(mesh_secret(), "bedtime")
    recorder = Recorder(os.environ.get("ATELIER_ANALYTICS_URL") or "http://127.0.0.1:8005", tokens)
    alive = health.HealthServicer()
    await alive.set(NAME, health_pb2.HealthCheckResponse.SERVING)

    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 16384)], maximum_concurrent_rpcs=100)
    wire_grpc.add_BedtimeServiceServicer_to_server(Bedtime(edge, recorder), server)
    health_pb2_grpc.add_HealthServicer_to_server(alive, server)
    address = os.environ.get("BEDTIME_LISTEN") or "127.0.0.1:8101"
    port = server.add_insecure_port(address)
    await server.start()
    print(f"ready: {address.rpartition(':')[0]}:{port}", flush=True)

    await stop.wait()
    await alive.enter_graceful_shutdown()
    await server.stop(DRAIN_SECONDS)
    await recorder.close(DRAIN_SECONDS)
    await edge.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    asyncio.run(main())
