/**
 * `task lab` in a browser, on a copy of the project's notebooks whose results start from nothing: all
 * that a run would change lies in a temporary folder, the rest of the project is linked into it.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { chromium, type Locator, type Page } from "playwright-core";
import { pythonEnvironment } from "../../lib/platform/native/python.ts";
import { ROOT } from "../../lib/platform/cache.ts";
import { lines } from "../../lib/platform/native/_command.ts";
import { exists } from "../../lib/platform/runtime/files.ts";

const BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The browser of this machine; none is ever downloaded. */
const browserPath = (Deno.env.get("PATH") ?? "").split(":")
  .flatMap((folder) => BROWSERS.map((name) => join(folder, name))).find(exists);

/** The packages of `task lab`, from its text: importing it would run it. */
const [, packages] = /const PACKAGES = \[(.*?)\];/s.exec(
  Deno.readTextFileSync(join(ROOT, "lib", "tasks", "lab.ts")),
)!;

/** The Python of `task lab`, made where it is not there yet. */
const python = browserPath
  ? await pythonEnvironment({
    packages: [...packages.matchAll(/"(.*?)"/g)].map(([, name]) => name),
    root: join(ROOT, ".cache", "python"),
  }).catch((error: Error) => error)
  : undefined;

/** Why notebooks can't be opened here, or undefined. */
export const reasonWithout = !browserPath
  ? "no chromium on the PATH (Debian: apt install chromium)"
  : python instanceof Error
  ? python.message
  : undefined;
if (reasonWithout) console.log(`The tests in JupyterLab are skipped: ${reasonWithout}`);

/** Runs a module of JupyterLab's Python. */
export async function runPython(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(String(python), { args: ["-m", ...args] })
    .output();
  assert.ok(success, new TextDecoder().decode(stderr).slice(-2000));
}

/** A server with a browser; both end with the block that it is declared in. */
export async function openLab() {
  const folder = await Deno.makeTempDir({ prefix: "browser-" });
  await Deno.mkdir(join(folder, ".cache"));
  const parts = ["lib", "data", "figures", "node_modules", ".native", "deno.json", ".deno.lock"];
  for (const name of [...parts, join(".cache", "python")]) {
    if (exists(join(ROOT, name))) await Deno.symlink(join(ROOT, name), join(folder, name));
  }
  await Deno.mkdir(join(folder, "notebooks"));
  for (const { name } of Deno.readDirSync(join(ROOT, "notebooks"))) {
    if (!name.endsWith(".ipynb")) continue;
    await Deno.copyFile(join(ROOT, "notebooks", name), join(folder, "notebooks", name));
  }
  const token = crypto.randomUUID();
  const server = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(folder, "lib", "tasks", "lab.ts"), "--no-browser"]
      .concat("--ServerApp.port=0", `--IdentityProvider.token=${token}`),
    env: {
      JUPYTER_CONFIG_DIR: join(folder, ".jupyter"),
      JUPYTER_DATA_DIR: join(folder, ".jupyter", "data"),
      JUPYTER_RUNTIME_DIR: join(folder, ".jupyter", "runtime"),
    },
    stderr: "piped",
    stdout: "null",
  }).spawn();
  const address = Promise.withResolvers<string>();
  const log: string[] = [];
  const listening = (async () => {
    for await (const line of lines(server.stderr)) {
      log.push(line);
      const origin = /http:\/\/(?:127\.0\.0\.1|localhost):\d+/.exec(line)?.[0];
      if (origin) address.resolve(origin);
    }
    address.reject(new Error(`JupyterLab has ended: ${log.slice(-10).join("\n")}`));
  })();
  const end = async () => {
    server.kill("SIGTERM");
    await server.status;
    await listening;
    await Deno.remove(folder, { recursive: true });
  };
  try {
    const origin = await address.promise;
    const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    context.setDefaultTimeout(90_000);
    return {
      folder,
      context,
      /** Asks the server's own interface. */
      ask: async (path: string) =>
        await (await fetch(`${origin}/api/${path}`, {
          headers: { authorization: `token ${token}` },
        })).json(),
      /** Opens `path` of the server in a tab of its own. */
      open: async (path: string): Promise<Page> => {
        const page = await context.newPage();
        // Not with the tabs of the last time.
        await page.goto(`${origin}/${path}?token=${token}&reset`);
        await page.locator(".jp-Notebook .jp-Cell").first().waitFor();
        return page;
      },
      async [Symbol.asyncDispose]() {
        await browser.close();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

export type Lab = Awaited<ReturnType<typeof openLab>>;

/** A browser alone, for a file. */
export const openBrowser = () =>
  chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });

/** Chooses an entry of a menu in JupyterLab or Notebook 7. */
export async function choose(page: Page, menu: string, entry: string): Promise<void> {
  await page.locator(".lm-MenuBar-itemLabel", { hasText: new RegExp(`^${menu}$`) }).first().click();
  await page.locator(".lm-Menu-itemLabel", { hasText: new RegExp(`^${entry}$`) }).first().click();
  await page.mouse.move(0, 0); // where no figure passes under it
}

/** Whether a cell of the notebook runs or waits for its turn. */
export const isRunning = async (page: Page) =>
  (await page.locator(".jp-CodeCell .jp-InputPrompt").allTextContents())
    .some((text) => text.includes("*"));

/** Waits for `done`. @throws where that takes longer than `seconds` */
export async function until(what: string, seconds: number, done: () => Promise<boolean>) {
  for (const start = performance.now(); !await done();) {
    assert.ok(performance.now() - start < 1000 * seconds, `${what} takes longer than ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Scrolls down the notebook until `wanted` is there, again and again for `seconds`. */
export async function find(page: Page, wanted: Locator, seconds = 60): Promise<Locator> {
  const pane = page.locator(".jp-WindowedPanel-outer").first();
  for (const start = performance.now(); performance.now() - start < 1000 * seconds;) {
    if (await wanted.count()) {
      // Not Playwright's own way, which waits until nothing moves.
      await wanted.first().evaluate((element) => element.scrollIntoView({ block: "center" }));
      return wanted.first();
    }
    await pane.evaluate((element: HTMLElement) => {
      const end = element.scrollTop + element.clientHeight >= element.scrollHeight - 1;
      element.scrollTop = end ? 0 : element.scrollTop + element.clientHeight;
    });
    await page.waitForTimeout(100);
  }
  throw new Error(`Not found in the notebook within ${seconds} s: ${wanted}`);
}
