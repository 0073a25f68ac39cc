/**
 * `deno task site`: writes figures/site, the live page and the pages around it; `--serve` then serves it on
 * this machine (`--port=N`), `--only-serve` serves what was written before.
 */
import { join } from "node:path";
import { ROOT } from "../platform/native/native.ts";
import { buildSite } from "../site/build.ts";
import { serveFolder } from "../site/serve.ts";
import { parseFlags } from "./flags.ts";

const FOLDER = join(ROOT, "figures", "site");

try {
  const { given, set } = parseFlags(Deno.args, {
    values: ["port"],
    switches: ["serve", "only-serve"],
  });
  if (!set.has("only-serve")) await buildSite(FOLDER);
  if (set.has("serve") || set.has("only-serve")) {
    const port = Number(given.port ?? 8000);
    await serveFolder(FOLDER, { port, onListen: (address) => console.log(address) }).finished;
  } else console.log(`Written: ${FOLDER}; deno task site --only-serve shows it`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
