// Counting: a line for each check, and the two numbers at the end. It knows nothing of what is checked.

import { setTimeout as sleep } from "node:timers/promises";

let passed = 0;
let failed = 0;

/** A check. What was found is shown when it does not hold. */
export function check(title: string, holds: boolean, found?: unknown): void {
  if (holds) passed += 1;
  else failed += 1;
  console.log(`${holds ? "ok     " : "FAILED "} ${title}`);
  if (holds || found === undefined) return;
  const lines = (JSON.stringify(found, undefined, 1) ?? String(found)).slice(0, 2000).split("\n");
  for (const line of lines) console.log(`        | ${line}`);
}

/** A check that two values are the same, as JSON writes them. */
export function same(title: string, found: unknown, wanted: unknown): void {
  check(title, JSON.stringify(found) === JSON.stringify(wanted), { found, wanted });
}

/** Waits until something holds; `false` when it does not within ten seconds. */
export async function soon(holds: () => boolean | Promise<boolean>, seconds = 10): Promise<boolean> {
  const until = Date.now() + seconds * 1000;
  while (!(await holds())) {
    if (Date.now() > until) return false;
    await sleep(30);
  }
  return true;
}

/** Runs a group of checks; one that breaks off is a failed check, and the next group runs. */
export async function chapter(title: string, run: () => Promise<void>): Promise<void> {
  console.log(`# ${title}`);
  try {
    await run();
  } catch (error) {
    check(`${title}: came to its end`, false, String(error instanceof Error ? error.stack : error));
  }
}

/** How many checks have failed so far. */
export const failures = (): number => failed;

/** Writes the last line; the exit code is 0 only when something was checked and nothing failed. */
export function finish(): number {
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}
