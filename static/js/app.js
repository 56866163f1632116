"use strict";
// The few things that HTML and htmx cannot say. Every page works without this file.

(() => {
  const byId = (id) => document.getElementById(id);
  const all = (selector) => document.querySelectorAll(selector);
  document.documentElement.dataset.scripts = "on"; // Shows the copy buttons.

  // -- Times in the reader's own zone; the server sends its own, and UTC in the title ----

  const zone = { hour12: false, hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit" };
  const clock = new Intl.DateTimeFormat("en-GB", { ...zone, fractionalSecondDigits: 3 });
  const moment = new Intl.DateTimeFormat("en-GB", {
    ...zone, day: "numeric", month: "short", year: "numeric", timeZoneName: "short",
  });

  function localiseTimes() {
    for (const time of all("time[title]:not([data-local])")) {
      const format = time.classList.contains("log-time") ? clock : moment;
      time.textContent = format.format(new Date(time.dateTime));
      time.dataset.local = "";
    }
  }

  // -- Logs stay at their end while the reader is there --------------------------------

  const KEPT_LINES = 5000;
  const isAtEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 24;
  const toEnd = (box) => { box.scrollTop = box.scrollHeight; };

  function putOldLinesAway(box) {
    const rows = box.querySelectorAll(".log-row");
    const marker = box.querySelector("[data-trimmed]");
    if (!marker || rows.length <= KEPT_LINES) return;
    for (const row of [...rows].slice(0, rows.length - KEPT_LINES)) row.remove();
    marker.hidden = false;
  }

  function showJump(box) {
    const jump = document.querySelector(`[data-log-jump="${box.id}"]`);
    if (jump) jump.hidden = isAtEnd(box);
  }

  // Scroll events do not bubble, so they are caught on their way down.
  document.addEventListener("scroll", (event) => {
    if (event.target.matches?.("[data-log]")) showJump(event.target);
  }, true);

  // A `<details>` opened for the first time shows its log's end.
  document.addEventListener("toggle", (event) => {
    const box = event.target.open && event.target.querySelector?.("[data-log]");
    if (box && !box.scrollTop) toEnd(box);
  }, true);

  // -- Swaps: keep what the reader has opened, scrolled to and selected -----------------

  const isPoll = (element) => /every|retry/.test(element.getAttribute("hx-trigger") ?? "");
  const kept = { scrolls: new Map(), details: new Map() };

  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const { elt, target, pathInfo, requestConfig } = detail;
    // A form that was accepted leads to another page: show that page, not a piece of it.
    const elsewhere = pathInfo.responsePath && pathInfo.responsePath !== pathInfo.requestPath;
    if (requestConfig.verb === "post" && elsewhere && target !== document.body) {
      detail.target = document.body;
      detail.swapOverride = "innerHTML show:window:top";
      history.pushState({ htmx: true }, "", pathInfo.responsePath);
      return;
    }
    const selection = getSelection();
    if (isPoll(elt) && !selection.isCollapsed && target.contains(selection.anchorNode)) {
      detail.shouldSwap = false;
      say("Updates wait while you select text");
      return;
    }
    for (const box of all("[data-log][id]")) kept.scrolls.set(box.id, isAtEnd(box) ? null : box.scrollTop);
    if (!isPoll(elt)) return;
    for (const details of target.querySelectorAll("details[id]")) kept.details.set(details.id, details.open);
  });

  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    for (const [id, open] of kept.details) if (byId(id)) byId(id).open = open;
    for (const [id, scroll] of kept.scrolls) {
      const box = byId(id);
      if (!box) continue;
      if (scroll === null) putOldLinesAway(box);
      if (scroll === null) toEnd(box); else box.scrollTop = scroll;
      showJump(box);
    }
    kept.details.clear();
    kept.scrolls.clear();
    localiseTimes();
    announce();
    if (detail.target === document.body) byId("main").focus();
    if (detail.xhr.status === 422) document.querySelector("[data-autofocus], [aria-invalid=true]")?.focus();
  });

  // -- One sentence for screen readers, and the tab's title, when a status changes ------

  let lastTitle;
  function announce() {
    const title = document.querySelector("[data-live-title]")?.dataset.liveTitle;
    if (lastTitle && title && title !== lastTitle) {
      document.title = `${title} · Wallaroo UI`;
      byId("live").textContent = title;
    }
    lastTitle = title;
  }

  // -- Trouble with the connection ------------------------------------------------------

  const RETRY_MS = 2000;
  let hushed;
  function say(words, milliseconds = 0) {
    const notice = byId("notice");
    if (notice.textContent !== words) notice.textContent = words; // A live line speaks once.
    clearTimeout(hushed);
    if (milliseconds) hushed = setTimeout(() => say(""), milliseconds);
  }

  function onTrouble({ detail: { elt, xhr } }) {
    const status = xhr?.status ?? 0;
    const mayPass = status === 0 || status >= 500 || status === 429;
    if (elt.matches("[data-upload]")) onUploadTrouble(elt, status);
    else if (!isPoll(elt)) say(mayPass ? "The server did not answer. Please try again." : "This was refused. Load the page again.", 8000);
    else if (mayPass) say("Connection lost, trying again…");
    else say("This is no longer up to date. Load the page again.");
    // "every" goes on by itself; the tail of a log would be silent for ever.
    if (mayPass && elt.matches("[hx-trigger*=retry]")) setTimeout(() => htmx.trigger(elt, "retry"), RETRY_MS);
  }
  for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) document.addEventListener(name, onTrouble);

  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (!detail.successful || !isPoll(detail.elt)) return;
    if (byId("notice").textContent.startsWith("Connection lost")) say("Connected again", 2000);
    else if (byId("notice").textContent.startsWith("Updates wait") && getSelection().isCollapsed) say("");
  });

  // A poll that hangs would never be asked again. Uploads may take as long as they need.
  document.addEventListener("htmx:configRequest", ({ detail }) => {
    if (isPoll(detail.elt)) detail.timeout = 15_000;
  });

  // -- Upload: drop zone, size, progress ------------------------------------------------

  const size = (bytes) => `${(bytes / 1_048_576).toFixed(1)} MB`;

  function showUpload(form, words, percent) {
    const box = form.querySelector(".upload-progress");
    const bar = box.querySelector("progress");
    box.hidden = !words;
    box.querySelector("p").textContent = words;
    if (percent === undefined) bar.removeAttribute("value"); else bar.value = percent;
  }

  document.addEventListener("htmx:xhr:progress", ({ target, detail }) => {
    if (!target.matches("[data-upload]") || !detail.lengthComputable || "checking" in target.dataset) return;
    const percent = Math.floor((100 * detail.loaded) / detail.total);
    if (detail.loaded < detail.total) {
      showUpload(target, `Sending: ${percent} %, ${size(detail.loaded)} of ${size(detail.total)}`, percent);
    } else {
      target.dataset.checking = ""; // The answer has a progress of its own: not of interest.
      showUpload(target, "Checking the archive…");
    }
  });

  function onUploadTrouble(form, status) {
    delete form.dataset.checking;
    showUpload(form, "");
    say(status === 413 ? "The archive is larger than the server accepts." : "The upload did not arrive. Please try again.", 10_000);
  }

  document.addEventListener("change", ({ target }) => {
    const limit = Number(target.closest("[data-upload]")?.dataset.maxBytes);
    if (target.type !== "file" || !limit) return;
    const file = target.files[0];
    target.setCustomValidity(file?.size > limit ? `This file has ${size(file.size)}; the server accepts ${size(limit)}.` : "");
    target.reportValidity();
  });

  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, ({ target }) => target.closest?.(".drop")?.toggleAttribute("data-over", name === "dragover"));
  }

  // -- Clicks: copy, jump to the end, close menus ---------------------------------------

  async function copy(button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch { // Plain http in a local network has no clipboard: select it, for Ctrl+C.
      getSelection().selectAllChildren(button.previousElementSibling);
      document.execCommand("copy");
    }
    button.dataset.copied = "";
    say("Copied", 1500);
    setTimeout(() => delete button.dataset.copied, 1500);
  }

  function closeMenus(except) {
    for (const menu of all(".menu[open]")) if (menu !== except) menu.open = false;
  }

  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-copy]");
    const jump = target.closest("[data-log-jump]");
    if (button) copy(button);
    if (jump) toEnd(byId(jump.dataset.logJump));
    closeMenus(target.closest(".menu"));
  });
  document.addEventListener("keydown", ({ key }) => {
    const open = key === "Escape" && document.querySelector(".menu[open]");
    if (!open) return;
    closeMenus();
    open.querySelector("summary").focus();
  });

  localiseTimes();
  announce();
  if (!location.hash) for (const box of all("[data-log]")) toEnd(box);
})();
