using LatentBridge.Decoders;
using LatentBridge.Fitting;
using LatentBridge.Formats;
using LatentBridge.Ipc;
using LatentBridge.Latents;

namespace LatentBridge.Sessions;

/// <summary>Takes latents with their finished pictures, has a model's own colours learned from them, and answers.</summary>
/// <param name="gate">The session's lock; results are announced under it.</param>
/// <param name="calibrator">Learns.</param>
/// <param name="catalogue">The decoders to rank what was learned among; may read files.</param>
/// <param name="sink">Where answers go.</param>
/// <param name="isStopping">True when nothing is announced any more; called under the lock.</param>
sealed class Lessons(
    object gate, Calibrator calibrator, Func<LatentFormat, IReadOnlyList<DecoderEntry>> catalogue, IPreviewSink sink, Func<bool> isStopping)
{
    /// <summary>Learns as soon as there is time. Called without the lock.</summary>
    /// <param name="request">What to learn for.</param>
    /// <param name="header">Of the slot that the pair lay in.</param>
    /// <param name="values">The pair.</param>
    public void Take(TeachRequest request, in LatentSlotHeader header, byte[] values)
    {
        long[] axes = ((ReadOnlySpan<long>)header.Axes)[..(int)header.AxisCount].ToArray();
        var type = (LatentElementType)header.ElementType;
        LatentFormat format = request.Format ?? Guess(axes);
        Calibrator.Lesson lesson = new(
            format, request.Model, () => CalibrationPair.Read(values, type, axes, format), (map, problem) => Answer(request, format, map, problem));
        if (!calibrator.Learn(lesson))
        {
            Answer(request, format, null, "too many pictures wait to be learned from; this one is left out");
        }
    }

    /// <summary>The pair's channels are the latent's and the picture's.</summary>
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
        bool isUsed = map is not null && map.Rank(catalogue(format).Select(entry => entry.Description)) is not null;
        lock (gate)
        {
            if (isStopping())
            {
                return;
            }

            if (map is not null)
            {
                sink.Taught(request, map, isUsed);
            }
            else
            {
                sink.TeachFailed(request, problem ?? "the cells do not determine a map yet");
            }
        }
    }
}
