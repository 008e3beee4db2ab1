/**
 * What pi.ts must give for a seed: the same points thrown in one loop. The generator is the
 * published sfc32, written here a second time. `node examples/pi.oracle.ts SEED [SAMPLES]`
 */

function sfc32(seed: string): () => number {
  const words = new Uint32Array(4).map((_, word) => {
    let hash = (0x811c9dc5 ^ Math.imul(word, 0x9e3779b9)) >>> 0;
    for (const char of seed) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0;
    return hash;
  });
  const draw = (): number => {
    const [a = 0, b = 0, c = 0, d = 0] = words;
    const sum = (a + b + d) >>> 0;
    words.set([b ^ (b >>> 9), c + (c << 3), ((c << 21) | (c >>> 11)) + sum, d + 1]);
    return sum / 2 ** 32;
  };
  for (let i = 0; i < 15; i++) draw();
  return draw;
}

/** How many of the points of all tasks are in the circle. */
export function circleHits(seed: string, tasks: number, samples: number): number {
  let hits = 0;
  for (let task = 0; task < tasks; task++) {
    const random = sfc32(`${seed}/main/map/${task}`);
    for (let i = 0; i < samples; i++) {
      if (random() ** 2 + random() ** 2 < 1) hits++;
    }
  }
  return hits;
}

if (import.meta.main) {
  const [seed = "", samples = "1000000"] = process.argv.slice(2);
  const hits = circleHits(seed, 20, Number(samples));
  process.stdout.write(`pi is about ${(4 * hits) / (20 * Number(samples))}\n`);
}
