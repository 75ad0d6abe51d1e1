// A small stand-in for App Bridge: ID tokens from the stand-in admin around the frame, fetch with the token and its one
// repeat, the bounce page, the navigation, the save bar and toasts. Written from Shopify's public documentation.
(() => {
  "use strict";
  const admin = new URL(document.currentScript.src).origin;
  const asked = new URLSearchParams(location.search);
  const plainFetch = window.shopify?.plainFetch ?? window.fetch.bind(window);
  const waiting = new Map();
  let token = null;

  const tell = (type, data = {}) => parent.postMessage({ ...data, type, standIn: "app-bridge" }, admin);

  function ask(type) {
    const id = crypto.randomUUID();
    tell(type, { id });
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  }

  addEventListener("message", (event) => {
    if (event.origin !== admin || event.source !== parent) return;
    const { id, answer, error, type, href } = event.data;
    if (id && waiting.has(id)) {
      const { resolve, reject } = waiting.get(id);
      waiting.delete(id);
      error ? reject(new Error(error)) : resolve(answer);
    }
    if (type === "navigate") location.assign(href);
    if (type === "save") barred?.requestSubmit();
    if (type === "discard") barred?.reset();
  });

  const endOf = (value) => JSON.parse(atob(value.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).exp * 1000;

  async function idToken(fresh = false) {
    if (fresh || !token || endOf(token) - Date.now() < 5000) token = await ask("id_token");
    return token;
  }

  // Requests to the app's own origin carry the token; one that the app calls stale is made once more.
  window.fetch = async (input, options) => {
    const request = new Request(input, options);
    if (new URL(request.url).origin !== location.origin) return plainFetch(request);
    const again = request.clone();
    const answer = await plainFetch(withToken(request, await idToken()));
    const stale = answer.status === 401 && answer.headers.get("X-Shopify-Retry-Invalid-Session-Request");
    return stale ? plainFetch(withToken(again, await idToken(true))) : answer;
  };

  function withToken(request, value) {
    const headers = new Headers(request.headers);
    headers.set("Authorization", `Bearer ${value}`);
    return new Request(request, { headers });
  }

  // The bounce page: the wanted page is asked for with a token, and takes this one's place.
  async function reload(target) {
    const answer = await fetch(target, { headers: { "X-Shopify-Bounce": "1", Accept: "text/html" } });
    const page = await answer.text();
    history.replaceState(null, "", answer.redirected ? answer.url : target);
    document.open();
    document.write(page);
    document.close();
  }

  // Forms with data-save-bar: the bar shows while a field differs from what was loaded.
  let barred = null;
  const isBarred = (form) => form instanceof HTMLFormElement && form.hasAttribute("data-save-bar");
  const showBar = (form) => {
    barred = form;
    tell("save_bar", { shown: true });
  };
  const hideBar = () => tell("save_bar", { shown: false });

  function listen() {
    for (const kind of ["input", "change"]) {
      document.addEventListener(kind, (event) => {
        const form = event.target.closest?.("form[data-save-bar]");
        if (form) showBar(form);
      });
    }
    for (const kind of ["submit", "reset"]) {
      document.addEventListener(kind, (event) => isBarred(event.target) && hideBar());
    }
    document.addEventListener("click", (event) => {
      const link = event.target.closest?.("a[href^='shopify:'], s-link[href^='shopify:'], s-button[href^='shopify:']");
      if (!link) return;
      event.preventDefault();
      tell("open", { href: link.getAttribute("href") });
    });
  }

  function announce() {
    const links = [...document.querySelectorAll("s-app-nav s-link, s-app-nav a, ui-nav-menu a")];
    const shown = links.filter((link) => link.getAttribute("rel") !== "home");
    tell("page", {
      title: document.title,
      path: location.pathname,
      links: shown.map((link) => ({ href: link.getAttribute("href"), text: link.textContent.trim() })),
    });
    for (const menu of document.querySelectorAll("s-app-nav, ui-nav-menu")) menu.hidden = true;
  }

  window.shopify = {
    plainFetch,
    idToken: () => idToken(true),
    ready: Promise.resolve(),
    origin: admin,
    config: {
      apiKey: document.querySelector("meta[name='shopify-api-key']")?.content,
      shop: asked.get("shop"),
      host: asked.get("host"),
      locale: asked.get("locale") ?? "en",
    },
    environment: { embedded: parent !== window, mobile: false, pos: false },
    loading: (on = true) => tell("loading", { on }),
    user: () => ask("user"),
    toast: {
      show: (text, { isError = false } = {}) => tell("toast", { text, isError }) ?? "toast",
      hide: () => tell("toast", { text: "" }),
    },
    saveBar: {
      show: async (id) => showBar(document.getElementById(id)),
      hide: async () => hideBar(),
      toggle: async () => {},
      leaveConfirmation: async () => {},
    },
    scopes: { query: () => ask("scopes"), request: () => ask("scopes"), revoke: () => ask("scopes") },
    webVitals: { onReport: () => {} },
  };

  const target = asked.get("shopify-reload");
  if (target) {
    reload(target);
    return;
  }
  listen();
  document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", announce) : announce();
})();
