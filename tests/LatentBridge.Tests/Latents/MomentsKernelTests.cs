using LatentBridge.Latents;
using LatentBridge.Simd;

namespace LatentBridge.Tests.Latents;

[Trait("Category", "Kernels")]
public sealed class MomentsKernelTests
{
    const double Tolerance = 1e-5;

    public static TheoryData<KernelWidth> Widths => [.. Kernel.Supported];

    [Theory]
    [MemberData(nameof(Widths))]
    public void Every_width_measures_as_plain_double_sums_do(KernelWidth width)
    {
        Random random = new(1);
        foreach (int length in (int[])[.. Enumerable.Range(1, 70), 4095, 4096, 4097, 9001])
        {
            float[] values = [.. Enumerable.Range(0, length).Select(_ => (4 * random.NextSingle()) - 1)];
            ValueMoments found = MomentsKernel.Add(ValueMoments.None, values, width);
            Assert.Equal(values.Min(), found.Minimum);
            Assert.Equal(values.Max(), found.Maximum);
            Assert.Equal(length, found.Count);
            Assert.Equal(values.Sum(value => (double)value), found.Sum, Tolerance * length);
            Assert.Equal(values.Sum(value => (double)value * value), found.SumOfSquares, Tolerance * length * 9);
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Every_width_multiplies_as_plain_double_sums_do(KernelWidth width)
    {
        Random random = new(2);
        foreach (int length in (int[])[.. Enumerable.Range(0, 70), 4096])
        {
            float[] a = [.. Enumerable.Range(0, length).Select(_ => random.NextSingle() - 0.5f)], b = [.. a.Select(value => value + random.NextSingle())];
            Assert.Equal(a.Zip(b, (x, y) => (double)x * y).Sum(), MomentsKernel.Dot(a, b, width), Tolerance * Math.Max(1, length));
        }
    }

    [Fact]
    public void Equal_values_deviate_by_exactly_nothing()
    {
        Assert.Equal(0, MomentsKernel.Add(ValueMoments.None, [.. Enumerable.Repeat(0.1f, 1000)], Kernel.Width).Deviation);
    }
}
