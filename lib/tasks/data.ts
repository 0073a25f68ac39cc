/** `deno task data`: the published data sets, listed, had once and checked.  */
import { parseArgs } from "node:util";
import { cardText, dataCard } from "../exam/card.ts";
import { dataLock, getData } from "../exam/get.ts";
import { readGeneralData, readParts } from "../exam/read.ts";
import { dataSource, dataSources } from "../exam/sources.ts";
import { type ExamName, examNames } from "../dataset/exams.ts";
import { formatBytes } from "../platform/runtime/memory.ts";
import { runTask } from "./command_line.ts";
import help from "./data.txt" with { type: "text" };

async function list(): Promise<number> {
  for (const { name, title, license, address, layout, branch } of dataSources.values()) {
    const lock = await dataLock(name);
    const bytes = Object.values(lock?.files ?? {}).reduce((sum, { bytes }) => sum + bytes, 0);
    console.log(`${name}: ${title}`);
    console.log(`  ${address}, branch ${branch}; license: ${license}`);
    console.log(`  ${layout}`);
    console.log(
      lock
        ? `  at hand: revision ${lock.revision}, ${formatBytes(bytes)}`
        : "  not at hand; its revision and digests are locked at the first download",
    );
  }
  return 0;
}

async function get(names: readonly string[]): Promise<number> {
  if (names.length === 0) throw new Error("Cannot get data: expected names; found none; see list");
  for (const name of names) dataSource(name);
  for (const name of names) {
    if ((examNames as readonly string[]).includes(name)) {
      console.log(cardText({ cards: [dataCard(await readParts(name as ExamName))] }));
    } else console.log(`${name}: ${(await readGeneralData(name)).general.length} instructions`);
  }
  return 0;
}

/** Every data set that was had, read again from the disk alone: damaged files are found, not mended. */
async function check(): Promise<number> {
  const isGiven = Boolean(Deno.env.get("SELF_ALIGNING_DATA"));
  let bad = 0, all = 0;
  for (const name of dataSources.keys()) {
    if (!isGiven && !await dataLock(name)) continue;
    all++;
    try {
      const { revision } = await getData(name, { offline: true });
      console.log(
        `${name}: ${isGiven ? "has its files, locked nowhere," : "as locked,"} ${revision}`,
      );
    } catch (error) {
      bad++;
      console.error((error as Error).message);
    }
  }
  if (all === 0) console.log("Nothing is at hand yet; get it by deno task data get NAME");
  return bad > 0 ? 1 : 0;
}

export async function main(args: string[]): Promise<number> {
  const { positionals: [what, ...names], values } = parseArgs({
    ...{ args, allowPositionals: true },
    options: { help: { type: "boolean" } },
  });
  if (what === "list" && names.length === 0) return await list();
  if (what === "get") return await get(names);
  if (what === "check" && names.length === 0) return await check();
  console.log(help);
  return values.help ? 0 : 1;
}

if (import.meta.main) await runTask(() => main(Deno.args));
