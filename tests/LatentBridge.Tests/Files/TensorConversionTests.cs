using System.Runtime.InteropServices;
using LatentBridge.Files;
using LatentBridge.Latents;
using LatentBridge.Simd;

namespace LatentBridge.Tests.Files;

public sealed class TensorConversionTests
{
    static readonly ushort[] AllBits = [.. Enumerable.Range(0, 1 << 16).Select(static bits => (ushort)bits)];

    public static TheoryData<KernelWidth> Widths => [.. Kernel.Supported];

    [Theory]
    [MemberData(nameof(Widths))]
    public void Every_F16_and_BF16_widens_exactly(KernelWidth width)
    {
        float[] values = new float[AllBits.Length];
        TensorConversion.Widen<F16Element>(MemoryMarshal.AsBytes<ushort>(AllBits), values, width);
        Assert.Equal(AllBits.Select(static bits => (float)BitConverter.UInt16BitsToHalf(bits)), values, Same);
        TensorConversion.Widen<BF16Element>(MemoryMarshal.AsBytes<ushort>(AllBits), values, width);
        Assert.Equal(AllBits.Select(static bits => BitConverter.UInt32BitsToSingle((uint)bits << 16)), values, Same);
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Every_length_ends_where_it_should(KernelWidth width)
    {
        byte[] elements = MemoryMarshal.AsBytes<ushort>(AllBits.AsSpan(0x3C00)).ToArray();
        for (int length = 0; length <= 256; length++)
        {
            float[] values = [.. Enumerable.Repeat(-1f, length + 1)];
            TensorConversion.Widen<F16Element>(elements.AsSpan(0, 2 * length), values.AsSpan(0, length), width);
            Assert.Equal(-1, values[length]);
            Assert.Equal(length == 0 ? -1 : (float)BitConverter.UInt16BitsToHalf((ushort)(0x3C00 + length - 1)), values[Math.Max(0, length - 1)]);
        }
    }

    [Theory]
    [InlineData(0x00, 0f)]
    [InlineData(0x01, 0.001953125f)]
    [InlineData(0x08, 0.015625f)]
    [InlineData(0x38, 1f)]
    [InlineData(0xB9, -1.125f)]
    [InlineData(0x7E, 448f)]
    [InlineData(0x7F, float.NaN)]
    public void F8_E4M3_is_as_its_definition_says(int bits, float expected) => Assert.Equal(expected, Convert(TensorElementType.F8E4M3, bits));

    [Theory]
    [InlineData(0x00, 0f)]
    [InlineData(0x01, 1.52587890625e-5f)]
    [InlineData(0x3C, 1f)]
    [InlineData(0xC1, -2.5f)]
    [InlineData(0x7B, 57344f)]
    [InlineData(0x7C, float.PositiveInfinity)]
    public void F8_E5M2_is_as_its_definition_says(int bits, float expected) => Assert.Equal(expected, Convert(TensorElementType.F8E5M2, bits));

    [Fact]
    public void Narrowing_what_was_widened_gives_the_same_bits()
    {
        float[] values = new float[AllBits.Length];
        ushort[] again = new ushort[AllBits.Length];
        TensorConversion.Widen<BF16Element>(MemoryMarshal.AsBytes<ushort>(AllBits), values, KernelWidth.Scalar);
        TensorConversion.FromSingle(values, TensorElementType.BF16, MemoryMarshal.AsBytes(again.AsSpan()));
        Assert.Equal(AllBits.Where((_, i) => !float.IsNaN(values[i])), again.Where((_, i) => !float.IsNaN(values[i])));
        TensorConversion.Widen<F16Element>(MemoryMarshal.AsBytes<ushort>(AllBits), values, KernelWidth.Scalar);
        TensorConversion.FromSingle(values, TensorElementType.F16, MemoryMarshal.AsBytes(again.AsSpan()));
        Assert.Equal(AllBits.Where((_, i) => !float.IsNaN(values[i])), again.Where((_, i) => !float.IsNaN(values[i])));
    }

    // A NaN's payload is nobody's business; the sign of zero is.
    static bool Same(float a, float b) => (float.IsNaN(a) && float.IsNaN(b)) || BitConverter.SingleToUInt32Bits(a) == BitConverter.SingleToUInt32Bits(b);

    static float Convert(TensorElementType type, int bits)
    {
        Span<float> value = [0];
        TensorConversion.ToSingle([(byte)bits], type, value);
        return value[0];
    }
}
