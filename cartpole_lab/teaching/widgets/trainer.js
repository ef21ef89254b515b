// The trainer: sliders, a Train button, curves that grow, and the runs so far. Without a kernel it shows recorded runs.

/** The recorded run whose weights are nearest to the given ones, axis by axis. */
export function nearest(recorded, weights) {
  const axes = Object.entries(recorded.axes ?? {});
  const picks = Object.fromEntries(axes.map(([name, values]) =>
    [name, values.reduce((a, b) => (Math.abs(b - weights[name]) < Math.abs(a - weights[name]) ? b : a))]));
  return recorded.results?.find((r) => axes.every(([name]) => r.weights[name] === picks[name])) ?? null;
}

/** What a run changed against the defaults, in words. */
export function changes(run, defaults) {
  const all = { ...run.weights, ...run.ppo }, base = { ...defaults.weights, ...defaults.ppo };
  const words = Object.entries(all).filter(([name, value]) => name in base && base[name] !== value).map(([name, value]) => `${name} ${short(value)}`);
  return words.join(", ") || "start values";
}

const short = (value) => String(Number(value.toPrecision(3))).replace("-", "−");
const NAMES = { learning_rate: "learning rate", gamma: "discount γ", entropy_coef: "entropy bonus", kl_threshold: "KL threshold" };

export default {
  render({ model, el, signal }) {
    const recorded = model.get("recorded"), defaults = model.get("defaults"), ranges = model.get("ranges");
    const ui = frame(el, { title: "Trainer", label: "Trainer", signal });
    const tag = h("span", { className: "cl-tag" });
    ui.root.querySelector(".cl-sub").replaceWith(tag);
    let live = false, chosen = null, clock = 0;
    const palette = (c, i) => [c.blue, c.orange, c.green, c.violet, c.red, c.gold][i % 6];

    // -- controls, made anew when a kernel answers: any value then, only recorded ones before
    const knobs = h("div"), note = h("p", { className: "cl-note" }), message = h("span", { className: "cl-note" });
    message.style.margin = "0";
    const train = button("Train", () => tell({ type: "start" }), { className: "cl-main" });
    const stop = button("Stop", () => tell({ type: "stop" }), { title: "End after this epoch and keep what was learned" });
    const bar = h("progress", { max: 1, value: 0, "aria-label": "Progress of the training" });
    const row = h("div", { className: "cl-row" }, train, stop, bar, message);
    const chart = ui.surface({ height: (w) => (w < 460 ? 200 : 240), draw: drawCurves, label: "Learning curves" });
    const body = h("tbody");
    const table = h("table", {}, h("thead", {}, h("tr", {}, ...["run", "time-outs", "pole stands", "epochs", ""].map((t) => h("th", { scope: "col" }, t)))), body);
    const stage = ui.surface({ height: (w) => (chosen?.film ? Math.max(150, Math.min(240, w * 0.29)) : 1), draw: drawFilm, label: "The policy of the chosen run, filmed in Isaac Lab" });
    const caption = h("p", { className: "cl-note" });
    ui.root.append(note, knobs, row, h("h4", {}, "Mean return that the trainer reports (comparable under equal weights only)"), chart.canvas, h("div", { className: "cl-scroll" }, table), caption, stage.canvas);
    caption.style.margin = "10px 0 6px";
    ui.finish();

    let controls = {};
    function build() {
      controls = {};
      const knob = (group, name) => {
        const values = recorded.axes?.[name];
        if (!live && group === "weights" && values) {
          const sorted = [...values].sort((a, b) => a - b);
          const at = () => sorted.reduce((best, v, i) => (Math.abs(v - model.get(group)[name]) < Math.abs(sorted[best] - model.get(group)[name]) ? i : best), 0);
          const control = slider({ label: name, name, min: 0, max: sorted.length - 1, step: 1, value: at(), format: (i) => short(sorted[i]), onInput: (i) => move(group, name, sorted[i]) });
          controls[name] = () => control.set(at());
          return control.el;
        }
        const [min, max] = ranges[name], log = min > 0 && max / min > 20;
        const to = (v) => (log ? Math.log10(v) : v), from = (p) => (log ? Number((10 ** p).toPrecision(3)) : Number(p.toPrecision(6)));
        const control = slider({ label: NAMES[name] ?? name, name, min: to(min), max: to(max), step: log ? 0.01 : (max - min) / 200, value: to(model.get(group)[name]),
          format: (p) => short(from(p)), onInput: (p) => move(group, name, from(p)) });
        controls[name] = () => control.set(to(model.get(group)[name]));
        control.input.disabled = !live;
        return control.el;
      };
      const weights = Object.keys(model.get("weights")), ppo = Object.keys(model.get("ppo"));
      const shown = live ? weights : weights.filter((name) => recorded.axes?.[name]);
      knobs.replaceChildren(
        h("h4", {}, "Reward weights"), h("div", { className: "cl-grid" }, ...shown.map((name) => knob("weights", name))),
        ...(live && ppo.length ? [h("h4", {}, "PPO"), h("div", { className: "cl-grid" }, ...ppo.map((name) => knob("ppo", name)))] : []),
      );
      row.hidden = !live;
      row.style.display = live ? "" : "none";
      tag.textContent = live ? "live: trains in Isaac Lab" : "recorded runs";
      const set = recorded.settings ?? {};
      note.textContent = live
        ? "Set the weights, press Train. The run goes on in a second process, so the notebook stays free. Stop keeps what was learned."
        : `${model.get("can_train") ? "No kernel answers here: these" : "These"} are recorded runs, ${recorded.results?.length ?? 0} trainings in Isaac Lab (${set.num_envs ?? "?"} environments, seed ${set.seed ?? "?"}). The sliders step through the weights that were recorded.`;
      ui.root.dataset.mode = live ? "live" : "recorded";
    }
    function move(group, name, value) {
      model.set(group, { ...model.get(group), [name]: value });
      model.save_changes();
      if (!live) choose(nearest(recorded, model.get("weights")));
    }
    function tell(content) {
      try { model.send(content); } catch { /* no kernel: the recorded runs stay */ }
    }

    // -- the runs to show: the notebook's own, and without a kernel the chosen recorded one against the task's weights
    function runs() {
      const own = model.get("results").map((run) => ({ run }));
      if (live) return own;
      const base = nearest(recorded, defaults.weights), now = nearest(recorded, model.get("weights"));
      return [...new Set([base, now])].filter(Boolean).map((run) => ({ run })).concat(own);
    }
    function choose(run) {
      chosen = run;
      clock = 0;
      refresh();
    }
    function refresh() {
      const status = model.get("status"), busy = ["starting", "training", "filming"].includes(status.state);
      train.disabled = busy;
      stop.disabled = !["starting", "training"].includes(status.state);
      message.textContent = status.message ?? "";
      message.classList.toggle("cl-bad", status.state === "failed");
      if (status.state === "starting" || status.state === "filming") bar.removeAttribute("value");
      else bar.value = status.state === "training" ? status.epoch / status.max_epochs : status.state === "idle" && model.get("results").length ? 1 : 0;
      const list = runs();
      if (!list.some(({ run }) => run === chosen)) chosen = list.at(-1)?.run ?? null;
      body.replaceChildren(...list.map(({ run }, i) => {
        const dot = h("i", { className: "cl-dot" });
        dot.style.background = palette(ui.colors, i);
        const e = run.evaluation, settle = e.mean_settle_time_s;
        const pick = run.film ? button(run === chosen ? "shown" : "film", () => choose(run)) : null;
        const line = h("tr", {}, h("td", {}, dot, changes(run, defaults)),
          h("td", {}, `${(100 * e.timeout_share).toFixed(1)} %`), h("td", {}, settle === null || settle === undefined ? "never" : `${(100 * e.settled_share).toFixed(0)} %, ${settle.toFixed(2)} s`),
          h("td", {}, String(run.epochs)), h("td", {}, pick));
        line.setAttribute("aria-selected", String(run === chosen));
        return line;
      }));
      table.hidden = !list.length;
      caption.textContent = chosen?.film ? `Film: ${changes(chosen, defaults)}; ${chosen.film.episodes.length} starts, each until its episode ends, recorded in Isaac Lab. Time-outs count episodes that stay on the stage, a hanging pole included; a standing pole is within 5° for good.`
        : list.length ? "" : "No run yet.";
      stage.canvas.hidden = !chosen?.film;
      ui.root.dataset.runs = String(list.length);
      ui.root.dataset.points = String(model.get("live").length);
      ui.root.dataset.state = status.state;
      const words = list.map(({ run }) => `${changes(run, defaults)}: ${(100 * run.evaluation.timeout_share).toFixed(0)} percent time-outs, ${(100 * (run.evaluation.settled_share ?? 0)).toFixed(0)} percent stand, after ${run.epochs} epochs`);
      ui.describe(`${tag.textContent}. ${words.join("; ") || "No run yet"}.`);
      chart.canvas.setAttribute("aria-label", `Learning curves. ${words.join("; ")}`);
      ui.play(chosen?.film && !reducedMotion() ? (elapsed) => { clock += elapsed; } : null);
      ui.redraw();
    }

    // -- drawing
    function drawCurves(ctx, width, height, c) {
      const list = runs(), points = model.get("live");
      const last = Math.max(10, ...list.map(({ run }) => run.epochs), points.length ? Math.max(model.get("epochs"), points.at(-1)[0]) : 0);
      const seen = [...list.flatMap(({ run }) => run.curve.return), ...points.map((p) => p[1])].filter((v) => v !== null);
      const high = Math.max(5, ...seen), low = Math.max(Math.min(0, ...seen), -2 * high);
      const box = { x: 40, y: 10, w: width - 40 - 10, h: height - 48 };
      const { sx, sy } = axes(ctx, c, box, [0, last], [low, high * 1.03], { xLabel: "epoch", yTicks: 5, xTicks: width < 460 ? 4 : 8 });
      ctx.save();
      ctx.beginPath();
      ctx.rect(box.x, box.y - 4, box.w + 6, box.h + 8);
      ctx.clip();
      const line = (xs, ys, color, thick, alpha = 1) => {
        ctx.strokeStyle = color;
        ctx.globalAlpha = alpha;
        ctx.lineWidth = thick;
        ctx.lineJoin = "round";
        ctx.beginPath();
        xs.forEach((x, i) => { if (ys[i] !== null) ctx.lineTo(sx(x), sy(ys[i])); });
        ctx.stroke();
        ctx.globalAlpha = 1;
      };
      if (!live) for (const run of recorded.results ?? []) line(run.curve.epoch, run.curve.return, c.line, 1.2);
      list.forEach(({ run }, i) => line(run.curve.epoch, run.curve.return, palette(c, i), run === chosen ? 2.6 : 1.7, run === chosen ? 1 : 0.85));
      if (points.length) {
        const color = palette(c, list.length);
        line(points.map((p) => p[0]), points.map((p) => p[1]), color, 2.6);
        const end = points.findLast((p) => p[1] !== null);
        if (end) {
          ctx.fillStyle = color;
          ctx.beginPath();
          ctx.arc(sx(end[0]), sy(end[1]), 4, 0, 7);
          ctx.fill();
        }
      }
      ctx.restore();
    }
    function drawFilm(ctx, width, height, c) {
      const film = chosen?.film;
      if (!film) return;
      const longest = Math.max(...film.episodes.map((e) => e.x.length));
      const step = Math.floor(clock / film.dt) % (longest + 20); // a pause before it starts again
      const scale = Math.min(width / 6.9, (height - 16) / 2.1), view = { ox: width / 2, oy: height / 2, scale };
      ctx.fillStyle = c.panel;
      ctx.fillRect(0, 0, width, height);
      drawRail(ctx, c, { width, ...view, post: 12 });
      [...film.episodes].reverse().forEach((episode, i) => {
        const at = Math.min(step, episode.x.length - 1), front = i === film.episodes.length - 1;
        drawCartPole(ctx, c, { x: episode.x[at], angle: episode.angle[at], alpha: (front ? 1 : 0.4) * (step > at && at < longest - 1 ? 0.35 : 1), ...view });
      });
    }

    const onKnobs = () => { for (const show of Object.values(controls)) if (!knobs.contains(document.activeElement)) show(); if (!live) choose(nearest(recorded, model.get("weights"))); };
    const onResults = () => { chosen = model.get("results").at(-1) ?? chosen; clock = 0; refresh(); };
    const onMessage = (content) => { if (content?.type === "kernel" && model.get("can_train") && !live) { live = true; chosen = null; build(); refresh(); } };
    const heard = { "change:weights": onKnobs, "change:ppo": onKnobs, "change:status": refresh, "change:live": refresh, "change:results": onResults, "msg:custom": onMessage };
    for (const [event, react] of Object.entries(heard)) model.on(event, react);
    signal?.addEventListener("abort", () => { for (const [event, react] of Object.entries(heard)) model.off(event, react); });
    build();
    chosen = nearest(recorded, model.get("weights"));
    refresh();
    tell({ type: "hello" });
  },
};
