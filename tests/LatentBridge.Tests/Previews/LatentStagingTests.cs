using System.Runtime.InteropServices;
using FsCheck;
using FsCheck.Fluent;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Previews;
using LatentBridge.Simd;

namespace LatentBridge.Tests.Previews;

public sealed class LatentStagingTests
{
    [Fact]
    public void The_wanted_item_and_frame_are_taken_whatever_the_shape()
    {
        Gen<(LatentShape Shape, int Item, int Frame)> cases =
            from batch in Gen.Choose(1, 4)
            from frames in Gen.Choose(1, 5)
            from height in Gen.Choose(1, 9)
            from width in Gen.Choose(1, 40)
            from item in Gen.Choose(0, batch - 1)
            from frame in Gen.Choose(0, frames - 1)
            select (new LatentShape(batch, 16, frames, height, width), item, frame);
        Prop.ForAll(cases.ToArbitrary(), wanted =>
        {
            (LatentShape shape, int item, int frame) = wanted;
            float[] values = Counting((int)shape.Length);
            LatentStaging staging = Staged("Wan21", values, shape, new PreviewOptions { Batch = BatchChoice.Item, Item = item, Frame = FrameChoice.At(frame) });
            LatentPlanes planes = staging.Planes(0);
            bool same = planes.Height == shape.Height && planes.Width == shape.Width && planes.Channels == 16;
            for (int channel = 0; channel < 16 && same; channel++)
            {
                int start = ((((item * 16) + channel) * shape.Frames) + frame) * shape.PlaneLength;
                same = planes.Plane(channel).SequenceEqual(values.AsSpan(start, shape.PlaneLength));
            }

            return same;
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void A_grid_takes_the_whole_batch()
    {
        var shape = new LatentShape(3, 4, 1, 2, 5);
        float[] values = Counting((int)shape.Length);
        LatentStaging staging = Staged("SD15", values, shape, new PreviewOptions { Batch = BatchChoice.Grid });
        Assert.Equal(3, staging.ItemCount);
        for (int item = 0; item < 3; item++)
        {
            Assert.Equal(values[(item * 40)..((item + 1) * 40)], staging.Planes(item).Values.ToArray());
        }
    }

    [Fact]
    public void An_item_beyond_the_batch_is_the_last()
    {
        var shape = new LatentShape(2, 4, 1, 1, 1);
        LatentStaging staging = Staged("SD15", Counting(8), shape, new PreviewOptions { Batch = BatchChoice.Item, Item = 9 });
        Assert.Equal([4, 5, 6, 7], staging.Planes(0).Values.ToArray());
    }

    [Fact]
    public void Flux2_is_unpacked_to_32_channels_of_twice_the_size()
    {
        const int Height = 3;
        const int Width = 19;
        var shape = new LatentShape(1, 128, 1, Height, Width);
        float[] packed = Counting((int)shape.Length);
        LatentPlanes planes = Staged("Flux2", packed, shape, PreviewOptions.Default).Planes(0);
        Assert.Equal((32, 2 * Height, 2 * Width), (planes.Channels, planes.Height, planes.Width));
        for (int k = 0; k < 32; k++)
        {
            for (int y = 0; y < 2 * Height; y++)
            {
                for (int x = 0; x < 2 * Width; x++)
                {
                    int channel = (k * 4) + (y % 2 * 2) + (x % 2);
                    Assert.Equal(packed[(((channel * Height) + (y / 2)) * Width) + (x / 2)], planes.Plane(k)[(y * 2 * Width) + x]);
                }
            }
        }
    }

    [Fact]
    public void Flux2_that_was_unpacked_before_is_taken_as_it_is()
    {
        var shape = new LatentShape(1, 32, 1, 4, 6);
        LatentPlanes planes = Staged("Flux2", Counting((int)shape.Length), shape, PreviewOptions.Default).Planes(0);
        Assert.Equal((32, 4, 6), (planes.Channels, planes.Height, planes.Width));
    }

    [Theory]
    [InlineData("SD15", 0.18215, 0)]
    [InlineData("SD3", 1.5305, 0.0609)]
    [InlineData("Flux", 0.3611, 0.1159)]
    [InlineData("TripoSplat", 1, 0)]
    public void The_VAEs_scale_is_brought_to_the_samplers_by_scale_and_shift(string id, double scale, double shift)
    {
        LatentFormat format = LatentFormats.Get(id);
        var shape = new LatentShape(1, format.Channels, 1, 1, 3);
        float[] values = Counting((int)shape.Length);
        ReadOnlySpan<float> staged = Staged(id, values, shape, PreviewOptions.Default, LatentSpace.Vae).Planes(0).Values;
        for (int i = 0; i < values.Length; i++)
        {
            Assert.Equal((values[i] - shift) * scale, staged[i], 1e-4);
        }
    }

    [Theory]
    [InlineData("Wan21")]
    [InlineData("Mochi")]
    [InlineData("SDXL_Playground_2_5")]
    [InlineData("Trellis2TexSLAT")]
    public void The_VAEs_scale_is_brought_to_the_samplers_by_mean_and_std(string id)
    {
        LatentFormat format = LatentFormats.Get(id);
        var shape = new LatentShape(1, format.Channels, 1, 2, 2);
        float[] values = Counting((int)shape.Length);
        ReadOnlySpan<float> staged = Staged(id, values, shape, PreviewOptions.Default, LatentSpace.Vae).Planes(0).Values;
        for (int i = 0; i < values.Length; i++)
        {
            double expected = ((double)values[i] - format.Mean![i / 4]) * format.ScaleFactor / format.Std![i / 4];
            Assert.InRange(staged[i], expected - (1e-5 * (1 + Math.Abs(expected))), expected + (1e-5 * (1 + Math.Abs(expected))));
        }
    }

    [Theory]
    [InlineData("HunyuanImage21Refiner")]
    [InlineData("Trellis2SLAT")]
    public void Values_of_a_format_whose_VAE_scale_is_not_known_are_taken_as_they_are(string id)
    {
        LatentFormat format = LatentFormats.Get(id);
        var shape = new LatentShape(1, format.Channels, 1, 1, 1);
        float[] values = [.. Enumerable.Range(0, format.Channels).Select(static i => i / 8f)];
        Assert.Equal(values, Staged(id, values, shape, PreviewOptions.Default, LatentSpace.Vae).Planes(0).Values.ToArray());
    }

    [Fact]
    public void The_wrong_number_of_channels_names_latent_and_format()
    {
        var refused = Assert.Throws<LatentBridgeException>(() => Staged("SDXL", new float[16], new LatentShape(1, 16, 1, 1, 1), PreviewOptions.Default));
        Assert.Contains("[1, 16, 1, 1] has 16 channels", refused.Message);
        Assert.Contains("SDXL has 4", refused.Message);
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(2, 2, 1)]
    [InlineData(3, 2, 2)]
    [InlineData(16, 4, 4)]
    [InlineData(17, 5, 4)]
    [InlineData(1024, 32, 32)]
    public void A_sequence_becomes_a_rectangle_read_like_text_and_filled_with_its_last_cell(int cells, int width, int height)
    {
        var shape = new LatentShape(1, 64, 1, 1, cells);
        float[] values = Counting((int)shape.Length);
        LatentPlanes planes = Staged("StableAudio1", values, shape, PreviewOptions.Default).Planes(0);
        Assert.Equal((width, height), (planes.Width, planes.Height));
        for (int channel = 0; channel < 64; channel++)
        {
            ReadOnlySpan<float> row = values.AsSpan(channel * cells, cells);
            Assert.True(planes.Plane(channel)[..cells].SequenceEqual(row));
            Assert.True(planes.Plane(channel)[cells..].IndexOfAnyExcept(row[^1]) < 0);
        }
    }

    [Fact]
    public void NaN_and_infinities_are_replaced_and_counted_where_they_are_shown()
    {
        var shape = new LatentShape(2, 4, 1, 1, 2);
        float[] values = new float[16];
        (values[0], values[3], values[9], values[10]) = (float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.NaN);
        LatentStaging first = Staged("SD15", values, shape, PreviewOptions.Default);
        Assert.Equal(2, first.NonFiniteCount);
        Assert.Equal([0, 0, 0, 65504], first.Planes(0).Values[..4].ToArray());
        Assert.Equal(4, Staged("SD15", values, shape, new PreviewOptions { Batch = BatchChoice.Grid }).NonFiniteCount);
    }

    static float[] Counting(int count) => [.. Enumerable.Range(0, count).Select(i => (float)(i % 60000))];

    static LatentStaging Staged(string id, float[] values, LatentShape shape, PreviewOptions options, LatentSpace space = LatentSpace.Sampler)
    {
        var staging = new LatentStaging(LatentFormats.Get(id));
        staging.Take(new Latent(MemoryMarshal.AsBytes(values.AsSpan()), LatentElementType.F32, shape, space), options, Kernel.Width);
        return staging;
    }
}
