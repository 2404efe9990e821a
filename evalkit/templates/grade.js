// The grading page: one pile, marked by keyboard, every mark sent as it is made and kept until it is known to be saved.
"use strict";
(() => {
  const IDLE_MS = 60_000, BATCH = 20, BATCH_BYTES = 60_000, LONGEST_EDIT_BYTES = 40_000, MOST_FOUND = 5_000, KEPT = "evalkit-unsent";
  const TAGS = new Set("p h3 h4 h5 h6 ul ol li blockquote pre code em strong s br hr table thead tbody tr th td span mark".split(" "));
  const id = (name) => document.getElementById(name);

  /** An element; `props` are its properties, or attributes where there is no such property. */
  function make(tag, props = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(props)) {
      if (name in node) node[name] = value;
      else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return node;
  }

  /** A tree of plain strings and allowed tags as nodes; text never becomes markup. */
  function grown(tree) {
    return tree.map((node) => {
      if (typeof node === "string") return document.createTextNode(node);
      const [tag, attributes, children] = node;
      const made = document.createElement(TAGS.has(tag) ? tag : "span");
      if (attributes.class) made.className = attributes.class;
      if (attributes.value !== undefined) made.value = attributes.value;
      made.append(...grown(children));
      return made;
    });
  }
  const button = (props, ...children) => make("button", { type: "button", ...props }, ...children);
  const key = (name) => make("kbd", {}, name);
  const unseen = (words) => make("span", { className: "unseen" }, words);
  const bytes = (words) => new TextEncoder().encode(words).length;
  const text = (tree, more = "") => make("div", { className: `text ${more}`, dir: "auto" }, grown(tree));

  // --- where the pile comes from and where marks go: this server, or whatever an offline page puts in its place ---

  const tab = crypto.randomUUID();
  class Refusal extends Error {
    constructor(status) { super(`status ${status}`); this.status = status; }
  }
  async function ask(path, body, more = {}) {
    const headers = { "x-evalkit-csrf": document.body.dataset.csrf };
    if (body) headers["content-type"] = "application/json";
    const method = body ? "POST" : "GET";
    const signal = AbortSignal.timeout(15_000);
    const answer = await fetch(path, { method, headers, signal, body: body && JSON.stringify(body), ...more });
    if (!answer.ok) throw new Refusal(answer.status);
    return answer.json();
  }
  const server = {
    pile: () => ask(`/api/pile?tab=${tab}`),
    sitting: (number) => ask(`/api/sitting/${number}`),
    send: (marks, more) => ask("/api/marks", { tab, marks }, more),
    ask: () => ask("/api/ask", {}),
    handIn: () => ask("/api/hand-in", {}),
  };
  const source = window.evalkitSource ?? server;

  // --- state ---

  let pile, standing, screens = [], at = 0, cell = 0, raw = false, box = null, stopped = false;
  const sittings = new Map(), past = [];
  const side = () => pile.layout === "side";
  /** Whether all is graded and it is asked who wrote what: the models are not known here before that. */
  const asking = () => pile.authors.length > 0;
  const screen = () => screens[at];
  const letter = (label) => String.fromCharCode(65 + pile.sittings[screen().sitting].indexOf(label));
  const of = (label) => standing[label];

  /** The questions of the current screen, each with one place to answer for every output, or a single one. */
  function rows() {
    const { labels } = screen();
    if (asking()) {
      return labels.map((label) => ({
        name: side() ? `Who wrote ${letter(label)}?` : "Who wrote it?", question: "Which model do you think wrote this output?",
        cells: [{ kind: "author", label }],
      }));
    }
    const asked = pile.criteria.map((criterion) => ({
      name: criterion.name, question: criterion.question, criterion,
      cells: labels.map((label) => ({ kind: "level", label, criterion })),
    }));
    if (!side()) return asked;
    for (let a = 0; a < labels.length; a++) {
      for (let b = a + 1; b < labels.length; b++) {
        asked.push({
          name: `${letter(labels[a])} or ${letter(labels[b])}`,
          question: `Which is better overall, ${letter(labels[a])} or ${letter(labels[b])}?`,
          cells: [{ kind: "prefer", label: labels[a], over: labels[b] }],
        });
      }
    }
    return asked;
  }
  const cells = () => rows().flatMap((row) => row.cells);

  /** What stands in a place: undefined for nothing yet, null for cannot tell. */
  function valueOf(place) {
    const stands = of(place.label);
    if (place.kind === "level") return stands.levels[place.criterion.id];
    if (place.kind === "prefer") return stands.preferred[place.over];
    return stands.author_asked ? stands.author : undefined;
  }
  const CANNOT = { key: "c", value: null, short: "C", text: "Cannot tell", less: true };
  function options(place) {
    if (place.kind === "level") {
      const levels = place.criterion.levels.map(({ level, key, anchor }) => ({ key, value: level, short: String(level), text: anchor }));
      return [...levels, CANNOT];
    }
    if (place.kind === "prefer") {
      return [
        { key: "1", value: "first", short: "1", text: `${letter(place.label)} is better` },
        { key: "2", value: "tie", short: "2", text: "About the same" },
        { key: "3", value: "second", short: "3", text: `${letter(place.over)} is better` },
      ];
    }
    return [...pile.authors.map((name, i) => ({ key: String(i + 1), value: name, short: String(i + 1), text: name })), CANNOT];
  }
  const openCells = () => cells().filter((place) => valueOf(place) === undefined);
  const isDone = ({ labels }) => labels.every((label) => (asking() ? of(label).author_asked : of(label).done));
  const lastQuestion = () => pile.ask_author && !asking() && source.ask;

  // --- attention: time passes while the page is seen and somebody moves; a pause counts for a minute at most ---

  let seenAt = performance.now(), attention = 0;
  function passed(wasHidden = document.hidden) {
    const now = performance.now();
    if (!wasHidden) attention += Math.min(now - seenAt, IDLE_MS);
    seenAt = now;
  }
  const tenths = (seconds) => Math.round(seconds * 10) / 10;
  function takeSeconds() {
    passed();
    const seconds = tenths(attention / 1000);
    attention = 0;
    return seconds;
  }
  for (const event of ["keydown", "pointerdown", "pointermove", "wheel", "input"]) {
    document.addEventListener(event, () => passed(), { capture: true, passive: true });
  }
  document.addEventListener("scroll", () => passed(), { capture: true, passive: true });
  document.addEventListener("visibilitychange", () => {
    passed(!document.hidden);
    if (document.hidden && pile) keepTime({ keepalive: true });
  });

  /** Send the time spent since the last mark, so that leaving loses none of it. */
  function keepTime(more) {
    passed();
    if (attention < 1000 || stopped || !id("finished").hidden) return;
    if (box?.kind === "edit") saveBox();
    else mark(currentLabel(), "time", {}, takeSeconds(), more);
  }
  const currentLabel = () => (cells()[cell] ?? { label: screen().labels[0] }).label;

  // --- marks: made here, applied at once, kept until the server has them ---

  let unsent = [], sending = false, wait = 500, timer = 0;
  /** Use what the browser keeps for this tab; where it keeps nothing, marks are in the page alone until they are sent. */
  const inTab = (use) => { try { return use(sessionStorage); } catch { return null; } };
  unsent = JSON.parse(inTab((tab) => tab.getItem(KEPT)) ?? "[]");
  const keep = () => inTab((tab) => tab.setItem(KEPT, JSON.stringify(unsent)));

  function mark(label, kind, content = {}, active_s = null, more = {}) {
    const made = { nonce: crypto.randomUUID(), label, kind, content, active_s };
    apply(made);
    unsent.push(made);
    keep();
    flush(more);
  }

  function apply({ label, kind, content, active_s }) {
    const stands = of(label);
    stands.active_s += active_s ?? 0;
    if (kind === "level") {
      if ("level" in content) stands.levels[content.criterion] = content.level;
      else { delete stands.levels[content.criterion]; stands.done = false; }
    }
    if (kind === "flag") stands.flagged = content.on;
    if (kind === "note") stands.note = content.text;
    if (kind === "skip") stands.skipped += 1;
    if (kind === "done") stands.done = true;
    if (kind === "edit") stands.edited = content.text;
    if (kind === "author") { stands.author = content.guess; stands.author_asked = true; }
    if (kind === "prefer") {
      if (content.choice === null) delete stands.preferred[content.over];
      else stands.preferred[content.over] = content.choice;
    }
  }

  /** What goes in one request: as many as it can hold, and the first in any case. */
  function batch() {
    let room = BATCH_BYTES;
    return unsent.slice(0, BATCH).filter((made, i) => (room -= bytes(JSON.stringify(made))) > 0 || i === 0);
  }

  async function flush(more = {}) {
    if (sending || !unsent.length) return;
    sending = true;
    clearTimeout(timer);
    if (id("saved").dataset.state !== "failed") status("saving", "Saving");
    let answer;
    try {
      answer = await source.send(batch(), more);
    } catch (error) {
      sending = false;
      if (error instanceof Refusal && [401, 403].includes(error.status)) { signedOut(); return; }
      status("failed", "Not saved, retrying");
      timer = setTimeout(flush, wait);
      wait = Math.min(wait * 2, 10_000);
      return;
    }
    sending = false;
    wait = 500;
    const settled = new Set([...answer.taken, ...answer.refused.map((one) => one.nonce)]);
    const before = unsent.length;
    unsent = answer.closed ? [] : unsent.filter(({ nonce }) => !settled.has(nonce));
    keep();
    if (answer.closed) { closed(before - settled.size); return; }
    if (answer.refused.length) { say(`Not taken: ${answer.refused[0].why}`); reload(); }
    if (!answer.newest) olderTab();
    if (unsent.length) flush();
    else status("saved", "Saved");
  }
  function status(state, words) {
    const line = id("saved");
    line.dataset.state = state;
    if (line.textContent !== words) line.textContent = words;
  }
  window.addEventListener("online", () => flush());
  window.addEventListener("beforeunload", (event) => { if (unsent.length && !stopped) event.preventDefault(); });

  /** How things stand: as the pile says, and after the marks that an offline page has kept. */
  function stand() {
    standing = pile.standing;
    for (const made of pile.marks ?? []) apply(made);
  }
  async function reload() {
    pile = await source.pile();
    stand();
    draw();
  }

  // --- answering ---

  function answer(place, value) {
    const before = valueOf(place);
    past.push({ at, place, before });
    send(place, value, takeSeconds());
    const all = cells();
    const open = (from, to) => all.findIndex((one, i) => i >= from && i < to && valueOf(one) === undefined);
    const after = open(cell + 1, all.length), earlier = open(0, cell);
    cell = after >= 0 ? after : earlier >= 0 ? earlier : cell;
    draw();
  }
  function send(place, value, active_s) {
    const { kind, label } = place;
    if (kind === "level") {
      const level = value === undefined ? {} : { level: value };
      mark(label, kind, { criterion: place.criterion.id, ...level }, active_s);
    } else if (kind === "prefer") mark(label, kind, { over: place.over, choice: value ?? null }, active_s);
    else if (value !== undefined) mark(label, kind, { guess: value }, active_s);
  }

  function undo() {
    const last = past.pop();
    if (!last) { say("Nothing to undo"); return; }
    if (last.at !== at || !id("finished").hidden) show(last.at);
    if (last.flag) {
      mark(last.flag, "flag", { on: !of(last.flag).flagged });
      say("Flag undone");
    } else {
      send(last.place, last.before, takeSeconds());
      cell = Math.max(0, placeOf(last.place));
      say(`Undone: ${rowOf(last.place)?.name ?? "last mark"}`);
    }
    draw();
  }
  const placeOf = (place) => cells().findIndex((one) => same(one, place));
  const same = (a, b) => a.kind === b.kind && a.label === b.label && a.over === b.over && a.criterion?.id === b.criterion?.id;
  /** Where the current place is: the number of its row, and its number in that row. */
  const rowAt = (asked) => asked.findIndex((row) => columnIn(row) >= 0);
  const columnIn = (row) => row.cells.findIndex((one) => same(one, cells()[cell]));
  const rowOf = (place) => rows().find((row) => row.cells.some((one) => same(one, place)));

  function next() {
    if (!id("finished").hidden) { if (lastQuestion()) askWhoWrote(); else handIn(); return; }
    const open = openCells();
    if (open.length) {
      cell = placeOf(open[0]);
      const names = [...new Set(open.map((one) => rowOf(one).name))];
      say(`${open.length} left: ${names.slice(0, 4).join(", ")}${names.length > 4 ? " …" : ""}`);
      draw();
      return;
    }
    saveBox();
    if (!asking()) markAll("done");
    onward();
  }
  /** The same mark on all that is shown, which share the time. */
  function markAll(kind) {
    const { labels } = screen(), share = tenths(takeSeconds() / labels.length);
    for (const label of labels) mark(label, kind, {}, share);
  }
  function skip() {
    saveBox();
    markAll("skip");
    if (screens.filter((one) => !isDone(one)).length === 1) say("This is the only one left");
    onward();
  }
  /** The next screen to work on: those never skipped first, after this one and then from the beginning. */
  function onward() {
    const open = screens.map((_, i) => i).filter((i) => !isDone(screens[i]));
    if (!open.length) { finish(); return; }
    const skips = (i) => Math.max(...screens[i].labels.map((label) => of(label).skipped));
    const least = Math.min(...open.map(skips));
    const best = open.filter((i) => skips(i) === least);
    show(best.find((i) => i > at) ?? best[0]);
  }
  function flag() {
    const label = currentLabel();
    past.push({ at, flag: label });
    mark(label, "flag", { on: !of(label).flagged });
    say(of(label).flagged ? "Flagged" : "Flag removed");
    draw();
  }

  // --- notes and edits: a box that saves itself ---

  let boxTimer = 0, setAside = 0;
  function openBox(kind, label = currentLabel()) {
    const again = box?.kind === kind && box.label === label;
    closeBox();
    if (again) return;
    if (kind === "edit") {
      if (asking()) { say("Your grades and edits stand as they are now"); return; }
      if (bytes(outputOf(label).text) > LONGEST_EDIT_BYTES) { say(`Only outputs of up to ${LONGEST_EDIT_BYTES / 1000} kB can be edited here`); return; }
      setAside = takeSeconds();
    }
    box = { kind, label, saved: kind === "note" ? of(label).note : of(label).edited ?? outputOf(label).text };
    drawOutputs();
    const area = document.querySelector("textarea");
    const start = kind === "edit" ? 0 : area.value.length;
    area.focus();
    area.setSelectionRange(start, start);
    area.scrollTop = start;
  }
  /** What has been written since the last save becomes a mark; the time of an edit goes with it. */
  function saveBox() {
    clearTimeout(boxTimer);
    const area = document.querySelector("textarea");
    if (!box || !area || area.value === box.saved) return;
    const content = { text: area.value };
    if (bytes(JSON.stringify(content)) > BATCH_BYTES) { say("Too long to be saved: shorten it"); return; }
    box.saved = area.value;
    mark(box.label, box.kind, content, takeSeconds());
  }
  function closeBox() {
    if (!box) return;
    saveBox();
    if (box.kind === "edit") { passed(); attention += setAside * 1000; setAside = 0; }
    box = null;
    drawOutputs();
    drawTabs();
  }
  document.addEventListener("input", (event) => {
    if (event.target.matches("textarea")) { clearTimeout(boxTimer); boxTimer = setTimeout(saveBox, 1200); }
  });

  // --- drawing ---

  let itemShown = -1, view = "item";
  async function show(index) {
    if (at >= 0 && index !== at) keepTime();
    saveBox();
    box = null;
    at = index;
    const open = cells().findIndex((one) => valueOf(one) === undefined);
    cell = open >= 0 ? open : 0;
    id("finished").hidden = true;
    id("main").hidden = false;
    view = itemShown === screen().sitting ? "output" : "item";
    const wanted = screen().sitting;
    if (!sittings.has(wanted)) {
      try {
        sittings.set(wanted, await source.sitting(wanted));
      } catch (error) {
        if (error instanceof Refusal && error.status < 500) { signedOut(); return; }
        status("failed", "Cannot load, retrying");
        setTimeout(() => { if (at === index) show(index); }, 1500);
        return;
      }
    }
    if (at !== index) return;
    if (!unsent.length && id("saved").dataset.state === "failed") status("saved", "Saved");
    passed(true);
    draw();
    for (const pane of document.querySelectorAll(".output")) pane.scrollTop = 0;
    ahead();
  }
  /** Fetch what comes next, so that it is there at once, and even without a connection. */
  function ahead() {
    const later = [1, 2].map((step) => screen().sitting + step).filter((n) => n < pile.sittings.length && !sittings.has(n));
    for (const n of later) source.sitting(n).then((found) => sittings.set(n, found), () => {});
    for (const n of sittings.keys()) if (Math.abs(n - screen().sitting) > 4) sittings.delete(n);
  }
  const outputOf = (label) => sittings.get(screen().sitting).outputs.find((one) => one.label === label);
  const shownLabels = () => screen().labels;

  function draw() {
    if (!sittings.has(screen().sitting) || !id("finished").hidden) return;
    document.body.classList.toggle("side", side());
    document.title = id("where").textContent = `${side() ? "Item" : "Output"} ${at + 1} of ${screens.length}`;
    drawProgress();
    drawItem();
    drawOutputs();
    drawMarks();
    drawTabs();
  }
  function drawProgress() {
    const done = screens.filter(isDone).length, bar = id("progress");
    bar.setAttribute("aria-valuemax", screens.length);
    bar.setAttribute("aria-valuenow", done);
    bar.firstElementChild.style.width = `${(100 * done) / screens.length}%`;
  }

  function drawItem() {
    if (itemShown === screen().sitting) return;
    itemShown = screen().sitting;
    const item = sittings.get(itemShown), parts = [make("h3", { className: "part" }, "Input"), text(item.input)];
    if (item.reference) parts.push(make("h3", { className: "part" }, "Reference answer"), text(item.reference));
    if (item.documents.length) {
      const many = item.documents.length;
      parts.push(make("h3", { className: "part" }, many === 1 ? "Document" : `${many} documents`));
      for (const one of item.documents) {
        const tag = one.evidence ? make("span", { className: "tag" }, "evidence") : null;
        const open = many === 1 || one.evidence;
        parts.push(make("details", { open, className: one.evidence ? "evidence" : "" }, make("summary", {}, make("span", {}, grown(one.name), tag)), text(one.shown)));
      }
    }
    const evidence = item.documents.filter((one) => one.evidence).length;
    id("evidence").hidden = !evidence;
    id("evidence").replaceChildren("Evidence", key("J"));
    id("item-text").replaceChildren(...parts);
    id("item").scrollTop = 0;
    evidenceAt = -1;
    search(id("find").value, false);
  }

  function drawOutputs() {
    const place = cells()[cell];
    const touched = new Set(place ? [place.label, place.over] : []);
    const key = JSON.stringify([shownLabels(), raw, box, asking()]);
    const holder = id("outputs");
    if (holder.dataset.key !== key) {
      holder.dataset.key = key;
      const tops = new Map([...holder.children].map((pane) => [pane.dataset.label, pane.scrollTop]));
      holder.replaceChildren(...shownLabels().map(drawOutput));
      for (const pane of holder.children) pane.scrollTop = tops.get(pane.dataset.label) ?? 0;
      id("main").style.setProperty("--k", shownLabels().length);
    }
    for (const pane of holder.children) {
      const stands = of(pane.dataset.label);
      pane.classList.toggle("current", touched.has(pane.dataset.label));
      const tools = pane.querySelectorAll(".tools button");
      const pressed = [raw, stands.flagged, box?.kind === "note" && box.label === pane.dataset.label, box?.kind === "edit" && box.label === pane.dataset.label];
      tools.forEach((tool, i) => tool.setAttribute("aria-pressed", pressed[i]));
    }
  }
  function drawOutput(label) {
    const output = outputOf(label), stands = of(label), name = side() ? `Output ${letter(label)}` : "Output";
    const hint = side() ? [] : ["R", "F", "N", "E"].map(key);
    const tool = (words, i, act) => button({ onclick: () => { pick(label); act(); } }, words, hint[i]);
    const title = make("h2", {}, side() ? make("span", { className: "letter", "aria-hidden": "true" }, letter(label)) : "Output",
      side() ? unseen(name) : null);
    const tools = make("span", { className: "tools" }, tool("Raw", 0, showRaw), tool("Flag", 1, flag), tool("Note", 2, () => openBox("note", label)), asking() ? null : tool("Edit", 3, () => openBox("edit", label)));
    const mine = box?.label === label ? box.kind : "";
    const area = (words) => make("label", {}, words, make("textarea", { value: box.saved, maxLength: mine === "note" ? 4000 : 100_000, spellcheck: mine === "note" }));
    const parts = [make("div", { className: "bar" }, title, tools)];
    if (mine === "note") parts.push(make("div", { className: "note" }, area("Note (saved as you write; Esc closes)")));
    else if (stands.note) parts.push(make("p", { className: "written" }, stands.note));
    if (mine === "edit") parts.push(make("div", { className: "correct" }, area("Change it until you would send it (saved as you write; Esc closes). Your time on this is kept apart.")));
    else {
      if (stands.edited !== null && stands.edited !== output.text) parts.push(make("p", { className: "written" }, "You have edited this output; below it stands as it was."));
      parts.push(make("div", { className: "body" }, text(raw ? output.raw : output.shown, raw ? "raw" : "")));
    }
    return make("section", { className: "pane output", tabIndex: 0, "aria-label": name, "data-label": label }, parts);
  }
  /** Make an output the current one, where several are shown. */
  function pick(label) {
    const all = cells(), here = all[cell];
    if (here.label === label || here.over === label) return;
    const found = all.findIndex((one) => one.label === label && one.criterion?.id === here.criterion?.id);
    if (found >= 0) { cell = found; draw(); }
  }

  function drawMarks() {
    const form = id("marks"), focused = form.contains(document.activeElement) && document.activeElement !== form;
    const asked = rows(), here = rowAt(asked), left = openCells().length;
    const go = button({ className: "go", "aria-disabled": left ? "true" : "false", onclick: next }, left ? `${left} left` : "Next", key("⏎"));
    const steps = make("div", { className: "steps" },
      button({ onclick: undo }, "Undo", key("U")),
      asking() ? null : button({ onclick: skip }, "Skip", key("S")), go);
    const heads = asked.map((row, i) => head(row, i === here));
    if (side()) {
      const row = asked[here];
      const about = make("div", { className: "about" }, make("h2", {}, row.name), make("p", { className: "question" }, row.question));
      const anchors = row.criterion ? make("ol", { className: "anchors" }, row.criterion.levels.map(({ level, anchor }) => make("li", {}, make("b", {}, level), make("span", {}, anchor)))) : null;
      const hint = row.criterion ? make("p", { className: "hint" }, key("←"), key("→"), " output ", key("↑"), key("↓"), " question") : null;
      form.replaceChildren(make("div", { className: "heads" }, heads, steps), ...[about, anchors, hint].filter(Boolean), ...row.cells.map((place) => choice(place, row)));
    } else {
      form.replaceChildren(...asked.map((row, i) => make("section", { className: `row ${i === here ? "active" : ""}` }, heads[i],
        i === here ? [make("p", { className: "question" }, row.question), ...row.cells.map((place) => choice(place, row))] : null)), steps);
      form.querySelector(".active")?.scrollIntoView({ block: "nearest" });
    }
    if (focused) (form.querySelector(".current :checked") ?? form.querySelector(".current input"))?.focus();
  }
  function head(row, active) {
    const said = row.cells.map((place) => {
      const value = valueOf(place), option = value === undefined ? null : options(place).find((one) => one.value === value);
      const word = !option ? "–" : value === null ? "?" : place.kind === "prefer" ? { first: letter(place.label), tie: "=", second: letter(place.over) }[value] : option.short;
      return make("b", { className: option ? "" : "none", title: option ? option.text : "not answered" }, word);
    });
    const go = () => { cell = placeOf(row.cells[0]); draw(); };
    return button({ className: "head", "aria-current": active ? "step" : null, onclick: go }, make("span", {}, row.name), make("span", { className: "said" }, said));
  }
  let drawn = 0;
  function choice(place, row) {
    const name = `m${drawn++}`, value = valueOf(place), current = same(place, cells()[cell]);
    const single = row.cells.length === 1 && row.criterion === undefined, whose = side() && !single ? `Output ${letter(place.label)}: ` : "";
    const made = options(place).map((option) => make("label", { className: `option ${option.less ? "less" : ""}` },
      make("input", { type: "radio", name, checked: value !== undefined && option.value === value, onchange: () => { cell = placeOf(place); answer(place, option.value); } }),
      make("i", { "aria-hidden": "true" }, option.short), make("span", { className: side() && !single ? "unseen" : "" }, option.text)));
    return make("fieldset", { className: `cell ${current ? "current" : ""} ${single ? "across" : ""}` }, make("legend", { className: "unseen" }, `${whose}${row.name}`), make("div", { className: "options" }, made));
  }

  function drawTabs() {
    const names = [["item", "Item"], ...shownLabels().map((label) => [label, side() ? letter(label) : "Output"])];
    const seen = view === "item" ? "item" : shownLabels().includes(view) ? view : currentLabel();
    id("tabs").replaceChildren(...names.map(([key, words]) => button({ "aria-pressed": key === seen ? "true" : "false", onclick: () => { view = key; if (key !== "item") pick(key); drawTabs(); } }, words)));
    id("item").classList.toggle("shown", seen === "item");
    for (const pane of id("outputs").children) pane.classList.toggle("shown", pane.dataset.label === seen);
  }

  // --- search and evidence ---

  let places = [], placeAt = -1, evidenceAt = -1, searchTimer = 0;
  const marksUp = "highlights" in CSS;
  function search(wanted, jump = true) {
    places = [];
    placeAt = -1;
    const sought = wanted.trim().toLowerCase();
    if (sought) for (const part of document.querySelectorAll("#item-text .text, #item-text summary")) findIn(part, sought);
    if (marksUp) {
      CSS.highlights.delete("here");
      CSS.highlights.set("found", new Highlight(...places));
    }
    if (places.length && jump) stepFound(1);
    else id("found").textContent = sought ? "none" : "";
    if (places.length && !jump) id("found").textContent = `${places.length}`;
  }
  function findIn(part, sought) {
    const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT), nodes = [], starts = [];
    let whole = "";
    while (walker.nextNode()) { nodes.push(walker.currentNode); starts.push(whole.length); whole += walker.currentNode.data; }
    const lower = whole.toLowerCase(), hay = lower.length === whole.length ? lower : whole;
    const nodeAt = (offset) => { let low = 0, high = starts.length - 1; while (low < high) { const mid = (low + high + 1) >> 1; if (starts[mid] <= offset) low = mid; else high = mid - 1; } return low; };
    for (let i = hay.indexOf(sought); i >= 0 && places.length < MOST_FOUND; i = hay.indexOf(sought, i + sought.length)) {
      const range = document.createRange(), first = nodeAt(i), last = nodeAt(i + sought.length - 1);
      range.setStart(nodes[first], i - starts[first]);
      range.setEnd(nodes[last], i + sought.length - starts[last]);
      places.push(range);
    }
  }
  function stepFound(by) {
    if (!places.length) return;
    placeAt = (placeAt + by + places.length) % places.length;
    const range = places[placeAt];
    const folded = range.startContainer.parentElement.closest("details");
    if (folded) folded.open = true;
    if (marksUp) CSS.highlights.set("here", new Highlight(range));
    else getSelection().setBaseAndExtent(range.startContainer, range.startOffset, range.endContainer, range.endOffset);
    const pane = id("item"), box_ = range.getBoundingClientRect();
    pane.scrollTop += box_.top - pane.getBoundingClientRect().top - pane.clientHeight / 3;
    id("found").textContent = `${placeAt + 1} of ${places.length}${places.length === MOST_FOUND ? "+" : ""}`;
  }
  function jumpToEvidence() {
    const all = [...document.querySelectorAll("#item-text .evidence")];
    if (!all.length) { say("No document of this item is marked as evidence"); return; }
    evidenceAt = (evidenceAt + 1) % all.length;
    const target = all[evidenceAt], pane = id("item");
    target.open = true;
    view = "item";
    drawTabs();
    pane.scrollTop += target.getBoundingClientRect().top - pane.getBoundingClientRect().top - document.querySelector("#item .bar").offsetHeight;
    if (all.length > 1) say(`Evidence ${evidenceAt + 1} of ${all.length}`);
  }
  id("find").addEventListener("input", (event) => { clearTimeout(searchTimer); searchTimer = setTimeout(() => search(event.target.value), 120); });
  id("find").addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); stepFound(event.shiftKey ? -1 : 1); }
    if (event.key === "Escape") { event.preventDefault(); event.target.blur(); }
  });
  id("evidence").addEventListener("click", jumpToEvidence);

  // --- the list, the end, and what stops the page ---

  let onlyOpen = false;
  const clockTime = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  function drawList() {
    const entries = screens.map((one, i) => {
      const stands = one.labels.map(of), any = (what) => stands.some(what);
      const begun = any((s) => Object.keys(s.levels).length), done = isDone(one);
      const signs = [any((s) => s.flagged) && "flag", any((s) => s.note) && "note", any((s) => s.edited !== null) && "edited", !done && any((s) => s.skipped) && "skipped"].filter(Boolean);
      const spent = stands.reduce((sum, s) => sum + s.active_s, 0);
      const back = signs.some((sign) => sign !== "edited") || (begun && !done);
      if (onlyOpen && !back) return null;
      return make("li", {}, button({ "aria-current": i === at ? "true" : null, onclick: () => { id("list").close(); show(i); } },
        make("span", { className: "dim" }, i + 1), make("span", { className: "title" }, pile.titles[one.sitting]),
        make("span", { className: "signs" }, signs.map((sign) => make("span", {}, sign))),
        make("span", { className: "state" }, done ? (asking() ? "answered" : "graded") : begun ? "begun" : ""),
        make("span", { className: "time" }, spent ? clockTime(spent) : "")));
    }).filter(Boolean);
    id("entries").replaceChildren(...(entries.length ? entries : [make("li", { className: "dim" }, "Nothing flagged, noted, skipped or half done.")]));
    id("only").setAttribute("aria-pressed", onlyOpen);
  }
  function openList() {
    if (id("finished").hidden) keepTime();
    drawList();
    id("list").showModal();
    (id("entries").querySelector("[aria-current]") ?? id("entries").querySelector("button"))?.focus();
  }
  id("only").addEventListener("click", () => { onlyOpen = !onlyOpen; drawList(); });
  id("list").addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const all = [...id("entries").querySelectorAll("button")];
    all[Math.min(all.length - 1, Math.max(0, all.indexOf(document.activeElement) + by))]?.focus();
  });

  function finish() {
    closeBox();
    id("main").hidden = true;
    id("finished").hidden = false;
    document.title = id("where").textContent = "All graded";
    drawProgress();
    id("tabs").replaceChildren();
    const times = Object.values(standing).map((stands) => stands.active_s).sort((a, b) => a - b);
    const middle = (times[(times.length - 1) >> 1] + times[times.length >> 1]) / 2, total = times.reduce((a, b) => a + b, 0);
    const fact = (name, value) => make("div", {}, make("dt", {}, name), make("dd", {}, value));
    const handed = pile.handed_in || !pile.open;
    id("finished").replaceChildren(make("div", {},
      make("h2", {}, handed ? "Handed in. Thank you." : "That was the last one."),
      make("p", {}, handed ? source.farewell ?? "You can close this tab." : lastQuestion()
        ? "Everything is saved. One question is left: which model wrote each of them? Look at anything again before you go on, since your grades stand as they are from then on."
        : `Everything is saved. ${asking() ? "Hand in" : "Look at anything again if you like; hand in"} when you are through, and your part is done.`),
      make("dl", { className: "facts" }, fact("Outputs graded", times.length), fact("Your time on one output (median)", clockTime(middle)), fact("Your time in all", clockTime(total))),
      handed ? null : make("div", { className: "doors" }, button({ className: "go", onclick: next }, lastQuestion() ? "Go on" : "Hand in", key("⏎")),
        button({ onclick: openList }, "Look at the list", key("L")))));
  }
  /** Whether nothing waits to be saved. */
  function allSaved() {
    if (unsent.length) { say("Some marks are not saved yet; wait a moment"); flush(); }
    return !unsent.length;
  }
  async function askWhoWrote() {
    if (stopped || !allSaved()) return;
    try {
      pile.authors = (await source.ask()).authors;
    } catch {
      say("Could not go on; is the program still running?");
      return;
    }
    past.length = 0;
    at = -1;
    onward();
  }
  async function handIn() {
    if (pile.handed_in || stopped || !allSaved()) return;
    try {
      const answer = await source.handIn();
      pile.handed_in = true;
      if (answer.all_in) { stopped = true; channel?.close(); }
      finish();
      if (answer.all_in) status("saved", "Round closed");
    } catch (error) {
      say(error instanceof Refusal && error.status === 409 ? "There is something left to do" : "Could not hand in; is the program still running?");
    }
  }

  function stop(title, words, button, act) {
    stopped = true;
    id("stop-title").textContent = title;
    id("stop-text").textContent = words;
    id("stop-go").hidden = !button;
    id("stop-go").textContent = button ?? "";
    id("stop-go").onclick = act;
    if (!id("stop").open) id("stop").showModal();
  }
  id("stop").addEventListener("cancel", (event) => event.preventDefault());
  const closed = (lost) => stop("This round has been closed",
    `What you had saved is kept.${lost ? ` The last ${lost === 1 ? "mark" : `${lost} marks`} came too late to count.` : ""} Ask whoever runs the grading if you should go on.`);
  const signedOut = () => stop("This browser is not signed in as you any more",
    `Open your own link again, or ask for a new one.${unsent.length ? " What is not saved yet is kept in this tab until then." : ""}`);
  const olderTab = () => stop("You have opened the page again elsewhere",
    "This tab has stopped, so that the two do not get in each other's way. Everything is saved.", "Go on in this tab", () => location.reload());
  const channel = "BroadcastChannel" in window ? new BroadcastChannel(source.channel ?? "evalkit-grading") : null;
  channel?.addEventListener("message", (event) => { if (event.data !== tab && pile && !stopped) { keepTime(); olderTab(); } });

  let sayTimer = 0;
  function say(words) {
    clearTimeout(sayTimer);
    id("said").textContent = words;
    sayTimer = setTimeout(() => { id("said").textContent = ""; }, 3500);
  }

  // --- keys ---

  function move(by) {
    const asked = rows(), here = rowAt(asked), column = columnIn(asked[here]), to = asked[here + by];
    if (to) { cell = placeOf(to.cells[Math.min(column, to.cells.length - 1)]); draw(); }
  }
  function moveAcross(by) {
    const row = rowOf(cells()[cell]), to = row.cells[columnIn(row) + by];
    if (to) { cell = placeOf(to); view = "output"; draw(); }
  }
  function showRaw() { closeBox(); raw = !raw; draw(); }
  const scroll = (pane, by) => pane?.scrollBy({ top: by * 0.85 * pane.clientHeight });
  const currentPane = () => document.querySelector(".output.current") ?? document.querySelector(".output");
  const commands = {
    arrowdown: () => move(1), arrowup: () => move(-1), arrowleft: () => moveAcross(-1), arrowright: () => moveAcross(1),
    enter: next, u: undo, s: () => { if (!asking()) skip(); }, f: flag, n: () => openBox("note"), e: () => openBox("edit"), l: openList,
    r: showRaw, j: jumpToEvidence, "/": () => { view = "item"; drawTabs(); id("find").focus(); id("find").select(); },
    "?": () => id("keys").showModal(), pagedown: () => scroll(id("item"), 1), pageup: () => scroll(id("item"), -1),
  };
  const anywhere = new Set(["enter", "u", "l", "?"]);

  /** The letter or digit that was meant, on any keyboard: some need Shift for digits, some have no Latin letters. */
  function meant(event) {
    const key = event.key.toLowerCase();
    if (key in commands || /^[0-9c]$/.test(key)) return key;
    const digit = /^(?:Digit|Numpad)([0-9])$/.exec(event.code), latin = /^Key([A-Z])$/.exec(event.code);
    if (digit && !event.shiftKey) return digit[1];
    return latin && key.length === 1 && key.charCodeAt(0) > 0x24f ? latin[1].toLowerCase() : key;
  }
  document.addEventListener("keydown", (event) => {
    if (!pile || stopped || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.target.matches("textarea")) {
      if (event.key === "Escape") { event.preventDefault(); closeBox(); draw(); }
      return;
    }
    if (event.target.matches("input[type=search]")) return;
    const onButton = event.target.matches("button, summary"), key = meant(event);
    if (onButton && (key === "enter" || key === " ")) return;
    const over = !id("finished").hidden;
    if (over && !anywhere.has(key)) return;
    if (key === " " && !event.target.matches("input")) { event.preventDefault(); scroll(currentPane(), event.shiftKey ? -1 : 1); return; }
    if (key === " ") return;
    if (key === "escape") { if (document.activeElement !== document.body) document.activeElement.blur(); return; }
    if (event.repeat && !key.startsWith("arrow") && !key.startsWith("page")) return;
    const option = over ? null : options(cells()[cell]).find((one) => one.key === key);
    if (option) { event.preventDefault(); view = "output"; answer(cells()[cell], option.value); return; }
    if (commands[key]) { event.preventDefault(); commands[key](); }
  });
  id("open-list").addEventListener("click", openList);
  id("open-keys").addEventListener("click", () => id("keys").showModal());
  id("marks").addEventListener("submit", (event) => event.preventDefault());
  for (const button of document.querySelectorAll("dialog .close")) button.addEventListener("click", () => button.closest("dialog").close());

  // --- begin ---

  async function begin() {
    try {
      while (unsent.length) {
        const sent = batch(), answer = await source.send(sent);
        unsent = answer.closed ? [] : unsent.slice(sent.length);
        keep();
      }
      pile = await source.pile();
    } catch (error) {
      if (error instanceof Refusal && [401, 403].includes(error.status)) signedOut();
      else { status("failed", "Cannot load, retrying"); setTimeout(begin, 1500); }
      return;
    }
    stand();
    screens = pile.sittings.flatMap((labels, sitting) => (pile.layout === "side" ? [{ sitting, labels }] : labels.map((label) => ({ sitting, labels: [label] }))));
    id("who").textContent = pile.grader;
    id("name").textContent = pile.name;
    status("saved", "Saved");
    channel?.postMessage(tab);
    if (!screens.length) { id("where").textContent = "Nothing to grade"; say("There is nothing for you to grade"); return; }
    document.body.classList.toggle("side", side());
    if (!pile.open && screens.some((one) => !isDone(one))) { closed(0); return; }
    at = -1;
    if (screens.every(isDone)) { at = 0; finish(); } else onward();
  }
  begin();
})();
