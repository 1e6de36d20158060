using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Onnx.Model;
using Microsoft.ML.OnnxRuntime;

namespace LatentBridge.Onnx.Runtime;

/// <summary>ONNX Runtime's library, loaded on first use.</summary>
public static class OnnxLibrary
{
    static readonly Lazy<(string Version, string[] Providers, string? Failure)> Loaded = new(Load);

    /// <summary>Why its library does not load, and what helps; null where it does.</summary>
    public static string? Missing => Loaded.Value.Failure is { } failure
        ? $"ONNX Runtime's library does not load ({failure}). It belongs next to the program: unpack the release again, or build again"
        : null;

    /// <summary>The library's version and its execution providers, as <c>1.31.1 (CUDA, CPU)</c>.</summary>
    public static string Description => $"{Loaded.Value.Version} ({string.Join(", ", Providers.Select(Short))})";

    /// <summary>Its execution providers, as it calls them.</summary>
    internal static IReadOnlyList<string> Providers => Loaded.Value.Providers;

    /// <summary>The library's own part of a decode, to measure the rest against: the last decode's latent once more. Null for other decoders.</summary>
    internal static Action? BareRun(ILatentDecoder decoder) => decoder is OnnxDecoder onnx ? onnx.RunAgain : null;

    internal static ILatentDecoder Load(OnnxModel model, LatentFormat format, DecoderDescription description) => new OnnxDecoder(model, format, description);

    static (string, string[], string?) Load()
    {
        try
        {
            OrtEnv environment = Environment();
            return (environment.GetVersionString(), environment.GetAvailableProviders(), null);
        }
        catch (Exception failure) when (failure is TypeInitializationException or DllNotFoundException or EntryPointNotFoundException or BadImageFormatException or OnnxRuntimeException)
        {
            return ("", [], (failure.InnerException ?? failure).Message.Split('\n')[0].Split(". ")[0].TrimEnd('.'));
        }
    }

    /// <summary>The process's environment, of which the library allows one: ours, or the one that a program made before for its own models.</summary>
    static OrtEnv Environment()
    {
        try
        {
            // Warnings go to stderr, where a UI shows them: only what fails is said, and that by our own messages.
            EnvironmentCreationOptions options = new() { logId = "LatentBridge", logLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
            return OrtEnv.CreateInstanceWithOptions(ref options);
        }
        catch (OnnxRuntimeException) when (OrtEnv.IsCreated)
        {
            return OrtEnv.Instance();
        }
    }

    static string Short(string provider) => provider.Replace("ExecutionProvider", "", StringComparison.Ordinal);
}
