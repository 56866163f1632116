"use strict";
// The log of a run: a window that moves over a log of any size, and follows its end.
// Without this file the same log is links and forms.

(() => {
  const KEPT_LINES = 2000; // More rows than that make a page slow.
  const NEAR_PX = 600; // So near to an edge, the next window is fetched.
  const POLL_MS = 2000;
  const POLLS_A_STREAM = 15; // So many polls later, a stream is tried again.
  const LOST_AFTER_MS = 2500; // The server ends a stream now and then, and a browser comes back at once.
  const HIDDEN_MS = 30_000; // A browser has few connections to a host: hidden tabs keep none.
  const MOST_COPIED = 20_000;
  const LOST = "Connection lost, trying again…";

  const timeZone = document.documentElement.dataset.zone; // As in app.js.
  const clock = new Intl.DateTimeFormat("en-GB", { timeZone, hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
  const day = new Intl.DateTimeFormat("en-GB", { timeZone, day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" });
  const thousands = new Intl.NumberFormat("en-GB");
  const byId = (id) => document.getElementById(id);
  const say = (words, milliseconds) => document.dispatchEvent(new CustomEvent("app:say", { detail: { words, milliseconds } }));
  const size = (bytes) => {
    const power = Math.min(4, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
    return `${(bytes / 1024 ** power).toFixed(power ? 1 : 0)}\u00a0${["bytes", "KB", "MB", "GB", "TB"][power]}`;
  };
  const numberOf = (row) => Number(row.id.slice(1));

  function localiseTimes(root) {
    for (const time of root.querySelectorAll(".log-time:not([data-local])")) {
      const date = new Date(time.dateTime);
      time.textContent = clock.format(date);
      time.title = day.format(date);
      time.dataset.local = "";
    }
  }

  // -- Durations that go on ---------------------------------------------------------------
  function goOn() {
    for (const element of document.querySelectorAll("[data-since]")) {
      const seconds = Math.max(0, Math.floor((Date.now() - new Date(element.dataset.since)) / 1000));
      const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
      element.textContent = hours ? `${hours} h ${minutes % 60} min` : minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
    }
  }

  function view(root) {
    const box = byId("run-log"), rows = byId("log-rows");
    let total = Number(root.dataset.total), offset = Number(root.dataset.offset);
    let sticks = "atEnd" in root.dataset && !/^#L\d/.test(location.hash);
    let unseen = 0, isLoading = false;

    // -- The window -----------------------------------------------------------------------
    const first = () => (rows.firstElementChild ? numberOf(rows.firstElementChild) : 0);
    const last = () => (rows.lastElementChild ? numberOf(rows.lastElementChild) : 0);
    const row = (number) => byId(`L${number}`);
    const holdsEnd = () => last() >= total;
    const isAtEnd = () => holdsEnd() && box.scrollHeight - box.scrollTop - box.clientHeight < 24;

    function piece(html) {
      const template = document.createElement("template");
      template.innerHTML = html;
      localiseTimes(template.content);
      return template.content;
    }

    async function fetchJson(url, parameters) {
      const response = await fetch(`${url}?${new URLSearchParams(parameters)}`, { headers: { "X-Requested-With": "fetch" } });
      if (response.redirected || response.status === 404) {
        say("This page is out of date, please load it again");
        throw new Error("gone");
      }
      if (!response.ok) throw new Error(String(response.status));
      return response.json();
    }

    async function load(parameters) {
      try {
        const answer = await fetchJson(root.dataset.window, parameters);
        setTotal(answer.total);
        return answer;
      } catch (error) {
        if (error.message !== "gone") say("The server did not answer, please try again", 5000);
        return null;
      }
    }

    function setTotal(lines) {
      total = Math.max(total, lines);
      byId("log-total").textContent = `${thousands.format(total)} line${total === 1 ? "" : "s"}`;
      if (byId("log-bytes")) byId("log-bytes").textContent = ` · ${size(offset)}`;
    }

    function replace(html) {
      rows.replaceChildren(piece(html));
      drawn();
    }

    // What the reader looks at stays where it is, whatever comes or goes above it.
    function keepingPlace(change) {
      const anchor = topRow();
      const before = anchor?.getBoundingClientRect().top;
      change();
      if (anchor?.isConnected) box.scrollTop += anchor.getBoundingClientRect().top - before;
      drawn();
    }

    function topRow() {
      const top = box.getBoundingClientRect().top;
      let [low, high] = [0, rows.children.length - 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (rows.children[middle].getBoundingClientRect().bottom <= top + 1) low = middle + 1; else high = middle;
      }
      return rows.children[low];
    }

    function trim(atTop) {
      const range = document.createRange();
      const surplus = rows.children.length - KEPT_LINES;
      if (surplus <= 0) return;
      range.setStartBefore(rows.children[atTop ? 0 : KEPT_LINES]);
      range.setEndAfter(rows.children[atTop ? surplus - 1 : rows.children.length - 1]);
      range.deleteContents();
    }

    async function extend(up) {
      if (isLoading || (up ? first() <= 1 : holdsEnd())) return;
      isLoading = true;
      const [edge, other] = [up ? first() : last() + 1, rows.firstElementChild];
      const answer = await load(up ? { before: edge } : { first: edge });
      isLoading = false;
      if (!answer?.last || other !== rows.firstElementChild) return; // Meanwhile it was jumped elsewhere.
      keepingPlace(() => {
        if (up) rows.prepend(piece(answer.html)); else append(answer);
        trim(!up);
      });
    }

    function append(answer) {
      const content = piece(answer.html);
      while (content.firstElementChild && numberOf(content.firstElementChild) <= last()) content.firstElementChild.remove();
      rows.append(content);
    }

    let jumps = 0; // Only the last of several jumps arrives, however late the answers come.
    async function show(number) {
      const mine = ++jumps;
      sticks = false;
      if (!row(number)) {
        const answer = await load({ line: number });
        if (!answer || mine !== jumps) return;
        if (!answer.last) return toEnd();
        replace(answer.html);
      }
      centre(number);
      drawn();
    }

    // Within the box: what else is on the page stays where it is, as long as the log can be seen.
    function centre(number) {
      const target = row(number);
      if (!target) return;
      const { top, height } = target.getBoundingClientRect();
      box.scrollTop += top - box.getBoundingClientRect().top - (box.clientHeight - height) / 2;
      root.scrollIntoView({ block: "nearest" });
    }

    async function toEnd() {
      const mine = ++jumps;
      sticks = true;
      if (!holdsEnd()) {
        const answer = await load({});
        if (!answer || mine !== jumps) return;
        replace(answer.html);
      }
      box.scrollTop = box.scrollHeight;
      drawn();
    }

    // -- What is written meanwhile ----------------------------------------------------------
    function take(answer) {
      if (answer.last <= total && answer.last <= last()) return; // Seen already.
      const joins = holdsEnd() && answer.first <= last() + 1;
      unseen += Math.max(0, answer.last - total);
      setTotal(answer.last);
      if (sticks && !joins) rows.replaceChildren(piece(answer.html));
      else if (joins && (sticks || rows.children.length < KEPT_LINES)) append(answer);
      if (sticks) {
        trim(true);
        box.scrollTop = box.scrollHeight;
      }
      byId("log-end").textContent = "";
      drawn();
    }

    let drawing;
    function drawn() {
      if (sticks) unseen = 0;
      byId("log-jump").hidden = sticks || isAtEnd();
      byId("log-jump-words").textContent = unseen ? `${thousands.format(unseen)} new line${unseen === 1 ? "" : "s"}` : "To the end";
      byId("log-place").textContent = rows.children.length ? `Lines ${thousands.format(first())}–${thousands.format(last())}` : "";
      drawChosen();
      cancelAnimationFrame(drawing);
      drawing = requestAnimationFrame(mark);
    }

    box.addEventListener("scroll", () => {
      const atEnd = isAtEnd();
      if (atEnd !== sticks) { sticks = atEnd; drawn(); }
      if (box.scrollTop < NEAR_PX) extend(true);
      else if (box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX) extend(false);
    }, { passive: true });

    // -- The stream, and polling where there is none ----------------------------------------
    let source, polling, polls = 0, losing, hiding, isLost = false;
    const isOver = () => !root.dataset.stream;

    function lost() {
      isLost = true;
      if (byId("log-live")) byId("log-live").dataset.lost = "";
      say(LOST);
    }

    function found() {
      clearTimeout(losing);
      losing = undefined;
      if (isLost) say("Connected again", 2000);
      isLost = false;
      if (byId("log-live")) delete byId("log-live").dataset.lost;
    }

    function connect() {
      source?.close();
      if (isOver()) return;
      if (!window.EventSource) return poll();
      source = new EventSource(`${root.dataset.stream}?after=${offset}`);
      // What changed before the stream came is not told by it.
      source.addEventListener("open", () => { found(); refresh(); });
      source.addEventListener("lines", (event) => {
        if (!root.isConnected) return source.close();
        offset = Number(event.lastEventId);
        take(JSON.parse(event.data));
      });
      source.addEventListener("status", refresh);
      source.addEventListener("end", () => { source.close(); finish(); });
      source.addEventListener("error", () => {
        if (!root.isConnected) return source.close();
        losing ??= setTimeout(lost, LOST_AFTER_MS);
        if (source.readyState === EventSource.CLOSED) {
          source = undefined;
          polling = setTimeout(poll, POLL_MS);
        }
      });
    }

    const refresh = () => { if (window.htmx && byId("run-summary")) htmx.trigger("#run-summary", "refresh"); };

    function finish() {
      found();
      delete root.dataset.stream;
      byId("log-live")?.remove();
      if (!total) byId("log-end").textContent = "This run wrote nothing";
      refresh();
    }

    async function poll() {
      clearTimeout(polling);
      if (isOver() || source || !root.isConnected) return;
      try {
        const answer = await fetchJson(root.dataset.window, { after: offset });
        found();
        offset = Math.max(offset, answer.end);
        if (answer.last) take(answer);
        if (answer.finished) return finish();
        // A proxy may have refused the stream while the server was started again.
        if (++polls % POLLS_A_STREAM === 0 && window.EventSource) return connect();
      } catch (error) {
        if (error.message === "gone") return;
        if (!isLost) lost();
      }
      polling = setTimeout(poll, POLL_MS);
    }

    document.addEventListener("visibilitychange", () => {
      clearTimeout(hiding);
      if (!root.isConnected || isOver()) return;
      if (document.hidden) hiding = setTimeout(() => { source?.close(); source = undefined; clearTimeout(polling); }, HIDDEN_MS);
      else if (!source) connect();
    });

    // -- Search -----------------------------------------------------------------------------
    const query = byId("log-query"), count = byId("log-count");
    let searched = "", hits = [], goesOn = null, hit = -1, searching = 0;
    let searchedTo = 0; // So many bytes there were of the log then.

    async function search(start = 0) {
      const mine = ++searching;
      const text = query.value.trim();
      if (!start) { searched = text; hits = []; hit = -1; goesOn = null; }
      if (!text) return showHit();
      count.textContent = "Searching…";
      let answer;
      do {
        try {
          answer = await fetchJson(root.dataset.search, { q: text, from: answer ? answer.next : start });
        } catch {
          count.textContent = "No answer";
          return;
        }
        if (mine !== searching) return;
        hits.push(...answer.hits);
      } while (!answer.hits.length && answer.next !== null);
      goesOn = answer.next;
      searchedTo = answer.end;
      if (start) return;
      // The nearest one: from what is looked at on, else back.
      const top = topRow() ? numberOf(topRow()) : 0;
      hit = hits.findIndex((line) => line >= top);
      if (hit < 0) hit = hits.length - 1;
      showHit();
    }

    async function step(by) {
      if (query.value.trim() !== searched) return search();
      const isLast = by > 0 && hit === hits.length - 1;
      if (isLast && goesOn !== null) await search(goesOn);
      else if (isLast && offset > searchedTo) await search(searchedTo); // It has grown since.
      if (!hits.length) return showHit();
      hit = (hit + by + hits.length) % hits.length;
      showHit();
    }

    function showHit() {
      for (const button of [byId("log-previous"), byId("log-next")]) button.hidden = hits.length < 2;
      count.textContent = !searched ? "" : !hits.length ? "No hits"
        : `${thousands.format(hit + 1)} of ${thousands.format(hits.length)}${goesOn === null ? "" : "+"}`;
      if (hits.length) show(hits[hit]); else drawn();
    }

    // Marks lie over the text: rows need not be taken apart for them.
    function mark() {
      for (const old of rows.querySelectorAll("[data-hit]")) delete old.dataset.hit;
      if (hit >= 0 && row(hits[hit])) row(hits[hit]).dataset.hit = "";
      if (!window.CSS?.highlights) return;
      const ranges = [];
      const needle = searched.toLowerCase();
      if (needle) {
        const walker = document.createTreeWalker(rows, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
          const text = walker.currentNode;
          if (!text.parentElement.closest(".log-text") || text.parentElement.matches(".log-stream")) continue;
          const words = text.data.toLowerCase();
          for (let at = words.indexOf(needle); at >= 0; at = words.indexOf(needle, at + needle.length)) {
            if (at + needle.length > text.length) break; // Lower case may be longer.
            const range = new Range();
            range.setStart(text, at);
            range.setEnd(text, at + needle.length);
            ranges.push(range);
          }
        }
      }
      CSS.highlights.set("log-search", new Highlight(...ranges));
    }

    query.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (query.value.trim() === searched && hits.length) step(1); else search();
    });
    query.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.shiftKey) { event.preventDefault(); step(-1); }
      if (event.key === "Escape") { query.value = ""; search(); box.focus(); }
    });
    query.addEventListener("search", () => { if (!query.value) search(); });
    byId("log-next").addEventListener("click", () => step(1));
    byId("log-previous").addEventListener("click", () => step(-1));

    // -- Lines that are chosen: a link to them, and their text -------------------------------
    let chosen = null; // Two numbers, the lower one first.
    let pivot = 0;

    function choose(from, to, { moves = false } = {}) {
      chosen = from ? [Math.min(from, to), Math.max(from, to)] : null;
      const words = chosen ? (chosen[0] === chosen[1] ? `#L${chosen[0]}` : `#L${chosen[0]}-L${chosen[1]}`) : "";
      history.replaceState(history.state, "", `${location.pathname}${words}`);
      if (chosen && moves) show(chosen[0]); else drawn();
    }

    function drawChosen() {
      for (const old of rows.querySelectorAll("[data-chosen]")) delete old.dataset.chosen;
      byId("log-chosen").hidden = !chosen;
      if (!chosen) return;
      const [from, to] = chosen;
      for (let number = Math.max(from, first()); number <= Math.min(to, last()); number++) {
        if (row(number)) row(number).dataset.chosen = "";
      }
      byId("log-chosen-words").textContent = from === to ? `Line ${thousands.format(from)}` : `Lines ${thousands.format(from)}–${thousands.format(to)}`;
    }

    function chooseByHash() {
      const match = /^#L(\d+)(?:-L?(\d+))?$/.exec(location.hash);
      if (!match) return false;
      pivot = Number(match[1]);
      choose(pivot, Number(match[2] ?? match[1]), { moves: true });
      return true;
    }

    rows.addEventListener("click", (event) => {
      const link = event.target.closest(".log-number");
      if (!link || event.ctrlKey || event.metaKey || event.button) return;
      event.preventDefault();
      const number = numberOf(link.parentElement);
      if (!event.shiftKey || !pivot) pivot = number;
      getSelection().removeAllRanges();
      choose(pivot, number);
    });

    const textOf = (each) => {
      const text = each.querySelector(".log-text").cloneNode(true);
      text.querySelector(".log-stream")?.remove();
      return text.textContent;
    };

    async function copyChosen() {
      const [from, to] = chosen;
      if (to - from >= MOST_COPIED) return say("These are too many lines to copy: the download has them", 5000);
      const texts = [];
      for (let number = from; number <= to;) {
        let part = row(number) ? [...rows.children].slice([...rows.children].indexOf(row(number))) : null;
        if (!part) {
          const answer = await load({ first: number });
          if (!answer?.last) return; // It has been said what is wrong.
          part = [...piece(answer.html).children];
        }
        for (const each of part) if (numberOf(each) <= to) texts.push(textOf(each));
        number = numberOf(part.at(-1)) + 1;
      }
      copy(`${texts.join("\n")}\n`);
    }

    async function copy(text) {
      try {
        await navigator.clipboard.writeText(text);
      } catch { // Plain http in a local network has no clipboard.
        const area = document.createElement("textarea");
        area.value = text;
        document.body.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
      }
      say("Copied", 1500);
    }

    byId("log-copy").addEventListener("click", copyChosen);
    byId("log-copy-link").addEventListener("click", () => copy(location.href));
    byId("log-unchoose").addEventListener("click", () => { choose(0, 0); box.focus(); });

    // -- Places -----------------------------------------------------------------------------
    function goTo(link, act) {
      link?.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        act(link);
      });
    }
    goTo(byId("log-beginning"), () => show(1));
    goTo(byId("log-middle"), () => show(Math.max(1, Math.floor(total / 2))));
    goTo(byId("log-to-end"), () => { toEnd(); root.scrollIntoView({ block: "nearest" }); });
    goTo(byId("log-traceback"), ({ dataset }) => choose(Number(dataset.line), Number(dataset.last), { moves: true }));
    byId("log-jump").addEventListener("click", () => { toEnd(); box.focus({ preventScroll: true }); });
    byId("log-line").form.addEventListener("submit", (event) => {
      event.preventDefault();
      const [from, to] = byId("log-line").value.replaceAll("L", "").split("-").map(Number);
      pivot = Math.min(from, total) || 1;
      choose(pivot, Math.min(to || from, total) || 1, { moves: true });
    });
    window.addEventListener("hashchange", () => { if (root.isConnected) chooseByHash(); });

    // -- Switches, remembered ---------------------------------------------------------------
    for (const id of ["log-wrap", "log-times"]) {
      const box_ = byId(id);
      box_.checked = localStorage.getItem(id) !== "off";
      box_.addEventListener("change", () => {
        localStorage.setItem(id, box_.checked ? "on" : "off");
        if (sticks) box.scrollTop = box.scrollHeight;
      });
    }

    localiseTimes(root);
    drawn();
    if (!chooseByHash()) {
      const sent = rows.querySelector("[data-chosen]");
      if (sent) {
        pivot = numberOf(sent);
        chosen = [pivot, numberOf([...rows.querySelectorAll("[data-chosen]")].at(-1))];
        show(pivot);
      } else if (sticks) box.scrollTop = box.scrollHeight;
    }
    if (query.value.trim()) search();
    connect();
  }

  function start() {
    const root = byId("log");
    if (root && !("isShown" in root.dataset)) {
      root.dataset.isShown = "";
      view(root);
    }
    localiseTimes(document);
    goOn();
  }

  document.addEventListener("htmx:afterSwap", start);
  setInterval(goOn, 1000);
  start();
})();
