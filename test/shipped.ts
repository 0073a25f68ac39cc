/**
 * What the project's own notebooks must hold to be shipped, beyond what `checkNotebooks` asks of any: they
 * are formatted, were run once from top to bottom without an error, and show nothing by chance.
 */
import { dirname } from "node:path";
import { codeCells, joined, type Notebook } from "../lib/platform/notebook/notebook.ts";

/** What is wrong with a notebook as it was saved, one text a fault. */
export const shippedProblems = (notebook: Notebook): string[] => [
  ...formatProblems(notebook),
  ...runProblems(notebook),
  ...shipProblems(notebook),
];

/** Whether Jupyter finds its kernel and `deno fmt` its language, and tells its cells apart. */
function formatProblems({ nbformat_minor, metadata, cells }: Notebook): string[] {
  const { kernelspec, language_info } = metadata as Record<string, { name?: string } | undefined>;
  const ids = new Set(cells.map(({ id }) => id).filter((id) => /^[\w-]{1,64}$/.test(id ?? "")));
  return [
    nbformat_minor < 5 && "is older than nbformat 4.5; save it from Jupyter",
    kernelspec?.name !== "deno" && "names no kernel deno; choose it in Jupyter, and save",
    language_info?.name !== "typescript" && "is not of typescript; save it from Jupyter",
    ids.size < cells.length && "has a cell without an id of its own; give it one",
  ].filter((fault) => fault !== false);
}

/** What is wrong with the outputs that a notebook was saved with: errors, gaps, a mixed order. */
function runProblems(notebook: Notebook): string[] {
  const cells = codeCells(notebook).map((cell, i) => ({ cell, number: i + 1 }))
    .filter(({ cell }) => joined(cell.source).trim());
  const problems = cells
    .filter(({ cell }) => cell.outputs.some((output) => output.output_type === "error"))
    .map(({ number }) => `cell ${number}: was saved with an error; run the notebook again`);
  const counts = cells.map(({ cell }) => cell.execution_count);
  const complete = counts.every((count, i) => count === i + 1);
  if (!complete && counts.some((count) => count !== null)) {
    problems.push("the cells were not run once each from top to bottom; run the notebook again");
  }
  return problems;
}

// Not within an address, and not the root of a folder of the project.
const ownPath =
  /(?<![\w.:/~-])(?:file:\/\/)?\/(?:home|root|Users|work|tmp|private|mnt|opt)\/[\w.-]+|[A-Z]:\\\w+/;

/** What a notebook should not be shipped with, by cell: a path, a value shown by chance, a picture without words. */
function shipProblems(notebook: Notebook): string[] {
  return codeCells(notebook).flatMap(({ source, outputs }, i) => {
    const texts = outputs.flatMap((output) =>
      output.output_type === "stream"
        ? [joined(output.text)]
        : output.output_type === "error"
        ? output.traceback
        : Object.entries(output.data).map(([type, data]) =>
          type.startsWith("text/") ? joined(data as string) : ""
        )
    );
    const path = [joined(source), ...texts].map((text) => ownPath.exec(text)?.[0]).find(Boolean);
    const picture = outputs.some((output) =>
      "data" in output && Object.keys(output.data).some((type) => type.startsWith("image/")) &&
      !joined((output.data["text/plain"] ?? "") as string).trim()
    );
    return [
      path && `holds ${path}, a path of one machine; show it from the project's folder`,
      outputs.some(({ output_type }) => output_type === "execute_result") &&
      "shows its last value; give it to show(), or end the cell with void 0",
      picture && "has a picture without words; give it a text/plain beside",
    ].filter(Boolean).map((fault) => `cell ${i + 1}: ${fault}`);
  });
}

/** Compares texts, since `deno fmt --check` of Deno 2.9 finds fault with every notebook of code. */
export async function isFormatted(path: string): Promise<boolean> {
  const text = await Deno.readTextFile(path);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext=ipynb", "-"],
    cwd: dirname(path),
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const [{ stdout }] = await Promise.all([
    child.output(),
    new Blob([text]).stream().pipeTo(child.stdin),
  ]);
  return new TextDecoder().decode(stdout) === text;
}
