// What a network sees and answers, drawn live: four numbers in, two layers of neurons, one number out.

const SEES = [["cart", "m", 1, 3], ["pole", "°", DEGREES, Math.PI / 2], ["cart speed", "m/s", 1, 4], ["pole spin", "rad/s", 1, 6]];

/** Call it after `act(net, s)`, whose sums it shows. Lines: what weighs most for each neuron, blue pushes up, orange down. */
export function drawNetwork(ctx, width, height, c, net, s, effort) {
  const { input, layers } = compiled(net), tone = (value) => (value < 0 ? c.orange : c.blue), strength = (value) => Math.min(1, Math.abs(value));
  const left = width < 460 ? 92 : 128, right = width - (width < 460 ? 62 : 84), top = 24, tall = height - top - 14;
  const columns = [input, ...layers.map((layer) => layer.out)];
  const at = (n, i) => [left + ((right - left) * n) / (columns.length - 1), top + (tall * (i + 0.5)) / columns[n].length];
  ctx.lineCap = "round";
  layers.forEach(({ weight, out }, n) => {
    const from = columns[n], few = n === layers.length - 1 ? from.length : 2;
    for (let r = 0; r < out.length; r++) {
      const parts = Array.from(from, (value, i) => [value * weight[r * from.length + i], i]).sort((a, b) => Math.abs(b[0]) - Math.abs(a[0]));
      for (const [part, i] of parts.slice(0, few)) {
        if (Math.abs(part) < 0.02) break;
        ctx.strokeStyle = tone(part);
        ctx.globalAlpha = 0.2 + 0.6 * strength(part);
        ctx.lineWidth = 0.6 + 1.6 * strength(part);
        ctx.beginPath();
        ctx.moveTo(...at(n, i));
        ctx.lineTo(...at(n + 1, r));
        ctx.stroke();
      }
    }
  });
  columns.forEach((values, n) => {
    const size = Math.max(2.2, Math.min(n && n < columns.length - 1 ? 5 : 9, (0.42 * tall) / values.length));
    values.forEach((value, i) => {
      const [x, y] = at(n, i);
      ctx.globalAlpha = 1;
      ctx.fillStyle = c.panel;
      ctx.strokeStyle = c.line;
      ctx.lineWidth = 1;
      ctx.beginPath();
      ctx.arc(x, y, size, 0, 7);
      ctx.fill();
      ctx.stroke();
      ctx.globalAlpha = strength(n ? value : s[i] / SEES[i][3]);
      ctx.fillStyle = tone(value);
      ctx.fill();
    });
  });
  ctx.globalAlpha = 1;
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  SEES.forEach(([name, unit, factor], i) => {
    const [x, y] = at(0, i);
    ctx.fillStyle = c.soft;
    ctx.fillText(name, x - 15, y - 8);
    ctx.fillStyle = c.ink;
    ctx.fillText(`${fixed(s[i] * factor, unit === "°" ? 1 : 2)} ${unit}`, x - 15, y + 8);
  });
  const [x, y] = at(columns.length - 1, 0);
  ctx.textAlign = "left";
  ctx.fillStyle = c.soft;
  ctx.fillText("answer", x + 14, y - 9);
  ctx.fillStyle = c.ink;
  ctx.fillText(`${fixed(effort, 0)} N`, x + 14, y + 9);
  ctx.textAlign = "center";
  ctx.fillStyle = c.soft;
  layers.slice(0, -1).forEach(({ out }, n) => ctx.fillText(`${out.length} neurons`, at(n + 1, 0)[0], 10));
}
