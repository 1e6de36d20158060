using LatentBridge.Decoders;
using LatentBridge.Formats;

namespace LatentBridge.Sessions;

/// <summary>The decoders of the formats and models in use, each loaded once; what no stream uses any more is given back.</summary>
/// <remarks>The session's lock guards it. The worker alone changes the list, so it may read it without the lock.</remarks>
/// <param name="gate">The session's lock; it is not held while the catalogue is asked or a decoder is given back.</param>
/// <param name="catalogue">The decoders of a format and model; may read files.</param>
/// <param name="avoidance">Decoders to leave out.</param>
/// <param name="isInUse">True when a picture of this format and model may come; called under the lock.</param>
/// <param name="time">The clock.</param>
sealed class DecoderPool(
    object gate,
    Func<LatentFormat, string?, IReadOnlyList<DecoderEntry>> catalogue,
    Avoidance avoidance,
    Func<LatentFormat, string?, bool> isInUse,
    TimeProvider time) : IDisposable
{
    readonly List<FormatDecoders> _decoders = [];
    int _refreshes;

    public IReadOnlyList<FormatDecoders> All => _decoders;

    /// <summary>True while the folders are searched for weights: the catalogue may have more in a moment.</summary>
    public bool IsSearching { get; set; }

    /// <summary>The catalogue has others now: it is asked again. Decoders that stay keep their weights and times.</summary>
    public void Refresh()
    {
        _refreshes++;
        _decoders.ForEach(decoders => decoders.IsStale = true);
    }

    /// <summary>The decoders of a format and model; unknown formats are the same when their latents look the same. Models of one format share what is loaded.</summary>
    public FormatDecoders Of(LatentFormat format, string? model)
    {
        FormatDecoders? stale = null;
        foreach (FormatDecoders known in _decoders)
        {
            if (known.Model == model && IsSame(known.Format, format))
            {
                if (!known.IsStale)
                {
                    return known;
                }

                stale = known;
            }
        }

        int refreshes;
        lock (gate)
        {
            refreshes = _refreshes;
            stale?.IsStale = false;
        }

        return Make(format, model, stale, refreshes);
    }

    /// <summary>Each decoder once, however many models share it.</summary>
    public IEnumerable<DecoderStatus> Status() => _decoders.SelectMany(decoders => decoders.Status()).Distinct();

    public void Dispose() => _decoders.ForEach(decoders => decoders.Dispose());

    FormatDecoders Make(LatentFormat format, string? model, FormatDecoders? stale, int refreshes)
    {
        IEnumerable<DecoderCandidate> before = _decoders.Where(known => IsSame(known.Format, format)).SelectMany(known => known.Candidates);
        var found = new FormatDecoders(format, model, catalogue(format, model), avoidance, before, time);
        List<FormatDecoders> unused = [];
        lock (gate)
        {
            if (stale is not null)
            {
                _decoders.Remove(stale);
                unused.Add(stale);
            }

            unused.AddRange(_decoders.Where(known => !isInUse(known.Format, known.Model)));
            _decoders.RemoveAll(unused.Contains);
            _decoders.Add(found);

            // What changed while the catalogue was being asked is not in its answer.
            found.IsStale = refreshes != _refreshes;
        }

        unused.ForEach(decoders => decoders.DisposeExcept(_decoders));
        return found;
    }

    static bool IsSame(LatentFormat known, LatentFormat format) =>
        known == format || (known.Id == format.Id && known.Channels == format.Channels && known.Dimensions == format.Dimensions);
}
