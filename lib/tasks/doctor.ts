/**
 * `deno task doctor`: what is at hand, what is missing, and the commands that mend it; `--json` for
 * programs. Ends with code 1 only when the project cannot run at all.
 */
import { examine, reportText } from "./diagnosis.ts";

const unknown = Deno.args.find((argument) => argument !== "--json");
if (unknown !== undefined) {
  console.error(`Cannot examine: expected no argument or --json, found ${unknown}`);
  Deno.exit(2);
}
const report = await examine();
console.log(Deno.args.includes("--json") ? JSON.stringify(report, null, 2) : reportText(report));
Deno.exit(report.works ? 0 : 1);
