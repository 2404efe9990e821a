// The offline page's source: the pile is in this file, marks stay in this browser and go out as one JSON file.
"use strict";
(() => {
  const packet = JSON.parse(document.getElementById("packet").textContent), key = `evalkit-packet-${packet.id}`;
  const answers = { evalkit: "answers", version: 1, packet: packet.id, round: packet.round, grader: packet.pile.grader, handed_in: false, marks: [] };
  const name = `${document.location.pathname.split("/").pop().replace(/\.html?$/i, "") || "packet"}-answers.json`;
  let keeps = true, downloaded = 0;

  /** Take in the marks of other answers to this packet that are not here yet. */
  function takeIn(found) {
    const known = new Set(answers.marks.map(({ nonce }) => nonce));
    answers.marks.push(...found.marks.filter(({ nonce }) => !known.has(nonce)));
    answers.handed_in ||= found.handed_in === true;
  }

  // Answers are kept twice. Of pages from disk Chromium sometimes shows a reloaded one an empty localStorage, and what
  // is written then replaces what was there; IndexedDB alone may lose what was written just before a page goes.
  const settled = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = request.onblocked = () => reject(request.error);
    setTimeout(() => reject(new Error("no answer")), 5_000);
  });
  const opening = (async () => {
    const request = indexedDB.open(key, 1);
    request.onupgradeneeded = () => request.result.createObjectStore("answers");
    return settled(request);
  })();
  const store = async (mode) => (await opening).transaction("answers", mode).objectStore("answers");
  const places = [
    { read: async () => JSON.parse(localStorage.getItem(key)), write: async () => localStorage.setItem(key, JSON.stringify(answers)) },
    { read: async () => settled((await store("readonly")).get(key)), write: async () => settled((await store("readwrite")).put(structuredClone(answers), key)) },
  ];
  /** Do one thing at both places, and see to it that one at least can. */
  async function atBoth(act) {
    const done = await Promise.allSettled(places.map((place) => place[act]()));
    keeps = done.some(({ status }) => status === "fulfilled");
    return done.map(({ value }) => value).filter(Boolean);
  }
  const ready = atBoth("read").then((found) => {
    found.forEach(takeIn);
    downloaded = answers.marks.length;
  });
  async function keep() {
    await atBoth("write");
    if (!keeps) document.getElementById("said").textContent = "This browser keeps nothing: download your answers before you close this page.";
  }
  const text = () => JSON.stringify(answers, null, 1);
  function download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text()], { type: "application/json" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    downloaded = answers.marks.length;
  }
  async function copy(event) {
    const button = event.currentTarget;
    let done = true;
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      done = false;
    }
    button.firstChild.data = done ? "Copied" : "Could not copy";
    setTimeout(() => { button.firstChild.data = "Copy"; }, 2000);
  }
  /** Go on from answers that were downloaded, here or elsewhere: what is in neither is added to what is here. */
  async function goOn(event) {
    const [file] = event.target.files;
    event.target.value = "";
    if (!file) return;
    try {
      const found = JSON.parse(await file.text());
      const whole = ({ nonce, label, kind, content }) => [nonce, label, kind].every((part) => typeof part === "string") && typeof content === "object";
      if (found.packet !== packet.id || !found.marks.every(whole)) throw new Error("another packet's");
      await keep();
      if (!keeps) return; // a page opened anew would have nothing of it
      takeIn(found);
      await keep();
      document.location.reload();
    } catch {
      document.getElementById("said").textContent = "This file has no answers to this packet.";
    }
  }

  const button = (words, act) => {
    const made = document.createElement("button"), more = document.createElement("span");
    made.type = "button";
    more.className = "wide";
    more.textContent = "answers";
    made.append(words, more);
    made.addEventListener("click", act);
    return made;
  };
  const chooser = document.createElement("input");
  chooser.type = "file";
  chooser.accept = ".json";
  chooser.hidden = true;
  chooser.addEventListener("change", goOn);
  const open = button("Open", () => chooser.click());
  const copying = button("Copy", copy), downloading = button("Download", download);
  for (const one of [open, copying]) one.className = "wide";
  document.getElementById("open-list").before(open, chooser, copying, downloading);
  window.addEventListener("beforeunload", (event) => { if (!keeps && downloaded < answers.marks.length) event.preventDefault(); });

  window.evalkitSource = {
    channel: packet.id,
    farewell: `Your answers are in the file ${name}. Send it back to whoever gave you this page; you can download or copy it again above.`,
    pile: async () => {
      await ready;
      return { ...structuredClone(packet.pile), open: true, handed_in: answers.handed_in, marks: answers.marks };
    },
    sitting: async (number) => packet.sittings[number],
    send: async (marks) => {
      answers.marks.push(...marks);
      keep();
      return { taken: marks.map(({ nonce }) => nonce), refused: [], closed: null, newest: true };
    },
    handIn: async () => {
      answers.handed_in = true;
      keep();
      download();
      return { all_in: false };
    },
  };
})();
