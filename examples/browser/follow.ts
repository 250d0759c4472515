// A generation, followed to its end over however many connections. It knows no medium and shows nothing.

import { Code, ConnectError } from "@connectrpc/connect";
import type { GenerationEvent } from "../../gen/ts/src/atelier/generation/v1/generation_pb.ts";
import { isLost, problemOf } from "./problem.ts";

type Answers = AsyncIterable<{ event?: GenerationEvent | undefined }>;

/** How a generation is begun and found again. */
export interface Source {
  /** Starts it. Called again when the first answer was lost, so its request must carry a `request_id`. */
  start?: (signal: AbortSignal) => Answers;
  /** Replays it after a sequence, and follows. */
  watch: (generationId: string, afterSequence: bigint, signal: AbortSignal) => Answers;
  /** The generation, when it is known already. */
  generationId?: string;
  /** Ends the following. The generation goes on: only CancelGeneration ends that. */
  signal: AbortSignal;
  /** Told why the stream broke off, before it is tried again. */
  lost: (error: unknown) => void;
}

/** How often in a row it is tried with no event in between; with the pauses, about half a minute. */
const TRIES = 10;

/** The events of a generation in order, none missing and none twice, up to the last. */
export async function* follow(source: Source): AsyncGenerator<GenerationEvent> {
  let { generationId } = source;
  let after = 0n;
  let failures = 0;
  for (;;) {
    const connection = new AbortController();
    const signal = AbortSignal.any([source.signal, connection.signal]);
    let ended = false;
    let waitMs: number;
    let cause: unknown;
    try {
      const answers = generationId === undefined ? source.start?.(signal) : source.watch(generationId, after, signal);
      for await (const { event } of answers ?? []) {
        if (event === undefined || event.sequence <= after) continue;
        generationId = event.generationId;
        after = event.sequence;
        failures = 0;
        ended = isLast(event);
        yield event;
      }
      if (ended) return;
      throw new ConnectError("the stream ended before the generation did", Code.Unavailable);
    } catch (error) {
      if (ended) return;
      failures += 1;
      cause = error;
      if (source.signal.aborted || !isLost(error) || failures > TRIES) throw error;
      // Spread, so that the pages that a restart cut off do not come back all at once.
      waitMs = problemOf(error).retryAfterMs ?? Math.min(5_000, 200 * 2 ** failures) * (0.5 + Math.random() / 2);
    } finally {
      // Whoever stops reading early leaves the connection open otherwise.
      connection.abort();
    }
    source.lost(cause);
    await pause(waitMs, source.signal);
  }
}

function isLast({ event }: GenerationEvent): boolean {
  return event.case === "completed" || event.case === "failed" || event.case === "cancelled";
}

/** Waits, but no longer than until the browser is online again, or until the following ends. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = new AbortController();
    const end = () => (over.abort(), clearTimeout(timer), resolve());
    const timer = setTimeout(end, milliseconds);
    addEventListener("online", end, { signal: over.signal });
    signal.addEventListener("abort", end, { signal: over.signal });
  });
}
