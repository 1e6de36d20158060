using Microsoft.ML.OnnxRuntime;

namespace LatentBridge.Onnx.Runtime;

/// <summary>An execution provider: where ONNX Runtime computes.</summary>
/// <param name="Name">What people type and status names.</param>
/// <param name="RuntimeName">What the library calls it in its list of those built in.</param>
/// <param name="Append">Asks for it; throws where it cannot be loaded.</param>
sealed record OnnxProvider(string Name, string RuntimeName, Action<SessionOptions> Append)
{
    /// <summary>True when the processor's threads hardly matter.</summary>
    public bool IsElsewhere => this == Cuda || this == DirectMl;

    /// <summary>Names the environment variable with the providers to try, first come first, separated by commas.</summary>
    public const string Variable = "LATENTBRIDGE_ONNX_PROVIDERS";

    public static readonly OnnxProvider Cuda = new("CUDA", "CUDAExecutionProvider", options => options.AppendExecutionProvider_CUDA(0));

    public static readonly OnnxProvider DirectMl = new("DirectML", "DmlExecutionProvider", options =>
    {
        // What DirectML asks for: no memory pattern, one operation after the other.
        options.EnableMemoryPattern = false;
        options.ExecutionMode = ExecutionMode.ORT_SEQUENTIAL;
        options.AppendExecutionProvider_DML(0);
    });

    /// <summary>Always there.</summary>
    public static readonly OnnxProvider Cpu = new("CPU", "CPUExecutionProvider", _ => { });

    static readonly OnnxProvider[] All = [Cuda, DirectMl, Cpu];

    /// <summary>
    /// The providers to try, in their order: those named, by a model's notes or else by <see cref="Variable"/>; where nobody names any, those that the library has. CPU comes
    /// last in any case, so that there is always one that works.
    /// </summary>
    /// <exception cref="LatentBridgeException">A name is not known.</exception>
    public static IReadOnlyList<OnnxProvider> Choose(IReadOnlyList<string>? named)
    {
        named ??= (Environment.GetEnvironmentVariable(Variable) ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        IEnumerable<OnnxProvider> wanted = named.Count > 0
            ? named.Select(Find)
            : All.Where(provider => OnnxLibrary.Providers.Contains(provider.RuntimeName));
        return [.. wanted.Where(provider => provider != Cpu), Cpu];
    }

    static OnnxProvider Find(string name) => All.FirstOrDefault(provider => provider.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
        ?? throw new LatentBridgeException($"The execution provider \"{name}\" is not known; {string.Join(", ", All.Select(provider => provider.Name))} are.");
}
