using System.Numerics;
using LatentBridge.Ipc;
using LatentBridge.Previews;

namespace LatentBridge.Sessions;

/// <summary>The shared memory, and who owns each of its slots.</summary>
/// <remarks>The session's lock guards it, except for the memory itself: the worker reads and writes the slots of its job without the lock.</remarks>
sealed class SlotTable(IPreviewSink sink, TimeProvider time)
{
    SharedMapping? _mapping;
    ulong _heldLatentSlots;
    ulong _freeImageSlots;

    public bool IsAttached => _mapping is not null;

    /// <summary>Generation of the mapping, 0 when none is attached.</summary>
    public uint Generation => _mapping?.Generation ?? 0;

    public bool HasFreeImageSlot => _freeImageSlots != 0;

    /// <summary>More than one is free: a picture that can wait leaves one to those that cannot.</summary>
    public bool HasSpareImageSlot => (_freeImageSlots & (_freeImageSlots - 1)) != 0;

    /// <summary>Bytes of payload that an image slot holds.</summary>
    public long ImageCapacity => Math.Min(int.MaxValue, _mapping!.ImageCapacity);

    /// <summary>Uses this mapping from now on. Nobody may use a slot of the one before.</summary>
    public void Attach(SharedMapping mapping)
    {
        _mapping?.Dispose();
        _mapping = mapping;
        _heldLatentSlots = 0;
        _freeImageSlots = ulong.MaxValue >> (64 - mapping.ImageSlotCount);
    }

    /// <summary>Unmaps. Nobody may use a slot.</summary>
    public void Detach()
    {
        _mapping?.Dispose();
        _mapping = null;
        _freeImageSlots = 0;
    }

    /// <summary>Takes a latent slot that was handed over, with a copy of its header.</summary>
    /// <returns>Null when it is the session's now; else what to answer.</returns>
    public DroppedLatent? Take(int slot, ulong sequence, out SubmittedLatent latent)
    {
        latent = default;
        if (_mapping is null)
        {
            return new(sequence, 0, 0, 0, DropReason.BadSlot, "no mapping is attached");
        }

        if ((uint)slot >= (uint)_mapping.LatentSlotCount)
        {
            return new(sequence, 0, 0, 0, DropReason.BadSlot, $"latent slot {slot} does not exist, there are {_mapping.LatentSlotCount}");
        }

        if ((_heldLatentSlots & (1UL << slot)) != 0)
        {
            return new(sequence, 0, 0, 0, DropReason.BadSlot, $"latent slot {slot} is the host's already");
        }

        LatentSlotHeader header = _mapping.ReadLatentHeader(slot);
        string? problem = header.Validate(_mapping.Generation, _mapping.LatentCapacity);
        problem ??= header.Sequence != sequence ? $"sequence {header.Sequence} in the slot, the message said {sequence}" : null;
        latent = new SubmittedLatent(slot, header, time.GetTimestamp());
        if (problem is not null)
        {
            sink.Released(slot, sequence);
            return new(sequence, header.Run < Protocol.NumberLimit ? header.Run : 0, header.Stream, header.Step, DropReason.BadSlot, problem);
        }

        _heldLatentSlots |= 1UL << slot;
        return null;
    }

    /// <summary>The values of a latent that was taken and not given back.</summary>
    public ReadOnlySpan<byte> Values(scoped in SubmittedLatent latent) => _mapping!.LatentPayload(latent.Slot, latent.Header);

    /// <summary>The latent's slot is the shim's again.</summary>
    public void GiveBack(in SubmittedLatent latent)
    {
        _heldLatentSlots &= ~(1UL << latent.Slot);
        sink.Released(latent.Slot, latent.Header.Sequence);
    }

    public bool HasImageSlot(int slot) => _mapping is not null && (uint)slot < (uint)_mapping.ImageSlotCount;

    /// <summary>Takes the first free image slot; there must be one.</summary>
    public int TakeImageSlot()
    {
        int slot = BitOperations.TrailingZeroCount(_freeImageSlots);
        _freeImageSlots &= ~(1UL << slot);
        return slot;
    }

    /// <summary>The image slot is free again.</summary>
    public void FreeImageSlot(int slot) => _freeImageSlots |= 1UL << slot;

    /// <summary>Where the picture of an image slot is written.</summary>
    public Span<byte> Picture(int slot) => _mapping!.ImagePayload(slot);

    /// <summary>Writes an image slot's header; the picture lies there already.</summary>
    /// <param name="slot">The image slot.</param>
    /// <param name="latent">What the picture was made of.</param>
    /// <param name="picture">What lies in the slot.</param>
    public void WriteHeader(int slot, in LatentSlotHeader latent, in PreviewResult picture) => _mapping!.WriteImageHeader(slot, new()
    {
        Magic = ImageSlotHeader.ExpectedMagic,
        Generation = latent.Generation,
        Sequence = latent.Sequence,
        Run = latent.Run,
        Stream = latent.Stream,
        Step = latent.Step,
        TotalSteps = latent.TotalSteps,
        Flags = (latent.Flags & (FrameMarks.LastStep | FrameMarks.FirstFrame)) | (picture.NonFiniteCount > 0 ? FrameMarks.NotFinite : FrameMarks.None),
        Encoding = (uint)picture.Encoding,
        Width = (uint)picture.Width,
        Height = (uint)picture.Height,
        PayloadLength = (ulong)picture.ByteLength,
    });
}
