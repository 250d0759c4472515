// The checks of accounts: what the door says, tokens that are exchanged, tabs that share them, pages that may not call.

import type { Page } from "playwright-core";
import { check, same, soon } from "./checks.ts";
import type { House } from "./house.ts";
import { barriers, countCalls, newEmail, PASSWORD, register, replyIn, say, tokensOf } from "./house.ts";

declare const probe: typeof import("./probe.ts");

/** The door: errors in words, at the field; who is in is said. */
export async function door(house: House): Promise<void> {
  const page = await house.open();
  await house.shoot(page, "door");
  await page.emulateMedia({ colorScheme: "dark" });
  await house.shoot(page, "door-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.getByLabel("E-mail").fill("nobody");
  await page.getByLabel("Password").fill("short");
  await page.getByRole("button", { name: "Register" }).click();
  const problem = page.locator("#sign-in [data-problem]");
  await problem.locator("li").first().waitFor();
  const items = await problem.locator("li").allTextContents();
  same("an error names its fields", items.map((item) => item.split(":")[0]), ["E-mail", "Password"]);
  check("  and what is wrong with each", items.every((item) => /: .{5,}/.test(item)), items);
  const note = await problem.locator("small").textContent();
  check("  and its reason and request", /^INVALID_REQUEST · request \S+/.test(note ?? ""), note);
  for (const label of ["E-mail", "Password"]) {
    const field = page.getByLabel(label);
    same(`  and the field ${label} says that it is invalid`, await field.getAttribute("aria-invalid"), "true");
  }
  check("  and the first of them has the focus", await page.getByLabel("E-mail").evaluate((field) => field === document.activeElement));
  same("  and is described by the error", await page.getByLabel("E-mail").getAttribute("aria-describedby"), await problem.getAttribute("id"));
  same("axe finds nothing at the door, an error shown", await barriers(page), []);
  await house.shoot(page, "door-refused");

  const email = await register(page);
  check("unary: Register signs in, and the page says who", (await page.locator("#name").textContent()) === email);
  await soon(async () => (await page.locator("#voice option").count()) > 0 && (await page.locator("#style option").count()) > 0);
  check("unary: ListStyles and ListVoices fill their lists", (await page.locator("#style option").count()) > 1);
  same("axe finds nothing in the rooms", await barriers(page), []);
  await house.shoot(page, "rooms");
  await page.reload();
  await page.locator("#rooms").waitFor();
  same("a reload stays signed in", await page.locator("#name").textContent(), email);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.locator("#door").waitFor();

  for (const [button, reason, password] of [
    ["Register", "EMAIL_TAKEN", PASSWORD],
    ["Sign in", "INVALID_CREDENTIALS", "another horse"],
  ] as const) {
    await page.getByLabel("E-mail").fill(email);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: button }).click();
    const shown = await soon(async () => ((await problem.textContent()) ?? "").includes(reason));
    check(`${button}: the reason ${reason} is read`, shown, await problem.textContent());
  }
  await page.getByRole("button", { name: "Look around" }).click();
  await page.locator("#rooms").waitFor();
  same("a guest comes in too", await page.locator("#name").textContent(), "a guest");
  await page.getByRole("button", { name: "Speak" }).click();
  const refused = page.locator("#speak [data-problem]");
  await refused.locator("p").waitFor();
  check("  and is told what needs an account", (await refused.textContent())?.includes("ROLE_TOO_LOW") === true, await refused.textContent());
  await house.shoot(page, "guest");
}

/** A page of an origin that is not listed: nothing it asks for is done. */
export async function foreigners(house: House, foreign: string): Promise<void> {
  const [stranger, tab] = [await house.open(foreign), await house.probe(foreign)];
  const email = newEmail();
  const before = house.answers.length;
  await stranger.getByLabel("E-mail").fill(email);
  await stranger.getByLabel("Password").fill(PASSWORD);
  await stranger.getByRole("button", { name: "Register" }).click();
  const problem = stranger.locator("#sign-in [data-problem]");
  await problem.locator("p").waitFor();
  const words = (await problem.textContent()) ?? "";
  check("foreign origin: the page is told to look at ATELIER_CORS_ORIGINS", words.includes("ATELIER_CORS_ORIGINS"), words);
  await house.shoot(stranger, "foreign");
  const asked = house.answers.slice(before).filter(({ url }) => url.endsWith("/Register"));
  const refused = asked.every(({ method, status }) => method === "OPTIONS" && status === 403);
  check("  its preflight is refused, and nothing else is answered", refused && asked.length > 0, asked);
  // What a page may send without a preflight: a body in a content type of forms, whose answer it may not read.
  const opaque = newEmail();
  const [raw, readable] = await tab.evaluate(
    async ([url, email, password]) => {
      const field = (number: number, text: string) => [(number << 3) | 2, text.length, ...new TextEncoder().encode(text)];
      const message = [...field(1, email), ...field(2, password)];
      const body = new Uint8Array([0, 0, 0, 0, message.length, ...message]);
      const headers = { "content-type": "text/plain" };
      const answer = await fetch(`${url}/atelier.users.v1.UsersService/Register`, { method: "POST", mode: "no-cors", body, headers });
      const keys = await fetch(`${url}/.well-known/jwks.json`).then(() => "read", () => "refused");
      return [answer.type, keys] as const;
    },
    [house.mesh, opaque, PASSWORD] as const,
  );
  same("  what it sends without asking cannot be read", [raw, readable], ["opaque", "refused"]);
  const own = await house.probe();
  for (const [how, name] of [["with a preflight", email], ["without one", opaque]] as const) {
    const login = await own.evaluate(
      ([url, email, password]) => probe.failure(probe.mesh(url).users.login({ email, password })),
      [house.mesh, name, PASSWORD] as const,
    );
    same(`  and what it asked for ${how} was not done: there is no account`, login.reason, "INVALID_CREDENTIALS");
  }
  // And the same call from a page that is listed does make one, so that the check above can fail.
  const made = await own.evaluate(
    async ([url, email, password]) => {
      const { users } = probe.mesh(url);
      await users.register({ email, password });
      return probe.failure(users.login({ email, password }));
    },
    [house.mesh, email, PASSWORD] as const,
  );
  same("  while a listed page does the same", made.code, "ok");
}

/** A browser that does not know the mesh's authority: it sends nothing, so that the checks over TLS show that it is trusted. */
export async function untrusted(house: House): Promise<void> {
  const page = await house.open();
  await page.getByRole("button", { name: "Look around" }).click();
  const problem = page.locator("#sign-in [data-problem]");
  await problem.locator("p").waitFor();
  check("a certificate that is not trusted: the mesh cannot be reached", (await problem.textContent())?.includes("cannot be reached") === true);
}

/** Tells a page, as another tab would, of a session whose access token the mesh will not take. */
async function spoil(page: Page, tab: Page): Promise<void> {
  const [name, signed] = await page.evaluate(() => {
    const key = Object.keys(sessionStorage).find((name) => name.startsWith("atelier-session")) ?? "";
    return [key, JSON.parse(sessionStorage.getItem(key) ?? "{}") as Record<string, unknown>] as const;
  });
  const access = String(signed.access).replace(/.{8}$/, "AAAAAAAA");
  await tab.evaluate(
    ([name, signed]) => {
      const channel = new BroadcastChannel(name);
      channel.postMessage({ say: "now", signed });
      channel.close();
    },
    [name, { ...signed, access, expires: Number(signed.expires) + 1 }] as const,
  );
  await soon(async () => (await tokensOf(page)).access === access);
}

/** Tokens are exchanged before they expire, and once when they are refused. */
export async function tokens(house: House): Promise<void> {
  const [page, tab] = [await house.open(), await house.probe()];
  await page.clock.install();
  await register(page);
  const first = await tokensOf(page);
  let exchanges = countCalls([page], "RefreshSession");
  await page.clock.fastForward("13:00");
  await say(page, "What is 3 plus 4?");
  await replyIn(page, "completed");
  same("tokens: two minutes before its end a token is still used", exchanges(), 0);
  await page.clock.fastForward("01:10");
  await soon(async () => (await tokensOf(page)).access !== first.access);
  same("tokens: a minute before its end it is exchanged, though nobody calls", exchanges(), 1);
  const second = await tokensOf(page);
  check("  for a new pair", second.access !== first.access && second.refresh !== first.refresh);
  await say(page, "What is 4 plus 4?");
  const answer = await replyIn(page, "completed");
  same("  which serves the next call", [answer.includes("8"), exchanges()], [true, 1]);

  await spoil(page, tab);
  exchanges = countCalls([page], "RefreshSession");
  const sent = countCalls([page], "SendMessage");
  await page.getByLabel("Message", { exact: true }).fill("What is 5 plus 4?");
  await page.evaluate(() => {
    for (const form of ["send", "paint", "speak"]) (document.getElementById(form) as HTMLFormElement).requestSubmit();
  });
  await page.locator("#audio").waitFor();
  await page.locator("#picture").waitFor();
  await soon(async () => (await page.locator('.message[data-state="completed"]').count()) === 3);
  check("tokens: three calls that are UNAUTHENTICATED are all repeated", (await replyIn(page, "completed")).includes("9"));
  same("  each once, after one exchange", [sent(), exchanges()], [2, 1]);

  const { access } = await tokensOf(page);
  await tab.evaluate(([url, token]) => probe.mesh(url, token).users.logout({}), [house.mesh, access] as const);
  await spoil(page, tab);
  exchanges = countCalls([page], "RefreshSession");
  await say(page, "Is anybody there?");
  await page.locator("#door").waitFor();
  const problem = await page.locator("#sign-in [data-problem]").textContent();
  check("tokens: a session that the mesh has ended leads to the door, with words", problem?.includes("sign in again") === true, problem);
  same("  after one exchange", exchanges(), 1);
  await house.shoot(page, "ended");
}

/** Two tabs, one session: whoever is first exchanges the tokens, for both. */
export async function twoTabs(house: House): Promise<void> {
  const one = await house.open();
  await one.clock.install();
  const email = await register(one);
  const two = await house.open();
  await two.clock.install();
  await two.reload();
  await two.locator("#rooms").waitFor();
  same("two tabs: the second is signed in by the first", await two.locator("#name").textContent(), email);
  const exchanges = countCalls([one, two], "RefreshSession");
  const third = await house.probe();
  const name = await one.evaluate(() => Object.keys(sessionStorage).find((key) => key.startsWith("atelier-session")) ?? "");
  const spent = await one.evaluate((name) => sessionStorage.getItem(name) ?? "", name);
  for (const round of [1, 2, 3]) {
    const before = await tokensOf(one);
    // Both must want the exchange before either has it: a third tab keeps them waiting at the lock.
    await third.evaluate(
      (name) =>
        new Promise<void>((held) => {
          const keep = new Promise<void>((release) => Object.assign(globalThis, { release }));
          void navigator.locks.request(name, () => (held(), keep));
        }),
      name,
    );
    await Promise.all([one.clock.fastForward("14:30"), two.clock.fastForward("14:30")]);
    const waiting = () => third.evaluate(async () => (await navigator.locks.query()).pending?.length);
    check(`two tabs: round ${round}: both want new tokens at once`, await soon(async () => (await waiting()) === 2), await waiting());
    await third.evaluate(() => (globalThis as unknown as { release: () => void }).release());
    await soon(async () => (await tokensOf(one)).access !== before.access && (await tokensOf(two)).access !== before.access);
    const [mine, yours] = [await tokensOf(one), await tokensOf(two)];
    check("  both have the same new ones", mine.refresh === yours.refresh && mine.refresh !== before.refresh);
  }
  same("  by one exchange a round", exchanges(), 3);
  for (const [name, page] of [["first", one], ["second", two]] as const) {
    await say(page, "What is 3 plus 4?");
    check(`  and the ${name} tab goes on`, (await replyIn(page, "completed")).includes("7"));
    await soon(async () => (await page.locator("#chat-status").textContent()) === "");
  }
  // A tab that slept and heard nothing: what it has is spent, and presenting it would end the session for all.
  const sleeper = await house.probe();
  await sleeper.clock.install();
  await sleeper.evaluate(([name, spent]) => sessionStorage.setItem(name, spent), [name, spent] as const);
  await sleeper.goto(`${house.origin}/`);
  await sleeper.locator("#rooms").waitFor();
  const stale = countCalls([sleeper], "RefreshSession");
  await sleeper.clock.fastForward("14:30");
  await soon(async () => (await tokensOf(sleeper)).refresh === (await tokensOf(one)).refresh);
  same("two tabs: one that slept asks the others first", [(await tokensOf(sleeper)).refresh, stale()], [(await tokensOf(one)).refresh, 0]);
  await one.getByRole("button", { name: "Sign out" }).click();
  await two.locator("#door").waitFor();
  check("two tabs: signing out in one is signing out in both", await two.locator("#door").isVisible());
}

/** Two callers who do not know of each other present one refresh token: within the grace both get the same pair. */
export async function lostAnswer(house: House): Promise<void> {
  const tab = await house.probe();
  const found = await tab.evaluate(
    async ([url, email, password]) => {
      const { users } = probe.mesh(url);
      const refreshToken = (await users.register({ email, password })).tokens?.refreshToken ?? "";
      const [one, two] = await Promise.all([users.refreshSession({ refreshToken }), users.refreshSession({ refreshToken })]);
      const me = await probe.mesh(url, two?.tokens?.accessToken).users.getMe({});
      const next = await probe.failure(users.refreshSession({ refreshToken: one?.tokens?.refreshToken ?? "" }));
      return { same: one?.tokens?.refreshToken === two?.tokens?.refreshToken, email: me.user?.email, next: next.code };
    },
    [house.mesh, newEmail(), PASSWORD] as const,
  );
  check("one refresh token presented twice at once gives one pair", found.same, found);
  check("  and the session lives", Boolean(found.email) && found.next === "ok", found);
}
