/**
 * Bootstrap of a mean, 10,000 resamples of 5,000 items, beside a Python loop of the kind that
 * evaluation harnesses run: `deno run -A test/bench/bootstrap.ts [--rounds=3]`. Python is the one
 * that the environment variable PYTHON names (default python3); it does a tenth of the resamples
 * and its time is multiplied by ten, for it is linear in them. One core each.
 */
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { bootstrap } from "../../lib/statistics/bootstrap.ts";
import { meanStderr } from "../../lib/statistics/mean.ts";

const ITEMS = 5000;
const RESAMPLES = 10_000;
const PEER_RESAMPLES = 1000;

interface PeerReport {
  python: string;
  seconds: number;
  resamples: number;
  stderr: number;
}

async function runPeer(python: string): Promise<PeerReport> {
  const script = fileURLToPath(new URL("./bootstrap_peer.py", import.meta.url));
  const args = [script, String(ITEMS), String(PEER_RESAMPLES)];
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  const fail = (found: string): never => {
    throw new Error(
      `Cannot run the Python side: expected ${python} to end well; found: ${found}; ` +
        "name a Python with PYTHON=FILE",
    );
  };
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(python, { args }).output();
  } catch (error) {
    return fail(String(error));
  }
  const { success, stdout, stderr } = output;
  if (!success) fail(text(stderr));
  return JSON.parse(text(stdout));
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1];

async function main() {
  const { values } = parseArgs({
    args: Deno.args,
    options: { rounds: { type: "string", default: "3" } },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(
      `Cannot run the benchmark: expected a whole number from 1 in --rounds; found ` +
        `${values.rounds}; give e.g. --rounds=3`,
    );
  }
  const scores = Array.from({ length: ITEMS }, (_, i) => i * 7919 % 100 < 66 ? 1 : 0);
  const ours: number[] = [], theirs: number[] = [];
  let found = NaN, peer: PeerReport | undefined;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    found = bootstrap(scores, { resamples: RESAMPLES, method: "percentile", seed: round }).stderr;
    ours.push((performance.now() - start) / 1000);
    peer = await runPeer(Deno.env.get("PYTHON") ?? "python3");
    theirs.push(peer.seconds * RESAMPLES / PEER_RESAMPLES);
  }
  const exact = meanStderr(scores);
  for (const [side, stderr, tolerance] of [["ours", found, .04], ["Python", peer!.stderr, .12]]) {
    // Five standard deviations of what that many resamples give.
    if (Math.abs(Number(stderr) / exact - 1) > Number(tolerance)) {
      throw new Error(`Cannot compare: ${side} found a standard error of ${stderr}, not ${exact}`);
    }
  }
  const factor = median(theirs) / median(ours);
  console.log(`mean of ${ITEMS} items, ${RESAMPLES} resamples, median of ${rounds} rounds`);
  console.log(`ours    ${median(ours).toFixed(3)} s   standard error ${found.toFixed(6)}`);
  console.log(
    `Python  ${median(theirs).toFixed(3)} s   standard error ${peer!.stderr.toFixed(6)}   ` +
      `(Python ${peer!.python}; ${PEER_RESAMPLES} resamples measured, times ` +
      `${RESAMPLES / PEER_RESAMPLES})`,
  );
  console.log(`formula            standard error ${exact.toFixed(6)}`);
  console.log(`Python / ours: ${factor.toFixed(1)}`);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
