// Small stand-ins for Polaris web components: enough look and behaviour to use a page, written from Shopify's public
// documentation. Styles are constructed sheets, which a strict content security policy does not forbid.
(() => {
  "use strict";
  const sheet = (text) => {
    const made = new CSSStyleSheet();
    made.replaceSync(text);
    return made;
  };
  const GAPS = { none: "0", "small-500": "1px", "small-400": "2px", "small-300": "4px", "small-200": "8px", "small-100": "10px" };
  Object.assign(GAPS, { small: "12px", base: "16px", large: "20px", "large-100": "24px", "large-200": "32px", "large-300": "40px" });
  const TONES = { critical: ["#fee8eb", "#8e0b21"], success: ["#cdfed4", "#0c5132"], warning: ["#fff1e3", "#5e4200"] };
  Object.assign(TONES, { caution: ["#fff8db", "#4f4700"], info: ["#eaf4ff", "#003a5a"], neutral: ["#f1f1f1", "#4a4a4a"] });
  const NARROW = "(max-width: 40rem)";

  document.adoptedStyleSheets = [
    sheet(`
    :root { font: 14px/20px Inter, system-ui, -apple-system, "Segoe UI", sans-serif; color: #303030; background: #f1f1f1; }
    body { margin: 0; }
    s-paragraph, s-heading, s-query-container, s-scroll-box, s-clickable { display: block; overflow-wrap: anywhere; }
    s-heading { font-weight: 650; }
    s-text, s-number, s-link, s-icon, s-tooltip { display: inline; }
    s-text[type="strong"] { font-weight: 650; }
    [color="subdued"] { color: #616161; }
    :is(s-text, s-paragraph)[tone="critical"] { color: #8e0b21; } s-text[tone="success"] { color: #0c5132; }
    s-divider { display: block; border-top: 1px solid #e3e3e3; }
    s-badge { display: inline-block; padding: 2px 8px; border-radius: 8px; font-size: 12px; line-height: 16px; font-weight: 550;
              background: #00000014; color: #4a4a4a; }
    s-badge[tone="success"] { background: #affebf; color: #014b40; } s-badge[tone="critical"] { background: #fed1d7; color: #8e0b21; }
    :is(s-badge[tone="warning"], s-badge[tone="caution"]) { background: #ffd6a4; color: #5e4200; }
    s-badge[tone="info"] { background: #d5ebff; color: #003a5a; }
    s-table { display: table; width: 100%; border-collapse: collapse; }
    s-table-header-row, s-table-row { display: table-row; }
    s-table-body { display: table-row-group; }
    s-table-row:hover { background: #fafafa; }
    s-table-header, s-table-cell { display: table-cell; padding: 8px 12px; border-bottom: 1px solid #ebebeb; vertical-align: middle; }
    s-table-row:last-child > s-table-cell { border-bottom: 0; }
    s-table-header { font-size: 12px; color: #616161; font-weight: 550; background: #f7f7f7; text-align: start; white-space: nowrap; }
    s-unordered-list, s-ordered-list { display: block; padding-inline-start: 20px; }
    s-list-item { display: list-item; list-style: disc; } s-ordered-list > s-list-item { list-style: decimal; }
    s-list-item + s-list-item { margin-block-start: 4px; }
    s-app-nav, s-option-group, s-menu, s-popover, s-option, s-tooltip { display: none; }
    [hidden] { display: none !important; }
    @media ${NARROW} {
      s-table, s-table-body { display: block; } s-table-header-row { display: none; }
      s-table-row { display: block; padding: 12px 16px; border-bottom: 1px solid #ebebeb; }
      s-table-row:last-child { border-bottom: 0; }
      s-table-cell { display: block; border: 0; padding: 2px 0; }
      s-table-cell[data-as="primary"] { font-weight: 650; } s-table-cell[data-as="inline"] { margin-block: 2px 4px; } s-table-cell:empty { display: none; }
    }
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
      const root = this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [sheet(`${css} [hidden] { display: none !important }`)];
      root.innerHTML = html;
      return root;
    }
    put(part, words) {
      const place = this.shadowRoot.querySelector(part);
      place.textContent = words;
      place.hidden = !words;
    }
    build() {}
  }

  class PageFrame extends Base {
    build() {
      this.open(
        `<div class="bar"><nav><slot name="breadcrumb-actions"></slot></nav><div class="title"><h1></h1>
         <div class="acts"><slot name="secondary-actions"></slot><slot name="primary-action"></slot></div></div></div>
         <div class="body"><main><slot></slot></main><aside><slot name="aside"></slot></aside></div>`,
        `:host { display: block; max-width: 998px; margin: 0 auto; padding: 20px 24px 48px }
         :host([inlinesize="large"]) { max-width: none } :host([inlinesize="small"]) { max-width: 662px }
         h1 { font-size: 20px; line-height: 24px; font-weight: 650; margin: 0; overflow-wrap: anywhere }
         .bar { margin-bottom: 16px } .title { display: flex; gap: 16px; justify-content: space-between } .acts { display: flex; gap: 8px }
         .body { display: grid; gap: 16px } main, aside { min-width: 0; display: grid; gap: 16px; align-content: start }
         .body.two { grid-template-columns: minmax(0, 2fr) minmax(0, 1fr) }
         @media (max-width: 56rem) { .body.two { grid-template-columns: minmax(0, 1fr) } }
         @media ${NARROW} { :host { padding: 16px 0 32px } .bar { padding: 0 16px } }`,
      );
      this.put("h1", this.text("heading"));
      const aside = this.shadowRoot.querySelector("slot[name='aside']");
      const arrange = () => this.shadowRoot.querySelector(".body").classList.toggle("two", aside.assignedNodes().length > 0);
      aside.addEventListener("slotchange", arrange);
    }
  }

  class Section extends Base {
    build() {
      this.open(
        `<h2></h2><slot></slot><slot name="primary-action"></slot>`,
        `:host { display: flex; flex-direction: column; gap: 12px; background: #fff; border-radius: 12px; padding: 16px; min-width: 0;
           box-shadow: 0 1px 0 #1a1a1a12, 0 0 0 1px #00000010 } :host(:not([padding="none"])) { overflow-x: auto }
         :host([padding="none"]) { padding: 0; gap: 0; overflow: hidden } :host([padding="none"]) h2 { padding: 16px 16px 12px }
         h2 { font-size: 14px; line-height: 20px; font-weight: 650; margin: 0; overflow-wrap: anywhere }
         @media ${NARROW} { :host { border-radius: 0 } }`,
      );
      this.put("h2", this.text("heading"));
      if (this.hasAttribute("accessibilitylabel")) this.setAttribute("aria-label", this.text("accessibilitylabel"));
    }
  }

  class Banner extends Base {
    build() {
      const [light, dark] = TONES[this.text("tone")] ?? TONES.neutral;
      this.open(
        `<h3></h3><div><slot></slot></div><slot name="secondary-actions"></slot>`,
        `:host { display: block; border-radius: 12px; overflow: hidden; background: ${light}; color: ${dark}; border: 1px solid ${dark}33 }
         h3 { font-size: 14px; line-height: 20px; font-weight: 650; margin: 0; padding: 10px 16px; overflow-wrap: anywhere }
         div { padding: 0 16px 12px; color: #303030 } div.none { display: none }`,
      );
      this.put("h3", this.text("heading"));
      const slot = this.shadowRoot.querySelector("slot");
      const settle = () => slot.parentNode.classList.toggle("none", !this.textContent.trim());
      slot.addEventListener("slotchange", settle);
      settle();
      this.setAttribute("role", this.text("tone") === "critical" ? "alert" : "status");
    }
  }

  class EmptyState extends Base {
    build() {
      this.open(
        `<h3></h3><slot name="subheading"></slot><slot></slot><slot name="primary-action"></slot><slot name="secondary-actions"></slot>`,
        `:host { display: flex; flex-direction: column; align-items: center; gap: 12px; padding: 48px 24px; text-align: center }
         h3 { font-size: 16px; font-weight: 650; margin: 0 } ::slotted([slot="subheading"]) { max-width: 32rem; color: #616161 }`,
      );
      this.put("h3", this.text("heading"));
    }
  }

  class Modal extends Base {
    build() {
      this.open(
        `<dialog><h2></h2><div class="body"><slot></slot></div>
         <div class="acts"><slot name="secondary-actions"></slot><slot name="primary-action"></slot></div></dialog>`,
        `dialog { border: 0; border-radius: 16px; padding: 0; width: min(38rem, 90vw); box-shadow: 0 8px 32px #0006 }
         dialog::backdrop { background: #0008 } h2 { font-size: 14px; margin: 0; padding: 16px; background: #f3f3f3; overflow-wrap: anywhere }
         .body { padding: 16px } .acts { display: flex; gap: 8px; justify-content: end; padding: 0 16px 16px }`,
      );
      this.put("h2", this.text("heading"));
      this.dialog = this.shadowRoot.querySelector("dialog");
    }
    obey(command) {
      const show = command === "--show" || (command !== "--hide" && !this.dialog.open);
      if (show && !this.dialog.open) this.dialog.showModal();
      if (!show && this.dialog.open) this.dialog.close();
    }
  }

  class Spaced extends Base {
    build() {
      const direction = this.text("direction") === "inline" ? "flex-flow: row wrap" : "flex-direction: column";
      const kind = { "S-STACK": `display: flex; ${direction}`, "S-GRID": "display: grid", "S-BUTTON-GROUP": "display: flex; flex-wrap: wrap" };
      const gap = GAPS[this.text("gap")] ?? (this.tagName === "S-BUTTON-GROUP" ? "8px" : "0");
      const lines = [kind[this.tagName] ?? "display: block", `gap: ${gap}`, "min-width: 0"];
      const add = (css, name) => this.hasAttribute(name) && lines.push(`${css}: ${this.text(name)}`);
      add("grid-template-columns", "gridtemplatecolumns");
      add("align-items", "alignitems");
      add("justify-content", "justifycontent");
      if (this.hasAttribute("padding")) lines.push(`padding: ${GAPS[this.text("padding")] ?? 0}`);
      if (this.hasAttribute("border")) lines.push("border: 1px solid #e3e3e3");
      if (this.hasAttribute("borderradius")) lines.push("border-radius: 8px");
      if (this.text("background") === "subdued") lines.push("background: #f7f7f7");
      this.open("<slot></slot><slot name='secondary-actions'></slot><slot name='primary-action'></slot>",
        `:host { ${lines.join("; ")} } ${this.tagName === "S-GRID" ? "::slotted(*) { min-width: 0 }" : ""}`);
    }
  }

  // Buttons act on their form, follow their href, or command another element.
  class Button extends Base {
    static formAssociated = true;
    internals = this.attachInternals();
    build() {
      const tag = this.hasAttribute("href") ? "a" : "button";
      const root = this.open(
        `<${tag} part="control"><slot></slot></${tag}>`,
        `:host { display: inline-block } ${tag} { display: inline-block; font: inherit; font-size: 13px; line-height: 20px; font-weight: 550;
           padding: 4px 12px; border: 0; border-radius: 8px; background: #fff; color: #303030; text-decoration: none; cursor: pointer;
           box-shadow: 0 0 0 1px #0000001f, 0 1px 0 #00000029, inset 0 -1px 0 #00000014 } ${tag}:hover { background: #fafafa }
         ${tag}:focus-visible { outline: 2px solid #005bd3; outline-offset: 1px }
         :host([variant="primary"]) ${tag} { background: #303030; color: #fff; box-shadow: none } :host([variant="primary"]) ${tag}:hover { background: #1a1a1a }
         :host([variant="tertiary"]) ${tag} { background: none; box-shadow: none; color: #005bd3; padding-inline: 4px } :host([tone="critical"]) ${tag} { color: #8e0b21 }
         :host([variant="primary"][tone="critical"]) ${tag} { background: #c70a24; color: #fff } :disabled { opacity: .5; cursor: default }`,
      );
      this.control = root.firstChild;
      this.follow();
      if (tag === "button") {
        this.control.type = "button";
        this.addEventListener("click", () => this.act());
      }
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
      document.getElementById(this.text("commandfor"))?.obey?.(this.text("command"));
      const form = this.internals.form;
      if (form && this.text("type") === "submit") form.requestSubmit();
      if (form && this.text("type") === "reset") form.reset();
    }
  }

  class Link extends Base {
    build() {
      const css = "a { color: #005bd3; text-decoration: none; overflow-wrap: anywhere } a:hover { text-decoration: underline }";
      const root = this.open("<a><slot></slot></a>", css);
      root.firstChild.href = this.text("href");
      if (this.hasAttribute("target")) root.firstChild.target = this.text("target");
    }
  }

  // On a narrow screen a row is a card, and a cell says which column it is of.
  class Cell extends Base {
    build() {
      const root = this.open("<b></b><slot></slot>",
        `b { display: none; font-weight: 450; color: #616161; margin-inline-end: 8px } @media ${NARROW} { :host([data-as="labeled"]) b { display: inline } }`);
      const headers = this.closest("s-table")?.querySelectorAll("s-table-header") ?? [];
      const header = headers[[...this.parentNode.children].indexOf(this)];
      if (!header) return;
      this.dataset.as = header.getAttribute("listslot") ?? "labeled";
      root.firstChild.textContent = header.textContent;
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
    focus(options) { this.control?.focus(options); }
    make() {
      const kinds = { "S-PASSWORD-FIELD": "password", "S-NUMBER-FIELD": "number", "S-EMAIL-FIELD": "email", "S-DATE-FIELD": "date" };
      Object.assign(kinds, { "S-URL-FIELD": "url", "S-SEARCH-FIELD": "search" });
      const control = document.createElement(this.tagName === "S-TEXT-AREA" ? "textarea" : "input");
      if (control.tagName === "INPUT") control.type = kinds[this.tagName] ?? "text";
      return control;
    }
    build() {
      const root = this.open(
        "<label><span></span></label><em role='alert'></em><small></small>",
        `:host { display: block; min-width: 0 } label > span { display: block; margin-bottom: 4px; overflow-wrap: anywhere }
         small { color: #616161; display: block; margin-top: 4px; font-size: 13px; line-height: 18px } small:empty, em:empty { display: none }
         :host([labelaccessibilityvisibility="exclusive"]) label > span { position: absolute; clip-path: inset(50%) }
         em { color: #8e0b21; font-style: normal; display: block; margin-top: 4px; overflow-wrap: anywhere }
         input:not([type=checkbox]), select, textarea { font: inherit; width: 100%; box-sizing: border-box; padding: 5px 12px; min-height: 32px;
           border: 1px solid #8a8a8a; border-radius: 8px; background: #fdfdfd; color: inherit }
         :is(input, select, textarea):focus-visible { outline: 2px solid #005bd3; outline-offset: 1px }
         :host([error]) :is(input, select, textarea) { border-color: #8e0b21; background: #fee8eb }
         input[type=checkbox] { width: 16px; height: 16px; margin: 2px 0; flex: none; accent-color: #303030 }
         :host(:is(s-checkbox, s-switch)) label { display: flex; gap: 8px; flex-direction: row-reverse; justify-content: flex-end }
         :host(:is(s-checkbox, s-switch)) :is(small, em) { margin-inline-start: 24px; margin-top: 0 } :host(:is(s-checkbox, s-switch)) label > span { margin: 0 }`,
      );
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

  // Children may be parsed after their parent was built: the control follows them.
  const watch = (element, act) => new MutationObserver(act).observe(element, { childList: true, subtree: true, characterData: true });

  class Select extends Field {
    make() {
      const control = document.createElement("select");
      watch(this, () => (this.list(), this.fill()));
      return control;
    }
    list() {
      const options = [...this.querySelectorAll("s-option")].map((option) => {
        const words = option.textContent.trim();
        const made = new Option(words, option.getAttribute("value") ?? words);
        made.disabled = option.hasAttribute("disabled");
        return made;
      });
      this.control.replaceChildren(...options);
    }
    fill() {
      if (!this.control.options.length) this.list();
      const chosen = this.getAttribute("value") ?? this.querySelector("s-option[selected]")?.getAttribute("value");
      if (chosen !== null && chosen !== undefined) this.control.value = chosen;
      this.keep();
    }
  }

  class ChoiceList extends Base {
    static formAssociated = true;
    internals = this.attachInternals();
    get name() { return this.text("name"); }
    get values() { return [...this.shadowRoot.querySelectorAll("input:checked")].map((one) => one.value); }
    build() {
      this.open(
        "<fieldset><legend></legend><div></div><em role='alert'></em><small></small></fieldset>",
        `:host { display: block } fieldset { border: 0; margin: 0; padding: 0; min-width: 0 } legend { padding: 0; margin-bottom: 8px }
         :host([labelaccessibilityvisibility="exclusive"]) legend { position: absolute; clip-path: inset(50%) }
         label { display: grid; grid-template-columns: auto 1fr; gap: 0 8px; margin-bottom: 8px } i { grid-column: 2; font-style: normal; color: #616161; font-size: 13px }
         input { width: 16px; height: 16px; margin: 2px 0; accent-color: #303030 } em { color: #8e0b21; font-style: normal } em:empty, small:empty, i:empty { display: none }
         input:focus-visible { outline: 2px solid #005bd3; outline-offset: 1px }`,
      );
      this.list();
      watch(this, () => this.list());
    }
    list() {
      const root = this.shadowRoot, many = this.hasAttribute("multiple");
      for (const [part, name] of [["legend", "label"], ["em", "error"], ["small", "details"]]) root.querySelector(part).textContent = this.text(name);
      const rows = [...this.querySelectorAll("s-choice")].map((choice) => {
        const [label, input, words, more] = ["label", "input", "span", "i"].map((tag) => document.createElement(tag));
        const details = choice.querySelector("[slot='details']");
        Object.assign(input, { type: many ? "checkbox" : "radio", name: "choice", value: choice.getAttribute("value") });
        input.checked = choice.hasAttribute("selected");
        input.addEventListener("change", () => (this.keep(), this.dispatchEvent(new Event("change", { bubbles: true, composed: true }))));
        words.textContent = [...choice.childNodes].filter((one) => one !== details).map((one) => one.textContent).join("").trim();
        more.textContent = details?.textContent.trim() ?? "";
        label.append(input, words, more);
        return label;
      });
      root.querySelector("div").replaceChildren(...rows);
      this.keep();
    }
    keep() {
      const chosen = new FormData();
      for (const value of this.values) chosen.append(this.name, value);
      this.internals.setFormValue(chosen);
    }
    formResetCallback() { this.list(); }
  }

  const KINDS = new Map([
    [PageFrame, "page"],
    [Section, "section"],
    [Banner, "banner"],
    [EmptyState, "empty-state"],
    [Modal, "modal"],
    [Spaced, "stack grid box button-group"],
    [Button, "button press-button"],
    [Link, "link"],
    [Cell, "table-cell"],
    [Field, "text-field password-field number-field email-field url-field search-field date-field money-field text-area"],
    [Check, "checkbox switch"],
    [Select, "select"],
    [ChoiceList, "choice-list"],
    // these have no behaviour of their own, only a look
    [Base, "paragraph heading text badge table table-header table-header-row table-body table-row unordered-list list-item option choice app-nav divider"],
  ]);
  // One class defines one element: each gets a class of its own. After a bounce the elements are there already.
  for (const [kind, names] of KINDS) {
    for (const name of names.split(" ").map((one) => `s-${one}`)) {
      if (!customElements.get(name)) customElements.define(name, class extends kind {});
    }
  }
})();
