/** A figure in words and numbers, for a screen reader, a terminal, or a search in a notebook. */
import { plainPlot } from "./_text.ts";
import { formatPlain } from "./number.ts";
import { unique } from "./rows.ts";
import type { FigureDescription, PlotTrace } from "./theme.ts";

const most = 12; // values told of one series

/** The title's first part and what stands below it, without markup. */
export function titleOf(figure: FigureDescription): { title: string; subtitle: string } {
  const [title, ...rest] = String(figure.layout.title?.text ?? "").split(/(?:<br>)?(?=<span)/);
  return { title: plainPlot(title), subtitle: rest.map(plainPlot).join(" ") };
}

/** What is to be seen in `figure`, in some sentences: the text in place of its picture. */
export function altText(figure: FigureDescription): string {
  const { title, subtitle } = titleOf(figure);
  const shown = figure.data.filter(({ hoverinfo }) => hoverinfo === "text");
  const names = (texts: readonly (string | undefined)[]) =>
    unique(texts.map((text) => plainPlot(text ?? ""))).filter(Boolean);
  const series = names(shown.map(({ name }) => name));
  const panels = names(
    ((figure.layout.annotations ?? []) as { text: string }[]).map(({ text }) => text),
  );
  const { type, mode = "" } = shown[0] ?? {};
  const points = String(mode).includes("lines") ? "Lines" : "Points";
  const kind = type === "bar" ? "Bars" : type === "heatmap" ? "Coloured cells" : points;
  const { yaxis, coloraxis } = figure.layout;
  const measure = coloraxis ? coloraxis.colorbar.title.text : yaxis?.title?.text;
  const few = (list: readonly string[]) => list.length > 1 && list.length <= 6;
  const drawn = [
    kind,
    measure ? ` of ${plainPlot(measure).trim()}` : "",
    few(series) ? ` for ${series.join(", ")}` : "",
    panels.length > 1 ? ` in ${panels.length} panels` : "",
    few(panels) ? ` (${panels.join(", ")})` : "",
  ].join("");
  const marks = shown.flatMap(({ y, z, hovertext }) => {
    const texts = [hovertext ?? []].flat(2) as string[];
    return ([z ?? y ?? []].flat(2) as unknown[]).map((value, i) => ({ value, text: texts[i] }));
  }).filter((mark): mark is { value: number; text: string } =>
    typeof mark.value === "number" && Boolean(mark.text)
  ).sort((a, b) => a.value - b.value);
  // Panels with axes of their own may hold different things, of which none is the highest.
  const own = Object.entries(figure.layout).some(([key, axis]) =>
    /^yaxis\d/.test(key) && !axis.matches
  );
  const ends = marks.length > 1 && !own
    ? `Highest: ${plainPlot(marks.at(-1)!.text)}. Lowest: ${plainPlot(marks[0].text)}.`
    : "";
  const head = [title, subtitle].filter(Boolean).map((text) =>
    text.replace(/[.?!]?$/, (end) => end || ".")
  );
  return [...head, `${drawn}.`, ends].filter(Boolean).join(" ");
}

function tell(value: unknown): string {
  if (value === null || value === undefined) return "none";
  if (typeof value !== "number") return plainPlot(String(value));
  return Math.abs(value) >= 10 ? formatPlain(Number(value.toFixed(1))) : formatPlain(value, 3);
}

function tellTrace(trace: PlotTrace): string {
  const name = plainPlot(trace.name ?? trace.type);
  const list = (key: string) => (trace[key] ?? []) as (number | string | null)[];
  if (trace.type === "heatmap") {
    return (trace.z as (number | null)[][]).map((row, i) =>
      `  ${tell(list("y")[i])}: ` +
      row.map((value, j) => `${tell(list("x")[j])} ${tell(value)}`).join(", ")
    ).join("\n");
  }
  const ys = list("y");
  const errors = trace.error_y as { array?: number[]; arrayminus?: number[] } | undefined;
  const points = ys.slice(0, most).map((y, i) => {
    const [up, down] = [errors?.array?.[i], errors?.arrayminus?.[i]];
    const bounds = typeof y === "number" && typeof up === "number" && typeof down === "number"
      ? ` [${tell(y - down)}, ${tell(y + up)}]`
      : "";
    return `${tell(list("x")[i])}: ${tell(y)}${bounds}`;
  });
  const more = ys.length > most ? ` and ${ys.length - most} more` : "";
  return `  ${name && `${name} | `}${points.join(", ")}${more}`;
}

/** Title, axes and values of `figure` as plain text, a line for each series. */
export function describeFigure(figure: FigureDescription): string {
  const { title, subtitle } = titleOf(figure);
  const axes = ["x", "y"].map((letter) => {
    const titles = Object.entries(figure.layout)
      .flatMap(([key, axis]) => key.startsWith(`${letter}axis`) ? axis.title?.text || [] : []);
    return titles.length ? `${letter}: ${plainPlot(titles[0])}` : "";
  }).filter(Boolean).join("; ");
  const shapes = (figure.layout.shapes ?? []) as { name?: string; y0: number }[];
  const levels = unique(shapes.map(({ name = "", y0 }) => `  ${plainPlot(name)} | ${tell(y0)}`));
  // Bands repeat their line's values.
  const shown = figure.data.filter((trace) => trace.hoverinfo !== "skip");
  const panels = (figure.layout.annotations ?? []) as { text: string }[];
  const panelOf = ({ xaxis = "x" }: PlotTrace) => Number(String(xaxis).slice(1) || 1) - 1;
  const lines = shown.flatMap((trace, i) => {
    const panel = panelOf(trace);
    const heading = panels[panel] && (i === 0 || panel !== panelOf(shown[i - 1]));
    return heading ? [`${plainPlot(panels[panel].text)}:`, tellTrace(trace)] : [tellTrace(trace)];
  });
  return [`Figure: ${title || "without a title"}`, subtitle, axes, ...levels, ...lines]
    .filter(Boolean).join("\n");
}
