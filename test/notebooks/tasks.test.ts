import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  checkFiles,
  checkTrainable,
  chooseNotebooks,
  findingsFile,
  notebooksOf,
  parseRequest,
  reportFailure,
} from "../../lib/tasks/reproduce.ts";
import { parseFlags } from "../../lib/tasks/command_line.ts";
import { resetNotebooks } from "../../lib/tasks/reset.ts";
import { NotebookError } from "../../lib/platform/notebook/execute.ts";
import { notebookOf, temporaryFolder } from "./_notebook.ts";

const TASKS = new URL("../../lib/tasks/", import.meta.url);

/** Exit code and last line of the test task in a folder with this one test file. */
async function testTask(source?: string): Promise<[number, string]> {
  await using folder = await temporaryFolder();
  await Deno.mkdir(join(folder.path, "test/unit"), { recursive: true });
  if (source) await Deno.writeTextFile(join(folder.path, "test/unit/a.test.ts"), source);
  const module = new URL("test.ts", TASKS).href;
  const script = `import { runTests } from ${JSON.stringify(module)};
Deno.exit(await runTests([], { cwd: ${JSON.stringify(folder.path)} }));`;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", script],
    stderr: "null",
  }).output();
  return [code, new TextDecoder().decode(stdout).trimEnd().split("\n").at(-1)!];
}

Deno.test("the test task ends with its count and keeps the exit code", async () => {
  const passing = `Deno.test("a", async (t) => void await t.step("s", () => {}));
Deno.test("b", () => {});`;
  assert.deepEqual(await testTask(passing), [0, "2 passed, 0 failed"]);
  const failing = `${passing} Deno.test("c", () => { throw new Error(); });
Deno.test({ name: "d", ignore: true, fn() {} });`;
  assert.deepEqual(await testTask(failing), [1, "2 passed, 1 failed, 1 skipped"]);
});

Deno.test("the test task counts a type error, no test and a crash as a failure", async () => {
  assert.deepEqual(await testTask(`const a: number = "";`), [1, "0 passed, 1 failed"]);
  assert.deepEqual(await testTask(), [1, "0 passed, 1 failed"]);
  const crash = `Deno.test("a", () => {});
Deno.test("b", () => Deno.kill(Deno.pid, "SIGKILL"));`;
  const [code, line] = await testTask(crash);
  assert.notEqual(code, 0);
  assert.equal(line, "1 passed, 1 failed");
});

Deno.test("parseRequest() takes paths from where the user stands", () => {
  const { settings, standard, notebooks } = parseRequest(
    ["--questions=q.jsonl", "--answers=index1", "--model=./small", "--seeds=2"].concat(
      ["--learning-rate", "2e-5"],
    ),
    "/home/user",
  );
  assert.equal(settings.answers, "index1");
  assert.equal(settings.questions, "/home/user/q.jsonl");
  assert.equal(settings.model, "/home/user/small");
  assert.equal(settings.seeds, 2);
  assert.equal(settings.learningRate, 2e-5);
  assert.equal(standard, false);
  assert.equal(notebooks, join(settings.output, "notebooks"));
  const hub = parseRequest(["--model=HuggingFaceTB/SmolLM2-360M"], "/home/user");
  assert.equal(hub.settings.model, "HuggingFaceTB/SmolLM2-360M");
});

Deno.test("an ONNX graph is taken from where the user stands, with its kind of numbers", () => {
  const modelOf = (value: string) =>
    parseRequest([`--model=${value}`], "/home/user").settings.model;
  assert.equal(modelOf("onnx:./small@q4"), "onnx:/home/user/small@q4");
  assert.equal(modelOf("onnx:/models/small"), "onnx:/models/small");
  assert.equal(modelOf("onnx:owner/name@q8"), "onnx:owner/name@q8");
});

Deno.test("checkTrainable() refuses an ONNX graph to notebooks that train, and to these alone", () => {
  const asking = ["01-world.ipynb", "02-knowledge.ipynb", "03-groups.ipynb"];
  checkTrainable({ model: "onnx:owner/name@q4" }, asking);
  checkTrainable({ model: "owner/name" }, [...asking, "04-finetuning.ipynb"]);
  assert.throws(
    () => checkTrainable({ model: "onnx:owner/name@q4" }, [...asking, "04-finetuning.ipynb"]),
    /Cannot run 04-finetuning\.ipynb with onnx:owner\/name@q4: .*give --only=02,03, or/,
  );
  checkTrainable({ model: "owner/name", server: "http://localhost:8000" }, asking);
  assert.throws(
    () =>
      checkTrainable({ model: "owner/name", server: "http://localhost:8000" }, [
        "05-evaluation.ipynb",
      ]),
    /Cannot run 05-evaluation\.ipynb with owner\/name: .*found one behind a server.*--only=02,03/,
  );
  const tuned = { model: "owner/name", server: "http://localhost:8000", tuned: ["history/inc=x"] };
  checkTrainable(tuned, [...asking, "05-evaluation.ipynb", "08-consistency.ipynb"]);
  assert.throws(() => checkTrainable(tuned, ["04-finetuning.ipynb"]), /one behind a server/);
  assert.throws(
    () =>
      checkTrainable({ ...tuned, server: undefined, model: "onnx:a/b" }, ["05-evaluation.ipynb"]),
    /an ONNX graph/,
  );
});

Deno.test("parseRequest() writes in place with the defaults alone", () => {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const standard = parseRequest(["--only=3", "--resume"], "/home/user");
  assert.equal(standard.standard, true);
  assert.deepEqual(standard.only, ["3"]);
  assert.equal(standard.settings.output, "figures");
  assert.equal(standard.notebooks, join(root, "notebooks"));
  const [quick, resumed, other] = [["--quick"], ["--quick", "--resume"], ["--quick", "--limit=9"]]
    .map((args) => parseRequest(args, "/home/user").settings.output);
  assert.equal(quick.startsWith(join(root, ".cache", "runs", "quick-")), true);
  assert.equal(quick, resumed);
  assert.notEqual(quick, other);
  assert.equal(parseRequest(["--output=out"], "/home/user").settings.output, "/home/user/out");
});

Deno.test("parseRequest() refuses what it does not know, by name", () => {
  const refuses = (args: string[], message: RegExp) =>
    assert.throws(() => parseRequest(args, "/home/user"), message);
  refuses(["--modle=x"], /Unknown option '--modle'; expected some of --model --domains/);
  refuses(["quick"], /Unexpected argument 'quick'.*--quick/);
  assert.throws(
    () => parseFlags(["--all"], { values: [], switches: [] }),
    /'--all'; expected none$/,
  );
  refuses(["--seeds=many"], /seeds: expected a whole number.*"many"/);
  refuses(["--seeds="], /no value in --seeds=/);
  refuses(["--seeds"], /'--seeds <value>' argument missing/);
  refuses(["--quick=no"], /'--quick' does not take an argument/);
  refuses(["--quick", "--full"], /setting full with quick/);
  refuses(["--learning-rate=-1"], /learningRate: expected a number above 0/);
  refuses(["--domains=history,chess"], /domains: expected one or more of history.*chess/);
  refuses(["--groups=har,,inc"], /groups: expected/);
});

Deno.test("a file that a flag names and is not there is told before anything is installed", () => {
  for (const name of ["questions", "demonstrations", "pool", "id", "ood", "general"]) {
    const { settings } = parseRequest(["--model=a/b", `--${name}=not-there.jsonl`], "/tmp");
    assert.throws(
      () => checkFiles(settings),
      new RegExp(`Cannot read ${name} from /tmp/not-there.jsonl: expected a file.*--${name}=FILE`),
    );
  }
  const { settings } = parseRequest(["--model=a/b", "--pool=/tmp", "--output=not-there"], "/tmp");
  checkFiles(settings); // a folder of released rows; where the results go is made
});

Deno.test("findingsFile() is what notebook 08 writes, else the table of 05", () => {
  const names = ["05-evaluation.ipynb", "06-mixtures.ipynb", "08-consistency.ipynb"];
  assert.equal(findingsFile(names), "findings.txt");
  assert.equal(findingsFile(names.slice(0, 2)), "05-evaluation/findings.md");
  assert.equal(findingsFile(names.slice(1, 2)), undefined);
});

Deno.test("chooseNotebooks() keeps the order and refuses what is not there", () => {
  const names = ["05-evaluation.ipynb", "notes.md", "03-groups.ipynb", "10-scale.ipynb"];
  assert.deepEqual(chooseNotebooks(names), [names[2], names[0], names[3]]);
  assert.deepEqual(chooseNotebooks(names, ["5", "03-groups"]), [names[2], names[0]]);
  assert.deepEqual(chooseNotebooks(names, ["notebooks/10-scale.ipynb"]), [names[3]]);
  assert.throws(() => chooseNotebooks(names, ["04"]), /--only=04.*03-groups, 05-evaluation/);
});

Deno.test("notebooksOf() leaves out what is about other models than the run's, and says how to run it", () => {
  const names = ["05-evaluation.ipynb", "09-real-models.ipynb"];
  const { run, left } = notebooksOf(names, { model: "organism" });
  assert.deepEqual(run, names.slice(0, 1));
  assert.equal(left.length, 1);
  assert.match(left[0], /^09-real-models\.ipynb is left out: .*98 MB.*20 minutes.*--only=09$/);
  assert.deepEqual(notebooksOf(names, { model: "organism:small-101" }).run, names.slice(0, 1));
  const asked = notebooksOf(names.slice(1), { model: "organism", only: ["09"] });
  assert.deepEqual(asked, { run: names.slice(1), left: [] });
  assert.deepEqual(notebooksOf(names, { model: "smollm2" }), { run: names, left: [] });
  const dose = ["10-dose.ipynb", "11-bases.ipynb"];
  assert.deepEqual(notebooksOf(dose, { model: "organism" }), { run: dose, left: [] });
  const real = notebooksOf(dose, { model: "smollm2" });
  assert.deepEqual(real.run, []);
  assert.match(real.left[0], /^10-dose\.ipynb is left out: .*on organisms.*--only=10$/);
});

Deno.test("reportFailure() gives a notebook's error also where the notebook can't be written", async () => {
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(join(folder.path, "file"), "");
  const error = new NotebookError("a.ipynb", 2, "x();", "TypeError: no such", notebookOf(["x();"]));
  const printed: string[] = [], { error: print } = console;
  console.error = (text: string) => printed.push(text);
  try {
    await assert.rejects(
      reportFailure(error, join(folder.path, "file", "a.ipynb")),
      /Cannot write/,
    );
    await reportFailure(error, join(folder.path, "a.ipynb"));
  } finally {
    console.error = print;
  }
  assert.equal(printed.length, 3);
  assert.match(printed[0], /cell 2 \(x\(\);\): TypeError: no such/);
  assert.match(printed[2], /Its outputs up to there: .*a\.ipynb/);
});

Deno.test("resetNotebooks() puts shipped notebooks back, keeps what they were, and touches no other", async () => {
  await using folder = await temporaryFolder();
  const shipped = join(folder.path, "notebooks", "00-start.ipynb");
  const own = join(folder.path, "notebooks", "own.ipynb");
  await Deno.mkdir(join(folder.path, "notebooks"));
  await Deno.writeTextFile(shipped, "as it came");
  await assert.rejects(
    resetNotebooks(folder.path),
    /expected git, and a folder that git clone made/,
  );
  const identity = ["-c", "user.name=a", "-c", "user.email=a@b"];
  for (const args of [["init", "-q"], ["add", "."], [...identity, "commit", "-qm", "a"]]) {
    const { success } = await new Deno.Command("git", { args, cwd: folder.path }).output();
    assert.ok(success, args.join(" "));
  }
  assert.equal(await resetNotebooks(folder.path), "The shipped notebooks are as they came.");
  await Deno.writeTextFile(shipped, "an answer");
  await Deno.writeTextFile(own, "own");
  const said = await resetNotebooks(folder.path);
  assert.equal(await Deno.readTextFile(shipped), "as it came");
  assert.equal(await Deno.readTextFile(own), "own");
  const kept = /^Restored notebooks\/00-start.ipynb; what they were is in (.*)$/.exec(said)![1];
  assert.equal(await Deno.readTextFile(join(kept, "notebooks", "00-start.ipynb")), "an answer");
});
