// Who is signed in: keeps the tokens and exchanges them for new ones, once however many calls and tabs ask. It shows nothing.
//
// The tokens are in sessionStorage: a reload keeps them, and closing the last tab forgets them. In localStorage they would
// lie on the disk for thirty days. Neither hides them from a foreign script in this page: that is what the page's
// Content-Security-Policy is for. Tabs that are open at the same time tell each other over a BroadcastChannel.

import type { Client } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import type { TokenPair, User, UsersService } from "../../gen/ts/src/atelier/users/v1/users_service_pb.ts";
import { Role } from "../../gen/ts/src/atelier/users/v1/users_service_pb.ts";

/** An account that is signed in. */
export interface Signed {
  access: string;
  refresh: string;
  /** When the access token expires, by this browser's clock. */
  expires: number;
  name: string;
  anonymous: boolean;
}

type Word = { say: "ask" } | { say: "now"; signed: Signed } | { say: "ended" };

/** How long before its end an access token is exchanged. */
const EARLY_MS = 60_000;
/** How long another tab may take to say what it knows. */
const SIBLINGS_MS = 150;

/**
 * The session of this page, in all of its tabs. `change` is fired when somebody signs in or out, in whatever tab, and then
 * `refused`, with the error as its detail, when it was the mesh that ended it.
 */
export class Session extends EventTarget {
  #signed: Signed | undefined;
  #renewal: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #key: string;
  readonly #channel: BroadcastChannel;
  readonly #users: Client<typeof UsersService>;

  /** `mesh` is part of every name: what one mesh gave is never shown to another. `users` calls without a token. */
  constructor(mesh: string, users: Client<typeof UsersService>) {
    super();
    this.#key = `atelier-session ${mesh}`;
    this.#users = users;
    this.#channel = new BroadcastChannel(this.#key);
    this.#channel.onmessage = ({ data }: MessageEvent<Word>) => this.#hear(data);
    const kept = sessionStorage.getItem(this.#key);
    if (kept !== null) this.#keep(JSON.parse(kept) as Signed);
  }

  /** Who is signed in. */
  get signed(): Signed | undefined {
    return this.#signed;
  }

  /** Asks the other tabs who is signed in. */
  async join(): Promise<void> {
    const heard = new Promise<void>((resolve) => {
      const listen = ({ data }: MessageEvent<Word>) => data.say === "now" && resolve();
      this.#channel.addEventListener("message", listen);
      setTimeout(() => (this.#channel.removeEventListener("message", listen), resolve()), SIBLINGS_MS);
    });
    this.#say({ say: "ask" });
    await heard;
  }

  /** Somebody has signed in, in this tab. */
  begin(user: User | undefined, tokens: TokenPair | undefined): void {
    if (user === undefined || tokens === undefined) throw new ConnectError("the mesh gave no tokens", Code.Internal);
    const anonymous = user.role === Role.ANONYMOUS;
    this.#take(tokens, { name: anonymous ? "a guest" : user.displayName || user.email, anonymous });
  }

  /** The session is over, in all tabs. */
  end(): void {
    this.#say({ say: "ended" });
    this.#keep(undefined);
  }

  /** An access token that is good for a while yet; undefined when nobody is signed in. */
  async access(): Promise<string | undefined> {
    const signed = this.#signed;
    if (signed && signed.expires - EARLY_MS <= Date.now()) {
      try {
        await this.renew(signed.access);
      } catch (error) {
        // What cannot be exchanged just now may still be good for its last minute.
        if (this.#signed !== signed || signed.expires <= Date.now()) throw error;
      }
    }
    return this.#signed?.access;
  }

  /** Exchanges the tokens, unless `spent` has been exchanged already. Ends the session when the mesh has ended it. */
  renew(spent: string): Promise<void> {
    // One exchange a tab: whoever comes while it runs waits for it.
    this.#renewal ??= this.#exchange(spent).finally(() => (this.#renewal = undefined));
    return this.#renewal;
  }

  async #exchange(spent: string): Promise<void> {
    // And one in all tabs: a refresh token works once, and using it again ends the session.
    await navigator.locks.request(this.#key, async () => {
      // Another tab may have had the lock just before; its news may be still on the way.
      await this.join();
      const signed = this.#signed;
      if (signed === undefined || signed.access !== spent) return;
      try {
        const { tokens } = await this.#users.refreshSession({ refreshToken: signed.refresh });
        // Whoever signed out meanwhile stays signed out.
        if (tokens && this.#signed === signed) this.#take(tokens, signed);
      } catch (error) {
        if (ConnectError.from(error).code === Code.Unauthenticated && this.#signed === signed) {
          this.end();
          this.dispatchEvent(new CustomEvent("refused", { detail: error }));
        }
        throw error;
      }
    });
  }

  #take(tokens: TokenPair, who: { name: string; anonymous: boolean }): void {
    const signed: Signed = {
      access: tokens.accessToken,
      refresh: tokens.refreshToken,
      expires: Date.now() + lifetimeMs(tokens.accessToken),
      name: who.name,
      anonymous: who.anonymous,
    };
    this.#keep(signed);
    this.#say({ say: "now", signed });
  }

  #keep(signed: Signed | undefined): void {
    const changed = this.#signed?.name !== signed?.name || (this.#signed === undefined) !== (signed === undefined);
    this.#signed = signed;
    if (signed) sessionStorage.setItem(this.#key, JSON.stringify(signed));
    else sessionStorage.removeItem(this.#key);
    // A page that only waits is kept signed in too. A call checks for itself, since the timer of a hidden tab may be late.
    clearTimeout(this.#timer);
    if (signed) {
      const wait = Math.max(0, signed.expires - EARLY_MS - Date.now());
      // A mesh that is away now may be back at the next call.
      this.#timer = setTimeout(() => void this.access().catch(() => undefined), wait);
    }
    if (changed) this.dispatchEvent(new Event("change"));
  }

  #hear(word: Word): void {
    if (word.say === "ask" && this.#signed) this.#say({ say: "now", signed: this.#signed });
    if (word.say === "now" && word.signed.expires > (this.#signed?.expires ?? 0)) this.#keep(word.signed);
    if (word.say === "ended") this.#keep(undefined);
  }

  #say(word: Word): void {
    this.#channel.postMessage(word);
  }
}

/** How long an access token lives. Taken from the token alone, so that a browser whose clock is wrong is served too. */
function lifetimeMs(token: string): number {
  const claims = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
  const { iat, exp } = JSON.parse(atob(claims)) as { iat: number; exp: number };
  return (exp - iat) * 1000;
}
