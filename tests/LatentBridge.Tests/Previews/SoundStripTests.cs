using System.Runtime.InteropServices;
using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Tests.Previews;

public sealed class SoundStripTests
{
    const int Side = 128, Height = 48, Axis = 11;

    static readonly PreviewOptions Options = PreviewOptions.Default with { Encoding = PreviewEncoding.Rgb24, Size = Side };

    public static TheoryData<string> Sounds => [.. LatentFormats.Ids.Where(id => LatentFormats.Get(id).CellsPerSecond > 0)];

    [Fact]
    public void The_kinds_of_sound_that_are_known_have_their_rate() =>
        Assert.Equal(
            [("ACEAudio", 10.77), ("ACEAudio15", 25), ("MiniMaxMusic3", 86.13), ("StableAudio1", 21.53), ("StableAudio3", 10.77), ("YuE2", 25)],
            Sounds.Select(row => (row.Data, Math.Round(LatentFormats.Get(row.Data).CellsPerSecond, 2))).Order());

    [Theory]
    [MemberData(nameof(Sounds))]
    public void Channels_run_down_and_time_runs_to_the_right(string id)
    {
        LatentFormat format = LatentFormats.Get(id);
        int height = format.Dimensions == 2 ? 16 : 1, rows = format.Channels * height, cells = 4 * Side;
        float[] values = new float[rows * cells];
        int loud = rows / 4, quiet = rows * 3 / 4;
        values.AsSpan((loud * cells) + (cells / 2), cells / 4).Fill(2);
        values.AsSpan(quiet * cells, cells / 4).Fill(-2);
        byte[] picture = Draw(format, height == 1 ? [1, rows, cells] : [1, format.Channels, height, cells], values);

        int bands = Math.Min(rows, Height - Axis);
        Assert.All(Enumerable.Range(0, Height - Axis).SelectMany(y => Enumerable.Range(0, Side).Select(x => (x, y))), at =>
        {
            int band = at.y * bands / (Height - Axis);
            (int from, int to) = (band * rows / bands, Math.Max((band * rows / bands) + 1, (band + 1) * rows / bands));
            byte red = picture[3 * ((at.y * Side) + at.x)], blue = picture[(3 * ((at.y * Side) + at.x)) + 2];
            bool isAbove = from <= loud && loud < to && at.x is >= Side / 2 and < Side * 3 / 4, isBelow = from <= quiet && quiet < to && at.x < Side / 4;
            Assert.True(isAbove ? red > blue : isBelow ? blue > red : red == 0 && blue == 0, $"{at}: {red}, {blue}");
        });
    }

    [Fact]
    public void The_axis_marks_the_seconds()
    {
        byte[] picture = Draw(LatentFormats.Get("ACEAudio15"), [1, 64, 500], new float[64 * 500]); // 20 s
        Assert.Equal([0, 32, 64, 96], Enumerable.Range(0, Side).Where(IsMark)); // every 5 s

        // A mark reaches down without a gap; no digit does.
        bool IsMark(int x) => Enumerable.Range(Height - Axis, 8).All(y => picture[3 * ((y * Side) + x)] == 200);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 7)]
    [InlineData(1, 4096)]
    public void Any_length_and_size_has_a_picture(int cells, int size)
    {
        LatentFormat format = LatentFormats.Get("StableAudio1");
        byte[] picture = Draw(format, [1, 64, cells], new float[64 * cells], size);
        Assert.Equal(3 * size * Math.Max(1, size * 3 / 8), picture.Length);
    }

    static byte[] Draw(LatentFormat format, long[] axes, float[] values, int size = Side)
    {
        using PreviewRenderer renderer = new(format);
        PreviewOptions options = Options with { Size = size };
        renderer.StageArray(MemoryMarshal.AsBytes(values.AsSpan()), LatentElementType.F32, axes, LatentSpace.Sampler, options);
        DecoderEntry best = LatentDecoders.For(format, [])[0];
        Assert.Equal("sound", best.Description.Id);
        using ILatentDecoder decoder = best.Load();
        byte[] picture = new byte[3 * size * size];
        PreviewResult result = renderer.Render(decoder, options, picture, CancellationToken.None);
        Assert.True(result.Fits);
        Assert.Equal(size, result.Width);
        return picture[..result.ByteLength];
    }
}
