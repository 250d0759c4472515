// The checks of pictures and speech: what is large and binary arrives whole, and is shown and heard.

import { check, same, soon } from "./checks.ts";
import type { House } from "./house.ts";
import { barriers, register, reply, say, tokensOf } from "./house.ts";

declare const probe: typeof import("./probe.ts");

/** A picture with its progress, and a spoken text. */
export async function media(house: House): Promise<void> {
  const [page, tab] = [await house.open(), await house.probe()];
  await register(page);
  await page.evaluate(() => {
    const seen = { progress: [] as number[], sources: [] as string[] };
    const bar = document.getElementById("paint-progress") as HTMLProgressElement;
    const image = document.getElementById("image") as HTMLImageElement;
    new MutationObserver(() => seen.progress.push(bar.value)).observe(bar, { attributes: true });
    new MutationObserver(() => seen.sources.push(image.src)).observe(image, { attributeFilter: ["src"] });
    Object.assign(globalThis, { seen });
  });
  await page.getByLabel("What to paint").fill("A red boat at sunset");
  await page.getByRole("button", { name: "Paint" }).click();
  const shown = await soon(async () => ((await page.locator("#caption").textContent()) ?? "").includes("512 × 512"), 30);
  check("picture: painted, and its caption tells its size and maker", shown, await page.locator("#caption").textContent());
  const image = await page.locator("#image").evaluate((it: HTMLImageElement) => [it.naturalWidth, it.naturalHeight, it.complete, it.alt]);
  same("picture: shown at its full size", image, [512, 512, true, "A red boat at sunset"]);
  const seen = await page.evaluate(() => (globalThis as unknown as { seen: { progress: number[]; sources: string[] } }).seen);
  const steps = [...new Set(seen.progress)].filter((value) => value > 0);
  check("picture: the progress was seen on its way", steps.length >= 3, seen.progress);
  check("  and never fell", steps.every((value, at) => value >= (steps[at - 1] ?? 0)), steps);
  check("picture: an early look came before the picture", seen.sources.length > 1 && seen.sources[0]?.startsWith("blob:") === true, seen.sources);

  await page.getByLabel("What to say").fill("Hello from a browser.");
  await page.getByRole("button", { name: "Speak" }).click();
  await page.locator("#audio").waitFor();
  const audio = page.locator("#audio");
  const plays = await soon(() => audio.evaluate((it: HTMLAudioElement) => it.currentTime > 0));
  const length = await audio.evaluate((it: HTMLAudioElement) => it.duration);
  check("speech: it plays, and its length is known", plays && length > 0.5 && length < 10, { plays, length });
  await say(page, "What can you do?");
  await soon(async () => (await reply(page).getAttribute("data-state")) === "completed");
  await house.shoot(page, "all");
  same("axe finds nothing with everything shown", await barriers(page), []);
  await page.emulateMedia({ colorScheme: "dark" });
  same("  nor in the dark", await barriers(page), []);
  await house.shoot(page, "all-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 390, height: 844 });
  same("  nor on a small screen", await barriers(page), []);
  check("  which it fits", await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await house.shoot(page, "small");

  const { access } = await tokensOf(page);
  const found = await tab.evaluate(
    async ([url, token]) => {
      const { pictures, voices, chat } = probe.mesh(url, token);
      const digest = async (bytes: ArrayBuffer) =>
        [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      const painted = await probe.all(pictures.generateImage({ prompt: "a field of poppies", size: { width: 1024, height: 1024 } }));
      const look = painted.map(({ event }) => event).find(({ case: kind }) => kind === "artifact");
      const picture = look?.case === "artifact" ? look.value : undefined;
      const bytes = await (await fetch(picture?.url ?? "")).arrayBuffer();

      const spoken = await probe.all(voices.synthesize({ text: "Hello from a browser." }));
      const chunks = spoken.flatMap(({ event }) => (event.case === "audioChunk" ? [event.value.data as Uint8Array<ArrayBuffer>] : []));
      const stored = spoken.flatMap(({ event }) => (event.case === "artifact" ? [event.value] : []))[0];
      const file = await (await fetch(stored?.url ?? "")).arrayBuffer();
      const ear = new OfflineAudioContext(1, 1, 44_100);
      const live = await ear.decodeAudioData(await new Blob(chunks).arrayBuffer());
      const heard = await ear.decodeAudioData(file.slice(0));
      const loudest = heard.getChannelData(0).reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);

      const conversationId = (await chat.createConversation({})).conversation?.id ?? "";
      const words = (bytes: number) => "word ".repeat(20_000).slice(0, bytes - 1) + "!";
      const long = (bytes: number) => probe.failure(probe.all(chat.sendMessage({ conversationId, text: words(bytes) })));
      return {
        picture: { size: bytes.byteLength, same: (await digest(bytes)) === picture?.sha256 },
        speech: { same: (await digest(file)) === stored?.sha256, live: live.duration, stored: heard.duration, loudest, chunks: chunks.length },
        fits: await long(65_536),
        over: await long(65_537),
      };
    },
    [house.mesh, access] as const,
  );
  check("binary: a picture of 1024 × 1024 is fetched, byte for byte", found.picture.same && found.picture.size > 50_000, found.picture);
  check("binary: stored speech is fetched, byte for byte", found.speech.same, found.speech);
  check("binary: stored speech decodes, and can be heard", found.speech.stored > 0.5 && found.speech.loudest > 0.05, found.speech);
  check("binary: so does what was streamed, as long", Math.abs(found.speech.live - found.speech.stored) < 0.05, found.speech);
  same("large: a message of 65,536 bytes is answered", found.fits.code, "ok");
  same("  and one more is refused, with its field", [found.over.code, found.over.fields], ["InvalidArgument", ["text"]]);
}
