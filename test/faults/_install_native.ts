/**
 * One installation in a process of its own, which a test can kill and whose PATH it can choose.
 * Options as JSON; prints the state, what was told, and the milliseconds of a second call.
 */
import { installNative } from "../../lib/platform/native/native.ts";

const told: string[] = [];
const options = JSON.parse(Deno.args[0]);
const state = await installNative({ ...options, progress: (line) => told.push(line) });
let again = Infinity;
if (state.ready) {
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    await installNative({ ...options, progress: () => {} });
    again = Math.min(again, performance.now() - start);
  }
}
console.log(JSON.stringify({ state, told, again }));
