// The playground: the cart-pole in the browser under trained policies. Its physics stands in twin.js.

const PUSH_STEPS = 12; // 0.2 s
const DRIVE = "you", NOBODY = "nobody";
const HISTORY = 300; // 5 s of plot
const DEFAULTS = { gravity: 9.81, pole_length: 1, pole_mass: 1, start_angle: 20, speed: 1, push: 100 };

export default {
  render({ model, el, signal }) {
    const policies = model.get("policies");
    const ui = frame(el, {
      title: "Playground",
      subtitle: "a JavaScript twin of the task, driven by exported policies",
      label: "Cart-pole playground",
      signal,
    });

    // -- state
    let s = [0, 0, 0, 0], before = [0, 0, 0, 0], effort = 0, time = 0, owed = 0;
    let push = { force: 0, left: 0 }, keys = { left: false, right: false }, held = null;
    let running = !reducedMotion(), over = null, camera = 0, best = 0, count = 0;
    const history = [], trail = [];
    const params = () => ({ ...DEFAULTS, ...model.get("params") });
    const mode = () => model.get("policy");
    const everyone = () => [...policies, ...trainedHere()];
    const net = () => everyone().find((q) => q.name === mode())?.weights ?? null;
    let world, k;
    const rebuild = () => {
      const q = params();
      world = { ...TASK, gravity: q.gravity, poleLength: q.pole_length, poleMass: q.pole_mass };
      k = dynamics(world);
      later();
    };

    // -- pictures
    const stage = ui.surface({ height: (w) => Math.max(240, Math.min(340, w * 0.4)), draw: drawStage, className: "cl-touch",
      label: "Cart-pole on its rail. Drag the pole or the cart. Arrow keys push, space pauses, R starts again." });
    stage.canvas.style.touchAction = "pan-y";
    stage.canvas.tabIndex = 0;
    stage.canvas.setAttribute("role", "application");
    const plots = ui.surface({ height: (w) => (w < 460 ? 170 : 190), draw: drawPlots, label: "Pole angle and cart effort over the last five seconds" });

    // -- controls
    const stats = { time: stat("time"), angle: stat("pole angle"), cart: stat("cart position"), effort: stat("effort") };
    const names = () => [...everyone().map((q) => [q.name, q.name]), [DRIVE, "You drive (arrow keys)"], [NOBODY, "Nobody (0 N)"]];
    const who = picker("Who drives", names(), mode(), (name) => setPolicy(name));
    const meet = () => { // a policy that was trained on this page wants to drive
      who.replaceChildren(...names().map(([key, text]) => h("option", { value: key }, text)));
      who.value = mode();
    };
    window.addEventListener("cartpole-lab-policy", meet, { signal });
    who.classList.add("cl-wide");
    const pause = button("Pause", () => toggle());
    const left = button("◀ Push", () => shove(-1), { title: "Push the cart to the left for 0.2 s" });
    const right = button("Push ▶", () => shove(1), { title: "Push the cart to the right for 0.2 s" });
    for (const [node, key] of [[left, "left"], [right, "right"]]) {
      // While you drive, the two buttons are held down like the arrow keys.
      node.addEventListener("pointerdown", (event) => {
        if (mode() === DRIVE) { keys[key] = true; node.setPointerCapture(event.pointerId); wake(); }
      });
      for (const end of ["pointerup", "pointercancel", "blur"]) node.addEventListener(end, () => { keys[key] = false; });
    }
    const controls = {};
    const add = (key, label, min, max, stepSize, unit, digits, after = rebuild) => {
      controls[key] = slider({ label, name: key, min, max, step: stepSize, unit, digits, value: params()[key],
        onInput: (value) => { model.set("params", { ...model.get("params"), [key]: value }); model.save_changes(); after(); ui.redraw(); } });
      return controls[key].el;
    };
    ui.root.append(
      stage.canvas,
      h("div", { className: "cl-row" }, who, left, right, pause, button("Restart", () => reset(), { title: "Back to the start angle" }),
        button("Random", () => reset(true), { title: "A random start, from the task's own ranges" })),
      h("div", { className: "cl-stats" }, ...Object.values(stats).map((q) => q.el)),
      plots.canvas,
      h("div", { className: "cl-grid" },
        add("push", "Push, 0.2 s long", 0, 600, 5, "N", 0, () => announceLimit()),
        add("start_angle", "Start angle", -60, 60, 1, "°", 0, () => reset()),
        add("speed", "Speed of time", 0.1, 1, 0.05, "×", 2, () => {}),
        add("gravity", "Gravity", 0, 25, 0.01, "m/s²", 2),
        add("pole_length", "Pole length", 0.4, 1.6, 0.05, "m", 2),
        add("pole_mass", "Pole mass", 0.1, 5, 0.1, "kg", 1)),
    );
    const limitNote = h("p", { className: "cl-note cl-limit" });
    const restore = button("Task's values", () => {
      model.set("params", {});
      model.save_changes();
      for (const [key, control] of Object.entries(controls)) control.set(DEFAULTS[key]);
      rebuild();
      ui.redraw();
    });
    ui.root.append(h("div", { className: "cl-row" }, restore), limitNote);
    ui.finish();

    // -- the hardest push that this policy survives, worked out in the twin when something changes
    let timer = 0, limit = null;
    const later = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const weights = net();
        limit = weights ? pushLimit(weights, { p: world, pushSteps: PUSH_STEPS }) : null;
        ui.root.dataset.pushLimit = limit === null ? "" : String(limit);
        announceLimit();
      }, 120);
    };
    signal?.addEventListener("abort", () => clearTimeout(timer));
    function announceLimit() {
      const name = mode();
      limitNote.textContent = name === DRIVE
        ? `Hold the left or right arrow key (or the two buttons): ${TASK.effortScale} N either way. Keep the cart within ±3 m and the pole up.${best ? ` Your best: ${best.toFixed(1)} s.` : ""}`
        : name === NOBODY ? "Nobody pushes the cart. Drag the pole and let go."
        : limit === null ? `“${name}” cannot balance this pole, even from rest.`
        : `From rest, “${name}” survives pushes of up to ${limit} N for 0.2 s. ${params().push > limit ? "The push that is set is harder: expect a fall." : "The push that is set is within that."}`;
    }

    // -- what can happen
    function setPolicy(name) {
      model.set("policy", name);
      model.save_changes();
    }
    function onPolicy() {
      who.value = mode();
      const drive = mode() === DRIVE;
      left.textContent = drive ? "◀ Hold" : "◀ Push";
      right.textContent = drive ? "Hold ▶" : "Push ▶";
      reset();
      later();
      announceLimit();
    }
    function reset(random = false) {
      s = random ? TASK.start.map((w) => (Math.random() * 2 - 1) * w) : [0, (params().start_angle / DEGREES), 0, 0];
      before = [...s];
      time = owed = effort = 0;
      push = { force: 0, left: 0 };
      over = null;
      history.length = trail.length = 0;
      count += 1;
      running = true;
      wake();
    }
    function toggle(on = !running) {
      running = on;
      wake();
    }
    function wake() {
      pause.textContent = running ? "Pause" : "Play";
      ui.play(running || held ? advance : null);
      ui.redraw();
    }
    function shove(direction) {
      if (mode() === DRIVE) return;
      if (over) reset();
      const force = direction * params().push;
      push = { force, left: PUSH_STEPS };
      running = true;
      ui.say(`Pushed ${Math.abs(force)} newtons to the ${force < 0 ? "left" : "right"}`);
      wake();
    }
    function finish(seconds) {
      const caught = seconds === null;
      over = { text: caught ? "" : `Off the stage after ${seconds.toFixed(1)} s`, age: 0 };
      if (mode() === DRIVE && seconds > best) { best = seconds; announceLimit(); }
      model.set("last_result", { policy: mode(), seconds: Number(seconds.toFixed(3)) });
      model.save_changes();
      ui.root.dataset.fell = String(Number(ui.root.dataset.fell || 0) + 1);
      ui.say(over.text);
    }

    // -- time
    function advance(elapsed) {
      const stepDt = world.dt * world.decimation;
      if (over) {
        over.age += elapsed;
        if (over.age > 1.6) reset();
        return;
      }
      owed += elapsed * params().speed;
      while (owed >= stepDt) {
        owed -= stepDt;
        before = [...s];
        const weights = net();
        const action = weights ? act(weights, s) : mode() === DRIVE ? (keys.right ? 1 : 0) - (keys.left ? 1 : 0) : 0;
        effort = effortOf(action, world);
        let on = true;
        if (held) grab(stepDt);
        else on = step(s, effort, k, world, push.left > 0 ? push.force : 0);
        if (push.left > 0) push.left -= 1;
        time += stepDt;
        history.push([time, s[1], effort]);
        if (history.length > HISTORY) history.shift();
        trail.push([s[0] - Math.sin(s[1]) * 0.97 * world.poleLength, Math.cos(s[1]) * 0.97 * world.poleLength]);
        if (trail.length > 70) trail.shift();
        if (!on) {
          finish(time);
          break;
        }
      }
    }
    /** While held, the hand sets angle or position and the rest keeps moving. */
    function grab(stepDt) {
      const old = [...s];
      if (held.part === "cart") {
        step(s, 0, k, world);
        s[0] = clip(held.x, 2.95);
        s[2] = clip((s[0] - old[0]) / stepDt, 6);
      } else {
        step(s, effort, k, world);
        s[0] = clip(s[0], 2.95);
        s[1] = held.angle;
        s[3] = clip((s[1] - old[1]) / stepDt, 12);
      }
    }

    // -- hands and keys
    let view = { ox: 0, oy: 0, scale: 100 };
    const place = (event) => {
      const box = stage.canvas.getBoundingClientRect();
      return [(event.clientX - box.left - view.ox) / view.scale, (view.oy - (event.clientY - box.top)) / view.scale];
    };
    const aim = (event) => {
      const [x, z] = place(event);
      if (held.part === "cart") held.x = x;
      else {
        const angle = Math.atan2(-(x - s[0]), z);
        held.angle = s[1] + Math.atan2(Math.sin(angle - s[1]), Math.cos(angle - s[1])); // the nearest turn
      }
    };
    /** What a hand at (x, z) takes hold of: the cart, the pole, or nothing. */
    const grasp = ([x, z]) => {
      if (Math.hypot(x - s[0], z) < 0.22) return { part: "cart", x };
      const along = (-(x - s[0]) * Math.sin(s[1]) + z * Math.cos(s[1]));
      const aside = Math.abs((x - s[0]) * Math.cos(s[1]) + z * Math.sin(s[1]));
      return aside > 0.35 || along < 0 || along > world.poleLength + 0.35 ? null : { part: "pole", angle: s[1] };
    };
    // A finger that takes hold of nothing scrolls the page, one that holds the pole doesn't.
    stage.canvas.addEventListener("touchstart", (event) => { if (grasp(place(event.touches[0]))) event.preventDefault(); }, { passive: false });
    stage.canvas.addEventListener("pointerdown", (event) => {
      if (over) reset();
      held = grasp(place(event));
      if (!held) return;
      stage.canvas.setPointerCapture(event.pointerId);
      aim(event);
      wake();
    });
    stage.canvas.addEventListener("pointermove", (event) => { if (held) aim(event); });
    for (const end of ["pointerup", "pointercancel"]) stage.canvas.addEventListener(end, () => { held = null; wake(); });
    stage.canvas.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: "left", ArrowRight: "right" }[event.key];
      if (way) {
        if (mode() === DRIVE) { keys[way] = true; if (!running) toggle(true); } else if (!event.repeat) shove(way === "left" ? -1 : 1);
      } else if (event.key === " ") toggle();
      else if (event.key === "r" || event.key === "R") reset();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    stage.canvas.addEventListener("keyup", (event) => {
      const way = { ArrowLeft: "left", ArrowRight: "right" }[event.key];
      if (way) keys[way] = false;
    });
    stage.canvas.addEventListener("blur", () => { keys = { left: false, right: false }; });

    // -- drawing
    let told = -Infinity;
    function drawStage(ctx, width, height, c) {
      const mix = running && !over ? Math.min(1, owed / (world.dt * world.decimation)) : 1;
      const at = (i) => before[i] + (s[i] - before[i]) * mix;
      const half = width < 560 ? 2.2 : 3.45;
      camera += (clip(half < 3 ? at(0) : 0, Math.max(0, 3.45 - half)) - camera) * 0.12;
      const scale = width / (2 * half);
      view = { ox: width / 2 - camera * scale, oy: Math.round(height / 2), scale: Math.min(scale, (height / 2 - 8) / Math.max(1, world.poleLength)) }; // room for a pole that hangs
      view.ox = width / 2 - camera * view.scale;
      ctx.fillStyle = c.panel;
      ctx.fillRect(0, 0, width, height);
      drawRail(ctx, c, { width, ...view, bound: world.bound });
      trail.forEach(([x, z], i) => {
        if (!i) return;
        ctx.strokeStyle = c.blue;
        ctx.globalAlpha = 0.5 * (i / trail.length) ** 2;
        ctx.lineWidth = 2;
        ctx.beginPath();
        ctx.moveTo(view.ox + trail[i - 1][0] * view.scale, view.oy - trail[i - 1][1] * view.scale);
        ctx.lineTo(view.ox + x * view.scale, view.oy - z * view.scale);
        ctx.stroke();
      });
      ctx.globalAlpha = 1;
      const body = drawCartPole(ctx, c, { x: at(0), angle: at(1), length: world.poleLength, thick: 0.8 + 0.25 * Math.sqrt(world.poleMass), ...view });
      arrow(ctx, body.cx, view.oy + body.cartH / 2 + 44, (effort / 100) * 0.5 * view.scale, c.orange, `${fixed(effort, 0)} N`);
      if (push.left > 0) arrow(ctx, body.cx - Math.sign(push.force) * (body.cartW / 2 + 52), view.oy, Math.sign(push.force) * 46, c.red, "");
      if (over || !running) {
        ctx.textAlign = "center";
        ctx.textBaseline = "middle";
        ctx.font = "600 16px system-ui,sans-serif";
        ctx.fillStyle = over ? c.red : c.soft;
        ctx.fillText(over ? over.text : "paused", width / 2, 22);
      }
      stats.time.set(`${time.toFixed(1)} s`);
      stats.angle.set(`${fixed(s[1] * DEGREES, 1)}°`);
      stats.cart.set(`${fixed(s[0], 2)} m`);
      stats.effort.set(`${fixed(effort, 0)} N`);
      ui.root.dataset.time = time.toFixed(2);
      ui.root.dataset.angle = s[1].toFixed(4);
      const now = performance.now();
      if (now - told > 2000) {
        told = now;
        ui.describe(`Driver: ${who.selectedOptions[0]?.text}. Pole ${(s[1] * DEGREES).toFixed(0)} degrees from upright, cart at ${s[0].toFixed(1)} metres, effort ${effort.toFixed(0)} newtons, ${time.toFixed(0)} seconds.`);
      }
    }
    function arrow(ctx, x, y, length, color, text) {
      if (Math.abs(length) < 1) return;
      const way = Math.sign(length), tip = x + length;
      ctx.strokeStyle = ctx.fillStyle = color;
      ctx.lineWidth = 3;
      ctx.lineCap = "butt";
      ctx.beginPath();
      ctx.moveTo(x, y);
      ctx.lineTo(tip - way * Math.min(7, Math.abs(length)), y);
      ctx.stroke();
      ctx.beginPath();
      ctx.moveTo(tip, y);
      ctx.lineTo(tip - way * 9, y - 5);
      ctx.lineTo(tip - way * 9, y + 5);
      ctx.fill();
      ctx.textAlign = way > 0 ? "left" : "right";
      ctx.textBaseline = "middle";
      ctx.fillText(text, tip + way * 5, y);
    }
    function drawPlots(ctx, width, height, c) {
      const now = Math.max(5, time), left = 46, room = width - left - 8, tall = (height - 62) / 2;
      let top = 15;
      for (const q of history) top = Math.max(top, Math.abs(q[1]) * DEGREES);
      top = Math.min(360, Math.ceil(top / 15) * 15);
      const rows = [["pole angle [°]", 1, DEGREES, top, c.blue], ["effort on the cart [N]", 2, 1, 110, c.orange]];
      rows.forEach(([label, column, factor, range, color], row) => {
        const box = { x: left, y: 20 + row * (tall + 24), w: room, h: tall };
        const { sx, sy } = axes(ctx, c, box, [now - 5, now], [-range, range], { yLabel: label, yValues: row ? [-100, 0, 100] : [-range, 0, range], xNumbers: row === 1 });
        ctx.save();
        ctx.beginPath();
        ctx.rect(box.x, box.y - 2, box.w, box.h + 4);
        ctx.clip();
        ctx.strokeStyle = color;
        ctx.lineWidth = 1.8;
        ctx.beginPath();
        history.forEach((q, i) => (i ? ctx.lineTo(sx(q[0]), sy(q[column] * factor)) : ctx.moveTo(sx(q[0]), sy(q[column] * factor))));
        ctx.stroke();
        ctx.restore();
      });
    }

    const onParams = () => {
      for (const [key, control] of Object.entries(controls)) if (document.activeElement !== control.input) control.set(params()[key]);
      rebuild();
      ui.redraw();
    };
    model.on("change:policy", onPolicy);
    model.on("change:params", onParams);
    signal?.addEventListener("abort", () => {
      model.off("change:policy", onPolicy);
      model.off("change:params", onParams);
    });
    rebuild();
    onPolicy();
    if (reducedMotion()) toggle(false);
  },
};
