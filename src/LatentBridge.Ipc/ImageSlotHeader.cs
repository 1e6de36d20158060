using System.Runtime.InteropServices;

namespace LatentBridge.Ipc;

/// <summary>Header of an image slot, written by the host. Little-endian.</summary>
/// <remarks>WARNING: the size and every offset are protocol. See <c>docs/protocol.md</c>, section 1.</remarks>
[StructLayout(LayoutKind.Explicit, Size = Protocol.SlotHeaderLength)]
public struct ImageSlotHeader
{
    /// <summary>"IMAG".</summary>
    public const uint ExpectedMagic = 0x4741_4D49;

    /// <summary>Offset 0: <see cref="ExpectedMagic"/>.</summary>
    [FieldOffset(0)] public uint Magic;

    /// <summary>Offset 4: the header page's generation.</summary>
    [FieldOffset(4)] public uint Generation;

    /// <summary>Offset 8: sequence of the latent it was made from.</summary>
    [FieldOffset(8)] public ulong Sequence;

    /// <summary>Offset 16: the run.</summary>
    [FieldOffset(16)] public ulong Run;

    /// <summary>Offset 24: the stream.</summary>
    [FieldOffset(24)] public uint Stream;

    /// <summary>Offset 28: the sampler step, 0-based.</summary>
    [FieldOffset(28)] public int Step;

    /// <summary>Offset 32: how many steps the run has, 0 when unknown.</summary>
    [FieldOffset(32)] public int TotalSteps;

    /// <summary>Offset 36: those of the latent, and <see cref="FrameMarks.NotFinite"/>.</summary>
    [FieldOffset(36)] public FrameMarks Flags;

    /// <summary>Offset 40: 0 rgb24, 1 png, 2 jpeg, 3 webp.</summary>
    [FieldOffset(40)] public uint Encoding;

    /// <summary>Offset 44: width in pixels.</summary>
    [FieldOffset(44)] public uint Width;

    /// <summary>Offset 48: height in pixels.</summary>
    [FieldOffset(48)] public uint Height;

    /// <summary>Offset 56: bytes of the payload.</summary>
    [FieldOffset(56)] public ulong PayloadLength;

    /// <summary>Checks every field against the slot it lies in. Do so on a copy: the shared one may change.</summary>
    /// <param name="generation">The mapping's generation.</param>
    /// <param name="capacity">Bytes of payload an image slot holds.</param>
    /// <returns>Null when all is well; else what was found and what was expected.</returns>
    public readonly string? Validate(uint generation, long capacity)
    {
        if (Magic != ExpectedMagic)
        {
            return $"the slot begins with 0x{Magic:X8}, expected 0x{ExpectedMagic:X8} (\"IMAG\")";
        }

        if (Generation != generation)
        {
            return $"generation {Generation}, expected {generation}";
        }

        if (Encoding > 3)
        {
            return $"encoding {Encoding}, expected 0 (rgb24), 1 (png), 2 (jpeg) or 3 (webp)";
        }

        if (Width is < 1 or > Protocol.MaximumAxis || Height is < 1 or > Protocol.MaximumAxis)
        {
            return $"a picture of {Width} x {Height}, expected sides of 1 to {Protocol.MaximumAxis}";
        }

        if (PayloadLength == 0 || PayloadLength > (ulong)capacity || PayloadLength > int.MaxValue)
        {
            return $"payload length {PayloadLength}, expected 1 to {capacity}";
        }

        return Encoding == 0 && PayloadLength != 3UL * Width * Height
            ? $"payload length {PayloadLength}, {Width} x {Height} pixels of rgb24 need {3UL * Width * Height}"
            : null;
    }
}
