// The policy map: what a policy answers to every pole angle and angular velocity, with trajectories on top.

const COLUMNS = 97, ROWS = 65;

/** Actions over the map, row by row from the lowest angular velocity; a given grid is returned as it is. */
export function heat(policy, { angleMax, velocityMax, x = 0, v = 0, columns = COLUMNS, rows = ROWS }) {
  if (policy.grid) return { columns: policy.grid[0].length, rows: policy.grid.length, values: Float32Array.from(policy.grid.flat()) };
  const values = new Float32Array(columns * rows);
  for (let r = 0; r < rows; r++) {
    const spin = ((2 * r) / (rows - 1) - 1) * velocityMax;
    for (let c = 0; c < columns; c++) values[r * columns + c] = act(policy.weights, [x, ((2 * c) / (columns - 1) - 1) * angleMax, v, spin]);
  }
  return { columns, rows, values };
}

const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

export default {
  render({ model, el, signal }) {
    const policies = model.get("policies"), rollouts = model.get("rollouts");
    const ui = frame(el, { title: "Policy map", subtitle: "effort over pole angle and angular velocity", label: "Policy map", signal });
    const A = model.get("angle_max"), V = model.get("velocity_max"), N = model.get("effort_scale");
    const policy = () => policies.find((p) => p.name === model.get("policy")) ?? policies[0];
    let chosen = rollouts[0] ?? null, map = null, picture = null, cursor = { angle: 0, velocity: 0 }, step = 0, clock = 0, playing = false, follow = false;
    let colors = [];
    const sheet = document.createElement("canvas");

    const chart = ui.surface({ height: (w) => Math.max(250, Math.min(400, w * 0.52)), draw, className: "cl-touch", label: "Map of the policy's effort. Arrow keys move the cross." });
    chart.canvas.tabIndex = 0;
    chart.canvas.style.cursor = "crosshair";
    chart.canvas.style.touchAction = "pan-y";
    const stats = { angle: stat("pole angle"), velocity: stat("angular velocity"), effort: stat("effort there") };
    const who = picker("Policy", policies.map((p) => [p.name, p.name]), policy().name, (name) => { model.set("policy", name); model.save_changes(); });
    const path = rollouts.length ? picker("Trajectories", [...rollouts.map((r) => [r.name, `path: ${r.name}`]), ["", "no path"]], chosen.name, (name) => {
      chosen = rollouts.find((r) => r.name === name) ?? null;
      step = 0;
      run(false);
    }) : null;
    const play = button("Play", () => run(!playing));
    const sticky = button("Follow the cart", () => { follow = !follow; sticky.setAttribute("aria-pressed", String(follow)); remap(); }, { title: "While the path plays, draw the map for the cart's position and velocity of that moment" });
    sticky.setAttribute("aria-pressed", "false");
    const cart = (key, label, limit, unit) => slider({ label, name: key, min: -limit, max: limit, step: limit / 40, unit, digits: 2, value: model.get(key),
      onInput: (value) => { model.set(key, value); model.save_changes(); remap(); } });
    const sliders = { cart_pos: cart("cart_pos", "Cart position", 3, "m"), cart_vel: cart("cart_vel", "Cart velocity", 4, "m/s") };
    const note = h("p", { className: "cl-note" });
    const place = h("div", { className: "cl-grid" }, sliders.cart_pos.el, sliders.cart_vel.el);
    ui.root.append(h("div", { className: "cl-row" }, who, path, ...(path ? [play, sticky] : [])), chart.canvas,
      h("div", { className: "cl-stats" }, ...Object.values(stats).map((s) => s.el)), place, note);
    ui.finish();

    const moment = () => (chosen ? chosen.episodes[0] : null);
    function remap() {
      const at = follow && moment() ? { x: moment().x[step], v: moment().cart_vel[step] } : { x: model.get("cart_pos"), v: model.get("cart_vel") };
      if (follow && moment()) { sliders.cart_pos.set(at.x); sliders.cart_vel.set(at.v); }
      // In motion a coarser map will do; it takes half the time, and a picture has 16 ms.
      map = heat(policy(), { angleMax: A, velocityMax: V, ...at, ...(follow && playing ? { columns: 65, rows: 43 } : {}) });
      picture = null;
      place.hidden = !policy().weights;
      note.textContent = policy().weights ? "Positive effort pushes the cart to the right; a positive angle leans to the left. So a policy that catches the pole is negative on the right of the map."
        : "Sampled with the cart at rest in the middle.";
      who.value = policy().name;
      tell();
    }
    function valueAt(angle, velocity) {
      const c = Math.round(((angle / A + 1) / 2) * (map.columns - 1)), r = Math.round(((velocity / V + 1) / 2) * (map.rows - 1));
      return map.values[Math.max(0, Math.min(map.rows - 1, r)) * map.columns + Math.max(0, Math.min(map.columns - 1, c))];
    }
    function tell() {
      const effort = N * valueAt(cursor.angle, cursor.velocity);
      stats.angle.set(`${fixed(cursor.angle * DEGREES, 1)}°`);
      stats.velocity.set(`${fixed(cursor.velocity, 2)} rad/s`);
      stats.effort.set(`${fixed(effort, 0)} N`);
      ui.root.dataset.effort = effort.toFixed(2);
      let full = 0;
      for (const value of map.values) if (Math.abs(value) > 0.99) full += 1;
      ui.describe(`Policy ${policy().name}. At ${(cursor.angle * DEGREES).toFixed(0)} degrees and ${cursor.velocity.toFixed(1)} radians per second it pushes with ${effort.toFixed(0)} newtons. It pushes with full force on ${((100 * full) / map.values.length).toFixed(0)} percent of the map.`);
      ui.redraw();
    }
    function run(on) {
      const moved = playing && !on && follow;
      playing = on && Boolean(moment());
      if (moved) remap();
      play.textContent = playing ? "Pause" : "Play";
      play.disabled = !moment();
      if (playing && step >= moment().angle.length - 1) step = 0;
      clock = step;
      ui.play(playing ? (elapsed) => {
        clock += elapsed / chosen.dt;
        step = Math.min(moment().angle.length - 1, Math.floor(clock));
        cursor = { angle: clip(moment().angle[step], A), velocity: clip(moment().velocity[step], V) };
        if (follow) remap(); else tell();
        if (step >= moment().angle.length - 1) run(false);
      } : null);
      ui.redraw();
    }

    let box = { x: 52, y: 14, w: 100, h: 100 };
    const point = (event) => {
      const rect = chart.canvas.getBoundingClientRect();
      run(false);
      cursor = { angle: clip((((event.clientX - rect.left - box.x) / box.w) * 2 - 1) * A, A), velocity: clip((1 - ((event.clientY - rect.top - box.y) / box.h) * 2) * V, V) };
      tell();
    };
    chart.canvas.addEventListener("pointerdown", point);
    chart.canvas.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse" || event.buttons) if (!playing) point(event); });
    chart.canvas.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!move) return;
      cursor = { angle: clip(cursor.angle + (move[0] * A) / 40, A), velocity: clip(cursor.velocity + (move[1] * V) / 40, V) };
      tell();
      ui.say(`${stats.angle.el.firstChild.textContent}, ${stats.velocity.el.firstChild.textContent}: ${stats.effort.el.firstChild.textContent}`);
      event.preventDefault();
      event.stopPropagation();
    });

    function paint(c) {
      // On dark paper the full colours would drown the white paths.
      const dark = c === PALETTES.dark, dim = (hex) => (dark ? rgb(hex).map((v) => v * 0.62) : rgb(hex));
      const stops = [dim(c.orange), rgb(c.paper), dim(c.blue)], key = c.paper;
      colors = stops.map((stop) => `rgb(${stop.map(Math.round).join()})`);
      if (picture === key) return;
      picture = key;
      sheet.width = map.columns;
      sheet.height = map.rows;
      const ctx = sheet.getContext("2d"), image = ctx.createImageData(map.columns, map.rows);
      for (let r = 0; r < map.rows; r++) for (let q = 0; q < map.columns; q++) {
        const value = map.values[(map.rows - 1 - r) * map.columns + q], end = value < 0 ? stops[0] : stops[2], mix = Math.abs(value);
        for (let k = 0; k < 3; k++) image.data[4 * (r * map.columns + q) + k] = stops[1][k] + (end[k] - stops[1][k]) * mix;
        image.data[4 * (r * map.columns + q) + 3] = 255;
      }
      ctx.putImageData(image, 0, 0);
    }
    function draw(ctx, width, height, c) {
      box = { x: 46, y: 26, w: width - 46 - 10, h: height - 26 - 40 };
      paint(c);
      ctx.imageSmoothingEnabled = true;
      ctx.drawImage(sheet, box.x, box.y, box.w, box.h);
      const { sx, sy } = axes(ctx, { ...c, faint: "transparent" }, box, [-A * DEGREES, A * DEGREES], [-V, V], { yLabel: "angular velocity [rad/s]", xLabel: "pole angle [°]", yTicks: 4, xTicks: 6 });
      ctx.strokeStyle = c.line;
      ctx.strokeRect(box.x + 0.5, box.y + 0.5, box.w - 1, box.h - 1);
      // The colour scale, in the corner above the map.
      const bar = { w: Math.min(120, box.w * 0.34), h: 8, x: 0, y: 8 };
      bar.x = box.x + box.w - bar.w - 42;
      const fill = ctx.createLinearGradient(bar.x, 0, bar.x + bar.w, 0);
      colors.forEach((color, i) => fill.addColorStop(i / 2, color));
      ctx.fillStyle = fill;
      ctx.fillRect(bar.x, bar.y, bar.w, bar.h);
      ctx.fillStyle = c.soft;
      ctx.textBaseline = "middle";
      ctx.textAlign = "right";
      ctx.fillText(fixed(-N, 0), bar.x - 5, bar.y + 4);
      ctx.textAlign = "left";
      ctx.fillText(`${fixed(N, 0)} N`, bar.x + bar.w + 5, bar.y + 4);
      ctx.save();
      ctx.beginPath();
      ctx.rect(box.x, box.y, box.w, box.h);
      ctx.clip();
      (chosen?.episodes ?? []).forEach((episode, e) => {
        ctx.strokeStyle = c.ink;
        ctx.globalAlpha = e ? 0.35 : 0.95;
        ctx.lineWidth = e ? 1 : 1.8;
        ctx.beginPath();
        episode.angle.forEach((angle, i) => ctx.lineTo(sx(angle * DEGREES), sy(episode.velocity[i])));
        ctx.stroke();
        ctx.fillStyle = c.ink;
        ctx.beginPath();
        ctx.arc(sx(episode.angle[0] * DEGREES), sy(episode.velocity[0]), e ? 2.5 : 4, 0, 7);
        ctx.fill();
      });
      ctx.globalAlpha = 1;
      const px = sx(cursor.angle * DEGREES), py = sy(cursor.velocity);
      ctx.strokeStyle = c.paper;
      ctx.lineWidth = 5;
      for (let pass = 0; pass < 2; pass++) {
        ctx.beginPath();
        ctx.arc(px, py, 6, 0, 7);
        ctx.stroke();
        ctx.strokeStyle = c.red;
        ctx.lineWidth = 2.2;
      }
      ctx.restore();
    }

    const onCart = () => { for (const key of Object.keys(sliders)) if (document.activeElement !== sliders[key].input) sliders[key].set(model.get(key)); remap(); };
    const heard = { "change:policy": remap, "change:cart_pos": onCart, "change:cart_vel": onCart };
    for (const [event, react] of Object.entries(heard)) model.on(event, react);
    signal?.addEventListener("abort", () => { for (const [event, react] of Object.entries(heard)) model.off(event, react); });
    remap();
    run(false);
  },
};
