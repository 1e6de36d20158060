using System.Runtime.InteropServices;
using System.Text.Json;
using LatentBridge.Formats;
using LatentBridge.Latents;

namespace LatentBridge.Tests.Formats;

/// <summary>The axes, by the vectors that the Python tests read too.</summary>
public sealed class LatentAxesTests
{
    public static TheoryData<string> Read => [.. Cases("read")];

    public static TheoryData<string> Refused => [.. Cases("refused")];

    [Theory, MemberData(nameof(Read))]
    public void The_vectors_are_read(string line)
    {
        JsonElement vector = JsonDocument.Parse(line).RootElement;
        long[] axes = Longs(vector.GetProperty("axes"));
        LatentFormat format = vector.GetProperty("format").GetString() is { } id ? LatentFormats.Get(id) : LatentFormats.Guess(axes).Format;
        AxisReading reading = Assert.IsType<AxisReading>(LatentAxes.Read(axes, format, default, out string? fault, out _));
        Assert.Null(fault);
        Assert.Equal(vector.GetProperty("order").GetString(), reading.Order);
        if (vector.TryGetProperty("shape", out JsonElement shape))
        {
            LatentShape found = reading.Shape;
            Assert.Equal(Longs(shape), new long[] { found.Batch, found.Channels, found.Frames, found.Height, found.Width });
        }
    }

    [Theory, MemberData(nameof(Refused))]
    public void What_fits_no_order_is_refused(string line)
    {
        JsonElement vector = JsonDocument.Parse(line).RootElement;
        Assert.Null(LatentAxes.Read(Longs(vector.GetProperty("axes")), LatentFormats.Get(vector.GetProperty("format").GetString()!), default, out string? fault, out _));
        Assert.Contains(vector.GetProperty("says").GetString()!, fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("BTHWC", 2, 3, 4, 5, 16)]
    [InlineData("TCHW", 3, 16, 4, 5)]
    [InlineData("HWC", 4, 5, 16)]
    [InlineData("bctwh", 1, 16, 2, 5, 4)]
    public void Elements_are_arranged_as_the_order_says(string order, params int[] axes)
    {
        AxisReading reading = LatentAxes.Read([.. axes.Select(axis => (long)axis)], order, LatentFormats.Get("Wan21"), default, out _)!;
        int[] values = [.. Enumerable.Range(0, (int)reading.Shape.Length)];
        int[] arranged = new int[values.Length];
        reading.Arrange(MemoryMarshal.AsBytes<int>(values), sizeof(int), MemoryMarshal.AsBytes(arranged.AsSpan()));
        int at = 0;
        LatentShape shape = reading.Shape;
        foreach ((int b, int c, int t, int h, int w) in
                 from b in Enumerable.Range(0, shape.Batch)
                 from c in Enumerable.Range(0, shape.Channels)
                 from t in Enumerable.Range(0, shape.Frames)
                 from h in Enumerable.Range(0, shape.Height)
                 from w in Enumerable.Range(0, shape.Width)
                 select (b, c, t, h, w))
        {
            int source = 0;
            for (int axis = 0; axis < axes.Length; axis++)
            {
                source = (source * axes[axis]) + char.ToUpperInvariant(order[axis]) switch { 'B' => b, 'C' => c, 'T' => t, 'H' => h, _ => w };
            }

            Assert.Equal(source, arranged[at++]);
        }
    }

    [Fact]
    public void Tokens_are_unpacked_as_diffusers_packs_them()
    {
        // pack: [C, h, 2, w, 2] -> [h * w, C * 2 * 2]
        int[] tokens = new int[2 * 3 * 64];
        foreach ((int y, int x, int c) in
                 from y in Enumerable.Range(0, 4) from x in Enumerable.Range(0, 6) from c in Enumerable.Range(0, 16) select (y, x, c))
        {
            tokens[(((y / 2 * 3) + (x / 2)) * 64) + (c * 4) + (y % 2 * 2) + (x % 2)] = (c * 100) + (y * 10) + x;
        }

        AxisReading reading = LatentAxes.Read([1, 6, 64], LatentFormats.Get("Flux"), new(null, 4, 6), out _, out _)!;
        int[] planes = new int[tokens.Length];
        reading.Arrange(MemoryMarshal.AsBytes<int>(tokens), sizeof(int), MemoryMarshal.AsBytes(planes.AsSpan()));
        Assert.Equal(new LatentShape(1, 16, 1, 4, 6), reading.Shape);
        Assert.Equal(from c in Enumerable.Range(0, 16) from y in Enumerable.Range(0, 4) from x in Enumerable.Range(0, 6) select (c * 100) + (y * 10) + x, planes);
    }

    [Fact]
    public void What_the_source_says_decides_and_nothing_said_leaves_a_question()
    {
        LatentFormat wan = LatentFormats.Get("Wan21");
        Assert.Equal("CTHW", LatentAxes.Read([16, 16, 10, 12], wan, new(16, 10, 12), out _, out bool certain)!.Order);
        Assert.True(certain);
        Assert.Equal("BCHW", LatentAxes.Read([16, 16, 10, 12], wan, new(1, 10, 12), out _, out certain)!.Order);
        Assert.True(certain);
        Assert.Equal("TCHW", LatentAxes.Read([5, 16, 10, 12], wan, new(5, 10, 12), out _, out _)!.Order);
        LatentAxes.Read([16, 16, 10, 12], wan, default, out _, out certain);
        Assert.False(certain);
    }

    [Theory]
    [InlineData("BCH")]
    [InlineData("BCHX")]
    [InlineData("BCCW")]
    [InlineData("BHWT")]
    [InlineData("BCNW")]
    public void A_wrong_order_is_refused_with_what_is_expected(string order)
    {
        Assert.Null(LatentAxes.Read([1, 4, 8, 8], order, LatentFormats.Get("SD15"), default, out string? fault));
        Assert.Contains("expected 4 letters", fault, StringComparison.Ordinal);
    }

    static IEnumerable<string> Cases(string kind)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Path.Combine(TestData.RepositoryRoot, "tests", "Vectors", "axes.json")));
        return [.. document.RootElement.GetProperty(kind).EnumerateArray().Select(vector => vector.GetRawText())];
    }

    static long[] Longs(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetInt64())];
}
