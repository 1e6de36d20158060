namespace LatentBridge.Ipc;

/// <summary>The constants of <c>docs/protocol.md</c>.</summary>
public static class Protocol
{
    /// <summary>The version this code speaks.</summary>
    public const int Version = 2;

    /// <summary>The oldest version this code still speaks.</summary>
    public const int MinimumVersion = 2;

    /// <summary>The versions this code speaks, as people read them: <c>protocol 2</c>, <c>protocol 2 to 3</c>.</summary>
    public static string Spoken { get; } = Range(MinimumVersion, Version);

    /// <summary>Bytes of the header page.</summary>
    public const int HeaderLength = 4096;

    /// <summary>Bytes of a slot's header; the payload follows.</summary>
    public const int SlotHeaderLength = 128;

    /// <summary>Every slot stride is a multiple of this many bytes.</summary>
    public const int SlotAlignment = 4096;

    /// <summary>Latent slots, and image slots, a mapping may have at most.</summary>
    public const int MaximumSlotCount = 64;

    /// <summary>Cells on an axis, and pixels on a side, at most.</summary>
    public const int MaximumAxis = 1 << 20;

    /// <summary>Run ids and sequence numbers stay below this (2^53), so that every JSON reader keeps them exact.</summary>
    public const ulong NumberLimit = 1UL << 53;

    /// <summary>Bytes a control line may have at most, its line feed not counted.</summary>
    public const int MaximumLineLength = 1 << 20;

    /// <summary>A range of versions as people read it.</summary>
    public static string Range(long oldest, long newest) => oldest == newest ? $"protocol {newest}" : $"protocol {oldest} to {newest}";
}
