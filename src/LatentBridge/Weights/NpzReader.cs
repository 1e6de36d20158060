namespace LatentBridge.Weights;

/// <summary>numpy's <c>.npz</c>: a ZIP of <c>.npy</c> files, stored or deflated. kohya's latent caches are these.</summary>
static class NpzReader
{
    /// <summary>Reads every array's header.</summary>
    public static List<TensorEntry> Read(TensorBytes bytes, List<ZipEntry> entries)
    {
        var tensors = new List<TensorEntry>();
        foreach (ZipEntry entry in entries.Where(static e => IsArray(e.Name)))
        {
            tensors.Add(NpyReader.Read(ZipDirectory.Open(bytes, entry), entry.Name[..^".npy".Length]));
        }

        return tensors;
    }

    /// <summary>Whether a ZIP entry is an array.</summary>
    public static bool IsArray(string entryName) => entryName.EndsWith(".npy", StringComparison.Ordinal);
}
