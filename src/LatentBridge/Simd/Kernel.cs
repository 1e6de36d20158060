using System.Runtime.Intrinsics;

namespace LatentBridge.Simd;

/// <summary>Which vectors this process computes with.</summary>
/// <remarks>
/// The widest that the processor supports, unless <c>LATENTBRIDGE_FORCE_KERNEL</c> (<c>scalar</c>, <c>vector128</c>,
/// <c>vector256</c>, <c>vector512</c>) names a narrower one; it is read once. A value that is unknown or that the processor
/// lacks is ignored. Every kernel also takes the width as a parameter, so that tests sweep them all.
/// </remarks>
public static class Kernel
{
    /// <summary>The environment variable that chooses the width.</summary>
    public const string Variable = "LATENTBRIDGE_FORCE_KERNEL";

    /// <summary>The widths this processor supports, narrowest first; <see cref="KernelWidth.Scalar"/> is always one of them.</summary>
    public static IReadOnlyList<KernelWidth> Supported { get; } = FindSupported();

    /// <summary>The width in use.</summary>
    public static KernelWidth Width { get; } = Choose(Environment.GetEnvironmentVariable(Variable), Supported);

    /// <summary>The width in use as status and <c>doctor</c> name it: <c>scalar</c>, <c>vector128</c>, <c>vector256</c> or <c>vector512</c>.</summary>
    public static string Name => NameOf(Width);

    internal static KernelWidth Choose(string? forced, IReadOnlyList<KernelWidth> supported)
    {
        foreach (KernelWidth width in supported)
        {
            if (string.Equals(NameOf(width), forced?.Trim(), StringComparison.OrdinalIgnoreCase))
            {
                return width;
            }
        }

        return supported[^1];
    }

    static string NameOf(KernelWidth width) => width switch
    {
        KernelWidth.Vector512 => "vector512",
        KernelWidth.Vector256 => "vector256",
        KernelWidth.Vector128 => "vector128",
        _ => "scalar",
    };

    static KernelWidth[] FindSupported()
    {
        List<KernelWidth> widths = [KernelWidth.Scalar];
        if (Vector128.IsHardwareAccelerated)
        {
            widths.Add(KernelWidth.Vector128);
        }

        if (Vector256.IsHardwareAccelerated)
        {
            widths.Add(KernelWidth.Vector256);
        }

        if (Vector512.IsHardwareAccelerated)
        {
            widths.Add(KernelWidth.Vector512);
        }

        return [.. widths];
    }
}
