using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Weights;

namespace LatentBridge.Sessions;

/// <summary>Searches a library's folders in the background. Each folder's decoders are there as soon as it has been searched.</summary>
/// <remarks>The threads have normal priority. At the worker's, a busy sampler would starve them, and a run would lose the decoder that its user chose.</remarks>
sealed class WeightSearch(WeightLibrary weights)
{
    /// <summary>The decoders of a format with what is known so far.</summary>
    public IReadOnlyList<DecoderEntry> Catalogue(LatentFormat format) => LatentDecoders.For(format, weights.FoundSoFar);

    /// <summary>Begins to search.</summary>
    /// <param name="changed">Called on a thread of the search when there are further decoders.</param>
    /// <param name="done">Called when no folder is waited for any more, with the folders that could not be searched in time and why.</param>
    public void Start(Action changed, Action<IReadOnlyList<FoundWeights>> done)
    {
        var thread = new Thread(() =>
        {
            weights.Start(changed);
            done([.. weights.Found.Where(found => weights.Folders.Contains(found.Path))]);
        })
        { IsBackground = true, Name = "LatentBridge weight search" };
        thread.Start();
    }
}
