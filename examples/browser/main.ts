// The page: what is clicked and what is shown. How a call is made, kept alive and explained is in the files it imports.

import type { GenerationEvent } from "../../gen/ts/src/atelier/generation/v1/generation_pb.ts";
import { State } from "../../gen/ts/src/atelier/generation/v1/generation_pb.ts";
import { Role } from "../../gen/ts/src/atelier/llm_chat/v1/llm_chat_service_pb.ts";
import type { Source } from "./follow.ts";
import { follow } from "./follow.ts";
import { mesh, STREAM } from "./mesh.ts";
import { at, button, complain, forgive, form, input, interruption, made, onSubmit, tell } from "./show.ts";

const place = document.querySelector<HTMLMetaElement>('meta[name="atelier-mesh"]')?.content ?? "";
const { session, door, users, chat, pictures, voices } = mesh(place);

// --- Who is signed in -------------------------------------------------------------------------------------------------

onSubmit(form("sign-in"), async (how) => {
  const [email, password] = [input("email").value.trim(), input("password").value];
  const answer =
    how === "anonymous"
      ? await door.createAnonymousSession({})
      : how === "register"
        ? await door.register({ email, password })
        : await door.login({ email, password });
  session.begin(answer.user, answer.tokens);
  form("sign-in").reset();
});

button("sign-out").addEventListener("click", async () => {
  // Also when the mesh cannot be told: whoever leaves this page has left it.
  await users.logout({}).catch(() => undefined);
  session.end();
});

/** What runs for the account that is signed in; it ends with it. */
let stay = new AbortController();

async function showAccount(): Promise<void> {
  const { signed } = session;
  stay.abort();
  stay = new AbortController();
  at("door", HTMLElement).hidden = signed !== undefined;
  at("rooms", HTMLElement).hidden = signed === undefined;
  at("account", HTMLElement).hidden = signed === undefined;
  at("name", HTMLElement).textContent = signed?.name ?? "";
  beginAnew();
  if (signed === undefined) {
    input("email").focus();
    return;
  }
  at("text", HTMLTextAreaElement).focus();
  // Guests have no conversations to be asked for.
  await Promise.all([signed.anonymous || showConversation(), showStyles(), showVoices()]);
}

// --- Chat -------------------------------------------------------------------------------------------------------------

const messages = at("messages", HTMLOListElement);
const send = form("send");
let conversationId = "";

function beginAnew(): void {
  conversationId = "";
  messages.replaceChildren();
  tell("chat-status", "");
  button("stop").disabled = true;
  button("send-button").disabled = false;
  for (const id of ["sign-in", "send", "paint", "speak"]) forgive(form(id));
  at("picture", HTMLElement).hidden = true;
  at("audio", HTMLAudioElement).hidden = true;
}

/** Adds a message to the page. Its `words` grow, its `maker` says who made it, its `state` is for the style sheet. */
function addMessage(mine: boolean, words: string) {
  const item = made("li", "", mine ? "message mine" : "message");
  const paragraph = made("p", words);
  const maker = made("span", "", "maker");
  item.append(made("span", mine ? "You said: " : "The reply: ", "unseen"), paragraph, ...(mine ? [] : [maker]));
  messages.append(item);
  item.scrollIntoView({ block: "end" });
  return { item, paragraph, maker };
}

/** The conversation that was changed last: also one that another tab, or a page that was closed, has begun. */
async function showConversation(): Promise<void> {
  const { signal } = stay;
  try {
    const { conversations } = await chat.listConversations({ pageSize: 1 });
    const last = conversations[0];
    if (last === undefined) return;
    const { messages: said } = await chat.listMessages({ conversationId: last.id, pageSize: 1000 });
    // Whoever began something else meanwhile is not called back.
    if (signal.aborted || conversationId !== "" || messages.childElementCount > 0) return;
    conversationId = last.id;
    for (const { role, text, state, generationId, provider, model } of said) {
      const running = state === State.QUEUED || state === State.RUNNING;
      const shown = addMessage(role === Role.USER, running ? "" : text);
      if (role === Role.USER) continue;
      shown.maker.textContent = `${provider} · ${model}`;
      if (!running) {
        shown.item.dataset.state = State[state].toLowerCase();
        if (state === State.CANCELLED) shown.maker.textContent += " · stopped";
        continue;
      }
      // A page that was closed has stopped nothing.
      showReply(shown, { generationId }).catch((error: unknown) => signal.aborted || complain(send, error));
    }
  } catch (error) {
    if (!signal.aborted) complain(send, error);
  }
}

button("new-conversation").addEventListener("click", () => {
  stay.abort();
  stay = new AbortController();
  beginAnew();
  at("text", HTMLTextAreaElement).focus();
});

send.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button("send-button").disabled) return;
  forgive(send);
  const field = at("text", HTMLTextAreaElement);
  const text = field.value;
  const mine = addMessage(true, text);
  const reply = addMessage(false, "");
  const { signal } = stay;
  try {
    // Under an id, so that asking again when the answer was lost does not say it twice.
    const requestId = crypto.randomUUID();
    conversationId ||= (await chat.createConversation({ requestId })).conversation?.id ?? "";
    const request = { conversationId, text, requestId };
    field.value = "";
    await showReply(reply, { start: (signal) => chat.sendMessage(request, { ...STREAM, signal }) });
  } catch (error) {
    if (signal.aborted) return;
    mine.item.remove();
    reply.item.remove();
    field.value = text;
    complain(send, error);
  }
});

at("text", HTMLTextAreaElement).addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send.requestSubmit();
  }
  if (event.key === "Escape") button("stop").click();
});

/** Shows a reply as it is written, up to its end. An error before its first event is thrown, a later one is shown. */
async function showReply(shown: ReturnType<typeof addMessage>, from: Pick<Source, "start" | "generationId">): Promise<void> {
  const { item, paragraph, maker } = shown;
  const { signal } = stay;
  const say = speaker();
  let generationId = from.generationId ?? "";
  let stopping = false;
  const stop = async () => {
    stopping = true;
    tell("chat-status", "Stopping …");
    if (generationId === "") return;
    await chat.cancelGeneration({ generationId }).catch((error: unknown) => complain(send, error));
  };
  button("stop").onclick = () => void stop();
  button("stop").disabled = false;
  button("send-button").disabled = true;
  item.dataset.state = "running";
  tell("chat-status", "Thinking …");
  try {
    const events = follow({
      ...from,
      watch: (id, afterSequence, signal) => chat.watchGeneration({ generationId: id, afterSequence }, { ...STREAM, signal }),
      signal,
      lost: (error) => tell("chat-status", interruption(error)),
    });
    for await (const { event, generationId: id } of events) {
      if (generationId === "") {
        generationId = id;
        if (stopping) void stop();
      }
      const low = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 80;
      switch (event.case) {
        case "queued":
          tell("chat-status", `Waiting, ${event.value.position} before you …`);
          break;
        case "started":
          maker.textContent = `${event.value.provider} · ${event.value.model}`;
          break;
        case "snapshot":
          paragraph.textContent = event.value.text;
          maker.textContent = `${event.value.provider} · ${event.value.model}`;
          break;
        case "textDelta":
          paragraph.append(event.value.text);
          say(event.value.text);
          if (!stopping) tell("chat-status", "Writing …");
          break;
        case "warning":
          tell("chat-status", event.value.message);
          break;
        case "failed":
          maker.textContent += ` · ${event.value.message}`;
          break;
      }
      item.dataset.state = event.case === "completed" || event.case === "failed" || event.case === "cancelled" ? event.case : "running";
      if (event.case === "cancelled") maker.textContent += " · stopped";
      if (low) messages.scrollTop = messages.scrollHeight;
    }
    tell("chat-status", "");
    say("\n");
  } catch (error) {
    if (!signal.aborted) tell("chat-status", "");
    if (signal.aborted || generationId === "") throw error;
    item.dataset.state = "lost";
    complain(send, error);
  } finally {
    if (!signal.aborted) {
      button("stop").disabled = true;
      button("send-button").disabled = false;
    }
  }
}

/** Lets a screen reader hear a reply while it is written: whole sentences, since a token is no word. */
function speaker(): (piece: string) => void {
  let waiting = "";
  return (piece) => {
    waiting += piece;
    const end = Math.max(...[". ", "! ", "? ", "\n"].map((mark) => waiting.lastIndexOf(mark)));
    if (end < 0) return;
    tell("spoken", waiting.slice(0, end + 1));
    waiting = waiting.slice(end + 1);
  };
}

// --- Pictures ---------------------------------------------------------------------------------------------------------

function fill(id: string, options: { id: string; title: string }[]): void {
  at(id, HTMLSelectElement).replaceChildren(...options.map(({ id, title }) => new Option(title, id)));
}

async function showStyles(): Promise<void> {
  try {
    fill("style", (await pictures.listStyles({})).styles);
  } catch (error) {
    complain(form("paint"), error);
  }
}

onSubmit(form("paint"), async () => {
  const prompt = input("prompt").value;
  const request = { prompt, style: at("style", HTMLSelectElement).value, requestId: crypto.randomUUID() };
  const [progress, image] = [at("paint-progress", HTMLProgressElement), at("image", HTMLImageElement)];
  let preview = "";
  let maker = "";
  progress.value = 0;
  try {
    await toTheEnd("paint-status", {
      start: (signal) => pictures.generateImage(request, { ...STREAM, signal }),
      watch: (generationId, afterSequence, signal) => pictures.watchGeneration({ generationId, afterSequence }, { ...STREAM, signal }),
      show: ({ event }) => {
        progress.hidden = false;
        if (event.case === "started") maker = `${event.value.provider} · ${event.value.model}`;
        if (event.case === "snapshot") progress.value = event.value.fraction;
        if (event.case === "progress") progress.value = event.value.fraction;
        if (event.case === "imagePreview") {
          URL.revokeObjectURL(preview);
          preview = URL.createObjectURL(new Blob([event.value.data as Uint8Array<ArrayBuffer>], { type: event.value.contentType }));
          picture(preview, `${prompt}, in the making`);
        }
        const artifact = event.case === "artifact" ? event.value : event.case === "snapshot" ? event.value.artifacts[0] : undefined;
        if (artifact) picture(artifact.url, prompt);
      },
    });
    await image.decode();
    tell("caption", `${prompt} · ${image.naturalWidth} × ${image.naturalHeight} · ${maker}`);
  } finally {
    progress.hidden = true;
    URL.revokeObjectURL(preview);
  }
});

function picture(source: string, words: string): void {
  const image = at("image", HTMLImageElement);
  image.src = source;
  image.alt = words;
  tell("caption", words);
  at("picture", HTMLElement).hidden = false;
}

// --- Speech -----------------------------------------------------------------------------------------------------------

async function showVoices(): Promise<void> {
  try {
    fill("voice", (await voices.listVoices({})).voices);
  } catch (error) {
    complain(form("speak"), error);
  }
}

onSubmit(form("speak"), async () => {
  const request = { text: input("speech-text").value, voice: at("voice", HTMLSelectElement).value, requestId: crypto.randomUUID() };
  let source = "";
  await toTheEnd("speak-status", {
    start: (signal) => voices.synthesize(request, { ...STREAM, signal }),
    watch: (generationId, afterSequence, signal) => voices.watchGeneration({ generationId, afterSequence }, { ...STREAM, signal }),
    show: ({ event }) => {
      const artifact = event.case === "artifact" ? event.value : event.case === "snapshot" ? event.value.artifacts[0] : undefined;
      if (artifact) source = artifact.url;
    },
  });
  const audio = at("audio", HTMLAudioElement);
  audio.src = source;
  audio.hidden = false;
  // A browser that plays nothing by itself still has the button.
  await audio.play().catch(() => undefined);
});

/** Follows a picture or a spoken text to its end; one that failed is an error like any other. */
async function toTheEnd(status: string, job: Pick<Source, "start" | "watch"> & { show: (event: GenerationEvent) => void }): Promise<void> {
  tell(status, "Waiting …");
  try {
    for await (const event of follow({ ...job, signal: stay.signal, lost: (error) => tell(status, interruption(error)) })) {
      tell(status, "Working …");
      job.show(event);
      if (event.event.case === "failed") throw new Error(event.event.value.message);
    }
  } finally {
    tell(status, "");
  }
}

// --- The beginning ----------------------------------------------------------------------------------------------------

if (session.signed === undefined) await session.join();
session.addEventListener("change", () => void showAccount());
session.addEventListener("refused", (event) => complain(form("sign-in"), event instanceof CustomEvent ? event.detail : event));
await showAccount();
