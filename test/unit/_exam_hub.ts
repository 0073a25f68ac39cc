/** A hub, and a GitHub, on this machine, with data sets of the published layouts made from invented questions. */
import { createHash } from "node:crypto";
import { BlobWriter, TextReader, ZipWriter } from "@zip.js/zip.js";
import { parquetWriteBuffer } from "hyparquet-writer";
import { cevalSubjects, cmmluSubjects, mmluSubjects } from "../../lib/dataset/subjects.ts";

export const COMMIT = "3".repeat(40);

export type Files = Record<string, Uint8Array>;

export interface Asked {
  path: string;
  range: string | null;
  authorization: string | null;
}

const encode = (text: string) => new TextEncoder().encode(text);
export const jsonl = (rows: readonly unknown[]) =>
  encode(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));

/** Words that no two questions share, from a number. */
const word = (n: number) =>
  "bcdfghjklm"[n % 10] + "aeiou"[n % 5] + "nprstvwxyz"[Math.floor(n / 10) % 10] + "aeiou"[n % 3] +
  String(n).split("").map((digit) => "bdfgklmnst"[Number(digit)]).join("a");

/** An invented question with four options and the index of its answer. */
export function invented(name: string, n: number) {
  const w = (i: number) => word(7919 * n + 31 * i + 13 * name.length);
  return {
    question: `Which ${name} of ${w(0)} and ${w(1)} belongs to ${w(2)}?`,
    choices: [3, 4, 5, 6].map((i) => `${w(i)} ${w(i + 10)}`),
    answer: n % 4,
  };
}

/** Xiezhi's two files: JSON lines of question, labels, answer and options, one a line. */
export function xiezhiFiles(each = 300): Files {
  const labels = ["History", "Engineering", "Jurisprudence", "Science"];
  const row = (kind: string, label: string, n: number) => {
    const { question, choices, answer } = invented(`${kind} ${label}`, n);
    const names = [`${label} (Level 1 subject)`, label];
    return { question, labels: names, answer: choices[answer], options: choices.join("\n") };
  };
  const folder = "Tasks/Knowledge/Benchmarks/test";
  return Object.fromEntries(
    ["inter", "spec"].map((kind) => {
      const rows = Array.from({ length: each / 2 }, (_, n) => n)
        .flatMap((n) => labels.map((label) => row(kind, label, n)));
      return [`${folder}/xiezhi_${kind}_eng/xiezhi.v1.1.json`, jsonl(rows)];
    }),
  );
}

/** A Parquet file of the columns that rows have. */
export function parquet(rows: readonly Record<string, unknown>[], rowGroupSize = 40): Uint8Array {
  const columnData = Object.keys(rows[0]).map((name) => {
    const data = rows.map((row) => row[name]);
    const first = data.find((value) => value !== null && value !== undefined);
    const type = typeof first === "string"
      ? "STRING" as const
      : typeof first === "bigint"
      ? "INT64" as const
      : undefined;
    return { name, data, ...(type && { type }), nullable: true };
  });
  return new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize }));
}

/** MedMCQA on the hub: `cop` from 0; the test split's is -1. */
export function medmcqaFiles({ train = 120, validation = 40 } = {}): Files {
  const rows = (split: string, count: number, cop = (answer: number) => answer) =>
    Array.from({ length: count }, (_, n) => {
      const { question, choices: [opa, opb, opc, opd], answer } = invented(`dose ${split}`, n);
      return {
        ...{ id: `${split}-${n}`, question, opa, opb, opc, opd, cop: BigInt(cop(answer)) },
        choice_type: n % 10 === 9 ? "multi" : "single",
        exp: n % 10 === 8 ? null : `Because of ${word(n)}.`,
        ...{ subject_name: "Anatomy", topic_name: null },
      };
    });
  return {
    "data/train-00000-of-00001.parquet": parquet(rows("train", train)),
    "data/validation-00000-of-00001.parquet": parquet(rows("validation", validation)),
    "data/test-00000-of-00001.parquet": parquet(rows("test", 5, () => -1)),
    "README.md": encode("# MedMCQA"),
  };
}

/** MMLU on the hub: all subjects in one Parquet file a split, answers from 0. */
export function mmluFiles({ test = 4, subjects = [...mmluSubjects.keys()] } = {}): Files {
  const rows = (split: string, count: number) =>
    subjects.flatMap((subject) =>
      Array.from({ length: count }, (_, n) => {
        const { question, choices, answer } = invented(`${subject} ${split}`, n);
        return { question, subject, choices, answer: BigInt(answer) };
      })
    );
  return {
    "all/dev-00000-of-00001.parquet": parquet(rows("dev", 5)),
    "all/test-00000-of-00001.parquet": parquet(rows("test", test)),
    "all/validation-00000-of-00001.parquet": parquet(rows("validation", 1)),
  };
}

const csv = (cells: readonly string[][]) =>
  cells.map((row) =>
    row.map((cell) => /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)
      .join(",")
  ).join("\n") + "\n";

/** CMMLU's and C-Eval's CSV files: C-Eval's test files have labels only where `labelled`. */
export function chineseFiles(exam: "cmmlu" | "ceval", { labelled = true, test = 2 } = {}) {
  const subjects = exam === "cmmlu" ? cmmluSubjects : cevalSubjects;
  const files: Record<string, string> = {};
  for (const [subject, { chinese }] of subjects) {
    const row = (split: string, n: number, withAnswer: boolean) => {
      const { question, choices, answer } = invented(`${subject} ${split}`, n);
      const letter = withAnswer ? ["ABCD"[answer]] : [];
      const why = exam === "ceval" && split === "dev" ? [`因为${chinese}`] : [];
      return [String(n), `${chinese}：${question}`, ...choices, ...letter, ...why];
    };
    const rows = (split: string, count: number, withAnswer = true) =>
      Array.from({ length: count }, (_, n) => row(split, n, withAnswer));
    if (exam === "cmmlu") {
      const header = ["", "Question", "A", "B", "C", "D", "Answer"];
      files[`dev/${subject}.csv`] = csv([header, ...rows("dev", 5)]);
      files[`test/${subject}.csv`] = csv([header, ...rows("test", test)]);
    } else {
      const header = ["id", "question", "A", "B", "C", "D"];
      files[`dev/${subject}_dev.csv`] = csv([
        [...header, "answer", "explanation"],
        ...rows("dev", 5),
      ]);
      files[`val/${subject}_val.csv`] = csv([[...header, "answer"], ...rows("val", test)]);
      files[`test/${subject}_test.csv`] = csv([
        labelled ? [...header, "answer"] : header,
        ...rows("test", test, labelled),
      ]);
    }
  }
  return files;
}

/** alpaca-gpt4 on the hub. */
export const alpacaFiles = (count = 60): Files => ({
  "data/train-00000-of-00001-6ef3991c06080e14.parquet": parquet(
    Array.from({ length: count }, (_, n) => ({
      instruction: `Say ${word(n)} ${word(n + 1)}.`,
      input: n % 3 === 0 ? word(n + 2) : "",
      output: `${word(n)} ${word(n + 1)}`,
      text: "",
    })),
  ),
});

/** A zip archive; with `comment` as GitHub writes a commit. */
export async function zip(
  files: Readonly<Record<string, string | Uint8Array>>,
  comment?: string,
): Promise<Uint8Array> {
  const writer = new ZipWriter(new BlobWriter(), { useWebWorkers: false });
  for (const [name, data] of Object.entries(files)) {
    const text = typeof data === "string" ? data : new TextDecoder().decode(data);
    await writer.add(name, new TextReader(text));
  }
  const blob = await writer.close(comment === undefined ? undefined : encode(comment));
  return new Uint8Array(await blob.arrayBuffer());
}

const hashOf = (bytes: Uint8Array, kind: "sha1" | "sha256") => {
  const hash = createHash(kind);
  if (kind === "sha1") hash.update(`blob ${bytes.length}\0`);
  return hash.update(bytes).digest("hex");
};

export function ranged(bytes: Uint8Array, range: string | null): Response {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  if (from === undefined) return new Response(bytes.slice());
  const part = bytes.slice(Number(from), to === "" ? undefined : Number(to) + 1);
  const content = `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}`;
  return new Response(part, { status: 206, headers: { "content-range": content } });
}

/** Speaks the hub's protocol for data sets, and GitHub's for archives. */
export class ExamHub implements AsyncDisposable {
  readonly asked: Asked[] = [];
  commit = COMMIT;
  /** Answers in place of the hub's, or nothing. */
  fault: (asked: Asked) => Response | undefined = () => undefined;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  /** @param sets files by data set, `owner/name` @param archives of repositories, `owner/name` */
  constructor(
    readonly sets: Record<string, Files>,
    readonly archives: Record<string, Uint8Array> = {},
  ) {
    this.#server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
      return this.#answer(request);
    });
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose]() {
    await this.#server.shutdown();
  }

  #answer(request: Request): Response {
    const { pathname } = new URL(request.url);
    const asked = {
      path: decodeURIComponent(pathname),
      range: request.headers.get("range"),
      authorization: request.headers.get("authorization"),
    };
    this.asked.push(asked);
    const fault = this.fault(asked);
    if (fault !== undefined) return fault;
    for (const [id, bytes] of Object.entries(this.archives)) {
      if (asked.path.startsWith(`/${id}/archive/`)) return ranged(bytes, asked.range);
    }
    for (const [id, files] of Object.entries(this.sets)) {
      if (asked.path.startsWith(`/api/datasets/${id}/revision/`)) {
        return Response.json({ _id: "x", id, sha: this.commit, lastModified: "2026-01-01" });
      }
      if (asked.path.startsWith(`/api/datasets/${id}/tree/`)) {
        return Response.json(
          Object.entries(files).map(([path, bytes]) => ({
            ...{ type: "file", path, size: bytes.length, oid: hashOf(bytes, "sha1") },
            lfs: { oid: hashOf(bytes, "sha256"), size: bytes.length, pointerSize: 100 },
          })),
        );
      }
      const start = `/datasets/${id}/resolve/${this.commit}/`;
      const bytes = asked.path.startsWith(start)
        ? files[asked.path.slice(start.length)]
        : undefined;
      if (bytes) return ranged(bytes, asked.range);
    }
    return new Response("nothing here", { status: 404 });
  }
}

/** All that the paper's setting reads, small. */
export async function paperHub(options: { xiezhi?: number } = {}): Promise<ExamHub> {
  const name = "XiezhiBenchmark-3333";
  const members = Object.entries(xiezhiFiles(options.xiezhi))
    .map(([path, bytes]) => [`${name}/${path}`, bytes]);
  const archive = await zip(
    { [`${name}/README.md`]: "# Xiezhi", ...Object.fromEntries(members) },
    COMMIT,
  );
  return new ExamHub({
    "openlifescienceai/medmcqa": medmcqaFiles(),
    "cais/mmlu": mmluFiles(),
    "vicgalle/alpaca-gpt4": alpacaFiles(),
    "haonan-li/cmmlu": { "cmmlu_v1_0_1.zip": await zip(chineseFiles("cmmlu")) },
    "ceval/ceval-exam": {
      "ceval-exam.zip": await zip(chineseFiles("ceval", { labelled: false })),
    },
  }, { "MikeGu721/XiezhiBenchmark": archive });
}
