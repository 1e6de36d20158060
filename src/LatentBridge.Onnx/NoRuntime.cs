using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Onnx.Model;

namespace LatentBridge.Onnx.Runtime;

/// <summary>ONNX Runtime where the program was built without it: <c>Runtime/OnnxLibrary.cs</c> is the one with it.</summary>
public static class OnnxLibrary
{
    /// <summary>Whether the program was built with ONNX Runtime.</summary>
    public static bool IsBuiltIn => false;

    /// <summary>Why there is no ONNX Runtime, and what helps; null where there is one.</summary>
    public static string? Missing =>
        "this program was built without ONNX Runtime (CONTRIBUTING.md, Optional packages, says how to build it in)";

    /// <summary>The library's version and its execution providers.</summary>
    public static string Description => "not built in";

    internal static Action? BareRun(ILatentDecoder decoder) => null;

    internal static ILatentDecoder Load(OnnxModel model, LatentFormat format, DecoderDescription description) =>
        throw new LatentBridgeException($"'{model.Path}' for {format.Id} as {description.Id}: {Missing}.");
}
