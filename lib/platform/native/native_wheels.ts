/**
 * The files that make up the native TensorFlow, each pinned by SHA-256 in data/native-tensorflow.json,
 * by `Deno.build.os` and `Deno.build.arch`. The wheels' CPython tag does not matter (only the C library
 * is used), so one wheel serves every Python. CUDA wheels exist for Linux on x86-64 alone: what
 * tensorflow[and-cuda] names, at the newest versions within its bounds.
 */
import platforms from "../../../data/native-tensorflow.json" with { type: "json" };

export const TENSORFLOW_VERSION = "2.21.0";

/** `cuda` also runs where there is no GPU; `cpu` is a tenth of its size. */
export type NativeKind = "cpu" | "cuda";

export interface Wheel {
  /** The project and version as pip wants them. */
  requirement: string;
  sha256: string;
  /** Size of the wheel, for progress. */
  bytes: number;
}

export interface NativePlatform {
  kinds: Partial<Record<NativeKind, { wheels: Wheel[]; diskBytes: number }>>;
  /** A C++ compiler for machines without one. */
  zig: Wheel;
  /** Platform tags that pip may choose from. */
  tags: string[];
}

/**
 * The files that are unpacked, by how their paths start: the libraries, and of the 13,000 headers those
 * that the addon's two C++ files reach.
 */
export const UNPACKED = [
  "tensorflow/libtensorflow_cc.",
  "tensorflow/libtensorflow_framework.",
  "tensorflow/include/tensorflow/c/",
  "tensorflow/include/tensorflow/core/platform/",
  "tensorflow/include/tsl/platform/",
  "tensorflow/include/xla/tsl/",
  "nvidia/",
  "ziglang/",
];

export const NATIVE_PLATFORMS: Record<string, NativePlatform> = platforms;
