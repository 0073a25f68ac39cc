/** The versions and files that this project is tested with. */
import platforms from "../../../data/native-tensorflow.json" with { type: "json" };

/** Other versions of Deno may show notebooks wrongly. */
export const PINNED_DENO = "2.9.6";

/** How a user without Deno runs it, at that version. */
export const DENO_COMMAND = `npx -y deno@${PINNED_DENO}`;

/** The task that installs native TensorFlow and says all it can about what stands in the way. */
export const INSTALL_COMMAND = `${DENO_COMMAND} run -A lib/tasks/install.ts`;

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

interface NativeBuild {
  wheels: Wheel[];
  /** Needed while it is installed. */
  diskBytes: number;
}

export interface NativePlatform {
  kinds: { cpu: NativeBuild; cuda?: NativeBuild };
  /** A C++ compiler for machines without one. */
  zig: Wheel;
  /** Platform tags that pip may choose from. */
  tags: string[];
}

/**
 * The files that make up the native TensorFlow, each pinned by SHA-256 in data/native-tensorflow.json,
 * by `Deno.build.os` and `Deno.build.arch`. The wheels' CPython tag does not matter (only the C library
 * is used), so one wheel serves every Python. CUDA wheels exist for Linux on x86-64 alone: what
 * tensorflow[and-cuda] names, at the newest versions within its bounds.
 */
export const NATIVE_PLATFORMS: Record<string, NativePlatform> = platforms;
