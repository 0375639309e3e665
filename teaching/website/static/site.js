// Explorers without a kernel: every setting was drawn when the site was built (window.explorers, one script for each).
"use strict";

function label(control, at) {
  return control.labels[at];
}

function makeControl(control, id, changed) {
  const name = document.createElement("label");
  name.htmlFor = id;
  name.textContent = control.name;
  const field = document.createElement(control.kind === "menu" ? "select" : "input");
  field.id = id;
  const shown = document.createElement("output");
  shown.htmlFor = id;
  let at = () => Number(field.value);
  if (control.kind === "menu") {
    control.labels.forEach((text, n) => field.add(new Option(text, n, n === control.start, n === control.start)));
  } else if (control.kind === "box") {
    field.type = "checkbox";
    field.checked = control.start === 1;
    at = () => Number(field.checked);
  } else {
    Object.assign(field, { type: "range", min: 0, max: control.labels.length - 1, step: 1 });
    field.value = control.start;
  }
  const tell = () => {
    if (control.kind !== "range") return;
    shown.textContent = label(control, at());
    field.setAttribute("aria-valuetext", label(control, at()));
  };
  field.addEventListener("input", () => { tell(); changed(); });
  tell();
  return { at, parts: [name, field, shown] };
}

function start(box) {
  const { controls } = JSON.parse(box.dataset.explorer);
  const { pictures, texts, frames } = window.explorers[box.dataset.name];
  const folder = new URL(`explorers/${box.dataset.name}/`, siteStatic);
  const picture = box.querySelector("img");
  picture.removeAttribute("width");
  picture.removeAttribute("height");
  const seen = document.createElement("p");
  seen.className = "seen";
  seen.setAttribute("role", "status");
  const fields = controls.map((control, n) => makeControl(control, `explorer-${box.dataset.name}-${n}`, show));
  const group = document.createElement("fieldset");
  group.className = "controls";
  const legend = document.createElement("legend");
  legend.className = "visually-hidden";
  legend.textContent = "Settings of the figure below";
  group.append(legend, ...fields.flatMap((field) => field.parts));
  box.prepend(group);
  picture.after(seen);
  function show() {
    const place = fields.reduce((sum, field, n) => sum * controls[n].labels.length + field.at(), 0);
    const [image, text] = frames[place];
    picture.hidden = image < 0;
    if (image >= 0) picture.src = new URL(pictures[image], folder);
    picture.alt = texts[text];
    seen.textContent = texts[text];
  }
  show();
}

const siteStatic = new URL(".", document.currentScript.src);
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".explorer").forEach((box) => { if (window.explorers?.[box.dataset.name]) start(box); });
  // What scrolls sideways can be reached with the keyboard.
  const reach = () => document.querySelectorAll(".bd-content table, .bd-content pre, .bd-content div.math").forEach((each) => {
    if (each.scrollWidth > each.clientWidth) each.tabIndex = 0;
  });
  reach();
  window.addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(reach));
  window.addEventListener("resize", reach);
});
