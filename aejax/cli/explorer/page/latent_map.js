// Map of codes: the plane of two units, with a dot for each test example and a mark to drag.

const SIZE = 400; // of the view box
const MARGIN = 14;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const KEY_STEP = 0.02; // of the range of a unit
const MAX_CLASSES = 20; // with colours of their own

const between = (value, low, high) => Math.min(Math.max(value, low), high);

// ranges: [low, high] of each unit. integers: whether units are indices.
// moved(units, values) is called when the user moves the mark.
export function makeMap(svg, { ranges, examples, classes, integers, moved }) {
  const mark = svg.querySelector("#mark");
  const colours = coloursOf(classes);
  const points = svg.querySelector("#points");
  const dots = examples.map((number, i) => addDot(points, colours, number, classes[i]));
  let units = [0, 0];
  let activations = [[], []]; // of the two units on the examples
  let position = [0, 0]; // of the mark: the values of the two units

  const share = (axis, value) => {
    const [low, high] = ranges[units[axis]];
    return high > low ? (value - low) / (high - low) : 0.5;
  };
  const keyStep = (axis) => {
    const [low, high] = ranges[units[axis]];
    return integers ? Math.max(KEY_STEP, 1 / (high - low || 1)) : KEY_STEP;
  };
  const pixels = (fraction) => MARGIN + between(fraction, 0, 1) * (SIZE - 2 * MARGIN);

  function put(dot, values) {
    dot.setAttribute("cx", pixels(share(0, values[0])));
    dot.setAttribute("cy", SIZE - pixels(share(1, values[1])));
  }

  function moveTo(fractions) {
    const values = fractions.map((fraction, axis) => {
      const [low, high] = ranges[units[axis]];
      return low + between(fraction, 0, 1) * (high - low);
    });
    moved(units, values);
  }

  function follow(event) {
    const { left, top, width, height } = svg.getBoundingClientRect();
    const inside = (offset, length) => ((offset / length) * SIZE - MARGIN) / (SIZE - 2 * MARGIN);
    moveTo([inside(event.clientX - left, width), 1 - inside(event.clientY - top, height)]);
  }

  svg.addEventListener("pointerdown", (event) => {
    svg.setPointerCapture(event.pointerId);
    follow(event);
  });
  svg.addEventListener("pointermove", (event) => event.buttons && follow(event));
  svg.addEventListener("keydown", (event) => {
    const direction = KEYS[event.key];
    if (!direction) return;
    event.preventDefault();
    moveTo(direction.map((sign, axis) => share(axis, position[axis]) + sign * keyStep(axis)));
  });

  return {
    legend: [...colours],
    // Show another pair of units; both lists are activations on the examples.
    showPair(pair, horizontal, vertical) {
      units = pair;
      activations = [horizontal, vertical];
      dots.forEach((dot, i) => put(dot, [horizontal[i], vertical[i]]));
    },
    showCode(code) {
      position = units.map((unit) => code[unit]);
      put(mark, position);
    },
    // The example whose dot is nearest to the mark.
    nearest() {
      const place = (values) => values.map((value, axis) => share(axis, value));
      const [x, y] = place(position);
      const distances = examples.map((_, i) => {
        const [column, row] = place([activations[0][i], activations[1][i]]);
        return Math.hypot(column - x, row - y);
      });
      return examples[distances.indexOf(Math.min(...distances))];
    },
  };
}

// Class -> colour; empty without classes, or if there are many.
function coloursOf(classes) {
  const known = [...new Set(classes)].filter((name) => name !== null);
  known.sort((a, b) => (typeof a === "number" ? a - b : a.localeCompare(b)));
  if (known.length > MAX_CLASSES) return new Map();
  return new Map(known.map((name, i) => [name, `hsl(${(360 * i) / known.length} 65% 50%)`]));
}

function addDot(parent, colours, number, label) {
  const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
  title.textContent = `example ${number}` + (label === null ? "" : `, class ${label}`);
  dot.setAttribute("r", 3);
  if (colours.has(label)) dot.style.fill = colours.get(label);
  dot.append(title);
  parent.append(dot);
  return dot;
}
