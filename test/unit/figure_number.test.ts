import assert from "node:assert/strict";
import { pValue } from "../../lib/statistics/p_value.ts";
import { formatPlain, formatR, percent, roundNumbers, signed } from "../../lib/figure/number.ts";
import { nearest } from "../../lib/platform/runtime/nearest.ts";

const measured = (value: number, low: number, high: number) =>
  ({ value, interval: [low, high] }) as const;

Deno.test("pValue() gives three digits, and never rounds to 0 or 1", () => {
  const written = [0, 0.0004, 0.00099, 0.001, 0.0123, 0.05, 0.9996, 1, NaN].map((p) => pValue(p));
  assert.deepEqual(written, [
    ...["< .001", "< .001", "< .001", ".001", ".012", ".050", "> .999", "1.000", ""],
  ]);
});

Deno.test("formatR() leaves the zero out, with bounds where there are some", () => {
  assert.deepEqual([0.8213, -0.35, 1, -1, 0, -0.001].map((r) => formatR(r)), [
    ...[".82", "-.35", "1.00", "-1.00", ".00", ".00"],
  ]);
  assert.equal(formatR(measured(0.82, -0.05, 0.92)), ".82 [-.05, .92]");
});

Deno.test("signed() tells a gain from a loss, and neither where it rounds to 0", () => {
  assert.deepEqual([8.41, -0.3, 0.04, -0.04, 0, Infinity].map((value) => signed(value)), [
    ...["+8.4", "-0.3", "0.0", "0.0", "0.0", "+∞"],
  ]);
  assert.equal(signed(measured(8.41, -5.24, 11.58)), "+8.4 [-5.2, +11.6]");
});

Deno.test("percent() takes a share", () => {
  assert.equal(percent(0.523), "52.3%");
  assert.equal(percent(measured(0.5, 0.25, 1), 0), "50% [25%, 100%]");
});

Deno.test("formatPlain() writes numbers as settings are written", () => {
  assert.deepEqual([0.05, 1, 1e-3, 2e-5, 16, 0.123456].map((value) => formatPlain(value)), [
    ...["0.05", "1", "0.001", "2e-5", "16", "0.1235"],
  ]);
});

Deno.test("roundNumbers() keeps six digits of every number and what is none", () => {
  const before = { a: [1 / 3, null, "1/3"], b: { c: 1234567.891, n: 12345678, big: Infinity } };
  assert.deepEqual(roundNumbers(before), {
    a: [0.333333, null, "1/3"],
    b: { c: 1234570, n: 12345678, big: Infinity },
  });
});

Deno.test("nearest() finds the name that was meant, whatever its case and joints", () => {
  const names = ["learningRate", "epochs", "limit", "lora"];
  assert.equal(nearest("learning_rate", names), "learningRate");
  assert.equal(nearest("epoch", names), "epochs");
  assert.equal(nearest("temperature", names), undefined);
  assert.equal(nearest("x", []), undefined);
});
