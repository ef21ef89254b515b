// The JavaScript twin of the task: pure functions on plain arrays, no page needed (`act`, the network, stands in base.js).
// tests/parity/test_twin.py runs this very text with node against Newton.
//
// State: [cart position m, pole angle rad, cart velocity m/s, pole angular velocity rad/s]. Angle 0 is upright and a
// positive angle leans towards -x. With the pole's centre of mass at distance l from its joint the motion obeys
//   (M + m) x'' - m l cos(a) a'' + m l sin(a) a'^2 = F - d x'
//   -m l cos(a) x'' + J a'' - m g l sin(a)         = T
// which MuJoCo's "implicitfast" integrator steps with the damping d taken at the end of the step.

export const TASK = Object.freeze({
  dt: 1 / 120, // one physics step [s]
  decimation: 2, // physics steps an action lasts
  cartMass: 1, // [kg]
  cartDamping: 10, // of the joint drive [N s/m]
  poleMass: 1, // [kg]
  poleLength: 1, // of the box [m]
  poleThickness: 0.06, // of the box in the plane of motion [m]
  poleBelowJoint: 0.03, // the box's end lies this far behind the joint [m]
  gravity: 9.81, // [m/s^2]
  effortScale: 100, // action 1 is this many newtons
  actionClip: 1,
  bound: 3, // the episode ends when the cart leaves [-bound, bound] [m]
  episode: 5, // [s]
  start: [1, Math.PI / 4, 0.5, Math.PI / 4], // half-widths of the random start
});

/** The numbers that the equations need, from masses and lengths (a pole is a box of even density). */
export function dynamics(p = TASK) {
  const l = p.poleLength / 2 - p.poleBelowJoint;
  const own = (p.poleMass * (p.poleLength ** 2 + p.poleThickness ** 2)) / 12;
  return { m: p.cartMass + p.poleMass, ml: p.poleMass * l, J: own + p.poleMass * l * l, g: p.gravity, d: p.cartDamping, dt: p.dt };
}

/** One physics step in place: `force` [N] on the cart, `torque` [N m] on the pole. */
export function substep(s, force, k, torque = 0) {
  const sin = Math.sin(s[1]), cos = Math.cos(s[1]);
  const b0 = force - k.d * s[2] - k.ml * sin * s[3] * s[3];
  const b1 = k.ml * k.g * sin + torque;
  const a00 = k.m + k.dt * k.d, a01 = -k.ml * cos, a11 = k.J;
  const det = a00 * a11 - a01 * a01;
  s[2] += (k.dt * (a11 * b0 - a01 * b1)) / det;
  s[3] += (k.dt * (a00 * b1 - a01 * b0)) / det;
  s[0] += k.dt * s[2];
  s[1] += k.dt * s[3];
}

/** Effort [N] of an action, as the task scales and clips it. */
export const effortOf = (action, p = TASK) => p.effortScale * clip(action, p.actionClip);

/** One environment step in place under an effort [N]; true while the cart is on its stage. */
export function step(s, effort, k, p = TASK, push = 0) {
  for (let i = 0; i < p.decimation; i++) substep(s, effort + push, k);
  return Math.abs(s[0]) <= p.bound;
}

/**
 * Play one episode from `start`. `control` is a policy's weights or a list of actions.
 * Returns the states (steps + 1), the steps survived and whether the pole was caught: never out, upright at the end.
 */
export function episode(start, control, { steps = 300, p = TASK, push = 0, pushSteps = 12 } = {}) {
  const k = dynamics(p), s = Array.from(start), states = [Array.from(s)];
  let survived = steps;
  for (let t = 0; t < steps; t++) {
    const action = Array.isArray(control) ? control[t] : act(control, s);
    const on = step(s, effortOf(action, p), k, p, t < pushSteps ? push : 0);
    states.push(Array.from(s));
    if (!on) {
      survived = t + 1;
      break;
    }
  }
  const end = states[states.length - 1];
  return { states, survived, caught: survived === steps && Math.abs(end[1]) < 0.2 };
}

/** The hardest push [N], `pushSteps` long, that a policy at rest survives in both directions; null if it cannot balance. */
export function pushLimit(net, { p = TASK, pushSteps = 12, max = 1000 } = {}) {
  const rest = episode([0, 0.02, 0, 0], net, { p, steps: 240 });
  if (!rest.caught) return null;
  const from = rest.states[rest.states.length - 1];
  const holds = (force) => [force, -force].every((push) => episode(from, net, { p, push, pushSteps }).caught);
  let low = 0;
  while (low + 40 <= max && holds(low + 40)) low += 40;
  while (low + 5 <= max && holds(low + 5)) low += 5;
  return low;
}

export { act };
