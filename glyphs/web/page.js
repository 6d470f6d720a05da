// The page: drawing, pictures, their answers, and corrections. Text of others is only ever text.

const byId = (id) => document.getElementById(id);
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

const BEST = 10;
const AT_ONCE = 4; // pictures that are asked about at the same time
const RETRIES = 5;
let model = null; // what GET /model says

// --- Asking the server ---

async function ask(path, options, body, signal) {
  const query = new URLSearchParams(options);
  for (let attempt = 0; ; attempt += 1) {
    let response;
    try {
      response = await fetch(`${path}?${query}`, { method: "POST", body, signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("The server does not answer. Is serve.py still running?");
    }
    if (response.ok) return response;
    if (response.status === 503 && attempt < RETRIES) {
      await new Promise((resolve) => setTimeout(resolve, 300 * 2 ** attempt));
      continue;
    }
    const said = await response.json().catch(() => ({}));
    throw new Error(said.error ?? `The server says ${response.status}.`);
  }
}

// Ask about one picture: {candidates, rejected} or {error}.
async function classify(blob, signal) {
  const options = { model: model.name, top: BEST, characters: true };
  const accuracy = model.accuracies.find((each) => each >= 0.99) ?? model.accuracies.at(-1);
  if (accuracy !== undefined) Object.assign(options, { reject: true, accuracy });
  const response = await ask("/classify", options, blob, signal);
  const [answer] = await response.json();
  return answer;
}

async function keep(blob, label) {
  const response = await ask("/collect", { model: model.name, label }, blob);
  return response.json();
}

// --- The model ---

const percent = (probability) => {
  const value = 100 * probability;
  return value < 0.1 ? "< 0.1 %" : `${value.toFixed(1)} %`;
};
const shown = (candidate) => candidate.character ?? candidate.label;

async function open(name) {
  const query = name === undefined ? "" : `?${new URLSearchParams({ model: name })}`;
  const response = await fetch(`/model${query}`);
  const said = await response.json();
  if (!response.ok) throw new Error(said.error);
  model = said;
  const { accuracy, pictures } = model.test;
  const facts = [`${model.class_names.length.toLocaleString("en")} characters`];
  if (accuracy) {
    facts.push(
      `${(100 * accuracy).toFixed(2)} % of ${(pictures ?? 0).toLocaleString("en")} test pictures right`,
    );
  }
  if (model.accuracies.length === 0) facts.push("not calibrated: its percentages are its own");
  byId("about").textContent = facts.join(" · ");
  byId("model").replaceChildren(
    ...model.models.map((each) => make("option", { value: each, textContent: each })),
  );
  byId("model").value = model.name;
  byId("choice").hidden = model.models.length < 2;
  const uses = new Map();
  for (const it of model.characters) uses.set(it, (uses.get(it) ?? 0) + 1);
  byId("class-names").replaceChildren(
    ...model.class_names.map((label, i) => {
      const character = model.characters[i];
      const value = character !== null && uses.get(character) === 1 ? character : label;
      return make("option", { value, label: value === label ? "" : label });
    }),
  );
  byId("no-collection").hidden = model.collects;
  byId("truth-head").hidden = !model.collects;
}

const isKnown = (text) => model.class_names.includes(text) || model.characters.includes(text);

byId("model").addEventListener("change", async () => {
  try {
    await open(byId("model").value);
  } catch (error) {
    byId("model").value = model.name;
    complain(error.message);
    return;
  }
  if (current !== null) askAbout(current);
  for (const row of rows) row.answer = null;
  work();
});

// --- The drawing: strokes of points [x, y, width], on 512 x 512 ---

const pad = byId("pad");
const context = pad.getContext("2d", { willReadFrequently: true });
const SIDE = pad.width;
const WIDTH = 15; // of a mouse's or a finger's stroke
let strokes = [];
let pointer = null;

function drawStroke(points) {
  context.fillStyle = context.strokeStyle = "#000";
  context.lineCap = context.lineJoin = "round";
  const [x, y, width] = points[0];
  context.beginPath();
  context.arc(x, y, width / 2, 0, 7);
  context.fill();
  let [fromX, fromY] = [x, y];
  for (let i = 1; i < points.length; i += 1) {
    const [ax, ay] = points[i - 1];
    const [bx, by, thick] = points[i];
    // Through the middles of the pieces, so that the line bends and has no corners.
    const isLast = i === points.length - 1;
    const toX = isLast ? bx : (ax + bx) / 2;
    const toY = isLast ? by : (ay + by) / 2;
    context.beginPath();
    context.moveTo(fromX, fromY);
    context.quadraticCurveTo(ax, ay, toX, toY);
    context.lineWidth = thick;
    context.stroke();
    [fromX, fromY] = [toX, toY];
  }
}

function redraw() {
  context.fillStyle = "#fff";
  context.fillRect(0, 0, SIDE, SIDE);
  strokes.forEach(drawStroke);
  byId("undo").disabled = strokes.length === 0;
  byId("clear").disabled = strokes.length === 0 && byId("picture").hidden;
  byId("hint").hidden = strokes.length > 0 || !byId("picture").hidden;
}

function place(event) {
  const box = pad.getBoundingClientRect();
  const hasPressure = event.pointerType === "pen" && event.pressure > 0;
  return [
    ((event.clientX - box.left) * SIDE) / box.width,
    ((event.clientY - box.top) * SIDE) / box.height,
    hasPressure ? WIDTH * (0.4 + 1.2 * event.pressure) : WIDTH,
  ];
}

pad.addEventListener("pointerdown", (event) => {
  if (pointer !== null || event.button !== 0) return;
  event.preventDefault();
  pad.focus({ preventScroll: true });
  liftPen();
  pointer = event.pointerId;
  pad.setPointerCapture(pointer);
  hideMap();
  strokes.push([place(event)]);
  redraw();
});
pad.addEventListener("pointermove", (event) => {
  if (event.pointerId !== pointer) return;
  const events = event.getCoalescedEvents?.() ?? [];
  strokes.at(-1).push(...(events.length > 0 ? events : [event]).map(place));
  redraw();
});
const lift = (event) => {
  if (event.pointerId !== pointer) return;
  pointer = null;
  askAboutDrawing();
};
pad.addEventListener("pointerup", lift);
pad.addEventListener("pointercancel", lift);

function undo() {
  if (strokes.length === 0 || pointer !== null) return;
  liftPen();
  strokes.pop();
  redraw();
  askAboutDrawing();
}

function clear() {
  strokes = [];
  pointer = null;
  pen.isDown = false;
  showPicture(null);
  forgetAnswers();
  redraw();
}

byId("undo").addEventListener("click", undo);
byId("clear").addEventListener("click", () => {
  clear();
  pad.focus();
});
addEventListener("keydown", (event) => {
  const isText = event.target.matches?.("input[type=text], select");
  if (!isText && event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    undo();
  }
});

// The pen of the keyboard.
const pen = { x: SIDE / 2, y: SIDE / 2, isDown: false };
const STEPS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

function liftPen() {
  if (pen.isDown) askAboutDrawing();
  pen.isDown = false;
}

function showPen() {
  redraw();
  context.strokeStyle = "#2f5d8a";
  context.lineWidth = 3;
  context.beginPath();
  context.arc(pen.x, pen.y, pen.isDown ? 10 : 14, 0, 7);
  context.stroke();
}

pad.addEventListener("keydown", (event) => {
  const step = STEPS[event.key];
  if (step !== undefined) {
    const size = event.shiftKey ? 4 : 16;
    pen.x = Math.max(0, Math.min(SIDE, pen.x + size * step[0]));
    pen.y = Math.max(0, Math.min(SIDE, pen.y + size * step[1]));
    if (pen.isDown) strokes.at(-1).push([pen.x, pen.y, WIDTH]);
    hideMap();
  } else if (event.key === " ") {
    if (pen.isDown) liftPen();
    else {
      hideMap();
      pen.isDown = true;
      strokes.push([[pen.x, pen.y, WIDTH]]);
    }
  } else if (event.key === "Delete" || event.key === "Backspace") {
    clear();
  } else return;
  event.preventDefault();
  showPen();
});
pad.addEventListener("blur", () => {
  liftPen();
  redraw();
});

async function askAboutDrawing() {
  showPicture(null);
  if (strokes.length === 0) {
    forgetAnswers();
    return;
  }
  redraw(); // without the pen of the keyboard
  const asked = strokes.length;
  const blob = await new Promise((resolve) => pad.toBlob(resolve, "image/png"));
  if (asked === strokes.length) askAbout(blob);
}

// --- The answers to one picture ---

let current = null; // the blob that was asked about last
let asking = new AbortController();

function complain(message) {
  byId("problem").textContent = message;
  byId("problem").hidden = message === "";
}

function forgetAnswers() {
  asking.abort();
  current = null;
  hideMap();
  complain("");
  byId("answers").replaceChildren();
  byId("doubt").hidden = true;
  byId("correction").hidden = true;
  byId("empty").hidden = false;
  byId("spoken").textContent = "";
}

async function askAbout(blob) {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  current = blob;
  hideMap();
  let isShown = false;
  try {
    const answer = await classify(blob, signal);
    await document.fonts.ready;
    if (signal.aborted) return;
    show(answer);
    isShown = true;
    const [best] = answer.candidates ?? [];
    if (best) await showMap(blob, best.label, signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (isShown) complain(error.message);
    else show({ error: error.message }); // what stands there is of another picture
  }
}

function show(answer) {
  complain(answer.error ?? "");
  byId("empty").hidden = true;
  const candidates = answer.candidates ?? [];
  const isDoubtful = answer.rejected === true;
  byId("doubt").hidden = !isDoubtful;
  byId("doubt").lastElementChild.textContent =
    candidates.length > 0 ? "The model would not bet on any of these." : "There is nothing on it.";
  byId("answers").classList.toggle("is-doubtful", isDoubtful);
  byId("answers").replaceChildren(...candidates.map(answerRow));
  byId("correction").hidden = !model.collects;
  byId("truth").value = "";
  byId("truth-note").textContent = "";
  const [best] = candidates;
  const words = best ? `${shown(best)}, ${percent(best.probability)}` : "";
  byId("spoken").textContent = isDoubtful ? `Not sure. ${words}` : words;
}

function answerRow(candidate, i) {
  const button = make("button", { type: "button", className: "answer" });
  const share = percent(candidate.probability);
  button.title = `Copy ${shown(candidate)}`;
  button.setAttribute("aria-label", `${shown(candidate)}, ${share}. Copy`);
  const hasCharacter = candidate.character != null;
  if (hasCharacter) {
    button.append(make("span", { className: "character-text", textContent: candidate.character }));
  }
  const name = hasCharacter && candidate.character === candidate.label ? "" : candidate.label;
  const bar = make("span", { className: "bar" });
  bar.style.setProperty("--share", `${100 * candidate.probability}%`);
  button.append(
    make("span", { className: hasCharacter ? "name" : "name alone", textContent: name }),
    make("span", { className: "percent", textContent: share }),
    bar,
  );
  button.addEventListener("click", async () => {
    await copy(shown(candidate));
    button.classList.add("is-copied");
    byId("spoken").textContent = `${shown(candidate)} copied`;
    setTimeout(() => button.classList.remove("is-copied"), 1200);
  });
  const row = make("li", { className: i === 0 ? "first" : "" }, button);
  if (model.collects) {
    const tick = make("button", { type: "button", className: "tick", textContent: "It is this" });
    tick.setAttribute("aria-label", `It is ${shown(candidate)}: keep the picture`);
    tick.addEventListener("click", () => correct(candidate.label));
    row.append(tick);
  }
  return row;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Not allowed, as on a page from another machine: the old way.
    const area = make("textarea", { value: text, className: "hidden" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

// --- The map ---

const MAP_DELAY = 400; // milliseconds without a new stroke
let mapUrl = null;
let hadMap = false;

function hideMap() {
  byId("map").hidden = true;
  byId("map-note").textContent = "";
}

async function showMap(blob, label, signal) {
  if (!byId("show-map").checked) return;
  await new Promise((resolve) => setTimeout(resolve, MAP_DELAY));
  if (signal.aborted) return;
  if (!hadMap) byId("map-note").textContent = "The first map takes some seconds …";
  try {
    const response = await ask("/map", { model: model.name, label }, blob, signal);
    const png = await response.blob();
    if (signal.aborted) return;
    URL.revokeObjectURL(mapUrl);
    mapUrl = URL.createObjectURL(png);
    byId("map").src = mapUrl;
    byId("map").hidden = !byId("show-map").checked;
    byId("map-note").textContent = "";
    hadMap = true;
  } catch (error) {
    if (error.name !== "AbortError") byId("map-note").textContent = `No map: ${error.message}`;
  }
}

byId("show-map").addEventListener("change", () => {
  if (!byId("show-map").checked) hideMap();
  else if (current !== null) askAbout(current);
});

// --- Corrections ---

async function correct(label) {
  const blob = current;
  const note = byId("truth-note");
  if (label === "" || blob === null) {
    note.textContent = "which character?";
    return;
  }
  try {
    const kept = await keep(blob, label);
    note.textContent = `kept as ${kept.path}${kept.is_new_class ? ", a new class" : ""}`;
  } catch (error) {
    note.textContent = error.message;
  }
}

byId("correction").addEventListener("submit", (event) => {
  event.preventDefault();
  correct(byId("truth").value.trim());
});
byId("truth").addEventListener("input", () => {
  const text = byId("truth").value.trim();
  byId("truth-note").textContent =
    text === "" || isKnown(text) ? "" : "a class that the model does not know";
});

// --- Pictures: one is shown and asked about, several become a table ---

let pictureUrl = null;

function showPicture(blob) {
  URL.revokeObjectURL(pictureUrl);
  pictureUrl = blob === null ? null : URL.createObjectURL(blob);
  byId("picture").hidden = blob === null;
  if (blob === null) byId("picture").removeAttribute("src");
  else byId("picture").src = pictureUrl;
}

function openPicture(blob) {
  strokes = [];
  showPicture(blob);
  redraw();
  askAbout(blob);
}

function take(files) {
  const pictures = [...files];
  if (pictures.length === 0) return;
  if (pictures.length === 1 && rows.length === 0) openPicture(pictures[0]);
  else addRows(pictures);
}

byId("choose").addEventListener("click", () => byId("files").click());
byId("photograph").addEventListener("click", () => byId("camera").click());
for (const input of [byId("files"), byId("camera")]) {
  input.addEventListener("change", () => {
    take(input.files);
    input.value = "";
  });
}
addEventListener("paste", (event) => {
  if (event.clipboardData.files.length === 0) return;
  event.preventDefault();
  take(event.clipboardData.files);
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("is-over");
});
addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) document.body.classList.remove("is-over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("is-over");
  take(event.dataTransfer.files);
});

// --- The table ---

let rows = []; // {file, url, element, cells, answer, isAsked, correction}

function addRows(files) {
  for (const file of files) {
    const url = URL.createObjectURL(file);
    const opener = make(
      "button",
      { type: "button", title: "Show it above" },
      make("img", { src: url, alt: "", loading: "lazy" }),
      make("span", { textContent: file.name }),
    );
    const cells = Array.from({ length: 5 }, () => make("td"));
    cells[0].append(opener);
    cells[1].textContent = "…";
    const row = { file, url, cells, element: make("tr", {}, ...cells), answer: null };
    opener.addEventListener("click", () => {
      openPicture(file);
      byId("sheet").scrollIntoView({ block: "nearest", behavior: "smooth" });
    });
    rows.push(row);
    byId("pictures").tBodies[0].append(row.element);
  }
  byId("several").hidden = false;
  work();
}

// Ask about all rows that have no answer yet, a few at a time.
function work() {
  const busy = rows.filter((row) => row.isAsked).length;
  const waiting = rows.filter((row) => !row.isAsked && row.answer === null);
  for (const row of waiting.slice(0, Math.max(0, AT_ONCE - busy))) askRow(row);
  const done = rows.filter((row) => row.answer !== null).length;
  byId("count").textContent =
    done < rows.length ? `${done} of ${rows.length} pictures` : `${rows.length} pictures`;
  byId("download").disabled = done < rows.length || rows.length === 0;
}

async function askRow(row) {
  row.isAsked = true;
  const asked = model.name;
  let answer;
  try {
    answer = await classify(row.file);
  } catch (error) {
    answer = { error: error.message };
  }
  row.isAsked = false;
  if (asked === model.name) {
    row.answer = answer;
    fillRow(row);
  }
  work();
}

const textOf = (candidate) =>
  make("span", {
    className: candidate.character == null ? "" : "character-text",
    textContent: shown(candidate),
  });

function fillRow(row) {
  const { answer, cells } = row;
  const [best, ...others] = answer.candidates ?? [];
  for (const cell of cells.slice(1)) cell.replaceChildren();
  if (answer.error !== undefined) {
    cells[1].append(make("p", { className: "problem", textContent: answer.error }));
  } else if (best === undefined) {
    cells[1].textContent = "? nothing on it";
  } else {
    if (answer.rejected) {
      cells[1].append(make("span", { className: "character-text", textContent: "? " }));
    }
    cells[1].append(textOf(best));
    if (best.character != null && best.character !== best.label) {
      cells[1].append(" ", make("span", { className: "name", textContent: best.label }));
    }
    cells[2].textContent = percent(best.probability);
    cells[3].append(
      make("span", {
        className: "name",
        textContent: others
          .slice(0, 3)
          .map((it) => `${shown(it)} ${percent(it.probability)}`)
          .join(", "),
      }),
    );
  }
  cells[4].hidden = !model.collects;
  if (model.collects && answer.error === undefined) cells[4].append(correctionForm(row, best));
}

function correctionForm(row, best) {
  const input = make("input", { type: "text", autocomplete: "off", spellcheck: false });
  input.setAttribute("list", "class-names");
  input.setAttribute("aria-label", `What ${row.file.name} is`);
  input.value = row.correction ?? "";
  input.placeholder = best ? shown(best) : "";
  const note = make("span", { className: "note" });
  note.setAttribute("role", "status");
  const form = make("form", {}, input, make("button", { type: "submit", textContent: "Keep" }), note);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const label = input.value.trim() || best?.label;
    if (label === undefined) {
      note.textContent = "which character?";
      return;
    }
    try {
      const kept = await keep(row.file, label);
      row.correction = kept.label;
      note.textContent = `kept as ${kept.path}`;
    } catch (error) {
      note.textContent = error.message;
    }
  });
  return form;
}

byId("forget").addEventListener("click", () => {
  for (const row of rows) URL.revokeObjectURL(row.url);
  rows = [];
  byId("pictures").tBodies[0].replaceChildren();
  byId("several").hidden = true;
});

const field = (text) => `"${String(text).replaceAll('"', '""')}"`;

byId("download").addEventListener("click", () => {
  const lines = ["filename,label,character,probability,rejected,error,correction"];
  for (const { file, answer, correction } of rows) {
    const [best] = answer.candidates ?? [];
    lines.push(
      [
        field(file.name),
        best ? field(best.label) : "",
        best?.character != null ? field(best.character) : "",
        best ? best.probability.toFixed(6) : "",
        answer.rejected ?? "",
        answer.error === undefined ? "" : field(answer.error),
        correction === undefined ? "" : field(correction),
      ].join(","),
    );
  }
  const link = make("a", {
    href: URL.createObjectURL(new Blob([lines.join("\n"), "\n"], { type: "text/csv" })),
    download: "answers.csv",
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
});

// --- Begin ---

redraw();
// Before the first answer: what was drawn without a font is not always drawn anew with it.
document.fonts.load('1em "Bundled Gothic"', "亜").catch(() => {});
try {
  await open();
} catch (error) {
  complain(error.message);
}
