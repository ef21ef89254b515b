// The reward mixer: which term pays what, at every moment of a recorded rollout, under weights that sliders set.

/** Sum over time and per-step parts of each term: weight x term x step length. */
export function contributions(episode, weights, dt) {
  const parts = {}, sums = {};
  let total = 0;
  for (const [term, values] of Object.entries(episode.terms)) {
    const factor = (weights[term] ?? 0) * dt;
    const row = new Float64Array(values.length);
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += row[i] = factor * values[i];
    parts[term] = row;
    sums[term] = sum;
    total += sum;
  }
  const size = Object.values(sums).reduce((a, b) => a + Math.abs(b), 0);
  const shares = Object.fromEntries(Object.entries(sums).map(([term, sum]) => [term, size ? Math.abs(sum) / size : 0]));
  return { parts, sums, shares, total };
}

export default {
  render({ model, el, signal }) {
    const rollouts = model.get("rollouts"), terms = inOrder(Object.keys(model.get("defaults")));
    const ui = frame(el, { title: "Reward mixer", subtitle: "recorded in Isaac Lab, weighed here", label: "Reward mixer", signal });
    const hue = (c, i) => c[TERM_COLORS[terms[i]] ?? ["gold", "soft"][i % 2]];
    let cursor = 0, mixed = null, playing = false, clock = 0;

    const rollout = () => rollouts.find((r) => r.name === model.get("policy")) ?? rollouts[0];
    const episode = () => rollout().episodes[Math.min(model.get("episode"), rollout().episodes.length - 1)];
    const seconds = () => episode().x.length * rollout().step_dt;

    // -- pictures
    const chart = ui.surface({ height: (w) => (w < 460 ? 200 : 250), draw: drawChart, className: "cl-touch",
      label: "Stacked contributions of the reward terms over time" });
    chart.canvas.style.cursor = "crosshair";
    chart.canvas.style.touchAction = "pan-y";
    const stage = ui.surface({ height: (w) => (w < 460 ? 150 : 210), draw: drawStage, label: "The cart-pole at the chosen moment" });

    // -- controls
    const stats = { total: stat("return of this episode"), steps: stat("episode"), now: stat("reward of this step") };
    const who = picker("Rollout", rollouts.map((r) => [r.name, r.name]), rollout().name, (name) => send({ policy: name, episode: 0 }));
    const which = h("select", { "aria-label": "Episode" });
    which.addEventListener("change", () => send({ episode: Number(which.value) }));
    const play = button("Play", () => run(!playing));
    const sliders = {}, notes = {};
    const rows = terms.map((term, i) => {
      const [min, max] = model.get("ranges")[term];
      const control = slider({ label: term, name: term, min, max, step: stepOf(max - min), digits: max - min > 3 ? 2 : 3, color: hue(ui.colors, i),
        value: model.get("weights")[term], onInput: (value) => send({ weights: { ...model.get("weights"), [term]: value } }) });
      sliders[term] = control;
      notes[term] = h("div", { className: "cl-note" });
      notes[term].style.margin = "-2px 0 0";
      return h("div", {}, control.el, notes[term]);
    });
    const moment = slider({ label: "Moment", name: "moment", min: 0, max: 1, step: 1, value: 0, format: (i) => `${fixed(i * rollout().step_dt, 2)} s`, onInput: (i) => { run(false); cursor = i; ui.redraw(); showMoment(); } });
    ui.root.append(
      h("div", { className: "cl-row" }, who, which, play, button("Reset weights", () => send({ weights: { ...model.get("defaults") } }), { title: "The weights that were recorded" })),
      h("div", { className: "cl-stats" }, stats.total.el, stats.steps.el, stats.now.el),
      chart.canvas, stage.canvas, moment.el,
      h("div", { className: "cl-grid" }, ...rows),
    );
    const note = h("p", { className: "cl-note" }, "Each area is weight × term × step length; what lies above zero is paid, what lies below is charged. The share compares the sizes of the sums.");
    ui.root.append(note);
    ui.finish();

    function send(changes) {
      for (const [key, value] of Object.entries(changes)) model.set(key, value);
      model.save_changes();
      mix();
    }
    function stepOf(span) {
      return span > 3 ? 0.05 : 0.005;
    }
    function run(on) {
      playing = on;
      play.textContent = on ? "Pause" : "Play";
      if (on && cursor >= episode().x.length - 1) cursor = 0;
      clock = cursor;
      ui.play(on ? (elapsed) => {
        clock += elapsed / rollout().step_dt;
        cursor = Math.min(episode().x.length - 1, Math.floor(clock));
        showMoment();
        if (cursor >= episode().x.length - 1) run(false);
      } : null);
      ui.redraw();
    }
    function showMoment() {
      moment.set(cursor);
      stats.now.set(fixed(terms.reduce((sum, term) => sum + mixed.parts[term][cursor], 0), 4));
    }
    function mix() {
      mixed = contributions(episode(), model.get("weights"), rollout().step_dt);
      for (const term of terms) {
        if (document.activeElement !== sliders[term].input || sliders[term].get() !== model.get("weights")[term]) sliders[term].set(model.get("weights")[term]);
        notes[term].textContent = `sum ${fixed(mixed.sums[term], 3)} · share ${(100 * mixed.shares[term]).toFixed(1)}%`;
      }
      stats.total.set(fixed(mixed.total, 3));
      stats.steps.set(episode().failed ? `failed at ${seconds().toFixed(2)} s` : `${seconds().toFixed(2)} s`);
      ui.root.dataset.total = mixed.total.toFixed(4);
      cursor = Math.min(cursor, episode().x.length - 1);
      showMoment();
      const words = terms.map((term) => `${term} ${mixed.sums[term].toFixed(2)}`).join(", ");
      ui.describe(`Rollout ${rollout().name}: return ${mixed.total.toFixed(2)}. Sums by term: ${words}.`);
      chart.canvas.setAttribute("aria-label", `Stacked contributions over time. Sums: ${words}.`);
      ui.redraw();
    }
    function choose() {
      who.value = rollout().name;
      which.replaceChildren(...rollout().episodes.map((_, i) => h("option", { value: i }, `episode ${i + 1}`)));
      which.value = Math.min(model.get("episode"), rollout().episodes.length - 1);
      moment.input.max = episode().x.length - 1;
      run(false);
      mix();
    }

    // -- hands
    const point = (event) => {
      const box = chart.canvas.getBoundingClientRect();
      const at = ((event.clientX - box.left - plot.x) / plot.w) * (plot.span / rollout().step_dt);
      run(false);
      cursor = Math.max(0, Math.min(episode().x.length - 1, Math.floor(at)));
      showMoment();
      ui.redraw();
    };
    chart.canvas.addEventListener("pointerdown", point);
    chart.canvas.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse" || event.buttons) point(event); });

    // -- drawing
    let plot = { x: 0, w: 1, span: 5 };
    function drawChart(ctx, width, height, c) {
      const length = episode().x.length, dt = rollout().step_dt;
      const span = Math.max(seconds(), Math.max(...rollout().episodes.map((e) => e.x.length)) * dt);
      const above = new Float64Array(length), below = new Float64Array(length);
      let high = 0, low = 0;
      const layers = terms.map((term) => {
        const part = mixed.parts[term], top = new Float64Array(length), base = new Float64Array(length);
        for (let i = 0; i < length; i++) {
          const side = part[i] >= 0 ? above : below;
          base[i] = side[i];
          top[i] = side[i] += part[i];
          high = Math.max(high, above[i]);
          low = Math.min(low, below[i]);
        }
        return { top, base };
      });
      const room = Math.max(high - low, 1e-6);
      const box = { x: 56, y: 22, w: width - 56 - 8, h: height - 60 };
      plot = { x: box.x, w: box.w, span };
      const { sx, sy } = axes(ctx, c, box, [0, span], [low - 0.06 * room, high + 0.06 * room], { yLabel: "weight × term × step", xLabel: "time [s]", yTicks: 4 });
      layers.forEach(({ top, base }, k) => {
        ctx.fillStyle = hue(c, k);
        ctx.globalAlpha = 0.55; // a term that never changes fills a whole rectangle: let it be a quiet one
        ctx.beginPath();
        for (let i = 0; i < length; i++) {
          ctx.lineTo(sx(i * dt), sy(top[i]));
          ctx.lineTo(sx((i + 1) * dt), sy(top[i]));
        }
        for (let i = length - 1; i >= 0; i--) {
          ctx.lineTo(sx((i + 1) * dt), sy(base[i]));
          ctx.lineTo(sx(i * dt), sy(base[i]));
        }
        ctx.fill();
      });
      ctx.globalAlpha = 1;
      ctx.strokeStyle = c.ink;
      ctx.lineWidth = 1.4;
      ctx.beginPath();
      for (let i = 0; i < length; i++) ctx.lineTo(sx((i + 0.5) * dt), sy(above[i] + below[i]));
      ctx.stroke();
      ctx.fillStyle = c.ink;
      ctx.textAlign = "right";
      ctx.textBaseline = "alphabetic";
      ctx.fillText("line: their sum", box.x + box.w, box.y - 8);
      ctx.strokeStyle = c.soft;
      ctx.setLineDash([3, 3]);
      ctx.beginPath();
      ctx.moveTo(sx((cursor + 0.5) * dt), box.y);
      ctx.lineTo(sx((cursor + 0.5) * dt), box.y + box.h);
      ctx.stroke();
      ctx.setLineDash([]);
    }
    function drawStage(ctx, width, height, c) {
      const scale = Math.min(width / 6.9, (height - 12) / 2.05), view = { ox: width / 2, oy: height / 2, scale }; // room for a pole that hangs
      ctx.fillStyle = c.panel;
      ctx.fillRect(0, 0, width, height);
      drawRail(ctx, c, { width, ...view, post: 11 });
      const now = episode();
      for (const back of [24, 12]) if (cursor >= back) drawCartPole(ctx, c, { x: now.x[cursor - back], angle: now.angle[cursor - back], ghost: true, alpha: 0.6, ...view });
      drawCartPole(ctx, c, { x: now.x[cursor], angle: now.angle[cursor], ...view });
    }

    const heard = { "change:weights": mix, "change:policy": choose, "change:episode": choose };
    for (const [event, react] of Object.entries(heard)) model.on(event, react);
    signal?.addEventListener("abort", () => { for (const [event, react] of Object.entries(heard)) model.off(event, react); });
    new MutationObserver(() => terms.forEach((term, i) => { sliders[term].dot.style.background = hue(ui.colors, i); })).observe(ui.root, { attributes: true, attributeFilter: ["data-cl-theme"] });
    choose();
  },
};
