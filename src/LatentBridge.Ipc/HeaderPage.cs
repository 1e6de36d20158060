using System.Runtime.InteropServices;

namespace LatentBridge.Ipc;

/// <summary>The first 72 bytes of the header page; the rest of its 4096 is zero. Little-endian.</summary>
/// <remarks>WARNING: the size and every offset are protocol. See <c>docs/protocol.md</c>, section 1.</remarks>
[StructLayout(LayoutKind.Explicit, Size = ByteLength)]
public struct HeaderPage
{
    /// <summary>Bytes that carry fields.</summary>
    public const int ByteLength = 72;

    /// <summary>"LBRIDGE" and a zero, read as a little-endian number.</summary>
    public const ulong ExpectedMagic = 0x0045_4744_4952_424C;

    /// <summary>Offset 0: <see cref="ExpectedMagic"/>.</summary>
    [FieldOffset(0)] public ulong Magic;

    /// <summary>Offset 8: protocol version.</summary>
    [FieldOffset(8)] public uint Version;

    /// <summary>Offset 12: bytes of this page, 4096.</summary>
    [FieldOffset(12)] public uint HeaderLength;

    /// <summary>Offset 16: bytes of the whole mapping.</summary>
    [FieldOffset(16)] public ulong TotalLength;

    /// <summary>Offset 24: number of latent slots, 1 to 64.</summary>
    [FieldOffset(24)] public uint LatentSlotCount;

    /// <summary>Offset 28: number of image slots, 1 to 64.</summary>
    [FieldOffset(28)] public uint ImageSlotCount;

    /// <summary>Offset 32: where the latent slots begin, 4096.</summary>
    [FieldOffset(32)] public ulong LatentSlotsOffset;

    /// <summary>Offset 40: bytes from one latent slot to the next, a multiple of 4096.</summary>
    [FieldOffset(40)] public ulong LatentSlotStride;

    /// <summary>Offset 48: where the image slots begin, directly behind the latent slots.</summary>
    [FieldOffset(48)] public ulong ImageSlotsOffset;

    /// <summary>Offset 56: bytes from one image slot to the next, a multiple of 4096.</summary>
    [FieldOffset(56)] public ulong ImageSlotStride;

    /// <summary>Offset 64: the owner's (the shim's) process id.</summary>
    [FieldOffset(64)] public uint OwnerProcess;

    /// <summary>Offset 68: 1 for the first attach, one more for each further one.</summary>
    [FieldOffset(68)] public uint Generation;

    /// <summary>A valid page for these slots.</summary>
    /// <param name="latentSlotCount">1 to 64.</param>
    /// <param name="latentCapacity">Bytes of payload a latent slot must hold.</param>
    /// <param name="imageSlotCount">1 to 64.</param>
    /// <param name="imageCapacity">Bytes of payload an image slot must hold.</param>
    /// <param name="ownerProcess">The shim's process id.</param>
    /// <param name="generation">From 1.</param>
    public static HeaderPage Create(int latentSlotCount, long latentCapacity, int imageSlotCount, long imageCapacity, int ownerProcess, uint generation)
    {
        ulong latentStride = Stride(latentCapacity);
        ulong imageStride = Stride(imageCapacity);
        ulong imageOffset = Protocol.HeaderLength + ((ulong)latentSlotCount * latentStride);
        return new HeaderPage
        {
            Magic = ExpectedMagic,
            Version = Protocol.Version,
            HeaderLength = Protocol.HeaderLength,
            TotalLength = imageOffset + ((ulong)imageSlotCount * imageStride),
            LatentSlotCount = (uint)latentSlotCount,
            ImageSlotCount = (uint)imageSlotCount,
            LatentSlotsOffset = Protocol.HeaderLength,
            LatentSlotStride = latentStride,
            ImageSlotsOffset = imageOffset,
            ImageSlotStride = imageStride,
            OwnerProcess = (uint)ownerProcess,
            Generation = generation,
        };
    }

    /// <summary>Checks every field.</summary>
    /// <returns>Null when all is well; else what was found and what was expected.</returns>
    public readonly string? Validate()
    {
        if (Magic != ExpectedMagic)
        {
            return $"the header page begins with 0x{Magic:X16}, expected 0x{ExpectedMagic:X16} (\"LBRIDGE\")";
        }

        if (Version is < Protocol.MinimumVersion or > Protocol.Version)
        {
            return $"the header page has protocol version {Version}, this host speaks {Protocol.Spoken}; install shim and host from one release";
        }

        if (HeaderLength != Protocol.HeaderLength || LatentSlotsOffset != Protocol.HeaderLength)
        {
            return $"header length {HeaderLength} and latent slots offset {LatentSlotsOffset}, expected {Protocol.HeaderLength} for both";
        }

        if (LatentSlotCount is < 1 or > Protocol.MaximumSlotCount || ImageSlotCount is < 1 or > Protocol.MaximumSlotCount)
        {
            return $"{LatentSlotCount} latent and {ImageSlotCount} image slots, expected 1 to {Protocol.MaximumSlotCount} of each";
        }

        if (!IsStride(LatentSlotStride) || !IsStride(ImageSlotStride))
        {
            return $"slot strides {LatentSlotStride} and {ImageSlotStride}, expected multiples of {Protocol.SlotAlignment} from {Protocol.SlotAlignment} to {MaximumStride}";
        }

        // Neither product can overflow: 64 slots of at most 2^40 bytes.
        ulong imageOffset = Protocol.HeaderLength + (LatentSlotCount * LatentSlotStride);
        if (ImageSlotsOffset != imageOffset)
        {
            return $"image slots offset {ImageSlotsOffset}, expected {imageOffset}";
        }

        ulong total = imageOffset + (ImageSlotCount * ImageSlotStride);
        if (TotalLength != total)
        {
            return $"total length {TotalLength}, expected {total}";
        }

        return Generation == 0 ? "generation 0, expected 1 or more" : null;
    }

    const ulong MaximumStride = 1UL << 40;

    static bool IsStride(ulong stride) => stride is > 0 and <= MaximumStride && stride % Protocol.SlotAlignment == 0;

    static ulong Stride(long capacity) =>
        ((ulong)capacity + Protocol.SlotHeaderLength + Protocol.SlotAlignment - 1) / Protocol.SlotAlignment * Protocol.SlotAlignment;
}
