/** notebooks/README.md: what it points to is there, and what it lists is all there is. */
import assert from "node:assert/strict";
import { check } from "../../lib/exercise/mod.ts";

const folder = new URL("../../notebooks/", import.meta.url);
const text = Deno.readTextFileSync(new URL("README.md", folder));
const notebooks = [...Deno.readDirSync(folder)].map(({ name }) => name)
  .filter((name) => name.endsWith(".ipynb"));

/** Cells of a notebook, as text. */
const cellsOf = (name: string) => {
  const { cells } = JSON.parse(Deno.readTextFileSync(new URL(name, folder))) as {
    cells: { cell_type: string; source: string[] }[];
  };
  return cells.map(({ cell_type, source }) => ({ type: cell_type, text: source.join("") }));
};

const anchorsOf = (markdown: string) =>
  new Set(
    [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
      heading.toLowerCase().replaceAll(/[^\w -]/g, "").replaceAll(" ", "-")
    ),
  );

Deno.test("Every path and heading that the course page names is there", () => {
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
  assert.ok(links.length > 40);
  for (const link of links) {
    if (link.startsWith("#")) assert.ok(anchorsOf(text).has(link.slice(1)), link);
    else assert.ok(Deno.statSync(new URL(link, folder)), link);
  }
});

Deno.test("The course page lists every notebook and every exercise, where it is", () => {
  for (const name of notebooks) assert.ok(text.includes(`](${name})`), name);
  const listed = [...text.matchAll(/^\| `check\.(\w+)`\s+\| (\d\d)/gm)]
    .map(([, name, number]) => [name, number]);
  assert.deepEqual(listed.map(([name]) => name).sort(), Object.keys(check).sort());
  for (const [name, number] of listed) {
    const code = cellsOf(notebooks.find((one) => one.startsWith(number))!)
      .filter(({ type }) => type === "code");
    assert.ok(code.some(({ text }) => text.includes(`check.${name}(`)), `${name} in ${number}`);
  }
});

Deno.test("Each notebook names its difficulty and minutes, and so does each exercise", () => {
  for (const name of notebooks) {
    const [title, ...rest] = cellsOf(name).map(({ text }) => text);
    assert.match(title, /\*\*Difficulty:\*\* (easy|medium|hard)/, name);
    assert.match(title, /\*\*Time:\*\* \d+ minutes? to read/, name);
    const headings = rest.flatMap((text) => text.match(/^#+ Exercise.*$/gm) ?? []);
    assert.ok(headings.length > 0, name);
    for (const heading of headings) {
      assert.match(heading, /\((easy|medium|hard), \d+ minutes\)$/, `${name}: ${heading}`);
    }
    // Links in the texts to other pages of this folder.
    for (const [, link] of rest.concat(title).join("\n").matchAll(/\]\(([\w.-]+\.(?:ipynb|md))/g)) {
      assert.ok(Deno.statSync(new URL(link, folder)), `${name}: ${link}`);
    }
  }
});

Deno.test("No notebook holds an exercise's solution", () => {
  const solutions = Deno.readTextFileSync(new URL("solutions/solutions.ts", folder));
  const lines = solutions.split("\n").map((line) => line.trim())
    // The softmax is shown in 02, and is not what perToken asks for.
    .filter((line) => line.length > 30 && !/^(\*|\/\*\*|\/\/|export|import)|weight/.test(line));
  assert.ok(lines.length > 15);
  for (const name of notebooks) {
    const code = cellsOf(name).map(({ text }) => text).join("\n");
    for (const line of lines) assert.ok(!code.includes(line), `${name}: ${line}`);
  }
});
