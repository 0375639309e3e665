// The page asks the server and shows what it says. Text reaches the page as text only (textContent): names of files and
// labels may hold anything.
"use strict";

const QUESTIONS = {
  classify: ["What is it?", "the most probable classes of the whole picture", "If the best class scores less, nothing is found."],
  detect: ["What is where?", "a box around each object", "Objects that score less are not reported."],
  segment: ["Which pixels are what?", "a mask for each class", "Pixels whose best class scores less belong to nothing."],
};
const CLOSE = 0.2; // a call is close if the lead is less than this share of the score
const JUST = 1.1; // and a score is just over the threshold if it is less than so many times it
const CROWDED = 6; // boxes beyond which there is room for their numbers only
const PAUSE = 150; // ms without a change of the threshold before it is asked again
const at = (id) => document.getElementById(id);

let about; // what the server told of itself
let picture = null; // the file that is asked about
let shownOf = null; // the file whose pixels are on the page
let running = null; // what aborts the requests under way
let answer = null;
let follow = false; // whether the answer is to come into view
let thresholds = {}; // of each task, where the person chose one
let urls = { picture: null, json: null };

// --- small tools -----------------------------------------------------------------------------------------------------

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function drawn(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const score = (value) => (value > 0 && value < 0.005 ? "under 0.01" : value.toFixed(2));
const percent = (share) => (share < 0.01 ? "under 1 %" : `${Math.round(100 * share)} %`);
const count = (number, one, many = one + "s") => `${number} ${number === 1 ? one : many}`;
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

function replaceUrl(kind, blob) {
  if (urls[kind]) URL.revokeObjectURL(urls[kind]);
  urls[kind] = blob ? URL.createObjectURL(blob) : null;
  return urls[kind];
}

// --- the question ----------------------------------------------------------------------------------------------------

const task = () => document.querySelector("input[name=task]:checked").value;
const ofTask = () => about.tasks.find((each) => each.task === task());

function offerTasks() {
  about.tasks.forEach((each, number) => {
    const [title, hint] = QUESTIONS[each.task];
    const radio = make("input", { type: "radio", name: "task", value: each.task, checked: number === 0 });
    at("tasks").append(make("label", { className: "choice" }, radio, title, make("small", {}, `${hint} (${each.model})`)));
    radio.addEventListener("change", () => { showThreshold(); ask(); });
  });
}

function offerPhotographs() {
  at("photographs").hidden = about.photographs.length === 0;
  for (const each of about.photographs) {
    const address = `photographs/${each.name}.webp`;
    const image = make("img", { src: address, alt: each.shows, loading: "lazy", decoding: "async" });
    const title = `${each.shows} (${each.author}, ${each.licence})`;
    const button = make("button", { type: "button", title, value: each.name, "aria-pressed": "false" }, image);
    button.addEventListener("click", async () => {
      try {
        const response = await fetch(address);
        if (!response.ok) throw await problemOf(response);
        at("file").value = "";
        take(new File([await response.blob()], `${each.name}.webp`));
        button.setAttribute("aria-pressed", "true");
      } catch (error) { tell(error); }
    });
    at("photographs").querySelector("ul").append(make("li", {}, button));
  }
}

function showThreshold() {
  const value = thresholds[task()] ?? ofTask().threshold;
  at("threshold").value = value;
  at("threshold-value").textContent = score(Number(value));
  at("threshold-hint").textContent = QUESTIONS[task()][2];
  at("as-specified").disabled = Number(value) === ofTask().threshold;
  at("as-specified").textContent = `As specified: ${score(ofTask().threshold)}`;
}

let pause;
function setThreshold(value, wait = PAUSE) {
  thresholds[task()] = Number(value) === Number(ofTask().threshold) ? undefined : value;
  showThreshold();
  clearTimeout(pause);
  pause = setTimeout(ask, wait);
}

function take(file) {
  picture = file;
  for (const each of document.querySelectorAll("#photographs button")) each.setAttribute("aria-pressed", "false");
  follow = true;
  ask();
}

// On a phone the answer lies below the question. It is brought into view for a new picture, not for each new setting.
function bringIntoView() {
  if (follow && at("result").getBoundingClientRect().top > innerHeight / 2) at("result").scrollIntoView();
  follow = false;
}

function takeFirst(files) {
  if (files.length) take(files[0]);
}

// --- asking ----------------------------------------------------------------------------------------------------------

class Problem extends Error {
  constructor(code, message, again = false) {
    super(message);
    Object.assign(this, { code, again });
  }
}

async function problemOf(response) {
  try {
    const { error } = await response.json();
    return new Problem(error.code, error.message, ["busy", "too_slow", "failed"].includes(error.code));
  } catch {
    return new Problem(String(response.status), "The server sent something that is no answer.", true);
  }
}

async function post(address, signal, chosen = true) {
  const query = new URLSearchParams({ task: task(), name: picture.name });
  if (chosen && thresholds[task()] !== undefined) query.set("threshold", thresholds[task()]);
  const headers = { "Content-Type": "application/octet-stream" };
  let response;
  try {
    response = await fetch(`${address}?${query}`, { method: "POST", body: picture, headers, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    // A file that changed or went away since it was chosen fails in the same way as a server that did.
    const there = await picture.slice(0, 1).arrayBuffer().then(() => true, () => false);
    if (!there) throw new Problem("unreadable", `${picture.name}: the file cannot be read any more. Choose it again.`);
    throw new Problem("no_server", "The server does not answer. Was it stopped? Start it again, then try again.", true);
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function ask() {
  if (!picture || !about) return;
  running?.abort();
  const mine = (running = new AbortController());
  const file = picture;
  document.body.classList.add("working");
  at("problem").hidden = true;
  at("status").textContent = `Looking at ${file.name}.`;
  try {
    if (file.size > about.limits.bytes) {
      throw new Problem("too_large", `${file.name}: ${megabytes(file.size)}; at most ${megabytes(about.limits.bytes)} are taken here.`);
    }
    if (shownOf !== file) {
      clear();
      const pixels = await (await post("api/picture", mine.signal, false)).blob();
      at("picture").src = replaceUrl("picture", pixels);
      await at("picture").decode();
      at("shown").hidden = false;
      at("caption").textContent = file.name;
      shownOf = file;
    }
    const started = performance.now();
    const response = await post("api/answer", mine.signal);
    const found = await response.json();
    if (mine !== running) return;
    show(found, response.headers.get("Server-Timing") ?? "", performance.now() - started);
  } catch (error) {
    if (mine === running && error.name !== "AbortError") tell(error);
  } finally {
    if (mine === running) document.body.classList.remove("working");
  }
}

// --- what went wrong -------------------------------------------------------------------------------------------------

function clear() {
  answer = null;
  shownOf = null;
  for (const id of ["shown", "answer", "closest", "problem"]) at(id).hidden = true;
}

function tell(error) {
  clear();
  document.body.classList.remove("working");
  const known = error instanceof Problem ? error : new Problem("page", `The page failed: ${error.message}`, true);
  const why = about?.codes[known.code];
  const parts = [make("p", {}, known.message)];
  const foot = make("p", {});
  if (known.again) {
    const again = make("button", { type: "button" }, "Try again");
    again.addEventListener("click", about ? ask : start);
    foot.append(again);
  }
  foot.append(make("small", {}, why ? `${known.code}: ${why}` : known.code));
  at("problem").replaceChildren(...parts, foot);
  at("problem").hidden = false;
  at("status").textContent = "No answer.";
  bringIntoView();
}

// --- what was found --------------------------------------------------------------------------------------------------

function show(found, timing, roundTrip) {
  answer = found;
  const names = [...new Set(found.results.map((each) => each.label))];
  const colours = Object.fromEntries(names.map((name, i) => [name, about.colours[i % about.colours.length]]));
  at("picture").alt = `${found.image.name ?? "the picture"}, as it was decoded`;
  at("stage").classList.toggle("small", Math.max(found.image.width, found.image.height) <= 96);
  at("caption").textContent = [
    found.image.name, found.image.format, `${found.image.width} × ${found.image.height} pixels`, ...found.image.notes,
  ].filter(Boolean).join(" · ");
  showMasks(found, colours);
  showBoxes(found, colours);
  showTable(found, colours);
  showDoubt(found);
  showClosest(found);
  showFiles(found);
  showTimes(timing, roundTrip);
  showVersions(found);
  at("answer").hidden = false;
  at("status").textContent = summary(found);
  bringIntoView();
}

function summary(found) {
  const miss = found.nearest_miss;
  if (!found.found) {
    const closest = miss ? `The closest: ${missed(miss, found)}.` : "Nothing came close either.";
    return `Nothing found that reaches the threshold of ${score(found.threshold)}. ${closest}`;
  }
  const { width, height } = found.image;
  const measure = (each) => (found.task === "segment" ? percent(each.area / (width * height)) : score(each.score));
  const told = found.task === "classify" ? 3 : 4;
  const listed = found.results.slice(0, told).map((each) => `${each.label} ${measure(each)}`).join(", ");
  if (found.task === "classify") return `Most probable: ${listed}.`;
  const more = found.results.length > told ? ` and ${found.results.length - told} more` : "";
  const kind = found.task === "detect" ? count(found.results.length, "object") : count(found.results.length, "class", "classes");
  return `${kind} found: ${listed}${more}${found.task === "segment" ? " of the pixels" : ""}.`;
}

const missed = (miss, found) => `${miss.label} ${score(miss.score)}${miss.score < found.threshold ? "" : ", on too few pixels"}`;

// What came closest, and a threshold that would report it.
function showClosest(found) {
  const miss = found.nearest_miss;
  const below = miss && miss.score < found.threshold;
  const line = at("closest");
  line.hidden = !miss || !(found.found || below);
  line.replaceChildren(found.found && miss ? `The closest that is not reported: ${missed(miss, found)}. ` : "");
  if (!below) return;
  const lower = Math.max(0, Math.floor(100 * miss.score) / 100);
  const button = make("button", { type: "button" }, `Report from ${lower.toFixed(2)}`);
  button.addEventListener("click", () => { setThreshold(lower, 0); at("result").focus(); });
  line.append(button);
}

function doubts(result, found) {
  const { margin } = result.uncertainty;
  const said = [];
  if (margin < CLOSE * result.score) {
    said.push(found.task === "segment" ? "close call: on average another class is near" : `close call: another class is ${margin.toFixed(2)} behind`);
  }
  if (result.score < JUST * found.threshold) said.push("just over the threshold");
  return said;
}

function showTable(found, colours) {
  const whole = found.task === "classify";
  const columns = ["What", "Score"];
  if (!whole) columns.push("Lead", found.task === "segment" ? "Pixels" : "Where");
  const head = make("tr", { role: "row" }, ...columns.map((name) => make("th", { scope: "col", role: "columnheader" }, name)));
  const rows = found.results.map((each, number) => {
    const cells = [cell("Score", scoreOf(each), ...(whole ? [] : [make("span", { className: "close" }, doubts(each, found).join("; "))]))];
    if (!whole) cells.push(cell("Lead", score(each.uncertainty.margin)), cell(columns[3], whereOf(each, found)));
    const name = make("th", { scope: "row", role: "rowheader" }, whole ? each.label : pin(each, number, colours));
    return make("tr", { role: "row" }, name, ...cells);
  });
  const table = at("results");
  table.setAttribute("role", "table");
  table.hidden = rows.length === 0;
  table.tHead.replaceChildren(head);
  table.tBodies[0].replaceChildren(...rows);
  table.caption.textContent = whole
    ? "Score: probability of the class."
    : "Score: probability. Lead: how far the next class is behind." + (found.task === "segment" ? " Both are means over the mask." : " Where: x and y in pixels.");
}

const cell = (name, ...content) => make("td", { role: "cell", "data-name": name }, make("div", {}, ...content));

function scoreOf(result) {
  const shown = make("span", { className: "score" }, score(result.score));
  shown.style.backgroundSize = `${100 * result.score}% .3rem`;
  return shown;
}

function whereOf(result, found) {
  if (found.task === "segment") {
    return `${percent(result.area / (found.image.width * found.image.height))} (${result.area.toLocaleString("en")})`;
  }
  const [x1, y1, x2, y2] = result.box.map(Math.round);
  return `x ${x1}–${x2}, y ${y1}–${y2}`;
}

// The name in a row shows its box alone while the pointer or the focus is on it, and keeps it so when it is pressed.
function pin(result, number, colours) {
  const swatch = make("span", { className: "swatch" });
  swatch.style.background = colours[result.label];
  const button = make("button", { type: "button", "aria-pressed": "false", title: "Show this one alone" }, swatch, `${number + 1} ${result.label}`);
  const pinned = () => document.querySelector("#results button[aria-pressed=true]");
  const rest = () => alone(pinned() ? Number(pinned().dataset.number) : null);
  button.dataset.number = number;
  button.addEventListener("pointerenter", () => alone(number));
  button.addEventListener("focus", () => alone(number));
  button.addEventListener("pointerleave", rest);
  button.addEventListener("blur", rest);
  button.addEventListener("click", () => {
    const before = pinned();
    before?.setAttribute("aria-pressed", "false");
    if (before !== button) button.setAttribute("aria-pressed", "true");
    rest();
  });
  return button;
}

function alone(number) {
  for (const each of document.querySelectorAll("#boxes [data-number], #labels [data-number]")) {
    each.classList.toggle("dim", number !== null && Number(each.dataset.number) !== number);
  }
  showMasks.only?.(number);
}

function showBoxes(found, colours) {
  const { width, height } = found.image;
  at("boxes").setAttribute("viewBox", `0 0 ${width} ${height}`);
  const boxed = found.results.map((each, number) => ({ ...each, number })).filter((each) => each.box);
  const area = ({ box: [x1, y1, x2, y2] }) => (x2 - x1) * (y2 - y1);
  boxed.sort((a, b) => area(b) - area(a)); // small ones lie on top
  const shapes = boxed.flatMap(({ box: [x1, y1, x2, y2], label, number }) => {
    const place = { x: x1, y: y1, width: x2 - x1, height: y2 - y1, "data-number": number };
    return [drawn("rect", { ...place, class: "halo" }), drawn("rect", { ...place, stroke: colours[label] })];
  });
  at("boxes").replaceChildren(...shapes);
  at("labels").replaceChildren(...boxed.map(({ box: [x1, y1, x2], label, number }) => {
    const text = make("span", { "data-number": number }, boxed.length > CROWDED ? number + 1 : `${number + 1} ${label}`);
    text.style.background = colours[label];
    text.style.top = `min(${(100 * y1) / height}%, 100% - 1.1rem)`;
    // Past the middle it ends where the box ends, so that it stays inside.
    if (x1 > width / 2) text.style.right = `${100 - (100 * Math.min(x2, width)) / width}%`;
    else text.style.left = `${(100 * x1) / width}%`;
    return text;
  }));
}

// COCO's run lengths: six bits a character, of which one says that more follow; from the third on each is the difference
// to the one before the last.
function runLengths(counts) {
  const runs = [];
  let place = 0;
  while (place < counts.length) {
    let value = 0, factor = 1, bits;
    do {
      bits = counts.charCodeAt(place++) - 48;
      value += (bits & 31) * factor;
      factor *= 32;
    } while (bits & 32);
    if (bits & 16) value -= factor;
    runs.push(runs.length > 2 ? value + runs[runs.length - 2] : value);
  }
  return runs;
}

// For each pixel of the canvas (column by column): does the mask hold the pixel of the image that it stands for?
function maskOn(mask, width, height) {
  const [rows, columns] = mask.size;
  const flat = new Uint8Array(rows * columns);
  let start = 0;
  runLengths(mask.counts).forEach((length, number) => {
    if (number % 2) flat.fill(1, start, start + length);
    start += length;
  });
  const found = new Uint8Array(width * height);
  for (let x = 0; x < width; x++) {
    const column = Math.floor(((x + 0.5) * columns) / width) * rows;
    for (let y = 0; y < height; y++) found[y * width + x] = flat[column + Math.floor(((y + 0.5) * rows) / height)];
  }
  return found;
}

function showMasks(found, colours) {
  const canvas = at("masks");
  const [width, height] = [at("picture").naturalWidth, at("picture").naturalHeight];
  const masked = found.results.map((each, number) => ({ ...each, number })).filter((each) => each.mask);
  canvas.hidden = masked.length === 0;
  showMasks.only = null;
  if (canvas.hidden) return;
  Object.assign(canvas, { width, height });
  const layers = masked.map(({ mask, label, number }) => ({ number, pixels: maskOn(mask, width, height), colour: colours[label] }));
  showMasks.only = (only) => {
    const tinted = new ImageData(width, height);
    const values = new Uint32Array(tinted.data.buffer);
    for (const { number, pixels, colour } of layers) {
      const [red, green, blue] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
      const opacity = only === null || only === number ? 140 : 25;
      const value = new Uint32Array(new Uint8Array([red, green, blue, opacity]).buffer)[0];
      for (let i = 0; i < pixels.length; i++) if (pixels[i]) values[i] = value;
    }
    canvas.getContext("2d").putImageData(tinted, 0, 0);
  };
  showMasks.only(null);
}

function showDoubt(found) {
  const said = [];
  if (found.uncertainty) {
    const { margin, entropy } = found.uncertainty;
    if (margin < CLOSE * found.uncertainty.probability) said.push("A close call.");
    said.push(`The best class leads by ${score(margin)}. Entropy ${score(entropy)}: 0 is sure, 1 knows nothing.`);
  }
  said.push(found.calibrated
    ? "The scores are calibrated."
    : "The scores are not calibrated: of what scores 0.80, more or fewer than 80 in 100 may be right.");
  at("doubt").textContent = said.join(" ");
}

function showFiles(found) {
  const text = JSON.stringify(found, null, 1);
  at("raw").querySelector("pre").textContent = text;
  at("save-json").href = replaceUrl("json", new Blob([text], { type: "application/json" }));
  at("save-json").download = `${stem(found)}.json`;
  const query = new URLSearchParams({ task: found.task, threshold: found.threshold });
  at("command").textContent = `curl --data-binary @${JSON.stringify(found.image.name ?? "FILE")} "${new URL(`api/answer?${query}`, document.baseURI)}"`;
}

const stem = (found) => (found.image.name ?? "answer").replace(/\.[^.]*$/, "") || "answer";

function showTimes(timing, roundTrip) {
  const rows = timing.split(",").map((part) => part.trim().match(/^([\w-]+);dur=([\d.]+)$/)).filter(Boolean)
    .map(([, stage, milliseconds]) => [stage, Number(milliseconds)]);
  const sum = rows.reduce((total, [, milliseconds]) => total + milliseconds, 0);
  rows.push(["upload, waiting and reply", Math.max(0, roundTrip - sum)]);
  at("times").querySelector("tbody").replaceChildren(
    ...rows.map(([stage, milliseconds]) => make("tr", {}, make("th", { scope: "row" }, stage), make("td", {}, milliseconds.toFixed(1)))));
}

function showVersions(found) {
  const { cnnlib, ...others } = about.software;
  const facts = {
    Network: `${found.model.name} ${found.model.version}`,
    Weights: `sha256 ${found.model.weights_sha256.slice(0, 12)}`,
    "Label map": `sha256 ${found.model.labels_sha256.slice(0, 12)}`,
    Preprocessing: found.preprocessing.version,
    cnnlib: found.software.cnnlib,
    "Runs on": Object.entries(others).map(([name, version]) => `${name} ${version}`).join(", "),
  };
  at("versions").querySelector("dl").replaceChildren(
    ...Object.entries(facts).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

async function saveOverlay() {
  const button = at("save-overlay");
  button.disabled = true;
  try {
    const url = URL.createObjectURL(await (await post("api/overlay")).blob());
    make("a", { href: url, download: `${stem(answer)}-answer.jpg` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  } catch (error) { tell(error); } finally { button.disabled = false; }
}

// --- start -----------------------------------------------------------------------------------------------------------

function listen() {
  at("question").addEventListener("submit", (event) => event.preventDefault());
  at("file").addEventListener("change", (event) => takeFirst(event.target.files));
  at("threshold").addEventListener("input", (event) => setThreshold(event.target.value));
  at("as-specified").addEventListener("click", () => setThreshold(ofTask().threshold, 0));
  at("save-overlay").addEventListener("click", saveOverlay);
  document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    if (event.dataTransfer.files.length === 0) tell(new Problem("empty", "What was dropped is no file. Save the picture first, then drop the file."));
    else { at("file").value = ""; takeFirst(event.dataTransfer.files); }
  });
  document.addEventListener("paste", (event) => { if (event.clipboardData.files.length) takeFirst(event.clipboardData.files); });
}

async function start() {
  at("problem").hidden = true;
  try {
    const response = await fetch("api/about");
    if (!response.ok) throw await problemOf(response);
    about = await response.json();
  } catch (error) {
    tell(error instanceof Problem ? error : new Problem("no_server", "The server does not answer. Was it stopped?", true));
    return;
  }
  offerTasks();
  offerPhotographs();
  showThreshold();
  at("status").textContent = "Choose a picture.";
  ask();
}

listen();
start();
