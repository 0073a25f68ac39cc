import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

// deno-lint-ignore no-explicit-any -- what _webgpu_check.ts tells
type Told = any;

async function check(mode: string): Promise<Told> {
  const { stdout, stderr, code } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check"],
      fileURLToPath(new URL("_webgpu_check.ts", import.meta.url)),
      mode,
    ],
  }).output();
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stderr));
  const told = JSON.parse(text.decode(stdout).trim().split("\n").at(-1)!);
  if (told.skipped) console.log(`not tested: ${told.skipped}`);
  return told.skipped ? undefined : told;
}

Deno.test("WebGPU adds and joins more tensors than a shader binds, and sums rows in a fixed order", async () => {
  const told = await check("kernels");
  if (told === undefined) return;
  const upTo60 = Array.from({ length: 60 }, (_, i) => i);
  assert.deepEqual(told.sum, [60 * 59 / 2, 60]);
  assert.deepEqual(told.joined, upTo60.flatMap((i) => [i, 1]));
  assert.deepEqual(told.stacked, [...upTo60, ...upTo60.map(() => 1)]);
  // Rows 0 and 2 for segment 3, rows 1 and 5 for segment 0; ids 7 and -1 are none's.
  const segments = [[[26, 28], [30, 32]], [[0, 0], [0, 0]], [[0, 0], [0, 0]], [
    [10, 12],
    [14, 16],
  ]];
  assert.deepEqual(told.segments, segments);
  assert.deepEqual(told.whole, segments);
  assert.deepEqual(told.none, [[0, 0], [0, 0], [0, 0]]);
  assert.equal(told.same, true, "the same numbers give the same sums, bit for bit");
  const output = 50_000 * 8 * 4;
  assert.ok(told.bytes <= 1.1 * output, `${told.bytes} bytes for a gradient of ${output}`);
  assert.match(told.atOnce, /Cannot read a tensor's numbers at once.*await tensor\.data\(\)/);
  for (const [name, said] of Object.entries(told.calls)) assert.equal(said, null, name);
});

for (
  const [mode, reason] of Object.entries({
    large: /greater than the maximum buffer size/,
    bindings: /limit is 8/,
    lost: /that it is lost \(destroyed\)/,
  })
) {
  Deno.test(`what a WebGPU device refuses (${mode}) is an error of every call that reads`, async () => {
    const told = await check(mode);
    if (told === undefined) return;
    for (const [name, said] of Object.entries(told.calls)) {
      assert.match(String(said), /Cannot compute on WebGPU: expected.*found .*new process/, name);
      assert.match(String(said), reason, name);
    }
    if (mode === "bindings") assert.equal(told.steps, 1, "a step that failed is none");
  });
}
