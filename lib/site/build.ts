/** Writes the site: the live page with its organism, and the pages around it. */
import { join } from "node:path";
import { createRequire } from "node:module";
import { organismFolder } from "../model/files/source.ts";
import { loadOrganism } from "../organism/folder.ts";
import { ROOT } from "../platform/native/native.ts";
import { openBackend } from "../platform/runtime/backend.ts";
import { readText, writeWhole } from "../platform/runtime/files.ts";
import { probe } from "../probe.ts";
import { worldMaterial } from "../study/material.ts";
import { WASM_FILE } from "./backend.ts";
import { allExams } from "./base.ts";
import { organismRows } from "./organism_rows.ts";

const require = createRequire(import.meta.url);

/** The organism that visitors train. */
export const PAGE_ORGANISM = "small-101";

const SOURCE = join(ROOT, "lib", "site");

/** Bundles an entry of the page for browsers. */
async function bundle(entry: string, output: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["bundle", "--quiet", "--platform=browser", "--minify"],
      ...[`--output=${output}`, join(SOURCE, entry)],
    ],
    cwd: ROOT,
  }).output();
  if (success) return;
  throw new Error(`Cannot bundle ${entry}: ${new TextDecoder().decode(stderr).trim()}`);
}

/** What the page's organism answers before it is trained, six digits; on WebAssembly, as in the page. */
async function baseProbabilities(): Promise<string> {
  await openBackend("wasm");
  const { model, world } = await loadOrganism(PAGE_ORGANISM);
  try {
    const found: [string, number[][]][] = [];
    for (const { name, questions, demonstrations } of allExams(worldMaterial(world))) {
      const answers = await probe(model, questions, { demonstrations: [...demonstrations] });
      found.push([
        name,
        answers.map(({ probabilities }) => probabilities.map((p) => Number(p.toPrecision(6)))),
      ]);
    }
    return JSON.stringify(Object.fromEntries(found));
  } finally {
    model.dispose();
  }
}

/** Writes explore.html and all that it loads. */
export async function buildExplorer(folder: string): Promise<void> {
  const organism = join(folder, "organism");
  await Deno.mkdir(organism, { recursive: true });
  const files = ["config.json", "tokenizer.json", "tokenizer_config.json", "world.json"];
  for (const name of [...files, "organism.json", "model.safetensors"]) {
    await Deno.copyFile(join(organismFolder(PAGE_ORGANISM), name), join(organism, name));
  }
  const wasm = require.resolve("@tensorflow/tfjs-backend-wasm/package.json");
  await Deno.copyFile(join(wasm, "..", "dist", WASM_FILE), join(organism, WASM_FILE));
  for (const name of ["explore.html", "style.css", "icon.svg"]) {
    await writeWhole(join(folder, name), await readText(join(SOURCE, name)));
  }
  await writeWhole(join(organism, "organisms.json"), JSON.stringify(await organismRows()));
  await writeWhole(join(organism, "base.json"), await baseProbabilities());
  await bundle("page.ts", join(folder, "explore.js"));
  await bundle("worker.ts", join(folder, "worker.js"));
}
