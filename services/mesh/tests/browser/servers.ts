// What stands on the other side of the browser: a real mesh in a folder of its own, the page's files, and a wire that can be
// cut. Everything listens on this machine alone, on free ports, and is ended by whoever started it.

import { spawn } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { Socket } from "node:net";
import { connect, createServer as createWire } from "node:net";
import { tmpdir } from "node:os";
import { join, normalize } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** The longest that a process may take to start or to end, in milliseconds. */
const PATIENCE = 60_000;

/** A mesh that runs. */
export interface Running {
  /** Where its edge is. */
  url: string;
  /** The digests of its certificates' public keys, as Chromium's flag takes them; none without TLS. */
  keys: string[];
  /** What it has logged. */
  log: () => string;
  /** Ends it; gives its exit code, or the signal that was needed. */
  stop: () => Promise<number | string>;
}

/** Starts the binary. Only `settings` reach it, and no variable of the caller's. */
export async function startMesh(binary: string, options: { tls?: boolean; settings: Record<string, string> }): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), "atelier-browser."));
  // The tests ask more often than anybody may.
  const limits = join(folder, "limits.toml");
  await writeFile(limits, "unlimited = true\n");
  const env: NodeJS.ProcessEnv = { ATELIER_LIMITS: limits, ...options.settings };
  for (const [name, value] of Object.entries(process.env)) {
    if (!/^(ATELIER_|OTEL_)|_proxy$/i.test(name)) env[name] = value;
  }
  const flags = ["--data", folder, "--port", "0", "--admin-port", "0", ...(options.tls ? ["--tls"] : [])];
  const child = spawn(binary, flags, { env, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
  const ended = once(child, "exit").then(([code, signal]) => (code ?? signal ?? "") as number | string);
  const leave = () => child.kill("SIGKILL");
  process.on("exit", leave);
  const stop = async () => {
    child.kill("SIGTERM");
    const code = await Promise.race([ended, sleep(PATIENCE, "too slow", { ref: false })]);
    leave();
    process.off("exit", leave);
    await rm(folder, { recursive: true, force: true });
    return code;
  };
  const until = Date.now() + PATIENCE;
  for (;;) {
    const url = /^ready: (\S+)/m.exec(log)?.[1];
    if (url !== undefined) return { url, keys: options.tls ? await keysOf(join(folder, "certs")) : [], log: () => log, stop };
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > until) {
      await stop();
      throw new Error(`the mesh did not start:\n${log.slice(-3000)}`);
    }
    await sleep(30);
  }
}

async function keysOf(folder: string): Promise<string[]> {
  const files = await Promise.all(["ca.pem", "edge.pem"].map((name) => readFile(join(folder, name))));
  return files.map((pem) => {
    const key = new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" });
    return createHash("sha256").update(key).digest("base64");
  });
}

/** Something that listens. */
export interface Listening {
  port: number;
  close: () => Promise<void>;
}

const TYPES: Record<string, string> = { html: "text/html; charset=utf-8", js: "text/javascript", css: "text/css", map: "application/json" };

/** Serves the page and the probe, as any web server would. The page is told where its mesh is. */
export async function servePage(folder: string, probe: string): Promise<Listening & { mesh: string }> {
  const served = { mesh: "", port: 0, close: async () => undefined as void };
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url ?? "/", "http://page").pathname);
    try {
      let body: Buffer | string;
      if (path === "/probe.html") body = "<!doctype html><title>probe</title><script src='probe.js'></script>";
      else if (path === "/probe.js") body = await readFile(probe);
      else body = await readFile(join(folder, path === "/" ? "index.html" : path));
      if (path === "/") body = body.toString().replace(/(name="atelier-mesh" content=)"[^"]*"/, `$1"${served.mesh}"`);
      response.setHeader("content-type", TYPES[path.split(".").pop() ?? ""] ?? TYPES.html ?? "");
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  served.port = await listen(server);
  served.close = () => new Promise((resolve) => (server.close(() => resolve()), server.closeAllConnections()));
  return served;
}

/** A wire to a mesh: passes bytes on as they are, TLS or not, and can be cut. */
export interface Wire extends Listening {
  /** Resets every connection, and lets none through until it is mended. */
  cut: () => void;
  /** Lets connections through again. */
  mend: () => void;
}

/** Lays a wire to a mesh. */
export async function layWire(url: string): Promise<Wire> {
  const to = Number(new URL(url).port);
  const ends = new Set<Socket>();
  let whole = true;
  const server = createWire((near) => {
    if (!whole) return void near.resetAndDestroy();
    const far = connect(to, "127.0.0.1");
    for (const [one, other] of [[near, far], [far, near]] as const) {
      ends.add(one);
      one.setNoDelay(true);
      one.on("error", () => other.destroy());
      one.on("close", () => (ends.delete(one), other.destroy()));
      one.pipe(other);
    }
  });
  const port = await listen(server);
  const cut = () => {
    whole = false;
    for (const end of ends) end.resetAndDestroy();
  };
  return { port, cut, mend: () => void (whole = true), close: () => (cut(), new Promise((resolve) => server.close(() => resolve()))) };
}

async function listen(server: ReturnType<typeof createServer> | ReturnType<typeof createWire>): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
