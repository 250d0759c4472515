"""A relay as a FastAPI service is commonly written: one shared httpx client, and a stream passed on as it comes."""

import os
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

UPSTREAM = os.environ["UPSTREAM"]


class Message(BaseModel):
    role: str
    content: str


class ChatRequest(BaseModel):
    model: str
    messages: list[Message]
    stream: bool = False


@asynccontextmanager
async def lifespan(app: FastAPI):
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=200)
    async with httpx.AsyncClient(timeout=120, limits=limits) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/v1/chat/completions")
async def chat(request: ChatRequest):
    client: httpx.AsyncClient = app.state.client
    body: dict[str, Any] = request.model_dump()
    url = f"{UPSTREAM}/chat/completions"
    if not request.stream:
        answer = await client.post(url, json=body)
        return JSONResponse(answer.json(), status_code=answer.status_code)

    async def pieces():
        async with client.stream("POST", url, json=body) as answer:
            async for piece in answer.aiter_bytes():
                yield piece

    return StreamingResponse(pieces(), media_type="text/event-stream")
