using LatentBridge.Latents;

namespace LatentBridge.Files;

/// <summary>What is known of a latent beside its file; everything that is null is found out.</summary>
public sealed record LatentRequest
{
    /// <summary>The tensor's name; of a list or dictionary of latents, its name gives the first.</summary>
    public string? Key { get; init; }

    /// <summary>Which scale the values are in.</summary>
    public LatentSpace? Space { get; init; }

    /// <summary>The latent format's id.</summary>
    public string? FormatId { get; init; }

    /// <summary>Which axis is which, one letter each: B batch, C channels, T frames, H height, W width, N tokens.</summary>
    public string? Axes { get; init; }
}
