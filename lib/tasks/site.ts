/** `deno task site`: writes figures/site, the live page and the pages around it, and can serve them. */
import { join } from "node:path";
import { ROOT } from "../platform/cache.ts";
import { buildSite } from "../site/build.ts";
import { serveFolder } from "../site/serve.ts";
import { parseFlags, runTask } from "./command_line.ts";

const FOLDER = join(ROOT, "figures", "site");

const HELP = `Writes the site to figures/site: a page where one trains a model, and the notebooks.

  deno task site [--serve | --only-serve] [--port=N]

  --serve        then serve it, for this machine alone
  --only-serve   serve what was written before
  --port=N       default 8000; 0: any that is free`;

await runTask(async () => {
  const { given, set } = parseFlags(Deno.args, {
    values: ["port"],
    switches: ["serve", "only-serve", "help"],
  });
  const port = Number(given.port ?? 8000);
  if (!(Number.isInteger(port) && port >= 0 && port < 65536)) {
    throw new Error(`Cannot use --port=${given.port}: expected a number from 0 to 65535`);
  }
  if (set.has("help")) console.log(HELP);
  else {
    if (!set.has("only-serve")) await buildSite(FOLDER);
    if (!set.has("serve") && !set.has("only-serve")) {
      console.log(`Written: ${FOLDER}; deno task site --only-serve shows it`);
    } else {
      console.log((await serveFolder(FOLDER, port)).address);
      await new Promise(() => {}); // until it is interrupted
    }
  }
  return 0;
});
