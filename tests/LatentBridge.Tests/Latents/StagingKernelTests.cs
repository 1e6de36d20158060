using System.Runtime.InteropServices;
using LatentBridge.Latents;
using LatentBridge.Simd;
using LatentBridge.Tests.Simd;

namespace LatentBridge.Tests.Latents;

public sealed class StagingKernelTests
{
    const int LongestSweep = 256;

    public static TheoryData<KernelWidth> Widths => KernelTests.Widths;

    static readonly byte[] AllPatterns = MemoryMarshal.AsBytes(Enumerable.Range(0, 65536).Select(i => (ushort)i).ToArray().AsSpan()).ToArray();

    [Theory]
    [MemberData(nameof(Widths))]
    public void F16_is_converted_exactly_for_every_bit_pattern(KernelWidth width)
    {
        var values = new float[65536];
        int nonFinite = StagingKernel.Convert(AllPatterns, LatentElementType.F16, 1, 0, values, width);
        for (int i = 0; i < values.Length; i++)
        {
            Assert.Equal(Staged((double)BitConverter.UInt16BitsToHalf((ushort)i)), values[i]);
        }

        Assert.Equal(2 * 1024, nonFinite);
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void BF16_is_converted_exactly_for_every_bit_pattern(KernelWidth width)
    {
        var values = new float[65536];
        int nonFinite = StagingKernel.Convert(AllPatterns, LatentElementType.BF16, 1, 0, values, width);
        for (int i = 0; i < values.Length; i++)
        {
            Assert.Equal(Staged(BitConverter.Int32BitsToSingle(i << 16)), values[i]);
        }

        Assert.Equal(2 * 128, nonFinite);
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Every_width_equals_the_scalar_reference_at_every_length(KernelWidth width)
    {
        var random = new Random(1);
        for (int length = 0; length <= LongestSweep; length++)
        {
            foreach (LatentElementType type in Enum.GetValues<LatentElementType>())
            {
                var source = new byte[length * type.ByteLength()];
                random.NextBytes(source);
                var expected = new float[length];
                var actual = new float[length];
                int expectedCount = StagingKernel.Convert(source, type, 0.3611f, -0.042f, expected, KernelWidth.Scalar);
                Assert.Equal(expectedCount, StagingKernel.Convert(source, type, 0.3611f, -0.042f, actual, width));
                Assert.Equal(expected, actual);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Interleaving_equals_converting_each_run_and_taking_turns(KernelWidth width)
    {
        var random = new Random(2);
        for (int length = 0; length <= LongestSweep; length++)
        {
            foreach (LatentElementType type in Enum.GetValues<LatentElementType>())
            {
                var even = new byte[length * type.ByteLength()];
                var odd = new byte[length * type.ByteLength()];
                random.NextBytes(even);
                random.NextBytes(odd);
                var a = new float[length];
                var b = new float[length];
                int expectedCount = StagingKernel.Convert(even, type, 2, 1, a, KernelWidth.Scalar)
                    + StagingKernel.Convert(odd, type, 0.5f, -1, b, KernelWidth.Scalar);
                var actual = new float[2 * length];
                Assert.Equal(expectedCount, StagingKernel.Interleave(even, odd, type, (2, 1), (0.5f, -1), actual, width));
                Assert.Equal(a.Zip(b).SelectMany(pair => new[] { pair.First, pair.Second }), actual);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void NaN_becomes_zero_before_the_offset_and_the_rest_is_clamped(KernelWidth width)
    {
        float[] source = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, 1e30f, -1e30f, 2, -0.5f, 0, float.NaN];
        float[] repeated = [.. Enumerable.Repeat(source, 8).SelectMany(part => part)];
        var values = new float[repeated.Length];
        int count = StagingKernel.Convert(MemoryMarshal.AsBytes(repeated.AsSpan()), LatentElementType.F32, 2, 1, values, width);
        Assert.Equal(8 * 4, count);
        Assert.Equal([1, 65504, -65504, 65504, -65504, 5, 0, 1, 1], values[^9..]);
    }

    static float Staged(double value) => double.IsNaN(value) ? 0 : (float)Math.Clamp(value, -65504, 65504);
}
