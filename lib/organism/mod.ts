/** The organisms: small models that grew up in a synthetic world, made, written, read and described. */
export * from "./card.ts";
export * from "./card_text.ts";
export * from "./folder.ts";
export * from "./initial.ts";
export * from "./make.ts";
export * from "./pretrain.ts";
export * from "./recall.ts";
export * from "./registry.ts";
export * from "./variant.ts";
