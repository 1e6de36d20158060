using LatentBridge.Decoders;
using LatentBridge.Formats;

namespace LatentBridge.Sessions;

/// <summary>The decoders of one format in this session, best first.</summary>
sealed class FormatDecoders : IDisposable
{
    public FormatDecoders(LatentFormat format, IReadOnlyList<DecoderEntry> entries, FormatDecoders? before = null)
    {
        if (entries.Count == 0)
        {
            throw new LatentBridgeException($"There is no decoder for latents of format {format.Id}.");
        }

        Format = format;
        Candidates = [.. entries.OrderByDescending(e => e.Description.Quality)
            .Select(e => before?.Candidates.FirstOrDefault(known => known.Description == e.Description) ?? new DecoderCandidate(e))];
    }

    public LatentFormat Format { get; }

    public DecoderCandidate[] Candidates { get; }

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

    /// <summary>Gives back what the successor does not use.</summary>
    public void DisposeExcept(FormatDecoders successor)
    {
        foreach (DecoderCandidate candidate in Candidates)
        {
            if (!successor.Candidates.Contains(candidate))
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
