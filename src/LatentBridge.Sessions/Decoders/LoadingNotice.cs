using LatentBridge.Decoders;

namespace LatentBridge.Sessions;

/// <summary>Names a decoder before something is done with it that it never did, or that nobody here answers for: should the host end meanwhile, the shim knows which it was.</summary>
/// <remarks>The notice is written out before the work begins.</remarks>
/// <param name="gate">The session's lock.</param>
/// <param name="sink">Where notices go.</param>
/// <param name="isStopping">True when nothing is announced any more; called under the lock.</param>
sealed class LoadingNotice(object gate, IPreviewSink sink, Func<bool> isStopping)
{
    /// <summary>Multiply-adds a cell below which a decoder without a file is a table of colours: it cannot end the host.</summary>
    const int TableCost = 1000;

    /// <summary>The decoder is about to be loaded, or to make a larger picture than ever; one of a foreign library, any picture.</summary>
    public void Begin(DecoderEntry entry)
    {
        lock (gate)
        {
            if (IsNamed(entry))
            {
                sink.Loading(entry.Description.Id, entry.File);
            }
        }
    }

    /// <summary>It is done, well or not: the host lives.</summary>
    public void End(DecoderEntry entry)
    {
        lock (gate)
        {
            if (IsNamed(entry))
            {
                sink.Loaded(entry.Description.Id, entry.File);
            }
        }
    }

    bool IsNamed(DecoderEntry entry) => !isStopping() && (entry.File is not null || entry.Description.MultiplyAddsPerCell >= TableCost);
}
