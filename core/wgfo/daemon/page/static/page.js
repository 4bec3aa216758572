// Live update: the event stream says which groups changed, the server renders them, this puts them in place.
"use strict";

(() => {
  const QUIET_MS = 5000; // figures without an event are renewed so often
  const SILENT_MS = 15000; // no event and no beat for so long: the connection is dead
  const KINDS = ["group", "path", "established", "switch", "phases", "write_ended", "converged", "alarm", "override"];

  const dirty = new Set();
  let everything = false;
  let busy = false;
  let heard = Date.now();
  let source = null;

  const say = (text, stale) => {
    const where = document.getElementById("live");
    if (where) where.textContent = text;
    document.body.classList.toggle("stale", stale);
    document.body.classList.toggle("live-now", !stale);
  };

  const put = (fresh) => {
    const old = document.getElementById(fresh.id);
    if (!old) return false;
    if (fresh.tagName === "DETAILS") {
      const same = old.dataset.state === fresh.dataset.state;
      fresh.open = same ? old.open : old.open || fresh.open;
    }
    const focused = old.contains(document.activeElement) ? document.activeElement.tagName : null;
    old.replaceWith(fresh);
    if (focused === "SUMMARY") fresh.querySelector("summary").focus();
    return true;
  };

  const take = (html) => {
    const parsed = new DOMParser().parseFromString(html, "text/html");
    for (const fresh of [...parsed.body.children]) {
      if (fresh.id && !put(document.importNode(fresh, true))) return location.reload();
    }
    const state = document.getElementById("state");
    if (state) document.title = document.title.replace(/^[^·]*/, state.textContent + " ");
    say("live · ", false);
  };

  const renew = async () => {
    if (busy || document.hidden || !(everything || dirty.size)) return;
    busy = true;
    const query = new URLSearchParams(location.search);
    if (!everything) for (const name of dirty) query.append("group", name);
    dirty.clear();
    everything = false;
    try {
      const answer = await fetch("part?" + query, { cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      take(await answer.text());
    } catch {
      everything = true;
      say("no answer, trying again · ", true);
    } finally {
      busy = false;
    }
    if (dirty.size) soon();
  };

  let due = null;
  const soon = () => {
    if (due === null) due = setTimeout(() => { due = null; renew(); }, 50);
  };

  const all = () => { everything = true; soon(); };

  const listen = () => {
    if (source) source.close();
    source = new EventSource("api/v1/events");
    heard = Date.now();
    source.onopen = () => { heard = Date.now(); all(); };
    source.onerror = () => say("connection lost, trying again · ", true);
    source.addEventListener("beat", () => { heard = Date.now(); });
    source.addEventListener("reset", all);
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => {
        heard = Date.now();
        dirty.add(JSON.parse(event.data).group);
        soon();
      });
    }
  };

  setInterval(() => {
    if (Date.now() - heard > SILENT_MS) {
      say("connection lost, trying again · ", true);
      listen();
    }
    all();
  }, QUIET_MS);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) all(); });
  listen();
})();
