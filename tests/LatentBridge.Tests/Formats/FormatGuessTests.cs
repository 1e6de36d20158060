using LatentBridge.Formats;
using LatentBridge.Latents;

namespace LatentBridge.Tests.Formats;

public sealed class FormatGuessTests
{
    [Theory]
    [InlineData("SD15", 1, 4, 64, 64)]
    [InlineData("SD15", 2, 4, 96, 96)]
    [InlineData("SDXL", 1, 4, 128, 128)]
    [InlineData("SDXL", 1, 4, 97, 96)]
    [InlineData("Flux", 1, 16, 64, 64)]
    [InlineData("Flux2", 1, 128, 64, 64)]
    [InlineData("QwenImage21", 1, 64, 64, 64)]
    [InlineData("ChromaRadiance", 1, 3, 512, 512)]
    [InlineData("Wan22", 1, 48, 40, 64)]
    [InlineData("Wan21", 1, 16, 16, 40, 64)]
    [InlineData("LTXV", 1, 128, 5, 16, 24)]
    [InlineData("SD15", 1, 4, 8, 64, 64)]
    [InlineData("SD15", 4, 64, 64)]
    [InlineData("StableAudio1", 1, 64, 1024)]
    [InlineData("StableAudio3", 256, 512)]
    [InlineData("unknown", 1, 5, 64, 64)]
    [InlineData("ACEAudio", 1, 8, 16, 300)]
    [InlineData("unknown", 1, 8, 64, 64)]
    [InlineData("Wan21", 16, 5, 40, 64)]
    [InlineData("Wan21", 1, 5, 16, 40, 64)]
    [InlineData("SD15", 1, 64, 64, 4)]
    [InlineData("Flux", 64, 40, 16)]
    [InlineData("Flux", 1, 4096, 64)]
    [InlineData("Flux2", 1, 1024, 128)]
    [InlineData("unknown", 1, 7, 3, 8, 8)]
    [InlineData("unknown", 9, 100)]
    public void The_guess_follows_the_documented_rules(string id, params int[] axes)
    {
        FormatGuess guess = LatentFormats.Guess([.. axes.Select(axis => (long)axis)]);
        Assert.Equal(id, guess.Format.Id);
    }

    [Fact]
    public void A_guess_says_that_it_is_one_and_what_else_it_could_be()
    {
        string reason = LatentFormats.Guess([1, 4, 64, 64]).Reason;
        Assert.Contains("guessed as SD15", reason);
        Assert.Contains("SDXL", reason);
        Assert.Contains("SD15", LatentFormats.Guess([1, 4, 128, 128]).Reason);
    }

    [Fact]
    public void Any_axes_that_make_a_latent_get_a_format_that_reads_them()
    {
        var random = new Random(4);
        for (int round = 0; round < 2000; round++)
        {
            long[] axes = [.. Enumerable.Range(0, random.Next(2, 6)).Select(axis => (long)random.Next(1, axis < 2 ? 140 : 40))];
            LatentFormat format = LatentFormats.Guess(axes).Format;
            AxisReading? reading = LatentAxes.Read(axes, format, default, out string? refused, out _);
            Assert.True(refused is null, $"{format.Id} for [{string.Join(", ", axes)}]: {refused}");
            LatentShape shape = reading!.Shape;
            Assert.True(shape.Channels == format.StreamChannels || format.Id == "unknown" || axes.Length < 4, $"{format.Id} for {shape}");
        }
    }
}
