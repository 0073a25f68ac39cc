/**
 * The site in a real browser: Debian's chromium (`apt-get install chromium`), driven by playwright-core.
 * Without one these tests say so and are skipped.
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { defaultSettings, formatAddress, parseAddress } from "../../lib/site/address.ts";
import { buildSite } from "../../lib/site/build.ts";
import { notebookPage } from "../../lib/site/notebook_page.ts";
import { serveFolder } from "../../lib/site/serve.ts";
import { disposeSubject, readSubject } from "../../lib/site/subject.ts";
import { train } from "../../lib/site/training.ts";
import type { Visit } from "../../lib/site/visit.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { exists } from "../../lib/platform/runtime/files.ts";

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
  .find(exists);
if (!CHROMIUM) console.log("Skipped: no chromium in /usr/bin (apt-get install chromium)");

/** What the page's `explorer` shows of a run. */
type Explorer = Pick<Visit, "runs" | "opened" | "state" | "update" | "train" | "stop">;
declare global {
  var explorer: Explorer;
}

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const narrow = { width: 390, height: 844 }, wide = { width: 1280, height: 900 };

/** The built site, and pages of it that must keep quiet. */
interface Site {
  folder: string;
  address: string;
  open(path: string, options?: Parameters<Browser["newPage"]>[0]): Promise<Page>;
}

/** Runs tests on one build; afterwards no page may have said an error or asked another host. */
async function withSite(run: (site: Site) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const faults: string[] = [];
  await buildSite(folder, { reference: false });
  const { address, close } = await serveFolder(folder);
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  try {
    await run({
      folder,
      address,
      async open(path, options) {
        const page = await browser.newPage({ viewport: wide, ...options });
        page.on("pageerror", ({ message }) => faults.push(`${path}: ${message}`));
        page.on("console", (said) => {
          if (said.type() === "error") faults.push(`${path}: ${said.text()}`);
        });
        page.on("request", (request) => {
          if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(address)) {
            faults.push(`${path} asks ${request.url()}`);
          }
        });
        page.on("response", (response) => {
          if (response.status() >= 400) faults.push(`${path}: no ${response.url()}`);
        });
        await page.goto(address + path);
        return page;
      },
    });
    assert.deepEqual(faults, []);
  } finally {
    await browser.close();
    await close();
    await Deno.remove(folder, { recursive: true });
  }
}

const opened = (page: Page) =>
  page.waitForFunction(() => globalThis.explorer?.opened !== undefined, null, { timeout: 60_000 });
const ended = (page: Page, runs = 1) =>
  page.waitForFunction(
    (count) =>
      globalThis.explorer.runs.length === count &&
      globalThis.explorer.runs.every(({ state }) => state !== "running"),
    runs,
    { timeout: 120_000 },
  );
const runsOf = async (page: Page): Promise<Visit["runs"]> =>
  JSON.parse(await page.evaluate(() => JSON.stringify(globalThis.explorer.runs)));

const fits = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);

/** Faults that axe-core calls serious or critical. */
async function seriousFaults(page: Page): Promise<string[]> {
  await page.evaluate(await Deno.readTextFile(axe));
  return await page.evaluate(async () => {
    // deno-lint-ignore no-explicit-any
    const { violations } = await (globalThis as any).axe.run();
    // deno-lint-ignore no-explicit-any
    return violations.filter(({ impact }: any) => /serious|critical/.test(impact))
      // deno-lint-ignore no-explicit-any
      .flatMap(({ id, nodes }: any) => nodes.slice(0, 3).map(({ html }: any) => `${id}: ${html}`));
  });
}

const only = { ignore: !CHROMIUM, sanitizeOps: false, sanitizeResources: false };

Deno.test("the site in a browser", only, async (t) => {
  await withSite(async (site) => {
    await t.step("the live page trains with lib's numbers, in the time", async () => {
      const page = await site.open("explore.html?start=no");
      await opened(page);
      await page.click("#train");
      await ended(page);
      const [{ settings, steps, followed, result }] = await runsOf(page);
      console.log(`a run in the page took ${result!.seconds.toFixed(1)} s`);
      assert.ok(result!.seconds < 30, `${result!.seconds} s`);
      assert.deepEqual(settings, defaultSettings);
      await page.close();

      await openBackend("wasm");
      const read = (name: string) => Deno.readTextFile(join(site.folder, "organism", name));
      const names = ["tokenizer.json", "tokenizer_config.json"];
      const subject = await readSubject({
        config: await read("config.json"),
        weights: await Deno.readFile(join(site.folder, "organism", "model.safetensors")),
        tokenizer: await Promise.all(names.map(async (name) => [name, await read(name)] as const)),
      }, {
        name: "small-101",
        world: await read("world.json"),
        base: JSON.parse(await read("base.json")),
      });
      const questions = [...subject.material.domains.values()]
        .flatMap(({ pool, suites }) =>
          [pool, ...suites.homo!].flatMap(({ questions }) => questions)
        );
      const told: typeof steps = [];
      const expected = await train(
        subject,
        settings,
        followed.map((id) => questions.find((question) => question.id === id)!),
        (step) => void told.push(step),
      );
      disposeSubject(subject);
      const numbers = (run: typeof expected, own: typeof steps) => [
        ...run.losses,
        run.fit!.share,
        ...own.flatMap(({ followed }) => followed.flat()),
        ...Object.values(run.tests).flat(2),
      ];
      const found = numbers(result!, steps), ours = numbers(expected, told);
      assert.equal(found.length, ours.length);
      assert.ok(found.length > 2000);
      found.forEach((number, i) => assert.ok(Math.abs(number - ours[i]) < 1e-4, `number ${i}`));
    });

    await t.step("each knob moves the settings, the address and the page", async () => {
      const page = await site.open("explore.html?start=no");
      await opened(page);
      const sizes = () => page.textContent("#sizes");
      const before = await sizes();
      await page.fill("[name=confidence]", "0.8");
      await page.fill("[name=epochs]", "1");
      await page.selectOption("[name=lr]", "0.0003");
      await page.fill("[name=seed]", "4");
      await page.check("[name=group][value=mix]");
      await page.fill("[name=r]", "0.25");
      await page.waitForFunction(() => location.search.includes("r=0.25"));
      assert.notEqual(await sizes(), before);
      const expected = {
        ...{ domain: "history", group: "mix", ratio: 0.25, learningRate: 3e-4 },
        ...{ epochs: 1, minimumConfidence: 0.8, seed: 4 },
      };
      assert.deepEqual(await page.evaluate(() => globalThis.explorer.state.settings), expected);
      const query = new URL(page.url()).search;
      assert.deepEqual(parseAddress(query, ["history"]).settings, expected);

      await page.locator("[data-kind=known] select").selectOption({ index: 3 });
      const asked = await page.textContent("[data-kind=known] .question");
      const other = await site.open(`explore.html${new URL(page.url()).search}`);
      await opened(other);
      assert.deepEqual(await other.evaluate(() => globalThis.explorer.state.settings), expected);
      assert.equal(await other.textContent("[data-kind=known] .question"), asked);
      await other.close();

      await page.selectOption("[name=domain]", "medicine");
      await page.waitForFunction(() => location.search.includes("domain=medicine"));
      await page.check("[name=group][value=self]");
      await page.click("#compare");
      await ended(page, 3);
      const runs = await runsOf(page);
      assert.deepEqual(runs.map(({ settings }) => settings.group), ["self", "har", "inc"]);
      const [{ result }] = runs;
      assert.equal(result!.losses.length, Math.ceil(2 * result!.size / 16));
      assert.equal(await page.locator("#facts .ghost.har.line").count(), 4);

      const marks = page.locator("#map [data-mark]"), tip = page.locator("#tip");
      await marks.nth(3).hover();
      assert.match((await tip.textContent())!, /\d\.\d% → \d/);
      await marks.first().focus();
      await page.keyboard.press("ArrowRight");
      assert.equal(
        await page.evaluate(() => document.activeElement!.getAttribute("data-mark")),
        "1",
      );
      await page.keyboard.press("Enter");
      await page.waitForFunction(() => location.search.includes("known="));
      await page.check("[name=test][value=ood]");
      // Nothing of a run that is reset goes into the next one.
      await page.fill("[name=epochs]", "6");
      await page.click("#train");
      await page.waitForFunction(() => globalThis.explorer.runs[3]?.steps.length > 1);
      await page.click("#reset");
      await page.waitForFunction(() => !location.search.includes("medicine"));
      assert.deepEqual(await runsOf(page), []);
      await page.locator("#train:enabled").waitFor();
      assert.match((await page.textContent("#status"))!, /^Stopped at step/);
      await page.close();
    });

    await t.step("the keyboard alone trains and stops, on a small screen", async () => {
      const page = await site.open("explore.html?epochs=1&group=self", {
        ...{ viewport: narrow, colorScheme: "dark", reducedMotion: "reduce" },
      });
      await opened(page);
      assert.deepEqual(await runsOf(page), []); // who wants no motion starts it
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter"); // the skip link
      assert.equal(await page.evaluate(() => document.activeElement!.id), "train");
      await page.keyboard.press("Enter");
      await page.waitForFunction(() => globalThis.explorer.runs[0]?.steps.length > 1);
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter"); // stop
      await ended(page);
      assert.equal((await runsOf(page))[0].state, "stopped");
      assert.match((await page.textContent("#status"))!, /^Stopped at step/);
      await page.focus("#train");
      await page.keyboard.press("Enter");
      await ended(page, 2);
      assert.match((await page.textContent("#status"))!, /^Done, SELF.*HOMO \d+\.\d% to \d/);
      assert.ok(await fits(page));
      assert.deepEqual(await seriousFaults(page), []);
      await page.close();
    });

    await t.step("Stop ends a training that has not begun yet", async () => {
      const page = await site.open("explore.html?start=no&epochs=1");
      await page.waitForFunction(() => {
        globalThis.explorer?.train(); // waits for the model
        globalThis.explorer?.stop();
        return globalThis.explorer !== undefined;
      });
      await ended(page);
      assert.equal((await runsOf(page))[0].state, "stopped");
      await page.close();
    });

    await t.step("it works in a sandboxed frame, without its header", async () => {
      const page = await site.open("index.html");
      await page.setContent(
        `<iframe sandbox="allow-scripts" width="900" height="700" src="${site.address}explore.html?embed&epochs=1"></iframe>`,
      );
      const frame = page.frameLocator("iframe");
      await frame.locator("#status", { hasText: /^Done, INC/ }).waitFor({ timeout: 60_000 });
      assert.equal(await frame.locator("header.site").isVisible(), false);
      await page.close();
    });

    await t.step("pages fit small screens, have no serious fault, and are searched", async () => {
      for (const path of ["index.html", "notebooks/index.html", "notebooks/05-evaluation.html"]) {
        for (const [viewport, colorScheme] of [[narrow, "dark"], [wide, "light"]] as const) {
          const page = await site.open(path, { viewport, colorScheme });
          assert.ok(await fits(page), path);
          assert.deepEqual(await seriousFaults(page), [], `${path}, ${colorScheme}`);
          await page.close();
        }
      }
      const page = await site.open("notebooks/05-evaluation.html");
      await page.fill("#search", "gotcha intervals");
      await page.locator("#results a").first().waitFor();
      await page.locator("figure.plot button").first().click();
      await page.locator("figure.plot .main-svg").first().waitFor();
      await page.locator("#results a").first().click();
      assert.match(page.url(), /notebooks\/[\w-]+\.html#/);
      await page.close();
    });

    await t.step("nothing outside of the folder is served", async () => {
      for (const path of ["..%2f..%2fetc%2fpasswd", "%2e%2e/", "none.html"]) {
        const response = await fetch(site.address + path, { redirect: "manual" });
        const text = await response.text();
        assert.ok(response.status === 404 || text.includes("<h1>"), path);
        assert.ok(!text.includes("root:"));
      }
    });
  });
});

Deno.test("an address gives back its settings, and passes over what the page does not offer", () => {
  const state = {
    settings: {
      ...defaultSettings,
      group: "mix" as const,
      ratio: 0.3,
      seed: 7,
      learningRate: 3e-4 as const,
    },
    followed: { known: "history/a/capital" },
  };
  assert.deepEqual(parseAddress(formatAddress(state), ["history"]), state);
  assert.equal(formatAddress({ settings: defaultSettings, followed: {} }), "");
  const wrong = "?domain=x&group=y&lr=7&epochs=2.5&confidence=2&seed=-1&r=";
  assert.deepEqual(parseAddress(wrong, ["history"]), { settings: defaultSettings, followed: {} });
});

Deno.test("a notebook's page runs nothing that its outputs bring", () => {
  const metadata = {};
  const { body, sections } = notebookPage({
    ...{ nbformat: 4, nbformat_minor: 5 },
    metadata: { kernelspec: { name: "deno" }, language_info: { name: "typescript" } },
    cells: [
      {
        cell_type: "markdown",
        id: "a",
        metadata,
        source: "# T <img src=x onerror=a()>\n\n[n](01-world.ipynb) <script>a()</script>",
      },
      {
        ...{ cell_type: "code", id: "b", metadata, execution_count: 1, source: "</code><script>" },
        outputs: [{
          ...{ output_type: "display_data", metadata },
          data: {
            "text/html":
              `<b onclick="a()">b</b><iframe src="//x"></iframe><a href="javascript:a()">c</a>`,
          },
        }, { output_type: "stream", name: "stdout", text: "<script>a()</script>" }],
      },
    ],
  }, "00-start");
  assert.doesNotMatch(body, /<script|<iframe|<img|on(click|error)=|javascript:/);
  assert.match(body, /<a href="01-world\.html">n<\/a>/);
  assert.equal(sections[0].title, "T ");
});
