using LatentBridge.Decoders;
using LatentBridge.Formats;

namespace LatentBridge.Sessions;

/// <summary>The decoders of one format in this session, best first; where a model's own colours were learned, those among them.</summary>
sealed class FormatDecoders : IDisposable
{
    readonly IReadOnlyList<DecoderEntry> _leftOut;

    public FormatDecoders(LatentFormat format, string? model, IReadOnlyList<DecoderEntry> entries, Avoidance avoidance, IEnumerable<DecoderCandidate> before, TimeProvider time)
    {
        if (entries.Count == 0)
        {
            throw new LatentBridgeException($"There is no decoder for latents of format {format.Id}.");
        }

        Format = format;
        Model = model;
        DecoderCandidate[] known = [.. before];
        _leftOut = avoidance.LeftOut(entries);
        Warning = _leftOut.Count == 0 ? null : $"{string.Join(", ", _leftOut.Select(e => e.Description.Id))} {Avoidance.Reason}";
        Candidates = [.. avoidance.Kept(entries).OrderByDescending(e => e.Description.Quality)
            .Select(e => Array.Find(known, candidate => candidate.Description == e.Description) ?? new DecoderCandidate(e, time))];
    }

    public LatentFormat Format { get; }

    /// <summary>What the model is called; null for one without a name.</summary>
    public string? Model { get; }

    public DecoderCandidate[] Candidates { get; }

    /// <summary>What to say with each picture: which decoders are left out; null when none is.</summary>
    public string? Warning { get; }

    /// <summary>The catalogue should be asked again.</summary>
    public bool IsStale { get; set; }

    /// <summary>True when a decoder should be loaded as soon as there is time.</summary>
    public bool WantsLoading
    {
        get
        {
            foreach (DecoderCandidate candidate in Candidates)
            {
                if (candidate.IsWanted)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>The cheapest that is wanted; it is not wanted any more.</summary>
    public DecoderCandidate TakeWanted()
    {
        DecoderCandidate wanted = Candidates.Where(c => c.IsWanted).MinBy(c => c.Description.MultiplyAddsPerCell)!;
        wanted.IsWanted = false;
        return wanted;
    }

    /// <summary>Wants the decoder that is quickly there, whatever else is chosen.</summary>
    public void WantCheapest()
    {
        DecoderCandidate cheapest = Candidates.MinBy(c => c.Description.MultiplyAddsPerCell)!;
        cheapest.IsWanted = !cheapest.Times.IsMeasured;
    }

    /// <summary>Counts a picture: failures are forgiven and unused decoders' times drift with time.</summary>
    public void CountFrame(DecoderCandidate chosen)
    {
        bool isBetter = true;
        foreach (DecoderCandidate candidate in Candidates)
        {
            if (candidate == chosen)
            {
                isBetter = false;
            }
            else
            {
                candidate.CountFrame(isBetter);
            }
        }
    }

    public IEnumerable<DecoderStatus> Status() =>
    [
        .. Candidates.Select(candidate => new DecoderStatus(
            candidate.Description.Id, Format.Id, candidate.Source, candidate.IsLoaded, candidate.Times.LastMilliseconds, candidate.Failure)),
        .. _leftOut.Select(entry => new DecoderStatus(entry.Description.Id, Format.Id, entry.Description.Source, Loaded: false, null, Avoidance.Reason)),
    ];

    /// <summary>Gives back what none of the others uses.</summary>
    public void DisposeExcept(IReadOnlyList<FormatDecoders> others)
    {
        foreach (DecoderCandidate candidate in Candidates)
        {
            if (others.All(other => !other.Candidates.Contains(candidate)))
            {
                candidate.Unload();
            }
        }
    }

    public void Dispose()
    {
        foreach (DecoderCandidate candidate in Candidates)
        {
            candidate.Unload();
        }
    }
}
