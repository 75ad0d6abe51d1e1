// Small stand-ins for Polaris web components: enough look and behaviour to use a page, written from Shopify's public
// documentation. Styles are constructed sheets, which a strict content security policy does not forbid.
(() => {
  "use strict";
  const sheet = (text) => {
    const made = new CSSStyleSheet();
    made.replaceSync(text);
    return made;
  };
  const GAPS = { none: "0", "small-300": ".125rem", "small-200": ".25rem", "small-100": ".375rem", small: ".5rem" };
  Object.assign(GAPS, { "small-500": ".0625rem", base: "1rem", large: "1.25rem", "large-100": "1.5rem" });

  document.adoptedStyleSheets = [
    sheet(`
    :root { font: 14px/1.45 Inter, system-ui, sans-serif; color: #303030; background: #f1f1f1; }
    body { margin: 0; }
    s-page { display: block; max-width: 62rem; margin: 0 auto; padding: 1rem; }
    s-page[inlinesize="large"] { max-width: none; }
    s-page[inlinesize="small"] { max-width: 42rem; }
    s-section { display: block; background: #fff; border-radius: .75rem; padding: 1rem; margin: 0 0 1rem;
                box-shadow: 0 1px 0 #0000001a, 0 0 0 1px #0000000f; overflow-x: auto; }
    s-section s-section { box-shadow: none; padding: 0; }
    s-section[padding="none"] { padding: 0; }
    s-paragraph { display: block; margin: 0 0 .5rem; }
    s-heading { display: block; font-weight: 650; margin: 0 0 .5rem; }
    s-text, s-number, s-link, s-icon, s-tooltip { display: inline; }
    s-text[type="strong"] { font-weight: 650; }
    [color="subdued"] { color: #616161; }
    [tone="critical"] { color: #8e1f0b; } [tone="success"] { color: #0c5132; } [tone="caution"] { color: #5e4200; }
    s-stack, s-box, s-query-container, s-scroll-box, s-clickable { display: block; }
    s-stack { display: flex; flex-direction: column; }
    s-stack[direction="inline"] { flex-flow: row wrap; }
    s-grid { display: grid; }
    s-divider { display: block; border-top: 1px solid #e3e3e3; margin: .5rem 0; }
    s-badge { display: inline-block; padding: .05rem .5rem; border-radius: .5rem; background: #e3e3e3; font-size: 12px; }
    s-badge[tone="success"] { background: #b4fed2; } s-badge[tone="critical"] { background: #fedad9; }
    s-badge[tone="warning"], s-badge[tone="caution"] { background: #ffe8b8; } s-badge[tone="info"] { background: #d5ebff; }
    s-table { display: table; width: 100%; border-collapse: collapse; }
    s-table-header-row, s-table-row { display: table-row; }
    s-table-body { display: table-row-group; }
    s-table-header, s-table-cell { display: table-cell; padding: .5rem .75rem; border-bottom: 1px solid #ebebeb; }
    s-table-header { font-size: 12px; color: #616161; font-weight: 550; }
    s-unordered-list, s-ordered-list { display: block; padding-left: 1.25rem; }
    s-unordered-list > s-list-item { display: list-item; } s-ordered-list > s-list-item { display: list-item; list-style: decimal; }
    s-spinner::after { content: "…"; } s-app-nav, s-option-group, s-menu, s-popover, s-modal:not([open]) { display: none; }
    s-modal[open] { display: block; position: fixed; inset: 10% 10% auto; background: #fff; padding: 1rem; border-radius: .75rem;
                    box-shadow: 0 .5rem 2rem #0006; z-index: 9; }
    [hidden] { display: none !important; }
  `),
  ];

  class Base extends HTMLElement {
    connectedCallback() {
      if (!this.shadowRoot) this.build();
    }
    text(name) {
      return this.getAttribute(name) ?? "";
    }
    open(html, css = "") {
      const root = this.attachShadow({ mode: "open", delegatesFocus: true });
      root.adoptedStyleSheets = [sheet(css)];
      root.innerHTML = html;
      return root;
    }
    build() {}
  }

  // A heading above the content; banners take its tone.
  class Headed extends Base {
    build() {
      const root = this.open("<div part='heading' role='heading'></div><div><slot></slot></div><slot name='primary-action'></slot>",
        "[role] { font-weight: 650; margin-bottom: .5rem } [role]:empty { display: none }");
      const heading = root.firstChild;
      heading.setAttribute("aria-level", { "S-PAGE": 1, "S-SECTION": 2 }[this.tagName] ?? 3);
      heading.style.fontSize = this.tagName === "S-PAGE" ? "20px" : "14px";
      heading.textContent = this.text("heading");
      if (this.tagName === "S-BANNER") {
        const colour = { critical: "#fedad9", success: "#cdfee1", warning: "#ffe8b8", info: "#d5ebff" }[this.text("tone")];
        Object.assign(this.style, { display: "block", padding: ".75rem 1rem", borderRadius: ".75rem", marginBottom: "1rem" });
        this.style.background = colour ?? "#ebebeb";
        this.setAttribute("role", "status");
      }
    }
  }

  class Spaced extends Base {
    build() {
      this.style.gap = GAPS[this.text("gap")] ?? "";
      if (this.hasAttribute("padding")) this.style.padding = GAPS[this.text("padding")] ?? "";
      if (this.tagName === "S-GRID") this.style.gridTemplateColumns = this.text("gridtemplatecolumns");
    }
  }

  // Buttons act on their form, follow their href, or command another element.
  class Button extends Base {
    static formAssociated = true;
    internals = this.attachInternals();
    build() {
      const tag = this.hasAttribute("href") ? "a" : "button";
      const root = this.open(`<${tag} part="control"><slot></slot></${tag}>`,
        `${tag} { font: inherit; font-weight: 550; padding: .3rem .75rem; border: 1px solid #ccc; border-radius: .5rem; background: #fff;
          color: inherit; text-decoration: none; cursor: pointer } :host([variant="primary"]) ${tag} { background: #303030; color: #fff }
          :host([tone="critical"]) ${tag} { color: #8e1f0b } :host([variant="primary"][tone="critical"]) ${tag} { background: #c70a24; color: #fff }
          :disabled { opacity: .5 }`);
      this.control = root.firstChild;
      this.follow();
      if (tag === "button") this.addEventListener("click", () => this.act());
      new MutationObserver(() => this.follow()).observe(this, { attributes: true });
    }
    follow() {
      if (this.control.tagName === "A") this.control.href = this.text("href");
      if (this.control.tagName === "A" && this.hasAttribute("target")) this.control.target = this.text("target");
      this.control.disabled = this.hasAttribute("disabled") || this.hasAttribute("loading");
      if (this.hasAttribute("accessibilitylabel")) this.control.setAttribute("aria-label", this.text("accessibilitylabel"));
    }
    act() {
      if (this.hasAttribute("disabled") || this.hasAttribute("loading")) return;
      const commanded = document.getElementById(this.text("commandfor"));
      if (commanded) commanded.toggleAttribute("open", this.text("command") !== "--hide" && !commanded.hasAttribute("open"));
      const form = this.internals.form;
      if (form && this.text("type") === "submit") form.requestSubmit();
      if (form && this.text("type") === "reset") form.reset();
    }
  }

  class Link extends Base {
    build() {
      const root = this.open("<a><slot></slot></a>", "a { color: #005bd3 }");
      root.firstChild.href = this.text("href");
      if (this.hasAttribute("target")) root.firstChild.target = this.text("target");
    }
  }

  // Fields are form controls of their own: value, reset, label, details and error.
  class Field extends Base {
    static formAssociated = true;
    static observedAttributes = ["value", "error", "checked", "disabled", "label", "details"];
    internals = this.attachInternals();
    get name() { return this.text("name"); }
    get form() { return this.internals.form; }
    get value() { return this.control ? this.control.value : this.text("value"); }
    set value(text) { if (this.control) { this.control.value = text; this.keep(); } else this.setAttribute("value", text); }
    get error() { return this.text("error"); }
    set error(text) { text ? this.setAttribute("error", text) : this.removeAttribute("error"); }
    make() {
      const kinds = { "S-PASSWORD-FIELD": "password", "S-NUMBER-FIELD": "number", "S-EMAIL-FIELD": "email", "S-DATE-FIELD": "date" };
      Object.assign(kinds, { "S-URL-FIELD": "url", "S-SEARCH-FIELD": "search" });
      const control = document.createElement(this.tagName === "S-TEXT-AREA" ? "textarea" : "input");
      if (control.tagName === "INPUT") control.type = kinds[this.tagName] ?? "text";
      return control;
    }
    build() {
      const root = this.open("<label><span></span></label><small></small><em role='alert'></em>",
        `:host { display: block; margin-bottom: .75rem } label, label > span { display: block } small { color: #616161; display: block }
         :host([labelaccessibilityvisibility="exclusive"]) label > span { position: absolute; clip-path: inset(50%) }
         em { color: #8e1f0b; font-style: normal; display: block } em:empty, small:empty { display: none }
         input:not([type=checkbox]), select, textarea { font: inherit; width: 100%; box-sizing: border-box; padding: .35rem .6rem;
         border: 1px solid #8a8a8a; border-radius: .5rem; background: #fdfdfd } :host([error]) :is(input, select, textarea) { border-color: #8e1f0b; background: #fff3f2 }
         :host(:is(s-checkbox, s-switch)) label { display: flex; gap: .5rem; flex-direction: row-reverse; justify-content: flex-end }`);
      this.control = this.make();
      for (const name of ["placeholder", "autocomplete", "min", "max", "step", "maxlength", "minlength", "rows", "readonly", "inputmode"])
        if (this.hasAttribute(name)) this.control.setAttribute(name, this.text(name));
      root.querySelector("label").append(this.control);
      this.follow();
      this.fill();
      for (const kind of ["input", "change"])
        this.control.addEventListener(kind, (event) => {
          this.keep();
          if (kind === "change" || !event.composed) this.dispatchEvent(new Event(kind, { bubbles: true, composed: true }));
        });
      this.control.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && this.control.tagName === "INPUT") this.form?.requestSubmit();
      });
    }
    fill() { this.control.value = this.text("value"); this.keep(); }
    keep() { this.internals.setFormValue(this.hasAttribute("disabled") ? null : this.value); }
    formResetCallback() { this.fill(); }
    attributeChangedCallback(name) {
      if (!this.control) return;
      this.follow();
      if (name === "value" || name === "checked") this.fill();
    }
    follow() {
      const root = this.shadowRoot;
      root.querySelector("span").textContent = this.text("label");
      root.querySelector("small").textContent = this.text("details");
      root.querySelector("em").textContent = this.text("error");
      this.control.disabled = this.hasAttribute("disabled");
      this.control.setAttribute("aria-invalid", this.hasAttribute("error"));
    }
  }

  class Check extends Field {
    get checked() { return this.control ? this.control.checked : this.hasAttribute("checked"); }
    set checked(on) { if (this.control) { this.control.checked = on; this.keep(); } else this.toggleAttribute("checked", on); }
    get value() { return this.getAttribute("value") ?? "on"; }
    make() {
      const control = document.createElement("input");
      control.type = "checkbox";
      if (this.tagName === "S-SWITCH") control.setAttribute("role", "switch");
      return control;
    }
    fill() { this.control.checked = this.hasAttribute("checked"); this.keep(); }
    keep() { this.internals.setFormValue(this.control.checked ? this.value : null); }
  }

  class Select extends Field {
    make() {
      const control = document.createElement("select");
      for (const option of this.querySelectorAll("s-option")) {
        const made = new Option(option.textContent.trim(), option.getAttribute("value") ?? option.textContent.trim());
        made.disabled = option.hasAttribute("disabled");
        control.append(made);
      }
      return control;
    }
    fill() {
      const chosen = this.getAttribute("value") ?? this.querySelector("s-option[selected]")?.getAttribute("value");
      if (chosen !== null && chosen !== undefined) this.control.value = chosen;
      this.keep();
    }
  }

  const KINDS = new Map([
    [Headed, "page section banner empty-state modal"],
    [Spaced, "stack grid box button-group"],
    [Button, "button press-button"],
    [Link, "link"],
    [Field, "text-field password-field number-field email-field url-field search-field date-field money-field text-area"],
    [Check, "checkbox switch"],
    [Select, "select"],
  ]);
  // One class defines one element: each gets a class of its own. After a bounce the elements are there already.
  for (const [kind, names] of KINDS) {
    for (const name of names.split(" ").map((one) => `s-${one}`)) {
      if (!customElements.get(name)) customElements.define(name, class extends kind {});
    }
  }
})();
