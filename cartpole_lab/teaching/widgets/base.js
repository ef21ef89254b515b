// Shared by all widgets: theme, canvases, controls. `_base.py` puts this text before each widget's own file,
// so what a page loads is still one module with no imports.

const PALETTES = {
  light: {
    paper: "#ffffff", panel: "#f6f8fa", ink: "#1c2733", soft: "#5b6875", line: "#d5dce3", faint: "#e9edf1",
    blue: "#1f6fb2", orange: "#c2571a", green: "#2c7a4b", red: "#b3362e", violet: "#7a4fa3", gold: "#96700c",
  },
  dark: {
    paper: "#15191e", panel: "#1d232a", ink: "#e4e9ee", soft: "#9aa7b4", line: "#38424c", faint: "#262d35",
    blue: "#6cb2ee", orange: "#f0955a", green: "#6cc58d", red: "#f0837b", violet: "#bd9be3", gold: "#dcb95a",
  },
};

const STYLE = `
.cl { --paper:#fff; color:var(--ink); background:var(--paper); border:1px solid var(--line); border-radius:10px;
  font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif; padding:12px 14px 14px;
  box-sizing:border-box; max-width:880px; min-width:0; margin:4px 0; position:relative; overflow:hidden; }
.cl *, .cl *::before { box-sizing:border-box; }
.cl-head { display:flex; flex-wrap:wrap; align-items:baseline; gap:2px 10px; margin:0 0 8px; }
.cl-title { font-weight:650; font-size:15px; letter-spacing:-.005em; }
.cl-sub { color:var(--soft); font-size:12.5px; }
.cl-row { display:flex; flex-wrap:wrap; gap:8px; align-items:center; margin:8px 0 0; }
.cl-grid { display:grid; grid-template-columns:repeat(auto-fit,minmax(min(100%,200px),1fr)); gap:8px 20px; margin:10px 0 0; }
.cl [hidden] { display:none !important; }
.cl-top { margin:0 0 8px; } .cl-top select { flex:1 1 150px; min-width:0; }
.cl .cl-lever { appearance:none; display:block; width:100%; height:44px; margin:6px 0 0; touch-action:none; cursor:ew-resize; border-radius:6px;
  background:linear-gradient(var(--soft),var(--soft)) center/2px 22px no-repeat,linear-gradient(var(--line),var(--line)) center/calc(100% - 24px) 4px no-repeat,var(--panel); }
.cl .cl-lever::-webkit-slider-thumb { appearance:none; width:30px; height:30px; border-radius:50%; border:0; background:var(--orange); }
.cl .cl-lever::-moz-range-thumb { width:30px; height:30px; border-radius:50%; border:0; background:var(--orange); }
.cl canvas { display:block; width:100%; border-radius:6px; }
.cl canvas.cl-touch { touch-action:none; cursor:grab; }
.cl canvas:focus-visible { outline:2px solid var(--blue); outline-offset:-2px; }
.cl button:focus-visible, .cl select:focus-visible, .cl input:focus-visible {
  outline:2px solid var(--blue); outline-offset:2px; }
.cl-stats { display:flex; flex-wrap:wrap; gap:6px 22px; margin:10px 0 0; }
.cl-stat { min-width:86px; } .cl-stat b { display:block; font-size:17px; font-weight:620;
  font-variant-numeric:tabular-nums; line-height:1.25; white-space:nowrap; } .cl-stat span { color:var(--soft); font-size:12px; }
.cl button, .cl select { font:inherit; font-size:13px; color:var(--ink); background:var(--panel); border:1px solid var(--line);
  border-radius:7px; padding:0 12px; height:44px; cursor:pointer; touch-action:manipulation; max-width:100%; margin:0; }
.cl button:hover:not(:disabled), .cl select:hover { border-color:var(--soft); }
.cl button:disabled { opacity:.65; border-style:dashed; cursor:default; }
.cl button.cl-main { background:var(--blue); border-color:var(--blue); color:var(--paper); font-weight:600; }
.cl button[aria-pressed=true] { border-color:var(--blue); box-shadow:inset 0 0 0 1px var(--blue); }
.cl-slider { display:grid; grid-template-columns:1fr auto; gap:0 8px; align-items:baseline; font-size:13px; min-width:0; }
.cl-slider > span { overflow:hidden; text-overflow:ellipsis; white-space:nowrap; }
.cl-slider output { font-size:13px; font-variant-numeric:tabular-nums; font-weight:600; text-align:right; white-space:nowrap; }
.cl-slider input { grid-column:1/-1; width:100%; height:32px; margin:0; accent-color:var(--blue); touch-action:pan-y; }
.cl-dot { display:inline-block; width:10px; height:10px; border-radius:3px; margin-right:7px; vertical-align:-1px; }
.cl-note { color:var(--soft); font-size:12.5px; margin:8px 0 0; }
.cl h4 { font-size:12.5px; font-weight:600; color:var(--soft); margin:12px 0 -4px; } .cl progress { flex:1 1 120px; height:8px;
  accent-color:var(--blue); min-width:80px; } .cl-tag { font-size:12px; border:1px solid var(--line); border-radius:99px; padding:1px 9px; color:var(--soft); }
.cl tr[aria-selected=true] td { background:var(--panel); } .cl td button { height:44px; padding:0 10px; font-size:12px; }
.cl table button { background:none; } .cl-scroll { overflow-x:auto; } .cl-scroll td:first-child { min-width:118px; }
.cl .cl-scroll table { display:table; width:100%; max-width:none; } .cl details { margin:10px 0 0; } .cl summary { cursor:pointer; font-size:13px; font-weight:600; color:var(--soft); min-height:44px; display:flex; align-items:center; gap:6px; }
.cl summary::before { content:"▸"; } .cl details[open] > summary::before { content:"▾"; } .cl summary:focus-visible { outline:2px solid var(--blue); } .cl-bad { color:var(--red); }
.cl-inline { display:inline-flex; align-items:center; gap:7px; font-size:13px; min-height:44px; margin:0; } .cl-inline input[type=checkbox] { width:20px; height:20px; accent-color:var(--blue); margin:0; }
.cl .cl-number { font:inherit; font-size:13px; width:84px; height:44px; padding:0 8px; color:var(--ink); background:var(--panel); border:1px solid var(--line); border-radius:7px; }
.cl-hidden { position:absolute; width:1px; height:1px; overflow:hidden; clip-path:inset(50%); white-space:nowrap; }
.cl table { border-collapse:collapse; width:100%; font-size:13px; margin:8px 0 0; font-variant-numeric:tabular-nums; }
.cl th, .cl td { text-align:right; padding:3px 6px; border-bottom:1px solid var(--faint); font-weight:400; color:var(--ink);
  background:none; } .cl th { color:var(--soft); font-size:12px; } .cl td:not(:first-child) { white-space:nowrap; } .cl th:first-child, .cl td:first-child { text-align:left; }
@media (pointer:coarse) { .cl-slider input { height:44px; } }
@media (max-width:460px) { .cl { padding:10px 10px 12px; } .cl button, .cl select { padding:0 9px; } .cl-slider input { height:44px; } .cl-row { gap:7px; }
  .cl-grid { grid-template-columns:repeat(2,minmax(0,1fr)); gap:6px 14px; } .cl-stats { gap:6px 8px; justify-content:space-between; }
  .cl-stat { min-width:0; } .cl-stat b { font-size:15px; } .cl-wide { flex:1 1 100%; } }
`;

/** Make an element: h("p", {className: "x", onclick: f}, "text", child). */
function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (key in node && !key.startsWith("aria")) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

/** Light or dark: JupyterLab's theme first, then the book's switch, then the system's wish. */
function themeName() {
  const lab = document.body.dataset.jpThemeLight;
  if (lab !== undefined) return lab === "false" ? "dark" : "light";
  const book = document.documentElement.dataset.theme;
  if (book === "dark" || book === "light") return book;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/**
 * The box that a widget lives in. It follows the theme, knows whether it can be seen, and owns the one frame loop:
 * `redraw()` asks for one frame, `play(step)` for one frame after the other, and neither runs while off screen.
 */
function frame(el, { title, subtitle = "", label, signal }) {
  const root = h("section", { className: "cl", role: "group", "aria-label": label });
  // JupyterLab takes arrow keys for its cells unless an element opts out and keeps them to itself.
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  root.addEventListener("keydown", (event) => { if (/^(Arrow|Page|Home$|End$| $)/.test(event.key)) event.stopPropagation(); });
  const say = h("div", { className: "cl-hidden", role: "status", "aria-live": "polite" });
  const text = h("p", { className: "cl-hidden cl-alt" });
  root.append(h("style", { textContent: STYLE }));
  root.append(h("div", { className: "cl-head" }, h("span", { className: "cl-title" }, title), h("span", { className: "cl-sub" }, subtitle)));
  el.replaceChildren(root);

  const surfaces = [];
  const self = { root, colors: PALETTES.light, visible: false, signal, width: 0 };
  let asked = 0, stepper = null, last = 0;
  const paintTheme = () => {
    const name = themeName();
    self.colors = PALETTES[name];
    root.dataset.clTheme = name;
    root.style.colorScheme = name;
    for (const [key, value] of Object.entries(self.colors)) root.style.setProperty(`--${key}`, value);
    self.redraw();
  };
  const tick = (now) => {
    asked = 0;
    if (!self.visible || document.hidden) return;
    if (stepper) {
      stepper(Math.min(0.1, (now - (last || now)) / 1000));
      last = now;
    }
    const start = performance.now();
    for (const surface of surfaces) surface.paint(self.colors);
    root.dataset.drawMs = (performance.now() - start).toFixed(2);
    root.dataset.frames = String(Number(root.dataset.frames || 0) + 1);
    if (stepper) ask();
  };
  const ask = () => {
    if (!asked && self.visible && !document.hidden) asked = requestAnimationFrame(tick);
  };
  self.redraw = ask;
  self.play = (step) => {
    stepper = step;
    last = 0;
    ask();
  };
  self.say = (words) => { say.textContent = words; };
  self.describe = (words) => { text.textContent = words; };

  /** A canvas as wide as the widget; `height(width)` in CSS pixels, `draw(ctx, width, height, colors)`. */
  self.surface = ({ height, draw, label: name, className = "" }) => {
    const canvas = h("canvas", { className, role: "img", "aria-label": name });
    const surface = { canvas, width: 0, height: 0 };
    surface.paint = (colors) => {
      const width = canvas.clientWidth;
      if (!width) return;
      const tall = Math.round(height(width));
      const ratio = Math.min(3, window.devicePixelRatio || 1);
      if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(tall * ratio)) {
        canvas.width = Math.round(width * ratio);
        canvas.height = Math.round(tall * ratio);
        canvas.style.height = `${tall}px`;
      }
      Object.assign(surface, { width, height: tall });
      const ctx = canvas.getContext("2d");
      ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
      ctx.clearRect(0, 0, width, tall);
      ctx.font = "12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif";
      draw(ctx, width, tall, colors);
    };
    surfaces.push(surface);
    return surface;
  };

  const watchers = [
    new IntersectionObserver((entries) => {
      self.visible = entries[entries.length - 1].isIntersecting;
      root.dataset.visible = String(self.visible);
      last = 0;
      ask();
    }, { rootMargin: "40px" }),
    new ResizeObserver(() => ask()),
  ];
  for (const watcher of watchers) watcher.observe(root);
  const themeWatcher = new MutationObserver(paintTheme);
  themeWatcher.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme", "data-mode"] });
  themeWatcher.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paintTheme, { signal });
  document.addEventListener("visibilitychange", () => { last = 0; ask(); }, { signal });
  // Paper shows what was never scrolled to as well.
  window.addEventListener("beforeprint", () => { for (const surface of surfaces) surface.paint(self.colors); }, { signal });
  signal?.addEventListener("abort", () => {
    cancelAnimationFrame(asked);
    stepper = null;
    for (const watcher of [...watchers, themeWatcher]) watcher.disconnect();
  });
  paintTheme();
  self.finish = () => root.append(text, say);
  return self;
}

/** A labelled range input with its value as a number. `set` changes it without calling `onInput`. */
function slider({ label, min, max, step, value, unit = "", digits = 2, color = null, format = null, onInput, name = label }) {
  const words = h("span", { title: label });
  const dot = color ? h("i", { className: "cl-dot" }) : null;
  if (dot) dot.style.background = color;
  words.append(...[dot, label].filter(Boolean));
  const input = h("input", { type: "range", min, max, step, "aria-label": label });
  input.dataset.name = name;
  const out = h("output");
  const show = () => {
    const number = Number(input.value);
    out.textContent = format ? format(number) : `${fixed(number, digits)}${unit ? ` ${unit}` : ""}`;
    input.setAttribute("aria-valuetext", out.textContent);
  };
  input.addEventListener("input", () => { show(); onInput(Number(input.value)); });
  const set = (number) => {
    // A value from Python may lie outside the range that the slider began with.
    if (number < Number(input.min)) input.min = number;
    if (number > Number(input.max)) input.max = number;
    input.value = number;
    show();
  };
  set(value);
  return { el: h("label", { className: "cl-slider" }, words, out, input), input, set, get: () => Number(input.value), dot };
}

function button(text, onclick, { className = "", title = "" } = {}) {
  return h("button", { type: "button", className, title, onclick }, text);
}

function picker(label, options, value, onChange) {
  const select = h("select", { "aria-label": label });
  select.append(...options.map(([key, text]) => h("option", { value: key }, text)));
  select.value = value;
  select.addEventListener("change", () => onChange(select.value));
  return select;
}

function stat(label) {
  const value = h("b", {}, "–");
  return { el: h("div", { className: "cl-stat" }, value, h("span", {}, label)), set: (text) => { if (value.textContent !== text) value.textContent = text; } };
}

/** A number with a true minus sign and no "-0". */
function fixed(number, digits) {
  const text = number.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−"));
}

/** Round steps that divide a range into about `count` parts. */
function ticks(low, high, count) {
  const raw = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((k) => k * power).find((s) => s >= raw * 0.999);
  const out = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) out.push(k * step);
  return { values: out, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (step / power === 2.5 ? 1 : 0)) };
}

/** Grid, numbers and units of a plot; returns the two scales. `box` = {x, y, w, h}. */
function axes(ctx, colors, box, [x0, x1], [y0, y1], { xLabel = "", yLabel = "", xTicks = 5, yTicks = 4, yValues = null, xNumbers = true } = {}) {
  const sx = (x) => box.x + ((x - x0) / (x1 - x0)) * box.w;
  const sy = (y) => box.y + box.h - ((y - y0) / (y1 - y0)) * box.h;
  ctx.lineWidth = 1;
  ctx.fillStyle = colors.soft;
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  const ys = yValues ? { values: yValues, digits: 0 } : ticks(y0, y1, yTicks);
  for (const y of ys.values) {
    const level = Math.round(sy(y)) + 0.5;
    ctx.strokeStyle = y === 0 ? colors.line : colors.faint;
    ctx.beginPath();
    ctx.moveTo(box.x, level);
    ctx.lineTo(box.x + box.w, level);
    ctx.stroke();
    ctx.fillText(fixed(y, ys.digits), box.x - 6, level);
  }
  ctx.textAlign = "center";
  ctx.textBaseline = "top";
  if (xNumbers) {
    const xs = ticks(x0, x1, xTicks);
    for (const x of xs.values) ctx.fillText(fixed(x, xs.digits), sx(x), box.y + box.h + 5);
    ctx.textAlign = "right";
    if (xLabel) ctx.fillText(xLabel, box.x + box.w, box.y + box.h + 19);
  }
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  if (yLabel) ctx.fillText(yLabel, box.x, box.y - 6);
  return { sx, sy };
}

/**
 * The cart-pole from the side. x to the right in metres, z up; a positive angle leans to the left, as the task's does.
 * `scale` is pixels per metre, (ox, oy) where the rail's middle is drawn.
 */
function drawCartPole(ctx, colors, { x, angle, length = 1, ox, oy, scale, alpha = 1, ghost = false, thick = 1 }) {
  const cx = ox + x * scale;
  const cartW = Math.max(22, 0.3 * scale), cartH = Math.max(13, 0.17 * scale);
  const tipX = cx - Math.sin(angle) * length * 0.97 * scale;
  const tipY = oy - Math.cos(angle) * length * 0.97 * scale;
  ctx.save();
  ctx.globalAlpha = alpha;
  ctx.lineCap = "round";
  ctx.fillStyle = ghost ? colors.line : colors.ink;
  ctx.beginPath();
  ctx.roundRect(cx - cartW / 2, oy - cartH / 2, cartW, cartH, 4);
  ctx.fill();
  ctx.strokeStyle = ghost ? colors.line : colors.blue;
  ctx.lineWidth = Math.max(5, 0.055 * scale) * thick;
  ctx.beginPath();
  ctx.moveTo(cx, oy);
  ctx.lineTo(tipX, tipY);
  ctx.stroke();
  ctx.fillStyle = colors.paper;
  ctx.beginPath();
  ctx.arc(cx, oy, Math.max(2.5, 0.025 * scale), 0, 7);
  ctx.fill();
  ctx.restore();
  return { cx, tipX, tipY, cartW, cartH };
}

function drawRail(ctx, colors, { width, ox, oy, scale, bound = 3, rail = 4, post = 26 }) {
  ctx.strokeStyle = colors.line;
  ctx.lineWidth = 3;
  ctx.lineCap = "round";
  ctx.beginPath();
  ctx.moveTo(Math.max(0, ox - rail * scale), oy);
  ctx.lineTo(Math.min(width, ox + rail * scale), oy);
  ctx.stroke();
  ctx.textAlign = "center";
  ctx.textBaseline = "top";
  for (let metre = -bound; metre <= bound; metre++) {
    const px = ox + metre * scale;
    const edge = Math.abs(metre) === bound;
    ctx.strokeStyle = edge ? colors.red : colors.line;
    ctx.lineWidth = edge ? 2 : 1;
    ctx.beginPath();
    ctx.moveTo(px, oy + (edge ? -post : 4));
    ctx.lineTo(px, oy + (edge ? post : 9));
    ctx.stroke();
    ctx.fillStyle = edge ? colors.red : colors.soft;
    if (px > 14 && px < width - 14) ctx.fillText(`${fixed(metre, 0)} m`, px, oy + (edge ? post + 3 : 12));
  }
}

const DEGREES = 180 / Math.PI;
const clip = (x, limit) => Math.max(-limit, Math.min(limit, x));

const COMPILED = new WeakMap();
/** A policy's numbers as typed arrays, made once: a map of it asks thousands of times a picture. */
function compiled(net) {
  if (!COMPILED.has(net)) {
    COMPILED.set(net, { input: new Float64Array(net.layers[0].weight[0].length), layers: net.layers.map(({ weight, bias, activation }) => ({
      weight: Float64Array.from(weight.flat()), bias: Float64Array.from(bias), activation, out: new Float64Array(bias.length) })) });
  }
  return COMPILED.get(net);
}

/** What a policy answers to a state, in ±1: clip, normalise, layers with their activation, mean of the action. */
function act(net, s) {
  const { input, layers } = compiled(net), norm = net.normalization;
  for (let i = 0; i < input.length; i++) {
    const z = clip(s[i], net.observation_clip);
    input[i] = norm ? clip((z - norm.mean[i]) / Math.sqrt(norm.var[i] + norm.epsilon), norm.clip) : z;
  }
  let x = input;
  for (const { weight, bias, activation, out } of layers) {
    const width = x.length;
    for (let r = 0, q = 0; r < out.length; r++) {
      let sum = bias[r];
      for (let c = 0; c < width; c++, q++) sum += weight[q] * x[c];
      out[r] = activation === "elu" ? (sum > 0 ? sum : Math.exp(sum) - 1)
        : activation === "relu" ? Math.max(0, sum)
        : activation === "tanh" ? Math.tanh(sum) : sum;
    }
    x = out;
  }
  return clip(x[0], net.action_clip);
}

/** Which color a reward term has in every picture of the book; `teaching/display.py` has the same. */
const TERM_COLORS = { alive: "green", terminating: "red", pole_pos: "blue", cart_vel: "orange", pole_vel: "violet", cart_pos: "soft" };

/** Names in the order of the task; a saved notebook has sorted them by letter. */
const inOrder = (names, order = Object.keys(TERM_COLORS)) => {
  const rank = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  return [...names].sort((a, b) => rank(a) - rank(b));
};

/** Throws, in words, unless these are weights that `act` can use. */
function checkPolicy(net) {
  const numbers = (values, n) => Array.isArray(values) && values.length === n && values.every(Number.isFinite);
  let inputs = 4;
  const ok = net && Array.isArray(net.layers) && net.layers.length > 0 && net.layers.length < 9 && Number.isFinite(net.observation_clip) && Number.isFinite(net.action_clip)
    && net.layers.every(({ weight, bias, activation }) => {
      if (!Array.isArray(bias) || bias.length > 1024 || !numbers(bias, bias.length) || !Array.isArray(weight) || weight.length !== bias.length) return false;
      const fits = weight.every((row) => numbers(row, inputs)) && [null, undefined, "tanh", "elu", "relu"].includes(activation);
      inputs = bias.length;
      return fits;
    }) && inputs === 1 && (!net.normalization || (numbers(net.normalization.mean, 4) && numbers(net.normalization.var, 4)));
  if (!ok) throw new Error("no policy of four numbers in, one out, as `cartpole-lab export --format json` writes it");
}

/** Policies that were trained in this tab, for the playgrounds of its pages: newest last. `epochs`: how each became what it is. */
function trainedHere() {
  const fine = ({ name, weights, epochs }) => typeof name === "string" && [weights, ...(epochs ?? []).map((e) => e.weights)].every((net) => (checkPolicy(net), true));
  try {
    return JSON.parse(sessionStorage.getItem("cartpole-lab-policies") ?? "[]").filter(fine).slice(-3);
  } catch { return window.cartpoleLabPolicies ?? []; }
}
function offerPolicy(name, weights, epochs) {
  const kept = [...trainedHere().filter((q) => q.name !== name), { name, weights, epochs }].slice(-3);
  window.cartpoleLabPolicies = kept;
  try { sessionStorage.setItem("cartpole-lab-policies", JSON.stringify(kept)); } catch { /* no store on this page, or a full one */ }
  window.dispatchEvent(new CustomEvent("cartpole-lab-policy", { detail: { name } }));
}

const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
