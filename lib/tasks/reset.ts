/** The shipped notebooks as they came: what running and saving changed in them is taken back by git. */
import { dirname, join } from "node:path";
import { cacheFolder } from "../platform/cache.ts";
import { run } from "../platform/native/_command.ts";
import { exists } from "../platform/runtime/files.ts";

/**
 * Puts the notebooks of a project back as git has them; those of one's own stay, and the replaced ones are
 * kept in the cache.
 * @returns what was done
 * @throws where there is no git, or the folder was not made by it
 */
export async function resetNotebooks(root: string): Promise<string> {
  const git = async (...args: string[]) => {
    const { ok, stdout } = await run(["git", "-C", root, ...args]);
    if (ok) return stdout;
    throw new Error(
      "Cannot reset the notebooks: expected git, and a folder that git clone made; found none; download " +
        "the project again and take its notebooks/",
    );
  };
  await git("ls-files", "--error-unmatch", "notebooks/00-start.ipynb");
  const found = await git("diff", "HEAD", "--name-only", "--diff-filter=MD", "-z", "notebooks");
  const changed = found.split("\0").filter((name) => name !== "");
  if (changed.length === 0) return "The shipped notebooks are as they came.";
  const folder = cacheFolder("reset", new Date().toISOString().replaceAll(/[:.]/g, "-"));
  for (const name of changed.filter((name) => exists(join(root, name)))) {
    await Deno.mkdir(join(folder, dirname(name)), { recursive: true });
    await Deno.copyFile(join(root, name), join(folder, name));
  }
  await git("checkout", "HEAD", "--", ...changed);
  return `Restored ${changed.join(", ")}; what they were is in ${folder}`;
}
