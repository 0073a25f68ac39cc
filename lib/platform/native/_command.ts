/** Finding and running other programs. */
import { delimiter, join } from "node:path";

/** The full path of a program on the PATH, or undefined. */
export function findOnPath(name: string): string | undefined {
  for (const folder of (Deno.env.get("PATH") ?? "").split(delimiter)) {
    for (const ending of Deno.build.os === "windows" ? [".exe", ".cmd", ""] : [""]) {
      const path = join(folder || ".", name + ending);
      try {
        const { isFile, mode } = Deno.statSync(path);
        if (isFile && (mode === null || (mode & 0o111) !== 0)) return path;
      } catch { /* not in this folder */ }
    }
  }
}

export interface Ran {
  ok: boolean;
  /** Both outputs, first stdout. */
  output: string;
}

/** Runs a command to its end; a command that cannot be started counts as failed. */
export async function run(
  command: string[],
  options: { env?: Record<string, string>; cwd?: string; signal?: AbortSignal } = {},
): Promise<Ran> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(command[0], {
      args: command.slice(1),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      ...options,
    }).output();
    const text = new TextDecoder();
    return { ok: success, output: text.decode(stdout) + text.decode(stderr) };
  } catch (error) {
    return { ok: false, output: String(error) };
  }
}

/** The last non-empty lines of a program's output, for a reason in one sentence. */
export function lastLines(output: string, count = 2): string {
  return output.split("\n").map((line) => line.trim()).filter((line) => line !== "")
    .slice(-count).join(" / ");
}
