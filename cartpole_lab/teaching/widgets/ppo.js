// PPO in one function, for a Web Worker: rl-games' algorithm and settings on the JavaScript twin of the task.
//
// It follows rl-games 1.6.5 (a2c_common.py, a2c_continuous.py) step by step: horizon of all carts, bootstrap at
// time-outs with V of the observation before the step, GAE, values normalised by running moments, clipped policy and
// value losses, Adam with clipped gradients, a rate that follows the KL divergence after every minibatch, minibatches
// that are fixed blocks of environments. tests/parity/test_page_ppo.py holds one update against rl-games' own.
//
// Eight samples are worked on at once ("lanes"), so that a weight is read once for eight products. An array of a block
// is [feature][lane]. Everything random comes from numbered streams: a seed repeats bit for bit in one browser.
//
// The page makes the worker out of this function's own text, so nothing outside may be used in here.

export function cartpolePPO() {
  "use strict";
  const LANES = 8;

  /** Uniform numbers in [0, 1) (mulberry32), by stream. */
  function uniform(seed, stream = 0) {
    let s = (Math.imul(seed, 0x9e3779b1) + Math.imul(stream + 1, 0x85ebca6b)) | 0;
    return () => {
      s = (s + 0x6d2b79f5) | 0;
      let t = Math.imul(s ^ (s >>> 15), 1 | s);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  /** Numbers of the standard normal distribution (Box and Muller, 1958). */
  function normal(random) {
    let spare = NaN;
    return () => {
      if (spare === spare) { const kept = spare; spare = NaN; return kept; }
      const radius = Math.sqrt(-2 * Math.log(1 - random())), turn = 2 * Math.PI * random();
      spare = radius * Math.sin(turn);
      return radius * Math.cos(turn);
    };
  }

  const clamp = (value, limit) => (value > limit ? limit : value < -limit ? -limit : value);

  const TERMS = ["alive", "terminating", "pole_pos", "cart_vel", "pole_vel", "cart_pos"]; // the last one is 0 in the task
  const FAILED = 1, TIMED_OUT = 2;

  /** Many cart-poles: `task` holds the task's numbers, `k` those of the equations of motion (see twin.js). */
  class Carts {
    constructor(count, task, k, random) {
      Object.assign(this, { count, task, k, random });
      for (const name of ["x", "angle", "speed", "spin", "reward", "pay"]) this[name] = new Float64Array(count);
      this.age = new Int32Array(count); // steps of the present episode
      this.ended = new Uint8Array(count); // FAILED, TIMED_OUT, both
      this.limit = this.steps(task.episode_length_s);
      this.terms = new Float64Array(TERMS.length * count); // of the last step, without weights
      for (let i = 0; i < count; i++) this.reset(i);
    }
    steps(seconds) {
      return Math.ceil(seconds / (this.task.dt * this.task.decimation) - 1e-9);
    }
    reset(i) {
      const [x, angle, speed, spin] = this.task.start, draw = ([low, high]) => low + (high - low) * this.random();
      this.x[i] = draw(x);
      this.angle[i] = draw(angle);
      this.speed[i] = draw(speed);
      this.spin[i] = draw(spin);
      this.age[i] = 0;
    }
    /** Clipped observations of the eight carts from `first`, written to `out` from `at`. */
    observe(first, out, at) {
      const c = this.task.clip_observations;
      for (let l = 0; l < LANES; l++) {
        out[at + l] = clamp(this.x[first + l], c);
        out[at + 8 + l] = clamp(this.angle[first + l], c);
        out[at + 16 + l] = clamp(this.speed[first + l], c);
        out[at + 24 + l] = clamp(this.spin[first + l], c);
      }
    }
    /** One environment step. Writes `reward` (the given weights), `pay` (the task's own), `ended`. Resets nothing. */
    step(actions, weights) {
      const { count, task, k, x, angle, speed, spin, age, terms } = this, dt = k.dt, step = task.dt * task.decimation;
      const per = (values) => TERMS.map((name) => (values[name] ?? 0) * step), own = per(weights), theirs = per(task.weights);
      const a00 = k.m + dt * k.d, [low, high] = task.bounds;
      for (let i = 0; i < count; i++) {
        const force = task.effort_scale * clamp(actions[i], task.clip_actions);
        let X = x[i], A = angle[i], V = speed[i], W = spin[i];
        for (let s = 0; s < task.decimation; s++) {
          const sin = Math.sin(A), cos = Math.cos(A), a01 = -k.ml * cos, det = a00 * k.J - a01 * a01;
          const b0 = force - k.d * V - k.ml * sin * W * W, b1 = k.ml * k.g * sin;
          V += (dt * (k.J * b0 - a01 * b1)) / det;
          W += (dt * (a00 * b1 - a01 * b0)) / det;
          X += dt * V;
          A += dt * W;
        }
        x[i] = X; angle[i] = A; speed[i] = V; spin[i] = W;
        const failed = X < low || X > high ? 1 : 0, late = ++age[i] >= this.limit;
        const turned = A - 2 * Math.PI * Math.round(A / (2 * Math.PI));
        const at = TERMS.length * i;
        terms[at] = 1 - failed;
        terms[at + 1] = failed;
        terms[at + 2] = turned * turned;
        terms[at + 3] = V < 0 ? -V : V;
        terms[at + 4] = W < 0 ? -W : W;
        terms[at + 5] = X * X;
        let reward = 0, pay = 0;
        for (let j = 0; j < 6; j++) { reward += own[j] * terms[at + j]; pay += theirs[j] * terms[at + j]; }
        this.reward[i] = reward;
        this.pay[i] = pay;
        this.ended[i] = failed * FAILED + (late ? TIMED_OUT : 0);
      }
    }
  }

  // ---- dense layers, eight samples at once ------------------------------------------------------------------------

  /** Y = W X + b for one block. `bias` < 0 means none. */
  function dense(p, weight, bias, X, at, Y, inputs, outputs) {
    for (let j = 0; j < outputs; j++) {
      const b = bias < 0 ? 0 : p[bias + j];
      let a0 = b, a1 = b, a2 = b, a3 = b, a4 = b, a5 = b, a6 = b, a7 = b;
      for (let i = 0, q = weight + j * inputs, o = at; i < inputs; i++, q++, o += 8) {
        const w = p[q];
        a0 += w * X[o]; a1 += w * X[o + 1]; a2 += w * X[o + 2]; a3 += w * X[o + 3];
        a4 += w * X[o + 4]; a5 += w * X[o + 5]; a6 += w * X[o + 6]; a7 += w * X[o + 7];
      }
      const o = j * 8;
      Y[o] = a0; Y[o + 1] = a1; Y[o + 2] = a2; Y[o + 3] = a3; Y[o + 4] = a4; Y[o + 5] = a5; Y[o + 6] = a6; Y[o + 7] = a7;
    }
  }

  /** Gradients of `dense`: adds to g, and writes dX unless it is null. */
  function denseBack(p, g, weight, bias, X, at, D, dX, inputs, outputs) {
    for (let j = 0; j < outputs; j++) {
      const o = j * 8, d0 = D[o], d1 = D[o + 1], d2 = D[o + 2], d3 = D[o + 3], d4 = D[o + 4], d5 = D[o + 5], d6 = D[o + 6], d7 = D[o + 7];
      if (bias >= 0) g[bias + j] += d0 + d1 + (d2 + d3) + (d4 + d5 + (d6 + d7));
      for (let i = 0, q = weight + j * inputs, o2 = at; i < inputs; i++, q++, o2 += 8) {
        g[q] += d0 * X[o2] + d1 * X[o2 + 1] + (d2 * X[o2 + 2] + d3 * X[o2 + 3])
          + (d4 * X[o2 + 4] + d5 * X[o2 + 5] + (d6 * X[o2 + 6] + d7 * X[o2 + 7]));
      }
    }
    if (!dX) return;
    for (let i = 0; i < inputs; i++) {
      let a0 = 0, a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0, a6 = 0, a7 = 0;
      for (let j = 0, q = weight + i, o = 0; j < outputs; j++, q += inputs, o += 8) {
        const w = p[q];
        a0 += w * D[o]; a1 += w * D[o + 1]; a2 += w * D[o + 2]; a3 += w * D[o + 3];
        a4 += w * D[o + 4]; a5 += w * D[o + 5]; a6 += w * D[o + 6]; a7 += w * D[o + 7];
      }
      const o = i * 8;
      dX[o] = a0; dX[o + 1] = a1; dX[o + 2] = a2; dX[o + 3] = a3; dX[o + 4] = a4; dX[o + 5] = a5; dX[o + 6] = a6; dX[o + 7] = a7;
    }
  }

  function activate(kind, Y, length) {
    if (kind === "tanh") {
      for (let i = 0; i < length; i++) { // a rational function: within 4e-8 of tanh, and many times as fast as Math.tanh
        const y = Y[i], z = y > 9 ? 9 : y < -9 ? -9 : y, s = z * z;
        Y[i] = (z * (0.999999906 + s * (0.13373203 + s * (3.48658788e-3 + s * (2.04719199e-5 + s * 1.3184332e-8)))))
          / (1 + s * (0.467064998 + s * (2.58420026e-2 + s * (3.27139477e-4 + s * 7.70271101e-7))));
      }
    } else if (kind === "elu") { for (let i = 0; i < length; i++) if (Y[i] < 0) Y[i] = Math.exp(Y[i]) - 1; }
    else if (kind === "relu") { for (let i = 0; i < length; i++) if (Y[i] < 0) Y[i] = 0; }
  }

  /** D times the slope of the activation, told from its value Y. */
  function activateBack(kind, Y, D, length) {
    if (kind === "tanh") for (let i = 0; i < length; i++) D[i] *= 1 - Y[i] * Y[i];
    else if (kind === "elu") { for (let i = 0; i < length; i++) if (Y[i] < 0) D[i] *= Y[i] + 1; }
    else if (kind === "relu") { for (let i = 0; i < length; i++) if (Y[i] <= 0) D[i] = 0; }
  }

  /**
   * Actor and critic on one trunk, all numbers in one array `p`: layers, mean, value, log standard deviation.
   * `symmetric` is this package's symmetric_actor_critic: no biases, and the value reads squares of the last layer.
   */
  class Network {
    constructor({ units, activation, symmetric }, random = null) {
      Object.assign(this, { units, activation, symmetric });
      this.layers = [];
      let size = 0, inputs = 4;
      const take = (n) => (size += n) - n;
      for (const outputs of units) {
        this.layers.push({ inputs, outputs, weight: take(inputs * outputs), bias: symmetric ? -1 : take(outputs) });
        inputs = outputs;
      }
      this.last = inputs;
      this.mean = { inputs, outputs: 1, weight: take(inputs), bias: symmetric ? -1 : take(1) };
      this.value = { inputs, outputs: 1, weight: take(inputs), bias: take(1) };
      this.logStd = take(1);
      this.size = size;
      for (const name of ["p", "g", "m1", "m2"]) this[name] = new Float64Array(size);
      this.updates = 0;
      this.hidden = units.map((n) => new Float64Array(n * LANES));
      this.delta = units.map((n) => new Float64Array(n * LANES));
      this.squares = new Float64Array(inputs * LANES);
      this.back = new Float64Array(inputs * LANES);
      this.mu = new Float64Array(LANES);
      this.v = new Float64Array(LANES);
      // PyTorch's default for the weights of a linear layer; rl-games sets biases to zero
      if (random) for (const { inputs: n, outputs, weight } of [...this.layers, this.mean, this.value]) {
        for (let i = 0; i < n * outputs; i++) this.p[weight + i] = (2 * random() - 1) / Math.sqrt(n);
      }
    }
    /** Eight observations from `at` to `mu` and `v` (normalised). */
    forward(X, at, withValue = true) {
      const { p, layers, hidden, activation } = this;
      for (let n = 0; n < layers.length; n++) {
        const { inputs, outputs, weight, bias } = layers[n];
        dense(p, weight, bias, n ? hidden[n - 1] : X, n ? 0 : at, hidden[n], inputs, outputs);
        activate(activation, hidden[n], outputs * LANES);
      }
      let top = hidden[hidden.length - 1];
      dense(p, this.mean.weight, this.mean.bias, top, 0, this.mu, this.last, 1);
      if (!withValue) return;
      if (this.symmetric) {
        const squares = this.squares;
        for (let i = 0; i < squares.length; i++) squares[i] = top[i] * top[i];
        top = squares;
      }
      dense(p, this.value.weight, this.value.bias, top, 0, this.v, this.last, 1);
    }
    /** Adds to `g` what the gradients of `mu` and `v` of the block last sent forward mean for the parameters. */
    backward(X, at, dMu, dV) {
      const { p, g, layers, hidden, delta, activation, back, symmetric } = this, end = layers.length - 1;
      denseBack(p, g, this.mean.weight, this.mean.bias, hidden[end], 0, dMu, delta[end], this.last, 1);
      denseBack(p, g, this.value.weight, this.value.bias, symmetric ? this.squares : hidden[end], 0, dV, back, this.last, 1);
      for (let i = 0; i < back.length; i++) delta[end][i] += symmetric ? 2 * back[i] * hidden[end][i] : back[i];
      for (let n = end; n >= 0; n--) {
        const { inputs, outputs, weight, bias } = layers[n];
        activateBack(activation, hidden[n], delta[n], outputs * LANES);
        denseBack(p, g, weight, bias, n ? hidden[n - 1] : X, n ? 0 : at, delta[n], n ? delta[n - 1] : null, inputs, outputs);
      }
    }
    /** Clip the gradient's length, then one step of Adam (Kingma and Ba, 2015). */
    adam(rate, longest) {
      const { p, g, m1, m2, size } = this;
      let sum = 0;
      for (let i = 0; i < size; i++) sum += g[i] * g[i];
      const shrink = longest ? Math.min(1, longest / (Math.sqrt(sum) + 1e-6)) : 1;
      const k = ++this.updates, c1 = rate / (1 - 0.9 ** k), c2 = Math.sqrt(1 - 0.999 ** k);
      for (let i = 0; i < size; i++) {
        const q = g[i] * shrink;
        m1[i] += 0.1 * (q - m1[i]);
        m2[i] = 0.999 * m2[i] + 0.001 * q * q;
        p[i] -= (c1 * m1[i]) / (Math.sqrt(m2[i]) / c2 + 1e-8);
        g[i] = 0;
      }
    }
    /** The actor as numbers for JSON, in the form of `cartpole_lab.export_weights`. */
    actor(task) {
      const short = (v) => Number(Math.fround(v).toPrecision(8));
      const layer = ({ inputs, outputs, weight, bias }, activation) => ({
        weight: Array.from({ length: outputs }, (_, j) => Array.from(this.p.subarray(weight + j * inputs, weight + (j + 1) * inputs), short)),
        bias: Array.from({ length: outputs }, (_, j) => (bias < 0 ? 0 : short(this.p[bias + j]))),
        activation,
      });
      return {
        observation_clip: task.clip_observations, action_clip: task.clip_actions, normalization: null,
        layers: [...this.layers.map((l) => layer(l, this.activation)), layer(this.mean, null)],
      };
    }
  }

  /** An actor made of exported weights; it acts, it doesn't learn. */
  class Actor {
    constructor(net) {
      this.net = net;
      this.parts = net.layers.map(({ weight, bias, activation }) => ({
        p: Float64Array.from([...weight.flat(), ...bias]), inputs: weight[0].length, outputs: bias.length, activation,
        out: new Float64Array(bias.length * LANES),
      }));
      this.input = new Float64Array(this.parts[0].inputs * LANES);
      this.mu = this.parts[this.parts.length - 1].out;
    }
    forward(X, at) {
      const { net, input } = this, norm = net.normalization;
      for (let i = 0; i < input.length; i++) {
        let z = clamp(X[at + i], net.observation_clip);
        if (norm) z = clamp((z - norm.mean[i >> 3]) / Math.sqrt(norm.var[i >> 3] + norm.epsilon), norm.clip);
        input[i] = z;
      }
      let h = input;
      for (const { p, inputs, outputs, activation, out } of this.parts) {
        dense(p, 0, inputs * outputs, h, 0, out, inputs, outputs);
        activate(activation, out, out.length);
        h = out;
      }
    }
  }

  // ---- measuring --------------------------------------------------------------------------------------------------

  /**
   * Whole fresh episodes without exploring, one a cart: the counterpart of `cartpole_lab.evaluate`.
   * Ends early once more than `giveUp` have failed. `starts` takes the place of random ones. `task_return` goes by the task's weights, `mean_return` by the given.
   */
  function evaluate(actor, { task, k, weights = task.weights, episodes = 1024, seed = 1000, giveUp = Infinity, starts = null }) {
    const count = Math.ceil(episodes / LANES) * LANES, carts = new Carts(count, task, k, uniform(seed, 7));
    starts?.forEach(([x, angle, speed, spin], i) => {
      carts.x[i] = x; carts.angle[i] = angle; carts.speed[i] = speed; carts.spin[i] = spin;
    });
    const obs = new Float64Array(4 * LANES), actions = new Float64Array(count), limit = carts.limit;
    const alive = new Uint8Array(count).fill(1), lengths = new Int32Array(count), outside = new Int32Array(count);
    let failed = 0, late = 0, paid = 0, own = 0, complete = true, settled = 0, settleTime = 0;
    for (let t = 1; t <= limit && complete; t++) {
      for (let i = 0; i < count; i += LANES) {
        carts.observe(i, obs, 0);
        actor.forward(obs, 0, false);
        actions.set(actor.mu.subarray(0, LANES), i);
      }
      carts.step(actions, weights);
      for (let i = 0; i < episodes; i++) {
        if (!alive[i]) continue;
        own += carts.reward[i];
        paid += carts.pay[i];
        lengths[i] = t;
        const end = carts.ended[i];
        // As in `evaluate`, the state of an episode's last step doesn't count: in Isaac Lab it is gone by then.
        if (!end && Math.abs(carts.angle[i]) > task.settled_angle) outside[i] = t;
        if (end & FAILED) outside[i] = t;
        if (end) {
          alive[i] = 0;
          if (end & TIMED_OUT) late++; else failed++;
        }
      }
      if (t % 8 === 0 && failed > giveUp) complete = false;
    }
    const step = task.dt * task.decimation;
    for (let i = 0; i < episodes; i++) if (!alive[i] && lengths[i] >= limit && outside[i] < lengths[i] - 1) {
      settled++;
      settleTime += outside[i] * step;
    }
    return {
      episodes, seed, complete, failed, mean_return: own / episodes, task_return: paid / episodes,
      timeout_share: late / episodes, settled_share: settled / episodes, mean_settle_time_s: settled ? settleTime / settled : null,
    };
  }

  // ---- learning ---------------------------------------------------------------------------------------------------

  /** Running mean and variance as rl-games keeps them. */
  class Moments {
    constructor() { this.mean = 0; this.variance = 1; this.count = 1; }
    update(values) {
      const n = values.length, total = this.count + n;
      let mean = 0, variance = 0;
      for (let i = 0; i < n; i++) mean += values[i];
      mean /= n;
      for (let i = 0; i < n; i++) variance += (values[i] - mean) ** 2;
      variance /= n;
      const delta = mean - this.mean;
      this.variance = (this.variance * this.count + variance * n + (delta * delta * this.count * n) / total) / total;
      this.mean += (delta * n) / total;
      this.count = total;
    }
    get std() { return Math.sqrt(this.variance + 1e-5); }
  }

  class PPO {
    /**
     * `agent`: settings under rl-games' names. `task`, `k`: as for Carts. `weights`: of the reward.
     * Carts must fill whole blocks: num_envs is a multiple of 8 x minibatches.
     */
    constructor({ agent, task, k, weights = task.weights, num_envs, seed }) {
      Object.assign(this, { agent, task, k, weights, n: num_envs, seed, T: agent.horizon_length, rate: agent.learning_rate });
      const { n, T } = this, N = n * T;
      this.minibatches = T / agent.minibatch_size_per_env;
      if (!Number.isInteger(n / LANES / this.minibatches)) {
        throw new Error(`num_envs is ${n}, expected a multiple of ${LANES * this.minibatches}`);
      }
      this.net = new Network(agent, uniform(seed, 1));
      this.carts = new Carts(n, task, k, uniform(seed, 2));
      this.gauss = normal(uniform(seed, 3));
      this.stagger = uniform(seed, 4);
      this.moments = new Moments();
      // Sample (t, i) stands at ((i >> 3) T + t) 8 + (i & 7): the carts of a minibatch lie together.
      this.obs = new Float64Array(4 * N);
      for (const name of ["action", "neglogp", "meanOld", "stdOld", "value", "reward", "advantage", "target", "valueOld"]) this[name] = new Float64Array(N);
      this.doneBefore = new Uint8Array(N); // whether the cart had ended just before this step
      this.lastValue = new Float64Array(n);
      this.done = new Uint8Array(n);
      this.actions = new Float64Array(n);
      this.dMu = new Float64Array(LANES);
      this.dV = new Float64Array(LANES);
      this.epoch = this.steps = 0;
      this.gain = new Float64Array(n); // of the games under way
      this.games = { mean: 0, size: 0 };
      this.cut = Math.min(agent.episode_length_s ?? Infinity, task.episode_length_s);
    }
    at(t, i) { return ((i >> 3) * this.T + t) * LANES + (i & 7); }

    /** Play the horizon with every cart. */
    rollout() {
      const { n, T, net, carts, agent, obs, moments, actions } = this, logStd = net.p[net.logStd], std = Math.exp(logStd);
      const surprise = logStd + 0.5 * Math.log(2 * Math.PI);
      let pay = 0;
      this.failed = 0;
      for (let t = 0; t < T; t++) {
        const scale = agent.normalize_value ? moments.std : 1, shift = agent.normalize_value ? moments.mean : 0;
        for (let i = 0; i < n; i += LANES) {
          const at = this.at(t, i);
          carts.observe(i, obs, 4 * at);
          net.forward(obs, 4 * at);
          for (let l = 0; l < LANES; l++) {
            const z = this.gauss();
            this.meanOld[at + l] = net.mu[l];
            this.stdOld[at + l] = std;
            actions[i + l] = this.action[at + l] = net.mu[l] + std * z;
            this.neglogp[at + l] = 0.5 * z * z + surprise;
            this.value[at + l] = scale === 1 && shift === 0 ? net.v[l] : clamp(net.v[l], 5) * scale + shift;
            this.doneBefore[at + l] = this.done[i + l];
          }
        }
        carts.step(actions, this.weights);
        if (!this.steps && this.cut < this.task.episode_length_s) { // short episodes, not all cut at once
          carts.limit = carts.steps(this.cut);
          for (let i = 0; i < n; i++) carts.age[i] = Math.floor(this.stagger() * carts.limit);
        }
        this.steps += n;
        let finished = 0, sum = 0;
        for (let i = 0; i < n; i++) {
          const at = this.at(t, i), end = carts.ended[i];
          this.reward[at] = carts.reward[i] + (end & TIMED_OUT ? agent.gamma * this.value[at] : 0);
          this.done[i] = end ? 1 : 0;
          this.gain[i] += carts.reward[i];
          pay += carts.pay[i];
          if (end) {
            finished++;
            sum += this.gain[i];
            this.gain[i] = 0;
            if (!(end & TIMED_OUT)) this.failed++;
            carts.reset(i);
          }
        }
        if (finished) { // rl-games' mean of the last 100 games
          const size = Math.min(100, finished), old = Math.min(100 - size, this.games.size);
          this.games.mean = (this.games.mean * old + (sum / finished) * size) / (old + size);
          this.games.size = old + size;
        }
      }
      this.pay = pay / (n * T);
      const block = new Float64Array(4 * LANES);
      for (let i = 0; i < n; i += LANES) {
        carts.observe(i, block, 0);
        net.forward(block, 0);
        for (let l = 0; l < LANES; l++) this.lastValue[i + l] = agent.normalize_value ? clamp(net.v[l], 5) * moments.std + moments.mean : net.v[l];
      }
    }

    /** Generalised advantages (Schulman et al., 2016) and what the critic shall say; both normalised. */
    prepare() {
      const { n, T, agent, value, reward, advantage, target, valueOld, moments } = this, N = n * T;
      const decay = agent.gamma * agent.tau;
      for (let i = 0; i < n; i++) {
        let next = this.lastValue[i], on = 1 - this.done[i], gae = 0;
        for (let t = T - 1; t >= 0; t--) {
          const at = this.at(t, i);
          gae = reward[at] + agent.gamma * next * on - value[at] + decay * on * gae;
          advantage[at] = gae;
          target[at] = gae + value[at];
          next = value[at];
          on = 1 - this.doneBefore[at];
        }
      }
      valueOld.set(value);
      if (agent.normalize_value) for (const values of [valueOld, target]) { // each adds to the moments, as in rl-games
        moments.update(values);
        const { mean, std } = moments;
        for (let i = 0; i < N; i++) values[i] = clamp((values[i] - mean) / std, 5);
      }
      if (agent.normalize_advantage) {
        let mean = 0, variance = 0;
        for (let i = 0; i < N; i++) mean += advantage[i];
        mean /= N;
        for (let i = 0; i < N; i++) variance += (advantage[i] - mean) ** 2;
        const std = Math.sqrt(variance / (N - 1)) + 1e-8;
        for (let i = 0; i < N; i++) advantage[i] = (advantage[i] - mean) / std;
      }
    }

    /** One minibatch: gradients of the loss, a step of Adam, the new rate. Returns the KL divergence. */
    minibatch(number) {
      const { net, agent, obs, action, neglogp, advantage, meanOld, stdOld, target, valueOld, dMu, dV } = this;
      const size = (this.n / this.minibatches) * this.T, first = number * size, logStd = net.p[net.logStd], std = Math.exp(logStd);
      const clip = agent.e_clip, surprise = logStd + 0.5 * Math.log(2 * Math.PI);
      let kl = 0, gStd = 0;
      for (let at = first; at < first + size; at += LANES) {
        net.forward(obs, 4 * at);
        for (let l = 0; l < LANES; l++) {
          const s = at + l, mu = net.mu[l], v = net.v[l], z = (action[s] - mu) / std;
          const ratio = Math.exp(neglogp[s] - (0.5 * z * z + surprise)), plain = advantage[s] * ratio;
          const held = advantage[s] * (ratio > 1 + clip ? 1 + clip : ratio < 1 - clip ? 1 - clip : ratio);
          const pull = plain <= held ? plain : 0; // beyond the clip nothing pulls any more
          const excess = mu > 1.1 ? mu - 1.1 : mu < -1.1 ? mu + 1.1 : 0;
          dMu[l] = ((-pull * z) / std + 2 * (agent.bounds_loss_coef ?? 0) * excess) / size;
          gStd += pull * (1 - z * z) - agent.entropy_coef;
          const error = v - target[s], moved = v - valueOld[s], kept = valueOld[s] + clamp(moved, clip) - target[s];
          const counts = !agent.clip_value || error * error >= kept * kept || Math.abs(moved) <= clip;
          dV[l] = counts ? (agent.critic_coef * error) / size : 0;
          const s0 = stdOld[s], apart = meanOld[s] - mu;
          kl += Math.log(s0 / std + 1e-5) + (std * std + apart * apart) / (2 * (s0 * s0 + 1e-5)) - 0.5;
          meanOld[s] = mu; // the next pass measures from here
          stdOld[s] = std;
        }
        net.backward(obs, 4 * at, dMu, dV);
      }
      net.g[net.logStd] = gStd / size;
      net.adam(this.rate, agent.truncate_grads ? agent.grad_norm : 0);
      kl /= size;
      if (agent.lr_schedule === "adaptive") {
        if (kl > 2 * agent.kl_threshold) this.rate = Math.max(this.rate / 1.5, 1e-6);
        if (kl < 0.5 * agent.kl_threshold) this.rate = Math.min(this.rate * 1.5, 1e-2);
      }
      return kl;
    }

    /** Learn from the horizon: `mini_epochs` passes over the minibatches. */
    update() {
      this.prepare();
      let kl = 0;
      for (let pass = 0; pass < this.agent.mini_epochs; pass++) for (let b = 0; b < this.minibatches; b++) kl += this.minibatch(b);
      this.kl = kl / (this.agent.mini_epochs * this.minibatches);
    }

    /** One epoch; what it was like. */
    next() {
      this.rollout();
      this.update();
      this.epoch += 1;
      return {
        epoch: this.epoch, env_steps: this.steps, failed: this.failed, rate: this.rate, kl: this.kl,
        std: Math.exp(this.net.p[this.net.logStd]),
        mean_return: this.games.size ? (this.games.mean * this.task.episode_length_s) / this.cut : null,
        pay: this.pay * this.carts.steps(this.task.episode_length_s), // of a whole episode at this rollout's rate
      };
    }
  }

  /**
   * A training as `cartpole-lab train --stop_when_solved` runs it. Yields after every epoch; judged at the end on
   * episodes that had no say in when to stop. `criterion`: see `page_settings.py`.
   */
  function* training({ criterion, max_epochs, stop_when_solved = true, evaluate_always = false, ...settings }) {
    const ppo = new PPO(settings), { task, k, weights, num_envs, seed } = settings;
    const play = (from, giveUp) => evaluate(ppo.net, { task, k, weights, episodes: criterion.episodes, seed: from + seed, giveUp });
    const solved = (e, least, failures) => e.complete && e.task_return >= least && e.failed <= failures;
    let found = false;
    while (ppo.epoch < max_epochs && !found) {
      const info = ppo.next();
      const promising = info.pay > criterion.promising_return && info.failed <= criterion.promising_failures * num_envs;
      if (info.epoch % criterion.eval_interval === 0 && (evaluate_always || (stop_when_solved && promising))) {
        info.evaluation = play(10000 + info.epoch * 1000003, evaluate_always ? Infinity : criterion.stop_failures);
        found = stop_when_solved && solved(info.evaluation, criterion.stop_return, criterion.stop_failures);
      }
      if (yield { ...info, actor: ppo.net.actor(task) }) break;
    }
    const evaluation = play(20000, Infinity);
    evaluation.solved = solved(evaluation, criterion.mean_return, Math.floor((1 - criterion.timeout_share) * criterion.episodes + 1e-9));
    return { epochs: ppo.epoch, env_steps: ppo.steps, stopped_solved: found, evaluation, actor: ppo.net.actor(task) };
  }

  /** The worker's side: takes {type: "train" | "stop" | "evaluate"}, posts {type: "epoch" | "run" | "evaluated" | "failed"}. */
  function serve(port) {
    let run = 0;
    const pause = () => new Promise((resolve) => setTimeout(resolve, 0)); // lets a "stop" in
    port.onmessage = async ({ data }) => {
      const id = data.id;
      try {
        if (data.type === "stop") run = -Math.abs(run);
        else if (data.type === "evaluate") port.postMessage({ type: "evaluated", id, evaluation: evaluate(new Actor(data.actor), data) });
        else if (data.type === "train") {
          run = id;
          const going = training(data), began = performance.now();
          let step = going.next();
          while (!step.done) {
            port.postMessage({ type: "epoch", id, seconds: (performance.now() - began) / 1000, ...step.value });
            await pause();
            if (Math.abs(run) !== id) return; // a newer run has begun
            step = going.next(run < 0);
          }
          port.postMessage({ type: "run", id, seconds: (performance.now() - began) / 1000, ...step.value });
        }
      } catch (error) {
        port.postMessage({ type: "failed", id, message: String(error.message ?? error) });
      }
    };
  }

  return { LANES, TERMS, Carts, Network, Actor, PPO, Moments, uniform, normal, evaluate, training, serve };
}
