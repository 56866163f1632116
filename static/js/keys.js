"use strict";
// Keyboard shortcuts and the quick switcher. templates/includes/_shortcut_lists.html names them.

(() => {
  const SEQUENCE_MS = 1200;
  const OFF = "keys-off"; // Who dictates, or types with a switch, turns single keys off.
  const isOn = () => localStorage.getItem(OFF) === null;
  const dialog = () => document.querySelector("dialog[open]");
  const url = (name) => document.body.dataset[name];
  const isTyping = (element) => element.isContentEditable || element.matches("input:not([type=checkbox], [type=radio]), select, textarea");

  let isComing = false; // A second one would empty the field of the first.
  let early = ""; // What was typed meanwhile: it is meant for the field, and no shortcut.
  async function show(address) {
    if (!address || isComing || dialog()) return;
    isComing = true;
    early = "";
    try {
      await htmx.ajax("GET", address, { target: "#dialog", swap: "innerHTML" });
    } catch { // app.js has said what is wrong.
    } finally {
      isComing = false;
    }
  }

  // -- Rows of lists: j and k walk over their links, x selects ---------------------------
  const rows = () => [...document.querySelectorAll("main .table tbody tr")].filter((row) => row.querySelector(".row-link"));
  function walk(step) {
    const all = rows();
    const at = all.findIndex((row) => row.contains(document.activeElement));
    const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step];
    next?.querySelector(".row-link").focus();
  }

  // A page says what a key does there: the element with that data-key is pressed.
  const press = (key) => document.querySelector(`main [data-key="${CSS.escape(key)}"], header [data-key="${CSS.escape(key)}"]`)?.click();

  // -- The quick switcher: Enter goes to the first finding, even before it has come -------
  let isWaiting = false;
  function go() {
    isWaiting = false;
    document.querySelector("#findings a")?.click();
  }

  document.addEventListener("htmx:afterSwap", ({ detail: { target } }) => {
    if (isWaiting && target.id === "findings") go();
  });

  let started; // When "g" was pressed, the first of two keys.
  function act(key) {
    const isSecond = started && performance.now() - started < SEQUENCE_MS;
    started = undefined;
    if (isSecond) return press(`g ${key}`);
    switch (key) {
      case "g": started = performance.now(); return;
      case "?": return show(url("shortcuts"));
      case "/": return document.querySelector("main input[type=search]")?.focus();
      case "j": return walk(1);
      case "k": return walk(-1);
      case "x": return document.activeElement.closest("tr")?.querySelector("input[type=checkbox]")?.click();
      default: return press(key);
    }
  }

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      return show(url("search"));
    }
    const list = target.closest("[data-switcher]");
    isWaiting = false;
    if (list && (key === "ArrowDown" || key === "ArrowUp")) {
      event.preventDefault();
      const stops = [list.querySelector("input"), ...list.querySelectorAll("#findings a")];
      const at = stops.indexOf(target) + (key === "ArrowDown" ? 1 : -1);
      return stops[(at + stops.length) % stops.length].focus();
    }
    if (list && key === "Escape") { // A field of a search would take it to be emptied first.
      event.preventDefault();
      target.blur(); // Or the next key would still be one that is typed into it.
      return dialog()?.close();
    }
    if (list && key === "Enter" && target.matches("input")) {
      event.preventDefault();
      if (list.querySelector("#findings").dataset.query === target.value.trim()) return go();
      isWaiting = true;
      return htmx.trigger(list, "typed");
    }
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || key.length !== 1) return;
    if (isComing && !dialog()) {
      event.preventDefault();
      early += key;
      return;
    }
    if (!isOn() || dialog() || isTyping(target)) return;
    if (event.repeat && key !== "j" && key !== "k") return; // A held key acts once; these walk on.
    if (key === "/") event.preventDefault();
    act(key);
  });

  // Who types at once is faster than htmx, which takes up a form a moment after it is shown.
  document.addEventListener("htmx:load", ({ target }) => {
    const list = target.querySelector("[data-switcher]"), input = list?.querySelector("input");
    if (input) input.value = early + input.value;
    early = "";
    if (input && input.value !== input.defaultValue) htmx.trigger(list, "typed");
  });

  // The switch itself, wherever the list of shortcuts is shown.
  const showSwitch = () => { const box = document.getElementById("keys-on"); if (box) box.checked = isOn(); };
  document.addEventListener("change", ({ target }) => {
    if (target.id !== "keys-on") return;
    if (target.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "");
  });
  document.addEventListener("htmx:afterSwap", showSwitch);
  showSwitch();
})();
