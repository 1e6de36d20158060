using LatentBridge.Previews;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Gif;
using SixLabors.ImageSharp.PixelFormats;
using SixLabors.ImageSharp.Processing.Processors.Quantization;

namespace LatentBridge.ImageSharp;

/// <summary>Animated GIF: 256 colours for each frame, dithered.</summary>
sealed class GifAnimationEncoder : IAnimationEncoder
{
    public string Extension => "gif";

    public void Encode(IReadOnlyList<AnimationFrame> frames, int width, int height, Stream file)
    {
        ImageSharpEncoder.CheckSides("GIF", ImageSharpEncoder.LongestSide, width, height);
        using Image<Rgba32> image = AnimationPicture.Of(frames, width, height);
        image.Metadata.GetGifMetadata().RepeatCount = 0;
        for (int i = 0; i < frames.Count; i++)
        {
            // Hundredths of a second; browsers take 0 and 1 for 10.
            image.Frames[i].Metadata.GetGifMetadata().FrameDelay = Math.Max(2, (frames[i].DelayMilliseconds + 5) / 10);
        }

        new GifEncoder { ColorTableMode = GifColorTableMode.Local, Quantizer = new WuQuantizer() }.Encode(image, file);
    }
}
