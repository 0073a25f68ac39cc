/**
 * Writes what the project writes into a folder whose disk is nearly full, in a process that alone sees
 * that disk; prints what came of each as JSON. Arguments: the folder, and the hub's address.
 */
import { join } from "node:path";
import { table } from "../../lib/figure/table.ts";
import { saveFigure, saveTable } from "../../lib/figure/export.ts";
import { downloadModel } from "../../lib/model/files/hub.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { writeWhole } from "../../lib/platform/runtime/files.ts";
import { Store } from "../../lib/study/store.ts";
import { tinyModel } from "../unit/_tiny_model.ts";

const [folder, endpoint] = Deno.args;

/** What a folder holds, with sizes. */
function listing(path: string): Record<string, number> {
  const found: Record<string, number> = {};
  const walk = (at: string, name: string) => {
    for (const entry of Deno.readDirSync(at)) {
      const inner = join(at, entry.name), full = name ? `${name}/${entry.name}` : entry.name;
      if (entry.isDirectory) walk(inner, full);
      else found[full] = Deno.statSync(inner).size;
    }
  };
  walk(path, "");
  return found;
}

const outcomes: Record<string, { error?: string; files: Record<string, number> }> = {};
async function attempt(name: string, write: (folder: string) => Promise<unknown>) {
  const own = join(folder, name);
  await Deno.mkdir(own);
  let error: string | undefined;
  try {
    await write(own);
  } catch (caught) {
    error = (caught as Error).message;
  }
  outcomes[name] = { error, files: listing(own) };
  await Deno.remove(own, { recursive: true });
}

await openBackend("cpu");
const model = tinyModel();
const long = "x".repeat(100_000);
const figure = {
  data: [{ type: "scatter", x: Array.from({ length: 9999 }, (_, i) => i), y: [1, 2, 3] }],
  layout: { title: { text: "t" }, width: 300, height: 200 },
};

await attempt("small", (own) => writeWhole(join(own, "a.txt"), "short"));
await attempt("bytes", (own) => writeWhole(join(own, "a.bin"), new Uint8Array(100_000)));
await attempt("pieces", (own) =>
  writeWhole(
    join(own, "a.bin"),
    (function* () {
      for (let i = 0; i < 100; i++) yield new Uint8Array(1000);
    })(),
  ));
await attempt("overwritten", async (own) => {
  await writeWhole(join(own, "a.txt"), "before");
  await writeWhole(join(own, "a.txt"), long);
});
await attempt("model", (own) => model.save(own));
await attempt("cell", (own) => new Store(own).write("cell-1", { answers: long }));
await attempt("table", (own) => saveTable(own, "t", table([{ a: long }])));
await attempt("figure", (own) => saveFigure(own, "f", figure as never));
for (const id of ["some-one/large", "some-one/wordy"]) {
  await attempt(id.slice("some-one/".length), (own) =>
    downloadModel(id, {
      cacheDirectory: own,
      endpoint,
      token: "hf_x",
      offline: false,
      patience: 0.01,
      onProgress: () => {},
    }));
}
console.log(JSON.stringify(outcomes));
