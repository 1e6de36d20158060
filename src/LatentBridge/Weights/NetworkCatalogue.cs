using System.Collections.Concurrent;
using LatentBridge.Files;

namespace LatentBridge.Weights;

/// <summary>The networks that can be recognised in files. The decoders say which; see <c>LatentDecoders.Networks</c>.</summary>
/// <remarks>Safe for use from several threads. A file is read again only after its length or time has changed.</remarks>
sealed class NetworkCatalogue
{
    readonly ConcurrentDictionary<string, (long Length, DateTime Written, IReadOnlyList<FoundWeights> Found)> _cache = new();
    readonly IReadOnlyList<NetworkArchitecture> _architectures;

    internal NetworkCatalogue(IReadOnlyList<NetworkArchitecture> architectures) => _architectures = architectures;

    /// <summary>Kinds of model file that other assemblies read.</summary>
    internal IReadOnlyList<ModelKind> Kinds { get; private set; } = [];

    /// <summary>Says which networks a file holds: at least one entry, which gives the reason when there is nothing of use.</summary>
    /// <remarks>Never throws for a bad file.</remarks>
    public IReadOnlyList<FoundWeights> Look(string path) => WeightRecognition.Recognise(Path.GetFullPath(path), _architectures);

    /// <summary>Opens a file that must hold a network of this architecture.</summary>
    /// <param name="path">A safetensors or <c>.pt</c>/<c>.pth</c> file.</param>
    /// <param name="architecture">Id of the network, as <see cref="FoundWeights.Architecture"/>.</param>
    /// <exception cref="LatentBridgeException">It holds another network, or one of its tensors is missing, too many or of another shape.</exception>
    public NetworkTensors Open(string path, string architecture)
    {
        IReadOnlyList<FoundWeights> found = Look(path);
        return found.FirstOrDefault(f => f.Architecture == architecture)?.Open()
            ?? throw new LatentBridgeException($"'{path}' holds {found[0].Title}{(found[0].Problem is { } why ? $": {why}" : "")}; {architecture} was expected.");
    }

    /// <summary>Reads a network that this program made itself from memory.</summary>
    internal NetworkTensors Parse(byte[] bytes, string name)
    {
        TensorFile file = TensorFile.Parse(bytes, name);
        return new(WeightRecognition.Recognise(name, file, _architectures)[0], file);
    }

    /// <summary>Adds a kind of model file. Call it once a kind, before any library is used.</summary>
    internal void Add(ModelKind kind) => Kinds = [.. Kinds, kind];

    internal ModelKind? KindOf(FileInfo file) => Kinds.FirstOrDefault(kind => kind.Ending.Equals(file.Extension, StringComparison.OrdinalIgnoreCase));

    internal IReadOnlyList<FoundWeights> Look(FileInfo file)
    {
        if (KindOf(file) is { } kind)
        {
            return RegularFile.Problem(file.FullName) is { } problem
                ? [new() { Path = file.FullName, Architecture = FoundWeights.UnknownArchitecture, Title = "unknown", Problem = $"the file {problem}." }]
                : [kind.Recognise(file.FullName) with { Kind = kind }];
        }

        if (_cache.TryGetValue(file.FullName, out var known) && known.Length == file.Length && known.Written == file.LastWriteTimeUtc)
        {
            return known.Found;
        }

        IReadOnlyList<FoundWeights> found = WeightRecognition.Recognise(file.FullName, _architectures);
        _cache[file.FullName] = (file.Length, file.LastWriteTimeUtc, found);
        return found;
    }
}
