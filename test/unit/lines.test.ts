import assert from "node:assert/strict";
import { lines } from "../../lib/platform/native/_command.ts";

Deno.test("lines() joins what chunks cut apart, inside a character too", async () => {
  const bytes = new TextEncoder().encode("one\nÄ two\n\nlast");
  for (const size of [1, 2, 5, 100]) {
    const chunks: Uint8Array[] = [];
    for (let i = 0; i < bytes.length; i += size) chunks.push(bytes.slice(i, i + size));
    const found = await Array.fromAsync(lines(ReadableStream.from(chunks)));
    assert.deepEqual(found, ["one", "Ä two", "", "last"]);
  }
});

Deno.test("lines() ends without an empty line after the last line break", async () => {
  const stream = ReadableStream.from([new TextEncoder().encode("a\n")]);
  assert.deepEqual(await Array.fromAsync(lines(stream)), ["a"]);
});
