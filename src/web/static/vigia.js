// vigia: rows that keep themselves up to date, durations that tick, keys. Pages work without it.
"use strict";
(() => {
  const body = document.body;
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  let skew = Number(body.dataset.now) * 1000 - Date.now();

  // Durations
  const span = (seconds) => {
    const s = Math.max(0, Math.floor(seconds));
    const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
    if (d) return `${d} d ${h} h`;
    if (h) return `${h} h ${m} m`;
    if (m) return `${m} m ${s % 60} s`;
    return `${s} s`;
  };
  const tick = () => {
    const now = (Date.now() + skew) / 1000;
    for (const time of $$("time[data-since]")) {
      const text = span(now - Number(time.dataset.since));
      if (time.textContent !== text) time.textContent = text;
    }
  };
  setInterval(tick, 1000);

  // The live dot
  const live = $("#live");
  let heard = Date.now();
  let isLost = false;
  const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour12: false });
  const connected = () => {
    heard = Date.now();
    if (isLost) body.classList.remove("is-lost");
    isLost = false;
    live.className = "live on";
    live.lastElementChild.textContent = "live";
    live.title = `Connected; figures are as of ${clock(heard)}`;
  };
  const lost = () => {
    if (isLost) return;
    isLost = true;
    body.classList.add("is-lost");
    live.className = "live lost";
    live.lastElementChild.textContent = `stale since ${clock(heard)}`;
    live.title = "The connection to vigia is lost; what you see is old. Trying again.";
  };

  // Interaction: nothing moves under the hand
  const pill = $("#pill");
  let moved = 0;
  let pointerInList = false;
  const isBusy = () =>
    pointerInList ||
    $("details[open]", $("main")) ||
    $(".pick input:checked") ||
    (document.activeElement && document.activeElement.matches("input:not([type=checkbox]), textarea, select") && $("main").contains(document.activeElement));
  const watchPointer = () => {
    for (const table of $$(".table")) {
      table.addEventListener("pointerenter", () => (pointerInList = true));
      table.addEventListener("pointerleave", () => { pointerInList = false; if (moved) later(); });
    }
  };
  const showPill = () => {
    pill.hidden = moved === 0;
    pill.firstElementChild.textContent = `${moved} ${moved === 1 ? "change" : "changes"} — show`;
  };
  pill.firstElementChild.addEventListener("click", () => refresh());

  // The page's own content, once more
  let last = 0;
  let timer = null;
  const later = () => {
    if (timer) return;
    timer = setTimeout(() => { timer = null; isBusy() ? showPill() : refresh(); }, Math.max(600, 4000 - (Date.now() - last)));
  };
  const refresh = async () => {
    last = Date.now();
    moved = 0;
    showPill();
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("main");
      if (!fresh) return;
      const at = $(".row.at")?.dataset.key;
      const typed = $$("form[data-keep]").flatMap((form) => [...form.elements].filter((field) => field.name)
        .map((field) => [form.id, field.name, field.value, field.checked]));
      $("main").replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
      for (const [id, name, value, checked] of typed) {
        for (const field of $$(`#${id} [name="${name}"]`)) {
          if (field.type !== "checkbox") field.value = value;
          else if (field.value === value) field.checked = checked;
        }
      }
      if (at) choose(rows().find((row) => row.dataset.key === at), false);
      watchPointer();
      tick();
    } catch { /* the stream says when the connection is lost */ }
  };

  // What the stream brings
  const takeRows = (html) => {
    const table = document.createElement("table");
    table.innerHTML = `<tbody>${html}</tbody>`;
    for (const fresh of $$("tr.row", table)) {
      const old = $$("tr.row").find((row) => row.dataset.key === fresh.dataset.key);
      if (!old) continue;
      const hadFocus = old.contains(document.activeElement);
      const changed = $(".state", old)?.textContent !== $(".state", fresh)?.textContent || $(".attempt", old)?.textContent !== $(".attempt", fresh)?.textContent;
      fresh.classList.toggle("first", old.classList.contains("first"));
      fresh.classList.toggle("at", old.classList.contains("at"));
      $(".host a", fresh)?.classList.toggle("again", !old.classList.contains("first"));
      const [was, is] = [$(".pick input", old), $(".pick input", fresh)];
      if (was && is) is.checked = was.checked;
      if (changed) fresh.classList.add("changed");
      old.replaceWith(fresh);
      if (hadFocus) $("a.open", fresh)?.focus({ preventScroll: true });
    }
    tick();
  };
  const told = (number) => number.toLocaleString("en-US");
  let unhandled = Number(($("[data-unhandled]")?.textContent || "0").replaceAll(",", ""));
  const takeTotals = (totals) => {
    for (const [name, number] of Object.entries(totals.counts)) {
      for (const place of $$(`[data-total="${name}"]`)) {
        $("b", place).textContent = told(number);
        place.classList.toggle("zero", number === 0);
        place.title = place.title.replace(/[\d,]+$/, told(number));
      }
      for (const tile of $$(`[data-tile="${name}"]`)) {
        tile.textContent = told(number);
        tile.closest(".tile").classList.toggle("zero", number === 0 && !name.endsWith("-total"));
      }
    }
    for (const bubble of $$("[data-unhandled]")) { bubble.textContent = told(totals.unhandled); bubble.hidden = totals.unhandled === 0; }
    const words = totals.unhandled === 1 ? "1 problem is not handled" : `${totals.unhandled || "No"} problems are not handled`;
    if ($("#spoken").textContent !== words && unhandled !== totals.unhandled) $("#spoken").textContent = words;
    unhandled = totals.unhandled;
    document.title = `${totals.unhandled ? `(${totals.unhandled}) ` : ""}${body.dataset.title} · vigia`;
    $("link[rel=icon]").href = totals.icon;
  };
  if (body.dataset.events && window.EventSource) {
    const stream = new EventSource(body.dataset.events);
    stream.onopen = connected;
    stream.onerror = () => { if (Date.now() - heard > 4000 || stream.readyState === EventSource.CLOSED) lost(); };
    const on = (name, take) => stream.addEventListener(name, (event) => { connected(); take(event.data); });
    on("beat", (now) => { skew = Number(now) * 1000 - Date.now(); });
    on("rows", takeRows);
    on("totals", (data) => takeTotals(JSON.parse(data)));
    on("scans", (data) => {
      for (const scan of JSON.parse(data)) {
        const place = $(`[data-scan="${scan.id}"]`);
        if (!place) continue;
        $("progress", place).value = scan.percent;
        $("[data-stage]", place).textContent = scan.stage;
      }
    });
    on("moved", (count) => { moved += Number(count); isBusy() ? showPill() : later(); });
    on("refresh", () => { moved += 1; isBusy() ? showPill() : later(); });
    setInterval(() => { if (Date.now() - heard > 30000) lost(); }, 2000);
    addEventListener("pagehide", () => stream.close());
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  }

  // Selection
  const picks = () => $$(".pick input:not(#pick-all)");
  const counted = () => { const picked = $("#picked"); if (picked) picked.textContent = picks().filter((box) => box.checked).length; };
  let lastPick = null;
  document.addEventListener("click", (event) => {
    const box = event.target.closest(".pick input");
    if (!box) return;
    if (box.id === "pick-all") for (const one of picks()) one.checked = box.checked;
    else if (event.shiftKey && lastPick) {
      const all = picks();
      const [from, to] = [all.indexOf(lastPick), all.indexOf(box)].sort((a, b) => a - b);
      for (const one of all.slice(Math.max(0, from), to + 1)) one.checked = box.checked;
    }
    lastPick = box;
    counted();
  });

  // Menus close on a click elsewhere and with Escape
  document.addEventListener("click", (event) => {
    for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });

  // Keys
  const rows = () => $$("tr.row");
  const choose = (row, scroll = true) => {
    if (!row) return;
    for (const other of $$(".row.at")) other.classList.remove("at");
    row.classList.add("at");
    if (scroll) row.scrollIntoView({ block: "nearest" });
    $("a.open", row)?.focus({ preventScroll: true });
  };
  const step = (by) => {
    const all = rows();
    const at = all.findIndex((row) => row.classList.contains("at"));
    choose(all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))]);
  };
  const go = (act) => {
    const own = $(`[data-act="${act}"]`);
    const picked = picks().filter((box) => box.checked && box.name === "object").map((box) => box.value);
    const keys = picked.length ? picked : [$(".row.at")?.dataset.key].filter(Boolean);
    if (!keys.length && own) { own.click(); $("textarea, input:not([type=hidden])", own.parentElement)?.focus(); return; }
    if (!keys.length) return;
    const query = new URLSearchParams(keys.map((key) => ["object", key]));
    query.append("back", location.pathname + location.search);
    location.href = `/act/${act}?${query}`;
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const menu of $$("details.menu[open]")) menu.open = false;
      if (document.activeElement?.matches("input, textarea")) document.activeElement.blur();
      $("#drawer").checked = false;
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=checkbox]), textarea, select") || $("dialog[open]")) return;
    const keys = {
      j: () => step(1), k: () => step(-1),
      x: () => { $(".row.at .pick input")?.click(); },
      a: () => go("acknowledge"), d: () => go("downtime"), r: () => go("recheck"),
      "/": () => { $("#q").focus(); $("#q").select(); },
      "?": () => $("#keys").showModal(),
    };
    const act = keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  watchPointer();
  tick();
})();
