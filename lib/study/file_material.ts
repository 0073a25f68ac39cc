/** The material of a study of files: questions, demonstrations, tests and general instructions of one domain. */
import type { Question } from "../question.ts";
import type { Exam, Material, ReleasedMaterial } from "../cell.ts";
import { findLeaks, fingerprint } from "../dataset/duplicates.ts";
import { writeDataCard } from "../exam/card.ts";
import { oneLine } from "../figure/_text.ts";
import { Random } from "../statistics/random.ts";
import { readFiles } from "./files.ts";
import { auditText, isReleased, readReleasedGroups, releasedMaterial } from "./released.ts";
import { isPublished, outputPath, type Settings } from "./settings.ts";
import type { OpenedSubject } from "./study.ts";

/**
 * The material of the settings' files: one domain. Errors as of `openSubject`.
 * @param limit at most so many questions of a pool or an exam
 */
export async function fileMaterial(
  settings: Settings,
  limit?: number,
): Promise<Omit<OpenedSubject, "model">> {
  const { questions, demonstrations, id, ood, pool, general, rejected, parts } = await readFiles(
    settings,
  );
  const tests = [...questions, ...id, ...ood, ...demonstrations];
  const { exact, near, clean: others } = findLeaks(pool, tests);
  const { keepLeaks: kept = false } = settings, clean = kept ? pool : others;
  if (near > 0) {
    console.error(
      `${near} questions of the pool, which tests ask nearly so, are ${kept ? "kept" : "left out"}`,
    );
  }
  if (clean.length === 0) {
    const expected = "questions that no test and no demonstration asks";
    throw new Error(
      `Cannot make groups from ${settings.pool}: expected ${expected}; found none of ${pool.length}; ` +
        "give --pool=FILE with other questions",
    );
  }
  const domain = questions[0]?.domain ?? "questions";
  if (!isPublished(settings)) {
    const cards = [{ name: "own files", title: "by flag", license: "", revision: "", parts }];
    const leaks = [{ domain, pool: pool.length, exact, near }];
    await writeDataCard(outputPath(settings), { cards, leaks, kept });
  }
  const shortened: string[] = [];
  const make = (part: string, all: Question[]): Exam => {
    const name = `${domain}/${part}`;
    const kept = limited(all, limit);
    if (kept.length < all.length) shortened.push(limitText(name, kept, all));
    // One domain's study: the pool's and the test's names for it may differ.
    return {
      name,
      questions: part === "ood" ? kept : asOneDomain(kept, { domain, all }),
      demonstrations,
    };
  };
  const released = isReleased(settings.groups)
    ? await openReleased(settings.pool!, {
      ...{ domain, limit },
      asked: new Set(tests.map(fingerprint)),
    })
    : undefined;
  const suites = {
    homo: [make("homo", questions)],
    ...(id.length > 0 ? { id: [make("id", id)] } : {}),
    ...(ood.length > 0 ? { ood: [make("ood", ood)] } : {}),
  };
  const own = { pool: make("pool", clean), suites, ...(released && { released }) };
  const material: Material = { domains: new Map([[domain, own]]), general };
  const cut = `At most ${limit} questions a file, drawn by a fixed seed over all subjects`;
  if (shortened.length > 0) console.error(oneLine(`${cut}: ${shortened.join(", ")}`));
  return { material, rejected, leaked: pool.length - clean.length };
}

/** Under one name of the domain; ids that count anew in each of several get their domain's before them. */
function asOneDomain(
  questions: readonly Question[],
  { domain, all }: { domain: string; all: readonly Question[] },
): Question[] {
  const repeated = new Set(all.map(({ id }) => String(id))).size < all.length;
  return questions.map((question) => ({
    ...question,
    ...(repeated ? { id: `${question.domain}/${question.id}` } : {}),
    domain,
  }));
}

/** Released groups as they are: those of their questions that a test asks stay, and are told. */
async function openReleased(
  folder: string,
  { asked, ...options }: { domain: string; limit?: number; asked: ReadonlySet<string> },
): Promise<ReleasedMaterial> {
  const { groups, findings } = await readReleasedGroups(folder);
  const rows = [...groups.har, ...groups.inc];
  const shared = rows.filter((row) => asked.has(fingerprint(row))).length;
  console.error(
    auditText(folder, findings) +
      (shared > 0
        ? `\nWARNING: ${shared} of its ${rows.length} questions are asked by the tests or the ` +
          "demonstrations too; they are trained on as published, so accuracies can be too high"
        : ""),
  );
  return releasedMaterial(groups, options);
}

const subjectOf = ({ domain, subject }: Question) => JSON.stringify([domain, subject]);

/**
 * At most `limit` questions in their order: one of each subject and domain, then each in proportion
 * to its questions, drawn by a fixed seed. A smaller limit keeps a part of what a larger one keeps.
 */
export function limited(questions: readonly Question[], limit = Infinity): readonly Question[] {
  if (questions.length <= limit) return questions;
  const random = new Random("limit");
  const subjects = Map.groupBy(questions, subjectOf);
  const ranked = random.shuffle([...subjects.keys()].toSorted()).flatMap((name) =>
    random.fork(name).shuffle(subjects.get(name)!).map((question, i, { length }) => (
      { question, rank: i === 0 ? 0 : (i + 0.5) / length }
    ))
  );
  const first = ranked.toSorted((a, b) => a.rank - b.rank).slice(0, limit);
  const kept = new Set(first.map(({ question }) => question));
  return questions.filter((question) => kept.has(question));
}

/** "history/ood 20 of 120 questions (4 of 4 subjects)". */
function limitText(name: string, kept: readonly Question[], all: readonly Question[]): string {
  const [some, whole] = [kept, all].map((list) => new Set(list.map(subjectOf)).size);
  return `${name} ${kept.length} of ${all.length} questions (${some} of ${whole} subjects)`;
}
