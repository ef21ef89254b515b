// The trainer: sliders, Train, Stop, curves that grow, and carts that are seen learning. It trains in the page itself, in
// a worker made of ppo.js; with a kernel that has a train function, in Isaac Lab as well.

const NAMES = { learning_rate: "learning rate", gamma: "discount γ", entropy_coef: "entropy bonus", kl_threshold: "KL threshold" };
const UNITS = { alive: "per s", terminating: "per s, for one step", pole_pos: "per s, × angle²", cart_vel: "per s, × speed", pole_vel: "per s, × spin", cart_pos: "per s, × position²" };
export const PRESETS = {
  "the task's own": {},
  "alive only": { weights: { terminating: 0, pole_pos: 0, cart_vel: 0, pole_vel: 0 }, max_epochs: 60 },
  "slow pole": { weights: { pole_vel: -1 }, max_epochs: 90 },
  "slow pole, mended": { weights: { pole_vel: -1, alive: 5, pole_pos: -5 }, max_epochs: 150 },
  "crash pays": { weights: { alive: -1 }, max_epochs: 60 },
  "centre the cart": { weights: { cart_pos: -0.2 }, max_epochs: 150 },
};
const STORIES = {
  "alive only": "Paid for staying on the rail and for nothing else. What will the poles do?",
  "slow pole": "Turning is dear. A standing pole doesn't turn, so nothing should change. Or should it?",
  "slow pole, mended": "As dear, but living and standing upright pay five times as much.",
  "crash pays": "Every second alive costs one. What is the cheapest way to spend five seconds?",
  "centre the cart": "A sixth term charges for the distance from the middle of the rail.",
};
const SNAPSHOTS = 24; // epochs of a training that the playground can go through
const FORMAT = "cartpole-lab policy 1";

/** What a run changed against the defaults, in words. */
export function changes(run, defaults) {
  const all = { ...run.weights, ...run.ppo }, base = { ...defaults.weights, ...defaults.ppo };
  const words = Object.entries(all).filter(([name, value]) => name in base && base[name] !== value).map(([name, value]) => `${name} ${short(value)}`);
  if (run.agent && run.agent !== defaults.agent) words.push(run.agent);
  return run.name ?? (words.join(", ") || "start values");
}

/** What a shared address holds, cut to what the sliders can say; null if it is none. */
export function readAddress(hash, ranges, settings) {
  if (!hash.startsWith("#trainer?")) return null;
  const found = { weights: {}, ppo: {} }, words = new URLSearchParams(hash.slice(9));
  for (const [name, text] of words) {
    const value = Number(text), range = ranges[name];
    if (!text || !Number.isFinite(value)) { if (name === "agent" && text in settings.agents) found.agent = text; continue; }
    if (name === "beat") found.beat = Math.max(1, Math.min(1e9, Math.round(value)));
    else if (name === "seed") found.seed = Math.max(0, Math.min(999999, Math.round(value)));
    else if (name === "num_envs" && settings.num_envs.includes(value)) found.num_envs = value;
    else if (name === "max_epochs") found.max_epochs = Math.max(1, Math.min(500, Math.round(value)));
    else if (range) found[name in settings.task.weights ? "weights" : "ppo"][name] = Math.max(range[0], Math.min(range[1], value));
  }
  return found;
}

/** 1, 2 or 5 times a power of ten, near the given step, so that every start value is one of the slider's. */
const evenStep = (step) => { const power = 10 ** Math.floor(Math.log10(step)); return Number(([1, 2, 5].find((k) => k * power >= step * 0.999) ?? 10) * power).toPrecision(1); };
const short = (value) => String(Number(value.toPrecision(3))).replace("-", "−");
const percent = (share) => (share >= 0.9995 ? "100" : (100 * share).toFixed(1));

export default {
  render({ model, el, signal }) {
    const defaults = model.get("defaults"), ranges = model.get("ranges"), settings = model.get("settings");
    const { task, criterion } = settings, inLab = document.body.dataset.jpThemeLight !== undefined;
    const ui = frame(el, { title: "Trainer", label: "Trainer", signal });
    const tag = h("span", { className: "cl-tag" });
    ui.root.querySelector(".cl-sub").replaceWith(tag);
    // The contest: fewest steps to solved. A record stays in this browser, and an address can carry one to beat.
    let record = (() => { try { return Number(localStorage.getItem("cartpole-lab-record")) || null; } catch { return null; } })(), rival = null;
    let live = false, chosen = null, clock = 0, worker = null, going = null, count = 0, problem = "", view = "reported";
    const how = { seed: 1, num_envs: settings.default_num_envs, agent: defaults.agent, max_epochs: settings.agents[defaults.agent].max_epochs, always: false };
    const all = [];
    const palette = (c, i) => [c.blue, c.orange, c.green, c.violet, c.red, c.gold][i % 6];

    // -- controls
    const controls = {};
    const knob = (group, name) => {
      const [min, max] = ranges[name], log = min > 0 && max / min > 20;
      const to = (v) => (log ? Math.log10(v) : v), from = (p) => (log ? Number((10 ** p).toPrecision(3)) : Number(p.toPrecision(6)));
      const control = slider({ label: NAMES[name] ?? name, name, min: to(min), max: to(max), step: log ? 0.01 : evenStep((max - min) / 200), value: to(model.get(group)[name]),
        color: TERM_COLORS[name] ? `var(--${TERM_COLORS[name]})` : null, format: (p) => short(from(p)), onInput: (p) => move(group, name, from(p)) });
      control.el.title = UNITS[name] ?? "";
      controls[name] = () => control.set(to(model.get(group)[name]));
      return control.el;
    };
    const weights = inOrder(Object.keys(model.get("weights"))), ppo = inOrder(Object.keys(model.get("ppo")), Object.keys(NAMES));
    const preset = picker("Preset", [...Object.keys(PRESETS).map((n) => [n, n]), ["", "your own"]], "the task's own", (name) => name && apply(name));
    const agent = picker("Agent file", Object.keys(settings.agents).map((n) => [n, `agent: ${n}`]), how.agent, (name) => { how.agent = name; });
    const envs = picker("Carts that learn", settings.num_envs.map((n) => [String(n), `${n} carts`]), String(how.num_envs), (n) => { how.num_envs = Number(n); });
    const seed = h("input", { type: "number", min: 0, max: 999999, step: 1, value: how.seed, className: "cl-number", "aria-label": "Seed" });
    seed.addEventListener("change", () => { how.seed = Math.max(0, Math.min(999999, Math.round(Number(seed.value) || 0))); seed.value = how.seed; });
    const longest = slider({ label: "epochs at most", name: "max_epochs", min: 10, max: 300, step: 10, value: how.max_epochs, digits: 0, onInput: (v) => { how.max_epochs = v; } });
    const always = h("input", { type: "checkbox", "aria-label": "Measure on fresh episodes every few epochs" });
    always.addEventListener("change", () => { how.always = always.checked; });

    const more = h("details", { open: window.innerWidth > 700 }, h("summary", {}, "PPO"),
      h("div", { className: "cl-grid" }, ...ppo.map((name) => knob("ppo", name)), longest.el),
      h("div", { className: "cl-row" }, agent, envs,
        h("label", { className: "cl-inline" }, always, `measure on ${criterion.episodes} fresh episodes every ${criterion.eval_interval} epochs`)));

    const note = h("p", { className: "cl-note" }), message = h("span", { className: "cl-note" });
    message.style.margin = "0";
    const train = button("Train", () => startHere(), { className: "cl-main", title: "Train in this page" });
    const trainThere = button("Train in Isaac Lab", () => tell({ type: "start" }), { title: "The same training in the notebook's kernel" });
    const stop = button("Stop", () => halt(), { title: "End after this epoch and keep what was learned" });
    const reset = button("Reset", () => apply("the task's own"), { title: "Back to the task's weights and the agent's numbers" });
    const share = button("Share", () => shareIt(), { title: "An address that holds these settings" });
    const bar = h("progress", { max: 1, value: 0, "aria-label": "Progress of the training" });
    const row = h("div", { className: "cl-row" }, train, trainThere, stop, reset, share, bar, message);

    const strip = ui.surface({ height: (w) => (w < 460 ? 3 : 2) * stripCell(w).tall, draw: drawStrip, label: "Carts under the present policy" });
    const stripNote = h("p", { className: "cl-note" });
    const chart = ui.surface({ height: (w) => (w < 460 ? 200 : 240), draw: drawCurves, label: "Learning curves" });
    const which = picker("What the curves show", [["reported", "return that the trainer reports"], ["yardstick", "paid by the task's own reward"]], view, (v) => { view = v; refresh(); });
    const chartNote = h("p", { className: "cl-note" });
    const body = h("tbody");
    const heads = ["run", "solved", "time-outs", "pole stands", "return", "epochs", "steps", "time", ""];
    const table = h("table", {}, h("thead", {}, h("tr", {}, ...heads.map((t) => h("th", { scope: "col" }, t)))), body);
    const save = button("Export JSON", () => download(), { title: "The chosen run's policy as a file that cartpole_lab loads" });
    const file = h("input", { type: "file", accept: ".json,application/json", className: "cl-hidden", "aria-label": "Policy file to load" });
    file.addEventListener("change", () => load(file.files[0]));
    const fetchIt = button("Load a policy", () => file.click(), { title: "A JSON file of this page or of cartpole-lab export" });
    const clear = button("Clear runs", () => { all.length = 0; chosen = null; keep(); refresh(); });
    const driveIt = button("Drive it", () => drive(), { title: "The chosen run's policy in the playground of this page, with all its epochs" });
    const tools = h("div", { className: "cl-row" }, driveIt, save, fetchIt, clear, file);
    const stage = ui.surface({ height: (w) => (chosen?.film ? Math.max(150, Math.min(240, w * 0.29)) : 1), draw: drawFilm, label: "The policy of the chosen run, filmed in Isaac Lab" });
    const caption = h("p", { className: "cl-note" });
    ui.root.append(
      note, h("div", { className: "cl-row" }, preset, h("label", { className: "cl-inline" }, "seed", seed)),
      h("h4", {}, "Reward weights"), h("div", { className: "cl-grid" }, ...weights.map((name) => knob("weights", name))),
      more, row, stripNote, strip.canvas, h("div", { className: "cl-row" }, which), chart.canvas, chartNote, h("div", { className: "cl-scroll" }, table), tools, caption, stage.canvas,
    );
    ui.finish();

    // -- settings
    function move(group, name, value) {
      model.set(group, { ...model.get(group), [name]: value });
      model.save_changes();
      preset.value = "";
    }
    function put(content) {
      for (const group of ["weights", "ppo"]) model.set(group, { ...defaults[group], ...content[group] });
      model.save_changes();
      for (const show of Object.values(controls)) show();
      if (content.agent) { how.agent = agent.value = content.agent; }
      if (content.seed !== undefined) { how.seed = content.seed; seed.value = how.seed; }
      if (content.num_envs) { how.num_envs = content.num_envs; envs.value = String(how.num_envs); }
      how.max_epochs = content.max_epochs ?? settings.agents[how.agent].max_epochs;
      longest.set(how.max_epochs);
    }
    function apply(name) {
      put(PRESETS[name]);
      preset.value = name;
      refresh();
    }
    /** Whether a run was made with what is set now. */
    const same = (run) => run.seed === how.seed && run.num_envs === how.num_envs && run.agent === how.agent
      && ["weights", "ppo"].every((group) => Object.entries(model.get(group)).every(([name, value]) => run[group][name] === value));
    async function shareIt() {
      const words = new URLSearchParams();
      for (const group of ["weights", "ppo"]) for (const [name, value] of Object.entries(model.get(group))) if (value !== defaults[group][name]) words.set(name, value);
      words.set("seed", how.seed);
      words.set("num_envs", how.num_envs);
      if (how.agent !== defaults.agent) words.set("agent", how.agent);
      words.set("max_epochs", how.max_epochs);
      if (chosen?.evaluation.solved && chosen.env_steps && chosen.weights && same(chosen)) words.set("beat", chosen.env_steps);
      const hash = `#trainer?${words}`, address = `${location.href.split("#")[0]}${hash}`;
      if (!inLab) history.replaceState(null, "", hash);
      ui.root.dataset.shared = hash;
      let copied = true;
      try { await navigator.clipboard.writeText(address); } catch { copied = false; }
      message.textContent = copied ? "Address copied." : inLab ? hash : "The page's address now holds these settings.";
      ui.say(message.textContent);
    }

    // -- training in the page
    /** The worker; where a page may have none, the same code between two frames of the page. */
    function learner() {
      if (worker) return worker;
      try {
        const text = `"use strict";(${cartpolePPO})().serve(self);`, address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
        worker = new Worker(address);
        URL.revokeObjectURL(address);
        worker.onerror = (event) => { if (going) failed(event.message || "the worker could not start"); };
      } catch {
        const port = { postMessage: (data) => worker.onmessage({ data }) };
        cartpolePPO().serve(port);
        worker = { postMessage: (data) => port.onmessage({ data }), terminate: () => port.onmessage({ data: { type: "stop" } }) };
      }
      worker.onmessage = ({ data }) => hear(data);
      ui.root.dataset.worker = worker instanceof Worker ? "worker" : "page";
      return worker;
    }
    signal?.addEventListener("abort", () => worker?.terminate());
    function startHere() {
      const own = Object.keys(model.get("weights")).filter((name) => !(name in task.weights) && model.get("weights")[name]);
      if (own.length) { problem = `${own.join(", ")}: no such term in this page; Isaac Lab has it`; refresh(); return; }
      problem = "";
      going = { id: ++count, engine: "page", weights: { ...model.get("weights") }, ppo: { ...model.get("ppo") }, num_envs: how.num_envs, seed: how.seed,
        agent: how.agent, max_epochs: how.max_epochs, points: [], evaluations: [], actors: [], stopped: false, begun: performance.now() };
      if (preset.value && preset.value !== "the task's own") going.preset = preset.value;
      carts = null;
      learner().postMessage({ type: "train", id: going.id, agent: { ...settings.agents[how.agent], ...going.ppo }, task, k: dynamics({ ...TASK, gravity: TASK.gravity }), criterion,
        weights: going.weights, num_envs: how.num_envs, seed: how.seed, max_epochs: how.max_epochs, evaluate_always: how.always });
      chosen = null;
      ui.say(`Training begins, seed ${how.seed}`);
      refresh();
    }
    function halt() {
      if (going) { going.stopped = true; worker.postMessage({ type: "stop", id: going.id }); refresh(); } else tell({ type: "stop" });
    }
    function failed(words) {
      problem = words;
      going = null;
      refresh();
    }
    let said = 0;
    function hear(data) {
      if (data.type === "failed") { failed(data.message); return; }
      if (data.type === "evaluated") { const entry = waiting.get(data.id); waiting.delete(data.id); if (entry) finish({ ...entry, evaluation: judged(data.evaluation) }); return; }
      if (!going || data.id !== going.id) return;
      going.seconds = data.seconds;
      if (data.type === "epoch") {
        going.points.push([data.epoch, data.mean_return, data.pay]);
        if (data.evaluation?.complete) going.evaluations.push([data.epoch, data.evaluation.mean_return, data.evaluation.task_return]);
        going.actors.push({ epoch: data.epoch, weights: data.actor });
        going.epoch = data.epoch;
        going.steps = data.env_steps;
        show(data.actor, `${strips()} carts under the policy of epoch ${data.epoch}`);
        if (performance.now() - said > 4000) { said = performance.now(); ui.say(`Epoch ${data.epoch}, mean return ${data.mean_return?.toFixed(1) ?? "unknown"}`); }
        refresh();
      } else {
        const { id, points, evaluations, begun, epoch, steps, actors, ...rest } = going;
        going = null;
        finish({ ...rest, epochs: data.epochs, env_steps: data.env_steps, seconds: data.seconds, evaluation: data.evaluation, actor: data.actor,
          curve: { epoch: points.map((p) => p[0]), return: points.map((p) => p[1]), yardstick: points.map((p) => p[2]), evaluations } }, actors);
      }
    }
    function judged(e) {
      return { ...e, solved: e.task_return >= criterion.mean_return && e.timeout_share >= criterion.timeout_share };
    }
    function finish(run, actors = []) {
      all.push(run);
      keep();
      choose(run);
      const e = run.evaluation;
      ui.say(`${changes(run, defaults)}: ${e.solved ? "solved" : "not solved"}, ${percent(e.timeout_share)} percent time-outs, after ${run.epochs} epochs`);
      const every = Math.ceil(actors.length / SNAPSHOTS), kept = actors.filter((_, i) => (actors.length - 1 - i) % every === 0);
      if (run.evaluation.solved && run.env_steps && !(record <= run.env_steps && record)) {
        record = run.env_steps;
        try { localStorage.setItem("cartpole-lab-record", record); } catch { /* no store on this page */ }
        refresh();
      }
      if (run.actor) offerPolicy(called(run), run.actor, kept.length > 1 ? kept : undefined);
    }
    const called = (run) => `trained here: ${run.preset ?? changes(run, defaults)}, seed ${run.seed ?? "?"}`;
    function drive() {
      if (!trainedHere().some((q) => q.name === called(chosen))) offerPolicy(called(chosen), chosen.actor);
      window.dispatchEvent(new CustomEvent("cartpole-lab-policy", { detail: { drive: called(chosen) } }));
      message.textContent = document.querySelector('.cl[aria-label="Cart-pole playground"]') ? "" : "No playground on this page; in those of the others it is among the drivers.";
    }
    /** What the page trained, told to Python where there is one. */
    function keep() {
      model.set("page_runs", all.filter((run) => run.engine === "page"));
      model.save_changes();
    }

    // -- files
    function download() {
      const { actor, film, ...rest } = chosen;
      const content = { format: FORMAT, made_by: chosen.engine === "page" ? "PPO in the page, on the JavaScript twin" : "cartpole_lab", task: "Isaac-Cartpole-v0", ...rest, policy: actor };
      const address = URL.createObjectURL(new Blob([JSON.stringify(content)], { type: "application/json" }));
      const link = h("a", { href: address, download: `cartpole_policy_seed${chosen.seed ?? 0}.json` });
      ui.root.append(link);
      link.click();
      link.remove();
      setTimeout(() => URL.revokeObjectURL(address), 1000);
      message.textContent = `In a terminal: cartpole-lab evaluate --checkpoint ${link.download}`;
    }
    const waiting = new Map();
    async function load(chosenFile) {
      if (!chosenFile) return;
      try {
        const content = JSON.parse(await chosenFile.text()), actor = content.policy ?? content;
        checkPolicy(actor);
        const id = -(++count); // evaluations have numbers of their own
        waiting.set(id, { engine: "page", name: chosenFile.name.slice(0, 40), weights: { ...defaults.weights }, ppo: {}, epochs: 0, actor, curve: { epoch: [], return: [], yardstick: [], evaluations: [] } });
        learner().postMessage({ type: "evaluate", id, actor, task, k: dynamics(TASK), episodes: criterion.episodes, seed: 1000 });
      } catch (error) {
        problem = `${chosenFile.name}: ${error.message}`;
        refresh();
      }
      file.value = "";
    }

    // -- the notebook's runs
    function tell(content) {
      try { model.send(content); } catch { /* no kernel: the page trains by itself */ }
    }
    function takeResults() {
      const known = new Set(all.filter((run) => run.engine !== "page").map((run) => run.number));
      model.get("results").forEach((run, number) => {
        const entry = { engine: "Isaac Lab", number, seconds: run.wall_s, ...run };
        if (!known.has(number)) { all.push(entry); chosen = entry; } else Object.assign(all.find((r) => r.number === number), entry);
      });
      clock = 0;
      if (chosen?.actor) show(chosen.actor, `${strips()} carts, in the page, under the chosen policy`);
      refresh();
    }
    function choose(run) {
      chosen = run;
      clock = 0;
      if (run?.actor) { carts = null; show(run.actor, `${strips()} carts under the policy of “${changes(run, defaults)}”`); }
      refresh();
    }

    // -- the table and what else is words
    function refresh() {
      const best = Math.min(...all.filter((run) => run.evaluation?.solved && run.env_steps).map((run) => run.env_steps));
      const status = model.get("status"), there = ["starting", "training", "filming"].includes(status.state), busy = there || !!going;
      train.disabled = !!going;
      trainThere.hidden = !live;
      trainThere.style.display = live ? "" : "none";
      trainThere.disabled = there;
      train.textContent = live ? "Train in the page" : "Train";
      stop.disabled = !going && !["starting", "training"].includes(status.state);
      if (going) {
        message.textContent = going.stopped ? "stopping …" : `epoch ${going.epoch ?? 0} of at most ${going.max_epochs} · ${((going.steps ?? 0) / 1000).toFixed(0)} k steps · ${(going.seconds ?? 0).toFixed(1)} s`;
        bar.value = (going.epoch ?? 0) / going.max_epochs;
      } else {
        if (problem || there || status.state === "failed") message.textContent = problem || status.message || "";
        else if (all.length && message.textContent.startsWith("epoch")) message.textContent = "finished";
        else if (message.textContent.startsWith("stopping")) message.textContent = "stopped early";
        if (status.state === "starting" || status.state === "filming") bar.removeAttribute("value");
        else bar.value = status.state === "training" ? status.epoch / status.max_epochs : all.length ? 1 : 0;
      }
      message.classList.toggle("cl-bad", !!problem || status.state === "failed");
      tag.textContent = live ? "trains in the page and in Isaac Lab" : "trains in this page";
      note.textContent = rival && !(best <= rival) ? `A contest: somebody solved the task in ${(rival / 1000).toFixed(0)} k steps with these settings. Change what you like and solve it in fewer.`
        : rival ? `Won: ${(best / 1000).toFixed(0)} k steps, against ${(rival / 1000).toFixed(0)} k. Press Share to pass it on.`
        : STORIES[preset.value] ?? (live
        ? "Set the weights and train: in the page, on the JavaScript twin of the task, or in Isaac Lab, in a second process of the kernel."
        : `Set the weights and press Train: PPO with the agent's own settings learns in this page, on the JavaScript twin of the task${model.get("can_train") ? ". In JupyterLab this cell trains in Isaac Lab as well" : ""}.`);
      body.replaceChildren(...all.map((run, i) => {
        const dot = h("i", { className: "cl-dot" });
        dot.style.background = palette(ui.colors, i);
        const e = run.evaluation, settle = e.mean_settle_time_s, task_return = e.task_return ?? e.default_return;
        const cells = [e.solved === null || e.solved === undefined ? "–" : e.solved ? "yes" : "no", `${percent(e.timeout_share)}%`,
          settle === null || settle === undefined ? "never" : `${percent(e.settled_share)}%, ${settle.toFixed(2)} s`,
          task_return !== undefined && Math.abs(task_return - e.mean_return) > 5e-4 ? `${fixed(e.mean_return, 2)} (${fixed(task_return, 2)})` : fixed(e.mean_return, 3),
          run.epochs ? String(run.epochs) : "–", run.env_steps ? `${run.env_steps === best ? "★ " : ""}${(run.env_steps / 1000).toFixed(0)} k` : "–",
          run.seconds ? `${run.seconds.toFixed(1)} s` : "–"];
        const name = run.preset ? `${run.preset}` : changes(run, defaults);
        const line = h("tr", {}, h("td", {}, dot, `${name}${run.seed !== undefined ? ` · seed ${run.seed}` : ""}${run.engine === "page" ? "" : " · Isaac Lab"}`),
          ...cells.map((t) => h("td", {}, t)), h("td", {}, button(run === chosen ? "shown" : "show", () => choose(run))));
        line.setAttribute("aria-selected", String(run === chosen));
        return line;
      }));
      table.hidden = !all.length;
      save.disabled = driveIt.disabled = !chosen?.actor;
      clear.disabled = !all.length || busy;
      chartNote.textContent = view === "reported"
        ? `Line: mean of the last 100 games, while exploring, by the run's own weights. Dot: mean of ${criterion.episodes} fresh episodes without exploring.`
        : "Line: what the latest steps would pay in a whole episode by the task's own weights, while exploring. Dot: fresh episodes by the same weights.";
      caption.textContent = !all.length ? "No run yet."
        : `Solved: a return of at least ${criterion.mean_return.toFixed(2)} by the task's own reward and ${percent(criterion.timeout_share)}% time-outs over ${criterion.episodes} fresh episodes. In brackets: the return by the task's own reward. ★ fewest steps to solved${record ? `; your record is ${(record / 1000).toFixed(0)} k` : ""}.${chosen?.film ? " Film: recorded in Isaac Lab." : ""}`;
      stage.canvas.hidden = !chosen?.film;
      ui.root.dataset.mode = live ? "live" : "page";
      ui.root.dataset.runs = String(all.length);
      ui.root.dataset.points = String(going ? going.points.length : model.get("live").length);
      ui.root.dataset.state = going ? "training" : problem ? "failed" : status.state;
      const words = all.map((run) => `${changes(run, defaults)}: ${run.evaluation.solved ? "solved" : "not solved"}, ${percent(run.evaluation.timeout_share)} percent time-outs, ${percent(run.evaluation.settled_share ?? 0)} percent stand, after ${run.epochs} epochs`);
      ui.describe(`Trainer, ${tag.textContent}. ${words.join("; ") || "No run yet"}.`);
      chart.canvas.setAttribute("aria-label", `Learning curves. ${words.join("; ")}`);
      ui.play((net || chosen?.film) && !reducedMotion() ? (elapsed) => { clock += elapsed; act_out(elapsed); } : null);
      ui.redraw();
    }

    // -- carts under the present policy, played by the page while the worker learns
    let net = null, carts = null, owed = 0;
    const k = dynamics(TASK), stepDt = TASK.dt * TASK.decimation;
    const stripCell = (w) => ({ columns: w < 460 ? 2 : 4, tall: w < 460 ? 74 : 96 });
    const strips = () => (strip.width < 460 && strip.width ? 6 : 8);
    function show(actor, words) {
      net = actor;
      stripNote.textContent = words;
      if (reducedMotion()) { carts = null; act_out(1.5); }
      ui.redraw();
    }
    const begin = () => ({ s: TASK.start.map((w) => (Math.random() * 2 - 1) * w), t: 0, over: 0 });
    function act_out(elapsed) {
      if (!net) return;
      carts ??= Array.from({ length: 8 }, begin);
      owed = Math.min(owed + elapsed, reducedMotion() ? 2 : 0.1);
      for (; owed >= stepDt; owed -= stepDt) for (const cart of carts) {
        if (cart.over) { if ((cart.over += stepDt) > 0.7) Object.assign(cart, begin()); continue; }
        cart.t += stepDt;
        if (!step(cart.s, effortOf(act(net, cart.s)), k)) cart.over = stepDt;
        else if (cart.t >= TASK.episode) Object.assign(cart, begin());
      }
    }
    function drawStrip(ctx, width, height, c) {
      const { columns, tall } = stripCell(width), wide = width / columns;
      for (let i = 0; i < columns * Math.round(height / tall); i++) {
        const cart = carts?.[i] ?? { s: [0, 0, 0, 0], over: 0, idle: true }, ox = (i % columns) * wide, oy = Math.floor(i / columns) * tall;
        const scale = Math.min((wide - 10) / 6.6, (tall - 8) / 2.2), view = { ox: ox + wide / 2, oy: oy + tall / 2, scale };
        ctx.save();
        ctx.beginPath();
        ctx.rect(ox + 3, oy + 3, wide - 6, tall - 6);
        ctx.clip();
        ctx.fillStyle = c.panel;
        ctx.fillRect(ox + 3, oy + 3, wide - 6, tall - 6);
        ctx.strokeStyle = cart.over ? c.red : c.line;
        ctx.lineWidth = 2;
        ctx.beginPath();
        ctx.moveTo(view.ox - 3 * scale, view.oy);
        ctx.lineTo(view.ox + 3 * scale, view.oy);
        for (const end of [-3, 3]) { ctx.moveTo(view.ox + end * scale, view.oy - 6); ctx.lineTo(view.ox + end * scale, view.oy + 6); }
        ctx.stroke();
        drawCartPole(ctx, c, { x: cart.s[0], angle: cart.s[1], ...view, thick: 0.7, alpha: cart.idle || cart.over ? 0.4 : 1 });
        ctx.restore();
      }
      ui.root.dataset.carts = carts ? carts.filter((cart) => !cart.over).length : "";
    }

    // -- drawing
    function drawCurves(ctx, width, height, c) {
      const growing = going ? going.points : model.get("live").map(([epoch, value]) => [epoch, value, null]), column = view === "reported" ? 1 : 2;
      const lines = all.map((run) => ({ run, xs: run.curve.epoch, ys: (view === "reported" ? run.curve.return : run.curve.yardstick) ?? [],
        dots: (run.curve.evaluations ?? []).map((e) => [e[0], e[column]]),
        end: [run.curve.epoch.at(-1) ?? 0, view === "reported" ? run.evaluation.mean_return : run.evaluation.task_return ?? run.evaluation.default_return ?? null] }));
      const last = Math.max(10, ...all.map((run) => run.epochs), going ? Math.max(30, growing.at(-1)?.[0] ?? 0) : growing.length ? Math.max(model.get("epochs"), growing.at(-1)[0]) : 0);
      const seen = [...lines.flatMap((l) => [...l.ys, l.end[1], ...l.dots.map((d) => d[1])]), ...growing.map((p) => p[column])].filter((v) => v !== null && v !== undefined && Number.isFinite(v));
      const high = Math.max(5, ...seen), low = Math.max(Math.min(0, ...seen), -2 * high);
      const box = { x: 40, y: 10, w: width - 40 - 10, h: height - 48 };
      const { sx, sy } = axes(ctx, c, box, [0, last], [low, high * 1.03], { xLabel: "epoch", yTicks: 5, xTicks: width < 460 ? 4 : 8 });
      ctx.save();
      ctx.beginPath();
      ctx.rect(box.x, box.y - 6, box.w + 8, box.h + 10);
      ctx.clip();
      if (view === "yardstick" || !all.length || all.every((run) => !Object.keys(run.weights).some((n) => run.weights[n] !== defaults.weights[n]))) {
        ctx.strokeStyle = c.soft;
        ctx.setLineDash([4, 4]);
        ctx.beginPath();
        ctx.moveTo(box.x, sy(criterion.mean_return));
        ctx.lineTo(box.x + box.w, sy(criterion.mean_return));
        ctx.stroke();
        ctx.setLineDash([]);
      }
      const line = (xs, ys, color, thick, alpha = 1) => {
        ctx.strokeStyle = color;
        ctx.globalAlpha = alpha;
        ctx.lineWidth = thick;
        ctx.lineJoin = "round";
        ctx.beginPath();
        xs.forEach((x, i) => { if (ys[i] !== null && ys[i] !== undefined) ctx.lineTo(sx(x), sy(ys[i])); });
        ctx.stroke();
        ctx.globalAlpha = 1;
      };
      const dot = ([x, y], color, size) => {
        if (y === null || y === undefined) return;
        ctx.fillStyle = color;
        ctx.strokeStyle = c.paper;
        ctx.lineWidth = 1.5;
        ctx.beginPath();
        ctx.arc(sx(x), sy(y), size, 0, 7);
        ctx.fill();
        ctx.stroke();
      };
      lines.forEach(({ run, xs, ys, dots, end }, i) => {
        line(xs, ys, palette(c, i), run === chosen ? 2.6 : 1.7, run === chosen ? 1 : 0.85);
        for (const d of dots) dot(d, palette(c, i), 3.5);
        dot(end, palette(c, i), 6);
      });
      if (growing.length) {
        const color = palette(c, all.length);
        line(growing.map((p) => p[0]), growing.map((p) => p[column]), color, 2.6);
        for (const d of going?.evaluations ?? []) dot([d[0], d[column]], color, 3.5);
      }
      ctx.restore();
    }
    function drawFilm(ctx, width, height, c) {
      const film = chosen?.film;
      if (!film) return;
      const longestFilm = Math.max(...film.episodes.map((e) => e.x.length));
      const at = Math.floor(clock / film.dt) % (longestFilm + 20); // a pause before it starts again
      const scale = Math.min(width / 6.9, (height - 16) / 2.1), place = { ox: width / 2, oy: height / 2, scale };
      ctx.fillStyle = c.panel;
      ctx.fillRect(0, 0, width, height);
      drawRail(ctx, c, { width, ...place, post: 12 });
      [...film.episodes].reverse().forEach((episode_, i) => {
        const now = Math.min(at, episode_.x.length - 1), front = i === film.episodes.length - 1;
        drawCartPole(ctx, c, { x: episode_.x[now], angle: episode_.angle[now], alpha: (front ? 1 : 0.4) * (at > now && now < longestFilm - 1 ? 0.35 : 1), ...place });
      });
    }

    const onKnobs = () => { for (const set of Object.values(controls)) if (!ui.root.contains(document.activeElement) || document.activeElement.type !== "range") set(); };
    const onMessage = (content) => { if (content?.type === "kernel" && model.get("can_train") && !live) { live = true; refresh(); } };
    const heard = { "change:weights": onKnobs, "change:ppo": onKnobs, "change:status": refresh, "change:live": refresh, "change:results": takeResults, "msg:custom": onMessage };
    for (const [event, react] of Object.entries(heard)) model.on(event, react);
    signal?.addEventListener("abort", () => { for (const [event, react] of Object.entries(heard)) model.off(event, react); });
    all.push(...(model.get("page_runs") ?? []));
    takeResults();
    const shared = inLab ? null : readAddress(location.hash, ranges, settings);
    if (shared) { put(shared); rival = shared.beat ?? null; preset.value = ""; ui.root.scrollIntoView(); refresh(); }
    tell({ type: "hello" });
  },
};
