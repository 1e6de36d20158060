using System.Runtime.InteropServices;
using LatentBridge.Decoders;
using LatentBridge.Decoders.Estimated;
using LatentBridge.Decoders.Linear;
using LatentBridge.Formats;
using LatentBridge.Imaging;
using LatentBridge.Imaging.Scaling;
using LatentBridge.Latents;
using LatentBridge.Previews;
using LatentBridge.Testing;

namespace LatentBridge.Tests.Previews;

public sealed class PreviewRendererTests
{
    public static TheoryData<string> Ids => [.. LatentFormats.Ids];

    [Theory]
    [MemberData(nameof(Ids))]
    public void Every_format_gives_a_picture(string id)
    {
        LatentFormat format = LatentFormats.Get(id);
        LatentShape shape = format.Dimensions == 1 ? new(1, format.StreamChannels, 1, 1, 100) : new(1, format.StreamChannels, format.Dimensions == 3 ? 3 : 1, 6, 9);
        using var renderer = new PreviewRenderer(format);
        using ILatentDecoder decoder = format.Rgb is null ? new EstimatedDecoder(format.PlaneChannels) : new LinearDecoder(format);
        (PreviewResult result, byte[] bytes) = Render(renderer, decoder, RandomValues(shape), shape, new PreviewOptions { Encoding = PreviewEncoding.Rgb24 });
        Assert.True(result.Fits);
        Assert.Equal(3 * result.Width * result.Height, result.ByteLength);
        Assert.Equal(format.Dimensions == 1 ? (10, 10) : (9 * format.Unpack, 6 * format.Unpack), (result.Width, result.Height));
        Assert.True(bytes.Distinct().Count() > 1);
    }

    [Theory]
    [InlineData(0, 9, 6)]
    [InlineData(90, 90, 60)]
    [InlineData(3, 3, 2)]
    [InlineData(1, 1, 1)]
    [InlineData(512, 512, 341)]
    public void The_size_is_that_of_the_longer_side(int size, int width, int height)
    {
        var shape = new LatentShape(1, 4, 1, 6, 9);
        using var renderer = new PreviewRenderer(LatentFormats.Get("SD15"));
        foreach (PreviewEncoding encoding in (PreviewEncoding[])[PreviewEncoding.Rgb24, PreviewEncoding.Png])
        {
            (PreviewResult result, _) = Render(renderer, new LinearDecoder(renderer.Format), RandomValues(shape), shape, new PreviewOptions { Size = size, Encoding = encoding });
            Assert.Equal((width, height), (result.Width, result.Height));
        }
    }

    [Fact]
    public void A_grid_holds_the_pictures_of_the_batch()
    {
        var shape = new LatentShape(3, 4, 1, 2, 2);
        float[] values = RandomValues(shape);
        using var renderer = new PreviewRenderer(LatentFormats.Get("SD15"));
        using var decoder = new LinearDecoder(renderer.Format);
        var options = new PreviewOptions { Encoding = PreviewEncoding.Rgb24, Batch = BatchChoice.Grid };
        (PreviewResult result, byte[] grid) = Render(renderer, decoder, values, shape, options);
        Assert.Equal((4, 4), (result.Width, result.Height));
        var expected = new byte[3 * 4 * 4];
        for (int item = 0; item < 3; item++)
        {
            (_, byte[] tile) = Render(renderer, decoder, values, shape, options with { Batch = BatchChoice.Item, Item = item });
            ImageGrid.Place(tile, 2, 2, expected, 2, item);
        }

        Assert.Equal(expected, grid);
        (PreviewResult scaled, _) = Render(renderer, decoder, values, shape, options with { Size = 65 });
        Assert.Equal((64, 64), (scaled.Width, scaled.Height));
    }

    [Fact]
    public void A_destination_too_small_is_answered_with_what_is_needed_and_stays_untouched()
    {
        var shape = new LatentShape(1, 4, 1, 6, 9);
        float[] values = RandomValues(shape);
        using var renderer = new PreviewRenderer(LatentFormats.Get("SD15"));
        using var decoder = new LinearDecoder(renderer.Format);
        foreach (PreviewEncoding encoding in (PreviewEncoding[])[PreviewEncoding.Rgb24, PreviewEncoding.Png])
        {
            var options = new PreviewOptions { Encoding = encoding };
            renderer.Stage(new Latent(MemoryMarshal.AsBytes(values.AsSpan()), LatentElementType.F32, shape), options);
            var tooSmall = new byte[161];
            PreviewResult refused = renderer.Render(decoder, options, tooSmall, CancellationToken.None);
            Assert.False(refused.Fits);
            Assert.All(tooSmall, value => Assert.Equal(0, value));
            PreviewResult done = renderer.Render(decoder, options, new byte[refused.ByteLength], CancellationToken.None);
            Assert.True(done.Fits);
            Assert.InRange(done.ByteLength, 1, refused.ByteLength);
        }
    }

    [Fact]
    public void NaN_and_infinities_give_a_picture_and_their_number()
    {
        var shape = new LatentShape(1, 4, 1, 4, 4);
        float[] values = RandomValues(shape);
        (values[3], values[20], values[40]) = (float.NaN, float.PositiveInfinity, float.NegativeInfinity);
        using var renderer = new PreviewRenderer(LatentFormats.Get("SDXL"));
        foreach (ILatentDecoder decoder in (ILatentDecoder[])[new LinearDecoder(renderer.Format), new EstimatedDecoder(4)])
        {
            (PreviewResult result, _) = Render(renderer, decoder, values, shape, PreviewOptions.Default);
            Assert.Equal(3, result.NonFiniteCount);
            Assert.True(result.Fits);
        }
    }

    [Fact]
    public void After_the_first_latent_of_a_size_nothing_is_allocated()
    {
        var shape = new LatentShape(2, 16, 1, 32, 40);
        byte[] bytes = MemoryMarshal.AsBytes(RandomValues(shape).AsSpan()).ToArray();
        var destination = new byte[1 << 20];
        using var renderer = new PreviewRenderer(LatentFormats.Get("Flux"));
        ILatentDecoder[] decoders = [new LinearDecoder(renderer.Format), new EstimatedDecoder(16)];
        PreviewOptions[] wanted =
        [
            new(),
            new() { Size = 256 },
            new() { Size = 20, Encoding = PreviewEncoding.Rgb24 },
            new() { Size = 200, Batch = BatchChoice.Grid, Scaling = ImageScaling.Nearest },
        ];
        void RenderAll()
        {
            foreach (PreviewOptions options in wanted)
            {
                foreach (ILatentDecoder decoder in decoders)
                {
                    renderer.Stage(new Latent(bytes, LatentElementType.F32, shape), options);
                    renderer.Render(decoder, options, destination, CancellationToken.None);
                }
            }
        }

        RenderAll();
        Assert.Equal(0, Allocated.By(RenderAll));
    }

    [Fact]
    public void Misuse_and_what_cannot_be_done_is_said()
    {
        var shape = new LatentShape(1, 4, 1, 2, 2);
        using var renderer = new PreviewRenderer(LatentFormats.Get("SD15"));
        using var decoder = new LinearDecoder(renderer.Format);
        Assert.Throws<InvalidOperationException>(() => renderer.Render(decoder, PreviewOptions.Default, new byte[9999], CancellationToken.None));
        float[] values = RandomValues(shape);
        Assert.Contains("png", Assert.Throws<LatentBridgeException>(() => Render(renderer, decoder, values, shape, new PreviewOptions { Encoding = PreviewEncoding.Webp })).Message);
        Assert.Contains("16", Assert.Throws<ArgumentException>(() => Render(renderer, new LinearDecoder(LatentFormats.Get("Flux")), values, shape, PreviewOptions.Default)).Message);
    }

    static float[] RandomValues(LatentShape shape)
    {
        var random = new Random(7);
        return [.. Enumerable.Range(0, (int)shape.Length).Select(_ => (float)((random.NextDouble() * 4) - 2))];
    }

    [Fact]
    public void What_was_drawn_last_is_encoded_again_without_a_decode()
    {
        using var renderer = new PreviewRenderer(LatentFormats.Get("SD15"));
        Assert.Null(renderer.EncodeAgain(PreviewOptions.Default, new byte[9999]));
        var shape = new LatentShape(1, 4, 1, 16, 24);
        var raw = new PreviewOptions { Encoding = PreviewEncoding.Rgb24 };
        (PreviewResult drawn, byte[] bytes) = Render(renderer, new LinearDecoder(renderer.Format), RandomValues(shape), shape, raw);
        byte[] again = new byte[drawn.ByteLength];
        Assert.Equal((24, 16, true), Sides(renderer.EncodeAgain(raw, again)));
        Assert.Equal(bytes, again);
        Assert.Equal((12, 8, true), Sides(renderer.EncodeAgain(raw with { Size = 12 }, again)));
        Assert.Equal((24, 16, false), Sides(renderer.EncodeAgain(raw, new byte[1])));
        renderer.Dispose();
        Assert.Null(renderer.EncodeAgain(raw, again));

        static (int, int, bool) Sides(PreviewResult? result) => (result!.Value.Width, result.Value.Height, result.Value.Fits);
    }

    static (PreviewResult Result, byte[] Bytes) Render(PreviewRenderer renderer, ILatentDecoder decoder, float[] values, LatentShape shape, PreviewOptions options)
    {
        renderer.Stage(new Latent(MemoryMarshal.AsBytes(values.AsSpan()), LatentElementType.F32, shape), options);
        var destination = new byte[2 << 20];
        PreviewResult result = renderer.Render(decoder, options, destination, CancellationToken.None);
        return (result, destination[..result.ByteLength]);
    }
}
