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
    const { elt, requestConfig: { path } } = event.detail;
    if (!isTimed(elt)) return;
    const now = performance.now();
    if (document.hidden && now - (asked.get(path) ?? -Infinity) < HIDDEN_MS) return event.preventDefault();
    asked.set(path, now);
  });

  on("htmx:afterSwap", ({ detail: { xhr, requestConfig: { elt, path } } }) => {
    const etag = isTimed(elt) && xhr.getResponseHeader("ETag");
    if (etag) etags.set(path, etag);
    else etags.clear(); // Something else changed the page: what it shows of these is not known any more.
  });
})();
