"use strict";
// The few things that HTML and htmx cannot say. Every page works without this file.

(() => {
  const LOST = "Connection lost, trying again…";
  const PAUSED = "Updates wait while you select text";
  const HANGS_MS = 15_000;
  const YEAR_UNSAID_MS = 300 * 86_400_000;

  const byId = (id) => document.getElementById(id);
  const all = (selector) => document.querySelectorAll(selector);
  const on = (names, act, early = false) => {
    for (const name of names.split(" ")) document.addEventListener(name, act, early);
  };
  const isPoll = (element) => /every/.test(element.getAttribute("hx-trigger") ?? "");
  document.documentElement.dataset.scripts = "on"; // Shows the copy buttons.

  let hushed;
  function say(words, milliseconds = 0) {
    if (byId("notice").textContent !== words) byId("notice").textContent = words; // A live line speaks once.
    clearTimeout(hushed);
    if (milliseconds) hushed = setTimeout(() => say(""), milliseconds);
  }

  on("app:say", ({ detail: { words, milliseconds } }) => say(words, milliseconds)); // For other scripts.

  // -- Times in the reader's own zone. The server sends its own, and UTC in the title ----
  function known(zone) {
    try {
      return Intl.DateTimeFormat("en-GB", { timeZone: zone }) && zone;
    } catch { // A browser may be older than a zone.
      return undefined;
    }
  }

  const timeZone = known(document.documentElement.dataset.zone); // Chosen on the person's page; or the browser's.
  const hms = { timeZone, hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit" };
  const moment = new Intl.DateTimeFormat("en-GB", {
    ...hms, day: "numeric", month: "short", year: "numeric", timeZoneName: "short",
  });

  const day = { timeZone, weekday: "short", day: "numeric", month: "short" };
  const minute = { timeZone, hourCycle: "h23", hour: "2-digit", minute: "2-digit" };

  function toTheMinute(date) {
    const year = Math.abs(date - Date.now()) > YEAR_UNSAID_MS ? { year: "numeric" } : {};
    // As the server says it: without a comma, and Sep for September.
    const parts = new Intl.DateTimeFormat("en-GB", { ...day, ...year }).format(date);
    return `${parts.replace(",", "").replace("Sept", "Sep").replaceAll(" ", "\u00a0")}, ${new Intl.DateTimeFormat("en-GB", minute).format(date)}`;
  }

  function localiseTimes() {
    for (const time of all("time[title]:not([data-local])")) {
      const date = new Date(time.dateTime);
      time.textContent = "short" in time.dataset ? toTheMinute(date) : moment.format(date);
      time.dataset.local = "";
    }
    // Where the schedule goes by the reader's clock, their column would say it all twice.
    const isTwice = ({ cells: [wall, own] }) => own.textContent === wall.querySelector("time").textContent;
    for (const table of all(".coming-runs:not([data-repeats])")) {
      table.dataset.repeats = [...table.tBodies[0].rows].every(isTwice);
    }
  }

  // -- Logs stay at their end while the reader is there ---------------------------------
  const isAtEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 24;
  const toEnd = (box) => { box.scrollTop = box.scrollHeight; };
  // It does not bubble, so it is caught on its way down.
  on("toggle", ({ target }) => {
    const box = target.open && target.querySelector("[data-log]");
    if (box && !box.scrollTop) toEnd(box);
  }, true);

  // A list to choose from that hangs open. Where a browser cannot tell, one that has the focus.
  function isUnfolded(element) {
    if (!element.matches("select")) return false;
    try {
      return element.matches(":open");
    } catch {
      return true;
    }
  }

  // -- Swaps keep what the reader has opened, scrolled to and selected ------------------
  const scrolls = new Map(); // Of each log: where it was, or null for its end.
  const opened = new Map();
  let swapped, lastTitle;
  on("htmx:beforeSwap", ({ detail }) => {
    const { target, requestConfig: { elt } } = detail; // detail.elt is the target.
    const { anchorNode, isCollapsed } = getSelection();
    if (elt.matches("[hx-trigger^=every]") && !isCollapsed && target.contains(anchorNode)) {
      detail.shouldSwap = false;
      return say(PAUSED);
    }
    if (isPoll(elt) && target.contains(document.activeElement) && isUnfolded(document.activeElement)) {
      detail.shouldSwap = false;
      return;
    }
    for (const box of all("[data-log][id]")) scrolls.set(box.id, isAtEnd(box) ? null : box.scrollTop);
    if (!isPoll(elt)) return;
    for (const details of target.querySelectorAll("details[id]")) opened.set(details.id, details.open);
  });

  on("htmx:afterSwap", ({ detail: { xhr, target } }) => {
    if (swapped === xhr) return; // htmx says it once for each new element: for each line of a log.
    swapped = xhr;
    for (const [id, open] of opened) if (byId(id)) byId(id).open = open;
    // One that was not there before begins at its end.
    for (const box of all("[data-log][id]")) box.scrollTop = scrolls.get(box.id) ?? box.scrollHeight;
    opened.clear();
    scrolls.clear();
    // A spinner that was swapped goes on turning where it was.
    for (const turn of document.getAnimations()) if (turn.animationName === "turn") turn.startTime = 0;
    localiseTimes();
    announce();
    const said = byId(target.id)?.querySelector("[data-say]");
    if (said) byId("live").textContent = said.textContent;
    if (target.id === "dialog") openDialog(target);
    if (target === document.body) { all("[data-log]").forEach(toEnd); byId("main").focus(); }
    if (xhr.status === 422) document.querySelector("[data-autofocus], [aria-invalid=true]")?.focus();
  });

  // What comes along with an answer never replaces the field in which somebody is typing. Where
  // it knows less of a text than the field does by now, nothing that follows in it is taken
  // either: the parts of a form belong together, and the next answer is on its way.
  let typed, isOutrun = false;
  on("input", ({ target }) => { typed = target; });
  on("htmx:beforeSwap", () => { isOutrun = false; });
  on("htmx:oobBeforeSwap", ({ detail }) => {
    const { target, fragment } = detail;
    if (typed !== document.activeElement || !target.contains(typed)) {
      detail.shouldSwap = !isOutrun;
      return;
    }
    detail.shouldSwap = false;
    for (const { id, value } of fragment.querySelectorAll("input[id], textarea[id]")) {
      const field = byId(id);
      if (field === typed) isOutrun = field.matches("textarea") && field.value !== value;
      else if (field) field.value = value;
    }
  });

  // When a status changes: one sentence for screen readers, and the title of the tab.
  function announce() {
    const { liveTitle: title, liveIcon } = document.querySelector("[data-live-title]")?.dataset ?? {};
    if (liveIcon) document.querySelector("link[rel=icon]").href = liveIcon;
    if (lastTitle && title && title !== lastTitle) {
      document.title = `${title} · Wallaroo UI`;
      byId("live").textContent = title;
    }
    lastTitle = title;
  }

  // -- The dialog: a page that htmx has put into it --------------------------------------
  let opener, pressed;
  function openDialog(dialog) {
    opener = document.activeElement?.id; // Its region may be swapped while the dialog is open.
    dialog.showModal();
  }

  on("close", ({ target }) => {
    if (target.id !== "dialog") return;
    // An upload that goes on would arrive, and lead away, although it was cancelled.
    const upload = target.querySelector("[data-upload]");
    if (upload) htmx.trigger(upload, "htmx:abort");
    dropped = undefined;
    if (opener) byId(opener)?.focus();
  }, true);

  // Beside the dialog is outside of its box: its padding is its own, and who selects text with
  // the mouse may let go anywhere.
  const isBeside = (dialog, { target, clientX: x, clientY: y }) => {
    const { left, right, top, bottom } = dialog.getBoundingClientRect();
    return target === dialog && (x < left || x > right || y < top || y > bottom);
  };
  on("pointerdown", (event) => { pressed = event; });
  on("click", (event) => {
    const dialog = event.target.closest("dialog[open]");
    if (!dialog) return;
    const isLeft = pressed && isBeside(dialog, pressed) && isBeside(dialog, event);
    if (!isLeft && !event.target.closest("[data-close]")) return;
    event.preventDefault();
    dialog.close();
  });

  // -- Trouble with the connection ------------------------------------------------------
  on("htmx:sendError htmx:responseError htmx:timeout", ({ detail: { elt, xhr } }) => {
    const mayPass = xhr.status === 0 || xhr.status === 429 || xhr.status >= 500;
    const isUpload = elt.matches("[data-upload]");
    if (isUpload) showUpload(elt, "");
    if (elt.matches("[data-drop]")) dropped = undefined; // Not to be sent when nobody thinks of it any more.
    if (isPoll(elt)) {
      say(mayPass ? LOST : "This page is out of date, please load it again");
    } else if (isUpload && xhr.status === 413) {
      say("The archive is larger than the server accepts", 10_000);
    } else if (mayPass) {
      say(isUpload ? "The upload did not arrive, please try again" : "The server did not answer, please try again", 10_000);
    } else {
      say("This was refused, please load the page again", 10_000);
    }
  });

  on("htmx:afterRequest", ({ detail }) => {
    if (!detail.successful || !isPoll(detail.requestConfig.elt)) return;
    const words = byId("notice").textContent;
    if (words === LOST) say("Connected again", 2000);
    if (words === PAUSED && getSelection().isCollapsed) say("");
  });

  // A poll that hangs would never be asked again. An upload may take as long as it needs.
  on("htmx:configRequest", ({ detail }) => { if (isPoll(detail.elt)) detail.timeout = HANGS_MS; });

  // -- Upload: size and progress. The file input is the drop zone by itself -------------
  const size = (bytes) => `${(bytes / 1_048_576).toFixed(1)} MB`;
  function showUpload(form, words, percent) {
    const bar = form.querySelector("progress");
    bar.parentElement.hidden = !words;
    bar.previousElementSibling.textContent = words;
    form.toggleAttribute("data-checking", Boolean(words) && percent === undefined);
    if (percent === undefined) bar.removeAttribute("value"); else bar.value = percent;
  }

  on("htmx:xhr:progress", ({ target: form, detail: { lengthComputable, loaded, total } }) => {
    // The answer has a progress of its own, which is not of interest: hence data-checking.
    if (!form.matches("[data-upload]:not([data-checking])") || !lengthComputable) return;
    const percent = Math.floor((100 * loaded) / total);
    if (loaded === total) showUpload(form, "Checking the archive…");
    else showUpload(form, `Sending: ${percent} %, ${size(loaded)} of ${size(total)}`, percent);
  });

  on("change", ({ target }) => {
    const limit = Number(target.closest("[data-upload]")?.dataset.maxBytes);
    const file = target.files?.[0];
    if (!limit || !target.files) return;
    target.setCustomValidity(file?.size > limit ? `This file has ${size(file.size)}; the server accepts ${size(limit)}.` : "");
    target.reportValidity();
  });

  on("dragover dragleave drop", ({ target, type }) => {
    target.closest?.(".drop")?.toggleAttribute("data-over", type === "dragover");
  });

  // A file may be dropped anywhere on a page that takes uploads: the form opens and sends it.
  let dropped;
  const takesDrop = ({ target, dataTransfer }) =>
    document.querySelector("[data-drop]") && dataTransfer.types.includes("Files") && !target.closest?.(".drop");
  on("dragover", (event) => {
    if (!takesDrop(event)) return;
    event.preventDefault();
    document.body.dataset.dropping = "";
  });
  on("dragleave", ({ relatedTarget }) => { if (!relatedTarget) delete document.body.dataset.dropping; });
  on("drop", (event) => {
    delete document.body.dataset.dropping;
    if (!takesDrop(event)) return;
    event.preventDefault();
    const { files } = event.dataTransfer;
    if (files.length !== 1) return say("Drop one ZIP file at a time", 6000);
    const dialog = document.querySelector("dialog[open]");
    if (dialog) return put(files, dialog); // Who has the form open sends it themselves.
    dropped = files;
    document.querySelector("[data-drop]").click();
  });

  function put(files, dialog) {
    const input = dialog.querySelector("[data-upload] input[type=file]");
    if (!input) return undefined;
    input.files = files;
    input.dispatchEvent(new Event("change", { bubbles: true })); // Says so at once if it is too large.
    return input;
  }

  // Not before htmx knows the form: the browser would send it by itself.
  on("htmx:afterSettle", ({ target: { id } }) => {
    const input = id === "dialog" && dropped && put(dropped, byId("dialog"));
    if (!input) return;
    dropped = undefined;
    if (input.validity.valid) input.form.requestSubmit();
  });

  // -- Copy, close menus ----------------------------------------------------------------
  async function copy(button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch { // Plain http in a local network has no clipboard.
      getSelection().selectAllChildren(button.previousElementSibling);
      document.execCommand("copy");
    }
    say("Copied", 1500);
  }

  const closeMenus = (except) => all(".menu[open]").forEach((menu) => { if (menu !== except) menu.open = false; });
  on("click", ({ target }) => {
    const button = target.closest("[data-copy]");
    if (button) copy(button);
    closeMenus(target.closest(".menu"));
  });

  on("keydown", ({ key }) => {
    const menu = key === "Escape" && document.querySelector(".menu[open]");
    if (menu) { closeMenus(); menu.querySelector("summary").focus(); }
  });

  localiseTimes();
  announce();
  all("[data-log]").forEach(toEnd);
})();
