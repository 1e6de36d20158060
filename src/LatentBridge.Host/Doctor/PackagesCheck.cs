using System.Diagnostics;
using System.Reflection;
using LatentBridge.ImageSharp;
using LatentBridge.Onnx.Runtime;

namespace LatentBridge.Host.Doctor;

/// <summary>The optional packages of the program: which are built in, from where, which version.</summary>
static class PackagesCheck
{
    const string HowToBuildIn = "CONTRIBUTING.md, Optional packages, says how to build it in.";

    internal static IEnumerable<Finding> Run()
    {
        yield return OnnxLibrary.IsBuiltIn
            ? OnnxLibrary.Missing is { } missing
                ? new("ONNX Runtime", FindingState.Bad, missing, "Unpack the release anew, or build the clone anew: its native library belongs beside the program.")
                : new("ONNX Runtime", FindingState.Good, $"{OnnxLibrary.Description}, {LibraryPath("onnxruntime")}")
            : new("ONNX Runtime", FindingState.Absent, $"not built in: no ONNX models as decoders. {HowToBuildIn}");
        yield return ImageSharpEncoders.Version is { } version
            ? new("ImageSharp", FindingState.Good, $"{version}, {Path.GetDirectoryName(Environment.ProcessPath)}")
            : new("ImageSharp", FindingState.Absent, $"not built in: no JPEG, WebP and GIF by the program itself; UIs make JPEG and WebP with their own Pillow. {HowToBuildIn}");
        yield return Package("pythonnet in the program", "Python.Runtime", "no Python inside the program; `compare` starts one beside it");
    }

    static Finding Package(string subject, string assembly, string without)
    {
        try
        {
            AssemblyName found = Assembly.Load(assembly).GetName();
            return new(subject, FindingState.Good, $"{found.Version?.ToString(3)}, {Path.GetDirectoryName(Environment.ProcessPath)}");
        }
        catch (Exception failure) when (failure is FileNotFoundException or FileLoadException or BadImageFormatException)
        {
            return new(subject, FindingState.Absent, $"not built in: {without}. {HowToBuildIn}");
        }
    }

    // Where the system really took a native library from.
    static string LibraryPath(string name)
    {
        using Process self = Process.GetCurrentProcess();
        return self.Modules.Cast<ProcessModule>().FirstOrDefault(module => module.ModuleName.Contains(name, StringComparison.OrdinalIgnoreCase) && !module.ModuleName.StartsWith("Microsoft", StringComparison.Ordinal))?.FileName
            ?? "in the program";
    }
}
