"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
for (const it of all(".tools, fieldset, .bar")) it.hidden = false;

// An input drops the ends of lines, so names show them as escapes.
const shown = (name) => name.replaceAll("\r", "\\r").replaceAll("\n", "\\n");
const names = data.classes.map(([name]) => name);
const fold = (text) => text.normalize("NFKC").toLowerCase();

// --- Sorting: by the number of a cell, or by what its data-v says ---

const value = (row, column) => {
  const cell = row.cells[column];
  return Number(cell.dataset.v ?? cell.textContent.replace(/[,%\s]/g, ""));
};

function sortBy(head) {
  const table = head.closest("table");
  const before = head.getAttribute("aria-sort");
  const descends = before ? before === "ascending" : isCount(table, head);
  for (const other of all("th", table)) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", descends ? "descending" : "ascending");
  const sign = descends ? -1 : 1;
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => [value(row, head.cellIndex), row]);
  rows.sort(([a], [b]) => sign * (a - b));
  body.append(...rows.map(([, row]) => row));
}

// Of counts one wants the largest first, of names the first.
const isCount = (table, head) => {
  const [row] = table.tBodies[0].rows;
  return row !== undefined && row.cells[head.cellIndex].dataset.v === undefined;
};

for (const table of all("table.sortable")) {
  table.tHead.addEventListener("click", (event) => {
    if (event.target.tagName === "BUTTON") sortBy(event.target.closest("th"));
  });
}

// --- Filtering by the names of classes, by their characters, and by paths ---

const searched = data.classes.map((texts) => fold(texts.join("\n")));
const searchedItems = data.items.map((texts) => fold(texts.join("\n")));

function has(element, wanted) {
  const { classes, item } = element.dataset;
  if (item !== undefined) return searchedItems[item].includes(wanted);
  return (classes ?? "").split(" ").some((number) => (searched[number] ?? "").includes(wanted));
}

for (const input of all("input[data-filter]")) {
  const place = byId(input.dataset.filter);
  const elements = place.tBodies ? [...place.tBodies[0].rows] : [...place.children];
  const output = input.closest("p").querySelector("output");
  const apply = () => {
    const wanted = fold(input.value.trim());
    let left = 0;
    for (const element of elements) {
      element.hidden = wanted !== "" && !has(element, wanted);
      left += !element.hidden;
    }
    output.textContent = wanted ? `${left} of ${elements.length}` : "";
  };
  input.addEventListener("input", apply);
  if (input.value) apply();
}

// --- The matrix: what a cell says ---

const matrix = byId("matrix");
if (matrix) {
  const picture = matrix.querySelector("img");
  const cursor = byId("cursor");
  const n = names.length;
  const counts = new Map(data.cells.map(([label, answer, count]) => [label * n + answer, count]));
  // A reader's fonts may lack a class's character; the table of classes has it as a picture.
  const drawn = new Map(
    all("#by-class tbody td:first-child").map((cell) => [Number(cell.dataset.v), cell]),
  );
  const nameNodes = (label) => {
    const cell = drawn.get(label);
    return cell ? [...cell.cloneNode(true).childNodes] : [shown(names[label])];
  };
  let row = 0;
  let column = 0;
  const show = () => {
    const count = counts.get(row * n + column) ?? 0;
    byId("cell").replaceChildren(
      ...nameNodes(row), " read as ", ...nameNodes(column), `: ${count}`,
    );
    const side = picture.clientWidth / n;
    cursor.hidden = false;
    cursor.style.left = `${column * side}px`;
    cursor.style.top = `${row * side}px`;
    cursor.style.width = cursor.style.height = `${side}px`;
  };
  const limited = (number) => Math.max(0, Math.min(n - 1, Math.floor(number)));
  picture.addEventListener("pointermove", (event) => {
    column = limited((event.offsetX * n) / picture.clientWidth);
    row = limited((event.offsetY * n) / picture.clientHeight);
    show();
  });
  matrix.addEventListener("focus", show);
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  matrix.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    row = limited(row + step[0]);
    column = limited(column + step[1]);
    show();
  });
}

// --- Marks, and the list of corrections that they make ---

const nameOf = new Map(names.map((name) => [shown(name), name]));
byId("class-names")?.append(
  ...data.classes.map(([name, character]) => {
    const option = document.createElement("option");
    option.value = shown(name);
    if (character !== undefined) option.label = `${shown(name)} ${character}`;
    return option;
  }),
);

const cases = all("li[data-item]").map((element) => ({
  element,
  item: data.items[element.dataset.item],
  input: element.querySelector("input[type=text]"),
  note: element.querySelector(".note"),
  mark: () => element.querySelector("input[type=radio]:checked").value,
}));

// Return what a mark makes of a label: null nothing, "" no character.
function correction(it) {
  const mark = it.mark();
  if (mark === "none") return "";
  if (mark !== "wrong") return null;
  const [, label, suggestion] = it.item;
  const typed = it.input.value;
  const known = typed === shown(suggestion) ? suggestion : nameOf.get(typed);
  const name = known ?? nameOf.get(typed.trim()) ?? typed.trim();
  return name === "" || name === label ? null : name;
}

function noteOf(it) {
  if (it.mark() !== "wrong") return "";
  const typed = it.input.value.trim();
  if (typed === "") return "which class?";
  const name = correction(it);
  if (name === null) return "that is its label";
  return name === it.item[2] || nameOf.has(shown(name)) ? "" : "a class that the model does not know";
}

const field = (text) => `"${text.replaceAll('"', '""')}"`;

function corrections() {
  const rows = [];
  for (const it of cases) {
    const name = correction(it);
    if (name !== null) rows.push([it.item[0], it.item[1], name].map(field).join(","));
  }
  return rows;
}

// Bytes of a path that are no text stand in Python's strings, and so here, as lone surrogates.
function bytes(text) {
  const encoder = new TextEncoder();
  return text
    .split(/([\udc80-\udcff])/u)
    .map((part, i) => (i % 2 ? Uint8Array.of(part.charCodeAt(0) & 255) : encoder.encode(part)));
}

let isSaved = true;
function count() {
  let marked = 0;
  for (const it of cases) {
    const mark = it.mark();
    it.element.dataset.mark = mark;
    it.note.textContent = noteOf(it);
    marked += mark !== "";
  }
  const n = corrections().length;
  byId("counter").textContent =
    `${marked} of ${cases.length} marked, ${n} ${n === 1 ? "correction" : "corrections"}`;
  byId("download").disabled = n === 0;
}

if (cases.length > 0) {
  for (const it of cases) {
    it.input.value ||= shown(it.item[2]);
    it.input.addEventListener("input", () => {
      it.element.querySelector("input[value=wrong]").checked = true;
    });
    it.element.addEventListener("input", () => {
      isSaved = false;
      count();
    });
  }
  count();
  byId("download").addEventListener("click", () => {
    const text = ["path,label,correction", ...corrections(), ""].join("\n");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(bytes(text), { type: "text/csv" }));
    link.download = "corrections.csv";
    link.click();
    isSaved = true;
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  });
  addEventListener("beforeunload", (event) => {
    if (!isSaved) event.preventDefault();
  });
}
