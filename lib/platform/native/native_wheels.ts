/**
 * The files that make up the native TensorFlow, each pinned by SHA-256. The wheels' CPython tag
 * does not matter (only the C library is used), so one wheel serves every Python.
 */

export const TENSORFLOW_VERSION = "2.21.0";

/** `cuda` also runs where there is no GPU; `cpu` is a tenth of its size. */
export type NativeKind = "cpu" | "cuda";

export interface Wheel {
  /** The project and version as pip wants them. */
  requirement: string;
  sha256: string;
  /** Size of the wheel, for progress. */
  bytes: number;
  /** Only files whose path starts with one of these are unpacked. */
  keep: string[];
}

export interface NativePlatform {
  kinds: Partial<Record<NativeKind, { wheels: Wheel[]; diskBytes: number }>>;
  /** A C++ compiler for machines without one. */
  zig: Wheel;
  /** Platform tags that pip may choose from. */
  tags: string[];
}

// The only headers that the addon's two C++ files reach; the whole of include/ is 13,000 files.
const headers = [
  "tensorflow/include/tensorflow/c/",
  "tensorflow/include/tensorflow/core/platform/",
  "tensorflow/include/tsl/platform/",
  "tensorflow/include/xla/tsl/",
];
const libraries = ["tensorflow/libtensorflow_cc.", "tensorflow/libtensorflow_framework."];
const tensorflow = (name: string, bytes: number, sha256: string): Wheel => ({
  requirement: `${name}==${TENSORFLOW_VERSION}`,
  sha256,
  bytes,
  keep: [...libraries, ...headers],
});
const nvidia = (name: string, version: string, bytes: number, sha256: string): Wheel => ({
  requirement: `nvidia-${name}-cu12==${version}`,
  sha256,
  bytes,
  keep: ["nvidia/"],
});
const zig = (bytes: number, sha256: string): Wheel => ({
  requirement: "ziglang==0.17.1",
  sha256,
  bytes,
  keep: ["ziglang/"],
});
const manylinux = (machine: string) =>
  ["2_5", "2_12", "2_17", "2_24", "2_25", "2_26", "2_27"].map((v) => `manylinux_${v}_${machine}`);

/** By `Deno.build.os` and `Deno.build.arch`. CUDA wheels exist for Linux on x86-64 alone. */
export const NATIVE_PLATFORMS: Record<string, NativePlatform> = {
  "linux-x86_64": {
    tags: manylinux("x86_64"),
    zig: zig(101083562, "ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54"),
    kinds: {
      cpu: {
        diskBytes: 1.3e9,
        wheels: [
          tensorflow(
            "tensorflow-cpu",
            273829956,
            "2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c",
          ),
        ],
      },
      // What tensorflow[and-cuda] names, at the newest versions within its bounds.
      cuda: {
        diskBytes: 6.6e9,
        wheels: [
          tensorflow(
            "tensorflow",
            572440367,
            "9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124",
          ),
          nvidia(
            "cublas",
            "12.9.3.13",
            581217458,
            "d7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72",
          ),
          nvidia(
            "cuda-cupti",
            "12.9.79",
            10814997,
            "096bcf334f13e1984ba36685ad4c1d6347db214de03dbb6eebb237b41d9d934f",
          ),
          nvidia(
            "cuda-nvcc",
            "12.9.86",
            40546229,
            "5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0",
          ),
          nvidia(
            "cuda-nvrtc",
            "12.9.86",
            89568129,
            "210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4",
          ),
          nvidia(
            "cuda-runtime",
            "12.9.79",
            3493179,
            "25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3",
          ),
          nvidia(
            "cudnn",
            "9.28.0.42",
            716538495,
            "9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375",
          ),
          nvidia(
            "cufft",
            "11.4.1.4",
            200877592,
            "c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28",
          ),
          nvidia(
            "curand",
            "10.3.10.19",
            68295626,
            "49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e",
          ),
          nvidia(
            "cusolver",
            "11.7.5.82",
            338117415,
            "15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88",
          ),
          nvidia(
            "cusparse",
            "12.5.10.65",
            366465088,
            "73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78",
          ),
          nvidia(
            "nccl",
            "2.32.3",
            351526311,
            "bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c",
          ),
          nvidia(
            "nvjitlink",
            "12.9.86",
            39748338,
            "e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9",
          ),
        ],
      },
    },
  },
  "linux-aarch64": {
    tags: manylinux("aarch64"),
    zig: zig(98063064, "b7c5f02fccd40f89b999ee16a1f5ddced56e6182370f8affe494bcf8a28cf07e"),
    kinds: {
      cpu: {
        diskBytes: 1.3e9,
        wheels: [
          tensorflow(
            "tensorflow",
            281828020,
            "4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c",
          ),
        ],
      },
    },
  },
  "darwin-aarch64": {
    tags: ["macosx_11_0_arm64", "macosx_12_0_arm64", "macosx_13_0_arm64"],
    zig: zig(100390379, "09953b6af7f64168b915180a42774f520f92d86ef6331b28e33915c7e1f0bb23"),
    kinds: {
      cpu: {
        diskBytes: 1.3e9,
        wheels: [
          tensorflow(
            "tensorflow",
            223405849,
            "51f46f4806139d01fc7920cc72a4c75876f80649bf40ff083ab6212ceb43ca88",
          ),
        ],
      },
    },
  },
};
