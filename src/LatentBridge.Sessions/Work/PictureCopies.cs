using LatentBridge.Ipc;
using LatentBridge.Previews;

namespace LatentBridge.Sessions;

/// <summary>Encodes a stream's newest picture once more. Nothing is decoded, so that whoever shows it elsewhere takes little of the previews' time.</summary>
/// <remarks>The session's lock guards what waits. A copy leaves the last free image slot to the pictures themselves.</remarks>
sealed class PictureCopies(object gate, SlotTable slots, StreamTable streams, IPreviewSink sink, Func<bool> isStopping) : IDuty
{
    const int MaximumWaiting = 64;

    readonly Queue<EncodeRequest> _waiting = new();
    EncodeRequest? _request;
    PreviewStream? _stream;

    /// <summary>A copy is being made.</summary>
    public bool IsBusy => _request is not null;

    /// <summary>Where it is put; -1 when none is made.</summary>
    public int ImageSlot { get; private set; } = -1;

    /// <summary>Takes a request; false when too many wait.</summary>
    public bool TryAdd(EncodeRequest request)
    {
        if (_waiting.Count >= MaximumWaiting)
        {
            return false;
        }

        _waiting.Enqueue(request);
        return true;
    }

    public bool TryTake()
    {
        if (!slots.HasSpareImageSlot || !_waiting.TryDequeue(out _request))
        {
            return false;
        }

        _stream = streams.All.FirstOrDefault(stream => stream.Id == _request.Stream);
        ImageSlot = slots.TakeImageSlot();
        return true;
    }

    public void Do()
    {
        PreviewResult? copy = null;
        string? problem = null;
        try
        {
            copy = _stream?.Context.Renderer?.EncodeAgain(_request!.Options, slots.Picture(ImageSlot));
        }
#pragma warning disable CA1031 // Whatever fails costs this copy, never the host.
        catch (Exception e)
#pragma warning restore CA1031
        {
            problem = Problem.Describe(e);
        }

        lock (gate)
        {
            Answer(copy, problem);
        }
    }

    void Answer(PreviewResult? copy, string? problem)
    {
        (EncodeRequest request, PreviewStream? stream, int slot) = (_request!, _stream, ImageSlot);
        (_request, _stream, ImageSlot) = (null, null, -1);
        Monitor.PulseAll(gate);
        if (copy is { Fits: true } picture && stream?.Picture is { } shown)
        {
            LatentSlotHeader header = shown.Header with { Generation = slots.Generation };
            slots.WriteHeader(slot, header, picture);
            sink.Encoded(request, new(slot, header.Sequence, header.Run, header.Stream, header.Step, header.TotalSteps, picture, shown.Decoder, 0));
            return;
        }

        slots.FreeImageSlot(slot);
        if (!isStopping())
        {
            sink.EncodeFailed(request, copy is { Fits: false } large
                ? new(0, 0, request.Stream, 0, DropReason.ImageSlotTooSmall, $"the picture takes {large.ByteLength} bytes, an image slot holds {slots.ImageCapacity}", large.ByteLength)
                : new(0, 0, request.Stream, 0, DropReason.Failed, problem ?? $"stream {request.Stream} has no picture yet"));
        }
    }
}
