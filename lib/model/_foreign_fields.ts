/** Fields of config.json that change numbers in other families: refused unless neutral. */
import { type FieldReader, words } from "./fields.ts";

/** Off in all families of ours. */
const OFF = words(`
  add_cross_attention alibi attention_chunk_size attention_sinks attn_logit_softcap
  attn_logit_softcapping attn_temperature_tuning clip_qkv final_logit_softcap
  final_logit_softcapping is_encoder_decoder kv_lora_rank logit_softcapping mlp_bias
  n_routed_experts no_rope_layer_interval no_rope_layers num_experts num_local_experts
  parallel_attn qk_layernorm rope_interleaved rotary_emb_interleaved scale_depth
  sliding_window_pattern use_alibi use_bidirectional_attention use_dynamic_ntk
  use_logn_attn use_mrope use_parallel_residual
`);
/** Factors. */
const ONE = words(`
  embed_scale embedding_multiplier embedding_scale key_multiplier lm_head_multiplier
  logit_scale logits_scaling residual_multiplier rope_pct rope_ratio rotary_pct
  rotary_percent scale_emb
`);
/** Other names of `rope_theta`. */
const THETA = words(`
  global_rope_theta local_rope_theta rope_base rope_local_base_freq rotary_base
  rotary_emb_base
`);

export interface NeutralSizes {
  hiddenSize: number;
  headDimension: number;
  ropeTheta: number;
  /** Queries and keys have norms. */
  queryKeyNorm: boolean;
}

/** @throws naming the first field that asks for what the forward pass lacks */
export function checkForeign(reader: FieldReader, sizes: NeutralSizes): void {
  const { hiddenSize, headDimension, ropeTheta, queryKeyNorm } = sizes;
  const unquantized = "take the unquantized model, or a GGUF file";
  reader.only(["quantization_config", "compression_config", "quantization"], [], unquantized);
  reader.only(OFF, [false, 0]);
  reader.only(ONE, [1]);
  reader.only(["is_causal", "causal", "scale_attn_weights"], [true]);
  reader.only(["qk_norm", "use_qk_norm"], [queryKeyNorm]);
  reader.only(["hidden_activation", "activation_function"], ["silu", "swish"]);
  reader.only(["position_embedding_type"], ["rope", "rotary"]);
  reader.only(["attention_multiplier", "attn_scale"], [1 / Math.sqrt(headDimension)]);
  reader.only(["query_pre_attn_scalar", "rotary_dim", "v_head_dim"], [headDimension]);
  reader.only(["dim_model_base"], [hiddenSize]);
  reader.only(THETA, [ropeTheta]);
  if (!reader.has("rms_norm_eps")) {
    reader.only(["layer_norm_eps", "layer_norm_epsilon", "norm_eps", "norm_epsilon"], []);
  }
}
