import assert from "node:assert/strict";
import { bars } from "../../lib/figure/chart.ts";
import { table as tableOf } from "../../lib/figure/table.ts";
import { mimeBundle, note, show, showLinks } from "../../lib/figure/display.ts";
import { progress } from "../../lib/figure/progress.ts";
import { studyProgress } from "../../lib/study/run.ts";

const rows = [{ domain: "law", group: "INC", value: 40 }];
const figure = bars(rows, { x: "domain", color: "group", title: "A title" });
const table = tableOf([{ text: "<img src=x>", value: 1 }]);

Deno.test("mimeBundle() gives a figure as plotly's JSON, png and text, and never as HTML", async () => {
  const bundle = await mimeBundle(figure);
  assert.deepEqual(Object.keys(bundle).sort(), [
    "application/vnd.plotly.v1+json",
    "image/png",
    "text/plain",
  ]);
  assert.deepEqual(bundle["application/vnd.plotly.v1+json"], figure);
  assert.match(atob(bundle["image/png"] as string), /^\x89PNG\r\n/);
  assert.match(bundle["text/plain"] as string, /^Figure: A title\nx: domain\n {2}INC \| law: 40$/);
});

Deno.test("mimeBundle() gives a table as escaped HTML and as markdown", async () => {
  const bundle = await mimeBundle(table);
  assert.deepEqual(Object.keys(bundle).sort(), ["text/html", "text/plain"]);
  assert.match(bundle["text/html"] as string, /&lt;img src=x&gt;/);
  assert.doesNotMatch(JSON.stringify(bundle), /<img/);
});

// deno-lint-ignore no-explicit-any
type Sent = { type: string; content: any }[];

/** Runs `action` with a kernel in place of Deno's, and gives what it was sent. */
async function inKernel(action: () => Promise<void> | void): Promise<Sent> {
  const sent: Sent = [];
  const deno = Deno as unknown as { jupyter?: { broadcast(type: string, content: unknown): void } };
  deno.jupyter = { broadcast: (type, content) => void sent.push({ type, content }) };
  try {
    await action();
  } finally {
    deno.jupyter = undefined;
  }
  return sent;
}

Deno.test("show() sends a figure to the notebook at its own size, and then its words", async () => {
  const [message, words, ...rest] = await inKernel(() => show(figure));
  assert.equal(rest.length, 0);
  assert.equal(message.type, "display_data");
  const alt = "A title. Bars.";
  assert.deepEqual(message.content.metadata, {
    "image/png": { width: 720, height: figure.layout.height, alt },
  });
  assert.equal(message.content.data["text/html"], undefined);
  assert.deepEqual(words.content.data, {
    "text/html": `<details><summary>The figure in words</summary><p>${alt}</p>` +
      "<pre>Figure: A title\nx: domain\n  INC | law: 40</pre></details>",
    "text/plain": `In words: ${alt}`,
  });
});

Deno.test("show() prints text where there is no notebook", async () => {
  const printed: unknown[] = [];
  const log = console.log;
  console.log = (...values) => printed.push(...values);
  try {
    await show(table);
    await show(figure);
  } finally {
    console.log = log;
  }
  assert.match(printed[0] as string, /^\| text +\| value \|\n/);
  assert.match(printed[1] as string, /^Figure: A title/);
});

Deno.test("note() shows a bold line, escaped", async () => {
  const [message] = await inKernel(() => note("a <b>\n note"));
  assert.deepEqual(message.content.data, {
    "text/html": "<p><strong>a &lt;b&gt; note</strong></p>",
    "text/plain": "a <b> note",
  });
});

Deno.test("showLinks() lists links, their texts and addresses escaped", async () => {
  const links = [{ text: "a <b>", address: 'x".ipynb' }, { text: "c", address: "c.ipynb" }];
  const [message] = await inKernel(() => showLinks(links));
  assert.deepEqual(message.content.data, {
    "text/html": '<ul>\n<li><a href="x&quot;.ipynb">a &lt;b&gt;</a></li>\n' +
      '<li><a href="c.ipynb">c</a></li>\n</ul>',
    "text/plain": '- a <b> (x".ipynb)\n- c (c.ipynb)',
  });
});

Deno.test("progress() updates one display in place, and ends without times", async () => {
  const sent = await inKernel(async () => {
    let time = 0;
    const bar = progress("Train <b>", 4, { now: () => time });
    for (let i = 1; i <= 4; i++) {
      time += 1000;
      bar.update(i, `loss ${i}`);
    }
    bar.update(4); // too soon after the last one to be drawn
    await bar.finish();
  });
  assert.deepEqual(sent.map(({ type }) => type), [
    "display_data",
    ...Array(5).fill("update_display_data"),
  ]);
  assert.equal(new Set(sent.map(({ content }) => content.transient.display_id)).size, 1);
  const text = sent.map(({ content }) => content.data["text/plain"]);
  assert.equal(text[2], "Train <b> 2/4 (50%) 0:02, 0:02 left  loss 2");
  assert.equal(text.at(-1), "Train <b> 4/4 (100%)  loss 4");
  const html = sent.at(-1)!.content.data["text/html"];
  assert.equal(html, `<progress value="4" max="4"></progress> Train &lt;b&gt; 4/4 (100%)  loss 4`);
});

Deno.test("two tasks have two displays", async () => {
  const sent = await inKernel(() => {
    progress("a", 1);
    progress("b", 1);
  });
  assert.equal(new Set(sent.map(({ content }) => content.transient.display_id)).size, 2);
});

Deno.test("progress() overwrites its line in a terminal", async () => {
  let written = "", time = 0;
  const write = (text: string) => void (written += text);
  const bar = progress("Load\x1b[2J\nx", 2, { write, terminal: true, now: () => time });
  time = 3_700_000;
  bar.update(1);
  await bar.finish("done");
  await bar.finish("twice");
  assert.equal(
    written,
    "\r\x1b[KLoad\ufffd[2J x 0/2 (0%) 0:00" +
      "\r\x1b[KLoad\ufffd[2J x 1/2 (50%) 1:01:40, 1:01:40 left" +
      "\r\x1b[KLoad\ufffd[2J x 1/2 (50%) 1:01:40  done\n",
  );
});

Deno.test("progress() writes a line each tenth of the way to a log", async () => {
  const lines: string[] = [];
  let time = 0;
  const write = (text: string) => void lines.push(text);
  const bar = progress("Probe", 1000, { write, terminal: false, now: () => time });
  for (let i = 1; i <= 1000; i++) {
    time += 500;
    bar.update(i);
  }
  await bar.finish();
  assert.equal(lines.length, 12); // 0% to 100% in tenths, and the end
  assert.ok(lines.every((line) => line.endsWith("\n") && !line.includes("\r")));
  assert.match(lines[1], /^Probe 100\/1000 \(10%\) 0:50, 7:30 left\n$/);
});

Deno.test("progress() reckons the time left without what was found finished", () => {
  const lines: string[] = [];
  let time = 0;
  const bar = progress("cells", 100, {
    write: (text) => void lines.push(text),
    terminal: true,
    now: () => time,
  });
  time = 1000;
  bar.update(50, "", 100, 50); // read in a second: nothing is known of those to come
  time = 11_000;
  bar.update(52, "", 100, 50); // two computed in 11 s: 48 take 264 s
  assert.match(lines[1], /cells 50\/100 \(50%\) 0:01$/);
  assert.match(lines[2], /cells 52\/100 \(52%\) 0:11, 4:24 left$/);
});

Deno.test("studyProgress() tells how far a base model is asked, and nothing of what is stored", async () => {
  const ask = async (states: { done: number; found: number }[]) =>
    (await inKernel(async () => {
      const { onAsk, finish } = studyProgress();
      for (const state of states) onAsk!({ ...state, model: "m", total: 2, exam: "homo" });
      await finish();
    })).map(({ content }) => content.data["text/plain"]);
  assert.deepEqual(await ask([{ done: 1, found: 1 }, { done: 2, found: 2 }]), []);
  const lines = await ask([{ done: 1, found: 1 }, { done: 1.5, found: 1 }, { done: 2, found: 1 }]);
  assert.match(lines[0], /^asking m 0\/2/);
  assert.equal(lines.at(-1), "asking m 2/2 (100%)");
});

Deno.test("studyProgress() counts found cells, and anew when all are read once more", async () => {
  const cell = { model: "m", domain: "d", treatment: "inc" as const, seed: 0 };
  const sent = await inKernel(async () => {
    const { onProgress, finish } = studyProgress();
    const done = async (n: number, reused: boolean) => {
      await new Promise((resolve) => setTimeout(resolve, 210)); // a line is drawn five times a second
      onProgress({ done: n, total: 3, cell, key: `cell-${n}`, note: "done", reused });
    };
    await done(1, true);
    await done(2, false);
    await done(3, false);
    await done(1, true);
    await finish();
  });
  const text = sent.map(({ content }) => content.data["text/plain"]);
  assert.doesNotMatch(text.find((line) => line.startsWith("cells 1/3"))!, /left/);
  assert.match(text.find((line) => line.startsWith("cells 2/3"))!, /left/);
  assert.doesNotMatch(text.findLast((line) => /^cells 1\/3.* \d:/.test(line))!, /left/);
});
