/** Where the texts of a drawn figure lie: apart from each other, and whole; and what plotly says of it. */
import assert from "node:assert/strict";
import { JSDOM } from "jsdom";
import { Resvg } from "@resvg/resvg-js";
import { fontFiles, openBrowser } from "../../lib/figure/_browser.ts";

/** What each text of an svg covers when it is drawn, by drawing it alone. */
function textBoxes(svg: string) {
  const { document, XMLSerializer } = new JSDOM(svg, { contentType: "image/svg+xml" }).window;
  const texts = [...document.querySelectorAll("text")].filter((text) => text.textContent);
  for (const mark of [...document.querySelectorAll("rect, path, image, title")]) {
    if (!mark.closest("clipPath")) mark.remove();
  }
  const font = { fontFiles, loadSystemFonts: false, defaultFontFamily: "DejaVu Sans" };
  for (const text of texts) text.setAttribute("display", "none");
  return texts.map((text) => {
    text.removeAttribute("display");
    const box = new Resvg(new XMLSerializer().serializeToString(document), { font }).getBBox();
    text.setAttribute("display", "none");
    assert.ok(box, `${text.textContent} is not drawn`);
    const { x, y, width, height } = box;
    return { text: text.textContent, left: x, top: y, right: x + width, bottom: y + height };
  });
}

/** @throws where two texts overlap or one is cut off; gives their boxes */
export function assertApart(svg: string, width: number, height: number) {
  const boxes = textBoxes(svg);
  for (const [i, a] of boxes.entries()) {
    const inside = a.left >= 0 && a.top >= 0 && a.right <= width && a.bottom <= height;
    assert.ok(inside, `cut off: ${JSON.stringify(a)}`);
    for (const b of boxes.slice(i + 1)) {
      const apart = a.right < b.left || b.right < a.left || a.bottom < b.top || b.bottom < a.top;
      assert.ok(apart, `overlap: ${JSON.stringify([a, b])}`);
    }
  }
  return boxes;
}

/** What plotly's own checker finds wrong, e.g. an attribute that it does not know. */
export async function faultsOf(data: unknown, layout: unknown): Promise<string[]> {
  const { window } = await openBrowser();
  const figure = window.JSON.parse(JSON.stringify({ data, layout }));
  const found: { code: string; msg: string }[] =
    window.Plotly.validate(figure.data, figure.layout) ?? [];
  // Other codes tell of attributes that have no effect at present.
  return found.filter(({ code }) => /^(schema|value|array|object)$/.test(code))
    .map(({ msg }) => msg);
}
