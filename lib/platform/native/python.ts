/**
 * A private Python environment with pinned packages, for what this project is compared with or
 * shown in (PyTorch, transformers, JupyterLab). Nothing is installed outside its folder.
 */
import { join, resolve } from "node:path";
import { cacheFolder } from "../cache.ts";
import { lines } from "./lines.ts";

export interface PythonOptions {
  /** Pip requirements, pinned (`name==version`). */
  packages: string[];
  /** Folder that holds the environments. Default: `python` in the cache. */
  root?: string;
  /** The Python that makes the environment. Default: the first of `python3` and `python` found. */
  python?: string;
  /** Called with a line on each step. Default: prints to stderr. */
  onProgress?: (line: string) => void;
}

/**
 * The path of a Python that has `packages`; makes the environment the first time.
 * An environment counts as made once its marker file stands, which is written last: one whose
 * installation was cut short is made again from nothing. Processes that ask at once take turns.
 * @throws when no Python 3 is found, or when pip fails (its last lines are in the message).
 */
export async function pythonEnvironment(options: PythonOptions): Promise<string> {
  const { packages, root = ENVIRONMENTS } = options;
  const progress = options.onProgress ?? ((line: string) => console.error(line));
  const folder = resolve(root, await environmentName(packages));
  if (await isMade(folder)) return executable(folder);

  await Deno.mkdir(root, { recursive: true });
  using lock = await Deno.open(`${folder}.lock`, { write: true, create: true });
  if (!await lock.tryLock(true)) {
    progress(`Waiting for another process that makes ${folder}`);
    await lock.lock(true);
  }
  if (await isMade(folder)) return executable(folder);

  const python = options.python ?? await findPython();
  progress(`Making a Python environment with ${packages.join(", ") || "no packages"} in ${folder}`);
  await removeFolder(folder);
  try {
    const pip = await createEnvironment(python, folder);
    if (packages.length > 0) {
      progress("Downloading and installing; the first time this can take minutes");
      await run(
        pip,
        ["install", "--no-input", "--progress-bar=off", "--disable-pip-version-check", ...packages],
        `install ${packages.join(", ")}`,
        progress,
      );
    }
    await Deno.writeTextFile(join(folder, MARKER), JSON.stringify({ packages }));
  } catch (error) {
    await removeFolder(folder);
    throw error;
  }
  progress(`Made ${folder}`);
  return executable(folder);
}

/** The environment's Python if it was made before, else undefined; installs nothing. */
export async function existingPythonEnvironment(
  options: Pick<PythonOptions, "packages" | "root">,
): Promise<string | undefined> {
  const folder = resolve(options.root ?? ENVIRONMENTS, await environmentName(options.packages));
  return await isMade(folder) ? executable(folder) : undefined;
}

const ENVIRONMENTS = cacheFolder("python");
const MARKER = "made.json";

async function environmentName(packages: string[]): Promise<string> {
  const bytes = new TextEncoder().encode([...packages].sort().join("\n"));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return digest.toHex().slice(0, 12);
}

async function isMade(folder: string): Promise<boolean> {
  try {
    return (await Deno.stat(join(folder, MARKER))).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function executable(folder: string): string {
  return Deno.build.os === "windows"
    ? join(folder, "Scripts", "python.exe")
    : join(folder, "bin", "python");
}

async function removeFolder(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

/** Creates the bare environment; returns the command line that runs pip for it. */
async function createEnvironment(python: string, folder: string): Promise<string[]> {
  const action = `make the environment ${folder}`;
  try {
    await run([python], ["-m", "venv", folder], action);
    return [executable(folder), "-m", "pip"];
  } catch (error) {
    // Debian's Python leaves ensurepip out; its pip, where there is one, serves the new folder too.
    await removeFolder(folder);
    if (!await answers(python, ["-m", "pip", "--version"])) throw error;
    await run([python], ["-m", "venv", "--without-pip", folder], action);
    return [python, "-m", "pip", "--python", executable(folder)];
  }
}

async function answers(command: string, args: string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, { args, stdout: "null", stderr: "null" })
      .output();
    return success;
  } catch {
    return false;
  }
}

async function findPython(): Promise<string> {
  const check = "import sys; sys.exit(sys.version_info < (3, 10))";
  for (const name of ["python3", "python"]) {
    if (await answers(name, ["-c", check])) return name;
  }
  throw new Error(
    "Cannot make a Python environment: expected python3 (3.10 or newer) on the PATH, found none; " +
      "install Python 3 with its venv module (Debian: apt install python3-venv)",
  );
}

/** Runs a command, passes its output's lines on, and throws with the last of them if it fails. */
async function run(
  command: string[],
  args: string[],
  action: string,
  progress: (line: string) => void = () => {},
): Promise<void> {
  const child = new Deno.Command(command[0], {
    args: [...command.slice(1), ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const last: string[] = [];
  const listen = async (stream: ReadableStream<Uint8Array>) => {
    for await (const line of lines(stream)) {
      if (line.trim() === "") continue;
      last.push(line.trim());
      if (last.length > 8) last.shift();
      if (/^\s*(Collecting|Downloading|Installing|Successfully|ERROR)/.test(line)) progress(line);
    }
  };
  const [status] = await Promise.all([child.status, listen(child.stdout), listen(child.stderr)]);
  if (!status.success) {
    throw new Error(
      `Cannot ${action}: expected ${command[0]} to succeed, it ended with code ${status.code}; ` +
        `its last lines:\n${last.join("\n")}`,
    );
  }
}
