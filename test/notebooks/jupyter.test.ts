/** The kernel as Jupyter starts it: its Stop button, and its end when who started it is gone. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lines } from "../../lib/platform/native/_command.ts";
import { pythonEnvironment } from "../../lib/platform/native/python.ts";
import {
  installKernelspec,
  removeKernelspec,
  userShare,
} from "../../lib/platform/notebook/kernelspec.ts";
import { readNotebook } from "../../lib/platform/notebook/notebook.ts";
import { temporaryFolder } from "./_notebook.ts";

const python = await pythonEnvironment({ packages: ["jupyter_client==8.9.1"] })
  .catch((error: Error) => void console.log(`jupyter.test.ts is skipped: ${error.message}`));

interface Cell {
  code: string;
  /** Whether Stop is pressed after its first output. */
  stop?: boolean;
}

interface Said {
  pid?: number;
  /** What the kernel says that it runs. */
  language?: object;
  output?: string;
  status?: string;
  error?: string;
  outputs?: string[];
  seconds?: number;
}

/** Jupyter's client on these cells; what it says comes line by line. */
async function startJupyter(folder: string, cells: Cell[]) {
  const share = join(folder, "share");
  await installKernelspec(share);
  const child = new Deno.Command(python!, {
    args: [
      fileURLToPath(new URL("_jupyter.py", import.meta.url)),
      fileURLToPath(new URL("../../notebooks", import.meta.url)),
      JSON.stringify(cells.map((cell) => ({ stop: false, ...cell }))),
    ],
    env: { JUPYTER_PATH: share, NO_COLOR: "1" },
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const said = (async function* () {
    for await (const line of lines(child.stdout)) yield JSON.parse(line) as Said;
  })();
  const { pid, language } = (await said.next()).value!;
  return { child, said, pid: pid!, language };
}

/** The processes that `parent` started as workers, by Linux's list of processes. */
function workersOf(parent: number): number[] {
  return [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
    try {
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      return Number(/\) \S (\d+)/.exec(stat)?.[1]) === parent ? [Number(name)] : [];
    } catch {
      return []; // no process, or one that has ended
    }
  });
}

/** Whether a process runs; one that has ended and that nobody has asked for does not. */
function runs(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}

const study = (store: string) =>
  `import { runStudy } from "../lib/mod.ts";
import { parseSettings } from "../lib/study/settings.ts";
let kept = 41;
const settings = parseSettings('{"model": "organism:small-101", "domains": ["history"], "limit": 8}');
const seeds = [...Array(60).keys()], store = ${JSON.stringify(store)};
const plan = { models: [settings.model], treatments: ["har", "inc"], seeds, minimumConfidence: 0 };`;
const run = "await runStudy(plan, { settings, store, workers: 2 })";

Deno.test({
  name: "Stop ends a study by processes, keeps the kernel, and says what it can't stop",
  ignore: python === undefined,
  async fn() {
    await using folder = await temporaryFolder();
    const { child, said } = await startJupyter(folder.path, [
      { code: study(join(folder.path, "store")) },
      { code: run, stop: true },
      { code: "kept + 1" },
      { code: `console.log("waits"); await new Promise((r) => setTimeout(r, 1500))`, stop: true },
    ]);
    const replies: Said[] = [];
    for await (const one of said) if (one.status !== undefined) replies.push(one);
    await child.status;
    assert.equal(replies.length, 4, "Jupyter's client ended early");
    const [opened, stopped, after, waited] = replies;
    assert.equal(opened.status, "ok", `${opened.error}`);
    assert.equal(
      stopped.error,
      "Interrupted: Stopped the study; finished cells are kept; run the cell again to go on",
    );
    assert.ok(stopped.seconds! < 3, `it took ${stopped.seconds} s`);
    assert.match(stopped.outputs!.at(-1)!, /^cells \d+\/120 .*stopped/);
    assert.deepEqual(after.outputs, ["42"]);
    assert.equal(waited.status, "ok");
    assert.match(waited.outputs!.join(""), /nothing that this cell waits for can be stopped/);
  },
});

Deno.test({
  name: "the kernel and its workers end when who started them is killed",
  ignore: python === undefined || Deno.build.os !== "linux",
  async fn() {
    await using folder = await temporaryFolder();
    const { child, said, pid } = await startJupyter(folder.path, [
      { code: study(join(folder.path, "store")) },
      { code: run },
    ]);
    // Not read to its end: who reads no more closes the client's output, which ends it.
    while ((await said.next()).value?.output === undefined);
    const started = performance.now() + 20_000;
    while (workersOf(pid).length < 2 && performance.now() < started) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const processes = [pid, ...workersOf(pid)];
    assert.ok(processes.length >= 3, "expected a kernel and two workers");
    child.kill("SIGKILL");
    await child.status;
    const end = performance.now() + 8000;
    while (processes.some(runs) && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.deepEqual(processes.filter(runs), []);
  },
});

Deno.test({
  name: "opening a shipped notebook changes nothing: its language is the kernel's to the letter",
  ignore: python === undefined,
  async fn() {
    await using folder = await temporaryFolder();
    const { child, said, language } = await startJupyter(folder.path, []);
    await said.return();
    await child.status;
    const notebooks = new URL("../../notebooks/", import.meta.url);
    for (const { name } of Deno.readDirSync(notebooks)) {
      if (!name.endsWith(".ipynb")) continue;
      const { metadata } = await readNotebook(fileURLToPath(new URL(name, notebooks)));
      assert.deepEqual(metadata.language_info, language, name);
    }
  },
});

Deno.test("a kernelspec is taken away again, if it is this project's", async () => {
  await using folder = await temporaryFolder();
  await assert.rejects(
    removeKernelspec(folder.path),
    /expected one that this project wrote; found none/,
  );
  const path = await installKernelspec(folder.path);
  const spec = JSON.parse(await Deno.readTextFile(path));
  assert.deepEqual([spec.interrupt_mode, spec.argv[0]], ["signal", Deno.execPath()]);
  await Deno.writeTextFile(path, JSON.stringify({ ...spec, metadata: {} }));
  await assert.rejects(removeKernelspec(folder.path), /found another/);
  await installKernelspec(folder.path);
  assert.equal(await removeKernelspec(folder.path), path);
  await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
  assert.match(userShare(), /[Jj]upyter$/);
});
