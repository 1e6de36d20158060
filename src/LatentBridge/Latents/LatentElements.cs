using System.Runtime.CompilerServices;
using LatentBridge.Simd;

namespace LatentBridge.Latents;

/// <summary>How elements of one type are read as floats.</summary>
interface ILatentElement
{
    /// <summary>Bytes of one.</summary>
    static abstract int ByteLength { get; }

    /// <summary>Reads so many as the vector has lanes.</summary>
    static abstract TVector Load<TLanes, TVector>(ref readonly byte source)
        where TLanes : struct, IPixelLanes<TVector>
        where TVector : struct;
}

/// <summary><see cref="LatentElementType.F32"/></summary>
readonly struct F32Element : ILatentElement
{
    public static int ByteLength => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TLanes, TVector>(ref readonly byte source)
        where TLanes : struct, IPixelLanes<TVector>
        where TVector : struct => TLanes.Load(ref Unsafe.As<byte, float>(ref Unsafe.AsRef(in source)));
}

/// <summary><see cref="LatentElementType.F16"/></summary>
readonly struct F16Element : ILatentElement
{
    public static int ByteLength => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TLanes, TVector>(ref readonly byte source)
        where TLanes : struct, IPixelLanes<TVector>
        where TVector : struct => TLanes.LoadF16(ref Unsafe.As<byte, ushort>(ref Unsafe.AsRef(in source)));
}

/// <summary><see cref="LatentElementType.BF16"/></summary>
readonly struct BF16Element : ILatentElement
{
    public static int ByteLength => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TLanes, TVector>(ref readonly byte source)
        where TLanes : struct, IPixelLanes<TVector>
        where TVector : struct => TLanes.LoadBF16(ref Unsafe.As<byte, ushort>(ref Unsafe.AsRef(in source)));
}
