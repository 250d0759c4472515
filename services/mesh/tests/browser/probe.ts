// The generated client by itself, as checks use it inside the browser: no page around it, and no call is made twice.

import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { problemOf } from "../../../../examples/browser/problem.ts";
import type { GenerationEvent } from "../../../../gen/ts/src/atelier/generation/v1/generation_pb.ts";
import { State } from "../../../../gen/ts/src/atelier/generation/v1/generation_pb.ts";
import { LlmChatService } from "../../../../gen/ts/src/atelier/llm_chat/v1/llm_chat_service_pb.ts";
import { TextImageService } from "../../../../gen/ts/src/atelier/text_image/v1/text_image_service_pb.ts";
import { TtsService } from "../../../../gen/ts/src/atelier/tts/v1/tts_service_pb.ts";
import { UsersService } from "../../../../gen/ts/src/atelier/users/v1/users_service_pb.ts";

export { State };

/** The clients of the mesh at a URL, in the name of a token. */
export function mesh(url: string, token = "") {
  const transport = createGrpcWebTransport({
    baseUrl: url,
    interceptors: [
      (next) => (request) => {
        if (token !== "") request.header.set("authorization", `Bearer ${token}`);
        return next(request);
      },
    ],
  });
  return {
    users: createClient(UsersService, transport),
    chat: createClient(LlmChatService, transport),
    pictures: createClient(TextImageService, transport),
    voices: createClient(TtsService, transport),
  };
}

/** How a call failed, as plain data: the code's name, the reason and the fields; `ok` when it did not fail. */
export async function failure(call: Promise<unknown>): Promise<{ code: string; reason: string; fields: string[]; message: string }> {
  try {
    await call;
    return { code: "ok", reason: "", fields: [], message: "" };
  } catch (error) {
    const { code, reason, fields } = problemOf(error);
    const { message } = ConnectError.from(error);
    return { code: Code[code], reason: reason ?? "", fields: fields.map(({ field }) => field), message };
  }
}

/** Reads a stream to its end, or until `enough` says so. */
export async function all(
  stream: AsyncIterable<{ event?: GenerationEvent | undefined }>,
  into: GenerationEvent[] = [],
  enough: (events: GenerationEvent[]) => void = () => undefined,
): Promise<GenerationEvent[]> {
  for await (const { event } of stream) {
    if (event !== undefined) into.push(event);
    enough(into);
  }
  return into;
}

/** The text that events tell. */
export function textOf(events: GenerationEvent[]): string {
  let text = "";
  for (const { event } of events) {
    if (event.case === "snapshot") text = event.value.text;
    if (event.case === "textDelta") text += event.value.text;
  }
  return text;
}

/** What a conversation's last reply is, as the mesh keeps it; without an id, that of the conversation changed last. */
export async function lastReply(url: string, token: string, conversationId = "") {
  const { chat } = mesh(url, token);
  const id = conversationId || (await chat.listConversations({ pageSize: 1 })).conversations[0]?.id || "";
  const { messages } = await chat.listMessages({ conversationId: id, pageSize: 1000 });
  const last = messages.at(-1);
  return {
    conversationId: id,
    count: messages.length,
    text: last?.text ?? "",
    state: State[last?.state ?? State.UNSPECIFIED] ?? "",
    generationId: last?.generationId ?? "",
  };
}
