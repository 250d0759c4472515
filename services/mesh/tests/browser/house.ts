// One browser before one mesh: opens tabs, and writes down what goes over the network. It checks nothing.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import axe from "axe-core";
import type { BrowserContext, Page } from "playwright-core";
import { chromium } from "playwright-core";

/** One answer, as the browser got it. */
export interface Answer {
  url: string;
  method: string;
  protocol: string;
  status: number;
}

/** A browser with a profile of its own. */
export interface House {
  context: BrowserContext;
  /** Where the page is served. */
  origin: string;
  /** Where the mesh is, for the probe. */
  mesh: string;
  /** Every answer so far, over all tabs. */
  answers: Answer[];
  /** Every error that a page did not catch, and everything its content policy forbade. */
  slips: string[];
  /** Opens the page in a new tab, and waits until it knows who is signed in. */
  open: (origin?: string) => Promise<Page>;
  /** Opens a tab with the generated client alone. */
  probe: (origin?: string) => Promise<Page>;
  /** Takes a picture of a tab into the log folder. */
  shoot: (page: Page, name: string) => Promise<void>;
  /** Closes all tabs; those of checks that failed are taken a picture of. */
  clear: (failed: string | undefined) => Promise<void>;
  close: () => Promise<void>;
}

const FLAGS = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Whatever a browser would like to ask: it gets no further than this machine.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
  "--autoplay-policy=user-gesture-required",
];

/** Starts a browser. The certificates with `keys` are trusted, as if their authority were installed; no other is. */
export async function settle(options: { browser: string; keys: string[]; origin: string; mesh: string; shots: string }): Promise<House> {
  const profile = await mkdtemp(join(tmpdir(), "atelier-profile."));
  const trust = options.keys.length > 0 ? [`--ignore-certificate-errors-spki-list=${options.keys.join(",")}`] : [];
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: options.browser,
    headless: true,
    chromiumSandbox: false,
    viewport: { width: 1180, height: 860 },
    args: [...FLAGS, ...trust],
  });
  context.setDefaultTimeout(20_000);
  const answers: Answer[] = [];
  const slips: string[] = [];
  context.on("weberror", (error) => slips.push(String(error.error().stack ?? error.error())));
  context.on("console", (line) => {
    if (line.text().includes("Content Security Policy")) slips.push(line.text());
  });
  const tab = async (address: string) => {
    const page = await context.newPage();
    const wire = await context.newCDPSession(page);
    const methods = new Map<string, string>();
    wire.on("Network.requestWillBeSent", ({ requestId, request }) => methods.set(requestId, request.method));
    wire.on("Network.responseReceived", ({ requestId, response }) =>
      answers.push({
        url: response.url,
        method: methods.get(requestId) ?? "",
        protocol: response.protocol ?? "",
        status: response.status,
      }),
    );
    await wire.send("Network.enable");
    await page.goto(address);
    return page;
  };
  const shoot = async (page: Page, name: string) => void (await page.screenshot({ path: join(options.shots, `${name}.png`), fullPage: true }));
  return {
    context,
    origin: options.origin,
    mesh: options.mesh,
    answers,
    slips,
    open: async (origin = options.origin) => {
      const page = await tab(`${origin}/`);
      await page.locator("#door:not([hidden]), #rooms:not([hidden])").first().waitFor();
      return page;
    },
    probe: (origin = options.origin) => tab(`${origin}/probe.html`),
    shoot,
    clear: async (failed) => {
      // A browser without a tab would end.
      const rest = await context.newPage();
      for (const [at, page] of context.pages().entries()) {
        if (page === rest) continue;
        if (failed !== undefined) await shoot(page, `failed-${failed}-${at}`).catch(() => undefined);
        await page.close();
      }
    },
    close: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

/** How many calls of a method a tab begins from now on. */
export function countCalls(pages: Page[], method: string): () => number {
  let count = 0;
  for (const page of pages) {
    page.on("request", (request) => {
      if (request.method() === "POST" && request.url().endsWith(`/${method}`)) count += 1;
    });
  }
  return () => count;
}

/** What axe finds wrong with a page as it is now: the rule, and where. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const results = await page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run());
  return results.violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`));
}

/** The tokens that the page keeps. */
export async function tokensOf(page: Page): Promise<{ access: string; refresh: string }> {
  return page.evaluate(() => {
    const key = Object.keys(sessionStorage).find((name) => name.startsWith("atelier-session"));
    return JSON.parse(sessionStorage.getItem(key ?? "") ?? "{}") as { access: string; refresh: string };
  });
}

let accounts = 0;
/** An e-mail that nobody has yet. */
export const newEmail = () => `ada-${(accounts += 1)}@example.com`;
export const PASSWORD = "correct horse";

/** Registers a new account in the page, as a person does. */
export async function register(page: Page, email = newEmail()): Promise<string> {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Register" }).click();
  await page.locator("#rooms").waitFor();
  return email;
}

/** Says something in the chat, by keyboard. The reply is the last one of the conversation. */
export async function say(page: Page, text: string): Promise<void> {
  await page.locator("#send-button:enabled").waitFor();
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.keyboard.press("Enter");
}

/** The last reply on the page. */
export const reply = (page: Page) => page.locator("#messages > .message:last-child:not(.mine)");

/** Waits until the last reply has said something. */
export const begun = (page: Page) => page.locator("#messages > .message:last-child:not(.mine) > p", { hasText: /.{30}/s }).waitFor();

/** Waits until the last reply is in a state; gives its words. */
export async function replyIn(page: Page, state: string): Promise<string> {
  await page.locator(`#messages > .message:last-child[data-state="${state}"]`).waitFor();
  return (await reply(page).locator("p").textContent()) ?? "";
}

/** What the page shows of a reply while it grows. */
export interface Growth {
  at: number;
  text: string;
}

/** Watches, inside the page, how the last reply grows from now on, and what the status and the live region say. */
export async function watchGrowth(page: Page): Promise<() => Promise<{ growth: Growth[]; status: string[]; spoken: string[] }>> {
  await page.evaluate(() => {
    const seen = { growth: [] as { at: number; text: string }[], status: [] as string[], spoken: [] as string[] };
    const byId = (id: string) => document.getElementById(id);
    new MutationObserver(() => {
      const text = [...document.querySelectorAll("#messages .message:not(.mine) p")].at(-1)?.textContent ?? "";
      if (text !== (seen.growth.at(-1)?.text ?? "")) seen.growth.push({ at: performance.now(), text });
    }).observe(byId("messages") ?? document, { childList: true, subtree: true, characterData: true });
    for (const [id, into] of [["chat-status", seen.status], ["spoken", seen.spoken]] as const) {
      new MutationObserver(() => into.push(byId(id)?.textContent ?? "")).observe(byId(id) ?? document, { childList: true });
    }
    Object.assign(globalThis, { seen });
  });
  return () => page.evaluate(() => (globalThis as unknown as { seen: { growth: Growth[]; status: string[]; spoken: string[] } }).seen);
}
