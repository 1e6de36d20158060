namespace LatentBridge.Files;

/// <summary>numpy's <c>.npz</c>: a ZIP of <c>.npy</c> files, stored or deflated. kohya's latent caches are these.</summary>
static class NpzReader
{
    const int MaximumArrays = 4096;

    /// <summary>Reads every array's header. Arrays of text or objects are left out, and the metadata says why.</summary>
    public static (List<TensorEntry> Tensors, Dictionary<string, string> Metadata) Read(TensorBytes bytes, List<ZipEntry> entries)
    {
        var tensors = new List<TensorEntry>();
        Dictionary<string, string> metadata = [];
        if (entries.Count > MaximumArrays)
        {
            throw bytes.Bad($"is a ZIP file of {entries.Count} numpy arrays; at most {MaximumArrays} are accepted. Save fewer in one file");
        }

        foreach (ZipEntry entry in entries.Where(static e => IsArray(e.Name)))
        {
            string name = entry.Name[..^".npy".Length];
            if (NpyReader.Read(ZipDirectory.Open(bytes, entry), name, out string? unsupported) is { } tensor)
            {
                tensors.Add(tensor);
            }
            else
            {
                metadata[name] = $"{TensorFile.LeftOutPrefix}it {unsupported}";
            }
        }

        return tensors.Count > 0
            ? (tensors, metadata)
            : throw bytes.Bad($"has no array of numbers ({string.Join("; ", metadata.Take(4).Select(static m => $"\"{TensorEntry.Shorten(m.Key)}\" {m.Value}"))})");
    }

    /// <summary>Whether a ZIP entry is an array.</summary>
    public static bool IsArray(string entryName) => entryName.EndsWith(".npy", StringComparison.Ordinal);
}
