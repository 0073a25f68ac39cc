/**
 * Reading and checking 200,000 questions, as JSON lines and as Parquet, and near-duplicates of 20,000
 * against 15,000. Beside it: JSON.parse of each line alone, and every pair of a sample compared by sets.
 */
import { join } from "node:path";
import { parquet } from "../unit/_exam_hub.ts";
import { findLeaks, nearQuestions } from "../../lib/dataset/duplicates.ts";
import { readQuestions } from "../../lib/dataset/read.ts";
import type { Question } from "../../lib/question.ts";
import { Random } from "../../lib/statistics/random.ts";

const QUESTIONS = 200_000;

/** A vocabulary whose words are as frequent as a language's: the n-th one 1 / n. */
function writer(seed: string) {
  const random = new Random(seed);
  const words = Array.from({ length: 20_000 }, (_, n) => n.toString(36) + "aeiou"[n % 5]);
  const some = (count: number) =>
    Array.from({ length: count }, () => {
      const place = Math.floor(Math.exp(random.next() * Math.log(words.length)));
      return words[Math.min(place, words.length - 1)];
    }).join(" ");
  return (id: number): Question => ({
    id,
    domain: "medicine",
    subject: `subject ${id % 20}`,
    question: `${some(12 + id % 20)}?`,
    choices: [0, 1, 2, 3].map((n) => `${some(2 + id % 4)} ${id % 97} ${n}`),
    answer: id % 4,
    explanation: some(30),
  });
}

const cells = ({ id, domain, question, choices, answer, explanation }: Question) =>
  [id, domain, `"${question}, or so"`, ...choices, "ABCD"[answer], explanation].join(",");

/** Seconds, and the most memory that the process had beyond what it had before. */
async function measured<T>(
  work: () => Promise<T>,
): Promise<{ value: T; seconds: number; mb: number }> {
  const before = Deno.memoryUsage().rss;
  let most = before;
  const timer = setInterval(() => most = Math.max(most, Deno.memoryUsage().rss), 5);
  const started = performance.now();
  const value = await work();
  const seconds = (performance.now() - started) / 1000;
  clearInterval(timer);
  return { value, seconds, mb: (Math.max(most, Deno.memoryUsage().rss) - before) / 1e6 };
}

const line = (what: string, { seconds, mb }: { seconds: number; mb: number }, note = "") =>
  console.log(`${what.padEnd(44)}${seconds.toFixed(2)} s, ${mb.toFixed(0)} MB ${note}`);

if (import.meta.main) {
  const folder = await Deno.makeTempDir();
  try {
    const kind = Deno.args[0] ?? "all";
    const make = writer("reading");
    if (["all", "jsonl", "csv", "parquet"].includes(kind)) {
      const path = join(folder, `questions.${kind === "all" ? "jsonl" : kind}`);
      if (kind === "parquet") {
        const rows = Array.from({ length: QUESTIONS }, (_, id) => {
          const { choices: [A, B, C, D], answer, ...rest } = make(id);
          return { ...rest, id: BigInt(id), A, B, C, D, answer: "ABCD"[answer] };
        });
        await Deno.writeFile(path, parquet(rows, 1000));
      } else {
        using file = await Deno.open(path, { write: true, create: true });
        const writable = file.writable.getWriter();
        for (let id = 0; id < QUESTIONS; id += 1000) {
          const rows = Array.from({ length: 1000 }, (_, n) => make(id + n));
          const lines = rows.map((row) => kind === "csv" ? cells(row) : JSON.stringify(row));
          const header = kind === "csv" && id === 0
            ? "id,domain,question,A,B,C,D,answer,explanation\n"
            : "";
          await writable.write(new TextEncoder().encode(`${header}${lines.join("\n")}\n`));
        }
        await writable.close();
      }
      const size = `of ${(Deno.statSync(path).size / 1e6).toFixed(0)} MB`;
      const child = async (task: string) => {
        const { stdout, success } = await new Deno.Command(Deno.execPath(), {
          args: ["run", "-A", "--no-check", import.meta.filename!, task, path],
          stderr: "inherit",
        }).output();
        if (!success) Deno.exit(1);
        return JSON.parse(new TextDecoder().decode(stdout));
      };
      line(`${QUESTIONS} questions read and checked`, await child("read"), size);
      if (["all", "jsonl"].includes(kind)) line("JSON.parse of each line", await child("parse"));
    }
    if (kind === "all" || kind === "near") {
      const make = writer("near");
      const pool = Array.from({ length: 20_000 }, (_, id) => make(id));
      const asked = Array.from({ length: 15_000 }, (_, id) => make(100_000 + id));
      // Every hundredth of the pool asks what a test asks, one word changed.
      for (let i = 0; i < 20_000; i += 100) {
        const { question, choices } = asked[i / 2 % asked.length];
        pool[i] = { ...pool[i], question: question.replace(/^\S+/, "another"), choices };
      }
      const found = await measured(() => Promise.resolve(findLeaks(pool, asked)));
      line("20,000 against 15,000", found, `${found.value.exact} exact, ${found.value.near} near`);
      const some = pool.slice(0, 300),
        words = (one: Question) =>
          new Set([one.question, ...one.choices].join(" ").toLowerCase().match(/[\p{L}\p{N}]+/gu));
      const plain = await measured(() => {
        const sets = asked.map(words);
        return Promise.resolve(some.map((one) => {
          const own = words(one);
          return asked[
            sets.findIndex((set) => {
              const common = own.intersection(set).size;
              return common / (own.size + set.size - common) >= 0.8;
            })
          ];
        }));
      });
      const fast = nearQuestions(some, asked);
      const differ = plain.value.filter((one, i) => one !== fast[i]).length;
      line("every pair of 300 against 15,000", plain, `${differ} differ`);
      if (differ > 0 || found.value.near !== 200) Deno.exit(1);
    }
    if (kind === "read") {
      const { value, ...figures } = await measured(() => readQuestions(Deno.args[1]));
      if (value.questions.length !== QUESTIONS) throw new Error(JSON.stringify(value.rejected[0]));
      console.log(JSON.stringify(figures));
    }
    if (kind === "parse") {
      const figures = await measured(async () => {
        const text = await Deno.readTextFile(Deno.args[1]);
        return text.trimEnd().split("\n").map((one) => JSON.parse(one)).length;
      });
      console.log(JSON.stringify(figures));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
