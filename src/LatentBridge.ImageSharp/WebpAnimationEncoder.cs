using LatentBridge.Previews;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.PixelFormats;

namespace LatentBridge.ImageSharp;

/// <summary>Animated WebP, lossy.</summary>
sealed class WebpAnimationEncoder : IAnimationEncoder
{
    public string Extension => "webp";

    public void Encode(IReadOnlyList<AnimationFrame> frames, int width, int height, int quality, Stream file)
    {
        ImageSharpEncoder.CheckSides("WebP", ImageSharpEncoder.LongestSideOfWebp, width, height);
        using Image<Rgba32> image = AnimationPicture.Of(frames, width, height);
        image.Metadata.GetWebpMetadata().RepeatCount = 0;
        for (int i = 0; i < frames.Count; i++)
        {
            WebpFrameMetadata frame = image.Frames[i].Metadata.GetWebpMetadata();
            frame.FrameDelay = (uint)frames[i].DelayMilliseconds;

            // Whole pictures: lossy colours beside transparent pixels show at their edges.
            frame.BlendMethod = WebpBlendMethod.Source;
        }

        new WebpEncoder { Quality = quality, FileFormat = WebpFileFormatType.Lossy, SkipMetadata = true }.Encode(image, file);
    }
}
