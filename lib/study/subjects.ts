/** Opens what a run's settings ask to study: the shipped organisms, or any model with files of questions. */
import type { ReadableModel } from "../model/readable_model.ts";
import { loadModel, type LoadOptions, openModel } from "../model/files/load.ts";
import { loadOrganism, type Organism } from "../organism/folder.ts";
import { organismCards } from "../organism/registry.ts";
import { estimateText } from "./estimate.ts";
import { factMaterial } from "./facts.ts";
import { readGeneral } from "./files.ts";
import { worldMaterial } from "./material.ts";
import { checkSettings, loadingOf, type Settings, studiesFacts } from "./settings.ts";
import type { OpenedSubject, ProbedSubject } from "./study.ts";
import { isOrganism, modelLabel, ORGANISM } from "./labels.ts";
import { DOMAINS } from "./plan.ts";
import { studiedModels } from "./plans.ts";
import { fileMaterial } from "./file_material.ts";
import { paperMaterial } from "./exam_material.ts";

/** With `quick`, at most so many questions of a pool or an exam, and domains of a world. */
const QUICK = { questions: 60, domains: 2 };

export interface OpenOptions {
  /** Called with a warning where an organism failed its gate. Default: prints to stderr. */
  warn?: (line: string) => void;
}

/**
 * Loads a model of `studiedModels` and its questions.
 * @throws naming the file or setting that is missing and its flag; on an ONNX graph, which can't be
 * trained
 */
export const openSubject = (
  name: string,
  settings: Settings,
  options: OpenOptions = {},
): Promise<OpenedSubject> => open(name, settings, { ...options, load: loadModel });

/** As `openSubject`, for what asks a model and does not train it: ONNX graphs are opened too. */
export const openProbed = (name: string, settings: Settings): Promise<ProbedSubject> =>
  open(name, settings, { load: openModel });

/**
 * Opens the first model of a run, and its first domain: what a notebook looks at closely. `name` is what
 * plans call the model, `label` what tables do; `test` is HOMO.
 */
export async function openFirst<Opened extends ProbedSubject>(
  settings: Settings,
  open: (name: string, settings: Settings) => Promise<Opened>,
) {
  const name = await firstOf(settings);
  const subject = await open(name, settings);
  const [[domain, { pool, suites }]] = subject.material.domains;
  return { ...subject, name, label: modelLabel(name), domain, pool, test: suites.homo![0] };
}

/** The first organism of a run; of a run on another model, the smallest that ships. */
export async function openOrganism(settings: Settings): Promise<Organism> {
  if (isOrganism(settings.model)) return await loadOrganism(modelLabel(await firstOf(settings)));
  const [smallest] = await organismCards();
  return await loadOrganism(smallest.name);
}

const firstOf = async (settings: Settings) => (await studiedModels(settings))[0];

async function open<Model extends ReadableModel>(
  name: string,
  settings: Settings,
  { load, warn }: OpenOptions & {
    load: (name: string, options: LoadOptions) => Promise<Model>;
  },
) {
  checkSettings(settings);
  const limit = settings.limit ?? (settings.quick ? QUICK.questions : undefined);
  if (isOrganism(name)) {
    const loading = { batchTokens: settings.batchTokens, warn };
    const { model, world } = await loadOrganism(name.slice(ORGANISM.length + 1), loading);
    const domains = studiedDomains(settings, world.domains.map(({ name }) => name));
    const material = worldMaterial(world, { domains, limit });
    return { model, material, rejected: [], leaked: 0, world };
  }
  const files = studiesFacts(settings)
    ? await openFacts(settings)
    : settings.exam === "paper"
    ? await paperMaterial(settings, { limit })
    : await fileMaterial(settings, limit);
  const model = await load(name, loadingOf(settings));
  if (settings.exam === "paper" && !estimated.has(name)) {
    estimated.add(name);
    console.error(await estimateText(model, files.material, settings));
  }
  return { model, ...files };
}

/** The domains of an organism's world that a run studies, in their order. */
export const studiedDomains = (
  { domains, quick }: Settings,
  all: readonly string[] = DOMAINS,
): readonly string[] => domains ?? (quick ? all.slice(0, QUICK.domains) : all);

/** Models of which this process has told how long their study takes. */
const estimated = new Set<string>();

async function openFacts(settings: Settings): Promise<Omit<OpenedSubject, "model">> {
  const { general, rejected } = await readGeneral(settings.general);
  return { material: { ...await factMaterial(settings), general }, rejected, leaked: 0 };
}
