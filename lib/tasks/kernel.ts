/**
 * `deno task kernel`: lets a Jupyter that is already there (also VS Code's) run the notebooks, by a
 * kernelspec in the user's Jupyter folder; `--sys-prefix` or `--prefix=FOLDER` for a Python environment;
 * `--remove` takes it away.
 */
import { join, resolve } from "node:path";
import { installKernelspec, removeKernelspec, userShare } from "../platform/notebook/kernelspec.ts";
import { run } from "../platform/native/_command.ts";
import { findPython } from "../platform/native/python.ts";
import { parseFlags, runTask } from "./command_line.ts";

await runTask(async () => {
  const { given, set } = parseFlags(Deno.args, {
    values: ["prefix"],
    switches: ["sys-prefix", "remove"],
  });
  const prefix = set.has("sys-prefix") ? await sysPrefix() : given.prefix && resolve(given.prefix);
  const share = prefix ? join(prefix, "share", "jupyter") : userShare();
  console.log(
    set.has("remove")
      ? `Removed ${await removeKernelspec(share)}`
      : `Wrote ${await installKernelspec(share)}\n` +
        "Jupyter and VS Code now offer the kernel Deno; open a notebook of notebooks/ with it.",
  );
  return 0;
});

/** The environment of the Python that is first on the PATH. */
async function sysPrefix(): Promise<string> {
  return (await run([await findPython(), "-c", "import sys; print(sys.prefix)"])).stdout;
}
