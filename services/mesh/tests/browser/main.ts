// A browser uses the mesh: the example page and the generated client in Chromium, against a running binary, over HTTP/1.1 and
// over HTTP/2 with TLS. It prints a line for each check and ends with `N passed, N failed`.
//
//   ATELIER_BIN=… CHROMIUM=… node main.js PAGE PROBE SHOTS
//
// PAGE is the folder of the built page, PROBE the built probe, SHOTS where pictures of the page go.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import * as chat from "./chat.ts";
import { chapter, check, failures, finish, same } from "./checks.ts";
import type { House } from "./house.ts";
import { settle } from "./house.ts";
import { media } from "./media.ts";
import * as people from "./people.ts";
import type { Wire } from "./servers.ts";
import { layWire, servePage, startMesh } from "./servers.ts";

const [page = "", probe = "", shots = ""] = process.argv.slice(2);
const binary = process.env.ATELIER_BIN ?? "";
const browser = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Where the page is besides its own place: at an origin that is not listed, and at the end of a wire that can be cut. */
interface Places {
  foreign: string;
  wired: string;
  wire: Wire;
}
type Checks = (house: House, places: Places) => Promise<void>;

/** A mesh, a browser, and checks; then what holds for all calls they made. */
async function round(
  name: string,
  tls: boolean,
  protocol: string,
  settings: Record<string, string>,
  checks: Checks,
  trusted = true,
): Promise<void> {
  const folder = join(shots, name);
  await mkdir(folder, { recursive: true });
  const [own, foreign, wired] = [await servePage(page, probe), await servePage(page, probe), await servePage(page, probe)];
  const at = (served: { port: number }) => `http://localhost:${served.port}`;
  const mesh = await startMesh(binary, { tls, settings: { ...settings, ATELIER_CORS_ORIGINS: [own, wired].map(at).join(",") } });
  const wire = await layWire(mesh.url);
  own.mesh = foreign.mesh = mesh.url;
  wired.mesh = `${new URL(mesh.url).protocol}//localhost:${wire.port}`;
  try {
    const house = await settle({ browser, keys: trusted ? mesh.keys : [], origin: at(own), mesh: mesh.url, shots: folder });
    try {
      await checks(house, { foreign: at(foreign), wired: at(wired), wire });
      const calls = house.answers.filter(({ url, method }) => url.startsWith(mesh.url) && method === "POST");
      const protocols = [...new Set(calls.map((call) => call.protocol))];
      same(`${name}: all ${calls.length} calls went over ${protocol || "nothing"}`, protocols, protocol ? [protocol] : []);
      same(`${name}: no page had an error it did not catch, nor broke its content policy`, house.slips, []);
    } finally {
      await house.close();
    }
  } finally {
    for (const listening of [own, foreign, wired, wire]) await listening.close();
    same(`${name}: the mesh ends with 0`, await mesh.stop(), 0);
    check(`${name}: and has logged no error of its own`, !/ ERROR |panicked/.test(mesh.log()), mesh.log().slice(-3000));
  }
}

/** All chapters. */
const everything: Checks = async (house, { foreign, wired, wire }) => {
  const chapters: [string, () => Promise<void>][] = [
    ["the door", () => people.door(house)],
    ["replies", () => chat.replies(house)],
    ["abandoned replies", () => chat.abandoned(house)],
    ["cut off", () => chat.cutOff(house, wired, wire)],
    ["deadlines", () => chat.late(house)],
    ["pictures and speech", () => media(house)],
    ["pages of foreign origins", () => people.foreigners(house, foreign)],
    ["tokens", () => people.tokens(house)],
    ["a lost answer", () => people.lostAnswer(house)],
  ];
  for (const [title, run] of chapters) {
    const before = failures();
    await chapter(title, run);
    // The last tab takes the session with it: the next chapter begins at the door.
    await house.clear(failures() > before ? title.replaceAll(" ", "-") : undefined);
  }
};

await chapter("HTTP/1.1", () => round("http1", false, "http/1.1", {}, everything));
// With no grace at all a refresh token that two tabs present ends their session: only tabs that take turns keep it.
await chapter("two tabs, and no grace", () =>
  round("tabs", false, "http/1.1", { ATELIER_REFRESH_GRACE_SECONDS: "0" }, (house) => people.twoTabs(house)),
);
await chapter("a busy mesh", () => round("busy", false, "http/1.1", { ATELIER_EDGE_MAX_CALLS: String(chat.ROOM) }, chat.busy));
await chapter("HTTP/2 with TLS", () => round("http2", true, "h2", {}, everything));
await chapter("TLS that is not trusted", () => round("untrusted", true, "", {}, people.untrusted, false));
process.exit(finish());
