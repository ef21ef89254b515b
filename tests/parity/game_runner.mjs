// Run by node from the tests of the playground's game: reads {weights, task} from input.json, prints what it found.
import { readFileSync } from "node:fs";
const { TASK, dynamics, LEVELS, Player, byHand, effortOfHand, pay, swingUp, turned, readPlayground } = await import("./playground.mjs");
const { cartpolePPO } = await import("./trainer.mjs");
const { weights, task } = JSON.parse(readFileSync("input.json", "utf8"));
const k = dynamics(TASK), world = TASK, one = (v) => Math.max(-1, Math.min(1, v));
/** A round under a hand that sees the world `late` seconds ago; without a hand where that is null. */
function round(level, late, side) {
  const angle = level.start === null ? 0.6 * side : (level.start * side * Math.PI) / 180;
  const player = new Player([0, angle, 0, 0]), seen = [], behind = Math.round((late ?? 0) * level.speed * 60);
  while (!player.over) {
    seen.push([...player.s]);
    const [x, a, v, w] = seen[Math.max(0, seen.length - 1 - behind)];
    const hand = late === null ? 0 : one(((-3 * a - 0.75 * w + 0.12 * x + 0.35 * v) * 80) / level.limit);
    player.advance(effortOfHand(hand, player.s, level, world), { world, k, weights, level });
  }
  return player.over;
}
const levels = LEVELS.map((level) => ({ name: level.name, swing: !!level.swing, nobody: round(level, null, 1),
  hand: [-1, 1].map((side) => round(level, 0.2, side)) }));
const swing = LEVELS.find((level) => level.swing), up = new Player([0, Math.PI, 0, 0]);
while (!up.over) up.advance(Math.max(-swing.limit, Math.min(swing.limit, 100 * swingUp(up.s, k, world))), { world, k, weights, level: swing });
// the score against what the learner's carts are paid
const lab = cartpolePPO(), carts = new lab.Carts(8, task, k, lab.uniform(5)), random = lab.uniform(6);
let apart = 0;
for (let t = 0; t < 200; t++) {
  carts.step(Float64Array.from({ length: 8 }, () => 2 * random() - 1), task.weights);
  for (let i = 0; i < 8; i++) apart = Math.max(apart, Math.abs(carts.pay[i] - pay([carts.x[i], carts.angle[i], carts.speed[i], carts.spin[i]], weights, 1 / 60, 3)));
}
const ranges = { crowd: [0, 96], gravity: [0, 25] }, names = ["a policy", "you", "energy"];
console.log(JSON.stringify({ levels, up: [up.over, up.time], apart,
  gains: [[0.01, 0, 0, 0], [0, 0.01, 0, 0], [0, 0, 0.01, 0], [0, 0, 0, 0.01]].map((s) => byHand(s) / 0.01),
  turned: turned(2 * Math.PI + 0.25),
  address: readPlayground("#playground?policy=a+policy&rival=energy&level=99&crowd=1e9&gravity=-5&epoch=7&no=1", names, ranges),
  odd: readPlayground("#playground?policy=nobody+at+all&rival=you&level=x&crowd=&gravity=Infinity", names, ranges),
  other: readPlayground("#trainer?seed=1", names, ranges) }));
