using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Weights;

namespace LatentBridge.Sessions;

/// <summary>Searches a library's folders on a thread of its own; until it is done there are the built-in decoders only.</summary>
sealed class WeightSearch(WeightLibrary weights)
{
    WeightLibrary _known = LatentDecoders.Weights([]);

    /// <summary>The decoders of a format with what is known so far.</summary>
    public IReadOnlyList<DecoderEntry> Catalogue(LatentFormat format) => LatentDecoders.For(format, Volatile.Read(ref _known));

    /// <summary>Begins to search.</summary>
    /// <param name="done">Called on the thread of the search at its end, with what went wrong or null.</param>
    public void Start(Action<string?> done)
    {
        var thread = new Thread(() => done(Search())) { IsBackground = true, Name = "LatentBridge weight search" };
        thread.Start();
    }

    string? Search()
    {
        BackgroundPriority.Apply();
        try
        {
            _ = weights.Found;
            Volatile.Write(ref _known, weights);
            return null;
        }
#pragma warning disable CA1031 // A folder that cannot be searched costs its decoders, not the host.
        catch (Exception e)
#pragma warning restore CA1031
        {
            return Problem.Describe(e);
        }
    }
}
