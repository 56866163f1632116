"use strict";
// Regions that ask again and again: cheap where nothing changed, slow where nobody looks.

(() => {
  const HIDDEN_MS = 30_000;
  const etags = new Map(); // Of each address: what is on the page.
  const asked = new Map(); // When it was last asked.
  const on = (name, act) => document.addEventListener(name, act);
  const isTimed = (element) => element.getAttribute("hx-trigger")?.includes("every");

  on("htmx:configRequest", ({ detail: { elt, path, headers } }) => {
    if (isTimed(elt) && etags.has(path)) headers["If-None-Match"] = etags.get(path);
  });

  on("htmx:beforeRequest", (event) => {
    const { elt, requestConfig: { path, triggeringEvent } } = event.detail;
    // Only what a clock asks for can wait; whoever says "refresh" has a reason.
    if (!isTimed(elt) || triggeringEvent?.type === "refresh") return;
    const now = performance.now();
    if (document.hidden && now - (asked.get(path) ?? -Infinity) < HIDDEN_MS) return event.preventDefault();
    asked.set(path, now);
  });

  // -- What is selected stays so when its row is drawn anew ------------------------------
  let picked = [];
  const picks = (more = "") => [...document.querySelectorAll(`.pick${more}`)];
  on("htmx:beforeSwap", () => { picked = picks(":checked").map((box) => box.id); });

  function showPicked() {
    for (const words of document.querySelectorAll("[data-picked]")) {
      const count = document.querySelectorAll(`[form="${words.dataset.picked}"]:checked`).length;
      words.dataset.words ??= words.textContent;
      words.textContent = `${words.dataset.words}: ${count}`;
    }
  }

  on("change", ({ target }) => {
    if (target.matches(".pick-all")) {
      for (const box of target.closest("table").querySelectorAll(".pick")) box.checked = target.checked;
    }
    if (target.matches(".pick, .pick-all")) showPicked();
  });

  on("htmx:afterSwap", ({ detail: { xhr, requestConfig: { elt, path } } }) => {
    if (isTimed(elt)) for (const id of picked) { const box = document.getElementById(id); if (box) box.checked = true; }
    showPicked();
    const etag = isTimed(elt) && xhr.getResponseHeader("ETag");
    if (etag) etags.set(path, etag);
    else etags.clear(); // Something else changed the page: what it shows of these is not known any more.
  });
})();
