using System.Runtime.InteropServices;
using LatentBridge.Decoders;
using LatentBridge.Decoders.Linear;
using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Imaging.Png;
using LatentBridge.Imaging.Quality;
using LatentBridge.Latents;
using LatentBridge.Tests;
using LatentBridge.Tests.Weights;

namespace LatentBridge.Fitting.Tests;

public sealed class CalibrationTests(ITestOutputHelper output)
{
    static readonly LatentFormat Unknown = LatentFormat.Unknown(6, 2);
    static readonly string[] Taught = ["kodim04", "kodim05"];

    static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>What the VAE of these tests makes of a cell: in -1..1.</summary>
    static float Colour(float[] z, int rgb) => Math.Clamp(0.1f + (0.3f * z[rgb]) - (0.2f * z[(rgb + 3) % z.Length]) + (0.1f * z[rgb] * z[(rgb + 1) % z.Length]), -1, 1);

    /// <summary>A latent of small waves with its picture, as they come over the wire.</summary>
    static float[] Pair(int channels, int height, int width, uint seed, Func<float[], int, float>? colour = null)
    {
        uint state = seed;
        float[] values = new float[(channels + CalibrationPair.PictureChannels) * height * width];
        for (int i = 0; i < channels * height * width; i++)
        {
            values[i] = 2 * TestWeights.Next(ref state);
        }

        for (int cell = 0; cell < height * width; cell++)
        {
            float[] z = [.. Enumerable.Range(0, channels).Select(c => values[(c * height * width) + cell])];
            for (int i = 0; i < CalibrationPair.PictureChannels; i++)
            {
                values[((channels + i) * height * width) + cell] = (colour ?? Colour)(z, i / 4);
            }
        }

        return values;
    }

    static CalibrationPair Read(float[] values, int channels, int height, int width, LatentFormat? format = null) => CalibrationPair.Read(
        MemoryMarshal.AsBytes(values.AsSpan()), LatentElementType.F32, [1, channels + CalibrationPair.PictureChannels, height, width], format ?? Unknown);

    [Fact]
    public void A_format_that_nobody_knows_has_its_colours_after_its_first_picture()
    {
        Calibration calibration = new(6);
        Assert.Null(calibration.Solve());
        calibration.Add(Read(Pair(6, 64, 64, 1), 6, 64, 64), [], Token);
        CalibratedMap map = calibration.Solve()!;
        DecoderEntry entry = map.Entry(6, [new("estimated", "", 6, 1, 10, 10)])!;
        Assert.Equal(("calibrated", 11), (entry.Description.Id, entry.Description.Quality));

        float[] other = Pair(6, 32, 32, 2);
        CalibrationPair unseen = Read(other, 6, 32, 32);
        byte[] decoded = new byte[3 * 32 * 32];
        using ILatentDecoder decoder = entry.Load();
        decoder.Decode(unseen.Latent, decoded, 1, Token);
        double psnr = ImageQuality.Psnr(unseen.Colours.Span, decoded);
        Assert.True(psnr > 30, $"{psnr} dB");
        Assert.True(Math.Abs(psnr - map.Psnr) < 2.5, $"{psnr} dB over a picture not seen, {map.Psnr} dB over the blocks held out");
    }

    [Fact]
    public void A_map_is_used_above_what_it_beats_and_not_at_all_where_it_beats_nothing()
    {
        Truth good = new("good", 1, 25, Colour), bad = new("bad", 1, 20, (_, _) => 0.1f), network = new("network", 4, 60, (_, _) => 0.1f);
        int? Rank(params ILatentDecoder[] shipped)
        {
            Calibration calibration = new(6);
            for (uint i = 1; i <= 3; i++)
            {
                calibration.Add(Read(Pair(6, 64, 64, i), 6, 64, 64), shipped, Token);
            }

            return calibration.Solve()!.Rank(shipped.Select(decoder => decoder.Description));
        }

        Assert.Null(Rank(good));
        Assert.Equal(21, Rank(good, bad));
        Assert.Equal(61, Rank(network, good, bad));
        Assert.Equal(11, Rank());
    }

    [Fact]
    public void Before_two_unseen_pictures_a_map_is_used_only_above_one_that_was_made_for_other_latents()
    {
        Truth near = new("near", 1, 20, (z, rgb) => Colour(z, rgb) + 0.1f), foreign = new("foreign", 1, 20, (z, rgb) => Colour(z, 2 - rgb));
        Assert.Equal([null, null, 21], Ranks(near));
        Assert.Equal([21, 21, 21], Ranks(foreign));

        int?[] Ranks(ILatentDecoder shipped)
        {
            Calibration calibration = new(6);
            return [.. Enumerable.Range(1, 3).Select(i =>
            {
                // What no map can know keeps the best one at 29 dB; near reaches 24, foreign 13.
                float[] pair = Pair(6, 128, 128, (uint)i, (z, rgb) => Colour(z, rgb) + (0.1f * MathF.Sin((1e4f * z[0]) + rgb)));
                calibration.Add(Read(pair, 6, 128, 128), [shipped], Token);
                return calibration.Solve()!.Rank([shipped.Description]);
            })];
        }
    }

    [Fact]
    public void A_decoder_that_was_not_measured_on_every_cell_is_not_beaten()
    {
        Truth bad = new("bad", 1, 20, (_, _) => 0.1f);
        Calibration calibration = new(6);
        calibration.Add(Read(Pair(6, 32, 32, 1), 6, 32, 32), [], Token);
        calibration.Add(Read(Pair(6, 32, 32, 2), 6, 32, 32), [], Token);
        calibration.Add(Read(Pair(6, 32, 32, 3), 6, 32, 32), [bad], Token);
        Assert.Null(calibration.Solve()!.Rank([bad.Description]));
    }

    [Fact]
    public void A_picture_of_another_latent_gives_no_map_that_is_used()
    {
        float[] values = Pair(6, 64, 64, 1), others = Pair(6, 64, 64, 2);
        others.AsSpan(6 * 64 * 64).CopyTo(values.AsSpan(6 * 64 * 64));
        Calibration calibration = new(6);
        calibration.Add(Read(values, 6, 64, 64), [], Token);
        CalibratedMap map = calibration.Solve()!;
        Assert.True(map.ShareExplained < 0.1, $"{map.ShareExplained}");
        Assert.Null(map.Entry(6, []));
    }

    [Fact]
    public void What_was_learned_is_the_same_after_it_was_kept()
    {
        string path = Path.Combine(Path.GetTempPath(), $"calibration-{Guid.NewGuid():N}.safetensors");
        try
        {
            Truth bad = new("bad", 1, 20, (_, _) => 0.1f);
            Calibration calibration = new(6);
            calibration.Add(Read(Pair(6, 64, 64, 1), 6, 64, 64), [bad], Token);
            calibration.Write(path, "unknown", "mine.safetensors");
            Calibration kept = Calibration.Read(path, 6);
            Assert.Equal((1, calibration.CellCount), (kept.PictureCount, kept.CellCount));
            CalibratedMap before = calibration.Solve()!, after = kept.Solve()!;
            Assert.Equal(before.Map.Tensors.Select(t => Convert.ToHexString(t.Bytes.Span)), after.Map.Tensors.Select(t => Convert.ToHexString(t.Bytes.Span)));
            Assert.Equal((before.Psnr, before.Measured["bad"]), (after.Psnr, after.Measured["bad"]));

            Assert.Contains("not a calibration of 4 channels", Assert.Throws<LatentBridgeException>(() => Calibration.Read(path, 4)).Message, StringComparison.Ordinal);
            byte[] bytes = File.ReadAllBytes(path);
            foreach (int length in (int[])[0, 7, 100, bytes.Length / 2, bytes.Length - 1])
            {
                File.WriteAllBytes(path, bytes[..length]);
                Assert.Throws<LatentBridgeException>(() => Calibration.Read(path, 6));
            }

            bytes.AsSpan(^64..).Fill(0xFF);
            File.WriteAllBytes(path, bytes);
            Assert.Throws<LatentBridgeException>(() => Calibration.Read(path, 6));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Nothing_is_learned_from_pairs_that_are_none_and_the_old_map_stays()
    {
        Calibration calibration = new(6);
        calibration.Add(Read(Pair(6, 32, 32, 1), 6, 32, 32), [], Token);
        double before = calibration.Solve()!.Psnr;

        AssertRefused("has only one colour", Pair(6, 32, 32, 1, (_, _) => -1), 6, 32);
        float[] values = Pair(6, 32, 32, 1);
        values[5] = float.NaN;
        AssertRefused("1 values of the latent are NaN", values, 6, 32);
        values = Pair(6, 32, 32, 1);
        values[^5] = float.PositiveInfinity;
        AssertRefused("1 values of the picture are NaN", values, 6, 32);
        values = Pair(6, 32, 32, 1);
        values[7] = 1000;
        AssertRefused("the sampler's scale", values, 6, 32);
        AssertRefused("at least 256 cells", Pair(6, 15, 16, 1), 6, 15, 16);
        AssertRefused("has 5 channels", Pair(5, 32, 32, 1), 5, 32);
        Assert.Throws<LatentBridgeException>(() => Read(new float[12 * 32 * 32], 0, 32, 32));
        Assert.Contains("pictures already", Assert.Throws<LatentBridgeException>(
            () => Read(Pair(3, 32, 32, 1), 3, 32, 32, LatentFormats.Get("ChromaRadiance"))).Message, StringComparison.Ordinal);
        Assert.Throws<LatentBridgeException>(() => calibration.Add(Read(Pair(4, 32, 32, 1), 4, 32, 32, LatentFormats.Get("SD15")), [], Token));
        Assert.Equal((1, before), (calibration.PictureCount, calibration.Solve()!.Psnr));

        static void AssertRefused(string why, float[] values, int channels, int height, int? width = null) => Assert.Contains(
            why, Assert.Throws<LatentBridgeException>(() => Read(values, channels, height, width ?? height)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Cells_of_FLUX2_are_unpacked_with_their_colours()
    {
        LatentFormat flux2 = LatentFormats.Get("Flux2");
        float[] values = new float[140 * 16 * 16];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = i / 256 % 4 / 4f; // the quarter of the cell that a channel is
        }

        CalibrationPair pair = Read(values, 128, 16, 16, flux2);
        Assert.Equal((32, 32, 32), (pair.Latent.Channels, pair.Latent.Height, pair.Latent.Width));
        for (int i = 0; i < 32 * 32; i++)
        {
            float quarter = ((i / 32 % 2 * 2) + (i % 2)) / 4f;
            Assert.Equal(quarter, pair.Latent.Values[i]);
            Assert.Equal((byte)((quarter * 127.5f) + 128), pair.Colours.Span[3 * i]);
        }
    }

    [Theory]
    [InlineData("SD15")]
    [InlineData("SDXL")]
    [InlineData("SD3")]
    [InlineData("Flux")]
    [InlineData("Flux2")]
    public void A_calibrated_map_is_within_1_dB_of_one_fitted_offline_on_the_same_pictures(string id)
    {
        LatentFormat format = LatentFormats.Get(id);
        using LinearDecoder shipped = new(format);
        Calibration calibration = new(format.PlaneChannels);
        ColourFit offline = new(format.PlaneChannels, 2);
        CalibrationPair unseen = Photograph(format, "kodim23");
        CalibrationPair[] pairs = [.. Taught.Where(name => id != "Flux2" || name == "kodim05").Select(name => Photograph(format, name))];
        foreach (CalibrationPair pair in Enumerable.Repeat(pairs, 4).SelectMany(all => all)) // crops of 3,000 to 5,000 cells; a picture of 1024 x 1024 has 16,384
        {
            calibration.Add(pair, [shipped], Token);
            offline.Add(pair.Latent.Values.ToArray(), pair.Colours, heldOut: false);
        }

        CalibratedMap map = calibration.Solve()!;
        using ILatentDecoder calibrated = map.Map.ToDecoder(), fitted = offline.Solve(map.Map.Kind, 1e-4).ToDecoder();
        foreach ((string where, CalibrationPair pair) in (IEnumerable<(string, CalibrationPair)>)[.. pairs.Select(pair => ("learned from", pair)), ("unseen", unseen)])
        {
            (double reached, double possible) = (Psnr(calibrated, pair), Psnr(fitted, pair));
            output.WriteLine(FormattableString.Invariant(
                $"{id}, {map.Map.Kind}, {where}: shipped {Psnr(shipped, pair):0.00} dB, calibrated {reached:0.00}, fitted offline {possible:0.00}"));
            Assert.True(reached > possible - 1, $"{where}: calibrated {reached} dB, fitted offline {possible} dB");
        }
    }

    static double Psnr(ILatentDecoder decoder, CalibrationPair pair)
    {
        byte[] decoded = new byte[pair.Colours.Length];
        decoder.Decode(pair.Latent, decoded, 1, CancellationToken.None);
        return ImageQuality.Psnr(pair.Colours.Span, decoded);
    }

    /// <summary>A photograph's latent beside the photograph itself, of which the latent has the centre.</summary>
    static CalibrationPair Photograph(LatentFormat format, string name)
    {
        LoadedLatent latent = LatentFile.Load(TestData.Require("latents", $"{format.Id}_{name}.safetensors"));
        PngImage image = PngReader.Read(File.ReadAllBytes(TestData.Require("images", name + ".png")));
        byte[] rgb = image.ToRgb();
        (int channels, int height, int width) = ((int)latent.Axes[1], (int)latent.Axes[2], (int)latent.Axes[3]);
        int side = format.SpatialCompression / 2;
        (int top, int left) = ((image.Height - (2 * side * height)) / 2, (image.Width - (2 * side * width)) / 2);
        Half[] picture = new Half[CalibrationPair.PictureChannels * height * width];
        for (int i = 0; i < picture.Length; i++)
        {
            (int plane, int cell) = Math.DivRem(i, height * width);
            (int y, int x) = ((2 * (cell / width)) + (plane % 4 / 2), (2 * (cell % width)) + (plane % 2));
            int sum = 0;
            for (int pixel = 0; pixel < side * side; pixel++)
            {
                sum += rgb[(3 * (((top + (y * side) + (pixel / side)) * image.Width) + left + (x * side) + (pixel % side))) + (plane / 4)];
            }

            picture[i] = (Half)((sum / (side * side * 127.5f)) - 1);
        }

        Assert.Equal(LatentElementType.F16, latent.ElementType);
        byte[] bytes = [.. latent.Bytes, .. MemoryMarshal.AsBytes(picture.AsSpan())];
        return CalibrationPair.Read(bytes, LatentElementType.F16, [1, channels + CalibrationPair.PictureChannels, height, width], format);
    }

    /// <summary>A decoder that makes these colours.</summary>
    sealed class Truth(string id, int side, int quality, Func<float[], int, float> colour) : ILatentDecoder
    {
        public DecoderDescription Description { get; } = new(id, "test", 6, side, 100, quality);

        public long WorkingBytes(int latentHeight, int latentWidth) => 0;

        public void Decode(in LatentPlanes latent, Span<byte> destination, int threads, CancellationToken cancellation)
        {
            for (int i = 0; i < destination.Length; i++)
            {
                (int y, int x) = Math.DivRem(i / 3, latent.Width * side);
                float[] z = new float[6];
                for (int c = 0; c < 6; c++)
                {
                    z[c] = latent.Plane(c)[(y / side * latent.Width) + (x / side)];
                }

                destination[i] = (byte)((Math.Clamp(colour(z, i % 3), -1, 1) * 127.5f) + 127.5f);
            }
        }

        public void Dispose()
        {
        }
    }
}
