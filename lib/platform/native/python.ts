/**
 * A private Python environment with pinned packages, for what this project is compared with or
 * shown in (PyTorch, transformers, JupyterLab). Nothing is installed outside its folder.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { cacheFolder } from "../cache.ts";
import { lastLines, run } from "./_command.ts";

export interface PythonOptions {
  /** Pip requirements, pinned (`name==version`). */
  packages: string[];
  /** Folder that holds the environments. Default: `python` in the cache. */
  root?: string;
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
  const { packages, onProgress: progress = console.error } = options;
  const folder = folderOf(options);
  if (isMade(folder)) return executable(folder);

  await Deno.mkdir(dirname(folder), { recursive: true });
  using lock = await Deno.open(`${folder}.lock`, { write: true, create: true });
  if (!await lock.tryLock(true)) {
    progress(`Waiting for another process that makes ${folder}`);
    await lock.lock(true);
  }
  if (isMade(folder)) return executable(folder);

  const python = await findPython();
  progress(`Making a Python environment with ${packages.join(", ") || "no packages"} in ${folder}`);
  await rm(folder, { recursive: true, force: true });
  try {
    const pip = await createEnvironment(python, folder);
    if (packages.length > 0) {
      progress("Downloading and installing; the first time this can take minutes");
      const options = ["--no-input", "--progress-bar=off", "--disable-pip-version-check"];
      const command = [...pip, "install", ...options, ...packages];
      await succeed(command, `install ${packages.join(", ")}`, progress);
    }
    await Deno.writeTextFile(join(folder, MARKER), JSON.stringify({ packages }));
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  progress(`Made ${folder}`);
  return executable(folder);
}

/** The environment's Python if it was made before, else undefined; installs nothing. */
export function existingPythonEnvironment(options: PythonOptions): string | undefined {
  const folder = folderOf(options);
  return isMade(folder) ? executable(folder) : undefined;
}

const ENVIRONMENTS = cacheFolder("python");
const MARKER = "made.json";

function folderOf({ packages, root = ENVIRONMENTS }: PythonOptions): string {
  const digest = createHash("sha256").update(packages.toSorted().join("\n")).digest("hex");
  return resolve(root, digest.slice(0, 12));
}

const isMade = (folder: string) => existsSync(join(folder, MARKER));

function executable(folder: string): string {
  return Deno.build.os === "windows"
    ? join(folder, "Scripts", "python.exe")
    : join(folder, "bin", "python");
}

/** Creates the bare environment; returns the command line that runs pip for it. */
async function createEnvironment(python: string, folder: string): Promise<string[]> {
  const action = `make the environment ${folder}`;
  try {
    await succeed([python, "-m", "venv", folder], action);
    return [executable(folder), "-m", "pip"];
  } catch (error) {
    // Debian's Python leaves ensurepip out; its pip, where there is one, serves the new folder too.
    await rm(folder, { recursive: true, force: true });
    if (!(await run([python, "-m", "pip", "--version"])).ok) throw error;
    await succeed([python, "-m", "venv", "--without-pip", folder], action);
    return [python, "-m", "pip", "--python", executable(folder)];
  }
}

/** The first Python on the PATH that is new enough. @throws where there is none */
export async function findPython(): Promise<string> {
  const check = "import sys; sys.exit(sys.version_info < (3, 10))";
  for (const name of ["python3", "python"]) if ((await run([name, "-c", check])).ok) return name;
  throw new Error(
    "Cannot use Python: expected python3 (3.10 or newer) on the PATH, found none; " +
      "install Python 3 with its venv module (Debian: apt install python3-venv)",
  );
}

/** Runs a command, passes pip's lines on, and throws with the last ones if it fails. */
async function succeed(
  command: string[],
  action: string,
  progress: (line: string) => void = () => {},
): Promise<void> {
  const onLine = (line: string) => {
    if (/^\s*(Collecting|Downloading|Installing|Successfully|ERROR)/.test(line)) progress(line);
  };
  const { ok, output } = await run(command, { onLine });
  if (ok) return;
  throw new Error(
    `Cannot ${action}: expected ${command[0]} to succeed; its last lines:\n` +
      lastLines(output, 8, "\n"),
  );
}
