/**
 * As much of a canvas as plotly's heat maps draw on: filled rectangles, kept in memory and handed out as a PNG. Own code, because a real canvas is a native package of 30 MB.
 */
import { crc32, deflateSync } from "node:zlib";

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

/** 8-bit RGBA pixels, row by row, as a PNG file. */
export function encodePng(pixels: Uint8Array, width: number, height: number): Uint8Array {
  const header = new Uint8Array(13);
  new DataView(header.buffer).setUint32(0, width);
  new DataView(header.buffer).setUint32(4, height);
  header.set([8, 6, 0, 0, 0], 8);
  const lines = new Uint8Array(height * (width * 4 + 1)); // each line begins with its filter, 0
  for (let y = 0; y < height; y++) {
    lines.set(pixels.subarray(y * width * 4, (y + 1) * width * 4), y * (width * 4 + 1) + 1);
  }
  const parts = [
    new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("IDAT", new Uint8Array(deflateSync(lines))),
    chunk("IEND", new Uint8Array()),
  ];
  const file = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((offset, part) => (file.set(part, offset), offset + part.length), 0);
  return file;
}

/** The "2d" context of one canvas element; `element` gives the size. */
export class MemoryCanvas {
  fillStyle = "rgba(0,0,0,1)";
  #pixels = new Uint8Array();
  #width = 0;
  #height = 0;

  constructor(readonly canvas: { width: number; height: number }) {}

  #fit() {
    if (this.#width === this.canvas.width && this.#height === this.canvas.height) return;
    this.#width = this.canvas.width;
    this.#height = this.canvas.height;
    this.#pixels = new Uint8Array(this.#width * this.#height * 4);
  }

  fillRect(x: number, y: number, width: number, height: number) {
    this.#fit();
    const [red, green, blue, alpha = 1] = (this.fillStyle.match(/[\d.]+/g) ?? []).map(Number);
    const pixel = [red, green, blue, Math.round(alpha * 255)];
    // A rectangle of negative size reaches the other way.
    const left = Math.max(0, Math.round(Math.min(x, x + width)));
    const right = Math.min(this.#width, Math.round(Math.max(x, x + width)));
    const top = Math.max(0, Math.round(Math.min(y, y + height)));
    const bottom = Math.min(this.#height, Math.round(Math.max(y, y + height)));
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) {
        this.#pixels.set(pixel, (row * this.#width + column) * 4);
      }
    }
  }

  toDataUrl(): string {
    this.#fit();
    const png = encodePng(this.#pixels, this.#width, this.#height);
    return `data:image/png;base64,${png.toBase64()}`;
  }
}
