/** The live page: its controls, and what is drawn of a visit. */
import { scoreAnswers, type SuiteName } from "../evaluate.ts";
import { percent } from "../figure/number.ts";
import type { Example } from "../question.ts";
import { formatAddress, knobNames, learningRates, settingOf } from "./address.ts";
import { drawConfidence } from "./confidence.ts";
import { byId, hideTip, html, nothing, render, showTipOf } from "./dom.ts";
import { drawMap } from "./fact_map.ts";
import { drawFact } from "./fact_panel.ts";
import { drawLines } from "./line_chart.ts";
import type { FromWorker } from "./messages.ts";
import { drawOrganisms } from "./organisms_chart.ts";
import { groupText, type Run } from "./record.ts";
import { drawRuns, drawScores } from "./scores.ts";
import { Visit } from "./visit.ts";

/** Parts of the address that stay as they are. */
const KEPT = ["embed", "backend", "start"];

const opening = new URLSearchParams(location.search);
const folder = new URL("organism/", document.baseURI);
const read = async (name: string) => {
  const response = await fetch(new URL(name, folder));
  if (response.ok) return await response.text();
  throw new Error(`Cannot open the page: expected ${name}; found ${response.status}`);
};

/** In a sandboxed frame the page has no origin, and may start a worker from its text alone. */
async function startWorker(): Promise<Worker> {
  let address = new URL("worker.js", document.baseURI).href;
  if (origin === "null") {
    const code = await (await fetch(address)).text();
    address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  }
  return new Worker(address); // such a page may start no module
}

const starting = startWorker();
const [world, base, organism, organisms] = await Promise.all(
  ["world.json", "base.json", "organism.json", "organisms.json"].map(read),
);
const worker = await starting;
const say = (text: string) => byId("status").textContent = text;
const visit = new Visit(location.search, {
  ...{ files: { world, base, organism, organisms }, say, onChange: () => draw() },
  tell: (message) => worker.postMessage(message),
});
/** For a teacher's console and the tests. */
Object.assign(globalThis, { explorer: visit });

let cursor: number | undefined;
let test: SuiteName = "homo";
let example = 0;

// What is drawn.

const onCursor = (step: number | undefined) => {
  cursor = step;
  draw();
};

type Beside = ReturnType<Visit["runsBeside"]>;

function drawLoss({ current, others }: Beside, steps: number): void {
  const line = (run: Run, kind: string) => ({
    points: run.steps.flatMap(({ step, loss }): [number, number][] => loss ? [[step, loss]] : []),
    look: `${kind} ${run.settings.group}`,
    label: groupText(run.settings),
  });
  const lines = others.map((run) => line(run, "ghost"));
  if (current) lines.push(line(current, "true"));
  const at = current?.steps.findLast(({ step }) => step <= (cursor ?? Infinity));
  const text = at?.loss ? `· step ${at.step}: ${at.loss.toFixed(3)}` : "";
  byId("loss-now").textContent = text;
  drawLines(byId("loss"), {
    ...{ lines, steps, cursor, onCursor, height: 120 },
    top: Math.ceil(Math.max(2, ...lines.flatMap(({ points }) => points.map(([, loss]) => loss)))),
    format: (loss) => loss.toFixed(1),
    description: `Loss of each step, nats a token ${text}`,
  });
}

function drawGroup(): void {
  const { groups, pool, state: { settings: { group, minimumConfidence } } } = visit;
  const { answers, confident, right, wrong, inc, emptiedBy } = groups.sizes;
  drawConfidence(byId("confidence-picture"), pool, minimumConfidence);
  byId("sizes").textContent = emptiedBy
    ? `${emptiedBy.message} Choose a lower confidence.`
    : `Of ${answers} answers ${confident} count: ${right} right, ${wrong} wrong. Each group: ` +
      `${inc} questions, and as many general instructions.`;
  const one = groups[group].at(example % Math.max(1, groups[group].length));
  render(one ? exampleText(one) : nothing, byId("example"));
}

function exampleText({ id, target, messages: [user, assistant] }: Example) {
  const belief = visit.pool.find((answer) => answer.id === id)!;
  const { predicted, predictedProbability, answer, choices } = belief;
  return html`
    <p>${user.content} <b>→ ${assistant.content}</b></p>
    <p class="hint">The model believes ${choices[predicted]} (${percent(predictedProbability, 0)});
      the truth is ${choices[answer]}. It is trained on
      ${target === answer ? "the truth" : "its own error"}; the loss falls on the bold word.</p>
  `;
}

/** What depends on the settings and the tests, not on the step. */
function drawResults(run: Run | undefined): void {
  drawGroup();
  drawMap(byId("map"), visit, run);
  drawScores(byId("scores"), visit);
  drawRuns(byId("runs"), visit);
  drawOrganisms(byId("organisms"), byId("organisms-table"), { visit, run, test });
}

let due = false;
/** What the results were drawn from; most steps change none of it. */
let drawn = "";

function draw(): void {
  if (!due) requestAnimationFrame(drawNow);
  due = true;
}

function drawNow(): void {
  due = false;
  const beside = visit.runsBeside(), { current } = beside, steps = visit.steps(current);
  for (const [kind, fact] of visit.followed()) {
    drawFact(visit, kind, fact, { steps, cursor, onCursor });
  }
  drawLoss(beside, steps);
  const last = current?.steps.at(-1)?.step ?? 0, step = Math.min(cursor ?? last, last);
  const which = current ? `Shown: ${groupText(current.settings)}, ` : "";
  byId("step").textContent = `${which}step ${step} of ${steps}`;
  scrub.max = String(steps);
  scrub.value = String(step);
  byId<HTMLProgressElement>("progress").value = visit.running ? last / steps : 0;
  const idle = visit.opened !== undefined && !visit.running && visit.groups.inc.length > 0;
  for (const id of ["train", "compare"]) byId<HTMLButtonElement>(id).disabled = !idle;
  byId<HTMLButtonElement>("stop").disabled = !visit.running;
  showSettings();
  const epochs = current?.steps.filter(({ tests }) => tests).length;
  const key = [JSON.stringify(visit.state), visit.runs.indexOf(current!), epochs, current?.state];
  const now = [...key, visit.runs.length, test, example, innerWidth].join();
  if (now !== drawn) drawResults(current);
  drawn = now;
}

// The controls.

const scrub = byId<HTMLInputElement>("scrub");
const form = byId<HTMLFormElement>("knobs");
/** A setting's control, or the radio buttons that share its name. */
const knob = (name: string) => form.elements.namedItem(name) as HTMLInputElement;

let shownState: unknown;

/** Controls, lists and address follow the settings. */
function showSettings(): void {
  const { state } = visit, { settings } = state;
  if (state === shownState) return;
  shownState = state;
  for (const [key, name] of knobNames) knob(name).value = String(settings[key]);
  byId("epochs-now").textContent = String(settings.epochs);
  byId("confidence-now").textContent = percent(settings.minimumConfidence, 0);
  byId("ratio-now").textContent = `${percent(settings.ratio, 0)} of SELF’s answers`;
  byId("mix-knob").hidden = settings.group !== "mix";
  byId("base-known").textContent = percent(scoreAnswers(visit.pool).accuracy, 0);
  const query = new URLSearchParams(formatAddress(state));
  for (const key of KEPT) if (opening.has(key)) query.set(key, opening.get(key)!);
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
}

const options = (values: readonly (string | number)[]) =>
  values.map((value) => html`<option value=${value}>${value}</option>`);
render(options(visit.domains), knob("domain"));
render(options(learningRates), knob("lr"));
addEventListener("input", ({ target }) => {
  const { name, value } = target as HTMLInputElement, settings = settingOf(name, value);
  if (settings) visit.update({ settings });
  if (name !== "test") return;
  test = value as SuiteName;
  draw();
});
const clicks: Record<string, () => void> = {
  train() {
    cursor = undefined;
    visit.train();
  },
  compare: () => visit.compare(),
  stop: () => visit.stop(),
  reset() {
    cursor = undefined;
    visit.reset();
    say("All is as at the start.");
  },
  "next-example"() {
    example++;
    draw();
  },
  async link() {
    await navigator.clipboard?.writeText(location.href).catch(() => {});
    say(`The address of these settings is copied: ${location.href}`);
  },
  download() {
    const blob = new Blob([JSON.stringify(visit.runs, null, 1)], { type: "application/json" });
    const link = document.createElement("a");
    Object.assign(link, { href: URL.createObjectURL(blob), download: "runs.json" }).click();
    URL.revokeObjectURL(link.href);
  },
};
for (const [id, run] of Object.entries(clicks)) byId(id).addEventListener("click", run);
form.addEventListener("submit", (event) => event.preventDefault());
scrub.addEventListener("input", () => onCursor(Number(scrub.value)));
for (const link of document.querySelectorAll<HTMLAnchorElement>("a.try")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    visit.open(new URL(link.href).search);
    if (visit.opened && !visit.running) visit.train();
    form.scrollIntoView({ block: "start" });
  });
}
const termOf = ({ target }: Event) => (target as Element).closest<HTMLElement>("[data-term]");
for (const start of ["pointerover", "focusin"]) {
  addEventListener(start, (event) => {
    const term = termOf(event);
    if (term) showTipOf(term, [byId(`term-${term.dataset.term}`).textContent!]);
  });
}
for (const end of ["pointerout", "focusout"]) {
  addEventListener(end, (event) => termOf(event) && hideTip());
}
addEventListener("keydown", ({ key }) => key === "Escape" && hideTip());
addEventListener("resize", draw);
if (opening.has("embed")) document.documentElement.dataset.embed = "";
byId("served").hidden = true;

worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => {
  visit.receive(data);
  if (data.type !== "opened") return;
  const { parameters, backend, milliseconds } = data;
  const measured = Object.entries(milliseconds).filter(([, ms]) => ms !== undefined)
    .map(([name, ms]) => `, ${name} ${ms.toFixed(0)} ms a step`).join("");
  byId("device").textContent =
    `The model: ${visit.name}, ${parameters.toLocaleString("en")} parameters, ` +
    `on ${{ wasm: "WebAssembly", webgpu: "WebGPU" }[backend]}${measured}.`;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (!calm && opening.get("start") !== "no" && visit.groups.inc.length > 0) visit.train();
});
worker.addEventListener(
  "error",
  ({ message }) => say(`The worker failed: ${message ?? "it could not start"}`),
);
worker.postMessage({
  type: "open",
  folder: folder.href,
  ...{ name: visit.name, world, base },
  backend: ["wasm", "webgpu"].find((name) => name === opening.get("backend")),
});
visit.update({});
