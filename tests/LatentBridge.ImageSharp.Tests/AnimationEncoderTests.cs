using LatentBridge.Imaging.Quality;
using LatentBridge.Previews;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Gif;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.PixelFormats;

namespace LatentBridge.ImageSharp.Tests;

public sealed class AnimationEncoderTests
{
    public static TheoryData<string> Extensions => [.. ImageSharpEncoders.Animations().Select(encoder => encoder.Extension)];

    [Fact]
    public void There_are_WebP_and_GIF() => Assert.Equal(["webp", "gif"], Extensions.Select(row => row.Data));

    [Theory]
    [MemberData(nameof(Extensions))]
    public void Every_frame_is_near_its_picture_and_stays_as_long_as_asked(string extension)
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
        Encoder(extension).Encode(frames, Width, Height, 95, file);

        using Image<Rgb24> image = Image.Load<Rgb24>(file.ToArray());
        Assert.Equal(frames.Length, image.Frames.Count);
        bool isGif = extension == "gif";
        Assert.Equal(0, isGif ? image.Metadata.GetGifMetadata().RepeatCount : image.Metadata.GetWebpMetadata().RepeatCount);
        for (int i = 0; i < frames.Length; i++)
        {
            Assert.Equal(0, BlackPixels(Samples.Pixels(image.Frames[i]), frames[i].Rgb.Span));
            double psnr = ImageQuality.Psnr(frames[i].Rgb.Span, Samples.Pixels(image.Frames[i]));
            Assert.True(psnr > 22, $"frame {i}: {psnr:0.0} dB");
            int stays = isGif ? 10 * image.Frames[i].Metadata.GetGifMetadata().FrameDelay : (int)image.Frames[i].Metadata.GetWebpMetadata().FrameDelay;
            Assert.Equal(frames[i].DelayMilliseconds, stays);
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

    [Theory]
    [MemberData(nameof(Extensions))]
    public void No_frames_are_refused(string extension) => Assert.Throws<ArgumentException>(() => Encoder(extension).Encode([], 1, 1, 85, Stream.Null));

    static IAnimationEncoder Encoder(string extension) => ImageSharpEncoders.Animations().Single(encoder => encoder.Extension == extension);
}
