using System.Runtime.InteropServices;
using LatentBridge.Previews;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace LatentBridge.ImageSharp;

/// <summary>The library's picture of many frames.</summary>
/// <remarks>With alpha: the library writes pixels that did not change as transparent ones, which in <see cref="Rgb24"/> would be black.</remarks>
static class AnimationPicture
{
    /// <exception cref="ArgumentException">There is no frame.</exception>
    public static Image<Rgba32> Of(IReadOnlyList<AnimationFrame> frames, int width, int height)
    {
        if (frames.Count == 0)
        {
            throw new ArgumentException("An animation needs at least one frame.", nameof(frames));
        }

        Image<Rgba32> image = Still(frames[0], width, height);
        for (int i = 1; i < frames.Count; i++)
        {
            using Image<Rgba32> frame = Still(frames[i], width, height);
            image.Frames.AddFrame(frame.Frames.RootFrame);
        }

        return image;
    }

    static Image<Rgba32> Still(AnimationFrame frame, int width, int height)
    {
        using var image = Image.LoadPixelData(ImageSharpEncoders.Library.Configuration, MemoryMarshal.Cast<byte, Rgb24>(frame.Rgb.Span), width, height);
        return image.CloneAs<Rgba32>();
    }
}
