using LatentBridge.Decoders;
using LatentBridge.Formats;

namespace LatentBridge.Host.Commands;

/// <summary>Finds the decoder that <c>--decoder</c> names.</summary>
static class DecoderChoice
{
    /// <summary>The entry of that id, or the best for <c>auto</c>.</summary>
    /// <param name="entries">The format's decoders, best first.</param>
    /// <param name="id">What the user asked for.</param>
    /// <param name="format">For the message.</param>
    /// <exception cref="InputException">There is none of that id; the message names those there are.</exception>
    internal static DecoderEntry Choose(this IReadOnlyList<DecoderEntry> entries, string id, LatentFormat format)
    {
        try
        {
            return LatentDecoders.Choose(entries, format, id);
        }
        catch (LatentBridgeException failure)
        {
            throw new InputException(failure.Message);
        }
    }
}
