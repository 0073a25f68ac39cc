import assert from "node:assert/strict";
import { join } from "node:path";
import { checkNotebooks } from "../../lib/platform/notebook/check.ts";
import { codeCells, readNotebook } from "../../lib/platform/notebook/notebook.ts";
import { isFormatted, shippedProblems } from "../shipped.ts";
import { temporaryFolder } from "./_notebook.ts";

async function problems(cells: string[], commands?: string[][]) {
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(join(folder.path, "deno.json"), "{}");
  await Deno.mkdir(join(folder.path, "notebooks"));
  await Deno.writeTextFile(join(folder.path, "near.ts"), "export const near: number = 42;");
  const path = await folder.notebook(cells, "notebooks/a.ipynb");
  return (await checkNotebooks([path], commands)).map((problem) =>
    problem.replace(/^.*?notebooks\/a\.ipynb/, "a.ipynb")
  );
}

Deno.test("checkNotebooks() finds nothing in a sound notebook", async () => {
  const cells = [
    `import { near } from "../near.ts";\n\nconst twice = near * 2;\ntwice;`,
    `[1, 2].map((n) => n * twice);`,
    `await Deno.jupyter.display({ "text/plain": "shown" }, { raw: true });`,
  ];
  assert.deepEqual(await problems(cells, [["check"], ["lint", "--compact"]]), []);
});

Deno.test("checkNotebooks() places type errors of several cells by cell and line", async () => {
  const found = await problems([
    `import { near } from "../near.ts";\nconst text: string = near;`,
    `text.length;\n\ntext.size;`,
  ]);
  assert.equal(found.length, 2, found.join("\n"));
  assert.match(found[0], /^a\.ipynb: cell 1, line 2: TS2322.*'number'.*'string'/);
  assert.match(found[1], /^a\.ipynb: cell 2, line 3: TS2339.*'size'/);
});

Deno.test("checkNotebooks() places a syntax error and a missing module", async () => {
  const [syntax] = await problems(["1;", "const a = 1;\nconst b = ;"]);
  assert.match(syntax, /^a\.ipynb: cell 2, line 2: SyntaxError/);
  const [missing] = await problems(["1;", `import { x } from "./gone.ts";\nx;`]);
  assert.match(missing, /^a\.ipynb: cell 2, line 1: .*gone\.ts/);
});

Deno.test("checkNotebooks() reports lint", async () => {
  const [found] = await problems(["let a = 1;\na"], [["lint", "--compact"]]);
  assert.match(found, /cell 1, line 1: .*\(prefer-const\)/);
});

Deno.test("isFormatted() tells a notebook as deno fmt writes it from another", async () => {
  await using folder = await temporaryFolder();
  assert.equal(await isFormatted(await folder.notebook(["let a = 1;\na"])), false);
  assert.equal(await isFormatted(await folder.notebook(["const a = 1;"])), true);
});

Deno.test("checkNotebooks() names a file that is no notebook", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "a.ipynb");
  await Deno.writeTextFile(path, "{");
  assert.match((await checkNotebooks([path]))[0], /expected JSON/);
});

Deno.test("shippedProblems() wants nbformat 4.5, the kernel and the language by name, and ids", async () => {
  await using folder = await temporaryFolder();
  const notebook = await readNotebook(await folder.notebook(["1;", "2;"]));
  const { metadata, cells: [first, second] } = notebook;
  const check = (changes: object) => shippedProblems({ ...notebook, ...changes }).join("\n");
  assert.equal(check({}), "");
  assert.match(check({ nbformat_minor: 4 }), /older than nbformat 4\.5/);
  assert.match(
    check({ metadata: { ...metadata, kernelspec: { name: "python3" } } }),
    /no kernel deno/,
  );
  assert.match(check({ metadata: { kernelspec: metadata.kernelspec } }), /not of typescript/);
  for (const id of [first.id, undefined, "a b"]) {
    assert.match(check({ cells: [first, { ...second, id }] }), /an id of its own/);
  }
});

Deno.test("shippedProblems() wants outputs of one whole run fit to be shipped, or none", async () => {
  await using folder = await temporaryFolder();
  const path = await folder.notebook(["1;", "2;"]);
  const notebook = await readNotebook(path), cells = codeCells(notebook);
  const check = (counts: (number | null)[], outputs: object[] = []) => {
    counts.forEach((count, i) => cells[i].execution_count = count);
    cells[1].outputs = outputs as typeof cells[1]["outputs"];
    return shippedProblems(notebook).join("\n");
  };
  assert.equal(check([null, null]), "");
  assert.equal(check([1, 2]), "");
  assert.match(check([2, 1]), /not run once each/);
  assert.match(check([1, null]), /not run once each/);
  const shown = (data: unknown, output_type = "display_data") => [
    {
      output_type,
      metadata: {},
      data,
      ...(output_type === "display_data" ? {} : { execution_count: 2 }),
    },
  ];
  assert.equal(check([1, 2], shown({ "image/png": "", "text/plain": "Figure: a" })), "");
  assert.match(check([1, 2], shown({ "image/png": "" })), /cell 2: .* without words/);
  assert.match(
    check([1, 2], shown({ "text/plain": "Map(3)" }, "execute_result")),
    /cell 2: shows its last value/,
  );
  const says = (text: string) => check([1, 2], [{ output_type: "stream", name: "stdout", text }]);
  assert.match(says("saved to /home/me/figures"), /cell 2: holds \/home\/me, a path/);
  assert.match(says("at file:///tmp/x/lib/mod.ts:1"), /holds file:\/\/\/tmp\/x/);
  assert.match(says("C:\\Users\\me"), /holds C:\\Users/);
  assert.equal(says("https://a.org/home/me, figures/home/x and right/tmp/a"), "");
  const error = { output_type: "error", ename: "Error", evalue: "", traceback: [] };
  assert.match(check([1, 2], [error]), /cell 2: was saved with an error/);
});
