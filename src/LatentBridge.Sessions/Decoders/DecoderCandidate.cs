using LatentBridge.Decoders;
using LatentBridge.Decoders.Taehv;

namespace LatentBridge.Sessions;

/// <summary>One decoder of a format within a session: loaded or not, its times, its failures.</summary>
sealed class DecoderCandidate(DecoderEntry entry, TimeProvider time)
{
    /// <summary>Multiply-adds a cell below which a decoder is a table of colours, not a network.</summary>
    const int TableCost = 1000;

    const int FramesToSkipAfterFailure = 8;
    const int MaximumDoublings = 8;

    /// <summary>Without a picture for so long, a decoder is worth another trial.</summary>
    static readonly TimeSpan UntilRetrial = TimeSpan.FromSeconds(20);

    long _lastUse;
    int _failures;
    int _framesToSkip;

    public DecoderEntry Entry => entry;

    public DecoderDescription Description => entry.Description;

    /// <summary>Where its numbers come from; once loaded, in the decoder's own words, which may say where it computes.</summary>
    public string Source => Instance?.Description.Source ?? Description.Source;

    public bool IsStateful => entry.Stateful;

    public DecodeTimes Times { get; } = new();

    /// <summary>Of a moving picture's pictures, by the number of frames that they have before them.</summary>
    public DecodeTimes[] ClipTimes { get; } = [.. Enumerable.Range(0, TaehvDecoder.FramesBefore + 1).Select(_ => new DecodeTimes())];

    /// <summary>It should be loaded and tried as soon as there is time.</summary>
    public bool IsWanted { get; set; }

    /// <summary>The shared instance; null until loaded, and always for a stateful decoder.</summary>
    public ILatentDecoder? Instance { get; private set; }

    /// <summary>True when a picture costs no wait for loading: it is loaded, or has no more than a table to load.</summary>
    public bool IsLoaded => Instance is not null || IsStateful || Description.MultiplyAddsPerCell < TableCost;

    /// <summary>Why it failed last; null when it works.</summary>
    public string? Failure { get; private set; }

    /// <summary>False for a while after a failure: twice as long after each further one, but never for ever.</summary>
    public bool IsUsable => _framesToSkip == 0;

    /// <summary>Cells of its largest picture so far, 0 before the first.</summary>
    public long ProvenCells { get; private set; }

    public ILatentDecoder Load()
    {
        IsWanted = false;
        _lastUse = time.GetTimestamp();
        return IsStateful ? entry.Load() : Instance ??= entry.Load();
    }

    public void Unload()
    {
        Instance?.Dispose();
        Instance = null;
    }

    /// <summary>Counts a frame that another decoder made.</summary>
    /// <param name="isBetter">This one would have made the better picture: from time to time it is tried again, so that a slow moment does not count for ever.</param>
    public void CountFrame(bool isBetter)
    {
        _framesToSkip = Math.Max(0, _framesToSkip - 1);
        Times.Drift();
        Array.ForEach(ClipTimes, times => times.Drift());
        if (isBetter && Instance is not null && IsUsable && time.GetElapsedTime(_lastUse) > UntilRetrial)
        {
            IsWanted = true;
        }
    }

    public void Succeeded(long cells)
    {
        ProvenCells = Math.Max(ProvenCells, cells);
        _lastUse = time.GetTimestamp();
        _failures = 0;
        Failure = null;
    }

    public void Failed(string why)
    {
        Failure = why;
        _framesToSkip = FramesToSkipAfterFailure << Math.Min(_failures++, MaximumDoublings);
    }
}
