// What went wrong, in words: reads the details that every error of a mesh carries. It shows nothing and retries nothing.

import type { Message } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { fileDesc, messageDesc } from "@bufbuild/protobuf/codegenv2";
import { base64Encode } from "@bufbuild/protobuf/wire";
import type { Duration } from "@bufbuild/protobuf/wkt";
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FileDescriptorProtoSchema,
  file_google_protobuf_duration,
} from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";

// The parts of google/rpc/error_details.proto that are read here. No package of the registry has them generated, so they are
// described as that file has them, and Connect decodes them like any other message.
const text = (name: string, number: number) => ({ name, number, label: Label.OPTIONAL, type: Type.STRING });
const message = (name: string, number: number, label: Label, typeName: string) => ({ name, number, label, type: Type.MESSAGE, typeName });
const details = fileDesc(
  base64Encode(
    toBinary(
      FileDescriptorProtoSchema,
      create(FileDescriptorProtoSchema, {
        name: "google/rpc/error_details.proto",
        package: "google.rpc",
        dependency: ["google/protobuf/duration.proto"],
        syntax: "proto3",
        messageType: [
          {
            name: "BadRequest",
            field: [message("field_violations", 1, Label.REPEATED, ".google.rpc.BadRequest.FieldViolation")],
            nestedType: [{ name: "FieldViolation", field: [text("field", 1), text("description", 2)] }],
          },
          { name: "ErrorInfo", field: [text("reason", 1), text("domain", 2)] },
          { name: "RetryInfo", field: [message("retry_delay", 1, Label.OPTIONAL, ".google.protobuf.Duration")] },
        ],
      }),
    ),
  ),
  [file_google_protobuf_duration],
);
type BadRequest = Message<"google.rpc.BadRequest"> & { fieldViolations: { field: string; description: string }[] };
type ErrorInfo = Message<"google.rpc.ErrorInfo"> & { reason: string; domain: string };
type RetryInfo = Message<"google.rpc.RetryInfo"> & { retryDelay?: Duration };
const BadRequestSchema: GenMessage<BadRequest> = messageDesc(details, 0);
const ErrorInfoSchema: GenMessage<ErrorInfo> = messageDesc(details, 1);
const RetryInfoSchema: GenMessage<RetryInfo> = messageDesc(details, 2);

/** An error, taken apart for a person and for a page. */
export interface Problem {
  /** A sentence. */
  title: string;
  /** What is wrong with which field of the request. */
  fields: { field: string; description: string }[];
  /** The constant to tell causes apart by; undefined when the answer did not come from a mesh. */
  reason: string | undefined;
  /** gRPC's code. */
  code: Code;
  /** After how many milliseconds the call may be repeated, when the mesh said so. */
  retryAfterMs: number | undefined;
  /** What to quote to whoever runs the mesh. */
  requestId: string | undefined;
}

const SIGN_IN_AGAIN = "Your session has ended. Please sign in again.";
const WORDS: Record<string, string> = {
  EMAIL_TAKEN: "This e-mail already has an account. Sign in instead?",
  INVALID_CREDENTIALS: "The e-mail or the password is not right.",
  REPLY_IN_PROGRESS: "The reply before this one is still being written.",
  INVALID_REFRESH_TOKEN: SIGN_IN_AGAIN,
  REFRESH_TOKEN_REUSED: SIGN_IN_AGAIN,
  SESSION_ENDED: SIGN_IN_AGAIN,
  ROLE_TOO_LOW: "This needs an account. Sign out, and register.",
};

/** Takes an error of a call apart. */
export function problemOf(error: unknown): Problem {
  const from = ConnectError.from(error);
  const reason = from.findDetails(ErrorInfoSchema)[0]?.reason;
  const fields = from.findDetails(BadRequestSchema).flatMap((bad) => bad.fieldViolations);
  const delay = from.findDetails(RetryInfoSchema)[0]?.retryDelay;
  const retryAfterMs = delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6;
  return {
    title: title(from, reason, fields.length, retryAfterMs),
    fields,
    reason,
    code: from.code,
    retryAfterMs,
    requestId: from.metadata.get("x-request-id") ?? undefined,
  };
}

function title(error: ConnectError, reason: string | undefined, fields: number, retryAfterMs: number | undefined): string {
  const again = retryAfterMs === undefined ? "" : ` Try again in ${Math.max(1, Math.ceil(retryAfterMs / 1000))} s.`;
  if (fields > 0) return "The mesh cannot take this as it is." + again;
  if (error.code === Code.DeadlineExceeded) return "The mesh did not answer in time." + again;
  if (isLost(error) && reason === undefined) {
    return "The mesh cannot be reached. Is it running, and may this page call it (ATELIER_CORS_ORIGINS)?" + again;
  }
  const words = (reason && WORDS[reason]) ?? sentence(error.rawMessage || Code[error.code]);
  return words + again;
}

function sentence(words: string): string {
  const ended = /[.!?]$/.test(words) ? words : `${words}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}

/** Whether the call may have failed on its way, so that asking again is worth it. */
export function isLost(error: unknown): boolean {
  const { code } = ConnectError.from(error);
  if (code === Code.Unavailable || code === Code.DeadlineExceeded) return true;
  // Every error of a mesh names its reason. One without was made on the way, by the network or by this browser.
  const named = ConnectError.from(error).findDetails(ErrorInfoSchema).length > 0;
  return !named && (code === Code.Unknown || code === Code.Internal);
}
