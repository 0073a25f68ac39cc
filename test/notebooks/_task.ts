/** Tasks of lib by the lines that a user types. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** `deno task NAME ARGS`, started. */
export const startTask = (
  name: string,
  args: string[],
  env: Record<string, string>,
  output: "piped" | "null" = "piped",
): Deno.ChildProcess =>
  new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", join(ROOT, "lib", "tasks", `${name}.ts`), ...args],
    ...{ env, cwd: ROOT, stdout: output, stderr: output },
  }).spawn();

/** Its exit code and what it printed, when it has ended. */
export async function endOf(child: Deno.ChildProcess) {
  const { code, stdout, stderr } = await child.output();
  const [out, error] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, out, error };
}
