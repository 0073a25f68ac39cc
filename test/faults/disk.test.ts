/**
 * A disk that is full: nothing is left half-written, and errors name the path and the bytes. The disk is a
 * memory file system of 16 kB that a process of its own mounts where no other sees it.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { roomAt, writeWhole, writingError } from "../../lib/platform/runtime/files.ts";

const ROOM = 16_384;
const script = join(import.meta.dirname!, "_full_disk.ts");

/** The command that runs `inner` beside a small disk on `folder`. */
const beside = (folder: string, inner: string) =>
  new Deno.Command("unshare", {
    args: [
      "--user",
      "--map-root-user",
      "--mount",
      "sh",
      "-c",
      `mount -t tmpfs -o size=${ROOM} tmpfs "$0" && ${inner}`,
      folder,
      Deno.execPath(),
      script,
    ],
    stdout: "piped",
    stderr: "piped",
  });

const folder = await Deno.makeTempDir();
const able = Deno.build.os === "linux" &&
  await beside(folder, "true").output().then(({ success }) => success, () => false);
if (!able) console.log("Full disks skipped: this system gives no process a mount of its own");

/** A hub with a model of large weights, and one with a long configuration. */
function serve(): Deno.HttpServer<Deno.NetAddr> {
  const commit = "1".repeat(40);
  const sized = (bytes: number) => new TextEncoder().encode(`{"x":"${"x".repeat(bytes)}"}`);
  const models: Record<string, Record<string, Uint8Array<ArrayBuffer>>> = {
    large: { "config.json": sized(10), "model.safetensors": sized(60_000) },
    wordy: { "config.json": sized(50_000), "model.safetensors": sized(10) },
  };
  const sha1 = (bytes: Uint8Array) =>
    createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
  return Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    const files = models[/some-one\/(\w+)/.exec(pathname)![1]];
    if (pathname.includes("/revision/")) {
      return Response.json({ _id: "x", id: "x", sha: commit, lastModified: "2026-01-01" });
    }
    if (pathname.includes("/tree/")) {
      return Response.json(
        Object.entries(files).map(([path, bytes]) => ({
          type: "file",
          path,
          size: bytes.length,
          oid: sha1(bytes),
        })),
      );
    }
    const bytes = files[pathname.split("/").at(-1)!];
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("range") ?? "") ?? [];
    const part = bytes.slice(Number(from ?? 0), to === undefined ? undefined : Number(to) + 1);
    return new Response(part, {
      status: from === undefined ? 200 : 206,
      headers: {
        etag: `"${sha1(bytes)}"`,
        "content-range": `bytes ${from ?? 0}-${to ?? bytes.length - 1}/${bytes.length}`,
      },
    });
  });
}

Deno.test({
  name:
    "on a full disk models, cells, tables, figures and downloads are whole or not there, and say why",
  ignore: !able,
  async fn() {
    const server = serve();
    const inner = `exec "$1" run -A --no-check "$2" "$0" http://127.0.0.1:${server.addr.port}`;
    const { success, stdout, stderr } = await beside(folder, inner).output();
    await server.shutdown();
    assert.ok(success, new TextDecoder().decode(stderr));
    const outcomes: Record<string, { error?: string; files: Record<string, number> }> = JSON.parse(
      new TextDecoder().decode(stdout).trim().split("\n").at(-1)!,
    );
    const { small, overwritten, large, wordy, figure, model, ...others } = outcomes;
    assert.deepEqual(small, { files: { "a.txt": 5 } });
    const full = (path: string, bytes: string) =>
      new RegExp(
        `^Cannot write ${folder}/${path}: expected room for ${bytes}; found \\d+ kB; free`,
      );

    // What was there stays as it was.
    assert.match(overwritten.error!, full("overwritten/a\\.txt", "100 kB"));
    assert.deepEqual(overwritten.files, { "a.txt": "before".length });

    const expected = {
      bytes: full("bytes/a\\.bin", "100 kB"),
      // Of pieces it is known how many bytes came so far.
      pieces: full("pieces/a\\.bin", "\\d+ kB"),
      cell: full("cell/cell-1\\.json", "101 kB"),
      table: full("table/t\\.md", "301 kB"),
    };
    assert.deepEqual(Object.keys(others).sort(), Object.keys(expected).sort());
    for (const [name, message] of Object.entries(expected)) {
      assert.match(others[name].error!, message);
      assert.deepEqual(others[name].files, {}, name);
    }
    // Its weights fit, its tokenizer does not: without config.json no one takes the folder for a model.
    assert.match(model.error!, full("model/tokenizer\\.json", "\\d+ kB"));
    assert.deepEqual(Object.keys(model.files), ["model.safetensors"]);
    // A figure's files are written one by one; each is whole.
    assert.match(figure.error!, full("figure/f\\.json", "\\d+ kB"));
    assert.ok(Object.keys(figure.files).every((file) => /^f\.(svg|png)$/.test(file)));

    // Weights are known beforehand to have no room: nothing of them is asked for.
    assert.match(
      large.error!,
      /^Cannot open model some-one\/large: expected room for 61 kB in .*; found \d+ kB; free some/,
    );
    assert.deepEqual(
      Object.keys(large.files).map((path) => path.split("/").at(-1)),
      ["config.json"],
    );
    // A file that grows over the disk keeps what it has, under a name that says so.
    assert.match(
      wordy.error!,
      /Cannot write .*config\.json: expected room for \d+ kB; found \d+ kB/,
    );
    assert.ok(Object.keys(wordy.files).every((path) => path.endsWith(".partial")));
  },
});

Deno.test("writeWhole() says of a path that can't be, which it is, and leaves nothing", async () => {
  const own = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(join(own, "file"), "x");
    await assert.rejects(
      writeWhole(join(own, "file", "a.txt"), "y"),
      /^Error: Cannot write .*file\/a\.txt: expected a folder that can be written to; found .*give another/,
    );
    assert.deepEqual([...Deno.readDirSync(own)].map(({ name }) => name), ["file"]);
    const other = new TypeError("else");
    assert.equal(writingError("x", 1, other), other);
    assert.ok(roomAt(join(own, "not", "there", "yet"))! > 0);
  } finally {
    await Deno.remove(own, { recursive: true });
    await Deno.remove(folder, { recursive: true });
  }
});
