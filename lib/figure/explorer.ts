/** The page where one trains a model (lib/site), shown in a notebook by its address alone. */
import { escapeHtml } from "./_text.ts";
import { display } from "./display.ts";

/**
 * Shows the explorer in a sandboxed frame; `deno task site --serve` serves it.
 * @param state settings of the page, as in its address: `{ group: "self", epochs: "5" }`
 */
export async function showExplorer(state: Record<string, string> = {}): Promise<void> {
  const query = new URLSearchParams(state);
  const address = "http://127.0.0.1:8000/explore.html";
  const line =
    "Nothing here? deno task site --serve, in a terminal, serves it; then run this cell.";
  await display({
    "text/html":
      `<iframe src="${escapeHtml(`${address}?embed&${query}`)}" sandbox="allow-scripts" ` +
      `title="A model is trained in this page" style="border: 0; width: 100%; height: 900px"></iframe>` +
      `<p><small>${line}</small></p>`,
    "text/plain": `${address}?${query}\n${line}`,
  });
}
