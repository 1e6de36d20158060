using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using LatentBridge.Latents;
using LatentBridge.Simd;

namespace LatentBridge.Files;

/// <summary>Stored elements to F32 and back: exact where the other can hold the value, else rounded to nearest, ties to even.</summary>
static class TensorConversion
{
    /// <summary>Converts little-endian elements, one value each.</summary>
    public static void ToSingle(ReadOnlySpan<byte> elements, TensorElementType type, Span<float> values)
    {
        switch (type)
        {
            case TensorElementType.F32: elements.CopyTo(MemoryMarshal.AsBytes(values)); break;
            case TensorElementType.F64: Convert<double>(elements, values, static v => (float)v); break;
            case TensorElementType.F16: Widen<F16Element>(elements, values, Kernel.Width); break;
            case TensorElementType.BF16: Widen<BF16Element>(elements, values, Kernel.Width); break;
            case TensorElementType.F8E4M3: Convert<byte>(elements, values, FromE4M3); break;
            case TensorElementType.F8E5M2: Convert<byte>(elements, values, static v => (float)BitConverter.UInt16BitsToHalf((ushort)(v << 8))); break;
            case TensorElementType.I64: Convert<long>(elements, values, static v => v); break;
            case TensorElementType.I32: Convert<int>(elements, values, static v => v); break;
            case TensorElementType.I16: Convert<short>(elements, values, static v => v); break;
            case TensorElementType.I8: Convert<sbyte>(elements, values, static v => v); break;
            case TensorElementType.U64: Convert<ulong>(elements, values, static v => v); break;
            case TensorElementType.U32: Convert<uint>(elements, values, static v => v); break;
            case TensorElementType.U16: Convert<ushort>(elements, values, static v => v); break;
            case TensorElementType.U8: Convert<byte>(elements, values, static v => v); break;
            case TensorElementType.Bool: Convert<byte>(elements, values, static v => v == 0 ? 0 : 1); break;
            default: throw new ArgumentOutOfRangeException(nameof(type), type, "No such element type.");
        }
    }

    /// <summary>Converts values to little-endian F32, F16 or BF16 elements.</summary>
    public static void FromSingle(ReadOnlySpan<float> values, TensorElementType type, Span<byte> elements)
    {
        switch (type)
        {
            case TensorElementType.F32:
                MemoryMarshal.AsBytes(values).CopyTo(elements);
                break;
            case TensorElementType.F16:
                Span<Half> halves = MemoryMarshal.Cast<byte, Half>(elements);
                for (int i = 0; i < values.Length; i++)
                {
                    halves[i] = (Half)values[i];
                }

                break;
            case TensorElementType.BF16:
                Span<ushort> upper = MemoryMarshal.Cast<byte, ushort>(elements);
                for (int i = 0; i < values.Length; i++)
                {
                    upper[i] = ToBFloat16(values[i]);
                }

                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, "Values are written as F32, F16 or BF16.");
        }
    }

    // Adding half of what is cut off, less one when the last kept bit is 0, carries exactly when it must; a NaN stays one.
    static ushort ToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)(float.IsNaN(value) ? bits >> 16 | 0x40 : bits + 0x7FFF + (bits >> 16 & 1) >> 16);
    }

    static void Convert<T>(ReadOnlySpan<byte> elements, Span<float> values, Func<T, float> convert)
        where T : struct
    {
        ReadOnlySpan<T> typed = MemoryMarshal.Cast<byte, T>(elements);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = convert(typed[i]);
        }
    }

    /// <summary>The narrow floats that networks and latents are stored in, exactly, with vectors: a network is a million of them.</summary>
    public static void Widen<TElement>(ReadOnlySpan<byte> elements, Span<float> values, KernelWidth width)
        where TElement : struct, ILatentElement
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(elements.Length, values.Length * TElement.ByteLength);
        int done = width switch
        {
            KernelWidth.Vector512 => Widen<Lanes512, Vector512<float>, TElement>(elements, values, 0),
            KernelWidth.Vector256 => Widen<Lanes256, Vector256<float>, TElement>(elements, values, 0),
            KernelWidth.Vector128 => Widen<Lanes128, Vector128<float>, TElement>(elements, values, 0),
            _ => 0,
        };
        Widen<LanesScalar, float, TElement>(elements, values, done);
    }

    /// <summary>Converts whole vectors from <paramref name="at"/> on; returns where it stopped.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static int Widen<TLanes, TVector, TElement>(ReadOnlySpan<byte> elements, Span<float> values, int at)
        where TLanes : struct, IPixelLanes<TVector>
        where TVector : struct
        where TElement : struct, ILatentElement
    {
        ref byte from = ref MemoryMarshal.GetReference(elements);
        ref float to = ref MemoryMarshal.GetReference(values);
        for (; at <= values.Length - TLanes.Count; at += TLanes.Count)
        {
            TLanes.Store(TElement.Load<TLanes, TVector>(ref Unsafe.Add(ref from, at * TElement.ByteLength)), ref Unsafe.Add(ref to, at));
        }

        return at;
    }

    // sign 1, exponent 4 (bias 7), fraction 3; all ones is NaN, exponent 0 is subnormal: fraction * 2^-9
    static float FromE4M3(byte value)
    {
        int exponent = (value >> 3) & 15, fraction = value & 7;
        float magnitude = (value & 0x7F) == 0x7F ? float.NaN
            : exponent == 0 ? fraction * (1f / 512)
            : (8 + fraction) * MathF.ScaleB(1, exponent - 10);
        return value >= 0x80 ? -magnitude : magnitude;
    }
}
