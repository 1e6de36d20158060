using LatentBridge.Decoders;
using LatentBridge.Formats;

namespace LatentBridge.Weights;

/// <summary>A kind of model file that another assembly can read and decode with; <see cref="WeightLibrary.Add"/> makes it known.</summary>
/// <param name="Ending">The files' ending, with its dot: <c>.onnx</c>.</param>
/// <param name="Recognise">What a file of that ending holds, or why it is of no use; does not throw for a bad file.</param>
/// <param name="Decoder">The decoder of a file of use, for one of the formats it serves.</param>
public sealed record ModelKind(string Ending, Func<string, FoundWeights> Recognise, Func<FoundWeights, LatentFormat, DecoderEntry> Decoder);
