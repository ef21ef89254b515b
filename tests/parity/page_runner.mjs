// Run by node from the tests of the page's PPO: reads {what, ...} from input.json beside it, prints the answer as JSON.
import { readFileSync } from "node:fs";
const { cartpolePPO, TASK, dynamics, substep } = await import("./trainer.mjs");
const { what, settings, ...input } = JSON.parse(readFileSync("input.json", "utf8"));
const lab = cartpolePPO(), k = dynamics(TASK), { task, criterion } = settings;

function train({ seed, num_envs, agent, max_epochs, weights }) {
  const going = lab.training({ task, k, criterion, weights, agent: settings.agents[agent], max_epochs: max_epochs ?? settings.agents[agent].max_epochs, num_envs, seed });
  const curve = [];
  let step = going.next();
  for (; !step.done; step = going.next()) curve.push(step.value.mean_return);
  return { seed, curve, ...step.value };
}

const answers = {
  train: () => input.runs.map(train),
  evaluate: () => input.policies.map((net) => lab.evaluate(new lab.Actor(net), { task, k, episodes: input.episodes, seed: input.seed, starts: input.starts })),
  /** One step of 512 carts against the twin's own. */
  carts() {
    const carts = new lab.Carts(512, task, k, lab.uniform(3)), random = lab.uniform(4);
    let apart = 0;
    for (let t = 0; t < 60; t++) {
      const before = [0, 1, 2, 3].map((j) => Float64Array.from([carts.x, carts.angle, carts.speed, carts.spin][j]));
      const actions = Float64Array.from({ length: 512 }, () => 3 * random() - 1.5);
      carts.step(actions, task.weights);
      for (let i = 0; i < 512; i++) {
        const s = before.map((values) => values[i]);
        for (let n = 0; n < task.decimation; n++) substep(s, task.effort_scale * Math.max(-1, Math.min(1, actions[i])), k);
        apart = Math.max(apart, ...s.map((v, j) => Math.abs(v - [carts.x, carts.angle, carts.speed, carts.spin][j][i])));
      }
    }
    return { apart, dt: [TASK.dt, k.dt, task.dt] };
  },
  /** rl-games' own horizon, learned from here. */
  update() {
    const { agent, n, parameters, horizon } = input, ppo = new lab.PPO({ agent, task, k, num_envs: n, seed: 1 });
    ppo.net.p.set(parameters);
    for (let t = 0; t < ppo.T; t++) for (let i = 0; i < n; i++) {
      const at = ppo.at(t, i);
      for (let j = 0; j < 4; j++) ppo.obs[4 * (at - (at & 7)) + 8 * j + (at & 7)] = horizon.obs[t][i][j];
      for (const [ours, theirs] of [["action", "actions"], ["meanOld", "mus"], ["stdOld", "sigmas"], ["neglogp", "neglogp"], ["value", "values"], ["reward", "rewards"], ["doneBefore", "dones"]]) ppo[ours][at] = horizon[theirs][t][i];
    }
    ppo.lastValue.set(horizon.last_values);
    ppo.done.set(horizon.last_dones);
    ppo.prepare();
    const rows = (values) => Array.from({ length: ppo.T }, (_, t) => Array.from({ length: n }, (_, i) => values[ppo.at(t, i)]));
    const prepared = { advantages: rows(ppo.advantage), returns: rows(ppo.target), old_values: rows(ppo.valueOld) };
    const rates = [], kls = [];
    let first = null;
    for (let pass = 0; pass < agent.mini_epochs; pass++) for (let b = 0; b < ppo.minibatches; b++) {
      kls.push(ppo.minibatch(b));
      rates.push(ppo.rate);
      first ??= { parameters: Array.from(ppo.net.p), moment: Array.from(ppo.net.m1, (m) => 10 * m) };
    }
    return { prepared, first, rates, kls, parameters: Array.from(ppo.net.p), moments: [ppo.moments.mean, ppo.moments.variance] };
  },
};
console.log(JSON.stringify(answers[what]()));
