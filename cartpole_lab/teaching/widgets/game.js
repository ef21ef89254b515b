// What makes the playground a game: levels, one cart's round, a rule that swings the pole up. No page needed: it runs in
// node as well. A round is paid by the task's own reward, so that a reader's score and a policy's return are one number.

/**
 * Easiest first, tried with a model of a hand that reacts 0.15 to 0.25 s late. `start`: pole angle [deg], or null for a
 * draw from the task's ranges. `limit`: the most that hand and rival push [N]. `brake`: share of the hand-written
 * controller's damping that is added to your force; it slows a fall and does not end it. `speed`: of time, 1 is real.
 */
export const LEVELS = [
  { name: "1 · slow, with a brake", start: 4, limit: 30, brake: 1, speed: 0.4, seconds: 5 },
  { name: "2 · real time, with a brake", start: 4, limit: 30, brake: 0.4, speed: 1, seconds: 5 },
  { name: "3 · quarter speed", start: 5, limit: 30, brake: 0, speed: 0.25, seconds: 5 },
  { name: "4 · half speed", start: 6, limit: 50, brake: 0, speed: 0.45, seconds: 5 },
  { name: "5 · swing up", start: 180, limit: 60, brake: 0.8, speed: 0.4, seconds: 12, swing: true },
  { name: "6 · the task itself", start: null, limit: 100, brake: 0, speed: 1, seconds: 5 },
];
const FELL = 75 / DEGREES; // in a level that begins upright, a pole beyond this counts as fallen
const STANDS = 12 / DEGREES, STAND_S = 1.5; // a pole that is swung up has to stand for so long

/** Pole angle within half a turn of upright. */
export const turned = (angle) => angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));

/** The hand-written controller of the lessons, `pd_policy()`, as an action. */
export const byHand = ([x, angle, v, spin]) => clip(0.1 * x - 3 * turned(angle) + 0.25 * v - 0.6 * spin, 1);

/** Your effort [N] in a level: what the hand does, -1 to 1, and the brake on a pole that is near upright. */
export function effortOfHand(hand, [, angle, , spin], { limit, brake }, world) {
  const held = Math.cos(angle) > 0.7 ? brake * world.effortScale * clip(0.6 * spin, 1) : 0;
  return clip(limit * hand - held, limit);
}

/**
 * Swing up by energy (Astrom and Furuta, 2000), as an action: accelerate the cart so that the pole gains what it lacks
 * of the energy that it has upright, stay near the middle, and catch by hand once it is nearly there.
 */
export function swingUp(s, k, world) {
  const [x, , v, spin] = s, angle = turned(s[1]), cos = Math.cos(angle);
  if (Math.abs(angle) < 0.45 && Math.abs(spin) < 4) return byHand(s);
  const lacks = k.ml * k.g * (1 - cos) - 0.5 * k.J * spin * spin;
  const wish = 8 * lacks * Math.sign(spin * cos || 1) - 4 * x - 2 * v; // acceleration [m/s^2]
  return clip((k.m * clip(wish, 30) + k.d * v) / world.effortScale, 1);
}

/** What the task pays for one step: every term x weight x seconds. */
export function pay([x, angle, v, spin], weights, seconds, bound) {
  const out = Math.abs(x) > bound ? 1 : 0;
  const terms = { alive: 1 - out, terminating: out, pole_pos: turned(angle) ** 2, cart_vel: Math.abs(v), pole_vel: Math.abs(spin) };
  return Object.entries(weights).reduce((sum, [name, weight]) => sum + weight * (terms[name] ?? 0), 0) * seconds;
}

/** A cart and its round: state, effort, time, return, and how it ended. */
export class Player {
  constructor(state) {
    Object.assign(this, { s: [...state], before: [...state], effort: 0, time: 0, score: 0, stood: 0, over: null, trail: [] });
  }
  /** One environment step under an effort [N], and a push beside it; `level` may be null: then only the rail ends it. */
  advance(effort, { world, k, weights, level = null, push = 0, hold = null }) {
    const seconds = world.dt * world.decimation;
    this.before = [...this.s];
    this.effort = effort;
    const on = hold ? (hold(this.s, seconds), true) : step(this.s, effort, k, world, push);
    this.time += seconds;
    this.score += pay(this.s, weights, seconds, world.bound);
    const [x, angle] = this.s, away = Math.abs(turned(angle));
    this.trail.push([x - Math.sin(angle) * 0.97 * world.poleLength, Math.cos(angle) * 0.97 * world.poleLength]);
    if (this.trail.length > 70) this.trail.shift();
    this.stood = away < STANDS ? this.stood + seconds : 0;
    if (!on) this.over = "out";
    else if (level && !level.swing && away > FELL) this.over = "fell";
    else if (level?.swing && this.stood >= STAND_S) this.over = "done";
    else if (level && this.time >= level.seconds - 1e-9) this.over = level.swing ? "late" : "done";
  }
}

/** How a round ended, in words. */
export function verdict(player, level) {
  const seconds = `${player.time.toFixed(1)} s`;
  if (player.over === "out") return `Off the rail after ${seconds}`;
  if (player.over === "fell") return `The pole fell after ${seconds}`;
  if (player.over === "late") return `${level.seconds} s, and it does not stand`;
  return level?.swing ? `It stands, after ${seconds}` : `${level.seconds} s, and it stands`;
}
