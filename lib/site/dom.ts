/** Elements of a page. Texts come as text nodes, so none can bring markup. */

type Attributes = Record<string, string | number | boolean | undefined>;

function fill<E extends Element>(
  element: E,
  attributes: Attributes,
  children: (Node | string)[],
): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

export function html<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children);
}

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** @throws where the page lacks it */
export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (found) return found as E;
  throw new Error(`Cannot build the page: expected an element #${id}; found none`);
}

/** The one tooltip: lines beside a point of the screen. */
export function showTip(lines: readonly string[], at: { x: number; y: number }): void {
  const tip = byId("tip");
  tip.replaceChildren(...lines.map((line) => html("div", {}, line)));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const right = document.documentElement.clientWidth - width - 8;
  const below = at.y + 18 + height < innerHeight;
  tip.style.left = `${Math.max(8, Math.min(at.x + 14, right))}px`;
  tip.style.top = `${below ? at.y + 18 : Math.max(8, at.y - height - 14)}px`;
}

export function hideTip(): void {
  byId("tip").hidden = true;
}

/** Shows an element's tip under the pointer and when it has the focus; Escape hides it. */
export function tipOn(element: Element, lines: () => readonly string[]): void {
  element.addEventListener("pointermove", (event) => {
    const { clientX: x, clientY: y } = event as PointerEvent;
    showTip(lines(), { x, y });
  });
  element.addEventListener("focus", () => {
    if (!element.matches(":focus-visible")) return;
    const { left, bottom } = element.getBoundingClientRect();
    showTip(lines(), { x: left, y: bottom });
  });
  for (const end of ["pointerleave", "blur"]) element.addEventListener(end, hideTip);
}

export const percent = (share: number, digits = 1): string => `${(100 * share).toFixed(digits)}%`;
