using LatentBridge.Fitting;
using LatentBridge.Formats;
using LatentBridge.Ipc;
using LatentBridge.Latents;

namespace LatentBridge.Sessions;

/// <content>Learning a model's own colours from its finished pictures.</content>
public sealed partial class PreviewSession
{
    readonly Calibrator _calibrator;

    /// <summary>Learns from a latent and its picture. Answered by one <c>Taught</c> or <c>TeachFailed</c>; the slot is given back at once.</summary>
    public void Teach(TeachRequest request)
    {
        byte[] bytes;
        LatentSlotHeader header;
        lock (_gate)
        {
            if (TakeSlot(request.Slot, request.Sequence, out SubmittedLatent latent) is { } problem)
            {
                _sink.TeachFailed(request, problem.Detail ?? problem.Reason.Name());
                return;
            }

            header = latent.Header;
            bytes = _mapping!.LatentPayload(latent.Slot, header).ToArray();
            Release(latent);
        }

        long[] axes = ((ReadOnlySpan<long>)header.Axes)[..(int)header.AxisCount].ToArray();
        LatentFormat format = request.Format ?? Guess(axes);
        Calibrator.Lesson lesson = new(
            format, request.Model,
            () => CalibrationPair.Read(bytes, (LatentElementType)header.ElementType, axes, format),
            (map, problem) => Answer(request, format, map, problem));
        if (!_calibrator.Learn(lesson))
        {
            Answer(request, format, null, "too many pictures wait to be learned from; this one is left out");
        }
    }

    static LatentFormat Guess(long[] axes)
    {
        long[] own = [.. axes];
        if (own.Length == 4)
        {
            own[1] = Math.Max(1, own[1] - CalibrationPair.PictureChannels);
        }

        return LatentFormats.Guess(own).Format;
    }

    void Answer(TeachRequest request, LatentFormat format, CalibratedMap? map, string? problem)
    {
        // The catalogue may read files: not under the lock.
        bool isUsed = map is not null && map.Rank(_catalogue(format).Select(entry => entry.Description)) is not null;
        lock (_gate)
        {
            if (_isStopping)
            {
                return;
            }

            if (map is not null)
            {
                _sink.Taught(request, map, isUsed);
            }
            else
            {
                _sink.TeachFailed(request, problem ?? "the cells do not determine a map yet");
            }
        }
    }
}
