import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  executeNotebook,
  NotebookError,
  type Progress,
} from "../../lib/platform/notebook/execute.ts";
import { codeCells, readNotebook } from "../../lib/platform/notebook/notebook.ts";
import { showProgress } from "../../lib/platform/notebook/progress.ts";
import { outputsAgree } from "../../lib/tasks/reproduce.ts";
import { streamText, temporaryFolder } from "./_notebook.ts";

/** The NotebookError that running these cells ends with. */
async function failure(cells: string[], options = {}): Promise<NotebookError> {
  await using folder = await temporaryFolder();
  const path = await folder.notebook(cells);
  const before = await Deno.readTextFile(path);
  const error = await executeNotebook(path, options).then(() => undefined, (error) => error);
  assert.ok(error instanceof NotebookError, `expected a NotebookError, got ${error}`);
  assert.equal(await Deno.readTextFile(path), before, "a failing notebook must stay as it was");
  return error;
}

Deno.test("executeNotebook() loses no output of 40 cells, three times over", async () => {
  await using folder = await temporaryFolder();
  const source = (i: number) =>
    `for (let line = 0; line < 20; line++) console.log(${i}, line);
await Deno.jupyter.display({ "text/plain": "shown ${i}" }, { raw: true });
console.error("end ${i}");
${i} * 2`;
  const path = await folder.notebook(Array.from({ length: 40 }, (_, i) => source(i)));
  for (let time = 0; time < 3; time++) {
    const notebook = await executeNotebook(path);
    for (const [i, cell] of codeCells(notebook).entries()) {
      const expected = Array.from({ length: 20 }, (_, line) => `${i} ${line}\n`).join("");
      assert.equal(streamText(notebook, i + 1), expected);
      assert.equal(streamText(notebook, i + 1, "stderr"), `end ${i}\n`);
      const data = cell.outputs.flatMap((output) => "data" in output ? [output.data] : []);
      assert.deepEqual(data, [{ "text/plain": [`shown ${i}`] }, { "text/plain": [`${i * 2}`] }]);
      assert.equal(cell.execution_count, i + 1);
    }
  }
});

Deno.test("executeNotebook() writes outputs in order, each display in its last state", async () => {
  await using folder = await temporaryFolder();
  const path = await folder.notebook([
    `console.log("first");
await Deno.jupyter.display({ "text/plain": "0 %" }, { raw: true, display_id: "bar" });
console.error("warned");`,
    "   ",
    `await Deno.jupyter.display({ "text/plain": "100 %" }, { raw: true, display_id: "bar", update: true });
Deno.env.get("PARAMETER") + "\\u001b[31m red" + new URL("lib/x.ts", "file://" + ${
      JSON.stringify(new URL("../../", import.meta.url).pathname)
    }).href`,
  ]);
  const seen: Progress[] = [];
  const options = { environment: { PARAMETER: "given" }, onProgress: seen.push.bind(seen) };
  await executeNotebook(path, options);
  const written = await Deno.readTextFile(path);
  const [first, empty, last] = codeCells(await readNotebook(path));
  assert.deepEqual(first.outputs, [
    { name: "stdout", output_type: "stream", text: ["first\n"] },
    { data: { "text/plain": ["100 %"] }, metadata: {}, output_type: "display_data" },
    { name: "stderr", output_type: "stream", text: ["warned\n"] },
  ]);
  assert.equal(empty.execution_count, null);
  assert.equal(last.execution_count, 2);
  const [result] = last.outputs;
  assert.ok(result.output_type === "execute_result");
  assert.equal(result.execution_count, 2);
  assert.deepEqual(result.data["text/plain"], [`"given\\x1b[31m redlib/x.ts"`]);
  assert.deepEqual(
    seen.flatMap((progress) => progress.type === "live" ? [progress.text] : []),
    ["0 %", "100 %"],
  );
  await executeNotebook(path, options);
  assert.equal(await Deno.readTextFile(path), written, "a second run must change nothing");
});

Deno.test("executeNotebook() lets no escape sequence or control character out of a cell", async () => {
  await using folder = await temporaryFolder();
  const text = "\x1b]0;title\x07\x1b[31mlaw\x1b[0m\x08\x9b2J \u202eend\tand\n";
  const path = await folder.notebook([`console.log(${JSON.stringify(text)}.trim());
console.error(${JSON.stringify(text)}.trim());`]);
  const seen: Progress[] = [];
  const notebook = await executeNotebook(path, { onProgress: (one) => void seen.push(one) });
  const warned = seen.flatMap((one) => one.type === "warning" ? [one.text] : []).join("");
  for (const shown of [warned, streamText(notebook, 1), streamText(notebook, 1, "stderr")]) {
    // deno-lint-ignore no-control-regex -- these must not be there
    assert.doesNotMatch(shown, /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/);
    assert.match(shown, /^law\ufffd.*end\tand\n$/);
  }
});

Deno.test("executeNotebook() keeps no progress, and outputs that agree as they were", async () => {
  await using folder = await temporaryFolder();
  const cells = [
    `await Deno.jupyter.broadcast("display_data", {
  data: { "text/plain": "1/2" },
  metadata: {},
  transient: { display_id: "progress-1" },
});
console.log("r =", Number(Deno.env.get("DIGITS")));`,
    'console.log(Deno.env.get("DIGITS") > "0.3334" ? "other" : "same");',
  ];
  const path = await folder.notebook(cells);
  const run = async (digits: string) => {
    await executeNotebook(path, { environment: { DIGITS: digits }, agree: outputsAgree });
    return await readNotebook(path);
  };
  const first = await run("0.33333");
  assert.equal(codeCells(first)[0].outputs.length, 1, "the progress is gone");
  assert.equal(streamText(first, 1), "r = 0.33333\n");
  const again = await run("0.33334");
  assert.equal(streamText(again, 1), "r = 0.33333\n", "a last digit changes nothing");
  const other = await run("0.33999");
  assert.equal(streamText(other, 1) + streamText(other, 2), "r = 0.33999\nother\n");
});

Deno.test("executeNotebook() runs in the notebook's folder and can write elsewhere", async () => {
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(join(folder.path, "near.ts"), "export const near: number = 42;");
  const path = await folder.notebook([`import { near } from "./near.ts";\nconsole.log(near);`]);
  const before = await Deno.readTextFile(path);
  const output = join(folder.path, "out", "b.ipynb");
  await executeNotebook(path, { output });
  assert.equal(streamText(await readNotebook(output), 1), "42\n");
  assert.equal(await Deno.readTextFile(path), before);
});

Deno.test("executeNotebook() names the cell, its first line and the error, without colours", async () => {
  const error = await failure([
    "const x = 1;",
    "\nconst thrower = () => {\n  throw new TypeError('no such ' + x);\n};\nthrower();",
  ]);
  assert.equal(error.cell, 2);
  assert.match(
    error.message,
    /a\.ipynb, cell 2 \(const thrower = \(\) => \{\): TypeError: no such 1\n {4}at thrower/,
  );
  // deno-lint-ignore no-control-regex -- that is what is looked for
  assert.doesNotMatch(error.message, /\x1b/);
  assert.equal(codeCells(error.notebook)[1].outputs[0].output_type, "error");
});

Deno.test("executeNotebook() says what is wrong with a cell that can't be compiled", async () => {
  const error = await failure(["1;", "const fine = 2;\nconst broken = ;"]);
  assert.equal(error.cell, 2);
  assert.match(error.reason, /^line 2: SyntaxError: Expression expected/);
});

Deno.test("executeNotebook() names the module that a cell can't import", async () => {
  const error = await failure([`import { gone } from "./gone.ts";\ngone;`]);
  assert.equal(error.cell, 1);
  assert.match(error.reason, /Module not found.*gone\.ts/);
});

Deno.test("executeNotebook() reports a kernel that ends, with its exit code", async () => {
  const error = await failure(["1;", "Deno.exit(3);"]);
  assert.equal(error.cell, 2);
  assert.match(error.reason, /kernel's process ended with exit code 3.*Deno\.exit/s);
});

Deno.test("executeNotebook() reports a kernel that is killed", async () => {
  const error = await failure([`Deno.kill(Deno.pid, "SIGKILL");\nwhile (true);`]);
  assert.match(error.reason, /ended by SIGKILL.*memory/s);
});

Deno.test("executeNotebook() stops with its signal", async () => {
  const error = await failure([`console.log("before");\nwhile (true);`], {
    signal: AbortSignal.timeout(4000),
  });
  assert.match(error.reason, /the run was stopped/);
  assert.equal(streamText(error.notebook, 1), "before\n");
});

Deno.test("executeNotebook() runs no cell where its signal came before, or while the kernel starts", async () => {
  await using folder = await temporaryFolder();
  const path = await folder.notebook([`Deno.writeTextFileSync("ran", "");`]);
  const before = await Deno.readTextFile(path), starting = new AbortController();
  const run = executeNotebook(path, { signal: starting.signal });
  setTimeout(() => starting.abort(new Error("stopped early")), 5);
  await assert.rejects(run, /stopped early/);
  const signal = AbortSignal.abort(new Error("stopped before"));
  await assert.rejects(executeNotebook(path, { signal }), /stopped before/);
  assert.equal(await Deno.readTextFile(path), before);
  await assert.rejects(Deno.stat(join(folder.path, "ran")), Deno.errors.NotFound);
});

Deno.test("executeNotebook() fails on a rejection that nobody handles", async () => {
  const error = await failure(["Promise.reject(new RangeError('lost'));\nundefined;"]);
  assert.match(error.reason, /nobody handled: RangeError: lost/);
});

Deno.test("executeNotebook() fails on a throw in a timer, at once", async () => {
  const start = performance.now();
  const error = await failure([
    "setTimeout(() => { throw new Error('late'); }, 1);\nawait new Promise((r) => setTimeout(r, 50));",
  ]);
  assert.match(error.reason, /nobody handled: Error: late/);
  assert.ok(performance.now() - start < 20_000);
});

Deno.test("a kernel ends when its runner is killed", async () => {
  await using folder = await temporaryFolder();
  const path = await folder.notebook([
    `Deno.writeTextFileSync("pid", String(Deno.pid));
await new Promise((done) => setTimeout(done, 60_000));`,
  ]);
  const module = new URL("../../lib/platform/notebook/execute.ts", import.meta.url).href;
  const script = `import { executeNotebook } from ${JSON.stringify(module)};
await executeNotebook(${JSON.stringify(path)});`;
  const runner = new Deno.Command(Deno.execPath(), { args: ["eval", script], stderr: "null" })
    .spawn();
  const until = async <T>(look: () => T): Promise<T> => {
    for (let tries = 0;; tries++) {
      try {
        return look();
      } catch (error) {
        if (tries > 100) throw error;
        await new Promise((done) => setTimeout(done, 100));
      }
    }
  };
  const pid = Number(await until(() => Deno.readTextFileSync(join(folder.path, "pid"))));
  Deno.kill(pid, "SIGCONT"); // throws when there is no such process
  runner.kill("SIGKILL");
  await runner.status;
  await until(() => assert.throws(() => Deno.kill(pid, "SIGCONT")));
  const left = [...Deno.readDirSync(tmpdir())].map(({ name }) => name);
  assert.deepEqual(left.filter((name) => name.startsWith(`kernel-${runner.pid}-`)), []);
});

Deno.test("readNotebook() names a file that is no notebook, and what to do", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "a.ipynb"), cell = { cell_type: "code", source: "", outputs: [] };
  const read = async (text: string) => {
    await Deno.writeTextFile(path, text);
    return await readNotebook(path);
  };
  const notebook = (changes: object, last: unknown = cell) =>
    JSON.stringify({ nbformat: 4, nbformat_minor: 5, cells: [cell, last], ...changes });
  await read(notebook({}));
  const broken = [
    ...["{", "null", "3", "[]"],
    ...[{ nbformat: 3 }, { cells: 3 }, { cells: undefined }].map((change) => notebook(change)),
    ...[null, {}, { ...cell, source: 1 }, { ...cell, source: ["a", 1] }, {
      ...cell,
      outputs: undefined,
    }].map((last) => notebook({}, last)),
  ];
  for (const text of broken) {
    await assert.rejects(
      read(text),
      ({ message }: Error) =>
        message.startsWith(`Cannot read notebook ${path}: expected `) &&
        message.endsWith("; correct or remake it"),
      text,
    );
  }
});

Deno.test("showProgress() gives lines to a file and overwrites them on a terminal", () => {
  const run = (width?: number) => {
    let text = "";
    const show = showProgress({ write: (part) => text += part, width });
    show({ type: "cell", cell: 1, cells: 2, line: "const a = 1;" });
    show({ type: "live", text: "50 %" });
    show({ type: "done", cell: 1, cells: 2, seconds: 1.25 });
    show({ type: "cell", cell: 2, cells: 2, line: "quick();" });
    show({ type: "done", cell: 2, cells: 2, seconds: 0.1 });
    return text;
  };
  assert.equal(run(), "  [1/2] const a = 1;  1.3 s\n");
  assert.match(run(60), /50 %/);
  assert.deepEqual(run(60).split("\r\x1b[K").slice(-3), [
    "  [1/2] const a = 1;  1.3 s\n",
    "  [2/2] quick();",
    "",
  ]);
});
