namespace LatentBridge.Formats;

/// <summary>What the source of an array says of the latent's size, in cells; null: nothing.</summary>
/// <param name="Frames">Latent frames.</param>
/// <param name="Height">Cells from top to bottom.</param>
/// <param name="Width">Cells from left to right.</param>
public readonly record struct SaidSize(long? Frames = null, long? Height = null, long? Width = null)
{
    /// <summary>True when nothing is said.</summary>
    public bool IsNothing => this == default;

    internal bool Allows(long frames, long height, long width) =>
        (Frames ?? frames) == frames && (Height ?? height) == height && (Width ?? width) == width;
}
