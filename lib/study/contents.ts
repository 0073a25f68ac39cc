/** The list of the notebooks, by their titles. */
import { type Link } from "../figure/display.ts";
import { readText } from "../platform/runtime/files.ts";
import { outputPath } from "./settings.ts";

/** Each notebook's title, the first line of its first cell, with a link to it, in their order. */
export async function contents(folder = outputPath({ output: "notebooks" })): Promise<Link[]> {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
  return await Promise.all(
    names.filter((name) => name.endsWith(".ipynb")).sort().map(async (name) => {
      const { cells } = JSON.parse(await readText(`${folder}/${name}`, "list the notebooks"));
      const [first] = [cells[0].source].flat().join("").split("\n");
      return { text: first.slice("# ".length), address: name };
    }),
  );
}
