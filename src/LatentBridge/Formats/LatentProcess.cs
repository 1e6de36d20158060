namespace LatentBridge.Formats;

/// <summary>How a format brings a latent of the VAE's scale to the sampler's (ComfyUI: <c>process_in</c>).</summary>
public enum LatentProcess
{
    /// <summary>Both scales are one.</summary>
    Identity,

    /// <summary><c>x * scale</c></summary>
    Scale,

    /// <summary><c>(x - shift) * scale</c></summary>
    ShiftScale,

    /// <summary><c>(x - mean[c]) * scale / std[c]</c>, channel by channel.</summary>
    MeanStd,

    /// <summary>Frames are stacked in pairs on the channel axis; LatentBridge takes the values of such latents as they are.</summary>
    FramePairs,

    /// <summary>Not known; LatentBridge takes the values of such latents as they are.</summary>
    Unknown,
}
