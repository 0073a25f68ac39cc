/**
 * GGML's block formats as float32, rounded as Python's `gguf` rounds, bit for bit; no npm package
 * does. A block holds a few numbers of 4 to 8 bits with one or two half-precision scales; the K
 * formats hold 256, in parts with scales of their own. A product or sum of two float32 taken in
 * float64 and rounded once is the float32 result; `fround` rounds what is added to afterwards.
 */
import { floatsFromBfloat16 } from "./checkpoint.ts";

interface Format {
  /** Numbers of a block. */
  size: number;
  /** Bytes of a block. */
  bytes: number;
  /** Writes the block at byte `at` to `out` from `to` on. */
  unpack(bytes: Uint8Array, at: number, out: Float32Array, to: number): void;
}

const { fround } = Math;

/** Every half-precision number, by its bits. */
const halves = new Float32Array(
  new Float16Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer),
);
const half = (bytes: Uint8Array, at: number) => halves[bytes[at] | bytes[at + 1] << 8];
const signed = (byte: number) => byte << 24 >> 24;

/** 32 numbers of 4 or 5 bits: above a smallest value, or around zero. */
function smallBlock(bits: 4 | 5, withMinimum: boolean): Format {
  const fifths = withMinimum ? 4 : 2; // 5-bit numbers have their uppermost bit apart
  const nibbles = fifths + (bits === 5 ? 4 : 0);
  const middle = 1 << (bits - 1);
  return {
    size: 32,
    bytes: nibbles + 16,
    unpack: (bytes, at, out, to) => {
      const step = half(bytes, at);
      const least = half(bytes, at + 2);
      for (let i = 0; i < 32; i++) {
        let q = bytes[at + nibbles + (i & 15)] >> (i >> 4) * 4 & 15;
        if (bits === 5) q |= (bytes[at + fifths + (i >> 3)] >> (i & 7) & 1) << 4;
        out[to + i] = withMinimum ? fround(step * q) + least : step * (q - middle);
      }
    },
  };
}

const q8: Format = {
  size: 32,
  bytes: 34,
  unpack: (bytes, at, out, to) => {
    const step = half(bytes, at);
    for (let i = 0; i < 32; i++) out[to + i] = step * signed(bytes[at + 2 + i]);
  },
};

/** 256 numbers of 4 or 5 bits in 8 parts of 32, each with a scale and a minimum of 6 bits. */
function kBlock(bits: 4 | 5): Format {
  const [scales, fifths, nibbles] = [4, 16, bits === 5 ? 48 : 16];
  return {
    size: 256,
    bytes: nibbles + 128,
    unpack: (bytes, at, out, to) => {
      const step = half(bytes, at);
      const least = half(bytes, at + 2);
      for (let part = 0; part < 8; part++) {
        // The last four parts have their 4 lower bits together and the 2 upper ones beside others'.
        const first = at + scales + (part & 3);
        const lower = part < 4 ? bytes[first] & 63 : bytes[first + 8] & 15 | bytes[first] >> 6 << 4;
        const minimum = part < 4
          ? bytes[first + 4] & 63
          : bytes[first + 8] >> 4 | bytes[first + 4] >> 6 << 4;
        const partStep = fround(step * lower);
        const partLeast = fround(least * minimum);
        for (let i = 0; i < 32; i++) {
          let q = bytes[at + nibbles + (part >> 1) * 32 + i] >> (part & 1) * 4 & 15;
          if (bits === 5) q |= (bytes[at + fifths + i] >> part & 1) << 4;
          out[to + part * 32 + i] = fround(partStep * q) - partLeast;
        }
      }
    },
  };
}

/** 256 numbers of 6 bits around zero, in 16 parts of 16, each with a scale of 8 bits. */
const q6K: Format = {
  size: 256,
  bytes: 210,
  unpack: (bytes, at, out, to) => {
    const step = half(bytes, at + 208);
    for (let part = 0; part < 16; part++) {
      const partStep = fround(step * signed(bytes[at + 192 + part]));
      const [side, group] = [part >> 3, part >> 1 & 3]; // two sides of 128, in four groups of 32
      for (let i = 0; i < 16; i++) {
        const within = (part & 1) * 16 + i;
        const nibble = bytes[at + side * 64 + (group & 1) * 32 + within] >> (group >> 1) * 4 & 15;
        const upper = bytes[at + 128 + side * 32 + within] >> group * 2 & 3;
        out[to + part * 16 + i] = partStep * ((nibble | upper << 4) - 32);
      }
    }
  },
};

const formats = new Map<string, Format>([
  ["Q4_0", smallBlock(4, false)],
  ["Q4_1", smallBlock(4, true)],
  ["Q5_0", smallBlock(5, false)],
  ["Q5_1", smallBlock(5, true)],
  ["Q8_0", q8],
  ["Q4_K", kBlock(4)],
  ["Q5_K", kBlock(5)],
  ["Q6_K", q6K],
]);
const plainBytes = new Map([["F32", 4], ["F16", 2], ["BF16", 2]]);

/** The formats that can be read. */
export const readableFormats: string[] = [...plainBytes.keys(), ...formats.keys()];

/** Bytes of `count` numbers; undefined for an unknown format or a count that no blocks make up. */
export function formatBytes(format: string, count: number): number | undefined {
  const { size, bytes } = formats.get(format) ?? { size: 1, bytes: plainBytes.get(format) };
  return bytes === undefined || count % size !== 0 ? undefined : count / size * bytes;
}

/** All numbers of `bytes`, which must be whole blocks of one of the readable formats. */
export function dequantize(format: string, bytes: Uint8Array): Float32Array {
  const blocks = formats.get(format);
  if (blocks === undefined) {
    const { buffer } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
    const start = bytes.byteOffset % 4 === 0 ? bytes.byteOffset : 0;
    const count = bytes.length / plainBytes.get(format)!;
    if (format === "F32") return new Float32Array(buffer, start, count);
    if (format === "F16") return new Float32Array(new Float16Array(buffer, start, count));
    return floatsFromBfloat16(new Uint16Array(buffer, start, count));
  }
  const out = new Float32Array(bytes.length / blocks.bytes * blocks.size);
  for (let at = 0, to = 0; at < bytes.length; at += blocks.bytes, to += blocks.size) {
    blocks.unpack(bytes, at, out, to);
  }
  return out;
}
