/** The site's first page: the main figure, and each finding's numbers, read from the results. */
import { join } from "node:path";
import { escapeXml } from "../figure/_text.ts";
import { altText } from "../figure/describe.ts";
import { signed } from "../figure/number.ts";
import { ROOT } from "../platform/cache.ts";
import { readText } from "../platform/runtime/files.ts";
import landing from "./index.html" with { type: "text" };

/** A finding, as results.json holds it. */
interface ResultRow {
  finding: string;
  test: string;
  estimate: { value: number; interval: [number, number] };
  unit: string;
  n: number;
  over: string;
  verdict: string;
  paper: string;
}

const FIGURE = "05-evaluation/accuracy";

function numbersOf(rows: readonly ResultRow[]): string {
  const items = rows.map(({ test, estimate, unit, n, over, verdict, paper }) =>
    `<li><b>${escapeXml(test)}</b> ${signed(estimate, unit === "points" ? 1 : 2)} ` +
    `${escapeXml(unit)}, n = ${n} ${escapeXml(over)}: <i>${escapeXml(verdict)}</i> ` +
    `<small>The paper: ${escapeXml(paper)}</small></li>`
  );
  return `<ul class="numbers">${items.join("")}</ul>`;
}

/**
 * The body of index.html. The figure's svg is expected beside it, as main.svg.
 * @throws naming a finding that the page has no sentence for, or no numbers
 */
export async function landingBody(): Promise<{ body: string; figure: string }> {
  const read = (path: string) => readText(join(ROOT, "figures", path));
  const rows = (await Promise.all(
    ["05-evaluation", "06-mixtures"].map(async (notebook) =>
      (JSON.parse(await read(`${notebook}/results.json`)) as { results: ResultRow[] }).results
    ),
  )).flat();
  const findings = Map.groupBy(rows, ({ finding }) => finding);
  const alt = escapeXml(altText(JSON.parse(await read(`${FIGURE}.json`))));
  const told = new Set<string>();
  const body = landing.replace("<!-- figure -->", () => `<img src="main.svg" alt="${alt}">`)
    .replaceAll(/<!-- numbers of (.*?) -->/g, (_, finding: string) => {
      told.add(finding);
      return numbersOf(findings.get(finding) ?? []);
    });
  const names = new Set(findings.keys()), odd = [...names.symmetricDifference(told)];
  if (odd.length === 0) return { body, figure: await read(`${FIGURE}.svg`) };
  throw new Error(
    `Cannot write the landing page: expected a sentence and numbers for every finding; found one ` +
      `without the other: ${odd.join(", ")}; change lib/site/index.html`,
  );
}
