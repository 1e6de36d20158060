namespace LatentBridge.Latents;

/// <summary>The two scales latents are stored in. Every decoder wants <see cref="Sampler"/>.</summary>
public enum LatentSpace
{
    /// <summary>The sampler's scale: what a UI's preview callback receives (ComfyUI: after <c>process_in</c>).</summary>
    Sampler,

    /// <summary>The VAE's own scale, before the format's scale and shift (or mean and std) were applied.</summary>
    Vae,
}
