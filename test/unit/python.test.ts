import assert from "node:assert/strict";
import { existingPythonEnvironment, pythonEnvironment } from "../../lib/platform/native/python.ts";

async function hasPython(): Promise<boolean> {
  try {
    const command = new Deno.Command("python3", { args: ["-c", "import venv, ensurepip"] });
    return (await command.output()).success;
  } catch {
    return false;
  }
}
const ignore = !await hasPython();
if (ignore) console.log("Tests of pythonEnvironment() skipped: no python3 with venv here");

Deno.test({
  name: "pythonEnvironment() makes an environment once, also when asked twice at once",
  ignore,
  async fn() {
    const root = await Deno.makeTempDir();
    try {
      assert.equal(existingPythonEnvironment({ packages: [], root }), undefined);
      const lines: string[] = [];
      const options = { packages: [], root, onProgress: (line: string) => lines.push(line) };
      const [one, two] = await Promise.all([
        pythonEnvironment(options),
        pythonEnvironment(options),
      ]);
      assert.equal(one, two);
      assert.equal(lines.filter((line) => line.startsWith("Making")).length, 1);
      assert.equal(existingPythonEnvironment(options), one);
      const code = "import sys; print(sys.prefix != sys.base_prefix)";
      const { stdout } = await new Deno.Command(one, { args: ["-c", code] }).output();
      assert.equal(new TextDecoder().decode(stdout).trim(), "True");
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  },
});

Deno.test({
  name: "pythonEnvironment() leaves no environment behind when pip fails, and says why",
  ignore,
  async fn() {
    const root = await Deno.makeTempDir();
    try {
      const options = { packages: ["torch==not a version"], root, onProgress: () => {} };
      await assert.rejects(pythonEnvironment(options), /Cannot install torch==not a version: .*\n/);
      assert.equal(existingPythonEnvironment(options), undefined);
      const left = (await Array.fromAsync(Deno.readDir(root))).map((entry) => entry.name);
      assert.deepEqual(left.filter((name) => !name.endsWith(".lock")), []);
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  },
});
