/** The site's first page: the main figure, and a sentence for each finding, read from the results. */
import { join } from "node:path";
import { escapeXml } from "../figure/_text.ts";
import { describeFigure } from "../figure/describe.ts";
import { ROOT } from "../platform/native/native.ts";
import { readText } from "../platform/runtime/files.ts";

/** A finding, as results.json holds it. */
interface ResultRow {
  finding: string;
  test: string;
  estimate: { value: number; interval?: [number, number] };
  unit: string;
  n: number;
  over: string;
  verdict?: string;
  paper?: string;
}

/** What each finding says; the numbers follow. */
const SENTENCES: Record<string, string> = {
  "HAR - INC": "Training on answers that agree with what the model believes leaves it more " +
    "accurate than training on true answers that contradict it:",
  "SELF - INC": "Even training on its own errors leaves it more accurate than training on the " +
    "truth about the same questions:",
  "CON - INC": "With the needed knowledge in the question, the same true answers do less harm:",
  "consistency ~ accuracy":
    "The more consistent with itself a model stayed, the more accurate it " +
    "is, its accuracy before given:",
  "middle ratio": "A mixture of both is better than the better of its ends by so much:",
  "KL, INC - best mixture": "Contradicting answers move the model farther than the best mixture:",
};

const FIGURE = "05-evaluation/accuracy";

function rounded(value: number, unit: string): string {
  const text = Math.abs(value).toFixed(unit === "points" ? 1 : 2);
  return Number(text) === 0 ? text : `${value > 0 ? "+" : "−"}${text}`;
}

function sentence(finding: string, rows: readonly ResultRow[]): string {
  const papers = new Set(rows.map(({ paper }) => paper ?? ""));
  const numbers = rows.map(({ test, estimate: { value, interval }, unit, n, over, ...row }) => {
    const range = interval ? ` [${interval.map((end) => rounded(end, unit)).join(", ")}]` : "";
    const paper = papers.size > 1 && row.paper ? ` (the paper: ${escapeXml(row.paper)})` : "";
    const verdict = row.verdict ? `: <i>${escapeXml(row.verdict)}</i>` : "";
    return `<li><b>${escapeXml(test)}</b> ${rounded(value, unit)}${range} ${escapeXml(unit)}, ` +
      `n = ${n} ${escapeXml(over)}${verdict}${paper}</li>`;
  });
  const [paper] = papers.size === 1 ? papers : [];
  const beside = paper ? ` <small>The paper: ${escapeXml(paper)}.</small>` : "";
  return `<li><p>${escapeXml(SENTENCES[finding] ?? `${finding}:`)}${beside}</p>` +
    `<ul class="numbers">${numbers.join("")}</ul></li>`;
}

/** The body of index.html. The figure's svg is expected beside it, as main.svg. */
export async function landingBody(): Promise<{ body: string; figure: string }> {
  const read = (path: string) => readText(join(ROOT, "figures", path));
  const rows = (await Promise.all(
    ["05-evaluation", "06-mixtures"].map(async (notebook) =>
      (JSON.parse(await read(`${notebook}/results.json`)) as { results: ResultRow[] }).results
    ),
  )).flat();
  const findings = Map.groupBy(rows, ({ finding }) => finding);
  const alt = escapeXml(describeFigure(JSON.parse(await read(`${FIGURE}.json`))));
  const body = (await readText(join(ROOT, "lib", "site", "index.html")))
    .replace("<!-- figure -->", () => `<img src="main.svg" alt="${alt}">`)
    .replace(
      "<!-- findings -->",
      () => [...findings].map(([finding, rows]) => sentence(finding, rows)).join("\n"),
    );
  return { body, figure: await read(`${FIGURE}.svg`) };
}
