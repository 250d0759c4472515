// What a browser does between StartSignIn and its redirect URI, and what its user does with the provider's forms: signs in
// under a name, and allows what is asked. Prints the parameters that come back, as JSON.
//
//   node browser.js AUTHORIZATION_URL REDIRECT_URI NAME

const [start, redirectUri, name] = process.argv.slice(2);
const MOST_PAGES = 20;

const jar = new Map();

// The text that HTML means; the provider's forms escape no more than this.
const plain = (html) =>
  html
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");

const attribute = (tag, wanted) => {
  const found = new RegExp(`\\s${wanted}="([^"]*)"`).exec(tag);
  return found === null ? undefined : plain(found[1]);
};

// The one form of a page, filled in.
function fill(html, page) {
  const form = /<form[^>]*>/.exec(html)?.[0];
  const action = form && attribute(form, "action");
  if (!action) throw new Error(`no form at ${page}: ${html.slice(0, 500)}`);
  const fields = new URLSearchParams();
  for (const [input] of html.matchAll(/<input[^>]*>/g)) {
    const field = attribute(input, "name");
    const typed = attribute(input, "type") === "hidden" ? attribute(input, "value") : name;
    if (field) fields.set(field, typed ?? "");
  }
  return { url: new URL(action, page), fields };
}

let url = new URL(start);
let body;
for (let page = 0; page < MOST_PAGES; page += 1) {
  const cookies = [...jar].map(([key, value]) => `${key}=${value}`).join("; ");
  const answer = await fetch(url, {
    method: body ? "POST" : "GET",
    body,
    redirect: "manual",
    headers: { cookie: cookies, accept: "text/html" },
    signal: AbortSignal.timeout(30_000),
  });
  for (const line of answer.headers.getSetCookie()) {
    const [, key, value] = /^([^=]+)=([^;]*)/.exec(line);
    if (value === "") jar.delete(key);
    else jar.set(key, value);
  }
  body = undefined;
  const location = answer.headers.get("location");
  if (location !== null) {
    url = new URL(location, url);
    if (url.href.startsWith(`${redirectUri}?`)) {
      console.log(JSON.stringify(Object.fromEntries(url.searchParams)));
      process.exit(0);
    }
    continue;
  }
  const html = await answer.text();
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${html.slice(0, 1000)}`);
  const filled = fill(html, url);
  url = filled.url;
  body = filled.fields;
}
throw new Error(`never came back from ${url}`);
