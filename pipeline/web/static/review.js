// Reviewing: one key for each decision. The next image is shown when the decision is on disk.
"use strict";

(() => {
  const review = document.getElementById("review");
  if (!review) return;

  // Images that are fetched ahead, and how few may be left before more are fetched.
  const AHEAD = 8;
  const FEW = 5;
  // Of these few the first is shown at once, before more are fetched.
  const FIRST = 2;
  // Milliseconds until a decision is sent again, at first and at most.
  const SOON = 500;
  const LATE = 5000;
  const SLOW = 300;
  // Milliseconds until more images are asked for, if there were none: those of others may be free.
  const AGAIN = 15000;

  const UNSAVED = "digits.review.unsaved";
  const NAME = "digits.review.reviewer";
  const WINDOW = "digits.review.window";

  const $ = (id) => document.getElementById(id);
  const buttons = [...document.querySelectorAll("[data-key]")];
  const WHY = {
    uncertain: ["warn", "uncertain"],
    disagreement: ["warn", "the challenger disagrees"],
    novel: ["warn", "may be no digit"],
    other: ["", "confident"],
    sample: ["accent", "random sample"],
  };

  const items = [];
  let saving = null;
  let fetching = false;
  let ended = false;
  let csrf = document.querySelector('meta[name="csrf-token"]').content;

  const holder = sessionStorage.getItem(WINDOW) ?? newId();
  sessionStorage.setItem(WINDOW, holder);
  $("reviewer").value = localStorage.getItem(NAME) ?? $("reviewer").value;
  $("reviewer").addEventListener("change", () => localStorage.setItem(NAME, reviewer()));

  function reviewer() { return $("reviewer").value.trim() || "reviewer"; }
  function newId() { return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join(""); }
  function wait(milliseconds) { return new Promise((resolve) => { setTimeout(resolve, milliseconds); }); }

  // Decisions that the server has not confirmed stay in the browser, also if the page is closed.
  function unsaved() {
    try { return JSON.parse(localStorage.getItem(UNSAVED)) ?? {}; } catch { return {}; }
  }
  function remember(decision) { localStorage.setItem(UNSAVED, JSON.stringify({ ...unsaved(), [decision.id]: decision })); }
  function forget(decision) {
    const { [decision.id]: _, ...others } = unsaved();
    localStorage.setItem(UNSAVED, JSON.stringify(others));
  }

  class Refused extends Error {}

  async function send(path, fields) {
    const body = new URLSearchParams({ reviewer: reviewer(), holder, batch: review.dataset.batch, ...fields });
    const post = () => fetch(path, { method: "POST", body, headers: { "X-CSRF-Token": csrf } });
    let answer = await post();
    if (answer.status === 403) {
      // The server was started anew. A fresh copy of the page has what it expects now.
      const page = await (await fetch(location.href)).text();
      const fresh = new DOMParser().parseFromString(page, "text/html").querySelector('meta[name="csrf-token"]');
      if (fresh) csrf = fresh.content;
      answer = await post();
    }
    const isJson = (answer.headers.get("Content-Type") ?? "").startsWith("application/json");
    const values = isJson ? await answer.json() : {};
    if (answer.ok) return values;
    const message = values.problem ?? `The server answered ${answer.status}.`;
    if (answer.status >= 500) throw new Error(message);
    throw new Refused(message);
  }

  // Sends until it is saved or refused; tells what is wrong meanwhile.
  async function sendUntilSaved(path, fields) {
    let pause = SOON;
    for (;;) {
      try {
        const values = await send(path, fields);
        trouble("");
        return values;
      } catch (error) {
        if (error instanceof Refused) throw error;
        const why = error instanceof TypeError ? "The server does not answer." : error.message;
        trouble(`Not saved yet. ${why} Your decision is kept in this browser and sent again.`);
        await wait(pause);
        pause = Math.min(2 * pause, LATE);
      }
    }
  }

  function trouble(message) {
    $("trouble").textContent = message;
    $("trouble").hidden = !message;
  }

  async function fetchMore() {
    if (fetching || ended || items.length > FEW) return;
    fetching = true;
    const shown = items.map((item) => item.sha256).join(",");
    try {
      const count = items.length === 0 ? FIRST : AHEAD - items.length;
      const values = await send("/review/next", { count, shown });
      ended = values.items.length === 0;
      if (ended) setTimeout(() => { ended = false; fetchMore(); }, AGAIN);
      const isFirst = items.length === 0;
      for (const item of values.items) add(item, "push");
      showProgress(values);
      if (isFirst) show();
      trouble((values.problems ?? []).join(" "));
      setTimeout(fetchMore, 0);
    } catch (error) {
      if (items.length === 0) trouble(error instanceof TypeError ? "The server does not answer. Trying again." : error.message);
      setTimeout(fetchMore, LATE / 2);
    }
    fetching = false;
  }

  function add(item, where) {
    item.came = new Image();
    item.came.alt = `${item.path} as it came`;
    item.came.addEventListener("load", () => item.came.classList.toggle("small", Math.max(item.came.naturalWidth, item.came.naturalHeight) < 120));
    item.came.src = `/review/images/${item.sha256}.png`;
    item.look = new Image();
    item.look.alt = "The same as the network sees it";
    item.look.className = "small digit";
    item.look.src = item.seen;
    items[where](item);
  }

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function percent(fraction, digits = 1) { return `${(100 * fraction).toFixed(digits)}\u00a0%`; }

  function show() {
    const item = items[0];
    $("desk").setAttribute("aria-busy", String(!item && !ended));
    for (const button of buttons) {
      button.classList.remove("pressed");
      button.classList.toggle("predicted", item !== undefined && button.dataset.key === String(item.prediction));
      button.disabled = !item && button.dataset.key !== "u";
    }
    $("saved").textContent = "Each decision is on disk before the next image is shown.";
    $("came").replaceChildren(...(item ? [item.came] : []));
    $("seen").replaceChildren(...(item ? [item.look] : []));
    if (!item) {
      const message = ended ? "Everything is decided, or others are looking at it." : "Fetching the next image …";
      $("verdict").replaceChildren(element("p", "faint", message));
      return;
    }
    const says = element("div");
    const line = element("p");
    line.append(item.prediction === null ? `${item.model} predicts nothing ` : `${item.model} reads ${item.prediction}, ${percent(item.confidence)} sure `);
    const [kind, why] = WHY[item.group];
    line.append(element("span", `tag ${kind}`, why));
    says.append(line);
    if (item.notes) says.append(element("p", "small", item.notes));
    says.append(element("p", "small faint path", item.path));
    $("verdict").replaceChildren(element("p", "big", item.prediction ?? "–"), says);
  }

  function showProgress(values) {
    const { decided, images, uncertain, accuracy } = values.progress;
    $("decided").textContent = decided.toLocaleString("en");
    $("images").textContent = images.toLocaleString("en");
    $("uncertain").textContent = uncertain.toLocaleString("en");
    if (accuracy.decided) {
      $("estimate").textContent = percent(accuracy.estimate);
      $("interval").textContent = `${percent(accuracy.low)} to ${percent(accuracy.high)}, with 95 % confidence; ${accuracy.right} of ${accuracy.decided} right`;
    } else {
      $("estimate").textContent = "–";
      $("interval").textContent = "No image of the sample is decided yet.";
    }
  }

  async function save(path, decision) {
    saving = decision;
    const slow = setTimeout(() => { $("saved").textContent = "Saving …"; }, SLOW);
    try {
      return await sendUntilSaved(path, decision);
    } finally {
      clearTimeout(slow);
      saving = null;
    }
  }

  async function decide(answer) {
    const item = items[0];
    if (saving || !item) return;
    const { sha256, batch: key, row } = item;
    const decision = { id: newId(), decision: answer, sha256, key, row, reviewer: reviewer(), batch: review.dataset.batch };
    remember(decision);
    let problem = "";
    try {
      showProgress(await save("/review/decisions", decision));
    } catch (error) {
      problem = `Not saved: ${error.message}`;
    }
    forget(decision);
    items.shift();
    show();
    if (problem) trouble(problem);
    fetchMore();
  }

  async function undo() {
    if (saving) return;
    try {
      const values = await save("/review/undo", { id: newId() });
      showProgress(values);
      if (values.item) {
        const { sha256 } = values.item;
        const place = items.findIndex((item) => item.sha256 === sha256);
        if (place >= 0) items.splice(place, 1);
        add(values.item, "unshift");
        ended = false;
      }
      show();
      if (values.undone === null) $("saved").textContent = "There is nothing to undo.";
      else if (!values.item) $("saved").textContent = "The last decision is undone; its image is of another batch.";
      else $("saved").textContent = `Undone: ${values.undone}.`;
    } catch (error) {
      trouble(error.message);
    }
  }

  function press(key) {
    const button = buttons.find((each) => each.dataset.key === key);
    if (!button || button.disabled || saving) return;
    button.classList.add("pressed");
    if (key === "u") undo();
    else decide(key === "s" ? "skip" : key);
  }

  document.addEventListener("keydown", (event) => {
    // A key that is held down decides once.
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, select, textarea")) return;
    press(event.key.toLowerCase());
  });
  for (const button of buttons) button.addEventListener("click", () => press(button.dataset.key));

  // What was not confirmed when the page was closed comes first.
  (async () => {
    for (const decision of Object.values(unsaved())) {
      try {
        showProgress(await save("/review/decisions", decision));
      } catch (error) {
        trouble(`Not saved: ${error.message}`);
      }
      forget(decision);
    }
    show();
    fetchMore();
  })();
})();
