// Sends a page's forms with fetch, because only fetch carries the ID token: App Bridge adds a fresh one to it, and
// repeats a call that was answered 401 once. The answer is a whole page; the form names the parts to take from it.
"use strict";

const parts = (form) => (form.dataset.swap || "page").split(" ");

function gather(form, action) {
  const typed = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string") typed.append(name, value);
  if (action) typed.append("action", action);
  return typed;
}

async function send(form, action, button) {
  if (form.dataset.busy) return;
  form.dataset.busy = "1";
  button?.setAttribute("loading", "");
  try {
    const secrets = new Map(listSecrets(form).map(([key, field]) => [key, field.value]));
    const answer = await ask(form, action);
    const text = await answer.text();
    if (!(answer.headers.get("Content-Type") || "").startsWith("text/html")) throw new Error(explain(answer, text));
    swap(form, new DOMParser().parseFromString(text, "text/html"), answer.ok && !action.includes(":") ? new Map() : secrets);
    if (form.method === "get") history.replaceState(null, "", answer.url);
  } catch (error) {
    tell(error instanceof TypeError ? "No answer came. What you typed is still here: try again." : error.message);
  } finally {
    delete form.dataset.busy;
    button?.removeAttribute("loading");
  }
}

function ask(form, action) {
  const typed = gather(form, action);
  if (form.method !== "get") return fetch(form.action, { method: "POST", body: typed });
  const address = new URL(form.action);
  address.search = typed;
  return fetch(address, { headers: { Accept: "text/html" } });
}

function explain(answer, text) {
  if (answer.status === 401) return "Shopify could not confirm who you are. What you typed is still here: try again.";
  const incident = /incident \w+/.exec(text);
  return `That did not work (${answer.status}${incident ? `, ${incident[0]}` : ""}). What you typed is still here.`;
}

// Secrets are never sent back by the server, so those typed into a form that was refused are kept here.
function swap(form, page, secrets) {
  for (const id of parts(form)) {
    const [old, made] = [document.getElementById(id), page.getElementById(id)];
    if (!old || !made) continue;
    const taken = document.adoptNode(made);
    old.replaceWith(taken);
    if (taken.id === form.id || taken.contains(form)) keep(taken, secrets);
    if (taken.dataset.toast) window.shopify?.toast?.show(taken.dataset.toast);
  }
  const notices = document.getElementById("notices");
  if (parts(form).includes("notices") && notices?.childElementCount) show(notices);
}

function keep(form, secrets) {
  for (const [key, field] of listSecrets(form)) if (secrets.get(key)) field.value = secrets.get(key);
}

// Each secret field under its name and its place among those of that name: rows of headers share one.
function listSecrets(form) {
  const seen = new Map();
  return [...form.querySelectorAll("s-password-field")].map((field) => {
    const name = field.getAttribute("name");
    seen.set(name, (seen.get(name) || 0) + 1);
    return [`${name}#${seen.get(name)}`, field];
  });
}

function show(notices) {
  notices.focus({ preventScroll: true });
  notices.scrollIntoView({ block: "start" });
}

function tell(words) {
  const notices = document.getElementById("notices");
  if (!notices) return;
  const banner = document.createElement("s-banner");
  banner.setAttribute("tone", "critical");
  banner.setAttribute("heading", words);
  notices.replaceChildren(banner);
  show(notices);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-send]");
  const form = button?.closest("form");
  if (!form) return;
  event.preventDefault();
  send(form, button.dataset.send, button);
});

document.addEventListener("submit", (event) => {
  event.preventDefault();
  send(event.target, event.target.dataset.act || "", null);
});
