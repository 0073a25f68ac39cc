// deno-lint-ignore-file no-import-prefix -- for whoever makes the tables anew; the project needs no such package
/**
 * Writes tables/countries.csv and tables/elements.csv from two npm packages (both MIT), so that a reader
 * can see what was taken from them and what was left out. The other tables are this project's own.
 *
 *   deno run -A --no-lock data/facts/extract.ts
 */
import { elements } from "npm:chemical-elements@2.3.3";
import { countries, getCountryDataList } from "npm:countries-list@3.4.1";
import { currencies } from "npm:countries-list@3.4.1/currencies";
import { writeWhole } from "../../lib/platform/runtime/files.ts";

/** Members of the United Nations, without those whose capital is disputed, moving or shared. */
const left = {
  "no member": "AC AI AQ AS AW AX BL BM BQ BV CC CK CW CX EH FK FO GF GG GI GL GP GS GU HK HM IM IO " +
    "JE KY MF MO MP MQ MS NC NF NU PF PM PN PR PS RE SH SJ SX TA TC TF TK TW UM VA VG VI WF XK YT",
  "capital disputed, moving or shared": "BO GQ ID IL KI LK NR SZ ZA",
};
const excluded = new Set(Object.values(left).join(" ").split(" "));
const articles = new Set(
  "AE BS CD CF CG DO GB GM KM MH MV NL PH SB SC US".split(" "),
);
const names: Record<string, string> = { TR: "Turkey" };
/** Both of its parts count, but people and capital are in Europe. */
const continents: Record<string, string> = { RU: "EU" };

/** Units that are one word in several languages: none is a wrong answer where another is right. */
const likenesses = [
  ["krone", "krona", "króna", "koruna"],
  ["rial", "riyal", "real"],
  ["dinar", "denar"],
];

const lines = getCountryDataList().filter(({ iso2 }) => !excluded.has(iso2)).map((country) => {
  const { iso2, capital, currency } = country;
  const name = names[iso2] ?? country.name;
  const subject = articles.has(iso2) ? `the ${name}` : name;
  // "Mexico City" needs no knowledge.
  const shown = capital.includes(name) || name.includes(capital) ? "" : capital;
  const unit = currency.length === 1 ? unitOf(currencies[currency[0]].name) : "";
  const continent = continents[iso2] ?? countries[iso2].continent;
  const also = likenesses.find((units) => units.includes(unit))?.filter((one) => one !== unit) ?? [];
  return [subject, shown, unit, continent, also.join(";")].map(cell).join(",");
});
await writeWhole(
  new URL("tables/countries.csv", import.meta.url).pathname,
  ["country,capital,currency,kind,also", ...lines.sort(), ""].join("\n"),
);

/** "Norwegian Krone" is "krone": its first word would give the country away. */
function unitOf(name: string): string {
  if (/\bFranc\b/.test(name)) return "franc";
  return name.split(/\s+/).at(-1)!.toLowerCase();
}

const spelled: Record<string, string> = { Aluminum: "aluminium", Cesium: "caesium" };
await writeWhole(
  new URL("tables/elements.csv", import.meta.url).pathname,
  [
    "element,symbol,number",
    ...elements.filter(({ number }) => number <= 118).map(({ number, symbol, name }) =>
      [spelled[name] ?? name.toLowerCase(), symbol, number].join(",")
    ),
    "",
  ].join("\n"),
);

function cell(text: string): string {
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
