using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Weights;

namespace LatentBridge.Sessions;

/// <summary>
/// Searches a library's folders on a thread of its own. The program's own weights are few and come first; until they are there, the built-in decoders
/// are all there is.
/// </summary>
/// <param name="weights">Every folder.</param>
/// <param name="shipped">The program's own folder; null where it has none.</param>
/// <remarks>The thread has normal priority. At the worker's, a busy sampler would starve it, and a run would lose the decoder that its user chose.</remarks>
sealed class WeightSearch(WeightLibrary weights, string? shipped)
{
    WeightLibrary _known = LatentDecoders.Weights([]);

    /// <summary>The decoders of a format with what is known so far.</summary>
    public IReadOnlyList<DecoderEntry> Catalogue(LatentFormat format) => LatentDecoders.For(format, Volatile.Read(ref _known));

    /// <summary>Begins to search.</summary>
    /// <param name="changed">Called on the thread of the search when the catalogue has more.</param>
    /// <param name="done">Called there at the end, with what went wrong or null.</param>
    public void Start(Action changed, Action<string?> done)
    {
        var thread = new Thread(() => done(Search(changed))) { IsBackground = true, Name = "LatentBridge weight search" };
        thread.Start();
    }

    string? Search(Action changed)
    {
        try
        {
            if (shipped is not null && weights.Folders.Contains(shipped))
            {
                Publish(LatentDecoders.Weights([shipped]), changed);
            }

            Publish(weights, changed);
            return null;
        }
#pragma warning disable CA1031 // A folder that cannot be searched costs its decoders, not the host.
        catch (Exception e)
#pragma warning restore CA1031
        {
            return Problem.Describe(e);
        }
    }

    void Publish(WeightLibrary library, Action changed)
    {
        _ = library.Found;
        Volatile.Write(ref _known, library);
        changed();
    }
}
