/**
 * The little of a browser that plotly needs to draw svg: a jsdom window whose text is measured
 * with the font that the pictures are drawn in (DejaVu Sans).
 */
import { createRequire } from "node:module";
import { Random } from "../statistics/random.ts";

const require = createRequire(import.meta.url);

/** Font files of the static pictures: regular, bold, italic, bold italic. */
export const fontFiles = ["", "-Bold", "-Oblique", "-BoldOblique"].map((style) =>
  require.resolve(`dejavu-fonts-ttf/ttf/DejaVuSans${style}.ttf`)
);

interface Font {
  unitsPerEm: number;
  ascender: number;
  descender: number;
  charToGlyphIndex(character: string): number;
  charToGlyph(character: string): { advanceWidth?: number };
}

type FontOf = (bold: boolean, italic: boolean) => Font;

type Box = { left: number; top: number; right: number; bottom: number };

// deno-lint-ignore no-explicit-any
type Any = any;

let opened: ReturnType<typeof open> | undefined;

/** plotly in the one window of this process; it takes about a second the first time. */
export const openBrowser = () => opened ??= open();

async function open() {
  const [{ JSDOM, VirtualConsole }, opentype, { Resvg }] = await Promise.all([
    import("jsdom"),
    import("opentype.js"),
    import("@resvg/resvg-js"),
  ]);
  const fonts = new Map<string, Font>();
  const font: FontOf = (bold, italic) => {
    const file = fontFiles[(bold ? 1 : 0) + (italic ? 2 : 0)];
    let found = fonts.get(file);
    if (!found) {
      const bytes = Deno.readFileSync(file);
      found = ((opentype as Any).parse ?? (opentype as Any).default.parse)(bytes.buffer) as Font;
      fonts.set(file, found);
    }
    return found;
  };

  const window: Any = new JSDOM("<!DOCTYPE html><body></body>", {
    runScripts: "outside-only",
    virtualConsole: new VirtualConsole(), // plotly's chatter about missing parts stays inside
  }).window;
  giveCanvas(window, Resvg);
  giveSizes(window, font);
  window.URL.createObjectURL = () => "blob:none";
  window.requestAnimationFrame = (action: () => void) => setTimeout(action, 0);
  window.eval(await Deno.readTextFile(require.resolve("plotly.js-dist-min")));
  const { Plotly } = window;

  return {
    /** The figure as an svg document, `width` x `height` px. */
    async draw(data: unknown, layout: { width: number; height: number }) {
      // Plotly names clip paths at random: seeded, the same figure gives the same file.
      const random = new Random("figure");
      window.Math.random = () => random.next();
      const element = window.document.createElement("div");
      window.document.body.append(element);
      try {
        const figure = window.JSON.parse(JSON.stringify({ data, layout }));
        await Plotly.newPlot(element, figure.data, figure.layout, { staticPlot: true });
        return Plotly.Snapshot.toSVG(element, "svg", 1) as string;
      } finally {
        Plotly.purge(element);
        element.remove();
      }
    },
    window,
    /** Whether the pictures' font can show all of `text`. */
    hasGlyphs: (text: string) =>
      [...text].every((character) =>
        /\s|\u200b/.test(character) || font(false, false).charToGlyphIndex(character) > 0
      ),
  };
}

/**
 * As much of a canvas as plotly's heat maps draw on: filled rectangles, handed out as a png. A real canvas
 * is a native package of 30 MB.
 */
function giveCanvas(window: Any, Resvg: typeof import("@resvg/resvg-js").Resvg) {
  const drawn = new WeakMap<object, { fillStyle: string; rects: string[] }>();
  const canvas = window.HTMLCanvasElement.prototype;
  canvas.getContext = function (kind: string) {
    if (kind !== "2d") return null;
    const context = {
      fillStyle: "",
      rects: [] as string[],
      fillRect(x: number, y: number, width: number, height: number) {
        // A rectangle of negative size reaches the other way.
        const [left, top] = [Math.min(x, x + width), Math.min(y, y + height)];
        this.rects.push(
          `<rect x="${left}" y="${top}" width="${Math.abs(width)}" height="${Math.abs(height)}" ` +
            `fill="${this.fillStyle}"/>`,
        );
      },
    };
    if (!drawn.has(this)) drawn.set(this, context);
    return drawn.get(this);
  };
  canvas.toDataURL = function () {
    const size = `width="${this.width}" height="${this.height}" shape-rendering="crispEdges"`;
    const rects = this.getContext("2d").rects.join("");
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${rects}</svg>`;
    return `data:image/png;base64,${new Resvg(svg).render().asPng().toBase64()}`;
  };
}

/** Gives svg elements the measures that jsdom leaves out, as far as plotly asks for them. */
function giveSizes(window: Any, font: FontOf) {
  const svg = window.SVGElement.prototype;
  svg.getBBox = svg.getBoundingClientRect = function () {
    const box = boxOf(this, font) ?? { left: 0, top: 0, right: 0, bottom: 0 };
    const [width, height] = [box.right - box.left, box.bottom - box.top];
    return { ...box, x: box.left, y: box.top, width, height };
  };
  // Asked of arrows alone, whose path is one straight line.
  const endsOf = (element: Any) => element.getAttribute("d").match(/-?[\d.]+/g).map(Number);
  svg.getTotalLength = function () {
    const [x0, y0, x1, y1] = endsOf(this);
    return Math.hypot(x1 - x0, y1 - y0);
  };
  svg.getPointAtLength = function (length: number) {
    const [x0, y0, x1, y1] = endsOf(this), share = length / (this.getTotalLength() || 1);
    return { x: x0 + share * (x1 - x0), y: y0 + share * (y1 - y0) };
  };
}

/** The box of a text, or of all texts in a group: lines and marks are not asked for. */
function boxOf(element: Any, font: FontOf): Box | undefined {
  if (element.tagName === "text") return textBox(element, font);
  const boxes = [...element.children].flatMap((child) => {
    const box = child.style.display === "none" ? undefined : boxOf(child, font);
    return box ? corners(transformed(box, child.getAttribute("transform") ?? "")) : [];
  });
  return boxes.length ? around(boxes) : undefined;
}

const corners = ({ left, top, right, bottom }: Box) => [
  { x: left, y: top },
  { x: right, y: top },
  { x: left, y: bottom },
  { x: right, y: bottom },
];

const around = (points: { x: number; y: number }[]): Box => ({
  left: Math.min(...points.map((point) => point.x)),
  top: Math.min(...points.map((point) => point.y)),
  right: Math.max(...points.map((point) => point.x)),
  bottom: Math.max(...points.map((point) => point.y)),
});

/** `box` after an svg transform of translations and rotations, the last one first. */
function transformed(box: Box, transform: string): Box {
  let points = corners(box);
  const steps = [...transform.matchAll(/(translate|rotate)\(([^)]*)\)/g)].reverse();
  for (const [, kind, text] of steps) {
    const [a = 0, b, c] = text.split(/[\s,]+/).filter(Boolean).map(Number);
    points = points.map(({ x, y }) => {
      if (kind === "translate") return { x: x + a, y: y + (b ?? 0) };
      const [cos, sin] = [Math.cos(a * Math.PI / 180), Math.sin(a * Math.PI / 180)];
      const [dx, dy] = [x - (b ?? 0), y - (c ?? 0)];
      return { x: dx * cos - dy * sin + (b ?? 0), y: dx * sin + dy * cos + (c ?? 0) };
    });
  }
  return around(points);
}

function inherited(element: Any, property: string): string {
  for (let at = element; at?.style; at = at.parentElement) {
    const value = at.style.getPropertyValue(property) || at.getAttribute(property);
    if (value) return value;
  }
  return "";
}

function fontSize(element: Any): number {
  const own = element?.style
    ? element.style.getPropertyValue("font-size") || element.getAttribute("font-size") || ""
    : "12px";
  if (!own) return fontSize(element.parentElement);
  const value = Number.parseFloat(own);
  if (own.endsWith("%")) return fontSize(element.parentElement) * value / 100;
  return own.endsWith("em") ? fontSize(element.parentElement) * value : value;
}

/** Width of an element's text on one line, px. */
function runWidth(element: Any, font: FontOf): number {
  let width = 0;
  for (const node of element.childNodes) {
    if (node.nodeType === 1) width += runWidth(node, font);
    if (node.nodeType !== 3) continue;
    const text = node.nodeValue.replaceAll("\u200b", "");
    const weight = inherited(element, "font-weight");
    const bold = weight === "bold" || Number(weight) >= 600;
    const face = font(bold, inherited(element, "font-style") === "italic");
    // Glyph by glyph: shaping fails on scripts that opentype.js does not know, and it only moves
    // the sum by a pixel.
    let units = 0;
    for (const character of text) {
      // What the font lacks (e.g. Chinese) is drawn in another one, mostly in squares.
      units += face.charToGlyphIndex(character) === 0
        ? face.unitsPerEm
        : face.charToGlyph(character).advanceWidth ?? 0;
    }
    width += units / face.unitsPerEm * fontSize(element);
  }
  return width;
}

function textBox(element: Any, font: FontOf): Box | undefined {
  if (!element.textContent) return undefined;
  const size = fontSize(element);
  const { ascender, descender, unitsPerEm } = font(false, false);
  const lines = element.querySelectorAll("tspan.line");
  const boxes = [...(lines.length ? lines : [element])].map((line: Any) => {
    const attribute = (name: string) => line.getAttribute(name) ?? element.getAttribute(name) ?? "";
    const dy = attribute("dy");
    const shift = Number.parseFloat(dy) * (dy.endsWith("em") ? size : 1) || 0;
    const x = Number.parseFloat(attribute("x")) || 0;
    const y = (Number.parseFloat(attribute("y")) || 0) + shift;
    const width = runWidth(line, font);
    const anchor = inherited(element, "text-anchor");
    const left = x - (anchor === "middle" ? width / 2 : anchor === "end" ? width : 0);
    return {
      left,
      top: y - ascender / unitsPerEm * size,
      right: left + width,
      bottom: y - descender / unitsPerEm * size,
    };
  });
  return around(boxes.flatMap(corners));
}
