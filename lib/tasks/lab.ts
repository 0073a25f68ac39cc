/**
 * `deno task lab`: JupyterLab on the notebooks, from a private Python environment that is made the
 * first time. `--reset` takes back what running and saving changed in the shipped notebooks. Further
 * arguments go to JupyterLab.
 */
import { delimiter, join } from "node:path";
import { cacheFolder, ROOT } from "../platform/cache.ts";
import { figureWidth } from "../figure/theme.ts";
import { writeWhole } from "../platform/runtime/files.ts";
import { installKernelspec } from "../platform/notebook/kernelspec.ts";
import { installNative } from "../platform/native/native.ts";
import { pythonEnvironment } from "../platform/native/python.ts";
import { runTask } from "./command_line.ts";
import { resetNotebooks } from "./reset.ts";
import server from "./lab.py" with { type: "text" };
import style from "./lab.css" with { type: "text" };

/** plotly brings the extension that draws its figures in JupyterLab. */
const PACKAGES = ["jupyterlab==4.6.6", "plotly==7.1.0"];

/** Where a kernelspec of our own lies; `deno jupyter --install` would write into the user's home. */
const SHARE = cacheFolder("jupyter");

/** No question about news over the notebook, and none asked of another host. */
const SETTINGS = { "@jupyterlab/apputils-extension:notification": { fetchNews: "false" } };

await runTask(async () => {
  if (Deno.args.includes("--reset")) {
    console.log(await resetNotebooks(ROOT));
    return 0;
  }
  const python = await pythonEnvironment({ packages: PACKAGES });
  const native = await installNative();
  if (!native.ready) console.error(`Without TensorFlow: ${native.reason}. ${native.mend}`);
  await installKernelspec(SHARE);
  const css = style.replace("{figureWidth}", String(figureWidth));
  await writeWhole(join(SHARE, "custom", "custom.css"), css);
  const overrides = join(SHARE, "labconfig", "default_setting_overrides.json");
  await writeWhole(overrides, `${JSON.stringify(SETTINGS)}\n`);
  return await serve(python);
});

async function serve(python: string): Promise<number> {
  const lab = new Deno.Command(python, {
    args: [
      ...["-c", server],
      `--ServerApp.root_dir=${ROOT}`,
      "--LabApp.default_url=/lab/tree/notebooks/00-start.ipynb",
      "--LabApp.custom_css=True",
      `--ServerApp.tornado_settings=static_custom_path=${join(SHARE, "custom")}`,
      // Jupyter refuses to run as root, as in a container, unless told.
      ...Deno.build.os !== "windows" && Deno.uid() === 0 ? ["--allow-root"] : [],
      ...Deno.args,
    ],
    cwd: ROOT,
    env: Object.fromEntries(
      ["JUPYTER_PATH", "JUPYTER_CONFIG_PATH"].map((name) => [
        name,
        [SHARE, Deno.env.get(name) ?? []].flat().join(delimiter),
      ]),
    ),
  }).spawn();
  const end = () => lab.kill("SIGTERM");
  // In a terminal Ctrl-C reaches JupyterLab too, which asks before it ends: wait for it.
  Deno.addSignalListener("SIGINT", () => Deno.stdin.isTerminal() || end());
  if (Deno.build.os !== "windows") {
    for (const signal of ["SIGTERM", "SIGHUP"] as const) Deno.addSignalListener(signal, end);
  }
  return (await lab.status).code;
}
