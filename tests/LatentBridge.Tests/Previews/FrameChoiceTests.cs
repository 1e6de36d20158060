using LatentBridge.Formats;
using LatentBridge.Previews;

namespace LatentBridge.Tests.Previews;

public sealed class FrameChoiceTests
{
    [Theory]
    [InlineData("first", 1, 0)]
    [InlineData("first", 9, 0)]
    [InlineData("middle", 1, 0)]
    [InlineData("middle", 2, 1)]
    [InlineData("middle", 9, 4)]
    [InlineData("last", 9, 8)]
    [InlineData("0", 9, 0)]
    [InlineData("7", 9, 7)]
    [InlineData("70", 9, 8)]
    public void The_index_is_the_frame_meant_and_never_beyond_the_last(string text, int frames, int expected)
    {
        Assert.True(FrameChoice.TryParse(text, out FrameChoice choice));
        Assert.Equal(expected, choice.IndexOf(frames, LatentFormats.Get("Wan21")));
    }

    [Theory]
    [InlineData("Wan21", 9, 0)]
    [InlineData("HunyuanVideo", 9, 0)]
    [InlineData("Hunyuan3Dv2_1Paint", 6, 3)]
    [InlineData("SDXL", 1, 0)]
    public void Of_a_causal_video_the_frame_is_shown_that_colour_maps_are_fitted_to(string format, int frames, int expected)
    {
        Assert.Equal(expected, FrameChoice.Auto.IndexOf(frames, LatentFormats.Get(format)));
        Assert.Equal(FrameChoice.Auto, PreviewOptions.Default.Frame);
    }

    [Theory]
    [InlineData("")]
    [InlineData(null)]
    [InlineData("-1")]
    [InlineData("First")]
    [InlineData("99999999999")]
    public void Anything_else_is_refused_and_means_the_middle(string? text)
    {
        Assert.False(FrameChoice.TryParse(text, out FrameChoice choice));
        Assert.Equal(FrameChoice.Middle, choice);
    }

    [Fact]
    public void Text_and_choice_agree()
    {
        foreach (FrameChoice choice in (FrameChoice[])[FrameChoice.Auto, FrameChoice.First, FrameChoice.Middle, FrameChoice.Last, FrameChoice.At(5)])
        {
            Assert.True(FrameChoice.TryParse(choice.ToString(), out FrameChoice read));
            Assert.Equal(choice, read);
        }
    }
}
