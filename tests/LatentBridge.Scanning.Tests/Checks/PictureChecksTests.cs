using LatentBridge.Scanning.Checks;

namespace LatentBridge.Scanning.Tests.Checks;

public sealed class PictureChecksTests
{
    [Theory]
    [InlineData(4, 4, "4 of 40 rows above, 4 below")]
    [InlineData(12, 13, "12 of 40 rows above, 13 below")]
    [InlineData(4, 0, null)]
    [InlineData(1, 1, null)]
    [InlineData(4, 12, null)]
    [InlineData(20, 20, null)]
    public void Bars_are_dark_on_both_sides_and_about_alike(int above, int below, string? expected)
    {
        Assert.Equal(expected, PictureChecks.Bars(Picture(60, 40, (_, y) => y < above || y >= 40 - below ? 5 : 120)));
    }

    [Fact]
    public void Bars_may_stand_at_the_sides() =>
        Assert.Equal("6 of 40 columns at the left, 6 at the right", PictureChecks.Bars(Picture(40, 60, (x, _) => x is < 6 or >= 34 ? 0 : 90)));

    [Fact]
    public void A_picture_that_fades_to_black_has_no_bars() =>
        Assert.Null(PictureChecks.Bars(Picture(60, 60, (_, y) => Math.Max(0, Math.Min(y, 59 - y) - 6) * 4)));

    [Fact]
    public void White_margins_are_no_bars() => Assert.Null(PictureChecks.Bars(Picture(60, 60, (_, y) => y is < 8 or >= 52 ? 255 : 90)));

    [Theory]
    [InlineData(0, true, false)]
    [InlineData(16, true, false)]
    [InlineData(17, false, false)]
    [InlineData(128, false, false)]
    [InlineData(235, false, true)]
    [InlineData(255, false, true)]
    public void Plain_pictures_are_black_or_white_at_the_ends(int level, bool black, bool white)
    {
        Luminance picture = Picture(20, 20, (_, _) => level);
        Assert.Equal((black, white), (PictureChecks.IsBlack(picture), PictureChecks.IsWhite(picture)));
    }

    [Fact]
    public void A_few_lights_in_the_dark_are_no_black_picture() => Assert.False(PictureChecks.IsBlack(Picture(20, 20, (x, y) => x + y < 2 ? 90 : 0)));

    static Luminance Picture(int width, int height, Func<int, int, int> level)
    {
        Luminance luminance = new();
        luminance.Take([.. Enumerable.Range(0, width * height).SelectMany(i => Enumerable.Repeat((byte)level(i % width, i / width), 3))], width, height);
        return luminance;
    }
}
