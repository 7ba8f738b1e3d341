// The explorer page: sends clicks, slider movements and strokes to the server, shows the results.

import { plain, showFeatures, showGradient, squaredError } from "./feature_bars.js";
import { makeMap } from "./latent_map.js";

const MAX_FEATURES = 200; // that are shown as bars; more are one row of pixels

const find = (id) => document.getElementById(id);

const about = await request("description");
const latent = await request("map");
const [height, width, channels] = about.shape;
const unnamed = () => Array.from({ length: width }, (_, i) => `feature_${i}`);
const named = about.features ?? (about.image || width > MAX_FEATURES ? null : unnamed());
let number = 0; // index of the example; an own image has none and keeps the last one
let order; // indices of the examples in an order of the user's, or undefined: as stored
let example; // description of the example by the server
let code; // code of the example, as edited with the map and the sliders
let samples = 0; // of the prior
let drawn; // values of the example, as edited with the brush or the sliders

async function request(address, content) {
  const body = content instanceof Blob ? content : JSON.stringify(content);
  const sent = content === undefined ? {} : { method: "POST", body };
  const response = await fetch(address, sent).catch(() => undefined);
  const answer = await response?.json().catch(() => undefined);
  const failure = response?.ok ? "" : (answer?.error ?? "The server has stopped: start it again.");
  find("failure").textContent = failure;
  find("failure").hidden = !failure;
  if (failure) throw new Error(failure);
  return answer;
}

// Answers may arrive out of order: only that of the last request is shown. The result of the
// function says whether it was.
function latest(show) {
  let requests = 0;
  return async (address, content) => {
    const mine = ++requests;
    const answer = await request(address, content);
    if (mine === requests) show(answer);
    return mine === requests;
  };
}

function draw(canvas, values, colour) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const parts = colour(values.slice(pixel * channels, (pixel + 1) * channels));
    image.data.set([...parts.map((part) => Math.round(255 * part)), 255], 4 * pixel);
  }
  context.putImageData(image, 0, 0);
}

function drawExample(canvas, values) {
  const span = about.high - about.low || 1;
  const shade = (value) => Math.min(Math.max((value - about.low) / span, 0), 1);
  draw(canvas, values, (parts) => (channels === 3 ? parts : Array(3).fill(parts[0])).map(shade));
}

// One channel: white at zero, red above, blue below. Three: mid-grey at zero.
function drawFilter(canvas, values) {
  const largest = Math.max(...values.map(Math.abs)) || 1;
  draw(canvas, values, (parts) => {
    if (channels === 3) return parts.map((part) => 0.5 + part / largest / 2);
    const part = parts[0] / largest;
    const end = part > 0 ? [0.7, 0.02, 0.15] : [0.23, 0.3, 0.75];
    return end.map((value) => 1 - Math.abs(part) * (1 - value));
  });
}

// A slider behind its name, which may be a button.
function addSlider(parent, name, head, [low, high], moved, step = (high - low) / 1000 || "any") {
  const row = document.createElement("div");
  const slider = document.createElement("input");
  const value = document.createElement("output");
  const set = (wanted) => {
    slider.value = wanted;
    value.value = plain(wanted);
  };
  Object.assign(slider, { type: "range", min: low, max: high, step });
  slider.setAttribute("aria-label", name);
  slider.oninput = () => {
    value.value = plain(slider.valueAsNumber);
    moved(slider.valueAsNumber);
  };
  row.className = "slider";
  row.append(head, slider, value);
  parent.append(row);
  return { set };
}

const buttons = about.units.map((_, unit) => {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", textContent: unit, onclick: () => showUnit(unit) });
  button.setAttribute("aria-label", `inspect unit ${unit}`);
  button.disabled = about.integers; // an index has no filter
  return button;
});
const sliders = []; // by unit
for (const unit of latent.units) {
  const moved = (value) => move([unit], [value]);
  const by = about.integers ? 1 : undefined;
  const [head, range] = [buttons[unit], about.units[unit]];
  sliders[unit] = addSlider(find("code"), `unit ${unit}`, head, range, moved, by);
}
const inputs = (named ?? []).map((name, i) => {
  const head = document.createElement("span");
  head.textContent = name;
  return addSlider(find("inputs"), name, head, about.ranges[i], (value) => {
    drawn[i] = value;
    showDrawn();
  });
});

const map = makeMap(find("map"), {
  ranges: about.units,
  examples: latent.examples,
  classes: latent.classes,
  integers: about.integers,
  moved: move,
});

const decode = latest(({ x_hat }) => showDecoded(x_hat));

function move(units, values) {
  units.forEach((unit, i) => {
    code[unit] = about.integers ? Math.round(values[i]) : values[i];
    sliders[unit].set(code[unit]);
  });
  map.showCode(code);
  decode(`decoded/${number}`, code);
}

function showDecoded(x_hat) {
  drawExample(find("decoded"), x_hat);
  find("error").value = plain(squaredError(x_hat, example.x));
  const others = example.pca ? { PCA: example.pca } : {};
  const values = { example: example.x, decoded: x_hat, ...others };
  if (named) showFeatures(find("values"), named, about, values);
}

function drawPCA(canvas, output, values) {
  if (!values) return;
  drawExample(canvas, values);
  output.value = plain(squaredError(values, example.x));
}

const askExample = latest((answer) => {
  example = answer;
  find("label").value = example.label ?? "unknown";
  for (const part of document.querySelectorAll("[data-for=pca]")) part.hidden = !example.pca;
  drawExample(find("input"), example.x);
  drawPCA(find("pca"), find("pca-error"), example.pca);
  showOwnCode();
  restore();
});

function showOwnCode() {
  code = [...example.code];
  code.forEach((value, unit) => sliders[unit].set(value));
  map.showCode(code);
  showDecoded(example.x_hat);
}

const askPrior = latest((answer) => move(latent.units, latent.units.map((i) => answer.code[i])));

function choose(wanted) {
  number = Math.min(Math.max(wanted || 0, 0), about.examples - 1);
  find("example").value = number;
  askExample(`example/${number}`);
}

function step(by) {
  if (!order) return choose(number + by);
  const place = order.indexOf(number) + by;
  choose(order[Math.min(Math.max(place, 0), order.length - 1)]);
}

const askWorst = latest((answer) => {
  order = answer.examples;
  choose(order[0]);
});

find("order").onchange = () => {
  order = undefined;
  if (find("order").value === "worst") askWorst("worst");
};

find("upload").onchange = async () => {
  const [file] = find("upload").files;
  if (file && (await askExample("uploaded", file))) {
    find("example").value = "";
    find("label").value = "own image";
  }
};

async function showPair() {
  const pair = [find("horizontal"), find("vertical")].map((choice) => Number(choice.value));
  const answers = await Promise.all(pair.map((unit) => request(`coordinates/${unit}`)));
  map.showPair(pair, ...answers.map((answer) => answer.activations));
  if (code) map.showCode(code);
}

function showUnit(unit) {
  buttons.forEach((button, other) => button.setAttribute("aria-pressed", other === unit));
  find("unit-number").value = unit;
  askUnit(`unit/${unit}`);
}

const askUnit = latest((answer) => {
  drawFilter(find("filter"), answer.filter);
  if (named) showGradient(find("gradient"), named, about, answer.filter);
  find("exciting").replaceChildren(
    ...answer.examples.map((example, i) => {
      const button = document.createElement("button");
      const canvas = document.createElement("canvas");
      Object.assign(button, { type: "button", onclick: () => choose(example) });
      drawExample(canvas, answer.x[i]);
      canvas.hidden = Boolean(named);
      button.append(canvas, `example ${example}: ${plain(answer.activations[i])}`);
      return button;
    }),
  );
});

const repair = latest(({ x_hat, pca }) => {
  drawExample(find("repaired"), x_hat);
  drawPCA(find("pca-repaired"), find("pca-repair"), pca);
  find("repair").value = plain(squaredError(x_hat, example.x));
  find("damage").value = plain(squaredError(drawn, example.x));
  const others = pca ? { PCA: pca } : {};
  const values = { original: example.x, edited: drawn, decoded: x_hat, ...others };
  if (named) showFeatures(find("edited-values"), named, about, values);
});

function showDrawn() {
  drawExample(find("drawn"), drawn);
  repair(`repaired/${number}`, drawn);
}

function restore() {
  show([...example.x]);
}

function show(values) {
  drawn = values;
  inputs.forEach((input, i) => input.set(drawn[i]));
  showDrawn();
}

function noise(i) {
  const [low, high] = about.ranges?.[i] ?? [about.low, about.high];
  return low + Math.random() * (high - low);
}

function brush(event) {
  const { left, top, width: wide, height: high } = find("drawn").getBoundingClientRect();
  const column = ((event.clientX - left) / wide) * width;
  const row = ((event.clientY - top) / high) * height;
  const radius = find("width").valueAsNumber / 2;
  const kind = new FormData(find("brush")).get("brush");
  const made = { mask: () => about.low, noise, restore: (i) => example.x[i] }[kind];
  for (let i = 0; i < drawn.length; i++) {
    const pixel = Math.floor(i / channels);
    const across = Math.abs((pixel % width) + 0.5 - column);
    const down = Math.abs(Math.floor(pixel / width) + 0.5 - row);
    if (Math.max(across, down) < radius) drawn[i] = made(i);
  }
  showDrawn();
}

function addChoices(list, chosen) {
  for (const unit of latent.units) list.add(new Option(unit, unit, false, unit === chosen));
  list.onchange = showPair;
}

function addLegend([label, colour]) {
  const entry = document.createElement("span");
  const dot = document.createElement("span");
  dot.className = "key";
  dot.style.background = colour;
  entry.append(dot, label);
  find("legend").append(entry);
}

find("drawn").addEventListener("pointerdown", (event) => {
  event.target.setPointerCapture(event.pointerId);
  brush(event);
});
find("drawn").addEventListener("pointermove", (event) => event.buttons && brush(event));
find("everywhere").onclick = () => show(example.x.map((_, i) => noise(i)));
find("clean").onclick = restore;
find("reset").onclick = showOwnCode;
find("prior").onclick = () => askPrior(`prior/${samples++}`);
find("nearest").onclick = () => choose(map.nearest());
find("example").onchange = () => choose(find("example").valueAsNumber);
find("previous").onclick = () => step(-1);
find("next").onclick = () => step(1);
for (const form of document.forms) form.onsubmit = (event) => event.preventDefault();

document.title = find("title").textContent = about.title;
for (const part of document.querySelectorAll("[data-for=table]")) part.hidden = !named;
for (const part of document.querySelectorAll("[data-for=image]")) part.hidden = Boolean(named);
find("own").hidden = !about.image;
for (const part of document.querySelectorAll("[data-for=prior]")) part.hidden = !about.prior;
for (const part of document.querySelectorAll("[data-for=units]")) part.hidden = about.integers;
for (const part of document.querySelectorAll("[data-for=indices]")) part.hidden = !about.integers;
const range = `black is ${plain(about.low)}, white ${plain(about.high)}`;
find("own-size").textContent = `PNG, ${width} × ${height} pixels (width × height); ${range}`;
find("plane").hidden = about.units.length < 2;
find("example").max = about.examples - 1;
find("width").max = Math.max(3, Math.ceil(Math.max(width, height) / 2));
map.legend.forEach(addLegend);
addChoices(find("horizontal"), latent.units[0]);
addChoices(find("vertical"), latent.units[1] ?? latent.units[0]);
await showPair();
choose(0);
if (!about.integers) showUnit(latent.units[0]);
