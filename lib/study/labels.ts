/** What models are called in tables. */
import { basename } from "node:path";

const ONNX = "onnx:";
export const ORGANISM = "organism";

export const isOrganism = (model: string) => model === ORGANISM || model.startsWith(`${ORGANISM}:`);

/** What a model is called in tables: an organism by its name, a path by its last part. */
export function modelLabel(model: string): string {
  if (model.startsWith(ONNX)) return `${ONNX}${modelLabel(model.slice(ONNX.length))}`;
  const name = isOrganism(model) ? model.slice(ORGANISM.length + 1) : model;
  return /^[./]|^[A-Za-z]:\\/.test(name) ? basename(name) : name;
}
