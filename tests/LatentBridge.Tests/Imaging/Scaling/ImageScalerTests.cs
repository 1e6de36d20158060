using FsCheck;
using FsCheck.Fluent;
using LatentBridge.Imaging.Scaling;
using LatentBridge.Simd;
using LatentBridge.Testing;
using LatentBridge.Tests.Simd;

namespace LatentBridge.Tests.Imaging.Scaling;

public sealed class ImageScalerTests
{
    /// <summary>The formula in double and the F32 kernels may round to neighbouring bytes.</summary>
    const int ByteTolerance = 1;

    public static TheoryData<KernelWidth> Widths => KernelTests.Widths;

    static Gen<(int Width, int Height, int NewWidth, int NewHeight)> Sizes =>
        from width in Gen.Choose(1, 70)
        from height in Gen.Choose(1, 70)
        from newWidth in Gen.Choose(1, 140)
        from newHeight in Gen.Choose(1, 140)
        select (width, height, newWidth, newHeight);

    [Fact]
    public void A_constant_picture_stays_constant_at_any_size()
    {
        Prop.ForAll(Sizes.ToArbitrary(), Gen.Choose(0, 255).ToArbitrary(), (size, level) =>
        {
            foreach (ImageScaling scaling in Enum.GetValues<ImageScaling>())
            {
                byte[] source = Enumerable.Repeat((byte)level, 3 * size.Width * size.Height).ToArray();
                byte[] scaled = Scaled(source, size.Width, size.Height, size.NewWidth, size.NewHeight, scaling, Kernel.Width);
                if (scaled.AsSpan().IndexOfAnyExcept((byte)level) >= 0)
                {
                    return false;
                }
            }

            return true;
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Every_width_gives_the_formulas_bytes(KernelWidth width)
    {
        Prop.ForAll(Sizes.ToArbitrary(), size =>
        {
            byte[] source = RandomPicture(size.Width, size.Height);
            byte[] actual = Scaled(source, size.Width, size.Height, size.NewWidth, size.NewHeight, ImageScaling.Smooth, width);
            byte[] expected = Reference(source, size.Width, size.Height, size.NewWidth, size.NewHeight);
            return actual.Zip(expected).All(pair => Math.Abs(pair.First - pair.Second) <= ByteTolerance);
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData(64, 48, 32, 24)]
    [InlineData(60, 60, 7, 11)]
    [InlineData(100, 30, 33, 30)]
    public void Shrinking_preserves_the_mean(int width, int height, int newWidth, int newHeight)
    {
        byte[] source = RandomPicture(width, height);
        byte[] scaled = Scaled(source, width, height, newWidth, newHeight, ImageScaling.Smooth, Kernel.Width);
        Assert.Equal(source.Average(level => level), scaled.Average(level => level), 0.3);
    }

    [Fact]
    public void Halving_averages_four_pixels_and_rounds_half_up()
    {
        byte[] source = [0, 10, 255, 1, 10, 255, 1, 10, 255, 0, 10, 255];
        Assert.Equal([1, 10, 255], Scaled(source, 2, 2, 1, 1, ImageScaling.Smooth, Kernel.Width));
    }

    [Fact]
    public void Enlarging_keeps_a_ramp_a_ramp()
    {
        byte[] source = [.. Enumerable.Range(0, 16).SelectMany(x => new[] { (byte)(x * 16), (byte)(x * 16), (byte)(x * 16) })];
        byte[] scaled = Scaled(source, 16, 1, 64, 4, ImageScaling.Smooth, Kernel.Width);
        for (int x = 8; x < 56; x++)
        {
            Assert.InRange(scaled[3 * x], (((x + 0.5) / 4) - 0.5) * 16 - 1, ((((x + 0.5) / 4) - 0.5) * 16) + 1);
        }
    }

    [Fact]
    public void Nearest_takes_the_pixel_under_the_new_pixels_centre()
    {
        Prop.ForAll(Sizes.ToArbitrary(), size =>
        {
            byte[] source = RandomPicture(size.Width, size.Height);
            byte[] scaled = Scaled(source, size.Width, size.Height, size.NewWidth, size.NewHeight, ImageScaling.Nearest, Kernel.Width);
            for (int y = 0; y < size.NewHeight; y++)
            {
                for (int x = 0; x < size.NewWidth; x++)
                {
                    int fromX = (int)((x + 0.5) * size.Width / size.NewWidth);
                    int fromY = (int)((y + 0.5) * size.Height / size.NewHeight);
                    if (scaled[3 * ((y * size.NewWidth) + x)] != source[3 * ((fromY * size.Width) + fromX)])
                    {
                        return false;
                    }
                }
            }

            return true;
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void One_scaler_serves_all_sizes_in_turn_and_allocates_nothing_for_one_it_had()
    {
        var scaler = new ImageScaler();
        byte[] source = RandomPicture(64, 48);
        var large = new byte[3 * 256 * 192];
        var small = new byte[3 * 20 * 15];
        void Both()
        {
            scaler.Scale(source, 64, 48, large, 256, 192, ImageScaling.Nearest);
            scaler.Scale(source, 64, 48, small, 20, 15, ImageScaling.Nearest);
            scaler.Scale(source, 64, 48, large, 256, 192, ImageScaling.Smooth);
            scaler.Scale(source, 64, 48, small, 20, 15, ImageScaling.Smooth);
        }

        Both();
        byte[] before = [.. large, .. small];
        Assert.Equal(0, Allocated.By(Both));
        Assert.Equal(before, (byte[])[.. large, .. small]);
    }

    [Fact]
    public void Lengths_that_are_not_those_of_the_sizes_are_refused()
    {
        var scaler = new ImageScaler();
        Assert.Throws<ArgumentException>(() => scaler.Scale(new byte[11], 2, 2, new byte[3], 1, 1, ImageScaling.Smooth));
        Assert.Throws<ArgumentException>(() => scaler.Scale(new byte[12], 2, 2, new byte[4], 1, 1, ImageScaling.Smooth));
        Assert.Throws<ArgumentOutOfRangeException>(() => scaler.Scale([], 0, 2, new byte[3], 1, 1, ImageScaling.Smooth));
    }

    static byte[] Scaled(byte[] source, int width, int height, int newWidth, int newHeight, ImageScaling scaling, KernelWidth kernel)
    {
        var scaled = new byte[3 * newWidth * newHeight];
        new ImageScaler(kernel).Scale(source, width, height, scaled, newWidth, newHeight, scaling);
        return scaled;
    }

    static byte[] RandomPicture(int width, int height)
    {
        var picture = new byte[3 * width * height];
        new Random((width * 1000) + height).NextBytes(picture);
        return picture;
    }

    // Pixel by pixel from the definition: the overlap of areas, or the piecewise cubic of the distance.
    static byte[] Reference(byte[] source, int width, int height, int newWidth, int newHeight)
    {
        double[,] across = Matrix(width, newWidth);
        double[,] down = Matrix(height, newHeight);
        var rows = new double[height * newWidth * 3];
        for (int y = 0; y < height; y++)
        {
            for (int i = 0; i < newWidth * 3; i++)
            {
                for (int x = 0; x < width; x++)
                {
                    rows[(y * newWidth * 3) + i] += across[i / 3, x] * source[(3 * ((y * width) + x)) + (i % 3)];
                }
            }
        }

        var result = new byte[3 * newWidth * newHeight];
        for (int i = 0; i < result.Length; i++)
        {
            double level = 0.5;
            for (int y = 0; y < height; y++)
            {
                level += down[i / (3 * newWidth), y] * rows[(y * newWidth * 3) + (i % (3 * newWidth))];
            }

            result[i] = (byte)Math.Clamp(level, 0, 255);
        }

        return result;
    }

    static double[,] Matrix(int from, int to)
    {
        var matrix = new double[to, from];
        double ratio = (double)from / to;
        for (int i = 0; i < to; i++)
        {
            if (from == to)
            {
                matrix[i, i] = 1;
            }
            else if (to < from)
            {
                for (int j = 0; j < from; j++)
                {
                    matrix[i, j] = Math.Max(0, Math.Min((i + 1) * ratio, j + 1) - Math.Max(i * ratio, j)) / ratio;
                }
            }
            else
            {
                double centre = ((i + 0.5) * ratio) - 0.5;
                for (int j = (int)Math.Floor(centre) - 1; j <= (int)Math.Floor(centre) + 2; j++)
                {
                    matrix[i, Math.Clamp(j, 0, from - 1)] += Cubic(Math.Abs(centre - j));
                }
            }
        }

        return matrix;
    }

    // Keys' kernel with a = -1/2.
    static double Cubic(double d) => d switch
    {
        < 1 => (1.5 * d * d * d) - (2.5 * d * d) + 1,
        < 2 => (-0.5 * d * d * d) + (2.5 * d * d) - (4 * d) + 2,
        _ => 0,
    };
}
