namespace LatentBridge.Weights;

/// <summary>A kind of model file that another assembly reads, such as ONNX. <see cref="NetworkCatalogue"/> holds them.</summary>
/// <param name="Ending">The files' ending, with its dot: <c>.onnx</c>.</param>
/// <param name="Recognise">Says what a file of that ending holds, or why it is of no use; does not throw for a bad file.</param>
sealed record ModelKind(string Ending, Func<string, FoundWeights> Recognise);
