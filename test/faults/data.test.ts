/** Data sets from a hub and a GitHub on this machine, which answer well or badly. */
import { join } from "node:path";
import { dataLock, getData, type GetOptions } from "../../lib/exam/get.ts";
import { readGeneralData, readParts } from "../../lib/exam/read.ts";
import { unpack } from "../../lib/exam/_archive.ts";
import { withVariables } from "../unit/_environment.ts";
import { withFolder } from "../unit/_folder.ts";
import {
  alpacaFiles,
  chineseFiles,
  COMMIT,
  ExamHub,
  type Files,
  mmluFiles,
  ranged,
  xiezhiFiles,
  zip,
} from "../unit/_exam_hub.ts";

import assert from "node:assert/strict";

const MMLU = "cais/mmlu", XIEZHI = "MikeGu721/XiezhiBenchmark";

/** Runs `test` with a hub that holds MMLU, and an empty cache. */
async function withHub(
  test: (
    hub: ExamHub,
    options: GetOptions & { cacheDirectory: string; lines: string[] },
  ) => Promise<void>,
  {
    sets = { [MMLU]: mmluFiles({ test: 2, subjects: ["virology", "prehistory"] }) },
    archives = {},
  }: {
    sets?: Record<string, Files>;
    archives?: Record<string, Uint8Array>;
  } = {},
) {
  await using hub = new ExamHub(sets, archives);
  const lines: string[] = [], onProgress = (line: string) => void lines.push(line);
  // Some tests change the others too.
  const { HF_TOKEN, SELF_ALIGNING_DATA } = Deno.env.toObject();
  const mirrors = { HF_ENDPOINT: hub.endpoint, GITHUB_ENDPOINT: hub.endpoint };
  await withVariables(
    { ...mirrors, HF_TOKEN, SELF_ALIGNING_DATA },
    () =>
      withFolder((cacheDirectory) =>
        test(hub, { cacheDirectory, patience: 0.01, onProgress, lines })
      ),
  );
}

Deno.test("getData() downloads a set once, locks it, and needs no network then", async () => {
  await withHub(async (hub, options) => {
    assert.equal(await dataLock("mmlu", options), undefined);
    const first = await getData("mmlu", options);
    assert.deepEqual([first.revision, Object.keys(first.parts)], [COMMIT, ["dev", "test"]]);
    const lock = await dataLock("mmlu", options);
    assert.deepEqual(Object.keys(lock!.files), [
      "all/dev-00000-of-00001.parquet",
      "all/test-00000-of-00001.parquet",
    ]);
    assert.match(options.lines.at(-1)!, /^mmlu: .*; revision 3{40}; license: MIT/);
    const asked = hub.asked.length;
    for (const offline of [false, true]) {
      assert.deepEqual(await getData("mmlu", { ...options, offline }), first);
    }
    assert.equal(hub.asked.length, asked);
    // Another commit of the branch is not taken: the lock's is.
    hub.commit = "4".repeat(40);
    assert.equal((await getData("mmlu", options)).revision, COMMIT);
  });
});

Deno.test("getData() takes a damaged file again, and refuses one whose source has changed", async () => {
  await withHub(async (hub, options) => {
    const { parts: { test: [path] } } = await getData("mmlu", options);
    const good = await Deno.readFile(path);
    await Deno.writeFile(path, good.with(10, good[10] ^ 1));
    await assert.rejects(
      getData("mmlu", { ...options, offline: true }),
      /Cannot get data set mmlu: expected all\/test-.* as locked .* HF_HUB_OFFLINE is set; found none/,
    );
    // Another one is damaged too: both are had again, and neither is taken for a change of the source.
    const { parts: { dev: [other] } } = await getData("mmlu", options);
    const both = [path, other], whole = await Promise.all(both.map((one) => Deno.readFile(one)));
    for (const [i, one] of both.entries()) {
      await Deno.writeFile(one, whole[i].with(10, whole[i][10] ^ 1));
    }
    await getData("mmlu", options);
    assert.deepEqual(await Promise.all(both.map((one) => Deno.readFile(one))), whole);
    assert.deepEqual(await Deno.readFile(path), good);
    // The owner moves the commit onto other bytes.
    hub.sets[MMLU] = mmluFiles({ test: 3, subjects: ["virology", "prehistory"] });
    await Deno.remove(path);
    await assert.rejects(
      getData("mmlu", options),
      /expected all\/test-.* with SHA-256 [0-9a-f]{64}, as at its first download; found [0-9a-f]{64}: its source has changed; .*delete /,
    );
    await assert.rejects(getData("mmlu", options), /its source has changed/);
    await Deno.remove(join(options.cacheDirectory, "mmlu"), { recursive: true });
    assert.equal((await readParts("mmlu", options)).parts.test.questions.length, 6);
  });
});

Deno.test("getData() says how to get at a gated set, and what a layout lacks", async () => {
  await withHub(async (hub, options) => {
    hub.fault = ({ path }) =>
      path.includes("/resolve/")
        ? new Response("gated", { status: 401, headers: { "X-Error-Code": "GatedRepo" } })
        : undefined;
    await assert.rejects(getData("mmlu", options), (error: Error) => {
      assert.match(error.message, /^Cannot get data set cais\/mmlu: expected its all\/dev-/);
      assert.ok(error.message.includes(`ask for access on ${hub.endpoint}/datasets/${MMLU}`));
      assert.match(error.message, /then set HF_TOKEN/);
      return true;
    });
    hub.fault = ({ path }) => path.includes("/tree/") ? Response.json([null]) : undefined;
    await assert.rejects(
      getData("mmlu", options),
      /list of files .*an answer of another form; .*log/,
    );
    hub.fault = () => undefined;
    hub.sets[MMLU] = { "data/test.parquet": new Uint8Array(9) };
    await assert.rejects(
      getData("mmlu", options),
      /expected all\/dev-\*\.parquet in .*\/datasets\/cais\/mmlu; found data\/test.parquet; its layout may have changed: .*SELF_ALIGNING_DATA/,
    );
    assert.equal(await dataLock("mmlu", options), undefined);
    await assert.rejects(
      getData("mmul", options),
      /expected one of xiezhi, .*did you mean mmlu/,
    );
  });
});

Deno.test("getData() gives the token to the hub alone, and prints it nowhere", async () => {
  await withHub(async (hub, options) => {
    const secret = "hf_SECRETsecretSECRET";
    Deno.env.set("HF_TOKEN", secret);
    await using elsewhere = new ExamHub(hub.sets);
    const first = hub.sets[MMLU], paths = Object.keys(first);
    // The list goes on elsewhere, and so do the files.
    hub.fault = ({ path }) => {
      if (path.includes("/tree/") && !path.includes("cursor")) {
        const { [paths[0]]: _, ...rest } = first;
        elsewhere.sets[MMLU] = rest;
        const own = new ExamHub({ [MMLU]: { [paths[0]]: first[paths[0]] } });
        return redirected(own, elsewhere, path);
      }
      if (path.includes("/resolve/")) {
        elsewhere.sets[MMLU] = first;
        return new Response(null, {
          status: 302,
          headers: { location: elsewhere.endpoint + path },
        });
      }
    };
    await getData("mmlu", options);
    assert.ok(elsewhere.asked.length >= 3);
    assert.ok(elsewhere.asked.every(({ authorization }) => authorization === null));
    assert.ok(hub.asked.every(({ authorization }) => authorization === `Bearer ${secret}`));
    assert.ok(options.lines.every((line) => !line.includes(secret)));
    hub.fault = ({ authorization }) => new Response(`no ${authorization}`, { status: 403 });
    await Deno.remove(join(options.cacheDirectory, "mmlu"), { recursive: true });
    await assert.rejects(
      getData("mmlu", options),
      ({ message }: Error) => !message.includes(secret),
    );
  });
});

/** The first page of a list, whose next one lies at another address. */
function redirected(own: ExamHub, next: ExamHub, path: string): Response {
  const [[, files]] = Object.entries(own.sets);
  void own[Symbol.asyncDispose]();
  const body = Object.entries(files).map(([path, bytes]) => ({
    ...{ type: "file", path, size: bytes.length, oid: "0".repeat(40) },
    lfs: { oid: digestOf(bytes), size: bytes.length, pointerSize: 100 },
  }));
  const link = `<${next.endpoint}${path}?cursor=x>; rel="next"`;
  return Response.json(body, { headers: { link } });
}

import { createHash } from "node:crypto";
const digestOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

Deno.test("getData() asks again after 429 and 500, and gives up with what to do", async () => {
  await withHub(async (hub, options) => {
    const left = [429, 500, 503];
    hub.fault = ({ path }) => {
      const status = path.includes("/resolve/") ? left.shift() : undefined;
      return status === undefined ? undefined : new Response("busy", { status });
    };
    await getData("mmlu", options);
    assert.equal(left.length, 0);
    assert.ok(options.lines.some((line) => /: 429; again in 0\.01 s/.test(line)));
    await Deno.remove(join(options.cacheDirectory, "mmlu"), { recursive: true });
    hub.fault = () => new Response("busy", { status: 429 });
    await assert.rejects(
      getData("mmlu", options),
      /status 429 .*wait some minutes, or set HF_TOKEN/,
    );
  });
});

const archived = async (files: Record<string, string | Uint8Array> = xiezhiFiles(20)) =>
  await zip(
    Object.fromEntries(Object.entries(files).map(([path, data]) => [`X-3333/${path}`, data])),
    COMMIT,
  );

Deno.test("getData() takes an archive that was cut from its start, with ranges and without", async () => {
  const archive = await archived(), remade = await archived(xiezhiFiles(21));
  for (const ranges of [true, false]) {
    await withHub(async (hub, options) => {
      const parts: number[] = [];
      hub.fault = ({ path, range }) => {
        if (!path.includes("/archive/")) return;
        const whole = ranged(parts.length > 1 ? remade : archive, ranges ? range : null);
        const from = Number(/^bytes=(\d+)/.exec(range ?? "")?.[1] ?? 0);
        parts.push(from);
        if (parts.length > 2) return whole;
        // The connection ends after a third of the file.
        const start = ranges ? from : 0, end = Math.ceil(archive.length / 3) * parts.length;
        const body = archive.slice(start, end);
        return new Response(ReadableStream.from([body]), {
          status: whole.status,
          headers: {
            ...Object.fromEntries(whole.headers),
            "content-length": String(archive.length - start),
          },
        });
      };
      const { parts: { test }, revision } = await getData("xiezhi", options);
      assert.deepEqual([test.length, revision], [2, COMMIT]);
      assert.deepEqual(parts, [0, 0, 0]);
      assert.ok(test.every((path) => path.includes(`/${COMMIT}/X-3333/Tasks/`)));
      const names = [...Deno.readDirSync(join(options.cacheDirectory, "xiezhi"))].map((f) =>
        f.name
      );
      assert.deepEqual(names.sort(), [COMMIT, "lock.json"]);
    }, { archives: { [XIEZHI]: archive } });
  }
});

Deno.test("getData() refuses what is no archive, and keeps none of it", async () => {
  await withHub(async (hub, options) => {
    hub.fault = () =>
      new Response("<html>log in</html>", { headers: { "content-type": "text/html" } });
    await assert.rejects(
      getData("xiezhi", options),
      /Cannot get data set MikeGu721\/XiezhiBenchmark: expected its archive .*a web page.*GITHUB_ENDPOINT/,
    );
    const archive = await archived();
    hub.fault = () => new Response(archive.slice(0, -70));
    await assert.rejects(getData("xiezhi", options), /one that ends early; it was removed/);
    hub.fault = () => new Response("rate limit exceeded");
    await assert.rejects(
      getData("xiezhi", options),
      /found what starts with "rate limit exceeded"/,
    );
    // Whole by its end, but of two halves that don't belong together.
    hub.fault = () => new Response(archive.with(300, archive[300] ^ 0xFF));
    await assert.rejects(
      getData("xiezhi", options),
      /one that is damaged .*; it was removed: run it/,
    );
    hub.fault = () => undefined;
    hub.archives[XIEZHI] = archive;
    assert.equal((await getData("xiezhi", options)).revision, COMMIT);
    // The token of the hub is none of GitHub's business.
    assert.ok(hub.asked.every(({ authorization }) => authorization === null));
  });
});

Deno.test("unpack() refuses members that lead out of the folder, and damaged ones", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "a.zip");
    const bytes = await zip({ "aa/x.csv": "question,A,B,answer\n".repeat(50) });
    const place = new TextDecoder("latin1").decode(bytes);
    for (const bad of ["../x.csv", "/a/x.csv", "C:/x.csv"]) {
      const name = bad.padEnd(8, "y").slice(0, 8);
      const evil = Uint8Array.from(place.replaceAll("aa/x.csv", name), (c) => c.charCodeAt(0));
      await Deno.writeFile(path, evil);
      await assert.rejects(
        unpack(path, join(folder, "out"), () => true),
        /a zip archive; found one that is damaged \(Unsafe filename\)/,
      );
    }
    const start = place.indexOf("aa/x.csv") + 30;
    await Deno.writeFile(path, bytes.with(start, bytes[start] ^ 0xFF));
    await assert.rejects(
      unpack(path, join(folder, "out"), () => true),
      /a zip archive; found one that/,
    );
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["a.zip"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("readParts() reads every set's layout from a hub, a GitHub, or a folder", async () => {
  const chinese = async (labelled: boolean) => ({
    "haonan-li/cmmlu": { "cmmlu_v1_0_1.zip": await zip(chineseFiles("cmmlu")) },
    "ceval/ceval-exam": { "ceval-exam.zip": await zip(chineseFiles("ceval", { labelled })) },
    "vicgalle/alpaca-gpt4": alpacaFiles(),
  });
  for (const labelled of [true, false]) {
    await withHub(async (_, options) => {
      const cmmlu = await readParts("cmmlu", options);
      assert.equal(cmmlu.parts.test.questions.length, 2 * 67);
      assert.equal(cmmlu.parts.dev.questions[0].choices.length, 4);
      const { parts: { val, test } } = await readParts("ceval", options);
      assert.deepEqual([val.questions.length, val.unlabelled], [2 * 52, undefined]);
      assert.deepEqual(
        [test.questions.length, test.rejected.length, test.unlabelled ?? false],
        labelled ? [104, 0, false] : [0, 104, true],
      );
      const { general } = await readGeneralData("alpaca-gpt4-en", options);
      assert.equal(general.length, 60);
      assert.match(general[0].messages[0].content, /^Say \w+ \w+\.\n\w+$/);
      // The same from a folder, as a user unpacked it.
      const folder = await Deno.makeTempDir();
      for (const [path, text] of Object.entries(chineseFiles("cmmlu"))) {
        await Deno.mkdir(join(folder, "cmmlu", "v1", path, ".."), { recursive: true });
        await Deno.writeTextFile(join(folder, "cmmlu", "v1", path), text);
      }
      Deno.env.set("SELF_ALIGNING_DATA", folder);
      const own = await readParts("cmmlu", options);
      assert.deepEqual(own.parts.test.questions, cmmlu.parts.test.questions);
      await assert.rejects(
        readParts("mmlu", options),
        /expected its files in .*mmlu, since SELF_ALIGNING_DATA is set; found no such folder/,
      );
      await Deno.remove(folder, { recursive: true });
    }, { sets: await chinese(labelled) });
  }
});
