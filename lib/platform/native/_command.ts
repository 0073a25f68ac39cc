/** Running other programs, and reading what they say. */
import { existsSync } from "node:fs";

/** The command that installs a tool: Debian's package of that name, elsewhere what to look for. */
export function toolCommand(debian: string, elsewhere: string): string {
  if (Deno.build.os === "darwin") return "xcode-select --install";
  return existsSync("/usr/bin/apt-get")
    ? `sudo apt-get install -y ${debian}`
    : `install ${elsewhere}`;
}

export interface Ran {
  ok: boolean;
  stdout: string;
  /** Both outputs, first stdout. */
  output: string;
}

/**
 * Runs a command to its end; a command that cannot be started counts as failed.
 * @param onLine called with each line of both outputs as it comes
 */
export async function run(
  command: string[],
  { onLine, ...options }: {
    cwd?: string;
    env?: Record<string, string>;
    signal?: AbortSignal;
    onLine?: (line: string) => void;
  } = {},
): Promise<Ran> {
  try {
    const child = new Deno.Command(command[0], {
      args: command.slice(1),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      ...options,
    }).spawn();
    const outputs = [child.stdout, child.stderr].map(async (stream) => {
      const all: string[] = [];
      for await (const line of lines(stream)) {
        all.push(line);
        onLine?.(line);
      }
      return all;
    });
    const [stdout, stderr] = await Promise.all(outputs);
    const { success: ok } = await child.status;
    return { ok, stdout: stdout.join("\n"), output: [...stdout, ...stderr].join("\n") };
  } catch (error) {
    return { ok: false, stdout: "", output: String(error) };
  }
}

/** The lines of a stream of bytes, as they come; the last one also without its line break. */
export async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}

/** The last non-empty lines of a program's output, for a reason in one sentence. */
export function lastLines(output: string, count = 2, between = " / "): string {
  return output.split("\n").map((line) => line.trim()).filter((line) => line !== "")
    .slice(-count).join(between);
}
