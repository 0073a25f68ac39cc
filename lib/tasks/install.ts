/** Installs the native TensorFlow now; ends with code 1 when it cannot. */
import { installNative } from "../platform/native/native.ts";

const started = performance.now();
const state = await installNative({ retry: true, download: true });
if (!state.ready) {
  console.error(`Cannot install TensorFlow: ${state.reason}. To mend it: ${state.mend}`);
  Deno.exit(1);
}
const seconds = ((performance.now() - started) / 1000).toFixed(1);
console.log(`TensorFlow (${state.kind}) is ready in ${state.folder} (${seconds} s)`);
