// A web client of a running edge, as a page would be: Connect's own grpc-web transport over fetch, and the generated
// contract. It is given the edge's URL, prints a line for each check, and ends with `N passed, N failed`.

import { Code, ConnectError, createClient } from "@connectrpc/connect";
import type { Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import type { Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { fileDesc, messageDesc } from "@bufbuild/protobuf/codegenv2";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { create, toBinary } from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import { AnalyticsService } from "./src/atelier/analytics/v1/analytics_service_pb.ts";
import { LlmChatService } from "./src/atelier/llm_chat/v1/llm_chat_service_pb.ts";
import type { GenerationEvent } from "./src/atelier/generation/v1/generation_pb.ts";
import { State } from "./src/atelier/generation/v1/generation_pb.ts";
import { TextImageService } from "./src/atelier/text_image/v1/text_image_service_pb.ts";
import { TtsService } from "./src/atelier/tts/v1/tts_service_pb.ts";
import { Role, UsersService } from "./src/atelier/users/v1/users_service_pb.ts";

declare const process: { argv: string[]; exitCode?: number };

const url = process.argv[2] ?? "";
let passed = 0;
let failed = 0;

function check(title: string, holds: boolean, found?: unknown): void {
  if (holds) passed += 1;
  else failed += 1;
  console.log(`${holds ? "ok     " : "FAILED "} ${title}`);
  if (!holds) console.log("        |", found);
}

// The standard error details, described as google/rpc/error_details.proto has them, so that they can be decoded.
const LABEL_OPTIONAL = 1;
const LABEL_REPEATED = 3;
const TYPE_MESSAGE = 11;
const TYPE_STRING = 9;
const text = (name: string, number: number) =>
  ({ name, number, label: LABEL_OPTIONAL, type: TYPE_STRING, jsonName: name }) as const;
const details = fileDesc(
  base64Encode(
    toBinary(
      FileDescriptorProtoSchema,
      create(FileDescriptorProtoSchema, {
        name: "google/rpc/error_details.proto",
        package: "google.rpc",
        syntax: "proto3",
        messageType: [
          {
            name: "BadRequest",
            field: [
              {
                name: "field_violations",
                number: 1,
                label: LABEL_REPEATED,
                type: TYPE_MESSAGE,
                typeName: ".google.rpc.BadRequest.FieldViolation",
                jsonName: "fieldViolations",
              },
            ],
            nestedType: [{ name: "FieldViolation", field: [text("field", 1), text("description", 2)] }],
          },
          { name: "ErrorInfo", field: [text("reason", 1), text("domain", 2)] },
        ],
      }),
    ),
  ),
);
type BadRequest = Message<"google.rpc.BadRequest"> & { fieldViolations: { field: string; description: string }[] };
type ErrorInfo = Message<"google.rpc.ErrorInfo"> & { reason: string; domain: string };
const BadRequestSchema: GenMessage<BadRequest> = messageDesc(details, 0);
const ErrorInfoSchema: GenMessage<ErrorInfo> = messageDesc(details, 1);

async function refused(call: Promise<unknown>): Promise<ConnectError> {
  try {
    await call;
  } catch (error) {
    return ConnectError.from(error);
  }
  return new ConnectError("the call was not refused", Code.Unknown);
}

let token = "";
const signedIn: Interceptor = (next) => (request) => {
  if (token !== "") request.header.set("authorization", `Bearer ${token}`);
  return next(request);
};
const transport = createGrpcWebTransport({ baseUrl: url, interceptors: [signedIn], defaultTimeoutMs: 60_000 });
const users = createClient(UsersService, transport);
const chat = createClient(LlmChatService, transport);
const pictures = createClient(TextImageService, transport);
const voices = createClient(TtsService, transport);
const analytics = createClient(AnalyticsService, transport);

function textOf(events: GenerationEvent[]): string {
  let all = "";
  for (const { event } of events) {
    if (event.case === "snapshot") all = event.value.text;
    if (event.case === "textDelta") all += event.value.text;
  }
  return all;
}

async function accounts(): Promise<void> {
  const email = `web-${Date.now()}@example.com`;
  const registered = await users.register({ email, password: "correct horse", displayName: "Web" });
  check("unary: Register", registered.user?.email === email && registered.user.role === Role.USER, registered);
  const unknown = await refused(users.getMe({}));
  check("unary: without a token UNAUTHENTICATED", unknown.code === Code.Unauthenticated, unknown);
  token = registered.tokens?.accessToken ?? "";
  const me = await users.getMe({});
  check("unary: GetMe with a token", me.user?.id === registered.user?.id, me);

  const error = await refused(users.register({ email: "nobody", password: "short" }));
  check("an error has its code", error.code === Code.InvalidArgument, error);
  const [bad] = error.findDetails(BadRequestSchema);
  const fields = bad?.fieldViolations.map((violation) => violation.field);
  check("  and BadRequest decoded, field by field", JSON.stringify(fields) === '["email","password"]', fields);
  check("  each with a sentence", bad?.fieldViolations.every(({ description }) => description !== "") ?? false, bad);
  const [info] = error.findDetails(ErrorInfoSchema);
  check("  and ErrorInfo decoded", info?.reason === "INVALID_REQUEST" && info.domain === "atelier", info);
  const internal = await refused(analytics.recordEvents({ events: [{ id: "x", source: "tts" }] }));
  const [why] = internal.findDetails(ErrorInfoSchema);
  check("a method of services alone is refused", why?.reason === "INTERNAL_ONLY", internal);
}

async function replies(): Promise<void> {
  const { conversation } = await chat.createConversation({ title: "From a page" });
  const conversationId = conversation?.id ?? "";
  const events: GenerationEvent[] = [];
  const arrivals: number[] = [];
  for await (const { event } of chat.sendMessage({ conversationId, text: "Write me a story about a lighthouse." })) {
    if (event === undefined) continue;
    events.push(event);
    if (event.event.case === "textDelta") arrivals.push(performance.now());
  }
  const last = events.at(-1)?.event;
  check("server stream: the reply ends with completed", last?.case === "completed", last);
  check("server stream: the reply is of its subject", textOf(events).includes("lighthouse"), textOf(events));
  // The built-in model speaks at a reader's pace: what is held back until the end would arrive at one moment.
  const spread = (arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0);
  check("server stream: token by token", arrivals.length > 20 && spread > 200, { count: arrivals.length, spread });
  const moments = new Set(arrivals.map((at) => Math.floor((at - (arrivals[0] ?? 0)) / 25))).size;
  check("server stream: at many moments before the end", moments >= 5, { moments, spread });

  const error = await refused(
    (async () => {
      for await (const _ of chat.sendMessage({ conversationId, text: "" })) void _;
    })(),
  );
  const [bad] = error.findDetails(BadRequestSchema);
  check("server stream: an error has its details too", bad?.fieldViolations[0]?.field === "text", error);

  // A page that goes away in the middle, and one that comes back.
  const gone = new AbortController();
  const seen: GenerationEvent[] = [];
  const aborted = await refused(
    (async () => {
      const stream = chat.sendMessage({ conversationId, text: "Write me a long poem about the sea" }, { signal: gone.signal });
      for await (const { event } of stream) {
        if (event !== undefined) seen.push(event);
        if (seen.filter(({ event: it }) => it.case === "textDelta").length >= 5) gone.abort();
      }
    })(),
  );
  check("abort: the stream ends with CANCELED", aborted.code === Code.Canceled, aborted);
  check("abort: in the middle", !seen.some(({ event }) => event.case === "completed"), seen.length);
  const generationId = seen[0]?.generationId ?? "";
  const rest: GenerationEvent[] = [];
  for await (const { event } of chat.watchGeneration({ generationId, afterSequence: seen.at(-1)?.sequence ?? 0n })) {
    if (event !== undefined) rest.push(event);
  }
  check("abort: the generation went on and is watched to its end", rest.at(-1)?.event.case === "completed", rest.at(-1));
  const { messages } = await chat.listMessages({ conversationId });
  const kept = messages.find((message) => message.generationId === generationId);
  check("abort: nothing is missing and nothing twice", textOf([...seen, ...rest]) === kept?.text, kept);
  check("abort: the reply is kept as completed", kept?.state === State.COMPLETED, kept?.state);

  // A deadline of the page's own, and a cancel by the owner.
  const late = await refused(
    (async () => {
      const stream = chat.sendMessage({ conversationId, text: "Write me a story about a river." }, { timeoutMs: 150 });
      for await (const { event } of stream) void event;
    })(),
  );
  check("deadline: a stream ends with DEADLINE_EXCEEDED", late.code === Code.DeadlineExceeded, late);
  // In a conversation of its own: the reply above is still in the making, and there is one at a time.
  const another = (await chat.createConversation({})).conversation?.id ?? "";
  const cancelled: GenerationEvent[] = [];
  for await (const { event } of chat.sendMessage({ conversationId: another, text: "Write me a story about a forest." })) {
    if (event === undefined) continue;
    cancelled.push(event);
    if (cancelled.filter(({ event: it }) => it.case === "textDelta").length === 5) {
      await chat.cancelGeneration({ generationId: event.generationId });
    }
  }
  check("cancel: the stream ends with cancelled", cancelled.at(-1)?.event.case === "cancelled", cancelled.at(-1));
}

async function files(): Promise<void> {
  let sha = "";
  let link = "";
  for await (const { event } of pictures.generateImage({ prompt: "a red boat", size: { width: 128, height: 128 } })) {
    if (event?.event.case === "artifact") ({ sha256: sha, url: link } = event.event.value);
  }
  const picture = await fetch(link);
  const bytes = await picture.arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const found = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  check("a picture is fetched by its URL", picture.ok && found === sha, { status: picture.status, found, sha });

  let streamed = 0;
  let size = 0n;
  for await (const { event } of voices.synthesize({ text: "Hello from a page." })) {
    if (event?.event.case === "audioChunk") streamed += event.event.value.data.length;
    if (event?.event.case === "artifact") size = event.event.value.sizeBytes;
  }
  check("speech arrives in chunks, as much as is kept", streamed > 20_000 && BigInt(streamed) === size, { streamed, size });
}

for (const chapter of [accounts, replies, files]) {
  try {
    await chapter();
  } catch (error) {
    check(`${chapter.name} came to its end`, false, error);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
