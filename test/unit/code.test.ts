/** Which files a study's results come from, on a copy of the library. */
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { codeDigest } from "../../lib/platform/runtime/code.ts";
import { ROOT } from "../../lib/platform/cache.ts";
import { METHOD } from "../../lib/study/digest.ts";
import { withFolder } from "./_folder.ts";

const NEVER = Number.MAX_SAFE_INTEGER;

async function withCopy(
  body: (copy: { root: string; digest: () => Promise<string> }) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const root = await Deno.realPath(folder);
    const data = [
      "checkpoints.json",
      "native-tensorflow.json",
      "subjects.json",
      "tokenizers.json",
      "world",
    ]
      .map((name) => `data/${name}`);
    for (const name of ["lib", ...data, "deno.json", ".deno.lock", "README.md"]) {
      cpSync(join(ROOT, name), join(root, name), { recursive: true });
    }
    // Found once a process; another moment of loading asks again.
    let moment = NEVER;
    await body({ root, digest: () => codeDigest(METHOD, { root, loaded: moment-- }) });
  });
}

async function append(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(path, text, { append: true });
}

Deno.test("codeDigest() follows the files that compute, comments too, and no other", async () => {
  await withCopy(async ({ root, digest }) => {
    let before = await digest();
    assert.match(before, /^[0-9a-f]{64}$/);
    assert.equal(await digest(), before);
    const computing = [
      ...["groups", "prompt", "evaluate", "experiment", "probe", "finetune", "cell", "explanation"],
      ...["model/trainer", "model/chat_template", "model/tokenizer", "statistics/divergence"],
      ...["model/files/gguf", "model/configuration", "model/files/source", "model/layers"],
      ...["platform/runtime/backend", "platform/compile/adam", "study/study", "world/format"],
    ];
    for (const name of computing) {
      await append(join(root, "lib", `${name}.ts`), "// other\n");
      const after = await digest();
      assert.notEqual(after, before, name);
      before = after;
    }
    const others = [
      ...["figure/table", "contrast", "findings", "study/tables", "study/report"],
      ...["study/subjects", "study/facts", "study/settings", "study/workers", "dataset/read"],
      ...[
        "world/documents",
        "world/pretraining",
        "organism/card",
        "tasks/reproduce",
        "mod",
      ],
    ];
    for (const name of others) await append(join(root, "lib", `${name}.ts`), "// other\n");
    await append(join(root, "README.md"), "More.\n");
    assert.equal(await digest(), before);
    // The packages that compute, by the version that the lock has.
    const lock = join(root, ".deno.lock"), text = await Deno.readTextFile(lock);
    await Deno.writeTextFile(lock, text.replace(/("npm:@tensorflow\/tfjs@[\d.]+": ")/, "$19"));
    const after = await digest();
    assert.notEqual(after, before);
    await Deno.writeTextFile(lock, text.replace(/("npm:plotly.js-dist-min@[\d.]+": ")/, "$19"));
    assert.equal(await digest(), before);
  });
});

Deno.test("codeDigest() refuses files that have changed since the process loaded them", async () => {
  await withCopy(async ({ root }) => {
    const path = join(root, "lib", "groups.ts");
    await new Promise((resolve) => setTimeout(resolve, 50));
    const loaded = Date.now();
    // A wrong clock's time stops nobody.
    await Deno.utime(path, new Date(), new Date(loaded + 3600_000));
    assert.match(await codeDigest(METHOD, { root, loaded }), /^[0-9a-f]{64}$/);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await append(path, "// other\n");
    await assert.rejects(
      codeDigest(METHOD, { root, loaded: loaded + 1 }),
      /expected lib\/groups\.ts as this process loaded it; .*restart the kernel/,
    );
    await assert.rejects(
      codeDigest(["lib/nothing.ts"], { root, loaded: NEVER }),
      /lib\/nothing\.ts/,
    );
  });
});
