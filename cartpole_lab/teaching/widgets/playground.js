// The playground: the cart-pole in the browser, under trained policies or under your hand. Physics: twin.js, rounds: game.js.

const PUSH_STEPS = 12; // 0.2 s
const DRIVE = "you", NOBODY = "nobody", ENERGY = "energy";
const HISTORY = 300; // 5 s of plot
const DEFAULTS = { gravity: 9.81, pole_length: 1, pole_mass: 1, start_angle: 20, speed: 1, push: 100 };
const GAME = { level: 0, rival: "", crowd: 0, epoch: null };
const PULL = 0.75; // metres beside the cart at which a pull is as hard as the level allows

/** What a shared address holds, as far as this playground knows it; null if it is none. */
export function readPlayground(hash, names, ranges) {
  if (!hash.startsWith("#playground?")) return null;
  const found = { params: {}, game: {} };
  for (const [name, text] of new URLSearchParams(hash.slice(12))) {
    const value = Number(text), within = ([low, high]) => Math.max(low, Math.min(high, value));
    if (name === "policy" && names.includes(text)) found.policy = text;
    else if (name === "rival" && names.includes(text) && text !== DRIVE) found.game.rival = text;
    else if (!text || !Number.isFinite(value)) continue;
    else if (name === "level") found.game.level = Math.round(within([0, LEVELS.length]));
    else if (name === "epoch") found.game.epoch = Math.round(within([0, 1e6]));
    else if (name === "crowd") found.game.crowd = Math.round(within(ranges.crowd));
    else if (name in DEFAULTS) found.params[name] = within(ranges[name]);
  }
  return found;
}

export default {
  render({ model, el, signal }) {
    const inLab = document.body.dataset.jpThemeLight !== undefined, task = model.get("reward_weights");
    const ui = frame(el, {
      title: "Playground",
      subtitle: "a JavaScript twin of the task, driven by exported policies or by you",
      label: "Cart-pole playground",
      signal,
    });

    // -- state
    let me = new Player([0, 0, 0, 0]), rival = null, crowd = [], owed = 0, phase = "on"; // "ready": a round waits for your hand
    let push = { force: 0, left: 0 }, keys = { left: false, right: false }, held = null, pad = 0;
    let running = !reducedMotion(), ended = 0;
    const history = [];
    const params = () => ({ ...DEFAULTS, ...(level() ? { speed: level().speed } : model.get("params")) });
    const game = () => ({ ...GAME, ...model.get("game") });
    const mode = () => model.get("policy");
    const level = () => (mode() === DRIVE ? LEVELS[game().level - 1] ?? null : null);
    let here = trainedHere(); // read when they change: a picture asks for them many times
    const everyone = () => [...model.get("policies"), ...here];
    const entry = (name) => everyone().find((q) => q.name === name) ?? null;
    /** The weights behind a name: of the epoch that is looked at, if it is a training. */
    const net = (name = mode()) => {
      const q = entry(name), wanted = game().epoch;
      return q?.epochs && name === mode() && wanted !== null ? (q.epochs.findLast((e) => e.epoch <= wanted) ?? q.epochs[0]).weights : q?.weights ?? null;
    };
    let world, k;
    const rebuild = () => {
      const q = params();
      world = { ...TASK, gravity: q.gravity, poleLength: q.pole_length, poleMass: q.pole_mass };
      k = dynamics(world);
      later();
    };

    // -- pictures
    const lanes = () => (rival ? 2 : 1);
    const stage = ui.surface({ height: (w) => Math.max(240, Math.min(340, w * 0.4)) * (rival ? 1.5 : 1), draw: drawStage, className: "cl-touch",
      label: "Cart-pole on its rail. Arrow keys push or drive, space pauses, R starts again. Or drag the pole or the cart." });
    stage.canvas.style.touchAction = "pan-y";
    stage.canvas.tabIndex = 0;
    stage.canvas.setAttribute("role", "application");
    const plots = ui.surface({ height: (w) => (w < 460 ? 170 : 190), draw: drawPlots, label: "Pole angle and cart effort over the last five seconds" });
    const inside = ui.surface({ height: (w) => (w < 460 ? 300 : 340), draw: drawInside, label: "What the network sees and answers" });

    // -- controls
    const stats = { time: stat("time"), angle: stat("pole angle"), cart: stat("cart position"), effort: stat("effort"), score: stat("return"), crowd: stat("carts that stand") };
    const drivers = () => [...everyone().map((q) => [q.name, q.name]), [DRIVE, "You drive"], [ENERGY, "A rule: energy"], [NOBODY, "Nobody (0 N)"]];
    const who = picker("Who drives", drivers(), mode(), (name) => set("policy", name));
    const against = picker("Beside it", [], "", (name) => play({ rival: name }));
    const best = (() => { try { return JSON.parse(localStorage.getItem("cartpole-lab-levels")) ?? {}; } catch { return {}; } })();
    const levelNames = () => [["0", "free play"], ...LEVELS.map((q, i) => [String(i + 1), `${q.name}${best[q.name] ? " ✓" : ""}`])];
    const which = picker("Level", [], "", (value) => play({ level: Number(value) }));
    const fill = (select, options, value) => {
      select.replaceChildren(...options.map(([key, text]) => h("option", { value: key }, text)));
      select.value = value;
    };
    const meet = () => { // who there is to choose from; a policy that was trained on this page wants to drive
      here = trainedHere();
      fill(who, drivers(), mode());
      fill(against, [["", "nobody beside it"], ...drivers().filter(([key]) => key !== DRIVE && key !== NOBODY).map(([key, text]) => [key, `beside: ${text}`])], game().rival);
      fill(which, levelNames(), String(game().level));
      showEpochs();
    };
    window.addEventListener("cartpole-lab-policy", (event) => {
      meet();
      if (event.detail?.drive && entry(event.detail.drive)) { set("policy", event.detail.drive); ui.root.scrollIntoView({ block: "start" }); }
      else if (mode() === event.detail?.name) later();
    }, { signal });
    for (const select of [who, against]) select.classList.add("cl-wide");
    const pause = button("Pause", () => toggle());
    const begin = button("Start", () => { stage.canvas.focus({ preventScroll: true }); if (me.over) reset(); start(); }, { className: "cl-main", title: "Begin the round, and take the arrow keys" });
    const left = button("◀ Push", () => shove(-1), { title: "Push the cart to the left for 0.2 s" });
    const right = button("Push ▶", () => shove(1), { title: "Push the cart to the right for 0.2 s" });
    for (const [node, key] of [[left, "left"], [right, "right"]]) {
      // While you drive, the two buttons are held down like the arrow keys.
      node.addEventListener("pointerdown", (event) => {
        if (mode() === DRIVE) { keys[key] = true; node.setPointerCapture(event.pointerId); start(); }
      });
      for (const end of ["pointerup", "pointercancel", "blur"]) node.addEventListener(end, () => { keys[key] = false; });
    }
    // A lever for a finger or a mouse: as far as it is moved, and back to zero when it is let go.
    const lever = h("input", { type: "range", min: -1, max: 1, step: 0.02, value: 0, className: "cl-lever", "aria-label": "Force, let go for none" });
    lever.addEventListener("input", () => { pad = Number(lever.value); if (pad) start(); });
    const letGo = () => { pad = 0; lever.value = 0; };
    for (const end of ["pointerup", "pointercancel", "blur", "change", "touchend"]) lever.addEventListener(end, letGo);
    const epochs = slider({ label: "Epoch of its training", name: "epoch", min: 0, max: 1, step: 1, value: 0, digits: 0, format: (i) => String(entry(mode())?.epochs?.[i]?.epoch ?? "–"),
      onInput: (i) => { model.set("game", { ...model.get("game"), epoch: entry(mode()).epochs[i].epoch }); model.save_changes(); later(); ui.redraw(); } });
    function showEpochs() {
      const list = entry(mode())?.epochs;
      epochs.el.hidden = !list;
      if (!list) return;
      epochs.input.max = list.length - 1;
      const now = game().epoch, i = now === null ? list.length - 1 : list.findLastIndex((e) => e.epoch <= now);
      epochs.set(Math.max(0, i));
    }
    const controls = {}, ranges = {};
    const add = (key, label, min, max, stepSize, unit, digits, after = rebuild) => {
      ranges[key] = [min, max];
      controls[key] = slider({ label, name: key, min, max, step: stepSize, unit, digits, value: params()[key],
        onInput: (value) => { model.set("params", { ...model.get("params"), [key]: value }); model.save_changes(); after(); ui.redraw(); } });
      return controls[key].el;
    };
    ranges.crowd = [0, 96];
    const many = slider({ label: "Other carts", name: "crowd", min: 0, max: 96, step: 8, value: game().crowd, digits: 0,
      onInput: (value) => { model.set("game", { ...model.get("game"), crowd: value }); model.save_changes(); gather(); ui.redraw(); } });
    const grid = h("div", { className: "cl-grid" },
      add("push", "Push, 0.2 s long", 0, 600, 5, "N", 0, () => announce()),
      add("start_angle", "Start angle", -180, 180, 1, "°", 0, () => reset()),
      add("speed", "Speed of time", 0.1, 1, 0.05, "×", 2, () => {}),
      add("gravity", "Gravity", 0, 25, 0.01, "m/s²", 2),
      add("pole_length", "Pole length", 0.4, 1.6, 0.05, "m", 2),
      add("pole_mass", "Pole mass", 0.1, 5, 0.1, "kg", 1));
    const note = h("p", { className: "cl-note cl-limit" });
    const restore = button("Task's values", () => {
      set("params", {});
      for (const [key, control] of Object.entries(controls)) control.set(DEFAULTS[key]);
      rebuild();
      ui.redraw();
    });
    const share = button("Share", () => shareIt(), { title: "An address that holds what is set here" });
    const more = h("details", {}, h("summary", {}, "What the network sees and answers"), inside.canvas);
    more.addEventListener("toggle", () => ui.redraw());
    ui.root.append(
      h("div", { className: "cl-row cl-top" }, who, against, which),
      stage.canvas, lever,
      h("div", { className: "cl-row" }, begin, left, right, pause, button("Restart", () => reset(), { title: "Back to the start" }),
        button("Random", () => reset(true), { title: "A random start, from the task's own ranges" }), share),
      note,
      h("div", { className: "cl-grid" }, epochs.el, many.el),
      h("div", { className: "cl-stats" }, ...Object.values(stats).map((q) => q.el)),
      plots.canvas, more, grid, h("div", { className: "cl-row cl-restore" }, restore),
    );
    ui.finish();

    // -- words: what a level asks for, or the hardest push that a policy survives, worked out in the twin
    let timer = 0, limit = null;
    const later = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const weights = net();
        limit = weights ? pushLimit(weights, { p: world, pushSteps: PUSH_STEPS }) : null;
        ui.root.dataset.pushLimit = limit === null ? "" : String(limit);
        announce();
      }, 120);
    };
    signal?.addEventListener("abort", () => clearTimeout(timer));
    function announce() {
      const name = mode(), now = level(), record = now && best[now.name];
      note.textContent = now ? (me.over ? result() : `${now.swing ? `Swing the pole up and let it stand for ${STAND_S} s.` : `Keep the pole up for ${now.seconds} s.`} ` +
          `Arrow keys, lever, or pull beside the cart: up to ${now.limit} N.${now.brake ? " A brake slows the pole." : ""}${record ? ` Your best return: ${fixed(record, 2)}.` : ""}`)
        : name === DRIVE ? `Arrow keys, lever, or pull beside the cart: up to ${TASK.effortScale} N. Keep the cart within ±3 m and the pole up.`
        : name === NOBODY ? "Nobody pushes the cart. Drag the pole and let go."
        : name === ENERGY ? "A rule of three lines: give the pole the energy that it lacks, then catch it by hand-set gains. Start it from 180°."
        : limit === null ? `“${name}” cannot balance this pole, even from rest.`
        : `From rest, “${name}” survives pushes of up to ${limit} N for 0.2 s. ${params().push > limit ? "The push that is set is harder: expect a fall." : "The push that is set is within that."}`;
    }
    function result() {
      const words = [`${verdict(me, level())}: a return of ${fixed(me.score, 2)}.`];
      if (rival) words.push(`Beside you: ${fixed(rival.score, 2)}. ${me.over === "done" && me.score >= rival.score ? "You win." : "It wins."}`);
      return words.join(" ");
    }
    async function shareIt() {
      const words = new URLSearchParams({ policy: mode() }), now = game();
      for (const name of ["rival", "level", "crowd"]) if (now[name]) words.set(name, now[name]);
      if (now.epoch !== null && entry(mode())?.epochs) words.set("epoch", now.epoch);
      for (const [name, value] of Object.entries(model.get("params"))) if (value !== DEFAULTS[name]) words.set(name, value);
      const hash = `#playground?${words}`;
      if (!inLab) window.history.replaceState(null, "", hash);
      ui.root.dataset.shared = hash;
      let copied = true;
      try { await navigator.clipboard.writeText(`${location.href.split("#")[0]}${hash}`); } catch { copied = false; }
      ui.say(note.textContent = copied ? "Address copied." : inLab ? hash : "The page's address now holds what is set here.");
    }

    // -- what can happen
    function set(name, value) {
      model.set(name, value);
      model.save_changes();
    }
    function play(changed) {
      set("game", { ...model.get("game"), ...changed });
    }
    function onGame() {
      meet();
      many.set(game().crowd);
      fit();
      reset();
    }
    function fit() { // what there is to see depends on who drives, and on the level
      const drive = mode() === DRIVE, now = level();
      which.hidden = lever.hidden = !drive;
      begin.hidden = !now;
      grid.hidden = restore.parentNode.hidden = !!now;
      pause.hidden = !!now;
      left.textContent = drive ? "◀ Hold" : "◀ Push";
      right.textContent = drive ? "Hold ▶" : "Push ▶";
      rebuild();
    }
    function onPolicy() {
      meet();
      fit();
      reset();
      announce();
    }
    const draw = () => TASK.start.map((w) => (Math.random() * 2 - 1) * w);
    function reset(random = false) {
      const now = level(), angle = now ? now.start : params().start_angle;
      const at = random || angle === null ? draw() : [0, (angle * (now ? Math.sign(Math.random() - 0.5) : 1)) / DEGREES, 0, 0];
      me = new Player(at);
      rival = game().rival ? new Player(at) : null;
      owed = ended = 0;
      push = { force: 0, left: 0 };
      letGo();
      history.length = 0;
      phase = now ? "ready" : "on";
      gather();
      running = true;
      announce();
      wake();
    }
    /** A round begins with the first force. */
    function start() {
      if (me.over && ended > 0.6) reset();
      if (phase === "ready") { phase = "on"; ui.say("Go"); }
      running = true;
      wake();
    }
    function gather() {
      const wanted = game().crowd;
      while (crowd.length < wanted) crowd.push(new Player(draw()));
      crowd.length = wanted;
      stats.crowd.el.hidden = !wanted;
    }
    function toggle(on = !running) {
      running = on;
      wake();
    }
    function wake() {
      pause.textContent = running ? "Pause" : "Play";
      ui.play((running && phase !== "ready") || held ? advance : null);
      ui.redraw();
    }
    function shove(direction) {
      if (mode() === DRIVE) return;
      if (me.over) reset();
      const force = direction * params().push;
      push = { force, left: PUSH_STEPS };
      running = true;
      ui.say(`Pushed ${Math.abs(force)} newtons to the ${force < 0 ? "left" : "right"}`);
      wake();
    }
    function finish() {
      const now = level();
      set("last_result", { policy: mode(), seconds: Number(me.time.toFixed(3)), return: Number(me.score.toFixed(3)), level: now ? game().level : 0 });
      if (me.over !== "done") ui.root.dataset.fell = String(Number(ui.root.dataset.fell || 0) + 1);
      if (now && me.over === "done" && !(best[now.name] >= me.score)) {
        best[now.name] = me.score;
        try { localStorage.setItem("cartpole-lab-levels", JSON.stringify(best)); } catch { /* no store on this page */ }
        fill(which, levelNames(), String(game().level));
      }
      announce();
      ui.say(now ? result() : verdict(me, null));
    }

    // -- time
    /** Effort [N] of a driver in a state; a level limits everybody alike. */
    function effortIn(name, s) {
      const weights = net(name), now = level();
      const action = weights ? act(weights, s) : name === ENERGY ? swingUp(s, k, world) : 0;
      return clip(effortOf(action, world), now?.limit ?? world.effortScale);
    }
    function yours() {
      const hand = (keys.right ? 1 : 0) - (keys.left ? 1 : 0) || pad || (held?.part === "pull" ? clip((held.x - me.s[0]) / PULL, 1) : 0);
      return effortOfHand(hand, me.s, level() ?? { limit: world.effortScale, brake: 0 }, world);
    }
    function advance(elapsed) {
      const stepDt = world.dt * world.decimation, now = level(), round = { world, k, weights: task, level: now };
      if (me.over) {
        ended += elapsed;
        if (!now && ended > 1.6) reset();
        if (now && ended > 0.6 && (!rival || rival.over) && !crowd.length) ui.play(null); // all is said
        if (!now || (!rival && !crowd.length)) return;
      }
      if (phase === "ready") return;
      for (owed += elapsed * params().speed; owed >= stepDt; owed -= stepDt) {
        const pushed = push.left > 0 ? push.force : 0;
        if (!me.over) {
          me.advance(mode() === DRIVE ? yours() : effortIn(mode(), me.s), { ...round, push: pushed, hold: held && held.part !== "pull" ? grab : null });
          history.push([me.time, me.s[1], me.effort]);
          if (history.length > HISTORY) history.shift();
        }
        if (rival && !rival.over) rival.advance(effortIn(game().rival, rival.s), { ...round, push: pushed });
        if (push.left > 0) push.left -= 1;
        for (const other of crowd) {
          if (other.over || other.time > TASK.episode) { if ((other.rest = (other.rest ?? 0) + stepDt) > (other.over ? 0.7 : 0)) Object.assign(other, new Player(draw()), { rest: 0 }); continue; }
          other.advance(mode() === DRIVE ? me.effort : effortIn(mode(), other.s), { ...round, level: null, push: pushed });
        }
        if (me.over && !ended) { ended = 1e-6; finish(); }
      }
      if (rival?.over && me.over && ended && now) announce();
    }
    /** While held, the hand sets angle or position and the rest keeps moving. */
    function grab(s, stepDt) {
      const old = [...s];
      if (held.part === "cart") {
        step(s, 0, k, world);
        s[0] = clip(held.x, 2.95);
        s[2] = clip((s[0] - old[0]) / stepDt, 6);
      } else {
        step(s, me.effort, k, world);
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
      if (held.part !== "pole") held.x = x;
      else {
        const angle = Math.atan2(-(x - me.s[0]), z);
        held.angle = me.s[1] + turned(angle - me.s[1]); // the nearest turn
      }
    };
    /** What a hand at (x, z) takes hold of: the cart, the pole, or nothing. Who drives pulls instead. */
    const grasp = ([x, z], finger) => {
      const s = me.s, near = Math.hypot(x - s[0], z) < 0.22;
      if (mode() === DRIVE) return near || !finger ? { part: "pull", x } : null;
      if (near) return { part: "cart", x };
      const along = (-(x - s[0]) * Math.sin(s[1]) + z * Math.cos(s[1]));
      const aside = Math.abs((x - s[0]) * Math.cos(s[1]) + z * Math.sin(s[1]));
      return aside > 0.35 || along < 0 || along > world.poleLength + 0.35 ? null : { part: "pole", angle: s[1] };
    };
    // A finger that takes hold of nothing scrolls the page, one that holds the pole doesn't.
    stage.canvas.addEventListener("touchstart", (event) => { if (grasp(place(event.touches[0]), true)) event.preventDefault(); }, { passive: false });
    stage.canvas.addEventListener("pointerdown", (event) => {
      if (me.over && !level()) reset();
      held = grasp(place(event), event.pointerType === "touch");
      if (!held) return;
      stage.canvas.setPointerCapture(event.pointerId);
      aim(event);
      if (held.part === "pull") start();
      wake();
    });
    stage.canvas.addEventListener("pointermove", (event) => { if (held) aim(event); });
    for (const end of ["pointerup", "pointercancel"]) stage.canvas.addEventListener(end, () => { held = null; wake(); });
    const WAYS = { ArrowLeft: "left", ArrowRight: "right", a: "left", d: "right" };
    for (const node of [stage.canvas, lever]) {
      node.addEventListener("keydown", (event) => {
        const way = WAYS[event.key];
        if (way) {
          if (mode() === DRIVE) { keys[way] = true; start(); } else if (!event.repeat) shove(way === "left" ? -1 : 1);
        } else if (event.key === " ") { if (level()) start(); else toggle(); }
        else if (event.key === "r" || event.key === "R") reset();
        else return;
        event.preventDefault();
        event.stopPropagation();
      });
      node.addEventListener("keyup", (event) => { if (WAYS[event.key]) keys[WAYS[event.key]] = false; });
      node.addEventListener("blur", () => { keys = { left: false, right: false }; });
    }

    // -- drawing
    let told = -Infinity;
    function drawStage(ctx, width, height, c) {
      const mix = running && !me.over ? Math.min(1, owed / (world.dt * world.decimation)) : 1, tall = height / lanes(), now = level();
      ctx.fillStyle = c.panel;
      ctx.fillRect(0, 0, width, height);
      [me, rival].filter(Boolean).forEach((one, lane) => {
        const at = (i) => one.before[i] + (one.s[i] - one.before[i]) * mix, half = width < 560 ? 2.2 : 3.45;
        one.camera = (one.camera ?? 0) + (clip(half < 3 ? at(0) : 0, Math.max(0, 3.45 - half)) - (one.camera ?? 0)) * 0.12;
        const scale = Math.min(width / (2 * half), (tall / 2 - 8) / Math.max(1, world.poleLength)); // room for a pole that hangs
        const here = { ox: width / 2 - one.camera * scale, oy: Math.round(tall * (lane + 0.5)), scale };
        if (!lane) view = here;
        ctx.save();
        ctx.beginPath();
        ctx.rect(0, lane * tall, width, tall);
        ctx.clip();
        drawRail(ctx, c, { width, ...here, bound: world.bound });
        if (!lane) for (const other of crowd) drawCartPole(ctx, c, { x: other.s[0], angle: other.s[1], length: world.poleLength, alpha: other.over ? 0.08 : 0.28, thick: 0.6, ...here });
        drawTrail(ctx, one.trail, here, lane ? c.violet : c.blue);
        const body = drawCartPole(ctx, lane ? { ...c, blue: c.violet } : c, { x: at(0), angle: at(1), length: world.poleLength, thick: 0.8 + 0.25 * Math.sqrt(world.poleMass), alpha: one.over ? 0.5 : 1, ...here });
        arrow(ctx, body.cx, here.oy + body.cartH / 2 + 44, (one.effort / 100) * 0.5 * scale, c.orange, `${fixed(one.effort, 0)} N`);
        if (push.left > 0) arrow(ctx, body.cx - Math.sign(push.force) * (body.cartW / 2 + 52), here.oy, Math.sign(push.force) * 46, c.red, "");
        ctx.textBaseline = "top";
        if (rival) {
          ctx.textAlign = "left";
          ctx.fillStyle = lane ? c.violet : c.blue;
          ctx.font = "600 13px system-ui,sans-serif";
          ctx.fillText(`${lane ? against.selectedOptions[0]?.text.replace("beside: ", "") : who.selectedOptions[0]?.text}  ${fixed(one.score, 2)}`, 10, lane * tall + 8);
        }
        const word = one.over ? verdict(one, now) : lane ? "" : phase === "ready" ? "ready: ←, →, lever, pull" : running ? "" : "paused";
        const narrow = rival && width < 560;
        ctx.textAlign = narrow ? "left" : rival ? "right" : "center";
        ctx.font = `600 ${narrow ? 13 : 15}px system-ui,sans-serif`;
        ctx.fillStyle = one.over === "done" ? c.green : one.over ? c.red : c.soft;
        ctx.fillText(word, narrow ? 10 : rival ? width - 10 : width / 2, lane * tall + (narrow ? 26 : 8));
        ctx.restore();
      });
      if (held?.part === "pull") arrow(ctx, view.ox + me.s[0] * view.scale, view.oy, (held.x - me.s[0]) * view.scale, c.gold, "");
      tell();
    }
    function drawTrail(ctx, trail, here, color) {
      ctx.strokeStyle = color;
      ctx.lineWidth = 2;
      for (let i = 1; i < trail.length; i++) {
        ctx.globalAlpha = 0.5 * (i / trail.length) ** 2;
        ctx.beginPath();
        ctx.moveTo(here.ox + trail[i - 1][0] * here.scale, here.oy - trail[i - 1][1] * here.scale);
        ctx.lineTo(here.ox + trail[i][0] * here.scale, here.oy - trail[i][1] * here.scale);
        ctx.stroke();
      }
      ctx.globalAlpha = 1;
    }
    function tell() {
      const s = me.s, standing = crowd.filter((q) => !q.over && Math.abs(turned(q.s[1])) < 12 / DEGREES).length;
      stats.time.set(`${me.time.toFixed(1)} s`);
      stats.angle.set(`${fixed(s[1] * DEGREES, 1)}°`);
      stats.cart.set(`${fixed(s[0], 2)} m`);
      stats.effort.set(`${fixed(me.effort, 0)} N`);
      stats.score.set(fixed(me.score, 2));
      stats.crowd.set(`${standing} of ${crowd.length}`);
      Object.assign(ui.root.dataset, { time: me.time.toFixed(2), angle: s[1].toFixed(4), score: me.score.toFixed(3), rivalScore: rival ? rival.score.toFixed(3) : "", phase: me.over ?? phase, standing });
      const now = performance.now();
      if (now - told > 2000) {
        told = now;
        ui.describe(`Driver: ${who.selectedOptions[0]?.text}. Pole ${(s[1] * DEGREES).toFixed(0)} degrees from upright, cart at ${s[0].toFixed(1)} metres, effort ${me.effort.toFixed(0)} newtons, ${me.time.toFixed(0)} seconds, return ${me.score.toFixed(1)}.`);
      }
    }
    function drawInside(ctx, width, height, c) {
      const name = net() ? mode() : game().rival, one = net() ? me : rival, weights = net(name);
      if (!weights || !one) {
        ctx.fillStyle = c.soft;
        ctx.textAlign = "center";
        ctx.fillText("Nobody here is a network.", width / 2, height / 2);
        return;
      }
      drawNetwork(ctx, width, height, c, weights, one.s, effortOf(act(weights, one.s), world));
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
      const now = Math.max(5, me.time), left = 46, room = width - left - 8, tall = (height - 62) / 2;
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
    let levelsBefore = "";
    const onGameChange = () => { // an epoch or more carts are no reason to start again
      const { rival: beside, level: number } = game(), key = `${beside} ${number}`;
      if (key !== levelsBefore) { levelsBefore = key; onGame(); } else { showEpochs(); many.set(game().crowd); gather(); later(); ui.redraw(); }
    };
    const heard = { "change:policy": onPolicy, "change:params": onParams, "change:game": onGameChange };
    for (const [event, react] of Object.entries(heard)) model.on(event, react);
    signal?.addEventListener("abort", () => { for (const [event, react] of Object.entries(heard)) model.off(event, react); });
    levelsBefore = `${game().rival} ${game().level}`;
    const shared = inLab || window.cartpoleLabShared ? null : readPlayground(location.hash, drivers().map(([key]) => key), ranges);
    if (shared) { // the first playground of a page takes it
      window.cartpoleLabShared = true;
      model.set("params", shared.params);
      model.set("game", { ...model.get("game"), ...shared.game });
      if (shared.policy) model.set("policy", shared.policy);
      ui.root.scrollIntoView();
    }
    onParams();
    onPolicy();
    many.set(game().crowd);
    if (reducedMotion()) toggle(false);
  },
};
