using LatentBridge.Decoders.Linear;
using LatentBridge.Formats;
using LatentBridge.Imaging.Quality;
using LatentBridge.Latents;
using LatentBridge.Previews;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.PixelFormats;

namespace LatentBridge.ImageSharp.Tests;

public sealed class PictureEncoderTests
{
    public static TheoryData<PreviewEncoding> Encodings => [.. ImageSharpEncoders.Pictures().Select(encoder => encoder.Encoding)];

    [Fact]
    public void There_are_JPEG_and_WebP() => Assert.Equal([PreviewEncoding.Jpeg, PreviewEncoding.Webp], Encodings.Select(row => row.Data));

    [Theory]
    [MemberData(nameof(Encodings))]
    public void What_is_read_back_is_near_the_picture(PreviewEncoding encoding)
    {
        IPictureEncoder encoder = Encoder(encoding);
        foreach ((int width, int height) in new[] { (1, 1), (7, 5), (16, 16), (333, 200), (512, 512) })
        {
            byte[] picture = Samples.Gradient(width, height);
            byte[] file = new byte[picture.Length + 4096];
            int length = encoder.Encode(picture, width, height, 95, file);
            Assert.InRange(length, 1, file.Length);

            byte[] read = Samples.Read(file.AsSpan(0, length), width, height);
            double least = width < 16 ? 20 : 30; // colours at half the resolution
            Assert.True(ImageQuality.Psnr(picture, read) > least, $"{width} x {height}: {ImageQuality.Psnr(picture, read):0.0} dB");
        }
    }

    [Theory]
    [MemberData(nameof(Encodings))]
    public void More_quality_is_nearer_and_longer(PreviewEncoding encoding)
    {
        IPictureEncoder encoder = Encoder(encoding);
        byte[] picture = Samples.Texture(256, 256);
        byte[] file = new byte[2 * picture.Length];
        (int Length, double Psnr) before = default;
        foreach (int quality in new[] { 10, 50, 85, 100 })
        {
            int length = encoder.Encode(picture, 256, 256, quality, file);
            double psnr = ImageQuality.Psnr(picture, Samples.Read(file.AsSpan(0, length), 256, 256));
            Assert.True(length > before.Length && psnr > before.Psnr, $"quality {quality}: {length} bytes, {psnr:0.0} dB after {before}");
            before = (length, psnr);
        }
    }

    [Theory]
    [MemberData(nameof(Encodings))]
    public void Too_little_room_is_told_and_nothing_beyond_it_is_touched(PreviewEncoding encoding)
    {
        IPictureEncoder encoder = Encoder(encoding);
        byte[] picture = Samples.Texture(64, 64);
        byte[] whole = new byte[20_000];
        int needed = encoder.Encode(picture, 64, 64, 85, whole);
        foreach (int room in new[] { 0, 1, 100, needed - 1 })
        {
            byte[] file = new byte[needed + 100];
            file.AsSpan(room).Fill(0xAB);
            Assert.Equal(needed, encoder.Encode(picture, 64, 64, 85, file.AsSpan(0, room)));
            Assert.Equal(-1, file.AsSpan(room).IndexOfAnyExcept((byte)0xAB));
        }

        byte[] again = new byte[needed];
        Assert.Equal(needed, encoder.Encode(picture, 64, 64, 85, again));
        Assert.Equal(whole[..needed], again);
    }

    [Fact]
    public void Sides_that_the_format_has_not_are_refused()
    {
        var error = Assert.Throws<LatentBridgeException>(() => Encoder(PreviewEncoding.Webp).Encode(new byte[3 * 16_384], 16_384, 1, 85, new byte[100]));
        Assert.Contains("16383", error.Message);
    }

    [Theory]
    [MemberData(nameof(Encodings))]
    public void The_renderer_takes_it(PreviewEncoding encoding)
    {
        LatentFormat format = LatentFormats.Find("SDXL")!;
        using var renderer = new PreviewRenderer(format, ImageSharpEncoders.Pictures());
        var options = new PreviewOptions { Encoding = encoding, Quality = 90, Threads = 1 };
        byte[] bytes = new byte[4 * 4 * 32 * 32];
        renderer.Stage(new Latent(bytes, LatentElementType.F32, new LatentShape(1, 4, 1, 32, 32), LatentSpace.Sampler), options);
        using var decoder = new LinearDecoder(format);
        PreviewResult small = renderer.Render(decoder, options, new byte[10], CancellationToken.None);
        Assert.False(small.Fits);
        byte[] file = new byte[small.ByteLength];
        PreviewResult result = renderer.Render(decoder, options, file, CancellationToken.None);
        Assert.True(result.Fits);
        Assert.Equal(encoding, result.Encoding);
        Assert.Equal((32, 32), (result.Width, result.Height));
        Samples.Read(file.AsSpan(0, result.ByteLength), 32, 32);
    }

    [Theory]
    [MemberData(nameof(Encodings))]
    public void A_picture_allocates_no_more_than_the_library_does(PreviewEncoding encoding)
    {
        IPictureEncoder encoder = Encoder(encoding);
        byte[] picture = Samples.Texture(512, 512);
        byte[] file = new byte[picture.Length];
        var stream = new MemoryStream(file);
        using Image<Rgb24> image = Image.LoadPixelData<Rgb24>(picture, 512, 512);
        IImageEncoder library = encoding == PreviewEncoding.Jpeg ? new JpegEncoder { Quality = 85 } : new WebpEncoder { Quality = 85, Method = WebpEncodingMethod.Level1 };
        long theirs = Allocated(() =>
        {
            stream.Position = 0;
            library.Encode(image, stream);
        });
        long ours = Allocated(() => encoder.Encode(picture, 512, 512, 85, file));
        Assert.True(ours < theirs + 4096, $"{ours} bytes for a picture, the library alone {theirs}");
    }

    static long Allocated(Action action)
    {
        long least = long.MaxValue;
        for (int i = 0; i < 5; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            action();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }

    static IPictureEncoder Encoder(PreviewEncoding encoding) => ImageSharpEncoders.Pictures().Single(encoder => encoder.Encoding == encoding);
}
