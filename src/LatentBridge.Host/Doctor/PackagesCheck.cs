using System.Diagnostics;
using LatentBridge.EmbeddedPython;
using LatentBridge.ImageSharp;
using LatentBridge.Onnx.Runtime;

namespace LatentBridge.Host.Doctor;

/// <summary>The libraries that the adapters bring: their versions and where they lie.</summary>
static class PackagesCheck
{
    internal static IEnumerable<Finding> Run()
    {
        yield return OnnxLibrary.Missing is { } missing
            ? new("ONNX Runtime", FindingState.Bad, missing, "Unpack the release again, or build the clone again: its native library belongs next to the program.")
            : new("ONNX Runtime", FindingState.Good, $"{OnnxLibrary.Description}, {LibraryPath("onnxruntime")}");
        yield return new("ImageSharp", FindingState.Good, ImageSharpEncoders.Version);
        yield return HostedPython.Missing is { } reason
            ? new("Python in the program", FindingState.Absent, $"{reason}; `compare` starts one beside it")
            : new("Python in the program", FindingState.Good, $"pythonnet {HostedPython.Version}");
    }

    // Where the system really took a native library from.
    static string LibraryPath(string name)
    {
        using Process self = Process.GetCurrentProcess();
        return self.Modules.Cast<ProcessModule>().FirstOrDefault(module => module.ModuleName.Contains(name, StringComparison.OrdinalIgnoreCase) && !module.ModuleName.StartsWith("Microsoft", StringComparison.Ordinal))?.FileName
            ?? "in the program";
    }
}
