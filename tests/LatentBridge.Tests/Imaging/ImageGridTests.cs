using LatentBridge.Imaging;
using LatentBridge.Latents;

namespace LatentBridge.Tests.Imaging;

public sealed class ImageGridTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(2, 2, 1)]
    [InlineData(3, 2, 2)]
    [InlineData(4, 2, 2)]
    [InlineData(5, 3, 2)]
    [InlineData(6, 3, 2)]
    [InlineData(8, 3, 3)]
    [InlineData(9, 3, 3)]
    [InlineData(16, 4, 4)]
    public void The_layout_is_near_a_square(int count, int columns, int rows) => Assert.Equal((columns, rows), ImageGrid.Layout(count));

    [Fact]
    public void Every_picture_has_a_place_and_no_row_is_empty()
    {
        for (int count = 1; count < 500; count++)
        {
            (int columns, int rows) = ImageGrid.Layout(count);
            Assert.InRange(count, (columns * (rows - 1)) + 1, columns * rows);
        }
    }

    [Fact]
    public void Pictures_lie_row_by_row()
    {
        var grid = new byte[3 * 4 * 4];
        for (int index = 0; index < 4; index++)
        {
            ImageGrid.Place(Enumerable.Repeat((byte)(index + 1), 3 * 2 * 2).ToArray(), 2, 2, grid, 2, index);
        }

        byte[] expected = [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4];
        Assert.Equal(expected, grid.Where((_, i) => i % 3 == 0));
    }

    [Fact]
    public void Viridis_goes_from_violet_to_yellow_and_grows_brighter_all_the_way()
    {
        Assert.Equal([0x44, 0x01, 0x54], Viridis.Colour(0).ToArray());
        Assert.Equal([0xFD, 0xE7, 0x25], Viridis.Colour(255).ToArray());
        double before = 0;
        for (int level = 0; level < 256; level++)
        {
            ReadOnlySpan<byte> colour = Viridis.Colour((byte)level);
            double brightness = (0.2126 * colour[0]) + (0.7152 * colour[1]) + (0.0722 * colour[2]);
            Assert.True(brightness >= before - 0.6, $"level {level} is darker than the one before");
            before = brightness;
        }
    }

    [Fact]
    public void Each_channel_is_a_panel_from_its_smallest_to_its_largest_value()
    {
        float[] values = [-5, 5, 100, 300, 7, 7];
        (int width, int height) = ChannelPanels.Size(3, 1, 2);
        Assert.Equal((6, 4), (width, height));
        var panels = new byte[3 * width * height];
        ChannelPanels.Draw(new LatentPlanes(values, 3, 1, 2), panels);
        byte[] Pixel(int x, int y) => panels[(3 * ((y * width) + x))..((3 * ((y * width) + x)) + 3)];
        Assert.Equal(Viridis.Colour(0).ToArray(), Pixel(0, 0));
        Assert.Equal(Viridis.Colour(255).ToArray(), Pixel(1, 0));
        Assert.Equal([0, 0, 0], Pixel(2, 0));
        Assert.Equal(Viridis.Colour(255).ToArray(), Pixel(5, 0));
        Assert.Equal(Viridis.Colour(0).ToArray(), Pixel(1, 3));
        Assert.Throws<ArgumentException>(() => ChannelPanels.Draw(new LatentPlanes(values, 3, 1, 2), new byte[3]));
    }
}
