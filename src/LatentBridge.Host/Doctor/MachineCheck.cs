using System.Globalization;
using System.Runtime.InteropServices;
using LatentBridge.Simd;

namespace LatentBridge.Host.Doctor;

/// <summary>The program itself and the machine it runs on.</summary>
static class MachineCheck
{
    // A TAESD decode of a 1024x1024 picture takes at most this much, the mapping of a large video latent included.
    const double EnoughMegabytes = 512;

    internal static IEnumerable<Finding> Run()
    {
        string version = typeof(MachineCheck).Assembly.GetName().Version!.ToString(3);
        yield return new("program", FindingState.Good, $"latentbridge {version}, {Environment.ProcessPath}");
        yield return new("runtime", FindingState.Good, $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSDescription.Trim()}, {RuntimeInformation.RuntimeIdentifier}");
        yield return Kernels();
        yield return Environment.ProcessorCount > 1
            ? new("cores", FindingState.Good, Text($"{Environment.ProcessorCount}"))
            : new("cores", FindingState.Note, "1", "Sampler and previews share one core. Choose a cheap decoder (latent2rgb) if the sampler runs on the CPU.");
        yield return Memory();
    }

    static Finding Kernels()
    {
        string supported = string.Join(", ", Kernel.Supported.Select(width => width.ToString().ToLowerInvariant()));
        string forced = Environment.GetEnvironmentVariable("LATENTBRIDGE_FORCE_KERNEL") is { Length: > 0 } value ? $"; LATENTBRIDGE_FORCE_KERNEL={value}" : "";
        return Kernel.Width switch
        {
            KernelWidth.Scalar => new("kernels", FindingState.Note, $"{Kernel.Name} (this machine has: {supported}{forced})", "Without vector instructions every decoder is many times slower."),
            _ => new("kernels", FindingState.Good, $"{Kernel.Name} (this machine has: {supported}{forced})"),
        };
    }

    // The shared mapping is anonymous memory on Linux (memfd: /dev/shm and its limit play no part) and lives in the page file on Windows.
    static Finding Memory()
    {
        GCMemoryInfo memory = GC.GetGCMemoryInfo();
        double total = memory.TotalAvailableMemoryBytes / 1e6;
        double free = AvailableMegabytes() ?? total - (memory.MemoryLoadBytes / 1e6);
        string found = Text($"{free:N0} MB free of {total:N0} MB");
        return free >= EnoughMegabytes
            ? new("memory", FindingState.Good, found)
            : new("memory", FindingState.Note, found, Text($"Close other programs, or choose the decoder tiny or latent2rgb: a TAESD decode at 1024x1024 needs up to {EnoughMegabytes:N0} MB, including the shared mapping."));
    }

    static double? AvailableMegabytes()
    {
        try
        {
            string? line = OperatingSystem.IsLinux() ? File.ReadLines("/proc/meminfo").FirstOrDefault(l => l.StartsWith("MemAvailable:", StringComparison.Ordinal)) : null;
            return line is null ? null : double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024 / 1e6;
        }
        catch (Exception failure) when (failure is IOException or FormatException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
