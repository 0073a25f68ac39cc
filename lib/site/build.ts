/** Writes the site: the live page with its organism, and the pages around it. */
import { basename, join } from "node:path";
import { createRequire } from "node:module";
import { allExams, asRow } from "../cell.ts";
import { escapeXml } from "../figure/_text.ts";
import { organismFolder } from "../model/files/source.ts";
import { loadOrganism } from "../organism/folder.ts";
import { run } from "../platform/native/_command.ts";
import { ROOT } from "../platform/cache.ts";
import { readNotebook } from "../platform/notebook/notebook.ts";
import { openBackend } from "../platform/runtime/backend.ts";
import { exists, readText, writeWhole } from "../platform/runtime/files.ts";
import { probe } from "../probe.ts";
import { worldMaterial } from "../study/material.ts";
import frame from "./page.html" with { type: "text" };
import { WASM_FILE } from "./backend.ts";
import { landingBody } from "./landing.ts";
import { notebookPage } from "./notebook_page.ts";
import { organismRows } from "./organism_rows.ts";

const require = createRequire(import.meta.url);

/** The organism that visitors train. */
export const PAGE_ORGANISM = "small-101";

const SOURCE = join(ROOT, "lib", "site");

/** Runs Deno. @throws what it said, if it fails */
async function deno(args: string[], action: string): Promise<void> {
  const { ok, output } = await run([Deno.execPath(), ...args], { cwd: ROOT });
  if (!ok) throw new Error(`Cannot ${action}: ${output.trim()}`);
}

/** What the page's organism answers before it is trained, six digits; on WebAssembly, as in the page. */
async function baseProbabilities(): Promise<string> {
  await openBackend("wasm");
  const { model, world } = await loadOrganism(PAGE_ORGANISM);
  try {
    const found: Record<string, number[][]> = {};
    for (const { name, questions, demonstrations } of allExams(worldMaterial(world))) {
      const answers = await probe(model, questions, { demonstrations: [...demonstrations] });
      found[name] = answers.map(({ probabilities }) => probabilities.map(asRow));
    }
    return JSON.stringify(found);
  } finally {
    model.dispose();
  }
}

/** The frame of every page but the live one. @param root the way from the page to the site's root */
function pageText(title: string, body: string, root: string): string {
  const parts: Record<string, string> = { title: escapeXml(title), body, root };
  return frame.replaceAll(/\{(title|body|root)\}/g, (_, name) => parts[name]);
}

/** Writes the notebooks as pages, their list, and what the search looks through. */
async function buildNotebooks(folder: string): Promise<void> {
  const from = join(ROOT, "notebooks"), to = join(folder, "notebooks");
  const names = [...Deno.readDirSync(from)].map(({ name }) => name)
    .filter((name) => name.endsWith(".ipynb")).map((name) => basename(name, ".ipynb")).sort();
  const pages = await Promise.all(
    names.map(async (name) => notebookPage(await readNotebook(join(from, `${name}.ipynb`)), name)),
  );
  const link = (i: number, rel: string) =>
    pages[i] ? `<a rel="${rel}" href="${names[i]}.html">${escapeXml(pages[i].title)}</a>` : "";
  for (const [i, { title, body, pictures }] of pages.entries()) {
    const links = `${link(i - 1, "prev")} ${link(i + 1, "next")}`;
    const turn = `<nav class="turn" aria-label="Notebooks">${links}</nav>`;
    await writeWhole(join(to, `${names[i]}.html`), pageText(title, body + turn, "../"));
    for (const [name, bytes] of pictures) await writeWhole(join(to, name), bytes);
    for (const [, path] of body.matchAll(/href="\.\.\/(figures\/[\w./-]+)"/g)) {
      await writeWhole(join(folder, path), await Deno.readFile(join(ROOT, path)));
    }
  }
  const list = pages.map((_, i) => `<li>${link(i, "item")}</li>`).join("\n");
  const body =
    `<h1>The notebooks</h1><p>As they were executed; code is folded away.</p><ul>${list}</ul>`;
  await writeWhole(join(to, "index.html"), pageText("The notebooks", body, "../"));
  const sections = JSON.stringify(pages.flatMap(({ sections }) => sections));
  await writeWhole(join(folder, "search.js"), `globalThis.searchSections = ${sections};\n`);
}

/** Bundles an entry of the page for browsers. */
async function bundle(entry: string, output: string): Promise<void> {
  const how = ["--quiet", "--platform=browser", "--minify", `--output=${output}`];
  await deno(["bundle", ...how, join(SOURCE, entry)], `bundle ${entry}`);
}

/** Writes the whole site, and removes what was there. @param reference whether with the API reference */
export async function buildSite(
  folder: string,
  { reference = true }: { reference?: boolean } = {},
): Promise<void> {
  if (exists(folder)) await Deno.remove(folder, { recursive: true });
  await buildExplorer(folder);
  const { body, figure } = await landingBody();
  await writeWhole(join(folder, "index.html"), pageText("Learning or self-aligning?", body, ""));
  await writeWhole(join(folder, "main.svg"), figure);
  await buildNotebooks(folder);
  await bundle("reader.ts", join(folder, "reader.js"));
  await Deno.copyFile(require.resolve("plotly.js-dist-min"), join(folder, "plotly.js"));
  if (!reference) return;
  const how = ["--html", "--quiet", "--name=Learning or self-aligning"];
  await deno(
    ["doc", ...how, `--output=${join(folder, "api")}`, "lib/mod.ts"],
    "write the reference",
  );
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
