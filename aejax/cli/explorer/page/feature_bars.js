// Tables of named features, with bars.

export const plain = (number) => Number(number.toPrecision(3)).toString();

export const squaredError = (x_hat, x) =>
  x_hat.reduce((sum, value, i) => sum + (value - x[i]) ** 2, 0);

// Rows of several values of each feature. Bars begin at the minimum of the feature, whose range
// fills the cell; the last row has the squared errors against the first values, in units of the
// scales.
export function showFeatures(table, names, { ranges, scales }, values) {
  const kinds = Object.keys(values);
  const head = addRow(document.createElement("thead"), "th", ["feature", "", ...kinds]);
  const body = document.createElement("tbody");
  names.forEach((name, i) => {
    const row = addRow(body, "td", [name, "", ...kinds.map((kind) => plain(values[kind][i]))]);
    const [low, high] = ranges[i];
    const shares = kinds.map((kind) => (values[kind][i] - low) / (high - low || 1));
    row.cells[1].append(...shares.map((share, place) => bar(0, share, `kind-${place}`)));
  });
  const scaled = (kind) => values[kind].map((value, i) => value / scales[i]);
  const errors = kinds.slice(1).map((kind) => squaredError(scaled(kind), scaled(kinds[0])));
  const last = addRow(body, "td", ["squared error, normalised", "", "", ...errors.map(plain)]);
  last.className = "total";
  [...head.cells].slice(2).forEach((cell, place) => cell.prepend(key(place)));
  table.replaceChildren(head.parentElement, body);
}

// The features with the largest gradients, in units of the scales, as bars to the right or left of
// the middle.
export function showGradient(table, names, { scales }, raw, count = 12) {
  const gradient = raw.map((value, i) => value * scales[i]);
  const sizes = gradient.map(Math.abs);
  const order = names.map((_, i) => i).sort((i, j) => sizes[j] - sizes[i]);
  const largest = sizes[order[0]] || 1;
  const body = document.createElement("tbody");
  for (const i of order.slice(0, count)) {
    const row = addRow(body, "td", [names[i], "", plain(gradient[i])]);
    const share = gradient[i] / largest / 2;
    const kind = share > 0 ? "positive" : "negative";
    row.cells[1].append(bar(0.5 + Math.min(share, 0), Math.abs(share), kind));
  }
  const head = document.createElement("thead");
  addRow(head, "th", ["feature", "mean gradient, normalised", ""]);
  table.replaceChildren(head, body);
}

function addRow(parent, kind, texts) {
  const row = document.createElement("tr");
  texts.forEach((text, place) => {
    const cell = document.createElement(kind);
    cell.textContent = text;
    cell.className = place === 1 ? "bars" : place > 1 ? "number" : "";
    if (kind === "th") cell.scope = "col";
    row.append(cell);
  });
  parent.append(row);
  return row;
}

function bar(start, share, kind) {
  const inside = (value) => Math.min(Math.max(value, 0), 1);
  const element = document.createElement("div");
  element.className = `bar ${kind}`;
  element.style.marginLeft = `${100 * inside(start)}%`;
  element.style.width = `${100 * inside(share)}%`;
  return element;
}

function key(place) {
  const element = document.createElement("span");
  element.className = `key kind-${place}`;
  return element;
}
