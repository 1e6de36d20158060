using FsCheck;
using FsCheck.Fluent;
using LatentBridge.Imaging.Quality;
using LatentBridge.Simd;
using LatentBridge.Tests.Simd;

namespace LatentBridge.Tests.Imaging.Quality;

public sealed class ImageQualityTests
{
    public static TheoryData<KernelWidth> Widths => KernelTests.Widths;

    /// <summary>A pattern with noise that Python makes just so.</summary>
    static byte[] Picture(uint seed, int width, int height, uint noise)
    {
        var picture = new byte[3 * width * height];
        for (int i = 0; i < picture.Length; i++)
        {
            seed = seed * 1664525 + 1013904223;
            int p = i / 3;
            picture[i] = (byte)Math.Min(255, ((p % width * 5) + (p / width * 3) + (i % 3 * 40)) % 200 + (int)((seed >> 8) * noise / (1 << 24)));
        }

        return picture;
    }

    // Expected: scikit-image 0.19.3, structural_similarity(gaussian_weights=True, use_sample_covariance=False, channel_axis=2),
    // peak_signal_noise_ratio and deltaE_ciede2000 (mean; the ceil(0.95 n)-th smallest).
    [Theory]
    [InlineData(40, 29, 56, 0.5473012208201623, 18.00692517570086, 11.512151994723322, 21.421944990761446)]
    [InlineData(11, 11, 20, 0.8701236030306904, 26.954986592206957, 4.732041052216012, 8.424852872528216)]
    [InlineData(97, 13, 56, 0.5141064581114637, 18.007905162073385, 11.530463552183415, 21.15064999984999)]
    public void Gives_what_scikit_image_gives(int width, int height, uint noise, double ssim, double psnr, double mean, double percentile)
    {
        byte[] a = Picture(1, width, height, 0);
        byte[] b = Picture(2, width, height, noise);

        Assert.Equal(psnr, ImageQuality.Psnr(a, b), 1e-9);
        Assert.All(Kernel.Supported, kernel => Assert.Equal(ssim, StructuralSimilarity.Mean(a, b, width, height, kernel), 1e-5));
        (double actualMean, double actualPercentile) = ImageQuality.CieDe2000(a, b);
        Assert.Equal(mean, actualMean, 5e-3);
        Assert.Equal(percentile, actualPercentile, 2e-2);
    }

    /// <summary>The test pairs of Sharma, Wu and Dalal, "The CIEDE2000 Color-Difference Formula", 2005.</summary>
    static readonly double[][] SharmaPairs =
    [
        [50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425],
        [50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615],
        [50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412],
        [50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669],
        [50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461],
        [50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065],
        [50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492],
        [50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977],
        [50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030],
        [50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000],
        [60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644],
        [63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630],
        [61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731],
        [35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645],
        [22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373],
        [36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146],
        [90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441],
        [90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381],
        [6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377],
        [2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082],
    ];

    [Fact]
    public void Gives_the_published_colour_differences()
    {
        foreach (double[] pair in SharmaPairs)
        {
            Assert.Equal(pair[6], ColourDifference.CieDe2000(new(pair[0], pair[1], pair[2]), new(pair[3], pair[4], pair[5])), 5e-5);
            Assert.Equal(pair[6], ColourDifference.CieDe2000(new(pair[3], pair[4], pair[5]), new(pair[0], pair[1], pair[2])), 5e-5);
        }
    }

    [Theory]
    [InlineData(255, 255, 255, 100, 0, 0)]
    [InlineData(0, 0, 0, 0, 0, 0)]
    [InlineData(255, 0, 0, 53.24, 80.09, 67.20)]
    [InlineData(0, 255, 0, 87.73, -86.18, 83.18)]
    [InlineData(0, 0, 255, 32.30, 79.19, -107.86)]
    public void Srgb_is_brought_to_lab(byte red, byte green, byte blue, double l, double a, double b)
    {
        LabColour colour = LabColour.FromSrgb(red, green, blue);
        Assert.Equal(l, colour.L, 0.01);
        Assert.Equal(a, colour.A, 0.05);
        Assert.Equal(b, colour.B, 0.05);
    }

    [Fact]
    public void One_level_everywhere_is_the_psnr_everybody_knows() =>
        Assert.Equal(48.1308, ImageQuality.Psnr(new byte[300], [.. Enumerable.Repeat((byte)1, 300)]), 1e-4);

    [Fact]
    public void Equal_pictures_are_equal_and_every_measure_is_symmetric()
    {
        var pictures = Gen.Choose(0, 255).Select(v => (byte)v).ArrayOf(3 * 12 * 13).Two();
        Prop.ForAll(pictures.ToArbitrary(), pair =>
        {
            (byte[] a, byte[] b) = (pair.Item1, pair.Item2);
            return double.IsPositiveInfinity(ImageQuality.Psnr(a, a))
                && Math.Abs(ImageQuality.Ssim(a, a, 12, 13) - 1) < 1e-5
                && ImageQuality.CieDe2000(a, a) == (0, 0)
                && ImageQuality.Psnr(a, b) == ImageQuality.Psnr(b, a)
                && Math.Abs(ImageQuality.Ssim(a, b, 12, 13) - ImageQuality.Ssim(b, a, 12, 13)) < 1e-5
                && Math.Abs(ImageQuality.CieDe2000(a, b).Mean - ImageQuality.CieDe2000(b, a).Mean) < 1e-9;
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void A_rank_is_what_sorting_brings_there()
    {
        var numbers = Gen.OneOf(Gen.Choose(0, 1_000_000).Select(v => v / 1e4f), Gen.Constant(0f), Gen.Constant(7.25f)).NonEmptyListOf().Select(list => list.ToArray());
        Prop.ForAll(numbers.ToArbitrary(), values =>
        {
            float[] sorted = [.. values.Order()];
            return Enumerable.Range(0, values.Length).All(rank => ImageQuality.Ranked(values, rank) == sorted[rank]);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Pictures_that_cannot_be_compared_are_refused()
    {
        Assert.Throws<ArgumentException>(() => ImageQuality.Psnr(new byte[3], new byte[6]));
        Assert.Throws<ArgumentException>(() => ImageQuality.CieDe2000([], []));
        Assert.Throws<ArgumentException>(() => ImageQuality.Ssim(new byte[363], new byte[363], 11, 12));
        Assert.Contains("10 x 11", Assert.Throws<ArgumentException>(() => ImageQuality.Ssim(new byte[330], new byte[330], 10, 11)).Message, StringComparison.Ordinal);
    }
}
