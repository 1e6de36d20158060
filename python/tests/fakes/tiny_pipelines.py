"""Real diffusers pipelines round networks of a few thousand random weights: no files, no network, a run takes less than half a second.

The channels are the real ones, so the latents are shaped as they should be; the pictures mean nothing. Text encoders are left out, and
their output is given as small random tensors.
"""

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLCogVideoX,
    AutoencoderKLFlux2,
    AutoencoderKLLTXVideo,
    AutoencoderKLQwenImage,
    AutoencoderKLWan,
    CogVideoXDDIMScheduler,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    Flux2Pipeline,
    Flux2Transformer2DModel,
    FluxPipeline,
    FluxTransformer2DModel,
    LTXPipeline,
    LTXVideoTransformer3DModel,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
    UniPCMultistepScheduler,
    WanPipeline,
    WanTransformer3DModel,
)

STEPS = 6
HEIGHT, WIDTH, FRAMES = 192, 256, 9
VIDEO_HEIGHT, VIDEO_WIDTH = 64, 96


def still_vae(channels, scale, shift=None):
    return AutoencoderKL(
        in_channels=3, out_channels=3, down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(4, 4, 4, 4), layers_per_block=1, norm_num_groups=2, latent_channels=channels, scaling_factor=scale, shift_factor=shift,
        use_quant_conv=channels == 4, use_post_quant_conv=channels == 4)


def unet(**more):
    return UNet2DConditionModel(
        sample_size=32, in_channels=4, out_channels=4, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=8, attention_head_dim=4, **more)


def embeds(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def still(**more):
    return {"height": HEIGHT, "width": WIDTH, "num_inference_steps": STEPS, "output_type": "pt", **more}


def video(**more):
    return {"height": VIDEO_HEIGHT, "width": VIDEO_WIDTH, "num_frames": FRAMES, "num_inference_steps": STEPS, "output_type": "pt", **more}


def sd():
    pipe = StableDiffusionPipeline(vae=still_vae(4, 0.18215), text_encoder=None, tokenizer=None, unet=unet(), scheduler=DDIMScheduler(),
                                   safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    return pipe, still(prompt_embeds=embeds(1, 5, 8), negative_prompt_embeds=embeds(1, 5, 8))


def sdxl():
    network = unet(addition_embed_type="text_time", addition_time_embed_dim=4, projection_class_embeddings_input_dim=32)
    pipe = StableDiffusionXLPipeline(vae=still_vae(4, 0.13025), text_encoder=None, text_encoder_2=None, tokenizer=None, tokenizer_2=None,
                                     unet=network, scheduler=EulerDiscreteScheduler(), add_watermarker=False)
    return pipe, still(prompt_embeds=embeds(1, 5, 8), negative_prompt_embeds=embeds(1, 5, 8), pooled_prompt_embeds=embeds(1, 8),
                       negative_pooled_prompt_embeds=embeds(1, 8))


def sd3():
    network = SD3Transformer2DModel(sample_size=32, patch_size=2, in_channels=16, num_layers=1, attention_head_dim=8, num_attention_heads=2,
                                    caption_projection_dim=16, joint_attention_dim=8, pooled_projection_dim=8, out_channels=16)
    pipe = StableDiffusion3Pipeline(transformer=network, scheduler=FlowMatchEulerDiscreteScheduler(), vae=still_vae(16, 1.5305, 0.0609),
                                    text_encoder=None, tokenizer=None, text_encoder_2=None, tokenizer_2=None, text_encoder_3=None, tokenizer_3=None)
    return pipe, still(prompt_embeds=embeds(1, 5, 8), negative_prompt_embeds=embeds(1, 5, 8), pooled_prompt_embeds=embeds(1, 8),
                       negative_pooled_prompt_embeds=embeds(1, 8))


def flux():
    network = FluxTransformer2DModel(patch_size=1, in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=16,
                                     num_attention_heads=2, joint_attention_dim=8, pooled_projection_dim=8, axes_dims_rope=(4, 4, 8))
    pipe = FluxPipeline(scheduler=FlowMatchEulerDiscreteScheduler(), vae=still_vae(16, 0.3611, 0.1159), text_encoder=None, tokenizer=None,
                        text_encoder_2=None, tokenizer_2=None, transformer=network)
    return pipe, still(prompt_embeds=embeds(1, 5, 8), pooled_prompt_embeds=embeds(1, 8))


def flux2():
    network = Flux2Transformer2DModel(patch_size=1, in_channels=128, num_layers=1, num_single_layers=1, attention_head_dim=16,
                                      num_attention_heads=2, joint_attention_dim=8, timestep_guidance_channels=256, axes_dims_rope=(4, 4, 4, 4))
    vae = AutoencoderKLFlux2(in_channels=3, out_channels=3, down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
                             block_out_channels=(4, 4, 4, 4), layers_per_block=1, latent_channels=32, norm_num_groups=2)
    pipe = Flux2Pipeline(scheduler=FlowMatchEulerDiscreteScheduler(), vae=vae, text_encoder=None, tokenizer=None, transformer=network)
    return pipe, still(prompt_embeds=embeds(1, 5, 8))


def qwen():
    network = QwenImageTransformer2DModel(patch_size=2, in_channels=64, out_channels=16, num_layers=1, attention_head_dim=16, num_attention_heads=2,
                                          joint_attention_dim=8, guidance_embeds=False, axes_dims_rope=(8, 4, 4))
    vae = AutoencoderKLQwenImage(base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True])
    pipe = QwenImagePipeline(scheduler=FlowMatchEulerDiscreteScheduler(), vae=vae, text_encoder=None, tokenizer=None, transformer=network)
    mask = torch.ones(1, 5, dtype=torch.int64)
    return pipe, still(prompt_embeds=embeds(1, 5, 8), prompt_embeds_mask=mask, true_cfg_scale=1.0)


def wan():
    network = WanTransformer3DModel(patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=16, out_channels=16, text_dim=8,
                                    freq_dim=32, ffn_dim=16, num_layers=1, cross_attn_norm=True, qk_norm="rms_norm_across_heads", rope_max_seq_len=32)
    vae = AutoencoderKLWan(base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True])
    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
    pipe = WanPipeline(tokenizer=None, text_encoder=None, vae=vae, scheduler=scheduler, transformer=network)
    return pipe, video(prompt_embeds=embeds(1, 5, 8), negative_prompt_embeds=embeds(1, 5, 8))


def ltx():
    network = LTXVideoTransformer3DModel(in_channels=128, out_channels=128, num_attention_heads=2, attention_head_dim=8, cross_attention_dim=16,
                                         num_layers=1, caption_channels=8)
    vae = AutoencoderKLLTXVideo(latent_channels=128, block_out_channels=(8, 8, 8, 8), decoder_block_out_channels=(8, 8, 8, 8),
                                layers_per_block=(1, 1, 1, 1, 1), decoder_layers_per_block=(1, 1, 1, 1, 1),
                                spatio_temporal_scaling=(True, True, True, False), decoder_spatio_temporal_scaling=(True, True, True, False))
    pipe = LTXPipeline(scheduler=FlowMatchEulerDiscreteScheduler(), vae=vae, text_encoder=None, tokenizer=None, transformer=network)
    mask = torch.ones(1, 5, dtype=torch.int64)
    return pipe, video(prompt_embeds=embeds(1, 5, 8), negative_prompt_embeds=embeds(1, 5, 8), prompt_attention_mask=mask,
                       negative_prompt_attention_mask=mask)


def cogvideo():
    network = CogVideoXTransformer3DModel(num_attention_heads=2, attention_head_dim=16, in_channels=16, out_channels=16, time_embed_dim=8,
                                          text_embed_dim=8, num_layers=1, sample_width=12, sample_height=8, sample_frames=9,
                                          max_text_seq_length=5)
    vae = AutoencoderKLCogVideoX(down_block_types=("CogVideoXDownBlock3D",) * 4, up_block_types=("CogVideoXUpBlock3D",) * 4,
                                 block_out_channels=(8, 8, 8, 8), latent_channels=16, layers_per_block=1, norm_num_groups=2)
    pipe = CogVideoXPipeline(tokenizer=None, text_encoder=None, vae=vae, transformer=network, scheduler=CogVideoXDDIMScheduler())
    return pipe, video(prompt_embeds=embeds(1, 5, 8), negative_prompt_embeds=embeds(1, 5, 8))


ALL = {"StableDiffusion": sd, "StableDiffusionXL": sdxl, "StableDiffusion3": sd3, "Flux": flux, "Flux2": flux2, "QwenImage": qwen, "Wan": wan,
       "LTX": ltx, "CogVideoX": cogvideo}
