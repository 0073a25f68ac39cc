import assert from "node:assert/strict";
import { quote } from "../../lib/platform/runtime/quote.ts";

Deno.test("quote() shows a value as JSON, cut to 80 characters", () => {
  assert.equal(quote({ a: [1, null, "x"] }), `{"a":[1,null,"x"]}`);
  assert.equal(quote(undefined), "none");
  assert.equal(quote("x".repeat(100)), `"${"x".repeat(76)}...`);
  assert.equal(quote(new Array(100).fill(1)).length, 80);
});

Deno.test("quote() looks at no more of a value than it shows", () => {
  let asked = 0;
  const counted = () => {
    asked++;
    return asked < 1e6 ? { inner: child(), other: child() } : 1;
  };
  const child = () => ({ toJSON: counted });
  assert.match(quote(child()), /^{"inner":{"inner":/);
  assert.ok(asked < 100, `${asked} parts`);
});
