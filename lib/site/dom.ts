/** What the page's pictures share. lit-html puts texts in as text, so none can bring markup. */
export { html, nothing, render, svg } from "lit-html";

/** @throws where the page lacks it */
export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (found) return found as E;
  throw new Error(`Cannot build the page: expected an element #${id}; found none`);
}

/** The one tooltip: lines beside a point of the screen. */
export function showTip(lines: readonly string[], { x, y }: { x: number; y: number }): void {
  const tip = byId("tip");
  tip.textContent = lines.join("\n");
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const right = document.documentElement.clientWidth - width - 8;
  const below = y + 18 + height < innerHeight;
  tip.style.left = `${Math.max(8, Math.min(x + 14, right))}px`;
  tip.style.top = `${below ? y + 18 : Math.max(8, y - height - 14)}px`;
}

export function hideTip(): void {
  byId("tip").hidden = true;
}

/** Shows a tip below an element. */
export function showTipOf(element: Element, lines: readonly string[]): void {
  const { left, bottom } = element.getBoundingClientRect();
  showTip(lines, { x: left, y: bottom });
}
