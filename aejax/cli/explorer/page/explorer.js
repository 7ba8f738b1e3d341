// The explorer page: sends clicks, slider movements and strokes to the server, shows the results.

const find = (id) => document.getElementById(id);
const plain = (number) => Number(number.toPrecision(3)).toString();

const about = await request("description");
const [height, width, channels] = about.shape;
let number = 0; // index of the example
let example; // description of the example by the server
let code; // code of the example, as edited with the sliders
let drawn; // values of the example, as edited with the brush

async function request(address, content) {
  const sent = content === undefined ? {} : { method: "POST", body: JSON.stringify(content) };
  const response = await fetch(address, sent).catch(() => undefined);
  const answer = await response?.json().catch(() => undefined);
  const failure = response?.ok ? "" : (answer?.error ?? "The server has stopped: start it again.");
  find("failure").textContent = failure;
  find("failure").hidden = !failure;
  if (failure) throw new Error(failure);
  return answer;
}

// Answers may arrive out of order: only that of the last request is shown.
function latest(show) {
  let requests = 0;
  return async (address, content) => {
    const mine = ++requests;
    const answer = await request(address, content);
    if (mine === requests) show(answer);
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

const sliders = about.units.map(([low, high], unit) => {
  const row = document.createElement("div");
  const button = document.createElement("button");
  const slider = document.createElement("input");
  const value = document.createElement("output");
  const step = (high - low) / 1000 || "any";
  row.className = "slider";
  Object.assign(button, { type: "button", textContent: unit, onclick: () => showUnit(unit) });
  button.setAttribute("aria-label", `inspect unit ${unit}`);
  Object.assign(slider, { type: "range", min: low, max: high, step, oninput: () => move(unit) });
  slider.setAttribute("aria-label", `unit ${unit}`);
  row.append(button, slider, value);
  find("code").append(row);
  return { button, slider, value };
});

const decode = latest(showDecoded);

function move(unit) {
  code[unit] = sliders[unit].slider.valueAsNumber;
  sliders[unit].value.value = plain(code[unit]);
  decode(`decoded/${number}`, code);
}

function showDecoded({ x_hat, error }) {
  drawExample(find("decoded"), x_hat);
  find("error").value = plain(error);
  showFeatures(x_hat);
}

function showFeatures(x_hat) {
  const rows = (about.features ?? []).map((name, i) => {
    const row = document.createElement("tr");
    for (const text of [name, plain(example.x[i]), plain(x_hat[i])]) {
      row.insertCell().textContent = text;
    }
    for (const cell of [...row.cells].slice(1)) cell.className = "number";
    return row;
  });
  find("values").replaceChildren(...rows);
}

const showExample = latest((answer) => {
  example = answer;
  find("label").value = example.label ?? "unknown";
  drawExample(find("input"), example.x);
  showOwnCode();
  restore();
});

function showOwnCode() {
  code = [...example.code];
  code.forEach((value, unit) => {
    sliders[unit].slider.value = value;
    sliders[unit].value.value = plain(value);
  });
  showDecoded(example);
}

function choose(wanted) {
  number = Math.min(Math.max(wanted || 0, 0), about.examples - 1);
  find("example").value = number;
  showExample(`example/${number}`);
}

function showUnit(unit) {
  sliders.forEach(({ button }, other) => button.setAttribute("aria-pressed", other === unit));
  find("unit-number").value = unit;
  askUnit(`unit/${unit}`);
}

const askUnit = latest((answer) => {
  drawFilter(find("filter"), answer.filter);
  find("exciting").replaceChildren(
    ...answer.examples.map((example, i) => {
      const button = document.createElement("button");
      const canvas = document.createElement("canvas");
      Object.assign(button, { type: "button", onclick: () => choose(example) });
      drawExample(canvas, answer.x[i]);
      button.append(canvas, `example ${example}: ${plain(answer.activations[i])}`);
      return button;
    }),
  );
});

const repair = latest(({ x_hat, error, damage }) => {
  drawExample(find("repaired"), x_hat);
  find("repair").value = plain(error);
  find("damage").value = plain(damage);
});

function showDrawn() {
  drawExample(find("drawn"), drawn);
  repair(`repaired/${number}`, drawn);
}

function restore() {
  drawn = [...example.x];
  showDrawn();
}

const noise = () => about.low + Math.random() * (about.high - about.low);

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

find("drawn").addEventListener("pointerdown", (event) => {
  event.target.setPointerCapture(event.pointerId);
  brush(event);
});
find("drawn").addEventListener("pointermove", (event) => event.buttons && brush(event));
find("everywhere").onclick = () => {
  drawn = example.x.map(noise);
  showDrawn();
};
find("clean").onclick = restore;
find("reset").onclick = showOwnCode;
find("example").onchange = () => choose(find("example").valueAsNumber);
find("previous").onclick = () => choose(number - 1);
find("next").onclick = () => choose(number + 1);
find("choice").onsubmit = find("brush").onsubmit = (event) => event.preventDefault();

document.title = find("title").textContent = about.title;
find("features").hidden = !about.features;
find("example").max = about.examples - 1;
find("width").max = Math.max(3, Math.ceil(Math.max(width, height) / 2));
choose(0);
showUnit(0);
