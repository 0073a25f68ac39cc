/** The authors' released groups, trained on as they are; what is not by the method is refused. */
import { join } from "node:path";
import type { AuditedGroups, GroupFinding, ReleasedAnswer } from "../dataset/released.ts";
import { auditGroups, parseReleased } from "../dataset/released.ts";
import { type Explanation, parseExplanation } from "../explanation.ts";
import { defined } from "../platform/defined.ts";
import { exists, readText } from "../platform/runtime/files.ts";
import type { ReleasedMaterial } from "../cell.ts";
import type { Settings } from "./settings.ts";

/** The files of a folder, by group; SELF's is not always published. */
export const releasedFiles = {
  har: "consistent-correct-exp-sample.jsonl",
  inc: "inconsistent-golden-exp.jsonl",
  self: "inconsistent-predict-model-exp.jsonl",
} as const;

/** Whether the setting `groups` asks for released ones. */
export const isReleased = (groups?: readonly string[]) => groups?.[0] === "released";

/** Whether a folder of released groups has a SELF. */
export const hasReleasedSelf = (folder: string) => exists(join(folder, releasedFiles.self));

/** @throws naming the folder, what was expected and found there, and what to do */
function refuse(folder: string, problem: string): never {
  throw new Error(`Cannot use the released groups of ${folder}: expected ${problem}`);
}

/**
 * The groups of a folder `group/MODEL/DOMAIN`, and what the audit says of them.
 * @throws naming the file that is missing, the row that is none, or the fault and its first row
 */
export async function readReleasedGroups(
  folder: string,
): Promise<{ groups: AuditedGroups; findings: GroupFinding[] }> {
  const read = async (group: keyof typeof releasedFiles): Promise<ReleasedAnswer[]> => {
    const file = join(folder, releasedFiles[group]);
    if (!exists(file)) {
      const mend = "give --pool=FOLDER of one model and domain, such as group/llama-2-7b/history";
      refuse(folder, `${releasedFiles[group]}; found none; ${mend}`);
    }
    const { answers, rejected: [bad] } = parseReleased(await readText(file), { file });
    if (bad === undefined) return answers;
    const found = `line ${bad.line} of ${releasedFiles[group]}: ${bad.reason}`;
    const mend = "mend the row, or take the file again from where it came";
    return refuse(folder, `answers in all rows; found none in ${found}; ${mend}`);
  };
  const groups = {
    har: await read("har"),
    inc: await read("inc"),
    ...(hasReleasedSelf(folder) ? { self: await read("self") } : {}),
  };
  const { findings } = auditGroups(groups);
  const fault = findings.find(({ ok, severity }) => !ok && severity === "fault");
  if (fault !== undefined) {
    const { group, message, failed, of, ids } = fault;
    const found = ids.length > 0
      ? `${failed} of ${of} rows that are not so, first id ${ids[0]}`
      : `a difference of ${failed}`;
    const where = group === "all" ? "" : ` in ${releasedFiles[group]}`;
    const mend =
      "take the files again from where they came, or have groups made from your model's " +
      "own answers (leave --groups=released out)";
    refuse(folder, `that ${message}${where}; found ${found}; ${mend}`);
  }
  return { groups, findings };
}

/** What the audit found, a line for each note and one for all. */
export function auditText(folder: string, findings: readonly GroupFinding[]): string {
  const notes = findings.filter(({ ok }) => !ok).map(({ group, message, failed, of }) =>
    `note: not in all rows of ${group}: ${message} (${failed} of ${of} rows)`
  );
  return [`The released groups of ${folder}: ${findings.length} checks, no fault`, ...notes].join(
    "\n",
  );
}

/** The audit of a run's released groups, a row for each check; none where it makes its own groups. */
export async function releasedChecks({ groups, pool }: Pick<Settings, "groups" | "pool">) {
  if (!isReleased(groups)) return [];
  const { findings } = await readReleasedGroups(pool!);
  return findings.map(({ group, message, ok, failed, of }) => ({
    ...{ group: group.toUpperCase(), check: message, holds: ok, rows: of, failed },
  }));
}

/** Groups as cells use them, all under the study's name of the domain. */
export function releasedMaterial(
  { har, inc, self }: AuditedGroups,
  { domain, limit }: { domain: string; limit?: number },
): ReleasedMaterial {
  const cut = (rows: readonly ReleasedAnswer[]) => rows.slice(0, limit);
  return {
    answers: [...cut(har), ...cut(inc)].map((row) => ({ ...row, domain })),
    explanations: cut(self ?? []).map((row): Explanation => {
      const raw = row.modelGeneration ?? "";
      const { modelExplanation: explanation } = row;
      // The authors' own cut stands; the reason is what the text shows.
      const { reason = explanation === undefined ? "empty" : undefined } = parseExplanation(raw);
      return {
        id: row.id,
        domain,
        option: row.predicted,
        raw,
        ...defined({ explanation, reason }),
      };
    }),
    self: self !== undefined,
  };
}
