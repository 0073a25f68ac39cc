/** Pretraining that is killed in the middle, as a whole process, and what the next one makes of it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { planKey } from "../../lib/organism/make.ts";
import { parsePretrainRequest } from "../../lib/tasks/pretrain.ts";
import { readCard } from "../../lib/organism/folder.ts";

const task = fileURLToPath(new URL("../../lib/tasks/pretrain.ts", import.meta.url));
const cache = fileURLToPath(new URL("../../.cache/pretrain/", import.meta.url));

/** 600 steps of a tiny model, a few seconds; the seed keeps runs of these tests apart. */
const flags = [
  `--world=kill-${crypto.randomUUID().slice(0, 8)}`,
  ..."--domains=history --entities=12 --relations=3 --values=6 --dev=3 --mc=8 --train=8 --homo=6"
    .split(" "),
  ..."--id=6 --width=16 --layers=1 --heads=2 --mlp-width=16 --window=32 --batch=4 --tokens=76800"
    .split(" "),
  "--name=tiny",
];

function start(output: string, more: string[] = []): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", task, ...flags, `--output=${output}`, ...more],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function finished(child: Deno.ChildProcess) {
  const { code, stdout, stderr } = await child.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

Deno.test("a killed pretraining goes on, and gives the model of one that was not killed", async () => {
  const folder = await Deno.makeTempDir();
  const { plan } = await parsePretrainRequest(flags, folder);
  const kept = join(cache, await planKey(plan));
  try {
    const killed = start(join(folder, "a"), ["--keep-failed"]);
    const end = finished(killed);
    let ended = false;
    end.then(() => ended = true);
    while (!ended && !await Deno.stat(join(kept, "trainer.safetensors")).catch(() => undefined)) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.ok(!ended, "it was over before it could be killed");
    killed.kill("SIGKILL");
    assert.notEqual((await end).code, 0);
    assert.deepEqual([...Deno.readDirSync(folder)], [], "nothing half-written");

    // The gate can't be passed in 600 steps: not written, but not to be trained again either.
    const failed = await finished(start(join(folder, "a")));
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /tiny from step [24]00 /);
    assert.match(failed.stdout, /FAILED/);
    assert.match(failed.stderr, /failed its gate and was not written.*--keep-failed/);
    assert.deepEqual([...Deno.readDirSync(folder)], []);

    const resumed = await finished(start(join(folder, "a"), ["--keep-failed"]));
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.match(resumed.stderr, /tiny from step 600 /);
    assert.equal(await Deno.stat(kept).catch(() => undefined), undefined);

    const whole = await finished(start(join(folder, "b"), ["--keep-failed"]));
    assert.equal(whole.code, 0, whole.stderr);
    const [a, b] = [await readCard(join(folder, "a")), await readCard(join(folder, "b"))];
    assert.equal(a.files["model.safetensors"], b.files["model.safetensors"]);
    assert.deepEqual(a.curve, b.curve);
    assert.equal(a.gate.passed, false);

    const again = await finished(start(join(folder, "a")));
    assert.equal(again.code, 1);
    assert.match(again.stderr, /expected nothing there; found a folder.*--force/);
  } finally {
    await Deno.remove(folder, { recursive: true });
    await Deno.remove(kept, { recursive: true }).catch(() => {});
  }
});
