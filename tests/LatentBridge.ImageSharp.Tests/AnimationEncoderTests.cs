using LatentBridge.Imaging.Quality;
using LatentBridge.Previews;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace LatentBridge.ImageSharp.Tests;

public sealed class AnimationEncoderTests
{
    [Fact]
    public void There_is_GIF() => Assert.Equal(["gif"], ImageSharpEncoders.Animations().Select(encoder => encoder.Extension));

    [Fact]
    public void Every_frame_is_near_its_picture_and_stays_as_long_as_asked()
    {
        const int Width = 96, Height = 64;
        byte[] still = Samples.Gradient(Width, Height);
        byte[] changed = [.. still];
        for (int i = 0; i < changed.Length; i += 3 * 7)
        {
            changed[i + 1] = (byte)(changed[i + 1] / 2); // most pixels stay, all over the picture: the library may write only the others
        }

        AnimationFrame[] frames = [new(Samples.Texture(Width, Height), 120), new(changed, 200), new(still, 200), new(changed, 200), new(still, 1000)];
        using var file = new MemoryStream();
        Encoder.Encode(frames, Width, Height, file);

        using Image<Rgb24> image = Image.Load<Rgb24>(file.ToArray());
        Assert.Equal(frames.Length, image.Frames.Count);
        Assert.Equal(0, image.Metadata.GetGifMetadata().RepeatCount);
        for (int i = 0; i < frames.Length; i++)
        {
            Assert.Equal(0, BlackPixels(Samples.Pixels(image.Frames[i]), frames[i].Rgb.Span));
            double psnr = ImageQuality.Psnr(frames[i].Rgb.Span, Samples.Pixels(image.Frames[i]));
            Assert.True(psnr > 22, $"frame {i}: {psnr:0.0} dB");
            Assert.Equal(frames[i].DelayMilliseconds, 10 * image.Frames[i].Metadata.GetGifMetadata().FrameDelay);
        }
    }

    /// <summary>Pixels that are black and were not: what becomes of a transparent one that nothing lies under.</summary>
    static int BlackPixels(ReadOnlySpan<byte> read, ReadOnlySpan<byte> original)
    {
        int count = 0;
        for (int i = 0; i < read.Length; i += 3)
        {
            count += read[i] + read[i + 1] + read[i + 2] < 30 && original[i] + original[i + 1] + original[i + 2] > 150 ? 1 : 0;
        }

        return count;
    }

    [Fact]
    public void No_frames_are_refused() => Assert.Throws<ArgumentException>(() => Encoder.Encode([], 1, 1, Stream.Null));

    static IAnimationEncoder Encoder => ImageSharpEncoders.Animations().Single();
}
