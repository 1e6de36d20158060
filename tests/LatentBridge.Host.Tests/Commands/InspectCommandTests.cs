using Newtonsoft.Json.Linq;

namespace LatentBridge.Host.Tests.Commands;

public sealed class InspectCommandTests : IDisposable
{
    readonly CommandRun _run = new();

    public void Dispose() => _run.Dispose();

    [Fact]
    public void Statistics_are_those_of_each_channel_over_the_whole_batch()
    {
        var values = new float[2 * 4 * 2 * 2];
        for (int i = 0; i < 4; i++)
        {
            values[4 + i] = i; // item 0, channel 1: 0 1 2 3
            values[16 + 4 + i] = 3 - (2 * i); // item 1, channel 1: 3 1 -1 -3
        }

        values[16 + 8] = float.NaN;
        Assert.Equal(0, _run.Run("inspect", _run.WriteNpy("known.npy", values, 2, 4, 2, 2), "--format", "SD15", "-o", _run.Folder, "--json"));

        JObject report = JObject.Parse(_run.Output);
        JToken channel = report["channels"]![1]!;
        Assert.Equal((-3.0, 3.0, 0.75), ((double)channel["minimum"]!, (double)channel["maximum"]!, (double)channel["mean"]!));
        Assert.Equal(Math.Sqrt((34 / 8.0) - (0.75 * 0.75)), (double)channel["standardDeviation"]!, 6);
        Assert.Equal([0, 0, 1, 0], report["channels"]!.Select(c => (int)c["nonFinite"]!));
        Assert.Equal([2, 4, 2, 2], report["axes"]!.Select(axis => (int)axis));
    }

    [Theory]
    [InlineData("SD15_kodim23", 512, 512, 48, 24)]
    [InlineData("SDXL_kodim04", 448, 704, 48, 24)]
    [InlineData("SD3_kodim23", 512, 512, 12, 6)]
    [InlineData("Flux2_kodim23", 512, 512, 6, 3)]
    public void The_latent_is_so_many_times_smaller_than_its_picture(string name, int width, int height, double fewerValues, double fewerBytes)
    {
        Assert.Equal(0, _run.Run("inspect", CommandRun.Example(name), "-o", _run.Folder, "--json"));
        JObject report = JObject.Parse(_run.Output);
        Assert.Equal((width, height), ((int)report["pictureWidth"]!, (int)report["pictureHeight"]!));
        Assert.Equal((fewerValues, fewerBytes), ((double)report["timesFewerValues"]!, (double)report["timesFewerBytes"]!));
    }

    [Fact]
    public void A_video_counts_its_frames()
    {
        Assert.Equal(0, _run.Run("inspect", _run.WriteNpy("clip.npy", new float[16 * 5 * 4 * 6], 1, 16, 5, 4, 6), "--format", "Wan21", "-o", _run.Folder));
        Assert.Contains("48 x 32 pixels, 17 frames", _run.Output);
    }

    [Fact]
    public void The_text_says_what_the_latent_is_and_where_the_panels_lie()
    {
        Assert.Equal(0, _run.Run("inspect", CommandRun.Example("SDXL_kodim04"), "-o", _run.Folder));

        string panels = Path.Combine(_run.Folder, "SDXL_kodim04.channels.png");
        Assert.Contains("latent, F16, [1, 4, 88, 56]", _run.Output);
        Assert.Contains("SDXL (named by the file)", _run.Output);
        Assert.Contains("48 times fewer values", _run.Output);
        Assert.Contains(panels, _run.Output);
        (int width, int height) = CommandRun.PngSize(panels);
        Assert.True(width > 4 * 56 && height > 88, $"{width} x {height}");
    }

    [Fact]
    public void A_latent_of_nothing_but_NaN_is_shown_and_said()
    {
        string file = _run.WriteNpy("nan.npy", [.. Enumerable.Repeat(float.NaN, 4 * 2 * 2)], 1, 4, 2, 2);
        Assert.Equal(0, _run.Run("inspect", file, "--format", "SD15", "-o", _run.Folder, "--json"));
        JToken channel = JObject.Parse(_run.Output)["channels"]![0]!;
        Assert.Equal(4, (int)channel["nonFinite"]!);
        Assert.Equal(JTokenType.Null, channel["mean"]!.Type);
    }

    [Fact]
    public void An_item_that_is_not_there_ends_with_2()
    {
        Assert.Equal(2, _run.Run("inspect", CommandRun.Example("SDXL_batch4"), "-o", _run.Folder, "--item", "4"));
        Assert.Contains("holds 4 latents", _run.Error);
    }
}
