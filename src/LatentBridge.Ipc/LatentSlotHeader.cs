using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace LatentBridge.Ipc;

/// <summary>Header of a latent slot, written by the shim. Little-endian.</summary>
/// <remarks>WARNING: the size and every offset are protocol. See <c>docs/protocol.md</c>, section 1.</remarks>
[StructLayout(LayoutKind.Explicit, Size = Protocol.SlotHeaderLength)]
public struct LatentSlotHeader
{
    /// <summary>"LTNT".</summary>
    public const uint ExpectedMagic = 0x544E_544C;

    /// <summary>Axes a latent may have at most.</summary>
    public const int MaximumAxisCount = 5;

    /// <summary>Offset 0: <see cref="ExpectedMagic"/>.</summary>
    [FieldOffset(0)] public uint Magic;

    /// <summary>Offset 4: the header page's generation.</summary>
    [FieldOffset(4)] public uint Generation;

    /// <summary>Offset 8: counts the shim's submits, from 1.</summary>
    [FieldOffset(8)] public ulong Sequence;

    /// <summary>Offset 16: the run.</summary>
    [FieldOffset(16)] public ulong Run;

    /// <summary>Offset 24: the stream.</summary>
    [FieldOffset(24)] public uint Stream;

    /// <summary>Offset 28: the sampler step, 0-based.</summary>
    [FieldOffset(28)] public int Step;

    /// <summary>Offset 32: how many steps the run has, 0 when unknown.</summary>
    [FieldOffset(32)] public int TotalSteps;

    /// <summary>Offset 36: last step, first frame.</summary>
    [FieldOffset(36)] public FrameMarks Flags;

    /// <summary>Offset 40: 0 F32, 1 F16, 2 BF16.</summary>
    [FieldOffset(40)] public uint ElementType;

    /// <summary>Offset 44: number of axes, 2 to 5.</summary>
    [FieldOffset(44)] public uint AxisCount;

    /// <summary>Offset 48: the axes, outermost first; unused ones 0.</summary>
    [FieldOffset(48)] public AxisArray Axes;

    /// <summary>Offset 88: bytes of the payload.</summary>
    [FieldOffset(88)] public ulong PayloadLength;

    /// <summary>Five axes in place.</summary>
    [InlineArray(MaximumAxisCount)]
    public struct AxisArray
    {
        long _first;
    }

    /// <summary>Bytes of an element of this header's type: 4 for F32, 2 for F16 and BF16.</summary>
    public readonly int ElementByteLength => ElementType == 0 ? 4 : 2;

    /// <summary>Checks every field against the slot it lies in. Do so on a copy: the shared one may change.</summary>
    /// <param name="generation">The mapping's generation.</param>
    /// <param name="capacity">Bytes of payload a latent slot holds.</param>
    /// <returns>Null when all is well (nothing is allocated); else what was found and what was expected.</returns>
    public readonly string? Validate(uint generation, long capacity)
    {
        if (Magic != ExpectedMagic)
        {
            return $"the slot begins with 0x{Magic:X8}, expected 0x{ExpectedMagic:X8} (\"LTNT\")";
        }

        if (Generation != generation)
        {
            return $"generation {Generation}, expected {generation}";
        }

        if (Sequence is 0 or >= Protocol.NumberLimit || Run >= Protocol.NumberLimit)
        {
            return $"sequence {Sequence} and run {Run}, expected below 2^53 and a sequence of at least 1";
        }

        if (Step < 0 || TotalSteps < 0)
        {
            return $"step {Step} of {TotalSteps}, expected 0 or more";
        }

        if (ElementType > 2)
        {
            return $"element type {ElementType}, expected 0 (F32), 1 (F16) or 2 (BF16)";
        }

        if (AxisCount is < 2 or > MaximumAxisCount)
        {
            return $"{AxisCount} axes, expected 2 to {MaximumAxisCount}";
        }

        ReadOnlySpan<long> axes = Axes;
        long length = ElementByteLength;
        for (int i = 0; i < axes.Length; i++)
        {
            if (i >= AxisCount ? axes[i] != 0 : axes[i] is < 1 or > Protocol.MaximumAxis)
            {
                return $"axis {i} is {axes[i]}, expected {(i >= AxisCount ? "0 (unused)" : $"1 to {Protocol.MaximumAxis}")}";
            }

            // At most 2^31 x 2^20 before the check: no overflow.
            length = i < AxisCount ? length * axes[i] : length;
            if (length > int.MaxValue)
            {
                return $"more than {int.MaxValue} bytes of elements";
            }
        }

        if (PayloadLength != (ulong)length)
        {
            return $"payload length {PayloadLength}, its axes and element type need {length}";
        }

        return length > capacity ? $"payload length {length}, the slot holds {capacity}" : null;
    }
}
