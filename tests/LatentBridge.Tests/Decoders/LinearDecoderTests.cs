using LatentBridge.Decoders.Linear;
using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Previews;
using LatentBridge.Simd;
using LatentBridge.Testing;
using LatentBridge.Tests.Simd;

namespace LatentBridge.Tests.Decoders;

public sealed class LinearDecoderTests
{
    /// <summary>How near to a rounding boundary, in bytes, the formula in double may be for a neighbour to be right, too.</summary>
    const double RoundingTolerance = 1e-3;

    public static TheoryData<KernelWidth> Widths => KernelTests.Widths;

    [Theory]
    [MemberData(nameof(Widths))]
    public void Every_width_gives_the_formulas_bytes_at_every_length_and_for_odd_channel_counts(KernelWidth width)
    {
        foreach (int channels in (int[])[1, 2, 3, 4, 5, 7, 16, 33])
        {
            LatentFormat format = WithMap(channels, seed: channels);
            using var decoder = new LinearDecoder(format, null, width);
            for (int cells = 1; cells <= 256; cells++)
            {
                float[] values = RandomValues(channels * cells, seed: cells);
                var rgb = new byte[3 * cells];
                decoder.Decode(new LatentPlanes(values, channels, 1, cells), rgb, 1, CancellationToken.None);
                AssertFormula(format.Rgb!, values, cells, rgb);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Every_format_with_colours_gives_the_formulas_bytes_by_each_of_its_maps(KernelWidth width)
    {
        const int Cells = 9 * 7;
        foreach (LatentFormat format in LatentFormats.All)
        {
            foreach (LatentRgbMap map in format.RgbMaps)
            {
                float[] values = RandomValues(format.PlaneChannels * Cells, seed: 3);
                var rgb = new byte[3 * Cells];
                using var decoder = new LinearDecoder(format, map, width);
                decoder.Decode(new LatentPlanes(values, format.PlaneChannels, 7, 9), rgb, 1, CancellationToken.None);
                AssertFormula(map, values, Cells, rgb);
            }
        }
    }

    [Fact]
    public void Later_frames_of_a_video_have_the_colours_that_the_map_says()
    {
        LatentFormat format = LatentFormats.Get("Wan21");
        LatentRgbMap map = format.Rgb!;
        (float[] gain, float[] offset) = map.Later!.Value;
        float[] values = RandomValues(format.PlaneChannels * 2 * 5, seed: 1);
        var rgb = new byte[3 * 5];
        using var decoder = new LinearDecoder(format);
        decoder.Decode(new LatentPlanes(values, 1, format.PlaneChannels, 1, 5), rgb, 1, CancellationToken.None);
        LatentRgbMap later = new(
            "later", "", [.. map.Factors.ToArray().Select((factor, i) => factor * gain[i % 3])], [.. map.Bias.ToArray().Select((bias, i) => (bias * gain[i]) + offset[i])]);
        AssertFormula(later, values[(format.PlaneChannels * 5)..], 5, rgb);
    }

    [Fact]
    public void The_burnt_part_of_a_clip_of_Wan_is_small()
    {
        LatentFormat format = LatentFormats.Get("Wan21");
        LoadedLatent loaded = LatentFile.Load(TestData.Require("models", "test_latents_wan.pth"));
        using PreviewRenderer renderer = new(format);
        using var decoder = new LinearDecoder(format);
        PreviewOptions options = PreviewOptions.Default with { Frame = FrameChoice.Last, Encoding = PreviewEncoding.Rgb24 };
        var rgb = new byte[3 * 40 * 64];
        renderer.Stage(loaded.View, options);
        renderer.Render(decoder, options, rgb, CancellationToken.None);
        Assert.InRange(rgb.Count(value => value is 0 or 255) / (double)rgb.Length, 0, 0.2); // 0.39 by the first frame's colours
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Decode_clamps_to_byte_range_and_rounds_half_up(KernelWidth width)
    {
        float[] red = [-1e4f, -1.01f, -1, 0, 1, 1.01f, 1e4f, 65504, (0.5f / 127.5f) - 1, (0.499f / 127.5f) - 1];
        float[] values = [.. red, .. red, .. red];
        using var decoder = new LinearDecoder(LatentFormats.Get("ChromaRadiance"), null, width);
        var rgb = new byte[3 * red.Length];
        decoder.Decode(new LatentPlanes(values, 3, 1, red.Length), rgb, 1, CancellationToken.None);
        byte[] expected = [0, 0, 0, 128, 255, 255, 255, 255, 1, 0];
        Assert.Equal(expected.SelectMany(level => new[] { level, level, level }), rgb);
    }

    [Fact]
    public void The_wrong_number_of_channels_or_bytes_is_named()
    {
        using var decoder = new LinearDecoder(LatentFormats.Get("SD15"));
        var values = new float[16];
        Assert.Contains("16 channels", Assert.Throws<ArgumentException>(() => decoder.Decode(new LatentPlanes(values, 16, 1, 1), new byte[3], 1, CancellationToken.None)).Message);
        Assert.Contains("12", Assert.Throws<ArgumentException>(() => decoder.Decode(new LatentPlanes(values, 4, 2, 2), new byte[3], 1, CancellationToken.None)).Message);
    }

    [Fact]
    public void A_format_without_colours_is_refused_with_the_way_out()
    {
        var refused = Assert.Throws<LatentBridgeException>(() => new LinearDecoder(LatentFormats.Get("StableAudio1")));
        Assert.Contains("estimated", refused.Message);
    }

    [Fact]
    public void The_default_map_has_the_plain_id_and_the_others_their_name_and_less_rank()
    {
        LatentFormat format = LatentFormats.Get("SD15");
        using var fitted = new LinearDecoder(format);
        using var other = new LinearDecoder(format, format.FindRgb("comfyui"));
        Assert.Equal(("latent2rgb", "SD15 (fitted)"), (fitted.Description.Id, fitted.Description.Source));
        Assert.Equal(("latent2rgb:comfyui", "SD15 (comfyui)"), (other.Description.Id, other.Description.Source));
        Assert.True(other.Description.Quality < fitted.Description.Quality);
    }

    [Fact]
    public void A_cancelled_decode_stops()
    {
        using var decoder = new LinearDecoder(LatentFormats.Get("SD15"));
        var values = new float[4];
        Assert.Throws<OperationCanceledException>(() => decoder.Decode(new LatentPlanes(values, 4, 1, 1), new byte[3], 1, new CancellationToken(true)));
    }

    static LatentFormat WithMap(int channels, int seed)
    {
        float[] factors = RandomValues(3 * channels, seed);
        return new LatentFormat
        {
            Id = $"Random{channels}",
            Source = "test",
            Channels = channels,
            StreamChannels = channels,
            Dimensions = 2,
            SpatialCompression = 8,
            TemporalCompression = 1,
            RgbMaps = [new LatentRgbMap("random", "test", factors, [0.1f, -0.2f, 0.3f])],
        };
    }

    static float[] RandomValues(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)((random.NextDouble() * 2) - 1))];
    }

    static void AssertFormula(LatentRgbMap map, float[] values, int cells, byte[] rgb)
    {
        for (int cell = 0; cell < cells; cell++)
        {
            for (int r = 0; r < 3; r++)
            {
                double colour = map.Bias[r];
                for (int channel = 0; channel < map.Channels; channel++)
                {
                    colour += (double)values[(channel * cells) + cell] * map.Factors[(channel * 3) + r];
                }

                double level = Math.Clamp((colour + 1) / 2, 0, 1) * 255;
                byte actual = rgb[(3 * cell) + r];
                Assert.InRange(actual, Math.Floor(level + 0.5 - RoundingTolerance), Math.Floor(level + 0.5 + RoundingTolerance));
            }
        }
    }
}
