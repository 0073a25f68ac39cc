/** The hub's client against a server on this machine that speaks the hub's protocol, well or badly. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import { downloadModel, type HubOptions } from "../../lib/model/files/hub.ts";
import { HubUnreachable } from "../../lib/model/files/_hub_connection.ts";
import { openModel } from "../../lib/model/files/load.ts";
import { StandIn } from "../unit/_stand_in.ts";
import { openSource } from "../../lib/model/files/source.ts";
import { Interrupted } from "../../lib/platform/interrupt.ts";
import { Random } from "../../lib/statistics/random.ts";

import assert from "node:assert/strict";

const models = fileURLToPath(new URL("../numerics/fixtures/models/", import.meta.url));

const ID = "some-one/tiny.model";

const [COMMIT, LATER] = ["1".repeat(40), "2".repeat(40)];

const MB = 1024 * 1024;

type Files = Record<string, Uint8Array>;

interface Request {
  path: string;
  range: string | null;
  authorization: string | null;
}

const isLarge = (path: string) => /\.(safetensors|onnx|onnx_data)$/.test(path);

function hashOf(bytes: Uint8Array, kind: "sha1" | "sha256"): string {
  const hash = createHash(kind);
  if (kind === "sha1") hash.update(`blob ${bytes.length}\0`);
  return hash.update(bytes).digest("hex");
}

/** A hub with one model, and a second server that its large files lie on. */
class Hub implements AsyncDisposable {
  commit = COMMIT;
  readonly asked: Request[] = [];
  readonly askedStore: Request[] = [];
  /** Answers in place of the hub's, or nothing. */
  fault: (request: Request) => Response | undefined = () => undefined;
  /** Answers in place of the store's, or nothing. */
  storeFault: (request: Request, bytes: Uint8Array) => Response | undefined = () => undefined;
  readonly #hub: Deno.HttpServer<Deno.NetAddr>;
  readonly #store: Deno.HttpServer<Deno.NetAddr>;

  constructor(public files: Files) {
    const options = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
    this.#hub = Deno.serve(options, (request) => this.#answer(request));
    this.#store = Deno.serve(options, (request) => this.#answerStore(request));
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#hub.addr.port}`;
  }

  async [Symbol.asyncDispose]() {
    await Promise.all([this.#hub.shutdown(), this.#store.shutdown()]);
  }

  #note(request: globalThis.Request, list: Request[]): Request {
    const noted = {
      path: new URL(request.url).pathname,
      range: request.headers.get("range"),
      authorization: request.headers.get("authorization"),
    };
    list.push(noted);
    return noted;
  }

  #answer(request: globalThis.Request): Response {
    const noted = this.#note(request, this.asked);
    const fault = this.fault(noted);
    if (fault !== undefined) return fault;
    const [, api] = noted.path.split(`/api/models/${ID}/`);
    if (api?.startsWith("revision/")) {
      return Response.json({ _id: "x", id: ID, sha: this.commit, lastModified: "2026-01-01" });
    }
    if (api?.startsWith("tree/")) {
      const all = new URL(request.url).searchParams.get("recursive") === "true";
      const listed = Object.entries(this.files).filter(([path]) => all || !path.includes("/"));
      return Response.json(
        listed.map(([path, bytes]) => ({
          type: "file",
          path,
          size: bytes.length,
          oid: hashOf(bytes, "sha1"),
          ...(isLarge(path) &&
            { lfs: { oid: hashOf(bytes, "sha256"), size: bytes.length, pointerSize: 100 } }),
        })),
      );
    }
    const path = noted.path.replace(`/${ID}/resolve/${this.commit}/`, "");
    const bytes = this.files[path];
    if (bytes === undefined) {
      return new Response("no entry", {
        status: 404,
        headers: { "X-Error-Code": "EntryNotFound" },
      });
    }
    if (!isLarge(path)) return ranged(bytes, noted.range);
    return new Response(null, {
      status: 302,
      headers: {
        location: `http://127.0.0.1:${this.#store.addr.port}/${path}`,
        "x-linked-etag": `"${hashOf(bytes, "sha256")}"`,
        "x-linked-size": String(bytes.length),
      },
    });
  }

  #answerStore(request: globalThis.Request): Response {
    const noted = this.#note(request, this.askedStore);
    const bytes = this.files[noted.path.slice(1)];
    return this.storeFault(noted, bytes) ?? ranged(bytes, noted.range);
  }

  /** The ranges of the store's file that were asked for, but for the client's look at one byte. */
  get ranges(): (string | null)[] {
    return this.askedStore.map(({ range }) => range).filter((range) => range !== "bytes=0-0");
  }
}

function ranged(bytes: Uint8Array, range: string | null): Response {
  const headers = { etag: `"${hashOf(bytes, "sha1")}"` };
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
  if (from === undefined) return new Response(bytes.slice(), { headers });
  const part = bytes.slice(Number(from), Number(to) + 1);
  const content = `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}`;
  return new Response(part, { status: 206, headers: { ...headers, "content-range": content } });
}

/** An answer whose connection is cut after some of its bytes. */
function cut(bytes: Uint8Array, range: string | null): Response {
  const whole = ranged(bytes, range);
  const reader = whole.body!.getReader();
  const body = new ReadableStream({
    async pull(controller) {
      const { value } = await reader.read();
      controller.enqueue(value!.slice(0, 1000));
      controller.error(new Error("cut"));
    },
  });
  return new Response(body, whole);
}

const modelFiles = (name: string): Files =>
  Object.fromEntries(
    [...Deno.readDirSync(join(models, name))].filter(({ isFile }) => isFile).map((
      { name: file },
    ) => [
      file,
      Deno.readFileSync(join(models, name, file)),
    ]),
  );

/** A graph as transformers.js wants it, another kind of it, and the safetensors. */
const graphFiles = (): Files => {
  const folder = fileURLToPath(new URL("../numerics/fixtures/onnx/llama/", import.meta.url));
  const names = ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"];
  const graphs = ["onnx/model.onnx", "onnx/model.onnx_data", "onnx/model_q4.onnx"];
  return Object.fromEntries(
    [...names, ...graphs].map((name) => [name, Deno.readFileSync(join(folder, name))]),
  );
};

const text = (value: string) => new TextEncoder().encode(value);

const tiny = modelFiles("qwen2");

/** A file of three ranges, the last one short. */
const large: Files = (() => {
  const random = new Random("hub");
  const numbers = Uint32Array.from({ length: 5 * MB }, () => random.integer(2 ** 32));
  return { "config.json": text("{}"), "model.safetensors": new Uint8Array(numbers.buffer) };
})();

/** Runs `body` with variables of the environment set. */
async function withEnvironment(values: Record<string, string>, body: () => Promise<void>) {
  const before = Object.keys(values).map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of Object.entries(values)) Deno.env.set(name, value);
  try {
    await body();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}

/** A test with a hub and a cache of its own; nothing is printed. */
function hubTest(
  name: string,
  files: Files,
  body: (
    hub: Hub,
    download: (options?: Partial<HubOptions>) => Promise<string>,
    said: string[],
    cache: string,
  ) => Promise<void>,
) {
  Deno.test(name, async () => {
    const cacheDirectory = await Deno.makeTempDir();
    const said: string[] = [];
    await using hub = new Hub({ ...files });
    const options = {
      cacheDirectory,
      endpoint: hub.endpoint,
      offline: false,
      token: "hf_secret",
      patience: 0.01,
      onProgress: (line: string) => void said.push(line),
    };
    try {
      const download = async (more = {}) =>
        (await downloadModel(ID, { ...options, ...more })).folder;
      await body(hub, download, said, cacheDirectory);
    } finally {
      await Deno.remove(cacheDirectory, { recursive: true });
    }
  });
}

hubTest(
  "downloadModel() takes the copy that another program has of the same commit",
  tiny,
  async (hub, download, _, cache) => {
    const base = join(cache, "home", "hub", "models--some-one--tiny.model");
    const snapshot = join(base, "snapshots", COMMIT);
    await Deno.mkdir(snapshot, { recursive: true });
    await Deno.mkdir(join(base, "refs"));
    await Deno.writeTextFile(join(base, "refs", "main"), COMMIT);
    for (const [name, bytes] of Object.entries(tiny)) {
      if (!name.includes("/")) await Deno.writeFile(join(snapshot, name), bytes);
    }
    const own = join(cache, "hub", "some-one--tiny.model", COMMIT);
    const fetched = () => hub.asked.filter(({ path }) => path.includes("/resolve/"));
    await withEnvironment({ HF_HOME: join(cache, "home") }, async () => {
      assert.equal(await download({ offline: true }), snapshot);
      // The hub tells the commit, and then no more.
      const cut = () => new Response(new ReadableStream({ start: (body) => body.error("cut") }));
      hub.fault = ({ path }) => path.includes("/tree/") ? cut() : undefined;
      assert.equal(await download(), snapshot);
      hub.fault = () => undefined;
      assert.equal(await download(), own);
      assert.deepEqual(fetched(), []);
      for (const name of ["config.json", "model.safetensors"]) {
        assert.deepEqual(await Deno.readFile(join(own, name)), tiny[name]);
      }
      // The branch has gone on: the hub's is taken.
      hub.commit = LATER;
      assert.ok((await download()).endsWith(LATER));
    });
  },
);

hubTest(
  "downloadModel() fetches what another program's copy lacks, and what that has removed",
  {
    ...tiny,
    "generation_config.json": text('{"eos_token_id": [2, 3]}'),
    "tokenizer.json": text("{}"),
  },
  async (hub, download, _, cache) => {
    const base = join(cache, "home", "hub", "models--some-one--tiny.model");
    const snapshot = join(base, "snapshots", COMMIT);
    await Deno.mkdir(snapshot, { recursive: true });
    for (const name of ["config.json", "model.safetensors"]) {
      await Deno.writeFile(join(snapshot, name), tiny[name]);
    }
    const link = Deno.link;
    await withEnvironment({ HF_HOME: join(cache, "home") }, async () => {
      assert.equal(await download({ revision: COMMIT, offline: true }), snapshot);
      Deno.link = () => Promise.reject(new Error("another disk"));
      try {
        const folder = await download({ revision: COMMIT });
        using source = await openSource(folder, { tokenizer: false });
        assert.deepEqual(source.configuration.eosTokenIds, [2, 3]);
        assert.equal(await Deno.readTextFile(join(folder, "tokenizer.json")), "{}");
        assert.deepEqual(hub.askedStore, []);
        await Deno.remove(snapshot, { recursive: true });
        assert.equal(await download({ revision: COMMIT }), folder);
        const path = join(folder, "model.safetensors");
        assert.deepEqual(await Deno.readFile(path), tiny["model.safetensors"]);
      } finally {
        Deno.link = link;
      }
    });
  },
);

hubTest(
  "downloadModel() fetches what a model needs, of one commit",
  tiny,
  async (hub, download) => {
    hub.files["README.md"] = text("# not needed");
    const folder = await download();
    assert.ok(folder.endsWith(COMMIT), folder);
    for (const name of ["config.json", "model.safetensors"]) {
      assert.deepEqual(await Deno.readFile(join(folder, name)), tiny[name]);
    }
    await assert.rejects(Deno.stat(join(folder, "README.md")), Deno.errors.NotFound);
    assert.ok(hub.asked.every(({ path }) => !path.includes("/resolve/main/")));
    const left = [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".partial"));
    assert.deepEqual(left, []);
  },
);

hubTest("downloadModel() gives the token to the hub alone", tiny, async (hub, download) => {
  await download();
  assert.ok(hub.asked.every(({ authorization }) => authorization === "Bearer hf_secret"));
  assert.ok(hub.askedStore.length > 0);
  assert.ok(hub.askedStore.every(({ authorization }) => authorization === null));
});

hubTest(
  "downloadModel() asks for nothing twice, and for a commit not at all",
  tiny,
  async (hub, download) => {
    const folder = await download();
    hub.asked.length = hub.askedStore.length = 0;
    assert.equal(await download(), folder);
    assert.equal(hub.asked.length, 1);
    assert.match(hub.asked[0].path, /revision\/main$/);
    assert.equal(await download({ revision: COMMIT }), folder);
    assert.equal(await download({ offline: true }), folder);
    assert.deepEqual([hub.asked.length, hub.askedStore.length], [1, 0]);
  },
);

hubTest(
  "downloadModel() follows a branch to its new commit and keeps the old one",
  tiny,
  async (hub, download) => {
    const before = await download();
    hub.commit = LATER;
    hub.files = modelFiles("llama");
    const after = await download();
    assert.ok(after.endsWith(LATER));
    assert.deepEqual(await Deno.readFile(join(before, "config.json")), tiny["config.json"]);
    assert.deepEqual(await Deno.readFile(join(after, "config.json")), hub.files["config.json"]);
  },
);

hubTest(
  "downloadModel() fetches every file of a model in several",
  modelFiles("llama/sharded"),
  async (hub, download) => {
    const folder = await download();
    for (const [name, bytes] of Object.entries(hub.files)) {
      assert.deepEqual(await Deno.readFile(join(folder, name)), bytes);
    }
  },
);

hubTest(
  "downloadModel() fetches a large file in ranges and tells how far it is",
  large,
  async (hub, download, said) => {
    const folder = await download();
    assert.deepEqual(
      await Deno.readFile(join(folder, "model.safetensors")),
      large["model.safetensors"],
    );
    const last = 20 * MB - 1;
    assert.deepEqual(hub.ranges, [
      `bytes=0-${8 * MB - 1}`,
      `bytes=${8 * MB}-${16 * MB - 1}`,
      `bytes=${16 * MB}-${last}`,
    ]);
    assert.match(
      said[0],
      /Downloading model\.safetensors of some-one\/tiny\.model: 0 of 21 MB/,
    );
    assert.match(said.at(-1)!, /21 of 21 MB/);
  },
);

hubTest(
  "downloadModel() goes on after a connection that was cut",
  large,
  async (hub, download, said) => {
    let cuts = 0;
    hub.storeFault = ({ range }, bytes) =>
      Number(range?.match(/\d+/)) >= 8 * MB && cuts++ < 2 ? cut(bytes, range) : undefined;
    const folder = await download();
    assert.equal(
      hashOf(await Deno.readFile(join(folder, "model.safetensors")), "sha256"),
      hashOf(large["model.safetensors"], "sha256"),
    );
    assert.equal(hub.ranges.length, 5);
    assert.ok(said.some((line) => /again in 0\.02 s/.test(line)), said.join("\n"));
  },
);

hubTest(
  "downloadModel() stops at once when it is told to, and goes on from what came",
  large,
  async (hub, download) => {
    const stop = new AbortController();
    hub.storeFault = ({ range }) => {
      if (!range?.startsWith(`bytes=${8 * MB}-`)) return undefined;
      setTimeout(() => stop.abort(), 50);
      return new Response(new ReadableStream(), { status: 206 }); // which never sends a byte
    };
    const error = await download({ signal: stop.signal }).catch((error) => error);
    assert.ok(error instanceof Interrupted, String(error));
    assert.match(error.message, /^Stopped the download of some-one.*; what has come is kept/);
    assert.equal(hub.ranges.length, 2, "nothing is asked again");
    hub.storeFault = () => undefined;
    await download();
    assert.equal(hub.ranges[2], `bytes=${8 * MB}-${16 * MB - 1}`);
  },
);

hubTest(
  "downloadModel() goes on where an earlier run stopped",
  large,
  async (hub, download, said) => {
    hub.storeFault = ({ range }) =>
      range?.startsWith(`bytes=${16 * MB}-`) ? new Response("broken", { status: 502 }) : undefined;
    await assert.rejects(download(), /model\.safetensors.*status 502.*try again later/s);
    hub.storeFault = () => undefined;
    hub.askedStore.length = 0;
    const folder = await download();
    assert.deepEqual(hub.ranges, [`bytes=${16 * MB}-${20 * MB - 1}`]);
    assert.ok(said.some((line) => /: 17 of 21 MB/.test(line)), said.join("\n"));
    assert.deepEqual(
      await Deno.readFile(join(folder, "model.safetensors")),
      large["model.safetensors"],
    );
  },
);

hubTest(
  "downloadModel() refuses a file that isn't what the hub says, and keeps none of it",
  tiny,
  async (hub, download, _, cache) => {
    hub.storeFault = ({ range }, bytes) => {
      const changed = bytes.slice();
      changed[5000] ^= 1;
      return ranged(changed, range);
    };
    await assert.rejects(download(), (error: Error) => {
      assert.match(
        error.message,
        /model\.safetensors with sha256 digest [0-9a-f]{64}; found [0-9a-f]{64}/,
      );
      return true;
    });
    const folder = join(cache, "hub", "some-one--tiny.model", COMMIT);
    await assert.rejects(Deno.stat(join(folder, "model.safetensors")), Deno.errors.NotFound);
    await assert.rejects(Deno.stat(join(folder, "complete.json")), Deno.errors.NotFound);
    hub.storeFault = () => undefined;
    await download();
    assert.deepEqual(
      await Deno.readFile(join(folder, "model.safetensors")),
      tiny["model.safetensors"],
    );
  },
);

hubTest(
  "downloadModel() refuses a small file that isn't what git says",
  tiny,
  async (hub, download) => {
    hub.fault = ({ path, range }) =>
      path.endsWith("/config.json")
        ? ranged(tiny["config.json"].map((b) => b ^ 1), range)
        : undefined;
    await assert.rejects(download(), /config\.json with git digest/);
  },
);

hubTest(
  "downloadModel() asks again a store that gives part of a file for all of it, and refuses it then",
  large,
  async (hub, download, _, cache) => {
    let busy = 1;
    hub.storeFault = ({ range }, bytes) =>
      range === "bytes=0-0" || busy-- < 1 ? undefined : new Response(bytes.slice(0, 9 * MB));
    await download();
    await Deno.remove(join(cache, "hub"), { recursive: true });
    busy = Infinity;
    await assert.rejects(download(), /model\.safetensors.*9437184 bytes came instead of 20971520/);
  },
);

const statuses: [number, RegExp][] = [
  [401, /status 401 .*check the spelling.*set HF_TOKEN/],
  [403, /status 403 .*ask for access on http.*some-one\/tiny\.model, then set HF_TOKEN/],
  [404, /status 404 .*has revision main/],
];
for (const [status, message] of statuses) {
  hubTest(
    `downloadModel() says what to do about ${status}, at once`,
    tiny,
    async (hub, download) => {
      hub.fault = () => Response.json({ error: "Refused <b>here</b>" }, { status });
      await assert.rejects(download(), (error: Error) => {
        assert.match(error.message, message);
        assert.match(error.message, /^Cannot open model some-one\/tiny\.model: .*Refused/);
        return true;
      });
      assert.equal(hub.asked.length, 1);
    },
  );
}

hubTest("downloadModel() waits as long as a 429 says", tiny, async (hub, download, said) => {
  let refusals = 0;
  hub.fault = () =>
    refusals++ < 1
      ? new Response("", { status: 429, headers: { "retry-after": "0.3" } })
      : undefined;
  const start = performance.now();
  await download();
  assert.ok(performance.now() - start >= 300);
  assert.match(said[0], /429; again in 0\.3 s/);
});

for (
  const [status, message] of [[429, /wait some minutes/], [
    500,
    /the server is in trouble/,
  ]] as const
) {
  hubTest(`downloadModel() gives up on ${status} after some tries`, tiny, async (hub, download) => {
    hub.storeFault = () => new Response("", { status });
    await assert.rejects(download(), message);
    assert.equal(hub.askedStore.length, 5);
  });
}

hubTest("downloadModel() refuses answers that aren't the hub's", tiny, async (hub, download) => {
  hub.fault = () => new Response("<html>Log in to the network</html>");
  await assert.rejects(
    download(),
    /Cannot open model some-one\/tiny\.model: expected its model from http/,
  );
  hub.fault = () => Response.json({ sha: "../../etc" });
  await assert.rejects(download(), /expected a commit from .*found "\.\.\/\.\.\/etc".*HF_ENDPOINT/);
});

hubTest(
  "downloadModel() refuses models without safetensors, and says what they have",
  {},
  async (hub, download) => {
    hub.files = { "config.json": text("{}"), "x.Q8_0.gguf": text("GGUF") };
    await assert.rejects(
      download(),
      /found config\.json, x\.Q8_0\.gguf; download one of its \.gguf/,
    );
    hub.files = { "adapter_config.json": text("{}"), "adapter_model.safetensors": text("x") };
    await assert.rejects(download(), /this is an adapter: load its model, then loadLora/);
    hub.files = { "model.safetensors": text("x") };
    await assert.rejects(download(), /expected config\.json on the hub/);
    const index = (shard: string) => text(JSON.stringify({ weight_map: { a: shard } }));
    hub.commit = LATER;
    hub.files = {
      "config.json": text("{}"),
      "model.safetensors.index.json": index("a.safetensors"),
    };
    await assert.rejects(download(), /expected a\.safetensors on the hub/);
    hub.commit = "3".repeat(40);
    hub.files["model.safetensors.index.json"] = index("../../../../tmp/a.safetensors");
    await assert.rejects(download(), /file name ending in \.safetensors for "a"/);
  },
);

hubTest(
  "downloadModel() asks again where an answer stalls midway, and gives up in the end",
  large,
  async (hub, download, said) => {
    /** Some bytes, and then nothing more until the client leaves. */
    const stalled = (bytes: Uint8Array, range: string | null) => {
      const { status, headers } = ranged(bytes, range), from = Number(range?.match(/\d+/));
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(bytes.slice(from, from + 1000)),
      });
      return new Response(body, { status, headers });
    };
    let stalls = 1;
    hub.storeFault = ({ range }, bytes) =>
      Number(range?.match(/\d+/)) >= 8 * MB && stalls-- > 0 ? stalled(bytes, range) : undefined;
    const folder = await download({ timeout: 0.5 });
    // What came before the stall is not asked for again.
    assert.ok(hub.ranges.includes(`bytes=${8 * MB + 1000}-${16 * MB - 1}`), `${hub.ranges}`);
    assert.ok(said.some((line) => /model\.safetensors .*again in/.test(line)), said.join("\n"));
    assert.deepEqual(
      await Deno.readFile(join(folder, "model.safetensors")),
      large["model.safetensors"],
    );
    await Deno.remove(folder, { recursive: true });
    stalls = Infinity;
    await assert.rejects(download({ timeout: 0.2 }), (error: Error) => {
      assert.ok(error instanceof HubUnreachable);
      assert.match(error.message, /found no answer \(.*time.*goes on where it stopped/i);
      return true;
    });
  },
);

hubTest(
  "downloadModel() refuses a file that changes midway, and takes it whole the next time",
  large,
  async (hub, download, _, cache) => {
    const other = large["model.safetensors"].map((byte) => byte ^ 1);
    // From the second range on the store has another file, with another etag.
    let changed = true;
    hub.storeFault = ({ range }) =>
      changed && range !== "bytes=0-0" && !range?.startsWith("bytes=0-")
        ? ranged(other, range)
        : undefined;
    await assert.rejects(download(), /sha256 digest .* the download was removed: run it again/);
    const folder = join(cache, "hub", "some-one--tiny.model", COMMIT);
    for (const { name } of Deno.readDirSync(folder)) {
      if (name.startsWith("model.safetensors")) {
        assert.equal(Deno.statSync(join(folder, name)).size, 0);
      }
    }
    changed = false;
    await download();
    assert.deepEqual(
      await Deno.readFile(join(folder, "model.safetensors")),
      large["model.safetensors"],
    );
  },
);

hubTest(
  "downloadModel() says what a 416 means, and refuses a length that isn't the list's",
  tiny,
  async (hub, download) => {
    hub.storeFault = ({ range }) =>
      range === "bytes=0-0" ? undefined : new Response("", { status: 416 });
    await assert.rejects(download(), /status 416 .*shorter than the hub's list says/);
    // The list says one byte more than the file has.
    hub.storeFault = () => undefined;
    const listed = hub.files["model.safetensors"];
    hub.fault = ({ path }) =>
      path.includes("/tree/")
        ? Response.json(
          Object.entries(hub.files).map(([path, bytes]) => ({
            type: "file",
            path,
            size: bytes.length + Number(bytes === listed),
            oid: hashOf(bytes, "sha1"),
          })),
        )
        : undefined;
    await assert.rejects(
      download(),
      new RegExp(
        `expected ${listed.length + 1} bytes of model\\.safetensors; found ${listed.length}`,
      ),
    );
  },
);

hubTest(
  "downloadModel() keeps nothing of a short answer that stands in place of the file",
  tiny,
  async (hub, download) => {
    // The first tells its length, the second doesn't.
    const answers = ["busy now", new Blob(["busy"]).stream()];
    hub.storeFault = () => answers.length > 0 ? new Response(answers.shift()) : undefined;
    const folder = await download();
    assert.deepEqual(
      await Deno.readFile(join(folder, "model.safetensors")),
      tiny["model.safetensors"],
    );
    assert.equal(hub.askedStore.length, 3);
  },
);

hubTest(
  "downloadModel() names a pointer of Git LFS, packed bytes and a list of another form",
  tiny,
  async (hub, download) => {
    const advice = "something between here and the hub answered";
    const refused = (found: string) =>
      assert.rejects(download(), new RegExp(`found ${found}.*; ${advice}`));
    const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    hub.storeFault = () => new Response(pointer);
    await refused("a pointer of Git LFS in place of the file");
    hub.storeFault = () => new Response(new Blob([pointer]).stream());
    await refused("a pointer of Git LFS in place of the file");
    const headers = { "content-encoding": "gzip" };
    hub.storeFault = () => new Response("packed", { headers });
    await refused("bytes packed by gzip, which were not asked for");
    hub.fault = ({ path }) => path.includes("/tree/") ? Response.json(null) : undefined;
    await refused("an answer of another form");
  },
);

hubTest(
  "downloadModel() without an answer takes the copy, or says so",
  tiny,
  async (hub, download, said) => {
    const nowhere = "http://127.0.0.1:9"; // the discard port: nobody listens
    await assert.rejects(download({ endpoint: nowhere }), (error: Error) => {
      assert.ok(error instanceof HubUnreachable);
      assert.match(
        error.message,
        /some-one\/tiny\.model.*127\.0\.0\.1:9; found no answer.*HF_ENDPOINT/,
      );
      return true;
    });
    await assert.rejects(download({ offline: true }), /HF_HUB_OFFLINE is set/);
    const folder = await download();
    assert.equal(await download({ endpoint: nowhere }), folder);
    assert.match(said.at(-1)!, /does not answer: using the copy of commit 1{40}/);
    assert.equal(hub.asked.length > 0, true);
  },
);

hubTest(
  "downloadModel() lets two who want the same file wait for each other",
  large,
  async (hub, download) => {
    const folders = await Promise.all([download(), download(), download()]);
    assert.equal(new Set(folders).size, 1);
    assert.equal(hub.ranges.length, 3);
  },
);

hubTest(
  "downloadModel() refuses names, revisions and tokens of other forms",
  tiny,
  async (_, download) => {
    for (const revision of ["../x", "a b", "-x", "/etc"]) {
      await assert.rejects(download({ revision }), /expected owner\/name and a branch/);
    }
    await assert.rejects(downloadModel("a/../b", { cacheDirectory: "x" }), /check the spelling/);
    for (const token of ["hf_sec\nret", "hf_a secret"]) {
      await assert.rejects(download({ token }), (error: Error) => {
        assert.match(error.message, /access token without spaces/);
        assert.ok(!error.message.includes("ret"));
        return true;
      });
    }
    for (const endpoint of ["hf-mirror.com", "localhost:8080", "ftp://x.org", "https://"]) {
      await assert.rejects(download({ endpoint }), (error: Error) => {
        assert.match(error.message, /expected HF_ENDPOINT to be an address such as https:/);
        assert.ok(error.message.includes(`found "${endpoint}"; write it with https://`));
        return true;
      });
    }
  },
);

hubTest(
  "downloadModel() takes a token with a line break behind it, and an address with slashes",
  tiny,
  async (hub, download) => {
    await download({ token: "hf_secret\n", endpoint: `${hub.endpoint}//` });
    assert.ok(hub.asked.every(({ authorization }) => authorization === "Bearer hf_secret"));
    assert.ok(hub.asked.every(({ path }) => !path.startsWith("//")));
  },
);

hubTest(
  "downloadModel() refuses a login in an address and prints none, of a proxy neither",
  tiny,
  async (hub, download, said) => {
    for (const scheme of ["http:", "ftp:"]) {
      const endpoint = hub.endpoint.replace("http://", `${scheme}//ann:p%40ss@`);
      await assert.rejects(download({ endpoint }), (error: Error) => {
        assert.match(error.message, /found one with a name or a password .* goes into HF_TOKEN/);
        assert.ok(!error.message.includes("p%40ss"), error.message);
        return true;
      });
    }
    assert.equal(hub.asked.length, 0);
    hub.fault = () => Response.json({ error: "by http://ann:p%40ss@x" }, { status: 503 });
    await assert.rejects(download(), (error: Error) => {
      for (const text of [error.message, ...said]) assert.ok(!text.includes("p%40ss"), text);
      return true;
    });
  },
);

hubTest(
  "downloadModel() follows a list to another address without the token",
  tiny,
  async (hub, download) => {
    await using other = new Hub({ ...tiny });
    hub.fault = ({ path }) =>
      path.includes("/tree/")
        ? new Response("[]", {
          headers: { link: `<${other.endpoint}${path}>; rel="next"` },
        })
        : undefined;
    await download();
    assert.equal(other.asked.length, 1);
    assert.equal(other.asked[0].authorization, null);
    assert.ok(hub.asked.every(({ authorization }) => authorization === "Bearer hf_secret"));
  },
);

hubTest(
  "downloadModel() takes whole files from a mirror that knows no ranges, and goes on in them",
  large,
  async (hub, download) => {
    const whole = (bytes: Uint8Array) => new Response(bytes.slice());
    hub.fault = ({ path }) =>
      path.endsWith("/config.json") ? whole(large["config.json"]) : undefined;
    let asked = 0;
    hub.storeFault = ({ range }, bytes) => asked++ === 0 ? ranged(bytes, range) : whole(bytes);
    const folder = await download();
    // The first range, and then all of the file for the second.
    assert.equal(hub.askedStore.length, 2);
    assert.deepEqual(
      await Deno.readFile(join(folder, "model.safetensors")),
      large["model.safetensors"],
    );
  },
);

hubTest(
  "downloadModel() tells a range that says no length, and refuses one from elsewhere in the file",
  tiny,
  async (hub, download) => {
    let shift = 1, open = 0;
    const endless = () =>
      new ReadableStream({
        start: (controller) => (open++, controller.enqueue(new Uint8Array(1000))),
        cancel: () => void open--,
      });
    hub.storeFault = ({ range }, bytes) => {
      const { headers, body } = ranged(bytes, range);
      if (shift === 0) headers.delete("content-range");
      else headers.set("content-range", `bytes ${shift}-${bytes.length}/${bytes.length}`);
      headers.delete("content-length");
      return new Response(shift === 0 ? body : endless(), { status: 206, headers });
    };
    const elsewhere = /model\.safetensors .*bytes from 1 on came instead/;
    await assert.rejects(download({ timeout: 5 }), elsewhere);
    // None of these connections is left open, which would keep the process until it times out.
    for (let i = 0; open > 0 && i < 100; i++) await delay(20);
    assert.equal(open, 0);
    shift = 0;
    await download();
  },
);

hubTest(
  "downloadModel() says that a login page answered, whatever it was asked",
  tiny,
  async (hub, download) => {
    const page = () =>
      new Response("<!doctype html><title>Log in</title>", {
        headers: { "content-type": "text/html" },
      });
    await using login = new Hub({});
    login.fault = page;
    const advice = /something between here and the hub answered: log in to the network, or check/;
    for (const part of ["/revision/", "/tree/", "config.json"]) {
      hub.fault = ({ path }) => path.includes(part) ? page() : undefined;
      await assert.rejects(download(), (error: Error) => {
        assert.match(error.message, /found a web page/);
        assert.match(error.message, advice);
        return true;
      });
      hub.fault = ({ path }) =>
        path.includes(part) ? Response.redirect(`${login.endpoint}/login`) : undefined;
      await assert.rejects(
        download(),
        new RegExp(`a web page.* from ${new URL(login.endpoint).host}`),
      );
      assert.ok(login.asked.every(({ authorization }) => authorization === null));
    }
    hub.fault = ({ path }) => path.includes("/tree/") ? new Response("[{]") : undefined;
    await assert.rejects(download(), /found no JSON but "\[\{\]"/);
    hub.fault = ({ path }) =>
      path.includes("/tree/")
        ? Response.json([{ type: "file", path: "config.json", size: 2 }])
        : undefined;
    await assert.rejects(
      download(),
      /found no size or digest of "config\.json"; check HF_ENDPOINT/,
    );
  },
);

hubTest("downloadModel() says how to get at a gated model's files", tiny, async (hub, download) => {
  hub.fault = ({ path }) =>
    path.includes("/resolve/")
      ? Response.json({ error: "Access is restricted" }, {
        status: 401,
        headers: { "x-error-code": "GatedRepo" },
      })
      : undefined;
  await assert.rejects(
    download(),
    /its config\.json .*status 401 \(Access is restricted\); ask for access on http.*set HF_TOKEN/,
  );
});

hubTest(
  "openSource() opens a hub model and keeps its commit",
  tiny,
  async (hub, _download, said, cache) => {
    await withEnvironment({ HF_ENDPOINT: `${hub.endpoint}/` }, async () => {
      const options = { cacheDirectory: cache, onProgress: (line: string) => void said.push(line) };
      using source = await openSource(ID, options);
      assert.equal(source.configuration.family, "qwen2");
      assert.equal(source.description.kind, "hub");
      assert.equal(source.description.revision, COMMIT);
      assert.equal(source.description.digest, hashOf(tiny["model.safetensors"], "sha256"));
      assert.deepEqual((await source.read("model.norm.weight")).shape, [32]);
    });
  },
);

hubTest(
  "openModel() fetches the ONNX graph that was asked for, with the weights beside it, and no other",
  graphFiles(),
  async (hub, download, said, cacheDirectory) => {
    const options = { cacheDirectory, onProgress: (line: string) => void said.push(line) };
    const fetched = () =>
      [...new Set(hub.askedStore.splice(0).map(({ path }) => path.slice(1)))].sort();
    const source = `onnx:${ID}`;
    await withEnvironment({ HF_ENDPOINT: hub.endpoint, HF_TOKEN: "hf_secret" }, async () => {
      const model = await openModel(source, options);
      assert.deepEqual(fetched(), ["onnx/model.onnx", "onnx/model.onnx_data"]);
      assert.equal(model.description!.revision, COMMIT);
      const [logits] = await model.nextTokenLogits([model.requireTokenizer().encode("the sun")]);
      assert.ok(logits.every(Number.isFinite));
      model.dispose();
      assert.ok(hub.asked.every(({ authorization }) => authorization === "Bearer hf_secret"));
      // The other kind of numbers is another download.
      (await openModel(`${source}@q4`, options)).dispose();
      assert.deepEqual(fetched(), ["onnx/model_q4.onnx"]);
      await assert.rejects(
        openModel(`${source}@q8`, options),
        /expected onnx\/model_quantized\.onnx .*found onnx\/model\.onnx, onnx\/model_q4\.onnx; choose/,
      );
    });
    await withEnvironment({ HF_ENDPOINT: "http://127.0.0.1:9", HF_HUB_OFFLINE: "1" }, async () => {
      (await openModel(`${source}@q4`, options)).dispose();
      await assert.rejects(openModel(`${source}@q8`, options), /HF_HUB_OFFLINE is set/);
    });
    // A copy of the graph is none of the safetensors.
    fetched();
    await download();
    assert.deepEqual(fetched(), ["model.safetensors"]);
  },
);

hubTest(
  "openModel() says what to do about a hub model without ONNX graphs",
  tiny,
  async (hub, _download, _said, cacheDirectory) => {
    await withEnvironment({ HF_ENDPOINT: hub.endpoint }, () =>
      assert.rejects(
        openModel(`onnx:${ID}@q4`, { cacheDirectory, onProgress: () => {} }),
        /expected onnx\/model_q4\.onnx on the hub; found .*config\.json.*; load its safetensors, without onnx:/,
      ));
  },
);

hubTest(
  "openModel() of a served hub model fetches its tokenizer alone",
  graphFiles(),
  async (hub, download, _said, cacheDirectory) => {
    await using server = new StandIn(undefined, { name: ID, next: { A: -1, B: -2 } });
    const options = {
      ...{ server: server.address, cacheDirectory, onProgress: () => {} },
      serving: { answersDirectory: `${cacheDirectory}/answers` },
    };
    const fetched = () =>
      [...new Set(hub.askedStore.splice(0).map(({ path }) => path.slice(1)))].sort();
    await withEnvironment({ HF_ENDPOINT: hub.endpoint, HF_TOKEN: "hf_secret" }, async () => {
      fetched();
      const model = await openModel(ID, options);
      assert.ok(model.requireTokenizer().encode("the sun").length > 0);
      assert.deepEqual(fetched(), []);
      assert.ok(server.asked.every(({ authorization }) => authorization === null));
    });
    // Then without the hub; the model itself is still to be had.
    await withEnvironment({ HF_ENDPOINT: "http://127.0.0.1:9", HF_HUB_OFFLINE: "1" }, async () => {
      await openModel(ID, options);
      const other = {
        ...options,
        server: server.address,
        cacheDirectory: `${cacheDirectory}/other`,
      };
      await assert.rejects(openModel(ID, other), /HF_HUB_OFFLINE is set.*--tokenizer=none/);
    });
    await download();
    assert.deepEqual(fetched(), ["model.safetensors"]);
  },
);
