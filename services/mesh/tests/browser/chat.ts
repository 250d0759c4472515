// The checks of chat: token by token, stopped, abandoned, cut off, out of time.

import type { Page } from "playwright-core";
import { check, same, soon } from "./checks.ts";
import type { Growth, House } from "./house.ts";
import { begun, register, reply, replyIn, say, tokensOf, watchGrowth } from "./house.ts";
import type { Wire } from "./servers.ts";

declare const probe: typeof import("./probe.ts");

/** What the mesh keeps as the last reply of whoever is signed in on a page. */
async function kept(house: House, page: Page, tab: Page) {
  const { access } = await tokensOf(page);
  return tab.evaluate(([url, token]) => probe.lastReply(url, token), [house.mesh, access] as const);
}

const grows = (growth: Growth[]) => growth.every(({ text }, at) => text.startsWith(growth[at - 1]?.text ?? ""));
// What the built-in model takes some seconds to say, and no two words of it in a row come again.
const LONG = `Write in upper case: ${Array.from({ length: 60 }, (_, at) => `wave ${at + 1} is wide and deep and old`).join(", ")}.`;

/** A reply as a reader sees it, and the two ways to stop it. */
export async function replies(house: House): Promise<void> {
  const [page, tab] = [await house.open(), await house.probe()];
  await register(page);
  const seen = await watchGrowth(page);
  await say(page, "Write me a story about a lighthouse.");
  const text = await replyIn(page, "completed");
  const { growth, spoken } = await seen();
  const before = growth.filter((piece) => piece.text !== text);
  check("stream: the reply is of its subject", text.includes("lighthouse"), text);
  check("stream: the page changed more than 20 times before the end", before.length > 20, before.length);
  const moments = new Set(before.map(({ at }) => Math.floor(at / 25))).size;
  check("stream: at many moments, not in one", moments >= 5, before.map(({ at }) => at));
  check("stream: the text only grew", grows(growth), growth.slice(0, 5));
  same("stream: and is what the mesh keeps", text, (await kept(house, page, tab)).text);
  check("stream: who made it is said", /\w+ · \w+/.test((await reply(page).locator(".maker").textContent()) ?? ""));
  check("stream: a screen reader hears it in several pieces", spoken.length >= 3, spoken);
  check("  which are whole sentences", spoken.every((words) => /[.!?]["”]? ?$|\n$/.test(words)), spoken);
  same("  and nothing is left out", spoken.join("").replaceAll(/\s/g, ""), text.replaceAll(/\s/g, ""));
  await house.shoot(page, "chat");

  for (const [way, stop] of [
    ["the stop button", () => page.getByRole("button", { name: "Stop" }).click()],
    ["Escape", () => page.keyboard.press("Escape")],
  ] as const) {
    await say(page, LONG);
    await begun(page);
    const calls = house.answers.length;
    await stop();
    const half = await replyIn(page, "cancelled");
    check(`stop: ${way} ends the reply`, (await reply(page).locator(".maker").textContent())?.endsWith("stopped") === true);
    check("  by CancelGeneration", house.answers.slice(calls).some(({ url }) => url.endsWith("/CancelGeneration")));
    const record = await kept(house, page, tab);
    same("  and the mesh has it as cancelled", record.state, "CANCELLED");
    same("  with what was said until then", record.text, half);
  }
  await house.shoot(page, "chat-stopped");
  const [tall, low] = await page.evaluate(() => {
    const list = document.getElementById("messages");
    return [document.documentElement.scrollHeight - innerHeight, list && list.scrollHeight - list.scrollTop - list.clientHeight];
  });
  check("a long conversation scrolls in its place, at its end, and the page stays", tall <= 0 && (low ?? 99) < 80, { tall, low });
  check("stop: the next message may be sent", await page.getByRole("button", { name: "Send" }).isEnabled());
  await page.reload();
  const shown = await replyIn(page, "cancelled");
  same("a reload shows the conversation, and how its last reply ended", shown, (await kept(house, page, tab)).text);
}

/** A stream that is let go, or a tab that is closed: the generation goes on, and another tab gets all of it. */
export async function abandoned(house: House): Promise<void> {
  const [page, tab, other] = [await house.open(), await house.probe(), await house.probe()];
  await register(page);
  const { access } = await tokensOf(page);
  const gone = await tab.evaluate(
    async ([url, token, text]) => {
      const { chat } = probe.mesh(url, token);
      const conversationId = (await chat.createConversation({})).conversation?.id ?? "";
      const stop = new AbortController();
      const events: Awaited<ReturnType<typeof probe.all>> = [];
      const failure = await probe.failure(
        probe.all(chat.sendMessage({ conversationId, text }, { signal: stop.signal }), events, ({ length }) => {
          if (length > 10) stop.abort();
        }),
      );
      return { failure, conversationId, generationId: events[0]?.generationId ?? "", text: probe.textOf(events) };
    },
    [house.mesh, access, LONG] as const,
  );
  same("abort: an AbortSignal ends the call with canceled", gone.failure.code, "Canceled");
  const watched = await other.evaluate(
    async ([url, token, generationId]) => {
      const { chat } = probe.mesh(url, token);
      const events = await probe.all(chat.watchGeneration({ generationId }));
      return { text: probe.textOf(events), last: events.at(-1)?.event.case };
    },
    [house.mesh, access, gone.generationId] as const,
  );
  same("abort: another tab watches it to its good end", watched.last, "completed");
  check("  and gets the whole", watched.text.startsWith(gone.text) && watched.text.length > gone.text.length, { gone: gone.text, watched });
  const record = await other.evaluate(([url, token, id]) => probe.lastReply(url, token, id), [house.mesh, access, gone.conversationId] as const);
  same("  which is what the mesh keeps", [record.state, record.text], ["COMPLETED", watched.text]);

  await say(page, LONG);
  await begun(page);
  await page.getByRole("button", { name: "New conversation" }).click();
  await say(page, "What is 3 plus 4?");
  check("a new conversation is begun beside a reply that is written", (await replyIn(page, "completed")).includes("7"));
  same("  and shows nothing of it", await page.locator(".message").count(), 2);

  // As somebody else: the reply that was left ends in its own time, and would then be in the conversation that changed last.
  await page.getByRole("button", { name: "Sign out" }).click();
  await register(page);
  await say(page, LONG);
  await begun(page);
  const second = await house.open();
  check("a new tab is signed in by the other tab", await second.locator("#rooms").isVisible());
  await page.close();
  const shown = await replyIn(second, "completed");
  const whole = await kept(house, second, tab);
  same("a closed tab stops nothing: another one shows the reply", shown, whole.text);
  same("  to its good end", [whole.state, await second.locator(".message").count()], ["COMPLETED", 2]);
}

/** A connection that is cut in the middle, by a wire and by the browser: no word is lost, none is there twice. */
export async function cutOff(house: House, wired: string, wire: Wire): Promise<void> {
  const [page, tab] = [await house.open(wired), await house.probe()];
  await register(page);
  const network = await house.context.newCDPSession(page);
  await network.send("Network.enable");
  const offline = (on: boolean) =>
    network.send("Network.emulateNetworkConditions", { offline: on, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  for (const [way, cut, mend] of [
    ["a reset connection", async () => wire.cut(), async () => wire.mend()],
    // DevTools' switch keeps new connections from being made and leaves those that are there: the wire ends those.
    ["a browser that is offline", async () => (await offline(true), wire.cut(), wire.mend()), () => offline(false)],
  ] as const) {
    await page.getByRole("button", { name: "New conversation" }).click();
    const seen = await watchGrowth(page);
    const calls = house.answers.length;
    await say(page, LONG);
    await begun(page);
    await cut();
    const noticed = await soon(async () => (await page.locator("#chat-status").textContent())?.startsWith("Connection lost") === true);
    check(`${way}: the page says so`, noticed, await page.locator("#chat-status").textContent());
    const half = await reply(page).locator("p").textContent();
    await house.shoot(page, `lost-${way.split(" ")[1]}`);
    await mend();
    const text = await replyIn(page, "completed");
    const record = await kept(house, page, tab);
    check(`${way}: it was cut in the middle`, (half ?? "").length < text.length && half !== "", { half, text });
    check("  the reply is resumed", house.answers.slice(calls).some(({ url }) => url.endsWith("LlmChatService/WatchGeneration")));
    same("  and has every word once", text, record.text);
    check("  and what was there stayed", grows((await seen()).growth));
  }

  // The answer to the first request is lost: whether it arrived is not known, so it is asked again under its id.
  await page.getByRole("button", { name: "New conversation" }).click();
  wire.cut();
  await say(page, "What is 3 plus 4?");
  await soon(async () => (await page.locator("#send [data-problem] p").count()) > 0 || (await page.locator("#chat-status").textContent()) !== "");
  const words = await page.locator("#send [data-problem]").textContent();
  check("a mesh that is away is told in words", words?.includes("cannot be reached") === true, words);
  same("  and the message stays to be sent again", await page.getByLabel("Message", { exact: true }).inputValue(), "What is 3 plus 4?");
  await house.shoot(page, "away");
  wire.mend();
  await page.getByLabel("Message", { exact: true }).press("Enter");
  const answer = await replyIn(page, "completed");
  check("  and is answered when the mesh is back", answer.includes("7"), answer);
  // In this conversation, since it is there: the message itself is lost on its way, and repeated.
  wire.cut();
  await say(page, "What is 4 plus 5?");
  await soon(async () => (await page.locator("#chat-status").textContent())?.startsWith("Connection lost") === true);
  wire.mend();
  await replyIn(page, "completed");
  const record = await kept(house, page, tab);
  same("a message whose answer was lost is said once", [record.count, record.text.includes("9")], [4, true]);
}

/** How many calls a busy mesh takes: what a page begins with, and fewer than a browser's connections to a server. */
export const ROOM = 4;

/** A mesh that is full: the page says when to try again, and a reply waits for its turn. */
export async function busy(house: House): Promise<void> {
  const [page, tab] = [await house.open(), await house.probe()];
  const hold = async (token: string) =>
    tab.evaluate(
      async ([url, token, text, room]) => {
        const { chat } = probe.mesh(url, token);
        const stop = new AbortController();
        const one = () =>
          new Promise<void>((begun) => {
            void probe.failure(probe.all(chat.complete({ messages: [{ role: 2, text }] }, { signal: stop.signal }), [], () => begun()));
          });
        Object.assign(globalThis, { release: () => stop.abort() });
        await Promise.all(Array.from({ length: room }, one));
      },
      [house.mesh, token, LONG, ROOM] as const,
    );
  const release = () => tab.evaluate(() => (globalThis as unknown as { release: () => void }).release());

  const token = await tab.evaluate(async (url) => {
    const { tokens } = await probe.mesh(url).users.register({ email: "busy@example.com", password: "correct horse" });
    return tokens?.accessToken ?? "";
  }, house.mesh);
  await hold(token);
  await page.getByRole("button", { name: "Look around" }).click();
  const problem = page.locator("#sign-in [data-problem]");
  await problem.locator("p").waitFor();
  const words = await problem.textContent();
  check("a busy mesh: the page says when to try again (RetryInfo)", /Try again in \d+ s/.test(words ?? ""), words);
  check("  and why (ErrorInfo)", words?.includes("OVERLOADED") === true, words);
  await house.shoot(page, "busy");
  await release();
  await register(page);
  await soon(async () => (await page.locator("#voice option").count()) > 0);
  // So that there is a conversation, and the reply is the next call.
  await say(page, "What is 3 plus 4?");
  await replyIn(page, "completed");
  await page.locator("#send-button:enabled").waitFor();
  await hold(token);
  await say(page, "What is 4 plus 5?");
  const waits = await soon(async () => (await page.locator("#chat-status").textContent())?.startsWith("The mesh is busy") === true);
  check("a busy mesh: a reply waits for its turn", waits, await page.locator("#chat-status").textContent());
  await release();
  check("  and has it", (await replyIn(page, "completed")).includes("9"));
}

/** Calls that have no more time. */
export async function late(house: House): Promise<void> {
  const [page, tab] = [await house.open(), await house.probe()];
  await register(page);
  const { access } = await tokensOf(page);
  const found = await tab.evaluate(
    async ([url, token, text]) => {
      const { chat } = probe.mesh(url, token);
      const ask = (options: { timeoutMs?: number; headers?: Record<string, string> }) =>
        probe.failure(probe.all(chat.complete({ messages: [{ role: 2, text }] }, options)));
      return { own: await ask({ timeoutMs: 150 }), meshs: await ask({ headers: { "grpc-timeout": "150m" } }) };
    },
    [house.mesh, access, LONG] as const,
  );
  same("deadline: timeoutMs ends a stream with deadline_exceeded", found.own.code, "DeadlineExceeded");
  same("deadline: so does the mesh, told by header alone", found.meshs.code, "DeadlineExceeded");
  check("  and names a reason", found.meshs.reason !== "", found.meshs);
}
