using System.Text;
using LatentBridge.Previews;
using LatentBridge.Sessions.Control;
using LatentBridge.Testing;

namespace LatentBridge.Sessions.Tests;

public class OptionTableTests
{
    public static TheoryData<string> Names => [.. PreviewOptions.All.Select(option => option.Name)];

    [Fact]
    public void The_file_that_ships_with_the_shim_is_up_to_date() => Assert.True(
        OptionTable.ToFile().AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(Vectors.Folder, "..", "..", "python", "latentbridge", "options.json"))),
        $"Write it anew: ./run.sh options > python/latentbridge/options.json. Expected:\n{Encoding.UTF8.GetString(OptionTable.ToFile())}");

    [Theory]
    [MemberData(nameof(Names))]
    public void An_option_takes_its_default_words_and_ends_and_gives_them_back(string name)
    {
        PreviewOption option = PreviewOptions.All.Single(o => o.Name == name);
        object[] values = [option.Default, .. option.Words, .. option.Range is { } range ? [range.Minimum, range.Maximum] : Array.Empty<object>(), .. option.Default is bool ? [true, false] : Array.Empty<object>()];
        foreach (object value in values)
        {
            Assert.True(option.Takes(value), $"{name} does not take {value}");
            object read = option.Of(option.With(PreviewOptions.Default, value));

            // Frame 0 is the first.
            Assert.True(read.Equals(value) || (name == "frame" && value.Equals(0) && read.Equals("first")), $"{name}: {read}, expected {value}");
        }
    }

    [Theory]
    [InlineData("size", 16385)]
    [InlineData("size", "big")]
    [InlineData("size", true)]
    [InlineData("quality", 0)]
    [InlineData("encoding", "gif")]
    [InlineData("decoder", "")]
    [InlineData("decoder", 1)]
    [InlineData("frame", -1)]
    [InlineData("calibrate", 1)]
    public void Another_value_is_refused_with_what_it_takes(string name, object value)
    {
        PreviewOption option = PreviewOptions.All.Single(o => o.Name == name);
        Assert.False(option.Takes(value));
        Assert.Contains(option.Expected, Assert.Throws<ArgumentException>(() => option.With(PreviewOptions.Default, value)).Message, StringComparison.Ordinal);
    }
}
