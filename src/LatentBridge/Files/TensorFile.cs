namespace LatentBridge.Files;

/// <summary>
/// A file of tensors, opened: what is in it is known, the values are read tensor by tensor. Weights are data: nothing a
/// file holds is ever run.
/// </summary>
/// <remarks>
/// Reads safetensors (ComfyUI's <c>.latent</c> too), <c>.npy</c>, <c>.npz</c> and <c>.pt/.pth</c>, and each of them compressed by gzip. Told apart by their first bytes, not by the file's name. Every fault
/// is a <see cref="LatentBridgeException"/> that names the file.
/// </remarks>
sealed class TensorFile : IDisposable
{
    /// <summary>The name of a tensor that stands alone in its file.</summary>
    internal const string OnlyTensorName = "tensor";

    /// <summary>Begins the metadata of what is in the file but is not read.</summary>
    internal const string LeftOutPrefix = "left out: ";

    readonly TensorBytes _bytes;
    static readonly Dictionary<string, string> NoMetadata = [];

    readonly Dictionary<string, TensorEntry> _byName = new(StringComparer.Ordinal);

    TensorFile(TensorBytes bytes)
    {
        _bytes = bytes;
        (Tensors, Metadata, Kind) = Read(bytes);
        foreach (TensorEntry entry in Tensors)
        {
            if (!_byName.TryAdd(entry.Name, entry))
            {
                throw bytes.Bad($"two tensors are named \"{TensorEntry.Shorten(entry.Name)}\". The file is damaged or not what it seems");
            }
        }
    }

    /// <summary>What the file is.</summary>
    public TensorFileKind Kind { get; }

    /// <summary>The file's own notes, empty where the kind has none (safetensors: <c>__metadata__</c>).</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>What is in the file but is not read, and why: sentences, empty for most files.</summary>
    public IReadOnlyList<string> LeftOut =>
        [.. Metadata.Where(static m => m.Value.StartsWith(LeftOutPrefix, StringComparison.Ordinal)).Select(static m => $"\"{TensorEntry.Shorten(m.Key)}\" {m.Value}")];

    /// <summary>The tensors, in the file's order.</summary>
    public IReadOnlyList<TensorEntry> Tensors { get; }

    /// <summary>Opens a file and reads what is in it, not the values.</summary>
    /// <exception cref="LatentBridgeException">The file is not there, or not as it must be.</exception>
    public static TensorFile Open(string path) => Open(TensorBytes.OpenFile(path));

    /// <summary>Reads a file that is in memory already; <paramref name="name"/> is what messages call it.</summary>
    /// <exception cref="LatentBridgeException">The bytes are not as they must be.</exception>
    public static TensorFile Parse(ReadOnlyMemory<byte> bytes, string name) => Open(TensorBytes.FromMemory(bytes, name));

    /// <summary>The tensor of this name, or null.</summary>
    public TensorEntry? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>Closes the file; tensors can no longer be read.</summary>
    public void Dispose() => _bytes.Dispose();

    /// <summary>Reads what is in the bytes and owns them.</summary>
    internal static TensorFile Open(TensorBytes bytes)
    {
        TensorBytes owned = bytes;
        try
        {
            owned = GzipBytes.IsGzip(bytes) ? new GzipBytes(bytes) : bytes;
            return new(owned);
        }
        catch
        {
            owned.Dispose();
            bytes.Dispose();
            throw;
        }
    }

    static (IReadOnlyList<TensorEntry> Tensors, IReadOnlyDictionary<string, string> Metadata, TensorFileKind Kind) Read(TensorBytes bytes)
    {
        Span<byte> start = stackalloc byte[(int)Math.Min(16, bytes.Length)];
        bytes.Read(0, start);
        if (start is [(byte)'P', (byte)'K', 3, 4, ..] or [(byte)'P', (byte)'K', 5, 6, ..])
        {
            return ReadZip(bytes);
        }

        if (start.StartsWith(NpyReader.Magic))
        {
            return ([NpyReader.Read(new(bytes, 0, bytes.Length), OnlyTensorName)], NoMetadata, TensorFileKind.Npy);
        }

        if (TorchReader.IsLegacy(bytes))
        {
            TorchContents contents = TorchReader.ReadLegacy(bytes);
            return (contents.Tensors, contents.Metadata, TensorFileKind.TorchLegacy);
        }

        if (start.Length > 8 && start[8] == '{')
        {
            var (tensors, metadata) = SafetensorsReader.Read(bytes);
            return (tensors, metadata, TensorFileKind.Safetensors);
        }

        throw bytes.Bad(Unknown(start));
    }

    static (IReadOnlyList<TensorEntry> Tensors, IReadOnlyDictionary<string, string> Metadata, TensorFileKind Kind) ReadZip(TensorBytes bytes)
    {
        List<ZipEntry> entries = ZipDirectory.Read(bytes);
        if (TorchReader.FindPickle(entries) is { } pickle)
        {
            TorchContents contents = TorchReader.ReadZip(bytes, entries, pickle);
            return (contents.Tensors, contents.Metadata, TensorFileKind.Torch);
        }

        if (!entries.Exists(static e => NpzReader.IsArray(e.Name)))
        {
            throw bytes.Bad($"is a ZIP file of {entries.Count} entries, but holds neither numpy arrays (.npz) nor a torch.save (.pt, .pth). Unpack it first");
        }

        var (tensors, metadata) = NpzReader.Read(bytes, entries);
        return (tensors, metadata, TensorFileKind.Npz);
    }

    static string Unknown(ReadOnlySpan<byte> start)
    {
        const string Expected = "expected safetensors, .latent, .npy, .npz, .pt or .pth";
        return start switch
        {
            [] => $"is empty; {Expected}",
            [(byte)'v', (byte)'e', (byte)'r', (byte)'s', (byte)'i', (byte)'o', (byte)'n', (byte)' ', ..] => "is a Git LFS pointer, not the file itself. Fetch it with `git lfs pull`, or download it",
            [(byte)'<', ..] => $"is a web page, not a file of tensors. Download the file itself; {Expected}",
            [0x80, <= 5, ..] => $"is a plain Python pickle: refused, weights are data. Save tensors with torch.save or safetensors",
            [0x89, (byte)'P', (byte)'N', (byte)'G', ..] or [0xFF, 0xD8, ..] => $"is a picture, not a file of tensors; {Expected}",
            _ => $"is not a file of tensors: it begins with {Convert.ToHexString(start)}; {Expected}. It may be cut off or damaged",
        };
    }
}
