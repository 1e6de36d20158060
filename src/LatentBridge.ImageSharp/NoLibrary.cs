using LatentBridge.Previews;

namespace LatentBridge.ImageSharp;

/// <summary>Stands where SixLabors.ImageSharp was not compiled in.</summary>
public static class ImageSharpEncoders
{
    /// <summary>Null: there is no library.</summary>
    public static string? Version => null;

    /// <summary>None.</summary>
    public static IReadOnlyList<IPictureEncoder> Pictures() => [];

    /// <summary>None.</summary>
    public static IReadOnlyList<IAnimationEncoder> Animations() => [];
}
