using LatentBridge.Decoders;

namespace LatentBridge.Sessions;

/// <summary>Names a decoder before something is done with it that it never did: should the host end meanwhile, the shim knows which it was.</summary>
/// <remarks>The notice is written out before the work begins.</remarks>
sealed class LoadingNotice(object gate, IPreviewSink sink)
{
    /// <summary>Multiply-adds a cell below which a decoder without a file is a table of colours: it cannot end the host.</summary>
    const int TableCost = 1000;

    /// <summary>The decoder is about to be loaded, or to make a larger picture than ever.</summary>
    public void Begin(DecoderEntry entry)
    {
        if (IsNamed(entry))
        {
            lock (gate)
            {
                sink.Loading(entry.Description.Id, entry.File);
            }
        }
    }

    /// <summary>It is done, well or not: the host lives.</summary>
    public void End(DecoderEntry entry)
    {
        if (IsNamed(entry))
        {
            lock (gate)
            {
                sink.Loaded(entry.Description.Id, entry.File);
            }
        }
    }

    static bool IsNamed(DecoderEntry entry) => entry.File is not null || entry.Description.MultiplyAddsPerCell >= TableCost;
}
