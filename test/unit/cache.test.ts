/** Where the cache lies: where the user says, in the project, or with the user where that is read-only. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "../../lib/platform/cache.ts";
import { outputPath, storePath } from "../../lib/study/settings.ts";
import { withVariables } from "./_environment.ts";

const VARIABLE = "SELF_ALIGNING_CACHE";

Deno.test("cacheFolder() is the project's, or the one that is given", async () => {
  await withVariables({ [VARIABLE]: undefined }, () => {
    const own = fileURLToPath(new URL("../../.cache", import.meta.url));
    assert.equal(cacheFolder("study"), join(own, "study"));
    Deno.env.set(VARIABLE, "/elsewhere");
    assert.equal(cacheFolder("a", "b"), join("/elsewhere", "a", "b"));
    assert.equal(storePath(), join("/elsewhere", "study"));
    assert.equal(outputPath({ output: ".cache/runs/x" }, "05"), join("/elsewhere/runs/x/05"));
    assert.equal(outputPath({ output: "/mine" }, "05"), join("/mine", "05"));
  });
});

/** Another user, for whom what this one made is read-only, as a shared installation is. */
const other = { uid: 65534, gid: 65534 };
const canBeOther = Deno.build.os === "linux" && Deno.uid() === 0 &&
  await new Deno.Command(Deno.execPath(), { args: ["--version"], stdout: "null", ...other })
    .output().then(({ success }) => success, () => false);

Deno.test({
  name: "cacheFolder() is the user's where the project can't be written to",
  ignore: !canBeOther,
  async fn() {
    const project = await Deno.makeTempDir();
    try {
      await Deno.mkdir(join(project, "lib", "platform"), { recursive: true });
      const module = join(project, "lib", "platform", "cache.ts");
      await Deno.copyFile(new URL("../../lib/platform/cache.ts", import.meta.url), module);
      await Deno.chmod(project, 0o755);
      const script = `import { cacheFolder } from ${JSON.stringify(module)};
console.log(cacheFolder("study"));`;
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["eval", "--no-config", script],
        env: { HOME: project, XDG_CACHE_HOME: "/users/cache", [VARIABLE]: "" },
        ...other,
      }).output();
      assert.equal(new TextDecoder().decode(stdout).trim(), "/users/cache/self-aligning/study");
    } finally {
      await Deno.remove(project, { recursive: true });
    }
  },
});
