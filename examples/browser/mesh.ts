// The clients of a mesh: Connect's grpc-web transport, and the token on every call. It knows no page.

import type { Interceptor, StreamRequest, UnaryRequest } from "@connectrpc/connect";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { LlmChatService } from "../../gen/ts/src/atelier/llm_chat/v1/llm_chat_service_pb.ts";
import { TextImageService } from "../../gen/ts/src/atelier/text_image/v1/text_image_service_pb.ts";
import { TtsService } from "../../gen/ts/src/atelier/tts/v1/tts_service_pb.ts";
import { UsersService } from "../../gen/ts/src/atelier/users/v1/users_service_pb.ts";
import { Session } from "./session.ts";

/** How long a call may take that is no stream. Streams pass `STREAM` instead: the mesh bounds those itself. */
const CALL_MS = 20_000;
/** For calls that stream: no deadline of this page's own. */
export const STREAM = { timeoutMs: 0 };

/** All clients of the mesh at a URL. */
export function mesh(url: string) {
  const open = createGrpcWebTransport({ baseUrl: url, defaultTimeoutMs: CALL_MS });
  // Signing in and exchanging tokens need no token; with one, an exchange would wait for itself.
  const door = createClient(UsersService, open);
  const session = new Session(url, door);
  const signed = createGrpcWebTransport({ baseUrl: url, defaultTimeoutMs: CALL_MS, interceptors: [authorized(session)] });
  return {
    session,
    door,
    users: createClient(UsersService, signed),
    chat: createClient(LlmChatService, signed),
    pictures: createClient(TextImageService, signed),
    voices: createClient(TtsService, signed),
  };
}

/** The clients of a mesh. */
export type Mesh = ReturnType<typeof mesh>;

/** Sends the access token along. A call that is refused for its token is repeated once, with a new one. */
function authorized(session: Session): Interceptor {
  return (next) => async (request) => {
    const again = await repeatable(request);
    const call = (token: string | undefined) => {
      if (token === undefined) request.header.delete("authorization");
      else request.header.set("authorization", `Bearer ${token}`);
      return next(again());
    };
    const token = await session.access();
    try {
      // A stream too is refused here, before its first message, or not at all.
      return await call(token);
    } catch (error) {
      if (token === undefined || ConnectError.from(error).code !== Code.Unauthenticated) throw error;
      await session.renew(token);
      return call(session.signed?.access);
    }
  };
}

/** A request's message can be read once where it is a stream: it is kept. A browser sends one message at most. */
async function repeatable(request: UnaryRequest | StreamRequest): Promise<() => UnaryRequest | StreamRequest> {
  if (!request.stream) return () => request;
  const messages: unknown[] = [];
  for await (const message of request.message) messages.push(message);
  return () => ({ ...request, message: each(messages) }) as StreamRequest;
}

async function* each<T>(items: T[]): AsyncGenerator<T> {
  yield* items;
}
